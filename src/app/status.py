"""`bracketeer status`: our own record, and beside it the exchange's books. Reads only, and takes no lock."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from rich.table import Table
from rich.text import Text

from ..core.audit_chain import AuditLine, LineDamaged
from ..core.audit_files import LOCK_NAME, read_since_checkpoint
from ..core.audit_recovery import find_end
from ..core.errors import AuditError, BracketeerError
from ..core.journal import clock_offset_ms, rebuild
from ..core.report import Reason
from ..core.state import State
from ..execution.queries import BracketView, NakedSummary, bracket_views, conditions, naked_recent
from .agreement import ExchangeBooks, books_from, differences
from .console import BAD, EXIT_FAILED, GOOD, WARNING, Output, counted, marked
from .options import Venue
from .report_view import amount, side_word

if TYPE_CHECKING:
    from ..core.settings import Settings

NO_KEYS: Final = "credentials_missing"
LOOKS_MAX: Final = 3
"""A manager at work may trade between our reading its log and our asking the exchange: then look again."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What our log says, folded. `missing_checks`: what the newest start could not find out yet (name: failure)."""

    audit_dir: str
    last_seq: int
    last_line_at: str | None
    venue: str
    brackets: tuple[BracketView, ...]
    naked_recent: NakedSummary | None
    anomalies: int
    missing_checks: dict[str, str]
    conditions: tuple[Reason, ...]


class StatusDocument(msgspec.Struct, frozen=True, kw_only=True):
    """All that `status` says. `agrees` is None where the exchange was not asked; `problem` says why it was not."""

    record: Record
    writer: dict[str, str] | None
    exchange: ExchangeBooks | None
    agrees: bool | None
    differences: tuple[str, ...]
    problem: dict[str, str] | None


def show_status(output: Output, venue: Venue) -> int:
    """Show it; the exit code.

    Raises:
        BracketeerError: the log is damaged, or a setting cannot be read.
    """
    document = look(venue)
    if output.as_json:
        output.document(document)
    output.show(*in_words(document))
    asked_in_vain = document.problem is not None and document.problem["code"] != NO_KEYS
    return EXIT_FAILED if asked_in_vain or document.agrees is False else 0


def look(venue: Venue) -> StatusDocument:
    """Read the record, ask the exchange, compare.

    Raises:
        BracketeerError: the log is damaged, or a setting cannot be read.
    """
    settings = venue.settings()
    log_dir = Path(settings.audit_log_dir)
    books: ExchangeBooks | None = None
    problem: dict[str, str] | None = None
    found: tuple[str, ...] = ()
    for _ in range(LOOKS_MAX):
        state, record = read_record(log_dir)
        try:
            books, at_ms = _ask_exchange(venue, settings, state)
        except BracketeerError as error:
            problem = {"code": error.code, "message": error.message}
            break
        record = msgspec.structs.replace(record, brackets=bracket_views(state, at_ms))
        found = differences(state, books)
        if not found:
            break
    return StatusDocument(
        record=record,
        writer=_writer(log_dir),
        exchange=books,
        agrees=None if books is None else not found,
        differences=found,
        problem=problem,
    )


def read_record(log_dir: Path) -> tuple[State, Record]:
    """The state our log leads to. No folder yet is an empty record. What lasts is measured on the exchange's clock, as
    its last event had it.

    Raises:
        AuditError: the log is damaged.
    """
    last: list[AuditLine] = []
    last_event: list[AuditLine] = []
    missing: dict[str, str] = {}

    def noting(lines: Iterator[AuditLine]) -> Iterator[AuditLine]:
        for line in lines:
            last[:] = [line]
            if line.record == "event":
                last_event[:] = [line]
            if line.event_type in ("engine_started", "start_degraded", "start_completed"):
                missing.clear()
                missing.update(line.fields["data"].get("missing", {}))
            yield line

    try:
        state = rebuild(noting(_lines(log_dir))) if log_dir.is_dir() else State()
        ahead_ms = clock_offset_ms(last_event[0]) if last_event else 0
    except (LineDamaged, ValueError) as error:
        raise AuditError(
            f"the audit log cannot be replayed; `bracketeer audit verify` names the lines: {error}",
            code="audit_damaged",
            folder=log_dir,
        ) from error
    except OSError as error:
        raise AuditError(f"the audit log cannot be read: {error}", code="audit_unreadable", folder=log_dir) from error
    record = Record(
        audit_dir=str(log_dir),
        last_seq=last[0].seq if last else 0,
        last_line_at=last[0].timestamp if last else None,
        venue=state.venue,
        brackets=bracket_views(state, time.time_ns() // 1_000_000 + ahead_ms),
        naked_recent=naked_recent(state),
        anomalies=state.anomalies,
        missing_checks=missing,
        conditions=conditions(state),
    )
    return state, record


def _lines(log_dir: Path) -> Iterator[AuditLine]:
    """The lines to replay. The last one may be torn: its writer is at it now, or died; then it counts as not there, as
    it will for the next start."""
    end = find_end(log_dir)
    return read_since_checkpoint(log_dir, newest=end.file, last_seq=end.head.seq) if end.file is not None else iter(())


def _ask_exchange(venue: Venue, settings: Settings, state: State) -> tuple[ExchangeBooks, int]:
    """The exchange's books, and its clock (epoch ms).

    Raises:
        BracketeerError: there are no keys, or the exchange did not answer.
    """
    from ..core.redaction import Redactor
    from ..core.request_weight import RequestWeightTracker
    from ..execution.binance.gateway import connect_gateway
    from ..execution.clock import SystemClock
    from ..execution.credentials import load_credentials
    from ..execution.settings_loader import resolve_urls

    urls = resolve_urls(not venue.mainnet, venue.base_url, venue.stream_url)
    keys = load_credentials(None, None)
    clock = SystemClock()
    tracker = RequestWeightTracker(now_ms=clock.now_ms)
    gateway = connect_gateway(
        keys.api_key,
        keys.api_secret,
        urls.rest,
        settings,
        clock,
        tracker,
        Redactor(keys.secrets()),
    )
    try:
        gateway.synchronise_clock()
        amounts, orders, balance = gateway.position_amounts(), gateway.open_orders(), gateway.balance()
        at_ms = gateway.exchange_now_ms()
    finally:
        gateway.close()
    weight = tracker.status().pools["weight_1m"]
    return books_from(urls.rest, amounts, orders, balance, (weight.used, weight.limit), state), at_ms


def _writer(log_dir: Path) -> dict[str, str] | None:
    """Who wrote the log last, and whether that process still runs. Its lock is not tried: a manager that starts at this
    very moment would be turned away."""
    try:
        holder = msgspec.json.decode((log_dir / LOCK_NAME).read_bytes(), type=dict[str, str])
        pid = int(holder["pid"])
    except (OSError, KeyError, ValueError, msgspec.MsgspecError):
        return None
    try:
        os.kill(pid, 0)
        running = "yes"
    except ProcessLookupError:
        running = "no"
    except OSError:
        running = "yes"  # it is there and belongs to somebody else
    return {**holder, "running": running if holder.get("host") == os.uname().nodename else "unknown"}


def _is_running(writer: dict[str, str] | None) -> bool:
    return writer is not None and writer["running"] == "yes"


def in_words(document: StatusDocument) -> Iterator[Text | Table]:
    """The document for people, line by line."""
    record = document.record
    when = f"line {record.last_seq}, {record.last_line_at}" if record.last_seq else "nothing on record yet"
    yield Text.assemble("record   ", (record.audit_dir, "bold"), (f"  {when}", "dim"))
    if record.venue:
        yield Text.assemble("venue    ", record.venue)
    if document.writer is not None:
        is_running = _is_running(document.writer)
        words = "a manager is at work" if is_running else "none at work; what rests at the exchange goes on guarding"
        yield Text.assemble("manager  ", words, (f"  pid {document.writer['pid']}" if is_running else "", "dim"))
        if is_running and record.missing_checks:
            yield marked(WARNING, "protect-only: no entries until these checks succeed, which are tried again")
            for name, failure in record.missing_checks.items():
                yield marked(WARNING, f"  {name}: {failure}")
    for condition in record.conditions:
        told = f": {condition.text} ({condition.context['code']}: {condition.context['text']})"
        yield marked(WARNING, (condition.code, "bold"), told)
    if record.anomalies:
        what = counted(record.anomalies, "thing the exchange told cannot", "things the exchange told cannot")
        yield marked(WARNING, f"{what} be: `bracketeer audit show --event bracket_anomaly`")
    yield _brackets(record.brackets) if record.brackets else Text("no position of ours is open")
    if (recent := record.naked_recent) is not None:
        figures = f"median {recent.median_ms} ms, worst {recent.worst_ms} ms"
        words = f"naked    unprotected in {counted(recent.trades, 'ended trade')}: {figures}"
        yield Text.assemble(words, (f"  {recent.worst_signal_id}", "dim"))
    if document.exchange is not None:
        yield from _books_in_words(document.exchange)
    if document.problem is not None:
        if document.problem["code"] == NO_KEYS:
            yield marked(WARNING, "the exchange was not asked: ", document.problem["message"])
        else:
            yield marked(BAD, (document.problem["code"], "bold"), f": {document.problem['message']}")
    for difference in document.differences:
        yield marked(BAD, difference)
    if document.differences and not _is_running(document.writer):
        yield marked(WARNING, "nobody is at work to put it on record: the next start does, such as any signal")
    if document.agrees:
        yield marked(GOOD, "the exchange agrees")


def _brackets(brackets: tuple[BracketView, ...]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("symbol", "side", "open", "entry", "stop loss", "take profit", "naked now", "worst", "signal"):
        table.add_column(name, no_wrap=name != "signal")
    for bracket in brackets:
        table.add_row(
            bracket.symbol,
            side_word(bracket.side),
            amount(bracket.open_quantity),
            amount(bracket.average_price) if bracket.average_price is not None else bracket.entry_status,
            leg_words(bracket.stop_loss, bracket.stop_loss_status),
            leg_words(bracket.take_profit, bracket.take_profit_status),
            Text(f"{bracket.naked_now_ms} ms", "bold red") if bracket.naked_now_ms else "0 ms",
            f"{bracket.naked_worst_ms} ms",
            Text(_remarks(bracket), "dim"),
        )
    return table


def _remarks(bracket: BracketView) -> str:
    claimed = "  claimed" if bracket.claimed else ""
    return bracket.signal_id + claimed + (f"  closing: {bracket.closing}" if bracket.closing else "")


def leg_words(price: object, status: str) -> Text:
    """A protective order: its price, and in green that it is live."""
    if price is None:
        return Text("none", "dim")
    if status == "NEW":
        return Text.assemble(f"{price} ", ("live", "green"))
    return Text.assemble(f"{price} ", (status.lower() or "not sent", "yellow"))


def _books_in_words(books: ExchangeBooks) -> Iterator[Text]:
    ours = sum(1 for row in books.open_orders if row["ours"])
    others = len(books.open_orders) - ours
    yield Text.assemble(
        "exchange ",
        f"positions {len(books.positions)}, our orders {ours}, others' orders {others}, ",
        f"{amount(books.balance_usdt)} USDT",
        (f"  weight {books.used_weight_1m}/{books.weight_limit_1m}", "dim"),
    )
    for position in books.positions:
        if not position.ours:
            text = f"{position.symbol} {amount(position.amount)}: not opened here, left alone"
            yield marked(WARNING, text)
