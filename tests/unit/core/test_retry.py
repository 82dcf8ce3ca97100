"""Retrying: the arithmetic, what is worth it, and a loop that never sleeps longer or shorter than it says."""

import functools
import inspect
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import urllib3
from binance.error import ClientError, ServerError

from bracketeer.core.errors import JournalUnavailable
from bracketeer.core.retry import (
    RETRY_AFTER_MAX_S,
    RetryAttempt,
    backoff_delay,
    is_retryable,
    retry_after_s,
    retry_with_backoff,
)


def client_error(status: int, code: int, header: dict[str, str] | None = None) -> Exception:
    error: Exception = ClientError(status, code, "text", header or {})
    return error


class Flaky:
    """Fails as told, then succeeds; counts its calls."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, answer: str = "answer") -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return answer


def test_plain_delays_double() -> None:
    """1, 2, 4, 8 seconds, and never more than the cap."""
    assert [backoff_delay(n) for n in range(1, 8)] == [1, 2, 4, 8, 16, 32, 60]


def http_error(status: int) -> Exception:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(response=response)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (client_error(429, -1003), True),
        (client_error(429, -1015), True),
        (client_error(400, -1003), True),
        (client_error(408, -1007), True),
        (client_error(418, -1003), False),
        (client_error(418, -1003, {"Retry-After": "3"}), False),
        (client_error(401, -2015), False),
        (client_error(400, -1102), False),
        (client_error(400, -1021), False),
        (client_error(400, -2013), False),
        (client_error(400, -4046), False),
        (client_error(403, -1), False),
        (ServerError(500, "x"), True),
        (ServerError(503, "Service Unavailable."), True),
        (http_error(502), True),
        (http_error(404), False),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (requests.ConnectionError(), True),
        (requests.ReadTimeout(), True),
        (requests.exceptions.ChunkedEncodingError(), True),
        (urllib3.exceptions.ProtocolError("x"), True),
        (urllib3.exceptions.ReadTimeoutError(None, "u", "x"), True),  # type: ignore[arg-type]
        (requests.exceptions.InvalidURL(), False),
        (requests.exceptions.JSONDecodeError("x", "", 0), False),
        (OSError("disk"), False),
        (ValueError("x"), False),
        (JournalUnavailable("x"), False),
    ],
    ids=repr,
)
def test_what_is_worth_another_attempt(error: Exception, expected: bool) -> None:
    """Limits, 5xx and lost connections are; definite refusals, bans and our own mistakes are not."""
    assert is_retryable(error) is expected


def with_attributes(**attributes: Any) -> Exception:
    error = RuntimeError()
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (with_attributes(retry_after=5), 5.0),
        (with_attributes(retry_after_s="2.5"), 2.5),
        (client_error(429, -1003, {"retry-AFTER": "7"}), 7.0),
        (with_attributes(headers={"X": "1", "Retry-After": "8"}), 8.0),
        (with_attributes(response=SimpleNamespace(headers={"Retry-After": "9"})), 9.0),
        (with_attributes(header={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), None),
        (with_attributes(header={"Retry-After": "-1"}), None),
        (with_attributes(retry_after=float("inf")), None),
        (with_attributes(retry_after=None, header=None), None),
        (ValueError(), None),
    ],
)
def test_retry_after_is_found_where_it_stands(error: Exception, expected: float | None) -> None:
    """Attribute or header, in any case; dates and nonsense count as absent."""
    assert retry_after_s(error) == expected


def test_passing_failures_are_tried_again() -> None:
    """It pauses 1, 2, 4 seconds and returns the answer in the end."""
    flaky = Flaky(ServerError(503, "x"), TimeoutError(), client_error(429, -1003))
    pauses: list[float] = []
    patient = retry_with_backoff(jitter=0, sleep=pauses.append)(flaky)
    assert patient("yes") == "yes"
    assert pauses == [1, 2, 4]


def test_last_error_comes_unchanged() -> None:
    """After the last retry the caller sees the very error, not a wrapper."""
    last = ServerError(503, "last")
    flaky = Flaky(ServerError(500, "first"), last)
    with pytest.raises(ServerError) as raised:
        retry_with_backoff(max_retries=1, sleep=lambda _: None)(flaky)()
    assert raised.value is last
    assert flaky.calls == 2


@pytest.mark.parametrize("error", [client_error(401, -2015), client_error(418, -1003), ValueError()], ids=repr)
def test_refusals_are_not_tried_again(error: Exception) -> None:
    """One call, no pause."""
    flaky = Flaky(error)
    with pytest.raises(type(error)):
        retry_with_backoff(sleep=_no_sleep)(flaky)()
    assert flaky.calls == 1


def test_no_retries_means_one_call() -> None:
    """Zero is a valid number of retries."""
    flaky = Flaky(TimeoutError())
    with pytest.raises(TimeoutError):
        retry_with_backoff(max_retries=0, sleep=_no_sleep)(flaky)()
    assert flaky.calls == 1


def test_retry_after_is_waited_for() -> None:
    """Longer than our own longest pause, where the exchange asks for it."""
    pauses: list[float] = []
    flaky = Flaky(client_error(429, -1003, {"Retry-After": "90"}))
    assert retry_with_backoff(max_delay=5, sleep=pauses.append)(flaky)() == "answer"
    assert pauses == [90]


def test_endless_retry_after_is_not_waited_for() -> None:
    """A thread must not sleep for days on a header's word: the caller decides."""
    flaky = Flaky(client_error(429, -1003, {"Retry-After": str(RETRY_AFTER_MAX_S + 1)}))
    with pytest.raises(ClientError):
        retry_with_backoff(sleep=_no_sleep)(flaky)()


def test_jitter_comes_from_the_given_generator() -> None:
    """Two loops with the same seed pause alike, and not for the plain second."""

    def pauses(seed: int) -> list[float]:
        slept: list[float] = []
        patient = retry_with_backoff(jitter=0.5, sleep=slept.append, rng=random.Random(seed))
        patient(Flaky(TimeoutError(), TimeoutError()))()
        return slept

    assert pauses(1) == pauses(1) != pauses(2)


class Notes:
    def __init__(self, error: Exception | None = None) -> None:
        self.lines: list[tuple[str, str | None, dict[str, Any]]] = []
        self.error = error

    def log_event(self, event_type: str, operation: str | None = None, **data: Any) -> int:
        if self.error is not None:
            raise self.error
        self.lines.append((event_type, operation, data))
        return len(self.lines)


def test_each_retry_is_told_and_put_on_record() -> None:
    """Before the pause, with the numbers a review asks for."""
    notes, told = Notes(), list[RetryAttempt]()
    error = client_error(429, -1003)

    @retry_with_backoff(jitter=0, sleep=lambda _: None, on_retry=told.append, audit=notes)
    def get_position(flaky: Flaky) -> str:
        return flaky()

    get_position(Flaky(error, TimeoutError()))
    assert told[0] == RetryAttempt("get_position", 1, 3, 1.0, -1003, 429, error)
    assert (told[1].attempt, told[1].error_code, told[1].status_code) == (2, None, None)
    event_type, operation, data = notes.lines[1]
    assert (event_type, operation) == ("retry_attempt", "get_position")
    assert data == {
        "retry_count": 2,
        "max_retries": 3,
        "delay_s": 2.0,
        "error": "TimeoutError",
        "error_code": None,
        "status_code": None,
    }


def test_full_journal_does_not_stop_a_question() -> None:
    """The journal reports its own state; finding out where an order is goes on."""
    patient = retry_with_backoff(sleep=lambda _: None, audit=Notes(JournalUnavailable("full")))(Flaky(TimeoutError()))
    assert patient() == "answer"


def test_function_metadata_is_kept() -> None:
    """Name, text and signature, on functions and on methods."""

    class Account:
        @retry_with_backoff()
        def balance(self, asset: str = "USDT") -> str:
            """The balance."""
            return f"{asset} {type(self).__name__}"

    assert Account().balance("BTC") == "BTC Account"
    assert Account.balance.__name__ == "balance"
    assert Account.balance.__doc__ == "The balance."
    assert list(inspect.signature(Account.balance).parameters) == ["self", "asset"]


def test_operation_can_be_named() -> None:
    """What has no name of its own, or not a telling one."""
    told: list[RetryAttempt] = []
    for operation in (None, "get_order"):
        partial: Callable[[], str] = functools.partial(Flaky(TimeoutError()), "x")
        retry_with_backoff(sleep=lambda _: None, on_retry=told.append, operation=operation)(partial)()
    assert [attempt.operation for attempt in told] == ["partial", "get_order"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_retries": -1},
        {"initial_delay": -1},
        {"max_delay": -1},
        {"backoff_factor": 0.5},
        {"jitter": 1.5},
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any]) -> None:
    """When decorating, not in the first failure."""
    with pytest.raises(ValueError, match="must not be negative"):
        retry_with_backoff(**arguments)


def _no_sleep(_: float) -> None:
    pytest.fail("there is nothing to wait for")
