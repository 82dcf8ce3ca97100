"""Normal orders over REST (``binance-usdm.md §3.2`` and ``§5``)."""

from ..admission import is_closing_side
from ..errors import Code, refusal
from ..filters import check_price, check_price_band, check_quantity
from ..messages import all_orders_row, order_acknowledgement, order_answer, order_row, trade_row
from ..orders import CONDITIONAL_TYPES, SIDES, Order, OrderTicket
from ..params import Params
from .route import Call, Route, Routes, Security, costs, costs_by_symbol

POSITION_SIDES = frozenset({"BOTH", "LONG", "SHORT"})
TIMES_IN_FORCE = frozenset({"GTC", "IOC", "FOK", "GTX"})
STP_MODES = frozenset({"EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "NONE"})
RESPONSE_TYPES = frozenset({"ACK", "RESULT"})
_ROWS_DEFAULT, _ROWS_MAX = 500, 1000
_ALL_CANCELED = {"code": 200, "msg": "The operation of cancel all open order is done."}


def place(call: Call) -> object:
    """Place a MARKET or LIMIT order."""
    response_type = call.params.choice("newOrderRespType", RESPONSE_TYPES, Code.RESPONSE_TYPE, "ACK")
    ticket = read_ticket(call)
    order = call.trading.place(call.account, ticket)
    rules = call.venue.rules(order.symbol)
    # RESULT waits for the end of what ends at once; a resting LIMIT is acknowledged (§5.3).
    if response_type == "RESULT" and (order.order_type == "MARKET" or order.time_in_force in {"IOC", "FOK"}):
        return order_answer(rules, order)
    return order_acknowledgement(rules, order)


def read_ticket(call: Call) -> OrderTicket:
    """Read and check the parameters of an order."""
    params = call.params
    market = call.venue.market(params.text("symbol"))
    rules = market.instrument
    side = params.choice("side", SIDES, Code.SIDE)
    order_type = params.text("type")
    if order_type in CONDITIONAL_TYPES:
        raise refusal(Code.USE_ALGO_ENDPOINT)
    if order_type not in {"LIMIT", "MARKET"}:
        raise refusal(Code.ORDER_TYPE)
    ticket = OrderTicket(
        symbol=rules.symbol,
        side=side,
        order_type=order_type,
        quantity=params.number("quantity"),
        position_side=read_position_side(params),
        reduce_only=read_reduce_only(params),
        client_order_id=params.client_id("newClientOrderId"),
        self_trade_prevention=params.choice("selfTradePreventionMode", STP_MODES, Code.PARAMETER_VALUE, "EXPIRE_MAKER"),
    )
    if order_type == "MARKET":
        for name in ("timeInForce", "price"):
            if params.has(name):
                raise refusal(Code.PARAMETER_NOT_REQUIRED, name.lower())
        check_quantity(rules, ticket.quantity, is_market=True)
    else:
        ticket.time_in_force = params.choice("timeInForce", TIMES_IN_FORCE, Code.TIME_IN_FORCE)
        ticket.price = params.number("price")
        check_quantity(rules, ticket.quantity, is_market=False)
        check_price(rules, ticket.price)
        check_price_band(market, side, ticket.price)
    check_symbol_status(call, ticket.symbol, side, ticket.position_side)
    return ticket


def read_position_side(params: Params) -> str:
    """Read positionSide; absent means BOTH."""
    return params.choice("positionSide", POSITION_SIDES, Code.POSITION_SIDE_VALUE, "BOTH")


def read_reduce_only(params: Params) -> bool:
    """Read reduceOnly, which must not be sent in hedge mode (-1106, ``binance-usdm.md §12.2``)."""
    if params.has("reduceOnly") and read_position_side(params) != "BOTH":
        raise refusal(Code.PARAMETER_NOT_REQUIRED, "reduceonly")
    return params.flag("reduceOnly", Code.REDUCE_ONLY_VALUE)


def check_symbol_status(call: Call, symbol: str, side: str, position_side: str) -> None:
    """Refuse opening on a symbol that is not TRADING (-4140); closing stays possible."""
    leg = call.account.position(symbol, position_side)
    closes = leg.amount and is_closing_side(side, position_side, leg.amount)
    if not call.venue.rules(symbol).is_trading and not closes:
        raise refusal(Code.SYMBOL_STATUS)


def _find(call: Call) -> Order | None:
    params = call.params
    symbol = call.venue.rules(params.text("symbol")).symbol
    order_id = params.integer("orderId") if params.has("orderId") else None
    if order_id is None and not params.has("origClientOrderId"):
        raise refusal(Code.MANDATORY_PARAMETER, "orderId")
    return call.trading.find(call.account, symbol, order_id, params.text("origClientOrderId", ""))


def query(call: Call) -> object:
    """Show one order; an unknown one is -2013."""
    order = _find(call)
    if order is None:
        raise refusal(Code.NO_SUCH_ORDER)
    return order_row(call.venue.rules(order.symbol), order)


def query_open(call: Call) -> object:
    """Show one open order; one that is over is -2013 as well."""
    order = _find(call)
    if order is None or not order.is_open:
        raise refusal(Code.NO_SUCH_ORDER)
    return order_row(call.venue.rules(order.symbol), order)


def cancel(call: Call) -> object:
    """Cancel one order; one that is not open is -2011."""
    order = _find(call)
    if order is None or not order.is_open:
        raise refusal(Code.CANCEL_REJECTED)
    call.trading.cancel(call.account, order)
    return order_answer(call.venue.rules(order.symbol), order)


def cancel_all(call: Call) -> object:
    """Cancel the open normal orders of a symbol; no open order is fine too."""
    call.trading.cancel_all(call.account, call.venue.rules(call.params.text("symbol")).symbol)
    return _ALL_CANCELED


def list_open(call: Call) -> object:
    """List open orders, oldest first."""
    symbol = call.venue.rules(call.params.text("symbol")).symbol if call.params.has("symbol") else None
    orders = call.account.orders.open_orders(symbol)
    return [order_row(call.venue.rules(order.symbol), order) for order in orders]


def read_row_limit(params: Params) -> int:
    """Read ``limit``: 500 by default, 1000 at most."""
    limit = params.integer("limit", _ROWS_DEFAULT)
    if not 1 <= limit <= _ROWS_MAX:
        raise refusal(Code.PARAMETER_VALUE, "limit")
    return limit


def read_span(params: Params) -> tuple[int, int]:
    """Read ``startTime`` and ``endTime``; absent ones do not limit."""
    return params.integer("startTime", 0), params.integer("endTime", 2**62)


def list_all(call: Call) -> object:
    """List orders, oldest first: from an id on, else the newest ones."""
    params = call.params
    limit = read_row_limit(params)
    start_ms, end_ms = read_span(params)
    symbol = call.venue.rules(params.text("symbol")).symbol if params.has("symbol") else None
    orders = [
        order
        for order in call.account.orders.by_id.values()
        if symbol in {None, order.symbol} and start_ms <= order.created_ms <= end_ms
    ]
    if params.has("orderId"):
        first_id = params.integer("orderId")
        chosen = [order for order in orders if order.order_id >= first_id][:limit]
    else:
        chosen = orders[-limit:]
    return [all_orders_row(call.venue.rules(order.symbol), order) for order in chosen]


def user_trades(call: Call) -> object:
    """List executions, oldest first; with a time window or an id the oldest rows win (``binance-usdm.md §3.2``)."""
    params = call.params
    symbol = call.venue.rules(params.text("symbol")).symbol
    limit = read_row_limit(params)
    start_ms, end_ms = read_span(params)
    order_id, from_id = params.integer("orderId", 0), params.integer("fromId", 0)
    fills = [
        fill
        for fill in call.account.fills
        if fill.symbol == symbol
        and start_ms <= fill.time_ms <= end_ms
        and order_id in {0, fill.order_id}
        and fill.trade_id >= from_id
    ]
    is_bounded = params.has("startTime") or params.has("fromId")
    return [trade_row(fill) for fill in (fills[:limit] if is_bounded else fills[-limit:])]


ROUTES: Routes = {
    ("POST", "/fapi/v1/order"): Route(place, Security.SIGNED, costs(0), counts_as_order=True),
    ("GET", "/fapi/v1/order"): Route(query, Security.SIGNED, costs(1)),
    ("DELETE", "/fapi/v1/order"): Route(cancel, Security.SIGNED, costs(1)),
    ("DELETE", "/fapi/v1/allOpenOrders"): Route(cancel_all, Security.SIGNED, costs(1)),
    ("GET", "/fapi/v1/openOrder"): Route(query_open, Security.SIGNED, costs(1)),
    ("GET", "/fapi/v1/openOrders"): Route(list_open, Security.SIGNED, costs_by_symbol(1, 40)),
    ("GET", "/fapi/v1/allOrders"): Route(list_all, Security.SIGNED, costs(5)),
    ("GET", "/fapi/v1/userTrades"): Route(user_trades, Security.SIGNED, costs(5)),
}
