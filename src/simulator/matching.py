"""Matching: which executions an order gets, computed before anything is booked.

Nothing here changes the market. The result is a plan that ``trading`` books, so a refusal (fill-or-kill, post-only)
leaves no trace.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from .decimals import ONE, ZERO
from .markets import Market
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
    # Own resting orders in the way: self-trade prevention expires the maker (``binance-usdm.md §5.5``).
    self_trades: list[Order] = field(default_factory=list)

    @property
    def filled(self) -> Decimal:
        return sum((execution.quantity for execution in self.executions), ZERO)


def match_taker(market: Market, side: str, quantity: Decimal, limit: Decimal, owner: str) -> MatchPlan:
    """Walk the other side of the book up to a limit price."""
    plan = MatchPlan()
    left = quantity
    for price, offered, maker in market.offers_against(side):
        if not left or (price > limit if side == "BUY" else price < limit):
            break
        if maker is not None and maker.owner == owner:
            plan.self_trades.append(maker)
            continue
        taken = min(left, offered)
        plan.executions.append(Execution(price, taken, maker))
        left -= taken
    return plan


def market_order_limit(market: Market, side: str) -> Decimal:
    """Give the worst price a MARKET order may reach: ``marketTakeBound`` (``binance-usdm.md §3.1.1``)."""
    bound = market.instrument.market_take_bound
    return market.mark * (ONE + bound if side == "BUY" else ONE - bound)


def match_resting(market: Market) -> list[tuple[Order, Decimal]]:
    """Give the resting orders the ladder has reached after a price move, with the quantity each one gets.

    They are makers at their own price. The ladder's quantity is shared in price-time order, so a large order fills
    partially.
    """
    matched: list[tuple[Order, Decimal]] = []
    for side, other in (("BUY", "SELL"), ("SELL", "BUY")):
        levels = list(market.ladder(other))
        index, available = 0, levels[0][1] if levels else ZERO
        for _, _, order in market.resting[side]:
            got = ZERO
            while got < order.remaining and index < len(levels):
                price = levels[index][0]
                if price > order.price if side == "BUY" else price < order.price:
                    break
                taken = min(available, order.remaining - got)
                got += taken
                available -= taken
                if not available:
                    index += 1
                    available = levels[index][1] if index < len(levels) else ZERO
            if not got:
                break
            matched.append((order, got))
    return matched
