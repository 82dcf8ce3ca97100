"""Stories: what a script may say, when it happens, and that it happens the same way twice."""

import json
import time

import pytest

from bracketeer.simulator import SimulatorConfig, start_in_thread
from bracketeer.simulator.overview import state
from bracketeer.simulator.script import play, read_script
from bracketeer.simulator.streams import dump
from tests.unit.simulator.desk import Desk

STORY = """
{"at_ms": 0, "symbol": "BTCUSDT", "price": "61000"}

{"at_ms": 1000, "fault": "stream_duplicate", "times": 2}
{"at_ms": 2000, "do": "order", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"}
{"at_ms": 2000, "do": "price", "symbol": "BTCUSDT", "price": 60000.5, "mark": "60001"}
{"at_ms": 3000, "do": "clock", "step_ms": -250}
{"at_ms": 3500, "do": "account", "balance": "777"}
{"at_ms": 4000, "do": "order", "symbol": "BTCUSDT", "side": "SELL", "quantity": "0"}
{"at_ms": 5000, "do": "lift"}
""".splitlines()


def _play(seed: int = 1) -> Desk:
    desk = Desk(seed=seed)
    desk.listen()
    play(desk.exchange, read_script(STORY, desk.exchange.venue.instruments))
    return desk


def test_story_happens_at_its_moments() -> None:
    """Steps of the first moment at once, the others when their time has come, whatever the clock was turned to."""
    desk = _play()
    market = desk.exchange.venue.markets["BTCUSDT"]
    assert str(market.last) == "61000.00"
    desk.exchange.advance(2000)
    assert (str(market.last), str(market.mark)) == ("60000.50", "60001")
    assert desk.told()[:3] == ["TRADE_LITE", "TRADE_LITE", "ORDER NEW NEW"]
    desk.exchange.advance(1499)
    assert desk.told() == []
    desk.exchange.advance(1)
    assert desk.told() == ["ACCOUNT_UPDATE"]
    desk.exchange.advance(10_000)
    assert desk.exchange.faults.rows() == []


def test_what_cannot_be_done_is_noted_and_does_not_stop_the_story() -> None:
    """With its line, and why."""
    desk = _play()
    desk.exchange.advance(60_000)
    assert desk.exchange.notes == ["script, line 9: -4003: Quantity less than or equal to zero."]


def test_two_runs_of_a_story_are_byte_identical() -> None:
    """Same seed, same script, same steps of time."""
    told = []
    for _ in range(2):
        desk = _play(seed=5)
        for step_ms in (700, 1, 1299, 4000, 60_000):
            desk.exchange.advance(step_ms)
        told.append((desk.raw_events, dump(state(desk.exchange))))
    assert told[0] == told[1]
    assert len(told[0][0]) > 3


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("price", "not an object with at_ms"),
        ("[]", "not an object with at_ms"),
        ('{"do": "lift"}', "not an object with at_ms"),
        ('{"at_ms": 1}', "do must be one of"),
        ('{"at_ms": 1, "do": "reset"}', "do must be one of"),
        ('{"at_ms": 1, "fault": "meteor"}', "fault must be one of"),
        ('{"at_ms": 1, "symbol": "NOPE", "price": "1"}', "unknown symbol NOPE"),
        ('{"at_ms": -1, "do": "lift"}', "earlier than the line before"),
    ],
)
def test_mistake_is_told_at_the_start(line: str, why: str) -> None:
    """With its line number."""
    with pytest.raises(ValueError, match=f"line 2.*{why}"):
        read_script(['{"at_ms": 0, "do": "lift"}', line], ["BTCUSDT"])


def test_server_plays_the_story_again_after_a_reset() -> None:
    """The script belongs to the server; a mistake in it stops the start."""
    line = json.dumps({"at_ms": 0, "symbol": "BTCUSDT", "price": "12345"})
    with pytest.raises(ValueError, match="line 1"):
        start_in_thread(SimulatorConfig(script=("{",)))
    with start_in_thread(SimulatorConfig(prices="frozen", script=(line,))) as running:
        for _ in range(2):
            deadline = time.monotonic() + 5
            while str(running.exchange.venue.markets["BTCUSDT"].last) != "12345.00":
                assert time.monotonic() < deadline
            running.set_price("BTCUSDT", "20000")
            running.reset()


def test_program_plays_a_story_and_lets_time_pass() -> None:
    """The same from Python, for whoever runs a simulator inside a program."""
    with start_in_thread(SimulatorConfig(prices="frozen")) as running:
        running.play('{"at_ms": 0, "fault": "delay"}', '{"at_ms": 60000, "symbol": "BTCUSDT", "price": "50000"}')
        assert running.lift_faults() == 1
        running.advance(60_000)
        assert str(running.exchange.venue.markets["BTCUSDT"].last) == "50000.00"
