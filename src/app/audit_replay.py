"""`bracketeer audit replay` in words: what was compared, and where it is not the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.table import Table
from rich.text import Text

from .. import __version__
from ..core.audit_replay import Finding, ReplayReport
from .console import BAD, GOOD, WARNING, counted, marked

DIFFERENCES_SHOWN: Final = 10
"""Fields of a finding; `--json` has more."""
_VALUE_LENGTH_MAX: Final = 100


def in_words(source: Path, report: ReplayReport) -> Iterator[Text | Table]:
    """The whole report for a terminal."""
    read = f"lines {report.first_seq} to {report.last_seq} in {counted(report.files, 'file')} replayed"
    if report.ok:
        yield marked(GOOD, (str(source), "bold"), f": {read}, the same to the bit")
    else:
        yield marked(BAD, (str(source), "bold"), f": {counted(report.findings_total, 'difference')}, {read}")
    yield _compared(report)
    others = [version for version in report.versions if version != __version__]
    if others:
        words = f"decided anew by version {__version__}, written by {', '.join(others)}"
        yield marked(WARNING, words if report.ok else f"{words}: what differs may be a change of the code")
    for finding in report.findings[:1]:
        yield from _in_detail(finding)
    if report.findings_total > 1:
        yield _the_others(report.findings[1:])


def _compared(report: ReplayReport) -> Table:
    table = Table.grid(padding=(0, 2))
    states = report.checkpoints + report.run_ends + report.snapshots
    kinds = (
        counted(report.checkpoints, "checkpoint"),
        counted(report.run_ends, "end of a run", "ends of runs"),
        counted(report.snapshots, "snapshot"),
    )
    table.add_row("  decisions", f"{counted(report.events, 'event')} led to {counted(report.decisions, 'command')}")
    table.add_row("  states", f"{states} compared: {', '.join(kinds)}")
    table.add_row("  the end", f"{counted(report.open_brackets, 'bracket')} open, state {report.fingerprint[:16]}…")
    if report.cut_off:
        table.add_row("  cut off", f"{counted(report.cut_off, 'command')} the process did not live to write down")
    if report.skipped:
        table.add_row("  skipped", f"{counted(report.skipped, 'line')} before the first state on record")
    return table


def _in_detail(finding: Finding) -> Iterator[Text | Table]:
    yield Text.assemble(
        f"  {finding.file} line {finding.line_number}  ", (finding.code, "bold red"), f"  {finding.text}"
    )
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("    field", "on record", "replayed"):
        table.add_column(name, overflow="fold")
    for difference in finding.differences[:DIFFERENCES_SHOWN]:
        path = " → ".join(str(part) for part in difference.path)
        table.add_row(f"    {path}", _shown(difference.recorded), _shown(difference.replayed))
    yield table
    hidden = len(finding.differences) - DIFFERENCES_SHOWN
    if hidden > 0:
        yield Text(f"    and {counted(hidden, 'more field')}: --json shows them", "dim")


def _the_others(findings: tuple[Finding, ...]) -> Table:
    table = Table.grid(padding=(0, 2))
    for finding in findings[:DIFFERENCES_SHOWN]:
        table.add_row(f"  {finding.file} line {finding.line_number}", Text(finding.code, "bold red"), finding.text)
    return table


def _shown(value: Any) -> Text:
    if value is msgspec.UNSET:
        return Text("absent", "dim")
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return Text(text if len(text) <= _VALUE_LENGTH_MAX else text[: _VALUE_LENGTH_MAX - 1] + "…")
