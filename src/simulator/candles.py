"""Candles: minutes built from what happens, larger ones added up, and an invented past before the exchange began."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b

from .decimals import ZERO

MINUTE_MS = 60_000
_HOUR_MS = 60 * MINUTE_MS
_DAY_MS = 24 * _HOUR_MS
_WEEK_MS = 7 * _DAY_MS
# The epoch was a Thursday; weeks begin on Mondays.
_MONDAY_MS = 4 * _DAY_MS
_MONTH = "1M"
_FIXED_MS = {
    "1m": MINUTE_MS, "3m": 3 * MINUTE_MS, "5m": 5 * MINUTE_MS, "15m": 15 * MINUTE_MS, "30m": 30 * MINUTE_MS,
    "1h": _HOUR_MS, "2h": 2 * _HOUR_MS, "4h": 4 * _HOUR_MS, "6h": 6 * _HOUR_MS, "8h": 8 * _HOUR_MS,
    "12h": 12 * _HOUR_MS, "1d": _DAY_MS, "3d": 3 * _DAY_MS, "1w": _WEEK_MS,
}  # fmt: skip
INTERVALS = frozenset(_FIXED_MS) | {_MONTH}
# Invented prices stay within 0.5 % of the first real one.
_NOISE = Decimal("0.01")
# What an invented minute trades, in the quote asset.
_INVENTED_QUOTE = Decimal(20_000)


def open_of(interval: str, at_ms: int) -> int:
    """Give the opening time of the candle a moment falls into."""
    if interval == _MONTH:
        moment = datetime.fromtimestamp(at_ms // 1000, UTC)
        return _month_ms(moment.year, moment.month)
    length_ms = _FIXED_MS[interval]
    shift_ms = _MONDAY_MS if interval == "1w" else 0
    return (at_ms - shift_ms) // length_ms * length_ms + shift_ms


def next_open(interval: str, open_ms: int) -> int:
    """Give the opening time of the next candle."""
    if interval != _MONTH:
        return open_ms + _FIXED_MS[interval]
    moment = datetime.fromtimestamp(open_ms // 1000, UTC)
    return _month_ms(moment.year + moment.month // 12, moment.month % 12 + 1)


def _month_ms(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1000


@dataclass(slots=True)
class Candle:
    """What happened in a span of time."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    quote: Decimal = ZERO
    trades: int = 0
    taker_volume: Decimal = ZERO
    taker_quote: Decimal = ZERO
    first_id: int = -1
    last_id: int = -1

    def touch(self, price: Decimal) -> None:
        """Note a price."""
        self.close = price
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price

    def trade(self, trade_id: int, price: Decimal, quantity: Decimal, taker_side: str) -> None:
        """Note a trade."""
        self.touch(price)
        self.volume += quantity
        self.quote += price * quantity
        self.trades += 1
        if taker_side == "BUY":
            self.taker_volume += quantity
            self.taker_quote += price * quantity
        self.first_id = trade_id if self.first_id < 0 else self.first_id
        self.last_id = trade_id

    def add(self, later: "Candle") -> None:
        """Append a later candle."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume
        self.quote += later.quote
        self.trades += later.trades
        self.taker_volume += later.taker_volume
        self.taker_quote += later.taker_quote
        self.first_id = later.first_id if self.first_id < 0 else self.first_id
        self.last_id = max(self.last_id, later.last_id)


def flat(open_ms: int, price: Decimal) -> Candle:
    """Give a candle in which nothing happened."""
    return Candle(open_ms, price, price, price, price)


class Past:
    """The time before the exchange began: made up, the same for everybody who asks, seamless with the first price."""

    def __init__(self, symbol: str, tick: Decimal, step: Decimal, first_price: Decimal, began_ms: int) -> None:
        self._symbol = symbol
        self._tick = tick
        self._step = step
        self._price = first_price
        self.began_ms = open_of("1m", began_ms)

    def _dice(self, open_ms: int) -> tuple[Decimal, Decimal, int]:
        digest = blake2b(f"{self._symbol}/{open_ms}".encode(), digest_size=8).digest()
        return Decimal(digest[0]) / 256, Decimal(digest[1]) / 256, digest[2]

    def _price_at(self, at_ms: int) -> Decimal:
        if at_ms >= self.began_ms:
            return self._price
        offset = (self._dice(at_ms)[0] - Decimal("0.5")) * _NOISE
        price = self._price * (1 + offset)
        return max(self._tick, price - price % self._tick)

    def candle(self, interval: str, open_ms: int) -> Candle:
        """Invent a candle that ends before, or at, the beginning."""
        end_ms = next_open(interval, open_ms)
        first, last = self._price_at(open_ms), self._price_at(end_ms)
        _, reach, count = self._dice(open_ms)
        wick = (max(first, last) * _NOISE * reach / 10) // self._tick * self._tick
        minutes = (end_ms - open_ms) // MINUTE_MS
        volume = _INVENTED_QUOTE * minutes * (1 + reach) / first // self._step * self._step
        low = max(self._tick, min(first, last) - wick)
        half = volume / 2 // self._step * self._step
        return Candle(
            open_ms, first, max(first, last) + wick, low, last, volume, volume * last,
            minutes * (count + 1), half, half * last,
        )  # fmt: skip


class Chart:
    """The candles of one price series."""

    # Older minutes are forgotten: a week is kept.
    KEPT_MINUTES = 7 * 24 * 60

    def __init__(self, past: Past, first_price: Decimal) -> None:
        self._past = past
        self._first_ms = open_of("1m", past.began_ms)
        self._minutes: dict[int, Candle] = {self._first_ms: flat(self._first_ms, first_price)}
        self._latest = self._minutes[self._first_ms]

    def minute(self, now_ms: int) -> Candle:
        """Give the present minute; a new one opens at the last price."""
        if now_ms >= self._latest.open_ms + MINUTE_MS:
            open_ms = open_of("1m", now_ms)
            self._latest = self._minutes[open_ms] = flat(open_ms, self._latest.close)
            if len(self._minutes) > self.KEPT_MINUTES:
                del self._minutes[next(iter(self._minutes))]
        return self._latest

    def candle(self, interval: str, open_ms: int, now_ms: int) -> Candle:
        """Give a candle by its opening time."""
        self.minute(now_ms)
        end_ms = next_open(interval, open_ms)
        if end_ms <= self._first_ms:
            return self._past.candle(interval, open_ms)
        if open_ms < self._first_ms:
            whole = flat(open_ms, self._past.candle("1m", open_ms).open)
        else:
            whole = flat(open_ms, self._price_before(open_ms))
        is_begun = open_ms < self._first_ms
        for minute in self._between(open_ms, end_ms):
            if not is_begun:
                whole.open = whole.high = whole.low = minute.open
                is_begun = True
            whole.add(minute)
        return whole

    def _between(self, start_ms: int, end_ms: int) -> Iterator[Candle]:
        if (end_ms - start_ms) // MINUTE_MS > len(self._minutes):
            yield from (minute for at_ms, minute in self._minutes.items() if start_ms <= at_ms < end_ms)
            return
        for at_ms in range(open_of("1m", start_ms), end_ms, MINUTE_MS):
            if (minute := self._minutes.get(at_ms)) is not None:
                yield minute

    def _price_before(self, at_ms: int) -> Decimal:
        """Give the last price before a moment, for a candle in which nothing happened."""
        price = next(iter(self._minutes.values())).open
        for open_ms, minute in self._minutes.items():
            if open_ms >= at_ms:
                break
            price = minute.close
        return price

    def since(self, start_ms: int, now_ms: int) -> Candle:
        """Give everything from a moment on as one candle."""
        self.minute(now_ms)
        kept = [minute for at_ms, minute in self._minutes.items() if at_ms >= start_ms - MINUTE_MS]
        whole = flat(start_ms, kept[0].open)
        for minute in kept:
            whole.add(minute)
        return whole
