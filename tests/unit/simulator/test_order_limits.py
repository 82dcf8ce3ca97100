"""Limits, switches, the dead man's switch, test orders, hedge mode and history of normal orders."""

from decimal import Decimal

import pytest

from bracketeer.simulator.profiles import Switches
from tests.unit.simulator.desk import OPEN_ALGOS, OPEN_ORDERS, ORDER, Desk

DAY_MS = 86_400_000


def show(desk: Desk, client_id: str, symbol: str = "BTCUSDT") -> dict[str, object]:
    """Query an order by client id."""
    row: dict[str, object] = desk.send("GET", ORDER, symbol=symbol, origClientOrderId=client_id).json
    return row


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
    desk.market("BUY", "0.010", symbol="ETHUSDT")
    tiny = {**order, "side": "SELL", "quantity": "0.001"}
    assert desk.send("POST", path, **tiny, reduceOnly="true").status == 200
    assert [row["side"] for row in desk.send("GET", "/fapi/v1/allOrders", symbol="ETHUSDT").json] == ["BUY"]


@pytest.mark.parametrize(
    ("params", "outcome"),
    [
        ({"type": "STOP_MARKET", "stopPrice": "61000", "quantity": "0.010"}, "61000.00"),
        ({"type": "STOP_MARKET", "stopPrice": "61000", "closePosition": "true"}, "61000.00"),
        ({"type": "STOP", "stopPrice": "61000", "price": "61000", "quantity": "0.010"}, "61000.00"),
        ({"type": "TRAILING_STOP_MARKET", "callbackRate": "1", "quantity": "0.010"}, "0.00"),
        ({"type": "TRAILING_STOP_MARKET", "quantity": "0.010"}, -1102),
        ({"type": "STOP", "stopPrice": "61000", "quantity": "0.010"}, -1102),
        ({"type": "STOP_MARKET", "quantity": "0.010"}, -1102),
        ({"type": "STOP_MARKET", "stopPrice": "61000.05", "quantity": "0.010"}, -4014),
        ({"type": "STOP_MARKET", "stopPrice": "61000", "quantity": "0.0001"}, -1111),
    ],
)
def test_a_test_order_may_still_be_conditional(params: dict[str, str], outcome: str | int) -> None:
    """This endpoint alone still lists those types, with stopPrice (``§3.2``)."""
    reply = Desk().send("POST", "/fapi/v1/order/test", symbol="BTCUSDT", side="BUY", **params)
    assert outcome == (reply.code or reply.json["stopPrice"])


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
