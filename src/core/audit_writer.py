"""Puts composed lines on disk in order and knows which of them are durable. Thread-safe; starts no thread.

Every line has one place (file, offset) from the moment it is first written, and is only ever written there.
Three rules follow, and with them nothing is lost, doubled or torn:

- A write that fails, half done or not, is cut back to the line's start; the line and all after it wait in
  memory and are tried again at each later write or sync.
- A line leaves memory only when a sync that covers it has succeeded.
- After a failed `fdatasync` the kernel may have dropped the data and called its pages clean, so a second sync
  would succeed and prove nothing ("fsyncgate"). Therefore all lines since the last good sync are written
  again from memory, to the same places, before syncing again. Same places: no line can appear twice, and the
  file is never shorter meanwhile.
"""

import os
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from errno import EIO
from pathlib import Path
from typing import Final, NamedTuple

from .audit_chain import GENESIS, ChainHead
from .audit_files import AnchorFile
from .errors import JournalError

__all__ = ["HELD_LINES_MAX", "Entry", "JournalWriter", "Recovery"]

HELD_LINES_MAX: Final = 100_000
"""Lines kept in memory while the disk refuses them; at about 600 bytes each, some 60 MB."""

_sync_data = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


class Entry(NamedTuple):
    """A composed line and the file it belongs to."""

    head: ChainHead
    data: bytes
    file: str


class Recovery(NamedTuple):
    """A time of trouble that is over: what was wrong, and how many lines it held up at most."""

    failure: str
    lines_delayed: int


class _LogFile:
    """One open log file; `size` is where the next line goes."""

    def __init__(self, path: Path, fd: int, size: int, *, is_new: bool) -> None:
        self.path = path
        self.fd = fd
        self.size = size
        self.is_new = is_new  # its name is not durable before the folder is synced
        self.suspect = False  # a sync failed: what was written since the last good one may be gone

    def append(self, data: bytes) -> int:
        """Write a line at the end, whole or not at all; returns its place."""
        offset = self.size
        try:
            self.write(data, offset)
        except OSError:
            with suppress(OSError):  # if even this fails, the next try overwrites the same place
                os.ftruncate(self.fd, offset)
            raise
        self.size += len(data)
        return offset

    def write(self, data: bytes, offset: int) -> None:
        done = 0
        while done < len(data):
            written = os.pwrite(self.fd, data[done:], offset + done)
            if written == 0:
                raise OSError(EIO, "the disk took nothing", str(self.path))
            done += written

    def sync(self) -> None:
        _sync_data(self.fd)
        if self.is_new:
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            self.is_new = False


class _Written(NamedTuple):
    """A line in its place, not yet known to be durable."""

    entry: Entry
    file: _LogFile
    offset: int


class JournalWriter:
    """Writes entries to the files of `folder`; `keep=False` keeps nothing for a sync (AUDIT_FSYNC=never)."""

    def __init__(self, folder: Path, anchor: AnchorFile, *, keep: bool = True, held_max: int = HELD_LINES_MAX) -> None:
        self._folder = folder
        self._anchor = anchor
        self._keep = keep
        self._held_max = held_max
        # Lock order: sync, then state. Appending takes the state lock alone, so it never waits for a disk
        # sync.
        self._sync_lock = threading.Lock()
        self._state_lock = threading.Lock()
        self._files: list[_LogFile] = []  # the last one is written to; those before it wait for their last sync
        self._attached: tuple[Path, int] | None = None  # an existing file to go on with from there, not open yet
        self._spare: list[Path] = []  # files to be gone first: a name of theirs may be the next
        self._backlog: deque[Entry] = deque()
        self._unsynced: deque[_Written] = deque()
        self._written = GENESIS
        self._durable = GENESIS
        self._failure: str | None = None
        self._sync_owed = False
        self._delayed = 0
        self._recovery: Recovery | None = None

    def attach(self, path: Path | None, length: int, head: ChainHead, spare: Sequence[Path] = ()) -> None:
        """Continue an existing file (if there is one) that ends, intact, with `head` after so many bytes; what is torn
        behind that goes, and `spare` files. Where nothing can be written, that is a `failure` like any other of the
        disk: tried again with each write and sync."""
        self._attached, self._written = None if path is None else (path, length), head
        self._spare = list(spare)
        with self._state_lock:
            self._flush()
            self._sync_owed = self._attached is not None

    @property
    def failure(self) -> str | None:
        """What keeps lines from the disk, or None."""
        return self._failure

    @property
    def durable(self) -> ChainHead:
        """The last line known to be durable."""
        return self._durable

    @property
    def written(self) -> ChainHead:
        """The last line in its file, synced or not."""
        return self._written

    @property
    def unsynced(self) -> int:
        """How many written lines wait for a sync."""
        return len(self._unsynced)

    @property
    def pending(self) -> int:
        """How many lines the disk has refused so far and that wait in memory."""
        return len(self._backlog) + (len(self._unsynced) if self._sync_owed else 0)

    def check_room(self) -> None:
        """Raise JournalError when no further line can be held in memory."""
        if len(self._backlog) + len(self._unsynced) >= self._held_max:
            raise JournalError(
                "the journal's memory of unwritten lines is full",
                code="journal_full",
                lines=self._held_max,
                reason=self._failure or "never synced",
            )

    def submit(self, entry: Entry) -> None:
        """Take the next line and write it if the disk allows; never raises for the disk."""
        with self._state_lock:
            self._backlog.append(entry)
            self._flush()

    def sync(self, *, force: bool = False) -> None:
        """Make every written line durable if the disk allows; never raises for the disk.

        Threads that come together share the work: whoever waited for the lock usually finds its lines
        covered. `force` syncs even where lines are not kept for it.
        """
        with self._sync_lock:
            with self._state_lock:
                self._flush()
                if self._attached is not None:
                    return
                files, upto, waiting = list(self._files), self._written, tuple(self._unsynced)
            if upto.seq == self._durable.seq and not self._sync_owed:
                return
            if not (self._keep or force or self._sync_owed):
                return
            try:
                for file in files:
                    self._sync_file(file, waiting)
            except OSError as error:
                with self._state_lock:
                    self._sync_owed = True
                    self._fail(error)
                return
            with self._state_lock:
                self._made_durable(upto, files)

    def close(self) -> None:
        """Close the files; what is not on disk by now stays in `pending`."""
        with self._sync_lock, self._state_lock:
            for file in self._files:
                os.close(file.fd)
            self._files = []

    def take_recovery(self) -> Recovery | None:
        """The last trouble that is over, once."""
        if self._recovery is None:  # the common case, without the lock
            return None
        with self._state_lock:
            recovery, self._recovery = self._recovery, None
            return recovery

    def _flush(self) -> None:
        try:
            while self._spare:
                self._spare[-1].unlink(missing_ok=True)
                self._spare.pop()
            self._open_attached()
            while self._backlog:
                entry = self._backlog[0]
                file = self._file_of(entry)
                offset = file.append(entry.data)
                self._written = entry.head
                if self._keep:
                    self._unsynced.append(_Written(entry, file, offset))
                self._backlog.popleft()
        except OSError as error:
            self._fail(error)
        else:
            self._settle()

    def _open_attached(self) -> None:
        if self._attached is None:
            return
        path, length = self._attached
        if path.stat().st_size < length:  # behind our back; a line at its place would follow a hole
            raise OSError(EIO, "the file has become shorter", str(path))
        fd = os.open(path, os.O_WRONLY)
        try:
            if os.fstat(fd).st_size > length:
                os.ftruncate(fd, length)
        except OSError:
            os.close(fd)
            raise
        self._files = [_LogFile(path, fd, length, is_new=False)]
        self._attached = None

    def _file_of(self, entry: Entry) -> _LogFile:
        """The file the entry belongs to, created when the entry is its first."""
        path = self._folder / entry.file
        if self._files and self._files[-1].path == path:
            return self._files[-1]
        if self._files and self._keep:
            # Else a power cut could leave a beginning of the next file and less than the whole of this one: a log with
            # a hole. Rare enough (a day, 64 MB) to be done while others wait.
            self._sync_file(self._files[-1], tuple(self._unsynced))
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        if not self._keep and self._files:
            os.close(self._files.pop().fd)
        self._files.append(_LogFile(path, fd, 0, is_new=True))
        return self._files[-1]

    def _sync_file(self, file: _LogFile, waiting: tuple[_Written, ...]) -> None:
        try:
            if file.suspect:
                for written in waiting:
                    if written.file is file:
                        file.write(written.entry.data, written.offset)
            file.sync()
        except OSError:
            file.suspect = True
            raise
        file.suspect = False

    def _made_durable(self, upto: ChainHead, files: list[_LogFile]) -> None:
        while self._unsynced and self._unsynced[0].entry.head.seq <= upto.seq:
            self._unsynced.popleft()
        self._durable = upto
        for file in files[:-1]:
            self._files.remove(file)
            os.close(file.fd)
        try:
            self._anchor.write(upto)
        except OSError as error:  # the lines are safe; the proof of their end is not
            self._sync_owed = True
            self._fail(error)
        else:
            self._sync_owed = False
            self._settle()

    def _fail(self, error: OSError) -> None:
        self._failure = str(error)
        self._delayed = max(self._delayed, self.pending)

    def _settle(self) -> None:
        """Back to normal when nothing is owed to the disk any more."""
        if self._failure is not None and not self._backlog and not self._sync_owed:
            self._recovery = Recovery(self._failure, self._delayed)
            self._failure, self._delayed = None, 0
