"""Work that a caller on the main thread must not do itself.

Python raises KeyboardInterrupt on the main thread wherever that happens to be. Amid a request the answer is lost;
within a condition's `__enter__`, which is Python, its lock stays taken, and every thread of ours that needs it waits
without end; within a finalizer the interrupt is dropped. So such a caller sends somebody, and waits in one step.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")
INTERRUPTS = (KeyboardInterrupt, SystemExit)
"""What Ctrl-C raises on the main thread, and what handlers of other signals do."""


class Errand(Generic[Result]):
    """Work on a thread of its own. An interrupt ends the waiting for it, never the work."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self.is_left = False  # nobody waits for it any more
        self._work = work
        self._is_over = False
        self._result: list[Result] = []
        self._failure: BaseException | None = None
        self._under_way = threading.Lock()
        self._under_way.acquire()
        self._thread = threading.Thread(target=self._run, name="bracketeer-errand", daemon=True)

    def begin(self) -> None:
        """Send for it. Interrupted here, it may have begun all the same."""
        try:
            self._thread.start()
        except INTERRUPTS:
            self.is_left = True
            raise

    def result(self) -> Result:
        """Wait for it; may be called again after an interrupt.

        Raises:
            BaseException: what the work raised, or the interrupt.
        """
        self.is_left = False
        try:
            if not self._is_over:
                self._under_way.acquire()  # one step: either it is taken or the interrupt is raised
        except INTERRUPTS:
            self.is_left = True
            raise
        if self._failure is not None:
            raise self._failure
        return self._result[0]

    def _run(self) -> None:
        try:
            self._result.append(self._work())
        except BaseException as failure:  # noqa: BLE001 - raised where the result is waited for
            self._failure = failure
        finally:
            self._is_over = True
            self._under_way.release()


def on_main_thread() -> bool:
    """Whether an interrupt can strike here."""
    return threading.current_thread() is threading.main_thread()


def off_main(work: Callable[[], Result]) -> Result:
    """Do the work where no interrupt strikes, and wait for it. On any other thread than the main one: do it here.

    Raises:
        KeyboardInterrupt: while it was waited for (SystemExit from a signal's handler); the work goes on by itself.
        BaseException: what the work raised.
    """
    if not on_main_thread():
        return work()
    errand = Errand(work)
    errand.begin()
    return errand.result()
