"""Pauses between attempts: bounded one by one and in sum."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bracketeer.core.retry import RETRY_AFTER_MAX_S, backoff_delay, retry_with_backoff
from tests.support.profiles import examples

attempts = st.integers(1, 5000)
delays = st.floats(0, 100)
factors = st.floats(1, 10)
caps = st.floats(0, 600)
fractions = st.floats(0, 1)


class AskedError(ConnectionError):
    """A failure with the pause that the exchange asked for, where it did."""

    def __init__(self, retry_after: float | None) -> None:
        super().__init__("try later")
        self.retry_after = retry_after


@given(attempts, attempts, delays, factors, caps)
def test_pauses_grow_up_to_the_cap(attempt: int, more: int, initial: float, factor: float, cap: float) -> None:
    """Without jitter the pauses are monotone in the attempt and bounded by the cap, however large the number; the first
    one is the initial one."""

    def delay(number: int) -> float:
        return backoff_delay(number, initial_delay=initial, backoff_factor=factor, max_delay=cap)

    assert delay(1) == min(initial, cap)
    assert 0 <= delay(attempt) <= delay(attempt + 1) <= delay(attempt + more) <= cap


@given(attempts, delays, factors, caps, fractions, fractions)
def test_jitter_stays_within_its_fraction(
    attempt: int, initial: float, factor: float, cap: float, jitter: float, unit: float
) -> None:
    """Jitter is a bounded perturbation: a pause differs from the plain one by at most the fraction, is monotone in the
    drawn number, and never passes the cap."""

    def delay(jitter: float, unit: float) -> float:
        return backoff_delay(
            attempt, initial_delay=initial, backoff_factor=factor, max_delay=cap, jitter=jitter, unit=unit
        )

    plain = delay(0, 0.5)
    assert plain * (1 - jitter) - 1e-9 <= delay(jitter, unit) <= min(cap, plain * (1 + jitter) + 1e-9)
    assert delay(jitter, 0) <= delay(jitter, unit) <= delay(jitter, 1)


@given(attempts, delays, caps, fractions, fractions, st.floats(0, 1e6))
def test_what_the_exchange_asks_for_is_never_undercut(
    attempt: int, initial: float, cap: float, jitter: float, unit: float, asked: float
) -> None:
    """`Retry-After` is a lower bound, and the pause is the larger of it and our own."""
    own = backoff_delay(attempt, initial_delay=initial, max_delay=cap, jitter=jitter, unit=unit)
    with_it = backoff_delay(attempt, initial_delay=initial, max_delay=cap, jitter=jitter, unit=unit, retry_after=asked)
    assert with_it == max(own, asked)


@examples(150)
@given(
    st.integers(0, 6),
    delays,
    factors,
    caps,
    fractions,
    st.lists(st.none() | st.floats(0, 2 * RETRY_AFTER_MAX_S), max_size=8),
    st.integers(),
)
def test_the_whole_wait_is_bounded(
    retries: int,
    initial: float,
    factor: float,
    cap: float,
    jitter: float,
    failures: list[float | None],
    seed: int,
) -> None:
    """A call ends: it is made at most once more than there are retries, the pauses sum up to no more than a cap per
    retry and what was asked for, and no single request for a pause above the limit is followed."""
    calls, slept, left = 0, list[float](), list(failures)

    @retry_with_backoff(
        retries,
        initial,
        factor,
        max_delay=cap,
        jitter=jitter,
        sleep=slept.append,
        rng=random.Random(seed),
    )
    def ask() -> str:
        nonlocal calls
        calls += 1
        if left:
            raise AskedError(left.pop(0))
        return "answer"

    too_long = next((i for i, asked in enumerate(failures) if (asked or 0) > RETRY_AFTER_MAX_S), len(failures))
    if len(failures) <= retries and too_long == len(failures):
        assert ask() == "answer"
    else:
        with pytest.raises(AskedError):
            ask()
    pauses = min(len(failures), retries, too_long)
    assert (calls, len(slept)) == (min(len(failures) + 1, retries + 1, too_long + 1), pauses)
    assert all(pause >= (asked or 0) for pause, asked in zip(slept, failures, strict=False))
    assert sum(slept) <= pauses * cap + sum(asked or 0 for asked in failures[:pauses]) + 1e-6
