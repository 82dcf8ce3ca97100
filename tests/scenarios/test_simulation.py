"""The deterministic simulation: a sample of stories in every test run, and the proof that a seed is a run.

`make simulate RUNS=2000` is what CI adds to it.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation.__main__ import shrink
from tests.simulation.run import play
from tests.simulation.story import Step, make_story

BATCH = 8


@pytest.mark.parametrize("first", range(0, 5 * BATCH, BATCH))
def test_every_promise_is_kept(first: int) -> None:
    """Stories of consecutive seeds; `make simulate SEED=…` tells the one that fails."""
    broken = {
        seed: outcome.failure for seed in range(first, first + BATCH) if (outcome := play(make_story(seed))).failure
    }
    assert not broken


def test_a_seed_is_a_run() -> None:
    """Two runs of one seed are the same, request by request: a failure can be looked at as often as it takes."""
    story = make_story(7)
    first, second = play(story, traced=True), play(story, traced=True)
    assert first.trace == second.trace
    assert len(first.trace) > 100


def test_other_seeds_are_other_runs() -> None:
    """The seed draws the story and how its threads take turns."""
    story = replace(make_story(7), preemption=0.1)
    assert play(story, traced=True).trace != play(replace(story, seed=8), traced=True).trace
    assert make_story(7).steps != make_story(8).steps


def test_a_failing_story_is_shortened() -> None:
    """What is left is what it takes: here a symbol that no exchange lists, which the player stumbles over."""
    story = make_story(7)
    steps = (*story.steps[:6], Step("price", {"symbol": "NOSUCHUSDT", "factor": "1"}), *story.steps[6:12])
    short = shrink(replace(story, steps=steps))
    assert [step.options.get("symbol") for step in short.steps] == ["NOSUCHUSDT"]
