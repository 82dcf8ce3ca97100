"""The production runtime: two pools of workers and one alarm thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from .ticket import Ticket

WORKERS = 32
URGENT_WORKERS = 16
"""Orders, cancels and the alarm have workers of their own: they never queue behind questions that time out, of however
many symbols."""
POOL_IS_SHUT = "cannot schedule new futures"
ALARM_IDLE_S = 1.0
FAILURE_PAUSE_S = 0.1


class ThreadRuntime:
    """Real threads. `now_ms` is the exchange's clock as we estimate it: alarms are set on it."""

    def __init__(self, now_ms: Callable[[], int], *, workers: int = WORKERS) -> None:
        self._now_ms = now_ms
        self._questions = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="bracketeer")
        self._orders = ThreadPoolExecutor(max_workers=URGENT_WORKERS, thread_name_prefix="bracketeer-urgent")
        self._late: list[threading.Thread] = []
        # Entered by itself: Ctrl-C on the main thread can strike inside a condition's own `__enter__`, which is Python,
        # and leave the lock taken for ever. A lock's is one step.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._alarm_at_ms: int | None = None
        self._stopping = False
        self._on_alarm: Callable[[], None] = lambda: None
        self._on_problem: Callable[[BaseException], None] = lambda _: None
        self._thread = threading.Thread(target=self._run_alarms, name="bracketeer-alarm", daemon=True)

    def start(self, on_alarm: Callable[[], None], on_problem: Callable[[BaseException], None]) -> None:
        """Start the alarm thread."""
        self._on_alarm, self._on_problem = on_alarm, on_problem
        self._thread.start()

    def spawn(self, task: Callable[[], None], *, urgent: bool = False) -> bool:
        """Run a task on a worker; after `stop` it is dropped, as a crash would drop it: the journal knows of it."""
        pool = self._orders if urgent else self._questions
        with self._lock:
            if self._stopping:
                return False
            try:
                pool.submit(self._guarded, task)
            except RuntimeError as error:
                if not str(error).startswith(POOL_IS_SHUT):
                    raise  # no thread could be started; the task is queued all the same, and must not run twice
                # The program's main thread has ended while others of its threads trade on: Python shuts its pools down
                # before it waits for them.
                thread = threading.Thread(target=self._guarded, args=(task,), name="bracketeer-late")
                thread.start()
                self._late = [*(other for other in self._late if other.is_alive()), thread]
            return True

    def wait(self, ticket: Ticket) -> None:
        """Block the calling thread."""
        ticket.wait()

    def set_alarm(self, at_ms: int | None) -> None:
        """Move the alarm."""
        with self._lock:
            if at_ms != self._alarm_at_ms:
                self._alarm_at_ms = at_ms
                self._changed.notify()

    def stop(self) -> None:
        """End the alarm thread and wait for running tasks; each is bounded by the transport's timeouts, and by how long
        an order waits for the disk."""
        with self._lock:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()
        for pool in (self._orders, self._questions):
            pool.shutdown(wait=True)
        for thread in self._late:
            thread.join()

    def _guarded(self, task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as problem:  # noqa: BLE001 - a worker must not die unseen (failure mode 24)
            self._on_problem(problem)

    def _run_alarms(self) -> None:
        while True:
            try:
                if not self._next_alarm():
                    return
            except Exception as problem:  # noqa: BLE001 - without alarms nothing is bounded: told, and gone on
                self._on_problem(problem)
                with self._lock:
                    self._changed.wait(FAILURE_PAUSE_S)

    def _next_alarm(self) -> bool:
        """Wait for the next change or the alarm; False when it is over."""
        with self._lock:
            if self._stopping:
                return False
            at_ms = self._alarm_at_ms
            remaining_ms = ALARM_IDLE_S * 1000 if at_ms is None else at_ms - self._now_ms()
            if at_ms is None or remaining_ms > 0:
                # The idle bound also covers a step of the exchange's clock estimate.
                self._changed.wait(min(remaining_ms / 1000, ALARM_IDLE_S))
                return True
            self._alarm_at_ms = None
        self.spawn(self._on_alarm, urgent=True)
        return True
