"""The user data stream: listen key, connection, reconnection (binance-usdm.md §3.5, §10.1).

One thread reads and keeps the key alive. A connection that is to be replaced, because its 24 hours end or because it is
not believed, is read on until the next one is open beside it: nothing is told to nobody. What both tell is told twice,
in the order of each; the engine counts it once. What the stream missed while it was down is not its business: it says
`StreamConnected`, and the engine looks.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from websockets.exceptions import ConnectionClosed

from ...core.events import AnyEvent, StreamConnected, StreamLost
from ...core.retry import backoff_delay
from ..errors import ExchangeError
from ..ports import Clock
from .stream_connection import Account, Connect, OpenConnection, Successor, open_socket
from .stream_messages import read_message
from .wire import UnreadableMessage

KEEP_ALIVE_S: Final = 30 * 60.0
"""A key lives for 60 min; half of that leaves time for failures."""

KEEP_ALIVE_RETRY_S: Final = 60.0

LIFE_S: Final = (23 * 60 + 50) * 60.0
"""The exchange ends every connection after 24 h: by then the next one has taken over."""

BACKOFF_FIRST_S: Final = 1.0
BACKOFF_LAST_S: Final = 120.0
"""Pauses between attempts: 1 s, 2 s, 4 s … 120 s."""

LISTEN_KEY_GONE: Final = -1125

OVERLAP_S: Final = 2.0
"""How long a connection at the end of its life is read on beside the next one: what was sent before that one was open
may still be on its way."""

NEXT_RETRY_S: Final = 60.0
"""When the next connection could not be opened there are ten minutes left for other attempts."""

UNREADABLE_PAUSE_S: Final = 30.0
"""A message that we cannot read has everything looked up, at most so often: there may be many of a new kind."""

_JOIN_TIMEOUT_S: Final = 0.6
"""Together with the time that closing a socket takes less than a second: what `stop` takes at most."""

Report = Callable[[str, str], None]

_log = logging.getLogger(__name__)


class BinanceUserStream:
    """The private event stream of one account (`ports.UserStream`).

    `on_problem` gets a code and a sentence for all that went wrong or that a person should know of:
    `stream_unreachable`, `unreadable_payload`, `unknown_order_status`, `callback_failed`, `margin_call`,
    `unknown_event`, … It is called on the stream's thread. An open socket proves nothing (a wrong path is accepted and
    stays silent, §1.2): whoever expected an event in vain calls `renew`.
    """

    def __init__(
        self,
        account: Account,
        stream_url: str,
        clock: Clock,
        *,
        on_problem: Report | None = None,
        connect: Connect = open_socket,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._account = account
        self._stream_url = stream_url
        self._clock = clock
        self._on_problem: Report = on_problem if on_problem is not None else _log_problem
        self._connect = connect
        self._hurry = threading.Event()  # cuts a pause short
        self._wait = wait if wait is not None else self._hurry.wait
        self._stopping = threading.Event()
        self._renewing = threading.Event()
        self._lock = threading.Lock()
        self._connection: OpenConnection | None = None
        self._successor: Successor | None = None
        self._thread: threading.Thread | None = None
        self._on_event: Callable[[AnyEvent], None] = _not_started
        self._unreadable_s: float | None = None

    def start(self, on_event: Callable[[AnyEvent], None]) -> None:
        """Connect and keep connected, on a thread of its own; events go to the callback, on that thread."""
        if self._thread is not None:
            raise RuntimeError("a user stream is started once")
        self._on_event = on_event
        self._thread = threading.Thread(target=self._run, name="bracketeer-user-stream", daemon=True)
        self._thread.start()

    def renew(self) -> None:
        """Replace the connection at once. It is dropped when the next one is open, or cannot be opened."""
        with self._lock:
            self._renewing.set()
        self._hurry.set()
        self._open_next()

    def stop(self) -> None:
        """Disconnect and end the thread; returns within a second even if the network does not."""
        self._stopping.set()
        self._hurry.set()
        self._drop()
        if self._thread is not None:
            with suppress(RuntimeError):  # called by the thread itself
                self._thread.join(_JOIN_TIMEOUT_S)

    def _drop(self) -> None:
        with self._lock:
            connection = self._connection
        if connection is not None:
            connection.drop()

    def _open(self) -> OpenConnection:
        return OpenConnection(self._account, self._stream_url, self._connect)

    def _open_next(self) -> None:
        """Open the next connection beside this one, unless that is under way."""
        with self._lock:
            current = self._connection
            if current is None or self._successor is not None or self._stopping.is_set():
                return
            successor = self._successor = Successor(self._open, lambda it: self._hand_over(current, it))
        successor.start()

    def _hand_over(self, current: OpenConnection, successor: Successor) -> None:
        """On the successor's thread, when it is open or has failed: end the current connection, so that its reader goes
        on with the next one. A planned attempt that failed leaves it alone."""
        planned = not self._renewing.is_set()
        if planned and successor.failure is not None:
            with self._lock:
                if self._successor is successor:
                    self._successor = None
            self._report("stream_unreachable", f"the next connection: {_name(successor.failure)}")
            return
        if planned:
            self._wait(OVERLAP_S)
        if self._stopping.is_set():
            self._discard_next()
        current.drop()

    def _discard_next(self) -> None:
        with self._lock:
            successor = self._successor
            if successor is None or not successor.is_open:
                return
            self._successor = None
        successor.take().close()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._renewing.clear()
            self._hurry.clear()
            started_s = self._clock.monotonic()
            try:
                self._live()
            except ExchangeError as error:
                self._report("stream_unreachable", f"no listen key: {error}")
            except Exception as error:  # noqa: BLE001 - the thread must outlive everything, and say what it met
                self._report("stream_unreachable", _name(error))
            if self._renewing.is_set() or self._successor is not None:  # wanted, or under way: no pause
                failures = 0
                continue
            # A connection that lived for long was a good one. Otherwise each attempt waits longer than the last.
            lived_s = self._clock.monotonic() - started_s
            failures = 1 if lived_s >= BACKOFF_LAST_S else failures + 1
            if not self._stopping.is_set():
                self._wait(backoff_delay(failures, initial_delay=BACKOFF_FIRST_S, max_delay=BACKOFF_LAST_S))
        self._discard_next()

    def _live(self) -> None:
        """From one connection to the next, for as long as each takes over from the one before without a gap."""
        connection = self._take_next() or self._open()
        reason = "interrupted"
        try:
            while True:
                with self._lock:
                    self._connection = connection
                    self._renewing.clear()
                    self._hurry.clear()
                self._emit(StreamConnected(at_ms=self._account.exchange_now_ms()))
                reason = self._read(connection)
                if self._stopping.is_set() or self._successor is None or not self._successor.is_open:
                    return
                connection.close()
                connection = self._take_next() or connection
        finally:
            with self._lock:
                self._connection = None
            self._emit(StreamLost(at_ms=self._account.exchange_now_ms(), reason=reason))
            connection.close()

    def _take_next(self) -> OpenConnection | None:
        """The connection that was opened beside the last one, waited for; None where there is none.

        Raises:
            Exception: what prevented it.
        """
        with self._lock:
            successor, self._successor = self._successor, None
        return None if successor is None else successor.take()

    def _read(self, connection: OpenConnection) -> str:
        """Hand on messages until the connection ends; says why it did."""
        opened_s = self._clock.monotonic()
        next_s, extend_s = opened_s + LIFE_S, opened_s + KEEP_ALIVE_S
        while not self._stopping.is_set():
            now_s = self._clock.monotonic()
            if now_s >= next_s:
                self._open_next()
                next_s = now_s + NEXT_RETRY_S
            if now_s >= extend_s:
                pause_s = self._extend()
                if pause_s is None:
                    return "listen key gone"
                extend_s = now_s + pause_s
            try:
                data = connection.recv(max(0.0, min(extend_s, next_s) - now_s))
            except TimeoutError:
                continue
            except ConnectionClosed as error:
                return self._purpose() or _name(error)
            if self._hand_on(data):
                return "listen key expired"
        return self._purpose()

    def _purpose(self) -> str:
        """Why we ended the connection ourselves; empty when we did not."""
        if self._stopping.is_set():
            return "stopped"
        return "renewed" if self._renewing.is_set() else ""

    def _extend(self) -> float | None:
        """Keep the key alive; says when to do so again, or None when the key is gone."""
        try:
            self._account.extend_listen_key()
        except ExchangeError as error:
            if error.exchange_code == LISTEN_KEY_GONE:
                return None
            self._report("keep_alive_failed", str(error))
            return KEEP_ALIVE_RETRY_S
        return KEEP_ALIVE_S

    def _hand_on(self, data: str | bytes) -> bool:
        """Translate one message and hand its events on; whether it says that the key expired."""
        try:
            message = read_message(data, at_ms=self._account.exchange_now_ms())
        except UnreadableMessage as error:
            self._report(error.code, str(error))
            self._ask_instead()
            return False
        for event in message.events:
            self._emit(event)
        if message.note is not None:
            self._report(*message.note)
        return message.key_expired

    def _ask_instead(self) -> None:
        """What could not be read was about our account: behind the next connection all that is at work is looked up.
        This one is well, and is read until then."""
        now_s = self._clock.monotonic()
        if self._unreadable_s is None or now_s - self._unreadable_s >= UNREADABLE_PAUSE_S:
            self._unreadable_s = now_s
            self._open_next()

    def _emit(self, event: AnyEvent) -> None:
        try:
            self._on_event(event)
        except Exception as error:  # noqa: BLE001 - one bad event must not end all others
            self._report("callback_failed", f"{type(event).__name__}: {type(error).__name__}: {error}")

    def _report(self, code: str, text: str) -> None:
        try:
            self._on_problem(code, text)
        except Exception:  # noqa: BLE001 - then the log is what is left
            _log_problem(code, text)


def _name(error: BaseException) -> str:
    """A failure without its text: the library's texts may contain the address, and so the key."""
    if isinstance(error, ConnectionClosed):
        return "connection lost" if error.rcvd is None else f"closed with code {error.rcvd.code}"
    return type(error).__name__


def _log_problem(code: str, text: str) -> None:
    _log.warning("user stream: %s: %s", code, text)


def _not_started(event: AnyEvent) -> None:
    raise RuntimeError(f"{type(event).__name__} before start()")
