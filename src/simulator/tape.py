"""What everybody can see of one market: trades, candles, and how the book changed."""

from collections import deque
from dataclasses import dataclass
from decimal import Decimal

from .candles import Candle, Chart, Past, open_of
from .depth import Level
from .markets import FIRST_TRADE_ID, Market, TradePrint

# The venue keeps more; nobody can ask for more than this in one request.
TRADES_MAX = 1000
_INVENTED_TRADES = 50
_FIRST_UPDATE_ID = 1_000_000
_FIRST_AGGREGATE_ID = 2_000_000
_DAY_MS = 24 * 60 * 60 * 1000

Book = dict[str, dict[Decimal, Decimal]]


@dataclass(slots=True)
class Aggregate:
    """Trades of one taker at one price (``binance-usdm.md §3.1`` aggTrades)."""

    aggregate_id: int
    price: Decimal
    quantity: Decimal
    first_id: int
    last_id: int
    time_ms: int
    taker_side: str


class Tape:
    """The public record of one market."""

    def __init__(self, market: Market, now_ms: int) -> None:
        self.market = market
        rules = market.instrument
        self._began_ms = now_ms
        self.trades: deque[TradePrint] = deque(maxlen=TRADES_MAX)
        self.aggregates: deque[Aggregate] = deque(maxlen=TRADES_MAX)
        self._next_aggregate_id = _FIRST_AGGREGATE_ID
        past = Past(rules.symbol, rules.tick_size, rules.step_size, market.last, now_ms)
        self.chart = Chart(past, market.last)
        self.mark_chart = Chart(past, market.mark)
        self._book: Book = {}
        self._update_id = _FIRST_UPDATE_ID
        # An aggregate that was shown does not grow any more.
        self._sealed_id = 0

    def listen(self) -> None:
        """Hear every trade from now on, those of other people too."""
        if self.hear not in self.market.tapes:
            self._invent_trades()
            self.market.tapes.append(self.hear)

    def _invent_trades(self) -> None:
        """Make up the latest trades of the time before the exchange began; its candles have counted them."""
        rules = self.market.instrument
        for number in range(_INVENTED_TRADES, 0, -1):
            time_ms = self._began_ms - number * 1000
            minute = self.chart.candle("1m", open_of("1m", time_ms), self._began_ms)
            side = "BUY" if number % 2 else "SELL"
            quantity = rules.step_size * (1 + number % 7)
            trade = TradePrint(rules.symbol, FIRST_TRADE_ID - number, minute.close, quantity, side, time_ms)
            self.trades.append(trade)
            self._aggregate(trade)

    def note_prices(self, now_ms: int) -> None:
        """Note that the prices have moved."""
        self.chart.minute(now_ms).touch(self.market.last)
        self.mark_chart.minute(now_ms).touch(self.market.mark)

    def hear(self, trade: TradePrint) -> None:
        """Note a trade."""
        self.trades.append(trade)
        minute = self.chart.minute(trade.time_ms)
        minute.trade(trade.trade_id, trade.price, trade.quantity, trade.taker_side)
        self._aggregate(trade)

    def _aggregate(self, trade: TradePrint) -> None:
        latest = self.aggregates[-1] if self.aggregates else None
        if latest is not None and latest.aggregate_id > self._sealed_id and _belongs(latest, trade):
            latest.quantity += trade.quantity
            latest.last_id = trade.trade_id
            return
        self._next_aggregate_id += 1
        self.aggregates.append(
            Aggregate(
                self._next_aggregate_id,
                trade.price,
                trade.quantity,
                trade.trade_id,
                trade.trade_id,
                trade.time_ms,
                trade.taker_side,
            )
        )

    def seal(self) -> int:
        """Let no aggregate shown so far grow; give the id of the latest."""
        self._sealed_id = self._next_aggregate_id
        return self._sealed_id

    def book(self) -> Book:
        """Give the whole visible book as it is now."""
        seen: Book = {side: dict(self.market.depth(side, TRADES_MAX)) for side in ("BUY", "SELL")}
        if seen != self._book:
            self._book = seen
            self._update_id += 1
        return self._book

    @property
    def update_id(self) -> int:
        """The number of the book's present state."""
        self.book()
        return self._update_id

    def best(self, side: str) -> Level:
        """Give the best level of a side, zeros when it is empty."""
        return next(iter(self.market.depth(side, 1)), (Decimal(0), Decimal(0)))

    def day(self, now_ms: int) -> Candle:
        """Give the last 24 hours."""
        return self.chart.since(now_ms - _DAY_MS, now_ms)

    def last_quantity(self) -> Decimal:
        """Give the size of the latest trade."""
        return self.trades[-1].quantity if self.trades else Decimal(0)


def _belongs(latest: Aggregate, trade: TradePrint) -> bool:
    return (latest.price, latest.taker_side, latest.time_ms) == (trade.price, trade.taker_side, trade.time_ms)
