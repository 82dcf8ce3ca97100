"""The exchange's clock: estimated from a few questions, shared by all callers, deaf to steps of the wall clock."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

import pytest

from bracketeer.core.outcome import Failure, OutcomeKind
from bracketeer.execution.clock import ExchangeClock, SystemClock
from bracketeer.execution.errors import ExchangeUnreachable

from .binance.stubs import NOW_MS, FakeClock


class Exchange:
    """Answers with its own time: each question takes `trips` seconds there and as long back, in turn."""

    def __init__(self, clock: FakeClock, ahead_ms: int, trips: list[tuple[float, float]]) -> None:
        self.clock, self.ahead_ms, self.trips = clock, ahead_ms, trips
        self.asked = 0

    def __call__(self) -> int:
        there_s, back_s = self.trips[self.asked % len(self.trips)]
        self.asked += 1
        self.clock.elapsed_s += there_s
        answer = self.clock.now_ms() + self.ahead_ms
        self.clock.elapsed_s += back_s
        return answer


def refuse() -> int:
    """No answer."""
    raise ExchangeUnreachable(Failure(kind=OutcomeKind.UNKNOWN, text="ReadTimeout"))


def test_the_wall_clock_is_believed_until_the_exchange_was_asked() -> None:
    """With an error that is honestly unbounded."""
    clock = FakeClock()
    exchange_clock = ExchangeClock(clock, refuse)
    clock.elapsed_s += 1.5
    assert exchange_clock.now_ms() == NOW_MS + 1500
    assert exchange_clock.error_ms == float("inf")


@pytest.mark.parametrize("ahead_ms", [5000, -5000, 0])
def test_the_estimate_is_exact_when_both_ways_take_as_long(ahead_ms: int) -> None:
    """Half of the round trip is the error's bound."""
    clock = FakeClock()
    exchange_clock = ExchangeClock(clock, Exchange(clock, ahead_ms, [(0.02, 0.02)]))
    exchange_clock.synchronise()
    assert exchange_clock.now_ms() == pytest.approx(clock.now_ms() + ahead_ms, abs=1)
    assert exchange_clock.error_ms == pytest.approx(20)


@pytest.mark.parametrize("trip", [(0.1, 0.0), (0.0, 0.1)])
def test_the_error_stays_within_its_bound_when_one_way_is_slow(trip: tuple[float, float]) -> None:
    """The worst case is all of the delay on one side."""
    clock = FakeClock()
    exchange_clock = ExchangeClock(clock, Exchange(clock, 700, [trip]))
    exchange_clock.synchronise()
    assert abs(exchange_clock.now_ms() - (clock.now_ms() + 700)) <= exchange_clock.error_ms + 1


def test_the_quickest_sample_wins() -> None:
    """Queues only ever add delay."""
    clock = FakeClock()
    exchange = Exchange(clock, 700, [(0.5, 0.0), (0.01, 0.01), (0.0, 0.9)])
    exchange_clock = ExchangeClock(clock, exchange)
    exchange_clock.synchronise()
    assert exchange.asked == 3
    assert exchange_clock.error_ms == pytest.approx(10)
    assert exchange_clock.now_ms() == pytest.approx(clock.now_ms() + 700, abs=1)


def test_a_step_of_the_wall_clock_moves_nothing() -> None:
    """Between measurements the monotonic clock counts."""
    clock = FakeClock()
    exchange_clock = ExchangeClock(clock, Exchange(clock, 0, [(0.0, 0.0)]))
    exchange_clock.synchronise()
    before_ms = exchange_clock.now_ms()
    clock.started_ms += 3_600_000
    assert exchange_clock.now_ms() == before_ms
    clock.elapsed_s += 2
    assert exchange_clock.now_ms() == before_ms + 2000


def test_the_old_estimate_stands_when_the_exchange_does_not_answer() -> None:
    """And the caller hears of it."""
    clock = FakeClock()
    answers: list[Callable[[], int]] = [lambda: NOW_MS + 5000, refuse]
    exchange_clock = ExchangeClock(clock, lambda: answers.pop(0)(), samples=1)
    exchange_clock.synchronise()
    with pytest.raises(ExchangeUnreachable):
        exchange_clock.synchronise()
    assert exchange_clock.now_ms() == pytest.approx(NOW_MS + 5000, abs=1)


def test_one_sample_is_enough() -> None:
    """A measurement that broke off after the first answer still counts."""
    clock = FakeClock()
    answers: list[Callable[[], int]] = [lambda: NOW_MS + 5000, refuse, refuse]
    exchange_clock = ExchangeClock(clock, lambda: answers.pop(0)())
    exchange_clock.synchronise()
    assert exchange_clock.now_ms() == pytest.approx(NOW_MS + 5000, abs=1)
    assert len(answers) == 1


class DoorBell:
    """A lock that says when so many have come to its door."""

    def __init__(self, expected: int) -> None:
        self._lock = threading.Lock()
        self._expected = expected
        self._came = itertools.count(1)
        self.all_came = threading.Event()

    def __enter__(self) -> None:
        if next(self._came) == self._expected:
            self.all_came.set()
        self._lock.acquire()

    def __exit__(self, *_error: object) -> None:
        self._lock.release()


def test_callers_that_come_during_a_measurement_share_it() -> None:
    """A burst of -1021 must not become a burst of questions."""
    door = DoorBell(expected=6)
    asked: list[bool] = []

    def ask() -> int:
        asked.append(door.all_came.wait(5))  # answered only when all the others are waiting
        return NOW_MS

    exchange_clock = ExchangeClock(FakeClock(), ask, samples=1)
    exchange_clock._lock = door  # type: ignore[assignment]
    threads = [threading.Thread(target=exchange_clock.synchronise) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert asked == [True]


def test_the_system_clock_is_the_systems() -> None:
    """One source of time, three units."""
    clock = SystemClock()
    assert abs(clock.now_ms() - time.time() * 1000) < 1000
    assert abs(clock.now_us() - time.time() * 1_000_000) < 1_000_000
    assert clock.monotonic() <= time.monotonic()
    clock.sleep(0)


def test_hurry_ends_every_pause() -> None:
    """Closing does not wait for a pause between retries, which can last a minute."""
    clock = SystemClock()
    clock.hurry()
    started = clock.monotonic()
    clock.sleep(60)
    assert clock.monotonic() - started < 30


def test_an_assumed_offset_holds_until_the_first_measurement() -> None:
    """A start that cannot ask reckons with what was known before, not with a wall clock that may be an hour off."""
    clock = FakeClock()
    asked = ExchangeClock(clock, lambda: clock.now_ms() + 700)
    asked.assume(3_600_000)
    assert asked.now_ms() == clock.now_ms() + 3_600_000
    asked.synchronise()
    measured = asked.now_ms()
    asked.assume(3_600_000)
    assert asked.now_ms() == measured


DATE = "Fri, 20 Nov 2026 10:00:07 GMT"
DATE_MS = 1_795_168_807_000


@pytest.mark.parametrize("off_ms", [-3_600_000, -20_000, 20_000, 3_600_000])
def test_a_date_corrects_what_was_assumed_until_the_first_measurement(off_ms: int) -> None:
    """Who refuses to tell the time tells it in the answer's head, cut to a second."""
    clock = FakeClock()
    asked = ExchangeClock(clock, lambda: DATE_MS + 700)
    asked.assume(DATE_MS - clock.now_ms() + off_ms)
    asked.hear_date(DATE)
    assert abs(asked.now_ms() - (DATE_MS + 500)) <= 1
    asked.synchronise()
    measured = asked.now_ms()
    asked.hear_date("Fri, 20 Nov 2026 11:00:07 GMT")
    assert asked.now_ms() == measured


@pytest.mark.parametrize("text", ["", "soon", "Fri, 20 Nov 2026", "Fri, 99 Nov 2026 10:00:07 GMT", DATE])
def test_a_date_that_says_nothing_new_changes_nothing(text: str) -> None:
    """What was assumed is good to a ms, and stays where the date does not contradict it; nonsense is no date."""
    clock = FakeClock()
    asked = ExchangeClock(clock, lambda: DATE_MS)
    asked.assume(DATE_MS + 1_900 - clock.now_ms())
    asked.hear_date(text)
    assert abs(asked.now_ms() - (DATE_MS + 1_900)) <= 1


def test_whoever_wants_to_know_hears_that_the_clock_was_set_and_by_how_much() -> None:
    """By a date, and by a measurement; a correction of a few ms is no news."""
    clock = FakeClock()
    heard: list[int] = []
    asked = ExchangeClock(clock, lambda: DATE_MS + 1_500)
    asked.assume(DATE_MS + 500 - clock.now_ms() + 20_000)
    asked.on_set = heard.append
    asked.hear_date(DATE)
    asked.synchronise()
    asked.synchronise()
    assert heard == pytest.approx([-20_000, 1_000], abs=2)
