"""Time: this machine's clock, and the exchange's as seen from here.

Every signed request carries a timestamp that the exchange compares with its own clock (binance-usdm.md §2.1): at most
1000 ms ahead, at most `recvWindow` behind. So the exchange's clock is measured, with a bound on the error.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from .errors import ExchangeError
from .ports import Clock

SAMPLES: Final = 3
"""Questions per measurement. The quickest one wins: queues only ever add delay, so it bounds the error best."""
SET_MS: Final = 100
"""By less than this nobody is told that the clock was set: deadlines are seconds."""
DATE_ERROR_MS: Final = 1500
"""How far from the middle of its second a `Date` may put the clock: it is cut to whole seconds, and was on its way."""


class SystemClock:
    """The real one (`ports.Clock`). `hurry` ends all pauses, those to come included: whoever waits is to finish."""

    def __init__(self) -> None:
        self._hurried = threading.Event()

    def hurry(self) -> None:
        """Let nobody sleep any more: the manager is being closed, and a pause between retries can last a minute."""
        self._hurried.set()

    def now_ms(self) -> int:
        """Wall clock, ms since the epoch, UTC."""
        return time.time_ns() // 1_000_000

    def now_us(self) -> int:
        """Wall clock, µs since the epoch, UTC."""
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        """Seconds on a clock that never steps."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block the calling thread."""
        self._hurried.wait(seconds)


class _Reading(msgspec.Struct, frozen=True):
    """One measurement: the exchange said `exchange_ms` when our monotonic clock stood at `monotonic_s`, within
    `error_ms` either way."""

    exchange_ms: float
    monotonic_s: float
    error_ms: float


class ExchangeClock:
    """The exchange's clock as we estimate it, good to half a round trip.

    Between measurements it runs on the monotonic clock, so that a step of this machine's wall clock (NTP, a person)
    moves none of our timestamps. Before the first measurement it believes the wall clock.

    Safe for threads. `ask` returns the exchange's time in ms (`GET /fapi/v1/time`) and may raise; then the previous
    estimate stands.
    """

    def __init__(self, clock: Clock, ask: Callable[[], int], *, samples: int = SAMPLES) -> None:
        self._clock = clock
        self._ask = ask
        self._samples = samples
        self._lock = threading.Lock()
        self._taking = threading.Lock()  # never held while the exchange is asked
        self._measured = 0
        self.on_set: Callable[[int], None] = lambda _: None  # forward by so many ms, or back
        self._reading = _Reading(float(clock.now_ms()), clock.monotonic(), float("inf"))

    def assume(self, offset_ms: int) -> None:
        """Until the first measurement, believe that the exchange's clock is so far ahead of this machine's wall clock.

        A start that cannot ask would else reckon with a wall clock that may be an hour off, and take a request that can
        still arrive for dead.
        """
        self._believe(float(self._clock.now_ms() + offset_ms))

    def hear_date(self, text: str) -> None:
        """Until the first measurement, believe an answer's `Date` header (RFC 9110 §6.6.1) over what was assumed, where
        the two cannot both be true.

        Who answers 429, 418 or 503 to the question for the time tells it all the same. Without that a start amid a ban
        would date its first order by a wall clock that may be wrong, and have it refused.
        """
        if self._measured or not text:
            return
        try:
            said_ms = parsedate_to_datetime(text).timestamp() * 1000 + 500
        except (ValueError, OverflowError):
            return
        if abs(said_ms - self.now_ms()) > DATE_ERROR_MS:
            self._believe(said_ms)

    @property
    def error_ms(self) -> float:
        """The bound on the estimate's error when it was made: half the round trip; infinite before."""
        return self._reading.error_ms

    def now_ms(self) -> int:
        """The exchange's clock now, ms since the epoch."""
        reading = self._reading  # one attribute read: never half of an old and half of a new one
        return int(reading.exchange_ms + (self._clock.monotonic() - reading.monotonic_s) * 1000)

    def synchronise(self) -> None:
        """Measure the offset anew. Callers that come while a measurement runs share it and return with it.

        Raises:
            ExchangeError: no sample succeeded.
        """
        seen = self._measured
        with self._lock:
            if self._measured != seen:
                return  # it was done while we waited
            reading = min(self._take_samples(), key=lambda reading: reading.error_ms)
            with self._taking:
                by_ms = self._take(reading)
                self._measured += 1
        self._tell(by_ms)

    def _believe(self, exchange_ms: float) -> None:
        with self._taking:
            if self._measured:
                return
            by_ms = self._take(_Reading(exchange_ms, self._clock.monotonic(), float("inf")))
        self._tell(by_ms)

    def _take(self, reading: _Reading) -> int:
        """Use it from now on; by how much that sets the clock."""
        before_ms, self._reading = self.now_ms(), reading
        return self.now_ms() - before_ms

    def _tell(self, by_ms: int) -> None:
        if abs(by_ms) >= SET_MS:
            self.on_set(by_ms)

    def _take_samples(self) -> list[_Reading]:
        readings: list[_Reading] = []
        for _ in range(self._samples):
            try:
                readings.append(self._sample())
            except ExchangeError:
                if not readings:
                    raise  # one is enough, none is not
                break
        return readings

    def _sample(self) -> _Reading:
        asked_s = self._clock.monotonic()
        exchange_ms = self._ask()
        answered_s = self._clock.monotonic()
        return _Reading(
            exchange_ms=exchange_ms + 0.5,  # the exchange cuts to whole ms: on average half of one is missing
            monotonic_s=(asked_s + answered_s) / 2,
            error_ms=(answered_s - asked_s) * 500,
        )
