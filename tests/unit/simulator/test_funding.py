"""Funding at its hours, and the controls over money (``binance-usdm.md §3.1, §10.4``)."""

import json
from decimal import Decimal
from typing import Any

import pytest

from bracketeer.simulator.control import handle_control
from bracketeer.simulator.funding import HOURS_MAX, INTERVAL_MS
from tests.unit.simulator.desk import START_MS, Desk

NEXT_HOUR = (START_MS // INTERVAL_MS + 1) * INTERVAL_MS


def control(desk: Desk, name: str, **body: object) -> tuple[int, Any]:
    """Turn a knob."""
    answer = handle_control(desk.exchange, "POST", f"/sim/{name}", json.dumps(body).encode())
    return answer.status, json.loads(answer.body)


def incomes(desk: Desk, kind: str) -> list[tuple[str, str, int]]:
    """Ask for the income of one type."""
    rows = desk.send("GET", "/fapi/v1/income", incomeType=kind).json
    return [(row["symbol"], row["income"], row["time"]) for row in rows]


def test_longs_pay_shorts_at_the_hour() -> None:
    """At the mark price, at the rate that premiumIndex told, and once."""
    desk = Desk()
    desk.market("BUY", "0.100")
    told = desk.public("/fapi/v1/premiumIndex", "symbol=BTCUSDT").json
    assert (told["lastFundingRate"], told["nextFundingTime"]) == ("0.00010000", NEXT_HOUR)
    wallet = desk.exchange.account.wallet
    desk.now_ms = NEXT_HOUR - 1
    desk.exchange.tick()
    assert desk.exchange.account.wallet == wallet
    desk.now_ms = NEXT_HOUR + 250
    for _ in range(2):
        desk.exchange.tick()
    assert desk.exchange.account.wallet - wallet == Decimal("-0.60000000")
    assert incomes(desk, "FUNDING_FEE") == [("BTCUSDT", "-0.60000000", NEXT_HOUR)]


def test_shorts_pay_when_the_rate_is_negative() -> None:
    """And the rate that was settled stays in fundingRate when the next one differs."""
    desk = Desk()
    desk.market("SELL", "0.100")
    assert control(desk, "funding", symbol="BTCUSDT", rate="-0.0005")[1] == {"rates": {"BTCUSDT": "-0.00050000"}}
    assert desk.public("/fapi/v1/premiumIndex", "symbol=BTCUSDT").json["lastFundingRate"] == "-0.00050000"
    desk.now_ms = NEXT_HOUR
    desk.exchange.tick()
    assert incomes(desk, "FUNDING_FEE") == [("BTCUSDT", "-3.00000000", NEXT_HOUR)]
    control(desk, "funding", symbol="BTCUSDT", rate="0.0002")
    row = desk.public("/fapi/v1/fundingRate", "symbol=BTCUSDT").json[-1]
    assert (row["fundingTime"], row["fundingRate"]) == (NEXT_HOUR, "-0.00050000")


def test_cross_funding_tells_the_balance_and_isolated_the_position_too() -> None:
    """``m`` FUNDING_FEE with ``S``, and ``bc`` the amount; an isolated leg pays from its own wallet."""
    desk = Desk()
    desk.send("POST", "/fapi/v1/marginType", symbol="ETHUSDT", marginType="ISOLATED")
    desk.market("BUY", "0.100")
    desk.market("BUY", "1.000", symbol="ETHUSDT")
    isolated = desk.exchange.account.position("ETHUSDT", "BOTH").isolated_wallet
    desk.listen()
    assert control(desk, "funding", settle=True)[0] == 200
    cross, own = (event["a"] for event in desk.events)
    assert (cross["m"], cross["S"], cross["P"], cross["B"][0]["bc"]) == ("FUNDING_FEE", "BTCUSDT", [], "-0.6")
    assert (own["S"], own["B"][0]["bc"], own["P"][0]["s"]) == ("ETHUSDT", "-0.3", "ETHUSDT")
    assert Decimal(own["P"][0]["iw"]) == isolated - Decimal("0.3")


def test_hedged_legs_pay_each_other() -> None:
    """What the long pays the short receives."""
    desk = Desk()
    desk.send("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    desk.market("BUY", "0.100", positionSide="LONG")
    desk.market("SELL", "0.100", positionSide="SHORT")
    desk.now_ms = NEXT_HOUR
    desk.exchange.tick()
    assert [amount for _, amount, _ in incomes(desk, "FUNDING_FEE")] == ["-0.60000000", "0.60000000"]


def test_a_clock_that_jumps_settles_what_it_passed_and_nothing_twice() -> None:
    """Three hours in a leap, none on the way back and again; a leap of years is limited."""
    desk = Desk()
    desk.market("BUY", "0.001")
    desk.now_ms = NEXT_HOUR + 2 * INTERVAL_MS
    desk.exchange.tick()
    assert len(incomes(desk, "FUNDING_FEE")) == 3
    for now_ms in (START_MS, NEXT_HOUR + 2 * INTERVAL_MS):
        desk.now_ms = now_ms
        desk.exchange.tick()
    assert len(desk.exchange.account.ledger) == 3
    desk.now_ms += 2 * HOURS_MAX * INTERVAL_MS
    desk.exchange.tick()
    assert len(desk.exchange.account.ledger) == 3 + HOURS_MAX


def test_a_price_move_after_the_hour_comes_too_late() -> None:
    """The hour that has struck counts at the mark price before."""
    desk = Desk()
    desk.market("BUY", "0.100")
    desk.now_ms = NEXT_HOUR + 1
    desk.price("61000")
    assert [amount for _, amount, _ in incomes(desk, "FUNDING_FEE")] == ["-0.60000000"]


def test_a_balance_that_is_set_is_a_transfer() -> None:
    """Income still adds up."""
    desk = Desk()
    control(desk, "account", balance="12000")
    assert incomes(desk, "TRANSFER") == [("", "2000.00000000", START_MS)]


def test_a_tiny_position_pays_nothing_below_the_last_digit() -> None:
    """No income row of zero."""
    desk = Desk()
    desk.market("BUY", "0.001")
    control(desk, "funding", symbol="BTCUSDT", rate="0", settle=True)
    assert incomes(desk, "FUNDING_FEE") == []


def test_transfers_change_the_wallet_with_a_reason() -> None:
    """DEPOSIT and WITHDRAW on the stream, TRANSFER in the income; bound money stays."""
    desk = Desk()
    desk.market("BUY", "1.000")
    desk.listen()
    assert control(desk, "transfer", amount="100")[0] == 200
    assert control(desk, "transfer", amount="-50.5")[0] == 200
    assert control(desk, "transfer", amount="-9000")[0] == 400
    assert [(event["a"]["m"], event["a"]["B"][0]["bc"]) for event in desk.events] == [
        ("DEPOSIT", "100"),
        ("WITHDRAW", "-50.5"),
    ]
    assert [amount for _, amount, _ in incomes(desk, "TRANSFER")] == ["100.00000000", "-50.50000000"]


@pytest.mark.parametrize("body", [{"symbol": "NOPE", "rate": "0.1"}, {"symbol": "BTCUSDT"}])
def test_nonsense_is_refused(body: dict[str, object]) -> None:
    """An unknown symbol, a missing rate."""
    assert control(Desk(), "funding", **body)[0] == 400
