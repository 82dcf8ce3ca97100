"""The market of one contract: its prices, the liquidity of other people, and the orders resting in between.

Other people's liquidity is a fixed ladder around the last price. It is full again for each order that takes from it (a
resilient book), and our trades do not move the price: only a price path or ``/sim/price`` does. So a test decides what
the market does, while size still costs slippage, because a large order walks several levels.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from .decimals import floor_to, round_to
from .instruments import Instrument
from .orders import Order

Level = tuple[Decimal, Decimal]

LEVELS = 20
# The first level offers this value in USDT, the n-th n times as much: 5 % of a typical large contract's real depth.
LEVEL_NOTIONAL = Decimal(25_000)
# Distance between best bid and best ask, and between levels, as shares of the price; a tick at the least.
SPREAD = Decimal("0.00002")
LEVEL_GAP = Decimal("0.0001")
# Ids count per symbol and so repeat across symbols, as on the venue (``binance-usdm.md §10.3``).
FIRST_ORDER_ID = 8_389_765_001
FIRST_TRADE_ID = 4_467_001


def opposite(side: str) -> str:
    """Give the other side."""
    return "SELL" if side == "BUY" else "BUY"


def _is_as_good(side: str, price: Decimal, other: Decimal) -> bool:
    """Tell whether a resting price comes first for a taker, or ties: asks from below, bids from above."""
    return price <= other if side == "SELL" else price >= other


@dataclass(slots=True)
class Market:
    """Prices, ladder and resting orders of one contract."""

    instrument: Instrument
    last: Decimal
    mark: Decimal
    updated_ms: int
    update_id: int = 1
    next_order_id: int = FIRST_ORDER_ID
    next_trade_id: int = FIRST_TRADE_ID
    # Sorted by price and time; the first one trades first.
    resting: dict[str, list[tuple[Decimal, int, Order]]] = field(default_factory=lambda: {"BUY": [], "SELL": []})
    _ladders: dict[str, tuple[Level, ...]] = field(default_factory=dict)

    def move(self, last: Decimal, mark: Decimal, now_ms: int) -> None:
        """Set both prices; the ladder follows the last price."""
        self.last = last
        self.mark = mark
        self.updated_ms = now_ms
        self.update_id += 1
        self._ladders.clear()

    def watched_price(self, working_type: str) -> Decimal:
        """Give the price a conditional order looks at (``binance-usdm.md §4.2`` workingType)."""
        return self.mark if working_type == "MARK_PRICE" else self.last

    def ladder(self, side: str) -> tuple[Level, ...]:
        """Give the liquidity of other people on one side, best price first."""
        found = self._ladders.get(side)
        if found is None:
            found = self._ladders[side] = tuple(self._build_ladder(side))
        return found

    def _build_ladder(self, side: str) -> Iterator[Level]:
        rules = self.instrument
        sign = -1 if side == "BUY" else 1
        spread = max(rules.tick_size, round_to(self.last * SPREAD, rules.tick_size))
        gap = max(rules.tick_size, round_to(self.last * LEVEL_GAP, rules.tick_size))
        # The last price is the best bid; the spread lies above it.
        best = self.last if side == "BUY" else self.last + spread
        for index in range(LEVELS):
            price = best + sign * gap * index
            if price < rules.price_min:
                return
            quantity = floor_to(LEVEL_NOTIONAL * (index + 1) / self.last, rules.step_size)
            yield price, max(quantity, rules.step_size)

    def offers_against(self, taker_side: str) -> Iterator[tuple[Decimal, Decimal, Order | None]]:
        """Walk what a taker meets, best price first: resting orders before the ladder at the same price."""
        side = opposite(taker_side)
        queue = self.resting[side]
        index = 0
        for price, quantity in self.ladder(side):
            while index < len(queue) and _is_as_good(side, queue[index][2].price, price):
                order = queue[index][2]
                yield order.price, order.remaining, order
                index += 1
            yield price, quantity, None
        while index < len(queue):
            order = queue[index][2]
            yield order.price, order.remaining, order
            index += 1

    def best(self, side: str) -> Decimal | None:
        """Give the best price of one side, resting orders included."""
        prices = [price for price, _ in self.ladder(side)[:1]]
        prices += [order.price for _, _, order in self.resting[side][:1]]
        if not prices:
            return None
        return max(prices) if side == "BUY" else min(prices)

    def depth(self, side: str, limit: int) -> list[Level]:
        """Give the visible levels of one side. The ladder behind a crossing resting order counts as taken."""
        other = self.resting[opposite(side)]
        levels: dict[Decimal, Decimal] = {}
        for price, quantity in self.ladder(side):
            if other and (price <= other[0][2].price if side == "SELL" else price >= other[0][2].price):
                continue
            levels[price] = quantity
        for _, _, order in self.resting[side]:
            levels[order.price] = levels.get(order.price, Decimal(0)) + order.remaining
        return sorted(levels.items(), reverse=side == "BUY")[:limit]

    def rest(self, order: Order) -> None:
        """Put an order into the queue at its price."""
        insort(self.resting[order.side], self._queue_entry(order))

    def unrest(self, order: Order) -> None:
        """Take an order out of its queue, if it is there."""
        queue = self.resting[order.side]
        index = bisect_left(queue, self._queue_entry(order))
        if index < len(queue) and queue[index][2] is order:
            del queue[index]

    @staticmethod
    def _queue_entry(order: Order) -> tuple[Decimal, int, Order]:
        # The sequence is unique, so a comparison never reaches the order itself.
        return (-order.price if order.side == "BUY" else order.price), order.sequence, order

    def take_order_id(self) -> int:
        """Give the next order id of this symbol."""
        self.next_order_id += 1
        return self.next_order_id

    def take_trade_id(self) -> int:
        """Give the next trade id of this symbol."""
        self.next_trade_id += 1
        return self.next_trade_id
