"""What has to be done now and then while the manager runs, on one thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

Task = Callable[[], float | None]
"""Does its work and says in how many seconds it wants to again; None for never."""

IDLE_S = 3600.0
AFTER_FAILURE_S = 60.0
RESOLUTION_S = 0.001
"""What is due within this is due: a shorter wait may be no wait at all, and then there would be no end of them."""


class Upkeep:
    """Tasks with the time of their next turn. `monotonic` is in seconds; `on_problem` hears of a task that raised,
    which is tried again later."""

    def __init__(
        self, monotonic: Callable[[], float], on_problem: Callable[[BaseException], None], name: str = "upkeep"
    ) -> None:
        self._monotonic = monotonic
        self._on_problem = on_problem
        self._changed = threading.Condition()
        self._due: dict[Task, float] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"bracketeer-{name}", daemon=True)

    def add(self, task: Task, first_s: float) -> None:
        """Give a task its first turn in so many seconds; for one that is there already, move its next turn."""
        with self._changed:
            self._due[task] = self._monotonic() + first_s
            self._changed.notify()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the turn that is under way."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while (task := self._next()) is not None:
            try:
                pause_s = task()
            except Exception as problem:  # noqa: BLE001 - a failing task must not end the others
                self._on_problem(problem)
                pause_s = AFTER_FAILURE_S
            with self._changed:
                if pause_s is not None and task not in self._due:  # else somebody asked for a turn meanwhile
                    self._due[task] = self._monotonic() + pause_s

    def _next(self) -> Task | None:
        """Wait for the next turn; None when it is over."""
        with self._changed:
            while not self._stopping:
                task = min(self._due, key=self._due.__getitem__, default=None)
                remaining_s = IDLE_S if task is None else self._due[task] - self._monotonic()
                if task is not None and remaining_s < RESOLUTION_S:
                    del self._due[task]
                    return task
                self._changed.wait(min(remaining_s, IDLE_S))
        return None
