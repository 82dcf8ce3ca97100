"""What is going to happen: actions with their moments, in order."""

import heapq
from collections.abc import Callable

Action = Callable[[], None]


class Agenda:
    """Actions by moment; those of the same moment in the order they were planned."""

    def __init__(self) -> None:
        self._entries: list[tuple[int, int, Action]] = []
        self._planned = 0

    def plan(self, at_ms: int, action: Action) -> None:
        """Let something happen at a moment of the steady clock."""
        self._planned += 1
        heapq.heappush(self._entries, (at_ms, self._planned, action))

    @property
    def next_ms(self) -> int | None:
        """Give the moment of the next action."""
        return self._entries[0][0] if self._entries else None

    def run_due(self, now_ms: int) -> None:
        """Do what is due; an action may plan more."""
        while self._entries and self._entries[0][0] <= now_ms:
            _, _, action = heapq.heappop(self._entries)
            action()
