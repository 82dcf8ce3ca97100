"""The cache of exchangeInfo: one question for many, a day's memory, and stale rules rather than none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from freezegun import freeze_time

from bracketeer.core.errors import BracketeerError
from bracketeer.core.instrument import Instrument
from bracketeer.core.outcome import Failure, OutcomeKind
from bracketeer.execution import exchange_info
from bracketeer.execution.errors import ExchangeError, ExchangeUnreachable
from bracketeer.execution.exchange_info import Answer, ExchangeInfoCache

START = "2026-11-21 07:00:00"
LIMITS = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400}]


def rules(tick: str) -> dict[str, Instrument]:
    """One symbol with a tick that tells which answer it came from."""
    instrument = Instrument(
        symbol="BTCUSDT",
        status="TRADING",
        tick_size=Decimal(tick),
        step_size=Decimal("0.001"),
        min_quantity=Decimal("0.001"),
        max_quantity=Decimal(1000),
    )
    return {"BTCUSDT": instrument}


UNREACHABLE = ExchangeUnreachable(Failure(kind=OutcomeKind.UNKNOWN, text="connection lost"))


class Exchange:
    """Answers exchangeInfo with what was laid out for it, in order; the last one again and again."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self) -> Answer:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def wall_ms() -> int:
    """The wall clock, which freezegun holds."""
    return time.time_ns() // 1_000_000


def cache_of(
    fetch: Callable[[], Answer], warnings: list[str] | None = None, limits: list[Any] | None = None
) -> ExchangeInfoCache:
    """A cache for 24 hours that notes what it reports."""
    return ExchangeInfoCache(
        fetch,
        wall_ms,
        24,
        on_limits=limits.append if limits is not None else None,
        on_warning=warnings.append if warnings is not None else None,
    )


def tick(cache: ExchangeInfoCache) -> str:
    """The tick of BTCUSDT as the cache has it."""
    instrument = cache.rules("BTCUSDT")
    assert instrument is not None
    return str(instrument.tick_size)


def test_nothing_is_fetched_before_the_first_need() -> None:
    """Making a cache costs nothing; an unknown symbol is None."""
    exchange = Exchange((rules("0.1"), LIMITS))
    limits: list[Any] = []
    cache = cache_of(exchange, limits=limits)
    assert exchange.asked == 0
    assert cache.rules("NOPE") is None
    assert (exchange.asked, limits) == (1, [LIMITS])


def test_rules_are_kept_for_a_day_and_no_longer() -> None:
    """One question in 24 hours, the next one right after."""
    exchange = Exchange((rules("0.1"), LIMITS), (rules("0.2"), []))
    cache = cache_of(exchange)
    with freeze_time(START) as clock:
        assert tick(cache) == "0.1"
        clock.tick(timedelta(hours=24) - timedelta(milliseconds=1))
        assert (tick(cache), exchange.asked) == ("0.1", 1)
        clock.tick(timedelta(milliseconds=1))
        assert (tick(cache), exchange.asked) == ("0.2", 2)


def test_rules_of_unknown_age_are_fetched_anew() -> None:
    """A clock that was set back tells nothing about age."""
    exchange = Exchange((rules("0.1"), LIMITS), (rules("0.2"), LIMITS))
    cache = cache_of(exchange)
    with freeze_time(START) as clock:
        tick(cache)
        clock.tick(timedelta(hours=-2))
        assert tick(cache) == "0.2"


@pytest.mark.parametrize("bad", [UNREACHABLE, ({}, LIMITS)], ids=["unreachable", "empty"])
def test_first_fetch_that_fails_raises_and_is_tried_again_at_once(bad: Any) -> None:
    """Without any rules there is nothing to fall back on; the next need asks again, without a pause."""
    exchange = Exchange(bad, (rules("0.1"), LIMITS))
    limits: list[Any] = []
    cache = cache_of(exchange, limits=limits)
    with freeze_time(START):
        with pytest.raises(ExchangeError):
            cache.rules("BTCUSDT")
        assert limits == []
        assert tick(cache) == "0.1"


@pytest.mark.parametrize("bad", [UNREACHABLE, ({}, LIMITS)], ids=["unreachable", "empty"])
def test_stale_rules_stay_in_use_with_a_warning(bad: Any) -> None:
    """A refresh that fails takes nothing away, is told once, and is tried again after a pause."""
    exchange = Exchange((rules("0.1"), LIMITS), bad, bad, (rules("0.2"), LIMITS))
    warnings: list[str] = []
    cache = cache_of(exchange, warnings)
    with freeze_time(START) as clock:
        tick(cache)
        clock.tick(timedelta(hours=25))
        assert cache.at_hand("BTCUSDT") is None
        assert (tick(cache), tick(cache), exchange.asked) == ("0.1", "0.1", 2)
        assert len(warnings) == 1
        assert "rules from 25.0 hours ago stay in use" in warnings[0]
        clock.tick(timedelta(seconds=60))
        assert (tick(cache), len(warnings)) == ("0.1", 2)
        clock.tick(timedelta(seconds=60))
        assert (tick(cache), len(warnings), exchange.asked) == ("0.2", 2, 4)


def test_listeners_are_optional() -> None:
    """A cache without listeners falls back in the same way."""
    cache = cache_of(Exchange((rules("0.1"), LIMITS), UNREACHABLE))
    with freeze_time(START) as clock:
        tick(cache)
        clock.tick(timedelta(hours=25))
        assert tick(cache) == "0.1"


def test_filter_error_refreshes_once_a_minute() -> None:
    """A filter error makes one fresh look; more of them within a minute make none."""
    exchange = Exchange((rules("0.1"), LIMITS), (rules("0.2"), LIMITS), (rules("0.3"), LIMITS))
    cache = cache_of(exchange)
    with freeze_time(START) as clock:
        tick(cache)
        clock.tick(timedelta(seconds=59))
        assert not cache.refresh_after_filter_error()  # the rules are from this minute
        clock.tick(timedelta(seconds=1))
        assert cache.refresh_after_filter_error()
        assert not cache.refresh_after_filter_error()
        assert (tick(cache), exchange.asked) == ("0.2", 2)
        clock.tick(timedelta(seconds=60))
        assert cache.refresh_after_filter_error()
        assert tick(cache) == "0.3"


def test_filter_error_without_fresh_rules_changes_nothing() -> None:
    """A refresh that fails keeps the rules and says that nothing is new."""
    warnings: list[str] = []
    cache = cache_of(Exchange((rules("0.1"), LIMITS), UNREACHABLE), warnings)
    with freeze_time(START) as clock:
        tick(cache)
        clock.tick(timedelta(seconds=60))
        assert not cache.refresh_after_filter_error()
        assert (tick(cache), len(warnings)) == ("0.1", 1)


def test_fault_of_ours_is_not_taken_for_a_bad_answer() -> None:
    """Only what the exchange does is tolerated: a bug shows, and does not block the next fetch."""
    exchange = Exchange((rules("0.1"), LIMITS), TypeError("a bug"), (rules("0.2"), LIMITS))
    cache = cache_of(exchange)
    with freeze_time(START) as clock:
        tick(cache)
        clock.tick(timedelta(seconds=90_000))
        with pytest.raises(TypeError, match="a bug"):
            tick(cache)
        clock.tick(timedelta(seconds=60))
        assert tick(cache) == "0.2"


class HeldExchange:
    """Answers only when it is let go, and tells when it was asked."""

    def __init__(self, answer: Answer | Exception) -> None:
        self.answer = answer
        self.asked = 0
        self.reached = threading.Event()
        self.released = threading.Event()

    def __call__(self) -> Answer:
        self.asked += 1
        self.reached.set()
        assert self.released.wait(10)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


THREADS = 8


@pytest.mark.parametrize("fails", [False, True])
def test_many_threads_share_one_fetch(monkeypatch: pytest.MonkeyPatch, *, fails: bool) -> None:
    """However many need the rules at once, the exchange is asked once, and all get its answer, or its
    failure."""
    exchange = HeldExchange(UNREACHABLE if fails else (rules("0.1"), LIMITS))
    cache = cache_of(exchange)
    followers = threading.Semaphore(0)

    class CountedFuture(Future[Any]):
        """Tells that somebody is about to wait for it."""

        def result(self, timeout: float | None = None) -> Any:
            followers.release()
            return super().result(timeout)

    monkeypatch.setattr(exchange_info, "Future", CountedFuture)

    def ask() -> str:
        try:
            return tick(cache)
        except BracketeerError as error:
            return error.code

    with ThreadPoolExecutor(THREADS) as pool:
        answers = [pool.submit(ask) for _ in range(THREADS)]
        assert exchange.reached.wait(10)
        for _ in range(THREADS - 1):
            assert followers.acquire(timeout=10)
        exchange.released.set()
        expected = "exchange_unreachable" if fails else "0.1"
        assert [answer.result(10) for answer in answers] == [expected] * THREADS
    assert exchange.asked == 1


def test_thread_that_comes_late_takes_the_rules_another_one_fetched() -> None:
    """Between seeing no rules and asking for them, another thread may have fetched them: once is enough."""
    exchange = Exchange((rules("0.1"), LIMITS))
    cache = cache_of(exchange)
    tick(cache)
    assert cache._renewed(None) is cache._renewed(None)
    assert exchange.asked == 1
