"""`make soak`: one account for days of virtual time, a million requests and stream events; nothing may grow or drift.

Trades on three symbols, closed by signals, legs and hands, with a fault now and then and a few restarts. The judge of
the promises looks on throughout. At each sample everything has come to rest, the books are compared with the state and
the log, and what could grow is measured. The exchange's own history grows by nature; it is pruned to the latest
minutes, so that what is left of growth is the manager's, or the harness's.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path

import msgspec

from bracketeer import ExecutionReport, Settings
from bracketeer.core import state as engine_state
from bracketeer.core.audit_logger import iter_lines, read_since_checkpoint, verify
from bracketeer.core.journal import rebuild
from tests.support.places import ALGO, ORDER, STOP

from . import ending
from .judge import Broken
from .process import put_back
from .run import Run
from .scheduler import START_US
from .story import BASES, PRICES, Story

EVENTS = 1_000_000
EVENTS_MIN = 10_000
"""In a shorter one the memory of signals does not reach its bound, and looks as if it grew."""
SAMPLES = 32
RESTARTS = 8
FILE_BYTES = 4 * 1024 * 1024
KEPT_MS = 600_000
QUANTITIES = 300
RSS_TOLERANCE = 0.04
"""What the second half may hold more than its beginning: the allocator's own ups and downs are about half of that."""
RSS_SLACK_KB = 4_096
OBJECTS_TOLERANCE = 0.02
DRIFT_PPM = 50
"""So much faster the exchange's clock runs: 30 ms in the ten minutes between two measurements of it."""
CLOCK_OFF_MAX_MS = 45
ROOMS = ("core", "execution", "simulator")


@dataclass
class Sample:
    """What was measured in a quiet moment."""

    events: int
    hours: float
    rss_kb: int
    fds: int
    tasks: int
    objects: Counter[str]
    signals: int
    state_bytes: int
    log_files: int
    log_kb: int
    worst_naked_ms: int
    mean_naked_ms: float
    clock_off_ms: int
    trades: int
    seconds: float


@dataclass
class Told:
    """Sums between two samples."""

    naked_ms: list[int] = field(default_factory=list)
    trades: int = 0


class SoakRun(Run):
    """A run without an end of its own."""

    def __init__(self, seed: int, folder: Path, file_bytes: int) -> None:
        super().__init__(Story(seed=seed, steps=(), preemption=0.02, way_us=2_000, jitter_us=2_000), folder)
        self.file_bytes = file_bytes
        self.story_symbols = sorted(PRICES)
        self.dice_of_life = random.Random(f"{seed}/soak")
        self.rounds = 0
        self.told = Told()
        self._used: Counter[str] = Counter()

    def settings(self) -> Settings:
        """Small files, so that they rotate by size as well as by day."""
        return msgspec.structs.replace(super().settings(), audit_max_bytes=self.file_bytes)

    @property
    def events(self) -> int:
        """Requests and stream events so far."""
        return self.wire.requests + self.wire.events

    def begin(self) -> None:
        """The first process."""
        for symbol, price in PRICES.items():
            self.exchange.set_price(symbol, Decimal(price))
        self._tick()
        self.start()
        self.await_manager()

    def _tick(self) -> None:
        self.exchange.clock.offset_ms = (self.scheduler.now_us - START_US) * DRIFT_PPM // 10**9
        super()._tick()

    def await_manager(self) -> None:
        """Until one is at work."""
        self.run_until(
            lambda: self.life is not None and self.life.is_started and not self.life.process.is_dead,
            120_000_000,
            "a manager is at work",
        )

    def rest(self) -> None:
        """Until everything is protected or flat, and known."""
        self.exchange.faults.lift()
        self.run_until(lambda: not ending.unsettled(self), 120_000_000, "settled", lambda: ending.unsettled(self))

    def round(self) -> None:
        """A trade on one symbol, or what comes in between."""
        dice = self.dice_of_life
        self.rounds += 1
        if self.rounds % 23 == 0:
            self._trouble()
        symbol = dice.choice(self.story_symbols)
        position = self.exchange.account.positions.get((symbol, "BOTH"))
        if position is None or position.amount == 0:
            first, step = BASES[symbol]
            self._used[symbol] = (self._used[symbol] + 1) % QUANTITIES
            quantity = Decimal(first) + Decimal(step) * self._used[symbol]
            kind = dice.choice(("LONG_ENTRY", "SHORT_ENTRY"))
            self._do_signal(symbol, kind, f"entry-{self.rounds}", str(quantity))
            self.told.trades += 1
        else:
            match dice.choices(("close", "price", "hand", "wait"), (5, 3, 1, 1))[0]:
                case "close":
                    self._do_signal(symbol, "CLOSE", f"close-{self.rounds}")
                case "price":
                    self._do_price(symbol, dice.choice(("0.96", "1.04")))
                    self._do_price(symbol, "1")
                case "hand":
                    self._do_hand(symbol, dice.choice(("part", "all")))
        self.run_for(dice.choice((5_000, 300_000, 2_000_000, 9_000_000, 25_000_000)))
        if self.rounds % 200 == 0:
            self.run_for(dice.choice((60_000_000, 1_800_000_000)))

    def _trouble(self) -> None:
        dice = self.dice_of_life
        symbol = dice.choice(self.story_symbols)
        match dice.randrange(8):
            case 0:
                self._do_fault("reply_lost", method="POST", path=ORDER)
            case 1:
                self._do_fault("refuse", method="POST", path=ALGO, match=STOP, code=-4509)
            case 2:
                self._do_fault("stream_drop")
            case 3:
                self._do_fault("listen_key_expired")
            case 4:
                self._do_fault("stop_canceled", symbol=symbol)
            case 5:
                self._do_fault("stream_lose", times=2)
            case 6:
                self._do_fault("status_503_executed", method="POST", path=ORDER)
            case _:
                self._do_weather(lasts_ms=1_500, request_lost=0.05, reply_lost=0.05, late=0.1)

    def renew(self) -> None:
        """Another process on the same folder: closed in an orderly way, or killed."""
        if self.dice_of_life.random() < 0.5:
            self._do_restart()
        else:
            self._do_crash("now", 1, power=False, down_ms=300)
        self.await_manager()

    def prune(self) -> None:
        """Let the exchange and the harness forget what nobody will ask about any more."""
        account, before_ms = self.exchange.account, self.exchange.clock.now_ms() - KEPT_MS
        account.wallet = max(account.wallet, Decimal(10_000))
        old = next((n for n, fill in enumerate(account.fills) if fill.time_ms >= before_ms), len(account.fills))
        del account.fills[:old]
        self.judge._fills_seen -= old
        gone = {
            key for key, order in account.orders.by_id.items() if not order.is_open and order.updated_ms < before_ms
        }
        gone -= {(fill.symbol, fill.order_id) for fill in account.fills}
        for key in gone:
            order = account.orders.by_id.pop(key)
            if account.orders.newest_by_client_id.get((order.symbol, order.client_order_id)) is order:
                del account.orders.newest_by_client_id[order.symbol, order.client_order_id]
        for algo_id in [a.algo_id for a in account.algo_orders.values() if not a.is_live and a.updated_ms < before_ms]:
            del account.algo_orders[algo_id]
        self.judge._algos_seen = len(account.algo_orders)
        account.ledger.clear()
        account.forced_orders.clear()
        kept = {(symbol, order_id) for symbol, order_id in account.orders.by_id}
        self.judge._seen_orders &= kept
        self.judge._intents.clear()
        self.judge.closes.forget()
        open_entries = {(o.symbol, o.quantity) for o in account.orders.by_id.values() if not o.reduce_only}
        for asked in [asked for asked in self.judge.wanted if asked not in open_entries]:
            del self.judge.wanted[asked]
            self.judge.executed.pop(asked, None)
        for _, _, box in self.answers:
            for report in box:
                if isinstance(report, ExecutionReport) and report.timings and report.timings.naked_ms is not None:
                    self.told.naked_ms.append(report.timings.naked_ms)
        self.answers.clear()
        self.notices.clear()
        self.by_hand.clear()
        if self.life is not None:  # callers' threads that have ended, with what they brought and were told
            threads = self.life.threading._threads
            for task in [task for task in threads if task.is_over]:
                del threads[task]

    def sample(self, began_s: float) -> Sample:
        """Compare books, state and log, and measure."""
        life = self.life
        assert life is not None
        if life.state.encode() != rebuild(read_since_checkpoint(self.folder)).encode():
            raise Broken("P5: the log does not rebuild the state")
        self.prune()
        gc.collect()
        _give_back()
        told, self.told = self.told, Told()
        worst, self.judge.naked.worst_ms = self.judge.naked.worst_ms, 0
        state, files = life.state, list(self.folder.glob("audit-*.jsonl"))
        session = life.manager._session
        assert session is not None
        return Sample(
            events=self.events,
            hours=(self.scheduler.now_us - START_US) / 3.6e9,
            rss_kb=_rss_kb(),
            fds=len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - names alone
            tasks=len(life.process.tasks),
            objects=_objects(),
            signals=len(state.signals),
            state_bytes=len(state.encode()),
            log_files=len(files),
            log_kb=sum(path.stat().st_size for path in files) // 1024,
            worst_naked_ms=worst,
            mean_naked_ms=sum(told.naked_ms) / len(told.naked_ms) if told.naked_ms else 0.0,
            clock_off_ms=session.gateway.exchange_now_ms() - self.exchange.clock.now_ms(),
            trades=told.trades,
            seconds=time.monotonic() - began_s,
        )


def _rss_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def _give_back() -> None:
    """Let the allocator return what is free: else its holes are measured."""
    ctypes.CDLL(None).malloc_trim(0)


def _objects() -> Counter[str]:
    """Objects that the collector sees, by the room of their type; plain containers and text have none."""
    found: Counter[str] = Counter()
    for thing in gc.get_objects():
        module = type(thing).__module__
        if isinstance(module, str) and module.startswith("bracketeer."):
            found[module.split(".")[1]] += 1
    return found


def soak(
    events: int, *, seed: int = 1, folder: Path, say: Callable[[str], None] = lambda text: None, kept: int | None = None
) -> list[Sample]:
    """Play until so many events, and measure on the way.

    Raises:
        Broken: a promise, or the end of the run.
    """
    file_bytes = max(512 * 1024, min(FILE_BYTES, events * 16))  # each begins with the state: it must be much larger
    kept_before = engine_state.SIGNALS_KEPT
    engine_state.SIGNALS_KEPT = kept or kept_before
    run = SoakRun(seed, folder, file_bytes)
    samples: list[Sample] = []
    began_s = time.monotonic()
    say(HEAD)
    try:
        run.begin()
        restart_at = events // RESTARTS
        while len(samples) < SAMPLES:
            run.round()
            if run.events >= restart_at:
                restart_at += events // RESTARTS
                run.rest()
                run.renew()
            if run.rounds % 50 == 0:
                run.rest()
                run.prune()
            if run.events >= events * (len(samples) + 1) // SAMPLES:
                run.rest()
                samples.append(run.sample(began_s))
                say(row(samples[-1]))
        assert run.life is not None
        run.life.close()
        run.run_until(lambda: run.life is not None and run.life.is_closed, 10_000_000, "the manager closes")
        report = verify(folder)
        if not report.ok:
            raise Broken(f"P5: {report.problems}")
        _check_files(folder, file_bytes)
        say(f"log verified: {report.lines} lines in {samples[-1].log_files} files")
        say(f"figures: {dict(sorted(run.figures.items()))}")
        say(f"faults: {dict(sorted(run.faults.items()))}")
        return samples
    finally:
        if run.life is not None:
            run.life.kill()
        put_back()
        engine_state.SIGNALS_KEPT = kept_before


def _check_files(folder: Path, file_bytes: int) -> None:
    files = sorted(folder.glob("audit-*.jsonl"))
    if len(files) < 2 or max(path.stat().st_size for path in files) > file_bytes + 1024 * 1024:
        raise Broken(f"the log did not rotate: {[(path.name, path.stat().st_size) for path in files]}")
    first = next(iter(iter_lines(folder)), None)
    if first is None:
        raise Broken("the log is empty")


HEAD = (
    f"{'events':>9} {'hours':>6} {'rss kB':>8} {'fds':>4} {'tasks':>5} {'core':>6} {'execution':>9} {'simulator':>9}"
    f" {'signals':>7} {'state B':>8} {'files':>5} {'log kB':>7} {'trades':>6}"
    f" {'naked mean':>10} {'worst':>5} {'clock':>5} {'s':>6}"
)


def row(sample: Sample) -> str:
    """One line of the table."""
    rooms = [sample.objects[room] for room in ROOMS]
    return (
        f"{sample.events:>9} {sample.hours:>6.1f} {sample.rss_kb:>8} {sample.fds:>4} {sample.tasks:>5} {rooms[0]:>6}"
        f" {rooms[1]:>9} {rooms[2]:>9} {sample.signals:>7} {sample.state_bytes:>8} {sample.log_files:>5}"
        f" {sample.log_kb:>7} {sample.trades:>6} {sample.mean_naked_ms:>10.1f} {sample.worst_naked_ms:>5}"
        f" {sample.clock_off_ms:>5} {sample.seconds:>6.0f}"
    )


def grown(samples: list[Sample]) -> list[str]:
    """What the last quarter holds more of than the third one, beyond the tolerance, and whether the clock was lost.

    The first half is for warming up: caches, pools, and the memory of signals, which has a bound to reach first."""
    third, last = samples[len(samples) // 2 : len(samples) * 3 // 4], samples[len(samples) * 3 // 4 :]
    found: list[str] = []

    def compare(
        name: str,
        of: Callable[[Sample], float],
        tolerance: float,
        slack: float,
        take: Callable[[list[float]], float] = statistics.median,
    ) -> None:
        before, after = (take([of(sample) for sample in part]) for part in (third, last))
        if after > before * (1 + tolerance) + slack:
            found.append(f"{name}: {before:.0f} in the third quarter, {after:.0f} in the last")

    compare("rss kB", lambda sample: sample.rss_kb, RSS_TOLERANCE, RSS_SLACK_KB)
    compare("open files", lambda sample: sample.fds, 0, 0.5)
    compare("tasks", lambda sample: sample.tasks, 0, 0.5)
    compare("signals remembered", lambda sample: sample.signals, 0, 1)
    compare("bytes of state", lambda sample: sample.state_bytes, OBJECTS_TOLERANCE, 4_096)
    for room in ROOMS[:2]:
        # The least counts: for a while after a restart the harness holds on to the process that ended.
        compare(f"objects of {room}", partial(_of_room, room), OBJECTS_TOLERANCE, 60, min)
    compare("mean unprotected time, ms", lambda sample: sample.mean_naked_ms, 0.25, 3)
    worst_off_ms = max(abs(sample.clock_off_ms) for sample in samples)
    if worst_off_ms > CLOCK_OFF_MAX_MS:
        found.append(f"clock estimate off, ms: {worst_off_ms}")
    return found


def _of_room(room: str, sample: Sample) -> float:
    return sample.objects[room]


def main() -> int:
    """`make soak`."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if asked.events < EVENTS_MIN:
        parser.error(f"EVENTS={asked.events} is too short to tell growth from warming up: at least {EVENTS_MIN}")

    def say(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    parent = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="soak-", dir=parent))
    # A short soak could not reach the bound of the memory of signals; it gets one in proportion.
    kept = min(engine_state.SIGNALS_KEPT, max(100, asked.events // 150))
    try:
        found = grown(soak(asked.events, seed=asked.seed, folder=folder, say=say, kept=kept))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for text in found:
        say(f"grown: {text}")
    say("flat" if not found else "not flat")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
