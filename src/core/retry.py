"""Asking again, with growing pauses: for reads and idempotent settings only, never for a submit.

A submit whose outcome is unknown may have been executed; sending it again can fill twice. It is resolved, not
repeated (`outcome`, `reconcile`). What may be repeated is a question, or a setting that is the same after the
second time.

Deciding (`is_retryable`, `retry_after_s`, `backoff_delay`) is pure; `retry_with_backoff` adds the loop. The
loop reads no clock. It sleeps and draws jitter through its arguments; their defaults (`time.sleep`, an
unseeded generator) are there so that the decorator works as it stands, and decide nothing that is journaled.
"""

import functools
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import isfinite
from typing import Any, Final, NamedTuple, ParamSpec, Protocol, TypeVar

from .errors import AuditError

__all__ = [
    "RETRY_AFTER_MAX_S",
    "RetryAttempt",
    "RetryAudit",
    "backoff_delay",
    "is_retryable",
    "retry_after_s",
    "retry_with_backoff",
]

P = ParamSpec("P")
R = TypeVar("R")

RETRY_AFTER_MAX_S: Final = 3600.0
"""An exchange that asks for a longer pause is not waited for: the error goes to the caller at once."""

_BANNED = 418
_RETRYABLE_STATUS = frozenset({408, 429})
_RETRYABLE_CODES = frozenset({-1000, -1001, -1003, -1006, -1007, -1008, -1015, -1016})
"""Of the exchange's codes, those that say "later" or nothing at all (binance-usdm.md §9.1, classes L, R and U)."""

# Recognised by name, for core imports no network library; subclasses are found through the MRO.
_NETWORK_ERRORS = frozenset(
    {
        "requests.ConnectionError",
        "requests.Timeout",
        "requests.ChunkedEncodingError",
        "requests.ContentDecodingError",
        "urllib3.TimeoutError",
        "urllib3.ProtocolError",
        "urllib3.NewConnectionError",
        "urllib3.NameResolutionError",
        "urllib3.MaxRetryError",
        "socket.gaierror",
    }
)
_JITTER = random.Random()


class RetryAttempt(NamedTuple):
    """A failed attempt that another follows: `attempt` counts from 1, `delay_s` is the pause after it."""

    operation: str
    attempt: int
    max_retries: int
    delay_s: float
    error_code: int | None
    status_code: int | None
    error: Exception


class RetryAudit(Protocol):
    """Where retries are put on record; an `AuditLogger` is one."""

    def log_event(self, event_type: str, operation: str | None = None, **data: Any) -> object:
        """Add a note."""
        ...


def backoff_delay(
    attempt: int,
    *,
    initial_delay: float = 1.0,
    backoff_factor: float = 2.0,
    max_delay: float = 60.0,
    jitter: float = 0.0,
    unit: float = 0.5,
    retry_after: float | None = None,
) -> float:
    """Seconds to wait after failed attempt number `attempt` (from 1).

    `min(max_delay, initial_delay * backoff_factor ** (attempt - 1))`, spread over ±`jitter` (a fraction) by
    `unit` in [0, 1], and cut at `max_delay` again; then at least `retry_after`, which is never undercut.
    """
    try:
        plain = min(max_delay, initial_delay * backoff_factor ** (attempt - 1))
    except OverflowError:
        plain = max_delay if initial_delay > 0 else 0.0
    spread = min(max_delay, plain * (1 + jitter * (2 * unit - 1)))
    return spread if retry_after is None else max(spread, retry_after)


def is_retryable(error: BaseException) -> bool:
    """Whether the same question may be answered later: rate limits, 5xx, no connection, no answer in time.

    A refusal that would be repeated (-2015, -1102, …) is not, and neither is a ban (418): each request makes
    it longer, so the caller has to wait for its end.

    Looks at `status_code` and `error_code` or `code` (`binance.error` and our own errors carry them), at
    built-in connection and timeout errors, and at those of requests and urllib3 by name.
    """
    status, code = _status_code(error), _error_code(error)
    if status == _BANNED:
        return False
    if status is not None and (status in _RETRYABLE_STATUS or status >= 500):
        return True
    if code is not None:
        return code in _RETRYABLE_CODES
    if status is not None:
        return False
    return isinstance(error, ConnectionError | TimeoutError) or any(
        f"{kind.__module__.partition('.')[0]}.{kind.__name__}" in _NETWORK_ERRORS for kind in type(error).__mro__
    )


def retry_after_s(error: BaseException) -> float | None:
    """The pause the exchange asked for, in seconds: `retry_after`, `retry_after_s` or the `Retry-After` header.

    A header that holds a date counts as absent: judging it would take a clock.
    """
    for name in ("retry_after", "retry_after_s"):
        asked = _seconds(getattr(error, name, None))
        if asked is not None:
            return asked
    for holder in (error, getattr(error, "response", None)):
        for name in ("header", "headers"):
            headers = getattr(holder, name, None)
            if isinstance(headers, Mapping):
                for key, value in headers.items():
                    if str(key).lower() == "retry-after":
                        return _seconds(value)
    return None


def retry_with_backoff(
    max_retries: int = 3,
    initial_delay: float = 1.0,
    backoff_factor: float = 2.0,
    *,
    max_delay: float = 60.0,
    jitter: float = 0.1,
    sleep: Callable[[float], None] = time.sleep,
    rng: random.Random = _JITTER,
    retryable: Callable[[Exception], bool] = is_retryable,
    on_retry: Callable[[RetryAttempt], object] | None = None,
    audit: RetryAudit | None = None,
    operation: str | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a read, or an idempotent setting, so that passing failures are tried again. Never a submit.

    Args:
        max_retries: attempts after the first one.
        initial_delay: seconds before the first retry; each next pause is `backoff_factor` times longer.
        max_delay: seconds, the longest pause of our own; a longer `Retry-After` is honoured all the same.
        jitter: fraction by which a pause varies, so that many callers do not return at the same instant.
        sleep, rng: how to wait, and where the jitter comes from.
        retryable: which errors are worth another attempt.
        on_retry: hears of each failed attempt before the pause.
        audit: gets the same as a `retry_attempt` line. A journal that is full does not stop a read.
        operation: name for the record; the function's own by default.

    The last error is raised as it came. Raises ValueError for arguments out of range, when decorating.
    """
    if max_retries < 0 or initial_delay < 0 or max_delay < 0 or backoff_factor < 1 or not 0 <= jitter <= 1:
        raise ValueError("retries and delays must not be negative, backoff_factor >= 1, jitter in [0, 1]")

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        name = operation if operation is not None else _name_of(function)

        @functools.wraps(function)
        def patient(*args: P.args, **kwargs: P.kwargs) -> R:
            for attempt in range(1, max_retries + 1):
                try:
                    return function(*args, **kwargs)
                except Exception as error:
                    asked = retry_after_s(error)
                    if not retryable(error) or (asked is not None and asked > RETRY_AFTER_MAX_S):
                        raise
                    delay_s = backoff_delay(
                        attempt,
                        initial_delay=initial_delay,
                        backoff_factor=backoff_factor,
                        max_delay=max_delay,
                        jitter=jitter,
                        unit=rng.random(),
                        retry_after=asked,
                    )
                    status, code = _status_code(error), _error_code(error)
                    failed = RetryAttempt(name, attempt, max_retries, delay_s, code, status, error)
                if on_retry is not None:
                    on_retry(failed)
                if audit is not None:
                    _record(audit, failed)
                sleep(failed.delay_s)
            return function(*args, **kwargs)

        return patient

    return decorate


def _name_of(function: Callable[..., object]) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _record(audit: RetryAudit, failed: RetryAttempt) -> None:
    with suppress(AuditError):  # the journal reports its own state; a question need not fail for it
        audit.log_event(
            "retry_attempt",
            failed.operation,
            retry_count=failed.attempt,
            max_retries=failed.max_retries,
            delay_s=failed.delay_s,
            error=str(failed.error) or type(failed.error).__name__,
            error_code=failed.error_code,
            status_code=failed.status_code,
        )


def _status_code(error: BaseException) -> int | None:
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "http_status"):
            status = getattr(holder, name, None)
            if isinstance(status, int):
                return status
    return None


def _error_code(error: BaseException) -> int | None:
    for name in ("error_code", "exchange_code", "code"):
        code = getattr(error, name, None)
        if isinstance(code, int):
            return code
    return None


def _seconds(value: object) -> float | None:
    if not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except ValueError:
        return None
    return seconds if isfinite(seconds) and seconds >= 0 else None
