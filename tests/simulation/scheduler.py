"""One thread, many tasks, virtual time: who runs next is drawn from the seed, and time passes when nobody can run."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any

from greenlet import getcurrent, greenlet

START_US = 1_795_000_000_000_000
"""Some time in November 2026: virtual clocks start there."""


STEPS_PER_INSTANT = 100_000
"""Some dozens are usual; a task that spins would keep a story, and whoever waits for it, for ever."""


class Killed(BaseException):
    """Thrown into the tasks of a process that is killed: no code of theirs may go on."""


class Process:
    """What is killed together: tasks know theirs. A dead one can neither write, send nor wait."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        self.tasks: set[Task] = set()

    def check(self) -> None:
        """Raise `Killed` once it is dead."""
        if self.is_dead:
            raise Killed(self.name)


class Task(greenlet):
    """One virtual thread."""

    def __init__(self, scheduler: Scheduler, work: Callable[[], Any], process: Process, name: str) -> None:
        super().__init__(run=self._work, parent=scheduler.hub)
        self._scheduler = scheduler
        self._todo = work
        self.process = process
        self.name = name
        self.is_over = False
        self.waits = 0  # counts waits, so that a wake-up meant for an earlier one is ignored
        self.joiners: list[Callable[[], None]] = []
        self.locals: dict[int, dict[str, Any]] = {}
        process.tasks.add(self)

    def _work(self) -> None:
        try:
            self.process.check()
            self._todo()
        except Killed:
            pass
        except Exception as failure:  # noqa: BLE001 - the story fails with it
            self._scheduler.failures.append(failure)
        finally:
            self.is_over = True
            self.process.tasks.discard(self)
            for tell in self.joiners:
                tell()


class Timer:
    """Something planned; may be called off."""

    __slots__ = ("action", "at_us")

    def __init__(self, at_us: int, action: Callable[[], None] | None) -> None:
        self.at_us = at_us
        self.action = action

    def cancel(self) -> None:
        """Do not do it."""
        self.action = None


class Scheduler:
    """Runs tasks and timers. Everything that is drawn comes from `dice`, so a seed is an interleaving."""

    def __init__(self, seed: int, *, preemption: float = 0.05) -> None:
        self.dice = random.Random(f"{seed}/interleaving")
        self.now_us = START_US
        self.hub = getcurrent()
        self.failures: list[BaseException] = []
        self.steps = 0
        self._instant_us = self._steps_before = 0
        self._preemption = preemption
        self._ready: list[tuple[Task, Any]] = []
        self._timers: list[tuple[int, int, Timer]] = []
        self._planned = 0

    # Time.

    def call_at(self, at_us: int, action: Callable[[], None]) -> Timer:
        """Do something at an instant; it must not wait."""
        timer = Timer(max(at_us, self.now_us), action)
        self._planned += 1
        heapq.heappush(self._timers, (timer.at_us, self._planned, timer))
        return timer

    def call_in(self, delay_us: int, action: Callable[[], None]) -> Timer:
        """Do something after a while."""
        return self.call_at(self.now_us + delay_us, action)

    # Tasks.

    def spawn(self, work: Callable[[], Any], process: Process, name: str = "task") -> Task:
        """Begin a task soon."""
        task = Task(self, work, process, name)
        self._ready.append((task, None))
        return task

    def wake(self, task: Task, value: Any = None, waits: int | None = None) -> None:
        """Let a waiting task go on, with what `wait` then returns; ignored when it no longer waits for this."""
        if waits is None or waits == task.waits:
            task.waits += 1
            self._ready.append((task, value))

    def wait(self, timeout_s: float | None = None) -> Any:
        """Let others run until `wake`; False when the time is over before. For tasks only."""
        task = self.current()
        if timeout_s is not None:
            if timeout_s <= 0:
                return False
            waits = task.waits
            timer = self.call_in(max(1, int(timeout_s * 1e6)), lambda: self.wake(task, False, waits))
        try:
            return self._leave(task)
        finally:  # also when it is killed: a timer would hold on to the dead until it is due
            if timeout_s is not None:
                timer.cancel()

    def sleep(self, seconds: float) -> None:
        """Let time pass for the running task."""
        if seconds > 0:
            self.wait(seconds)

    def pause(self) -> None:
        """Perhaps let others run: called wherever real threads may be interrupted and it matters."""
        if self.dice.random() < self._preemption:
            task = getcurrent()
            if isinstance(task, Task):
                task.process.check()
                self._ready.append((task, None))
                self._leave(task)

    def current(self) -> Task:
        """The running task; the hub is none."""
        task = getcurrent()
        if not isinstance(task, Task):
            raise RuntimeError("the hub cannot wait")  # noqa: TRY004 - a mistake in the simulation
        task.process.check()
        return task

    def _leave(self, task: Task) -> Any:
        value = self.hub.switch()
        task.process.check()
        return value

    def kill(self, process: Process) -> None:
        """End a process at once: nothing of it runs any more. For the hub."""
        process.is_dead = True
        for task in sorted(process.tasks, key=lambda task: task.name):
            if not task.is_over and task:
                task.throw(Killed(process.name))
        self._ready = [(task, value) for task, value in self._ready if not task.process.is_dead]

    # The loop.

    def step(self) -> bool:
        """Run one task until it waits, or else one timer; False when there is nothing to do."""
        self.steps += 1
        if self.now_us != self._instant_us:
            self._instant_us, self._steps_before = self.now_us, self.steps
        elif self.steps - self._steps_before > STEPS_PER_INSTANT:
            raise RuntimeError(f"{STEPS_PER_INSTANT} steps at one instant: somebody waits without letting time pass")
        if self._ready:
            chosen = int(self.dice.random() * len(self._ready)) if len(self._ready) > 1 else 0
            task, value = self._ready.pop(chosen)
            if task.process.is_dead or task.is_over:
                return True
            task.switch() if not task else task.switch(value)
            return True
        while self._timers:
            at_us, _, timer = heapq.heappop(self._timers)
            if timer.action is not None:
                self.now_us = max(self.now_us, at_us)
                timer.action()
                return True
        return False

    @property
    def next_us(self) -> int | None:
        """When the next step is: now, if a task can run."""
        if self._ready:
            return self.now_us
        while self._timers and self._timers[0][2].action is None:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None
