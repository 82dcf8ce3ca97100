"""Accounts and positions as the exchange writes them (``binance-usdm.md §3.4`` and ``§10.4``)."""

from decimal import Decimal

from .accounts import Account, Margin, MarginBook
from .decimals import ZERO, money, padded, plain, trimmed
from .instruments import Instrument
from .messages import Row
from .orders import Order
from .positions import Position

# Averages do not divide evenly; ten decimals are more than any tick.
_ENTRY_DECIMALS = Decimal("1e-10")


def entry_text(price: Decimal) -> str:
    """Write an entry price, which is an average."""
    return trimmed(price.quantize(_ENTRY_DECIMALS))


def _order_notional(account: Account, leg: Position, side: str) -> Decimal:
    orders: list[Order] = account.orders.open_orders(leg.symbol)
    return money(sum((order.remaining * order.price for order in orders if order.side == side), ZERO))


def position_risk_v3(account: Account, leg: Position, rules: Instrument, mark: Decimal, margins: MarginBook) -> Row:
    """Write a row of positionRisk v3: no leverage, no margin type, ``unRealizedProfit`` with a capital R."""
    position_margin = margins.position_margin(account, leg)
    order_margin = margins.order_margin(account, leg.symbol)
    isolated = margins.isolated_wallet(account, leg)
    unrealized = money(leg.unrealized(mark))
    return {
        "symbol": leg.symbol,
        "positionSide": leg.position_side,
        "positionAmt": padded(leg.amount, rules.quantity_precision),
        "entryPrice": entry_text(leg.entry_price),
        "breakEvenPrice": entry_text(leg.break_even_price),
        "markPrice": padded(mark, 8),
        "unRealizedProfit": plain(unrealized),
        "liquidationPrice": trimmed(money(margins.liquidation_price(account, leg))),
        "isolatedMargin": plain(isolated + unrealized) if isolated else "0",
        "notional": plain(money(leg.amount * mark)),
        "marginAsset": "USDT",
        "isolatedWallet": plain(isolated),
        "initialMargin": plain(position_margin + order_margin),
        "maintMargin": plain(margins.maintenance(leg)),
        "positionInitialMargin": plain(position_margin),
        "openOrderInitialMargin": plain(order_margin),
        "adl": 2 if leg.amount else 0,
        "bidNotional": plain(_order_notional(account, leg, "BUY")),
        "askNotional": plain(_order_notional(account, leg, "SELL")),
        "updateTime": leg.updated_ms,
    }


def position_risk_v2(account: Account, leg: Position, rules: Instrument, mark: Decimal, margins: MarginBook) -> Row:
    """Write a row of positionRisk v2: with settings, where a boolean is a text."""
    row = position_risk_v3(account, leg, rules, mark, margins)
    settings = account.settings_of(leg.symbol)
    kept = (
        "symbol", "positionSide", "positionAmt", "entryPrice", "breakEvenPrice", "markPrice", "unRealizedProfit",
        "liquidationPrice", "isolatedMargin", "notional", "isolatedWallet", "updateTime",
    )  # fmt: skip
    return {name: row[name] for name in kept} | {
        "leverage": str(settings.leverage),
        "maxNotionalValue": plain(rules.notional_max(settings.leverage)),
        "marginType": "isolated" if settings.margin_type == "ISOLATED" else "cross",
        "isAutoAddMargin": "false",
    }


def account_totals(margin: Margin) -> Row:
    """Write the totals of an account."""
    available = plain(money(margin.available))
    return {
        "totalInitialMargin": plain(margin.initial),
        "totalMaintMargin": plain(margin.maintenance),
        "totalWalletBalance": plain(margin.wallet),
        "totalUnrealizedProfit": plain(margin.unrealized),
        "totalMarginBalance": plain(margin.balance),
        "totalPositionInitialMargin": plain(margin.position_margin),
        "totalOpenOrderInitialMargin": plain(margin.order_margin),
        "totalCrossWalletBalance": plain(margin.cross_wallet),
        "totalCrossUnPnl": plain(margin.cross_unrealized),
        "availableBalance": available,
        "maxWithdrawAmount": available,
    }


def account_asset(account: Account, margin: Margin) -> Row:
    """Write the USDT row of an account answer."""
    available = plain(money(margin.available))
    return {
        "asset": "USDT",
        "walletBalance": plain(margin.wallet),
        "unrealizedProfit": plain(margin.unrealized),
        "marginBalance": plain(margin.balance),
        "maintMargin": plain(margin.maintenance),
        "initialMargin": plain(margin.initial),
        "positionInitialMargin": plain(margin.position_margin),
        "openOrderInitialMargin": plain(margin.order_margin),
        "crossWalletBalance": plain(margin.cross_wallet),
        "crossUnPnl": plain(margin.cross_unrealized),
        "availableBalance": available,
        "maxWithdrawAmount": available,
        "updateTime": account.updated_ms,
    }


def account_position_v3(risk: Row) -> Row:
    """Cut a positionRisk v3 row down to the account's own row, which spells ``unrealizedProfit`` small."""
    kept = (
        "symbol", "positionSide", "positionAmt", "isolatedMargin", "notional", "isolatedWallet", "initialMargin",
        "maintMargin", "updateTime",
    )  # fmt: skip
    return {name: risk[name] for name in kept} | {"unrealizedProfit": risk["unRealizedProfit"]}


def account_position_v2(account: Account, rules: Instrument, risk: Row) -> Row:
    """Write a row of account v2: settings and the entry, no notional and no isolated wallet."""
    settings = account.settings_of(rules.symbol)
    kept = (
        "symbol", "positionSide", "positionAmt", "initialMargin", "maintMargin", "positionInitialMargin",
        "openOrderInitialMargin", "entryPrice", "bidNotional", "askNotional", "updateTime",
    )  # fmt: skip
    return {name: risk[name] for name in kept} | {
        "unrealizedProfit": risk["unRealizedProfit"],
        "leverage": str(settings.leverage),
        "isolated": settings.margin_type == "ISOLATED",
        "maxNotional": plain(rules.notional_max(settings.leverage)),
    }


def balance_row(account: Account, margin: Margin) -> Row:
    """Write the USDT row of a balance answer."""
    available = plain(money(margin.available))
    return {
        "accountAlias": "SgsR",
        "asset": "USDT",
        "balance": plain(margin.wallet),
        "crossWalletBalance": plain(margin.cross_wallet),
        "crossUnPnl": plain(margin.cross_unrealized),
        "availableBalance": available,
        "maxWithdrawAmount": available,
        "marginAvailable": True,
        "updateTime": account.updated_ms,
    }


def account_event(
    account: Account, leg: Position | None, mark: Decimal, margins: MarginBook, reason: str, now_ms: int
) -> Row:
    """Write ACCOUNT_UPDATE with the leg that changed; a closed one is told once with ``pa`` zero."""
    margin = margins.summary(account)
    positions: list[Row] = []
    if leg is not None:
        isolated = account.settings_of(leg.symbol).margin_type == "ISOLATED"
        positions.append(
            {
                "s": leg.symbol,
                "pa": trimmed(leg.amount),
                "ep": entry_text(leg.entry_price),
                "bep": entry_text(leg.break_even_price),
                "cr": trimmed(leg.realized),
                "up": trimmed(money(leg.unrealized(mark))),
                "mt": "isolated" if isolated else "cross",
                "iw": trimmed(margins.isolated_wallet(account, leg)),
                "ps": leg.position_side,
                "ma": "USDT",
            }
        )
    balance = {"a": "USDT", "wb": trimmed(margin.wallet), "cw": trimmed(margin.cross_wallet), "bc": "0"}
    return {
        "e": "ACCOUNT_UPDATE",
        "T": now_ms,
        "E": now_ms,
        "a": {"m": reason, "B": [balance], "P": positions},
    }
