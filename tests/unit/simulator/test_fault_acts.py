"""What the venue does by itself: to stops, positions, prices, rules and time."""

import pytest

from tests.unit.simulator.desk import ORDER, START_MS, Desk
from tests.unit.simulator.test_faults import cause


@pytest.mark.parametrize(("name", "status"), [("stop_canceled", "CANCELED"), ("stop_expired", "EXPIRED")])
def test_stop_may_end_by_itself(name: str, status: str) -> None:
    """Stops, not take profits, unless a type is named; the position stays, naked."""
    desk = Desk()
    desk.listen()
    desk.market("BUY", "0.010")
    desk.close_all_at("SELL", "STOP_MARKET", "58000")
    desk.close_all_at("SELL", "TAKE_PROFIT_MARKET", "62000")
    desk.told()
    cause(desk, name, symbol="ETHUSDT")
    assert desk.told() == []
    cause(desk, name)
    assert desk.told() == [f"ALGO STOP_MARKET {status}"]
    cause(desk, name, symbol="BTCUSDT", order_type="TAKE_PROFIT_MARKET")
    assert desk.told() == [f"ALGO TAKE_PROFIT_MARKET {status}"]
    assert not desk.is_flat


def test_trigger_may_be_rejected() -> None:
    """ALGO_UPDATE REJECTED with the reason, and no order."""
    desk = Desk()
    desk.listen()
    desk.market("BUY", "0.010")
    desk.close_all_at("SELL", "STOP_MARKET", "58000")
    desk.told()
    cause(desk, "trigger_rejected", symbol="BTCUSDT")
    desk.price("57000")
    assert (desk.events[-1]["o"]["X"], desk.events[-1]["o"]["rm"]) == ("REJECTED", "Margin is insufficient.")
    assert not desk.is_flat
    assert desk.exchange.faults.rows() == []


def test_adl_takes_a_share() -> None:
    """With the client id everybody knows it by (``binance-usdm.md §10.3``)."""
    desk = Desk()
    desk.listen()
    desk.market("BUY", "0.010")
    desk.events.clear()
    cause(desk, "adl", symbol="BTCUSDT", percent="30")
    assert str(desk.amount()) == "0.007"
    orders = [event["o"] for event in desk.events if event["e"] == "ORDER_TRADE_UPDATE"]
    assert {order["c"] for order in orders} == {"adl_autoclose"}


def test_liquidation_takes_all() -> None:
    """An ``autoclose-`` order, in one-way and in hedge mode."""
    desk = Desk()
    desk.exchange.account.is_hedge_mode = True
    desk.market("SELL", "0.010", positionSide="SHORT")
    desk.listen()
    cause(desk, "liquidation", symbol="BTCUSDT")
    assert not desk.amount(position_side="SHORT")
    orders = [event["o"] for event in desk.events if event["e"] == "ORDER_TRADE_UPDATE"]
    assert all(order["c"].startswith("autoclose-") for order in orders)


def test_price_may_jump() -> None:
    """By percent, five down unless said, or to a price, mark apart."""
    desk = Desk()
    market = desk.exchange.venue.markets["BTCUSDT"]
    cause(desk, "price_gap", symbol="BTCUSDT")
    assert (str(market.last), str(market.mark)) == ("57000.00", "57000.00")
    cause(desk, "price_gap", symbol="BTCUSDT", percent="10")
    assert str(market.last) == "62700.00"
    cause(desk, "price_gap", symbol="BTCUSDT", price="50000", mark="50500")
    assert (str(market.last), str(market.mark)) == ("50000.00", "50500")


def test_book_may_be_thin() -> None:
    """A market order eats it up and the rest expires with reason 9; lifting brings the book back."""
    desk = Desk()
    desk.listen()
    full = desk.exchange.venue.markets["BTCUSDT"].depth("SELL", 1)
    cause(desk, "thin_book", symbol="BTCUSDT")
    reply = desk.market("BUY", "1.000", newOrderRespType="RESULT")
    assert reply.json["status"] == "EXPIRED"
    assert 0 < desk.amount() < 1
    last = [event["o"] for event in desk.events if event["e"] == "ORDER_TRADE_UPDATE"][-1]
    assert (last["X"], last["er"]) == ("EXPIRED", "9")
    desk.exchange.faults.lift()
    assert desk.exchange.venue.markets["BTCUSDT"].depth("SELL", 1) == full


def test_rules_may_change_under_a_client() -> None:
    """Steps, notional and status; then they come back."""
    desk = Desk()
    cause(desk, "rules_changed", symbol="BTCUSDT", stepSize="0.01", tickSize="0.5", notional="1000")
    assert desk.market("BUY", "0.015").code == -1111
    assert desk.market("BUY", "0.010").code == -4164
    assert desk.limit("BUY", "0.02", "59000.1").code == -4014
    info = next(row for row in desk.public("/fapi/v1/exchangeInfo").json["symbols"] if row["symbol"] == "BTCUSDT")
    assert info["filters"][1]["stepSize"] == "0.01"
    cause(desk, "rules_changed", symbol="BTCUSDT", status="SETTLING")
    assert desk.market("BUY", "0.020").code == -4140
    assert desk.exchange.faults.lift() == 2
    assert desk.market("BUY", "0.015").status == 200


def test_rules_that_changed_twice_come_back_in_any_order() -> None:
    """Each change ends by itself: the first one's end does not end the second, nor does that bring the first back."""
    desk = Desk()
    before = desk.exchange.venue.rules("BTCUSDT")
    cause(desk, "rules_changed", symbol="BTCUSDT", marketMaxQty="0.012")
    cause(desk, "rules_changed", symbol="BTCUSDT", status="SETTLING")
    cause(desk, "thin_book", symbol="BTCUSDT", percent="10")
    first, second, _ = [fault.fault_id for fault in desk.exchange.faults]
    desk.exchange.faults.lift(fault_id=first)
    rules = desk.exchange.venue.rules("BTCUSDT")
    assert (rules.market_quantity_max, rules.status) == (before.market_quantity_max, "SETTLING")
    assert rules.depth_share != before.depth_share
    desk.exchange.faults.lift(fault_id=second)
    assert desk.exchange.venue.rules("BTCUSDT").status == before.status
    desk.exchange.faults.lift()
    assert desk.exchange.venue.rules("BTCUSDT") == before


def test_clock_may_jump() -> None:
    """And requests signed by the right time are refused."""
    desk = Desk()
    cause(desk, "clock_step", delay_ms=-5000)
    assert desk.public("/fapi/v1/time").json == {"serverTime": START_MS - 5000}
    assert desk.market("BUY", "0.010").code == -1021


def test_ban_at_will_is_pardoned_by_lifting() -> None:
    """418 on everything, for one address."""
    desk = Desk()
    cause(desk, "banned")
    assert (desk.public("/fapi/v1/ping").status, desk.market("BUY", "0.010").status) == (418, 418)
    assert desk.exchange.handle("GET", "/fapi/v1/ping", address="10.0.0.9").status == 200
    assert desk.exchange.faults.lift() == 1
    assert desk.send("GET", ORDER, symbol="BTCUSDT", orderId=1).code == -2013
