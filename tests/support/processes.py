"""Real processes for tests: the simulator and the command line, each with a deadline and a certain end.

Waiting is always for something: a line on a pipe (`select`), a process's end (`wait`), or an answer of the exchange.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import requests

COMMAND = (sys.executable, "-m", "bracketeer")
DEADLINE_S = 20.0
KEY, SECRET = "demo-key", "demo-secret"
ENTRY = ("BTCUSDT", "--quantity", "0.010", "--take-profit", "66000", "--stop-loss", "58000")


def environment(**variables: str) -> dict[str, str]:
    """The environment for a child: ours without any key of this machine, and these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BINANCE_", "AUDIT_"))}
    return {**kept, **variables}


def with_keys(key: str = KEY, secret: str = SECRET) -> dict[str, str]:
    """The environment of a user whose keys are set."""
    return environment(BINANCE_API_KEY=key, BINANCE_API_SECRET=secret)


def run_cli(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: str = "", within_s: float = DEADLINE_S
) -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=dict(env) if env is not None else with_keys(),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )


class Child:
    """A command at work. Ends with its block at the latest."""

    def __init__(self, *arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=cwd,
            env=dict(env) if env is not None else with_keys(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._said = {"out": b"", "err": b""}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def write(self, line: str) -> None:
        """A line on its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def line(self, within_s: float = DEADLINE_S) -> str:
        """The next line of its standard output."""
        return self._next_line("out", self.process.stdout, within_s)

    def error_line(self, within_s: float = DEADLINE_S) -> str:
        """The next line of its standard error."""
        return self._next_line("err", self.process.stderr, within_s)

    def _next_line(self, name: str, pipe: IO[bytes] | None, within_s: float) -> str:
        assert pipe is not None
        deadline_s = time.monotonic() + within_s
        while b"\n" not in self._said[name]:
            readable, _, _ = select.select([pipe], [], [], max(0.0, deadline_s - time.monotonic()))
            assert readable, f"no line within {within_s} s"
            chunk = os.read(pipe.fileno(), 65536)
            assert chunk, f"it ended instead: {self._ended()}"
            self._said[name] += chunk
        line, self._said[name] = self._said[name].split(b"\n", 1)
        return line.decode()

    def line_with(self, text: str, within_s: float = DEADLINE_S) -> str:
        """The next line that contains a text."""
        deadline_s = time.monotonic() + within_s
        while text not in (line := self.line(deadline_s - time.monotonic())):
            pass
        return line

    def end(self, number: signal.Signals, within_s: float = DEADLINE_S) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(within_s)

    def _ended(self) -> str:
        _, err = self.process.communicate()
        return f"exit code {self.process.returncode}, {err.decode()}"


class Simulator(Child):
    """`bracketeer sim` as a process of its own, prices standing still unless moved."""

    def __init__(self, cwd: Path, *arguments: str) -> None:
        keys = ("--api-key", KEY, "--api-secret", SECRET)
        super().__init__("sim", *keys, "--prices", "frozen", *arguments, cwd=cwd, env=environment())
        self.ready: dict[str, Any] = json.loads(self.line())
        self.rest, self.stream = str(self.ready["rest"]), str(self.ready["stream"])

    def at(self, audit_dir: Path) -> Sequence[str]:
        """Options of a command that is about this exchange."""
        return ("--base-url", self.rest, "--stream-url", self.stream, "--audit-dir", str(audit_dir))

    def state(self) -> dict[str, Any]:
        """Its books."""
        document: dict[str, Any] = requests.get(f"{self.rest}/sim/state", timeout=DEADLINE_S).json()
        return document

    def control(self, what: str, **body: Any) -> None:
        """A control request, such as `price` or `fault`."""
        requests.post(f"{self.rest}/sim/{what}", json=body, timeout=DEADLINE_S).raise_for_status()
