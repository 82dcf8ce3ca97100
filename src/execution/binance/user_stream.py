"""The user data stream: listen key, connection, reconnection (binance-usdm.md §3.5, §10.1).

One thread owns everything: it opens the key, connects, reads, keeps the key alive and reconnects. What the stream
missed while it was down is not its business: it says `StreamConnected`, and the engine looks.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Protocol

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as websocket_connect

from ...core.events import AnyEvent, StreamConnected, StreamLost
from ...core.retry import backoff_delay
from ..errors import ExchangeError
from ..ports import Clock
from .stream_messages import read_message
from .urls import private_stream_url
from .wire import UnreadableMessage

KEEP_ALIVE_S: Final = 30 * 60.0
"""A key lives for 60 min; half of that leaves time for failures."""

KEEP_ALIVE_RETRY_S: Final = 60.0

LIFE_S: Final = (23 * 60 + 50) * 60.0
"""The exchange ends every connection after 24 h: better when we choose the moment."""

BACKOFF_FIRST_S: Final = 1.0
BACKOFF_LAST_S: Final = 120.0
"""Pauses between attempts: 1 s, 2 s, 4 s … 120 s."""

LISTEN_KEY_GONE: Final = -1125

_OPEN_TIMEOUT_S: Final = 5.0
_PING_INTERVAL_S: Final = 20.0
_PING_TIMEOUT_S: Final = 10.0
_CLOSE_TIMEOUT_S: Final = 0.3
_JOIN_TIMEOUT_S: Final = 0.6
"""With the one above less than a second: what `stop` takes at most."""


class Account(Protocol):
    """What the stream needs of the account it listens to: `BinanceGateway` is one."""

    def open_listen_key(self) -> str:
        """The account's key, good for 60 min from now."""
        ...

    def extend_listen_key(self) -> None:
        """60 min from now."""
        ...

    def exchange_now_ms(self) -> int:
        """The exchange's clock, for the events."""
        ...


class Connection(Protocol):
    """An open socket."""

    def recv(self, timeout: float | None = None) -> str | bytes:
        """The next message; `TimeoutError` when none comes in time, `ConnectionClosed` when none will."""
        ...

    def close(self) -> None:
        """Close it; may be called from another thread."""
        ...


Connect = Callable[[str], AbstractContextManager[Connection]]
Report = Callable[[str, str], None]

_log = logging.getLogger(__name__)
_silent = logging.Logger("silent", level=logging.CRITICAL + 1)  # noqa: LOG001 - it must not be in the tree
"""Handed to the library, which logs the address, listen key included. It is outside the tree of loggers, so nobody can
turn it up."""


def open_socket(url: str) -> AbstractContextManager[Connection]:
    """Connect over the network. The library answers pings, and sends its own, so that a dead path is noticed."""
    return websocket_connect(
        url,
        open_timeout=_OPEN_TIMEOUT_S,
        close_timeout=_CLOSE_TIMEOUT_S,
        ping_interval=_PING_INTERVAL_S,
        ping_timeout=_PING_TIMEOUT_S,
        max_queue=1024,
        proxy=None,  # the environment must not decide where the key goes
        logger=_silent,
    )


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
        self._connection: Connection | None = None
        self._thread: threading.Thread | None = None
        self._on_event: Callable[[AnyEvent], None] = _not_started

    def start(self, on_event: Callable[[AnyEvent], None]) -> None:
        """Connect and keep connected, on a thread of its own; events go to the callback, on that thread."""
        if self._thread is not None:
            raise RuntimeError("a user stream is started once")
        self._on_event = on_event
        self._thread = threading.Thread(target=self._run, name="bracketeer-user-stream", daemon=True)
        self._thread.start()

    def renew(self) -> None:
        """Drop the connection and connect anew at once."""
        self._renewing.set()
        self._hurry.set()
        self._drop()

    def stop(self) -> None:
        """Disconnect and end the thread; returns within a second even if the network does not."""
        self._stopping.set()
        self._hurry.set()
        self._drop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_JOIN_TIMEOUT_S)

    def _drop(self) -> None:
        with self._lock:
            connection = self._connection
        if connection is not None:
            connection.close()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._renewing.clear()
            self._hurry.clear()
            started_s = self._clock.monotonic()
            try:
                self._live_once()
            except ExchangeError as error:
                self._report("stream_unreachable", f"no listen key: {error}")
            except Exception as error:  # noqa: BLE001 - the thread must outlive everything, and say what it met
                self._report("stream_unreachable", _name(error))
            if self._renewing.is_set():  # wanted: no pause
                failures = 0
                continue
            # A connection that lived for long was a good one. Otherwise each attempt waits longer than the last.
            lived_s = self._clock.monotonic() - started_s
            failures = 1 if lived_s >= BACKOFF_LAST_S else failures + 1
            if not self._stopping.is_set():
                self._wait(backoff_delay(failures, initial_delay=BACKOFF_FIRST_S, max_delay=BACKOFF_LAST_S))

    def _live_once(self) -> None:
        """From a listen key to the end of its connection."""
        key = self._account.open_listen_key()
        with self._connect(private_stream_url(self._stream_url, key)) as connection:
            with self._lock:
                self._connection = connection
            reason = "interrupted"
            self._emit(StreamConnected(at_ms=self._account.exchange_now_ms()))
            try:
                reason = self._read(connection)
            finally:
                with self._lock:
                    self._connection = None
                self._emit(StreamLost(at_ms=self._account.exchange_now_ms(), reason=reason))

    def _read(self, connection: Connection) -> str:
        """Hand on messages until the connection ends; says why it did."""
        opened_s = self._clock.monotonic()
        end_s, extend_s = opened_s + LIFE_S, opened_s + KEEP_ALIVE_S
        while not self._stopping.is_set() and not self._renewing.is_set():
            now_s = self._clock.monotonic()
            if now_s >= end_s:
                self._renewing.set()
                return "end of its 24 hours"
            if now_s >= extend_s:
                pause_s = self._extend()
                if pause_s is None:
                    return "listen key gone"
                extend_s = now_s + pause_s
            try:
                data = connection.recv(timeout=max(0.0, min(extend_s, end_s) - now_s))
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
            return False
        for event in message.events:
            self._emit(event)
        if message.note is not None:
            self._report(*message.note)
        return message.key_expired

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
