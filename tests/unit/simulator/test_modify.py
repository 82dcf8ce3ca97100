"""Changing resting orders, one by one and in batches (``binance-usdm.md §3.2`` and ``§5.6``)."""

import json
from decimal import Decimal
from typing import Any

import pytest

from bracketeer.simulator import modifying
from tests.unit.simulator.desk import OPEN_ORDERS, ORDER, Desk, Reply

BATCH = "/fapi/v1/batchOrders"
AMENDMENTS = "/fapi/v1/orderAmendment"


def change(desk: Desk, quantity: str, price: str, client_id: str = "o", side: str = "BUY", **more: object) -> Reply:
    """Change an order on BTCUSDT."""
    named = {} if "orderId" in more else {"origClientOrderId": client_id}
    return desk.send("PUT", ORDER, symbol="BTCUSDT", side=side, quantity=quantity, price=price, **named, **more)


def show(desk: Desk, client_id: str = "o") -> Any:
    """Query an order."""
    return desk.send("GET", ORDER, symbol="BTCUSDT", origClientOrderId=client_id).json


def resting_desk(time_in_force: str = "GTC") -> Desk:
    """A desk with one bid for 0.010 at 59000, named ``o``."""
    desk = Desk()
    desk.exchange.account.wallet = Decimal(1_000_000)
    assert desk.limit("BUY", "0.010", "59000.0", newClientOrderId="o", timeInForce=time_in_force).status == 200
    desk.listen()
    return desk


def test_a_change_is_answered_told_and_remembered() -> None:
    """The answer has pair and the echo, the event AMENDMENT and ``M``, the history before and after."""
    desk = resting_desk()
    desk.now_ms += 10
    order_id = show(desk)["orderId"]
    reply = change(desk, "0.020", "59100.0", orderId=order_id, modifyId=7)
    expected = {"status": "NEW", "origQty": "0.020", "price": "59100.00", "pair": "BTCUSDT", "modifyId": 7}
    assert expected.items() <= reply.json.items()
    body = desk.events[-1]["o"]
    assert (body["x"], body["X"], body["M"], body["q"], body["p"]) == ("AMENDMENT", "NEW", "7", "0.02", "59100")
    second = change(desk, "0.020", "59200.0")
    assert "modifyId" not in second.json
    assert "M" not in desk.events[-1]["o"]
    rows = desk.send("GET", AMENDMENTS, symbol="BTCUSDT", origClientOrderId="o").json
    assert [(row["amendment"]["count"], row["amendment"].get("modifyId")) for row in rows] == [(2, None), (1, 7)]
    assert rows[1]["amendment"]["price"] == {"before": "59000.00", "after": "59100.00"}
    assert rows[1]["amendment"]["origQty"] == {"before": "0.010", "after": "0.020"}
    assert rows[1]["time"] == desk.now_ms
    assert rows[:1] == desk.send("GET", AMENDMENTS, symbol="BTCUSDT", origClientOrderId="o", limit=1).json
    assert desk.send("GET", AMENDMENTS, symbol="BTCUSDT", origClientOrderId="o", startTime=desk.now_ms + 1).json == []
    assert desk.send("GET", AMENDMENTS, symbol="BTCUSDT", orderId=1).code == -2013


@pytest.mark.parametrize(
    ("quantity", "price", "more", "code"),
    [
        ("0.010", "59000.0", {}, -5027),
        ("0.010", "59000.05", {}, -4014),
        ("0.010", "59000.055", {}, -1111),
        ("0.0105", "59000.0", {}, -1111),
        ("2000", "59000.0", {}, -4005),
        ("0.010", "64000.0", {}, -4016),
        ("0.001", "48999.9", {}, -5029),
        ("1000", "59000.0", {}, -2019),
        ("0.020", "59000.0", {"side": "SELL"}, -1117),
        ("0.020", "59000.0", {"side": "UP"}, -1117),
        ("0.020", "59000.0", {"reduceOnly": "true"}, -5047),
        ("0.020", "59000.0", {"client_id": "nobody"}, -2013),
        ("0.020", "", {}, -1102),
        ("", "59000.0", {}, -1102),
    ],
)
def test_a_refused_change_leaves_the_order_as_it_was(
    quantity: str, price: str, more: dict[str, str], code: int
) -> None:
    """Filters, margin, side, hints: the order and its bound margin stay."""
    desk = resting_desk()
    before = show(desk), desk.exchange.account.orders.opening_notional.copy()
    assert code == change(desk, quantity, price, **more).code
    assert before == (show(desk), desk.exchange.account.orders.opening_notional)
    assert desk.told() == []


def test_only_open_limit_orders_on_a_trading_symbol_can_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """-5025 for another type, -5024 for a halted symbol, -5026 when it was changed too often."""
    desk = resting_desk()
    order = desk.exchange.account.orders.open_orders("BTCUSDT")[0]
    order.order_type = "MARKET"
    assert change(desk, "0.020", "59000.0").code == -5025
    order.order_type = "LIMIT"
    monkeypatch.setattr(modifying, "CHANGES_MAX", 3)
    assert change(desk, "0.020", "59000.0").status == 200
    assert change(desk, "0.030", "59000.0").status == 200
    assert change(desk, "0.040", "59000.0").code == -5026
    rules = desk.exchange.venue.instruments["BTCUSDT"]
    object.__setattr__(rules, "status", "SETTLING")
    assert change(desk, "0.040", "59000.0").code == -5024


def test_a_change_loses_the_place_in_the_queue() -> None:
    """The one that was second is first now."""
    desk = resting_desk()
    desk.limit("BUY", "0.010", "59000.0", newClientOrderId="second")
    change(desk, "0.011", "59000.0")
    queue = desk.exchange.venue.markets["BTCUSDT"].resting["BUY"].best()
    assert queue is not None
    assert [order.client_order_id for order in queue.orders.values()] == ["second", "o"]


def test_a_change_that_crosses_takes_at_once() -> None:
    """AMENDMENT first, then the execution as taker."""
    desk = resting_desk()
    assert change(desk, "0.500", "60001.2").json["status"] == "PARTIALLY_FILLED"
    assert [text for text in desk.told() if text.startswith("ORDER")] == [
        "ORDER AMENDMENT NEW",
        "ORDER TRADE PARTIALLY_FILLED",
    ]
    assert show(desk)["executedQty"] == "0.416"
    assert not desk.exchange.account.fills[0].is_maker


def test_a_change_to_what_is_done_already_cancels() -> None:
    """A new quantity not above the executed one ends the order."""
    desk = resting_desk()
    change(desk, "0.500", "60001.2")
    reply = change(desk, "0.416", "60001.2")
    assert (reply.json["status"], reply.json["executedQty"]) == ("CANCELED", "0.416")
    assert desk.send("GET", OPEN_ORDERS).json == []


def test_a_post_only_order_that_would_take_is_cancelled() -> None:
    """It is not refused: it is gone."""
    desk = resting_desk("GTX")
    assert change(desk, "0.010", "60001.1").json["status"] == "NEW"
    assert change(desk, "0.010", "60001.2").json["status"] == "CANCELED"
    assert not desk.exchange.account.fills


def test_the_price_of_a_change_can_come_from_the_book() -> None:
    """priceMatch instead of a price."""
    desk = resting_desk()
    wish = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010", "origClientOrderId": "o"}
    reply = desk.send("PUT", ORDER, **wish, priceMatch="QUEUE_5")
    assert (reply.json["price"], reply.json["priceMatch"]) == ("59976.00", "QUEUE_5")


def test_reduce_only_orders_stay_within_the_position() -> None:
    """A larger size is cut to what can be closed; the hint skips the smallest notional."""
    desk = Desk()
    desk.market("BUY", "0.010")
    desk.limit("SELL", "0.005", "61000.0", reduceOnly="true", newClientOrderId="o")
    assert change(desk, "0.050", "61000.0", side="SELL").json["origQty"] == "0.010"
    assert change(desk, "0.001", "49000.0", side="SELL").code == -4024
    desk.price("50000")
    assert desk.is_flat is False
    assert change(desk, "0.0001", "61000.0", side="SELL").code == -1111
    small = Desk()
    small.market("BUY", "0.010", symbol="ETHUSDT")
    small.limit("SELL", "0.010", "3100.00", symbol="ETHUSDT", reduceOnly="true", newClientOrderId="o")
    wish = {"symbol": "ETHUSDT", "side": "SELL", "price": "3100", "quantity": "0.002", "origClientOrderId": "o"}
    assert small.send("PUT", ORDER, **wish).code == -5029
    assert small.send("PUT", ORDER, **wish, reduceOnly="true").json["origQty"] == "0.002"


# Batches


def send_batch(desk: Desk, method: str, orders: list[Any], **more: object) -> Reply:
    """Send a batch as clients do: a JSON list in one parameter."""
    return desk.send(method, BATCH, batchOrders=json.dumps(orders), **more)


def limit_element(price: str, **more: object) -> dict[str, object]:
    """Write one element."""
    return {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.010",
        "price": price,
        **more,
    }


def test_a_batch_is_answered_in_its_order_with_errors_in_their_place() -> None:
    """A refused element is code and text; the others live. It counts 5 in ten seconds, 1 in the minute."""
    desk = Desk()
    reply = send_batch(
        desk,
        "POST",
        [
            limit_element("59000.0", newClientOrderId="a"),
            limit_element("59000.05"),
            {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": 0.01, "reduceOnly": True},
            {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "quantity": "0.01", "stopPrice": None},
            {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quantity": 1, "newOrderRespType": "RESULT"},
        ],
    )
    assert reply.status == 200
    assert [row.get("code") for row in reply.json] == [None, -4014, -2022, -4120, None]
    assert reply.json[1]["msg"] == "Price not increased by tick size."
    assert (reply.json[0]["clientOrderId"], reply.json[4]["status"]) == ("a", "FILLED")
    assert (reply.headers["x-mbx-order-count-10s"], reply.headers["x-mbx-order-count-1m"]) == ("5", "1")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[]", -4082),
        (json.dumps([limit_element("59000.0")] * 6), -4082),
        ("{}", -1102),
        ("[1]", -1102),
        ("[", -1102),
        ("", -1102),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_batch_of_a_wrong_form_is_refused_as_a_whole(method: str, text: str, code: int) -> None:
    """One to five elements, as a JSON list of objects."""
    desk = Desk()
    assert code == desk.send(method, BATCH, batchOrders=text).code
    assert desk.send("GET", OPEN_ORDERS).json == []


def test_a_batch_of_changes() -> None:
    """A second change of the same order in one batch is pending (-5043)."""
    desk = resting_desk()
    wish = {"symbol": "BTCUSDT", "side": "BUY", "origClientOrderId": "o", "quantity": "0.020"}
    rows = send_batch(
        desk,
        "PUT",
        [
            {**wish, "price": "59000.05"},
            {**wish, "price": "59100"},
            {**wish, "price": "59200"},
            {**wish, "price": "59200", "origClientOrderId": "nobody"},
        ],
    ).json
    assert [row.get("code", row.get("price")) for row in rows] == [-4014, "59100.00", -5043, -2013]


def test_a_batch_of_cancels() -> None:
    """By ids or by client ids; what is not open is -2011 in its place."""
    desk = Desk()
    ids = [desk.limit("BUY", "0.010", "59000.0", newClientOrderId=name).json["orderId"] for name in "abcd"]
    rows = desk.send("DELETE", BATCH, symbol="BTCUSDT", orderIdList=json.dumps([ids[0], 1, ids[1]])).json
    assert [row.get("code", row.get("status")) for row in rows] == ["CANCELED", -2011, "CANCELED"]
    assert rows[1] == {"code": -2011, "msg": "Unknown order sent."}
    # ccxt writes the names in lower case (``§15.3``).
    rows = desk.send("DELETE", BATCH, symbol="BTCUSDT", origclientorderidlist='["c","a"]').json
    assert [row.get("code", row.get("status")) for row in rows] == ["CANCELED", -2011]
    assert [row["clientOrderId"] for row in desk.send("GET", OPEN_ORDERS).json] == ["d"]
    assert desk.send("DELETE", BATCH, symbol="BTCUSDT", orderIdList=json.dumps([1] * 11)).code == -4082
    assert desk.send("DELETE", BATCH, symbol="BTCUSDT").code == -1102
