"""The demo's day: its own files, and signals of a user's own."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from bracketeer.app.demo_script import FAULTS, read_script
from bracketeer.core.errors import BracketeerError
from bracketeer.core.signal import Signal, SignalMalformed


def test_day_has_a_price_for_every_symbol_at_every_step() -> None:
    """Steps of a quarter of an hour, all prices above zero."""
    steps = read_script()
    assert [step.clock for step in (steps[0], steps[1], steps[-1])] == ["00:00", "00:15", "23:45"]
    assert all(after.at_ms - before.at_ms == 900_000 for before, after in pairwise(steps))
    assert {frozenset(step.prices) for step in steps} == {frozenset(steps[0].prices)}
    assert all(price > 0 for step in steps for price in step.prices.values())


def test_own_signals_are_signals_but_for_the_bad_one() -> None:
    """The file could be sent as it is with `signal json`; one line is unreadable on purpose."""
    lines = [line for step in read_script() for line in step.signals]
    unreadable = []
    for line in lines:
        try:
            Signal.from_json(line)
        except SignalMalformed as error:
            unreadable.append(error.message)
    assert len(lines) == 11
    assert ["stop_los" in message for message in unreadable] == [True]
    assert all(any(signal_id.encode() in line for line in lines) for signal_id in FAULTS)


def test_signals_arrive_at_their_time_else_one_a_step(tmp_path: Path) -> None:
    """A timestamp of the day is kept; none, one of another day, or no object at all makes it one a step."""
    steps = read_script()
    at_ms = steps[40].at_ms
    file = tmp_path / "mine.jsonl"
    file.write_text(f'{{"timestamp": {at_ms - 1}}}\n{{}}\n\n{{"timestamp": 5}}\n{{"timestamp": "x"}}\n[1]\nnonsense\n')
    arrivals = {number: step.signals for number, step in enumerate(read_script(file)) if step.signals}
    assert arrivals == {
        40: (f'{{"timestamp": {at_ms - 1}}}'.encode(),),
        2: (b"{}",),
        3: (b'{"timestamp": 5}',),
        4: (b'{"timestamp": "x"}',),
        5: (b"[1]",),
        6: (b"nonsense",),
    }


def test_missing_file_is_an_error_with_a_code(tmp_path: Path) -> None:
    """It says which file."""
    with pytest.raises(BracketeerError, match="no_such_file") as caught:
        read_script(tmp_path / "nowhere")
    assert caught.value.context == {"file": tmp_path / "nowhere"}
