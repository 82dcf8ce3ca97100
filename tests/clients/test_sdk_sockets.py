"""The official SDK's streams and WebSocket API: whole stories, each message in the SDK's own models."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from bracketeer.simulator import RunningSimulator
from tests.clients.conftest import WAIT_S

pytest.importorskip(
    "binance_sdk_derivatives_trading_usds_futures",
    reason="binance-sdk-derivatives-trading-usds-futures is not installed",
)

from binance_common.configuration import ConfigurationWebSocketAPI
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import DerivativesTradingUsdsFutures

from tests.clients.sdk_support import EXIT, LIMIT, PRIVATE_KEY, STOP, SYMBOL, register, sdk

# The SDK passes aiohttp a timeout in a form that aiohttp calls outdated: between those two.
OUTDATED_TIMEOUT = pytest.mark.filterwarnings("ignore:parameter 'timeout':DeprecationWarning")


def _run(story: Awaitable[None]) -> None:
    async def run() -> None:
        async with asyncio.timeout(3 * WAIT_S):
            await story

    asyncio.run(run())


class Ear:
    """What one stream said, in order."""

    def __init__(self, stream: Any) -> None:
        self._heard: asyncio.Queue[Any] = asyncio.Queue()
        stream.on("message", self._heard.put_nowait)

    async def next(self) -> Any:
        """Give the next message, which must be a model."""
        message = await asyncio.wait_for(self._heard.get(), WAIT_S)
        assert not isinstance(message, dict), f"does not fit its model: {message}"
        return message


def test_streams_story(fresh: RunningSimulator) -> None:
    """Public, market and private on their own sockets; user events complete and in order."""

    async def story() -> None:
        client = sdk(fresh)
        streams = client.websocket_streams
        await streams.create_connection()
        ears = [
            Ear(await streams.aggregate_trade_streams(symbol="btcusdt")),
            Ear(await streams.kline_candlestick_streams(symbol="btcusdt", interval="1m")),
            Ear(await streams.mark_price_stream(symbol="btcusdt")),
            Ear(await streams.individual_symbol_ticker_streams(symbol="btcusdt")),
            Ear(await streams.individual_symbol_mini_ticker_stream(symbol="btcusdt")),
            Ear(await streams.individual_symbol_book_ticker_streams(symbol="btcusdt")),
            Ear(await streams.diff_book_depth_streams(symbol="btcusdt")),
            Ear(await streams.partial_book_depth_streams(symbol="btcusdt", levels=5)),
        ]
        user = Ear(await streams.user_data(client.rest_api.start_user_data_stream().data().listen_key))
        liquidations = Ear(await streams.liquidation_order_streams(symbol="btcusdt"))
        client.rest_api.change_initial_leverage(**SYMBOL, leverage=7)
        client.rest_api.new_order(**SYMBOL, side="BUY", type="MARKET", quantity=0.01)
        client.rest_api.new_algo_order(**STOP, type="STOP_MARKET", trigger_price=58000, close_position="true")
        fresh.set_price("BTCUSDT", "57900")
        told = [type((await user.next()).actual_instance).__name__ for _ in range(13)]
        fills = ["TradeLite", "OrderTradeUpdate", "AccountUpdate", "OrderTradeUpdate"]
        algos = ["AlgoUpdate"]
        assert told == ["AccountConfigUpdate", *fills, *algos, *algos, *algos, *fills, *algos]
        for ear in ears:
            assert (await ear.next()).s == "BTCUSDT"
        fresh.trade_by_hand("BTCUSDT", "BUY", "0.010", clientOrderId="autoclose-1")
        assert (await liquidations.next()).o.s == "BTCUSDT"
        await streams.close_connection()

    _run(story())


def test_market_wide_streams_story(fresh: RunningSimulator) -> None:
    """All markets in one list."""

    async def story() -> None:
        streams = sdk(fresh).websocket_streams
        await streams.create_connection()
        for stream in (
            await streams.all_market_tickers_streams(),
            await streams.all_market_mini_tickers_stream(),
            await streams.mark_price_stream_for_all_market(),
        ):
            assert len(await Ear(stream).next()) > 20
        assert (await Ear(await streams.all_book_tickers_stream()).next()).b
        await streams.close_connection()

    _run(story())


async def _ask(call: Awaitable[Any]) -> Any:
    answer = (await call).data()
    assert not isinstance(answer, dict), f"does not fit its model: {answer}"
    return getattr(answer, "actual_instance", answer).result


@OUTDATED_TIMEOUT
def test_ws_api_story(fresh: RunningSimulator) -> None:
    """Every method the SDK has, on one socket."""

    async def story() -> None:
        api = sdk(fresh).websocket_api
        await api.create_connection()
        mine = {**SYMBOL, "orig_client_order_id": "w"}
        assert (await _ask(api.new_order(**LIMIT, new_client_order_id="w"))).status == "NEW"
        assert (await _ask(api.query_order(**mine))).status == "NEW"
        assert (await _ask(api.modify_order(**mine, side="BUY", quantity=0.02, price=58900))).orig_qty == "0.02"
        assert (await _ask(api.cancel_order(**mine))).status == "CANCELED"
        entry = {"side": "BUY", "type": "MARKET", "quantity": 0.01, "new_order_resp_type": "RESULT"}
        assert (await _ask(api.new_order(**SYMBOL, **entry))).status == "FILLED"
        stop = api.new_algo_order(**STOP, type="STOP_MARKET", trigger_price=58000, close_position="true")
        assert (await _ask(stop)).algo_status == "NEW"
        trailing = api.new_algo_order(**STOP, type="TRAILING_STOP_MARKET", callback_rate=1, **EXIT)
        algo_id = (await _ask(trailing)).algo_id
        assert (await _ask(api.cancel_algo_order(algo_id=algo_id))).code == "200"
        assert (await _ask(api.symbol_price_ticker(**SYMBOL))).price == "60000.00"
        assert len(await _ask(api.symbol_price_ticker())) > 20
        assert (await _ask(api.symbol_order_book_ticker(**SYMBOL))).bid_price == "60000.00"
        assert (await _ask(api.order_book(**SYMBOL, limit=5))).last_update_id
        for name in ("account_information", "account_information_v2"):
            assert (await _ask(getattr(api, name)())).total_wallet_balance
        for name in ("futures_account_balance", "futures_account_balance_v2"):
            assert (await _ask(getattr(api, name)()))[0].asset == "USDT"
        for name in ("position_information", "position_information_v2"):
            assert (await _ask(getattr(api, name)()))[0].symbol
        assert (await _ask(api.start_user_data_stream())).listen_key
        assert (await _ask(api.keepalive_user_data_stream())).listen_key
        await _ask(api.close_user_data_stream())
        await api.close_connection()

    _run(story())


@OUTDATED_TIMEOUT
def test_ws_api_with_ed25519(fresh: RunningSimulator) -> None:
    """A registered public key signs requests by socket."""
    register(fresh)
    configuration = ConfigurationWebSocketAPI(
        api_key=fresh.api_key,
        private_key=PRIVATE_KEY.export_key(format="PEM"),
        stream_url=fresh.ws_api_url,
    )

    async def story() -> None:
        api: Any = DerivativesTradingUsdsFutures(config_ws_api=configuration).websocket_api
        await api.create_connection()
        assert (await _ask(api.futures_account_balance()))[0].asset == "USDT"
        await api.close_connection()

    _run(story())
