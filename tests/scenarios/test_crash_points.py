"""The demo's process dies at a write or a send, starts again, and every promise is kept.

Here at a sample: each kind of effect, and every thirtieth of all; `make simulate CRASHES=1` does all of them.
"""

from __future__ import annotations

import pytest

from bracketeer.core.values import ArmingMode
from tests.simulation.crash_points import Crash, play_crash, sampled_crashes, second_crashes, undisturbed

BATCHES = 3
EVERY = 30
RECOVERIES = (30, 170)
"""First crashes whose recovery is crashed too, at every twelfth effect of it."""

in_both_ways = pytest.mark.parametrize("arm", ArmingMode)


@in_both_ways
def test_the_day_has_writes_and_sends_to_crash_at(arm: ArmingMode) -> None:
    """What is enumerated is what happens: the same effects each time, and none of them a crash."""
    day = undisturbed(arm)
    assert day.failure == ""
    assert day.effects == undisturbed(arm).effects
    kinds = {effect.split()[0] for effect in day.effects}
    assert kinds == {"write", "send", "sent"}
    assert len(day.effects) > 200
    sent = [effect for effect in day.effects if effect.startswith("send ")]
    assert "send POST /fapi/v1/order" in sent
    assert "send POST /fapi/v1/algoOrder" in sent


@in_both_ways
@pytest.mark.parametrize("batch", range(BATCHES))
def test_promises_hold_after_a_crash(arm: ArmingMode, batch: int) -> None:
    """Killed at an effect, or the power cut; started again 300 ms later."""
    outcomes = [play_crash(crash) for crash in sampled_crashes(arm, EVERY)[batch::BATCHES]]
    assert [str(outcome) for outcome in outcomes if outcome.failure] == []


@in_both_ways
@pytest.mark.parametrize("effect", RECOVERIES)
def test_promises_hold_after_a_crash_amid_the_recovery(arm: ArmingMode, effect: int) -> None:
    """A crash, and a second one at an effect of the process that recovers from it."""
    first = play_crash(Crash(effect, power=effect % 2 == 0, arm=arm))
    assert first.recovery_effects > 5
    outcomes = [play_crash(crash) for crash in second_crashes(first, every=12)]
    assert [str(outcome) for outcome in outcomes if outcome.failure] == []
