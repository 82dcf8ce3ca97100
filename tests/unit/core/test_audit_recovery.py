"""Opening after a crash: what was not promised may be cut off, and is recorded; anything else is refused."""

import errno
import os
from pathlib import Path

import pytest

from bracketeer.core.audit_logger import iter_lines, verify
from bracketeer.core.errors import AuditError
from tests.unit.core.audit_kit import DAY_US, Clock, event_types, files_of, journal, numbers, three_files


def crashed(log_dir: Path, tail: bytes = b"") -> Path:
    """A log whose last line was written but not synced, and `tail` after it."""
    with journal(log_dir) as log:
        log.wait_durable(log.append("event", "x", fields={"n": 0}))
        anchor = (log_dir / "audit.head").read_bytes()
        log.append("event", "x", fields={"n": 1})
    (log_dir / "audit.head").write_bytes(anchor)
    file = log_dir / files_of(log_dir)[0]
    with file.open("ab") as end:
        end.write(tail)
    return file


@pytest.mark.parametrize("tail", [b"{", b'{"seq":4,"timestamp":"2026', b"\0" * 600, b'{"seq":4\0\0\0\n{"seq":5}\n'])
def test_torn_tail_is_cut_and_recorded(tmp_path: Path, tail: bytes) -> None:
    """Half a line, or the zero blocks of a power cut: removed, with their number and text on record."""
    crashed(tmp_path, tail)
    log = journal(tmp_path)
    assert log.open().removed_bytes == len(tail)
    log.append("event", "x", fields={"n": 2})
    log.close()
    assert numbers(tmp_path) == [0, 1, 2]
    (note,) = iter_lines(tmp_path, event_type="tail_repaired")
    assert note.fields["data"] == {"removed_bytes": len(tail), "removed_text": tail.decode()}
    assert verify(tmp_path).ok


@pytest.mark.parametrize("call", ["open", "ftruncate"])
def test_torn_tail_waits_for_a_disk_that_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Read-only since an error: the log is read up to the tear, which goes as soon as it can; a start with a position
    open must not be refused for it."""
    torn = crashed(tmp_path, b'{"seq":4,"time').read_bytes()
    really = os.open

    def read_only(name: str, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and "jsonl" in str(name):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return really(name, flags, mode)

    def no_cut(_fd: int, _length: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    log = journal(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, read_only if call == "open" else no_cut)
        opened = log.open(must_write=False)
        assert (log.healthy, opened.removed_bytes, opened.head.seq) == (False, 14, 3)
        assert [line.seq for line in opened.lines()] == [1, 2, 3]
        log.append("event", "x", fields={"n": 2})
        assert (log.retry(), log.pending) == (False, 2)
    assert (tmp_path / files_of(tmp_path)[0]).read_bytes() == torn
    assert log.retry()
    log.close()
    assert numbers(tmp_path) == [0, 1, 2]
    assert len(list(iter_lines(tmp_path, event_type="tail_repaired"))) == 1
    assert verify(tmp_path).ok


def test_anchor_left_behind_is_fine(tmp_path: Path) -> None:
    """A crash between sync and anchor: the log goes on, and the anchor with it."""
    crashed(tmp_path)
    with journal(tmp_path):
        pass
    assert event_types(tmp_path) == ["checkpoint", "x", "x"]
    assert verify(tmp_path).ok


def test_torn_tail_of_yesterday_is_recorded_where_it_was(tmp_path: Path) -> None:
    """The note follows the repaired end, also when the day is over."""
    crashed(tmp_path, b"{")
    with journal(tmp_path, Clock(Clock().now_us + DAY_US)) as log:
        log.append("event", "y")
    assert event_types(tmp_path) == ["checkpoint", "x", "x", "tail_repaired", "checkpoint", "y"]
    assert verify(tmp_path).ok


@pytest.mark.parametrize("content", [b"", b'{"seq":13'])
def test_rotation_that_got_no_line_written_is_undone(tmp_path: Path, content: bytes) -> None:
    """A crash between creating a file and its first line leaves its predecessor as the end."""
    three_files(tmp_path)
    (tmp_path / "audit-2026-11-24.jsonl").write_bytes(content)
    log = journal(tmp_path)
    assert log.open().removed_bytes == len(content)
    log.close()
    assert "audit-2026-11-24.jsonl" not in files_of(tmp_path)
    assert verify(tmp_path).ok


@pytest.mark.parametrize("content", [b"", b'{"seq":13'])
def test_rotation_that_got_no_line_written_waits_for_a_disk_that_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """The log is read up to its end, and the file goes as soon as it can: its name is the next one's."""
    three_files(tmp_path)
    spare = tmp_path / "audit-2026-11-24.jsonl"
    spare.write_bytes(content)

    def no_unlink(_path: Path, *, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), missing_ok)

    log = journal(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", no_unlink)
        opened = log.open(must_write=False)
        assert (log.healthy, opened.head.seq, [line.seq for line in opened.lines()][-1]) == (False, 12, 12)
    assert log.retry()
    log.close()
    assert spare.name not in files_of(tmp_path)
    assert verify(tmp_path).ok


def test_torn_first_line_of_a_new_log(tmp_path: Path) -> None:
    """A crash in the very first line: the log starts anew and says so."""
    (tmp_path / "audit-2026-11-20.jsonl").write_bytes(b'{"se')
    log = journal(tmp_path)
    assert log.open().fresh
    log.close()
    assert event_types(tmp_path) == ["checkpoint", "tail_repaired"]
    assert files_of(tmp_path) == ["audit-2026-11-21.jsonl"]
    assert verify(tmp_path).ok


def test_changed_line_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Replaying a changed log would rebuild a state that never was."""
    file = crashed(tmp_path)
    content = file.read_bytes().replace(b'"n":1', b'"n":7')
    file.write_bytes(content)
    with pytest.raises(AuditError, match="audit verify") as refused:
        journal(tmp_path).open()
    assert refused.value.code == "audit_damaged"
    assert refused.value.context["after_seq"] == 2
    assert file.read_bytes() == content


def test_damage_before_the_anchor_is_refused_even_at_the_end(tmp_path: Path) -> None:
    """A durable line without its end cannot come from a power cut."""
    (*_, newest) = three_files(tmp_path)
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.raises(AuditError) as refused:
        journal(tmp_path).open()
    assert refused.value.code == "audit_damaged"


def test_removed_line_in_the_middle_is_refused(tmp_path: Path) -> None:
    """Each line must continue the one before it."""
    (*_, newest) = three_files(tmp_path)
    lines = newest.read_bytes().splitlines(keepends=True)
    newest.write_bytes(b"".join(lines[:1] + lines[2:]))
    with pytest.raises(AuditError, match="breaks the hash chain"):
        journal(tmp_path).open()


def test_missing_durable_lines_are_refused(tmp_path: Path) -> None:
    """A signal on a removed line would be executed again."""
    (*_, newest) = three_files(tmp_path)
    newest.write_bytes(b"".join(newest.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(AuditError, match="promised_seq=12") as refused:
        journal(tmp_path).open()
    assert refused.value.code == "audit_tail_missing"


def test_missing_files_are_refused(tmp_path: Path) -> None:
    """So is a log whose files are gone while the anchor is there."""
    for file in three_files(tmp_path):
        file.unlink()
    with pytest.raises(AuditError) as refused:
        journal(tmp_path).open()
    assert refused.value.code == "audit_tail_missing"


def test_other_end_than_the_anchor_names_is_refused(tmp_path: Path) -> None:
    """The right number of lines is not enough."""
    three_files(tmp_path / "a")
    with journal(tmp_path / "b") as log:
        for _ in range(11):
            log.append("event", "z")
    for file in (tmp_path / "a").glob("*.jsonl"):
        file.unlink()
    (tmp_path / "b" / "audit-2026-11-21.jsonl").rename(tmp_path / "a" / "audit-2026-11-21.jsonl")
    with pytest.raises(AuditError, match="not the one the head anchor names") as refused:
        journal(tmp_path / "a").open()
    assert refused.value.code == "audit_damaged"


def test_unreadable_anchor_is_refused(tmp_path: Path) -> None:
    """It is written in one piece; other contents are somebody's doing."""
    three_files(tmp_path)
    (tmp_path / "audit.head").write_text("?")
    with pytest.raises(AuditError, match="head anchor is unreadable"):
        journal(tmp_path).open()
