"""The network between a manager and the exchange: latency for each message, lost and late ones, streams, outages.

Under the real `UMFutures` and `requests` stands an adapter instead of sockets; under the user stream a connection
instead of a WebSocket. What is lost is lost on the way; what the exchange itself does wrong are its own faults.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Self
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from websockets.exceptions import ConnectionClosedError

from bracketeer.simulator.exchange import Exchange, HttpAnswer

from .scheduler import Process, Scheduler, Task

ADDRESS = "10.0.0.7"


@dataclass
class Weather:
    """How the network is at the moment: times in µs, chances from 0 to 1."""

    way_us: int = 1_000
    jitter_us: int = 0
    request_lost: float = 0.0
    reply_lost: float = 0.0
    late: float = 0.0  # arrives after up to `late_us` more, perhaps when nobody waits any more
    late_us: int = 1_500_000
    is_out: bool = False  # nothing can connect, streams are cut


class Sent:
    """A request that left a manager: what the judge of the promises sees of it."""

    __slots__ = ("answer", "at_us", "headers", "method", "path", "query")

    def __init__(self, method: str, path: str, query: str, headers: dict[str, str], at_us: int) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.at_us = at_us
        self.answer: HttpAnswer | None = None

    def value(self, name: str) -> str:
        """One of its parameters; empty where it has none of that name."""
        return f"&{self.query}".partition(f"&{name}=")[2].partition("&")[0]


class Wire:
    """One network. Its dice are its own, so that faults do not change the interleaving."""

    def __init__(self, scheduler: Scheduler, exchange: Exchange, seed: int) -> None:
        self.scheduler = scheduler
        self.exchange = exchange
        self.weather = Weather()
        self.dice = random.Random(f"{seed}/wire")
        self.streams: list[VirtualConnection] = []
        self.requests = 0
        self.events = 0
        self.on_request: Callable[[Sent], None] = lambda sent: None  # as it leaves
        self.on_answer: Callable[[Sent], None] = lambda sent: None  # as the exchange answered
        self.after_exchange: Callable[[], None] = lambda: None
        # The manager learned something about a symbol, from an event (its type) or a true answer (method and path), and
        # when the exchange said it.
        self.on_told: Callable[[str, str, int], None] = lambda symbol, source, said_us: None
        self.on_heard: Callable[[HttpAnswer], None] = lambda answer: None  # as it reaches who asked
        # An event reached a living process, whether connection and process are still there, and whether it is read yet.
        self.on_event: Callable[[str, Callable[[], bool], bool], None] = lambda text, is_heard, is_in_use: None
        # A request will have no true answer, or a late one.
        self.on_unanswered: Callable[[Sent], None] = lambda sent: None
        self.before_send: Callable[[Process], None] = lambda process: None
        self.after_send: Callable[[Process], None] = lambda process: None

    def way_us(self) -> int:
        """How long one message takes."""
        weather = self.weather
        return weather.way_us + int(self.dice.random() * weather.jitter_us)

    def chance(self, share: float) -> bool:
        """Whether something of this probability happens."""
        return share > 0 and self.dice.random() < share

    def cut(self) -> None:
        """End all streams."""
        for stream in list(self.streams):
            stream.close_from_outside()


class VirtualAdapter(BaseAdapter):
    """`requests` sends through this; for one process."""

    def __init__(self, wire: Wire, process: Process) -> None:
        super().__init__()
        self._wire = wire
        self._process = process
        self.on_sent: Callable[[], None] = lambda: None

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send, wait, answer: or fail as a network fails."""
        wire, scheduler = self._wire, self._wire.scheduler
        connect_s, read_s = timeout
        wire.before_send(self._process)
        self._process.check()
        if wire.weather.is_out:
            scheduler.sleep(connect_s)
            raise requests.exceptions.ConnectTimeout("no connection in time", request=request)
        parts = urlsplit(str(request.url))
        headers = {str(name): str(value) for name, value in request.headers.items()}
        sent = Sent(str(request.method), parts.path, parts.query, headers, scheduler.now_us)
        wire.requests += 1
        wire.on_request(sent)
        reply = _Reply(scheduler)
        self._travel(sent, reply)
        wire.after_send(self._process)
        self._process.check()
        self.on_sent()
        outcome = reply.take(read_s)
        if isinstance(outcome, HttpAnswer):
            return _response(request, outcome)
        if outcome is False:
            raise requests.exceptions.ReadTimeout("no answer in time", request=request)
        cause = urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, "reset by peer"))
        raise requests.exceptions.ConnectionError(cause, request=request)

    def close(self) -> None:
        """Nothing is held."""

    def _travel(self, sent: Sent, reply: _Reply) -> None:
        """The request's way to the exchange and its answer's way back."""
        wire, scheduler = self._wire, self._wire.scheduler
        symbol = sent.value("symbol")
        if wire.chance(wire.weather.request_lost):
            wire.on_unanswered(sent)
            if wire.chance(0.5):  # the connection breaks, and that is noticed; else silence
                scheduler.call_in(wire.way_us(), lambda: reply.put(None))
            return
        way_us = wire.way_us()
        if wire.chance(wire.weather.late):
            wire.on_unanswered(sent)
            way_us += int(wire.dice.random() * wire.weather.late_us)

        def arrive() -> None:
            answer = wire.exchange.handle(sent.method, sent.path, sent.query, sent.headers, "", ADDRESS)
            sent.answer = answer
            wire.on_answer(sent)
            wire.after_exchange()
            value = None if answer.is_dropped else answer
            if wire.chance(wire.weather.reply_lost):
                if wire.chance(0.5):
                    wire.on_unanswered(sent)
                    return
                value = None
            is_true = value is not None and "fault" not in wire.exchange.requests.latest
            # An answer about a target says nothing about the stop, and one about a new order nothing of a fill.
            is_of_target = sent.path == "/fapi/v1/algoOrder" and b'"STOP_MARKET"' not in answer.body
            is_of_new = sent.path == "/fapi/v1/order" and b'"status":"NEW"' in answer.body
            tells = is_true and answer.status == 200 and not (is_of_target or is_of_new)
            said_us = scheduler.now_us
            if not is_true:
                wire.on_unanswered(sent)

            def come_back() -> None:
                if value is not None and not (reply.is_given_up or self._process.is_dead):
                    wire.on_heard(value)
                if tells and symbol and not (reply.is_given_up or self._process.is_dead):
                    wire.on_told(symbol, f"{sent.method} {sent.path}", said_us)
                reply.put(value)

            scheduler.call_in(wire.way_us() + answer.delay_ms * 1000, come_back)

        scheduler.call_in(way_us, arrive)


class BareSession:
    """What `UMFutures` needs of a session, without what `requests` does for others (cookies, redirects, hooks,
    proxies): that takes a third of a run. Every tenth seed runs with the real session."""

    def __init__(self, adapter: VirtualAdapter) -> None:
        self._adapter = adapter
        self.headers: dict[str, str] = {}

    def request(self, method: str, url: str, *, timeout: Any, allow_redirects: bool) -> requests.Response:
        """Send."""
        request: Any = SimpleNamespace(method=method, url=url, headers=self.headers)
        return self._adapter.send(request, timeout=timeout)

    def close(self) -> None:
        """Nothing is held."""


class _Reply:
    """Where an answer, or the end of the connection (None), is put for the task that waits."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._found: list[HttpAnswer | None] = []
        self._waiting: tuple[Task, int] | None = None
        self.is_given_up = False

    def put(self, value: HttpAnswer | None) -> None:
        """It is here."""
        self._found.append(value)
        if self._waiting is not None:
            task, waits = self._waiting
            self._scheduler.wake(task, True, waits)

    def take(self, timeout_s: float) -> HttpAnswer | bool | None:
        """Wait for it; False when the time is over."""
        if not self._found:
            task = self._scheduler.current()
            self._waiting = (task, task.waits)
            if self._scheduler.wait(timeout_s) is False:
                self.is_given_up = True
                return False
        return self._found[0]


def _response(request: requests.PreparedRequest, answer: HttpAnswer) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.headers = CaseInsensitiveDict(answer.headers)
    response.raw = io.BytesIO()
    response._content = answer.body
    response.url = str(request.url)
    response.request = request
    response.encoding = "utf-8"
    return response


class VirtualConnection:
    """A stream's socket, seen from the manager."""

    def __init__(self, wire: Wire, process: Process, url: str) -> None:
        self._wire = wire
        self._process = process
        self._url = url
        self._inbox: list[str] = []
        self._is_open = False
        self._is_lost = False
        self._is_in_use = False
        self._waiting: tuple[Task, int] | None = None
        self._last_us = 0

    def __enter__(self) -> Self:
        wire, scheduler = self._wire, self._wire.scheduler
        self._process.check()
        if wire.weather.is_out:
            scheduler.sleep(2.0)
            raise TimeoutError("timed out during opening handshake")
        scheduler.sleep(2 * wire.way_us() / 1e6)
        parts = urlsplit(self._url)
        self._connection = wire.exchange.venue.streams.connect(
            parts.path, parts.query, self._deliver, self.close_from_outside
        )
        self._is_open = True
        wire.streams.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def recv(self, timeout: float | None = None) -> str:
        """The next message."""
        self._is_in_use = True
        while not self._inbox:
            if not self._is_open:
                raise ConnectionClosedError(None, None)
            task = self._wire.scheduler.current()
            self._waiting = (task, task.waits)
            if self._wire.scheduler.wait(timeout) is False:
                self._waiting = None
                raise TimeoutError
        return self._inbox.pop(0)

    def close(self) -> None:
        """Close our end."""
        self._end()

    def close_from_outside(self) -> None:
        """The exchange or the network ends it."""
        self._wire.scheduler.call_in(self._wire.way_us(), self._end)
        self._forget()

    def _deliver(self, text: str) -> None:
        scheduler = self._wire.scheduler
        # A socket keeps the order of its messages.
        self._last_us = max(self._last_us, scheduler.now_us + self._wire.way_us())
        said_us = scheduler.now_us
        scheduler.call_at(self._last_us, lambda: self._take(text, said_us))

    def _take(self, text: str, said_us: int) -> None:
        if self._is_open and not self._process.is_dead:
            self._wire.events += 1
            self._inbox.append(text)
            is_readable = "STATUS_OF_NEXT_YEAR" not in text
            if is_readable:
                self._wire.on_event(text, lambda: self._is_open and not self._process.is_dead, self._is_in_use)
            if is_readable and '"s":"' in text:
                event = text.split('"e":"', 1)[1].split('"', 1)[0]
                # Of a target it says nothing about the stop, of a new order nothing of a fill.
                is_of_target = event == "ALGO_UPDATE" and '"STOP_MARKET"' not in text
                is_of_new = event == "ORDER_TRADE_UPDATE" and '"X":"NEW"' in text
                if not (is_of_target or is_of_new):
                    self._wire.on_told(text.split('"s":"', 1)[1].split('"', 1)[0], event, said_us)
            self._wake()

    def _end(self) -> None:
        self._is_open = False
        self._forget()
        self._wake()

    def _forget(self) -> None:
        if self in self._wire.streams:
            self._wire.streams.remove(self)
            self._wire.exchange.venue.streams.disconnect(self._connection)

    def _wake(self) -> None:
        if self._waiting is not None:
            (task, waits), self._waiting = self._waiting, None
            self._wire.scheduler.wake(task, True, waits)
