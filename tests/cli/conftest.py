"""Fixtures of the command line's tests: an exchange in this process, and a runner for commands in this process too.

Commands run in-process where nothing but their words and exit codes matters; where processes matter (locks, Ctrl-C, the
README), tests use `tests.support.processes`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bracketeer.app.cli import app
from bracketeer.simulator.server import RunningSimulator, SimulatorConfig, start_in_thread
from tests.support.processes import KEY, SECRET


@pytest.fixture
def simulator() -> Iterator[RunningSimulator]:
    """An exchange whose prices stand still: BTCUSDT at 60000, ETHUSDT at 3000."""
    config = SimulatorConfig(prices="frozen", api_key=KEY, api_secret=SECRET)
    with start_in_thread(config) as running:
        yield running


class Cli:
    """Runs commands against the exchange, with a folder of its own."""

    def __init__(self, simulator: RunningSimulator, folder: Path) -> None:
        self.simulator = simulator
        self.audit_dir = folder / "audit"
        self._runner = CliRunner()

    def books(self) -> dict[str, Any]:
        """The exchange's own books."""
        return dict(self.simulator.state())

    @property
    def at(self) -> list[str]:
        """Options that say which exchange and which log."""
        urls = ["--base-url", self.simulator.rest_url, "--stream-url", self.simulator.stream_url]
        return [*urls, "--audit-dir", str(self.audit_dir)]

    def __call__(self, *arguments: str, stdin: str = "") -> Result:
        """Any command."""
        return self._runner.invoke(app, list(arguments), input=stdin)

    def signal(self, *arguments: str, stdin: str = "") -> Result:
        """`signal …` against the exchange."""
        return self("signal", *arguments, *self.at, stdin=stdin)

    def report(self, *arguments: str) -> dict[str, Any]:
        """The report of a signal, as JSON."""
        document: dict[str, Any] = json.loads(self.signal(*arguments, "--json").stdout)
        return document


@pytest.fixture
def cli(simulator: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Commands of a user whose keys are set, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BINANCE_API_KEY", KEY)
    monkeypatch.setenv("BINANCE_API_SECRET", SECRET)
    for name in ("AUDIT_LOG_DIR", "AUDIT_HMAC_KEY"):
        monkeypatch.delenv(name, raising=False)
    return Cli(simulator, tmp_path)
