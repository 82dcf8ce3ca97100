"""Public market data (``binance-usdm.md §3.1``)."""

from decimal import Decimal

from ..decimals import money, padded, plain
from ..errors import Code, refusal
from ..index_events import ASSET_INDICES, asset_index_row
from ..instruments import (
    MULTIPLIER_DOWN,
    MULTIPLIER_UP,
    ORDER_TYPES,
    PERPETUAL_DELIVERY_MS,
    TIMES_IN_FORCE,
    Instrument,
)
from ..market_data import FUNDING_RATE, next_funding_ms
from ..markets import Market
from ..messages import Row
from ..params import Params
from ..profiles import Profile
from . import charts
from .route import Call, Route, Routes, Security, costs, costs_by_symbol

_DEPTH_LIMITS = (5, 10, 20, 50, 100, 500, 1000)


def ping(_call: Call) -> object:
    """Answer that we are here."""
    return {}


def time(call: Call) -> object:
    """Tell the time."""
    return {"serverTime": call.venue.now_ms()}


def exchange_info(call: Call) -> object:
    """Tell the rules of everything."""
    profile = call.venue.profile
    return {
        "timezone": "UTC",
        "serverTime": call.venue.now_ms(),
        "futuresType": "U_MARGINED",
        "rateLimits": rate_limits(profile),
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": [_symbol_row(rules) for rules in call.venue.instruments.values()],
    }


def rate_limits(profile: Profile) -> list[Row]:
    """Tell the pools of a profile."""
    return [_limit_row("REQUEST_WEIGHT", "MINUTE", 1, profile.weight_limit_1m), *order_limits(profile)]


def order_limits(profile: Profile) -> list[Row]:
    """Tell the order pools of a profile."""
    return [
        _limit_row("ORDERS", "MINUTE", 1, profile.orders_limit_1m),
        _limit_row("ORDERS", "SECOND", 10, profile.orders_limit_10s),
    ]


def _limit_row(kind: str, interval: str, count: int, limit: int) -> Row:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": limit}


def _symbol_row(rules: Instrument) -> Row:
    return {
        "symbol": rules.symbol,
        "pair": rules.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": PERPETUAL_DELIVERY_MS,
        "onboardDate": rules.onboard_date_ms,
        "status": rules.status,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": rules.base_asset,
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": rules.price_precision,
        "quantityPrecision": rules.quantity_precision,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": plain(rules.trigger_protect),
        "liquidationFee": plain(rules.liquidation_fee),
        "marketTakeBound": plain(rules.market_take_bound),
        "maxMoveOrderLimit": 10000,
        "filters": _filter_rows(rules),
        "orderTypes": list(ORDER_TYPES),
        "timeInForce": list(TIMES_IN_FORCE),
        "permissionSets": ["GRID", "COPY"],
    }


def _filter_rows(rules: Instrument) -> list[Row]:
    step = plain(rules.step_size)
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": plain(rules.price_min),
            "maxPrice": plain(rules.price_max),
            "tickSize": plain(rules.tick_size),
        },
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": plain(rules.quantity_max), "stepSize": step},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": step,
            "maxQty": plain(rules.market_quantity_max),
            "stepSize": step,
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": rules.max_open_orders},
        {"filterType": "MIN_NOTIONAL", "notional": plain(rules.notional_min)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": plain(MULTIPLIER_UP),
            "multiplierDown": plain(MULTIPLIER_DOWN),
            "multiplierDecimal": "4",
        },
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
    ]


def _markets(call: Call) -> list[Market]:
    return [market for market in call.venue.markets.values() if market.instrument.is_trading]


def premium_index(call: Call) -> object:
    """Tell mark prices."""
    if call.params.has("symbol"):
        return _premium_row(call, call.venue.market(call.params.text("symbol")))
    return [_premium_row(call, market) for market in _markets(call)]


def _premium_row(call: Call, market: Market) -> Row:
    now_ms = call.venue.now_ms()
    mark = padded(market.mark, 8)
    return {
        "symbol": market.instrument.symbol,
        "markPrice": mark,
        "indexPrice": mark,
        "estimatedSettlePrice": mark,
        "lastFundingRate": padded(call.venue.data.funding_rate(market.instrument.symbol), 8),
        "interestRate": FUNDING_RATE,
        "nextFundingTime": next_funding_ms(now_ms),
        "time": now_ms,
    }


def asset_index(call: Call) -> object:
    """Tell what assets are worth as collateral; the symbols are those of indices, not of contracts."""
    data, now_ms = call.venue.data, call.venue.now_ms()
    if not call.params.has("symbol"):
        return [asset_index_row(data, symbol, now_ms) for symbol in ASSET_INDICES]
    symbol = call.params.text("symbol")
    if symbol not in ASSET_INDICES:
        raise refusal(Code.SYMBOL)
    return asset_index_row(data, symbol, now_ms)


def ticker_price(call: Call) -> object:
    """Tell last prices."""
    if call.params.has("symbol"):
        return _price_row(call.venue.market(call.params.text("symbol")))
    return [_price_row(market) for market in _markets(call)]


def _price_row(market: Market) -> Row:
    price = padded(market.last, market.instrument.price_precision)
    return {"symbol": market.instrument.symbol, "price": price, "time": market.updated_ms}


def book_ticker(call: Call) -> object:
    """Tell best bids and asks."""
    if call.params.has("symbol"):
        return _book_row(call, call.venue.market(call.params.text("symbol")))
    return [_book_row(call, market) for market in _markets(call)]


def _book_row(call: Call, market: Market) -> Row:
    bid_price, bid_quantity = _top(market, "BUY")
    ask_price, ask_quantity = _top(market, "SELL")
    return {
        "symbol": market.instrument.symbol,
        "bidPrice": bid_price,
        "bidQty": bid_quantity,
        "askPrice": ask_price,
        "askQty": ask_quantity,
        "time": market.updated_ms,
        "lastUpdateId": call.venue.data.quiet(market.instrument.symbol).update_id,
    }


def _top(market: Market, side: str) -> tuple[str, str]:
    price, quantity = next(iter(market.depth(side, 1)), (Decimal(0), Decimal(0)))
    return padded(price, market.instrument.price_precision), plain(quantity)


def depth(call: Call) -> object:
    """Tell the book."""
    market = call.venue.market(call.params.text("symbol"))
    limit = call.params.integer("limit", 500)
    if limit not in _DEPTH_LIMITS:
        raise refusal(Code.PARAMETER_VALUE, "limit")
    precision = market.instrument.price_precision
    sides = {
        name: [[padded(price, precision), plain(money(quantity).normalize())] for price, quantity in levels]
        for name, levels in (("bids", market.depth("BUY", limit)), ("asks", market.depth("SELL", limit)))
    }
    now_ms = call.venue.now_ms()
    update_id = call.venue.data.quiet(market.instrument.symbol).update_id
    return {"lastUpdateId": update_id, "E": now_ms, "T": market.updated_ms, **sides}


def _depth_weight(params: Params) -> int:
    limit = params.integer("limit", 500)
    return 2 if limit <= 50 else 5 if limit <= 100 else 10 if limit <= 500 else 20


ROUTES: Routes = {
    **charts.ROUTES,
    ("GET", "/fapi/v1/ping"): Route(ping, Security.NONE, costs(1)),
    ("GET", "/fapi/v1/time"): Route(time, Security.NONE, costs(1)),
    ("GET", "/fapi/v1/exchangeInfo"): Route(exchange_info, Security.NONE, costs(1)),
    ("GET", "/fapi/v1/premiumIndex"): Route(premium_index, Security.NONE, costs_by_symbol(1, 10)),
    ("GET", "/fapi/v1/assetIndex"): Route(asset_index, Security.NONE, costs_by_symbol(1, 10)),
    ("GET", "/fapi/v1/ticker/price"): Route(ticker_price, Security.NONE, costs_by_symbol(1, 2)),
    ("GET", "/fapi/v2/ticker/price"): Route(ticker_price, Security.NONE, costs_by_symbol(1, 2)),
    ("GET", "/fapi/v1/ticker/bookTicker"): Route(book_ticker, Security.NONE, costs_by_symbol(2, 5)),
    ("GET", "/fapi/v1/depth"): Route(depth, Security.NONE, _depth_weight),
}
