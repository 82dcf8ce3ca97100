"""May this order enter? Everything that can refuse an order before it touches the book."""

from dataclasses import dataclass
from decimal import Decimal

from . import filters
from .accounts import Account
from .decimals import ZERO
from .errors import Code, refusal
from .markets import Market, opposite
from .orders import Order, OrderTicket
from .positions import Position
from .profiles import ReduceOnlyConflict
from .venue import Venue


@dataclass(frozen=True, slots=True)
class Admitted:
    """An order that may enter: its final quantity, and resting orders that must make room for it."""

    quantity: Decimal
    reduce_only: bool
    displaced: tuple[Order, ...] = ()


def is_closing_side(side: str, position_side: str, amount: Decimal) -> bool:
    """Tell whether an order on this side makes a leg smaller (``binance-usdm.md §12.2``)."""
    if position_side != "BOTH":
        return (side, position_side) in {("SELL", "LONG"), ("BUY", "SHORT")}
    return amount > 0 if side == "SELL" else amount < 0


def check_position_side(account: Account, position_side: str) -> None:
    """Check that the position side fits the account's mode (-4061)."""
    if (position_side != "BOTH") is not account.is_hedge_mode:
        raise refusal(Code.POSITION_SIDE_MISMATCH)


def admit(venue: Venue, account: Account, ticket: OrderTicket) -> Admitted:
    """Check an order against the account and the market; filters on its numbers are checked already."""
    market = venue.market(ticket.symbol)
    if account.is_in_liquidation:
        raise refusal(Code.IN_LIQUIDATION)
    check_position_side(account, ticket.position_side)
    if (ticket.symbol, ticket.client_order_id) in account.orders.open_by_client_id:
        raise refusal(Code.DUPLICATE_CLIENT_ID)
    if len(account.orders.open_per_symbol.get(ticket.symbol, ())) >= market.instrument.max_open_orders:
        raise refusal(Code.MAX_OPEN_ORDERS)
    is_market = ticket.order_type == "MARKET"
    if is_market:
        filters.check_counter_price(market, ticket.side)
    leg = account.position(ticket.symbol, ticket.position_side)
    admitted = _reduce(venue, account, ticket, leg)
    if not admitted.reduce_only:
        price = market.mark if is_market else ticket.price
        filters.check_notional(market.instrument, ticket.quantity, price)
        _check_margin(venue, account, ticket, leg, market)
    return admitted


def readmit(venue: Venue, account: Account, order: Order, price: Decimal, quantity: Decimal) -> Decimal:
    """Check a changed order as if it came anew with its old self out of the way; give the size it may have."""
    before = order.price, order.quantity
    account.orders.amend(order, order.price, order.executed)
    try:
        leg = account.position(order.symbol, order.position_side)
        if order.reduce_only:
            key = (order.symbol, order.side, order.position_side)
            free = abs(leg.amount) - account.orders.reducing_quantity.get(key, ZERO)
            return order.executed + min(quantity - order.executed, free)
        ticket = OrderTicket(
            order.symbol,
            order.side,
            order.order_type,
            quantity - order.executed,
            price,
            position_side=order.position_side,
        )
        _check_margin(venue, account, ticket, leg, venue.market(order.symbol))
        return quantity
    finally:
        account.orders.amend(order, *before)


def _reduce(venue: Venue, account: Account, ticket: OrderTicket, leg: Position) -> Admitted:
    """Apply the reduce-only rules: refuse, shrink silently, or displace (``binance-usdm.md §12.2, §12.3``)."""
    is_hedge_close = ticket.position_side != "BOTH" and is_closing_side(ticket.side, ticket.position_side, ZERO)
    if not ticket.reduce_only and not is_hedge_close:
        return Admitted(ticket.quantity, reduce_only=False)
    size = abs(leg.amount)
    if not size or not is_closing_side(ticket.side, ticket.position_side, leg.amount):
        raise refusal(Code.REDUCE_ONLY)
    taken = account.orders.reducing_quantity.get((ticket.symbol, ticket.side, ticket.position_side), ZERO)
    free = size - taken
    if ticket.close_position:
        # A fired closePosition order closes all of the leg, whatever rests (``binance-usdm.md §4.6``).
        return Admitted(size, reduce_only=True, displaced=_in_the_way(account, ticket))
    if is_hedge_close and ticket.quantity > free:
        raise refusal(Code.REDUCE_ONLY)
    if free > ZERO:
        return Admitted(min(ticket.quantity, free), reduce_only=True)
    return Admitted(min(ticket.quantity, size), reduce_only=True, displaced=_displace(venue, account, ticket))


def _displace(venue: Venue, account: Account, ticket: OrderTicket) -> tuple[Order, ...]:
    conflict = venue.switches.reduce_only_conflict
    if conflict is ReduceOnlyConflict.REFUSE:
        raise refusal(Code.REDUCE_ONLY)
    if conflict is ReduceOnlyConflict.REFUSE_4118:
        raise refusal(Code.REDUCE_ONLY_CONFLICT)
    return _in_the_way(account, ticket)


def _in_the_way(account: Account, ticket: OrderTicket) -> tuple[Order, ...]:
    """Give the resting reduce-only orders that count on the same leg."""
    return tuple(account.orders.reducing_orders(ticket.symbol, ticket.side, ticket.position_side))


def _check_margin(venue: Venue, account: Account, ticket: OrderTicket, leg: Position, market: Market) -> None:
    """Check -2027 and -2019 for what an order adds to the largest position its account could come to."""
    price = ticket.price or market.best(opposite(ticket.side)) or market.mark
    wanted = venue.margins.order_cost(account, leg, ticket.side, ticket.quantity, price)
    if not wanted.added:
        return
    if wanted.exposure > market.instrument.notional_max(account.settings_of(ticket.symbol).leverage):
        raise refusal(Code.MAX_POSITION)
    if wanted.cost > venue.margins.summary(account).available:
        raise refusal(Code.MARGIN)
