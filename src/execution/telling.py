"""Telling people: whoever listens may fail or take long, and nothing of ours fails or waits with them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from msgspec.structs import replace

from ..core.redaction import Redactor
from .driver import Notice

WAITING_MAX = 1_000
"""Notices that wait for a listener which takes its time; each is in the audit log besides."""
FAREWELL_S = 2.0
"""How long a closing manager waits for the last of them to be heard."""


class Teller:
    """Tells `on_notice` what happens, in order, on a thread of its own.

    What is told is decided already: the orders that follow from it, and the answers to callers, leave all the same. The
    listener may call the manager. Its failure goes to `on_failure`, as does a notice for which there is no room.
    """

    def __init__(
        self, on_notice: Callable[[Notice], None], on_failure: Callable[[str], None], redactor: Redactor
    ) -> None:
        self._on_notice = on_notice
        self._on_failure = on_failure
        self._redactor = redactor
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting: deque[Notice] = deque()
        self._telling = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="bracketeer-notices", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def tell(self, notice: Notice) -> None:
        """Have a notice told; returns at once."""
        notice = replace(notice, text=self._redactor.text(notice.text))
        with self._lock:
            has_room = len(self._waiting) < WAITING_MAX
            if has_room:
                self._waiting.append(notice)
                self._changed.notify_all()
        if not has_room:
            self._on_failure(f"{notice.text}: not told, {WAITING_MAX} others wait for the listener")

    def wait_until_told(self, timeout_s: float) -> bool:
        """Block until all is told or the time is over; whether it is."""
        with self._lock:
            return self._changed.wait_for(lambda: not (self._waiting or self._telling), timeout_s)

    def stop(self) -> None:
        """End, once all is told; a listener that takes longer than `FAREWELL_S` is left behind."""
        if threading.current_thread() is not self._thread:  # else it is the listener who closes the manager
            self.wait_until_told(FAREWELL_S)
        with self._lock:
            self._stopping = True
            self._changed.notify_all()

    def _run(self) -> None:
        while (notice := self._next()) is not None:
            try:
                self._on_notice(notice)
            except (Exception, SystemExit) as failure:  # noqa: BLE001 - it is not our code
                self._on_failure(f"{notice.text}: {type(failure).__name__}: {failure}")

    def _next(self) -> Notice | None:
        with self._lock:
            self._telling = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            if not self._waiting:
                return None
            self._telling = True
            return self._waiting.popleft()
