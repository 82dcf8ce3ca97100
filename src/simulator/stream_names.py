"""What the names of public streams mean, and which path carries them (``binance-usdm.md §1.2``)."""

import re
from dataclasses import dataclass

from .candles import INTERVALS

# The reference does not list ``trade``; clients of the venue look for it beside the book.
_PUBLIC = frozenset({"bookTicker", "depth", "rpiDepth", "trade"})
_OF_ALL_AND_ONE = frozenset({"bookTicker", "markPrice", "ticker", "miniTicker", "forceOrder", "assetIndex"})
_OF_ALL_MARKETS = _OF_ALL_AND_ONE | {"contractInfo"}
_OF_ONE_MARKET = _PUBLIC | _OF_ALL_AND_ONE | {"aggTrade", "compositeIndex"}
_KIND = re.compile(r"(depth)(5|10|20)?|([a-zA-Z]+)")
_CONTRACT = "_perpetual"


@dataclass(frozen=True, slots=True)
class StreamName:
    """A stream name taken apart."""

    symbol: str  # empty for all markets
    kind: str
    levels: int = 0
    interval: str = ""
    speed: str = ""

    @property
    def route(self) -> str:
        return "public" if self.kind in _PUBLIC else "market"


def parse_name(name: str) -> StreamName | None:
    """Read a stream name; None when it is none, which the venue does not mind."""
    head, _, tail = name.partition("@")
    if head.startswith("!"):
        speed = "" if tail in {"", "arr"} else "@" + tail.removeprefix("arr@")
        return StreamName("", head[1:], speed=speed) if head[1:] in _OF_ALL_MARKETS else None
    kind, _, rest = tail.partition("@")
    speed = "@" + rest if rest else ""
    candles, _, interval = kind.partition("_")
    if interval:
        return _candle_name(head, candles, interval)
    found = _KIND.fullmatch(kind)
    if found is None or (found[1] or found[3]) not in _OF_ONE_MARKET:
        return None
    return StreamName(head.upper(), found[1] or found[3], int(found[2] or 0), speed=speed)


def _candle_name(head: str, kind: str, interval: str) -> StreamName | None:
    if interval not in INTERVALS:
        return None
    if kind == "continuousKline" and head.endswith(_CONTRACT):
        return StreamName(head.removesuffix(_CONTRACT).upper(), kind, interval=interval)
    return StreamName(head.upper(), kind, interval=interval) if kind == "kline" else None
