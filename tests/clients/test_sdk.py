"""The official SDK: REST, streams and WebSocket API, each a whole story, each answer in the SDK's own models.

Where an answer does not fit a model the SDK warns, or hands out a bare dict: both fail the test.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from Crypto.PublicKey import ECC

from bracketeer.simulator import RunningSimulator
from tests.clients.conftest import WAIT_S

pytest.importorskip(
    "binance_sdk_derivatives_trading_usds_futures",
    reason="binance-sdk-derivatives-trading-usds-futures is not installed",
)

from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_common.errors import BadRequestError
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import DerivativesTradingUsdsFutures
from binance_sdk_derivatives_trading_usds_futures.rest_api.models import PlaceMultipleOrdersBatchOrdersParameterInner

SYMBOL: dict[str, Any] = {"symbol": "BTCUSDT"}
LIMIT: dict[str, Any] = {
    **SYMBOL,
    "side": "BUY",
    "type": "LIMIT",
    "quantity": 0.01,
    "price": 59000,
    "time_in_force": "GTC",
}
STOP: dict[str, Any] = {**SYMBOL, "algo_type": "CONDITIONAL", "side": "SELL"}
EXIT: dict[str, Any] = {"quantity": 0.01, "reduce_only": "true"}
BATCH_ORDER = cast(Any, PlaceMultipleOrdersBatchOrdersParameterInner)
# The SDK passes aiohttp a timeout in a form that aiohttp calls outdated: between those two.
OUTDATED_TIMEOUT = pytest.mark.filterwarnings("ignore:parameter 'timeout':DeprecationWarning")
PRIVATE_KEY = ECC.construct(curve="Ed25519", seed=bytes(range(32)))


def sdk(sim: RunningSimulator) -> Any:
    """Configure the SDK as a user would; a loaded test machine may take longer than its second of patience."""
    keys: dict[str, Any] = {"api_key": sim.api_key, "api_secret": sim.api_secret}
    return DerivativesTradingUsdsFutures(
        ConfigurationRestAPI(**keys, base_path=sim.rest_url, timeout=10_000, retries=0),
        ConfigurationWebSocketAPI(**keys, stream_url=sim.ws_api_url),
        ConfigurationWebSocketStreams(stream_url=sim.stream_url),
    )


class Rest:
    """The REST interface, whose answers must be models (or the lists of candles, which have none)."""

    def __init__(self, sim: RunningSimulator) -> None:
        self._api = sdk(sim).rest_api

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**params: object) -> Any:
            answer = getattr(self._api, name)(**params).data()
            rows = answer if isinstance(answer, list) else [answer]
            assert not any(isinstance(row, dict) and row for row in rows), f"{name} does not fit its model"
            return answer

        return call


def test_rest_trading_story(fresh: RunningSimulator) -> None:
    """Settings, entry, change, protection, trailing, batch, exit, history."""
    rest = Rest(fresh)
    assert rest.change_initial_leverage(**SYMBOL, leverage=10).leverage == 10
    assert rest.change_margin_type(**SYMBOL, margin_type="ISOLATED").code == 200
    assert rest.change_margin_type(**SYMBOL, margin_type="CROSSED").code == 200
    entry = rest.new_order(**SYMBOL, side="BUY", type="MARKET", quantity=0.01, new_order_resp_type="RESULT")
    assert (entry.status, entry.executed_qty) == ("FILLED", "0.010")
    rest.new_order(**LIMIT, new_client_order_id="mine")
    mine = {**SYMBOL, "orig_client_order_id": "mine"}
    assert rest.query_order(**mine).status == rest.query_current_open_order(**mine).status == "NEW"
    assert rest.modify_order(**mine, side="BUY", quantity=0.02, price=58900).orig_qty == "0.02"
    assert [order.client_order_id for order in rest.current_all_open_orders(**SYMBOL)] == ["mine"]
    assert rest.get_order_modify_history(**mine)
    assert rest.cancel_order(**mine).status == "CANCELED"
    rest.new_algo_order(**STOP, type="STOP_MARKET", trigger_price=58000, close_position="true", client_algo_id="sl")
    rest.new_algo_order(**STOP, type="TAKE_PROFIT", trigger_price=62000, price=62000, **EXIT)
    rest.new_algo_order(**STOP, type="TRAILING_STOP_MARKET", callback_rate=1, activate_price=61000, **EXIT)
    assert rest.query_algo_order(client_algo_id="sl").algo_status == "NEW"
    assert len(rest.current_all_algo_open_orders()) == len(rest.query_all_algo_orders(**SYMBOL)) == 3
    assert rest.cancel_algo_order(client_algo_id="sl").code == "200"
    assert rest.cancel_all_algo_open_orders(**SYMBOL).code == 200
    batch = [BATCH_ORDER(**LIMIT, new_client_order_id=client_id) for client_id in "ab"]
    assert [order.client_order_id for order in rest.place_multiple_orders(batch_orders=batch)] == ["a", "b"]
    canceled = rest.cancel_multiple_orders(**SYMBOL, orig_client_order_id_list=["a", "never"])
    assert [order.code for order in canceled] == [None, -2011]
    assert rest.cancel_all_open_orders(**SYMBOL).code == 200
    assert rest.auto_cancel_all_open_orders(**SYMBOL, countdown_time=0).countdown_time == "0"
    assert rest.test_order(**SYMBOL, side="BUY", type="MARKET", quantity=0.01)
    assert rest.position_information_v3(**SYMBOL)[0].position_amt == "0.010"
    leave = {"side": "SELL", "type": "MARKET", "new_order_resp_type": "RESULT"}
    assert rest.new_order(**SYMBOL, **leave, **EXIT).status == "FILLED"
    assert rest.position_information_v3(**SYMBOL) == []
    assert len(rest.account_trade_list(**SYMBOL)) == 2
    assert len(rest.all_orders(**SYMBOL)) == 5
    assert rest.get_income_history()
    assert rest.change_position_mode(dual_side_position="true").code == 200
    with pytest.raises(BadRequestError) as refused:
        rest.query_order(**SYMBOL, order_id=1)
    assert refused.value.args[0] == -2013


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("check_server_time", {}),
        ("exchange_information", {}),
        ("mark_price", SYMBOL),
        ("mark_price", {}),
        ("symbol_price_ticker_v2", SYMBOL),
        ("symbol_price_ticker_v2", {}),
        ("symbol_order_book_ticker", SYMBOL),
        ("symbol_order_book_ticker", {}),
        ("order_book", {**SYMBOL, "limit": 5}),
        ("kline_candlestick_data", {**SYMBOL, "interval": "1m"}),
        (
            "continuous_contract_kline_candlestick_data",
            {"pair": "BTCUSDT", "contract_type": "PERPETUAL", "interval": "1m"},
        ),
        ("mark_price_kline_candlestick_data", {**SYMBOL, "interval": "1h"}),
        ("index_price_kline_candlestick_data", {"pair": "BTCUSDT", "interval": "1d"}),
        ("ticker24hr_price_change_statistics", SYMBOL),
        ("ticker24hr_price_change_statistics", {}),
        ("recent_trades_list", SYMBOL),
        ("old_trades_lookup", SYMBOL),
        ("compressed_aggregate_trades_list", SYMBOL),
        ("get_funding_rate_history", SYMBOL),
        ("get_funding_rate_info", {}),
        ("open_interest", SYMBOL),
        ("account_information_v2", {}),
        ("account_information_v3", {}),
        ("futures_account_balance_v2", {}),
        ("futures_account_balance_v3", {}),
        ("position_information_v2", SYMBOL),
        ("get_current_position_mode", {}),
        ("get_current_multi_assets_mode", {}),
        ("symbol_configuration", SYMBOL),
        ("futures_account_configuration", {}),
        ("user_commission_rate", SYMBOL),
        ("notional_and_leverage_brackets", SYMBOL),
        ("notional_and_leverage_brackets", {}),
        ("query_user_rate_limit", {}),
        ("futures_trading_quantitative_rules_indicators", SYMBOL),
        ("get_bnb_burn_status", {}),
        ("start_user_data_stream", {}),
    ],
)
def test_every_query_fits_its_model(fresh: RunningSimulator, name: str, params: dict[str, object]) -> None:
    """Market data, account and settings."""
    assert getattr(Rest(fresh), name)(**params)


def test_ed25519_keys_sign_rest(fresh: RunningSimulator) -> None:
    """A registered public key is as good as the secret (open point 4, the default)."""
    _register(fresh)
    configuration = ConfigurationRestAPI(
        api_key=fresh.api_key,
        private_key=PRIVATE_KEY.export_key(format="PEM"),
        base_path=fresh.rest_url,
        timeout=10_000,
        retries=0,
    )
    client: Any = DerivativesTradingUsdsFutures(configuration)
    assert client.rest_api.futures_account_balance_v3().data()[0].asset == "USDT"


def _register(sim: RunningSimulator) -> None:
    sim.set_account(ed25519PublicKey=PRIVATE_KEY.public_key().export_key(format="PEM"))


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
    _register(fresh)
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
