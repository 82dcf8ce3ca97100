"""Margin, income and modes as ccxt and the official SDK ask for them, unmodified."""

from collections.abc import Callable
from typing import Any

import pytest

from bracketeer.simulator import RunningSimulator
from tests.clients.test_ccxt import SYMBOL, options

pytest.importorskip("ccxt", reason="ccxt is not installed")

import ccxt

ETHER = "ETH/USDT:USDT"


def test_ccxt_account_story(fresh: RunningSimulator) -> None:
    """Isolated margin added and taken, tiers, risk, fees, income, a liquidation, and the position mode."""
    exchange: Any = ccxt.binanceusdm(options(fresh))
    exchange.load_markets()
    exchange.set_margin_mode("isolated", ETHER)
    exchange.set_leverage(25, ETHER)
    exchange.create_order(SYMBOL, "market", "buy", 0.05)
    exchange.create_order(ETHER, "market", "sell", 2)
    assert exchange.add_margin(ETHER, 25)["status"] == "ok"
    assert exchange.reduce_margin(ETHER, 5)["amount"] == 5
    assert [row["type"] for row in exchange.fetch_margin_adjustment_history(ETHER)] == ["add", "reduce"]
    risks = {row["symbol"]: row for row in exchange.fetch_positions_risk()}
    assert risks[ETHER]["side"] == "short"
    assert risks[ETHER]["liquidationPrice"] > 3000
    tiers = exchange.fetch_leverage_tiers([SYMBOL])[SYMBOL]
    assert (tiers[0]["maxLeverage"], tiers[0]["maintenanceMarginRate"]) == (125, 0.004)
    assert exchange.fetch_margin_mode(ETHER)["marginMode"] == "isolated"
    assert exchange.fetch_trading_fee(SYMBOL)["taker"] == 0.0005
    assert {row["type"] for row in exchange.fetch_ledger("USDT")} == {"commission"}
    assert exchange.fetch_adl_rank(SYMBOL)["rating"] == "low"
    fresh.fault("liquidation", symbol="ETHUSDT")
    assert len(exchange.fetch_my_liquidations(ETHER)) == 1
    assert [row["symbol"] for row in exchange.fetch_positions()] == [SYMBOL]
    with pytest.raises(ccxt.OperationRejected, match="-4068"):
        exchange.set_position_mode(True)
    exchange.create_order(SYMBOL, "market", "sell", 0.05, None, {"reduceOnly": True})
    assert exchange.set_position_mode(True)["code"] == 200
    assert exchange.fetch_position_mode()["hedged"] is True


class _Models:
    """The SDK's REST interface; an answer that does not fit its model comes as a bare dict, which fails."""

    def __init__(self, sim: RunningSimulator) -> None:
        from binance_common.configuration import ConfigurationRestAPI
        from binance_sdk_derivatives_trading_usds_futures.rest_api import DerivativesTradingUsdsFuturesRestAPI

        keys: dict[str, Any] = {"api_key": sim.api_key, "api_secret": sim.api_secret}
        settings = ConfigurationRestAPI(**keys, base_path=sim.rest_url, timeout=10_000, retries=0)
        self._api: Any = DerivativesTradingUsdsFuturesRestAPI(settings)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**params: object) -> Any:
            answer = getattr(self._api, name)(**params).data()
            assert not isinstance(answer, dict), f"{name} does not fit its model"
            return answer

        return call


def test_sdk_account_story(fresh: RunningSimulator) -> None:
    """Every account answer fits the SDK's model, after margin moves, a liquidation and a deleveraging."""
    pytest.importorskip("binance_sdk_derivatives_trading_usds_futures", reason="the official SDK is not installed")
    rest = _Models(fresh)
    bitcoin, ether = {"symbol": "BTCUSDT"}, {"symbol": "ETHUSDT"}
    rest.change_margin_type(**ether, margin_type="ISOLATED")
    rest.new_order(**bitcoin, side="BUY", type="MARKET", quantity=0.1)
    rest.new_order(**ether, side="SELL", type="MARKET", quantity=2)
    assert rest.modify_isolated_position_margin(**ether, amount=25.5, type="1").amount == 25.5
    assert rest.get_position_margin_change_history(**ether)[0].delta_type == "USER_ADJUST"
    assert rest.position_adl_quantile_estimation()[0].adl_quantile.both == 1
    assert rest.notional_and_leverage_brackets(**bitcoin).actual_instance.brackets[1].cum == 300
    assert rest.adl_risk(**bitcoin).actual_instance.adl_risk == "low"
    for name in ("liquidation", "adl"):
        fresh.fault(name, symbol="ETHUSDT" if name == "liquidation" else "BTCUSDT")
    assert [order.client_order_id[:9] for order in rest.users_force_orders()] == ["autoclose", "adl_autoc"]
    assert {"COMMISSION", "INSURANCE_CLEAR"} <= {row.income_type for row in rest.get_income_history()}
    assert rest.futures_trading_quantitative_rules_indicators().indicators.account[0].indicator == "TMV"
    assert rest.toggle_bnb_burn_on_futures_trade(fee_burn="true").code == 200
    assert rest.get_bnb_burn_status().fee_burn is True
    rest.change_margin_type(**ether, margin_type="CROSSED")
    assert rest.change_multi_assets_mode(multi_assets_margin="true").code == 200
    assert rest.account_information_v2().multi_assets_margin is True
    assert rest.account_information_v3().positions == []
    assert rest.user_commission_rate(**bitcoin).taker_commission_rate == "0.0005"
