"""Accounts and positions as the exchange writes them (``binance-usdm.md §3.4`` and ``§10.4``)."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from .accounts import Account
from .decimals import ZERO, money, padded, plain, trimmed
from .instruments import Instrument
from .margin import Margin, MarginBook
from .messages import Row
from .positions import Position

# Averages do not divide evenly; ten decimals are more than any tick.
Marks = Callable[[str], Decimal]
_ENTRY_DECIMALS = Decimal("1e-10")


def entry_text(price: Decimal) -> str:
    """Write an entry price, which is an average."""
    return trimmed(price.quantize(_ENTRY_DECIMALS))


def wire_number(value: Decimal) -> int | float:
    """Turn a figure into a JSON number, for the few answers that carry such; nothing is computed with it."""
    return int(value) if value == value.to_integral_value() else float(value)


def position_risk_v3(account: Account, leg: Position, rules: Instrument, mark: Decimal, margins: MarginBook) -> Row:
    """Write a row of positionRisk v3: no leverage, no margin type, ``unRealizedProfit`` with a capital R."""
    figures = margins.leg(account, leg)
    is_isolated = account.is_isolated(leg.symbol)
    return {
        "symbol": leg.symbol,
        "positionSide": leg.position_side,
        "positionAmt": padded(leg.amount, rules.quantity_precision),
        "entryPrice": entry_text(leg.entry_price),
        "breakEvenPrice": entry_text(leg.break_even_price),
        "markPrice": padded(mark, 8),
        "unRealizedProfit": plain(figures.unrealized),
        "liquidationPrice": trimmed(money(margins.liquidation_price(account, leg))),
        "isolatedMargin": plain(leg.isolated_wallet + figures.unrealized) if is_isolated and leg.amount else "0",
        "notional": plain(figures.notional),
        "marginAsset": "USDT",
        "isolatedWallet": plain(leg.isolated_wallet),
        "initialMargin": plain(figures.position_margin + figures.order_margin),
        "maintMargin": plain(figures.maintenance),
        "positionInitialMargin": plain(figures.position_margin),
        "openOrderInitialMargin": plain(figures.order_margin),
        "adl": adl_quantile(margins, account, leg),
        "bidNotional": plain(money(figures.bids)),
        "askNotional": plain(money(figures.asks)),
        "updateTime": leg.updated_ms,
    }


def adl_quantile(margins: MarginBook, account: Account, leg: Position) -> int:
    """Give the place in the deleveraging queue, 4 being the next one to go.

    The venue ranks by profit times leverage among all its users; with one user the same product is measured against
    fixed bounds: losses rank 1, and each further quarter of the margin earned ranks one higher.
    """
    if not leg.amount:
        return 0
    figures = margins.leg(account, leg)
    earned = figures.unrealized / figures.position_margin if figures.position_margin else ZERO
    return min(4, 1 + max(0, int(earned * 4)))


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
    withdrawable = plain(money(margin.withdrawable))
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
        "maxWithdrawAmount": withdrawable,
    }


def account_asset(account: Account, margin: Margin) -> Row:
    """Write the USDT row of an account answer."""
    available = plain(money(margin.available))
    withdrawable = plain(money(margin.withdrawable))
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
        "maxWithdrawAmount": withdrawable,
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
    withdrawable = plain(money(margin.withdrawable))
    return {
        "accountAlias": "SgsR",
        "asset": "USDT",
        "balance": plain(margin.wallet),
        "crossWalletBalance": plain(margin.cross_wallet),
        "crossUnPnl": plain(margin.cross_unrealized),
        "availableBalance": available,
        "maxWithdrawAmount": withdrawable,
        "marginAvailable": True,
        "updateTime": account.updated_ms,
    }


def event_position(account: Account, leg: Position, margins: MarginBook) -> Row:
    """Write a leg as ACCOUNT_UPDATE does."""
    return {
        "s": leg.symbol,
        "pa": trimmed(leg.amount),
        "ep": entry_text(leg.entry_price),
        "bep": entry_text(leg.break_even_price),
        "cr": trimmed(leg.realized),
        "up": trimmed(margins.leg(account, leg).unrealized),
        "mt": "isolated" if account.is_isolated(leg.symbol) else "cross",
        "iw": trimmed(leg.isolated_wallet),
        "ps": leg.position_side,
        "ma": "USDT",
    }


@dataclass(frozen=True, slots=True)
class BalanceChange:
    """Why an account changes: ``m``, what came in past profit and commission, and whose funding it was."""

    reason: str = "ORDER"
    amount: Decimal = ZERO
    funding_symbol: str = ""


ORDER_FILLED = BalanceChange()


def account_event(
    account: Account, leg: Position | None, margins: MarginBook, change: BalanceChange, now_ms: int
) -> Row:
    """Write ACCOUNT_UPDATE with the leg that changed; a closed one is told once with ``pa`` zero."""
    margin = margins.summary(account)
    balance = {
        "a": "USDT",
        "wb": trimmed(margin.wallet),
        "cw": trimmed(margin.cross_wallet),
        "bc": trimmed(change.amount),
    }
    body: Row = {
        "m": change.reason,
        "B": [balance],
        "P": [] if leg is None else [event_position(account, leg, margins)],
    }
    if change.funding_symbol:
        body["S"] = change.funding_symbol
    return {"e": "ACCOUNT_UPDATE", "T": now_ms, "E": now_ms, "a": body}


def margin_call_event(account: Account, legs: list[Position], margins: MarginBook, marks: Marks, now_ms: int) -> Row:
    """Write MARGIN_CALL; the cross wallet is told when cross legs are in danger (``binance-usdm.md §10.5``)."""
    event: Row = {"e": "MARGIN_CALL", "E": now_ms}
    if any(not account.is_isolated(leg.symbol) for leg in legs):
        event["cw"] = trimmed(margins.summary(account).cross_wallet)
    event["p"] = [
        {
            "s": leg.symbol,
            "ps": leg.position_side,
            "pa": trimmed(leg.amount),
            "mt": account.settings_of(leg.symbol).margin_type,
            "iw": trimmed(leg.isolated_wallet),
            "mp": trimmed(marks(leg.symbol)),
            "up": trimmed(margins.leg(account, leg).unrealized),
            "mm": trimmed(margins.leg(account, leg).maintenance),
        }
        for leg in legs
    ]
    return event
