"""Plays named scenarios: the steps they need beyond those of random stories, and their checks when all is over."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from bracketeer.simulator.algo import AlgoTicket

from .. import ending
from ..judge import Broken
from ..run import Outcome, Run, play_run
from ..story import Story
from ..wire import ADDRESS
from .evidence import Evidence
from .scenario import BTC, Scenario

PATIENCE_US = 60_000_000
SEEDS = 20


class NamedRun(Run):
    """A run whose story may wait for things."""

    is_deaf = False  # whoever hears notices fails
    deaf_ears = 0
    hears_for_s = 0.0  # how long whoever hears notices takes for each
    hand_orders = 0
    keeper: logging.Handler | None = None
    level = logging.WARNING

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.log_lines: list[str] = []
        self.check: Callable[[Evidence], None] = lambda seen: None

    def play(self) -> None:
        """The story, what is to hold in the end, and what this scenario asserts beyond it."""
        super().play()
        self.check(Evidence(self))

    def _do_wait(self) -> None:
        """Only the time before it passes."""

    def _do_until_answered(self) -> None:
        self.run_until(
            lambda: all(box or asked.process.is_dead for _, asked, box in self.answers), PATIENCE_US, "all is answered"
        )

    def _do_until_started(self) -> None:
        self.run_until(
            lambda: self.life is not None and self.life.is_started and not self.life.process.is_dead,
            PATIENCE_US,
            "the manager is at work",
        )

    def _do_until_settled(self) -> None:
        self.run_until(lambda: not ending.unsettled(self), PATIENCE_US, "settled", lambda: ending.unsettled(self))

    def _do_until_open(self, symbol: str) -> None:
        """Until the very moment at which something is filled."""
        self._step_until(lambda: bool(self._amount(symbol)), f"{symbol} is open")

    def _do_until_flat(self, symbol: str) -> None:
        """Until the very moment at which the position is zero."""
        self._step_until(lambda: not self._amount(symbol), f"{symbol} is flat")

    def _amount(self, symbol: str) -> Decimal:
        leg = self.exchange.account.positions.get((symbol, "BOTH"))
        return Decimal(0) if leg is None else leg.amount

    def _step_until(self, condition: Callable[[], bool], what: str) -> None:
        end_us = self.scheduler.now_us + PATIENCE_US
        while not condition():
            if self.scheduler.now_us > end_us:
                raise Broken(f"scenario: {what}: not within {PATIENCE_US // 1_000_000} s")
            self.step()

    def _do_signal(self, symbol: str, kind: str, id: str, quantity: str = "", **more: Any) -> None:  # noqa: A002
        if "age_ms" in more:
            more["timestamp"] = self.exchange.clock.now_ms() - more.pop("age_ms")
        super()._do_signal(symbol, kind, id, quantity, **more)

    def _do_lift(self) -> None:
        """Every fault of the exchange ends."""
        self.exchange.faults.lift()

    def _do_delist(self, symbol: str) -> None:
        self.by_hand.add(symbol)
        self.faults["delisted"] += 1
        self.exchange.delist(symbol)
        self.judge.look()

    def _do_deaf(self) -> None:
        """From here on whoever is told of alerts raises."""
        self.is_deaf = True

    def _do_slow_ears(self, lasts_ms: int) -> None:
        """From here on whoever is told of alerts takes so long for each."""
        self.hears_for_s = lasts_ms / 1000

    def _do_listen_to_logs(self) -> None:
        """Keep every record of the standard library's logging, of all levels."""
        lines = self.log_lines

        class Keeper(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                lines.append(self.format(record))

        self.keeper = Keeper(logging.DEBUG)
        logging.getLogger().addHandler(self.keeper)
        self.level = logging.getLogger().level
        logging.getLogger().setLevel(logging.DEBUG)

    def end(self) -> None:
        """Undo what outlives the run."""
        if self.keeper is not None:
            logging.getLogger().removeHandler(self.keeper)
            logging.getLogger().setLevel(self.level)

    def _hear(self, notice: Any) -> None:
        super()._hear(notice)
        self.scheduler.sleep(self.hears_for_s)
        if self.is_deaf:
            self.deaf_ears += 1
            raise RuntimeError("the alert cannot be told")

    def _do_rest_by_hand(self, symbol: str, factor: str, quantity: str, *, reduce_only: bool = False) -> None:
        """A person lets a limit order rest, against the position: a foreign order."""
        amount = self.exchange.account.positions[symbol, "BOTH"].amount
        rules = self.exchange.venue.instruments[symbol]
        level = rules.to_tick(self.exchange.venue.markets[symbol].last * Decimal(factor))
        self.hand_orders += 1
        self.exchange.trade_by_hand(
            symbol,
            "SELL" if amount > 0 else "BUY",
            Decimal(quantity),
            price=level,
            reduce_only=reduce_only,
            client_order_id=f"hand-{self.hand_orders}",
        )
        self.judge.look()

    def _do_withdraw_by_hand(self, symbol: str) -> None:
        """The person takes these orders back."""
        account = self.exchange.account
        for order in account.orders.open_orders(symbol):
            if order.client_order_id.startswith("hand-"):
                self.exchange.trading.cancel(account, order)
        self.judge.look()

    def _do_stop_by_hand(self, symbol: str, factor: str) -> None:
        """A person's own closePosition stop on the position."""
        amount = self.exchange.account.positions[symbol, "BOTH"].amount
        rules = self.exchange.venue.instruments[symbol]
        ticket = AlgoTicket(
            symbol=symbol,
            side="SELL" if amount > 0 else "BUY",
            order_type="STOP_MARKET",
            position_side="BOTH",
            quantity=Decimal(0),
            price=Decimal(0),
            trigger_price=rules.to_tick(self.exchange.venue.markets[symbol].last * Decimal(factor)),
            time_in_force="GTE_GTC",
            working_type="CONTRACT_PRICE",
            price_protect=False,
            close_position=True,
            reduce_only=True,
            self_trade_prevention="NONE",
            activate_price=Decimal(0),
            callback_rate=Decimal(0),
            client_algo_id="hand-stop",
        )
        self.exchange.algos.place(self.exchange.account, ticket)
        self.judge.look()

    def _do_hedge_mode(self) -> None:
        """A person turns hedge mode on; the exchange allows it on a flat account only."""
        self.exchange.account.is_hedge_mode = True

    def _do_one_way_mode(self) -> None:
        self.exchange.account.is_hedge_mode = False

    def _do_use_weight(self, weight: int) -> None:
        """Another program behind our address asks a lot."""
        for _ in range(weight // 20):
            self.exchange.handle("GET", "/fapi/v1/depth", f"symbol={BTC}&limit=1000", {}, "", ADDRESS)


def play_story(story: Story, check: Callable[[Evidence], None], *, traced: bool = False) -> Outcome:
    """A story of any making, in a folder of its own, with an assertion about it."""
    parent = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="scenario-", dir=parent))
    run = NamedRun(story, folder, traced=traced)
    run.check = check
    try:
        return play_run(run)
    finally:
        run.end()
        shutil.rmtree(folder, ignore_errors=True)


def play_scenario(scenario: Scenario, variant: str, seed: int, *, traced: bool = False) -> Outcome:
    """One variant with one seed."""
    return play_story(scenario.story(variant, seed), scenario.check, traced=traced)
