"""Funding: rates, hours, and what was paid (``binance-usdm.md §3.1`` premiumIndex, ``§10.4`` FUNDING_FEE)."""

from collections import deque
from dataclasses import dataclass
from decimal import Decimal

from .account_messages import BalanceChange
from .accounts import Account
from .decimals import money
from .venue import Venue

INTERVAL_MS = 8 * 60 * 60 * 1000
HISTORY_MAX = 5000


@dataclass(frozen=True, slots=True)
class FundingRow:
    """One funding of one symbol, as it was settled."""

    symbol: str
    rate: Decimal
    mark: Decimal
    time_ms: int


class Funding:
    """Pays funding when its hour strikes on the exchange's clock: longs pay shorts when the rate is positive."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._settled = venue.now_ms() // INTERVAL_MS
        self.history: deque[FundingRow] = deque(maxlen=HISTORY_MAX)

    def settle_due(self) -> bool:
        """Settle the hours that have struck; a clock turned back settles nothing twice."""
        due = self._venue.now_ms() // INTERVAL_MS
        if due <= self._settled:
            return False
        # Of a jump over many hours the latest are settled: history keeps no more.
        for index in range(max(self._settled + 1, due - HISTORY_MAX), due + 1):
            self.settle(index * INTERVAL_MS)
        self._settled = due
        return True

    def settle(self, time_ms: int) -> None:
        """Settle all symbols once, at present mark prices."""
        for symbol, market in self._venue.markets.items():
            if market.instrument.is_trading:
                self.history.append(FundingRow(symbol, self._venue.funding_rate(symbol), market.mark, time_ms))
        for account in self._venue.accounts.values():
            self._settle_account(account, time_ms)

    def _settle_account(self, account: Account, time_ms: int) -> None:
        for leg in account.open_positions():
            fee = money(-leg.amount * self._venue.mark(leg.symbol) * self._venue.funding_rate(leg.symbol))
            if not fee:
                continue
            account.record(leg.symbol, "FUNDING_FEE", fee, time_ms)
            is_isolated = account.is_isolated(leg.symbol)
            if is_isolated:
                leg.isolated_wallet += fee
            change = BalanceChange("FUNDING_FEE", fee, leg.symbol)
            self._venue.tell_account(account, leg if is_isolated else None, change)
