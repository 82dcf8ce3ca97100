"""Conditional orders: refusals, triggers, and their end with the position (``binance-usdm.md §4``)."""

import pytest

from bracketeer.simulator.profiles import Switches
from tests.unit.simulator.desk import ALGO, OPEN_ALGOS, OPEN_ORDERS, ORDER, Desk, Reply

ALL_ALGOS = "/fapi/v1/allAlgoOrders"


def long_desk(switches: Switches | None = None) -> Desk:
    """A desk that is long at 60001.2."""
    desk = Desk(switches=switches)
    desk.market("BUY", "0.010")
    return desk


def statuses(desk: Desk) -> dict[str, str]:
    """Give the status of each conditional order by client id."""
    rows = desk.send("GET", ALL_ALGOS, symbol="BTCUSDT").json
    return {row["clientAlgoId"]: row["algoStatus"] for row in rows}


@pytest.mark.parametrize(
    ("side", "order_type", "params", "code"),
    [
        ("SELL", "STOP_MARKET", {"triggerPrice": "58000"}, -1102),
        ("SELL", "STOP_MARKET", {"quantity": "0.010"}, -1102),
        ("SELL", "STOP_MARKET", {"quantity": "0.010", "triggerPrice": "0"}, -4006),
        ("SELL", "STOP_MARKET", {"quantity": "0.010", "triggerPrice": "5000000"}, -4007),
        ("SELL", "STOP_MARKET", {"quantity": "0.010", "triggerPrice": "58000.15"}, -4014),
        ("SELL", "STOP_MARKET", {"quantity": "0.010", "triggerPrice": "58000.155"}, -1111),
        ("SELL", "STOP_MARKET", {"quantity": "0.010", "triggerPrice": "60000"}, -2021),
        ("BUY", "STOP_MARKET", {"quantity": "0.010", "triggerPrice": "60000"}, -2021),
        ("SELL", "TAKE_PROFIT_MARKET", {"quantity": "0.010", "triggerPrice": "60000"}, -2021),
        ("BUY", "TAKE_PROFIT_MARKET", {"quantity": "0.010", "triggerPrice": "60000"}, -2021),
        ("SELL", "STOP_MARKET", {"closePosition": "true", "triggerPrice": "58000", "quantity": "0.01"}, -4137),
        ("SELL", "STOP_MARKET", {"closePosition": "true", "triggerPrice": "58000", "reduceOnly": "true"}, -1106),
        ("SELL", "STOP", {"closePosition": "true", "triggerPrice": "58000", "price": "58000"}, -4136),
        ("BUY", "STOP_MARKET", {"closePosition": "true", "triggerPrice": "62000"}, -4509),
        ("SELL", "STOP", {"quantity": "0.010", "triggerPrice": "58000"}, -1102),
        ("SELL", "STOP", {"quantity": "0.010", "triggerPrice": "58000", "price": "55000"}, -4184),
        ("BUY", "STOP", {"quantity": "0.010", "triggerPrice": "62000", "price": "65200"}, -4183),
        ("SELL", "STOP_MARKET", {"quantity": "0.010", "triggerPrice": "58000", "price": "58000"}, -1106),
        ("SELL", "STOP_MARKET", {"quantity": "0.010", "triggerPrice": "58000", "workingType": "X"}, -4031),
        ("SELL", "STOP_MARKET", {"quantity": "0.010", "triggerPrice": "58000", "timeInForce": "X"}, -1115),
        ("SELL", "STOP_MARKET", {"quantity": "0.0001", "triggerPrice": "58000"}, -1111),
        ("SELL", "STOP_MARKET", {"quantity": "121", "triggerPrice": "58000"}, -4005),
        ("SELL", "STOP_MARKET", {"quantity": "0.010", "triggerPrice": "58000", "positionSide": "LONG"}, -4061),
        ("SELL", "STOP_MARKET", {"quantity": "0.010", "triggerPrice": "58000", "clientAlgoId": "a b"}, -4015),
        ("SELL", "MARKET", {"quantity": "0.010", "triggerPrice": "58000"}, -1116),
        ("UP", "STOP_MARKET", {"quantity": "0.010", "triggerPrice": "58000"}, -1117),
        ("SELL", "TRAILING_STOP_MARKET", {"quantity": "0.010"}, -1102),
        ("SELL", "TRAILING_STOP_MARKET", {"quantity": "0.010", "callbackRate": "21"}, -1130),
        ("SELL", "TRAILING_STOP_MARKET", {"quantity": "0.010", "callbackRate": "1", "activatePrice": "59000"}, -2021),
        ("BUY", "TRAILING_STOP_MARKET", {"quantity": "0.010", "callbackRate": "1", "activatePrice": "61000"}, -2021),
    ],
)
def test_conditional_order_is_refused_with_its_code(
    side: str, order_type: str, params: dict[str, str], code: int
) -> None:
    """Every refusal names its reason and stores nothing."""
    desk = long_desk()
    reply = desk.algo(side, order_type, **params)
    assert (400, code) == (reply.status, reply.code)
    assert desk.send("GET", OPEN_ALGOS).json == []


def test_conditional_order_below_the_smallest_notional_is_refused() -> None:
    """An opening one counts at its trigger price."""
    assert Desk().algo("BUY", "STOP_MARKET", "3100", symbol="ETHUSDT", quantity="0.006").code == -4164


def test_algo_type_is_mandatory() -> None:
    """Without algoType: -1102; with another one: -1130."""
    desk = Desk()
    rest = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "triggerPrice": "58000", "quantity": "0.01"}
    assert desk.send("POST", ALGO, **rest).code == -1102
    assert desk.send("POST", ALGO, algoType="TWAP", **rest).code == -1130


def test_close_position_needs_a_position() -> None:
    """-4509 until the fill, then accepted (``§4.6``)."""
    desk = Desk()
    assert desk.close_all_at("SELL", "STOP_MARKET", "58000").code == -4509
    desk.market("BUY", "0.010")
    assert desk.close_all_at("SELL", "STOP_MARKET", "58000").status == 200


def test_reduce_only_with_quantity_is_accepted_without_a_position() -> None:
    """It can never open one, so it may wait for the entry (``§4.6``)."""
    assert Desk().algo("SELL", "STOP_MARKET", "58000", quantity="0.010", reduceOnly="true").status == 200


@pytest.mark.parametrize("kind", ["STOP_MARKET", "TAKE_PROFIT_MARKET"])
def test_reduce_only_with_quantity_can_be_made_to_need_a_position(kind: str) -> None:
    """The other reading of ``§4.6``: -2022 until the fill."""
    desk = Desk(switches=Switches(reduce_only_algo_needs_position=True))
    price = {"STOP_MARKET": "58000", "TAKE_PROFIT_MARKET": "62000"}[kind]
    assert desk.algo("SELL", kind, price, quantity="0.010", reduceOnly="true").code == -2022
    assert desk.algo("SELL", kind, price, quantity="0.010").status == 200, "only reduce-only orders are meant"
    desk.market("BUY", "0.010")
    assert desk.algo("SELL", kind, price, quantity="0.010", reduceOnly="true").status == 200
    assert desk.algo("BUY", "STOP_MARKET", "62000", quantity="0.010", reduceOnly="true").code == -2022


def test_one_close_position_stop_and_one_take_profit_per_direction() -> None:
    """The scope of -4130 is symbol, side and kind."""
    desk = long_desk()
    assert desk.close_all_at("SELL", "STOP_MARKET", "58000", clientAlgoId="sl").status == 200
    assert desk.close_all_at("SELL", "TAKE_PROFIT_MARKET", "62000").status == 200
    assert desk.close_all_at("SELL", "STOP_MARKET", "57000").code == -4130
    assert desk.close_all_at("SELL", "TAKE_PROFIT_MARKET", "63000").code == -4130
    assert desk.algo("SELL", "STOP_MARKET", "57000", quantity="0.010", reduceOnly="true").status == 200
    desk.send("DELETE", ALGO, clientAlgoId="sl")
    assert desk.close_all_at("SELL", "STOP_MARKET", "57000").status == 200


def test_duplicate_client_algo_id_is_refused_while_open() -> None:
    """-4116 while the first one waits, and free afterwards."""
    desk = long_desk()
    desk.algo("SELL", "STOP_MARKET", "58000", quantity="0.010", clientAlgoId="same")
    assert desk.algo("SELL", "STOP_MARKET", "57000", quantity="0.010", clientAlgoId="same").code == -4116
    desk.send("DELETE", ALGO, clientAlgoId="same")
    assert desk.algo("SELL", "STOP_MARKET", "57000", quantity="0.010", clientAlgoId="same").status == 200
    assert desk.send("GET", ALGO, clientAlgoId="same").json["triggerPrice"] == "57000"


def test_two_hundred_conditional_orders_are_the_limit_of_an_account() -> None:
    """Number 201 is -4045, on any symbol."""
    desk = Desk()
    for _ in range(200):
        desk.now_ms += 1000
        assert desk.algo("SELL", "STOP_MARKET", "58000", quantity="0.001").status == 200
    desk.now_ms += 1000
    assert desk.algo("SELL", "STOP_MARKET", "2900", symbol="ETHUSDT", quantity="0.1").code == -4045


def test_conditional_orders_on_a_symbol_that_is_not_trading_are_refused() -> None:
    """As normal ones are."""
    assert Desk().algo("SELL", "STOP_MARKET", "0.500", symbol="EOSUSDT", quantity="100").code == -4140


@pytest.mark.parametrize(
    ("entry", "order_type", "trigger", "harmless", "firing"),
    [
        ("BUY", "STOP_MARKET", "58000", "58000.1", "58000"),
        ("BUY", "TAKE_PROFIT_MARKET", "62000", "61999.9", "62000"),
        ("SELL", "STOP_MARKET", "62000", "61999.9", "62000"),
        ("SELL", "TAKE_PROFIT_MARKET", "58000", "58000.1", "58000"),
    ],
)
def test_trigger_fires_at_its_price(entry: str, order_type: str, trigger: str, harmless: str, firing: str) -> None:
    """Stops fire against the position, take profits with it, at the very price."""
    desk = Desk()
    desk.market(entry, "0.010")
    exit_side = "SELL" if entry == "BUY" else "BUY"
    desk.close_all_at(exit_side, order_type, trigger, clientAlgoId="x")
    desk.price(harmless)
    assert (statuses(desk), desk.is_flat) == ({"x": "NEW"}, False)
    desk.price(firing)
    assert (statuses(desk), desk.is_flat) == ({"x": "FINISHED"}, True)


def test_triggered_order_is_a_normal_order_with_the_same_client_id() -> None:
    """And the algo row names it (``§4.5``)."""
    desk = long_desk()
    algo_id = desk.close_all_at("SELL", "STOP_MARKET", "58000", clientAlgoId="sl").json["algoId"]
    desk.now_ms += 5
    desk.price("57900")
    order = desk.send("GET", ORDER, symbol="BTCUSDT", origClientOrderId="sl").json
    assert (order["type"], order["origType"], order["status"], order["time"]) == (
        "MARKET",
        "MARKET",
        "FILLED",
        desk.now_ms,
    )
    row = desk.send("GET", ALGO, algoId=algo_id).json
    assert (row["actualOrderId"], row["actualType"], row["actualQty"], row["actualPrice"], row["triggerTime"]) == (
        str(order["orderId"]),
        "MARKET",
        "0.01",
        "57900.0000000",
        desk.now_ms,
    )
    assert desk.send("GET", OPEN_ALGOS).json == []


def test_close_position_orders_die_with_the_position() -> None:
    """Closed by any way, both legs end EXPIRED; a reduce-only one with a quantity stays (``§4.6``)."""
    desk = long_desk()
    desk.close_all_at("SELL", "STOP_MARKET", "58000", clientAlgoId="sl")
    desk.close_all_at("SELL", "TAKE_PROFIT_MARKET", "62000", clientAlgoId="tp")
    desk.algo("SELL", "STOP_MARKET", "57000", quantity="0.010", reduceOnly="true", clientAlgoId="left")
    desk.algo("SELL", "STOP_MARKET", "57000", quantity="0.010", timeInForce="GTE_GTC", clientAlgoId="gte")
    desk.market("SELL", "0.010")
    assert statuses(desk) == {"sl": "EXPIRED", "tp": "EXPIRED", "left": "NEW", "gte": "EXPIRED"}


def test_close_position_orders_die_when_the_position_flips() -> None:
    """A short has no use for a stop that sells."""
    desk = long_desk()
    desk.close_all_at("SELL", "STOP_MARKET", "58000", clientAlgoId="sl")
    desk.market("SELL", "0.030")
    assert statuses(desk) == {"sl": "EXPIRED"}


def test_close_position_closes_what_is_there_at_the_trigger() -> None:
    """The quantity is decided when it fires."""
    desk = long_desk()
    desk.close_all_at("SELL", "STOP_MARKET", "58000")
    desk.market("BUY", "0.030")
    desk.price("58000")
    assert desk.amount() == 0


def test_close_position_displaces_resting_reduce_only_orders() -> None:
    """A fired stop closes everything, even when a resting exit already counts on the position."""
    desk = long_desk()
    desk.listen()
    desk.close_all_at("SELL", "STOP_MARKET", "58000", clientAlgoId="sl")
    desk.limit("SELL", "0.006", "62000.0", reduceOnly="true")
    desk.price("58000")
    assert (statuses(desk), desk.is_flat) == ({"sl": "FINISHED"}, True)
    ended = [event["o"] for event in desk.events if event.get("o", {}).get("x") == "EXPIRED"]
    assert [(body["o"], body["er"]) for body in ended] == [("LIMIT", "4")]


def test_leftover_reduce_only_order_is_rejected_at_its_trigger() -> None:
    """With nothing to reduce it ends REJECTED and says why (``§4.6``)."""
    desk = Desk()
    desk.listen()
    desk.algo("SELL", "STOP_MARKET", "58000", quantity="0.010", reduceOnly="true", clientAlgoId="left")
    desk.price("57900")
    assert statuses(desk) == {"left": "REJECTED"}
    assert desk.events[-1]["o"]["rm"] == "Reduce Only reject"
    assert desk.send("DELETE", ALGO, clientAlgoId="left").code == -2011


def test_trigger_without_margin_is_rejected() -> None:
    """Margin is checked when it fires, not before (``§4.1``)."""
    desk = Desk()
    desk.algo("BUY", "STOP_MARKET", "61000", quantity="50", clientAlgoId="big")
    desk.price("61000")
    assert (statuses(desk), desk.is_flat) == ({"big": "REJECTED"}, True)


def test_only_one_of_two_exits_fires() -> None:
    """What died with the position in the same price step cannot fire any more."""
    desk = long_desk()
    desk.close_all_at("SELL", "STOP_MARKET", "58000", clientAlgoId="first")
    desk.algo("SELL", "STOP_MARKET", "58500", quantity="0.010", timeInForce="GTE_GTC", clientAlgoId="second")
    desk.price("57000")
    assert statuses(desk) == {"first": "FINISHED", "second": "EXPIRED"}
    assert desk.amount() == 0


def test_stop_limit_becomes_a_resting_order_and_finishes_with_it() -> None:
    """STOP enters the book with its limit price; FINISHED comes when that order ends."""
    desk = long_desk()
    desk.algo("SELL", "STOP", "58000", quantity="0.010", price="58100", reduceOnly="true", clientAlgoId="s")
    desk.price("57900")
    assert statuses(desk) == {"s": "TRIGGERED"}
    order = desk.send("GET", OPEN_ORDERS, symbol="BTCUSDT").json[0]
    assert (order["clientOrderId"], order["type"], order["price"]) == ("s", "LIMIT", "58100.00")
    desk.price("58200")
    assert (statuses(desk), desk.is_flat) == ({"s": "FINISHED"}, True)


def test_finished_does_not_mean_filled() -> None:
    """Cancelling the order a stop became finishes the stop too (``§4.4``)."""
    desk = long_desk()
    desk.listen()
    desk.algo("SELL", "STOP", "58000", quantity="0.010", price="58100", reduceOnly="true", clientAlgoId="s")
    desk.price("57900")
    desk.send("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="s")
    assert statuses(desk) == {"s": "FINISHED"}
    assert (desk.events[-1]["o"]["X"], desk.events[-1]["o"]["aq"]) == ("FINISHED", "0")


def test_mark_price_orders_watch_the_mark() -> None:
    """Last price moves leave them alone."""
    desk = long_desk()
    desk.close_all_at("SELL", "STOP_MARKET", "58000", workingType="MARK_PRICE", clientAlgoId="m")
    desk.price("57900", mark="59000")
    assert statuses(desk) == {"m": "NEW"}
    desk.price("59000", mark="58000")
    assert statuses(desk) == {"m": "FINISHED"}


def test_price_protect_waits_while_mark_and_last_are_far_apart() -> None:
    """No firing beyond the symbol's triggerProtect (``§4.5``)."""
    desk = long_desk()
    desk.close_all_at("SELL", "STOP_MARKET", "58000", priceProtect="true", clientAlgoId="p")
    desk.price("56000", mark="60000")
    assert statuses(desk) == {"p": "NEW"}
    desk.price("56000", mark="56100")
    assert statuses(desk) == {"p": "FINISHED"}


def test_trailing_stop_follows_the_best_price() -> None:
    """It activates, follows the high, and fires one percent below it."""
    desk = long_desk()
    desk.listen()
    trail = {"quantity": "0.010", "callbackRate": "1", "activatePrice": "61000", "clientAlgoId": "t"}
    answer = desk.algo("SELL", "TRAILING_STOP_MARKET", reduceOnly="true", **trail).json
    assert (answer["activatePrice"], answer["callbackRate"]) == ("61000", "1")
    desk.price("59000")
    assert statuses(desk) == {"t": "NEW"}
    for price in ("61000", "62000", "61400"):
        desk.price(price)
        assert statuses(desk) == {"t": "NEW"}
    desk.price("61380")
    assert (statuses(desk), desk.is_flat) == ({"t": "FINISHED"}, True)
    told = [(event["o"]["X"], event["o"]["ia"]) for event in desk.events if event["e"] == "ALGO_UPDATE"]
    assert told[:2] == [("NEW", False), ("NEW", True)]


def test_trailing_buy_without_activation_price_starts_at_once() -> None:
    """The default activation is the present price (``§4.2``)."""
    desk = Desk()
    desk.market("SELL", "0.010")
    desk.algo("BUY", "TRAILING_STOP_MARKET", quantity="0.010", callbackRate="1", clientAlgoId="t", reduceOnly="true")
    desk.price("59000")
    desk.price("59500")
    assert statuses(desk) == {"t": "NEW"}
    desk.price("59590")
    assert statuses(desk) == {"t": "FINISHED"}


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("GET", {}, -1102),
        ("GET", {"algoId": "1"}, -2013),
        ("GET", {"clientAlgoId": "no"}, -2013),
        ("DELETE", {"algoId": "1"}, -2013),
        ("DELETE", {"clientAlgoId": "no"}, -2013),
    ],
)
def test_unknown_conditional_orders_are_refused(method: str, params: dict[str, str], code: int) -> None:
    """An unknown id is -2013 for the query and for the cancel (``§4.7``)."""
    assert code == desk_reply(method, params).code


def desk_reply(method: str, params: dict[str, str]) -> Reply:
    """Ask a fresh desk."""
    return Desk().send(method, ALGO, **params)


def test_cancel_answers_have_their_odd_types() -> None:
    """A single cancel has a text code, cancel-all an integer one (``§4.3``)."""
    desk = Desk()
    algo_id = desk.algo("SELL", "STOP_MARKET", "58000", quantity="0.010", clientAlgoId="a").json["algoId"]
    desk.algo("SELL", "STOP_MARKET", "58000", quantity="0.010")
    desk.algo("SELL", "STOP_MARKET", "2900", symbol="ETHUSDT", quantity="0.1")
    assert desk.send("DELETE", ALGO, algoId=algo_id).json == {
        "algoId": algo_id,
        "clientAlgoId": "a",
        "code": "200",
        "msg": "success",
    }
    assert desk.send("DELETE", ALGO, algoId=algo_id).code == -2011
    assert desk.send("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT").json["code"] == 200
    assert [row["symbol"] for row in desk.send("GET", OPEN_ALGOS).json] == ["ETHUSDT"]


def test_lists_narrow_by_symbol_and_id() -> None:
    """openAlgoOrders oldest first, allAlgoOrders newest first."""
    desk = Desk()
    ids = [desk.algo("SELL", "STOP_MARKET", "58000", quantity="0.010").json["algoId"] for _ in range(3)]
    assert ids == [row["algoId"] for row in desk.send("GET", OPEN_ALGOS, symbol="BTCUSDT").json]
    assert ids[1:2] == [row["algoId"] for row in desk.send("GET", OPEN_ALGOS, algoId=ids[1]).json]
    assert ids[::-1] == [row["algoId"] for row in desk.send("GET", ALL_ALGOS, symbol="BTCUSDT").json]
    assert ids[:0:-1] == [row["algoId"] for row in desk.send("GET", ALL_ALGOS, symbol="BTCUSDT", algoId=ids[1]).json]


def test_blind_query_is_a_switch() -> None:
    """The single query may deny an order that the lists show (``§16`` point 15)."""
    desk = long_desk(switches=Switches(algo_query_is_blind=True))
    desk.close_all_at("SELL", "STOP_MARKET", "58000", clientAlgoId="sl")
    assert desk.send("GET", ALGO, clientAlgoId="sl").code == -2013
    assert len(desk.send("GET", OPEN_ALGOS).json) == 1


@pytest.mark.parametrize("echo", ["GTC", "GTE_GTC"])
def test_time_in_force_of_close_position_orders_is_a_switch(echo: str) -> None:
    """Which one is echoed is open (``§16`` point 8); they die with the position either way."""
    desk = long_desk(switches=Switches(close_position_time_in_force=echo))
    assert desk.close_all_at("SELL", "STOP_MARKET", "58000", clientAlgoId="sl").json["timeInForce"] == echo
    desk.market("SELL", "0.010")
    assert statuses(desk) == {"sl": "EXPIRED"}
