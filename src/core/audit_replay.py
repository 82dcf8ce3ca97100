"""Replaying an audit log: every decision is taken again from the events alone, every state on record is compared.

`rebuild` (in `journal`) trusts the newest checkpoint, as a start must be quick. Here nothing is trusted but the first:
what the events lead to has to be what the log says, to the bit: each command, the state each file begins with, the
fingerprint each run left behind, and a snapshot of the running manager where one is given.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from .audit_chain import AuditLine, encode_state, parse
from .audit_files import log_files, raw_lines
from .audit_verify import verify
from .engine import step
from .errors import AuditError
from .events import EngineStarted
from .journal import RUN_ENDED, JournalLine, command_line, read_event
from .snapshot import Snapshot, SnapshotError
from .state import State
from .state_diff import Difference, differences

__all__ = ["Finding", "ReplayReport", "replay_log"]

FINDINGS_MAX: Final = 100  # of a log that another version decides differently from end to end
T = TypeVar("T")
_HEADER = ("event_type", "operation", "symbol", "signal_id", "client_order_id")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One place where the replay is not what the log says. `seq` is the line's number in the log, `line_number` that in
    `file`, from 1.

    Codes: `decision_differs` (another command than the one on record), `decision_missing` (the replay commands what is
    not on record), `decision_added` (on record is what the replay does not command), `state_differs`.
    """

    file: str
    line_number: int
    seq: int
    code: str
    text: str
    differences: tuple[Difference, ...] = ()


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was replayed, and every place where it is not the same (the first `FINDINGS_MAX`; `findings_total` are all).

    `checkpoints`, `run_ends`, `snapshots` count the states compared. `skipped` lines stood before the first state;
    `cut_off` commands are those a process did not get to write down before it died (or has not yet: a writer at work).
    """

    ok: bool
    files: int
    first_seq: int
    last_seq: int
    events: int
    decisions: int
    checkpoints: int
    run_ends: int
    snapshots: int
    cut_off: int
    skipped: int
    versions: tuple[str, ...]
    fingerprint: str
    open_brackets: int
    findings_total: int
    findings: tuple[Finding, ...]


class _Place(NamedTuple):
    file: str
    number: int


def replay_log(source: Path | str, *, hmac_key: bytes | None = None, against: Snapshot | None = None) -> ReplayReport:
    """Replay a log folder, or one file on its own, from its first state on. Changes nothing; may run beside a writer.

    Raises:
        AuditError: `audit_damaged`, the chain is broken, so there is nothing to replay; `audit_not_replayable`, a line
            cannot be read by this version, or no line holds a state to begin with.
        SnapshotError: `against` is of another log, or of a line that is not in this one.
        OSError: the path cannot be read.
    """
    path = Path(source)
    _require_intact(path, hmac_key)
    files = log_files(path) if path.is_dir() else [path]
    replayer = _Replayer(against)
    for file in files:
        for number, raw in enumerate(raw_lines(file), start=1):
            if raw.endswith(b"\n"):  # else its writer is at it now, or died: it counts as not there
                replayer.take(_Place(file.name, number), parse(raw[:-1])[0])
    return replayer.report(len(files))


def _require_intact(path: Path, hmac_key: bytes | None) -> None:
    broken = [problem for problem in verify(path, hmac_key=hmac_key).problems if problem.code != "torn_tail"]
    if broken:
        first = broken[0]
        raise AuditError(
            f"the audit log is not intact, so a replay would prove nothing: {first.text};"
            " `bracketeer audit verify` names every place",
            code="audit_damaged",
            file=first.file,
            line=first.line_number,
            problem=first.code,
        )


class _Replayer:
    """Takes the lines in order. After a difference it goes on from what the log says: one cause is one finding."""

    def __init__(self, against: Snapshot | None) -> None:
        self._against = against
        self._state: State | None = None
        self._expected: deque[JournalLine] = deque()  # what the last event led to and the log has yet to show
        self._cause = 0  # the line of that event
        self._found_at = 0  # the last event that was found to differ
        self._counts = dict.fromkeys(
            ("events", "decisions", "checkpoints", "run_ends", "snapshots", "cut_off", "skipped", "findings"), 0
        )
        self._first_seq = self._last_seq = 0
        self._versions: dict[str, None] = {}
        self._findings: list[Finding] = []

    def take(self, place: _Place, line: AuditLine) -> None:
        """The next line."""
        self._last_seq = line.seq
        stated = line.fields.get("state") if line.record == "checkpoint" else None
        if self._state is None and stated is None and line.seq > 1:
            self._counts["skipped"] += 1
        elif self._state is None:
            self._first_seq = line.seq
            self._state = State() if stated is None else self._read_state(line, stated)
        elif line.record == "event":
            self._event(place, line, self._state)
        elif line.record == "command":
            self._command(place, line)
        elif stated is not None:
            self._checkpoint(place, line, stated, self._state)
        elif line.record == "note" and line.event_type == RUN_ENDED:
            self._run_end(place, line, self._state)
        if self._against is not None and line.seq == self._against.seq:
            self._snapshot(place, line, self._against)

    def report(self, files: int) -> ReplayReport:
        """What was found, after the last line."""
        if self._state is None:
            raise AuditError(
                "no line holds a state to begin with: replay the whole folder, or the file before it as well",
                code="audit_not_replayable",
            )
        if self._against is not None and not self._counts["snapshots"]:
            raise SnapshotError(
                f"the snapshot is of line {self._against.seq}, but the lines replayed are {self._first_seq} to"
                f" {self._last_seq}",
                code="snapshot_out_of_reach",
                seq=self._against.seq,
            )
        self._counts["cut_off"] += len(self._expected)
        total = self._counts.pop("findings")
        return ReplayReport(
            ok=total == 0,
            files=files,
            first_seq=self._first_seq,
            last_seq=self._last_seq,
            versions=tuple(self._versions),
            fingerprint=self._state.fingerprint(),
            open_brackets=len(self._state.brackets),
            findings_total=total,
            findings=tuple(self._findings),
            **self._counts,
        )

    def _event(self, place: _Place, line: AuditLine, state: State) -> None:
        event = _readable(line, lambda: read_event(line))
        if isinstance(event, EngineStarted):
            # The process before it died between an event and its last command; what it did not write it did not do. A
            # checkpoint of the new one, or the end of a start that failed, may stand in between.
            self._counts["cut_off"] += len(self._expected)
            self._expected.clear()
            self._versions[event.version] = None
        self._expect_nothing(place, line)
        self._counts["events"] += 1
        commands = _readable(line, lambda: step(state, event))
        self._expected.extend(command_line(command) for command in commands)
        self._cause = line.seq

    def _command(self, place: _Place, line: AuditLine) -> None:
        self._counts["decisions"] += 1
        recorded = _members(line)
        if not self._expected:
            text = f"the replay of line {self._cause} does not lead to this command"
            self._find(place, line, "decision_added", text, differences(recorded, {}))
            return
        replayed = _members(self._expected.popleft())
        if encode_state(recorded) != encode_state(replayed):
            text = f"the replay of line {self._cause} leads to another command"
            self._find(place, line, "decision_differs", text, differences(recorded, _as_json(replayed)))

    def _expect_nothing(self, place: _Place, line: AuditLine) -> None:
        if self._expected:
            text = f"the replay of line {self._cause} leads to {len(self._expected)} more than is on record before here"
            self._find(place, line, "decision_missing", text, differences({}, _as_json(_members(self._expected[0]))))
            self._expected.clear()

    def _checkpoint(self, place: _Place, line: AuditLine, stated: Any, state: State) -> None:
        self._counts["checkpoints"] += 1
        if encode_state(stated) != encode_state(state):
            text = "the file begins with another state than all before it leads to"
            self._find(place, line, "state_differs", text, differences(stated, _as_json(state)))
            self._state = self._read_state(line, stated)

    def _run_end(self, place: _Place, line: AuditLine, state: State) -> None:
        self._counts["run_ends"] += 1
        stated: str = _readable(line, lambda: line.fields["data"]["fingerprint"])
        own = state.fingerprint()
        if stated != own:
            text = "the run that ended here had another state in memory"
            found = Difference(path=("fingerprint",), recorded=stated, replayed=own)
            self._find(place, line, "state_differs", text, (found,))

    def _snapshot(self, place: _Place, line: AuditLine, snapshot: Snapshot) -> None:
        if line.hash != snapshot.hash:
            raise SnapshotError(
                "the snapshot is of another log: the line it names has another hash here",
                code="snapshot_of_another_log",
                seq=line.seq,
            )
        if self._state is None:
            return  # before the first state: out of reach, as the end says
        self._counts["snapshots"] += 1
        if encode_state(snapshot.state) != encode_state(self._state):
            text = "the manager had another state in memory when the snapshot was taken"
            self._find(place, line, "state_differs", text, differences(_as_json(snapshot.state), _as_json(self._state)))

    def _read_state(self, line: AuditLine, stated: Any) -> State:
        return _readable(line, lambda: msgspec.convert(stated, type=State))

    def _find(self, place: _Place, line: AuditLine, code: str, text: str, found: tuple[Difference, ...]) -> None:
        """Keep a finding; of an event's commands the first that differs says it, the others follow from it."""
        if code.startswith("decision"):
            if self._found_at == self._cause:
                return
            self._found_at = self._cause
        self._counts["findings"] += 1
        if len(self._findings) < FINDINGS_MAX:
            self._findings.append(
                Finding(
                    file=place.file, line_number=place.number, seq=line.seq, code=code, text=text, differences=found
                )
            )


def _members(line: AuditLine | JournalLine) -> dict[str, Any]:
    """What a line says: all but its place in the log and the time it was written."""
    return {**{name: getattr(line, name) for name in _HEADER}, **line.fields}


def _as_json(value: Any) -> Any:
    return msgspec.json.decode(encode_state(value))


def _readable(line: AuditLine, work: Callable[[], T]) -> T:
    try:
        return work()
    except Exception as error:  # another version's line can fail in any way
        raise AuditError(
            f"line {line.seq} cannot be replayed by this version: {type(error).__name__}: {error}",
            code="audit_not_replayable",
            seq=line.seq,
        ) from error
