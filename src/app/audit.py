"""`bracketeer audit …`: prove the audit log, replay it, and read it. Neither changes anything or needs the exchange."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ..core.errors import BracketeerError
from .console import BAD, EXIT_FAILED, GOOD, marked, speaking
from .options import JsonFlag, Venue

if TYPE_CHECKING:
    from ..core.audit_chain import AuditLine
    from ..core.audit_verify import VerifyReport
    from ..core.snapshot import Snapshot

SHOWN_DEFAULT: Final = 50
WIDE: Final = 120
"""Columns of a terminal that has room for the signal ids."""
_CLOCK_PART: Final = slice(11, 23)  # of an ISO time stamp: hours to milliseconds

audit_app = typer.Typer(name="audit", help="Prove, replay and read the audit log.", no_args_is_help=True)

LogPath = Annotated[
    Path | None,
    typer.Argument(metavar="[PATH]", help="A log folder or one of its files; default: AUDIT_LOG_DIR, else logs/audit."),
]


@audit_app.command("verify")
def verify_log(path: LogPath = None, as_json: JsonFlag = False) -> None:
    """Check every line against the hash chain, and name each place where it does not hold.

    With AUDIT_HMAC_KEY the signatures too. Exits with 1 if anything was changed, removed, added or swapped.
    """
    with speaking(as_json=as_json) as output:
        from ..core.audit_verify import verify

        source, key = _existing(path), _key()
        try:
            report = verify(source, hmac_key=key)
        except OSError as error:
            raise _unreadable(source, error) from error
        if as_json:
            output.document({"path": str(source), "keyed": key is not None, **msgspec.to_builtins(report)})
        output.show(*verdict(source, report, keyed=key is not None))
        if not report.ok:
            raise typer.Exit(EXIT_FAILED)


@audit_app.command("show")
def show_log(
    path: LogPath = None,
    symbol: Annotated[str | None, typer.Option("--symbol", metavar="S", help="Only lines about this symbol.")] = None,
    signal_id: Annotated[
        str | None, typer.Option("--signal-id", metavar="ID", help="Only lines about this signal.")
    ] = None,
    event: Annotated[
        str | None, typer.Option("--event", metavar="E", help="Only this event type, such as fill or alert.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=0, help=f"The last N lines; 0 for all. Default: {SHOWN_DEFAULT}, with --json all."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Read the log: one line for each thing that happened or was asked for, the newest last.

    With --json the lines are given as they were written.
    """
    with speaking(as_json=as_json) as output:
        from ..core.audit_files import iter_lines

        source = _existing(path)
        wanted = (0 if as_json else SHOWN_DEFAULT) if limit is None else limit
        try:
            lines = iter_lines(source, symbol=symbol, signal_id=signal_id, event_type=event)
            shown, left_out = _last(lines, wanted)
        except OSError as error:
            raise _unreadable(source, error) from error
        if as_json:
            for line in shown:
                output.document(_flat(line))
            return
        output.show(lines_table(shown, with_signals=signal_id is None and output.console.width >= WIDE))
        if left_out:
            output.note(f"[dim]{left_out} earlier lines not shown: --limit 0 shows all[/dim]")
        elif not shown:
            output.note("[dim]no such lines[/dim]")


@audit_app.command("replay")
def replay_the_log(
    path: LogPath = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="FILE",
            help="Compare with a snapshot of the manager too (`manager.snapshot()`).",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Take every decision again from the events alone; compare commands and states with those on record, to the bit.

    Exits with 1 if anything differs, and if the chain is not intact, as a replay would prove nothing then.
    """
    with speaking(as_json=as_json) as output:
        from ..core.audit_replay import replay_log
        from .audit_replay import in_words

        source = _existing(path)
        snapshot = None if against is None else _snapshot(against)
        try:
            report = replay_log(source, hmac_key=_key(), against=snapshot)
        except OSError as error:
            raise _unreadable(source, error) from error
        if as_json:
            output.document({"path": str(source), **msgspec.to_builtins(report)})
        output.show(*in_words(source, report))
        if not report.ok:
            raise typer.Exit(EXIT_FAILED)


def verdict(source: Path, report: VerifyReport, *, keyed: bool = False) -> list[Text | Table]:
    """What a verification found, in words."""
    read = f"{report.lines} lines in {report.files} {'file' if report.files == 1 else 'files'}"
    if report.ok:
        head = f"intact up to line {report.head_seq} ({report.head_hash[:16]}…)"
        signed = ", signed with the key" if keyed else ""
        return [marked(GOOD, (str(source), "bold"), f": {read}, chain {head}{signed}")]
    findings = len(report.problems)
    table = Table.grid(padding=(0, 2))
    for problem in report.problems:
        table.add_row(f"  {problem.file} line {problem.line_number}", Text(problem.code, "bold red"), problem.text)
    count = "1 finding" if findings == 1 else f"{findings} findings"
    return [marked(BAD, (str(source), "bold"), f": {count} in {read}"), table]


def lines_table(lines: Iterable[AuditLine], *, with_signals: bool) -> Table:
    """Log lines as a table. Days are shown as lines of their own, so that times stay short."""
    from .audit_text import in_words, style_of

    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    table.add_column("seq", justify="right", style="dim")
    for name in ("time (UTC)", "event", "symbol"):
        table.add_column(name, no_wrap=True)
    table.add_column("what", overflow="fold")
    if with_signals:
        table.add_column("signal", style="dim", no_wrap=True, max_width=24)
    day = ""
    for line in lines:
        if line.timestamp[:10] != day:
            day = line.timestamp[:10]
            table.add_row("", Text(day, "dim"))
        cells: list[RenderableType] = [Text(line.event_type, style_of(line)), line.symbol or "", Text(in_words(line))]
        if with_signals:
            cells.append(Text(line.signal_id or ""))
        table.add_row(str(line.seq), line.timestamp[_CLOCK_PART], *cells)
    return table


def _last(lines: Iterable[AuditLine], wanted: int) -> tuple[Iterable[AuditLine], int]:
    """The last `wanted` lines (0: all, unread so far), and how many came before them."""
    if wanted == 0:
        return list(lines), 0
    kept: deque[AuditLine] = deque(maxlen=wanted)
    count = 0
    for line in lines:
        kept.append(line)
        count += 1
    return kept, count - len(kept)


def _flat(line: AuditLine) -> dict[str, object]:
    """The line's members in the order they were written."""
    members: dict[str, object] = msgspec.to_builtins(line)
    fields = members.pop("fields")
    chain = {name: members.pop(name) for name in ("prev_hash", "hash")}
    return {**members, **fields, **chain}  # type: ignore[dict-item]


def _snapshot(file: Path) -> Snapshot:
    from ..core.snapshot import Snapshot, SnapshotError

    try:
        return Snapshot.from_json(file.read_bytes())
    except OSError as error:
        raise SnapshotError(f"the snapshot cannot be read: {error.strerror or error}", file=file) from error


def _key() -> bytes | None:
    from ..execution.credentials import load_audit_key

    key = load_audit_key()
    return None if key is None else key.encode()


def _existing(path: Path | None) -> Path:
    source = path if path is not None else Path(Venue().settings().audit_log_dir)
    if not source.exists():
        raise BracketeerError(
            "there is no audit log here: name its folder, or set AUDIT_LOG_DIR", code="no_audit_log", path=source
        )
    return source


def _unreadable(source: Path, error: OSError) -> BracketeerError:
    return BracketeerError(
        f"the audit log cannot be read: {error.strerror or error}", code="audit_unreadable", path=source
    )
