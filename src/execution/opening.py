"""From settings to a running session: the locks, the log, then the start; what fails on the way is undone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ..core.audit_logger import AuditLogger
from ..core.denial import DenialCode
from ..core.errors import BracketeerError
from ..core.instrument import Instrument, PriceFormatter, UnknownSymbol
from ..core.redaction import Redactor
from ..core.settings import Settings
from ..core.state import State
from .account_actions import AccountActions
from .account_lock import AccountLock, AccountLockUnusable, fingerprint
from .clock import SystemClock
from .credentials import Credentials
from .driver import Notice
from .errand import off_main
from .exchange_info import ExchangeInfoCache
from .gathering import Gatherer
from .recovery import require_same_account, restore
from .session import Session
from .settings_loader import Urls
from .starting import Start
from .wiring import Ground, Parts, wire

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter

    from .ports import Clock


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
    with ExitStack() as undo:
        ground, unlocked = _take(credentials, urls, settings, clock or SystemClock(), undo)
        try:
            if unlocked is not None and not ground.must_protect:
                raise unlocked
            parts = wire(ground, on_notice, adapter, undo)
            Start(ground, parts, undo).run()
        except BracketeerError as error:
            ground.journal.log_event("start_failed", "start", error=str(error), error_code=error.code)
            raise
        return _session(ground, parts, undo.pop_all())


def _take(
    credentials: Credentials, urls: Urls, settings: Settings, clock: Clock, undo: ExitStack
) -> tuple[Ground, AccountLockUnusable | None]:
    """Take the account and the log, and read it. Also why the account could not be locked: whether that stops us, the
    log has to say."""
    account = fingerprint(credentials.api_key, urls.rest)
    redactor = Redactor(credentials.secrets())
    lock = AccountLock(credentials.api_key, urls.rest, clock)
    undo.callback(lock.release)
    unlocked: AccountLockUnusable | None = None
    try:
        lock.acquire()
    except AccountLockUnusable as error:
        unlocked = error
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
    must_protect = bool(state.brackets or settings.policy.external_position_claims)
    if not must_protect:
        journal.require_writable()
    ground = Ground(
        credentials=credentials,
        urls=urls,
        settings=settings,
        clock=clock,
        redactor=redactor,
        journal=journal,
        state=state,
        clock_offset_ms=clock_offset_ms,
        account=account,
        lock=lock,
        must_protect=must_protect,
    )
    return ground, unlocked


def _session(ground: Ground, parts: Parts, undo: ExitStack) -> Session:
    gateway, rules, settings = parts.gateway, parts.rules, ground.settings
    return Session(
        settings=settings,
        journal=ground.journal,
        redactor=ground.redactor,
        gateway=gateway,
        tracker=parts.tracker,
        runtime=parts.runtime,
        driver=parts.driver,
        gatherer=Gatherer(gateway, rules, parts.runtime, settings.policy, parts.gates.all()),
        actions=AccountActions(gateway, parts.driver, ground.journal),
        checks=parts.gates.start,
        teller=parts.teller,
        formatter=PriceFormatter(lambda symbol: _known(rules, symbol)),
        undo=undo,
    )


def _known(rules: ExchangeInfoCache, symbol: str) -> Instrument:
    instrument = rules.at_hand(symbol) or off_main(lambda: rules.rules(symbol))
    if instrument is None:
        raise UnknownSymbol(f"the exchange does not list {symbol}", code=DenialCode.UNKNOWN_SYMBOL.value)
    return instrument
