"""The transport over real sockets: did a request leave? Only proof counts."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from typing import Any

import pytest
import requests

from bracketeer.core.outcome import OutcomeKind
from bracketeer.core.redaction import Redactor
from bracketeer.core.request_weight import RequestWeightTracker
from bracketeer.core.settings import Settings
from bracketeer.execution.binance import transport
from bracketeer.execution.binance.client import Client
from bracketeer.execution.binance.transport import describe, never_left, new_session
from bracketeer.execution.errors import ExchangeError

from .stubs import API_KEY, API_SECRET, FakeClock


class Handler(BaseHTTPRequestHandler):
    """Answers `/fapi/v1/time`; hangs up on everything else after reading the request."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        if not self.path.startswith("/fapi/v1/time"):
            self.close_connection = True
            return
        body = b'{"serverTime": 1700000000000}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


class Server(ThreadingHTTPServer):
    """Counts connections."""

    daemon_threads = True
    connections = 0

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on loopback."""
    running = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join(5)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A session over real sockets."""
    opened = new_session()
    yield opened
    opened.close()


def url_of(server: Server, path: str = "/fapi/v1/time", scheme: str = "http") -> str:
    """An address on the server."""
    return f"{scheme}://127.0.0.1:{server.server_port}{path}"


def failure_of(session: requests.Session, url: str) -> requests.RequestException:
    """What a request ends with."""
    with pytest.raises(requests.RequestException) as caught:
        session.get(url, timeout=(2, 2))
    return caught.value


def test_a_connection_is_reused(server: Server, session: requests.Session) -> None:
    """A handshake costs round trips that an unprotected position does not have."""
    for _ in range(3):
        assert session.get(url_of(server), timeout=2).ok
    assert server.connections == 1


def test_a_connection_that_was_idle_for_long_is_not(
    server: Server, session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may be closing it just now, and then nobody knows what became of the order."""
    assert session.get(url_of(server), timeout=2).ok
    monkeypatch.setattr(transport, "IDLE_LIMIT_S", 0.0)
    assert session.get(url_of(server), timeout=2).ok
    assert server.connections == 2


def test_nothing_left_when_nobody_listens(server: Server, session: requests.Session) -> None:
    """Connection refused."""
    url = url_of(server)
    server.shutdown()
    server.server_close()
    error = failure_of(session, url)
    assert never_left(error)
    assert (
        describe(error) == "nobody listens at that address "
        "[ConnectionError < MaxRetryError < NeverConnected < NewConnectionError < ConnectionRefusedError]"
    )


def test_nothing_left_when_the_handshake_failed(server: Server, session: requests.Session) -> None:
    """TLS to a server that speaks none: `requests` calls it an SSL error, or not even that; the mark tells."""
    assert never_left(failure_of(session, url_of(server, scheme="https")))


def test_it_may_have_arrived_when_the_server_hangs_up(server: Server, session: requests.Session) -> None:
    """The request was read; what was done with it is not known."""
    error = failure_of(session, url_of(server, "/fapi/v1/order"))
    assert not never_left(error)
    assert "RemoteDisconnected" in describe(error)


def test_it_may_have_arrived_when_a_reused_connection_is_closed(server: Server, session: requests.Session) -> None:
    """The tempting mistake: it looks like 'never sent', and is not proven."""
    assert session.get(url_of(server), timeout=2).ok
    assert not never_left(failure_of(session, url_of(server, "/fapi/v1/order")))
    assert server.connections == 1


def test_a_tls_error_in_the_middle_is_no_proof() -> None:
    """The type is the same as for a failed handshake; without the mark it counts as sent."""
    assert not never_left(requests.exceptions.SSLError("bad record mac"))


def test_an_earlier_failed_connect_proves_nothing_about_this_request() -> None:
    """Python chains what the caller is handling to what is raised meanwhile; mistaking it for a cause would send an
    executed order again."""

    def ask() -> None:
        raise requests.ReadTimeout("of this request")

    try:
        raise requests.exceptions.ConnectTimeout("of another one")
    except requests.RequestException:
        with pytest.raises(requests.ReadTimeout) as caught:
            ask()
    assert isinstance(caught.value.__context__, requests.exceptions.ConnectTimeout)
    assert not never_left(caught.value)


def test_a_chain_that_bites_its_own_tail_has_an_end() -> None:
    """Exceptions can be made from each other in a circle."""
    one, two = ValueError(), KeyError()
    one.__cause__, two.__cause__ = two, one
    assert not never_left(one)
    assert describe(one) == "ValueError < KeyError"


def test_the_environment_does_not_decide_where_requests_go(session: requests.Session) -> None:
    """No proxy variable, no .netrc."""
    assert session.trust_env is False


def test_many_threads_share_the_pool(server: Server, session: requests.Session) -> None:
    """Both protective orders and the look-ups go out at the same time."""
    answers: list[bool] = []
    threads = [
        threading.Thread(target=lambda: answers.append(session.get(url_of(server), timeout=5).ok)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == [True] * 8


def test_no_secret_is_logged_on_the_wire(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 logs every URL at DEBUG, signature included; and retries at WARNING."""
    caplog.set_level(logging.DEBUG)
    client = Client(
        API_KEY,
        API_SECRET,
        url_of(server, ""),
        settings=Settings(),
        clock=FakeClock(),
        tracker=RequestWeightTracker(now_ms=FakeClock().now_ms),
        redactor=Redactor(),
    )
    client.sign_request("GET", "/fapi/v1/time", {"symbol": "BTCUSDT"})
    with suppress(ExchangeError):
        client.new_order("BTCUSDT", "BUY", "MARKET")
    client.close()
    assert "/fapi/v1/time?***" in caplog.text
    assert "signature" not in caplog.text
    assert API_KEY not in caplog.text


def test_an_order_is_unknown_when_the_server_hangs_up_and_refused_when_it_is_not_there(server: Server) -> None:
    """The same two cases, seen from the client."""
    kinds = []
    for port in (server.server_port, 9):  # port 9 (discard) has no listener
        client = Client(
            API_KEY,
            API_SECRET,
            f"http://127.0.0.1:{port}",
            settings=Settings(),
            clock=FakeClock(),
            tracker=RequestWeightTracker(now_ms=FakeClock().now_ms),
            redactor=Redactor(),
        )
        with pytest.raises(ExchangeError) as caught:
            client.sign_request("GET", "/fapi/v1/order")
        client.close()
        kinds.append(caught.value.failure.kind)
    assert kinds == [OutcomeKind.UNKNOWN, OutcomeKind.REFUSED]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sockets that nobody closed
def test_interrupt_at_any_step_of_a_request_leaves_a_session_that_can_be_closed(server: Server) -> None:
    """Ctrl-C strikes between any two steps of the pool's code: closing must not wait for a lock that nobody holds."""
    steps = [0]
    interrupted = True
    at = 0
    while interrupted:
        session, interrupted, steps[0] = new_session(), False, at
        try:
            with _striking(steps):
                session.get(url_of(server), timeout=5)
        except KeyboardInterrupt:
            interrupted = True
        closing = threading.Thread(target=session.close, daemon=True)
        closing.start()
        closing.join(10)
        assert not closing.is_alive(), f"interrupted at step {at}, close() hangs"
        at += 1
    assert at > 100


@contextmanager
def _striking(steps: list[int]) -> Iterator[None]:
    """Raise KeyboardInterrupt at the n-th step (a call, line or return) within the pool and what it is made of."""
    modules = ("urllib3.connectionpool", "queue", "threading", transport.__name__)

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_globals.get("__name__") in modules:
            if steps[0] == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
            steps[0] -= 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
