"""When a manager may be left alone, and when a take-over is done: two questions to the state."""

from __future__ import annotations

from ..core.legs import is_covered, is_handed_over
from ..core.position import Agreement, agreement, open_quantity
from ..core.state import State
from ..core.values import Role


def is_guarded(state: State) -> bool:
    """Whether nothing of ours needs somebody at work: positions are protected, by what dies with them."""
    return is_protected(state) and all(is_handed_over(state, bracket) for bracket in state.brackets.values())


def is_protected(state: State) -> bool:
    """Whether each entry's outcome is known, each position has its stop (where one was asked for), and none is being
    closed."""
    for bracket in state.brackets.values():
        if bracket.closing is not None or not state.orders[bracket.entry_id].closed:
            return False
        is_live = is_covered(state, bracket, Role.STOP_LOSS)
        if open_quantity(state, bracket) > 0 and bracket.stop_loss is not None and not is_live:
            return False
    return True


def is_settled(state: State) -> bool:
    """Whether what happened while nobody was at work is found out: each bracket's ledger agrees with what the exchange
    said since the start, and none is on its way out."""
    return all(
        agreement(state, bracket, since_ms=state.started_ms) is Agreement.AGREES
        and bracket.closing is None
        and bracket.flat_since_ms is None
        for bracket in state.brackets.values()
    )
