"""One run of the manager: everything wired, started in the order that protects soonest, stopped in the reverse."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.audit_logger import AuditLogger
from ..core.denial import DenialCode
from ..core.errors import BracketeerError
from ..core.instrument import Instrument, PriceFormatter, UnknownSymbol
from ..core.journal import RUN_ENDED
from ..core.redaction import Redactor
from ..core.request_weight import PoolStatus, RequestWeightTracker
from ..core.settings import Settings
from ..core.state import State
from .account_actions import AccountActions
from .account_lock import fingerprint, lock_account
from .binance.gateway import BinanceGateway, connect_gateway
from .binance.user_stream import BinanceUserStream
from .clock import SystemClock
from .driver import Driver, Notice
from .errors import ExchangeError
from .exchange_info import ExchangeInfoCache
from .gates import Gates
from .gathering import Gatherer
from .recovery import restore, take_over
from .settings_loader import Credentials, Urls
from .settling import is_guarded, is_settled
from .threads import ThreadRuntime

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter

    from .ports import Clock

SETTLE_TIMEOUT_S = 3.0
"""How long a start waits for what it took over to be clear; past it, signals are judged as things stand."""
RESYNC_S = 600.0
"""How often the exchange's clock is measured again: ordinary clocks drift some 50 ms in that time."""


@dataclass
class Session:
    """The running parts. Made by `open_session`, ended by `close`."""

    settings: Settings
    journal: AuditLogger
    gateway: BinanceGateway
    tracker: RequestWeightTracker
    runtime: ThreadRuntime
    driver: Driver
    gatherer: Gatherer
    actions: AccountActions
    formatter: PriceFormatter
    _closing: ExitStack

    def close(self) -> None:
        """Stop the stream and the workers, write the last lines, release the locks.

        A position that is just being guarded or closed gets the time that takes, within the naked limit: leaving amid
        an entry would leave it bare until the next start.
        """
        try:
            self.driver.wait_until(is_guarded, self.settings.policy.naked_limit_ms / 1000)
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

    Raises:
        BracketeerError: `account_in_use`, audit errors, and, while no position of ours is open, exchange errors.
    """
    clock = clock or SystemClock()
    redactor = Redactor([credentials.api_key, credentials.api_secret])
    with ExitStack() as undo:
        undo.callback(lock_account(credentials.api_key, urls.rest, clock).release)
        states: list[State] = []
        journal = AuditLogger(
            settings.audit_log_dir,
            now_us=clock.now_us,
            fsync=settings.audit_fsync,
            max_bytes=settings.audit_max_bytes,
            redactor=redactor,
            owner={"account": fingerprint(credentials.api_key, urls.rest)},
            checkpoint_state=lambda: states[0] if states else State(),
        )
        opened = journal.open()
        undo.callback(journal.close)
        state = restore(opened)
        states.append(state)
        try:
            session = _connect(credentials, urls, settings, on_notice, clock, adapter, redactor, journal, state, undo)
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
    undo: ExitStack,
) -> Session:
    gateway_time: Callable[[], int] = clock.now_ms  # until the exchange's clock is known
    tracker = RequestWeightTracker(
        now_ms=lambda: gateway_time(),
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
    gates = Gates(journal, tracker)
    driver = Driver(
        state,
        journal,
        gateway,
        runtime,
        hold_back=gates.hold_back,
        renew_stream=stream.renew if stream else lambda: None,
        refresh_rules=rules.refresh_after_filter_error,
        on_notice=on_notice,
    )
    undo.callback(_note_run_end, journal, state)  # the last but the lock: nothing changes the state any more
    undo.callback(driver.end)  # when no worker runs any more; callers' threads may
    runtime.start(driver.alarm, driver.problem)
    undo.callback(runtime.stop)
    undo.callback(lambda: driver.abandon_tickets(BracketeerError("the manager was closed", code="closed")))
    gates.hedge_mode = take_over(gateway, driver, journal, state, settings.policy, urls.rest)
    if stream is not None:
        stream.start(lambda event: driver.handle(event, inline=False))
        undo.callback(stream.stop)
    undo.callback(_resync_regularly(gateway, driver))
    if isinstance(clock, SystemClock):
        undo.callback(clock.hurry)
    # A target hit last night is found out within milliseconds; judged earlier, a new entry would be refused for it.
    driver.wait_until(is_settled, SETTLE_TIMEOUT_S)
    return Session(
        settings=settings,
        journal=journal,
        gateway=gateway,
        tracker=tracker,
        runtime=runtime,
        driver=driver,
        gatherer=Gatherer(gateway, rules, runtime, settings.policy, gates.all()),
        actions=AccountActions(gateway, driver, journal),
        formatter=PriceFormatter(lambda symbol: _known(rules, symbol)),
        _closing=ExitStack(),
    )


def _resync_regularly(gateway: BinanceGateway, driver: Driver) -> Callable[[], None]:
    """Measure the exchange's clock now and then, on a thread of its own; what comes back ends it."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(RESYNC_S):
            try:
                gateway.synchronise_clock()
            except ExchangeError as error:
                driver.problem(error)

    thread = threading.Thread(target=work, name="bracketeer-clock", daemon=True)
    thread.start()

    def stop() -> None:
        ended.set()
        thread.join()

    return stop


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
    instrument = rules.rules(symbol)
    if instrument is None:
        raise UnknownSymbol(f"the exchange does not list {symbol}", code=DenialCode.UNKNOWN_SYMBOL.value)
    return instrument
