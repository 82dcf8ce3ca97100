"""One run of the manager: everything wired, started in the order that protects soonest, stopped in the reverse."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.audit_logger import AuditLogger
from ..core.claiming import LAG_MS
from ..core.denial import DenialCode
from ..core.errors import BracketeerError
from ..core.events import AnyEvent, ClockSet
from ..core.instrument import Instrument, PriceFormatter, UnknownSymbol
from ..core.journal import RUN_ENDED
from ..core.redaction import Redactor
from ..core.request_weight import PoolStatus, RequestWeightTracker
from ..core.settings import Settings
from ..core.state import State
from .account_actions import AccountActions
from .account_lock import AccountLock, AccountLockUnusable, fingerprint
from .binance.gateway import BinanceGateway, connect_gateway
from .binance.user_stream import BinanceUserStream
from .claims import Claims
from .clock import SystemClock
from .credentials import Credentials
from .driver import Driver, Notice
from .errand import off_main
from .errors import ExchangeError
from .exchange_info import ExchangeInfoCache
from .gates import Gates
from .gathering import Gatherer
from .recovery import begin, look_around, require_same_account, restore
from .settings_loader import Urls
from .settling import is_guarded, is_settled
from .spells import AUDIT_UNWRITABLE, EXCHANGE_SILENT, Spell
from .start_checks import PAUSE_FIRST_S, StartChecks
from .stop_watch import StopWatch
from .telling import Teller
from .threads import ThreadRuntime
from .upkeep import Upkeep

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter

    from .ports import Clock

SETTLE_TIMEOUT_S = 3.0
"""How long a start waits for what it took over to be clear; past it, signals are judged as things stand."""
CLOCK_WEIGHT, ACCOUNT_WEIGHT, CLAIMS_WEIGHT, POSITION_MODE_WEIGHT = 3, 85, 20, 5
"""What the questions of a start cost (binance-usdm.md §3.4, §7.4): the account's are 40 + 40 + 5."""
JOURNAL_RETRY_S = 1.0
"""How often lines that the disk refused are tried again: with the next line may be too late, a crash may come first."""
RESYNC_RETRY_S = 30.0
RESYNC_S = 600.0
"""How often the exchange's clock is measured again: ordinary clocks drift some 50 ms in that time."""


@dataclass
class Session:
    """The running parts. Made by `open_session`, ended by `close`."""

    settings: Settings
    journal: AuditLogger
    redactor: Redactor
    gateway: BinanceGateway
    tracker: RequestWeightTracker
    runtime: ThreadRuntime
    driver: Driver
    gatherer: Gatherer
    actions: AccountActions
    checks: StartChecks
    teller: Teller
    formatter: PriceFormatter
    _closing: ExitStack

    def close(self) -> None:
        """Stop the stream and the workers, write the last lines, release the locks.

        A position that is just being guarded or closed gets the time that takes: leaving amid an entry would leave it
        bare until the next start. So no new one is begun meanwhile, and none is sent again. One that is on its way may
        fill when a part of the naked limit is over, so it is waited for twice that limit.
        """
        self.driver.refuse_signals(closed())
        try:
            self.driver.wait_until(is_guarded, 2 * self.settings.policy.naked_limit_ms / 1000)
        finally:
            self._closing.close()


def open_session(
    credentials: Credentials,
    urls: Urls,
    settings: Settings,
    on_notice: Callable[[Notice], None],
    clock: Clock | None,
    adapter: BaseAdapter | None,
) -> Session:
    """Start. What fails on the way is undone, and put on record once there is a record.

    While a position of ours is open, or one may be that is claimed, little stops a start (design note 011): the rest
    makes it protect-only.

    Raises:
        BracketeerError: `account_in_use`; a log that cannot be read or has another writer; a wrong configuration. With
            nothing to protect also exchange errors, a log that cannot be written, `account_lock_unusable`.
    """
    clock = clock or SystemClock()
    account = fingerprint(credentials.api_key, urls.rest)
    redactor = Redactor(credentials.secrets())
    with ExitStack() as undo:
        lock = AccountLock(credentials.api_key, urls.rest, clock)
        undo.callback(lock.release)
        unlocked: AccountLockUnusable | None = None
        try:
            lock.acquire()
        except AccountLockUnusable as error:
            unlocked = error  # whether that stops us, the log has to say
        states: list[State] = []
        journal = AuditLogger(
            settings.audit_log_dir,
            now_us=clock.now_us,
            fsync=settings.audit_fsync,
            max_bytes=settings.audit_max_bytes,
            redactor=redactor,
            owner={"account": account},
            checkpoint_state=lambda: states[0] if states else State(),
            hmac_key=credentials.audit_key.encode() if credentials.audit_key else None,
        )
        opened = journal.open(must_write=False)
        undo.callback(journal.close)
        state, clock_offset_ms = restore(opened)
        states.append(state)
        require_same_account(state, account, adopt=settings.audit_adopt)
        must_protect = _must_protect(state, settings)
        if not must_protect:
            journal.require_writable()
        try:
            if unlocked is not None and not must_protect:
                raise unlocked
            session = _connect(
                credentials,
                urls,
                settings,
                on_notice,
                clock,
                adapter,
                redactor,
                journal,
                state,
                clock_offset_ms,
                account,
                lock,
                undo,
            )
        except BracketeerError as error:
            journal.log_event("start_failed", "start", error=str(error), error_code=error.code)
            raise
        session._closing = undo.pop_all()  # noqa: SLF001 - its own constructor
        return session


def _connect(
    credentials: Credentials,
    urls: Urls,
    settings: Settings,
    on_notice: Callable[[Notice], None],
    clock: Clock,
    adapter: BaseAdapter | None,
    redactor: Redactor,
    journal: AuditLogger,
    state: State,
    clock_offset_ms: int | None,
    account: str,
    lock: AccountLock,
    undo: ExitStack,
) -> Session:
    gateway_time: Callable[[], int] = clock.now_ms  # until the exchange's clock is known
    tracker = RequestWeightTracker(
        now_ms=lambda: gateway_time(),
        steady_ms=lambda: int(clock.monotonic() * 1000),
        warning_threshold=settings.rate_limit_warning_threshold,
        hard_threshold=settings.rate_limit_hard_threshold,
        on_warning=lambda pool, status: _rate_limit_note(journal, pool, status),
    )
    gateway = connect_gateway(
        credentials.api_key,
        credentials.api_secret,
        urls.rest,
        settings,
        clock,
        tracker,
        redactor,
        audit=journal,
        adapter=adapter,
    )
    undo.callback(gateway.close)
    if clock_offset_ms is not None:
        gateway.assume_clock(clock_offset_ms)
    gateway_time = gateway.exchange_now_ms
    runtime = ThreadRuntime(gateway.exchange_now_ms)
    stream = None
    if settings.user_stream:
        stream = BinanceUserStream(
            gateway, urls.stream, clock, on_problem=lambda code, text: _note(journal, code, text)
        )
    rules = ExchangeInfoCache(
        gateway.instruments,
        clock.now_ms,
        settings.exchange_info_cache_hours,
        on_limits=tracker.update_limits,
        on_warning=lambda text: _note(journal, "rules_stale", text),
    )
    teller = Teller(on_notice, lambda text: _note(journal, "notice_failed", text), redactor)
    gates = Gates(journal, tracker, settings.policy.arm, teller.tell)
    driver = Driver(
        state,
        journal,
        gateway,
        runtime,
        hold_back=gates.hold_back,
        renew_stream=stream.renew if stream else lambda: None,
        refresh_rules=rules.refresh_after_filter_error,
        on_notice=teller.tell,
    )
    undo.callback(_note_run_end, journal, state)  # the last but the lock: nothing changes the state any more
    teller.start()
    undo.callback(teller.stop)
    undo.callback(driver.end)  # when no worker runs any more; callers' threads may
    runtime.start(driver.alarm, driver.problem)
    undo.callback(runtime.stop)
    undo.callback(lambda: driver.abandon_tickets(closed()))
    upkeep = Upkeep(clock.monotonic, driver.problem)

    def ask_position_mode() -> None:
        gates.hedge_mode = gateway.hedge_mode()

    def resync() -> float:
        try:
            gateway.synchronise_clock()
        except ExchangeError:  # it has its line in the log; the clock is a little older then
            return RESYNC_RETRY_S
        return RESYNC_S

    written = Spell(AUDIT_UNWRITABLE, clock.monotonic, journal, teller.tell)

    def write_what_waits() -> float:
        if not journal.healthy:  # a disk that also stalls must not hold up the other tasks
            driver.durability.wait(journal.last_seq, JOURNAL_RETRY_S)
        if journal.healthy:
            written.succeeded()
        else:
            written.failed()
        return JOURNAL_RETRY_S

    checks = gates.start
    must_protect = _must_protect(state, settings)  # of the log's, before anything of this run is in it
    try:
        gateway.synchronise_clock()
    except ExchangeError:
        if not must_protect:
            raise
        checks.require("clock", gateway.synchronise_clock, weight=CLOCK_WEIGHT)
    gateway.on_clock_set(lambda by_ms: driver.handle(_clock_set(gateway, by_ms), inline=False))
    begin(gateway, driver, settings.policy, urls.rest, account)
    if settings.stop_watch_interval_ms:
        answers = Spell(EXCHANGE_SILENT, clock.monotonic, journal, teller.tell)
        interval_s = settings.stop_watch_interval_ms / 1000
        watch = StopWatch(gateway, driver, runtime, interval_s, gates.routine_held_back, answers)
        # On a thread of its own: a question of the start that is tried again and again would hold it up for seconds.
        watching = Upkeep(clock.monotonic, driver.problem, "stop-watch")
        watching.add(watch.look, interval_s)
        watching.start()
        undo.callback(watching.stop)
    upkeep.start()
    undo.callback(upkeep.stop)
    claims = Claims(gateway, driver, rules, settings.policy, journal, teller.tell)
    # The stream tells of a new position, but not while a bracket is on its symbol; and there may be no stream.
    look_interval_s = min(settings.policy.poll_idle_interval_ms, LAG_MS) / 1000

    def look_for_claims() -> float:
        if gates.routine_held_back(CLAIMS_WEIGHT) is None:
            with suppress(ExchangeError):  # it has its line in the log; the next look is not far
                claims.look()
        return look_interval_s

    def on_event(event: AnyEvent) -> None:
        driver.handle(event, inline=False)
        if claims.concerned_by(event):
            upkeep.add(look_for_claims, 0)

    if stream is not None:
        stream.start(on_event)
        undo.callback(stream.stop)
    if not lock.held:
        checks.require("account_lock", lock.acquire)
    if not journal.healthy:
        checks.require("audit_log", lambda: journal.wait_durable(journal.last_seq))
    checks.require("account", lambda: look_around(gateway, driver, journal), weight=ACCOUNT_WEIGHT)
    if claims.any:
        checks.require("claims", claims.look, weight=CLAIMS_WEIGHT)
    checks.require("position_mode", ask_position_mode, weight=POSITION_MODE_WEIGHT)
    if not must_protect:
        checks.insist("account", "position_mode")
    checks.attempt()  # what is left
    if claims.any:  # not before: the same questions would be asked by two threads
        upkeep.add(look_for_claims, look_interval_s)
    upkeep.add(resync, RESYNC_S)
    upkeep.add(write_what_waits, JOURNAL_RETRY_S)
    if checks.missing:
        upkeep.add(checks.retry, PAUSE_FIRST_S)
    if isinstance(clock, SystemClock):
        undo.callback(clock.hurry)
    # A target hit last night is found out within milliseconds; judged earlier, a new entry would be refused for it.
    driver.wait_until(is_settled, SETTLE_TIMEOUT_S)
    return Session(
        settings=settings,
        journal=journal,
        redactor=redactor,
        gateway=gateway,
        tracker=tracker,
        runtime=runtime,
        driver=driver,
        gatherer=Gatherer(gateway, rules, runtime, settings.policy, gates.all()),
        actions=AccountActions(gateway, driver, journal),
        checks=checks,
        teller=teller,
        formatter=PriceFormatter(lambda symbol: _known(rules, symbol)),
        _closing=ExitStack(),
    )


def _must_protect(state: State, settings: Settings) -> bool:
    """Whether there is, or may be, a position to protect: one of ours, or one that is claimed."""
    return bool(state.brackets or settings.policy.external_position_claims)


def _clock_set(gateway: BinanceGateway, by_ms: int) -> ClockSet:
    return ClockSet(at_ms=gateway.exchange_now_ms(), by_ms=by_ms)


def closed() -> BracketeerError:
    """What a caller is told who comes too late, or waits for too long."""
    return BracketeerError("the manager was closed; `start` opens it again", code="closed")


def _note_run_end(journal: AuditLogger, state: State) -> None:
    """Leave the fingerprint of what was in memory, so that a replay can be held against this run."""
    with suppress(BracketeerError):
        journal.log_event(RUN_ENDED, "stop", data={"fingerprint": state.fingerprint()})


def _rate_limit_note(journal: AuditLogger, pool: str, status: PoolStatus) -> None:
    with suppress(BracketeerError):
        journal.log_rate_limit(pool, used=status.used, limit=status.limit, level=status.level)


def _note(journal: AuditLogger, event_type: str, text: str) -> None:
    with suppress(BracketeerError):
        journal.log_event(event_type, "note", error=text)


def _known(rules: ExchangeInfoCache, symbol: str) -> Instrument:
    instrument = rules.at_hand(symbol) or off_main(lambda: rules.rules(symbol))
    if instrument is None:
        raise UnknownSymbol(f"the exchange does not list {symbol}", code=DenialCode.UNKNOWN_SYMBOL.value)
    return instrument
