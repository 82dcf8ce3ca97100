"""Close a position at market, by its real size, until it is zero; the stop stays while that lasts."""

from __future__ import annotations

from .bracket import Bracket, CloseReason
from .order import ORDER_WORKING
from .position import open_quantity, orders_of
from .turn import Turn
from .values import OrderStatus, Role

PAUSE_MS = 100
PAUSE_MAX_MS = 5000
ALERT_EVERY = 10


def close(turn: Turn, bracket: Bracket) -> Bracket:
    """Send the next closing order, unless one is at work.

    Reduce-only, so it can never open or flip a position; the exchange may shrink it without saying so, and may leave a
    rest (`marketTakeBound`), so fills are believed and the loop goes on until zero (binance-usdm.md §12.3, §12.4).
    An exit of unknown outcome does not hold back the next one once the exchange said that it does not know it: both
    reduce only, and no entry is let in on this symbol until the first can no longer arrive.
    """
    exits = orders_of(turn.state, bracket, Role.EXIT, Role.FLATTEN)
    for order in exits:
        if order.status is OrderStatus.PENDING_NEW or order.status in ORDER_WORKING:
            return bracket
        if order.status is OrderStatus.UNRESOLVED and order.tries.misses == 0:
            return bracket
    refused = (order for order in exits if order.status is OrderStatus.REJECTED)
    ready = max((order.tries.next_at_ms or 0 for order in refused), default=0)
    if turn.now_ms < ready:
        return turn.wake(bracket, ready)
    quantity = open_quantity(turn.state, bracket)
    if bracket.market_max_quantity > 0:
        quantity = min(quantity, bracket.market_max_quantity)
    role = Role.EXIT if bracket.closing is CloseReason.SIGNAL else Role.FLATTEN
    return turn.submit(bracket, bracket.next_intent(role, quantity=quantity))


def close_refused(turn: Turn, bracket: Bracket, client_id: str) -> Bracket:
    """A closing order was refused: pause, look whether the position is still there, and try anew."""
    order = turn.state.orders[client_id]
    refused = sum(o.status is OrderStatus.REJECTED for o in orders_of(turn.state, bracket, Role.EXIT, Role.FLATTEN))
    pause = min(PAUSE_MS * 2 ** min(refused - 1, 10), PAUSE_MAX_MS)
    order = turn.update_order(order, next_at_ms=turn.now_ms + pause)
    if refused % ALERT_EVERY == 3:
        turn.alert(
            "close_refused",
            f"the exchange refused to close the position {refused} times, last with {order.tries.error_code}: "
            f"{order.tries.error_text}; trying on",
            bracket,
            client_id,
        )
    for leg in (Role.STOP_LOSS, Role.TAKE_PROFIT):  # a leg that triggered meanwhile explains the refusal
        current = bracket.current(leg)
        algo = turn.state.algos.get(current) if current else None
        if algo is not None and not algo.closed:
            turn.look_up(algo, "close_refused")
    return turn.look_at_symbol(bracket, "close_refused", trades=True)
