"""When a manager may be left alone, and when a take-over is done: two questions to the state."""

from __future__ import annotations

from ..core.position import Agreement, agreement, open_quantity
from ..core.state import State
from ..core.values import AlgoStatus, Role


def is_guarded(state: State) -> bool:
    """Whether nothing of ours needs somebody at work: each entry's outcome is known, each position has its stop (where
    one was asked for), and none is being closed."""
    for bracket in state.brackets.values():
        if bracket.closing is not None or not state.orders[bracket.entry_id].closed:
            return False
        stop = state.algos.get(bracket.current(Role.STOP_LOSS) or "")
        is_live = stop is not None and stop.status is AlgoStatus.NEW
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
