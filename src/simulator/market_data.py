"""The public records of all markets; each begins to listen when somebody first asks for trades."""

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import cast

from .markets import Market
from .messages import Row
from .tape import Tape

FUNDING_RATE = "0.00010000"
# What the venue pays when the contract trades at its index: its interest rate alone.
DEFAULT_FUNDING_RATE = Decimal(FUNDING_RATE)
_LIQUIDATIONS_MAX = 1000
FUNDING_INTERVAL_MS = 8 * 60 * 60 * 1000


class MarketData:
    """What everybody can see."""

    def __init__(self, markets: dict[str, Market], now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        began_ms = now_ms()
        self._tapes = {symbol: Tape(market, began_ms) for symbol, market in markets.items()}
        self._liquidations: deque[tuple[int, Row]] = deque(maxlen=_LIQUIDATIONS_MAX)
        self.liquidated = 0
        # Rates of the next funding that are not the usual one; positive means that longs pay.
        self.funding_rates: dict[str, Decimal] = {}

    def funding_rate(self, symbol: str) -> Decimal:
        """Give the rate of the next funding of a symbol."""
        return self.funding_rates.get(symbol, DEFAULT_FUNDING_RATE)

    def quiet(self, symbol: str) -> Tape:
        """Give the record of a market without asking for its trades."""
        return self._tapes[symbol]

    def tape(self, symbol: str) -> Tape:
        """Give the record of a market, which hears every trade from now on."""
        tape = self._tapes[symbol]
        tape.listen()
        return tape

    def note_prices(self, symbol: str) -> None:
        """Note that the prices of a market have moved."""
        self._tapes[symbol].note_prices(self._now_ms())

    def every(self) -> list[Tape]:
        """Give the records of all markets, whatever their status."""
        return list(self._tapes.values())

    def trading(self) -> list[Tape]:
        """Give the records of all markets that trade."""
        return [tape for tape in self._tapes.values() if tape.market.instrument.is_trading]

    def note_liquidation(self, event: Row) -> None:
        """Note an execution of a liquidation by its ORDER_TRADE_UPDATE."""
        self.liquidated += 1
        self._liquidations.append((self.liquidated, cast(Row, event["o"])))

    def liquidations_after(self, number: int) -> list[Row]:
        """Give the bodies of the liquidations after the one with a number."""
        return [order for counted, order in self._liquidations if counted > number]

    def open_interest(self, symbol: str, own: Decimal) -> Decimal:
        """Give the open contracts: a constant for other people, and the account's own."""
        rules = self._tapes[symbol].market.instrument
        others = Decimal(100_000_000) / self._tapes[symbol].market.last
        return others // rules.step_size * rules.step_size + own


def next_funding_ms(now_ms: int) -> int:
    """Give the next funding hour."""
    return (now_ms // FUNDING_INTERVAL_MS + 1) * FUNDING_INTERVAL_MS
