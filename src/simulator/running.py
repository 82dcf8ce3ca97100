"""A simulator in a thread: for tests, demos and anybody who wants one inside a program."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from decimal import Decimal
from types import TracebackType
from typing import TypeVar

from .config import SimulatorConfig
from .control import make_fault, place_by_hand, set_account, state
from .exchange import Exchange
from .hosting import bind, make_exchange, make_server
from .messages import Row
from .script import play, read_script
from .ws_api import PATH as WS_API_PATH

_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 5.0

Result = TypeVar("Result")


class RunningSimulator:
    """A simulator in a thread of its own; every helper runs on its event loop."""

    def __init__(self, config: SimulatorConfig) -> None:
        self.exchange: Exchange = make_exchange(config)
        self._server = make_server(config, self.exchange)
        self._listener = bind(config)
        address = f"{config.host}:{self._listener.getsockname()[1]}"
        self.rest_url = f"http://{address}"
        self.stream_url = f"ws://{address}"
        self.ws_api_url = f"ws://{address}{WS_API_PATH}"
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
        self.wait(_STOP_TIMEOUT_S)

    def wait(self, timeout_s: float) -> None:
        """Wait until it has ended, whoever ended it."""
        self._thread.join(timeout=timeout_s)

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

    def lift_faults(self) -> int:
        """End all faults that wait or stand; tell how many."""
        return self._on_loop(lambda: self.exchange.faults.lift())

    def switch(self, **changes: object) -> None:
        """Decide open points of the exchange otherwise; names as in ``profiles.Switches``."""
        self._on_loop(lambda: self.exchange.set_switches(changes))

    def play(self, *lines: str) -> None:
        """Play a script from now on, one JSON object per line."""
        steps = read_script(lines, self.exchange.venue.instruments)
        self._on_loop(lambda: play(self.exchange, steps))

    def advance(self, by_ms: int) -> None:
        """Let time pass at once, with all that falls due on the way."""
        self._on_loop(lambda: self.exchange.advance(by_ms))

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

    def set_account(self, **options: object) -> Row:
        """Change the account past all rules; options as in ``POST /sim/account``."""
        return self._on_loop(lambda: set_account(self.exchange, options))
