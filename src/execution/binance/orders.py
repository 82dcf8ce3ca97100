"""Submit and cancel. What is sent here is sent once (binance-usdm.md §8; design note 'outcomes')."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeVar

from ...core.events import AlgoAcknowledged, CancelDone, CancelFailed, OrderAcknowledged, SubmitFailed
from ...core.intent import OrderIntent
from ...core.values import PositionSide, Role, plain
from ..errors import ClockSkewed, ExchangeError, ExchangeRefused
from .client import Client, Reply
from .rest_messages import read_algo_order, read_algo_orders, read_order

ENTRY_ON_TIME_S: Final = 1.0
"""How long after it was to leave an entry may be sent a second time from here; later, the engine decides whether it is
still wanted."""
NOT_OPEN: Final = -2011
NO_SUCH_ORDER: Final = -2013

Acknowledged = OrderAcknowledged | AlgoAcknowledged
Answer = TypeVar("Answer")


def submit(client: Client, intent: OrderIntent) -> Acknowledged | SubmitFailed:
    """Send one order once (`_on_time` tells the one exception)."""
    place = _place_algo if intent.is_algo else _place_normal
    within_s = ENTRY_ON_TIME_S if intent.role is Role.ENTRY else None
    try:
        return _on_time(client, lambda: place(client, intent), within_s)
    except ExchangeError as error:
        return SubmitFailed(
            at_ms=client.clock.now_ms(),
            client_order_id=intent.client_order_id,
            failure=error.failure,
            sent_at_ms=error.sent_at_ms,
        )


def cancel(client: Client, client_order_id: str, symbol: str, *, algo: bool) -> CancelDone | CancelFailed:
    """Cancel one order by its client id. "Not open" is success: `gone` (§9.2)."""
    cancel_one = _cancel_algo if algo else _cancel_normal
    try:
        gone = _on_time(client, lambda: cancel_one(client, client_order_id, symbol))
    except ExchangeError as error:
        return CancelFailed(at_ms=client.clock.now_ms(), client_order_id=client_order_id, failure=error.failure)
    return CancelDone(at_ms=client.clock.now_ms(), client_order_id=client_order_id, gone=gone)


def _on_time(client: Client, send: Callable[[], Answer], within_s: float | None = None) -> Answer:
    """Send; and when our timestamp was outside the exchange's window, measure its clock and send a second, last time.

    That refusal proves that nothing was executed, its cure is known (§2.2, §9), and callers share the measurement. But
    the clock may have been right, and the request long on its way: looking up a name, say. What is not to be sent late
    (`within_s`) is not sent again then.
    """
    began_s = client.monotonic()
    try:
        return send()
    except ClockSkewed as error:
        skewed = error
    try:
        client.clock.synchronise()
    except ExchangeError:
        raise skewed from None
    if within_s is not None and client.monotonic() - began_s > within_s:
        raise skewed
    return send()


def _place_normal(client: Client, intent: OrderIntent) -> Acknowledged:
    """POST order. RESULT waits for a MARKET order's end state, so the answer tells the executed quantity (§5.3)."""
    reply: Reply = client.new_order(
        **_common(intent),
        newClientOrderId=intent.client_order_id,
        newOrderRespType="RESULT",
    )
    return reply.read(
        lambda data: read_order(data).acknowledged(
            at_ms=client.clock.now_ms(), sent_at_ms=reply.sent_at_ms, client_order_id=intent.client_order_id
        )
    )


def _place_algo(client: Client, intent: OrderIntent) -> Acknowledged:
    """POST algoOrder (§4.2)."""
    parameters = _common(intent) | {
        "algoType": "CONDITIONAL",
        "clientAlgoId": intent.client_order_id,
        "triggerPrice": _number(intent.trigger_price),
        "workingType": intent.working_type.value if intent.working_type else None,
    }
    if intent.close_position:
        # The exchange resolves quantity and direction itself: sending them too is refused (-4137, -1106; §4.6).
        parameters |= {"closePosition": "true", "quantity": None, "reduceOnly": None}
    reply = client.new_algo_order(**parameters)
    return reply.read(
        lambda data: read_algo_order(data).acknowledged(
            at_ms=client.clock.now_ms(), sent_at_ms=reply.sent_at_ms, client_order_id=intent.client_order_id
        )
    )


def _common(intent: OrderIntent) -> dict[str, Any]:
    """The parameters both endpoints share; None means: not sent."""
    hedge = intent.position_side is not PositionSide.BOTH
    return {
        "symbol": intent.symbol,
        "side": intent.side.value,
        "type": intent.order_type.value,
        "positionSide": intent.position_side.value if hedge else None,
        "timeInForce": intent.time_in_force.value if intent.time_in_force else None,
        "quantity": _number(intent.quantity),
        "price": _number(intent.price),
        # In hedge mode the closing direction is reduce-only by nature, and saying so is refused (-1106, §12.2).
        "reduceOnly": "true" if intent.reduce_only and not hedge else None,
    }


def _number(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _cancel_normal(client: Client, client_order_id: str, symbol: str) -> bool:
    """Whether it was gone already."""
    return _delete(lambda: client.cancel_order(symbol=symbol, origClientOrderId=client_order_id)) is not None


def _cancel_algo(client: Client, client_order_id: str, symbol: str) -> bool:
    """Whether it was gone already.

    -2013 says "no such order", but the service has said so of orders that were open, when asked by one key
    (§4.7). So that answer is checked against the open list, and an order found there is cancelled by its
    other key.
    """
    refusal = _delete(lambda: client.cancel_algo_order(clientAlgoId=client_order_id))
    if refusal != NO_SUCH_ORDER:
        return refusal is not None
    resting = client.get_open_algo_orders(symbol=symbol).read(read_algo_orders)
    algo_id = next((row.algo_id for row in resting if row.client_algo_id == client_order_id), None)
    if algo_id is None:
        return True
    return _delete(lambda: client.cancel_algo_order(algoId=algo_id)) is not None


def _delete(send: Callable[[], Reply]) -> int | None:
    """None when it was cancelled, else the code that says it was not open (§4.7, §9.2)."""
    try:
        send()
    except ExchangeRefused as error:
        if error.exchange_code in (NOT_OPEN, NO_SUCH_ORDER):
            return error.exchange_code
        raise
    return None
