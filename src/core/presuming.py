"""An entry of unknown fate whose position shows: its stop goes out before the fate is proven.

Proof takes questions about one order, and each may be lost, late or denied; the position, meanwhile, may be bare. One
in the entry's direction, on a symbol that was flat when it was asked before the entry, is ours in all likelihood. The
safe error is to protect (design: outcomes): a closePosition stop can only reduce, and should the position turn out to
be somebody else's, the stop goes when the entry is proven absent. Nothing is *closed* on a presumption.
"""

from __future__ import annotations

from .bracket import Bracket
from .guarding import guard_presumed
from .legs import is_covered, standing_leg
from .position import Agreement, agreement
from .resolving import pace
from .state import position_key
from .turn import Turn
from .values import OrderStatus, Role


def presume(turn: Turn, bracket: Bracket) -> Bracket:
    """Look at the symbol while the entry's fate is unknown, and guard the position that shows."""
    entry = turn.state.orders[bracket.entry_id]
    if entry.status is not OrderStatus.UNRESOLVED:
        return bracket
    view = turn.state.positions.get(position_key(bracket.symbol, bracket.position_side))
    if view is not None and view.known_at_ms < max(entry.tries.sent_at_ms, bracket.received_at_ms):
        view = None  # from before the entry: it says nothing about it
    if entry.tries.absences == 0:  # else the proof of its absence asks
        bracket = _look(turn, bracket, entry.tries.misses, first=view is None)
    if view is None:
        return bracket
    if agreement(turn.state, bracket) is Agreement.AGREES:
        return bracket  # the trades of others explain it
    amount = view.amount * bracket.entry_side.sign
    if amount <= 0 or bracket.stop_loss is None or is_covered(turn.state, bracket, Role.STOP_LOSS):
        return bracket
    if standing_leg(turn.state, bracket, Role.STOP_LOSS) is None:
        text = "the entry's fate is not known, but a position in its direction stands: its stop goes out"
        turn.announce("presumed", text, bracket, amount=str(view.amount))
    return guard_presumed(turn, bracket, amount)


def _look(turn: Turn, bracket: Bracket, asked: int, *, first: bool) -> Bracket:
    """Ask about the symbol now and then; at first without the trades, which take longer."""
    if bracket.asking:
        return bracket
    due = bracket.next_look_ms
    if due is not None and turn.now_ms < due:
        return turn.wake(bracket, due)
    bracket = turn.update(bracket, next_look_ms=turn.now_ms + pace(asked + 2))
    return turn.look_at_symbol(bracket, "entry_unknown", trades=not first)
