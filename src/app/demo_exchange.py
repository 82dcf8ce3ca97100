"""The demo's exchange: the simulator as a process of its own, on a free port, with keys made up for this run."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from decimal import Decimal
from types import TracebackType
from typing import Any, Final, Self

import requests

from ..core.errors import BracketeerError
from ..execution.binance.transport import new_session

START_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 5.0
CONTROL_TIMEOUT_S: Final = 5.0
SEED: Final = 7


@dataclass(frozen=True)
class Access:
    """Where it is, and the keys of its account."""

    rest: str
    stream: str
    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)


class DemoExchange:
    """Use as a context manager: whatever ends the block, the process ends with it.

    Prices stand still but for `set_price`, so that what happens does not depend on how quick the machine is.
    """

    def __init__(self) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        # A session of its own: Ctrl-C in a terminal is for us, and we end the exchange after the manager.
        self._process = subprocess.Popen(  # noqa: S603 - our own program, nobody's words
            [sys.executable, "-m", "bracketeer", "sim", "--seed", str(SEED), "--prices", "frozen", "--bound-to-stdin"],
            stdin=subprocess.PIPE,  # nothing is written: it ends with us, even if we are killed
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
        )
        self._control = new_session()
        self._access: Access | None = None

    @property
    def access(self) -> Access:
        """Where it is, and its keys."""
        if self._access is None:
            raise RuntimeError("the exchange is not running")
        return self._access

    def __enter__(self) -> Self:
        try:
            self._access = self._wait_until_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Move a price; what it triggers has happened when this returns."""
        self._post("/sim/price", {"symbol": symbol, "price": str(price)})

    def fault(self, **fault: Any) -> None:
        """Let something go wrong (`POST /sim/fault`)."""
        self._post("/sim/fault", fault)

    def books(self) -> dict[str, Any]:
        """What the exchange has on record (`GET /sim/state`)."""
        return self._send("GET", "/sim/state", None)

    def _post(self, path: str, body: dict[str, Any]) -> None:
        self._send("POST", path, body)

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        try:
            answer = self._control.request(method, self.access.rest + path, json=body, timeout=CONTROL_TIMEOUT_S)
            answer.raise_for_status()
            document: dict[str, Any] = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise BracketeerError(
                f"the simulated exchange does not answer: {type(error).__name__}", code="simulator_lost", path=path
            ) from error
        return document

    def _wait_until_ready(self) -> Access:
        out = self._process.stdout
        if out is None:
            raise RuntimeError("the exchange was started without a pipe")
        readable, _, _ = select.select([out], [], [], START_TIMEOUT_S)
        line = out.readline() if readable else b""
        if not line:
            self._log.seek(0)
            said = self._log.read().decode(errors="replace").strip()[-500:]
            raise BracketeerError(
                f"the simulated exchange did not start: {said or 'it said nothing'}", code="simulator_failed"
            )
        ready = json.loads(line)
        return Access(ready["rest"], ready["stream"], ready["api_key"], ready["api_secret"])

    def _stop(self) -> None:
        self._control.close()
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._log.close()
