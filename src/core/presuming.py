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
from enum import Enum

from .bracket import Bracket, CloseReason
from .closing import close, is_held_up
from .codes import WOULD_TRIGGER
from .doubt import DOUBTED_STOP_MS
from .guarding import guard_meanwhile, guard_presumed
from .legs import armed_leg, covers, legs_of, shown_leg, standing_leg
from .order import ORDER_WORKING
from .position import Agreement, agreement, executed_out, orders_of
from .resolving import SETTLE_MS, pace
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
    is_lost = entry.status is OrderStatus.UNRESOLVED
    if not is_lost and entry.status not in ORDER_WORKING and not is_in_flight:
        return bracket
    view = _view(turn, bracket)
    if is_lost and entry.tries.absences == 0:  # else the proof of its absence asks
        bracket = _look(turn, bracket, entry.tries.misses, first=view is None)
    if view is None:
        return bracket if is_in_flight else _guard_unseen(turn, bracket, _heard_ms(turn, bracket))
    amount = view.amount * bracket.entry_side.sign
    if amount > 0 and agreement(turn.state, bracket) is not Agreement.AGREES:  # else the trades of others explain it
        return _guard_shown(turn, bracket, view, amount)
    bracket = turn.update(bracket, presumed_since_ms=None)
    may_be_late = not is_lost or view.known_at_ms <= entry.tries.dead_after_ms + SETTLE_MS
    if amount != 0 or is_in_flight or not may_be_late:
        return bracket
    # It was flat when it was asked about. The entry may have arrived since, unless an answer said that it had not.
    return _guard_unseen(turn, bracket, max(view.known_at_ms, entry.tries.absent_ms, _heard_ms(turn, bracket)))


def _guard_shown(turn: Turn, bracket: Bracket, view: PositionView, amount: Decimal) -> Bracket:
    """A position shows that is the entry's in all likelihood: it gets its stop; what cannot be guarded is closed, and
    what is exactly the entry's where a CLOSE wants it gone."""
    if not bracket.has_shown:  # a doubt of its stop, from the time when nothing was to be guarded, is weighed from now
        bracket = turn.wake(turn.update(bracket, has_shown=True), turn.now_ms + 1)
    stop = _stop(turn, bracket)
    if stop in (_Stop.RESTS, _Stop.DOUBTED):
        bracket = turn.update(bracket, presumed_since_ms=None)
    elif bracket.presumed_since_ms is None:
        since_ms = turn.now_ms if _was_guarded(turn, bracket) else min(view.known_at_ms, turn.now_ms)
        bracket = turn.update(bracket, presumed_since_ms=since_ms)
    is_lost = turn.state.orders[bracket.entry_id].status is OrderStatus.UNRESOLVED
    told_by_ms = (bracket.presumed_since_ms or view.known_at_ms) + FILL_GRACE_MS
    if not is_lost and turn.now_ms < told_by_ms:
        return turn.wake(bracket, told_by_ms)
    reason = bracket.closing
    goes = reason is not None and (reason is not CloseReason.SIGNAL or amount == bracket.quantity)
    if not goes:
        bracket, goes = _tend_stop(turn, bracket, amount, stop, "but a position in its direction stands")
    ours = _at_most_ours(turn, bracket, amount)
    return _close(turn, bracket, ours) if goes and ours > 0 else bracket


def _guard_unseen(turn: Turn, bracket: Bracket, heard_ms: int) -> Bracket:
    """The stop of an entry about which nothing was heard since, nor of its position; where it is refused because the
    price is through it already, or cannot be made live in time, a close of what may be left of the entry."""
    stop = _stop(turn, bracket)
    rest = bracket.quantity - executed_out(turn.state, bracket)
    # A stop with a quantity would be accepted on a flat symbol, too, and outlive the answer.
    if bracket.stop_loss is None or bracket.explicit_stop or stop is _Stop.RESTS or rest <= 0:
        return bracket
    goes = _is_crossed(turn, bracket)
    due_ms = max(heard_ms, turn.state.started_ms) + UNSEEN_MS
    standing = standing_leg(turn.state, bracket, Role.STOP_LOSS)
    if standing is not None and not goes:
        due_ms = max(due_ms, standing.tries.sent_at_ms + min(pace(standing.tries.refusals), UNSEEN_PAUSE_MAX_MS))
    if turn.now_ms < due_ms:
        return turn.wake(bracket, due_ms)
    if not goes:
        bracket, goes = _tend_stop(turn, bracket, rest, stop, "and nobody answers whether there is a position")
    # Where others are known to have added, nothing says that any of it is ours.
    return _close(turn, bracket, rest) if goes and bracket.external_net <= 0 else bracket


def _is_crossed(turn: Turn, bracket: Bracket) -> bool:
    """Whether no stop can rest: the close has begun for that, or the exchange refused the newest stop so."""
    if bracket.external_net > 0:
        return False  # nothing is closed then: the price may come back, and the stop be accepted
    if bracket.closing is not None and bracket.closing is not CloseReason.SIGNAL:
        return True
    stop = standing_leg(turn.state, bracket, Role.STOP_LOSS)
    return stop is not None and stop.closed and stop.tries.error_code == WOULD_TRIGGER


class _Stop(Enum):
    """What guards a position that is not proven to be ours."""

    BARE = "bare"
    RESTS = "rests"
    DOUBTED = "doubted"  # it left with the entry, and answers deny it: what closes the position is sent beside it


def _stop(turn: Turn, bracket: Bracket) -> _Stop:
    stop = shown_leg(turn.state, bracket, Role.STOP_LOSS)
    if stop is None or not covers(turn.state, bracket, stop):
        return _Stop.BARE
    return _Stop.DOUBTED if stop.intent.armed and stop.tries.doubted_ms is not None else _Stop.RESTS


def _was_guarded(turn: Turn, bracket: Bracket) -> bool:
    """Whether a stop was live: then the limit counts from when we learned that it is gone, as for a proven position."""
    return any(stop.live_since_ms is not None for stop in legs_of(turn.state, bracket, Role.STOP_LOSS))


def _tend_stop(turn: Turn, bracket: Bracket, amount: Decimal, stop: _Stop, why: str) -> tuple[Bracket, bool]:
    """See that a stop rests for an amount; also whether that has to be closed instead. The first stop is told of."""
    if bracket.stop_loss is None or stop is _Stop.RESTS:
        return bracket, False
    known = standing_leg(turn.state, bracket, Role.STOP_LOSS)
    armed = armed_leg(turn.state, bracket, Role.STOP_LOSS)
    if stop is _Stop.DOUBTED and armed is not None:
        due_ms = max(armed.tries.doubted_ms or 0, turn.state.started_ms) + DOUBTED_STOP_MS
        if turn.now_ms < due_ms:
            return turn.wake(bracket, due_ms), False
    bracket, goes = guard_presumed(turn, bracket, amount)
    if known is None and standing_leg(turn.state, bracket, Role.STOP_LOSS) is not None:
        text = f"the entry's fate is not known, {why}: its stop goes out"
        turn.announce("presumed", text, bracket, amount=str(amount * bracket.entry_side.sign))
    return bracket, goes


def _close(turn: Turn, bracket: Bracket, amount: Decimal) -> Bracket:
    """Close so much; while the exchange refuses that, a stop is tried for."""
    bracket = close(turn, bracket, presumed=amount)
    return guard_meanwhile(turn, bracket, amount) if is_held_up(turn, bracket) else bracket


def _heard_ms(turn: Turn, bracket: Bracket) -> int:
    """When the newest word came of the entry, or of what our orders closed of it."""
    entry = turn.state.orders[bracket.entry_id]
    return max(entry.tries.sent_at_ms, entry.updated_ms, bracket.received_at_ms, _closed_ms(turn, bracket))


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
