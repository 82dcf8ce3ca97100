"""A place in the queue: what a caller holds until its signal's report is there."""

from __future__ import annotations

import threading

from ..core.report import ExecutionReport


class Ticket:
    """Settled once with a report, or with the failure that kept one from being made."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._report: ExecutionReport | None = None
        self._failure: BaseException | None = None

    @property
    def done(self) -> bool:
        """Whether it is settled."""
        return self._done.is_set()

    def settle(self, report: ExecutionReport) -> None:
        """Give the report; only the first one counts."""
        if not self.done:
            self._report = report
            self._done.set()

    def fail(self, failure: BaseException) -> None:
        """Give up, with the reason."""
        if not self.done:
            self._failure = failure
            self._done.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Block until it is settled or the time is over; whether it is settled."""
        return self._done.wait(timeout_s)

    def result(self) -> ExecutionReport:
        """The report.

        Raises:
            BaseException: what `fail` was given.
            RuntimeError: it is not settled yet.
        """
        if self._failure is not None:
            raise self._failure
        if self._report is None:
            raise RuntimeError("the ticket is not settled yet")
        return self._report
