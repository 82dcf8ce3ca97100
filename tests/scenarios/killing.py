"""Managers that die at a moment of the test's choice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from bracketeer.simulator.server import RunningSimulator

ROOT = Path(__file__).parents[2]


def die(simulator: RunningSimulator, folder: Path, when: str, what: str, arm: str = "after_fill") -> None:
    """Run a manager that is killed before or after sending an order, or the first cancel (see `killed_child`)."""
    arguments = [simulator.rest_url, simulator.stream_url, str(folder), when, what, arm]
    environment = os.environ | {
        "BINANCE_API_KEY": simulator.api_key,
        "BINANCE_API_SECRET": simulator.api_secret,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'dev'}",
    }
    child = subprocess.run(
        [sys.executable, "-m", "tests.scenarios.killed_child", *arguments],
        cwd=folder.parent,
        env=environment,
        timeout=60,
        check=False,
        capture_output=True,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
