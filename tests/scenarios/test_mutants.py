"""Each deliberate bug is found: the simulation's net catches fish.

The search begins at a seed that is known to find the bug (`first` of the mutant) and ends after 100 stories.
The proof is `make simulate MUTANT=all`: each within 500 stories from seed 0. Where the manager's timing has changed and
a bug is not found here, that run says the new seed; where it does not find it either, the net has a hole.
"""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS, applied, search_from_hint
from tests.simulation.run import play
from tests.simulation.story import make_story


@pytest.mark.parametrize("name", list(MUTANTS))
def test_the_bug_is_found(name: str) -> None:
    """Some story breaks a promise with it that the same story keeps without it."""
    found = search_from_hint(name)
    assert found.failure, str(found)


def test_an_undue_close_is_what_breaks() -> None:
    """No other check sees that a position was closed for no reason."""
    assert "nothing asked for that" in search_from_hint("close_without_take_profit").failure


def test_there_are_bugs_enough() -> None:
    """Fifteen at least (and each says what is wrong with it)."""
    assert len(MUTANTS) >= 15
    assert all(mutant.text.endswith(".") for mutant in MUTANTS.values())


def test_a_bug_is_taken_back() -> None:
    """After a mutant the manager is what it was: the same story goes the same way."""
    story = make_story(3)
    before = play(story)
    for name in MUTANTS:
        with applied(name):
            pass
    after = play(story)
    assert (after.failure, after.figures) == (before.failure, before.figures)
