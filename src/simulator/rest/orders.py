"""Normal orders over REST (``binance-usdm.md §3.2`` and ``§5``)."""

from ..admission import admit
from ..decimals import padded
from ..errors import Code, refusal
from ..filters import check_quantity
from ..messages import (
    amendment_row,
    modify_answer,
    order_acknowledgement,
    order_answer,
    order_row,
    test_answer,
)
from ..modifying import Change, modify
from ..orders import CONDITIONAL_TYPES, SIDES, Order
from .reading import (
    RESPONSE_TYPES,
    find_order,
    read_limit_price,
    read_old_conditional,
    read_price_match,
    read_row_limit,
    read_span,
    read_ticket,
)
from .route import Call, Route, Routes, Security, costs, costs_by_symbol

_ALL_CANCELED = {"code": 200, "msg": "The operation of cancel all open order is done."}
_AMENDMENTS_DEFAULT, _AMENDMENTS_MAX = 50, 100


def place(call: Call) -> object:
    """Place a MARKET or LIMIT order."""
    response_type = call.params.choice("newOrderRespType", RESPONSE_TYPES, Code.RESPONSE_TYPE, "ACK")
    order = call.trading.place(call.account, read_ticket(call))
    rules = call.venue.rules(order.symbol)
    # RESULT waits for the end of what ends at once; a resting LIMIT is acknowledged (§5.3).
    if response_type == "RESULT" and (order.order_type == "MARKET" or order.time_in_force in {"IOC", "FOK"}):
        return order_answer(rules, order)
    return order_acknowledgement(rules, order)


def place_test(call: Call) -> object:
    """Check an order as if it were placed; nothing is matched and nothing stays."""
    call.params.choice("newOrderRespType", RESPONSE_TYPES, Code.RESPONSE_TYPE, "ACK")
    rules, now_ms = call.venue.rules(call.params.text("symbol")), call.venue.now_ms()
    new_id = call.venue.generate_client_id()
    if call.params.text("type") in CONDITIONAL_TYPES:
        # This endpoint alone still takes them (§3.2, §4.1).
        ticket, stop_price = read_old_conditional(call)
        answer = test_answer(rules, ticket, ticket.quantity, ticket.client_order_id or new_id, now_ms)
        return answer | {"stopPrice": padded(stop_price, rules.price_precision)}
    ticket = read_ticket(call)
    admitted = admit(call.venue, call.account, ticket)
    return test_answer(rules, ticket, admitted.quantity, ticket.client_order_id or new_id, now_ms)


def query(call: Call) -> object:
    """Show one order; an unknown one is -2013."""
    order = find_order(call)
    if order is None:
        raise refusal(Code.NO_SUCH_ORDER)
    return order_row(call.venue.rules(order.symbol), order)


def query_open(call: Call) -> object:
    """Show one open order; one that is over is -2013 as well."""
    order = _find_open(call, Code.NO_SUCH_ORDER)
    return order_row(call.venue.rules(order.symbol), order)


def cancel(call: Call) -> object:
    """Cancel one order; one that is not open is -2011."""
    order = _find_open(call, Code.CANCEL_REJECTED)
    call.trading.cancel(call.account, order)
    return order_answer(call.venue.rules(order.symbol), order)


def _find_open(call: Call, code: Code) -> Order:
    order = find_order(call)
    if order is None or not order.is_open:
        raise refusal(code)
    return order


def change(call: Call) -> object:
    """Change price and quantity of an open order (``§5.6``)."""
    params = call.params
    side = params.choice("side", SIDES, Code.SIDE)
    quantity = params.number("quantity")
    order = _find_open(call, Code.NO_SUCH_ORDER)
    market = call.venue.market(order.symbol)
    check_quantity(market.instrument, quantity, is_market=False)
    price_match = read_price_match(call, order.order_type)
    wish = Change(
        side=side,
        price=read_limit_price(call, market, side, price_match),
        quantity=quantity,
        price_match=price_match,
        modify_id=str(params.integer("modifyId")) if params.has("modifyId") else "",
        reduce_only=params.flag("reduceOnly", Code.REDUCE_ONLY_VALUE),
    )
    modify(call.venue, call.trading, call.account, order, wish)
    return modify_answer(market.instrument, order, wish.modify_id)


def list_changes(call: Call) -> object:
    """List the changes of an order, newest first."""
    order = find_order(call)
    limit = read_row_limit(call.params, _AMENDMENTS_DEFAULT, _AMENDMENTS_MAX)
    start_ms, end_ms = read_span(call.params)
    if order is None:
        raise refusal(Code.NO_SUCH_ORDER)
    rules = call.venue.rules(order.symbol)
    indexes = [index for index, made in enumerate(order.amendments) if start_ms <= made.time_ms <= end_ms]
    return [amendment_row(rules, order, index) for index in reversed(indexes[-limit:])]


def cancel_all(call: Call) -> object:
    """Cancel the open normal orders of a symbol; no open order is fine too."""
    call.trading.cancel_all(call.account, call.venue.rules(call.params.text("symbol")).symbol)
    return _ALL_CANCELED


def count_down(call: Call) -> object:
    """Arm, renew or (with 0) disarm the dead man's switch of a symbol."""
    symbol = call.venue.rules(call.params.text("symbol")).symbol
    countdown_ms = call.params.integer("countdownTime")
    if countdown_ms < 0:
        raise refusal(Code.PARAMETER_VALUE, "countdownTime")
    call.account.countdowns.pop(symbol, None)
    if countdown_ms:
        call.account.countdowns[symbol] = call.venue.now_ms() + countdown_ms
    return {"symbol": symbol, "countdownTime": str(countdown_ms)}


def list_open(call: Call) -> object:
    """List open orders, oldest first."""
    symbol = call.venue.rules(call.params.text("symbol")).symbol if call.params.has("symbol") else None
    orders = call.account.orders.open_orders(symbol)
    return [order_row(call.venue.rules(order.symbol), order) for order in orders]


ROUTES: Routes = {
    ("POST", "/fapi/v1/order"): Route(place, Security.SIGNED, costs(0), counts_as_order=True),
    ("PUT", "/fapi/v1/order"): Route(change, Security.SIGNED, costs(0), counts_as_order=True),
    ("GET", "/fapi/v1/order"): Route(query, Security.SIGNED, costs(1)),
    ("DELETE", "/fapi/v1/order"): Route(cancel, Security.SIGNED, costs(1)),
    # Weight and order count are not stated; it goes nowhere near the book.
    ("POST", "/fapi/v1/order/test"): Route(place_test, Security.SIGNED, costs(0)),
    ("GET", "/fapi/v1/orderAmendment"): Route(list_changes, Security.SIGNED, costs(1)),
    ("POST", "/fapi/v1/countdownCancelAll"): Route(count_down, Security.SIGNED, costs(10)),
    ("DELETE", "/fapi/v1/allOpenOrders"): Route(cancel_all, Security.SIGNED, costs(1)),
    ("GET", "/fapi/v1/openOrder"): Route(query_open, Security.SIGNED, costs(1)),
    ("GET", "/fapi/v1/openOrders"): Route(list_open, Security.SIGNED, costs_by_symbol(1, 40)),
}
