"""Public history: candles, trades, the day, funding, open interest (``binance-usdm.md §3.1``)."""

from decimal import Decimal

from ..candles import INTERVALS, Candle, Chart, next_open, open_of
from ..decimals import padded, plain
from ..errors import Code, refusal
from ..market_data import FUNDING_INTERVAL_MS
from ..market_events import average, change_percent
from ..markets import TradePrint
from ..messages import Row
from ..params import Params
from ..tape import Aggregate, Tape
from .route import Call, Route, Routes, Security, costs, costs_by_symbol

_CANDLES_DEFAULT, _CANDLES_MAX = 500, 1500
_ROWS_DEFAULT, _ROWS_MAX = 500, 1000
_FUNDING_DEFAULT = 100
_DAY_MS = 24 * 60 * 60 * 1000
# Asking for aggregates by time reaches back this far since 2026-08-13.
_AGGREGATES_MS = 2 * _DAY_MS
_CONTRACT_TYPES = frozenset({"PERPETUAL"})


def _read_limit(params: Params, default: int, maximum: int) -> int:
    limit = params.integer("limit", default)
    if not 1 <= limit <= maximum:
        raise refusal(Code.PARAMETER_VALUE, "limit")
    return limit


def _tape(call: Call, name: str = "symbol") -> Tape:
    return call.venue.data.tape(call.venue.rules(call.params.text(name)).symbol)


def _candles(call: Call, chart: Chart) -> list[Candle]:
    params, now_ms = call.params, call.venue.now_ms()
    interval = params.choice("interval", INTERVALS, Code.INTERVAL)
    limit = _read_limit(params, _CANDLES_DEFAULT, _CANDLES_MAX)
    end_ms = min(params.integer("endTime", now_ms), now_ms)
    if params.has("startTime"):
        start_ms = params.integer("startTime")
        first_ms = open_of(interval, start_ms)
        first_ms = first_ms if first_ms >= start_ms else next_open(interval, first_ms)
    else:
        first_ms = open_of(interval, end_ms)
        for _ in range(limit - 1):
            first_ms = open_of(interval, first_ms - 1)
    found: list[Candle] = []
    while first_ms <= end_ms and len(found) < limit:
        found.append(chart.candle(interval, first_ms, now_ms))
        first_ms = next_open(interval, first_ms)
    return found


def _candle_row(candle: Candle, interval: str, precision: int) -> list[object]:
    return [
        candle.open_ms,
        padded(candle.open, precision),
        padded(candle.high, precision),
        padded(candle.low, precision),
        padded(candle.close, precision),
        plain(candle.volume),
        next_open(interval, candle.open_ms) - 1,
        plain(candle.quote),
        candle.trades,
        plain(candle.taker_volume),
        plain(candle.taker_quote),
        "0",
    ]


def _price_rows(call: Call, tape: Tape) -> object:
    precision, interval = tape.market.instrument.price_precision, call.params.text("interval", "")
    return [_candle_row(candle, interval, precision) for candle in _candles(call, tape.chart)]


def klines(call: Call) -> object:
    """List candles, oldest first; the last one is still open."""
    return _price_rows(call, _tape(call))


def continuous_klines(call: Call) -> object:
    """List candles of a pair's contract; every contract here is perpetual."""
    call.params.choice("contractType", _CONTRACT_TYPES, Code.PARAMETER_VALUE)
    return _price_rows(call, _tape(call, "pair"))


def _mark_rows(call: Call, name: str) -> object:
    tape, interval = _tape(call, name), call.params.text("interval", "")
    rows = [_candle_row(candle, interval, 8) for candle in _candles(call, tape.mark_chart)]
    # Prices without trades: volumes are zero, the count stays.
    return [[*row[:5], "0", row[6], "0", row[8], "0", "0", "0"] for row in rows]


def mark_price_klines(call: Call) -> object:
    """List candles of the mark price."""
    return _mark_rows(call, "symbol")


def index_price_klines(call: Call) -> object:
    """List candles of the index price, which the mark price equals here."""
    return _mark_rows(call, "pair")


def trades(call: Call) -> object:
    """List the latest trades, oldest first."""
    limit = _read_limit(call.params, _ROWS_DEFAULT, _ROWS_MAX)
    return [_trade_row(trade, call) for trade in list(_tape(call).trades)[-limit:]]


def historical_trades(call: Call) -> object:
    """List trades from an id on; without one the latest."""
    if not call.params.has("fromId"):
        return trades(call)
    limit, first_id = _read_limit(call.params, _ROWS_DEFAULT, _ROWS_MAX), call.params.integer("fromId")
    found = [trade for trade in _tape(call).trades if trade.trade_id >= first_id]
    return [_trade_row(trade, call) for trade in found[:limit]]


def _trade_row(trade: TradePrint, call: Call) -> Row:
    return {
        "id": trade.trade_id,
        "price": padded(trade.price, call.venue.rules(trade.symbol).price_precision),
        "qty": plain(trade.quantity),
        "quoteQty": plain(trade.price * trade.quantity),
        "time": trade.time_ms,
        "isBuyerMaker": trade.taker_side == "SELL",
        "isRPITrade": False,
    }


def aggregate_trades(call: Call) -> object:
    """List trades added up per taker and price: from an id or a time on, else the latest."""
    params, tape = call.params, _tape(call)
    limit = _read_limit(params, _ROWS_DEFAULT, _ROWS_MAX)
    now_ms = call.venue.now_ms()
    start_ms = max(params.integer("startTime", 0), now_ms - _AGGREGATES_MS)
    end_ms, from_id = params.integer("endTime", now_ms), params.integer("fromId", 0)
    found = [
        aggregate
        for aggregate in tape.aggregates
        if start_ms <= aggregate.time_ms <= end_ms and aggregate.aggregate_id >= from_id
    ]
    is_bounded = params.has("startTime") or params.has("fromId")
    precision = tape.market.instrument.price_precision
    return [_aggregate_row(row, precision) for row in (found[:limit] if is_bounded else found[-limit:])]


def _aggregate_row(aggregate: Aggregate, precision: int) -> Row:
    return {
        "a": aggregate.aggregate_id,
        "p": padded(aggregate.price, precision),
        "q": plain(aggregate.quantity),
        "nq": plain(aggregate.quantity),
        "f": aggregate.first_id,
        "l": aggregate.last_id,
        "T": aggregate.time_ms,
        "m": aggregate.taker_side == "SELL",
    }


def ticker_day(call: Call) -> object:
    """Tell the last 24 hours."""
    now_ms = call.venue.now_ms()
    if call.params.has("symbol"):
        return _day_row(_tape(call), now_ms)
    return [_day_row(tape, now_ms) for tape in call.venue.data.trading()]


def _day_row(tape: Tape, now_ms: int) -> Row:
    day, precision = tape.day(now_ms), tape.market.instrument.price_precision
    return {
        "symbol": tape.market.instrument.symbol,
        "priceChange": padded(day.close - day.open, precision),
        "priceChangePercent": change_percent(day),
        "weightedAvgPrice": padded(average(day), precision),
        "lastPrice": padded(day.close, precision),
        "lastQty": plain(tape.last_quantity()),
        "openPrice": padded(day.open, precision),
        "highPrice": padded(day.high, precision),
        "lowPrice": padded(day.low, precision),
        "volume": plain(day.volume),
        "quoteVolume": plain(day.quote),
        "openTime": now_ms - _DAY_MS,
        "closeTime": now_ms,
        "firstId": day.first_id,
        "lastId": day.last_id,
        "count": day.trades,
    }


def funding_rate(call: Call) -> object:
    """List the funding hours, oldest first."""
    params, now_ms = call.params, call.venue.now_ms()
    limit = _read_limit(params, _FUNDING_DEFAULT, _ROWS_MAX)
    symbols = [_tape(call)] if params.has("symbol") else call.venue.data.trading()
    last_ms = min(params.integer("endTime", now_ms), now_ms) // FUNDING_INTERVAL_MS * FUNDING_INTERVAL_MS
    first_ms = last_ms - (limit - 1) * FUNDING_INTERVAL_MS
    if params.has("startTime"):
        first_ms = -(-params.integer("startTime") // FUNDING_INTERVAL_MS) * FUNDING_INTERVAL_MS
    hours = list(range(first_ms, last_ms + 1, FUNDING_INTERVAL_MS)[:limit])
    rows = [
        {
            "symbol": tape.market.instrument.symbol,
            "fundingRate": padded(call.venue.settled_rate(tape.market.instrument.symbol, hour_ms), 8),
            "fundingTime": hour_ms,
            "rateType": "Regular",
            "markPrice": padded(tape.mark_chart.candle("1m", hour_ms, now_ms).open, 8),
        }
        for hour_ms in hours
        for tape in symbols
    ]
    return rows[-limit:] if not params.has("startTime") else rows[:limit]


def funding_info(call: Call) -> object:
    """List the markets whose funding differs from the rule; the row is the rule's own, so that clients see a shape."""
    return [
        {
            "symbol": tape.market.instrument.symbol,
            "adjustedFundingRateCap": "0.02000000",
            "adjustedFundingRateFloor": "-0.02000000",
            "fundingIntervalHours": 8,
            "disclaimer": False,
        }
        for tape in call.venue.data.trading()
    ]


def open_interest(call: Call) -> object:
    """Tell the open contracts."""
    symbol = call.venue.rules(call.params.text("symbol")).symbol
    own = sum((abs(leg.amount) for account in call.venue.accounts.values() for leg in account.legs(symbol)), Decimal(0))
    return {
        "openInterest": plain(call.venue.data.open_interest(symbol, own)),
        "symbol": symbol,
        "time": call.venue.now_ms(),
    }


def candle_weight(params: Params) -> int:
    """Weigh a candle request by its limit."""
    limit = params.integer("limit", _CANDLES_DEFAULT)
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10


ROUTES: Routes = {
    ("GET", "/fapi/v1/klines"): Route(klines, Security.NONE, candle_weight),
    ("GET", "/fapi/v1/continuousKlines"): Route(continuous_klines, Security.NONE, candle_weight),
    ("GET", "/fapi/v1/markPriceKlines"): Route(mark_price_klines, Security.NONE, candle_weight),
    ("GET", "/fapi/v1/indexPriceKlines"): Route(index_price_klines, Security.NONE, candle_weight),
    ("GET", "/fapi/v1/trades"): Route(trades, Security.NONE, costs(5)),
    ("GET", "/fapi/v1/historicalTrades"): Route(historical_trades, Security.KEY, costs(200)),
    ("GET", "/fapi/v1/aggTrades"): Route(aggregate_trades, Security.NONE, costs(20)),
    ("GET", "/fapi/v1/ticker/24hr"): Route(ticker_day, Security.NONE, costs_by_symbol(1, 40)),
    ("GET", "/fapi/v1/fundingRate"): Route(funding_rate, Security.NONE, costs(0), is_funding_pool=True),
    ("GET", "/fapi/v1/fundingInfo"): Route(funding_info, Security.NONE, costs(0), is_funding_pool=True),
    ("GET", "/fapi/v1/openInterest"): Route(open_interest, Security.NONE, costs(1)),
}
