"""Every moment at which the demo's process can die: each write of its log and each send, before it and after it.

The demo's day is played once, undisturbed, and its effects are counted. Then it is played again for each of them, and
the process dies exactly there; it starts again after a short outage, and at the end every promise must have been kept.
The program upstream of the manager does what such a program does: a signal that was not answered is sent again.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from bracketeer import ExecutionReport, Signal, SignalType
from bracketeer.app.demo_script import FAULTS, read_script
from bracketeer.core.signal import SignalMalformed
from bracketeer.core.values import ArmingMode

from .process import Life
from .run import Run, play_run
from .scheduler import Process
from .story import Step, Story
from .wire import Sent

STEP_MS = 200
"""A quarter of an hour of the demo's day; its own pace at the usual speed."""
DOWN_MS = 300


@dataclass(frozen=True)
class Crash:
    """The process dies at its n-th effect (0: never), perhaps with the power; and the next one at its `again`-th.

    `arm` says whether protection leaves with the entry or after its fill.
    """

    effect: int = 0
    power: bool = False
    again: int = 0
    arm: ArmingMode = ArmingMode.AFTER_FILL

    def __str__(self) -> str:
        first = f"{self.arm.value}, {'power cut' if self.power else 'killed'} at effect {self.effect}"
        return first + (f", then at effect {self.again} of its recovery" if self.again else "")


@dataclass
class _Line:
    """A signal on its way: `asked` is the process that has it."""

    text: bytes
    signal: Signal | None
    asked: Life | None = None
    box: list[ExecutionReport | BaseException] = field(default_factory=list)


@cache
def demo_day(arm: ArmingMode) -> Story:
    """The demo's prices, signals and its one lost reply, as steps."""
    steps: list[Step] = []
    for moment in read_script():
        steps.append(Step("prices", {"prices": moment.prices}, STEP_MS))
        for line in moment.signals:
            fault = FAULTS.get(str(json.loads(line).get("signal_id")))
            if fault is not None:
                options = {name: value for name, value in fault.items() if name != "fault"}
                steps.append(Step("lost", {"name": fault["fault"], **options}))
            steps.append(Step("line", {"text": line}))
    steps += [Step("evening", after_ms=STEP_MS), Step("night")]
    return Story(seed=0, steps=tuple(steps), preemption=0.02, jitter_us=1_000, arm=arm.value)


class CrashRun(Run):
    """The demo's day with one crash, or two."""

    prices: ClassVar[Mapping[str, str]] = {symbol: str(price) for symbol, price in read_script()[0].prices.items()}

    def __init__(self, folder: Path, crash: Crash, *, traced: bool = False) -> None:
        super().__init__(demo_day(crash.arm), folder, traced=traced)
        self.crash = crash
        self.effects: list[str] = []  # of the first process, in words
        self.recovery_effects = 0  # of the second one, until it is at work
        self._lines: list[_Line] = []
        self.story_symbols = sorted(self.prices)
        # A second crash is to meet the recovery that was counted: what the first one leaves of the disk is the same.
        self.disk._dice = random.Random(str(replace(crash, again=0)))
        note_line = self.disk.on_line

        def on_line(name: str, data: bytes, end: int) -> None:
            note_line(name, data, end)
            self._about = data.split(b'"event_type":"', 1)[1].split(b'"', 1)[0].decode()

        self.disk.on_line = on_line
        self._about = ""

    def start(self) -> None:
        """A new process, with its own hour of death."""
        super().start()
        wanted = {1: self.crash.effect, 2: self.crash.again}.get(self._lives, 0)
        if wanted:
            self._down_us = DOWN_MS * 1000
            self._doom = ("any", wanted, self.crash.power)

    def _effect(self, kind: str, process: Process | None) -> None:
        life = self.life
        if life is not None and process is life.process:
            if self._lives == 1:
                self.effects.append(f"{kind} {self._about}")
            elif self._lives == 2 and not life.is_started:
                self.recovery_effects += 1
        super()._effect(kind, process)

    def _on_request(self, sent: Sent) -> None:
        self._about = f"{sent.method} {sent.path}"
        if self._lives == 1:
            self.effects[-1] = f"send {self._about}"  # what was about to leave is known now
        super()._on_request(sent)

    def _tick(self) -> None:
        super()._tick()
        self._deliver()

    # Steps.

    def _do_prices(self, prices: dict[str, Decimal]) -> None:
        for symbol, price in prices.items():
            self.exchange.set_price(symbol, price)
            self.judge.look()

    def _do_lost(self, **fault: Any) -> None:
        self._do_fault(**fault)

    def _do_line(self, text: bytes) -> None:
        """A signal arrives upstream. Sizes in money become quantities here: the judge tells entries apart by them."""
        wish = json.loads(text)
        if "notional" in wish and "stop_los" not in wish:
            market, rules = self.exchange.venue.markets[wish["symbol"]], self.exchange.venue.instruments[wish["symbol"]]
            quantity = Decimal(wish.pop("notional")) / market.last // rules.step_size * rules.step_size
            text = json.dumps(wish | {"quantity": str(quantity)}).encode()
        try:
            signal = Signal.from_json(text)
        except SignalMalformed:
            self._lines.append(_Line(text, None))
        else:
            if signal.signal_type.is_entry:
                self.judge.wanted[signal.symbol, Decimal(str(signal.quantity))] = signal.signal_id
            self._lines.append(_Line(text, signal))
        self._deliver()

    def _do_evening(self) -> None:
        """What is open is closed."""
        for symbol in self.story_symbols:
            position = self.exchange.account.positions.get((symbol, "BOTH"))
            if position is not None and position.amount != 0:
                signal = Signal(signal_type=SignalType.CLOSE, symbol=symbol, signal_id=f"end-of-day-{symbol}")
                self._lines.append(_Line(b"", signal))
        self._deliver()
        self.run_until(self._all_answered, 60_000_000, "every signal is answered")

    def _do_night(self) -> None:
        """The manager is closed, which has effects too; another one looks whether all is as it should be."""
        life = self.life
        assert life is not None
        life.close()
        self.run_until(lambda: life.is_closed or life.process.is_dead, 12_000_000, "the manager closes")
        if not life.process.is_dead:
            life.kill()
            self.start()
        self.run_until(lambda: self.life is not None and self.life.is_started, 60_000_000, "the manager starts")

    def _all_answered(self) -> bool:
        return all(line.box for line in self._lines)

    def _deliver(self) -> None:
        """Bring what was not answered, once to each process."""
        life = self.life
        if life is None or life.process.is_dead or not life.is_started:
            return
        for line in self._lines:
            if line.box or line.asked is life:
                continue
            line.asked = life
            self.figures["signals"] += 1
            if line.signal is None:
                self.scheduler.spawn(self._bring_text(life, line), life.process, "caller")
                continue
            box: list[ExecutionReport | BaseException] = []
            self.judge.closes.signal(line.signal.symbol, line.signal.signal_type.value, self.judge.now_ms)
            self.answers.append((line.signal, life, box))
            life.execute(line.signal, self._hear_answer(line, box), on_main=False)

    def _bring_text(self, life: Life, line: _Line) -> Callable[[], None]:
        return lambda: line.box.append(life.manager.execute_json(line.text))

    def _hear_answer(
        self, line: _Line, box: list[ExecutionReport | BaseException]
    ) -> Callable[[ExecutionReport | BaseException], None]:
        def hear(answer: ExecutionReport | BaseException) -> None:
            self.note(f"<< {answer}")
            box.append(answer)
            line.box.append(answer)

        return hear


@dataclass
class CrashOutcome:
    """What became of one crash: `effects` of the first process, `recovery_effects` of the second until it was ready."""

    crash: Crash
    effects: tuple[str, ...]
    recovery_effects: int
    failure: str
    trace: list[str]

    def __str__(self) -> str:
        where = self.effects[self.crash.effect - 1] if self.crash.effect else "nowhere"
        return f"{self.crash} ({where}): {self.failure or 'every promise was kept'}"


def play_crash(crash: Crash, *, traced: bool = False) -> CrashOutcome:
    """The demo's day, with the process dying where `crash` says."""
    parent = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="crash-", dir=parent))
    run = CrashRun(folder, crash, traced=traced)
    try:
        outcome = play_run(run)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    wanted = bool(crash.effect) + bool(crash.again)
    failure = outcome.failure
    if not failure and outcome.figures["kills"] != wanted:
        failure = f"it was killed {outcome.figures['kills']} times, not {wanted}"
    return CrashOutcome(crash, tuple(run.effects), run.recovery_effects, failure, outcome.trace)


def undisturbed(arm: ArmingMode) -> CrashOutcome:
    """The day as it goes without a crash: its effects are what can be crashed at."""
    return play_crash(Crash(arm=arm))


def single_crashes(arm: ArmingMode) -> list[Crash]:
    """Every effect, killed and with the power cut."""
    effects = len(undisturbed(arm).effects)
    return [Crash(effect, power, arm=arm) for power in (False, True) for effect in range(1, effects + 1)]


def sampled_crashes(arm: ArmingMode, every: int) -> list[Crash]:
    """Each kind of effect at least once, and every so many of all; killed and with the power cut in turn."""
    effects = undisturbed(arm).effects
    first = {kind: number for number, kind in reversed(list(enumerate(effects, start=1)))}
    numbers = sorted({*first.values(), *range(1, len(effects) + 1, every)})
    return [Crash(number, bool(place % 2), arm=arm) for place, number in enumerate(numbers)]


def second_crashes(first: CrashOutcome, every: int = 1) -> list[Crash]:
    """Every effect of the recovery from a crash, as a second crash."""
    return [replace(first.crash, again=again) for again in range(1, first.recovery_effects + 1, every)]


def play_all(crashes: list[Crash], workers: int) -> Iterator[CrashOutcome]:
    """Many, on all cores."""
    with ProcessPoolExecutor(max_workers=workers) as pool:
        yield from pool.map(play_crash, crashes, chunksize=10)


def prove(say: Callable[[str], None], workers: int | None = None) -> int:
    """`CRASHES=1`: all of them, in both ways of arming."""
    return max(_prove(say, arm, workers or os.cpu_count() or 1) for arm in ArmingMode)


def _prove(say: Callable[[str], None], arm: ArmingMode, workers: int, every: int = 20) -> int:
    """All single crashes; at every effect of the recovery from each `every`-th of them a second one."""
    effects = undisturbed(arm).effects
    counts = Counter(effect.split()[0] for effect in effects)
    say(f"{arm.value}: {len(effects)} effects: {counts['write']} writes, {counts['send']} sends, before and after each")
    broken, recoveries = 0, []
    for number, outcome in enumerate(play_all(single_crashes(arm), workers)):
        broken += _tell(outcome, say)
        if number % every == 0:
            recoveries.append(outcome)
    say(f"{2 * len(effects)} single crashes (each effect killed, each with the power cut): {broken} broke a promise")
    doubles = [crash for outcome in recoveries for crash in second_crashes(outcome)]
    broken_twice = sum(_tell(outcome, say) for outcome in play_all(doubles, workers))
    say(f"{len(doubles)} second crashes in {len(recoveries)} recoveries: {broken_twice} broke a promise")
    return 1 if broken or broken_twice else 0


def _tell(outcome: CrashOutcome, say: Callable[[str], None]) -> bool:
    if outcome.failure:
        say(str(outcome))
    return bool(outcome.failure)
