"""The risk desk: after every change, funding that is due, margin calls, liquidation, and what insurance must cover."""

from dataclasses import replace
from decimal import Decimal

from .accounts import Account
from .algo import AlgoService
from .decimals import ZERO
from .errors import Code, refusal
from .forced import ForcedOrders
from .funding import Funding
from .liquidation import Group, Liquidator, groups
from .orders import AlgoStatus, ExpiryReason, Order, Status
from .trading import Trading
from .venue import Venue

# A margin call is sent once when maintenance reaches this share of the balance behind a group of legs, and again only
# after the share has been lower in between.
MARGIN_CALL_RATIO = Decimal("0.8")


class RiskDesk:
    """Keeps the accounts of a venue solvent."""

    def __init__(self, venue: Venue, trading: Trading, algos: AlgoService) -> None:
        self._venue = venue
        self._trading = trading
        self._algos = algos
        self._forced = ForcedOrders(venue, trading)
        self._liquidator = Liquidator(venue, trading, algos, self._forced)
        self.funding = Funding(venue)
        self._called: set[tuple[str, str, str]] = set()

    def review(self) -> None:
        """Look at every account; cheap when nothing is open."""
        self.funding.settle_due()
        for account in self._venue.accounts.values():
            if account.shortages or account.wallet < account.isolated_wallets():
                self._liquidator.cover(account)
            standing = groups(account, self._venue.margins)
            if self._liquidator.review(account, standing):
                self._algos.settle()
            elif not account.is_in_liquidation:
                self._call(account, standing)

    def _call(self, account: Account, standing: list[Group]) -> None:
        for group in standing:
            first = group.legs[0]
            key = (account.api_key, *((first.symbol, first.position_side) if group.is_isolated else ("", "")))
            if group.maintenance < group.balance * MARGIN_CALL_RATIO:
                self._called.discard(key)
            elif key not in self._called:
                self._called.add(key)
                self._venue.tell_margin_call(account, list(group.legs))

    def liquidate(self, account: Account, symbol: str) -> None:
        """Liquidate the legs of a symbol at will."""
        if self._liquidator.seize(account, symbol):
            self._algos.settle()

    def delist(self, symbol: str) -> None:
        """End a contract: orders expire (``er`` 7), legs are closed at the mark price, the status becomes SETTLING."""
        rules = self._venue.rules(symbol)
        for account in self._venue.accounts.values():
            for order in account.orders.open_orders(symbol):
                self._trading.end(account, order, Status.EXPIRED, ExpiryReason.DELISTED)
            for leg in [leg for leg in account.open_positions() if leg.symbol == symbol]:
                self._forced.settle(account, leg, rules.to_tick(self._venue.mark(symbol)))
            for algo in account.live_algos(symbol):
                self._algos.end_by_venue(account, algo, AlgoStatus.EXPIRED)
        self._venue.change_rules(replace(rules, status="SETTLING"))

    def deleverage(
        self, account: Account, symbol: str, position_side: str, quantity: Decimal | None, price: Decimal | None
    ) -> Order:
        """Let a leg be deleveraged: all of it, at the mark price, unless said otherwise."""
        rules = self._venue.rules(symbol)
        leg = account.position(symbol, position_side)
        size = abs(leg.amount) if quantity is None else min(quantity, abs(leg.amount))
        if size <= ZERO:
            raise refusal(Code.POSITION_NOT_SUFFICIENT)
        at = rules.to_tick(self._venue.mark(symbol) if price is None else price)
        order = self._forced.deleverage(account, leg, size, at)
        self._algos.settle()
        return order
