"""The two processes of the kill story: the exchange, and the manager that is killed and started again."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests

from tests.support import canaries
from tests.support.processes import DEADLINE_S, Simulator, environment

ROOT = Path(__file__).parents[2]
LATENCY_MS = 5


class Exchange(Simulator):
    """`bracketeer sim`, whose keys must be seen nowhere."""

    def __init__(self, cwd: Path) -> None:
        keys = ("--api-key", canaries.KEY, "--api-secret", canaries.SECRET)
        super().__init__(cwd, *keys, "--latency-ms", str(LATENCY_MS))
        self._asking = requests.Session()
        self._asking.trust_env = False

    def ask(self, what: str) -> dict[str, Any]:
        """`GET /sim/…`."""
        document: dict[str, Any] = self._asking.get(f"{self.rest}/sim/{what}", timeout=DEADLINE_S).json()
        return document

    def view(self) -> dict[str, Any]:
        """The small picture of this moment."""
        return self.ask("view/BTCUSDT")


class Manager:
    """One life of `kill_manager`. What it says goes to `heard`, and with its errors to files below `folder`."""

    def __init__(self, exchange: Exchange, folder: Path, life: int) -> None:
        self.heard: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._said = (folder / f"manager-{life}.out").open("wb")
        self._errors = (folder / f"manager-{life}.err").open("wb")
        keys = {"BINANCE_API_KEY": canaries.KEY, "BINANCE_API_SECRET": canaries.SECRET}
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.scenarios.kill_manager",
                exchange.rest,
                exchange.stream,
                str(folder / "audit"),
            ],
            cwd=folder,
            env=environment(**keys, PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'dev'}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self._hearing = threading.Thread(target=self._hear, daemon=True)
        self._hearing.start()

    def tell(self, **wish: Any) -> None:
        """Ask something of it; one that is gone does not hear it."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(wish).encode() + b"\n")
            self._process.stdin.flush()

    def ended(self) -> bool:
        """Whether it is gone, though nobody killed it."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """`kill -9`."""
        self._process.send_signal(signal.SIGKILL)
        self._give_back()

    def end(self) -> int:
        """Let it end by itself; its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return self._give_back()

    def _give_back(self) -> int:
        code = self._process.wait()
        self._hearing.join()
        for pipe in (self._process.stdin, self._process.stdout, self._said, self._errors):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        return code

    def _hear(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.write(line)
            self.heard.put(json.loads(line))
