"""Limit orders in detail: dates, price match, self-trade prevention, limits, switches, hedge mode."""

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


# Switches and limits


@pytest.mark.parametrize(("time_in_force", "code"), [("FOK", -5021), ("GTX", -5022)])
@pytest.mark.parametrize("instant_expiry", [False, True])
def test_impossible_orders_are_refused_or_expire_at_once(time_in_force: str, code: int, instant_expiry: bool) -> None:
    """Open point 17: no trace, or an order that was NEW and is EXPIRED."""
    desk = Desk(switches=Switches(instant_expiry=instant_expiry))
    desk.listen()
    reply = desk.limit("BUY", "0.700", "60001.2", timeInForce=time_in_force, newClientOrderId="o")
    assert reply.code == (None if instant_expiry else code)
    assert desk.told() == (["ORDER NEW NEW", "ORDER EXPIRED EXPIRED"] if instant_expiry else [])
    assert show(desk, "o").get("status") == ("EXPIRED" if instant_expiry else None)


@pytest.mark.parametrize("finds_newest", [True, False])
def test_a_client_id_used_twice_finds_one_of_them(finds_newest: bool) -> None:
    """Open point 18."""
    desk = Desk(switches=Switches(client_id_finds_newest=finds_newest))
    ids = [desk.market("BUY", "0.010", newClientOrderId="same").json["orderId"] for _ in range(2)]
    assert show(desk, "same")["orderId"] == ids[finds_newest]
    assert show(desk, "other")["code"] == -2013


def test_open_orders_are_limited_per_symbol() -> None:
    """Number 201 is -2025; another symbol has its own count."""
    desk = Desk()
    desk.exchange.account.wallet = Decimal(10_000_000)
    for _ in range(200):
        desk.now_ms += 1000
        assert desk.limit("BUY", "0.001", "59000.0").status == 200
    desk.now_ms += 1000
    assert desk.limit("BUY", "0.001", "59000.0").code == -2025
    assert desk.limit("BUY", "0.100", "2900.00", symbol="ETHUSDT").status == 200


@pytest.mark.parametrize(
    ("multiplier", "side", "trigger", "code"),
    [
        ("5", "BUY", "290000", None),
        ("1.05", "BUY", "63000", None),
        ("1.05", "BUY", "63000.1", -4210),
        ("1.05", "SELL", "57000", -4211),
    ],
)
def test_triggers_must_lie_within_a_band(multiplier: str, side: str, trigger: str, code: int | None) -> None:
    """The reference names the codes, not the width: a switch."""
    desk = Desk(switches=Switches(trigger_multiplier=Decimal(multiplier)))
    assert code == desk.algo(side, "STOP_MARKET", trigger, quantity="0.010").code


# Dead man's switch


def test_the_dead_mans_switch_cancels_what_rests_when_nobody_says_stop() -> None:
    """Normal orders of the symbol alone; a heartbeat puts it off, 0 stops it (``§3.2``)."""
    desk = Desk()
    path = "/fapi/v1/countdownCancelAll"
    for name in ("first", "second"):
        desk.limit("BUY", "0.010", "59000.0", newClientOrderId=name)
    desk.limit("BUY", "0.100", "2900.00", symbol="ETHUSDT")
    desk.algo("BUY", "STOP_MARKET", "61000", quantity="0.010")
    assert desk.send("POST", path, symbol="BTCUSDT", countdownTime=1000).json == {
        "symbol": "BTCUSDT",
        "countdownTime": "1000",
    }
    desk.now_ms += 900
    desk.send("POST", path, symbol="BTCUSDT", countdownTime=1000)
    desk.now_ms += 900
    assert show(desk, "first")["status"] == "NEW"
    desk.send("POST", path, symbol="BTCUSDT", countdownTime=0)
    desk.now_ms += 5000
    assert show(desk, "first")["status"] == "NEW"
    desk.send("POST", path, symbol="BTCUSDT", countdownTime=1000)
    desk.now_ms += 1000
    assert [row["symbol"] for row in desk.send("GET", OPEN_ORDERS).json] == ["ETHUSDT"]
    assert len(desk.send("GET", OPEN_ALGOS).json) == 1
    assert desk.send("POST", path, symbol="BTCUSDT", countdownTime=-1).code == -1130
    assert desk.send("POST", path, symbol="BTCUSDT").code == -1102


@pytest.mark.parametrize("cancels_algos", [True, False])
def test_whether_the_dead_mans_switch_takes_conditional_orders_is_a_switch(cancels_algos: bool) -> None:
    """Open point 10."""
    desk = Desk(switches=Switches(countdown_cancels_algos=cancels_algos))
    desk.algo("BUY", "STOP_MARKET", "61000", quantity="0.010")
    desk.send("POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=1000)
    desk.now_ms += 1000
    assert len(desk.send("GET", OPEN_ALGOS).json) == (not cancels_algos)


# order/test


def test_a_test_order_is_checked_and_leaves_nothing() -> None:
    """Filters, notional with its exemption, margin; no order, no event, no fill."""
    desk = Desk()
    desk.listen()
    order = {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}
    path = "/fapi/v1/order/test"
    reply = desk.send("POST", path, **order, newClientOrderId="t")
    assert (reply.json["clientOrderId"], reply.json["status"], reply.json["origQty"]) == ("t", "NEW", "0.010")
    assert len(desk.send("POST", path, **order).json["clientOrderId"]) == 22
    assert desk.send("POST", path, **{**order, "quantity": "0.001"}).code == -4164
    assert desk.send("POST", path, **{**order, "quantity": "5000"}).code == -2019
    assert desk.send("POST", path, **order, reduceOnly="true").code == -2022
    assert desk.send("POST", path, **{**order, "type": "STOP_MARKET"}).code == -4120
    desk.market("BUY", "0.010", symbol="ETHUSDT")
    tiny = {**order, "side": "SELL", "quantity": "0.001"}
    assert desk.send("POST", path, **tiny, reduceOnly="true").status == 200
    assert [row["side"] for row in desk.send("GET", "/fapi/v1/allOrders", symbol="ETHUSDT").json] == ["BUY"]


# Hedge mode


def test_both_legs_of_a_hedge_have_their_own_orders() -> None:
    """Closing sides are reduce-only by nature and never more than the leg holds (``§12.2``)."""
    desk = Desk()
    desk.send("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    desk.market("BUY", "0.020", positionSide="LONG")
    desk.market("SELL", "0.010", positionSide="SHORT")
    assert desk.limit("SELL", "0.015", "61000.0", positionSide="LONG", newClientOrderId="tp").status == 200
    assert show(desk, "tp")["reduceOnly"] is True
    assert desk.limit("SELL", "0.010", "61000.0", positionSide="LONG").code == -2022
    assert desk.limit("BUY", "0.011", "59000.0", positionSide="SHORT").code == -2022
    assert desk.market("BUY", "0.010").code == -4061
    assert desk.market("SELL", "0.005", positionSide="LONG", reduceOnly="true").code == -1106
    put = desk.send(
        "PUT",
        ORDER,
        symbol="BTCUSDT",
        origClientOrderId="tp",
        side="SELL",
        quantity="0.050",
        price="60900",
        reduceOnly="true",
    )
    assert (put.json["origQty"], put.json["positionSide"]) == ("0.020", "LONG")
    desk.price("61500")
    assert (desk.amount(position_side="LONG"), desk.amount(position_side="SHORT")) == (Decimal(0), Decimal("-0.010"))


# History


def test_history_windows_are_seven_days() -> None:
    """Longer or reversed is -1127; one bound gets the other; none is the last week (``§3.2``)."""
    desk = Desk()
    desk.market("BUY", "0.010", newClientOrderId="early")
    early_ms = desk.now_ms
    desk.now_ms += 8 * DAY_MS
    desk.market("BUY", "0.010", newClientOrderId="late")
    for path in ("/fapi/v1/allOrders", "/fapi/v1/userTrades"):

        def count(path: str = path, **window: int) -> int:
            return len(desk.send("GET", path, symbol="BTCUSDT", **window).json)

        assert (count(), count(startTime=early_ms), count(endTime=early_ms), count(endTime=desk.now_ms)) == (1, 1, 1, 1)
        for start_ms, end_ms in ((early_ms, desk.now_ms), (desk.now_ms, early_ms)):
            window = {"startTime": start_ms, "endTime": end_ms}
            assert desk.send("GET", path, symbol="BTCUSDT", **window).code == -1127
    assert desk.send("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", fromId=1, startTime=early_ms).code == -1128
    assert len(desk.send("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", fromId=1).json) == 2
    assert len(desk.send("GET", "/fapi/v1/allOrders", symbol="BTCUSDT", orderId=1).json) == 2


def test_the_venue_forgets() -> None:
    """Cancelled without a fill after 3 days, everything that is over after 90 (``§3.2``)."""
    desk = Desk()
    desk.market("BUY", "0.010", newClientOrderId="filled")
    desk.limit("BUY", "0.010", "59000.0", newClientOrderId="cancelled")
    desk.send("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="cancelled")
    desk.limit("BUY", "0.010", "58000.0", newClientOrderId="open")
    desk.now_ms += 3 * DAY_MS
    assert show(desk, "cancelled")["status"] == "CANCELED"
    desk.now_ms += 1
    assert show(desk, "cancelled")["code"] == -2013
    desk.now_ms += 88 * DAY_MS
    known = desk.send("GET", "/fapi/v1/allOrders", symbol="BTCUSDT", orderId=1).json
    assert [row["clientOrderId"] for row in known] == ["open"]
    assert desk.send("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", fromId=1).json == []
