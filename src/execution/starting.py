"""The start of a run, in the order that protects soonest."""

from __future__ import annotations

from contextlib import ExitStack, suppress

from ..core.claiming import LAG_MS
from ..core.errors import BracketeerError
from ..core.events import AnyEvent, ClockSet
from ..core.journal import RUN_ENDED
from .claims import Claims
from .clock import SystemClock
from .errors import ExchangeError
from .recovery import begin, look_around
from .session import closed
from .settling import is_settled
from .spells import AUDIT_UNWRITABLE, EXCHANGE_SILENT, Spell
from .start_checks import PAUSE_FIRST_S
from .stop_watch import StopWatch
from .upkeep import Upkeep
from .wiring import Ground, Parts

SETTLE_TIMEOUT_S = 3.0
"""How long a start waits for what it took over to be clear; past it, signals are judged as things stand."""
CLOCK_WEIGHT, ACCOUNT_WEIGHT, CLAIMS_WEIGHT, POSITION_MODE_WEIGHT = 3, 85, 20, 5
"""What the questions of a start cost (binance-usdm.md §3.4, §7.4): the account's are 40 + 40 + 5."""
JOURNAL_RETRY_S = 1.0
"""How often lines that the disk refused are tried again: with the next line may be too late, a crash may come first."""
RESYNC_RETRY_S = 30.0
RESYNC_S = 600.0
"""How often the exchange's clock is measured again: ordinary clocks drift some 50 ms in that time."""


class Start:
    """One start. `undo` ends what has begun, in the reverse order, whenever it is closed."""

    def __init__(self, ground: Ground, parts: Parts, undo: ExitStack) -> None:
        self._ground = ground
        self._parts = parts
        self._undo = undo
        self._upkeep = Upkeep(ground.clock.monotonic, parts.driver.problem)
        policy = ground.settings.policy
        self._claims = Claims(parts.gateway, parts.driver, parts.rules, policy, ground.journal, parts.teller.tell)
        # The stream tells of a new position, but not while a bracket is on its symbol; and there may be no stream.
        self._claims_interval_s = min(policy.poll_idle_interval_ms, LAG_MS) / 1000
        self._written = Spell(AUDIT_UNWRITABLE, ground.clock.monotonic, ground.journal, parts.teller.tell)

    def run(self) -> None:
        """Protect what is open, then find out what an entry needs to know.

        Raises:
            BracketeerError: nothing is to be protected, and what the start has to know cannot be found out.
        """
        ground, parts = self._ground, self._parts
        self._begin_work()
        self._measure_clock()
        begin(parts.gateway, parts.driver, ground.settings.policy, ground.urls.rest, ground.account)
        self._watch_stops()
        self._upkeep.start()
        self._undo.callback(self._upkeep.stop)
        if parts.stream is not None:
            parts.stream.start(self._on_event)
            self._undo.callback(parts.stream.stop)
        self._find_out()
        self._begin_upkeep()
        if isinstance(ground.clock, SystemClock):
            self._undo.callback(ground.clock.hurry)
        # A target hit last night is found out within milliseconds; judged earlier, a new entry would be refused for it.
        parts.driver.wait_until(is_settled, SETTLE_TIMEOUT_S)

    def _begin_work(self) -> None:
        driver, teller, runtime = self._parts.driver, self._parts.teller, self._parts.runtime
        self._undo.callback(self._note_end)  # the last but the lock: nothing changes the state any more
        teller.start()
        self._undo.callback(teller.stop)
        self._undo.callback(driver.end)  # when no worker runs any more; callers' threads may
        runtime.start(driver.alarm, driver.problem)
        self._undo.callback(runtime.stop)
        self._undo.callback(lambda: driver.abandon_tickets(closed()))

    def _note_end(self) -> None:
        """Leave the fingerprint of what was in memory, so that a replay can be held against this run."""
        with suppress(BracketeerError):
            self._ground.journal.log_event(RUN_ENDED, "stop", data={"fingerprint": self._ground.state.fingerprint()})

    def _measure_clock(self) -> None:
        gateway, driver = self._parts.gateway, self._parts.driver
        try:
            gateway.synchronise_clock()
        except ExchangeError:
            if not self._ground.must_protect:
                raise
            self._parts.gates.start.require("clock", gateway.synchronise_clock, weight=CLOCK_WEIGHT)

        def clock_set(by_ms: int) -> None:
            driver.handle(ClockSet(at_ms=gateway.exchange_now_ms(), by_ms=by_ms), inline=False)

        gateway.on_clock_set(clock_set)

    def _watch_stops(self) -> None:
        ground, parts = self._ground, self._parts
        interval_s = ground.settings.stop_watch_interval_ms / 1000
        if not interval_s:
            return
        answers = Spell(EXCHANGE_SILENT, ground.clock.monotonic, ground.journal, parts.teller.tell)
        held_back = parts.gates.routine_held_back
        watch = StopWatch(parts.gateway, parts.driver, parts.runtime, interval_s, held_back, answers)
        # On a thread of its own: a question of the start that is tried again and again would hold it up for seconds.
        watching = Upkeep(ground.clock.monotonic, parts.driver.problem, "stop-watch")
        watching.add(watch.look, interval_s)
        watching.start()
        self._undo.callback(watching.stop)

    def _on_event(self, event: AnyEvent) -> None:
        self._parts.driver.handle(event, inline=False)
        if self._claims.concerned_by(event):
            self._upkeep.add(self._look_for_claims, 0)

    def _find_out(self) -> None:
        """What an entry needs to know: asked now; with something to protect a start goes on without."""
        ground, parts, checks = self._ground, self._parts, self._parts.gates.start
        journal = ground.journal
        if not ground.lock.held:
            checks.require("account_lock", ground.lock.acquire)
        if not journal.healthy:
            checks.require("audit_log", lambda: journal.wait_durable(journal.last_seq))
        checks.require("account", lambda: look_around(parts.gateway, parts.driver, journal), weight=ACCOUNT_WEIGHT)
        if self._claims.any:
            checks.require("claims", self._claims.look, weight=CLAIMS_WEIGHT)
        checks.require("position_mode", self._ask_position_mode, weight=POSITION_MODE_WEIGHT)
        if not ground.must_protect:
            checks.insist("account", "position_mode")
        checks.attempt()  # what is left

    def _begin_upkeep(self) -> None:
        checks = self._parts.gates.start
        if self._claims.any:  # not before: the same questions would be asked by two threads
            self._upkeep.add(self._look_for_claims, self._claims_interval_s)
        self._upkeep.add(self._measure_again, RESYNC_S)
        self._upkeep.add(self._write_what_waits, JOURNAL_RETRY_S)
        if checks.missing:
            self._upkeep.add(checks.retry, PAUSE_FIRST_S)

    # What upkeep does: each returns the seconds until it is due again.

    def _look_for_claims(self) -> float:
        if self._parts.gates.routine_held_back(CLAIMS_WEIGHT) is None:
            with suppress(ExchangeError):  # it has its line in the log; the next look is not far
                self._claims.look()
        return self._claims_interval_s

    def _measure_again(self) -> float:
        try:
            self._parts.gateway.synchronise_clock()
        except ExchangeError:  # it has its line in the log; the clock is a little older then
            return RESYNC_RETRY_S
        return RESYNC_S

    def _write_what_waits(self) -> float:
        journal = self._ground.journal
        if not journal.healthy:  # a disk that also stalls must not hold up the other tasks
            self._parts.driver.durability.wait(journal.last_seq, JOURNAL_RETRY_S)
        if journal.healthy:
            self._written.succeeded()
        else:
            self._written.failed()
        return JOURNAL_RETRY_S

    def _ask_position_mode(self) -> None:
        self._parts.gates.hedge_mode = self._parts.gateway.hedge_mode()
