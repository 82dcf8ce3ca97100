"""Normal orders: answers, queries, cancels, client ids, times in force, reduce-only."""

import pytest

from bracketeer.simulator.profiles import ReduceOnlyConflict, Switches
from tests.unit.simulator.desk import OPEN_ORDERS, ORDER, Desk


def test_ack_shows_acceptance_even_when_the_order_is_filled() -> None:
    """ACK is a snapshot: NEW with nothing executed (``binance-usdm.md §5.3``)."""
    desk = Desk()
    reply = desk.market("BUY", "0.010", newClientOrderId="a")
    assert (reply.json["status"], reply.json["executedQty"], reply.json["cumQty"]) == ("NEW", "0.000", "0.000")
    assert desk.send("GET", ORDER, symbol="BTCUSDT", origClientOrderId="a").json["status"] == "FILLED"


def test_result_waits_for_the_end_but_tells_no_price() -> None:
    """RESULT tells the quantity; the price comes from the query alone."""
    desk = Desk()
    reply = desk.market("BUY", "0.010", newOrderRespType="RESULT")
    assert (reply.json["status"], reply.json["executedQty"], reply.json["cumQty"]) == ("FILLED", "0.010", "0.010")
    assert not {"avgPrice", "cumQuote"} & set(reply.json)
    row = desk.send("GET", ORDER, symbol="BTCUSDT", orderId=reply.json["orderId"]).json
    assert (row["avgPrice"], row["cumQuote"]) == ("60001.200", "600.01200")
    assert "cumQty" not in row


def test_client_id_trap_a_filled_id_fills_again() -> None:
    """Ids are unique among open orders only: the same MARKET order sent twice trades twice (``§5.4``)."""
    desk = Desk()
    first = desk.market("BUY", "0.010", newClientOrderId="same")
    second = desk.market("BUY", "0.010", newClientOrderId="same")
    assert (first.status, second.status) == (200, 200)
    assert str(desk.amount()) == "0.020"
    found = desk.send("GET", ORDER, symbol="BTCUSDT", origClientOrderId="same").json
    assert second.json["orderId"] == found["orderId"]


def test_client_id_of_an_open_order_is_refused() -> None:
    """A duplicate among open orders is -4116, and free again after the cancel."""
    desk = Desk()
    desk.limit("BUY", "0.010", "59000.0", newClientOrderId="same")
    assert desk.market("BUY", "0.010", newClientOrderId="same").code == -4116
    desk.send("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="same")
    assert desk.market("BUY", "0.010", newClientOrderId="same").status == 200


def test_foreign_limit_order_rests_until_the_price_comes() -> None:
    """A resting LIMIT fills as maker at its own price."""
    desk = Desk()
    desk.limit("BUY", "0.010", "59000.0", newClientOrderId="theirs")
    assert [row["clientOrderId"] for row in desk.send("GET", OPEN_ORDERS).json] == ["theirs"]
    assert desk.send("GET", "/fapi/v1/openOrder", symbol="BTCUSDT", origClientOrderId="theirs").status == 200
    desk.price("58900")
    trade = desk.send("GET", "/fapi/v1/userTrades", symbol="BTCUSDT").json[0]
    assert (trade["price"], trade["maker"], trade["commission"]) == ("59000.0", True, "0.11800000")
    assert desk.send("GET", OPEN_ORDERS, symbol="BTCUSDT").json == []
    assert desk.send("GET", "/fapi/v1/openOrder", symbol="BTCUSDT", origClientOrderId="theirs").code == -2013


@pytest.mark.parametrize(
    ("time_in_force", "price", "quantity", "outcome"),
    [
        ("GTC", "60001.2", "0.010", "FILLED"),
        ("GTC", "60000.0", "0.010", "NEW"),
        ("IOC", "60001.2", "0.010", "FILLED"),
        ("IOC", "60000.0", "0.010", "EXPIRED"),
        ("FOK", "60001.2", "0.010", "FILLED"),
        ("FOK", "60001.2", "0.700", -5021),
        ("GTX", "60001.2", "0.010", -5022),
        ("GTX", "60000.0", "0.010", "NEW"),
    ],
)
def test_time_in_force_decides_about_the_rest(
    time_in_force: str, price: str, quantity: str, outcome: str | int
) -> None:
    """FOK and GTX refuse at once and are not recorded; IOC expires its rest; GTC rests."""
    desk = Desk()
    reply = desk.limit("BUY", quantity, price, timeInForce=time_in_force, newClientOrderId="o")
    if isinstance(outcome, int):
        assert outcome == reply.code
        assert desk.send("GET", ORDER, symbol="BTCUSDT", origClientOrderId="o").code == -2013
    else:
        assert outcome == desk.send("GET", ORDER, symbol="BTCUSDT", origClientOrderId="o").json["status"]


def test_ioc_result_tells_the_partial_end() -> None:
    """The part that met its limit is executed, the rest expired."""
    desk = Desk()
    reply = desk.limit("BUY", "0.700", "60001.2", timeInForce="IOC", newOrderRespType="RESULT")
    assert (reply.json["status"], reply.json["executedQty"]) == ("EXPIRED", "0.416")


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("GET", {"symbol": "BTCUSDT"}, -1102),
        ("GET", {"symbol": "BTCUSDT", "orderId": "1"}, -2013),
        ("GET", {"symbol": "BTCUSDT", "origClientOrderId": "no"}, -2013),
        ("GET", {"symbol": "NOPE", "orderId": "1"}, -1121),
        ("DELETE", {"symbol": "BTCUSDT", "orderId": "1"}, -2011),
        ("DELETE", {"symbol": "BTCUSDT", "origClientOrderId": "done"}, -2011),
        ("DELETE", {"symbol": "BTCUSDT"}, -1102),
    ],
)
def test_unknown_orders_are_refused(method: str, params: dict[str, str], code: int) -> None:
    """A query is -2013, a cancel -2011."""
    desk = Desk()
    desk.market("BUY", "0.010", newClientOrderId="done")
    assert code == desk.send(method, ORDER, **params).code


def test_cancel_all_spares_conditional_orders_and_other_symbols() -> None:
    """The two stores are disjoint (``binance-usdm.md §4.1``)."""
    desk = Desk()
    desk.limit("BUY", "0.010", "59000.0")
    desk.limit("BUY", "0.100", "2900.00", symbol="ETHUSDT")
    desk.algo("BUY", "STOP_MARKET", "61000", quantity="0.010")
    for _ in range(2):  # success also when nothing is open
        assert desk.send("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT").json["code"] == 200
    assert [row["symbol"] for row in desk.send("GET", OPEN_ORDERS).json] == ["ETHUSDT"]
    assert len(desk.send("GET", "/fapi/v1/openAlgoOrders").json) == 1


def test_history_lists_are_oldest_first_and_windowed() -> None:
    """allOrders keeps the newest, or counts from an id; userTrades narrows by time, order and id."""
    desk = Desk()
    ids = []
    for _ in range(3):
        desk.now_ms += 10
        ids.append(desk.market("BUY", "0.010").json["orderId"])
    path = "/fapi/v1/allOrders"
    assert ids == [row["orderId"] for row in desk.send("GET", path, symbol="BTCUSDT").json]
    assert ids[1:] == [row["orderId"] for row in desk.send("GET", path, limit=2).json]
    assert ids[1:2] == [
        row["orderId"] for row in desk.send("GET", path, symbol="BTCUSDT", orderId=ids[1], limit=1).json
    ]
    assert desk.send("GET", path, symbol="BTCUSDT", limit=0).code == -1130
    trades = "/fapi/v1/userTrades"
    rows = desk.send("GET", trades, symbol="BTCUSDT").json
    assert ids == [row["orderId"] for row in rows]
    later = desk.send("GET", trades, symbol="BTCUSDT", startTime=rows[1]["time"], limit=1).json
    assert [rows[1]] == later
    assert rows[1:] == desk.send("GET", trades, symbol="BTCUSDT", fromId=rows[1]["id"]).json
    assert rows[2:] == desk.send("GET", trades, symbol="BTCUSDT", orderId=ids[2]).json


def test_reduce_only_is_shrunk_silently() -> None:
    """More than the position is accepted, and only the position is closed (``binance-usdm.md §12.3``)."""
    desk = Desk()
    desk.market("BUY", "0.010")
    reply = desk.market("SELL", "0.050", reduceOnly="true", newOrderRespType="RESULT")
    assert (reply.json["origQty"], reply.json["status"], reply.json["reduceOnly"]) == ("0.010", "FILLED", True)
    assert desk.amount() == 0


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_reduce_only_without_a_position_to_reduce_is_refused(side: str) -> None:
    """Flat or the same direction: -2022."""
    desk = Desk()
    if side == "BUY":
        desk.market("BUY", "0.010")
    assert desk.market(side, "0.010", reduceOnly="true").code == -2022


def test_reduce_only_is_exempt_from_the_smallest_notional() -> None:
    """A rest below the minimum can still be closed."""
    desk = Desk()
    desk.market("BUY", "0.010", symbol="ETHUSDT")
    assert desk.market("SELL", "0.001", symbol="ETHUSDT", reduceOnly="true").status == 200


@pytest.mark.parametrize(
    ("conflict", "code", "statuses"),
    [
        (ReduceOnlyConflict.REFUSE, -2022, ["NEW"]),
        (ReduceOnlyConflict.REFUSE_4118, -4118, ["NEW"]),
        (ReduceOnlyConflict.DISPLACE, None, ["EXPIRED"]),
    ],
)
def test_resting_reduce_only_orders_stand_in_the_way(
    conflict: ReduceOnlyConflict, code: int | None, statuses: list[str]
) -> None:
    """What happens is an open point, so it is a switch (``binance-usdm.md §16`` point 11)."""
    desk = Desk(switches=Switches(reduce_only_conflict=conflict))
    desk.market("BUY", "0.010")
    desk.limit("SELL", "0.010", "61000.0", reduceOnly="true", newClientOrderId="exit")
    assert code == desk.market("SELL", "0.010", reduceOnly="true").code
    row = desk.send("GET", ORDER, symbol="BTCUSDT", origClientOrderId="exit").json
    assert statuses == [row["status"]]


def test_resting_reduce_only_orders_shrink_with_the_position() -> None:
    """They are cut, then expired, and can never flip the position."""
    desk = Desk()
    desk.listen()
    desk.market("BUY", "0.020")
    desk.limit("SELL", "0.010", "61000.0", reduceOnly="true", newClientOrderId="first")
    desk.limit("SELL", "0.010", "61000.0", reduceOnly="true", newClientOrderId="second")
    desk.told()
    desk.market("SELL", "0.015")
    assert desk.told()[-2:] == ["ORDER EXPIRED EXPIRED", "ORDER AMENDMENT NEW"]
    assert [(row["clientOrderId"], row["origQty"]) for row in desk.send("GET", OPEN_ORDERS, symbol="BTCUSDT").json] == [
        ("first", "0.005")
    ]
    desk.price("61500")
    assert desk.amount() == 0


def test_closing_a_symbol_that_stopped_trading_is_possible() -> None:
    """Only opening is refused there."""
    desk = Desk()
    desk.exchange.account.position("EOSUSDT", "BOTH").amount = desk.exchange.account.wallet.from_float(10)
    desk.exchange.account.position("EOSUSDT", "BOTH").cost = desk.exchange.account.wallet.from_float(5)
    assert desk.market("SELL", "10", symbol="EOSUSDT", reduceOnly="true").status == 200
