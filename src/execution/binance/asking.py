"""Questions and idempotent settings: what may be asked again. Orders never come through here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ...core.retry import RetryAudit, retry_with_backoff
from ..errors import ClockSkewed, ExchangeError, ExchangeUnreachable
from .client import Client, Reply

Meaning = TypeVar("Meaning")


class Asker:
    """Asks the exchange, repeating what may be repeated."""

    def __init__(
        self,
        client: Client,
        sleep: Callable[[float], None],
        *,
        max_retries: int,
        initial_delay_s: float,
        retryable: Callable[[Exception], bool],
        audit: RetryAudit | None = None,
    ) -> None:
        self.client = client
        self._sleep = sleep
        self._max_retries = max_retries
        self._initial_delay_s = initial_delay_s
        self._retryable = retryable
        self._audit = audit

    def ask(self, call: Callable[..., Reply], translate: Callable[[Any], Meaning], **parameters: object) -> Meaning:
        """The meaning of one answer.

        Raises:
            ExchangeError: there is none, patience included.
        """
        return self.ask_dated(call, translate, **parameters)[1]

    def ask_dated(
        self, call: Callable[..., Reply], translate: Callable[[Any], Meaning], **parameters: object
    ) -> tuple[int, Meaning]:
        """The same, with the instant (exchange clock) before the question that was answered: an earlier one may have
        been lost, and what changed between the two is in the answer.

        Raises:
            ExchangeError: there is none, patience included.
        """

        def once() -> tuple[int, Meaning]:
            try:
                reply = call(**parameters)
                return reply.sent_at_ms, reply.read(translate)
            except ClockSkewed:
                self.client.clock.synchronise()  # then the next attempt carries a better timestamp
                raise

        patiently = retry_with_backoff(
            max_retries=self._max_retries,
            initial_delay=self._initial_delay_s,
            sleep=self._sleep,
            retryable=self._retryable,
            audit=self._audit,
            operation=getattr(call, "__name__", "ask"),
        )
        return patiently(once)()


def is_transient(error: BaseException) -> bool:
    """Whether the same question may well be answered a moment later: nothing came, or our clock was off."""
    return isinstance(error, ExchangeUnreachable | ClockSkewed)


def is_worth_waiting(error: BaseException) -> bool:
    """The same, for calls that can afford to wait until a rate window is over or a book has orders again. A ban is not
    waited out: its failure has no `resend_ms`."""
    return is_transient(error) or (isinstance(error, ExchangeError) and error.failure.resend_ms is not None)
