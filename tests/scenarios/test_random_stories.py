"""Random stories hold every promise: signals, faults, people, prices and restarts in any order, over real sockets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from .story_maker import make_story
from .story_player import play_story

SEEDS = (3, 7, 13, 74, 150, 1007, 1011, 1015, 1049, 1073, 2184, 4050, 5063)
"""Each of them once failed, or is here for what happens in it."""


@pytest.mark.parametrize("arm", ["after_fill", "with_entry"])
@pytest.mark.parametrize("seed", SEEDS)
def test_promises_hold(seed: int, arm: str, tmp_path: Path) -> None:
    """P1 to P6 after a random story; `python -m tests.scenarios.story_maker --seed N` plays one again."""
    story = replace(make_story(seed), arm=arm)
    try:
        play_story(story, tmp_path)
    except Exception as error:
        error.add_note(str(story))
        raise


def test_a_seed_is_a_story() -> None:
    """All choices are made before anything runs."""
    told = [str(make_story(seed)) for seed in range(50)]
    assert told == [str(make_story(seed)) for seed in range(50)]
    assert len(set(told)) == 50
