"""The deterministic simulation: a sample of stories in every test run, and the proof that a seed is a run.

`make simulate RUNS=2000` is what CI adds to it.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bracketeer.simulator.faults import CATALOGUE
from tests.simulation.__main__ import main, shrink
from tests.simulation.mutants import search_from_hint
from tests.simulation.run import Run, play, play_run
from tests.simulation.scheduler import STEPS_PER_INSTANT, Scheduler
from tests.simulation.story import ANY_CODE, DENSE, USUAL, Step, Story, make_story

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


BUSINESS = {"signal", "price", "hand", "limit"}
NOT_DRAWN = {
    "order_shrunk": "an entry is told from others by the quantity its signal asked for",
    "clock_step": "stories turn the clock in a step of their own, always forward",
}


def test_stories_bring_every_fault_there_is() -> None:
    """What is not drawn is not tested: each of the exchange's faults, each error code it knows, and what befalls disk,
    network, process, clocks and rules; with one symbol and with several, with claims, and with streams that end."""
    stories = [make_story(seed) for seed in range(3_000)]
    steps = [step for story in stories for step in story.steps]
    faults = {step.options["name"] for step in steps if step.what == "fault"} | {"banned"}
    assert {fault.value for fault in CATALOGUE} - faults == set(NOT_DRAWN)
    assert {step.options["code"] for step in steps if step.options.get("name") == "refuse"} >= set(ANY_CODE)
    assert {step.what for step in steps} == {name.removeprefix("_do_") for name in vars(Run) if name.startswith("_do_")}
    drawn = {what: {step.options.get("how", step.options.get("where")) for step in steps if step.what == what}
             for what in ("disk", "crash", "hand")}  # fmt: skip
    assert drawn == {
        "disk": {"full", "failing", "stalling"},
        "crash": {"now", "write", "send", "sent"},
        "hand": {"part", "all", "add", "over"},
    }
    symbols = Counter(
        len({step.options["symbol"] for step in story.steps if "symbol" in step.options}) for story in stories
    )
    assert symbols[2] + symbols[3] > 5 * symbols[1] > 0
    assert 0.1 < sum(bool(story.policy) for story in stories) / len(stories) < 0.2
    assert 0.05 < sum(story.stream_life_s is not None for story in stories) / len(stories) < 0.15


def test_dense_stories_bring_more_trouble_and_fewer_signals() -> None:
    """About twice the share; they keep the promises as well."""
    usual, dense = ([make_story(seed, draw) for seed in range(200)] for draw in (USUAL, DENSE))

    def part_of_trouble(stories: list[Story]) -> float:
        steps = [step.what for story in stories for step in story.steps]
        return sum(what not in BUSINESS for what in steps) / len(steps)

    assert part_of_trouble(dense) > 1.8 * part_of_trouble(usual)
    assert sum(story.signals for story in dense) < 0.8 * sum(story.signals for story in usual)
    assert not [failure for story in dense[:BATCH] if (failure := play(story).failure)]


def test_end_of_a_story_waits_for_a_process_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed as the story ends, with a position open, and down for 40 s: the time begins with the next one."""
    monkeypatch.setattr("tests.simulation.run.SETTLE_US", 2_000_000)
    opened = Step("signal", {"symbol": "BTCUSDT", "kind": "LONG_ENTRY", "id": "entry-1", "quantity": "0.010"})
    killed = Step("crash", {"where": "now", "in_effects": 1, "power": False, "down_ms": 40_000}, after_ms=5_000)
    assert play(Story(seed=1, steps=(opened, killed))).failure == ""


def test_a_task_that_spins_is_named() -> None:
    """Waiting without letting time pass would keep a story, and CI, for ever."""
    scheduler = Scheduler(1)

    def again() -> None:
        scheduler.call_in(0, again)

    again()
    with pytest.raises(RuntimeError, match="one instant"):
        all(scheduler.step() for _ in range(STEPS_PER_INSTANT + 10))


def test_a_failing_story_is_shortened() -> None:
    """What is left is what it takes: here a symbol that no exchange lists, which the player stumbles over."""
    story = make_story(7)
    steps = (*story.steps[:6], Step("price", {"symbol": "NOSUCHUSDT", "factor": "1"}), *story.steps[6:12])
    short = shrink(replace(story, steps=steps))
    assert [step.options.get("symbol") for step in short.steps] == ["NOSUCHUSDT"]


ENTRY = Step("signal", {"symbol": "BTCUSDT", "kind": "LONG_ENTRY", "id": "entry-1", "quantity": "0.010"})


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (Step("weather", {"is_out": True, "lasts_ms": 16_000}, 500), ["exchange_silent", "exchange_back"]),
        (Step("weather", {"is_out": True, "lasts_ms": 6_000}, 500), []),
        (Step("disk", {"how": "full", "lasts_ms": 6_000}, 500), ["audit_unwritable", "audit_written"]),
        (Step("disk", {"how": "full", "lasts_ms": 1_000}, 500), []),
    ],
    ids=["outage", "short outage", "full disk", "disk full for a moment"],
)
def test_who_sleeps_is_woken(tmp_path: Path, step: Step, told: list[str]) -> None:
    """With a position open: an exchange that is silent for long, a log that cannot be written, and the end of both."""
    news = Step("hand", {"symbol": "BTCUSDT", "how": "add"}, 200)  # something to write down
    later = Step("price", {"symbol": "BTCUSDT", "factor": "1.001"}, 20_000)
    run = Run(Story(seed=1, steps=(ENTRY, step, news, later)), tmp_path)
    assert play_run(run).failure == ""
    codes = ("exchange_silent", "exchange_back", "audit_unwritable", "audit_written")
    assert [notice.code for notice in run.notices if getattr(notice, "code", "") in codes] == told


def asked(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of the command with these arguments."""
    monkeypatch.setattr(sys, "argv", ["simulation", *arguments])
    return main()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--runs", "0"), "at least 1"),
        (("--runs", "-5"), "at least 1"),
        (("--shrink",), "SEED="),
        (("--mutant", "nosuch"), "no mutant nosuch: MUTANT=list names them"),
        (("--mutant", "nosuch", "--seed", "3"), "nosuch is none: MUTANT=list names them"),
        (("--mutant", "all", "--seed", "3"), "all is none: MUTANT=list names them"),
        (("--dense", "--list"), "RUNS=, FIRST= and SEED="),
        (("--dense", "--mutant", "all"), "RUNS=, FIRST= and SEED="),
        (("--dense", "--crashes"), "RUNS=, FIRST= and SEED="),
        (("--dense", "--only", "disk-is-full"), "RUNS=, FIRST= and SEED="),
        (("--only", "nosuch"), "LIST=1 names them"),
        (("--only", "signal_is_stale/nosuch"), "signal_is_stale has no variant 'nosuch'; it has: one"),
    ],
    ids=lambda value: "-".join(value).strip("-") if isinstance(value, tuple) else "",
)
def test_what_cannot_be_meant_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    """A mistyped name or number neither passes for a green run nor ends in a traceback."""
    assert asked(monkeypatch, *arguments) == 2
    assert told in capsys.readouterr().out


def test_many_stories_are_summed_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What a person reads and what a program reads say the same."""
    report = tmp_path / "sums.json"
    assert asked(monkeypatch, "--runs", "3", "--workers", "1", "--report", str(report)) == 0
    sums = json.loads(report.read_text())
    assert (sums["runs"], sums["violations"]) == (3, 0)
    assert sums["signals"] > 2 * 20  # but for those that come while no manager is at work
    assert sums["closes_asked_for"] > 0
    assert f"{'signals':40} {sums['signals']}" in capsys.readouterr().out


def test_dense_stories_are_drawn_where_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One with its trace, and many: nothing of the usual draw."""
    assert asked(monkeypatch, "--seed", "3", "--dense") == 0
    assert capsys.readouterr().out.startswith(str(make_story(3, DENSE)))
    report = tmp_path / "sums.json"
    assert asked(monkeypatch, "--runs", "2", "--workers", "1", "--dense", "--report", str(report)) == 0
    faults = sum((play(make_story(seed, DENSE)).faults for seed in range(2)), Counter[str]())
    assert json.loads(report.read_text())["faults"] == dict(faults)


def test_story_that_breaks_is_told_with_the_command_that_plays_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One seed, with a bug: what happened, what was broken, and a red exit code."""
    name = "resend_on_timeout"
    found = search_from_hint(name)
    assert asked(monkeypatch, "--mutant", name, "--seed", str(found.seed)) == 1
    shown = capsys.readouterr().out
    assert f"story of seed {found.seed}: " in shown
    assert shown.strip().splitlines()[-1] == found.failure.strip().splitlines()[-1]
