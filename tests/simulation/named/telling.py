"""`make simulate ONLY=name` and `--list`: scenarios told to a person."""

from __future__ import annotations

from collections.abc import Callable

from .catalogue import MODES, SCENARIOS, find
from .player import SEEDS, play_scenario


def list_all(say: Callable[[str], None]) -> int:
    """Every scenario with its failure modes and variants."""
    for scenario in SCENARIOS.values():
        modes = ", ".join(str(mode) for mode in scenario.modes)
        say(f"{scenario.name:44} modes {modes:10} {len(scenario.stories)} x {SEEDS} stories: {scenario.fault}")
    return 0


def play_named(name: str, seed: int | None, say: Callable[[str], None]) -> int:
    """Play a scenario; NAME or NAME/VARIANT. One story is told as it happens, all of them are counted."""
    wanted, _, variant = name.partition("/")
    try:
        scenario = find(wanted)
    except KeyError as missing:
        say(str(missing.args[0]))
        return 2
    if variant and variant not in scenario.stories:
        say(f"{scenario.name} has no variant {variant!r}; it has: {', '.join(filter(None, scenario.stories)) or 'one'}")
        return 2
    variants = [variant] if variant else list(scenario.stories)
    shown = scenario.story(variants[0], seed or 0)
    outcome = play_scenario(scenario, variants[0], seed or 0, traced=True)
    for line in (str(shown), *outcome.trace):
        say(line)
    say(f"\nscenario   {scenario.name}")
    for mode in scenario.modes:
        say(f"mode {mode:<5} {MODES[mode]}")
    say(f"fault      {scenario.fault}\nasserted   {scenario.invariant}")
    if scenario.missing:
        say(f"not there  {scenario.missing}")
    seeds = range(SEEDS) if seed is None else range(seed, seed + 1)
    broken = 0
    for each in variants:
        failures = [(at, failure) for at in seeds if (failure := play_scenario(scenario, each, at).failure)]
        told = f"{each or 'the only variant'}: {len(seeds)} stories"
        say(f"{told:40} {'kept' if not failures else f'BROKEN in {len(failures)}'}")
        for at, failure in failures[:3]:
            say(f"  {failure}\n  again: make simulate ONLY={scenario.name}/{each} SEED={at}")
        broken += len(failures)
    return 1 if broken else 0
