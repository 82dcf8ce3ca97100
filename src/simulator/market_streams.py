"""Public streams: what their names mean, and the feed that looks after every change and sends what is due.

Names and paths: ``binance-usdm.md §1.2``. Each stream that somebody listens to has one ``Source``, polled after each
request, price move and tick; it remembers what it has told. A market nobody listens to costs nothing.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from . import market_events as events
from .candles import Candle, open_of
from .connections import Connection, dump
from .contract_news import ContractNews
from .depth import Level
from .index_events import (
    ASSET_INDICES,
    COMPOSITE_INDEX,
    asset_index_event,
    asset_index_events,
    composite_index_event,
)
from .market_data import MarketData
from .markets import Market
from .messages import Row
from .stream_names import StreamName, parse_name
from .streams import StreamHub
from .tape import Book, Tape

_SPEEDS = {"@100ms": 100, "@250ms": 250, "@500ms": 500, "@1s": 1000}


Poll = Callable[[int], Iterator[object]]


class _Periodic:
    """Tells a state once per period."""

    def __init__(self, period_ms: int, make: Callable[[int], object | None]) -> None:
        self._period_ms = period_ms
        self._make = make
        self._slot = -1

    def __call__(self, now_ms: int) -> Iterator[object]:
        slot = now_ms // self._period_ms
        if slot != self._slot:
            self._slot = slot
            event = self._make(now_ms)
            if event is not None:
                yield event


class _Trades:
    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._told = tape.trades[-1].trade_id if tape.trades else 0

    def __call__(self, now_ms: int) -> Iterator[object]:
        for trade in [trade for trade in self._tape.trades if trade.trade_id > self._told]:
            self._told = trade.trade_id
            yield events.trade_event(self._tape.market, trade, now_ms)


class _Aggregates:
    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._told = tape.seal()

    def __call__(self, now_ms: int) -> Iterator[object]:
        fresh = [aggregate for aggregate in self._tape.aggregates if aggregate.aggregate_id > self._told]
        self._told = self._tape.seal()
        for aggregate in fresh:
            yield events.aggregate_event(self._tape.market, aggregate, now_ms)


class _BookTicker:
    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._told: tuple[Level, Level] | None = None

    def __call__(self, now_ms: int) -> Iterator[object]:
        best = self._tape.best("BUY"), self._tape.best("SELL")
        if best != self._told:
            self._told = best
            yield events.book_ticker_event(self._tape, *best, now_ms)


class _DepthDifference:
    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._book: Book = tape.book()
        self._update_id = tape.update_id

    def changes(self, now_ms: int) -> object | None:
        book, before = self._tape.book(), self._book
        if self._tape.update_id == self._update_id:
            return None
        ids = (self._update_id + 1, self._tape.update_id, self._update_id)
        self._book, self._update_id = book, self._tape.update_id
        sides = {side: sorted(_difference(before[side], book[side])) for side in book}
        return events.depth_event(self._tape, ids, sides, now_ms)


def _difference(before: dict[Decimal, Decimal], after: dict[Decimal, Decimal]) -> list[Level]:
    gone = [(price, Decimal(0)) for price in before if price not in after]
    return gone + [level for level in after.items() if before.get(level[0]) != level[1]]


class _PartialDepth:
    def __init__(self, tape: Tape, levels: int) -> None:
        self._tape = tape
        self._levels = levels
        self._previous = tape.update_id - 1

    def state(self, now_ms: int) -> object:
        sides = {side: self._tape.market.depth(side, self._levels) for side in ("BUY", "SELL")}
        previous, self._previous = self._previous, self._tape.update_id
        return events.depth_event(self._tape, (self._previous, self._previous, previous), sides, now_ms)


class _Kline:
    def __init__(
        self,
        tape: Tape,
        interval: str,
        now_ms: int,
        write: Callable[[Market, str, Candle, int], Row] = events.kline_event,
    ) -> None:
        self._tape = tape
        self._interval = interval
        self._write = write
        self._open_ms = open_of(interval, now_ms)

    def __call__(self, now_ms: int) -> Iterator[object]:
        open_ms = open_of(self._interval, now_ms)
        if open_ms != self._open_ms:
            # The end of a candle is told apart, whatever the pace.
            yield self._event(self._open_ms, now_ms)
            self._open_ms = open_ms
        yield self._event(open_ms, now_ms)

    def _event(self, open_ms: int, now_ms: int) -> object:
        candle = self._tape.chart.candle(self._interval, open_ms, now_ms)
        return self._write(self._tape.market, self._interval, candle, now_ms)


class _Paced:
    """Lets a source speak at most once per period."""

    def __init__(self, period_ms: int, source: Poll) -> None:
        self._period_ms = period_ms
        self._source = source
        self._due_ms = 0

    def __call__(self, now_ms: int) -> Iterator[object]:
        if now_ms >= self._due_ms:
            self._due_ms = now_ms + self._period_ms
            yield from self._source(now_ms)


class _ForceOrders:
    def __init__(self, data: MarketData, symbol: str) -> None:
        self._data = data
        self._symbol = symbol
        self._told = data.liquidated

    def __call__(self, now_ms: int) -> Iterator[object]:
        fresh, self._told = self._data.liquidations_after(self._told), self._data.liquidated
        for order in fresh:
            if self._symbol in {"", order["s"]}:
                yield events.force_order_event(order, now_ms)


def _depth_source(data: MarketData, name: StreamName, _now_ms: int) -> Poll:
    tape = data.tape(name.symbol)
    period_ms = _SPEEDS.get(name.speed, 250)
    if name.levels:
        return _Periodic(period_ms, _PartialDepth(tape, name.levels).state)
    return _Periodic(period_ms, _DepthDifference(tape).changes)


def _mark_source(data: MarketData, name: StreamName, _now_ms: int) -> Poll:
    tape = data.quiet(name.symbol)
    return _Periodic(_SPEEDS.get(name.speed, 3000), lambda now_ms: _mark(data, tape, now_ms))


def _mark(data: MarketData, tape: Tape, now_ms: int) -> object:
    return events.mark_event(tape.market, data.funding_rate(tape.market.instrument.symbol), now_ms)


def _ticker_source(data: MarketData, name: StreamName, _now_ms: int) -> Poll:
    tape = data.tape(name.symbol)
    write = events.ticker_event if name.kind == "ticker" else events.mini_ticker_event
    return _Periodic(2000, lambda now_ms: write(tape, now_ms))


_ONE_MARKET: dict[str, Callable[[MarketData, StreamName, int], Poll]] = {
    "trade": lambda data, name, _: _Trades(data.tape(name.symbol)),
    "aggTrade": lambda data, name, _: _Aggregates(data.tape(name.symbol)),
    "bookTicker": lambda data, name, _: _BookTicker(data.tape(name.symbol)),
    "depth": _depth_source,
    # Nobody offers hidden orders here, so this book is the ordinary one.
    "rpiDepth": _depth_source,
    "kline": lambda data, name, now_ms: _Paced(250, _Kline(data.tape(name.symbol), name.interval, now_ms)),
    "continuousKline": lambda data, name, now_ms: _Paced(
        250, _Kline(data.tape(name.symbol), name.interval, now_ms, events.continuous_kline_event)
    ),
    "markPrice": _mark_source,
    "ticker": _ticker_source,
    "miniTicker": _ticker_source,
    "forceOrder": lambda data, name, _: _ForceOrders(data, name.symbol),
    "assetIndex": lambda data, name, _: _Periodic(1000, lambda now_ms: asset_index_event(data, name.symbol, now_ms)),
    "compositeIndex": lambda data, _, __: _Periodic(1000, lambda now_ms: composite_index_event(data, now_ms)),
}


def _each_market(data: MarketData, write: Callable[[Tape, int], object]) -> Callable[[int], object]:
    return lambda now_ms: [write(tape, now_ms) for tape in data.trading()]


def _all_book_tickers(data: MarketData) -> Poll:
    sources = [_BookTicker(tape) for tape in data.trading()]
    return lambda now_ms: (event for source in sources for event in source(now_ms))


_ALL_MARKETS: dict[str, Callable[[MarketData, StreamName], Poll]] = {
    "bookTicker": lambda data, _: _Paced(5000, _all_book_tickers(data)),
    "markPrice": lambda data, name: _Periodic(
        _SPEEDS.get(name.speed, 3000), _each_market(data, lambda tape, now_ms: _mark(data, tape, now_ms))
    ),
    "ticker": lambda data, _: _Periodic(1000, _each_market(data, events.ticker_event)),
    "miniTicker": lambda data, _: _Periodic(1000, _each_market(data, events.mini_ticker_event)),
    "forceOrder": lambda data, _: _ForceOrders(data, ""),
    "assetIndex": lambda data, _: _Periodic(1000, lambda now_ms: asset_index_events(data, now_ms)),
    "contractInfo": lambda data, _: ContractNews(data),
}
# Streams whose symbols are not those of contracts.
_INDEX_SYMBOLS = {"assetIndex": frozenset(ASSET_INDICES), "compositeIndex": frozenset({COMPOSITE_INDEX})}


class MarketFeed:
    """Sends public events to those who listen."""

    def __init__(self, data: MarketData, hub: StreamHub, markets: dict[str, Market], now_ms: Callable[[], int]) -> None:
        self._data = data
        self._hub = hub
        self._markets = markets
        self._now_ms = now_ms
        self._listeners: dict[str, list[Connection]] = {}
        self._sources: dict[str, Poll] = {}
        hub.on_subscriptions = self._look_again

    def pump(self) -> None:
        """Send what is due."""
        if not self._listeners:
            return
        now_ms = self._now_ms()
        for name, source in self._sources.items():
            for event in source(now_ms):
                self._send(name, event)

    def _send(self, name: str, event: object) -> None:
        if self._hub.is_muted:
            return
        bare = dump(event)
        for connection in self._listeners[name]:
            connection.tell(name, event, bare)

    def _look_again(self) -> None:
        self._listeners = self._hub.market_listeners(self._route_of)
        now_ms = self._now_ms()
        self._sources = {name: self._sources.get(name) or self._open(name, now_ms) for name in self._listeners}

    def _route_of(self, name: str) -> str | None:
        parsed = parse_name(name)
        if parsed is None:
            return None
        known = _INDEX_SYMBOLS.get(parsed.kind, self._markets.keys())
        return parsed.route if not parsed.symbol or parsed.symbol in known else None

    def _open(self, name: str, now_ms: int) -> Poll:
        parsed = parse_name(name)
        if parsed is None:
            raise ValueError(name)
        if not parsed.symbol:
            return _ALL_MARKETS[parsed.kind](self._data, parsed)
        return _ONE_MARKET[parsed.kind](self._data, parsed, now_ms)
