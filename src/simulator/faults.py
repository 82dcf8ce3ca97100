"""Faults on purpose: which request meets which failure."""

from dataclasses import dataclass, field
from enum import StrEnum

from .params import Params

FOR_EVER = -1


class FaultName(StrEnum):
    """The catalogue."""

    REPLY_LOST = "reply_lost"  # executed, connection dropped before the answer
    REQUEST_LOST = "request_lost"  # not executed, connection dropped
    REFUSE = "refuse"  # not executed, answered with a code
    STATUS_503 = "status_503"  # not executed
    STATUS_503_EXECUTED = "status_503_executed"
    DELAY = "delay"  # executed at once, answered late
    STREAM_DROP = "stream_drop"  # stream sockets closed
    STREAM_MUTE = "stream_mute"  # stream sockets stay open, no events
    STREAM_UNMUTE = "stream_unmute"


STREAM_FAULTS = frozenset({FaultName.STREAM_DROP, FaultName.STREAM_MUTE, FaultName.STREAM_UNMUTE})


@dataclass(slots=True)
class Fault:
    """A failure waiting for the requests it fits."""

    name: FaultName
    method: str = ""  # empty: any
    path: str = "*"  # exact, or a prefix ending in *
    times: int = 1
    code: int = -1000
    delay_ms: int = 1000
    match: dict[str, str] = field(default_factory=dict)

    def fits(self, method: str, path: str, params: Params) -> bool:
        """Tell whether this request meets the fault."""
        is_path = path.startswith(self.path[:-1]) if self.path.endswith("*") else path == self.path
        if not is_path or self.method not in {"", method}:
            return False
        return all(params.text(name, "") == value for name, value in self.match.items())


class FaultBook:
    """The faults that wait, oldest first."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let a fault wait for its requests."""
        self._waiting.append(fault)

    def take(self, method: str, path: str, params: Params) -> Fault | None:
        """Give the fault this request meets, and use it up by one."""
        for fault in self._waiting:
            if fault.fits(method, path, params):
                if fault.times != FOR_EVER:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                return fault
        return None
