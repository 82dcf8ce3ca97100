"""The HTTP session, and the proof whether a request left this machine.

The question "did anything leave?" decides whether an order may be sent again (binance-usdm.md §8), and exception types
alone cannot answer it: a TLS error can come from the handshake or from the middle of an answer. So our connections mark
what fails inside `connect()`, which is before the first byte of any request.
"""

from __future__ import annotations

import logging
import queue
import re
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

POOL_SIZE: Final = 16
"""Connections kept. Both protective orders, their look-ups and the polls of several symbols go out at the same time."""

IDLE_LIMIT_S: Final = 30.0
"""A pooled connection idle for longer is not trusted. A server may close an idle connection at the very moment we write
to it; that order's fate is then unknown, and finding out costs more than a new handshake. The pool itself drops a
connection whose end has already arrived; this narrows what is left."""


_waiting = threading.local()


@contextmanager
def when_sent(on_sent: Callable[[], None] | None) -> Iterator[None]:
    """Have `on_sent` called once the next request of this thread has left and its answer is waited for.

    So the take profit can follow the stop without delaying it: not even the work of building it is in the stop's way.
    """
    _waiting.on_sent = on_sent
    try:
        yield
    finally:
        _waiting.on_sent = None


class NeverConnected(urllib3.exceptions.NewConnectionError):
    """`connect()` failed: no byte of a request has left."""


class _MarkedConnection(urllib3.connection.HTTPConnection):
    """A connection that marks failures of its connect phase and is not reused after a long silence.

    Its parent sets TCP_NODELAY, so a small request is not held back.
    """

    _used_s = 0.0

    def connect(self) -> None:
        try:
            super().connect()
        except Exception as error:
            raise NeverConnected(self, type(error).__name__) from error

    @property
    def is_connected(self) -> bool:
        return time.monotonic() - self._used_s < IDLE_LIMIT_S and super().is_connected

    def getresponse(self) -> urllib3.response.HTTPResponse:  # type: ignore[override] # as urllib3 does
        on_sent, _waiting.on_sent = getattr(_waiting, "on_sent", None), None
        if on_sent is not None:
            on_sent()
        response = super().getresponse()
        self._used_s = time.monotonic()
        return response


class _MarkedTlsConnection(_MarkedConnection, urllib3.connection.HTTPSConnection):
    """The same over TLS: `connect()` ends with the handshake."""


class _Shelf:
    """Where a pool keeps idle connections, in place of `queue.LifoQueue`, without its lock.

    Ctrl-C on the main thread can strike between the lock's taking and its `with`. It is never given back then, and
    closing the session, even the interpreter's own end, waits for it without end. One step of a deque needs no lock.
    """

    def __init__(self, maxsize: int) -> None:
        self._maxsize = maxsize
        self._items: deque[object] = deque()

    def get(self, block: bool = False, timeout: float | None = None) -> object:  # noqa: ARG002 - our pools never block
        try:
            return self._items.pop()
        except IndexError:
            raise queue.Empty from None

    def put(self, item: object, block: bool = False) -> None:  # noqa: ARG002
        if len(self._items) >= self._maxsize:  # two at once may exceed it by one, which harms nobody
            raise queue.Full
        self._items.append(item)

    def qsize(self) -> int:
        return len(self._items)


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _MarkedConnection
    QueueCls = _Shelf  # type: ignore[assignment] # it is used by its duties alone


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _MarkedTlsConnection
    QueueCls = _Shelf  # type: ignore[assignment] # it is used by its duties alone


class PooledAdapter(HTTPAdapter):
    """Connections shared by all threads; no retries of its own, and never a redirect followed (see `new_session`)."""

    def __init__(self) -> None:
        super().__init__(pool_connections=2, pool_maxsize=POOL_SIZE, max_retries=0, pool_block=False)

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        super().init_poolmanager(*args, **kwargs)  # type: ignore[arg-type, no-untyped-call, unused-ignore]
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


def new_session(adapter: BaseAdapter | None = None) -> requests.Session:
    """A private session over `adapter`, by default over real sockets.

    The environment is not trusted: a `.netrc` or a proxy variable must not change where signed requests go.
    """
    session = requests.Session()
    session.trust_env = False
    chosen = adapter if adapter is not None else PooledAdapter()
    session.mount("https://", chosen)
    session.mount("http://", chosen)
    return session


def never_left(error: BaseException) -> bool:
    """Whether a failure of `Session.request` proves that no byte of the request left.

    Whatever is not proven counts as sent, the reuse of a connection that the server had closed included.
    """
    return any(isinstance(link, _PROOFS) for link in _layers(error))


def describe(error: BaseException) -> str:
    """A failure in words that carry no URL (the texts of `requests` contain the signed one): what it means for a
    person first, the chain of exceptions after."""
    layers = list(_layers(error))
    chain = " < ".join(dict.fromkeys(type(link).__name__ for link in layers))
    meaning = next((text for kind, text in _MEANINGS if any(isinstance(link, kind) for link in layers)), "")
    return f"{meaning} [{chain}]" if meaning else chain


_MEANINGS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (urllib3.exceptions.NameResolutionError, "the host name cannot be resolved"),
    (ssl.SSLError, "no secure connection can be made"),
    (ConnectionRefusedError, "nobody listens at that address"),
    (requests.exceptions.ConnectTimeout, "no connection in time"),
    (requests.exceptions.ReadTimeout, "no answer in time"),
    (urllib3.exceptions.NewConnectionError, "no connection can be made"),
    (urllib3.exceptions.ProtocolError, "the connection was lost before the answer"),
    (ConnectionError, "the connection was lost before the answer"),
)
"""The most telling first."""

_PROOFS: Final = (NeverConnected, urllib3.exceptions.NewConnectionError, requests.exceptions.ConnectTimeout)

_LAYERS_MAX: Final = 8


def _layers(error: BaseException) -> Iterator[BaseException]:
    """An exception and those it was made from, outermost first: `requests` wraps what `urllib3` raised.

    `__context__` is not followed: it holds whatever the caller happened to be handling, such as the failed connect of
    an earlier request, and that proves nothing about this one.
    """
    link: BaseException | None = error
    for _ in range(_LAYERS_MAX):  # deeper than the libraries ever wrap
        if link is None:
            return
        yield link
        inner = (getattr(link, "reason", None), *reversed(link.args), link.__cause__)
        link = next((cause for cause in inner if isinstance(cause, BaseException)), None)


class _WithoutQuery(logging.Filter):
    """Cuts query strings out of log records: signed requests carry everything in the query."""

    _QUERY = re.compile(r"\?[^\s'\"]+")

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._QUERY.sub("?***", record.getMessage()), None
        return True


_without_query = _WithoutQuery()


def quiet_http_logs() -> None:
    """Keep signed URLs out of the log lines of `urllib3`, whatever level somebody sets. May be called again."""
    for name in ("urllib3.connectionpool", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_without_query)
