"""Fixtures of the scenarios: a fresh exchange and a manager on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bracketeer.simulator.server import RunningSimulator, SimulatorConfig, start_in_thread
from tests.support.venue import BTC, Desk, desk


@pytest.fixture
def simulator() -> Iterator[RunningSimulator]:
    """An exchange whose prices stand still at 60000."""
    with start_in_thread(SimulatorConfig(prices="frozen")) as running:
        running.set_price(BTC, "60000")
        yield running


@pytest.fixture
def at(simulator: RunningSimulator, tmp_path: Path) -> Iterator[Desk]:
    """A started manager with its user stream."""
    with desk(simulator, tmp_path / "audit") as working:
        yield working
