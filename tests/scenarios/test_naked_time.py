"""How long a position is without a stop when nothing is wrong: bounded by the network alone, by the exchange's ledger.

R is the network's round trip and J how much longer it may get; the bounds are R + J + 5 ms with `ARM=after_fill` and
J + 5 ms with `ARM=with_entry`. What the manager reports is held against the exchange's books, trade by trade.
"""

from __future__ import annotations

import random

import pytest

from tests.simulation.named.evidence import Evidence, expect
from tests.simulation.named.player import play_story
from tests.simulation.named.scenario import answered, close, entry, hand, price, settled, wait
from tests.simulation.story import BASES, Step, Story

SLACK_MS = 5
SEEDS = range(6)
NETWORKS = ((1, 0), (2, 1), (10, 4), (50, 20), (120, 60), (200, 40))
"""Round trip and its jitter, in ms."""
MEASURE_MS = 2
"""The exchange tells times in whole ms, and the manager subtracts two of them."""


def quiet_story(seed: int, round_trip_ms: int, jitter_ms: int, arm: str) -> Story:
    """Entries on up to three symbols at the same time, some closed by signal, some by a leg, some changed by hand."""
    dice = random.Random(f"{seed}/{round_trip_ms}/quiet")
    symbols = sorted(BASES)
    steps: list[Step] = []
    for round_number in range(4):
        chosen = dice.sample(symbols, dice.randint(1, 3))
        for symbol in chosen:
            first, step = BASES[symbol]
            quantity = f"{float(first) + float(step) * round_number:.3f}"
            kind = dice.choice(("LONG_ENTRY", "SHORT_ENTRY"))
            name = f"{symbol}-{round_number}"
            steps.append(entry(name, symbol, kind, quantity, after_ms=dice.choice((0, 0, 1, 40))))
        steps += [answered(), wait(dice.choice((0, 700)))]
        for symbol in chosen:
            match dice.choice(("close", "close", "stop", "target", "hand")):
                case "close":
                    steps.append(close(f"close-{symbol}-{round_number}", symbol))
                case "hand":
                    steps.append(hand("all", symbol))
                case leg:
                    steps += [price("0.97" if leg == "stop" else "1.04", symbol), wait(800), price("1", symbol)]
                    steps.append(close(f"close-{symbol}-{round_number}", symbol))
        steps += [answered(), wait(9_000), settled()]
        steps += [price("1", symbol) for symbol in symbols]
    return Story(
        seed=seed,
        steps=tuple(steps),
        arm=arm,
        user_stream=dice.random() < 0.75,
        preemption=dice.choice((0.0, 0.05, 0.3)),
        way_us=round_trip_ms * 500,
        jitter_us=jitter_ms * 500,
        skew_ms=dice.choice((0, -400, 60_000)),
        on_main=dice.random() < 0.3,
    )


def worst_ms(seen: Evidence) -> int:
    """The exchange's own ledger, over all symbols."""
    return max((seen.naked_ms(symbol) for symbol in BASES), default=0)


def check_told(seen: Evidence) -> None:
    """What each report says of its unprotected time is what the books say: first fill to first live stop."""
    for signal, _, box in seen.run.answers:
        if not signal.quantity:
            continue
        (report,) = box
        assert not isinstance(report, BaseException), report
        expect(report.status.value == "protected", f"not protected though nothing is wrong: {report}")
        assert report.timings is not None
        assert report.entry is not None
        order = seen.account.orders.by_id[signal.symbol, report.entry.exchange_order_id or 0]
        filled_ms = min(fill.time_ms for fill in seen.fills(signal.symbol) if fill.order_id == order.order_id)
        ours = order.client_order_id.rpartition("-")[0]  # one trade's ids differ in what follows the last dash
        stops = [a.created_ms for a in seen.algos(symbol=signal.symbol) if a.client_algo_id.startswith(ours)]
        gap_ms = max(0, min(stops) - filled_ms)
        told_ms = report.timings.naked_ms
        is_true = told_ms is not None and abs(told_ms - gap_ms) <= MEASURE_MS
        expect(is_true, f"told {told_ms} ms, the books say {gap_ms}: {report}")


@pytest.mark.parametrize("arm", ["after_fill", "with_entry"])
@pytest.mark.parametrize(("round_trip_ms", "jitter_ms"), NETWORKS)
def test_bound(round_trip_ms: int, jitter_ms: int, arm: str) -> None:
    """The worst gap of all stories, and every gap as it was told."""
    bound_ms = jitter_ms + SLACK_MS + (round_trip_ms if arm == "after_fill" else 0)
    worst = trades = 0
    for seed in SEEDS:
        story = quiet_story(seed, round_trip_ms, jitter_ms, arm)
        found: list[Evidence] = []

        def check(seen: Evidence, found: list[Evidence] = found) -> None:
            found.append(seen)
            check_told(seen)

        outcome = play_story(story, check)
        assert not outcome.failure, f"{story}\n{outcome.failure}"
        worst = max(worst, worst_ms(found[0]))
        trades += sum(len(found[0].entries(symbol)) for symbol in BASES)
    assert trades >= 20
    assert worst <= bound_ms, f"{worst} ms with R = {round_trip_ms}, J = {jitter_ms}, {arm}: not within {bound_ms}"
