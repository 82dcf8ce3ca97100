"""What is wrong for a while, told once when it lasts and once when it is over: whoever sleeps wants to be woken."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from ..core.audit_logger import AuditLogger
from ..core.commands import Alert
from ..core.errors import AuditError
from .driver import Notice


class Kind(NamedTuple):
    """What is told of a spell, from when on: alert codes and sentences; `{s}` stands for its length in seconds."""

    tell_after_s: float
    begun: str
    begun_text: str
    over: str
    over_text: str


EXCHANGE_SILENT: Final = Kind(
    tell_after_s=10.0,
    begun="exchange_silent",
    begun_text="the exchange has not answered for {s} s; open positions are guarded by the stops that rest there, and "
    "nothing can be changed until it answers",
    over="exchange_back",
    over_text="the exchange answers again, after {s} s",
)
AUDIT_UNWRITABLE: Final = Kind(
    tell_after_s=3.0,
    begun="audit_unwritable",
    begun_text="the audit log has not been written for {s} s: free space on its disk, or mend it; what happens waits "
    "in memory, exits and protection go on, entries are refused",
    over="audit_written",
    over_text="the audit log is written again, after {s} s, with what had to wait",
)


class Spell:
    """Told of every attempt by those who try regularly, from any thread. `monotonic` is in seconds."""

    def __init__(
        self, kind: Kind, monotonic: Callable[[], float], journal: AuditLogger, tell: Callable[[Notice], None]
    ) -> None:
        self._kind = kind
        self._monotonic = monotonic
        self._journal = journal
        self._tell = tell
        self._lock = threading.Lock()
        self._since_s: float | None = None
        self._is_told = False

    def failed(self) -> None:
        """An attempt was in vain."""
        with self._lock:
            now_s = self._monotonic()
            if self._since_s is None:
                self._since_s = now_s
            lasted_s = now_s - self._since_s
            if self._is_told or lasted_s < self._kind.tell_after_s:
                return
            self._is_told = True
        self._say(self._kind.begun, self._kind.begun_text, lasted_s)

    def succeeded(self) -> None:
        """An attempt was not."""
        with self._lock:
            since_s, self._since_s = self._since_s, None
            was_told, self._is_told = self._is_told, False
        if was_told and since_s is not None:
            self._say(self._kind.over, self._kind.over_text, self._monotonic() - since_s)

    def _say(self, code: str, text: str, lasted_s: float) -> None:
        text = text.format(s=round(lasted_s))
        with suppress(AuditError):
            self._journal.log_event(code, "watch", error=text)
        self._tell(Alert(code=code, text=text, symbol=""))
