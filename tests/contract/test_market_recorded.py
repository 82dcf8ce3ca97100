"""What the simulated exchange tells of the market has the shape of what the real one tells, on REST and on streams.

The market answers and events that no other module compares. Where they differ on purpose, `ALLOWED` names the field and
says why; § numbers are those of `binance-usdm.md`.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.simulator.desk import KEY, Desk, decode
from tests.unit.simulator.test_connections import Client

from .scene import ABSENT, FIXTURES, entries, recorded, stem
from .shapes import Difference, differences, unexplained, unused

if not (FIXTURES / "index.json").exists():
    pytest.skip(ABSENT, allow_module_level=True)

ANSWERS = {
    "aggTrades": "/fapi/v1/aggTrades?symbol=BTCUSDT",
    "continuousKlines": "/fapi/v1/continuousKlines?pair=BTCUSDT&contractType=PERPETUAL&interval=1m",
    "fundingInfo": "/fapi/v1/fundingInfo",
    "fundingRate": "/fapi/v1/fundingRate?symbol=BTCUSDT",
    "historicalTrades": "/fapi/v1/historicalTrades?symbol=BTCUSDT",
    "klines": "/fapi/v1/klines?symbol=BTCUSDT&interval=1m",
    "markPriceKlines": "/fapi/v1/markPriceKlines?symbol=BTCUSDT&interval=1m",
    "openInterest": "/fapi/v1/openInterest?symbol=BTCUSDT",
    "ticker_24hr": "/fapi/v1/ticker/24hr?symbol=BTCUSDT",
    "trades": "/fapi/v1/trades?symbol=BTCUSDT",
}
"""Per kind of answer, the request."""

EVENTS = {
    "24hrMiniTicker": ("market", "btcusdt@miniTicker", "!miniTicker@arr"),
    "24hrTicker": ("market", "btcusdt@ticker", "!ticker@arr"),
    "aggTrade": ("market", "btcusdt@aggTrade", ""),
    "bookTicker": ("public", "btcusdt@bookTicker", ""),
    "continuous_kline": ("market", "btcusdt_perpetual@continuousKline_1m", ""),
    "depthUpdate": ("public", "btcusdt@depth", ""),
    "forceOrder": ("market", "btcusdt@forceOrder", ""),
    "kline": ("market", "btcusdt@kline_1m", ""),
    "markPriceUpdate": ("market", "btcusdt@markPrice", "!markPrice@arr"),
    "trade": ("public", "btcusdt@trade", ""),
}
"""Per kind of event, the path of its stream, and the streams of one symbol and of all of them."""

SINCE_CM_UM = "of market events since the CM-UM integration of 2026-06 (§14), not in this example"
NEWER = "not in this payload; the SDK's newer example of the same kind has it"
AVERAGE = "since 2026-03-16 (§14), not in this payload"
NOT_EVERYWHERE = "other examples of the kind lack it, and those are followed; the pair is the symbol here"
BARE = {"st": SINCE_CM_UM}
WRAPPED = {"data.st": SINCE_CM_UM}

ALLOWED: dict[str, dict[str, str]] = {
    "24hrTicker__official_docs": {"ps": NOT_EVERYWHERE},
    "24hrTicker__official_docs_arr": {"[].ps": NOT_EVERYWHERE},
    "aggTrade__btcusdt_2021": {"data.nq": NEWER} | WRAPPED,
    "aggTrade__docs_st": {"nq": NEWER},
    "aggTrades__docs": {"[].nq": NEWER},
    "continuous_kline__official_docs": BARE,
    "depthUpdate__btcusdt_2021": {"data.ps": SINCE_CM_UM} | WRAPPED,
    "forceOrder__ctsiusdt_2024": WRAPPED,
    "forceOrder__docs": BARE,
    "forceOrder__glmusdt_2024": WRAPPED,
    "forceOrder__official_docs": {"ps": NOT_EVERYWHERE},
    "forceOrder__official_docs_2": BARE,
    "fundingRate__docs": {"[].markPrice": NEWER, "[].rateType": NEWER},
    "kline__closed_docs": BARE,
    "kline__open_docs": BARE,
    "markPriceUpdate__btcusdt_2022": {"data.ap": AVERAGE} | WRAPPED,
    "markPriceUpdate__docs_ap_field": BARE,
    "markPriceUpdate__docs_st": {"ap": AVERAGE},
    "trade__docs": {"X": "the order's type, sent live; this stream is in no documentation"} | BARE,
    "trades__docs": {"[].isRPITrade": NEWER},
}
"""Per payload, the fields that differ, and why."""

COMPARED = entries({*ANSWERS, *EVENTS})
COVERED = frozenset(stem(entry) for entry in COMPARED)


def compare(entry: dict[str, Any]) -> list[Difference]:
    """Let the market live a little and compare what is told."""
    folder, name = entry["file"].split("/")[0], stem(entry)
    sample = recorded(folder, name)
    if folder == "rest":
        return differences(sample, answer(entry["kind"]))
    found = told(entry["kind"], sample)
    assert found, f"{name}: nothing was told"
    unlike = {difference.field: difference for message in found for difference in differences(sample, message)}
    return list(unlike.values())


def answer(kind: str) -> Any:
    """Ask after a while of trading and a funding."""
    desk = Desk()
    live(desk)
    desk.exchange.settle_funding()
    path, _, query = ANSWERS[kind].partition("?")
    reply = decode(desk.exchange.handle("GET", path, query, {"X-MBX-APIKEY": KEY}))
    assert reply.status == 200, reply.json
    return reply.json


def told(kind: str, sample: Any) -> list[Any]:
    """Listen for a while, in an envelope if the sample has one, to all symbols if it is a list."""
    route, one, every = EVENTS[kind]
    name = every if isinstance(sample, list) else one
    desk = Desk()
    is_wrapped = isinstance(sample, dict) and "stream" in sample
    client = Client(desk, f"/{route}/stream", f"streams={name}") if is_wrapped else Client(desk, f"/{route}/ws/{name}")
    live(desk)
    liquidate(desk)
    return client.heard


def live(desk: Desk) -> None:
    """Prices move and orders fill for two minutes."""
    desk.price("60100")
    desk.market("BUY", "0.010")
    for _ in range(120):
        desk.now_ms += 1000
        desk.exchange.tick()


def liquidate(desk: Desk) -> None:
    """A position grows too large and is taken away."""
    desk.send("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=100)
    desk.market("BUY", "3.000")
    desk.price("56000")
    desk.now_ms += 2000
    desk.exchange.tick()


@pytest.mark.parametrize("entry", COMPARED, ids=stem)
def test_market_is_told_in_the_recorded_shape(entry: dict[str, Any]) -> None:
    """Same fields, same JSON types."""
    problems = unexplained(compare(entry), ALLOWED.get(stem(entry), {}))
    assert not problems, f"{stem(entry)}\n{problems}"


@pytest.mark.parametrize("name", ALLOWED)
def test_allowed_difference_is_needed(name: str) -> None:
    """An exception that explains nothing hides the next mistake."""
    (entry,) = [entry for entry in COMPARED if stem(entry) == name]
    problems = unused(compare(entry), ALLOWED[name])
    assert not problems, f"{name}\n{problems}"
