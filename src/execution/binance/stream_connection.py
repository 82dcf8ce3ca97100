"""One connection to the user data stream, and the way to have the next one ready before the last one ends.

A connection is opened with the account's listen key: asking for it extends the one there is, so two connections beside
each other share it and are told the same (binance-usdm.md §3.5, §10.2).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Protocol

from websockets.sync.client import connect as websocket_connect

from .urls import private_stream_url

_OPEN_TIMEOUT_S: Final = 5.0
_PING_INTERVAL_S: Final = 20.0
_PING_TIMEOUT_S: Final = 10.0
_CLOSE_TIMEOUT_S: Final = 0.3

_silent = logging.Logger("silent", level=logging.CRITICAL + 1)  # noqa: LOG001 - it must not be in the tree
"""Handed to the library, which logs the address, listen key included. It is outside the tree of loggers, so nobody can
turn it up."""


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


class OpenConnection:
    """A connection that is open. What arrives waits in it until it is read."""

    def __init__(self, account: Account, stream_url: str, connect: Connect) -> None:
        """Open it.

        Raises:
            ExchangeError: there is no listen key.
            Exception: whatever the network does.
        """
        self._context = connect(private_stream_url(stream_url, account.open_listen_key()))
        self._socket = self._context.__enter__()

    def recv(self, timeout: float) -> str | bytes:
        """As `Connection.recv`."""
        return self._socket.recv(timeout=timeout)

    def drop(self) -> None:
        """End it from another thread: who reads it learns that it is closed."""
        self._socket.close()

    def close(self) -> None:
        """Give it back, by whoever reads it."""
        self._context.__exit__(None, None, None)


class Successor:
    """The next connection, opened beside the one in use, on a thread of its own. `after` is called on that thread, when
    it is open or has failed."""

    def __init__(self, open_connection: Callable[[], OpenConnection], after: Callable[[Successor], None]) -> None:
        self._open = open_connection
        self._after = after
        self._over = threading.Event()
        self._connection: OpenConnection | None = None
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="bracketeer-user-stream-next", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def is_open(self) -> bool:
        """Whether it may be taken without waiting."""
        return self._connection is not None

    def take(self) -> OpenConnection:
        """The open connection, waiting for it.

        Raises:
            Exception: what prevented it.
        """
        self._over.wait()
        if self._connection is None:
            raise self.failure or RuntimeError("a successor without a connection has a failure")
        return self._connection

    def _work(self) -> None:
        try:
            self._connection = self._open()
        except Exception as failure:  # noqa: BLE001 - it travels to the thread that takes it
            self.failure = failure
        self._over.set()
        self._after(self)
