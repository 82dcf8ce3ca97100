"""The trades of a symbol, and whose they are (binance-usdm.md §3.2).

A row of userTrades names its order by the exchange's id only. A client id says whose order it was, so unknown ids are
looked up: one by one (weight 1 each) while that is no dearer than the list of all orders (weight 5 a page).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from ...core.events import TradeRow
from ...core.outcome import Failure, OutcomeKind
from ..errors import ExchangeError, ExchangeRefused
from .asking import Asker
from .orders import NO_SUCH_ORDER
from .rest_messages import WireOrder, WireTrade, read_order, read_orders, read_trades

TRADES_PAGE: Final = 1000
"""Most rows one userTrades answer holds."""

TRADES_WINDOW_MS: Final = 7 * 86_400_000
"""Widest time window of userTrades (§3.2)."""

TRADES_KEPT_MS: Final = 89 * 86_400_000
"""How far back userTrades reaches: three months (§3.2), of which the shortest are counted."""

TRADES_PAGES_MAX: Final = 50

SINGLE_ORDERS_MAX: Final = 5
"""So many orders are asked for one by one; the list costs as much."""

ORDERS_PAGE: Final = 1000
"""Most rows one allOrders answer holds."""

ORDERS_PAGES_MAX: Final = 3
"""With this a snapshot costs 15 of weight for the names of orders at most."""


def trades_since(asker: Asker, symbol: str, since_ms: int, *, now_ms: int) -> tuple[TradeRow, ...]:
    """All trades of a symbol from an instant until now.

    By time as far as the first trade, because a time window is narrow and keeps only its oldest rows (§3.2); from there
    on by trade id.
    """
    start_ms = max(since_ms, now_ms - TRADES_KEPT_MS)
    while True:
        last_window = start_ms + TRADES_WINDOW_MS > now_ms
        end = {} if last_window else {"endTime": start_ms + TRADES_WINDOW_MS - 1}
        page = _trades(asker, symbol, startTime=start_ms, **end)
        if page or last_window:
            break
        start_ms += TRADES_WINDOW_MS
    rows = page
    complete = last_window and len(page) < TRADES_PAGE
    for _ in range(TRADES_PAGES_MAX):
        if complete:
            return tuple(row.row() for row in rows)
        page = _trades(asker, symbol, fromId=rows[-1].id + 1)
        rows = rows + page
        complete = len(page) < TRADES_PAGE
    raise ExchangeError(
        Failure(kind=OutcomeKind.UNKNOWN, text=f"more than {TRADES_PAGE * TRADES_PAGES_MAX} trades of {symbol}")
    )


def _trades(asker: Asker, symbol: str, **bounds: int) -> list[WireTrade]:
    return asker.ask(asker.client.get_account_trades, read_trades, symbol=symbol, limit=TRADES_PAGE, **bounds)


def with_client_ids(
    asker: Asker, symbol: str, rows: tuple[TradeRow, ...], known_orders: frozenset[int]
) -> tuple[TradeRow, ...]:
    """The trades with the client ids of their orders, but those of `known_orders`.

    What the exchange does not know (reads lag), or what lies beyond the bound on requests, stays without.

    Raises:
        ExchangeError: a question failed.
    """
    unknown = sorted({row.exchange_order_id for row in rows} - known_orders)
    find = _one_by_one if len(unknown) <= SINGLE_ORDERS_MAX else _from_list
    names = {order.order_id: order.client_order_id for order in find(asker, symbol, unknown)}
    return tuple(replace(row, client_order_id=names.get(row.exchange_order_id, "")) for row in rows)


def _one_by_one(asker: Asker, symbol: str, order_ids: list[int]) -> Iterable[WireOrder]:
    for order_id in order_ids:
        try:
            yield asker.ask(asker.client.query_order, read_order, symbol=symbol, orderId=order_id)
        except ExchangeRefused as error:
            if error.exchange_code != NO_SUCH_ORDER:
                raise


def _from_list(asker: Asker, symbol: str, order_ids: list[int]) -> Iterable[WireOrder]:
    """Pages of allOrders, by id, from the first unknown order to the last."""
    first_id = order_ids[0]
    for _ in range(ORDERS_PAGES_MAX):
        page = asker.ask(asker.client.get_all_orders, read_orders, symbol=symbol, orderId=first_id, limit=ORDERS_PAGE)
        yield from page
        if len(page) < ORDERS_PAGE or page[-1].order_id >= order_ids[-1]:
            return
        first_id = page[-1].order_id + 1
