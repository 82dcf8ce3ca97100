"""Limit orders in detail: dates, price match, self-trade prevention."""

from decimal import Decimal

import pytest

from bracketeer.simulator.profiles import Switches
from tests.unit.simulator.desk import ALGO, OPEN_ALGOS, OPEN_ORDERS, ORDER, Desk

DAY_MS = 86_400_000


def show(desk: Desk, client_id: str, symbol: str = "BTCUSDT") -> dict[str, object]:
    """Query an order by client id."""
    row: dict[str, object] = desk.send("GET", ORDER, symbol=symbol, origClientOrderId=client_id).json
    return row


# GTD


@pytest.mark.parametrize(
    ("ahead_ms", "code"),
    [(None, -1102), (600_000, -5040), (600_001, None), (10**16, -5040), (-1, -5040)],
)
def test_a_date_must_lie_ten_minutes_ahead(ahead_ms: int | None, code: int | None) -> None:
    """And before the year 10000 (``binance-usdm.md §5.2``)."""
    desk = Desk()
    date = "" if ahead_ms is None else desk.now_ms + ahead_ms
    reply = desk.limit("BUY", "0.010", "59000.0", timeInForce="GTD", goodTillDate=date)
    assert code == reply.code
    assert len(desk.send("GET", OPEN_ORDERS).json) == (code is None)


def test_a_dated_order_expires_on_its_date() -> None:
    """Its milliseconds are ignored; before that second it rests, after it is EXPIRED."""
    desk = Desk()
    desk.listen()
    reply = desk.limit(
        "BUY", "0.010", "59000.0", timeInForce="GTD", goodTillDate=desk.now_ms + 700_999, newClientOrderId="dated"
    )
    assert reply.json["goodTillDate"] == desk.now_ms + 700_000
    desk.now_ms += 699_999
    assert show(desk, "dated")["status"] == "NEW"
    desk.now_ms += 1
    assert show(desk, "dated")["status"] == "EXPIRED"
    assert (desk.events[-1]["o"]["x"], desk.events[-1]["o"]["gtd"]) == ("EXPIRED", reply.json["goodTillDate"])


def test_a_dated_order_that_is_over_stays_as_it_is() -> None:
    """Its date finds nothing to end."""
    desk = Desk()
    desk.limit("BUY", "0.010", "59000.0", timeInForce="GTD", goodTillDate=desk.now_ms + 700_000, newClientOrderId="x")
    desk.send("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="x")
    desk.now_ms += 800_000
    assert show(desk, "x")["status"] == "CANCELED"


def test_an_order_without_a_date_ends_after_a_year() -> None:
    """GTC is not for ever."""
    desk = Desk()
    desk.limit("BUY", "0.010", "59000.0", newClientOrderId="old")
    desk.now_ms += 364 * DAY_MS
    assert show(desk, "old")["status"] == "NEW"
    desk.now_ms += 2 * DAY_MS
    assert show(desk, "old")["status"] == "EXPIRED"


def test_a_dated_conditional_order_expires_while_it_waits() -> None:
    """Status EXPIRED, and it is no longer open."""
    desk = Desk()
    dated = {"quantity": "0.010", "timeInForce": "GTD", "goodTillDate": desk.now_ms + 700_000}
    assert desk.algo("BUY", "STOP", "61000", price="61000", clientAlgoId="dated", **dated).json["goodTillDate"]
    assert desk.algo("BUY", "STOP", "61000", price="61000", **{**dated, "goodTillDate": desk.now_ms}).code == -5040
    desk.now_ms += 700_001
    assert desk.send("GET", OPEN_ALGOS).json == []
    assert desk.send("GET", ALGO, clientAlgoId="dated").json["algoStatus"] == "EXPIRED"


# priceMatch


@pytest.mark.parametrize(
    ("match", "price"),
    [
        ("OPPONENT", "60001.20"),
        ("OPPONENT_5", "60025.20"),
        ("OPPONENT_20", "60115.20"),
        ("QUEUE", "60000.00"),
        ("QUEUE_5", "59976.00"),
        ("QUEUE_10", "59946.00"),
        ("QUEUE_20", "59886.00"),
    ],
)
def test_a_matched_price_comes_from_the_book(match: str, price: str) -> None:
    """The n-th level of the other side or of one's own; the real price comes back (``§5.5``)."""
    desk = Desk()
    desk.listen()
    params = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.010", "timeInForce": "GTC"}
    reply = desk.send("POST", ORDER, **params, priceMatch=match)
    assert (reply.json["price"], reply.json["priceMatch"]) == (price, match)
    new = next(event for event in desk.events if event.get("o", {}).get("x") == "NEW")
    assert (Decimal(new["o"]["p"]), new["o"]["pm"]) == (Decimal(price), match)


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"type": "LIMIT", "timeInForce": "GTC", "priceMatch": "BEST"}, -5037),
        ({"type": "MARKET", "priceMatch": "QUEUE"}, -5038),
        ({"type": "LIMIT", "timeInForce": "GTC", "priceMatch": "QUEUE", "price": "59000"}, -1106),
        ({"type": "LIMIT", "timeInForce": "GTX", "priceMatch": "OPPONENT"}, -5022),
    ],
)
def test_price_match_is_refused_with_its_code(order: dict[str, str], code: int) -> None:
    """Unknown, for the wrong type, or together with a price."""
    desk = Desk()
    reply = desk.send("POST", ORDER, symbol="BTCUSDT", side="BUY", quantity="0.010", **order)
    assert code == reply.code


def test_a_level_that_is_not_there_cannot_be_matched() -> None:
    """-5041: the book of a tiny price has one bid."""
    desk = Desk()
    desk.price("0.0000001", symbol="1000PEPEUSDT")
    order = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "priceMatch": "QUEUE_5"}
    assert desk.send("POST", ORDER, symbol="1000PEPEUSDT", **order).code == -5041


@pytest.mark.parametrize(("are_back", "code"), [(True, None), (False, -5037)])
def test_deep_opponent_matches_are_a_switch(are_back: bool, code: int | None) -> None:
    """Whether they are back is open point 13."""
    desk = Desk(switches=Switches(opponent_10_20=are_back))
    order = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010", "priceMatch": "OPPONENT_10"}
    assert code == desk.send("POST", ORDER, symbol="BTCUSDT", **order).code


def test_a_conditional_limit_order_takes_its_price_when_it_fires() -> None:
    """priceMatch on STOP is decided by the book of that moment; -5038 on STOP_MARKET, -1106 with a price."""
    desk = Desk()
    stop = {"quantity": "0.010", "priceMatch": "QUEUE"}
    assert desk.algo("BUY", "STOP_MARKET", "61000", **stop).code == -5038
    assert desk.algo("BUY", "STOP", "61000", price="61000", **stop).code == -1106
    assert desk.algo("BUY", "STOP", "61000", clientAlgoId="stop", **stop).json["priceMatch"] == "QUEUE"
    desk.price("61005")
    assert (show(desk, "stop")["price"], show(desk, "stop")["status"]) == ("61005.00", "NEW")


# Self-trade prevention


@pytest.mark.parametrize(
    ("mode", "taker", "maker", "taker_filled"),
    [
        ("EXPIRE_MAKER", "FILLED", "EXPIRED_IN_MATCH", "0.020"),
        ("EXPIRE_TAKER", "EXPIRED_IN_MATCH", "NEW", "0.000"),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH", "0.000"),
        ("NONE", "FILLED", "FILLED", "0.020"),
    ],
)
def test_own_orders_that_meet_end_as_the_mode_says(mode: str, taker: str, maker: str, taker_filled: str) -> None:
    """The taker's mode decides (``binance-usdm.md §5.5``)."""
    desk = Desk()
    desk.limit("BUY", "0.010", "60001.0", newClientOrderId="maker")
    desk.limit("SELL", "0.020", "60000.0", newClientOrderId="taker", selfTradePreventionMode=mode)
    assert (taker, maker) == (show(desk, "taker")["status"], show(desk, "maker")["status"])
    assert taker_filled == show(desk, "taker")["executedQty"]


@pytest.mark.parametrize(("time_in_force", "reason"), [("GTC", "1"), ("IOC", "3")])
def test_a_taker_keeps_what_it_had_before_it_met_itself(time_in_force: str, reason: str) -> None:
    """The part before is executed; the reason tells an IOC apart (``er`` 3)."""
    desk = Desk()
    desk.listen()
    desk.limit("SELL", "0.010", "60001.3", newClientOrderId="maker")
    desk.limit(
        "BUY",
        "0.500",
        "60010.0",
        newClientOrderId="taker",
        selfTradePreventionMode="EXPIRE_TAKER",
        timeInForce=time_in_force,
    )
    row = show(desk, "taker")
    assert (row["status"], row["executedQty"]) == ("EXPIRED_IN_MATCH", "0.416")
    assert desk.events[-1]["o"]["er"] == reason


def test_all_or_nothing_does_not_trade_with_itself() -> None:
    """Prevention is for GTC, IOC and GTD; a FOK that would need it cannot be filled."""
    desk = Desk()
    desk.limit("BUY", "0.010", "60001.0", newClientOrderId="maker")
    assert desk.limit("SELL", "0.020", "60000.0", timeInForce="FOK").code == -5021
    assert show(desk, "maker")["status"] == "NEW"
