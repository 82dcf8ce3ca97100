"""The official SDK over REST: a whole story, each answer in the SDK's own models.

Where an answer does not fit a model the SDK warns, or hands out a bare dict: both fail the test.
"""

from collections.abc import Callable
from typing import Any, cast

import pytest

from bracketeer.simulator import RunningSimulator

pytest.importorskip(
    "binance_sdk_derivatives_trading_usds_futures",
    reason="binance-sdk-derivatives-trading-usds-futures is not installed",
)

from binance_common.configuration import ConfigurationRestAPI
from binance_common.errors import BadRequestError
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import DerivativesTradingUsdsFutures
from binance_sdk_derivatives_trading_usds_futures.rest_api.models import PlaceMultipleOrdersBatchOrdersParameterInner

from tests.clients.sdk_support import EXIT, LIMIT, PRIVATE_KEY, STOP, SYMBOL, register, sdk

BATCH_ORDER = cast(Any, PlaceMultipleOrdersBatchOrdersParameterInner)


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
    register(fresh)
    configuration = ConfigurationRestAPI(
        api_key=fresh.api_key,
        private_key=PRIVATE_KEY.export_key(format="PEM"),
        base_path=fresh.rest_url,
        timeout=10_000,
        retries=0,
    )
    client: Any = DerivativesTradingUsdsFutures(configuration)
    assert client.rest_api.futures_account_balance_v3().data()[0].asset == "USDT"
