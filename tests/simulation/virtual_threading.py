"""What the manager's modules know as `threading` and `concurrent.futures`, on the scheduler.

Locks let others run where they are taken and given back, as real ones may: so a race between two threads of the manager
is found by a seed, and found again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from greenlet import getcurrent

from .scheduler import Process, Scheduler, Task


class VirtualThreading:
    """Stands in for the module `threading` in all modules of one process."""

    def __init__(self, scheduler: Scheduler, process: Process) -> None:
        self._scheduler = scheduler
        self._process = process
        self._main = _Named("MainThread")
        self._threads: dict[Task, Any] = {}

    def Thread(  # noqa: N802 - the module's own name
        self,
        target: Callable[..., Any],
        name: str = "thread",
        args: tuple[Any, ...] = (),
        daemon: bool | None = None,
    ) -> VirtualThread:
        """A thread."""
        return VirtualThread(self._scheduler, self._process, lambda: target(*args), name, self._threads)

    def start_new_thread(self, target: Callable[..., Any], args: tuple[Any, ...]) -> int:
        """A thread that nobody has a name for."""
        self.Thread(target, "nameless", args).start()
        return 1

    def Lock(self) -> VirtualLock:  # noqa: N802
        """A lock."""
        return VirtualLock(self._scheduler)

    def RLock(self) -> VirtualLock:  # noqa: N802
        """A lock that its holder may take again."""
        return VirtualLock(self._scheduler, reentrant=True)

    def Condition(self, lock: VirtualLock | None = None) -> VirtualCondition:  # noqa: N802
        """A condition."""
        return VirtualCondition(self._scheduler, lock or VirtualLock(self._scheduler, reentrant=True))

    def Event(self) -> VirtualEvent:  # noqa: N802
        """An event."""
        return VirtualEvent(self._scheduler)

    def current_thread(self) -> Any:
        """The running thread; a task that nobody made with `Thread` is the main thread when it is named so."""
        task = getcurrent()
        if isinstance(task, Task) and task.name != "main":
            return self._threads.setdefault(task, task)
        return self._main

    def main_thread(self) -> Any:
        """The main thread."""
        return self._main

    def get_ident(self) -> int:
        """A number for the running thread."""
        return id(getcurrent())

    # concurrent.futures

    def Future(self) -> VirtualFuture:  # noqa: N802
        """A future."""
        return VirtualFuture(self._scheduler)

    def ThreadPoolExecutor(self, max_workers: int = 1, thread_name_prefix: str = "") -> VirtualPool:  # noqa: N802
        """A pool."""
        return VirtualPool(self._scheduler, self._process, max_workers, thread_name_prefix)


class _Named:
    def __init__(self, name: str) -> None:
        self.name = name


class VirtualLocal:
    """`threading.local`: attributes of the running task."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self._mine()[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self._mine()[name] = value

    def _mine(self) -> dict[str, Any]:
        task = getcurrent()
        return task.locals.setdefault(id(self), {}) if isinstance(task, Task) else {}


class _Queue:
    """Tasks that wait for one thing, in order."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._waiting: list[tuple[Task, int]] = []

    def wait(self, timeout_s: float | None) -> bool:
        """Wait to be waked; whether it was that."""
        task = self._scheduler.current()
        mine = (task, task.waits)
        self._waiting.append(mine)
        is_waked = self._scheduler.wait(timeout_s) is not False
        if not is_waked and mine in self._waiting:
            self._waiting.remove(mine)
        return is_waked

    def wake(self, count: int | None = 1) -> None:
        """Wake the first, or all."""
        chosen = self._waiting if count is None else self._waiting[:count]
        self._waiting = [] if count is None else self._waiting[count:]
        for task, waits in chosen:
            self._scheduler.wake(task, True, waits)


class VirtualLock:
    """`Lock` and `RLock`."""

    def __init__(self, scheduler: Scheduler, *, reentrant: bool = False) -> None:
        self._scheduler = scheduler
        self._reentrant = reentrant
        self._owner: Any = None
        self._depth = 0
        self._queue = _Queue(scheduler)

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it."""
        me = getcurrent()
        if self._owner is me and self._reentrant:
            self._depth += 1
            return True
        self._scheduler.pause()
        while self._owner is not None:
            if not blocking or (not self._queue.wait(None if timeout < 0 else timeout) and timeout >= 0):
                return False
        self._owner, self._depth = me, 1
        return True

    def release(self) -> None:
        """Give it back. A `Lock` may be given back by another than who took it, as real ones may."""
        if self._owner is not getcurrent():
            self._scheduler.current()  # a killed task may be here without its lock
            if self._reentrant or self._owner is None:
                raise RuntimeError("release of a lock that is not held")
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            self._queue.wake()
            self._scheduler.pause()

    def locked(self) -> bool:
        """Whether somebody has it."""
        return self._owner is not None

    def _is_owned(self) -> bool:
        return self._owner is getcurrent()

    def release_all(self) -> int:
        """Give it back however often it was taken: for `Condition.wait`."""
        depth, self._depth, self._owner = self._depth, 0, None
        self._queue.wake()
        return depth

    def take_again(self, depth: int) -> None:
        """Undo `release_all`."""
        self.acquire()
        self._depth = depth

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class VirtualCondition:
    """`Condition`."""

    def __init__(self, scheduler: Scheduler, lock: VirtualLock) -> None:
        self._scheduler = scheduler
        self._lock = lock
        self._queue = _Queue(scheduler)

    def __enter__(self) -> Self:
        self._lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for `notify`."""
        depth = self._lock.release_all()
        try:
            return self._queue.wait(timeout)
        finally:
            self._lock.take_again(depth)

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """Wait until something is true."""
        end_us = None if timeout is None else self._scheduler.now_us + int(timeout * 1e6)
        while not (result := predicate()):
            left_s = None if end_us is None else (end_us - self._scheduler.now_us) / 1e6
            if left_s is not None and left_s <= 0:
                break
            self.wait(left_s)
        return result

    def notify(self, n: int = 1) -> None:
        """Wake some."""
        self._queue.wake(n)

    def notify_all(self) -> None:
        """Wake all."""
        self._queue.wake(None)


class VirtualEvent:
    """`Event`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._queue = _Queue(scheduler)
        self._is_set = False

    def is_set(self) -> bool:
        """Whether it is set."""
        return self._is_set

    def set(self) -> None:
        """Set it and wake all."""
        self._is_set = True
        self._queue.wake(None)

    def clear(self) -> None:
        """Unset it."""
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set."""
        if not self._is_set:
            self._queue.wait(timeout)
        return self._is_set


class VirtualThread:
    """`Thread`."""

    def __init__(
        self,
        scheduler: Scheduler,
        process: Process,
        work: Callable[[], Any],
        name: str,
        threads: dict[Task, Any],
    ) -> None:
        self._scheduler = scheduler
        self._process = process
        self._work = work
        self._threads = threads
        self._over = VirtualEvent(scheduler)
        self._task: Task | None = None
        self.name = name

    def start(self) -> None:
        """Begin."""
        self._task = self._scheduler.spawn(self._work, self._process, self.name)
        self._threads[self._task] = self
        self._task.joiners.append(self._over.set)

    def is_alive(self) -> bool:
        """Whether it began and has not ended."""
        return self._task is not None and not self._task.is_over

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        if self.is_alive():
            self._over.wait(timeout)


class VirtualFuture:
    """`Future`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._done = VirtualEvent(scheduler)
        self._result: Any = None
        self._failure: BaseException | None = None

    def done(self) -> bool:
        """Whether there is a result or a failure."""
        return self._done.is_set()

    def set_result(self, result: Any) -> None:
        """Give the result."""
        self._result = result
        self._done.set()

    def set_exception(self, failure: BaseException) -> None:
        """Give the failure."""
        self._failure = failure
        self._done.set()

    def result(self, timeout: float | None = None) -> Any:
        """Wait for it."""
        if not self._done.wait(timeout):
            raise TimeoutError
        if self._failure is not None:
            raise self._failure
        return self._result

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for it."""
        if not self._done.wait(timeout):
            raise TimeoutError
        return self._failure


class VirtualPool:
    """`ThreadPoolExecutor`."""

    def __init__(self, scheduler: Scheduler, process: Process, workers: int, name: str) -> None:
        self._scheduler = scheduler
        self._process = process
        self._workers = workers
        self._name = name
        self._waiting: list[Callable[[], Any]] = []
        self._running = 0
        self._idle = VirtualEvent(scheduler)
        self._idle.set()

    def submit(self, work: Callable[..., Any], *args: Any) -> None:
        """Run something on a worker."""
        self._waiting.append(lambda: work(*args))
        self._idle.clear()
        if self._running < self._workers:
            self._running += 1
            self._scheduler.spawn(self._run, self._process, self._name)

    def _run(self) -> None:
        while self._waiting:
            self._waiting.pop(0)()
        self._running -= 1
        if self._running == 0:
            self._idle.set()

    def shutdown(self, wait: bool = True) -> None:
        """Wait for the end of all work."""
        if wait:
            self._idle.wait()
