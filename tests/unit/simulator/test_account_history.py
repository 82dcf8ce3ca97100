"""Income, forced orders and the venue's rules over REST (``binance-usdm.md §3.2, §3.4``)."""

from decimal import Decimal

import pytest

from tests.unit.simulator.desk import START_MS, Desk

INCOME = "/fapi/v1/income"
FORCED = "/fapi/v1/forceOrders"
STATUS = "/fapi/v1/apiTradingStatus"
_DAY_MS = 24 * 60 * 60 * 1000


def busy_desk() -> Desk:
    """A desk to which a profit, a liquidation and a deleveraging have happened, one a second."""
    desk = Desk()
    desk.send("POST", "/fapi/v1/marginType", symbol="ETHUSDT", marginType="ISOLATED")
    desk.market("BUY", "0.100")
    desk.now_ms += 1000
    desk.market("BUY", "1.000", symbol="ETHUSDT")
    desk.now_ms += 1000
    desk.price("2700", symbol="ETHUSDT")
    desk.now_ms += 1000
    desk.price("61000")
    desk.exchange.risk.deleverage(desk.exchange.account, "BTCUSDT", "BOTH", None, None)
    return desk


def test_income_tells_every_change_with_its_reason() -> None:
    """Oldest first; ids do not repeat within a type; trades are named."""
    desk = busy_desk()
    rows = desk.send("GET", INCOME).json
    assert [(row["symbol"], row["incomeType"]) for row in rows[:3]] == [
        ("BTCUSDT", "COMMISSION"),
        ("ETHUSDT", "COMMISSION"),
        ("ETHUSDT", "REALIZED_PNL"),
    ]
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert len({(row["incomeType"], row["tranId"]) for row in rows}) == len(rows)
    assert rows[0]["tradeId"] == str(desk.exchange.account.fills[0].trade_id)
    assert sum(Decimal(row["income"]) for row in rows) == desk.exchange.account.wallet - 10000


def test_income_narrows() -> None:
    """By symbol, type, time and count; without a start the newest rows, with one the oldest."""
    desk = busy_desk()
    everything = desk.send("GET", INCOME).json
    assert {row["symbol"] for row in desk.send("GET", INCOME, symbol="ETHUSDT").json} == {"ETHUSDT"}
    kinds = {row["incomeType"] for row in desk.send("GET", INCOME, incomeType="REALIZED_PNL").json}
    assert kinds == {"REALIZED_PNL"}
    assert desk.send("GET", INCOME, limit=1).json == everything[-1:]
    assert desk.send("GET", INCOME, limit=1, startTime=START_MS).json == everything[:1]
    assert desk.send("GET", INCOME, endTime=START_MS).json == everything[:1]
    assert desk.send("GET", INCOME, startTime=START_MS + 1, endTime=START_MS).code == -1127
    assert desk.send("GET", INCOME, limit=1001).code == -1130
    assert desk.send("GET", INCOME, incomeType="LUCK").code == -1130


def test_income_is_recent_unless_asked_and_forgotten_after_three_months() -> None:
    """Seven days by default."""
    desk = busy_desk()
    desk.now_ms += 8 * _DAY_MS
    assert desk.send("GET", INCOME, symbol="ETHUSDT").json == []
    assert desk.send("GET", INCOME, symbol="ETHUSDT", startTime=START_MS).json
    desk.now_ms += 90 * _DAY_MS
    assert desk.send("GET", INCOME, symbol="ETHUSDT", startTime=START_MS).json == []


def test_forced_orders() -> None:
    """Both kinds, told apart by ``autoCloseType``; a liquidation calls itself LIMIT here."""
    desk = busy_desk()
    liquidation, deleveraging = desk.send("GET", FORCED).json
    assert (liquidation["type"], liquidation["timeInForce"], liquidation["status"]) == ("LIMIT", "IOC", "FILLED")
    assert liquidation["clientOrderId"].startswith("autoclose-")
    assert deleveraging["clientOrderId"] == "adl_autoclose"
    assert desk.send("GET", FORCED, autoCloseType="ADL").json == [deleveraging]
    assert desk.send("GET", FORCED, autoCloseType="LIQUIDATION", symbol="ETHUSDT").json == [liquidation]
    assert desk.send("GET", FORCED, limit=1, startTime=START_MS).json == [liquidation]
    assert desk.send("GET", FORCED, limit=101).code == -1130
    order = desk.send("GET", "/fapi/v1/order", symbol="ETHUSDT", orderId=liquidation["orderId"]).json
    assert (order["type"], order["status"]) == ("LIQUIDATION", "FILLED")


@pytest.mark.parametrize(("params", "names"), [({}, {"BTCUSDT", "ACCOUNT"}), ({"symbol": "ETHUSDT"}, {"ETHUSDT"})])
def test_nobody_is_locked_out(params: dict[str, str], names: set[str]) -> None:
    """Indicators per touched symbol and for the account."""
    desk = Desk()
    desk.market("BUY", "0.100")
    indicators = desk.send("GET", STATUS, **params).json["indicators"]
    assert set(indicators) == names
    assert not any(row["isLocked"] for rows in indicators.values() for row in rows)


def test_liquidation_and_deleveraging_can_be_caused() -> None:
    """As faults: whatever the margin, by symbol, cross or isolated; a second one finds nothing."""
    desk = Desk()
    desk.market("BUY", "1.000", symbol="ETHUSDT")
    desk.market("BUY", "0.100")
    desk.limit("BUY", "0.010", "59000.0")
    desk.exchange.risk.liquidate(desk.exchange.account, "BTCUSDT")
    assert desk.is_flat
    assert not desk.exchange.account.orders.open_orders("BTCUSDT")
    assert desk.amount("ETHUSDT") == 1
    desk.exchange.risk.liquidate(desk.exchange.account, "BTCUSDT")
    assert len(desk.send("GET", FORCED).json) == 1
    cleared = desk.send("GET", INCOME, incomeType="INSURANCE_CLEAR").json
    assert Decimal(cleared[0]["income"]) == pytest.approx(Decimal(-120), abs=Decimal(1))
