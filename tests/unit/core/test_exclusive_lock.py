"""The lock: one holder, named to whoever comes second, gone with its holder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bracketeer.core.errors import LockHeld
from bracketeer.core.exclusive_lock import ExclusiveLock


def test_second_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    """The refusal names the first holder in its text and as data."""
    path = tmp_path / "x.lock"
    with ExclusiveLock(path, {"pid": "17", "since": "noon"}) as first:
        assert first.held
        with pytest.raises(LockHeld, match=r"pid=17 since=noon") as refused:
            ExclusiveLock(path, {}).acquire()
        assert refused.value.holder == {"pid": "17", "since": "noon"}


def test_free_again_after_release(tmp_path: Path) -> None:
    """A released lock can be taken by anybody, and the new holder's name replaces the longer old one."""
    path = tmp_path / "x.lock"
    first = ExclusiveLock(path, {"pid": "1", "comment": "something long"})
    first.acquire()
    first.release()
    first.release()  # harmless
    assert not first.held
    with ExclusiveLock(path, {"pid": "2"}):
        assert path.read_text() == '{"pid":"2"}\n'


def test_not_re_entrant(tmp_path: Path) -> None:
    """Taking it twice with one object is a mistake of the caller, not a refusal."""
    with ExclusiveLock(tmp_path / "x.lock", {}) as lock, pytest.raises(RuntimeError, match="already held"):
        lock.acquire()


@pytest.mark.parametrize("content", [b"", b"no json", b'{"pid": 5}'])
def test_unreadable_holder_is_still_a_refusal(tmp_path: Path, content: bytes) -> None:
    """A holder that has not written its name yet holds the lock all the same."""
    path = tmp_path / "x.lock"
    with ExclusiveLock(path, {}):
        path.write_bytes(content)
        with pytest.raises(LockHeld) as refused:
            ExclusiveLock(path, {}).acquire()
    assert refused.value.holder == {}


def test_disk_errors_pass_and_leave_nothing_open(tmp_path: Path) -> None:
    """A lock file that cannot be opened is not held afterwards."""
    missing = tmp_path / "folder" / "x.lock"
    lock = ExclusiveLock(missing, {})
    with pytest.raises(FileNotFoundError):
        lock.acquire()
    assert not lock.held
    missing.parent.mkdir()
    with ExclusiveLock(missing, {}):
        pass


def test_full_disk_does_not_prevent_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's lock needs no room: it is held and keeps others out, only our name is missing."""

    def full(fd: int, data: bytes, offset: int) -> int:
        raise OSError("No space left on device")

    path = tmp_path / "x.lock"
    monkeypatch.setattr(os, "pwrite", full)
    with ExclusiveLock(path, {"pid": "1"}):
        with pytest.raises(LockHeld) as refused:
            ExclusiveLock(path, {}).acquire()
        assert refused.value.holder == {}
    with ExclusiveLock(path, {}):
        pass


def test_read_only_disk_does_not_prevent_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is there can be locked where nothing can be written."""
    path = tmp_path / "x.lock"
    path.touch()
    really = os.open

    def read_only(name: str, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError("Read-only file system")
        return really(name, flags, mode)

    monkeypatch.setattr(os, "open", read_only)
    with ExclusiveLock(path, {"pid": "1"}), pytest.raises(LockHeld):
        ExclusiveLock(path, {}).acquire()


def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    """However the holder dies, nothing has to be cleaned up."""
    path = tmp_path / "x.lock"
    code = (
        "import os, signal; from bracketeer.core.exclusive_lock import ExclusiveLock; "
        f"ExclusiveLock({str(path)!r}, {{'pid': 'dead'}}).acquire(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ, "PYTHONPATH": "dev"})
    assert "dead" in path.read_text()
    with ExclusiveLock(path, {}) as lock:
        assert lock.held


def test_child_of_a_killed_holder_does_not_keep_it(tmp_path: Path) -> None:
    """A program that forks workers is killed: they live on, and the next start must be able to take over."""
    path = tmp_path / "x.lock"
    program = f"""
import os, sys
from bracketeer.core.exclusive_lock import ExclusiveLock
lock = ExclusiveLock({str(path)!r}, {{}})
lock.acquire()
if os.fork() == 0:
    print("forked", flush=True)
    sys.stdin.read()
os.kill(os.getpid(), 9)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"forked\n"
        assert parent.wait(20) == -9
        with ExclusiveLock(path, {}) as lock:
            assert lock.held


def test_fork_leaves_the_parents_lock_alone(tmp_path: Path) -> None:
    """Only the child lets go."""
    path = tmp_path / "x.lock"
    program = f"""
import os
from bracketeer.core.exclusive_lock import ExclusiveLock, LockHeld
lock = ExclusiveLock({str(path)!r}, {{}})
lock.acquire()
child = os.fork()
if child == 0:
    os._exit(0 if not lock.held else 1)
assert os.waitpid(child, 0)[1] == 0
try:
    ExclusiveLock({str(path)!r}, {{}}).acquire()
except LockHeld:
    print("held")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "held\n", done.stderr
