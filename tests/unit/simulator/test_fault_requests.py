"""Request faults: what is executed, what the client is told, and who is spared."""

import json

import pytest

from bracketeer.simulator.faults import CATALOGUE
from bracketeer.simulator.profiles import Switches
from tests.unit.simulator.desk import ALGO, OPEN_ALGOS, ORDER, Desk, decode
from tests.unit.simulator.test_faults import cause

BUY = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("status_503_unknown", 503, -1000),
        ("status_503_internal", 503, -1001),
        ("status_500", 500, -1000),
        ("timeout_1007", 408, -1007),
        ("bus_1006", 400, -1006),
        ("rate_limited", 429, -1003),
        ("order_limited", 429, -1015),
        ("overloaded", 503, -1008),
        ("maintenance", 503, -1016),
    ],
)
def test_answer_of_a_fault(name: str, status: int, code: int) -> None:
    """The right status and code, and by itself not executed."""
    desk = Desk()
    cause(desk, name)
    reply = desk.market("BUY", "0.010")
    assert (reply.status, reply.code, desk.is_flat) == (status, code, True)
    assert ("retry-after" in reply.headers) is (status == 429)


@pytest.mark.parametrize("name", ["status_500", "status_502", "status_504", "timeout_1007", "bus_1006"])
@pytest.mark.parametrize("is_executed", [True, False])
def test_unknown_outcomes_look_the_same_executed_or_not(name: str, is_executed: bool) -> None:
    """That is what makes them unknown."""
    desk = Desk()
    cause(desk, name, executed=is_executed)
    answer = desk.raw("POST", ORDER, **BUY)
    assert answer.status != 200
    assert desk.is_flat is not is_executed


@pytest.mark.parametrize(("name", "status"), [("firewall", 403), ("status_502", 502), ("status_504", 504)])
def test_what_stands_before_the_exchange_answers_with_a_page(name: str, status: int) -> None:
    """HTML, no code; the request log survives it."""
    desk = Desk()
    cause(desk, name)
    answer = desk.raw("POST", ORDER, **BUY)
    assert (answer.status, answer.headers["content-type"]) == (status, "text/html")
    assert desk.exchange.requests.rows()[0]["code"] is None


def test_garbled_answer_is_executed_and_cannot_be_read() -> None:
    """2xx with an unreadable body (``binance-usdm.md §8``)."""
    desk = Desk()
    cause(desk, "garbled")
    answer = desk.raw("POST", ORDER, **BUY)
    assert (answer.status, desk.is_flat) == (200, False)
    with pytest.raises(json.JSONDecodeError):
        decode(answer)


def test_late_request_executes_after_the_client_gave_up() -> None:
    """Within recvWindow it trades after all; beyond, it is refused and nobody hears."""
    desk = Desk()
    cause(desk, "late_request", delay_ms=2000, times=2)
    assert desk.raw("POST", ORDER, **BUY).is_dropped
    assert desk.is_flat
    assert desk.raw("POST", ORDER, **BUY, recvWindow=1000).is_dropped
    desk.now_ms += 1999
    desk.exchange.tick()
    assert desk.is_flat
    desk.now_ms += 1
    desk.exchange.tick()
    assert str(desk.amount()) == "0.010"
    assert [(row["status"], row["code"]) for row in desk.exchange.requests.rows()] == [(200, None), (400, -1021)]


@pytest.mark.parametrize(("delay_ms", "code"), [(900, None), (1100, -5028)])
def test_matching_engine_has_a_window_of_its_own(delay_ms: int, code: int | None) -> None:
    """-5028 instead of -1021 when only the second check fails (``§2.1``)."""
    desk = Desk()
    cause(desk, "late_at_engine", delay_ms=delay_ms)
    assert desk.send("POST", ORDER, **BUY, recvWindow=1000).code == code
    assert desk.is_flat is (code is not None)


@pytest.mark.parametrize(
    ("more", "is_let_through"),
    [
        ({}, False),
        ({"side": "SELL"}, False),
        ({"side": "SELL", "reduceOnly": "true"}, True),
        ({"side": "SELL", "closePosition": "true"}, True),
        ({"side": "SELL", "positionSide": "LONG"}, True),
        ({"side": "BUY", "positionSide": "SHORT"}, True),
        ({"side": "BUY", "positionSide": "LONG"}, False),
        ({"side": "SELL", "positionSide": "SHORT"}, False),
    ],
)
def test_overload_spares_what_closes(more: dict[str, str], is_let_through: bool) -> None:
    """-1008 with its exemptions (``§8``)."""
    desk = Desk()
    desk.market("BUY", "0.050")
    cause(desk, "overloaded")
    reply = desk.send("POST", ORDER, **{**BUY, **more})
    assert (reply.code != -1008) is is_let_through


def test_overload_spares_cancels_and_the_algo_service_and_stands_until_lifted() -> None:
    """It is a mode, not an accident."""
    desk = Desk()
    order_id = desk.limit("BUY", "0.010", "59000.0").json["orderId"]
    cause(desk, "overloaded")
    assert desk.send("DELETE", ORDER, symbol="BTCUSDT", orderId=order_id).status == 200
    assert desk.algo("SELL", "STOP_MARKET", "58000", quantity="0.010").status == 200
    assert [desk.market("BUY", "0.010").code for _ in range(3)] == [-1008] * 3
    assert desk.exchange.faults.lift() == 1
    assert desk.market("BUY", "0.010").status == 200


def test_status_of_maintenance_is_a_switch() -> None:
    """Nobody states it."""
    desk = Desk(switches=Switches(maintenance_status=400))
    cause(desk, "maintenance")
    assert (desk.public("/fapi/v1/ping").status, desk.public("/fapi/v1/ping").code) == (400, -1016)


def test_query_may_deny_an_open_order() -> None:
    """-2013 for a conditional order that the list shows (``§4.7``); a list is never denied."""
    desk = Desk()
    desk.algo("SELL", "STOP_MARKET", "58000", quantity="0.010", clientAlgoId="sl")
    cause(desk, "order_denied", path=ALGO)
    assert [row["clientAlgoId"] for row in desk.send("GET", OPEN_ALGOS, symbol="BTCUSDT").json] == ["sl"]
    assert desk.send("GET", ALGO, clientAlgoId="sl").code == -2013
    assert desk.send("GET", ALGO, clientAlgoId="sl").status == 200


def test_queries_may_lag_behind_fills() -> None:
    """Orders and positions as they were; the stop that needs the position is placed all the same."""
    desk = Desk()
    cause(desk, "stale_reads", delay_ms=500, path="/fapi/v3/positionRisk")
    desk.now_ms += 100
    desk.market("BUY", "0.010", newClientOrderId="entry")
    assert desk.send("GET", "/fapi/v3/positionRisk", symbol="BTCUSDT").json == []
    assert desk.send("GET", ORDER, symbol="BTCUSDT", origClientOrderId="entry").json["status"] == "FILLED"
    assert desk.close_all_at("SELL", "STOP_MARKET", "58000").status == 200
    desk.now_ms += 500
    assert desk.send("GET", "/fapi/v3/positionRisk", symbol="BTCUSDT").json[0]["positionAmt"] == "0.010"
    desk.market("SELL", "0.010")
    assert desk.send("GET", "/fapi/v3/positionRisk", symbol="BTCUSDT").json[0]["positionAmt"] == "0.010"
    desk.exchange.faults.lift()
    assert desk.send("GET", "/fapi/v3/positionRisk", symbol="BTCUSDT").json == []


@pytest.mark.parametrize(
    ("percent", "quantity", "executed"), [(None, "0.010", "0.005"), ("25", "0.010", "0.002"), ("1", "0.010", "0.001")]
)
def test_order_may_be_made_smaller(percent: str | None, quantity: str, executed: str) -> None:
    """The answer tells the true size (``§12.3``)."""
    desk = Desk()
    cause(desk, "order_shrunk", **({} if percent is None else {"percent": percent}))
    reply = desk.market("BUY", quantity, newOrderRespType="RESULT")
    assert (reply.json["origQty"], str(desk.amount())) == (executed, executed)


def test_order_without_a_size_cannot_be_made_smaller() -> None:
    """It is refused as always."""
    desk = Desk()
    cause(desk, "order_shrunk")
    assert desk.send("POST", ORDER, symbol="BTCUSDT", side="BUY", type="MARKET").code == -1102


def test_catalogue_describes_every_fault() -> None:
    """One sentence each, and a kind."""
    for spec in CATALOGUE.values():
        assert spec.description.endswith(".")
        assert spec.row()["kind"] in {"request", "event", "act"}


def test_query_may_come_back_empty() -> None:
    """As if flat, though it is not: the reading that closed positions only in people's books."""
    desk = Desk()
    desk.market("BUY", "0.010")
    cause(desk, "empty_answer", path="/fapi/v3/positionRisk")
    assert desk.send("GET", "/fapi/v3/positionRisk").json == []
    assert desk.send("GET", "/fapi/v3/positionRisk").json[0]["positionAmt"] == "0.010"


@pytest.mark.parametrize(
    ("batch", "is_let_through"),
    [
        ([{"side": "SELL", "reduceOnly": True}, {"side": "SELL", "reduceOnly": "true"}], True),
        ([{"side": "SELL", "reduceOnly": "true"}, {"side": "BUY"}], False),
        ("nonsense", False),
    ],
)
def test_overload_spares_a_batch_that_only_closes(batch: object, is_let_through: bool) -> None:
    """One order that opens is enough to shed all of it."""
    desk = Desk()
    cause(desk, "overloaded")
    reply = desk.send("POST", "/fapi/v1/batchOrders", batchOrders=json.dumps(batch))
    assert (reply.status != 503) is is_let_through
