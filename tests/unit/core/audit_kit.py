"""Helpers for the journal's tests: a settable clock, a disk that fails on command, and short ways to build logs."""

import os
from collections.abc import Callable
from errno import EIO, ENOSPC
from pathlib import Path
from typing import Any

import pytest

from bracketeer.core import audit_writer
from bracketeer.core.audit_files import iter_lines
from bracketeer.core.audit_logger import AuditLogger

NOON_US = 1_795_262_400_000_000  # 2026-11-21T12:00:00Z
DAY_US = 86_400_000_000


class Clock:
    """A clock that moves a millisecond with every look, and anywhere on request."""

    def __init__(self, now_us: int = NOON_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        self.now_us += 1000
        return self.now_us


class Disk:
    """Stands between the writer and the file system. Fails where it is told to, the way kernels do.

    A failed sync drops what was written since the last good one (here: zeroes it) and calls the pages clean, so that
    the next sync alone would succeed and prove nothing.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: int | None = None  # bytes that still fit; None: plenty
        self.sync_works = True
        self.syncs = 0
        self.on_sync: Callable[[], None] = lambda: None
        self._dirty: dict[int, list[tuple[int, int]]] = {}
        outer = self

        class Os:
            def __getattr__(self, name: str) -> Any:
                return getattr(os, name)

            def pwrite(self, fd: int, data: bytes, offset: int) -> int:
                return outer._pwrite(fd, data, offset)

        monkeypatch.setattr(audit_writer, "os", Os())
        monkeypatch.setattr(audit_writer, "_sync_data", self._sync)

    def heal(self) -> None:
        self.room, self.sync_works = None, True

    def _pwrite(self, fd: int, data: bytes, offset: int) -> int:
        if self.room is not None:
            data = data[: self.room]
            if not data:
                raise OSError(ENOSPC, "No space left on device")
            self.room -= len(data)
        self._dirty.setdefault(fd, []).append((offset, len(data)))
        return os.pwrite(fd, data, offset)

    def _sync(self, fd: int) -> None:
        self.syncs += 1
        self.on_sync()
        dirty = self._dirty.pop(fd, [])
        if not self.sync_works:
            size = os.fstat(fd).st_size
            for offset, length in dirty:
                os.pwrite(fd, b"\0" * min(length, max(size - offset, 0)), offset)
            raise OSError(EIO, "Input/output error")


def journal(log_dir: Path, clock: Clock | None = None, **options: Any) -> AuditLogger:
    return AuditLogger(log_dir, now_us=clock or Clock(), **options)


def files_of(log_dir: Path) -> list[str]:
    return sorted(path.name for path in log_dir.glob("*.jsonl"))


def event_types(log_dir: Path) -> list[str]:
    return [line.event_type for line in iter_lines(log_dir)]


def numbers(log_dir: Path) -> list[int]:
    """The `n` field of every line that has one."""
    return [line.fields["n"] for line in iter_lines(log_dir) if "n" in line.fields]


def three_files(log_dir: Path, **options: Any) -> list[Path]:
    """A closed log of three days with four lines each (checkpoint and three)."""
    clock = Clock()
    with journal(log_dir, clock, checkpoint_state=lambda: {"open": 0}, **options) as log:
        for day in range(3):
            clock.now_us = NOON_US + day * DAY_US
            log.rotate_if_due()
            for n in range(3):
                log.append("event", "order_placed", symbol="BTCUSDT", fields={"n": 10 * day + n})
    return [log_dir / name for name in files_of(log_dir)]
