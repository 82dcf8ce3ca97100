"""Work that a caller on the main thread must not do itself.

Python raises KeyboardInterrupt on the main thread wherever that happens to be. Amid a request the answer is lost;
within a condition's `__enter__`, which is Python, its lock stays taken, and every thread of ours that needs it waits
without end; within a finalizer the interrupt is dropped. So such a caller sends somebody, and waits in one step.
"""

from __future__ import annotations

import atexit
import logging
import threading
from _thread import start_new_thread
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")
LOOK_UP_S = 0.5
"""A signal may come just before the wait begins, and does not end it then: so the wait begins anew now and then."""

_log = logging.getLogger(__name__)
_owed: set[Errand[Any]] = set()


class Errand(Generic[Result]):
    """Work on a thread of its own. An interrupt ends the waiting for it, never the work.

    `is_left` says that nobody waits for it, `has_failed` that the work raised. The end of the interpreter waits for no
    errand but one that `must_end`.
    """

    def __init__(self, work: Callable[[], Result], *, must_end: bool = False) -> None:
        self.is_left = False
        self.has_failed = False
        self._failure: BaseException | None = None
        self._work: Callable[[], Result] | None = work
        self._must_end = must_end
        self._result: list[Result] = []
        self._begun: list[int] = []
        self._is_over = False
        self._under_way = threading.Lock()
        self._under_way.acquire()
        self._thread = threading.Thread(target=self._carry_out, name="bracketeer-errand", daemon=True)

    def begin(self) -> None:
        """Send for it and go on; what it raises is logged."""
        self.is_left = True
        self._begin()

    def run(self) -> Result:
        """Send for it and wait.

        Raises:
            BaseException: what the work raised, or a signal's handler: then it is left, if it had begun.
        """
        try:
            self._begin()
            self._wait()
        except BaseException:
            self.is_left = bool(self._begun)
            raise
        return self.result()

    def result(self) -> Result:
        """Wait for it (also: anew, after an interrupt), and take what there is.

        Raises:
            BaseException: as `run`.
        """
        self._wait()
        failure, self._failure = self._failure, None  # else its traceback and the errand hold on to each other
        try:
            if failure is not None:
                raise failure
            return self._result[0]
        finally:
            del failure

    def wait_for_end(self) -> None:
        """Wait, if it ever began."""
        if self._begun:
            self._wait()

    def _begin(self) -> None:
        if self._must_end:
            _owed.add(self)
        try:
            # One call, which no interrupt divides: it has begun, or it has not. `Thread.start` waits for a condition.
            self._begun.extend(map(start_new_thread, (self._send,), ((),)))
        except RuntimeError:
            if self._begun:  # that was a signal's handler
                raise
            self._begun.append(0)  # no thread is to be had: then here, where an interrupt may strike
            self._carry_out()

    def _send(self) -> None:
        try:
            self._thread.start()
        except RuntimeError:
            self._carry_out()

    def _wait(self) -> None:
        while not (self._is_over or self._under_way.acquire(timeout=LOOK_UP_S)):
            pass

    def _carry_out(self) -> None:
        work, self._work = self._work, None  # it may know its errand
        try:
            if work is not None:
                self._result.append(work())
        except BaseException as failure:  # noqa: BLE001 - raised where the result is waited for
            self.has_failed, self._failure = True, failure
            if self._must_end and self.is_left:
                _log.error("%s: %s", type(failure).__name__, failure)
        finally:
            del work
            _owed.discard(self)
            self._is_over = True
            self._under_way.release()


@atexit.register
def _wait_for_what_must_end() -> None:
    for errand in list(_owed):
        errand.wait_for_end()


def on_main_thread() -> bool:
    """Whether an interrupt can strike here."""
    return threading.current_thread() is threading.main_thread()


def off_main(work: Callable[[], Result], *, must_end: bool = False) -> Result:
    """Do the work where no interrupt strikes, and wait for it. On any other thread than the main one: do it here.

    Raises:
        BaseException: what the work raised, or an interrupt while it was waited for; the work goes on by itself then.
    """
    return Errand(work, must_end=must_end).run() if on_main_thread() else work()
