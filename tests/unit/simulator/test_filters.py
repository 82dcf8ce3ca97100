"""The filter table of ``binance-usdm.md §6`` and the parameter refusals of an order, one row each."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bracketeer.simulator.errors import ExchangeError
from bracketeer.simulator.filters import check_quantity
from tests.unit.simulator.desk import ORDER, Desk

MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}
LIMIT = {**MARKET, "type": "LIMIT", "price": "60000.0", "timeInForce": "GTC"}


@pytest.mark.parametrize(
    ("params", "code"),
    [
        (MARKET | {"quantity": "0"}, -4003),
        (MARKET | {"quantity": "-1"}, -4003),
        (MARKET | {"quantity": "0.0001"}, -1111),
        (MARKET | {"quantity": "120.001"}, -4005),
        (LIMIT | {"quantity": "1000.001"}, -4005),
        (MARKET | {"symbol": "SOLUSDT", "quantity": "0.5"}, -1111),
        (MARKET | {"symbol": "1000PEPEUSDT", "quantity": "0"}, -4003),
        (MARKET | {"quantity": "NaN"}, -1100),
        (MARKET | {"quantity": "1e3"}, -1100),
        (MARKET | {"quantity": ""}, -1102),
        (MARKET | {"quantity": "0.000"}, -4003),
        (LIMIT | {"price": "0"}, -4001),
        (LIMIT | {"price": "-5"}, -4001),
        (LIMIT | {"price": "60000.001"}, -1111),
        (LIMIT | {"price": "60000.15"}, -4014),
        (LIMIT | {"price": "4529764.1"}, -4002),
        (LIMIT | {"price": "556.7"}, -4013),
        (LIMIT | {"price": "63000.1"}, -4016),
        (LIMIT | {"side": "SELL", "price": "56999.9"}, -4024),
        (LIMIT | {"price": "59000.0", "quantity": "0.0"}, -4003),
        (MARKET | {"symbol": "ETHUSDT", "quantity": "0.006"}, -4164),
        (LIMIT | {"symbol": "ETHUSDT", "quantity": "0.006", "price": "3000.00"}, -4164),
        (MARKET | {"symbol": "NOPEUSDT"}, -1121),
        (MARKET | {"symbol": "EOSUSDT", "quantity": "100"}, -4140),
        (MARKET | {"side": "UP"}, -1117),
        (MARKET | {"type": "ICEBERG"}, -1116),
        (MARKET | {"timeInForce": "GTC"}, -1106),
        (MARKET | {"price": "60000"}, -1106),
        (LIMIT | {"timeInForce": "NOW"}, -1115),
        (LIMIT | {"timeInForce": ""}, -1102),
        (LIMIT | {"price": ""}, -1102),
        (MARKET | {"newOrderRespType": "FULL"}, -1136),
        (MARKET | {"newClientOrderId": "x" * 37}, -4015),
        (MARKET | {"newClientOrderId": "sp ace"}, -4015),
        (MARKET | {"positionSide": "LONG"}, -4061),
        (MARKET | {"positionSide": "UP"}, -4060),
        (MARKET | {"reduceOnly": "yes"}, -4062),
        (MARKET | {"reduceOnly": "true"}, -2022),
        (MARKET | {"selfTradePreventionMode": "MAYBE"}, -5039),
        (MARKET | {"type": "STOP_MARKET", "stopPrice": "59000"}, -4120),
        (MARKET | {"type": "STOP"}, -4120),
        (MARKET | {"type": "TAKE_PROFIT"}, -4120),
        (MARKET | {"type": "TAKE_PROFIT_MARKET"}, -4120),
        (MARKET | {"type": "TRAILING_STOP_MARKET"}, -4120),
        (MARKET | {"quantity": "10"}, -2019),
        (MARKET | {"quantity": "120"}, -2019),
    ],
)
def test_order_is_refused_with_its_code(params: dict[str, str], code: int) -> None:
    """Every refusal names its reason and leaves no trace."""
    desk = Desk()
    desk.listen()
    reply = desk.send("POST", ORDER, **params)
    assert (400, code) == (reply.status, reply.code)
    assert not desk.exchange.account.orders.by_id
    assert desk.told() == []


def test_quantity_off_the_step_but_with_fine_decimals_is_its_own_code() -> None:
    """-4023 needs a step coarser than the decimals, which no symbol here has today."""
    rules = replace(Desk().exchange.venue.rules("BTCUSDT"), step_size=Decimal("0.005"))
    with pytest.raises(ExchangeError) as caught:
        check_quantity(rules, Decimal("0.012"), is_market=True)
    assert caught.value.code == -4023


def test_quantity_below_the_smallest_is_its_own_code() -> None:
    """-4004 needs decimals finer than the step."""
    rules = replace(Desk().exchange.venue.rules("BTCUSDT"), step_size=Decimal("0.005"))
    with pytest.raises(ExchangeError) as caught:
        check_quantity(rules, Decimal("0.004"), is_market=True)
    assert caught.value.code == -4004


def test_largest_position_depends_on_the_leverage() -> None:
    """Above the bracket's cap the order is -2027, however rich the account."""
    desk = Desk()
    desk.exchange.account.wallet = desk.exchange.account.wallet * 1000
    desk.send("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=125)
    assert desk.market("BUY", "5.001").code == -2027
    assert desk.market("BUY", "4.999").status == 200


def test_market_order_is_refused_when_the_book_is_far_from_the_mark() -> None:
    """The best price it would meet must lie in the PERCENT_PRICE band."""
    desk = Desk()
    desk.price("60000", mark="50000")
    assert desk.market("BUY", "0.010").code == -4131


def test_too_many_open_orders_are_refused() -> None:
    """MAX_NUM_ORDERS is 200 on the real venue."""
    desk = Desk()
    for _ in range(200):
        desk.now_ms += 1000
        assert desk.limit("BUY", "0.001", "59000.0").status == 200
    assert desk.limit("BUY", "0.001", "59000.0").code == -2025


@pytest.mark.parametrize(
    ("profile", "step", "orders", "weight"), [("mainnet", "0.001", 200, 2400), ("demo", "0.0001", 10000, 6000)]
)
def test_profiles_differ_in_their_rules(profile: str, step: str, orders: int, weight: int) -> None:
    """Figures measured on the demo platform are not those of the real venue."""
    info = Desk(profile=profile).public("/fapi/v1/exchangeInfo").json
    bitcoin = next(row for row in info["symbols"] if row["symbol"] == "BTCUSDT")
    filters = {row["filterType"]: row for row in bitcoin["filters"]}
    assert step == filters["LOT_SIZE"]["stepSize"]
    assert orders == filters["MAX_NUM_ORDERS"]["limit"]
    assert weight == info["rateLimits"][0]["limit"]
    assert filters["PRICE_FILTER"]["tickSize"] == "0.10"
    assert filters["MIN_NOTIONAL"]["notional"] == "50"


def test_exchange_offers_many_real_contracts() -> None:
    """Twenty and more symbols, very small ticks and one that is not trading among them."""
    symbols = Desk().public("/fapi/v1/exchangeInfo").json["symbols"]
    ticks = {row["symbol"]: row["filters"][0]["tickSize"] for row in symbols}
    assert len(symbols) >= 20
    assert (ticks["1000PEPEUSDT"], ticks["YFIUSDT"]) == ("0.0000001", "1")
    assert [row["symbol"] for row in symbols if row["status"] != "TRADING"] == ["EOSUSDT"]


def test_tiny_prices_are_written_without_exponents() -> None:
    """A price of 0.0123456 survives order, trade and position unharmed."""
    desk = Desk()
    reply = desk.market("BUY", "10000", symbol="1000PEPEUSDT", newOrderRespType="RESULT")
    trade = desk.send("GET", "/fapi/v1/userTrades", symbol="1000PEPEUSDT").json[0]
    assert (reply.json["status"], trade["price"]) == ("FILLED", "0.0123458")
