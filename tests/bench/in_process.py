"""How fast the exchange is in process: CPU time per order, beside plain dictionary work in the same run."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from urllib.parse import urlencode

from bracketeer.simulator.auth import sign
from bracketeer.simulator.exchange import Exchange
from bracketeer.simulator.orders import OrderTicket
from bracketeer.simulator.profiles import MAINNET

KEY, SECRET = "k" * 20, "s" * 20
UNLIMITED = replace(
    MAINNET, orders_limit_10s=10**9, orders_limit_1m=10**9, weight_limit_1m=10**9, max_open_orders=10**9
)
_START_MS = 1_760_000_000_000
_TICKS = 400  # prices the resting orders are spread over
_ORDER = Decimal("0.010")
_PEER_KEYS = 40


def exchange_with(resting: int) -> Exchange:
    """An exchange without limits, with so many resting orders of one symbol, far from the price."""
    exchange = Exchange(now_ms=lambda: _START_MS, api_key=KEY, api_secret=SECRET, profile=UNLIMITED)
    exchange.account.wallet = Decimal("1e12")
    for index in range(resting):
        price = Decimal("2900.00") - Decimal(index % _TICKS) / 100
        exchange.trading.place(exchange.account, OrderTicket("ETHUSDT", "BUY", "LIMIT", _ORDER, price))
    return exchange


def market_order(exchange: Exchange) -> Callable[[int], None]:
    """A MARKET order that fills: matched, booked, position and wallet moved."""

    def once(index: int) -> None:
        side = "SELL" if index % 2 else "BUY"
        exchange.trading.place(exchange.account, OrderTicket("ETHUSDT", side, "MARKET", _ORDER))

    return once


def resting_order(exchange: Exchange) -> Callable[[int], None]:
    """A LIMIT order that rests and is cancelled: counted as one order."""

    def once(index: int) -> None:
        price = Decimal("2890.00") - Decimal(index % _TICKS) / 100
        order = exchange.trading.place(exchange.account, OrderTicket("ETHUSDT", "BUY", "LIMIT", _ORDER, price))
        exchange.trading.cancel(exchange.account, order)

    return once


def rest_request(exchange: Exchange, count: int) -> Callable[[int], None]:
    """A whole signed POST /fapi/v1/order, from query string to answer."""
    raw = [order_query(_START_MS, index) for index in range(count)]

    def once(index: int) -> None:
        assert exchange.handle("POST", "/fapi/v1/order", raw[index], {"X-MBX-APIKEY": KEY}).status == 200

    return once


def order_query(timestamp_ms: int, index: int) -> str:
    """A signed MARKET order."""
    side = "SELL" if index % 2 else "BUY"
    fields = {"symbol": "ETHUSDT", "side": side, "type": "MARKET", "quantity": "0.010"}
    query = urlencode({**fields, "recvWindow": 60_000, "timestamp": timestamp_ms})
    return f"{query}&signature={sign(SECRET, query)}"


def dictionary_work(_index: int) -> None:
    """The peer: keep and add up forty decimals in a dictionary."""
    kept: dict[int, Decimal] = {}
    for key in range(_PEER_KEYS):
        kept[key] = kept.get(key - 1, Decimal(0)) + _ORDER


def microseconds(once: Callable[[int], None], count: int, rounds: int = 3) -> float:
    """CPU time of one call: the best of some rounds, without the collector's pauses."""
    best = float("inf")
    for _ in range(rounds):
        gc.collect()
        gc.disable()
        begun = time.process_time()
        for index in range(count):
            once(index)
        best = min(best, (time.process_time() - begun) / count)
        gc.enable()
    return best * 1e6
