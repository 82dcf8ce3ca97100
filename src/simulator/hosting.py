"""The exchange behind sockets: one event loop, real time, a price path that plays."""

import asyncio
import contextlib
import functools
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .asgi import ABORT_EXTENSION, Application, Receive, Scope, Send
from .config import SimulatorConfig
from .exchange import Exchange
from .prices import PricePath, open_path
from .profiles import Switches
from .script import play, read_script
from .switching import read_pairs, turned
from .transport import GatheringTransport
from .venue import Venue

_TICK_S = 0.02
_RESET_CHECK_S = 0.1
# Time that requests in flight get when the server stops.
_DRAIN_S = 0
_PING_INTERVAL_S = 180.0  # ``binance-usdm.md §10.1``
_PONG_TIMEOUT_S = 600.0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class _AbortableProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose handlers may cut the TCP connection, for faults that lose an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", GatheringTransport(transport)))
        self.app = functools.partial(_call_with_abort, self.app, transport)


async def _call_with_abort(
    app: Callable[..., Any], transport: asyncio.Transport, scope: Scope, receive: Receive, send: Send
) -> None:
    scope.setdefault("extensions", {})[ABORT_EXTENSION] = transport.abort
    await app(scope, receive, send)


class Server(uvicorn.Server):
    """uvicorn that says when it is ready and plays the price path while it serves."""

    def __init__(self, config: uvicorn.Config, exchange: Exchange, settings: SimulatorConfig) -> None:
        super().__init__(config)
        self._exchange = exchange
        self._settings = settings
        self._background: list[asyncio.Task[None]] = []
        self._failure: BaseException | None = None
        # Opened here once more than needed, so that a bad price file stops the start instead of the music.
        self._open_path()
        self._script = read_script(settings.script, exchange.venue.instruments)
        self.on_ready: Callable[[], None] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._background = [asyncio.create_task(self._tick_for_ever()), asyncio.create_task(self._play_prices())]
        for task in self._background:
            task.add_done_callback(self._note_end)
        self.on_ready()

    def _note_end(self, task: asyncio.Task[None]) -> None:
        """Stop the server when background work failed: a market that stands still in silence helps nobody."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = error
            self.should_exit = True

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop."""
        await super().serve(sockets)
        if self._failure is not None:
            raise self._failure

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for task in self._background:
            task.cancel()
        self._exchange.venue.streams.close_all()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal and let that be a success: uvicorn would raise the signal again after its end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {sig: signal.signal(sig, self.handle_exit) for sig in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self._exchange.tick()

    async def _play_prices(self) -> None:
        """Play the path and the script; a reset starts them again."""
        loop = asyncio.get_running_loop()
        while True:
            venue = self._exchange.venue
            play(self._exchange, self._script)
            # Steps are due at moments, not after pauses: the work of a step must not slow the story down.
            due_s = loop.time()
            for step in self._open_path():
                due_s += step.pause_ms / 1000 / self._settings.speed
                await asyncio.sleep(max(0.0, due_s - loop.time()))
                if self._exchange.venue is not venue:
                    break
                for symbol, price in step.prices.items():
                    self._exchange.set_price(symbol, price)
            await self._until_reset(venue)

    async def _until_reset(self, venue: Venue) -> None:
        while self._exchange.venue is venue:  # noqa: ASYNC110 - the exchange is no asyncio code and owns no event
            await asyncio.sleep(_RESET_CHECK_S)

    def _open_path(self) -> PricePath:
        exchange = self._exchange
        rng = random.Random(f"{exchange.seed}/prices")
        return open_path(
            self._settings.prices,
            exchange.venue.instruments,
            lambda symbol: exchange.venue.markets[symbol].last,
            rng,
        )


def bind(config: SimulatorConfig) -> socket.socket:
    """Take the port, a free one for 0, so that the address is known before anything runs."""
    # Named as TCP, because asyncio switches Nagle's delay off for sockets that say so, and only for those.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError:
        listener.close()
        raise
    return listener


def make_server(config: SimulatorConfig, exchange: Exchange) -> Server:
    """Put an exchange behind a server that is not running yet."""
    settings = uvicorn.Config(
        Application(exchange, config.latency_ms),
        # Named, so that a faster loop that happens to be installed changes nothing here.
        loop="asyncio",
        http=_AbortableProtocol,
        ws="websockets-sansio",
        ws_ping_interval=_PING_INTERVAL_S,
        ws_ping_timeout=_PONG_TIMEOUT_S,
        lifespan="off",
        log_config=None,
        # Its loggers would tell paths, and a stream path can carry a listen key.
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,  # answers carry the exchange's own clock
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_DRAIN_S,
    )
    return Server(settings, exchange, config)


def make_exchange(config: SimulatorConfig) -> Exchange:
    """Build the exchange of a config, on the clock of this machine."""
    return Exchange(
        now_ms=_now_ms,
        seed=config.seed,
        api_key=config.api_key,
        api_secret=config.api_secret,
        profile=config.profile,
        switches=turned(Switches(), read_pairs(config.switches)),
    )
