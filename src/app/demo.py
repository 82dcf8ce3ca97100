"""`bracketeer demo`: the whole story on the embedded exchange, and a judgement of how it went."""

from __future__ import annotations

import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table
from rich.text import Text

from ..core.audit_files import log_files
from ..core.audit_replay import replay_log
from ..core.audit_verify import VerifyReport
from ..core.errors import AuditError, BracketeerError
from ..core.report import ExecutionReport, ReportStatus
from ..core.settings import Settings
from ..core.snapshot import Snapshot
from ..execution.order_manager import OrderExecutionManager
from .audit import verdict
from .care import Finishing
from .console import BAD, EXIT_FAILED, GOOD, Output, invoked_as, marked
from .demo_exchange import DemoExchange
from .demo_promises import Evidence, OrderKey, Promise, Traded, entries, judge, traded_orders
from .demo_screen import make_screen
from .demo_script import Step, read_script
from .demo_story import Answer, CutShort, Story, wish_of
from .report_view import amount, mark_of, side_word


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A signal in the summary; `result` is profit less commissions, in USDT."""

    signal_id: str
    symbol: str
    side: str
    status: ReportStatus
    reason: str
    entry: str
    exit: str
    result: str
    naked_ms: int | None


def run_demo(output: Output, *, signals: Path | None, audit_dir: Path | None, speed: float) -> int:
    """Play the day and judge it; the exit code.

    Raises:
        BracketeerError: it could not be played: no exchange, no audit folder, no signals.
        KeyboardInterrupt: Ctrl-C, once all is given back; the second one at once (SystemExit from a signal).
    """
    steps = read_script(signals)
    folder = _fresh(audit_dir if audit_dir is not None else Path("logs", f"demo-{time.strftime('%Y%m%d-%H%M%S')}"))
    cut = threading.Event()
    playing = Finishing(lambda: _play_and_judge(output, steps, folder, speed, cut))
    code = EXIT_FAILED
    try:
        code = playing.run(on_interrupt=cut.set)
    except CutShort:
        pass
    finally:
        if not output.as_json:
            output.console.show_cursor()  # a second interrupt leaves the screen as it is
    if playing.interrupted is not None:
        raise playing.interrupted
    return code


def _play_and_judge(output: Output, steps: list[Step], folder: Path, speed: float, cut: threading.Event) -> int:
    settings = Settings(audit_log_dir=str(folder))
    started_s = time.monotonic()
    with DemoExchange() as exchange:
        access = exchange.access
        _introduce(output, access.rest, folder)
        with make_screen(output) as screen:
            story = Story(steps, exchange, screen, speed, cut)
            with OrderExecutionManager(
                access.api_key,
                access.api_secret,
                base_url=access.rest,
                stream_url=access.stream,
                settings=settings,
                on_notice=story.hear,
            ) as manager:
                story.play(manager)
                snapshot = manager.snapshot()
        evidence = Evidence(
            books=exchange.books(),
            state=snapshot.state,
            answers=story.answers,
            audit_dir=folder,
            access=access,
            naked_limit_ms=settings.policy.naked_limit_ms,
            replay_is_same=_replays(folder, snapshot),
        )
        promises, verified = judge(evidence)
    seconds = time.monotonic() - started_s
    _conclude(output, folder, _rows(evidence), promises, verified, seconds)
    return 0 if all(promise.kept for promise in promises) else EXIT_FAILED


def _fresh(folder: Path) -> Path:
    """A demo repeats its signal ids, so a log that knows them would make duplicates of them all."""
    if folder.is_dir() and log_files(folder):
        raise AuditError(
            "there is an audit log already; the demo needs a folder of its own", code="folder_not_empty", folder=folder
        )
    return folder


def _replays(folder: Path, snapshot: Snapshot) -> bool:
    """Whether the log on disk leads to every decision on record, and to the state that the manager had in memory."""
    try:
        return replay_log(folder, against=snapshot).ok
    except BracketeerError:  # a broken chain: the verification beside it says where
        return False


def _introduce(output: Output, rest: str, folder: Path) -> None:
    if output.as_json:
        output.document({"event": "started", "exchange": rest, "audit_dir": str(folder)})
    output.show(
        Text.assemble(
            ("Bracketeer demo", "bold"),
            f"  a falling day on a simulated exchange at {rest}; audit log in {folder}\n",
        )
    )


def _rows(evidence: Evidence) -> list[Row]:
    orders = traded_orders(evidence.books)
    final = entries(evidence.state)
    shown: set[str] = set()
    rows: list[Row] = []
    for answer in evidence.answers:
        signal_id = answer.report.signal_id
        ended = final.get(signal_id) if signal_id not in shown else None
        shown.add(signal_id)
        rows.append(_row(answer, ended, orders))
    return rows


def _row(answer: Answer, ended: ExecutionReport | None, orders: dict[OrderKey, Traded]) -> Row:
    facts, report = wish_of(answer.line), ended or answer.report
    entry, leaving = (ended.entry, ended.exit) if ended is not None else (None, None)
    parts = [orders.get((report.symbol, order.exchange_order_id or 0)) for order in (entry, leaving) if order]
    earned = [part.profit - part.commission for part in parts if part is not None]
    return Row(
        signal_id=answer.report.signal_id or str(facts.get("signal_id", "")),
        symbol=report.symbol or str(facts.get("symbol", "")),
        side=side_word(entry.side) if entry is not None else "",
        status=report.status,
        reason=report.reason.code if report.reason is not None else "",
        entry=amount(entry.average_price) if entry is not None else "",
        exit=amount(leaving.average_price) if leaving is not None else "",
        result=f"{sum(earned, Decimal(0)):+.2f}" if earned else "",
        naked_ms=report.timings.naked_ms if ended is not None and report.timings is not None else None,
    )


def _conclude(
    output: Output, folder: Path, rows: list[Row], promises: list[Promise], verified: VerifyReport, seconds: float
) -> None:
    broken = sum(not promise.kept for promise in promises)
    if output.as_json:
        summary: dict[str, Any] = {
            "event": "summary",
            "ok": broken == 0,
            "seconds": round(seconds, 1),
            "signals": rows,
            "promises": promises,
            "audit": {"path": str(folder), **msgspec.to_builtins(verified)},
        }
        output.document(summary)
        return
    output.show("", _summary_table(rows), "")
    for promise in promises:
        output.show(marked(GOOD if promise.kept else BAD, (f"{promise.name:<10}", "bold"), promise.text))
    output.show("", *verdict(folder, verified))
    output.show(Text.assemble("  read it: ", (f"{invoked_as()} audit show {folder}", "bold")), "")
    kept = f"all {len(promises)} promises kept" if not broken else f"{broken} of {len(promises)} promises BROKEN"
    output.show(marked(BAD if broken else GOOD, (kept, "bold"), f" in {seconds:.0f} s"))


def _summary_table(rows: list[Row]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("", "signal", "symbol", "side", "outcome"):
        table.add_column(name, no_wrap=True)
    for name in ("entry", "exit", "USDT", "naked ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        mark = mark_of(row.status)
        table.add_row(
            marked(mark),
            row.signal_id,
            row.symbol,
            row.side,
            row.reason or row.status.value,
            row.entry,
            row.exit,
            Text(row.result, "red" if row.result.startswith("-") else "green"),
            "" if row.naked_ms is None else str(row.naked_ms),
        )
    return table
