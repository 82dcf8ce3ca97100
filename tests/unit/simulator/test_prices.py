"""Price paths: seeded, scripted, recorded."""

import random
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pytest

from bracketeer.simulator.prices import PriceStep, open_path
from tests.unit.simulator.desk import Desk


def _open(source: str, seed: int = 1) -> list[PriceStep]:
    venue = Desk().exchange.venue
    path = open_path(source, venue.instruments, lambda symbol: venue.markets[symbol].last, random.Random(seed))
    return list(islice(path, 400))


def test_frozen_prices_have_no_steps() -> None:
    """Only the control plane moves them."""
    assert _open("frozen") == []


def test_walk_is_seeded_mild_and_on_ticks() -> None:
    """The same seed wanders the same way, by less than half a per mille a second."""
    steps = _open("walk")
    assert steps == _open("walk")
    assert steps != _open("walk", seed=2)
    rules = Desk().exchange.venue.instruments
    for step in steps:
        assert step.pause_ms == 1000
        for symbol, price in step.prices.items():
            assert price % rules[symbol].tick_size == 0
            assert abs(price / rules[symbol].price_start - 1) < Decimal("0.001")
    assert "EOSUSDT" not in steps[0].prices


def test_sample_series_travels_with_the_package() -> None:
    """One-minute closes with a fall worth watching; the first step moves bitcoin alone."""
    steps = _open("sample")
    bitcoin = [step.prices["BTCUSDT"] for step in steps]
    assert 200 <= len(steps) <= 400
    assert min(bitcoin) < max(bitcoin) * Decimal("0.94")
    assert [step.pause_ms for step in steps[:3]] == [0, 60_000, 60_000]


def test_recorded_candles_play_open_extremes_and_close(tmp_path: Path) -> None:
    """Four prices a minute; other symbols follow bitcoin's changes."""
    source = tmp_path / "candles.csv"
    source.write_text("timestamp,open,high,low,close,volume\nt,100.0,110.0,90.0,105.0,1\nt,105,106,80,81,1\n")
    steps = _open(str(source))
    assert [str(step.prices["BTCUSDT"]) for step in steps] == [
        *["100.00", "90.00", "110.00", "105.00"],
        *["105.00", "106.00", "80.00", "81.00"],
    ]
    assert {step.pause_ms for step in steps[1:]} == {15_000}
    assert steps[1].prices["ETHUSDT"] < Decimal(2800)


def test_script_plays_at_its_times(tmp_path: Path) -> None:
    """JSON Lines with offsets; blank lines are fine."""
    source = tmp_path / "story.jsonl"
    source.write_text(
        '{"at_ms": 100, "symbol": "BTCUSDT", "price": "61000"}\n\n'
        '{"at_ms": 250, "symbol": "ETHUSDT", "price": 3100.5}\n'
    )
    assert _open(str(source)) == [
        PriceStep(100, {"BTCUSDT": Decimal(61000)}),
        PriceStep(150, {"ETHUSDT": Decimal("3100.5")}),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"at_ms": 1, "symbol": "BTCUSDT"}', "line 1"),
        ('{"at_ms": 1, "symbol": "NOPE", "price": "1"}', "line 1: unknown symbol"),
        ('{"at_ms": 9, "symbol": "BTCUSDT", "price": "1"}\n{"at_ms": 1, "symbol": "BTCUSDT", "price": "1"}', "line 2"),
        ("timestamp,open,high,low,close\nt,1,2,3,four\n", "candles, line 2"),
    ],
)
def test_broken_files_are_refused_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    """At the start, not in the middle of a story."""
    source = tmp_path / "broken"
    source.write_text(text)
    with pytest.raises(ValueError, match=message):
        _open(str(source))


def test_missing_file_is_an_error() -> None:
    """Not a silent market."""
    with pytest.raises(FileNotFoundError):
        _open("/nowhere/prices.csv")
