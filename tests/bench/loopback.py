"""How many order requests a second the server takes over loopback, beside a handler that does nothing.

Load goes to 127.0.0.1 alone: four connections, a fixed number of requests, signed before the clock starts. Run as a
program it is the server.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

from bracketeer.simulator import SimulatorConfig
from bracketeer.simulator.asgi import Receive, Scope, Send
from bracketeer.simulator.exchange import Exchange
from bracketeer.simulator.hosting import Server, bind, make_server

from .in_process import KEY, SECRET, UNLIMITED, order_query

CONNECTIONS = 4
_WARM_UP = 100


async def _do_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


def serve(what: str) -> None:
    """Serve the exchange, or the peer, on a free port."""
    settings = SimulatorConfig(prices="frozen", api_key=KEY, api_secret=SECRET)
    exchange = Exchange(now_ms=lambda: time.time_ns() // 10**6, api_key=KEY, api_secret=SECRET, profile=UNLIMITED)
    server: Server = make_server(settings, exchange)
    if what == "nothing":
        server.config.app = _do_nothing
    listener = bind(settings)

    def tell_port() -> None:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()

    server.on_ready = tell_port
    server.run(sockets=[listener])


async def _ask(port: int, requests: list[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()


def _requests(count: int) -> list[bytes]:
    now_ms = time.time_ns() // 10**6
    head = f"HTTP/1.1\r\nHost: 127.0.0.1\r\nX-MBX-APIKEY: {KEY}\r\nContent-Length: 0\r\n\r\n"
    return [f"POST /fapi/v1/order?{order_query(now_ms, index)} {head}".encode() for index in range(count)]


def requests_per_second(what: str, count: int) -> float:
    """Start a server in a process of its own and load it."""
    command = [sys.executable, "-m", "tests.bench.loopback", what]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            port = int(server.stdout.readline())
            per_connection = count // CONNECTIONS

            async def load() -> float:
                await _ask(port, _requests(_WARM_UP))
                batches = [_requests(per_connection) for _ in range(CONNECTIONS)]
                begun = time.perf_counter()
                await asyncio.gather(*(_ask(port, batch) for batch in batches))
                return per_connection * CONNECTIONS / (time.perf_counter() - begun)

            return asyncio.run(load())
        finally:
            server.terminate()


if __name__ == "__main__":
    serve(sys.argv[1])
