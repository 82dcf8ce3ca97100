"""Funding: rates, hours, and what was paid (``binance-usdm.md §3.1`` premiumIndex, ``§10.4`` FUNDING_FEE)."""

from .account_messages import BalanceChange
from .accounts import Account
from .decimals import money
from .venue import Venue

INTERVAL_MS = 8 * 60 * 60 * 1000
# Of a clock that jumps, this many of the latest hours are settled: almost a year.
HOURS_MAX = 1000


class Funding:
    """Pays funding when its hour strikes on the exchange's clock: longs pay shorts when the rate is positive."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._settled = venue.now_ms() // INTERVAL_MS

    def settle_due(self) -> bool:
        """Settle the hours that have struck; a clock turned back settles nothing twice."""
        due = self._venue.now_ms() // INTERVAL_MS
        if due <= self._settled:
            return False
        for index in range(max(self._settled + 1, due - HOURS_MAX + 1), due + 1):
            self.settle(index * INTERVAL_MS)
        self._settled = due
        return True

    def settle(self, time_ms: int) -> None:
        """Settle all symbols once, at present mark prices."""
        for symbol, rate in self._venue.data.funding_rates.items():
            self._venue.settled_rates[symbol, time_ms] = rate
        for account in self._venue.accounts.values():
            self._settle_account(account, time_ms)

    def _settle_account(self, account: Account, time_ms: int) -> None:
        for leg in account.open_positions():
            fee = money(-leg.amount * self._venue.mark(leg.symbol) * self._venue.data.funding_rate(leg.symbol))
            if not fee:
                continue
            account.record(leg.symbol, "FUNDING_FEE", fee, time_ms)
            is_isolated = account.is_isolated(leg.symbol)
            if is_isolated:
                leg.isolated_wallet += fee
            change = BalanceChange("FUNDING_FEE", fee, leg.symbol)
            self._venue.tell_account(account, leg if is_isolated else None, change)
