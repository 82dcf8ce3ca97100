"""Waiting for the disk, with a bound: a disk that stalls must not hold back what protects.

A disk that refuses is the journal's to bear (it keeps the lines and says so). One that takes its time, a network
volume or a busy host, says nothing at all: `fdatasync` returns seconds later. So it is called on a worker, by one at
a time, and whoever waits for it decides how long.
"""

from __future__ import annotations

import threading

from ..core.audit_logger import AuditLogger
from ..core.errors import AuditError
from .chains import Spawn


class Durability:
    """Makes lines of the journal durable on workers of `spawn`."""

    def __init__(self, journal: AuditLogger, spawn: Spawn) -> None:
        self._journal = journal
        self._spawn = spawn
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._wanted = 0  # the last line that somebody waits for
        self._asked = self._begun = self._answered = 0  # rounds: a wait is over with the first one that began after it
        self._failure: str | None = None  # of the last round
        self._working = False

    def wait(self, seq: int, timeout_s: float) -> str | None:
        """Return when line `seq` is on disk: None; else what prevents it, or that it takes too long."""
        with self._lock:
            self._wanted = max(self._wanted, seq)
            self._asked = mine = self._begun + 1
            begins, self._working = not self._working, True
        if begins and not self._spawn(self._work, urgent=True):
            with self._lock:
                self._working = False
            return self._sync(seq)  # the manager is being closed, and no worker begins anything any more
        with self._lock:
            if not self._changed.wait_for(lambda: self._answered >= mine, timeout_s):
                return f"the disk has not taken it within {timeout_s:g} s"
            return self._failure

    def _work(self) -> None:
        while True:
            with self._lock:
                if self._answered >= self._asked:
                    self._working = False
                    return
                self._begun += 1
                seq = self._wanted
            failure = self._sync(seq)
            with self._lock:
                self._answered, self._failure = self._begun, failure
                self._changed.notify_all()

    def _sync(self, seq: int) -> str | None:
        try:
            self._journal.wait_durable(seq)
        except AuditError as error:
            return str(error)
        return None if self._journal.healthy else (self._journal.failure or "the journal is not healthy")
