"""`bracketeer sim`: the simulator in this process, until it is stopped."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from ..core.errors import BracketeerError
from .console import Output

NAMED_PATHS = ("walk", "frozen", "sample")
_CHUNK = 4096


def run_simulator(
    output: Output,
    *,
    port: int,
    seed: int,
    api_key: str | None,
    api_secret: str | None,
    profile: str,
    prices: str,
    speed: float,
    latency_ms: int,
    bound_to_stdin: bool = False,
) -> None:
    """Run until Ctrl-C or SIGTERM; with `bound_to_stdin` also until standard input ends.

    Its ready line is JSON with or without `--json`: programs wait for it.

    Raises:
        BracketeerError: `bad_prices` when the file is not there, `cannot_listen` when the port is taken.
    """
    from ..simulator.server import SimulatorConfig, run

    if prices not in NAMED_PATHS and not Path(prices).is_file():
        raise BracketeerError(
            "no such price file; give walk, frozen, sample or a file", code="bad_prices", prices=prices
        )
    output.note("[dim]simulated exchange: prices, faults and books at /sim, Ctrl-C stops it[/dim]")
    config = SimulatorConfig(
        port=port,
        seed=seed,
        api_key=api_key,
        api_secret=api_secret,
        profile=profile,
        prices=prices,
        speed=speed,
        latency_ms=latency_ms,
    )
    if bound_to_stdin:
        threading.Thread(target=_stop_at_end_of_input, name="stdin", daemon=True).start()
    try:
        run(config)
    except (OSError, ValueError) as error:
        raise BracketeerError(f"the simulator cannot start: {error}", code="cannot_start", port=port) from error


def _stop_at_end_of_input() -> None:
    """A pipe ends with the process that holds its other end, also when that is killed without a chance to clean up."""
    while os.read(sys.stdin.fileno(), _CHUNK):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
