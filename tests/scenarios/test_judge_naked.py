"""The judge of naked time: what it takes for an excuse, and what not (design 013)."""

from __future__ import annotations

import pytest

from tests.simulation.judge_naked import NakedJudge

T = 1_000_000
LIMIT_MS, ROUND_TRIP_MS = 2_000, 100
BTC = "BTCUSDT"


def _bare(*, is_filled: bool = True, has_gone_unheard: bool = False) -> NakedJudge:
    judge = NakedJudge(LIMIT_MS, ROUND_TRIP_MS)
    judge.gaps[BTC].filled_ms = T if is_filled else T - 60_000
    judge.gaps[BTC].begin(T, has_gone_unheard=has_gone_unheard)
    return judge


def _broken_at(judge: NakedJudge, *, silent_ms: int = 0, asks: bool = False, tries: bool = False) -> int | None:
    """How long after the gap began the promise is broken; None: not within a minute. Nothing is told of the gap."""
    for now_ms in range(T, T + 60_000, 100):
        if now_ms % 1_000 == 0:
            if asks:
                judge.asked(BTC, now_ms)
            if tries:
                judge.gaps[BTC].tried_ms = now_ms
        if judge.look(BTC, now_ms, able_ms=0, silent_ms=silent_ms, is_leaving=False):
            return now_ms - T
    return None


def test_who_does_nothing_about_an_unknown_fill_breaks_the_promise() -> None:
    """Asking keeps it, for as long as nothing is told."""
    assert _broken_at(_bare()) == 2_700
    assert _broken_at(_bare(), asks=True) is None


@pytest.mark.parametrize(("silent_ms", "is_kept"), [(0, False), (T + 60_000, True)])
def test_a_stop_that_leaves_counts_as_asking_only_where_asking_is_forbidden(silent_ms: int, *, is_kept: bool) -> None:
    """In a 429 it is the only question there is; outside of one it is no excuse for asking nothing."""
    assert (_broken_at(_bare(), silent_ms=silent_ms, tries=True) is None) is is_kept


@pytest.mark.parametrize("has_gone_unheard", [True, False])
def test_a_429_excuses_only_who_may_believe_in_a_stop(*, has_gone_unheard: bool) -> None:
    """Who knows that it has none can send one."""
    judge = _bare(has_gone_unheard=has_gone_unheard)
    assert _broken_at(judge, silent_ms=T + 50_000) == (52_700 if has_gone_unheard else 2_700)


def test_a_fill_that_is_told_starts_the_limit() -> None:
    """From then on it is not asking that counts but being guarded, or closed."""
    judge = _bare()
    judge.told(BTC, "ORDER_TRADE_UPDATE", now_ms=T + 500, said_ms=T + 400, exchange_ms=T)
    assert _broken_at(judge, asks=True) == 500 + LIMIT_MS + ROUND_TRIP_MS + 100
