"""Plays one story: the exchange, the network, the disk and the manager's lives on one scheduler."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from bracketeer import ExecutionReport, Policy, ReportStatus, Settings, Signal, SignalType
from bracketeer.core.commands import Alert, Announce
from bracketeer.core.values import ArmingMode
from bracketeer.simulator.errors import ExchangeError
from bracketeer.simulator.exchange import Exchange
from bracketeer.simulator.faults import CATALOGUE, Fault, FaultName
from bracketeer.simulator.profiles import Switches
from tests.support.defects import DEFECTS

from . import ending
from .disk import Disk
from .judge import OURS, Broken, Judge
from .process import Life, put_back
from .scheduler import Process, Scheduler
from .story import PRICES, Story
from .wire import ADDRESS, Sent, Weather, Wire

TICK_US = 500_000
SETTLE_US = 90_000_000
LIMIT_FAULTS = ("rate_limited", "order_limited")


@dataclass
class Outcome:
    """What a run was, for sums over many."""

    seed: int
    failure: str = ""
    figures: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    worst_naked_ms: int = 0
    worst_known_ms: int = 0
    trace: list[str] = field(default_factory=list)


class Run:
    """One story at work. `prices` are the symbols of its exchange, with their first price."""

    prices: ClassVar[Mapping[str, str]] = PRICES

    def __init__(self, story: Story, folder: Path, *, traced: bool = False) -> None:
        self.story = story
        self.folder = folder
        self.trace: list[str] | None = [] if traced else None
        self.scheduler = Scheduler(story.seed, preemption=story.preemption)
        self.exchange = Exchange(
            now_ms=lambda: self.scheduler.now_us // 1000,
            seed=story.seed,
            switches=Switches(reduce_only_algo_needs_position=not story.accepts_bare_stops),
        )
        for symbol in set(self.exchange.venue.instruments) - set(self.prices):  # nobody trades them here
            del self.exchange.venue.instruments[symbol], self.exchange.venue.markets[symbol]
        self.wire = Wire(self.scheduler, self.exchange, story.seed)
        self.wire.weather = self._usual_weather()
        self.disk = Disk(folder, random.Random(f"{story.seed}/disk"))
        self.policy = Policy(**({"arm": ArmingMode(story.arm)} | story.policy))
        round_trip_ms = 2 * (story.way_us + story.jitter_us) // 1000 + 2
        limit_ms = self.policy.naked_limit_ms
        self.judge = Judge(self.exchange, self.disk, limit_ms, round_trip_ms, lambda: self.scheduler.now_us)
        self.figures: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.notices: list[Any] = []
        self.answers: list[tuple[Signal, Life, list[ExecutionReport | BaseException]]] = []
        self.by_hand: set[str] = set()
        self.story_symbols = sorted({s.options["symbol"] for s in story.steps if "symbol" in s.options})
        self.secrets = {self.exchange.api_key, self.exchange.api_secret}
        self.life: Life | None = None
        self.waits_for: Process | None = None
        self._lives = 0
        self._doom: tuple[str, int, bool] | None = None  # at which effect the process dies, and how
        self._down_us = 0
        self._outage_until_ms = 0
        self._wall_ms = 0
        self._hook()

    # Set up.

    def _usual_weather(self) -> Weather:
        return Weather(way_us=self.story.way_us, jitter_us=self.story.jitter_us)

    def _hook(self) -> None:
        wire, judge = self.wire, self.judge
        wire.on_request = self._on_request
        wire.on_answer = self._on_answer
        wire.on_told = judge.told
        wire.on_heard = judge.heard
        wire.on_unanswered = judge.unanswered
        wire.on_event = self._note_event
        wire.after_exchange = judge.look
        wire.before_send = lambda process: self._effect("send", process)
        wire.after_send = lambda process: self._effect("sent", process)
        self.disk.linger = lambda: self.scheduler.sleep(0.05)
        self.disk.after_write = lambda: self._effect("write", self.life.process if self.life else None)

    def _on_request(self, sent: Sent) -> None:
        if self.trace is not None:
            self.note(f"-> {sent.method} {sent.path} {_shown(sent.query)}")
        try:
            self.judge.request(sent)
        except Broken as broken:  # raised here it would be the manager's to handle
            self.scheduler.failures.append(broken)

    def _on_answer(self, sent: Sent) -> None:
        assert sent.answer is not None
        fault = self.exchange.requests.latest.get("fault", "")
        if self.trace is not None:
            fate = "dropped" if sent.answer.is_dropped else str(sent.answer.status)
            self.note(f"   {sent.method} {sent.path}: {fate} {fault} {sent.answer.body[:160].decode(errors='replace')}")
        if sent.path in ("/fapi/v1/order", "/fapi/v1/algoOrder") and sent.method == "POST":
            self.figures["orders"] += 1
        is_limit_made = fault in LIMIT_FAULTS or (sent.answer.status == 418 and self.faults["banned"] > 0)
        self.judge.answer(sent, is_limit_made=is_limit_made)

    def note(self, text: str) -> None:
        """One line of the trace."""
        if self.trace is not None:
            self.trace.append(f"{(self.scheduler.now_us % 10**12) / 1e3:14.3f} {text}")

    # The loop.

    def play(self) -> None:
        """The whole story, and what is to hold in the end."""
        for symbol, price in self.prices.items():
            self.exchange.set_price(symbol, Decimal(price))
        self._tick()
        self.start()
        self.run_until(lambda: self.life is not None and self.life.is_started, 60_000_000, "the manager starts")
        for step in self.story.steps:
            self.run_for(step.after_ms * 1000)
            self.note(f"** {step}")
            getattr(self, f"_do_{step.what}")(**step.options)
        self._calm_down()
        # A ban is sat out, and nobody settles anything before the process is there again.
        idle_ms = max(0, max(self.judge.silent_ms, self.judge.able_ms) - self.judge.now_ms)
        within_us = SETTLE_US + idle_ms * 1000
        self.run_until(lambda: not ending.unsettled(self), within_us, "settled", lambda: ending.unsettled(self))
        ending.check(self)
        assert self.life is not None
        self.life.close()
        self.run_until(lambda: self.life is not None and self.life.is_closed, 10_000_000, "the manager closes")
        ending.check_logs(self)

    def run_for(self, for_us: int) -> None:
        """Let time pass."""
        end_us = self.scheduler.now_us + for_us
        while (next_us := self.scheduler.next_us) is not None and next_us <= end_us:
            self.step()
        self.scheduler.now_us = max(self.scheduler.now_us, end_us)

    def run_until(
        self, condition: Callable[[], bool], within_us: int, what: str, why: Callable[[], str] = lambda: ""
    ) -> None:
        """Let time pass until something holds."""
        end_us = self.scheduler.now_us + within_us
        looked_us = 0
        while True:
            if self.scheduler.now_us >= looked_us:  # a look costs, and nothing here is in a hurry
                looked_us = self.scheduler.now_us + 20_000
                if condition():
                    return
            next_us = self.scheduler.next_us
            if next_us is None or next_us > end_us:
                raise Broken(f"P8: not within {within_us // 1_000_000} s: {what}: {why()}")
            self.step()

    def step(self) -> None:
        """One step of anything."""
        self.scheduler.step()
        if self.scheduler.failures:
            raise self.scheduler.failures[0]
        if self.waits_for is not None:
            self._bury()

    def _tick(self) -> None:
        """The exchange's own time: what falls due, what other people do; and the judge looks."""
        self.exchange.tick()
        self.secrets |= {active.key for active in self.exchange.venue.streams._keys.values()}
        self.judge.look()
        life = self.life
        if life is not None and life.failure is not None and life.process.is_dead is False:
            failure, life.failure = life.failure, None  # a start may give up while nothing of ours is open
            self.note(f"start failed: {failure}")
            self.figures["failed starts"] += 1
            life.kill()
            self._later_start(500)
        due_ms = self.exchange.agenda.next_ms
        next_us = self.scheduler.now_us + TICK_US
        if due_ms is not None:
            next_us = min(next_us, max(due_ms * 1000, self.scheduler.now_us + 1000))
        self.scheduler.call_at(next_us, self._tick)

    # The manager's lives.

    def settings(self) -> Settings:
        """What every process of this run is set to."""
        return Settings(
            policy=self.policy,
            audit_log_dir=str(self.folder),
            audit_max_bytes=self.story.audit_max_bytes,
            user_stream=self.story.user_stream,
        )

    def start(self) -> None:
        """A new process on the same folder."""
        self._lives += 1
        self.figures["starts"] += 1
        settings = self.settings()
        keys = (self.exchange.api_key, self.exchange.api_secret)
        self.life = Life(
            self._lives,
            self.scheduler,
            self.wire,
            self.disk,
            settings,
            keys,
            self._hear,
            self.story.skew_ms + self._wall_ms,
            stream_life_s=self.story.stream_life_s,
            has_bare_session=self.story.seed % 10 != 0,
        )
        self.note(f"## life {self._lives} starts")
        self.judge.able_ms = max(self.judge.now_ms, self._outage_until_ms)
        self.judge.is_leaving = False
        self.judge.closes.is_back(self.judge.now_ms)
        self.judge.ban = (0, 0)  # it has to learn of that anew, too
        for gap in self.judge.naked.gaps.values():
            gap.forget()
        self.life.start()

    def _later_start(self, after_ms: int) -> None:
        self.judge.able_ms = self.judge.now_ms + after_ms
        self.judge.closes.has_died(self.judge.now_ms)
        self.scheduler.call_in(after_ms * 1000, self.start)

    def _effect(self, kind: str, process: Process | None) -> None:
        """Something reaches the outside world: the moment at which a process may die."""
        if process is None or self.life is None or process is not self.life.process:
            return
        self.figures["effects"] += 1
        if self._doom is None:
            return
        where, left, power = self._doom
        if not (where == "any" or kind.startswith(where)):
            return
        self._doom = (where, left - 1, power)
        if left <= 1:
            self._doom = None
            self._kill_soon(process, power=power)

    def _kill_soon(self, process: Process, *, power: bool) -> None:
        """It is dead from here on; the hub buries it."""
        process.is_dead = True
        self.waits_for = process
        self._power = power

    def _bury(self) -> None:
        self.waits_for = None
        assert self.life is not None
        self.note(f"## killed{', power cut' if self._power else ''}")
        self.figures["kills"] += 1
        self.life.kill()
        if self._power:
            self.disk.cut_power()
        self.judge.has_died(power=self._power)
        self._later_start(self._down_us // 1000)

    def _note_event(self, text: str, is_heard: Callable[[], bool], is_in_use: bool) -> None:
        self.judge.stream.event(text, self.judge.now_ms, is_heard, is_in_use=is_in_use)

    def _hear(self, notice: Any) -> None:
        if self.life is None or self.life.process.is_dead:
            return  # words of the dying
        self.note(f"!! {notice}")
        self._search(notice)
        if isinstance(notice, Announce) and notice.topic == "claimed":
            self.figures["claimed"] += 1
            self.judge.is_claimed(notice.symbol, Decimal(notice.facts["amount"]), notice.signal_id)
        self.notices.append(notice)
        if isinstance(notice, Alert):
            self.figures["alerts"] += 1
            if notice.code in DEFECTS:
                self.scheduler.failures.append(Broken(f"P8: {notice}"))  # whoever tells would swallow it

    def _search(self, told: Any) -> None:
        """P7, in what the manager tells its caller."""
        text = repr(told)
        if any(secret[:20] in text for secret in self.secrets):
            self.scheduler.failures.append(Broken(f"P7: a secret is told in a {type(told).__name__}"))

    # Steps.

    def _do_signal(self, symbol: str, kind: str, id: str, quantity: str = "", **more: Any) -> None:  # noqa: A002
        life = self.life
        if life is None or life.process.is_dead or not life.is_started or life.manager._session is None:
            return
        fields: dict[str, Any] = {}
        if kind.endswith("ENTRY"):
            price = self.exchange.venue.markets[symbol].last
            sign = 1 if kind.startswith("LONG") else -1
            self.judge.wanted[symbol, Decimal(quantity)] = id
            fields = {
                "quantity": quantity,
                "stop_loss": str(price * (1 - sign * Decimal("0.02"))),
                "take_profit": str(price * (1 + sign * Decimal("0.03"))),
            }
        self.judge.closes.signal(symbol, kind, self.judge.now_ms)
        signal = Signal(signal_type=SignalType(kind), symbol=symbol, signal_id=id, **(fields | more))
        if signal.quantity is not None and signal.stop_loss is not None:
            self.judge.orders.wants(symbol, Decimal(str(signal.quantity)), Decimal(str(signal.stop_loss)))
        box: list[ExecutionReport | BaseException] = []
        self.answers.append((signal, life, box))
        self.figures["signals"] += 1

        def hear(answer: ExecutionReport | BaseException) -> None:
            self.note(f"<< {answer}")
            self._search(answer)
            box.append(answer)
            if isinstance(answer, ExecutionReport) and answer.status is ReportStatus.PROTECTED:
                ending.check_protected(self, answer)

        life.execute(signal, hear, on_main=self.story.on_main)

    def _do_price(self, symbol: str, factor: str) -> None:
        self.exchange.set_price(symbol, Decimal(PRICES[symbol]) * Decimal(factor))
        self.judge.look()

    def _do_fault(self, name: str, lasts_ms: int = 0, **options: Any) -> None:
        for key in ("percent", "price", "mark"):
            if isinstance(options.get(key), str):
                options[key] = Decimal(options[key])
        spec = CATALOGUE[FaultName(name)]
        usual: dict[str, Any] = {"method": spec.method, "path": spec.path, "times": -1 if lasts_ms else spec.times}
        fault = Fault(spec.name, **(usual | options))
        self.faults[name] += 1
        if name in ("liquidation", "adl"):
            self.by_hand.add(options["symbol"])
        self.exchange.fault(fault)
        self.judge.look()
        if lasts_ms:
            self.scheduler.call_in(lasts_ms * 1000, lambda: self._lift(fault))

    def _lift(self, fault: Fault) -> None:
        if any(waiting is fault for waiting in self.exchange.faults):
            self.exchange.faults.lift(fault.fault_id)

    def _do_weather(self, lasts_ms: int, **weather: Any) -> None:
        now = self._usual_weather()
        for name, value in weather.items():
            setattr(now, name, value)
        self.wire.weather = now
        self.faults["outage" if now.is_out else "lossy network"] += 1
        if now.is_out:
            self.wire.cut()
            self._outage_until_ms = self.judge.now_ms + lasts_ms
            self.judge.cut_off(self._outage_until_ms)
        self.scheduler.call_in(lasts_ms * 1000, self._do_calm)

    def _do_calm(self) -> None:
        self.wire.weather = self._usual_weather()

    def _do_hand(self, symbol: str, how: str) -> None:
        """Somebody trades on the position: takes a part off, all, adds, or more than there is."""
        leg = self.exchange.account.positions.get((symbol, "BOTH"))
        amount = Decimal(0) if leg is None else leg.amount
        if amount == 0 and how in ("part", "all"):
            return
        rules = self.exchange.venue.instruments[symbol]
        part = {"BTCUSDT": Decimal("0.004"), "ETHUSDT": Decimal("0.080"), "XRPUSDT": Decimal("300")}[symbol]
        quantity = {"part": min(part, abs(amount)), "all": abs(amount), "add": part, "over": abs(amount) + part}[how]
        side = "BUY" if (amount > 0) is (how == "add") else "SELL"
        self.by_hand.add(symbol)
        self.faults["hand trade"] += 1
        quantity = quantity // rules.step_size * rules.step_size
        with suppress(ExchangeError):  # what the rules of the moment refuse does not happen
            self.exchange.trade_by_hand(symbol, side, quantity, reduce_only=how in ("part", "all"))
        self.judge.look()

    def _do_limit(self, symbol: str) -> None:
        rules = self.exchange.venue.instruments[symbol]
        price = rules.to_tick(Decimal(PRICES[symbol]) * Decimal("0.7"))
        quantity = {"BTCUSDT": "0.01", "ETHUSDT": "0.1", "XRPUSDT": "100"}[symbol]
        with suppress(ExchangeError):
            self.exchange.trade_by_hand(symbol, "BUY", Decimal(quantity), price=price)

    def _do_unstop(self, symbol: str) -> None:
        """A person cancels our stop."""
        self.faults["stop canceled by hand"] += 1
        for algo in self.exchange.account.live_algos(symbol):
            if algo.order_type == "STOP_MARKET" and algo.client_algo_id.startswith(OURS):
                self.exchange.algos.cancel(self.exchange.account, algo)
        self.exchange._after_change()
        self.judge.look()

    def _do_crash(self, where: str, in_effects: int, power: bool, down_ms: int) -> None:
        life = self.life
        if life is None or life.process.is_dead:
            return
        self.faults["crash at a " + where if where != "now" else "crash"] += 1
        self._down_us = down_ms * 1000
        if where == "now":
            self._kill_soon(life.process, power=power)
            self._bury()
        else:
            self._doom = (where, in_effects, power)

    def _do_restart(self) -> None:
        life = self.life
        if life is None or life.process.is_dead or not life.is_started:
            return
        self.figures["restarts"] += 1
        state = life.state
        self.judge.is_leaving = True
        life.close()
        self.run_until(lambda: life.is_closed or life.process.is_dead, 12_000_000, "the manager closes")
        if not life.process.is_dead:
            life.kill()
            if not self.disk.had_trouble:
                ending.check_state(self, state)
            self.start()

    def _do_disk(self, how: str, lasts_ms: int) -> None:
        self.faults[f"disk {how}"] += 1
        self.disk.is_full, self.disk.is_failing = how == "full", how == "failing"
        self.disk.is_stalling = how == "stalling"
        self.disk.had_trouble = True

        def mend() -> None:
            self.disk.is_full = self.disk.is_failing = self.disk.is_stalling = False

        self.scheduler.call_in(lasts_ms * 1000, mend)

    def _do_ban(self) -> None:
        """418 on everything from our address; two minutes."""
        self.faults["banned"] += 1
        self.exchange.fault(Fault(FaultName.BANNED, address=ADDRESS))

    def _do_wall_clock(self, by_ms: int) -> None:
        """The clock of the manager's machine is set, while its monotonic one goes on."""
        self.faults["wall clock step"] += 1
        self._wall_ms += by_ms
        if self.life is not None:
            self.life.clock.skew_ms += by_ms

    def _do_clock(self, by_ms: int) -> None:
        """The exchange's clock leaps ahead of our estimate. It never goes back: that is what its times are for."""
        self.faults["clock step"] += 1
        self.exchange.clock.step(by_ms)
        self.judge.closes.leaps(by_ms)

    def _calm_down(self) -> None:
        """All that is wrong is over."""
        self._doom = None
        self.disk.is_full = self.disk.is_failing = self.disk.is_stalling = False
        self.exchange.faults.lift()
        self.exchange.fault(Fault(FaultName.STREAM_UNMUTE))
        self._do_calm()


def _shown(query: str) -> str:
    return "&".join(part for part in query.split("&") if not part.startswith(("signature=", "timestamp=", "recvW")))


def play(story: Story, *, traced: bool = False, keep: Path | None = None) -> Outcome:
    """Play a story in a folder of its own."""
    parent = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    folder = keep or Path(tempfile.mkdtemp(prefix="story-", dir=parent))
    try:
        return play_run(Run(story, folder, traced=traced))
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def play_run(run: Run) -> Outcome:
    """Play what was set up, and say what it was."""
    outcome = Outcome(run.story.seed)
    try:
        run.play()
    except (Broken, AssertionError) as broken:
        outcome.failure = str(broken) or type(broken).__name__
    except Exception as failure:  # noqa: BLE001 - whatever it was, the story fails with it
        import traceback

        outcome.failure = "".join(traceback.format_exception(failure)[-6:])
    finally:
        if run.life is not None:
            run.life.kill()
        put_back()
    outcome.figures = run.figures
    outcome.figures.update({f"closes {reason}": count for reason, count in run.judge.closes.reasons.items()})
    outcome.figures["requests"] = run.wire.requests
    outcome.figures["stream events"] = run.wire.events
    outcome.figures["steps"] = run.scheduler.steps
    outcome.faults = run.faults
    outcome.worst_naked_ms = run.judge.naked.worst_ms
    outcome.worst_known_ms = run.judge.naked.worst_known_ms
    outcome.trace = run.trace or []
    return outcome


__all__ = ["ADDRESS", "Outcome", "Run", "play", "play_run"]
