"""Plays a story against a manager over real sockets, and holds the promises against the exchange's own books."""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from bracketeer import BracketeerError, ExecutionReport, Policy, ReportStatus, Settings, Signal, SignalType
from bracketeer.core.client_ids import is_ours
from bracketeer.core.values import ArmingMode
from bracketeer.simulator.faults import FaultBook
from bracketeer.simulator.server import RunningSimulator, SimulatorConfig, start_in_thread
from tests.support.venue import Desk, eventually

from . import story_promises as promises
from .story_maker import PARTS, PRICES, QUANTITIES, Step, Story

HASTY = Policy(
    arm=ArmingMode.AFTER_FILL,
    recv_window_ms=600,
    clock_margin_ms=100,
    poll_interval_ms=100,
    poll_idle_interval_ms=1000,
    report_timeout_ms=8000,
)
CLOSE_S = 5.0


class Player:
    """One story at work: the exchange, the manager of the moment, and everything that was answered."""

    def __init__(self, story: Story, simulator: RunningSimulator, folder: Path) -> None:
        self.story = story
        self.simulator = simulator
        self.folders = [folder / "audit-0"]
        self.notices: list[Any] = []
        self.answers: list[tuple[Signal, Future[ExecutionReport]]] = []
        self.by_hand: set[str] = set()  # symbols on which somebody else traded
        self.enlarged: set[str] = set()  # those with a position that is not all ours
        self.steps_of_clock_ms = 0
        self.outage_ms = 0.0
        self.desk = self._open()

    def _open(self) -> Desk:
        settings = Settings(
            policy=replace(HASTY, arm=ArmingMode(self.story.arm)),
            audit_log_dir=str(self.folders[-1]),
            user_stream=self.story.user_stream,
            connect_timeout_ms=300,
            read_timeout_ms=300,
        )
        desk = Desk(self.simulator, self.folders[-1], settings)
        desk._heard = self.notices
        desk.manager._on_notice = self.notices.append
        for attempt in range(40):  # a start may give up while nothing of ours is open
            try:
                desk.manager.start()
                break
            except BracketeerError:
                assert attempt < 39, "the manager never starts"
        return desk

    def close(self) -> None:
        """End the manager, in time."""
        started = time.monotonic()
        self.desk.manager.close()
        took = time.monotonic() - started
        assert took < CLOSE_S, f"close() took {took:.1f} s"

    def play(self) -> None:
        """All steps."""
        for step in self.story.steps:
            getattr(self, f"_{step.what}")(**step.options)
            self._wait(step)

    def settle(self) -> None:
        """Lift all faults, and wait until everything stands still."""
        self.simulator.exchange.faults = FaultBook()
        self.simulator.fault("stream_unmute")
        try:
            eventually(lambda: not promises.unsettled(self), within_s=20, what="settled")
        except AssertionError:
            raise AssertionError(f"not settled: {promises.unsettled(self)}") from None

    def _wait(self, step: Step) -> None:
        deadline = time.monotonic() + step.patience_ms / 1000
        newest = self.answers[-1][1] if self.answers else None
        pause = threading.Event()
        while time.monotonic() < deadline and not (step.what == "signal" and newest is not None and newest.done()):
            pause.wait(0.002)

    def _signal(self, symbol: str, kind: str, id: str) -> None:  # noqa: A002 - the story's own word
        fields: dict[str, Any] = {}
        if kind.endswith("ENTRY"):
            price = self.simulator.exchange.venue.markets[symbol].last
            sign = 1 if kind.startswith("LONG") else -1
            fields = {
                "quantity": QUANTITIES[symbol],
                "stop_loss": str(price * (1 - sign * Decimal("0.02"))),
                "take_profit": str(price * (1 + sign * Decimal("0.03"))),
            }
        signal = Signal(signal_type=SignalType(kind), symbol=symbol, signal_id=id, **fields)
        answer: Future[ExecutionReport] = Future()
        self.answers.append((signal, answer))
        manager = self.desk.manager

        def work() -> None:
            try:
                report = manager.execute_signal(signal)
                if report.status is ReportStatus.PROTECTED:
                    promises.check_protected(self, report)
                answer.set_result(report)
            except BaseException as error:  # noqa: BLE001 - it is judged with the answers
                answer.set_exception(error)

        threading.Thread(target=work, daemon=True).start()

    def _price(self, symbol: str, factor: str) -> None:
        self.simulator.set_price(symbol, str(Decimal(PRICES[symbol]) * Decimal(factor)))

    def _fault(self, **options: Any) -> None:
        self.simulator.fault(**options)

    def _stream(self, fault: str) -> None:
        self.simulator.fault(fault)

    def _clock(self, by_ms: int) -> None:
        """The exchange's clock leaps ahead of our estimate. It never goes back: that is what its times are for."""
        self.steps_of_clock_ms += by_ms
        self.simulator.set_clock_offset(self.steps_of_clock_ms)

    def _hand(self, symbol: str, how: str) -> None:
        """Somebody trades on the position: takes a part off, all, adds, or more than there is."""
        amount = self.desk.position(symbol)
        if amount == 0 and how in ("part", "all"):
            return
        part, whole = Decimal(PARTS[symbol]), abs(amount)
        quantity = {"part": min(part, whole), "all": whole, "add": part, "over": whole + part}[how]
        side = "BUY" if (amount > 0) is (how == "add") else "SELL"
        self.by_hand.add(symbol)
        if how in ("add", "over"):
            self.enlarged.add(symbol)
        self.simulator.trade_by_hand(symbol, side, str(quantity))

    def _limit(self, symbol: str) -> None:
        rules = self.simulator.exchange.venue.instruments[symbol]
        price = rules.to_tick(Decimal(PRICES[symbol]) * Decimal("0.7"))
        self.simulator.trade_by_hand(symbol, "BUY", QUANTITIES[symbol], price=str(price))

    def _unstop(self, symbol: str) -> None:
        """A person cancels our stop."""
        exchange = self.simulator.exchange

        def cancel() -> None:
            for algo in exchange.account.live_algos(symbol):
                if algo.order_type == "STOP_MARKET" and is_ours(algo.client_algo_id):
                    exchange.algos.cancel(exchange.account, algo)
            exchange._after_change()

        self.simulator._on_loop(cancel)

    def _restart(self) -> None:
        started = time.monotonic()
        self._calm()
        self.close()
        self.desk = self._open()
        self.outage_ms += (time.monotonic() - started) * 1000

    def _crash(self) -> None:
        """The network goes, the process goes, and what it had written until then is what its successor finds."""
        started = time.monotonic()
        self._calm()
        waiting, self.simulator.exchange.faults = self.simulator.exchange.faults, FaultBook()
        self.simulator.fault("request_lost", path="/fapi/*", times=-1)
        found, copy = self.folders[-1], self.folders[-1].with_name(f"audit-{len(self.folders)}")
        copy.mkdir()
        for file in sorted(found.iterdir(), key=lambda path: path.suffix == ".jsonl"):  # heads before their lines
            shutil.copy(file, copy / file.name)
        self.close()
        self.simulator.exchange.faults = waiting
        self.folders.append(copy)
        self.desk = self._open()
        self.outage_ms += (time.monotonic() - started) * 1000

    def _calm(self) -> None:
        """Let callers of this moment get in: who calls a closed manager starts it anew."""
        threading.Event().wait(0.02)


def play_story(story: Story, folder: Path) -> None:
    """Play a story to its end and assert every promise."""
    with start_in_thread(SimulatorConfig(prices="frozen")) as simulator:
        simulator.switch(reduce_only_algo_needs_position=story.needs_position)
        for symbol, price in PRICES.items():
            simulator.set_price(symbol, price)
        player = Player(story, simulator, folder)
        try:
            player.play()
            player.settle()
            promises.check_all(player)
        finally:
            player.close()
        promises.check_logs(player)
