"""Public events as the exchange writes them; ``st`` is 1 for a USDⓈ-M contract, ``ps`` its pair (2026-06-30)."""

from decimal import Decimal

from .candles import Candle, next_open
from .decimals import padded, plain
from .depth import Level
from .market_data import next_funding_ms
from .markets import Market, TradePrint
from .messages import Row
from .tape import Aggregate, Tape

_DAY_MS = 24 * 60 * 60 * 1000


def trade_event(market: Market, trade: TradePrint, now_ms: int) -> Row:
    """Write one trade."""
    return {
        "e": "trade",
        "E": now_ms,
        "T": trade.time_ms,
        "s": trade.symbol,
        "t": trade.trade_id,
        "p": padded(trade.price, market.instrument.price_precision),
        "q": plain(trade.quantity),
        "X": "MARKET",
        "m": trade.taker_side == "SELL",
        "st": 1,
    }


def aggregate_event(market: Market, aggregate: Aggregate, now_ms: int) -> Row:
    """Write the trades of one taker at one price."""
    return {
        "e": "aggTrade",
        "E": now_ms,
        "a": aggregate.aggregate_id,
        "s": market.instrument.symbol,
        "p": padded(aggregate.price, market.instrument.price_precision),
        "q": plain(aggregate.quantity),
        "nq": plain(aggregate.quantity),
        "f": aggregate.first_id,
        "l": aggregate.last_id,
        "T": aggregate.time_ms,
        "m": aggregate.taker_side == "SELL",
        "st": 1,
    }


def book_ticker_event(tape: Tape, bid: Level, ask: Level, now_ms: int) -> Row:
    """Write best bid and ask."""
    rules = tape.market.instrument
    return {
        "e": "bookTicker",
        "u": tape.update_id,
        "s": rules.symbol,
        "ps": rules.symbol,
        "b": padded(bid[0], rules.price_precision),
        "B": plain(bid[1]),
        "a": padded(ask[0], rules.price_precision),
        "A": plain(ask[1]),
        "T": tape.market.updated_ms,
        "E": now_ms,
        "st": 1,
    }


def depth_event(tape: Tape, ids: tuple[int, int, int], sides: dict[str, list[Level]], now_ms: int) -> Row:
    """Write changed levels; ``ids`` are the first, the last and the previous update."""
    rules = tape.market.instrument
    first, last, previous = ids
    bids, asks = (
        [[padded(price, rules.price_precision), plain(quantity)] for price, quantity in sides[side]]
        for side in ("BUY", "SELL")
    )
    return {
        "e": "depthUpdate",
        "E": now_ms,
        "T": now_ms,
        "s": rules.symbol,
        "ps": rules.symbol,
        "U": first,
        "u": last,
        "pu": previous,
        "b": bids,
        "a": asks,
        "st": 1,
    }


def kline_event(market: Market, interval: str, candle: Candle, now_ms: int) -> Row:
    """Write a candle; ``x`` tells that it is over."""
    symbol = market.instrument.symbol
    body = {"s": symbol, **_candle_body(market, interval, candle, now_ms)}
    return {"e": "kline", "E": now_ms, "s": symbol, "k": body, "st": 1}


def continuous_kline_event(market: Market, interval: str, candle: Candle, now_ms: int) -> Row:
    """Write a candle of a pair's contract; every contract here is perpetual."""
    body = _candle_body(market, interval, candle, now_ms)
    pair = market.instrument.symbol
    return {"e": "continuous_kline", "E": now_ms, "ps": pair, "ct": "PERPETUAL", "k": body, "st": 1}


def _candle_body(market: Market, interval: str, candle: Candle, now_ms: int) -> Row:
    end_ms = next_open(interval, candle.open_ms)
    precision = market.instrument.price_precision
    return {
        "t": candle.open_ms,
        "T": end_ms - 1,
        "i": interval,
        "f": candle.first_id,
        "L": candle.last_id,
        "o": padded(candle.open, precision),
        "c": padded(candle.close, precision),
        "h": padded(candle.high, precision),
        "l": padded(candle.low, precision),
        "v": plain(candle.volume),
        "n": candle.trades,
        "x": now_ms >= end_ms,
        "q": plain(candle.quote),
        "V": plain(candle.taker_volume),
        "Q": plain(candle.taker_quote),
        "B": "0",
    }


def mark_event(market: Market, rate: Decimal, now_ms: int) -> Row:
    """Write the mark price; the index follows it, and so does its average."""
    mark = padded(market.mark, 8)
    return {
        "e": "markPriceUpdate",
        "E": now_ms,
        "s": market.instrument.symbol,
        "p": mark,
        "ap": mark,
        "i": mark,
        "P": mark,
        "r": padded(rate, 8),
        "T": next_funding_ms(now_ms),
        "st": 1,
    }


def mini_ticker_event(tape: Tape, now_ms: int) -> Row:
    """Write the day in short."""
    day, precision = tape.day(now_ms), tape.market.instrument.price_precision
    return {
        "e": "24hrMiniTicker",
        "E": now_ms,
        "s": tape.market.instrument.symbol,
        "c": padded(day.close, precision),
        "o": padded(day.open, precision),
        "h": padded(day.high, precision),
        "l": padded(day.low, precision),
        "v": plain(day.volume),
        "q": plain(day.quote),
        "ps": tape.market.instrument.symbol,
        "st": 1,
    }


def ticker_event(tape: Tape, now_ms: int) -> Row:
    """Write the day."""
    day, precision = tape.day(now_ms), tape.market.instrument.price_precision
    return {
        "e": "24hrTicker",
        "E": now_ms,
        "s": tape.market.instrument.symbol,
        "p": padded(day.close - day.open, precision),
        "P": change_percent(day),
        "w": padded(average(day), precision),
        "c": padded(day.close, precision),
        "Q": plain(tape.last_quantity()),
        "o": padded(day.open, precision),
        "h": padded(day.high, precision),
        "l": padded(day.low, precision),
        "v": plain(day.volume),
        "q": plain(day.quote),
        "O": now_ms - _DAY_MS,
        "C": now_ms,
        "F": day.first_id,
        "L": day.last_id,
        "n": day.trades,
        "st": 1,
    }


def change_percent(day: Candle) -> str:
    """Write how much a day changed, in percent."""
    return padded((day.close - day.open) * 100 / day.open, 3)


def average(day: Candle) -> Decimal:
    """Give the average price of a day, weighted by volume."""
    return day.quote / day.volume if day.volume else day.close


def force_order_event(order: Row, now_ms: int) -> Row:
    """Write a liquidation: the body of its ORDER_TRADE_UPDATE in the fields the public sees."""
    shown = ("s", "S", "o", "f", "q", "p", "ap", "X", "l", "z", "T")
    body: Row = {name: order[name] for name in shown}
    return {"e": "forceOrder", "E": now_ms, "o": body | {"o": "LIMIT", "f": "IOC"}, "st": 1}
