"""Random stories: what signals, prices, people and faults do to a manager, drawn from one seed.

Every choice is made before anything runs, so a seed is a story; how its threads interleave is the machine's business.
`python -m tests.scenarios.story_maker --seeds 300` plays them in a loop and prints the failing ones;
`--seed 7 --times 9` plays one again and again, `--shrink` leaves out steps for as long as the story fails, `--keep`
keeps its audit log.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.support.places import ALGO, ORDER, OTHER_CODES, PLACES

QUANTITIES = {"BTCUSDT": "0.010", "ETHUSDT": "0.200", "XRPUSDT": "900"}
PARTS = {"BTCUSDT": "0.004", "ETHUSDT": "0.080", "XRPUSDT": "300"}
PRICES = {"BTCUSDT": "60000", "ETHUSDT": "3000", "XRPUSDT": "0.6"}
MOVES = ("0.93", "0.97", "0.99", "1", "1.01", "1.03", "1.07")
"""Of the symbol's first price. Stops lie 2 % from the price of their entry, take profits 3 %."""
PATIENCE_MS = (0, 0, 3, 10, 30, 150, 1500)

FAULTS = ("reply_lost", "request_lost", "refuse", "refuse", "status_503", "status_503_executed", "delay")
CODES = {
    ORDER: (-1000, -1006, -1007, -1008, -1021, -2013, -2018, -2019, -2022, -4118, -4116, -1111),
    ALGO: (-1000, -1006, -1007, -1008, -1021, -2011, -2013, -2021, -4116, -4130, -4509, -4509, -4045, -1111),
}


@dataclass(frozen=True)
class Step:
    """One thing that happens, and how long its maker waits for it before the next one."""

    what: str
    options: dict[str, Any] = field(default_factory=dict)
    patience_ms: int = 0

    def __str__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"{self.what}({told}) then {self.patience_ms} ms"


@dataclass(frozen=True)
class Story:
    """All of it."""

    seed: int
    user_stream: bool
    steps: tuple[Step, ...]
    arm: str = "after_fill"
    needs_position: bool = False  # the exchange refuses protection that leaves with the entry

    def __str__(self) -> str:
        lines = [f"story of seed {self.seed}, user_stream={self.user_stream}, arm={self.arm}, {self.needs_position=}:"]
        return "\n".join(lines + [f"  {number}. {step}" for number, step in enumerate(self.steps)])


def make_story(seed: int) -> Story:
    """The story of a seed."""
    dice = random.Random(seed)
    symbols = dice.sample(sorted(QUANTITIES), dice.choice((1, 1, 2, 3)))
    steps: list[Step] = []
    for number in range(dice.randint(5, 12)):
        made = _step(dice, dice.choice(symbols), number, steps)
        steps.append(replace(made, patience_ms=dice.choice(PATIENCE_MS)))
    if not any(step.what == "signal" for step in steps):
        steps.insert(0, _entry(dice, symbols[0], 99))
    user_stream = dice.random() < 0.8
    mode = random.Random(f"{seed}/arm")  # dice of its own: a seed that is known for what happens in it stays that
    arm, needs_position = mode.choice(("after_fill", "with_entry", "with_entry")), mode.random() < 0.15
    return Story(seed=seed, user_stream=user_stream, steps=tuple(steps), arm=arm, needs_position=needs_position)


def _step(dice: random.Random, symbol: str, number: int, before: list[Step]) -> Step:
    what = dice.choices(
        ("entry", "close", "again", "price", "fault", "stream", "hand", "limit", "unstop", "restart", "crash", "clock"),
        weights=(24, 9, 4, 16, 22, 6, 8, 2, 4, 4, 4, 2),
    )[0]
    signals = [step for step in before if step.what == "signal"]
    match what:
        case "entry":
            return _entry(dice, symbol, number)
        case "close":
            kind = dice.choice(("CLOSE", "CLOSE", "CLOSE_LONG", "CLOSE_SHORT"))
            return Step("signal", {"symbol": symbol, "kind": kind, "id": f"close-{number}"})
        case "again" if signals:
            return dice.choice(signals)
        case "fault":
            return _fault(dice)
        case "stream":
            return Step("stream", {"fault": dice.choice(("stream_drop", "stream_mute", "stream_unmute"))})
        case "hand":
            return Step("hand", {"symbol": symbol, "how": dice.choice(("part", "all", "add", "over"))})
        case "limit" | "unstop":
            return Step(what, {"symbol": symbol})
        case "restart" | "crash":
            return Step(what)
        case "clock":
            return Step("clock", {"by_ms": dice.choice((300, 900, 2500, 5000))})
        case _:
            return Step("price", {"symbol": symbol, "factor": dice.choice(MOVES)})


def _entry(dice: random.Random, symbol: str, number: int) -> Step:
    kind = dice.choice(("LONG_ENTRY", "SHORT_ENTRY"))
    return Step("signal", {"symbol": symbol, "kind": kind, "id": f"entry-{number}"}, dice.choice(PATIENCE_MS))


def _fault(dice: random.Random) -> Step:
    method, path, match = dice.choice(PLACES)
    name = dice.choice(FAULTS)
    options: dict[str, Any] = {"name": name, "method": method, "path": path, "times": dice.choice((1, 1, 2, 3, 5, 12))}
    if match:
        options["match"] = match
    if name == "refuse":
        options["code"] = dice.choice(CODES.get(path, OTHER_CODES))
    if name == "delay":
        options["delay_ms"] = dice.choice((20, 120, 600))
    return Step("fault", options)


def play(story: Story, *, keep: bool = False) -> str:
    """Play a story in a folder of its own; what went wrong, or nothing."""
    from .story_player import play_story  # it needs all of this

    folder = Path(tempfile.mkdtemp(prefix="story-"))
    try:
        play_story(story, folder)
    except Exception:  # noqa: BLE001 - told to the person who runs the loop
        kept = f"its log: {folder}\n" if keep else ""
        return traceback.format_exc(limit=-3) + kept
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    return ""


def shrink(story: Story, times: int) -> Story:
    """The shortest story that still fails: steps are left out one by one."""
    position = len(story.steps) - 1
    while position >= 0:
        shorter = replace(story, steps=story.steps[:position] + story.steps[position + 1 :])
        if any(play(shorter) for _ in range(times)):
            story = shorter
        position -= 1
    return story


def main() -> int:
    """The loop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="this one only")
    parser.add_argument("--times", type=int, default=1, help="how often each is played")
    parser.add_argument("--arm", choices=("after_fill", "with_entry"), help="this mode, instead of the seed's own")
    parser.add_argument("--shrink", action="store_true")
    parser.add_argument("--keep", action="store_true")
    chosen = parser.parse_args()
    seeds = range(chosen.first, chosen.first + chosen.seeds) if chosen.seed is None else (chosen.seed,)
    failed = []
    for seed in seeds:
        story = make_story(seed)
        story = replace(story, arm=chosen.arm or story.arm)
        wrong = next(filter(None, (play(story, keep=chosen.keep) for _ in range(chosen.times))), "")
        if wrong:
            failed.append(seed)
            if chosen.shrink:
                story = shrink(story, max(2, chosen.times))
            sys.stdout.write(f"--- {story}\n{wrong}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(seeds)} seeds, failed: {failed}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
