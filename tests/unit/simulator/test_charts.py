"""Public history over REST: candles that add up, trades, the day, funding (``binance-usdm.md §3.1``)."""

import itertools
import json
from decimal import Decimal
from typing import Any

import pytest

from bracketeer.simulator.candles import INTERVALS, next_open, open_of
from bracketeer.simulator.params import Params
from bracketeer.simulator.rest.charts import candle_weight
from tests.unit.simulator.desk import KEY, START_MS, Desk, decode
from tests.unit.simulator.test_market_streams import FIXTURES

KLINES = "/fapi/v1/klines"


def klines(desk: Desk, query: str = "symbol=BTCUSDT&interval=1m&limit=3", path: str = KLINES) -> Any:
    """Ask for candles."""
    return desk.public(path, query).json


@pytest.mark.parametrize("interval", sorted(INTERVALS))
def test_candles_join_without_gaps(interval: str) -> None:
    """Each opens where the one before closed, in time and in price; the last one is still open."""
    desk = Desk()
    desk.price("60100")
    rows = klines(desk, f"symbol=BTCUSDT&interval={interval}&limit=5")
    assert len(rows) == 5
    for before, after in itertools.pairwise(rows):
        assert after[0] == before[6] + 1 == next_open(interval, before[0])
        assert open_of(interval, before[6]) == before[0]
        assert after[1] == before[4]
    for row in rows:
        opened, high, low, close = (Decimal(text) for text in row[1:5])
        assert low <= min(opened, close) <= max(opened, close) <= high
        assert Decimal(row[9]) <= Decimal(row[5])
    assert rows[-1][0] <= desk.now_ms <= rows[-1][6]
    assert rows[-1][4] == "60100.00"


def test_minutes_are_built_from_prices_and_trades() -> None:
    """High and low are touched in between; taker buys are counted apart; a quiet minute is flat."""
    desk = Desk()
    klines(desk)
    for price in ("60000", "60500", "59500", "60200"):
        desk.price(price)
    desk.market("BUY", "0.010")
    desk.market("SELL", "0.030")
    desk.now_ms += 120_000
    busy, quiet, present = klines(desk)
    assert (busy[2], busy[3], busy[4]) == ("60500.00", "59500.00", "60200.00")
    assert Decimal(busy[5]) >= Decimal("0.040")
    assert Decimal("0.010") <= Decimal(busy[9]) <= Decimal(busy[5])
    assert quiet[1] == busy[4]
    assert present[1] == quiet[4]


def test_larger_candles_add_up_their_minutes() -> None:
    """Across an hour: extremes, close and counts."""
    desk = Desk()
    desk.now_ms = START_MS // 3_600_000 * 3_600_000
    desk = Desk()
    for price in ("61000", "59000", "60300"):
        desk.now_ms += 60_000
        desk.price(price)
    [hour] = klines(desk, "symbol=BTCUSDT&interval=1h&limit=1")
    minutes = klines(desk, f"symbol=BTCUSDT&interval=1m&startTime={START_MS - 60_000}&limit=1500")
    assert (hour[2], hour[3], hour[4]) == ("61000.00", "59000.00", "60300.00")
    assert hour[8] == sum(row[8] for row in minutes if row[0] >= START_MS // 60_000 * 60_000)


def test_candles_by_time() -> None:
    """From a start, up to an end, and nothing from the future."""
    desk = Desk()
    start = START_MS // 60_000 * 60_000 - 600_000
    rows = klines(desk, f"symbol=BTCUSDT&interval=1m&startTime={start + 1}&limit=2")
    assert [row[0] for row in rows] == [start + 60_000, start + 120_000]
    rows = klines(desk, f"symbol=BTCUSDT&interval=1m&endTime={start}&limit=2")
    assert [row[0] for row in rows] == [start - 60_000, start]
    assert klines(desk, f"symbol=BTCUSDT&interval=1m&startTime={START_MS + 600_000}") == []


def test_the_past_is_the_same_for_everybody() -> None:
    """Made up from the symbol and the time alone."""
    query = "symbol=ETHUSDT&interval=15m&limit=20"
    assert klines(Desk(), query) == klines(Desk(), query)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("symbol=BTCUSDT&interval=7m", -1120),
        ("symbol=BTCUSDT", -1102),
        ("symbol=BTCUSDT&interval=1m&limit=1501", -1130),
        ("symbol=NOPE&interval=1m", -1121),
    ],
)
def test_bad_candle_requests(query: str, code: int) -> None:
    """Interval, limit and symbol have codes of their own."""
    assert Desk().public(KLINES, query).code == code


@pytest.mark.parametrize(
    ("limit", "weight"), [("99", 1), ("100", 2), ("499", 2), ("500", 5), ("1000", 5), ("1001", 10), ("", 5)]
)
def test_candle_weight_follows_the_limit(limit: str, weight: int) -> None:
    """Under 100 one, under 500 two, up to 1000 five, beyond ten."""
    assert candle_weight(Params({"limit": limit} if limit else {})) == weight


def _recorded(name: str) -> Any:
    return json.loads((FIXTURES.parent / "rest" / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("path", "query", "fixture"),
    [
        (KLINES, "symbol=BTCUSDT&interval=1m", "klines__docs"),
        ("/fapi/v1/continuousKlines", "pair=BTCUSDT&contractType=PERPETUAL&interval=1m", "continuousKlines__docs"),
        ("/fapi/v1/markPriceKlines", "symbol=BTCUSDT&interval=1m", "markPriceKlines__docs"),
        ("/fapi/v1/indexPriceKlines", "pair=BTCUSDT&interval=1m", "markPriceKlines__docs"),
        ("/fapi/v1/trades", "symbol=BTCUSDT", "trades__official_docs"),
        ("/fapi/v1/historicalTrades", "symbol=BTCUSDT", "historicalTrades__official_docs"),
        ("/fapi/v1/aggTrades", "symbol=BTCUSDT", "aggTrades__official_docs"),
        ("/fapi/v1/ticker/24hr", "symbol=BTCUSDT", "ticker_24hr__docs"),
        ("/fapi/v1/fundingRate", "symbol=BTCUSDT", "fundingRate__official_docs"),
        ("/fapi/v1/fundingInfo", "", "fundingInfo__official_docs"),
        ("/fapi/v1/openInterest", "symbol=BTCUSDT", "openInterest__official_docs"),
    ],
)
@pytest.mark.skipif(not FIXTURES.exists(), reason=f"the recorded payloads are not here ({FIXTURES})")
def test_answers_have_the_recorded_shape(path: str, query: str, fixture: str) -> None:
    """Same fields, same JSON types, row by row."""
    desk = Desk()
    desk.exchange.venue.data.tape("BTCUSDT")
    desk.market("BUY", "0.010")
    answer = decode(desk.exchange.handle("GET", path, query, {"X-MBX-APIKEY": KEY})).json
    recorded = _recorded(fixture)
    row, expected = (answer[0], recorded[0]) if isinstance(recorded, list) else (answer, recorded)
    if isinstance(expected, list):
        assert [type(cell) for cell in row] == [type(cell) for cell in expected]
    else:
        assert {name: type(row[name]) for name in expected} == {name: type(cell) for name, cell in expected.items()}


def test_trades_are_listed_oldest_first_and_from_an_id() -> None:
    """The latest ones by default; aggregates by id and by time."""
    desk = Desk()
    past = desk.public("/fapi/v1/trades", "symbol=BTCUSDT").json
    assert len(past) == 50
    assert all(row["time"] < START_MS for row in past)
    for _ in range(3):
        desk.market("BUY", "0.010")
    rows = desk.public("/fapi/v1/trades", "symbol=BTCUSDT&limit=2").json
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert len(rows) == 2
    query = f"symbol=BTCUSDT&fromId={rows[1]['id']}"
    later = decode(desk.exchange.handle("GET", "/fapi/v1/historicalTrades", query, {"X-MBX-APIKEY": KEY})).json
    assert [row["id"] for row in later] == [rows[1]["id"]]
    aggregates = desk.public("/fapi/v1/aggTrades", f"symbol=BTCUSDT&startTime={START_MS}").json
    assert sum(Decimal(row["q"]) for row in aggregates) == Decimal("0.030")
    assert desk.public("/fapi/v1/aggTrades", f"symbol=BTCUSDT&startTime={desk.now_ms + 1}").json == []
    assert desk.public("/fapi/v1/historicalTrades", "symbol=BTCUSDT").code == -2014


def test_day_and_funding_of_all_markets() -> None:
    """Without a symbol a row per market; funding has a pool instead of weight."""
    desk = Desk()
    markets = {tape.market.instrument.symbol for tape in desk.exchange.venue.data.trading()}
    assert {row["symbol"] for row in desk.public("/fapi/v1/ticker/24hr").json} == markets
    assert "x-mbx-used-weight-1m" not in desk.public("/fapi/v1/fundingRate").headers
    hours = desk.public("/fapi/v1/fundingRate", f"symbol=BTCUSDT&startTime={START_MS - 86_400_000}").json
    assert len(hours) == 3
    assert all(row["fundingTime"] % 28_800_000 == 0 for row in hours)


def test_open_interest_counts_the_position() -> None:
    """Other people's contracts and our own."""
    desk = Desk()
    before = Decimal(desk.public("/fapi/v1/openInterest", "symbol=BTCUSDT").json["openInterest"])
    desk.market("BUY", "0.010")
    assert Decimal(desk.public("/fapi/v1/openInterest", "symbol=BTCUSDT").json["openInterest"]) == before + Decimal(
        "0.010"
    )


def test_only_a_week_of_minutes_is_kept() -> None:
    """Memory is bounded; the older ones are forgotten."""
    desk = Desk()
    chart = desk.exchange.venue.data.tape("BTCUSDT").chart
    for _ in range(chart.KEPT_MINUTES + 10):
        desk.now_ms += 60_000
        chart.minute(desk.now_ms)
    assert len(chart._minutes) == chart.KEPT_MINUTES
    [day] = klines(desk, "symbol=BTCUSDT&interval=1d&limit=1")
    assert Decimal(day[3]) <= 60_000 <= Decimal(day[2])
