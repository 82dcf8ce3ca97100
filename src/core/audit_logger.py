"""The journal: one append-only, hash-chained log that is compliance record, write-ahead log and history.

The one module of `core` that touches a disk (with its helpers `audit_files`, `audit_writer`, `audit_recovery`). Time
is injected. Chain and file of a line are decided when it is appended, in memory; getting it to disk is the writer's
work and may lag when the disk fails. So an append never raises for the disk: the caller sees `healthy`, and whoever
needs a line to be durable before acting says so with `wait_durable`.
"""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from .audit_chain import NO_FIELDS, AuditLine, ChainHead, LineParts, Record, encode_state, iso_timestamp
from .audit_composer import LineComposer
from .audit_events import AuditEvents
from .audit_files import LOCK_NAME, AnchorFile, FileName, iter_lines, read_since_checkpoint
from .audit_recovery import LogEnd, OpenResult, find_end
from .audit_verify import Problem, VerifyReport, verify
from .audit_writer import JournalWriter
from .errors import AuditError, AuditLocked, JournalError, JournalUnavailable, LockHeld
from .exclusive_lock import ExclusiveLock
from .redaction import Redactor

__all__ = [
    "AuditLine",
    "AuditLogger",
    "OpenResult",
    "Problem",
    "VerifyReport",
    "iter_lines",
    "read_since_checkpoint",
    "verify",
]

MAX_BYTES_DEFAULT: Final = 64 * 1024 * 1024
_UNSYNCED_LINES_MAX: Final = 8192  # else a caller that never waits would let them pile up in memory
_FSYNC_POLICIES: Final = ("intent", "always", "never")


class AuditLogger(AuditEvents):
    """The one writer of an audit log folder. Every method may be called from any thread once it is open.

    Args:
        log_dir: the folder; created when missing.
        now_us: UTC time in microseconds since the epoch.
        fsync: `intent` syncs in `wait_durable`, `always` after each append too, `never` only at close.
        max_bytes: a file that has reached this size is followed by a new one at the next `rotate_if_due`.
        redactor: masks secrets in every line before it is hashed.
        owner: what the lock file tells a second process about us, beside pid, host and since.
        checkpoint_state: gives the state a new file starts with (anything msgspec can encode); without it a replay has
            to read the whole log. Called by `open` on an empty folder and by `rotate_if_due`, on the caller's thread.
        hmac_key: keys the checkpoints and the head anchor, so that a wholesale rewrite shows.
    """

    def __init__(
        self,
        log_dir: Path | str = "logs/audit",
        *,
        now_us: Callable[[], int],
        fsync: str = "intent",
        max_bytes: int = MAX_BYTES_DEFAULT,
        redactor: Redactor | None = None,
        owner: Mapping[str, str] | None = None,
        checkpoint_state: Callable[[], Any] | None = None,
        hmac_key: bytes | None = None,
    ) -> None:
        if fsync not in _FSYNC_POLICIES:
            raise ValueError(f"fsync must be one of {', '.join(_FSYNC_POLICIES)}, not {fsync!r}")
        self.log_dir = Path(log_dir)
        self._now_us = now_us
        self._fsync = fsync
        self._max_bytes = max_bytes
        self._redactor = redactor if redactor is not None else Redactor()
        self._owner = dict(owner or {})
        self._checkpoint_state = checkpoint_state
        self._hmac_key = hmac_key

        self._lock = threading.Lock()  # guards the chain: composing a line and handing it on are one act
        self._composer = LineComposer(self._redactor, hmac_key)
        self._writer: JournalWriter | None = None
        self._resources = ExitStack()

    @property
    def healthy(self) -> bool:
        """Whether every line accepted so far reached the disk when it was asked to."""
        return self._writer is not None and self._writer.failure is None

    @property
    def failure(self) -> str | None:
        """What keeps lines from the disk, in the system's words; None when healthy."""
        return "the journal is not open" if self._writer is None else self._writer.failure

    @property
    def pending(self) -> int:
        """How many accepted lines wait in memory because the disk refused them."""
        return 0 if self._writer is None else self._writer.pending

    @property
    def head(self) -> ChainHead:
        """The last accepted line: its number and its hash."""
        return self._composer.head

    @property
    def last_seq(self) -> int:
        """The number of the last accepted line."""
        return self._composer.head.seq

    def open(self, *, must_write: bool = True) -> OpenResult:
        """Take the folder: lock it, find the head, cut off a torn tail. The caller replays, then appends.

        With `must_write=False` an existing log is opened although its disk takes nothing now: what is appended waits
        in memory, and `healthy` says so. For who learns from the log itself whether it must go on all the same.

        Raises:
            AuditLocked: another process writes this log; the context names it.
            AuditError: the folder cannot be used (`audit_folder_unusable`) or the log is damaged
                (`audit_damaged`, `audit_tail_missing`); nothing was changed then.
        """
        if self._writer is not None:
            raise JournalError("the journal is already open")
        with ExitStack() as resources:
            try:
                self.log_dir.mkdir(parents=True, exist_ok=True)
                resources.enter_context(self._process_lock())
                end = find_end(self.log_dir)
                anchor = resources.enter_context(closing(AnchorFile(self.log_dir, self._hmac_key)))
                writer = JournalWriter(self.log_dir, anchor, keep=self._fsync != "never")
                resources.callback(writer.close)
                writer.attach(end.file, end.length, end.head, end.spare)
            except LockHeld as held:
                raise AuditLocked(
                    "another process writes this audit log: stop it, or set AUDIT_LOG_DIR to another folder",
                    folder=str(self.log_dir),
                    **held.holder,
                ) from None
            except OSError as error:
                raise self._unusable(str(error)) from error
            self._composer = LineComposer(self._redactor, self._hmac_key)
            self._begin(writer, end)
            if writer.failure is not None and (must_write or end.file is None):
                raise self._unusable(writer.failure)
            self._resources = resources.pop_all()
            self._writer = writer
        return OpenResult(self.log_dir, end.file, fresh=end.file is None, head=end.head, removed_bytes=len(end.removed))

    def require_writable(self) -> None:
        """Insist on what `open(must_write=False)` let pass.

        Raises:
            AuditError: `audit_folder_unusable`: the disk takes nothing.
        """
        if self.failure is not None:
            raise self._unusable(self.failure)

    def append(
        self,
        record: Record,
        event_type: str,
        *,
        operation: str | None = None,
        symbol: str | None = None,
        signal_id: str | None = None,
        client_order_id: str | None = None,
        fields: Mapping[str, Any] = NO_FIELDS,
    ) -> int:
        """Add a line and return its number. Writes without syncing (see `fsync`); never raises for the disk.

        On a new day the line opens that day's file, behind a checkpoint without a state: this may be the middle of a
        step, where a state would claim lines that are still to come. Replay then starts one file earlier.

        Raises:
            JournalError: not open, or 100 000 lines already wait for the disk (`journal_full`).
            ValueError: a field is named like one of the line's own keys.
        """
        parts = LineParts(record, event_type, operation, symbol, signal_id, client_order_id, fields)
        with self._lock:
            writer = self._require_writer()
            writer.check_room()
            now_us = self._now_us()
            if self._composer.day_is_over(now_us):
                writer.submit(self._composer.start_file(now_us, state=None))
            entry = self._composer.line(parts, now_us)
            writer.submit(entry)
        if self._fsync == "always" or (writer.unsynced + 1) % _UNSYNCED_LINES_MAX == 0:
            writer.sync()
        self._note_recovery(writer)
        return entry.head.seq

    def rotate_if_due(self) -> bool:
        """Start the next file when day or size ask for it; to be called between steps, never within one.

        The state is taken before the first line of the new file, under whatever lock the caller holds for a step.
        Never raises for the disk: a rotation can wait until it works again.
        """
        writer = self._require_writer()
        if writer.failure is not None or not self._rotation_due():
            return False
        state = self._state()  # outside our lock: it is the caller's code
        with self._lock:
            writer.submit(self._composer.start_file(self._now_us(), state))
        self._note_recovery(writer)
        return True

    def wait_durable(self, seq: int) -> None:
        """Return when line `seq` and all before it are on disk. Threads waiting together share one sync.

        With `fsync="never"` written to the file is enough.

        Raises:
            JournalUnavailable: the disk refuses; the line stays in memory and is tried again.
            ValueError: there is no such line.
        """
        writer = self._require_writer()
        if seq > self.last_seq:
            raise ValueError(f"line {seq} was never appended; the last one is {self.last_seq}")
        if self._reached(writer) < seq:
            writer.sync()
        self._note_recovery(writer)
        if self._reached(writer) < seq:
            raise JournalUnavailable(
                "the audit log cannot be written", seq=seq, pending=writer.pending, reason=writer.failure
            )

    def retry(self) -> bool:
        """Try again what the disk refused, for a timer to call while unhealthy; returns `healthy`."""
        writer = self._require_writer()
        writer.sync()
        self._note_recovery(writer)
        return self.healthy

    def close(self) -> None:
        """Sync, note the head, give the folder back. Harmless when not open.

        Raises:
            JournalUnavailable: lines could not be written and are lost with this object; `pending` says how many.
        """
        with self._lock:
            writer = self._writer
            if writer is None:
                return
            self._writer = None
            with self._resources:  # gives file, anchor and lock back, whatever happens
                writer.sync(force=True)
        if writer.pending:
            raise JournalUnavailable(
                "the audit log was closed with lines not on disk",
                pending=writer.pending,
                reason=writer.failure,
            )

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _process_lock(self) -> ExclusiveLock:
        started = {"pid": str(os.getpid()), "host": os.uname().nodename, "since": iso_timestamp(self._now_us())}
        return ExclusiveLock(self.log_dir / LOCK_NAME, {**self._owner, **started})

    def _begin(self, writer: JournalWriter, end: LogEnd) -> None:
        """The first lines of this run: a checkpoint in a new log, a note where the end was repaired."""
        now_us = self._now_us()
        if end.file is None:
            writer.submit(self._composer.start_file(now_us, self._state()))
        else:
            name = FileName.of(end.file)
            self._composer.resume(name, end.head, file_bytes=end.length, has_state=end.has_state)
        if end.removed:
            # Into the repaired file, even on a later day: the record belongs where the bytes were.
            note = LineParts("note", "tail_repaired", fields={"data": end.removal()})
            writer.submit(self._composer.line(note, now_us))
        writer.sync(force=True)

    def _state(self) -> bytes | None:
        """The checkpoint state as JSON; strict, for a state written as text could not be replayed."""
        return None if self._checkpoint_state is None else encode_state(self._checkpoint_state())

    def _rotation_due(self) -> bool:
        composer = self._composer
        return (
            composer.day_is_over(self._now_us())
            or composer.file_bytes >= self._max_bytes
            or (self._checkpoint_state is not None and not composer.file_has_state)
        )

    def _note_recovery(self, writer: JournalWriter) -> None:
        recovery = writer.take_recovery()
        if recovery is not None:
            self.append("note", "journal_recovered", fields={"error": recovery.failure, "data": recovery._asdict()})

    def _reached(self, writer: JournalWriter) -> int:
        """The last line that is as safe as the policy asks."""
        return (writer.written if self._fsync == "never" else writer.durable).seq

    def _require_writer(self) -> JournalWriter:
        if self._writer is None:
            raise JournalError("the journal is not open")
        return self._writer

    def _unusable(self, reason: str) -> AuditError:
        return AuditError(
            "the audit folder cannot be used: make it writable with room to spare, or set AUDIT_LOG_DIR",
            code="audit_folder_unusable",
            folder=str(self.log_dir),
            reason=reason,
        )
