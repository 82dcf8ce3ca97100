"""Reports in words."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rich.console import Console

from bracketeer.app.report_view import mark_of, report_lines
from bracketeer.app.signals import DONE
from bracketeer.core.report import ExecutionReport, OrderReport, Reason, ReportStatus, Timings
from bracketeer.core.values import Side


def _words(report: ExecutionReport) -> str:
    console = Console(width=120, color_system=None)
    with console.capture() as captured:
        for line in report_lines(report):
            console.print(line)
    return captured.get()


@pytest.mark.parametrize("status", ReportStatus)
def test_mark_and_exit_code_tell_the_same(status: ReportStatus) -> None:
    """✔ and ✘ agree with the exit code; ! may be either."""
    assert {"✔": status in DONE, "✘": status not in DONE, "!": True}[mark_of(status)]


def test_order_that_did_not_trade_is_said_so() -> None:
    """A rejected entry: what was asked for, that nothing of it was executed, and why."""
    entry = OrderReport(
        client_order_id="c", side=Side.BUY, quantity=Decimal("1.50"), status="REJECTED", error_code=-2019
    )
    reason = Reason(code="entry_refused", text="the entry did not execute: Margin is insufficient.")
    words = _words(
        ExecutionReport(signal_id="trade-1", symbol="BTCUSDT", status=ReportStatus.REJECTED, reason=reason, entry=entry)
    )
    assert [line.rstrip() for line in words.splitlines()] == [
        "✘ rejected  BTCUSDT long  signal trade-1",
        "  entry_refused: the entry did not execute: Margin is insufficient.",
        "  entry  BUY  1.5, executed 0  REJECTED",
    ]


def test_refusal_of_unreadable_text_has_no_symbol() -> None:
    """Nothing is made up."""
    report = ExecutionReport(
        signal_id="", symbol="", status=ReportStatus.DENIED, reason=Reason(code="malformed_json", text="no JSON")
    )
    assert _words(report) == "✘ denied\n  malformed_json: no JSON\n"


@pytest.mark.parametrize(
    ("timings", "words"),
    [
        (Timings(received_at_ms=0, naked_ms=5, naked_first_ms=5, naked_later_ms=0), "unprotected for 5 ms"),
        (
            Timings(received_at_ms=0, naked_ms=90, naked_first_ms=5, naked_later_ms=90),
            "unprotected for 5 ms at first and up to 90 ms later",
        ),
    ],
)
def test_unprotected_time_is_said(timings: Timings, words: str) -> None:
    """The first gap, and the worst later one where there was one."""
    report = ExecutionReport(signal_id="trade-1", symbol="BTCUSDT", status=ReportStatus.CLOSED, timings=timings)
    assert f"  {words}, on the exchange's clock" in _words(report)
