"""Close a position at market, by its real size, until it is zero; the stop stays while that lasts."""

from __future__ import annotations

from decimal import Decimal

from .bracket import Bracket, CloseReason
from .codes import NOTHING_TO_REDUCE, TOO_LARGE
from .doubt import is_unproven
from .legs import legs_of
from .order import ALGO_TRIGGERED, ORDER_WORKING, Order
from .outcome import Failure
from .position import executed_in, executed_out, open_quantity, orders_of
from .state import position_key
from .turn import Turn
from .values import OrderStatus, Role

PAUSE_MS = 100
PAUSE_MAX_MS = 5000
SOON_PAUSE_MAX_MS = 1000
"""Where nothing guards meanwhile; and where there was no connection: the close is to leave soon after an outage."""
PATIENCE_MS = 2000
"""How long a closing order of unknown outcome is asked about before the next one is sent."""
ALERT_EVERY = 10
DENIALS_NEEDED = 3


def close(turn: Turn, bracket: Bracket, *, presumed: Decimal | None = None) -> Bracket:
    """Send the next closing order, unless one is at work.

    Reduce-only, so it can never open or flip a position; the exchange may shrink it without saying so, and may leave a
    rest (`marketTakeBound`), so fills are believed and the loop goes on until zero (binance-usdm.md §12.3, §12.4).
    An exit of unknown outcome does not hold back the next one once the exchange said that it does not know it, or has
    said nothing for long: both reduce only, and no entry is let in on this symbol until the first can no longer arrive.
    `presumed` is a quantity that the exchange shows and our ledger does not prove yet (`presuming`).
    """
    exits = _exits(turn, bracket)
    for order in exits:
        if order.status is OrderStatus.PENDING_NEW or order.status in ORDER_WORKING:
            return bracket
        patient_until = max(order.tries.sent_at_ms, turn.state.started_ms) + PATIENCE_MS
        if order.status is OrderStatus.UNRESOLVED and order.tries.misses == 0 and turn.now_ms < patient_until:
            return turn.wake(bracket, patient_until)
    refused = [order for order in exits if order.status is OrderStatus.REJECTED]
    ready = refused[-1].tries.next_at_ms or 0 if refused else 0
    if _is_newly_bare(bracket, exits):
        ready = min(ready, (bracket.naked_known_ms or 0) + PAUSE_MS)
    if turn.now_ms < ready:
        return turn.wake(bracket, ready)
    if _is_gone(turn, bracket, exits):
        return _write_off(turn, bracket)
    quantity = open_quantity(turn.state, bracket) if presumed is None else presumed
    if bracket.market_max_quantity > 0:
        quantity = min(quantity, bracket.market_max_quantity)
    if (limit := _told_limit(bracket, refused)) is not None:
        quantity = min(quantity, limit)
    role = Role.EXIT if bracket.closing is CloseReason.SIGNAL else Role.FLATTEN
    return turn.submit(bracket, bracket.next_intent(role, quantity=quantity))


def _exits(turn: Turn, bracket: Bracket) -> list[Order]:
    """The closing orders, oldest first: all are of one role, as why it is closed never changes."""
    return orders_of(turn.state, bracket, Role.EXIT, Role.FLATTEN)


def _newest_tried(exits: list[Order]) -> Order | None:
    """Not the one with the latest time: the clock may have been measured anew between two."""
    return next((order for order in reversed(exits) if order.tries.sent_at_ms), None)


def _told_limit(bracket: Bracket, refused: list[Order]) -> Decimal | None:
    """The most that may be sent at once after the exchange refused a close as too large: half of that one. Its limit
    was lowered since the position was opened, and a close has no time to ask for the new one."""
    too_large = [order.intent.quantity for order in refused if order.tries.error_code == TOO_LARGE]
    step = bracket.market_step
    if not too_large or too_large[-1] is None or step <= 0:
        return None
    return max(step, too_large[-1] / 2 // step * step)


def _is_newly_bare(bracket: Bracket, exits: list[Order]) -> bool:
    """Whether the stop went after the newest close was sent: until then a refusal could wait, it was guarded."""
    newest = _newest_tried(exits)
    newest_ms = 0 if newest is None else newest.tries.sent_at_ms
    return bracket.naked_known_ms is not None and bracket.naked_known_ms > newest_ms


def _pause_ms(bracket: Bracket, order: Order, refused: int, failure: Failure) -> int:
    """Until the next attempt: what is bare cannot wait long, what is barred is the first to leave when it may, and what
    was too large leaves smaller."""
    if failure.code == TOO_LARGE and (order.intent.quantity or 0) > bracket.market_step > 0:
        return PAUSE_MS
    if failure.barred_ms is not None:
        return max(PAUSE_MS, failure.barred_ms)
    soon = failure.never_left or bracket.naked_since_ms is not None
    return min(PAUSE_MS << min(refused - 1, 10), SOON_PAUSE_MAX_MS if soon else PAUSE_MAX_MS)


def is_held_up(turn: Turn, bracket: Bracket) -> bool:
    """Whether the exchange refused the newest close, and it is not because there is nothing left to close."""
    newest = _newest_tried(_exits(turn, bracket))
    return newest is not None and newest.status is OrderStatus.REJECTED and newest.tries.error_code != NOTHING_TO_REDUCE


def _is_gone(turn: Turn, bracket: Bracket, exits: list[Order]) -> bool:
    """Whether the exchange says twice over that there is nothing left to close, though our ledger has a rest.

    It refused to reduce several times, and its position, asked for after the last of these, is flat or on the other
    side. Nothing of ours may be at work that could still explain the rest.
    """
    denials = [o for o in exits if o.status is OrderStatus.REJECTED and o.tries.error_code == NOTHING_TO_REDUCE]
    if len(denials) < DENIALS_NEEDED or not all(order.closed for order in orders_of(turn.state, bracket)):
        return False
    legs = legs_of(turn.state, bracket)
    if any(leg.status in ALGO_TRIGGERED or is_unproven(leg) for leg in legs):
        return False
    view = turn.state.positions.get(position_key(bracket.symbol, bracket.position_side))
    newest = max(order.tries.sent_at_ms for order in denials)
    return view is not None and view.known_at_ms > newest and view.amount * bracket.entry_side.sign <= 0


def _write_off(turn: Turn, bracket: Bracket) -> Bracket:
    """What no trade explains went without us: the exchange's position is the truth, and a person is told."""
    amount = turn.state.positions[position_key(bracket.symbol, bracket.position_side)].amount
    ours = executed_in(turn.state, bracket) - executed_out(turn.state, bracket)
    rest = open_quantity(turn.state, bracket)
    turn.alert(
        "position_gone",
        f"{rest} {bracket.symbol} of ours is gone and no trade explains it; the exchange refuses to reduce and shows "
        "no such position: taken for closed by others, look at the account",
        bracket,
    )
    bracket = turn.update(bracket, external_net=bracket.entry_side.sign * amount - ours)
    return turn.wake(bracket, turn.now_ms)


def close_refused(turn: Turn, bracket: Bracket, client_id: str, failure: Failure) -> Bracket:
    """A closing order was refused, or never left: pause, look whether the position is still there, and try anew."""
    order = turn.state.orders[client_id]
    refused = sum(o.status is OrderStatus.REJECTED for o in _exits(turn, bracket))
    pause = _pause_ms(bracket, order, refused, failure)
    order = turn.update_order(order, next_at_ms=turn.now_ms + pause)
    # Where no position has ever shown, that there is nothing to reduce is an answer, and good news.
    is_answer = failure.code == NOTHING_TO_REDUCE and not bracket.has_shown and executed_in(turn.state, bracket) == 0
    if not is_answer and (refused % ALERT_EVERY == 3 or pause > PAUSE_MAX_MS):
        last = f"refused with {failure.code}: {failure.text}" if failure.code is not None else failure.text
        turn.alert(
            "close_refused",
            f"the position could not be closed (attempt {refused}, {last}); trying again in {pause / 1000:g} s",
            bracket,
            client_id,
        )
    for leg in legs_of(turn.state, bracket):  # one that triggered meanwhile explains the refusal
        if not leg.closed or is_unproven(leg):
            turn.look_up(leg, "close_refused")
    return turn.look_at_symbol(bracket, "close_refused", trades=True)
