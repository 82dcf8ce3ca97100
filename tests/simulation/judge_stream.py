"""What the stream told of our fills is on record soon after: nothing is lost between the socket and the log.

The other checks cannot see that: a manager that asks often enough makes up for an event it dropped, a second later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import NamedTuple

RECORDED_WITHIN_MS = 500
"""The reader's thread and the journal, with every other thread of the manager before them."""
OVERLAP_MS = 2_000
"""So long the connection before is read on, once the next one is open. Both are told the same; what only the next one
is told, because the other had gone deaf, waits for its turn (seed 2021088: a key that expired amid a rotation)."""
_TRADE_ID = re.compile(rb'"trade_id":(\d+)')


class _Told(NamedTuple):
    trade_id: int
    due_ms: int
    is_heard: Callable[[], bool]  # whether that connection, and who reads from it, are still there


class StreamJudge:
    """Watches what one run's connections deliver, and what its log says."""

    def __init__(self) -> None:
        self._told: list[_Told] = []
        self._recorded: set[int] = set()

    def event(self, text: str, now_ms: int, is_heard: Callable[[], bool], *, is_in_use: bool) -> None:
        """An event reached a living manager, on a connection that it reads or on the next one."""
        if '"x":"TRADE"' in text and '"c":"bktr-' in text:
            trade_id = int(json.loads(text)["o"]["t"])
            within_ms = RECORDED_WITHIN_MS + (0 if is_in_use else OVERLAP_MS)
            self._told.append(_Told(trade_id, now_ms + within_ms, is_heard))

    def line(self, data: bytes) -> None:
        """Something was written to the log."""
        self._recorded.update(int(found) for found in _TRADE_ID.findall(data))

    def look(self, now_ms: int, *, disk_fails: bool) -> str:
        """What is wrong now; empty when nothing is."""
        due = [told for told in self._told if now_ms > told.due_ms]
        if due:
            self._told = [told for told in self._told if now_ms <= told.due_ms]
        for told in due:
            if told.trade_id not in self._recorded and told.is_heard() and not disk_fails:
                return f"P5: the stream told of trade {told.trade_id} of ours, and it is not on record"
        return ""
