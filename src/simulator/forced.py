"""Orders nobody sent: liquidation, deleveraging, delisting (``binance-usdm.md §10.3``).

What the book gives at the limit price is a TRADE like any other. What it does not give is taken over at that price by
the insurance fund or by the traders on the other side: CALCULATED, without a commission.
"""

from decimal import Decimal

from .accounts import Account
from .decimals import ZERO
from .markets import opposite
from .messages import TradeHint
from .orders import Order
from .positions import Position
from .trading import Trading
from .venue import Venue

LIQUIDATION_PREFIX = "autoclose-"
ADL_CLIENT_ID = "adl_autoclose"
SETTLEMENT_PREFIX = "settlement_autoclose-"


class ForcedOrders:
    """Closes legs past the will of their owner."""

    def __init__(self, venue: Venue, trading: Trading) -> None:
        self._venue = venue
        self._trading = trading
        self._count = 0

    def open_liquidation(self, account: Account, leg: Position, price: Decimal) -> Order:
        """Announce the order that is to close a leg at no worse than a price."""
        client_id = self._numbered(LIQUIDATION_PREFIX)
        order = self._open(account, leg, abs(leg.amount), price, client_id, "LIQUIDATION", "IOC")
        account.forced_orders.append(order)
        return order

    def liquidate(self, account: Account, order: Order) -> None:
        """Close with what the book gives, and hand over the rest."""
        for price, quantity in self._offered(order):
            trade_id = self._venue.markets[order.symbol].take_trade_id()
            hint = TradeHint(trade_id, price, quantity, is_maker=False)
            self._trading.fill_forced(account, order, hint, "TRADE")
        if order.is_open:
            self._take_over(account, order, order.price)

    def _offered(self, order: Order) -> list[tuple[Decimal, Decimal]]:
        """List what other people offer up to the limit price."""
        offers: list[tuple[Decimal, Decimal]] = []
        left = order.remaining
        for price, offered, maker in self._venue.markets[order.symbol].offers_against(order.side):
            if not left or (price > order.price if order.side == "BUY" else price < order.price):
                break
            if maker is None:
                taken = min(left, offered)
                offers.append((price, taken))
                left -= taken
        return offers

    def deleverage(self, account: Account, leg: Position, quantity: Decimal, price: Decimal) -> Order:
        """Close a part of a leg against somebody's liquidation."""
        order = self._open(account, leg, quantity, ZERO, ADL_CLIENT_ID, "MARKET", "GTC")
        account.forced_orders.append(order)
        self._take_over(account, order, price)
        return order

    def settle(self, account: Account, leg: Position, price: Decimal) -> None:
        """Close a leg because its contract ends."""
        client_id = self._numbered(SETTLEMENT_PREFIX)
        order = self._open(account, leg, abs(leg.amount), ZERO, client_id, "MARKET", "GTC")
        self._take_over(account, order, price)

    def _numbered(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._venue.now_ms()}{self._count:06d}"

    def _open(
        self, account: Account, leg: Position, quantity: Decimal, price: Decimal, client_id: str, kind: str, force: str
    ) -> Order:
        now_ms = self._venue.now_ms()
        order = Order(
            order_id=self._venue.markets[leg.symbol].take_order_id(),
            client_order_id=client_id,
            symbol=leg.symbol,
            side=opposite("BUY" if leg.amount > ZERO else "SELL"),
            order_type=kind,
            quantity=quantity,
            price=price,
            time_in_force=force,
            position_side=leg.position_side,
            reduce_only=False,
            close_position=False,
            self_trade_prevention="NONE",
            working_type="CONTRACT_PRICE",
            price_protect=False,
            owner=account.api_key,
            created_ms=now_ms,
            updated_ms=now_ms,
            sequence=self._venue.next_sequence(),
        )
        account.orders.add(order)
        self._venue.tell_order(account, order, "NEW")
        return order

    def _take_over(self, account: Account, order: Order, price: Decimal) -> None:
        trade_id = self._venue.markets[order.symbol].take_trade_id()
        hint = TradeHint(trade_id, price, order.remaining, is_maker=False)
        self._trading.fill_forced(account, order, hint, "CALCULATED")
