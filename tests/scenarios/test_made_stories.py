"""Stories made by hand for what random ones meet once in ten thousand: judged like those, by every promise."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation.run import play
from tests.simulation.story import Step, Story

ENTRY = Step("signal", {"symbol": "BTCUSDT", "kind": "LONG_ENTRY", "id": "entry-1", "quantity": "0.010"}, 100)
CLOSE = Step("signal", {"symbol": "BTCUSDT", "kind": "CLOSE", "id": "close-1"}, 100)


def _step(what: str, after_ms: int, **options: Any) -> Step:
    return Step(what, options, after_ms)


def _pause(ms: int) -> Step:
    return _step("price", ms, symbol="BTCUSDT", factor="1")


def _kept(*steps: Step) -> list[str]:
    outcome = play(Story(seed=1, steps=steps), traced=True)
    assert not outcome.failure
    return outcome.trace


def test_stop_is_watched_while_a_question_of_the_start_is_tried_again_and_again() -> None:
    """The position mode cannot be had; meanwhile a stop goes, and the message that says so is lost."""
    _kept(
        ENTRY,
        _step("fault", 1_500, name="status_503", method="GET", path="/fapi/v1/accountConfig", times=30),
        _step("restart", 10),
        _step("fault", 9_000, name="stream_lose", event="ALGO_UPDATE", times=5, delay_ms=0),
        _step("fault", 100, name="stop_expired", symbol="BTCUSDT"),
        _pause(8_000),
        _step("calm", 1),
        CLOSE,
    )


@pytest.mark.parametrize("is_out", [True, False], ids=["no network", "no answers"])
@pytest.mark.parametrize("by_ms", [-20_000, 20_000, 3_600_000])
def test_start_on_a_wrong_clock_protects_once_the_exchange_has_told_its_own(by_ms: int, *, is_out: bool) -> None:
    """The machine's clock is set while the manager is down, and there is no network when it comes back; the stop has
    gone, and no other is accepted."""
    _kept(
        ENTRY,
        _step("crash", 1_500, where="now", in_effects=1, power=False, down_ms=3_000),
        _step("wall_clock", 100, by_ms=by_ms),
        _step("unstop", 100, symbol="BTCUSDT"),
        _step("weather", 100, request_lost=1.0, reply_lost=0.0, late=0.0, is_out=is_out, lasts_ms=4_500),
        _step(
            "fault",
            10,
            name="refuse",
            method="POST",
            path="/fapi/v1/algoOrder",
            times=60,
            match={"type": "STOP_MARKET"},
            code=-1008,
        ),
        _pause(30_000),
        CLOSE,
    )


def test_position_closes_though_the_largest_order_is_smaller_than_it_now() -> None:
    """A rule that changed while it was open, and stays: closed in parts that it allows, before anything is lifted."""
    rules = {"marketMaxQty": "0.003"}
    change = _step("fault", 1_500, name="rules_changed", symbol="BTCUSDT", rules=rules)
    trace = _kept(ENTRY, change, CLOSE, _pause(5_000), _step("calm", 1))
    (calm,) = [number for number, line in enumerate(trace) if "** +1 ms calm" in line]
    (closed,) = [number for number, line in enumerate(trace) if "ReportStatus.CLOSED" in line]
    assert closed < calm
