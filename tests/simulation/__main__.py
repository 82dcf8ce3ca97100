"""`make simulate`: many stories side by side, one with its trace, or a named one.

RUNS=2000 stories from seed FIRST on; SEED=7 plays one and prints what happened; ONLY=name plays a named scenario
(LIST=1 names them); a failing story is shortened and printed with the command that plays it again. DENSE=1
draws more trouble and fewer signals: what is wrong shows sooner.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from . import crash_points, mutants
from .named.telling import list_all, play_named
from .run import Outcome, play
from .story import DENSE, USUAL, Draw, Story, make_story

BATCH = 25
FAILURES_SHOWN = 10


def play_batch(draw: Draw, seeds: range) -> list[Outcome]:
    """Some stories, in a process of their own."""
    return [play(make_story(seed, draw)) for seed in seeds]


def shrink(story: Story, *, tries: int = 400) -> Story:
    """A shorter story that still breaks a promise: steps are left out, many at a time first."""
    size = max(1, len(story.steps) // 2)
    while size and tries > 0:
        position = 0
        while position < len(story.steps) and tries > 0:
            shorter = replace(story, steps=story.steps[:position] + story.steps[position + size :])
            tries -= 1
            if play(shorter).failure:
                story = shorter
            else:
                position += size
        size //= 2
    return story


class Sums:
    """What all runs were, together."""

    def __init__(self) -> None:
        self.runs = 0
        self.figures: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.worst_naked = (0, 0)  # ms, and the seed to look at
        self.worst_known = (0, 0)
        self.failed: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        """One more."""
        self.runs += 1
        self.figures += outcome.figures
        self.faults += outcome.faults
        self.worst_naked = max(self.worst_naked, (outcome.worst_naked_ms, outcome.seed))
        self.worst_known = max(self.worst_known, (outcome.worst_known_ms, outcome.seed))
        if outcome.failure:
            self.failed.append(outcome)

    def row(self) -> dict[str, object]:
        """All figures."""
        return {
            "runs": self.runs,
            **{name.replace(" ", "_"): count for name, count in sorted(self.figures.items())},
            "worst_naked_ms": self.worst_naked[0],
            "worst_naked_seed": self.worst_naked[1],
            "worst_naked_after_it_could_be_known_ms": self.worst_known[0],
            "worst_naked_after_it_could_be_known_seed": self.worst_known[1],
            "violations": len(self.failed),
            "faults": dict(sorted(self.faults.items())),
        }


def play_many(first: int, runs: int, workers: int, draw: Draw) -> Iterator[Outcome]:
    """Stories of consecutive seeds, on all cores."""
    batches = [range(start, min(start + BATCH, first + runs)) for start in range(first, first + runs, BATCH)]
    with ProcessPoolExecutor(max_workers=workers) as pool:
        for outcomes in pool.map(partial(play_batch, draw), batches):
            yield from outcomes


def many(first: int, runs: int, workers: int, report: Path | None, draw: Draw = USUAL) -> int:
    """`RUNS=`."""
    sums, began_s = Sums(), time.monotonic()
    for outcome in play_many(first, runs, workers, draw):
        sums.add(outcome)
        if outcome.failure and len(sums.failed) <= FAILURES_SHOWN:
            _say(f"seed {outcome.seed}: {outcome.failure[:600]}")
        if sums.runs % 500 == 0:
            _say(f"{sums.runs} of {runs} stories, {len(sums.failed)} broken, {time.monotonic() - began_s:.0f} s")
    if sums.failed:
        seed = sums.failed[0].seed
        _say(f"\n--- seed {seed}, shortened:\n{shrink(make_story(seed, draw))}")
        dense = " DENSE=1" if draw is DENSE else ""
        _say(f"play it again: make simulate SEED={seed}{dense}, shortened with SHRINK=1")
    row = sums.row()
    for name, value in row.items():
        _say(f"{name:40} {value}")
    _say(f"{'seconds':40} {time.monotonic() - began_s:.0f}")
    if report is not None:
        report.write_text(json.dumps(row, indent=1) + "\n")
    if sums.failed:
        _say(f"broken: {' '.join(str(outcome.seed) for outcome in sums.failed)}")
    return 1 if sums.failed else 0


def one(story: Story, *, shorten: bool = False) -> int:
    """`SEED=`: the story, and what happened."""
    if shorten:
        story = shrink(story)
    outcome = play(story, traced=True)
    _say(str(story))
    for line in outcome.trace:
        _say(line)
    _say(f"\n{outcome.failure or 'every promise was kept'}")
    return 1 if outcome.failure else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _wrong(asked: argparse.Namespace) -> str:
    """What cannot be meant, in words; empty when all of it can."""
    if asked.runs < 1 or asked.workers < 1:
        return "RUNS= and --workers are at least 1: nothing would be played, and nothing found"
    if asked.shrink and asked.seed is None:
        return "SHRINK=1 shortens the story of one SEED="
    if asked.dense and (asked.mutant or asked.crashes or asked.list or asked.only is not None):
        return "DENSE=1 is about random stories: it goes with RUNS=, FIRST= and SEED="
    if asked.mutant and asked.seed is not None and asked.mutant not in mutants.MUTANTS:
        return f"SEED= plays one story with one bug, and {asked.mutant} is none: MUTANT=list names them"
    return ""


def main() -> int:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--shrink", action="store_true", help="shorten the story of --seed before it is told")
    parser.add_argument("--dense", action="store_true", help="more trouble and fewer signals")
    parser.add_argument("--mutant", help="play with a deliberate bug until a story breaks; `all`, or a name of `list`")
    parser.add_argument("--crashes", action="store_true", help="the demo's day, killed at each of its effects")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", help="play a named scenario, or NAME/VARIANT; with --seed exactly one story of it")
    parser.add_argument("--list", action="store_true", help="name all scenarios")
    parser.add_argument("--report", type=Path, help="write the sums as JSON")
    asked = parser.parse_args()
    if wrong := _wrong(asked):
        _say(wrong)
        return 2
    draw = DENSE if asked.dense else USUAL
    try:
        if asked.mutant and asked.seed is not None:
            with mutants.applied(asked.mutant):
                return one(mutants.story_for(asked.mutant, asked.seed))
        if asked.mutant:
            return mutants.prove(_say, asked.mutant, asked.first, asked.workers)
        if asked.crashes:
            return crash_points.prove(_say, asked.workers)
        if asked.list:
            return list_all(_say)
        if asked.only is not None:
            return play_named(asked.only, asked.seed, _say)
        if asked.seed is not None:
            return one(make_story(asked.seed, draw), shorten=asked.shrink)
        return many(asked.first, asked.runs, asked.workers, asked.report, draw)
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        _say("stopped")
        return 130


if __name__ == "__main__":
    sys.exit(main())
