"""What a request costs, and what its answer says about rate limits (binance-usdm.md §3, §7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from ...core.request_weight import ban_end_ms

TOO_MANY_ORDERS: Final = -1015
_MINUTE_MS: Final = 60_000
_TEN_SECONDS_MS: Final = 10_000


class Cost(NamedTuple):
    """What one request takes from the two budgets."""

    weight: int = 0
    orders: int = 0


_COSTS: Final = {
    "POST /fapi/v1/order": Cost(orders=1),
    "POST /fapi/v1/algoOrder": Cost(orders=1),
    "GET /fapi/v1/openOrders": Cost(weight=1),
    "GET /fapi/v1/openAlgoOrders": Cost(weight=1),
    "GET /fapi/v1/allAlgoOrders": Cost(weight=5),
    "GET /fapi/v1/allOrders": Cost(weight=5),
    "GET /fapi/v1/userTrades": Cost(weight=5),
    "GET /fapi/v3/positionRisk": Cost(weight=5),
    "GET /fapi/v3/balance": Cost(weight=5),
    "GET /fapi/v1/accountConfig": Cost(weight=5),
}
_COSTS_OF_ALL_SYMBOLS: Final = {
    "GET /fapi/v1/openOrders": Cost(weight=40),
    "GET /fapi/v1/openAlgoOrders": Cost(weight=40),
}
_COST_ELSE: Final = Cost(weight=1)


def cost(call: str, *, one_symbol: bool) -> Cost:
    """The cost of a call (method and path). Lists over all symbols are dear (§7.4)."""
    if not one_symbol and call in _COSTS_OF_ALL_SYMBOLS:
        return _COSTS_OF_ALL_SYMBOLS[call]
    return _COSTS.get(call, _COST_ELSE)


def retry_after_s(
    *, http_status: int, code: int | None, text: str, headers: Mapping[str, str], now_ms: int
) -> float | None:
    """How long to wait after a rate refusal; None for any other answer.

    `Retry-After` where it is sent (not documented for futures), else the end of the ban from the text, else the end of
    the window that is full: ten seconds for orders, a minute for weight.
    """
    by_code = 400 <= http_status < 500 and code in (-1003, TOO_MANY_ORDERS)
    if http_status not in (418, 429) and not by_code:
        return None
    header = headers.get("Retry-After", "").strip()
    if header.isascii() and header.isdigit():
        return float(header)
    ban_ends_ms = ban_end_ms(text)
    if ban_ends_ms is not None:
        return max(0.0, (ban_ends_ms - now_ms) / 1000)
    if http_status == 418:  # of unknown length: the tracker assumes the shortest there is
        return None
    window_ms = _TEN_SECONDS_MS if code == TOO_MANY_ORDERS else _MINUTE_MS
    return (window_ms - now_ms % window_ms) / 1000


def limit_usage(headers: Mapping[str, str]) -> dict[str, str]:
    """The usage headers of one answer, names in lower case."""
    return {
        name.lower(): value
        for name, value in headers.items()
        if name.lower().startswith(("x-mbx-used-weight", "x-mbx-order-count"))
    }
