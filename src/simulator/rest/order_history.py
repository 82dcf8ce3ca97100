"""Orders and executions of the past, page by page (``binance-usdm.md §3.2``)."""

from ..errors import Code, refusal
from ..messages import all_orders_row, trade_row
from .reading import read_row_limit, read_window
from .route import Call, Route, Routes, Security, costs

_DAY_MS = 86_400_000
_WEEK_MS = 7 * _DAY_MS
# Executions of the last three months are kept.
_TRADES_KEPT_MS = 90 * _DAY_MS


def list_orders(call: Call) -> object:
    """List orders, oldest first: from an id on, else the newest ones of a window of at most seven days."""
    params = call.params
    limit = read_row_limit(params)
    now_ms = call.venue.now_ms()
    symbol = call.venue.rules(params.text("symbol")).symbol if params.has("symbol") else None
    orders = [
        order
        for order in call.account.orders.by_id.values()
        if symbol in {None, order.symbol} and not order.is_forgotten(now_ms)
    ]
    if params.has("orderId"):
        first_id = params.integer("orderId")
        chosen = [order for order in orders if order.order_id >= first_id][:limit]
    else:
        start_ms, end_ms = read_window(params, now_ms, _WEEK_MS)
        chosen = [order for order in orders if start_ms <= order.created_ms <= end_ms][-limit:]
    return [all_orders_row(call.venue.rules(order.symbol), order) for order in chosen]


def list_trades(call: Call) -> object:
    """List executions, oldest first: from an id on, or the oldest of a window, else the newest of the last week."""
    params = call.params
    symbol = call.venue.rules(params.text("symbol")).symbol
    limit = read_row_limit(params)
    now_ms = call.venue.now_ms()
    has_window = params.has("startTime") or params.has("endTime")
    if params.has("fromId") and has_window:
        raise refusal(Code.OPTIONAL_COMBINATION)
    fills = [fill for fill in call.account.fills if fill.symbol == symbol and fill.time_ms + _TRADES_KEPT_MS > now_ms]
    if params.has("orderId"):
        order_id = params.integer("orderId")
        fills = [fill for fill in fills if fill.order_id == order_id]
    if params.has("fromId"):
        from_id = params.integer("fromId")
        chosen = [fill for fill in fills if fill.trade_id >= from_id][:limit]
    else:
        start_ms, end_ms = read_window(params, now_ms, _WEEK_MS)
        chosen = [fill for fill in fills if start_ms <= fill.time_ms <= end_ms]
        chosen = chosen[:limit] if has_window else chosen[-limit:]
    return [trade_row(fill) for fill in chosen]


ROUTES: Routes = {
    ("GET", "/fapi/v1/allOrders"): Route(list_orders, Security.SIGNED, costs(5)),
    ("GET", "/fapi/v1/userTrades"): Route(list_trades, Security.SIGNED, costs(5)),
}
