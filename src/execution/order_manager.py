"""`OrderExecutionManager`: the public face. Small on purpose; the work is in the modules it wires together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from msgspec.structs import replace

from ..core.errors import BracketeerError
from ..core.events import SignalReceived
from ..core.instrument import PriceFormatter
from ..core.report import ExecutionReport, Reason, ReportStatus
from ..core.settings import Settings
from ..core.signal import Signal, SignalMalformed, as_recorded
from ..core.snapshot import Snapshot
from ..core.state import State
from ..core.values import MarginType
from .account_actions import AccountActions, CancelReport
from .credentials import load_credentials
from .driver import Notice
from .errand import Errand, off_main, on_main_thread
from .opening import open_session
from .queries import ManagerStatus, Position, manager_status, position_of
from .session import Session, closed
from .settings_loader import checked, load_settings, resolve_urls
from .ticket import Ticket

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter

    from .ports import Clock


class OrderExecutionManager:
    """Turns signals into protected positions on Binance USDⓈ-M Futures. Usable from any thread.

    On the main thread Ctrl-C ends the waiting for an answer. A signal that was not decided yet is dropped, on record
    where the manager is not closed before; what was begun goes on by itself, and `close` gives a position that is just
    being guarded the time it takes.

    Connects on the first call (or on entering the context); `close` leaves positions as they are: their stop and target
    rest at the exchange, and the next start on the same audit folder takes over.

    Args:
        api_key, api_secret: of the account; else BINANCE_API_KEY / BINANCE_API_SECRET from the environment or `.env`.
        testnet: True (default) for the exchange's demo environment. Mainnet needs False *and*
            BRACKETEER_ALLOW_MAINNET=yes.
        base_url, stream_url: another venue, such as `bracketeer sim`.
        settings: else from the environment (`.env.example` lists the names).
        on_notice: hears alerts and turning points of brackets in order, on a thread of its own; it may call the
            manager.
        clock, adapter: seams for tests: the source of time, and a `requests` adapter in place of the network.

    Raises (on start, not here, but for the first):
        BracketeerError: with a code: missing keys, mainnet not armed, wrong settings; audit log unreadable or in use,
            account in use by another process. With no position of ours open and none claimed also: audit folder not
            writable, wrong keys, exchange unreachable. Else the start goes on, protect-only until it could find out.
    """

    def __init__(
        self,
        api_key: str | None = None,
        api_secret: str | None = None,
        testnet: bool = True,
        base_url: str | None = None,
        stream_url: str | None = None,
        settings: Settings | None = None,
        *,
        on_notice: Callable[[Notice], None] = lambda _: None,
        clock: Clock | None = None,
        adapter: BaseAdapter | None = None,
    ) -> None:
        self._credentials = load_credentials(api_key, api_secret)
        self._urls = resolve_urls(testnet, base_url, stream_url)
        self._settings = checked(settings) if settings is not None else load_settings()
        self._on_notice = on_notice
        self._clock = clock
        self._adapter = adapter
        self._session: Session | None = None
        self._starting = threading.Lock()
        self._claims = 0  # starts that nobody has taken back
        self._closed = False

    def __repr__(self) -> str:
        return f"OrderExecutionManager({self._urls.rest}, {'running' if self._session else 'not started'})"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Take the locks, replay the journal, connect, take over what is open. A second call does nothing.

        Raises:
            BracketeerError: see the class.
        """
        start = Errand(self._start)
        try:
            start.run() if on_main_thread() else self._start()
        except BaseException:
            if start.is_left and not start.has_failed:
                Errand(lambda: self._undo(start), must_end=True).begin()  # nobody knows what it opens
            raise

    def _start(self, *, implicit: bool = False) -> None:
        with self._starting:
            if self._closed and implicit:
                raise closed()
            if self._session is None:
                self._closed = False
                self._session = open_session(
                    self._credentials, self._urls, self._settings, self._on_notice, self._clock, self._adapter
                )
            self._claims += 1

    def _undo(self, start: Errand[None]) -> None:
        """Take an interrupted start back; what it opened stays while another start of it stands."""
        start.wait_for_end()
        if start.has_failed:
            return
        with self._starting:
            self._claims -= 1
            if self._claims == 0:
                self._end()

    def close(self) -> None:
        """Disconnect and release the locks. Positions keep their protection at the exchange.

        A position that is just being guarded gets the time that takes. After it only `start` opens the manager again:
        a straggling thread must not take the account from its successor.
        """
        off_main(self._close, must_end=True)

    def _close(self) -> None:
        with self._starting:
            self._end()

    def _end(self) -> None:
        self._claims = 0
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def execute_signal(self, signal: Signal) -> ExecutionReport:
        """Follow one signal and return when its outcome stands, whatever the market or the network did.

        Raises:
            BracketeerError: the manager could not start.
        """
        if not on_main_thread():
            return self._execute(signal, None)
        errand: Errand[ExecutionReport] = Errand(lambda: self._execute(signal, errand))
        return errand.run()

    def execute_json(self, text: str | bytes) -> ExecutionReport:
        """Follow one signal given as a JSON object; unreadable text is denied, on record."""
        try:
            signal = Signal.from_json(text)
        except SignalMalformed as error:
            shown = text.decode(errors="replace") if isinstance(text, bytes) else text
            return off_main(partial(self._refuse_malformed, error, shown))
        return self.execute_signal(signal)

    def _execute(self, signal: Signal, errand: Errand[ExecutionReport] | None) -> ExecutionReport:
        """Follow a signal on the caller's thread, or on an errand for it."""
        session = self._running()
        try:
            signal = as_recorded(signal, session.redactor)
        except SignalMalformed as error:
            return self._refuse_malformed(error, ascii(signal), signal)
        if not signal.signal_id:
            signal = replace(signal, signal_id=f"auto-{uuid4().hex}")
        context = session.gatherer.gather(signal)
        if errand is not None and errand.is_left:
            text = "the caller was interrupted before it was decided"
            with suppress(BracketeerError):  # the interrupt may have closed the manager
                session.journal.log_event("signal_refused", "interrupt", signal_id=signal.signal_id, error=text)
            raise BracketeerError(text, code="interrupted", signal_id=signal.signal_id)
        ticket = Ticket()
        event = SignalReceived(at_ms=session.gateway.exchange_now_ms(), signal=signal, context=context)
        if errand is None:
            session.driver.handle(event, ticket=ticket)
        else:
            _hand_over(session, event, ticket)
        session.runtime.wait(ticket)
        return ticket.result()

    def set_leverage(self, symbol: str, leverage: int) -> int:
        """Set the leverage of a symbol and return it. Setting the one it has is success.

        Raises:
            ExchangeError: refused (such as -4028: not allowed for the symbol), or unreachable.
        """
        return off_main(lambda: self._actions().set_leverage(symbol, leverage))

    def set_margin_type(self, symbol: str, margin_type: MarginType | str) -> None:
        """Set CROSSED or ISOLATED margin. "Already so" (-4046) is success.

        Raises:
            ExchangeError: refused (such as -4048: a position is open), or unreachable.
            ValueError: not a margin type.
        """
        wanted = MarginType(margin_type)
        off_main(lambda: self._actions().set_margin_type(symbol, wanted))

    def get_position(self, symbol: str) -> Position | None:
        """The account's position on a symbol, ours or not, as the exchange has it now; None when flat.

        Raises:
            ExchangeError: it could not be asked. A failed question is not "flat".
        """
        return off_main(lambda: position_of(self._running().gateway.position_row(symbol)))

    def get_account_balance(self) -> Decimal:
        """The USDT wallet balance.

        Raises:
            ExchangeError: it could not be asked.
        """
        return off_main(lambda: self._running().gateway.balance())

    def cancel_all_orders(self, symbol: str, *, ours_only: bool = True) -> CancelReport:
        """Cancel open orders of a symbol, normal and algo ones; with `ours_only=False` everybody's.

        The protection of an open position of ours is kept: the promise that it has a live stop goes first. To get rid
        of both, send a CLOSE signal.

        Raises:
            ExchangeError: the open orders could not be asked for.
        """
        return off_main(lambda: self._actions().cancel_all(symbol, ours_only=ours_only))

    def get_open_orders(self, symbol: str | None = None) -> list[dict[str, Any]]:
        """Open orders of the account, ours and others', in the exchange's own rows.

        `list` says which store a row is from (`openOrders` or `openAlgoOrders`) and `ours` whether we sent it.

        Raises:
            ExchangeError: they could not be asked for.
        """
        return off_main(lambda: self._actions().open_orders(symbol))

    def status(self) -> ManagerStatus:
        """What the manager knows now: brackets, budgets, stream, journal. Asks the exchange nothing."""
        return off_main(self._status)

    def state(self) -> State:
        """A copy of the engine's state."""
        return off_main(lambda: self._running().driver.read())

    def snapshot(self) -> Snapshot:
        """The state bound to its line of the audit log; as JSON it is for `bracketeer audit replay --against`."""
        return off_main(lambda: self._running().driver.snapshot())

    @property
    def formatter(self) -> PriceFormatter:
        """Prices to ticks and quantities to steps, by the exchange's rules (cached 24 h)."""
        return self._running().formatter

    def _running(self) -> Session:
        if self._session is None and not self._closed:
            off_main(partial(self._start, implicit=True))
        session = self._session
        if session is None:
            raise closed()
        return session

    def _refuse_malformed(self, error: SignalMalformed, shown: str, signal: Signal | None = None) -> ExecutionReport:
        self._running().journal.log_event("signal_refused", "read_signal", error=error.message, data=shown[:1000])
        return ExecutionReport(
            signal_id=str(signal.signal_id) if signal else "",
            symbol=str(signal.symbol) if signal else "",
            status=ReportStatus.DENIED,
            reason=Reason(code=error.code, text=error.message),
        )

    def _status(self) -> ManagerStatus:
        session = self._running()
        return manager_status(
            session.driver.read(),
            session.tracker,
            session.journal,
            session.gateway.exchange_now_ms(),
            session.checks.missing,
        )

    def _actions(self) -> AccountActions:
        return self._running().actions


def _hand_over(session: Session, event: SignalReceived, ticket: Ticket) -> None:
    """Bring the signal on a worker: a closing manager waits for its workers, not for a caller who was interrupted."""

    def work() -> None:
        try:
            session.driver.handle(event, ticket=ticket)
        except BaseException as failure:
            ticket.fail(failure)
            raise

    if not session.runtime.spawn(work, urgent=True):
        ticket.fail(closed())
