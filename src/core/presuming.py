"""An entry of unknown fate whose position shows: its stop goes out before the fate is proven.

Proof takes questions about one order, and each may be lost, late or denied; the position, meanwhile, may be bare. One
in the entry's direction, on a symbol that was flat when it was asked before the entry, is ours in all likelihood. The
safe error is to protect (design: outcomes): a closePosition stop can only reduce, and should the position turn out to
be somebody else's, the stop goes when the entry is proven absent.

Nothing is *closed* on a presumption, but for one case: what has to go (a CLOSE signal, a price that is through the stop
already) and is exactly the entry's quantity. What has to go and is more or less is guarded until proof is there.
"""

from __future__ import annotations

from .bracket import Bracket
from .closing import close
from .guarding import guard_presumed
from .legs import is_covered, standing_leg
from .order import ORDER_WORKING
from .position import Agreement, agreement
from .resolving import pace
from .state import position_key
from .turn import Turn
from .values import OrderStatus, Role

FILL_GRACE_MS = 100
"""A fill's own event travels with the position's; past this it is late, or lost."""


def presume(turn: Turn, bracket: Bracket) -> Bracket:
    """Look at the symbol while the entry's fate is unknown, and guard the position that shows; also one whose entry was
    acknowledged and whose fill was not told."""
    entry = turn.state.orders[bracket.entry_id]
    if entry.status is not OrderStatus.UNRESOLVED and entry.status not in ORDER_WORKING:
        return bracket
    view = turn.state.positions.get(position_key(bracket.symbol, bracket.position_side))
    if view is not None and view.known_at_ms < max(entry.tries.sent_at_ms, bracket.received_at_ms):
        view = None  # from before the entry: it says nothing about it
    if entry.status is OrderStatus.UNRESOLVED and entry.tries.absences == 0:  # else the proof of its absence asks
        bracket = _look(turn, bracket, entry.tries.misses, first=view is None)
    if view is None:
        return bracket
    if entry.status in ORDER_WORKING and turn.now_ms < view.known_at_ms + FILL_GRACE_MS:
        return turn.wake(bracket, view.known_at_ms + FILL_GRACE_MS)
    if agreement(turn.state, bracket) is Agreement.AGREES:
        return bracket  # the trades of others explain it
    amount = view.amount * bracket.entry_side.sign
    if amount <= 0:
        return bracket
    goes = bracket.closing is not None and amount == bracket.quantity
    if not goes and bracket.stop_loss is not None and not is_covered(turn.state, bracket, Role.STOP_LOSS):
        known = standing_leg(turn.state, bracket, Role.STOP_LOSS)
        bracket = guard_presumed(turn, bracket, amount)
        if known is None and standing_leg(turn.state, bracket, Role.STOP_LOSS) is not None:
            text = "the entry's fate is not known, but a position in its direction stands: its stop goes out"
            turn.announce("presumed", text, bracket, amount=str(view.amount))
    return close(turn, bracket, presumed=amount) if goes else bracket


def _look(turn: Turn, bracket: Bracket, asked: int, *, first: bool) -> Bracket:
    """Ask about the symbol now and then; at first for the position alone, for all else takes longer."""
    if bracket.asking:
        return bracket
    due = bracket.next_look_ms
    if due is not None and turn.now_ms < due:
        return turn.wake(bracket, due)
    bracket = turn.update(bracket, next_look_ms=turn.now_ms + pace(asked + 2))
    return turn.look_at_symbol(bracket, "entry_unknown", trades=not first, position_only=first)
