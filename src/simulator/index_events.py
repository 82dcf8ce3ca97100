"""Index prices: those of assets, and one composite index.

Asset indices value collateral and so exist for some assets alone; an index is the mark price here. The composite index
is a figure: it can be listened to, not traded.
"""

from decimal import Decimal

from .decimals import MONEY_STEP, ONE, ZERO, floor_to, padded
from .market_data import MarketData
from .messages import Row

_INDEXED = ("BTC", "ETH", "BNB", "SOL", "XRP", "DOGE", "ADA", "AVAX", "LINK", "DOT", "LTC", "TRX")
# Symbol of an asset index → symbol of the contract whose price it takes.
ASSET_INDICES = {f"{asset}USD": f"{asset}USDT" for asset in _INDEXED}
COMPOSITE_INDEX = "DEFIUSDT"
# What it is made of: so much of each asset, about a fifth of the value each.
_COMPOSITION = {
    "AAVE": Decimal("1.00000000"),
    "UNI": Decimal("20.00000000"),
    "LINK": Decimal("10.00000000"),
    "AVAX": Decimal("5.00000000"),
    "YFI": Decimal("0.02000000"),
}
# How far from its index an asset counts, and is exchanged by the venue itself.
_BUFFER = Decimal("0.10")
_EXCHANGE_BUFFER = Decimal("0.05")
# The names of the fields of an answer, and of an event.
_EVENT_FIELDS = {
    "symbol": "s",
    "index": "i",
    "bidBuffer": "b",
    "askBuffer": "a",
    "bidRate": "B",
    "askRate": "A",
    "autoExchangeBidBuffer": "q",
    "autoExchangeAskBuffer": "g",
    "autoExchangeBidRate": "Q",
    "autoExchangeAskRate": "G",
}


def asset_index_row(data: MarketData, symbol: str, now_ms: int) -> Row:
    """Write an asset index for an answer."""
    index = data.quiet(ASSET_INDICES[symbol]).market.mark
    return {
        "symbol": symbol,
        "time": now_ms,
        "index": padded(index, 8),
        "bidBuffer": padded(_BUFFER, 8),
        "askBuffer": padded(_BUFFER, 8),
        "bidRate": _rate(index, -_BUFFER),
        "askRate": _rate(index, _BUFFER),
        "autoExchangeBidBuffer": padded(_EXCHANGE_BUFFER, 8),
        "autoExchangeAskBuffer": padded(_EXCHANGE_BUFFER, 8),
        "autoExchangeBidRate": _rate(index, -_EXCHANGE_BUFFER),
        "autoExchangeAskRate": _rate(index, _EXCHANGE_BUFFER),
    }


def _rate(index: Decimal, change: Decimal) -> str:
    return padded(floor_to(index * (ONE + change), MONEY_STEP), 8)


def asset_index_event(data: MarketData, symbol: str, now_ms: int) -> Row:
    """Write an asset index for a stream."""
    row = asset_index_row(data, symbol, now_ms)
    return {"e": "assetIndexUpdate", "E": now_ms, **{short: row[name] for name, short in _EVENT_FIELDS.items()}}


def asset_index_events(data: MarketData, now_ms: int) -> list[Row]:
    """Write all asset indices."""
    return [asset_index_event(data, symbol, now_ms) for symbol in ASSET_INDICES]


def composite_index_event(data: MarketData, now_ms: int) -> Row:
    """Write the composite index and what it is made of: ``w`` is the amount of an asset, ``W`` its share."""
    prices = {asset: data.quiet(f"{asset}USDT").market.mark for asset in _COMPOSITION}
    index = sum((amount * prices[asset] for asset, amount in _COMPOSITION.items()), ZERO)
    rows = [
        {
            "b": asset,
            "q": "USDT",
            "w": padded(amount, 8),
            "W": padded(amount * prices[asset] / index, 8),
            "i": padded(prices[asset], 8),
        }
        for asset, amount in _COMPOSITION.items()
    ]
    return {
        "e": "compositeIndex",
        "E": now_ms,
        "s": COMPOSITE_INDEX,
        "p": padded(index, 8),
        "C": "baseAsset",
        "c": rows,
    }
