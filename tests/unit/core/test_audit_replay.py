"""Replaying a log: the same to the bit, or the place and the fields where it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bracketeer.core.audit_files import iter_lines, log_files
from bracketeer.core.audit_logger import AuditLogger
from bracketeer.core.audit_replay import FINDINGS_MAX, Finding, ReplayReport, replay_log
from bracketeer.core.commands import SubmitOrder
from bracketeer.core.engine import step
from bracketeer.core.errors import AuditError
from bracketeer.core.events import AnyEvent
from bracketeer.core.journal import RUN_ENDED, JournalLine, command_line, event_line
from bracketeer.core.snapshot import Snapshot, SnapshotError
from bracketeer.core.state import State
from bracketeer.core.values import exact
from tests.support.stories import E0, P0, S0, Story
from tests.unit.core.audit_kit import DAY_US, Clock
from tests.unit.core.test_journal import long_story

Alter = Callable[[list[JournalLine]], Iterable[JournalLine]]
HMAC_KEY = b"a-key-that-nobody-knows"


class Scribe:
    """Writes events and their commands as the driver does; `alter` stands for code that decides otherwise."""

    def __init__(self, folder: Path, *, alter: Alter = lambda lines: lines, **options: Any) -> None:
        self.state = State()
        self.clock = Clock()
        self._alter = alter
        self.log = AuditLogger(folder, now_us=self.clock, checkpoint_state=lambda: self.state, **options)
        self.log.open()

    def write(self, events: Iterable[AnyEvent]) -> None:
        """Step and append."""
        for event in events:
            self.log.rotate_if_due()
            commands = step(self.state, event)
            lines = [event_line(self.state, event), *(command_line(command) for command in commands)]
            for line in self._alter(lines):
                self.append(line)

    def append(self, line: JournalLine) -> None:
        """One line as it is."""
        self.log.append(
            line.record,
            line.event_type,
            operation=line.operation,
            symbol=line.symbol,
            signal_id=line.signal_id,
            client_order_id=line.client_order_id,
            fields=line.fields,
        )

    def end(self, fingerprint: str = "") -> None:
        """A tidy end."""
        self.log.log_event(RUN_ENDED, "stop", data={"fingerprint": fingerprint or self.state.fingerprint()})
        self.log.close()


def _written(folder: Path, events: Iterable[AnyEvent], **options: Any) -> Scribe:
    scribe = Scribe(folder, **options)
    scribe.write(events)
    scribe.end()
    return scribe


def _only(report: ReplayReport) -> Finding:
    assert not report.ok
    (finding,) = report.findings
    assert report.findings_total == 1
    return finding


def test_replays_a_log_to_the_same_bits(tmp_path: Path) -> None:
    """Every command, every file's beginning and the run's end are what the events lead to."""
    story = long_story()
    scribe = _written(tmp_path, story.events, max_bytes=2000)
    files = log_files(tmp_path)
    report = replay_log(tmp_path)
    assert report.ok
    assert report.findings == ()
    assert (report.events, report.decisions) == (len(story.events), len(story.log))
    assert (report.files, report.checkpoints, report.run_ends) == (len(files), len(files) - 1, 1)
    assert len(files) > 5
    assert report.fingerprint == scribe.state.fingerprint() == story.state.fingerprint()
    assert report.versions == ("1",)


def test_replays_each_file_on_its_own(tmp_path: Path) -> None:
    """A file begins with the state that replay needs."""
    _written(tmp_path, long_story().events, max_bytes=2000)
    reports = [replay_log(file) for file in log_files(tmp_path)]
    assert all(report.ok for report in reports)
    assert [report.checkpoints for report in reports] == [0] * len(reports)
    assert sum(report.events for report in reports) == len(long_story().events)


def test_lines_before_the_first_state_are_skipped_and_counted(tmp_path: Path) -> None:
    """A file begun amid a step has no state: what it holds cannot be decided anew, and that is said."""
    story = Story().protected()

    def midnight(lines: list[JournalLine]) -> Iterable[JournalLine]:
        yield lines[0]
        if lines[0].event_type == "signal_received":
            scribe.clock.now_us += DAY_US
        yield from lines[1:]

    scribe = Scribe(tmp_path, alter=midnight)
    scribe.write(story.events)
    scribe.end()
    files = log_files(tmp_path)
    assert len(files) == 3, "before, amid the step, and from the next step on"
    assert replay_log(tmp_path).ok, "the whole folder has the state of before"
    files[0].unlink()
    report = replay_log(tmp_path / files[2].name)
    assert (report.ok, report.skipped) == (True, 0)
    with pytest.raises(AuditError, match="no line holds a state") as caught:
        replay_log(tmp_path / files[1].name)
    assert caught.value.code == "audit_not_replayable"


def _dearer(lines: list[JournalLine]) -> Iterable[JournalLine]:
    """A version of the code that sends the stop with another trigger."""
    for line in lines:
        command = line.fields.get("order_data")
        if isinstance(command, SubmitOrder) and command.intent.client_order_id == S0:
            intent = replace(command.intent, trigger_price=exact("57999.9"))
            yield line._replace(fields={**line.fields, "order_data": replace(command, intent=intent)})
        else:
            yield line


def test_names_the_first_decision_that_differs(tmp_path: Path) -> None:
    """The line, and the field with both values. What follows in the same step is the same finding."""
    _written(tmp_path, Story().protected().events, alter=_dearer)
    finding = _only(replay_log(tmp_path))
    (line,) = [line for line in iter_lines(tmp_path, client_order_id=S0) if line.event_type == "order_intent"]
    assert (finding.code, finding.seq, finding.line_number) == ("decision_differs", line.seq, line.seq)
    (difference,) = finding.differences
    assert difference.path == ("order_data", "intent", "trigger_price")
    assert (difference.recorded, difference.replayed) == ("57999.9", "58000")


def test_names_a_decision_that_is_not_on_record(tmp_path: Path) -> None:
    """The replay commands more than was written."""

    def forgetful(lines: list[JournalLine]) -> Iterable[JournalLine]:
        return lines[:1] if lines[0].event_type == "fill" else lines

    _written(tmp_path, Story().protected().events, alter=forgetful)
    finding = _only(replay_log(tmp_path))
    assert finding.code == "decision_missing"
    assert "leads to 2 more" in finding.text
    fields = {difference.path: difference.replayed for difference in finding.differences}
    assert fields["client_order_id",] == S0


def test_names_a_decision_that_nothing_led_to(tmp_path: Path) -> None:
    """On record is what the replay does not command: an entry sent twice, say."""

    def twice(lines: list[JournalLine]) -> Iterable[JournalLine]:
        for line in lines:
            yield line
            if line.event_type == "order_intent" and line.client_order_id == E0:
                yield line

    _written(tmp_path, Story().protected().events, alter=twice)
    finding = _only(replay_log(tmp_path))
    assert finding.code == "decision_added"
    fields = {difference.path: difference.recorded for difference in finding.differences}
    assert fields["client_order_id",] == E0


@pytest.mark.parametrize("between", ["nothing", "a start that failed", "midnight"])
def test_commands_that_a_killed_process_did_not_write_are_no_difference(tmp_path: Path, between: str) -> None:
    """Killed between an event and its last command: what it did not write it did not do, whatever the next one does."""
    story = Story()
    story.signal()
    scribe = Scribe(tmp_path, alter=lambda lines: lines[:1] if lines[0].event_type == "signal_received" else lines)
    scribe.write(story.events)
    story.restart()
    scribe.state = State()
    scribe.log.close()

    second = Scribe(tmp_path)
    for event in story.events[:-1]:
        step(second.state, event)
    if between == "a start that failed":
        second.log.log_event(RUN_ENDED, "stop", data={"fingerprint": second.state.fingerprint()})
    if between == "midnight":
        second.clock.now_us += DAY_US
    second.write(story.events[-1:])
    second.log.close()
    report = replay_log(tmp_path)
    assert report.ok
    assert report.cut_off == 1
    assert report.open_brackets == 1


def test_a_line_half_written_counts_as_not_there(tmp_path: Path) -> None:
    """A manager may be at work meanwhile."""
    scribe = _written(tmp_path, Story().protected().events)
    (file,) = log_files(tmp_path)
    with file.open("ab") as log:
        log.write(b'{"seq":9')
    report = replay_log(tmp_path)
    assert report.ok
    assert report.fingerprint == scribe.state.fingerprint()


def test_names_the_fields_of_a_state_that_differs(tmp_path: Path) -> None:
    """The state a file begins with is compared, and the replay goes on from it: one cause, one finding."""
    story = Story().protected()
    scribe = Scribe(tmp_path, max_bytes=20_000)
    scribe.write(story.events)
    scribe.state.anomalies += 7
    scribe.clock.now_us += DAY_US
    story.tick(1)
    scribe.write(story.events[-1:])
    scribe.end()
    finding = _only(replay_log(tmp_path))
    assert (finding.code, finding.line_number) == ("state_differs", 1)
    assert finding.file == log_files(tmp_path)[-1].name
    (difference,) = finding.differences
    assert (difference.path, difference.recorded, difference.replayed) == (("anomalies",), 7, 0)


def test_names_a_run_that_ended_with_another_state(tmp_path: Path) -> None:
    """Only the fingerprint of that run is on record: it says that they differ, not in what."""
    scribe = Scribe(tmp_path)
    scribe.write(Story().protected().events)
    scribe.end("0" * 64)
    finding = _only(replay_log(tmp_path))
    assert finding.code == "state_differs"
    assert finding.differences[0].recorded == "0" * 64


def test_counts_all_findings_and_lists_the_first(tmp_path: Path) -> None:
    """A log that another version decides differently from end to end does not fill the memory."""
    story = Story().protected()
    for _ in range(FINDINGS_MAX + 20):
        story.tick(60_000)
        story.snapshot("1", [S0, P0])

    def otherwise(lines: list[JournalLine]) -> Iterable[JournalLine]:
        return [lines[0], *(line._replace(symbol="OTHER") for line in lines[1:])]

    _written(tmp_path, story.events, alter=otherwise)
    report = replay_log(tmp_path)
    assert len(report.findings) == FINDINGS_MAX
    assert report.findings_total > FINDINGS_MAX


def test_a_snapshot_of_the_running_manager_is_compared_at_its_line(tmp_path: Path) -> None:
    """The same to the bit; or every field that is not."""
    story = Story().protected()
    scribe = Scribe(tmp_path)
    scribe.write(story.events)
    snapshot = Snapshot.of(scribe.log.head, scribe.state.copy())
    story.tick(60_000)
    scribe.write(story.events[-1:])
    scribe.end()
    read = Snapshot.from_json(snapshot.to_json())
    assert replay_log(tmp_path, against=read).snapshots == 1
    assert replay_log(tmp_path, against=read).ok

    other = snapshot.state.copy()
    del other.algos[S0]
    finding = _only(replay_log(tmp_path, against=replace(snapshot, state=other)))
    assert (finding.code, finding.seq) == ("state_differs", snapshot.seq)
    assert [difference.path for difference in finding.differences] == [("algos", S0)]


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"seq": 10_000}, "snapshot_out_of_reach"), ({"hash": "f" * 64}, "snapshot_of_another_log")],
)
def test_a_snapshot_of_elsewhere_is_refused(tmp_path: Path, changes: dict[str, Any], code: str) -> None:
    """It would prove nothing, whatever it says."""
    scribe = Scribe(tmp_path)
    scribe.write(Story().protected().events)
    snapshot = Snapshot.of(scribe.log.head, scribe.state.copy())
    scribe.log.close()
    with pytest.raises(SnapshotError) as caught:
        replay_log(tmp_path, against=replace(snapshot, **changes))
    assert caught.value.code == code


def test_a_broken_chain_is_not_replayed(tmp_path: Path) -> None:
    """Whatever came out of it would prove nothing; the place is named."""
    _written(tmp_path, Story().protected().events)
    (file,) = log_files(tmp_path)
    file.write_bytes(file.read_bytes().replace(b'"BUY"', b'"SEL"', 1))
    with pytest.raises(AuditError) as caught:
        replay_log(tmp_path)
    assert caught.value.code == "audit_damaged"
    assert caught.value.context["problem"] == "hash_mismatch"


def test_a_keyed_log_is_checked_with_its_key(tmp_path: Path) -> None:
    """With another key the log may be somebody else's."""
    _written(tmp_path, Story().protected().events, hmac_key=HMAC_KEY)
    assert replay_log(tmp_path, hmac_key=HMAC_KEY).ok
    with pytest.raises(AuditError) as caught:
        replay_log(tmp_path, hmac_key=b"another")
    assert caught.value.context["problem"] == "hmac_mismatch"


@pytest.mark.parametrize("fields", [{"data": {"event": "nobody_knows"}}, {}])
def test_a_line_of_another_version_is_named(tmp_path: Path, fields: dict[str, Any]) -> None:
    """What cannot be read is said with its number, not skipped."""
    scribe = Scribe(tmp_path)
    scribe.append(JournalLine("event", "unheard_of", "unheard_of", None, None, None, fields))
    scribe.log.close()
    with pytest.raises(AuditError, match="line 2 cannot be replayed") as caught:
        replay_log(tmp_path)
    assert caught.value.code == "audit_not_replayable"
