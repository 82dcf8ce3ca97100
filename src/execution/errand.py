"""Work that a caller on the main thread must not do itself.

Python raises KeyboardInterrupt on the main thread wherever that happens to be. Amid a request the answer is lost;
within a condition's `__enter__`, which is Python, its lock stays taken, and every thread of ours that needs it waits
without end; within a finalizer the interrupt is dropped. So such a caller sends somebody, and waits in one step.
"""

from __future__ import annotations

import threading
from _thread import start_new_thread
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")
LOOK_UP_S = 0.5
"""A signal may come just before the wait begins, and does not end it then: so the wait begins anew now and then."""


class Errand(Generic[Result]):
    """Work on a thread of its own. An interrupt ends the waiting for it, never the work.

    `is_left` says that whoever waited for it was interrupted. The interpreter ends without an errand that is under way,
    but for one that `must_end`.
    """

    def __init__(self, work: Callable[[], Result], *, must_end: bool = False) -> None:
        self.is_left = False
        self._result: list[Result] = []
        self._failure: BaseException | None = None
        self._is_over = False
        self._under_way = threading.Lock()
        self._under_way.acquire()
        self._thread = threading.Thread(target=self._run, args=(work,), name="bracketeer-errand", daemon=not must_end)

    def begin(self) -> None:
        """Send for it, in one step: `Thread.start` waits for a condition, which an interrupt could break."""
        start_new_thread(self._send, ())

    def run(self) -> Result:
        """Send for it and wait.

        Raises:
            BaseException: what the work raised, or the interrupt: then it is left.
        """
        try:
            start_new_thread(self._send, ())
            self._wait()
        except BaseException:  # whatever a signal's handler raises
            self.is_left = True
            raise
        return self.result()

    def result(self) -> Result:
        """Wait for it (also: anew, after an interrupt).

        Raises:
            BaseException: as `run`.
        """
        self._wait()
        try:
            if self._failure is not None:
                raise self._failure
            return self._result[0]
        finally:
            del self  # else the failure's traceback and the errand hold on to each other

    def _wait(self) -> None:
        while not (self._is_over or self._under_way.acquire(timeout=LOOK_UP_S)):
            pass

    def _send(self) -> None:
        try:
            self._thread.start()
        except RuntimeError as failure:  # no thread can be started
            self._end(failure)

    def _run(self, work: Callable[[], Result]) -> None:
        failure: BaseException | None = None
        try:
            self._result.append(work())
        except BaseException as error:  # noqa: BLE001 - raised where the result is waited for
            failure = error
        self._end(failure)

    def _end(self, failure: BaseException | None) -> None:
        self._failure = failure
        self._is_over = True
        self._under_way.release()


def on_main_thread() -> bool:
    """Whether an interrupt can strike here."""
    return threading.current_thread() is threading.main_thread()


def off_main(work: Callable[[], Result], *, must_end: bool = False) -> Result:
    """Do the work where no interrupt strikes, and wait for it. On any other thread than the main one: do it here.

    Raises:
        BaseException: what the work raised, or an interrupt while it was waited for; the work goes on by itself then.
    """
    return Errand(work, must_end=must_end).run() if on_main_thread() else work()
