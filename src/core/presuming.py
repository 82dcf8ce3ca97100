"""An entry of unknown fate whose position shows: its stop goes out before the fate is proven.

Proof takes questions about one order, and each may be lost, late or denied; the position, meanwhile, may be bare. One
in the entry's direction, on a symbol that was flat when it was asked before the entry, is ours in all likelihood. The
safe error is to protect (design: outcomes): a closePosition stop can only reduce, and should the position turn out to
be somebody else's, the stop goes when the entry is proven absent.

Where nobody answers at all, the stop is the question: orders leave while a 429 holds questions back, and one that
closes a position is refused where there is none (-4509; a reduce-only close, -2022: binance-usdm.md §4.6, §12.3).

It is *closed* on a presumption where it is exactly the entry's quantity and a CLOSE signal wants it gone, and where it
cannot be guarded: the price is through the stop already, or the stop is not live in time. Then no more goes than the
entry's quantity, reduce-only. What a CLOSE wants gone and is more or less is guarded until proof is there.
"""

from __future__ import annotations

from decimal import Decimal

from .bracket import Bracket, CloseReason
from .closing import close
from .codes import WOULD_TRIGGER
from .doubt import DOUBTED_STOP_MS
from .guarding import guard_presumed
from .legs import covers, legs_of, shown_leg, standing_leg
from .order import ORDER_WORKING
from .position import Agreement, agreement, executed_out, orders_of
from .resolving import pace
from .state import PositionView, position_key
from .turn import Turn
from .values import ZERO, OrderStatus, Role

FILL_GRACE_MS = 100
"""A fill's own event travels with the position's; past this it is late, or lost."""
UNSEEN_MS = 750
"""After this long without an answer the stop leaves on no evidence but the entry itself."""
UNSEEN_PAUSE_MAX_MS = 2000
"""While it is refused for want of a position, it is tried at least so often: the entry may be late."""


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
        return bracket if is_in_flight else _guard_unseen(turn, bracket, _heard_ms(turn, bracket))
    if entry.status is not OrderStatus.UNRESOLVED and turn.now_ms < view.known_at_ms + FILL_GRACE_MS:
        return turn.wake(bracket, view.known_at_ms + FILL_GRACE_MS)
    amount = view.amount * bracket.entry_side.sign
    if amount <= 0 or agreement(turn.state, bracket) is Agreement.AGREES:  # the trades of others explain it
        bracket = turn.update(bracket, presumed_since_ms=None)
        never_late = entry.status is OrderStatus.UNRESOLVED and view.known_at_ms > entry.tries.dead_after_ms
        if amount != 0 or is_in_flight or never_late:
            return bracket
        # It was flat when it was asked about. The entry may have arrived since, unless an answer said that it had not.
        heard_ms = max(view.known_at_ms, entry.tries.absent_ms, _heard_ms(turn, bracket))
        return _guard_unseen(turn, bracket, heard_ms)
    bracket, is_guarded = _is_guarded(turn, bracket)
    if is_guarded:
        bracket = turn.update(bracket, presumed_since_ms=None, has_shown=True)
    elif bracket.presumed_since_ms is None:
        bracket = turn.update(bracket, presumed_since_ms=_bare_since_ms(turn, bracket, view), has_shown=True)
    reason = bracket.closing
    goes = reason is not None and (reason is not CloseReason.SIGNAL or amount == bracket.quantity)
    if not goes and bracket.stop_loss is not None and not is_guarded:
        bracket, goes = _send_stop(turn, bracket, amount, "but a position in its direction stands")
    ours = _at_most_ours(turn, bracket, amount)
    return close(turn, bracket, presumed=ours) if goes and ours > 0 else bracket


def _guard_unseen(turn: Turn, bracket: Bracket, heard_ms: int) -> Bracket:
    """The stop of an entry about which nothing was heard since, nor of its position; where it is refused because the
    price is through it already, or cannot be made live in time, a close of what may be left of the entry."""
    bracket, is_guarded = _is_guarded(turn, bracket)
    rest = bracket.quantity - executed_out(turn.state, bracket)
    # A stop with a quantity would be accepted on a flat symbol, too, and outlive the answer.
    if bracket.stop_loss is None or bracket.explicit_stop or is_guarded or rest <= 0:
        return bracket
    stop = standing_leg(turn.state, bracket, Role.STOP_LOSS)
    goes = bracket.closing is not None and bracket.closing is not CloseReason.SIGNAL
    goes = goes or (stop is not None and stop.closed and stop.tries.error_code == WOULD_TRIGGER)
    goes = goes and bracket.external_net <= 0  # else nothing says that any of it is ours
    due_ms = max(heard_ms, turn.state.started_ms) + UNSEEN_MS
    if stop is not None and not goes:
        due_ms = max(due_ms, stop.tries.sent_at_ms + min(pace(stop.tries.refusals), UNSEEN_PAUSE_MAX_MS))
    if turn.now_ms < due_ms:
        return turn.wake(bracket, due_ms)
    if not goes:
        bracket, goes = _send_stop(turn, bracket, rest, "and nobody answers whether there is a position")
    return close(turn, bracket, presumed=rest) if goes and bracket.external_net <= 0 else bracket


def _send_stop(turn: Turn, bracket: Bracket, amount: Decimal, why: str) -> tuple[Bracket, bool]:
    """What `guard_presumed` does; the first stop is told of."""
    known = standing_leg(turn.state, bracket, Role.STOP_LOSS)
    bracket, goes = guard_presumed(turn, bracket, amount)
    if known is None and standing_leg(turn.state, bracket, Role.STOP_LOSS) is not None:
        text = f"the entry's fate is not known, {why}: its stop goes out"
        turn.announce("presumed", text, bracket, amount=str(amount * bracket.entry_side.sign))
    return bracket, goes


def _heard_ms(turn: Turn, bracket: Bracket) -> int:
    """When the newest word came of the entry, or of what our orders closed of it."""
    entry = turn.state.orders[bracket.entry_id]
    return max(entry.tries.sent_at_ms, entry.updated_ms, bracket.received_at_ms, _closed_ms(turn, bracket))


def _is_guarded(turn: Turn, bracket: Bracket) -> tuple[Bracket, bool]:
    """Whether a stop rests. One that left with the entry, and that answers deny for long, is not counted on: what
    closes the position is accepted beside it."""
    stop = shown_leg(turn.state, bracket, Role.STOP_LOSS)
    if stop is None or not covers(turn.state, bracket, stop):
        return bracket, False
    if stop.tries.doubted_ms is None or not stop.intent.armed:
        return bracket, True
    until_ms = max(stop.tries.doubted_ms, turn.state.started_ms) + DOUBTED_STOP_MS
    return (turn.wake(bracket, until_ms), True) if turn.now_ms < until_ms else (bracket, False)


def _bare_since_ms(turn: Turn, bracket: Bracket, view: PositionView) -> int:
    """From when a position that shows counts as bare: from its first showing, or from when its stop was doubted."""
    if not bracket.has_shown:
        return min(view.known_at_ms, turn.now_ms)
    stops = legs_of(turn.state, bracket, Role.STOP_LOSS)
    doubted_ms = [stop.tries.doubted_ms for stop in stops if stop.tries.doubted_ms is not None]
    return max(doubted_ms, default=turn.now_ms)


def _at_most_ours(turn: Turn, bracket: Bracket, amount: Decimal) -> Decimal:
    """What of a position may be the entry's: no more than it was for, less what our orders closed of it already, and
    nothing that others are known to have added."""
    return min(amount - max(ZERO, bracket.external_net), bracket.quantity - executed_out(turn.state, bracket))


def _view(turn: Turn, bracket: Bracket) -> PositionView | None:
    """The exchange's position; none that was told before the entry left, or before a close of ours."""
    view = turn.state.positions.get(position_key(bracket.symbol, bracket.position_side))
    entry = turn.state.orders[bracket.entry_id]
    if view is None or view.known_at_ms < max(entry.tries.sent_at_ms, bracket.received_at_ms):
        return None
    return view if view.known_at_ms > _closed_ms(turn, bracket) else None


def _closed_ms(turn: Turn, bracket: Bracket) -> int:
    """When we learned of the newest fill that took something off again; 0 without one."""
    exits = orders_of(turn.state, bracket, Role.STOP_LOSS, Role.TAKE_PROFIT, Role.EXIT, Role.FLATTEN)
    return max((order.last_fill_known_ms for order in exits), default=0)


def _look(turn: Turn, bracket: Bracket, asked: int, *, first: bool) -> Bracket:
    """Ask about the symbol now and then; at first for the position alone, for all else takes longer."""
    if bracket.asking:
        return bracket
    due = bracket.next_look_ms
    if due is not None and turn.now_ms < due:
        return turn.wake(bracket, due)
    bracket = turn.update(bracket, next_look_ms=turn.now_ms + pace(asked + 2))
    return turn.look_at_symbol(bracket, "entry_unknown", trades=not first, position_only=first)
