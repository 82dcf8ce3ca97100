"""The ways in: ``run`` for the command line, ``start_in_thread`` for tests and demos."""

import json
import sys

from .config import SimulatorConfig
from .hosting import bind, make_exchange, make_server
from .messages import Row
from .running import RunningSimulator

__all__ = ["RunningSimulator", "SimulatorConfig", "run", "start_in_thread"]


def run(config: SimulatorConfig) -> None:
    """Serve until SIGINT or SIGTERM; prints one JSON line when ready.

    The line carries the secret only when it was generated here: a supplied one is known to whoever supplied it.
    """
    exchange = make_exchange(config)
    server = make_server(config, exchange)
    listener = bind(config)
    address = f"{config.host}:{listener.getsockname()[1]}"
    ready: Row = {
        "ready": True,
        "rest": f"http://{address}",
        "stream": f"ws://{address}",
        "api_key": exchange.api_key,
    }
    if config.api_secret is None:
        ready["api_secret"] = exchange.api_secret
    server.on_ready = lambda: _print_line(ready)
    server.run(sockets=[listener])


def _print_line(row: Row) -> None:
    sys.stdout.write(json.dumps(row, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def start_in_thread(config: SimulatorConfig | None = None) -> RunningSimulator:
    """Start a simulator beside the caller; use it as a context manager, or call ``stop``."""
    return RunningSimulator(config or SimulatorConfig()).start()
