"""Margin arithmetic: what a leg binds, what an account has left, where it ends.

Everything is exact and cheap: a leg's figures are kept until one of their inputs changes, and open orders come as
running sums, so admitting an order costs the same with one resting order or a thousand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from .accounts import Account, LegMargin
from .decimals import ZERO, money
from .instruments import Instrument
from .positions import Position

MarkPrice = Callable[[str], Decimal]


@dataclass(frozen=True, slots=True)
class Margin:
    """What an account has and what is bound, at the present mark prices."""

    wallet: Decimal
    unrealized: Decimal
    position_margin: Decimal
    order_margin: Decimal
    maintenance: Decimal
    isolated_wallet: Decimal
    cross_unrealized: Decimal
    cross_position_margin: Decimal
    cross_maintenance: Decimal

    @property
    def cross_wallet(self) -> Decimal:
        return self.wallet - self.isolated_wallet

    @property
    def balance(self) -> Decimal:
        return self.wallet + self.unrealized

    @property
    def cross_balance(self) -> Decimal:
        return self.cross_wallet + self.cross_unrealized

    @property
    def initial(self) -> Decimal:
        return self.position_margin + self.order_margin

    @property
    def available(self) -> Decimal:
        """Give what new orders may use: isolated legs neither lend nor borrow."""
        return max(ZERO, self.cross_balance - self.cross_position_margin - self.order_margin)

    @property
    def withdrawable(self) -> Decimal:
        """Give what may leave the wallet: open profit stays."""
        return max(ZERO, self.available - max(ZERO, self.cross_unrealized))


@dataclass(frozen=True, slots=True)
class OrderCost:
    """What an order would add: to the largest exposure it allows, and to what is bound."""

    exposure: Decimal
    added: Decimal
    cost: Decimal


class MarginBook:
    """Margin over the positions and open orders of an account."""

    def __init__(self, instruments: dict[str, Instrument], mark_price: MarkPrice) -> None:
        self._instruments = instruments
        self._mark_price = mark_price

    def leg(self, account: Account, leg: Position) -> LegMargin:
        """Give the figures of a leg with its open orders."""
        mark = self._mark_price(leg.symbol)
        opening = account.orders.opening_notional
        bids = opening.get((leg.symbol, "BUY", leg.position_side), ZERO)
        asks = opening.get((leg.symbol, "SELL", leg.position_side), ZERO)
        leverage = account.settings_of(leg.symbol).leverage
        key = (mark, leg.amount, leg.cost, leg.isolated_wallet, bids, asks, leverage)
        kept = account.leg_margins.get((leg.symbol, leg.position_side))
        if kept is not None and kept.key == key:
            return kept
        notional = leg.amount * mark
        value = abs(notional)
        fresh = LegMargin(
            key=key,
            notional=money(notional),
            unrealized=money(notional - leg.cost) if leg.amount else ZERO,
            position_margin=money(value / leverage) if value else ZERO,
            order_margin=money((_exposure(notional, bids, asks) - value) / leverage) if bids or asks else ZERO,
            maintenance=money(self._instruments[leg.symbol].bracket(value).maintenance(value)) if value else ZERO,
            bids=bids,
            asks=asks,
        )
        account.leg_margins[leg.symbol, leg.position_side] = fresh
        return fresh

    def summary(self, account: Account) -> Margin:
        """Add up the whole account."""
        unrealized = position_margin = order_margin = maintenance = isolated_wallet = ZERO
        cross_unrealized = cross_position_margin = cross_maintenance = ZERO
        for leg in account.live_legs():
            figures = self.leg(account, leg)
            unrealized += figures.unrealized
            position_margin += figures.position_margin
            order_margin += figures.order_margin
            maintenance += figures.maintenance
            if account.is_isolated(leg.symbol):
                isolated_wallet += leg.isolated_wallet
            else:
                cross_unrealized += figures.unrealized
                cross_position_margin += figures.position_margin
                cross_maintenance += figures.maintenance
        return Margin(
            account.wallet, unrealized, position_margin, order_margin, maintenance, isolated_wallet, cross_unrealized,
            cross_position_margin, cross_maintenance,
        )  # fmt: skip

    def order_cost(self, account: Account, leg: Position, side: str, quantity: Decimal, price: Decimal) -> OrderCost:
        """Tell what an order would bind: margin for what it adds to the exposure, and the fee."""
        figures = self.leg(account, leg)
        mark = self._mark_price(leg.symbol)
        notional, value = leg.amount * mark, quantity * price
        bids, asks = (value, ZERO) if side == "BUY" else (ZERO, value)
        exposure = _exposure(notional, figures.bids + bids, figures.asks + asks)
        added = exposure - _exposure(notional, figures.bids, figures.asks)
        leverage = account.settings_of(leg.symbol).leverage
        return OrderCost(exposure, added, money(added / leverage + added * account.taker_rate))

    def exposure(self, account: Account, leg: Position) -> Decimal:
        """Give the largest position value a leg can come to with its open orders."""
        figures = self.leg(account, leg)
        return _exposure(leg.amount * self._mark_price(leg.symbol), figures.bids, figures.asks)

    def removable(self, account: Account, leg: Position) -> Decimal:
        """Give how much margin an isolated leg can do without: open profit does not count."""
        figures = self.leg(account, leg)
        spare = leg.isolated_wallet + min(ZERO, figures.unrealized) - figures.position_margin
        return max(ZERO, spare)

    def liquidation_price(self, account: Account, leg: Position) -> Decimal:
        """Give the mark price at which the margin balance meets the maintenance margin; zero when there is none.

        All else stays as it is: in cross margin the other symbols lend what they have at their present prices.
        """
        if not leg.amount:
            return ZERO
        if account.is_isolated(leg.symbol):
            return self._solve(leg.symbol, [leg], leg.isolated_wallet)
        margin = self.summary(account)
        own = [one for one in account.open_positions() if one.symbol == leg.symbol]
        figures = [self.leg(account, one) for one in own]
        backing = margin.cross_balance - margin.cross_maintenance
        backing += sum((one.maintenance - one.unrealized for one in figures), ZERO)
        return self._solve(leg.symbol, own, backing)

    def _solve(self, symbol: str, legs: list[Position], backing: Decimal) -> Decimal:
        """Solve backing + sum(amount * p - cost) = sum(|amount| * p * rate - cum) for p, in the tier p leads to."""
        rules = self._instruments[symbol]
        price = self._mark_price(symbol)
        cost = sum((leg.cost for leg in legs), ZERO)
        for _ in rules.brackets:
            tiers = [rules.bracket(abs(leg.amount) * price) for leg in legs]
            slope = sum(
                (leg.amount - abs(leg.amount) * tier.maintenance_rate for leg, tier in zip(legs, tiers, strict=True)),
                ZERO,
            )
            if not slope:
                return ZERO
            solved = (cost - backing - sum((tier.cum for tier in tiers), ZERO)) / slope
            if solved <= ZERO:
                return ZERO
            price = solved
            if tiers == [rules.bracket(abs(leg.amount) * price) for leg in legs]:
                break
        return price


def _exposure(notional: Decimal, bids: Decimal, asks: Decimal) -> Decimal:
    """Give the largest position value that a position and the open orders of one side can come to."""
    return max(abs(notional + bids), abs(notional - asks))
