"""The table of failure modes in `.taskmaster/designs/`: made from the scenarios, so that it cannot lag behind them.

`python -m tests.simulation.failure_table` plays everything and writes the table; a test compares.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from .named.catalogue import MODES, SCENARIOS, of_mode
from .named.player import SEEDS, play_scenario
from .named.scenario import Scenario

PLACE = Path(__file__).parents[2] / ".taskmaster" / "designs" / "014-failure-modes.md"
HEAD = f"""\
# 014 The 25 failure modes, each as a scenario

**Context.** `../shared/reference/failure-modes.md` lists 25 ways in which real systems lost money. A promise about them
is worth what its test is worth: each is brought about on purpose, in the deterministic simulation, with the whole
manager at work.

**Choice.** A scenario is a few steps, an injected fault, and an assertion of its own on the exchange's books, the
requests, the log and the answers, beyond the promises P1 to P8, which are judged after every step as in every simulated
story. Each variant is played with {SEEDS} seeds: a seed draws the interleaving of threads, the network's latency and
jitter, the wrong clock of the machine, and the kind of thread that brings the signals. `make simulate ONLY=name` plays
one and tells what happened; `ONLY=name/variant SEED=n` plays exactly one story. `make simulate LIST=1` names all.

This page is made by `python -m tests.simulation.failure_table > .taskmaster/designs/014-failure-modes.md`; a test fails
when it is not what the scenarios say. What does not exist yet is said in the result's column.

| # | failure mode | scenario | injected fault | asserted invariant | result |
|---|---|---|---|---|---|
"""


def row(mode: int, scenario: Scenario, *, is_first: bool, broken: int) -> str:
    """One line: a scenario, under the failure mode it belongs to."""
    count = len(scenario.stories)
    result = f"kept ({count} variant{'s' if count > 1 else ''})" if not broken else f"BROKEN in {broken} stories"
    if scenario.missing:
        result += f"; not there yet: {scenario.missing}"
    number, name = (str(mode), MODES[mode]) if is_first else ("", "")
    cells = (number, name, f"`{scenario.name}`", scenario.fault, scenario.invariant, result)
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n"


def table(broken: dict[str, int]) -> str:
    """The page, with how many stories of which scenario broke."""
    lines = [HEAD]
    for mode in MODES:
        for place, scenario in enumerate(of_mode(mode)):
            lines.append(row(mode, scenario, is_first=place == 0, broken=broken.get(scenario.name, 0)))
    stories = sum(len(scenario.stories) for scenario in SCENARIOS.values())
    lines.append(f"\n{len(SCENARIOS)} scenarios, {stories} variants, {stories * SEEDS} stories.\n")
    return "".join(lines)


def count_broken(name: str) -> int:
    """How many of all stories of a scenario break a promise or its own assertion."""
    scenario = SCENARIOS[name]
    failures = [
        failure
        for variant in scenario.stories
        for seed in range(SEEDS)
        if (failure := play_scenario(scenario, variant, seed).failure)
    ]
    for failure in failures[:3]:
        sys.stderr.write(f"{name}: {failure}\n")
    return len(failures)


def main() -> int:
    """Play all, print the page."""
    with ProcessPoolExecutor() as pool:
        broken = dict(zip(SCENARIOS, pool.map(count_broken, SCENARIOS), strict=True))
    sys.stdout.write(table(broken))
    return 1 if any(broken.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
