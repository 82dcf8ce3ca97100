"""Unprotected time as we report it, judged by the exchange's own ledger of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bracketeer import ExecutionReport, Policy
from bracketeer.core.report import Timings
from bracketeer.core.values import ArmingMode
from bracketeer.simulator.server import RunningSimulator
from tests.support.venue import BTC, Desk, desk, eventually

ALGO = "/fapi/v1/algoOrder"
STOP = {"type": "STOP_MARKET"}
SLACK_MS = 60
"""The exchange stamps an order when it begins to handle it and looks at its ledger when it is done: on a busy machine
that is some milliseconds later. The gaps below are several times as long."""


def _worst(at: Desk) -> int:
    return int(at.state()["nakedMs"][BTC]["worst"])


def _timings(report: ExecutionReport | None) -> Timings:
    assert report is not None
    assert report.timings is not None
    return report.timings


def _ended(at: Desk, signal_id: str = "entry-1") -> Timings:
    """The figures of a trade that is over."""
    eventually(lambda: at.manager.state().signals[signal_id].ended)
    return _timings(at.manager.state().signals[signal_id].report)


def _same(ours: int | None, theirs: int) -> bool:
    return ours is not None and abs(ours - theirs) <= SLACK_MS


def test_first_gap_is_the_exchanges(at: Desk) -> None:
    """From the first fill to the live stop, in the report and on record: the stop is refused for 350 ms."""
    at.simulator.fault("refuse", method="POST", path=ALGO, code=-4045, match=STOP, times=3)
    timings = _timings(at.enter())
    assert _worst(at) > 300
    assert _same(timings.naked_first_ms, _worst(at))
    assert (timings.naked_ms, timings.naked_later_ms) == (timings.naked_first_ms, 0)
    (line,) = at.lines("bracket_reported")
    facts = line.fields["data"]["facts"]
    assert (facts["naked_first_ms"], facts["naked_later_ms"]) == (timings.naked_first_ms, 0)


@pytest.mark.parametrize("fault", ["stop_canceled", "stop_expired"])
def test_later_gap_is_the_exchanges(at: Desk, fault: str) -> None:
    """The venue ends the stop by itself and tells it late: the gap counts from its end, not from our hearing."""
    first = _timings(at.enter()).naked_first_ms
    at.simulator.fault("stream_delay", event="ALGO_UPDATE", delay_ms=300, times=1)
    at.simulator.fault(fault, order_type="STOP_MARKET")
    eventually(lambda: _worst(at) >= 300 and at.resting() == ["STOP_MARKET", "TAKE_PROFIT_MARKET"])
    worst = _worst(at)
    eventually(lambda: at.manager.status().brackets[0].naked_now_ms == 0)
    (bracket,) = at.manager.status().brackets
    assert bracket.naked_first_ms == first
    assert _same(bracket.naked_later_ms, worst)
    at.close()
    timings = _ended(at)
    assert (timings.naked_ms, timings.naked_first_ms) == (timings.naked_later_ms, first)
    assert _same(timings.naked_later_ms, worst)
    (line,) = at.lines("bracket_ended")
    assert line.fields["data"]["facts"]["naked_worst_ms"] == timings.naked_ms
    assert _worst(at) == worst, "closing adds none: the stop stays until the position is gone"


def test_gap_of_a_flattened_position_is_the_exchanges(simulator: RunningSimulator, tmp_path: Path) -> None:
    """The stop is refused until the limit: from the first fill to the close at market."""
    with desk(simulator, tmp_path / "audit", Policy(arm=ArmingMode.AFTER_FILL, naked_limit_ms=400)) as at:
        simulator.fault("refuse", method="POST", path=ALGO, code=-4045, match=STOP, times=100)
        timings = _timings(at.enter())
        assert at.alerts() == ["stop_not_live_in_time"]
        assert _same(timings.naked_first_ms, _worst(at))
        assert timings.naked_later_ms == 0


def test_recent_trades_are_summed_up(at: Desk) -> None:
    """Median and worst of the trades that are over; the report of a CLOSE repeats its trade and does not count."""
    for number in range(3):
        at.enter(f"entry-{number}")
        at.close(f"close-{number}")
    figures = {f"entry-{number}": _ended(at, f"entry-{number}").naked_ms or 0 for number in range(3)}
    recent = at.manager.status().naked_recent
    assert recent is not None
    assert recent.trades == 3
    assert recent.median_ms == sorted(figures.values())[1]
    assert recent.worst_ms == max(figures.values()) == figures[recent.worst_signal_id]
    assert _same(recent.worst_ms, _worst(at))
