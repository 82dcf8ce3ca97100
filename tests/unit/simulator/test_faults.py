"""Faults on purpose: what is executed, what the client sees."""

import pytest

from bracketeer.simulator.control import make_fault
from bracketeer.simulator.profiles import Switches
from tests.unit.simulator.desk import ORDER, Desk, decode


def cause(desk: Desk, name: str, **options: object) -> None:
    """Put a fault in place."""
    desk.exchange.fault(make_fault({"fault": name, **options}))


@pytest.mark.parametrize(
    ("name", "is_executed", "is_dropped", "status", "text"),
    [
        ("reply_lost", True, True, 200, ""),
        ("request_lost", False, True, 0, ""),
        ("status_503", False, False, 503, "Service Unavailable."),
        (
            "status_503_executed",
            True,
            False,
            503,
            "Unknown error, please check your request or try again later.",
        ),
        ("delay", True, False, 200, ""),
    ],
)
def test_fault_decides_about_execution_and_answer(
    name: str, is_executed: bool, is_dropped: bool, status: int, text: str
) -> None:
    """Executed or not, answered or not: the four corners of not knowing."""
    desk = Desk()
    cause(desk, name, method="POST", path=ORDER, delay_ms=250)
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}
    answer = desk.raw("POST", ORDER, **order)
    assert is_executed is not desk.is_flat
    assert (is_dropped, status) == (answer.is_dropped, answer.status)
    assert (250 if name == "delay" else 0) == answer.delay_ms
    if text:
        assert decode(answer).json["msg"] == text
    assert not desk.raw("POST", ORDER, **order).is_dropped  # used up
    row = desk.exchange.requests.rows()[0]
    assert (row["fault"], row["status"]) == (name, status)


@pytest.mark.parametrize(
    ("code", "status"), [(-2019, 400), (-1008, 503), (-1015, 429), (-1007, 408), (-2015, 401), (-9999, 400)]
)
def test_refuse_answers_any_code_with_its_status(code: int, status: int) -> None:
    """Known codes have their own text, unknown ones a neutral one."""
    desk = Desk()
    cause(desk, "refuse", path="/fapi/v1/*", code=code)
    reply = desk.market("BUY", "0.010")
    assert (reply.status, reply.code, desk.is_flat) == (status, code, True)
    assert reply.json["msg"]


def test_fault_waits_for_the_request_it_is_meant_for() -> None:
    """Method, path, and every matched parameter have to fit; it lasts as often as it says."""
    desk = Desk()
    cause(desk, "refuse", method="post", path="/fapi/v1/algo*", code=-1001, times=2, match={"type": "STOP_MARKET"})
    assert desk.market("BUY", "0.010").status == 200
    assert desk.close_all_at("SELL", "TAKE_PROFIT_MARKET", "62000").status == 200
    assert desk.send("GET", "/fapi/v1/algoOrder", clientAlgoId="x", type="STOP_MARKET").code == -2013
    replies = [desk.close_all_at("SELL", "STOP_MARKET", "58000").status for _ in range(3)]
    assert replies == [503, 503, 200]


def test_fault_may_be_bound_to_a_symbol_and_last_for_ever() -> None:
    """Until it is cleared by a reset."""
    desk = Desk()
    cause(desk, "refuse", code=-1001, times=-1, symbol="BTCUSDT")
    assert [desk.market("BUY", "0.010").status for _ in range(3)] == [503, 503, 503]
    assert desk.market("BUY", "0.010", symbol="ETHUSDT").status == 200
    desk.exchange.reset()
    assert desk.market("BUY", "0.010").status == 200


def test_faults_leave_other_paths_alone() -> None:
    """Only requests of the real exchange's paths use a fault up."""
    desk = Desk()
    cause(desk, "refuse", code=-1001)
    assert desk.exchange.handle("GET", "/favicon.ico").status == 404
    assert desk.public("/fapi/v1/ping").code == -1001


def test_code_of_a_503_is_a_switch() -> None:
    """Open point 5: only the text counts."""
    desk = Desk(switches=Switches(status_503_code=-1003))
    cause(desk, "status_503_executed")
    assert desk.market("BUY", "0.010").code == -1003


def test_muted_stream_stays_connected_and_silent() -> None:
    """Until it is unmuted; what happened meanwhile is lost."""
    desk = Desk()
    desk.listen()
    cause(desk, "stream_mute")
    desk.market("BUY", "0.010")
    cause(desk, "stream_unmute")
    assert desk.told() == []
    desk.market("SELL", "0.010")
    assert desk.told()[0] == "TRADE_LITE"


def test_dropped_streams_are_closed() -> None:
    """All sockets at once."""
    desk = Desk()
    closed: list[str] = []
    streams = desk.exchange.venue.streams
    for name in ("one", "two"):
        streams.connect("/private/ws", "", lambda _text: None, lambda name=name: closed.append(name))  # type: ignore[misc]
    cause(desk, "stream_drop")
    assert closed == ["one", "two"]
