"""What is remembered, how much of it, and its bytes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bracketeer.core import state as state_module
from bracketeer.core.report import ExecutionReport, ReportStatus
from bracketeer.core.state import SignalRecord, State, position_key
from bracketeer.core.values import PositionSide
from tests.support.stories import SYMBOL, Story


def record(signal_id: str, *, ended: bool = True) -> SignalRecord:
    """A signal with a report."""
    report = ExecutionReport(signal_id=signal_id, symbol=SYMBOL, status=ReportStatus.CLOSED)
    return SignalRecord(symbol=SYMBOL, ended=ended, status="closed", report=report)


def test_forgets_the_oldest_ended_signals_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays flat; a signal that is still at work is never forgotten, however old."""
    monkeypatch.setattr(state_module, "SIGNALS_KEPT", 5)
    state = State()
    state.remember("working", record("working", ended=False))
    for number in range(20):
        state.remember(f"s{number}", record(f"s{number}"))
        assert len(state.signals) <= 5
    assert list(state.signals) == ["working", "s16", "s17", "s18", "s19"]


def test_forgets_nobody_when_all_are_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """An id whose bracket works must not trade twice, bound or no bound."""
    monkeypatch.setattr(state_module, "SIGNALS_KEPT", 2)
    state = State()
    for number in range(4):
        state.remember(f"s{number}", record(f"s{number}", ended=False))
    assert len(state.signals) == 4


def test_keeps_whole_reports_of_the_newest_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Older ended signals keep their status, without the report; a duplicate is still recognised by them."""
    monkeypatch.setattr(state_module, "REPORTS_KEPT", 3)
    state = State()
    state.remember("working", record("working", ended=False))
    for number in range(10):
        state.remember(f"s{number}", record(f"s{number}"))
        if number == 5:
            state.remember("working", record("working"))  # it ends: now it is among the newest
    kept = [key for key, value in state.signals.items() if value.report is not None]
    assert kept == ["s7", "s8", "s9"]
    assert all(value.status == "closed" for value in state.signals.values())


def test_answers_duplicate_when_the_report_was_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The id is what counts."""
    monkeypatch.setattr(state_module, "REPORTS_KEPT", 1)
    story = Story()
    story.signal()
    story.refuse("nobody", -1)
    story.refuse(next(iter(story.state.orders)), -2019)
    story.close("close-1")
    story.state.remember("other", record("other"))
    assert story.state.signals["signal-1"].report is None
    story.signal()
    assert (story.reports[-1].status, story.reports[-1].entry) == ("duplicate", None)


def test_has_equal_bytes_when_dictionaries_were_filled_in_another_order() -> None:
    """The encoding is canonical where order means nothing."""
    one, two = State(), State()
    for state, sides in ((one, list(PositionSide)), (two, list(reversed(PositionSide)))):
        for side in sides:
            state.positions[position_key(SYMBOL, side)] = state_module.PositionView(amount=Decimal(1), known_at_ms=1)
    assert one.encode() == two.encode()
    assert one.fingerprint() == two.fingerprint() != State().fingerprint()


def test_wakes_for_the_earliest_bracket() -> None:
    """The alarm is that of whoever needs it first; without brackets there is none."""
    story = Story()
    assert story.state.next_wake_ms() is None
    story.signal()
    assert story.state.next_wake_ms() == story.bracket.wake_ms
