"""Liquidation: what happens when the margin balance falls below the maintenance margin.

All cross legs share one balance and end together; an isolated leg has its own and ends alone. First the orders that
bind margin go (``er`` 5), then each leg is closed by an order at its bankruptcy price, the price at which its share of
the balance is used up. So nobody loses more than the wallet in question. What is left pays the liquidation fee, up to
the symbol's rate; what is missing is paid by the insurance fund.
"""

from dataclasses import dataclass
from decimal import Decimal

from .account_messages import BalanceChange
from .accounts import Account
from .algo import AlgoService
from .decimals import ZERO, money
from .forced import ForcedOrders
from .margin import MarginBook
from .orders import AlgoStatus, ExpiryReason, Order, Status
from .positions import Position
from .trading import Trading
from .venue import Venue


@dataclass(frozen=True, slots=True)
class Group:
    """Legs that stand and fall together, and the balance behind them."""

    legs: tuple[Position, ...]
    balance: Decimal
    maintenance: Decimal
    is_isolated: bool
    # The one leg whose orders go with it; None means that all cross orders do.
    scope: tuple[str, str] | None = None

    @property
    def is_lost(self) -> bool:
        return self.balance < self.maintenance


@dataclass(frozen=True, slots=True)
class Liquidation:
    """A group on its way out, with the order of each leg."""

    group: Group
    orders: tuple[Order, ...]
    due_ms: int


def groups(account: Account, margins: MarginBook) -> list[Group]:
    """Split the open legs of an account: each isolated one by itself, the cross ones together."""
    found: list[Group] = []
    cross: list[Position] = []
    for leg in account.open_positions():
        if account.is_isolated(leg.symbol):
            figures = margins.leg(account, leg)
            balance = leg.isolated_wallet + figures.unrealized
            scope = (leg.symbol, leg.position_side)
            found.append(Group((leg,), balance, figures.maintenance, is_isolated=True, scope=scope))
        else:
            cross.append(leg)
    if cross:
        margin = margins.summary(account)
        found.append(Group(tuple(cross), margin.cross_balance, margin.cross_maintenance, is_isolated=False))
    return found


class Liquidator:
    """Watches the accounts of a venue."""

    def __init__(self, venue: Venue, trading: Trading, algos: AlgoService, forced: ForcedOrders) -> None:
        self._venue = venue
        self._trading = trading
        self._algos = algos
        self._forced = forced
        self._under_way: dict[str, list[Liquidation]] = {}

    def review(self, account: Account, standing: list[Group]) -> bool:
        """Begin or finish what is due; tell whether anything happened."""
        under_way = self._under_way.get(account.api_key)
        if under_way is None:
            lost = [group for group in standing if group.is_lost]
            if not lost:
                return False
            account.is_in_liquidation = True
            under_way = self._under_way[account.api_key] = [
                self._begin(account, group, [self._bankruptcy_price(account, leg, group) for leg in group.legs])
                for group in lost
            ]
        elif self._venue.now_ms() < under_way[0].due_ms:
            return False
        self._finish_due(account)
        return True

    def seize(self, account: Account, symbol: str) -> bool:
        """Liquidate the legs of a symbol whatever their margin, at what the book gives within the take bound."""
        legs = [leg for leg in account.open_positions() if leg.symbol == symbol]
        if account.is_in_liquidation or not legs:
            return False
        account.is_in_liquidation = True
        bound, mark = self._venue.rules(symbol).market_take_bound, self._venue.mark(symbol)
        self._under_way[account.api_key] = [
            self._begin(
                account,
                Group((leg,), ZERO, ZERO, account.is_isolated(symbol), (symbol, leg.position_side)),
                [self._venue.rules(symbol).to_tick(mark * (1 - bound if leg.amount > ZERO else 1 + bound))],
            )
            for leg in legs
        ]
        self._finish_due(account)
        return True

    def _finish_due(self, account: Account) -> None:
        under_way = self._under_way[account.api_key]
        if self._venue.now_ms() >= under_way[0].due_ms:
            del self._under_way[account.api_key]
            for liquidation in under_way:
                self._finish(account, liquidation)
            account.is_in_liquidation = False

    def _begin(self, account: Account, group: Group, prices: list[Decimal]) -> Liquidation:
        self._clear_orders(account, group)
        orders = [
            self._forced.open_liquidation(account, leg, price) for leg, price in zip(group.legs, prices, strict=True)
        ]
        due_ms = self._venue.now_ms() + self._venue.switches.liquidation_lasts_ms
        return Liquidation(group, tuple(orders), due_ms)

    def _clear_orders(self, account: Account, group: Group) -> None:
        """End the open orders that draw on the group's balance; conditional ones bind nothing and are a switch."""
        for order in account.orders.open_orders():
            if self._draws_on(account, group, order.symbol, order.position_side):
                self._trading.end(account, order, Status.EXPIRED, ExpiryReason.LIQUIDATION)
        if not self._venue.switches.liquidation_ends_algo_orders:
            return
        for algo in account.live_algos():
            if self._draws_on(account, group, algo.symbol, algo.position_side):
                self._algos.end_by_venue(account, algo, AlgoStatus.EXPIRED)

    @staticmethod
    def _draws_on(account: Account, group: Group, symbol: str, position_side: str) -> bool:
        if group.scope is not None:
            return group.scope == (symbol, position_side)
        return not account.is_isolated(symbol)

    def _bankruptcy_price(self, account: Account, leg: Position, group: Group) -> Decimal:
        """Give the price at which a leg has used up its share of the balance: shares go by maintenance margin."""
        share = self._venue.margins.leg(account, leg).maintenance / group.maintenance
        price = self._venue.mark(leg.symbol) - group.balance * share / leg.amount
        return self._venue.rules(leg.symbol).to_tick(price)

    def _finish(self, account: Account, liquidation: Liquidation) -> None:
        backing = liquidation.group.legs[0].isolated_wallet
        first_fill = len(account.fills)
        for order in liquidation.orders:
            self._forced.liquidate(account, order)
        results = sum((fill.realized - fill.commission for fill in account.fills[first_fill:]), ZERO)
        cross_wallet = account.wallet - account.isolated_wallets()
        left = backing + results if liquidation.group.is_isolated else cross_wallet
        for order in liquidation.orders:
            rate = self._venue.rules(order.symbol).liquidation_fee
            fee = min(max(ZERO, left), money(order.quote * rate))
            if fee:
                left -= fee
                self.pay(account, order.symbol, -fee)
        self.cover(account)

    def cover(self, account: Account) -> None:
        """Let the insurance fund pay what isolated legs could not, and what a cross wallet without legs still owes."""
        owed, account.shortages = account.shortages, []
        for symbol, amount in owed:
            self.pay(account, symbol, amount)
        missing = account.isolated_wallets() - account.wallet
        if missing > ZERO and all(account.is_isolated(leg.symbol) for leg in account.open_positions()):
            self.pay(account, "", missing)

    def pay(self, account: Account, symbol: str, amount: Decimal) -> None:
        """Book INSURANCE_CLEAR: negative is the fee, positive what the fund gives."""
        account.record(symbol, "INSURANCE_CLEAR", amount, self._venue.now_ms())
        self._venue.tell_account(account, None, BalanceChange("INSURANCE_CLEAR", amount))
