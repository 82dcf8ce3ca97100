"""The sockets' side of the exchange: ASGI application for REST, control plane and streams.

Plain ASGI, because the whole surface is two path prefixes and one stream endpoint; everything runs on one event loop,
so the exchange is never entered twice at a time.
"""

import asyncio
import contextlib
import functools
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .connections import Connection
from .control import handle_control
from .errors import ExchangeError, text_of
from .exchange import LOOPBACK, Exchange, HttpAnswer
from .streams import dump
from .ws_api import PATH as WS_API_PATH
from .ws_api import WsAnswer, WsApi

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_log = logging.getLogger(__name__)

# Key of the scope extension through which a handler can cut its TCP connection.
ABORT_EXTENSION = "bracketeer.abort"
# A reader this far behind is cut off, so that memory stays bounded.
STREAM_BACKLOG_MAX = 10_000


class Application:
    """One exchange behind HTTP and WebSocket."""

    def __init__(self, exchange: Exchange, latency_ms: int) -> None:
        self._exchange = exchange
        # Half of the latency on the way in, half on the way out; events only have a way out.
        self._half_latency_s = latency_ms / 2000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            await self._serve_http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._serve_socket(scope, receive, send)

    async def _serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
        method, path = scope["method"], scope["path"]
        if path == "/" or path.startswith("/sim/"):
            await _send_answer(send, handle_control(self._exchange, method, path, body))
            return
        await self._pause()
        answer = self._answer(scope, body)
        if answer.delay_ms:
            await asyncio.sleep(answer.delay_ms / 1000)
        await self._pause()
        if answer.is_dropped:
            await _abort(scope, receive)
        else:
            await _send_answer(send, answer)

    def _answer(self, scope: Scope, body: bytes) -> HttpAnswer:
        try:
            return self._exchange.handle(
                scope["method"],
                scope["path"],
                scope["query_string"].decode("latin-1"),
                {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
                body.decode("utf-8", "replace"),
                _address(scope),
            )
        except Exception:  # noqa: BLE001 - the last wall before the sockets
            # Our bug, not the client's: say so aloud, without the query, and answer like an exchange in trouble.
            _log.exception("unexpected failure of %s %s", scope["method"], scope["path"])
            return HttpAnswer(500, dump({"code": -1000, "msg": text_of(-1000)}).encode())

    async def _pause(self) -> None:
        if self._half_latency_s:
            await asyncio.sleep(self._half_latency_s)

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        path, query = scope["path"], scope["query_string"].decode("latin-1")
        socket = Socket(self._half_latency_s)
        try:
            take = self._open_api(query, _address(scope), socket) if path.startswith(WS_API_PATH) else None
        except ExchangeError:
            # Closed before it is accepted: the handshake fails.
            await send({"type": "websocket.close", "code": 1008})
            return
        await send({"type": "websocket.accept"})
        hub = self._exchange.venue.streams
        if take is None:
            connection = hub.connect(path, query, socket.send, socket.close)
            take = functools.partial(hub.receive, connection)
        else:
            connection = hub.join(Connection("ws-api", socket.send, socket.close, self._exchange.venue.now_ms()))
        writer = asyncio.create_task(socket.write(send))
        try:
            while (message := await receive())["type"] == "websocket.receive":
                take(message.get("text") or "")
        finally:
            hub.disconnect(connection)
            writer.cancel()

    def _open_api(self, query: str, address: str, socket: "Socket") -> Callable[[str], None]:
        api = WsApi(self._exchange)
        session = api.open(query, address)

        def take(text: str) -> None:
            if (farewell := api.revoked(session)) is not None:
                socket.send(farewell)
            try:
                answer = api.answer(session, text)
            except Exception:  # noqa: BLE001 - the last wall before the sockets
                _log.exception("unexpected failure of a request over the WebSocket API")
                answer = WsAnswer(dump({"id": None, "status": 500, "error": {"code": -1000, "msg": text_of(-1000)}}))
            if answer.is_dropped:
                socket.close()
            else:
                asyncio.get_running_loop().call_later(answer.delay_ms / 1000, socket.send, answer.text)

        return take


class Socket:
    """What waits to be written to one client."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._outbox: asyncio.Queue[tuple[float, str] | None] = asyncio.Queue()

    def send(self, text: str) -> None:
        """Let a message wait for its moment."""
        if self._outbox.qsize() >= STREAM_BACKLOG_MAX:
            self.close()
        else:
            self._outbox.put_nowait((asyncio.get_running_loop().time() + self._latency_s, text))

    def close(self) -> None:
        """End the socket once everything before is written."""
        self._outbox.put_nowait(None)

    async def write(self, send: Send) -> None:
        """Send what is due, in order."""
        loop = asyncio.get_running_loop()
        # A client that left is told of by ``receive``; here it only means there is nothing left to do.
        with contextlib.suppress(OSError, RuntimeError):
            while (entry := await self._outbox.get()) is not None:
                due, text = entry
                if due > loop.time():
                    await asyncio.sleep(due - loop.time())
                await send({"type": "websocket.send", "text": text})
            await send({"type": "websocket.close", "code": 1001})


def _address(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else LOOPBACK


async def _read_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


async def _send_answer(send: Send, answer: HttpAnswer) -> None:
    headers = {"content-type": "application/json", "content-length": str(len(answer.body))} | answer.headers
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.body})


async def _abort(scope: Scope, receive: Receive) -> None:
    """Cut the connection without a byte of an answer, and wait until the server has noticed."""
    scope["extensions"][ABORT_EXTENSION]()
    while (await receive())["type"] != "http.disconnect":
        pass
