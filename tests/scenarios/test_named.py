"""Every named scenario of a failure mode, with a few seeds; `make simulate ONLY=name` plays one with all of them."""

from __future__ import annotations

import pytest

from tests.simulation.failure_table import PLACE, table
from tests.simulation.named.catalogue import MODES, SCENARIOS, find, of_mode
from tests.simulation.named.player import play_scenario
from tests.simulation.named.telling import list_all, play_named

SEEDS = (0, 11)


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    """The fault is met, every promise is kept, and the outcome is the wanted one."""
    scenario = SCENARIOS[name]
    for variant in scenario.stories:
        for seed in SEEDS:
            failure = play_scenario(scenario, variant, seed).failure
            assert not failure, f"make simulate ONLY={name}/{variant} SEED={seed}: {failure}"


def test_every_failure_mode_has_a_scenario() -> None:
    """All 25, and no scenario of a mode that is none."""
    assert all(of_mode(mode) for mode in MODES)
    assert {mode for scenario in SCENARIOS.values() for mode in scenario.modes} == set(range(1, 26)) == set(MODES)


def test_table_is_what_the_scenarios_say() -> None:
    """`python -m tests.simulation.failure_table` makes it."""
    assert PLACE.read_text() == table({})


def test_scenario_is_told() -> None:
    """ONLY= shows what happened and says what was asserted; a name that is none says which are near."""
    lines: list[str] = []
    assert play_named("signal-is-stale", 3, lines.append) == 0
    assert any("signal_expired" in line for line in lines)
    assert any(find("signal_is_stale").invariant in line for line in lines)
    assert play_named("no_such_signal", None, lines.append) == 2
    assert "signal_is_stale" in lines[-1]
    assert list_all(lines.append) == 0
