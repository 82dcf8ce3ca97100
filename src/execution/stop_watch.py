"""A second pair of eyes on the stops: asked for every second, and the engine hears only of those that are gone.

The stream tells when the exchange ends a stop; but that one message may be lost on a connection that looks well, and
then the position would be bare until the next ordinary look. A question costs one unit of weight (binance-usdm.md
§7.1). What it finds in order is neither journaled nor stepped: a journal of "still there" helps nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..core.events import StopMissed
from ..core.order import AlgoOrder
from ..core.state import State
from ..core.values import AlgoStatus, Role
from .driver import Driver
from .errors import ExchangeError, ExchangeUnreachable
from .ports import Gateway, Runtime
from .spells import Spell

WEIGHT = 1
"""What one look costs; a stop that it lacks is asked about further."""
SYMBOLS_PER_INTERVAL = 10
"""With more symbols than this the interval grows with them, so that the watch stays below a quarter of the budget."""


class StopWatch:
    """Watches the live stops of all brackets. `held_back` says why questions of a weight are not asked now, or None;
    `answers` hears whether there are any."""

    def __init__(
        self,
        gateway: Gateway,
        driver: Driver,
        runtime: Runtime,
        interval_s: float,
        held_back: Callable[[int], str | None],
        answers: Spell,
    ) -> None:
        self._gateway = gateway
        self._driver = driver
        self._runtime = runtime
        self._interval_s = interval_s
        self._held_back = held_back
        self._answers = answers
        self._under_way: set[str] = set()

    def look(self) -> float:
        """Ask about every live stop, each symbol on a worker of its own; in how many seconds to look again."""
        stops = live_stops(self._driver.read())
        for symbol, watched in stops.items():
            if symbol not in self._under_way:
                self._under_way.add(symbol)
                if not self._runtime.spawn(partial(self._look_at, symbol, watched)):
                    self._under_way.discard(symbol)
        return self._interval_s * max(1.0, len(stops) / SYMBOLS_PER_INTERVAL)

    def _look_at(self, symbol: str, stops: list[AlgoOrder]) -> None:
        try:
            if self._held_back(WEIGHT) is not None:
                return
            asked_at_ms = self._gateway.exchange_now_ms()
            resting = self._gateway.resting_algo_ids(symbol)
            self._answers.succeeded()
            for client_id in (stop.intent.client_order_id for stop in stops):
                if client_id not in resting:
                    at_ms = self._gateway.exchange_now_ms()
                    missed = StopMissed(at_ms=at_ms, symbol=symbol, client_order_id=client_id, asked_at_ms=asked_at_ms)
                    self._driver.handle(missed)
        except ExchangeUnreachable:
            self._answers.failed()
        except ExchangeError:
            pass  # on record as an api_error, like the others; the next look is a second away
        finally:
            self._under_way.discard(symbol)


def live_stops(state: State) -> dict[str, list[AlgoOrder]]:
    """The stops that are believed to rest, by symbol."""
    found: dict[str, list[AlgoOrder]] = {}
    for algo in state.algos.values():
        if algo.status is AlgoStatus.NEW and algo.intent.role is Role.STOP_LOSS:
            found.setdefault(algo.intent.symbol, []).append(algo)
    return found
