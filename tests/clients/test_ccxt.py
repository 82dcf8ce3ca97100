"""ccxt, sync, async and streaming: whole stories, pointed at the simulator by its documented ``urls`` alone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bracketeer.simulator import RunningSimulator
from tests.clients.conftest import WAIT_S

pytest.importorskip("ccxt", reason="ccxt is not installed")

import ccxt
import ccxt.async_support
import ccxt.pro

SYMBOL = "BTC/USDT:USDT"
TRIGGER = {"trigger": True}


def options(sim: RunningSimulator) -> dict[str, Any]:
    """Give what a user writes to trade elsewhere than on the exchange itself.

    Currencies come from an interface that is not part of USDⓈ-M futures.
    """
    rest = {
        f"fapi{access}{version}": f"{sim.rest_url}/fapi/{version.lower() or 'v1'}"
        for access in ("Public", "Private")
        for version in ("", "V2", "V3")
    }
    return {
        "apiKey": sim.api_key,
        "secret": sim.api_secret,
        "enableRateLimit": False,
        "options": {"fetchCurrencies": False},
        "urls": {"api": rest},
    }


def test_trading_story(fresh: RunningSimulator) -> None:
    """Markets, balance, leverage, every kind of order, position, history."""
    exchange = ccxt.binanceusdm(options(fresh))
    assert SYMBOL in exchange.load_markets()
    assert exchange.fetch_balance()["USDT"]["free"] == 10000
    assert exchange.set_leverage(10, SYMBOL)["leverage"] == 10
    assert exchange.set_margin_mode("isolated", SYMBOL)["code"] == 200
    assert exchange.set_margin_mode("cross", SYMBOL)["code"] == 200
    entry = exchange.create_order(SYMBOL, "market", "buy", 0.01)
    assert (entry["status"], entry["filled"]) == ("closed", 0.01)
    assert exchange.fetch_order(entry["id"], SYMBOL)["average"] == 60001.2
    limit = exchange.create_order(SYMBOL, "limit", "buy", 0.01, 59000)
    assert [order["id"] for order in exchange.fetch_open_orders(SYMBOL)] == [limit["id"]]
    assert exchange.edit_order(limit["id"], SYMBOL, "limit", "buy", 0.02, 58900)["price"] == 58900
    assert exchange.cancel_order(limit["id"], SYMBOL)["status"] == "canceled"
    exits = {"reduceOnly": True}
    stop = exchange.create_order(SYMBOL, "market", "sell", 0.01, None, exits | {"stopLossPrice": 58000})
    exchange.create_order(SYMBOL, "market", "sell", 0.01, None, exits | {"takeProfitPrice": 62000})
    exchange.create_order(SYMBOL, "limit", "sell", 0.01, 57900, exits | {"triggerPrice": 58000})
    exchange.create_trailing_percent_order(SYMBOL, "market", "sell", 0.01, None, 1, 61000, dict(exits))
    assert len(exchange.fetch_open_orders(SYMBOL, params=TRIGGER)) == 4
    assert exchange.fetch_order(stop["id"], SYMBOL, TRIGGER)["triggerPrice"] == 58000
    assert exchange.cancel_order(stop["id"], SYMBOL, TRIGGER)["id"] == stop["id"]
    exchange.cancel_all_orders(SYMBOL, TRIGGER)
    assert exchange.fetch_open_orders(SYMBOL, params=TRIGGER) == []
    [position] = exchange.fetch_positions([SYMBOL])
    assert (position["side"], position["contracts"], position["entryPrice"]) == ("long", 0.01, 60001.2)
    batch = [
        {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01, "price": price} for price in (59000, 58000)
    ]
    placed = [order["id"] for order in exchange.create_orders(batch)]
    assert [order["status"] for order in exchange.cancel_orders(placed, SYMBOL)] == ["canceled", "canceled"]
    assert exchange.create_order(SYMBOL, "market", "sell", 0.01, None, exits)["status"] == "closed"
    assert exchange.fetch_positions([SYMBOL]) == []
    assert len(exchange.fetch_my_trades(SYMBOL)) == 2
    assert len(exchange.fetch_orders(SYMBOL)) == 5
    assert exchange.fetch_ledger("USDT")
    assert exchange.fetch_trading_fee(SYMBOL)["taker"] == 0.0005
    assert SYMBOL in exchange.fetch_leverage_tiers([SYMBOL])
    exchange.session.close()


def test_stop_closes_the_position(fresh: RunningSimulator) -> None:
    """The protection ccxt placed fires on the price, and its end can be read."""
    exchange = ccxt.binanceusdm(options(fresh))
    exchange.create_order(SYMBOL, "market", "buy", 0.01)
    params = {"stopLossPrice": 58000, "closePosition": True}
    stop = exchange.create_order(SYMBOL, "market", "sell", 0.01, None, params)
    fresh.set_price("BTCUSDT", "57900")
    assert exchange.fetch_positions([SYMBOL]) == []
    assert exchange.fetch_order(stop["id"], SYMBOL, TRIGGER)["info"]["algoStatus"] == "FINISHED"
    exchange.session.close()


def test_market_data_story(fresh: RunningSimulator) -> None:
    """What a strategy reads before it trades."""
    exchange = ccxt.binanceusdm(options(fresh))
    exchange.create_order(SYMBOL, "market", "buy", 0.01)
    assert exchange.fetch_ticker(SYMBOL)["last"]
    assert len(exchange.fetch_tickers()) > 20
    assert exchange.fetch_order_book(SYMBOL, 5)["bids"][0][0] == 60000
    assert len(exchange.fetch_ohlcv(SYMBOL, "1m", limit=50)) == 50
    assert len(exchange.fetch_mark_ohlcv(SYMBOL, "1h", limit=5)) == 5
    assert exchange.fetch_trades(SYMBOL)
    assert exchange.fetch_funding_rate(SYMBOL)["fundingRate"] == 0.0001
    assert len(exchange.fetch_funding_rate_history(SYMBOL, limit=3)) == 3
    assert exchange.fetch_open_interest(SYMBOL)["openInterestAmount"]
    assert exchange.fetch_bids_asks([SYMBOL])
    assert exchange.fetch_last_prices([SYMBOL])
    exchange.session.close()


def test_refusals_have_their_classes(fresh: RunningSimulator) -> None:
    """With the address of a stranger only ccxt's general map applies (``binance-usdm.md §15.3``)."""
    exchange = ccxt.binanceusdm(options(fresh))
    exchange.load_markets()
    with pytest.raises(ccxt.OrderNotFound):
        exchange.fetch_order("1", SYMBOL)
    with pytest.raises(ccxt.OrderNotFound):
        exchange.cancel_order("1", SYMBOL)
    with pytest.raises(ccxt.BaseError, match="-2019"):
        exchange.create_order(SYMBOL, "limit", "buy", 100, 59000)
    exchange.session.close()


def _run(sim: RunningSimulator, story: Callable[[Any], Awaitable[None]], *, streams: bool) -> None:
    async def run() -> None:
        exchange = (ccxt.pro if streams else ccxt.async_support).binanceusdm(options(sim))
        if streams:
            exchange.urls["api"]["ws"]["linear"] = f"{sim.stream_url}/ws"
            exchange.urls["api"]["ws"]["ws-api"]["linear"] = sim.ws_api_url
        try:
            async with asyncio.timeout(3 * WAIT_S):
                await story(exchange)
        finally:
            await exchange.close()

    asyncio.run(run())


def test_async_story(fresh: RunningSimulator) -> None:
    """The same calls side by side."""

    async def story(exchange: Any) -> None:
        await exchange.load_markets()
        balance, ticker, _ = await asyncio.gather(
            exchange.fetch_balance(), exchange.fetch_ticker(SYMBOL), exchange.set_leverage(5, SYMBOL)
        )
        assert (balance["USDT"]["total"], ticker["symbol"]) == (10000, SYMBOL)
        await exchange.create_order(SYMBOL, "market", "buy", 0.01)
        exits = {"reduceOnly": True}
        orders = await asyncio.gather(
            exchange.create_order(SYMBOL, "limit", "sell", 0.01, 61000),
            exchange.create_order(SYMBOL, "market", "sell", 0.01, None, exits | {"stopLossPrice": 58000}),
            exchange.create_order(SYMBOL, "market", "sell", 0.01, None, exits | {"takeProfitPrice": 62000}),
            exchange.create_trailing_percent_order(SYMBOL, "market", "sell", 0.01, None, 1, 61000, dict(exits)),
        )
        assert len({order["id"] for order in orders}) == 4
        await exchange.cancel_all_orders(SYMBOL)
        await exchange.cancel_all_orders(SYMBOL, TRIGGER)
        [position] = await exchange.fetch_positions([SYMBOL])
        assert position["contracts"] == 0.01
        await exchange.create_order(SYMBOL, "market", "sell", 0.01, None, exits)
        assert await exchange.fetch_positions([SYMBOL]) == []

    _run(fresh, story, streams=False)


def test_public_streams_story(fresh: RunningSimulator) -> None:
    """Book with snapshot, tickers, candles, marks."""

    async def story(exchange: Any) -> None:
        await exchange.load_markets()
        book, ticker, best, candles, mark, trades = await asyncio.gather(
            exchange.watch_order_book(SYMBOL),
            exchange.watch_ticker(SYMBOL),
            exchange.watch_bids_asks([SYMBOL]),
            exchange.watch_ohlcv(SYMBOL, "1m"),
            exchange.watch_mark_price(SYMBOL),
            exchange.watch_trades(SYMBOL),
        )
        assert book["bids"][0][0] == best[SYMBOL]["bid"] == 60000
        assert ticker["symbol"] == mark["symbol"] == trades[0]["symbol"] == SYMBOL
        assert candles[-1][4] > 0

    _run(fresh, story, streams=True)


def _listened(sim: RunningSimulator) -> asyncio.Event:
    """Give an event that is set as soon as somebody listens to the account."""
    loop, listened = asyncio.get_running_loop(), asyncio.Event()
    streams = sim.exchange.venue.streams
    notify = streams.on_subscriptions

    def note() -> None:
        notify()
        if streams.has_listener(sim.api_key):
            loop.call_soon_threadsafe(listened.set)

    streams.on_subscriptions = note
    if streams.has_listener(sim.api_key):
        listened.set()
    return listened


def test_user_stream_story(fresh: RunningSimulator) -> None:
    """Orders, trades, balance and positions are told."""

    async def story(exchange: Any) -> None:
        await exchange.load_markets()
        assert await exchange.watch_positions([SYMBOL]) == []
        listened = _listened(fresh)
        orders = asyncio.ensure_future(exchange.watch_orders(SYMBOL))
        waiting = [
            orders,
            asyncio.ensure_future(exchange.watch_my_trades(SYMBOL)),
            asyncio.ensure_future(exchange.watch_balance()),
            asyncio.ensure_future(exchange.watch_positions([SYMBOL])),
        ]
        await listened.wait()
        await exchange.create_order(SYMBOL, "market", "buy", 0.01)
        told, trades, balance, positions = await asyncio.gather(*waiting)
        assert told[-1]["symbol"] == trades[-1]["symbol"] == positions[0]["symbol"] == SYMBOL
        assert balance["USDT"]["total"] < 10000
        assert positions[0]["contracts"] == 0.01

    _run(fresh, story, streams=True)


def test_orders_by_socket_story(fresh: RunningSimulator) -> None:
    """Placed, read, changed and cancelled over the WebSocket API."""

    async def story(exchange: Any) -> None:
        await exchange.load_markets()
        order = await exchange.create_order_ws(SYMBOL, "limit", "buy", 0.01, 59000)
        assert (await exchange.fetch_order_ws(order["id"], SYMBOL))["status"] == "open"
        changed = await exchange.edit_order_ws(order["id"], SYMBOL, "limit", "buy", 0.02, 58900)
        assert changed["amount"] == 0.02
        assert (await exchange.cancel_order_ws(order["id"], SYMBOL))["status"] == "canceled"
        await exchange.create_order_ws(SYMBOL, "market", "buy", 0.01)
        stop = {"stopLossPrice": 58000, "reduceOnly": True}
        assert (await exchange.create_order_ws(SYMBOL, "market", "sell", 0.01, None, stop))["id"]
        [position] = await exchange.fetch_positions_ws([SYMBOL])
        assert position["contracts"] == 0.01
        assert (await exchange.fetch_balance_ws())["USDT"]["total"] < 10000
        assert (await exchange.fetch_ticker_ws(SYMBOL))["symbol"] == SYMBOL
        assert (await exchange.fetch_order_book_ws(SYMBOL))["bids"]

    _run(fresh, story, streams=True)
