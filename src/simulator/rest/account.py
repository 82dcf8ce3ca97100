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
from ..messages import Row
from ..positions import Position
from . import account_history as history
from . import settings
from .market import order_limits
from .route import Call, Route, Routes, Security, costs


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
        "feeBurn": account.burns_fees,
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
    **settings.ROUTES,
    **history.ROUTES,
    ("GET", "/fapi/v3/positionRisk"): Route(position_risk_three, Security.SIGNED, costs(5)),
    ("GET", "/fapi/v2/positionRisk"): Route(position_risk_two, Security.SIGNED, costs(5)),
    ("GET", "/fapi/v3/account"): Route(account_three, Security.SIGNED, costs(5)),
    ("GET", "/fapi/v2/account"): Route(account_two, Security.SIGNED, costs(5)),
    ("GET", "/fapi/v3/balance"): Route(balance, Security.SIGNED, costs(5)),
    ("GET", "/fapi/v2/balance"): Route(balance, Security.SIGNED, costs(5)),
    ("GET", "/fapi/v1/symbolConfig"): Route(symbol_config, Security.SIGNED, costs(5)),
    ("GET", "/fapi/v1/accountConfig"): Route(account_config, Security.SIGNED, costs(5)),
    ("GET", "/fapi/v1/commissionRate"): Route(commission_rate, Security.SIGNED, costs(20)),
    ("GET", "/fapi/v1/rateLimit/order"): Route(order_rate_limits, Security.SIGNED, costs(1)),
}
