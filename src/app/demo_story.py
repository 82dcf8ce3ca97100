"""The demo's day, played: prices move, signals arrive, faults strike. Decides nothing about whether it went well."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from ..core.commands import Alert, Announce
from ..core.report import ExecutionReport
from ..core.signal import Signal, SignalType
from ..core.state import State
from .console import GOOD, WARNING, marked
from .demo_exchange import DemoExchange
from .demo_screen import Screen
from .demo_script import FAULTS, Step
from .report_view import amount, mark_of

if TYPE_CHECKING:
    from ..execution.order_manager import OrderExecutionManager

SETTLE_TIMEOUT_S: Final = 5.0
SETTLE_PAUSE_S: Final = 0.005
STEP_PAUSE_S: Final = 0.2
"""Of a step of the day at the usual speed: 96 of them make some twenty seconds."""


@dataclass(frozen=True)
class Answer:
    """A signal as it was written, and what the manager answered at once."""

    clock: str
    line: bytes
    report: ExecutionReport


class CutShort(Exception):  # noqa: N818 - it is a wish, not a failure
    """The day is not played to its end."""


class Story:
    """Plays the steps until they are over or `cut` is set. `hear` is for the manager's notices, which come on its
    threads."""

    def __init__(
        self, steps: list[Step], exchange: DemoExchange, screen: Screen, speed: float, cut: threading.Event
    ) -> None:
        self._steps = steps
        self._exchange = exchange
        self._screen = screen
        self._cut = cut
        self._pause_s = STEP_PAUSE_S / speed
        self.answers: list[Answer] = []

    def hear(self, notice: Alert | Announce) -> None:
        """Show what the manager says by itself: alerts, and the end of a trade."""
        if isinstance(notice, Alert):
            text = marked(WARNING, (notice.code, "bold"), f": {notice.text}  {notice.symbol}")
            self._screen.tell("alert", text, notice=notice)
        elif notice.topic == "ended":
            why = notice.facts.get("reason") or notice.facts.get("status", "")
            text = marked(GOOD, (f"{notice.signal_id:<13}", "bold"), f" ended, flat: {why}")
            self._screen.tell("ended", text, notice=notice)

    def play(self, manager: OrderExecutionManager) -> None:
        """From the first price to the last; what is open then is closed.

        Raises:
            CutShort: `cut` was set.
        """
        self._screen.scene.total = len(self._steps)
        for step in self._steps:
            self._pause(0.0)
            started_s = time.monotonic()
            self._screen.scene.clock = step.clock
            for symbol, price in step.prices.items():
                self._exchange.set_price(symbol, price)
            self._screen.scene.prices = step.prices
            self._settle(manager)
            for line in step.signals:
                self._send(manager, line)
            self._screen.scene.done += 1
            self._show(manager)
            self._pause(self._pause_s - (time.monotonic() - started_s))
        for bracket in manager.status().brackets:
            closing = Signal(
                signal_type=SignalType.CLOSE, symbol=bracket.symbol, signal_id=f"end-of-day-{bracket.symbol}"
            )
            self._send(manager, json.dumps({"signal_id": closing.signal_id}).encode(), closing)
        self._settle(manager)
        self._show(manager)

    def _send(self, manager: OrderExecutionManager, line: bytes, signal: Signal | None = None) -> None:
        facts = wish_of(line)
        fault = FAULTS.get(str(facts.get("signal_id")))
        if fault is not None:
            self._exchange.fault(**fault)
            text = marked(WARNING, f"the reply to the next {fault['symbol']} order will be lost on its way to us")
            self._screen.tell("fault", text, fault=fault)
        report = manager.execute_json(line) if signal is None else manager.execute_signal(signal)
        self.answers.append(Answer(self._screen.scene.clock, line, report))
        self._screen.tell("report", _answer_text(facts, report), report=report)

    def _settle(self, manager: OrderExecutionManager) -> None:
        """Wait until the manager knows what the last prices triggered, so that the day is the same on a slow machine.

        It gives up after a while without a word: whether the promises held is judged at the end.
        """
        deadline_s = time.monotonic() + SETTLE_TIMEOUT_S
        while time.monotonic() < deadline_s:
            held = {row["symbol"] for row in self._exchange.books()["positions"]}
            if held == _managed(manager.state()):
                return
            self._pause(SETTLE_PAUSE_S)

    def _pause(self, seconds: float) -> None:
        if self._cut.wait(max(0.0, seconds)):
            raise CutShort

    def _show(self, manager: OrderExecutionManager) -> None:
        status, scene = manager.status(), self._screen.scene
        weight = status.budgets["pools"]["weight_1m"]
        scene.weight_used, scene.weight_limit = weight["used"], weight["limit"]
        scene.naked_worst_ms = max([scene.naked_worst_ms, *(b.naked_worst_ms for b in status.brackets)])
        scene.brackets = status.brackets


def wish_of(line: bytes) -> dict[str, Any]:
    """The fields of a signal as it was written; none where it cannot be read."""
    try:
        facts = json.loads(line)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _managed(state: State) -> set[str]:
    return {bracket.symbol for bracket in state.brackets.values()}


def _answer_text(facts: dict[str, Any], report: ExecutionReport) -> Text:
    wish = f"{facts.get('signal_type', '?')} {facts.get('symbol') or report.symbol}"
    text = marked(mark_of(report.status), (f"{facts.get('signal_id', '?'):<13}", "bold"), f" {wish:<24}")
    text.append(f" {report.status.value}", "bold")
    if report.reason is not None:
        text.append(f": {report.reason.code}")
    elif report.exit is not None:
        text.append(f" at {amount(report.exit.average_price)}", "dim")
    elif report.entry is not None and report.timings is not None and report.timings.naked_ms is not None:
        text.append(f" at {amount(report.entry.average_price)}, unprotected for {report.timings.naked_ms} ms", "dim")
    return text
