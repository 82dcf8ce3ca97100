"""One holder at a time, across processes: an advisory `flock` on a small file that names its holder.

The kernel drops the lock when the holder dies, however it dies, so there is no stale lock to clean up. The
file itself stays: removing it would let two processes lock two different files of the same name.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from .errors import LockHeld

__all__ = ["ExclusiveLock"]

_HOLDER_BYTES_MAX = 4096
_HELD: weakref.WeakSet[ExclusiveLock] = weakref.WeakSet()


def _let_go_in_child() -> None:
    """A forked child shares the lock with its parent, and would keep it when the parent is killed: nobody could take
    over. Closing the child's descriptor leaves the parent's lock alone."""
    for lock in list(_HELD):
        lock.release()


os.register_at_fork(after_in_child=_let_go_in_child)


class ExclusiveLock:
    """Hold `path` alone. `owner` (pid, host, since, …) is written into the file for whoever is turned away.

    Not re-entrant, and exclusive inside one process too: a second `acquire` by another instance is refused.
    """

    def __init__(self, path: Path | str, owner: Mapping[str, str]) -> None:
        self.path = Path(path)
        self._owner = dict(owner)
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        return self._fd is not None

    def acquire(self) -> None:
        """Take the lock or raise at once; never waits.

        Raises:
            LockHeld: somebody else holds it; `error.holder` is what they wrote (empty when unreadable).
            OSError: the file cannot be opened.
        """
        if self._fd is not None:
            raise RuntimeError(f"{self.path} is already held by this object")
        fd = _opened(self.path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read_holder(fd)
            os.close(fd)
            error = LockHeld("another process holds the lock", path=str(self.path), **holder)
            error.holder = holder
            raise error from None
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        _HELD.add(self)
        with suppress(OSError):  # the lock is ours; a disk that takes nothing only keeps our name out of the file
            os.ftruncate(fd, 0)
            os.pwrite(fd, msgspec.json.encode(self._owner) + b"\n", 0)

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        with suppress(OSError):  # on a disk that has become read-only it can be locked all the same
            return os.open(path, os.O_RDONLY)
        raise


def _read_holder(fd: int) -> dict[str, str]:
    """What the holder wrote, or nothing: it may hold the lock and not have written yet."""
    try:
        return msgspec.json.decode(os.pread(fd, _HOLDER_BYTES_MAX, 0), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return {}
