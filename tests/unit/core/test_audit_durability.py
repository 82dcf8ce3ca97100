"""The journal on a failing disk: nothing lost, nothing doubled, nothing torn, nothing claimed that is not so."""

import errno
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bracketeer.core import audit_logger, audit_writer
from bracketeer.core.audit_files import AnchorFile, read_anchor
from bracketeer.core.audit_logger import verify
from bracketeer.core.errors import AuditError, JournalError, JournalUnavailable
from tests.support.profiles import examples
from tests.unit.core.audit_kit import DAY_US, Clock, Disk, event_types, files_of, journal, numbers


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_wait_syncs_once_and_not_again(tmp_path: Path, disk: Disk) -> None:
    """A line that is durable already costs no sync; an append alone never syncs."""
    with journal(tmp_path) as log:
        before = disk.syncs
        first, second = (log.append("command", "submit", fields={"n": n}) for n in range(2))
        assert disk.syncs == before
        log.wait_durable(second)
        log.wait_durable(first)
        assert disk.syncs == before + 1
        anchor = read_anchor(tmp_path)
        assert anchor is not None
        assert anchor.seq == second


def test_always_syncs_after_each_append(tmp_path: Path, disk: Disk) -> None:
    """`AUDIT_FSYNC=always`."""
    with journal(tmp_path, fsync="always") as log:
        before = disk.syncs
        log.append("note", "x")
        log.append("note", "x")
        assert disk.syncs == before + 2


def test_never_syncs_only_at_both_ends(tmp_path: Path, disk: Disk) -> None:
    """`AUDIT_FSYNC=never`: waiting asks for the write only; closing makes all durable and moves the anchor."""
    clock = Clock()
    with journal(tmp_path, clock, fsync="never", checkpoint_state=dict) as log:
        before = disk.syncs
        log.wait_durable(log.append("command", "x", fields={"n": 0}))
        clock.now_us += DAY_US
        log.rotate_if_due()
        log.wait_durable(log.append("command", "x", fields={"n": 1}))
        assert disk.syncs == before
        disk.room = 0
        with pytest.raises(JournalUnavailable):
            log.wait_durable(log.append("command", "x", fields={"n": 2}))
        disk.heal()
        log.wait_durable(log.last_seq)
        head = log.last_seq
    anchor = read_anchor(tmp_path)
    assert anchor is not None
    assert anchor.seq == head
    assert numbers(tmp_path) == [0, 1, 2]
    assert verify(tmp_path).ok


def test_threads_waiting_together_share_syncs(tmp_path: Path, disk: Disk) -> None:
    """Group commit: those who come while one sync runs are all served by the next one."""
    with journal(tmp_path) as log:
        started, go_on = threading.Event(), threading.Event()
        before = disk.syncs

        def slow_first_sync() -> None:
            if disk.syncs == before + 1:
                started.set()
                go_on.wait(10)

        disk.on_sync = slow_first_sync
        waiters = [threading.Thread(target=log.wait_durable, args=(log.append("command", "x"),))]
        waiters[0].start()
        assert started.wait(10)
        # Appending goes on while the disk is busy: the engine never waits for a sync it did not ask for.
        waiters += [threading.Thread(target=log.wait_durable, args=(log.append("command", "x"),)) for _ in range(8)]
        for waiter in waiters[1:]:
            waiter.start()
        go_on.set()
        for waiter in waiters:
            waiter.join(10)
        assert disk.syncs == before + 2
        log.wait_durable(log.last_seq)
        assert disk.syncs == before + 2


def test_full_disk_raises_nothing_and_recovers_in_order(tmp_path: Path, disk: Disk) -> None:
    """Lines queue in memory, the state says so, and all reach the disk in order, followed by a note."""
    log = journal(tmp_path)
    log.open()
    disk.room = 0
    seqs = [log.append("command", "x", fields={"n": n}) for n in range(3)]
    assert (log.healthy, log.pending) == (False, 3)
    assert log.failure is not None
    assert "No space left" in log.failure
    with pytest.raises(JournalUnavailable, match=r"pending=3 .*No space left"):
        log.wait_durable(seqs[0])
    disk.heal()
    log.wait_durable(seqs[-1])
    assert log.healthy
    assert log.pending == 0
    log.close()
    assert event_types(tmp_path) == ["checkpoint", "x", "x", "x", "journal_recovered"]
    (note,) = audit_logger.iter_lines(tmp_path, event_type="journal_recovered")
    assert note.fields["data"]["lines_delayed"] == 3
    assert verify(tmp_path).ok


@pytest.mark.parametrize("room", [1, 50, 200])
def test_half_a_line_is_cut_off_again(tmp_path: Path, disk: Disk, room: int) -> None:
    """Space running out in the middle of a line leaves no torn piece in the file, not even for a moment after."""
    log = journal(tmp_path)
    log.open()
    file = tmp_path / files_of(tmp_path)[0]
    size = file.stat().st_size
    disk.room = room
    log.append("command", "x", fields={"n": 0})
    assert file.stat().st_size == size
    disk.heal()
    log.append("command", "x", fields={"n": 1})  # a later append is a retry too
    assert log.healthy
    log.close()
    assert numbers(tmp_path) == [0, 1]
    assert verify(tmp_path).ok


def test_piece_that_cannot_be_cut_off_is_overwritten(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a disk that refuses the cut as well ends with a whole file, for a line's place never changes."""
    log = journal(tmp_path)
    log.open()
    monkeypatch.setattr("bracketeer.core.audit_writer.os.ftruncate", _fail, raising=False)
    disk.room = 30
    log.append("command", "x", fields={"n": 0})
    disk.heal()
    log.append("command", "x", fields={"n": 1})
    log.close()
    assert numbers(tmp_path) == [0, 1]
    assert verify(tmp_path).ok


def test_disk_that_takes_nothing_is_a_failure(tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that reports success and zero bytes must not loop for ever."""
    log = journal(tmp_path)
    log.open()
    with monkeypatch.context() as patch:
        patch.setattr(disk, "_pwrite", lambda fd, data, offset: 0)
        log.append("command", "x")
        assert log.failure is not None
        assert "took nothing" in log.failure
    log.close()


def test_failed_sync_is_not_believed_the_second_time(tmp_path: Path, disk: Disk) -> None:
    """The kernel dropped the lines and would call a second sync a success: they are written again first."""
    with journal(tmp_path) as log:
        seqs = [log.append("command", "x", fields={"n": n}) for n in range(3)]
        disk.sync_works = False
        with pytest.raises(JournalUnavailable, match="Input/output error"):
            log.wait_durable(seqs[-1])
        assert (log.healthy, log.pending) == (False, 3)
        assert log.append("command", "x", fields={"n": 3}) == seqs[-1] + 1
        assert not log.healthy  # a write that works does not make the lost lines durable
        anchor = read_anchor(tmp_path)
        assert anchor is not None
        assert anchor.seq < seqs[0]
        disk.heal()
        assert log.retry()
    assert numbers(tmp_path) == [0, 1, 2, 3]
    assert event_types(tmp_path)[-1] == "journal_recovered"
    assert verify(tmp_path).ok


def test_failed_sync_of_a_file_left_behind_is_made_good(tmp_path: Path, disk: Disk) -> None:
    """A rotation between the failure and the repair: lines go back to the file they belong to."""
    clock = Clock()
    with journal(tmp_path, clock) as log:
        log.append("command", "x", fields={"n": 0})
        disk.sync_works = False
        assert not log.retry()
        clock.now_us += DAY_US
        log.append("command", "x", fields={"n": 1})
        assert not log.retry()
        disk.heal()
        assert log.retry()
    assert numbers(tmp_path) == [0, 1]
    assert len(files_of(tmp_path)) == 2
    assert verify(tmp_path).ok


def test_rotation_waits_for_a_working_disk(tmp_path: Path, disk: Disk) -> None:
    """A file that cannot be created is no reason to stop a step; a new day is entered all the same, in memory."""
    clock = Clock()
    log = journal(tmp_path, clock, checkpoint_state=dict, max_bytes=10)
    log.open()
    disk.room = 0
    log.append("command", "x", fields={"n": 0})
    assert not log.rotate_if_due()
    clock.now_us += DAY_US
    log.append("command", "x", fields={"n": 1})
    assert files_of(tmp_path) == ["audit-2026-11-21.jsonl"]
    disk.heal()
    assert log.retry()
    assert log.rotate_if_due()
    log.close()
    assert numbers(tmp_path) == [0, 1]
    assert verify(tmp_path).ok


def test_anchor_that_cannot_be_written_is_a_failure_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines are safe, so waiting succeeds; but the proof of their end is not, so it is not healthy."""
    with journal(tmp_path) as log:
        seq = log.append("command", "x")
        with monkeypatch.context() as patch:
            patch.setattr(AnchorFile, "write", _fail)
            log.wait_durable(seq)
            assert not log.healthy
        assert log.retry()
    assert verify(tmp_path).ok


def test_memory_of_unwritten_lines_is_bounded(tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit an append raises instead of dropping a line; what was accepted is kept."""
    monkeypatch.setattr(audit_writer.JournalWriter.__init__, "__kwdefaults__", {"keep": True, "held_max": 3})
    log = journal(tmp_path)
    log.open()
    disk.room = 0
    for n in range(3):
        log.append("command", "x", fields={"n": n})
    with pytest.raises(JournalError, match=r"journal_full: .*lines=3 .*No space left"):
        log.append("command", "x", fields={"n": 3})
    disk.heal()
    log.close()
    assert numbers(tmp_path) == [0, 1, 2]
    assert verify(tmp_path).ok


def test_lines_do_not_pile_up_where_nobody_waits(tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that never waits still gets a sync now and then, and the memory back."""
    monkeypatch.setattr(audit_logger, "_UNSYNCED_LINES_MAX", 8)
    with journal(tmp_path) as log:
        before = disk.syncs
        for _ in range(16):
            log.append("note", "x")
        assert disk.syncs == before + 2


def test_closing_with_lines_not_on_disk_says_so(tmp_path: Path, disk: Disk) -> None:
    """Nothing is lost silently; the folder is free again all the same."""
    log = journal(tmp_path)
    log.open()
    disk.room = 0
    log.append("command", "x")
    with pytest.raises(JournalUnavailable, match="pending=1"):
        log.close()
    disk.heal()
    with journal(tmp_path):
        pass


@pytest.mark.parametrize("fault", ["write", "sync"])
def test_full_disk_at_the_start_is_one_clear_error(tmp_path: Path, disk: Disk, fault: str) -> None:
    """A log that cannot be started is refused, and nothing keeps the folder locked."""
    disk.room, disk.sync_works = (0, True) if fault == "write" else (None, False)
    with pytest.raises(AuditError, match="set AUDIT_LOG_DIR") as refused:
        journal(tmp_path).open()
    assert refused.value.code == "audit_folder_unusable"
    disk.heal()
    for file in files_of(tmp_path):
        (tmp_path / file).unlink()
    with journal(tmp_path):
        pass


steps = st.lists(
    st.one_of(
        st.just("append"),
        st.just("append"),
        st.just("wait"),
        st.just("rotate"),
        st.just("midnight"),
        st.just("heal"),
        st.just("sync_fails"),
        st.integers(0, 900).map(lambda room: ("room", room)),
    ),
    max_size=40,
)


@examples(150)
@given(steps)
def test_any_faults_then_health_leaves_every_line_once(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, story: list[Any]
) -> None:
    """Whatever fails and when: what `wait_durable` confirmed is on disk then, and in the end all is, in order."""
    log_dir = tmp_path_factory.mktemp("log")
    clock = Clock()
    with monkeypatch.context() as patch:
        disk = Disk(patch)
        log = journal(log_dir, clock, max_bytes=1500, checkpoint_state=dict)
        log.open()
        appended = 0
        for step in story:
            match step:
                case "append":
                    log.append("event", "x", fields={"n": appended})
                    appended += 1
                case "wait":
                    try:
                        log.wait_durable(log.last_seq)
                    except JournalUnavailable:
                        assert not log.healthy
                    else:
                        assert numbers(log_dir) == list(range(appended))
                case "rotate":
                    log.rotate_if_due()
                case "midnight":
                    clock.now_us += DAY_US
                case "heal":
                    disk.heal()
                case "sync_fails":
                    disk.sync_works = False
                case ("room", room):
                    disk.room = room
        disk.heal()
        log.close()
    assert numbers(log_dir) == list(range(appended))
    assert verify(log_dir).problems == ()


def _fail(*_: object) -> None:
    raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("fault", ["write", "sync"])
def test_existing_log_is_opened_on_a_bad_disk_for_who_must_go_on(tmp_path: Path, disk: Disk, fault: str) -> None:
    """It can be read, it says that it is not healthy, and what was appended meanwhile is there when the disk works."""
    with journal(tmp_path) as log:
        log.append("note", "before")
    disk.room, disk.sync_works = (0, True) if fault == "write" else (None, False)
    if fault == "sync":
        with pytest.raises(AuditError, match="set AUDIT_LOG_DIR"):
            journal(tmp_path).open()
    log = journal(tmp_path)
    opened = log.open(must_write=False)
    assert [line.event_type for line in opened.lines()] == ["checkpoint", "before"]
    seq = log.append("command", "meanwhile")
    with pytest.raises(JournalUnavailable):
        log.wait_durable(seq)
    with pytest.raises(AuditError, match="set AUDIT_LOG_DIR"):
        log.require_writable()
    disk.heal()
    log.wait_durable(seq)
    assert log.healthy
    log.require_writable()
    log.close()
    assert event_types(tmp_path) == ["checkpoint", "before", "meanwhile", "journal_recovered"]
    assert verify(tmp_path).ok


@pytest.mark.parametrize("fsync", ["intent", "never"])
def test_log_file_that_cannot_be_opened_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: str
) -> None:
    """A disk that became read-only: nothing is lost or written twice, and closing with nothing owed is fine."""
    with journal(tmp_path, fsync=fsync) as log:
        log.append("note", "before")
    really = os.open

    def read_only(name: str, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return really(name, flags, mode)

    log = journal(tmp_path, fsync=fsync)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", read_only)
        log.open(must_write=False)
        assert not log.healthy
        log.close()
        log.open(must_write=False)
        log.append("note", "meanwhile")
        assert (log.healthy, log.retry(), log.pending) == (False, False, 1)
    assert log.retry()
    log.close()
    assert event_types(tmp_path) == ["checkpoint", "before", "meanwhile", "journal_recovered"]
    assert verify(tmp_path).ok
