"""A manager against a simulated exchange over real sockets: what scenario tests share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from bracketeer import ExecutionReport, OrderExecutionManager, Policy, Settings, Signal, SignalType
from bracketeer.core.audit_logger import AuditLine, iter_lines, verify
from bracketeer.core.bracket import Bracket
from bracketeer.core.client_ids import is_ours
from bracketeer.core.commands import Alert
from bracketeer.core.values import ArmingMode
from bracketeer.execution.clock import SystemClock
from bracketeer.execution.driver import Notice
from bracketeer.execution.ports import Clock
from bracketeer.simulator.server import RunningSimulator

BTC = "BTCUSDT"
FAST = Policy(arm=ArmingMode.AFTER_FILL, recv_window_ms=1000, clock_margin_ms=200)
"""Short windows: proof of absence takes recv_window + margin of real time."""


def eventually(condition: Callable[[], bool], *, within_s: float = 8.0, what: str = "") -> None:
    """Return as soon as a condition holds; fail when it does not within the (generous) bound."""
    pause = threading.Event()
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what or condition}"
        pause.wait(0.005)


class Hasty(SystemClock):
    """Real time, but pauses between retries take none."""

    def sleep(self, seconds: float) -> None:
        """Do not."""


class Desk:
    """One manager on one simulator, with its notices and its log."""

    def __init__(
        self, simulator: RunningSimulator, folder: Path, settings: Settings, clock: Clock | None = None
    ) -> None:
        self.simulator = simulator
        self.folder = folder
        self._heard: list[Notice] = []
        self.manager = OrderExecutionManager(
            simulator.api_key,
            simulator.api_secret,
            base_url=simulator.rest_url,
            stream_url=simulator.stream_url,
            settings=settings,
            on_notice=self._heard.append,
            clock=clock,
        )

    @property
    def notices(self) -> list[Notice]:
        """What was told so far, once all of it was."""
        session = self.manager._session
        assert session is None or session.teller.wait_until_told(5.0)
        return self._heard

    def enter(self, signal_id: str = "entry-1", **changes: Any) -> ExecutionReport:
        """Send a long entry with stop and take profit around 60000."""
        fields: dict[str, Any] = {
            "signal_type": SignalType.LONG_ENTRY,
            "symbol": BTC,
            "signal_id": signal_id,
            "quantity": "0.010",
            "take_profit": "66000",
            "stop_loss": "58000",
        }
        return self.manager.execute_signal(Signal(**(fields | changes)))

    def close(self, signal_id: str = "close-1", signal_type: SignalType = SignalType.CLOSE) -> ExecutionReport:
        """Send a close signal."""
        return self.manager.execute_signal(Signal(signal_type=signal_type, symbol=BTC, signal_id=signal_id))

    def state(self) -> dict[str, Any]:
        """The exchange's own books."""
        return self.simulator.state()

    def position(self, symbol: str = BTC) -> Decimal:
        """The exchange's signed position."""
        rows = [row for row in self.state()["positions"] if row["symbol"] == symbol]
        return sum((Decimal(row["positionAmt"]) for row in rows), Decimal(0))

    def resting(self) -> list[str]:
        """Types of our algo orders at the exchange, sorted."""
        return sorted(row["orderType"] for row in self.state()["openAlgoOrders"] if is_ours(row["clientAlgoId"]))

    def entry_fills(self) -> Decimal:
        """What was bought or sold by entry orders of ours, whatever happened after."""
        state = self.state()
        return sum((Decimal(row["qty"]) for row in state["trades"] if row["side"] == "BUY"), Decimal(0))

    def brackets(self) -> list[Bracket]:
        """The manager's own books."""
        return list(self.manager._running().driver.read().brackets.values())

    def requests(self, method: str, path: str) -> list[dict[str, Any]]:
        """Requests of one kind, oldest first."""
        return [row for row in self.state()["requests"] if (row["method"], row["path"]) == (method, path)]

    def alerts(self) -> list[str]:
        """Codes of the alerts so far."""
        return [notice.code for notice in self.notices if isinstance(notice, Alert)]

    def lines(self, event_type: str | None = None) -> list[AuditLine]:
        """Lines of the audit log."""
        return [line for line in iter_lines(self.folder) if event_type in (None, line.event_type)]

    def assert_clean(self) -> None:
        """P3: flat and nothing of ours rests; P5: the log verifies."""
        eventually(lambda: self.position() == 0 and self.resting() == [], what="flat and nothing of ours rests")
        self.assert_verified()

    def assert_protected(self, quantity: str = "0.010") -> None:
        """P2: the whole position with exactly one stop and one take profit, and a true log."""
        assert abs(self.position()) == Decimal(quantity)
        assert self.resting() == ["STOP_MARKET", "TAKE_PROFIT_MARKET"]
        self.assert_verified()

    def assert_verified(self) -> None:
        """P5."""
        report = verify(self.folder)
        assert report.ok, report.problems


@contextmanager
def desk(simulator: RunningSimulator, folder: Path, policy: Policy = FAST, **settings: Any) -> Iterator[Desk]:
    """A started manager on a simulator."""
    desk = Desk(simulator, folder, Settings(policy=policy, audit_log_dir=str(folder), **settings))
    with desk.manager:
        if settings.get("user_stream", True):
            eventually(lambda: desk.manager.status().stream_up, what="the stream is up")
        yield desk
