"""Changes of resting orders (``binance-usdm.md §5.6``)."""

from dataclasses import dataclass
from decimal import Decimal

from .accounts import Account
from .admission import readmit
from .decimals import trimmed
from .errors import Code, refusal
from .filters import is_notional_too_small
from .orders import Amendment, Order
from .trading import Trading
from .venue import Venue

# "Fewer than 10000 changes per order".
CHANGES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Change:
    """A wish to change an order, its numbers within the filters."""

    side: str
    price: Decimal
    quantity: Decimal
    price_match: str = "NONE"
    modify_id: str = ""
    reduce_only: bool = False  # a hint: "I know that it is one"


def check_change(venue: Venue, order: Order, change: Change) -> None:
    """Refuse what may not be changed at all, whatever the account has."""
    rules = venue.rules(order.symbol)
    if order.order_type != "LIMIT":
        raise refusal(Code.MODIFY_LIMIT_ONLY)
    if not rules.is_trading:
        raise refusal(Code.MODIFY_SYMBOL_STATUS)
    if change.side != order.side:
        raise refusal(Code.SIDE)
    if change.reduce_only and not order.reduce_only:
        raise refusal(Code.MODIFY_REDUCE_ONLY)
    if len(order.amendments) >= CHANGES_MAX - 1:
        raise refusal(Code.MODIFY_TOO_MANY)
    if (change.price, change.quantity) == (order.price, order.quantity):
        raise refusal(Code.MODIFY_UNCHANGED)
    # The hint on a reduce-only order skips the smallest notional.
    if not change.reduce_only and is_notional_too_small(rules, change.quantity, change.price):
        raise refusal(Code.MODIFY_NOTIONAL, trimmed(rules.notional_min))


def modify(venue: Venue, trading: Trading, account: Account, order: Order, change: Change) -> None:
    """Change an open order: it loses its place, and takes at once what its new price meets.

    A refusal leaves it as it was. It is cancelled when no quantity is left, or when a post-only order would take.
    """
    check_change(venue, order, change)
    if change.quantity <= order.executed:
        trading.cancel(account, order)
        return
    quantity = readmit(venue, account, order, change.price, change.quantity)
    if order.time_in_force == "GTX" and trading.would_take(order, change.price):
        trading.cancel(account, order)
        return
    amendment = Amendment(
        venue.next_sequence(), venue.now_ms(), order.price, change.price, order.quantity, quantity, change.modify_id
    )
    market = venue.market(order.symbol)
    market.unrest(order)
    account.orders.amend(order, change.price, quantity)
    order.amendments.append(amendment)
    order.price_match = change.price_match
    order.modify_id = change.modify_id
    order.sequence = venue.next_sequence()
    order.updated_ms = amendment.time_ms
    venue.tell_order(account, order, "AMENDMENT")
    trading.take(account, market, order)
