"""An entry of unknown fate whose position shows: its stop goes out before the fate is proven.

Proof takes questions about one order, and each may be lost, late or denied; the position, meanwhile, may be bare. One
in the entry's direction, on a symbol that was flat when it was asked before the entry, is ours in all likelihood. The
safe error is to protect (design: outcomes): a closePosition stop can only reduce, and should the position turn out to
be somebody else's, the stop goes when the entry is proven absent.

It is *closed* on a presumption where it is exactly the entry's quantity and a CLOSE signal wants it gone, and where it
cannot be guarded: the price is through the stop already, or the stop is not live in time. Then no more goes than the
entry's quantity, reduce-only. What a CLOSE wants gone and is more or less is guarded until proof is there.
"""

from __future__ import annotations

from decimal import Decimal

from .bracket import Bracket, CloseReason
from .closing import close
from .guarding import guard_presumed
from .legs import is_covered, standing_leg
from .order import ORDER_WORKING
from .position import Agreement, agreement, executed_out, orders_of
from .resolving import pace
from .state import PositionView, position_key
from .turn import Turn
from .values import ZERO, OrderStatus, Role

FILL_GRACE_MS = 100
"""A fill's own event travels with the position's; past this it is late, or lost."""


def presume(turn: Turn, bracket: Bracket) -> Bracket:
    """Look at the symbol while the entry's fate is unknown, and guard the position that shows; also one whose entry is
    still to be answered, or was acknowledged and its fill not told."""
    entry = turn.state.orders[bracket.entry_id]
    # One that was refused before and sent again may meet a position from before this attempt.
    is_in_flight = entry.status is OrderStatus.PENDING_NEW and entry.tries.count == 1 and entry.tries.next_at_ms is None
    if entry.status is not OrderStatus.UNRESOLVED and entry.status not in ORDER_WORKING and not is_in_flight:
        return bracket
    view = _view(turn, bracket)
    if entry.status is OrderStatus.UNRESOLVED and entry.tries.absences == 0:  # else the proof of its absence asks
        bracket = _look(turn, bracket, entry.tries.misses, first=view is None)
    if view is None:
        return bracket
    if entry.status is not OrderStatus.UNRESOLVED and turn.now_ms < view.known_at_ms + FILL_GRACE_MS:
        return turn.wake(bracket, view.known_at_ms + FILL_GRACE_MS)
    amount = view.amount * bracket.entry_side.sign
    if amount <= 0 or agreement(turn.state, bracket) is Agreement.AGREES:  # the trades of others explain it
        return turn.update(bracket, presumed_since_ms=None)
    if bracket.presumed_since_ms is None:
        bracket = turn.update(bracket, presumed_since_ms=min(view.known_at_ms, turn.now_ms))
    reason = bracket.closing
    goes = reason is not None and (reason is not CloseReason.SIGNAL or amount == bracket.quantity)
    if not goes and bracket.stop_loss is not None and not is_covered(turn.state, bracket, Role.STOP_LOSS):
        known = standing_leg(turn.state, bracket, Role.STOP_LOSS)
        bracket, goes = guard_presumed(turn, bracket, amount)
        if known is None and standing_leg(turn.state, bracket, Role.STOP_LOSS) is not None:
            text = "the entry's fate is not known, but a position in its direction stands: its stop goes out"
            turn.announce("presumed", text, bracket, amount=str(view.amount))
    ours = _at_most_ours(turn, bracket, amount)
    return close(turn, bracket, presumed=ours) if goes and ours > 0 else bracket


def _at_most_ours(turn: Turn, bracket: Bracket, amount: Decimal) -> Decimal:
    """What of a position may be the entry's: no more than it was for, less what our orders closed of it already, and
    nothing that others are known to have added."""
    return min(amount - max(ZERO, bracket.external_net), bracket.quantity - executed_out(turn.state, bracket))


def _view(turn: Turn, bracket: Bracket) -> PositionView | None:
    """The exchange's position; none that was told before the entry left, or before a close of ours."""
    view = turn.state.positions.get(position_key(bracket.symbol, bracket.position_side))
    entry = turn.state.orders[bracket.entry_id]
    exits = orders_of(turn.state, bracket, Role.STOP_LOSS, Role.TAKE_PROFIT, Role.EXIT, Role.FLATTEN)
    closed_ms = max((order.last_fill_known_ms for order in exits), default=0)
    if view is None or view.known_at_ms < max(entry.tries.sent_at_ms, bracket.received_at_ms):
        return None
    return view if view.known_at_ms > closed_ms else None


def _look(turn: Turn, bracket: Bracket, asked: int, *, first: bool) -> Bracket:
    """Ask about the symbol now and then; at first for the position alone, for all else takes longer."""
    if bracket.asking:
        return bracket
    due = bracket.next_look_ms
    if due is not None and turn.now_ms < due:
        return turn.wake(bracket, due)
    bracket = turn.update(bracket, next_look_ms=turn.now_ms + pace(asked + 2))
    return turn.look_at_symbol(bracket, "entry_unknown", trades=not first, position_only=first)
