"""The parts of one run, wired to each other; nothing is asked and no thread runs yet."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.audit_logger import AuditLogger
from ..core.errors import BracketeerError
from ..core.redaction import Redactor
from ..core.request_weight import PoolStatus, RequestWeightTracker
from ..core.settings import Settings
from ..core.state import State
from .account_lock import AccountLock
from .binance.gateway import BinanceGateway, connect_gateway
from .binance.user_stream import BinanceUserStream
from .credentials import Credentials
from .driver import Driver, Notice
from .exchange_info import ExchangeInfoCache
from .gates import Gates
from .settings_loader import Urls
from .telling import Teller
from .threads import ThreadRuntime

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter

    from .ports import Clock


@dataclass(frozen=True)
class Ground:
    """What a run stands on: who it is for, and the log it goes on with.

    `must_protect`: by that log there is, or may be, a position to protect: one of ours, or one that is claimed.
    `clock_offset_ms`: by how much the exchange's clock was ahead when the log was written last; None where unknown.
    """

    credentials: Credentials
    urls: Urls
    settings: Settings
    clock: Clock
    redactor: Redactor
    journal: AuditLogger
    state: State
    clock_offset_ms: int | None
    account: str
    lock: AccountLock
    must_protect: bool

    def note(self, event_type: str, text: str) -> None:
        """Put a note in the log, if it takes one."""
        with suppress(BracketeerError):
            self.journal.log_event(event_type, "note", error=text)

    def note_rate_limit(self, pool: str, status: PoolStatus) -> None:
        """Put on record that a rate limit is nearly used up."""
        with suppress(BracketeerError):
            self.journal.log_rate_limit(pool, used=status.used, limit=status.limit, level=status.level)


@dataclass(frozen=True)
class Parts:
    """What works together in a run. Without a stream everything is found out by asking."""

    tracker: RequestWeightTracker
    gateway: BinanceGateway
    runtime: ThreadRuntime
    stream: BinanceUserStream | None
    rules: ExchangeInfoCache
    teller: Teller
    gates: Gates
    driver: Driver


def wire(ground: Ground, on_notice: Callable[[Notice], None], adapter: BaseAdapter | None, undo: ExitStack) -> Parts:
    """Make the parts; `undo` closes the gateway."""
    settings, clock, journal = ground.settings, ground.clock, ground.journal
    exchange_now_ms: Callable[[], int] = clock.now_ms  # until the exchange's clock is known
    tracker = RequestWeightTracker(
        now_ms=lambda: exchange_now_ms(),
        steady_ms=lambda: int(clock.monotonic() * 1000),
        warning_threshold=settings.rate_limit_warning_threshold,
        hard_threshold=settings.rate_limit_hard_threshold,
        on_warning=ground.note_rate_limit,
    )
    gateway = connect_gateway(
        ground.credentials.api_key,
        ground.credentials.api_secret,
        ground.urls.rest,
        settings,
        clock,
        tracker,
        ground.redactor,
        audit=journal,
        adapter=adapter,
    )
    undo.callback(gateway.close)
    if ground.clock_offset_ms is not None:
        gateway.assume_clock(ground.clock_offset_ms)
    exchange_now_ms = gateway.exchange_now_ms
    runtime = ThreadRuntime(gateway.exchange_now_ms)
    stream = None
    if settings.user_stream:
        stream = BinanceUserStream(gateway, ground.urls.stream, clock, on_problem=ground.note)
    rules = ExchangeInfoCache(
        gateway.instruments,
        clock.now_ms,
        settings.exchange_info_cache_hours,
        on_limits=tracker.update_limits,
        on_warning=lambda text: ground.note("rules_stale", text),
    )
    teller = Teller(on_notice, lambda text: ground.note("notice_failed", text), ground.redactor)
    gates = Gates(journal, tracker, settings.policy.arm, teller.tell)
    driver = Driver(
        ground.state,
        journal,
        gateway,
        runtime,
        hold_back=gates.hold_back,
        renew_stream=stream.renew if stream else lambda: None,
        refresh_rules=rules.refresh_after_filter_error,
        on_notice=teller.tell,
    )
    return Parts(tracker, gateway, runtime, stream, rules, teller, gates, driver)
