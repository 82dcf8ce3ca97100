"""A simulator for other people's clients, which are pointed at it by their documented options alone."""

import logging
from collections.abc import Iterator

import pytest

from bracketeer.simulator import RunningSimulator, SimulatorConfig, start_in_thread

WAIT_S = 10.0


@pytest.fixture(autouse=True)
def _clients_are_heard_from_warnings_on() -> Iterator[None]:
    """Below that they tell what they send; the tests assert that they warn of nothing."""
    logging.disable(logging.INFO)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(name="sim", scope="module")
def _sim() -> Iterator[RunningSimulator]:
    with start_in_thread(SimulatorConfig(prices="frozen")) as running:
        yield running


@pytest.fixture(name="fresh")
def _fresh(sim: RunningSimulator, caplog: pytest.LogCaptureFixture) -> Iterator[RunningSimulator]:
    """Give the simulator with empty books, and see afterwards that no client has complained."""
    sim.reset()
    yield sim
    complaints = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert complaints == []
