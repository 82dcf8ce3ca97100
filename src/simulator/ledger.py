"""Income: every change of a wallet, with its reason (``binance-usdm.md §3.4`` income)."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from heapq import merge

from .orders import Fill

# Ids of transactions are unique per user and type; these are as long as the recorded ones.
_FIRST_TRANSACTION = 9_689_322_001

INCOME_TYPES = frozenset(
    {
        *("TRANSFER", "WELCOME_BONUS", "REALIZED_PNL", "FUNDING_FEE", "SPECIAL_FUNDING_FEE", "COMMISSION"),
        *("INSURANCE_CLEAR", "REFERRAL_KICKBACK", "COMMISSION_REBATE", "API_REBATE", "CONTEST_REWARD"),
        *("CROSS_COLLATERAL_TRANSFER", "OPTIONS_PREMIUM_FEE", "OPTIONS_SETTLE_PROFIT", "INTERNAL_TRANSFER"),
        *("AUTO_EXCHANGE", "DELIVERED_SETTELMENT", "COIN_SWAP_DEPOSIT", "COIN_SWAP_WITHDRAW"),
        *("POSITION_LIMIT_INCREASE_FEE", "STRATEGY_UMFUTURES_TRANSFER", "FEE_RETURN", "BFUSD_REWARD"),
    }
)


@dataclass(frozen=True, slots=True)
class Income:
    """One change of a wallet."""

    symbol: str
    kind: str
    amount: Decimal
    time_ms: int
    transaction_id: int = 0
    trade_id: str = ""


def history(fills: list[Fill], entries: list[Income]) -> Iterator[Income]:
    """List all income, oldest first. What fills brought and cost is read from them, so booking one stays cheap."""
    numbered = (
        Income(entry.symbol, entry.kind, entry.amount, entry.time_ms, _FIRST_TRANSACTION + index, entry.trade_id)
        for index, entry in enumerate(entries)
    )
    return merge(_of_fills(fills), numbered, key=lambda income: income.time_ms)


def _of_fills(fills: list[Fill]) -> Iterator[Income]:
    for index, fill in enumerate(fills):
        transaction_id = _FIRST_TRANSACTION + index
        for kind, amount in (("REALIZED_PNL", fill.realized), ("COMMISSION", -fill.commission)):
            if amount:
                yield Income(fill.symbol, kind, amount, fill.time_ms, transaction_id, str(fill.trade_id))
