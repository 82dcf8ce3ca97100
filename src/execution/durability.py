"""Waiting for the disk, with a bound: a disk that stalls must not hold back what protects.

A disk that refuses is the journal's to bear (it keeps the lines and says so). One that takes its time, a network
volume or a busy host, says nothing at all: `fdatasync` returns seconds later. So it is called on a thread of its own,
and whoever waits for it decides how long.
"""

from __future__ import annotations

import threading

from ..core.audit_logger import AuditLogger
from ..core.errors import AuditError


class Durability:
    """Makes lines of the journal durable. Its thread begins with the first wait and ends with `stop`."""

    def __init__(self, journal: AuditLogger) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._wanted = 0  # the last line that somebody waits for
        self._asked = self._begun = self._answered = 0  # rounds: a wait is over with the first one that began after it
        self._failure: str | None = None  # of the last round
        self._stopped = False
        self._thread: threading.Thread | None = None

    def wait(self, seq: int, timeout_s: float) -> str | None:
        """Return when line `seq` is on disk: None; else what prevents it, or that it takes too long.

        After `stop` there is nobody to hand it to: then the disk is waited for to the end.
        """
        with self._lock:
            self._wanted = max(self._wanted, seq)
            self._asked = mine = self._begun + 1
            if self._thread is None and not self._stopped:
                self._thread = threading.Thread(target=self._run, name="bracketeer-disk", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._answered >= mine or self._stopped, timeout_s)
            if self._answered >= mine:
                return self._failure
            if not self._stopped:
                return f"the disk has not taken it within {timeout_s:g} s"
        return self._sync(seq)

    def stop(self) -> None:
        """End the thread, after the answer that it may be waiting for."""
        with self._lock:
            self._stopped = True
            self._changed.notify_all()

    def _run(self) -> None:
        while (seq := self._next()) is not None:
            failure = self._sync(seq)
            with self._lock:
                self._answered, self._failure = self._begun, failure
                self._changed.notify_all()

    def _next(self) -> int | None:
        with self._lock:
            self._changed.wait_for(lambda: self._stopped or self._asked > self._begun)
            if self._stopped:
                return None
            self._begun += 1
            return self._wanted

    def _sync(self, seq: int) -> str | None:
        try:
            self._journal.wait_durable(seq)
        except AuditError as error:
            return str(error)
        except Exception as defect:  # noqa: BLE001 - who waits must hear of it, and the next wait must find the thread
            return f"{type(defect).__name__}: {defect}"
        return None if self._journal.healthy else (self._journal.failure or "the journal is not healthy")
