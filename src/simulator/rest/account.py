"""Account, positions and settings over REST (``binance-usdm.md §3.4``)."""

from ..account_messages import (
    account_asset,
    account_position_v2,
    account_position_v3,
    account_totals,
    balance_row,
    position_risk_v2,
    position_risk_v3,
)
from ..decimals import plain
from ..errors import Code, refusal
from ..messages import Row
from ..positions import Position
from .market import order_limits
from .route import Call, Route, Routes, Security, costs, success

_FLAGS = frozenset({"true", "false"})
_MARGIN_TYPES = frozenset({"ISOLATED", "CROSSED"})


def _symbols(call: Call, candidates: list[str]) -> list[str]:
    if call.params.has("symbol"):
        wanted = call.venue.rules(call.params.text("symbol")).symbol
        return [symbol for symbol in candidates if symbol == wanted]
    return candidates


def _touched_legs(call: Call) -> list[Position]:
    symbols = _symbols(call, sorted(call.account.touched_symbols()))
    return [leg for symbol in symbols for leg in call.account.legs(symbol)]


def _all_legs(call: Call) -> list[Position]:
    return [leg for symbol in _symbols(call, list(call.venue.instruments)) for leg in call.account.legs(symbol)]


def _risk_v3(call: Call, leg: Position) -> Row:
    venue = call.venue
    market = venue.markets[leg.symbol]
    return position_risk_v3(call.account, leg, market.instrument, market.mark, venue.margins)


def position_risk_three(call: Call) -> object:
    """List positions, only of symbols with a position or an open order."""
    return [_risk_v3(call, leg) for leg in _touched_legs(call)]


def position_risk_two(call: Call) -> object:
    """List positions of all symbols, with settings."""
    venue = call.venue
    return [
        position_risk_v2(call.account, leg, venue.rules(leg.symbol), venue.markets[leg.symbol].mark, venue.margins)
        for leg in _all_legs(call)
    ]


def account_three(call: Call) -> object:
    """Show totals, assets, and positions of touched symbols."""
    margin = call.venue.margins.summary(call.account)
    return {
        **account_totals(margin),
        "assets": [account_asset(call.account, margin)],
        "positions": [account_position_v3(_risk_v3(call, leg)) for leg in _touched_legs(call)],
    }


def account_two(call: Call) -> object:
    """Show totals, assets, flags, and positions of every symbol."""
    account = call.account
    margin = call.venue.margins.summary(account)
    return {
        "feeTier": 0,
        "feeBurn": False,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "updateTime": account.updated_ms,
        "multiAssetsMargin": account.is_multi_assets,
        "tradeGroupId": -1,
        **account_totals(margin),
        "assets": [account_asset(account, margin) | {"marginAvailable": True}],
        "positions": [
            account_position_v2(account, call.venue.rules(leg.symbol), _risk_v3(call, leg)) for leg in _all_legs(call)
        ],
    }


def balance(call: Call) -> object:
    """List the wallet."""
    return [balance_row(call.account, call.venue.margins.summary(call.account))]


def set_leverage(call: Call) -> object:
    """Set the leverage of a symbol; the same value again succeeds (``binance-usdm.md §9.5``)."""
    rules = call.venue.rules(call.params.text("symbol"))
    leverage = call.params.integer("leverage")
    if not 1 <= leverage <= rules.leverage_max:
        raise refusal(Code.LEVERAGE_VALUE, leverage)
    account = call.account
    mark = call.venue.markets[rules.symbol].mark
    largest = max(abs(leg.amount) * mark for leg in account.legs(rules.symbol))
    if largest > rules.notional_max(leverage):
        raise refusal(Code.MAX_POSITION)
    settings = account.settings_of(rules.symbol)
    before, settings.leverage = settings.leverage, leverage
    margin = call.venue.margins.summary(account)
    if leverage < before and margin.initial > margin.balance:
        settings.leverage = before
        raise refusal(Code.LEVERAGE_TOO_LOW)
    if leverage != before:
        call.venue.tell_config(account, {"ac": {"s": rules.symbol, "l": leverage}})
    maximum = plain(rules.notional_max(leverage))
    return {"leverage": leverage, "maxNotionalValue": maximum, "symbol": rules.symbol}


def set_margin_type(call: Call) -> object:
    """Set cross or isolated margin; the same again is -4046."""
    symbol = call.venue.rules(call.params.text("symbol")).symbol
    margin_type = call.params.choice("marginType", _MARGIN_TYPES, Code.PARAMETER_VALUE)
    account = call.account
    settings = account.settings_of(symbol)
    if settings.margin_type == margin_type:
        raise refusal(Code.MARGIN_TYPE_UNCHANGED)
    if account.orders.open_orders(symbol):
        raise refusal(Code.MARGIN_TYPE_OPEN_ORDERS)
    if any(leg.amount for leg in account.legs(symbol)):
        raise refusal(Code.MARGIN_TYPE_POSITION)
    settings.margin_type = margin_type
    return success()


def symbol_config(call: Call) -> object:
    """List what the account chose per symbol; here leverage is an integer."""
    rows: list[Row] = []
    for symbol in _symbols(call, list(call.venue.instruments)):
        settings = call.account.settings_of(symbol)
        rows.append(
            {
                "symbol": symbol,
                "marginType": settings.margin_type,
                "isAutoAddMargin": False,
                "leverage": settings.leverage,
                "maxNotionalValue": plain(call.venue.rules(symbol).notional_max(settings.leverage)),
            }
        )
    return rows


def account_config(call: Call) -> object:
    """Show the account's flags."""
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": call.account.is_hedge_mode,
        "updateTime": 0,
        "multiAssetsMargin": call.account.is_multi_assets,
        "tradeGroupId": -1,
    }


def position_mode(call: Call) -> object:
    """Show the position mode."""
    return {"dualSidePosition": call.account.is_hedge_mode}


def set_position_mode(call: Call) -> object:
    """Switch the position mode; the same again is -4059."""
    wanted = call.params.choice("dualSidePosition", _FLAGS, Code.PARAMETER_VALUE) == "true"
    account = call.account
    if wanted is account.is_hedge_mode:
        raise refusal(Code.POSITION_MODE_UNCHANGED)
    if account.orders.open_orders() or account.live_algos():
        raise refusal(Code.POSITION_MODE_OPEN_ORDERS)
    if account.open_positions():
        raise refusal(Code.POSITION_MODE_POSITION)
    account.is_hedge_mode = wanted
    return success()


def multi_assets(call: Call) -> object:
    """Show the multi-assets mode."""
    return {"multiAssetsMargin": call.account.is_multi_assets}


def commission_rate(call: Call) -> object:
    """Show the fee rates of a symbol."""
    return {
        "symbol": call.venue.rules(call.params.text("symbol")).symbol,
        "makerCommissionRate": plain(call.account.maker_rate),
        "takerCommissionRate": plain(call.account.taker_rate),
        "rpiCommissionRate": "0.00005",
    }


def order_rate_limits(call: Call) -> object:
    """Show the order pools."""
    return order_limits(call.venue.profile)


ROUTES: Routes = {
    ("GET", "/fapi/v3/positionRisk"): Route(position_risk_three, Security.SIGNED, costs(5)),
    ("GET", "/fapi/v2/positionRisk"): Route(position_risk_two, Security.SIGNED, costs(5)),
    ("GET", "/fapi/v3/account"): Route(account_three, Security.SIGNED, costs(5)),
    ("GET", "/fapi/v2/account"): Route(account_two, Security.SIGNED, costs(5)),
    ("GET", "/fapi/v3/balance"): Route(balance, Security.SIGNED, costs(5)),
    ("GET", "/fapi/v2/balance"): Route(balance, Security.SIGNED, costs(5)),
    ("POST", "/fapi/v1/leverage"): Route(set_leverage, Security.SIGNED, costs(1)),
    ("POST", "/fapi/v1/marginType"): Route(set_margin_type, Security.SIGNED, costs(1)),
    ("GET", "/fapi/v1/symbolConfig"): Route(symbol_config, Security.SIGNED, costs(5)),
    ("GET", "/fapi/v1/accountConfig"): Route(account_config, Security.SIGNED, costs(5)),
    ("GET", "/fapi/v1/positionSide/dual"): Route(position_mode, Security.SIGNED, costs(30)),
    ("POST", "/fapi/v1/positionSide/dual"): Route(set_position_mode, Security.SIGNED, costs(1)),
    ("GET", "/fapi/v1/multiAssetsMargin"): Route(multi_assets, Security.SIGNED, costs(30)),
    ("GET", "/fapi/v1/commissionRate"): Route(commission_rate, Security.SIGNED, costs(20)),
    ("GET", "/fapi/v1/rateLimit/order"): Route(order_rate_limits, Security.SIGNED, costs(1)),
}
