"""The ledger of one position leg: exact entry cost, realised profit to the last digit."""

from dataclasses import dataclass
from decimal import Decimal

from .decimals import ZERO, money


@dataclass(slots=True)
class Position:
    """A leg of a position: BOTH in one-way mode, LONG or SHORT in hedge mode.

    The entry is kept as a cost, not as an average: averages do not divide evenly, costs add up exactly. So the sum of
    all realised profit equals the cash that went through the position, to the last digit.
    """

    symbol: str
    position_side: str
    amount: Decimal = ZERO  # signed: negative is short
    cost: Decimal = ZERO  # signed like the amount
    realized: Decimal = ZERO
    commission: Decimal = ZERO
    isolated_wallet: Decimal = ZERO  # margin set aside for this leg alone
    updated_ms: int = 0

    @property
    def entry_price(self) -> Decimal:
        return self.cost / self.amount if self.amount else ZERO

    @property
    def break_even_price(self) -> Decimal:
        """Give the price at which closing would return the commission of the entry as well."""
        return (self.cost + self.commission) / self.amount if self.amount else ZERO

    def unrealized(self, mark_price: Decimal) -> Decimal:
        """Give the open profit at a mark price."""
        return self.amount * mark_price - self.cost

    @staticmethod
    def signed(side: str, quantity: Decimal) -> Decimal:
        """Give what an order of a side adds to the amount."""
        return quantity if side == "BUY" else -quantity

    def apply(self, side: str, quantity: Decimal, price: Decimal, commission: Decimal, now_ms: int) -> Decimal:
        """Book one fill and return the profit it realised."""
        signed = self.signed(side, quantity)
        closing = min(quantity, abs(self.amount)) if self.amount * signed < 0 else ZERO
        realized = self._close(closing, price) if closing else ZERO
        opening = quantity - closing
        if opening:
            opened = opening if signed > 0 else -opening
            self.amount += opened
            self.cost += opened * price
            self.commission += money(commission * opening / quantity)
        self.realized += realized
        self.updated_ms = now_ms
        return realized

    def _close(self, quantity: Decimal, price: Decimal) -> Decimal:
        closed = quantity if self.amount > 0 else -quantity
        share = closed / self.amount
        whole = closed == self.amount
        cost = self.cost if whole else money(self.cost * share)
        self.commission = ZERO if whole else money(self.commission * (1 - share))
        self.cost -= cost
        self.amount -= closed
        return money(closed * price - cost)

    def release_margin(self, before: Decimal, closed: Decimal, result: Decimal) -> Decimal:
        """Give back the isolated margin of what was closed; a loss beyond it takes from the rest of the wallet.

        What even that cannot bear is returned: nobody loses more than an isolated wallet.
        """
        if not closed:
            return ZERO
        whole = closed == abs(before)
        released = self.isolated_wallet if whole else money(self.isolated_wallet * closed / abs(before))
        self.isolated_wallet -= released
        shortage = max(ZERO, -(released + result))
        taken = min(shortage, self.isolated_wallet)
        self.isolated_wallet -= taken
        return shortage - taken
