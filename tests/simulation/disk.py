"""The disk of one process: the real files of a temporary folder, with a memory of what a power cut would leave.

Stands in for the module `os` where the audit log is written. Every write is an effect that a story may kill the process
at; a full disk refuses; a power cut takes back what no sync has covered, perhaps in the middle of a line.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from errno import EIO, ENOSPC
from pathlib import Path
from typing import Any

from .scheduler import Process

_INTENT = re.compile(rb'"event_type":"(?:order_intent|order_placed|cancel_intent|order_cancel\w*)"')
_CLIENT_ID = re.compile(rb'"client_order_id":"([^"]+)"')


class Disk:
    """What outlives processes: which bytes of which file are safe, and which ids were promised in them."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self.folder = folder
        self.is_full = False
        self.is_failing = False  # writes pass, syncs do not
        self.is_stalling = False  # writes pass, syncs do not return
        self.had_trouble = False  # one of these, and no sync has succeeded since
        self.writes = 0
        self.syncs = 0
        self.safe: dict[str, int] = {}
        self.named: set[str] = set()  # files whose name a folder sync has covered
        self._dice = dice
        self.before_write: Callable[[], None] = lambda: None
        self.after_write: Callable[[], None] = lambda: None
        self.linger: Callable[[], None] = lambda: None  # lets time pass for who waits for a sync
        self.on_line: Callable[[str, bytes, int], None] = lambda name, data, end: None

    def holds(self, name: str, end: int) -> bool:
        """Whether a file is there up to this byte."""
        path = self.folder / name
        return bool(name) and path.is_file() and path.stat().st_size >= end

    def cut_power(self) -> None:
        """Take back what is not safe."""
        for path in sorted(self.folder.glob("audit-*.jsonl")):
            safe = self.safe.get(path.name, 0)
            size = path.stat().st_size
            if path.name not in self.named and safe == 0 and self._dice.random() < 0.5:
                path.unlink()
            elif size > safe:
                os.truncate(path, safe + self._dice.randint(0, size - safe))


class VirtualOs:
    """`os` as the audit log's modules of one process see it."""

    def __init__(self, disk: Disk, process: Process) -> None:
        self._disk = disk
        self._process = process
        self._paths: dict[int, Path] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        """Open a file of this process."""
        self._process.check()
        if self._disk.is_full and flags & os.O_CREAT and not Path(path).exists():
            raise OSError(ENOSPC, "No space left on device", str(path))
        fd = os.open(path, flags, mode)
        self._paths[fd] = Path(path)
        return fd

    def close(self, fd: int) -> None:
        """Close it."""
        if self._paths.pop(fd, None) is not None:
            os.close(fd)

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        """Write; an effect."""
        self._process.check()
        self._disk.before_write()
        self._process.check()
        path = self._paths[fd]
        if self._disk.is_full:
            raise OSError(ENOSPC, "No space left on device", str(path))
        done = os.pwrite(fd, data, offset)
        self._disk.writes += 1
        if path.suffix == ".jsonl":
            self._disk.on_line(path.name, data, offset + done)
        self._disk.after_write()
        self._process.check()
        return done

    def ftruncate(self, fd: int, length: int) -> None:
        """Cut a file."""
        self._process.check()
        os.ftruncate(fd, length)

    def fsync(self, fd: int) -> None:
        """Make a file or the folder's names safe."""
        self._process.check()
        while self._disk.is_stalling:
            self._disk.linger()
        self._process.check()
        if self._disk.is_failing:
            raise OSError(EIO, "Input/output error", str(self._paths[fd]))
        path = self._paths[fd]
        self._disk.syncs += 1
        if path.is_dir():
            self._disk.named |= {found.name for found in path.glob("audit-*.jsonl")}
        else:
            self._disk.safe[path.name] = os.fstat(fd).st_size
            if path.suffix == ".jsonl" and not self._disk.is_full:
                self._disk.had_trouble = False

    fdatasync = fsync

    def close_all(self) -> None:
        """What the kernel does for a dead process: locks go with their files."""
        for fd in list(self._paths):
            self.close(fd)
