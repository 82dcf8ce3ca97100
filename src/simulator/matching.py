"""Matching: which executions an order gets, computed before anything is booked.

Nothing here changes the market. The result is a plan that ``trading`` books, so a refusal (fill-or-kill, post-only)
leaves no trace.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from .decimals import ONE, ZERO
from .markets import Market, is_better, opposite
from .orders import Order


@dataclass(frozen=True, slots=True)
class Execution:
    """One match of a taker: price, quantity, and the resting order on the other side, if a known one."""

    price: Decimal
    quantity: Decimal
    maker: Order | None


@dataclass(slots=True)
class MatchPlan:
    """What a taker would get at this moment."""

    executions: list[Execution] = field(default_factory=list)
    # Own resting orders in the way that self-trade prevention expires (``binance-usdm.md §5.5``).
    self_trades: list[Order] = field(default_factory=list)
    # Self-trade prevention ends the taker where it met an own order.
    stops_taker: bool = False

    @property
    def filled(self) -> Decimal:
        return sum((execution.quantity for execution in self.executions), ZERO)

    @property
    def touches_nothing(self) -> bool:
        return not (self.executions or self.self_trades or self.stops_taker)


def match_taker(market: Market, side: str, quantity: Decimal, limit: Decimal, owner: str, prevention: str) -> MatchPlan:
    """Walk the other side of the book up to a limit price."""
    plan = MatchPlan()
    left = quantity
    is_buy = side == "BUY"
    for price, offered, maker in market.offers_against(side):
        if not left or (price > limit if is_buy else price < limit):
            break
        if maker is not None and maker.owner == owner and prevention != "NONE":
            if prevention != "EXPIRE_TAKER":
                plan.self_trades.append(maker)
            if prevention != "EXPIRE_MAKER":
                plan.stops_taker = True
                break
            continue
        taken = min(left, offered)
        plan.executions.append(Execution(price, taken, maker))
        left -= taken
    return plan


def market_order_limit(market: Market, side: str) -> Decimal:
    """Give the worst price a MARKET order may reach: ``marketTakeBound`` (``binance-usdm.md §3.1.1``)."""
    bound = market.instrument.market_take_bound
    return market.mark * (ONE + bound if side == "BUY" else ONE - bound)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What reaches the front of a queue: people before our order when ``order`` is None."""

    price: Decimal
    quantity: Decimal
    order: Order | None


def next_arrival(market: Market, side: str, limit: Decimal, quantity: Decimal, *, is_through: bool) -> Arrival | None:
    """Give the next match of a taker of unknown origin with the queues of one side, down to a limit price.

    ``is_through`` says that the market has gone beyond the price, so nobody stands before our order any more.
    """
    queue = market.resting[side].best()
    if queue is None or is_better(side, limit, queue.price):
        return None
    order = queue.first()
    ahead = ZERO if is_through else queue.ahead_of(order)
    if ahead:
        return Arrival(queue.price, min(ahead, quantity), None)
    return Arrival(queue.price, min(order.remaining, quantity), order)


def next_crossed(market: Market, side: str) -> tuple[Arrival, Decimal] | None:
    """Give the next match between a queue and the ladder that has come over it, and the level that gives it.

    Our orders are makers at their own price; the quantity of the ladder is shared in price-time order.
    """
    level = market.ladders[opposite(side)].best()
    queue = market.resting[side].best()
    if level is None or queue is None:
        return None
    price, offered = level
    arrival = next_arrival(market, side, price, offered, is_through=price != queue.price)
    return None if arrival is None else (arrival, price)
