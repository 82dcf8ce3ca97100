"""`bracketeer sim`: the simulator in this process, until it is stopped."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from rich.table import Table

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
    prices: str | None,
    speed: float,
    latency_ms: int,
    switches: tuple[str, ...] = (),
    bound_to_stdin: bool = False,
    script: Path | None = None,
) -> None:
    """Run until Ctrl-C or SIGTERM; with `bound_to_stdin` also until standard input ends.

    Its ready line is JSON with or without `--json`: programs wait for it.

    Raises:
        BracketeerError: `bad_prices` or `bad_script` when the file is not there, `cannot_start` when it says
            nonsense or the port is taken.
    """
    from ..simulator.server import SimulatorConfig, run

    # A story tells its own prices: without a word about it, nothing else moves them.
    prices = prices or ("frozen" if script else "walk")
    if prices not in NAMED_PATHS and not Path(prices).is_file():
        raise BracketeerError(
            "no such price file; give walk, frozen, sample or a file", code="bad_prices", prices=prices
        )
    if script is not None and not script.is_file():
        raise BracketeerError("no such script", code="bad_script", script=str(script))
    output.note("[dim]simulated exchange: a page to watch it at /, controls at /sim, Ctrl-C stops it[/dim]")
    if bound_to_stdin:
        threading.Thread(target=_stop_at_end_of_input, name="stdin", daemon=True).start()
    try:
        config = SimulatorConfig(
            port=port,
            seed=seed,
            api_key=api_key,
            api_secret=api_secret,
            profile=profile,
            prices=prices,
            speed=speed,
            latency_ms=latency_ms,
            switches=switches,
            script=tuple(script.read_text(encoding="utf-8").splitlines()) if script else (),
        )
        run(config)
    except (OSError, ValueError) as error:
        raise BracketeerError(f"the simulator cannot start: {error}", code="cannot_start", port=port) from error


def _stop_at_end_of_input() -> None:
    """A pipe ends with the process that holds its other end, also when that is killed without a chance to clean up."""
    while os.read(sys.stdin.fileno(), _CHUNK):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def show_faults(output: Output) -> None:
    """Every way the simulator can be made to fail, for people or as JSON."""
    from ..simulator.faults import CATALOGUE

    if output.as_json:
        output.document([spec.row() for spec in CATALOGUE.values()])
        return
    table = Table("fault", "meets", "what happens", "options", title="faults of the simulated exchange")
    for spec in CATALOGUE.values():
        table.add_row(spec.name.value, spec.kind.value, spec.description, ", ".join(spec.options))
    output.show(table)
    output.note(
        "[dim]cause one: POST /sim/fault with fault, and method, path, symbol, match, times (-1: until lifted); "
        "lift: POST /sim/lift with id or fault, or nothing for all[/dim]"
    )
