"""The exchange as a process: sockets on loopback, real time, a price path that plays.

``run`` is the command line's way in, ``start_in_thread`` that of tests and demos.
"""

import asyncio
import contextlib
import functools
import json
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from decimal import Decimal
from types import TracebackType
from typing import Any, TypeVar

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from .asgi import ABORT_EXTENSION, Application, Receive, Scope, Send
from .control import make_fault, place_by_hand, state
from .exchange import Exchange
from .messages import Row
from .prices import PricePath, open_path
from .venue import Venue

_TICK_S = 1.0
_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 5.0
# Time that requests in flight get when the server stops.
_DRAIN_S = 0
_PING_INTERVAL_S = 180.0  # ``binance-usdm.md §10.1``
_PONG_TIMEOUT_S = 600.0

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """How to run the simulated exchange; times in milliseconds, ``speed`` scales the price path alone."""

    port: int = 0
    host: str = "127.0.0.1"
    seed: int = 1
    api_key: str | None = None
    api_secret: str | None = field(default=None, repr=False)
    profile: str = "mainnet"
    prices: str = "walk"
    speed: float = 1.0
    latency_ms: int = 0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class _AbortableProtocol(H11Protocol):
    """HTTP/1.1 whose handlers may cut the TCP connection, for faults that lose an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app = functools.partial(_call_with_abort, self.app, transport)


async def _call_with_abort(
    app: Callable[..., Any], transport: asyncio.Transport, scope: Scope, receive: Receive, send: Send
) -> None:
    scope.setdefault("extensions", {})[ABORT_EXTENSION] = transport.abort
    await app(scope, receive, send)


class _Server(uvicorn.Server):
    """uvicorn that says when it is ready and plays the price path while it serves."""

    def __init__(self, config: uvicorn.Config, exchange: Exchange, settings: SimulatorConfig) -> None:
        super().__init__(config)
        self._exchange = exchange
        self._settings = settings
        self._background: list[asyncio.Task[None]] = []
        self.on_ready: Callable[[], None] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._background = [asyncio.create_task(self._tick_for_ever()), asyncio.create_task(self._play_prices())]
        self.on_ready()

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
        """Play the path; a reset starts it again."""
        while True:
            venue = self._exchange.venue
            for step in self._open_path():
                await asyncio.sleep(step.pause_ms / 1000 / self._settings.speed)
                if self._exchange.venue is not venue:
                    break
                for symbol, price in step.prices.items():
                    self._exchange.set_price(symbol, price)
            await self._until_reset(venue)

    async def _until_reset(self, venue: Venue) -> None:
        while self._exchange.venue is venue:  # noqa: ASYNC110 - the exchange is no asyncio code and owns no event
            await asyncio.sleep(_TICK_S / 10)

    def _open_path(self) -> PricePath:
        exchange = self._exchange
        rng = random.Random(f"{exchange.seed}/prices")
        return open_path(
            self._settings.prices,
            exchange.venue.instruments,
            lambda symbol: exchange.venue.markets[symbol].last,
            rng,
        )


def _bind(config: SimulatorConfig) -> socket.socket:
    # Named as TCP, because asyncio switches Nagle's delay off for sockets that say so, and only for those.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((config.host, config.port))
    return listener


def _make_server(config: SimulatorConfig, exchange: Exchange) -> _Server:
    settings = uvicorn.Config(
        Application(exchange, config.latency_ms),
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
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_DRAIN_S,
    )
    return _Server(settings, exchange, config)


def _make_exchange(config: SimulatorConfig) -> Exchange:
    return Exchange(
        now_ms=_now_ms,
        seed=config.seed,
        api_key=config.api_key,
        api_secret=config.api_secret,
        profile=config.profile,
    )


def run(config: SimulatorConfig) -> None:
    """Serve until SIGINT or SIGTERM; prints one JSON line when ready.

    The line carries the secret only when it was generated here: a supplied one is known to whoever supplied it.
    """
    exchange = _make_exchange(config)
    listener = _bind(config)
    address = f"{config.host}:{listener.getsockname()[1]}"
    ready: Row = {
        "ready": True,
        "rest": f"http://{address}",
        "stream": f"ws://{address}",
        "api_key": exchange.api_key,
    }
    if config.api_secret is None:
        ready["api_secret"] = exchange.api_secret
    server = _make_server(config, exchange)
    server.on_ready = lambda: _print_line(ready)
    server.run(sockets=[listener])


def _print_line(row: Row) -> None:
    sys.stdout.write(json.dumps(row, separators=(",", ":")) + "\n")
    sys.stdout.flush()


class RunningSimulator:
    """A simulator in a thread of its own; every helper runs on its event loop."""

    def __init__(self, config: SimulatorConfig) -> None:
        self.exchange = _make_exchange(config)
        self._listener = _bind(config)
        address = f"{config.host}:{self._listener.getsockname()[1]}"
        self.rest_url = f"http://{address}"
        self.stream_url = f"ws://{address}"
        self._server = _make_server(config, self.exchange)
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._server.on_ready = lambda: self._ready.set_result(asyncio.get_running_loop())
        self._thread = threading.Thread(target=self._serve, name="simulator", daemon=True)

    @property
    def api_key(self) -> str:
        """The key of the exchange's account."""
        return self.exchange.api_key

    @property
    def api_secret(self) -> str:
        """The secret of the exchange's account."""
        return self.exchange.api_secret

    def __enter__(self) -> "RunningSimulator":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> "RunningSimulator":
        """Start serving and wait until requests are welcome."""
        if not self._thread.is_alive():
            self._thread.start()
        self._ready.result(timeout=_START_TIMEOUT_S)
        return self

    def stop(self) -> None:
        """Stop serving; open sockets are closed."""
        self._server.should_exit = True
        self._thread.join(timeout=_STOP_TIMEOUT_S)

    def _serve(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[self._listener]))
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            raise

    def _on_loop(self, action: Callable[[], Result]) -> Result:
        """Run an action between two requests and wait for its result."""
        outcome: Future[Result] = Future()

        def perform() -> None:
            try:
                outcome.set_result(action())
            except Exception as error:  # noqa: BLE001 - handed to the thread that asked
                outcome.set_exception(error)

        self._ready.result().call_soon_threadsafe(perform)
        return outcome.result(timeout=_START_TIMEOUT_S)

    def set_price(self, symbol: str, price: str, mark: str | None = None) -> None:
        """Move the price of a symbol."""
        mark_price = None if mark is None else Decimal(mark)
        self._on_loop(lambda: self.exchange.set_price(symbol, Decimal(price), mark_price))

    def fault(self, name: str, **options: object) -> None:
        """Cause a fault; options as in ``POST /sim/fault``."""
        fault = make_fault({"fault": name, **options})
        self._on_loop(lambda: self.exchange.fault(fault))

    def state(self) -> Row:
        """Give what ``GET /sim/state`` shows."""
        return self._on_loop(lambda: state(self.exchange))

    def reset(self, seed: int | None = None) -> None:
        """Begin again with empty books."""
        self._on_loop(lambda: self.exchange.reset(seed))

    def set_clock_offset(self, offset_ms: int) -> None:
        """Skew the exchange's clock."""
        self._on_loop(lambda: setattr(self.exchange.clock, "offset_ms", offset_ms))

    def trade_by_hand(self, symbol: str, side: str, quantity: str, **options: object) -> Row:
        """Trade on the account past all clients; options as in ``POST /sim/order``."""
        body = {"symbol": symbol, "side": side, "quantity": quantity, **options}
        return self._on_loop(lambda: place_by_hand(self.exchange, body))


def start_in_thread(config: SimulatorConfig | None = None) -> RunningSimulator:
    """Start a simulator beside the caller; use it as a context manager, or call ``stop``."""
    return RunningSimulator(config or SimulatorConfig()).start()
