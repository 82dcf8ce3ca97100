"""The resting orders of accounts: one queue per price, price before time.

An order that joins stands behind the liquidity other people show at its price at that moment. A queue counts what of
theirs has traded (``passed``), and each order remembers at which count its turn comes, so that a trade costs the same
however many orders wait behind it.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from decimal import Decimal

from .decimals import ZERO
from .orders import Order

Offer = tuple[Decimal, Decimal, Order | None]


class PriceQueue:
    """Those who wait at one price, oldest first."""

    __slots__ = ("orders", "passed", "price")

    def __init__(self, price: Decimal) -> None:
        self.price = price
        self.orders: dict[int, Order] = {}
        self.passed = ZERO

    def first(self) -> Order:
        """Give the account's order whose turn is next; a queue is never empty."""
        return next(iter(self.orders.values()))

    def ahead_of(self, order: Order) -> Decimal:
        """Give the quantity of other people that must trade before an order."""
        return max(ZERO, order.queue_mark - self.passed)

    def join(self, order: Order, ahead: Decimal) -> None:
        """Put an order at the end, behind a quantity of other people and behind everybody here."""
        order.queue_mark = self.passed + ahead
        if self.orders:
            last = self.orders[next(reversed(self.orders))]
            order.queue_mark = max(order.queue_mark, last.queue_mark)
        self.orders[order.sequence] = order

    def offers(self, shown: Decimal) -> Iterator[Offer]:
        """Give what a taker meets here in its order; ``shown`` is what other people offer at this price now."""
        given = ZERO
        for order in self.orders.values():
            gap = order.queue_mark - self.passed - given
            if gap > ZERO:
                given += gap
                yield self.price, gap, None
            yield self.price, order.remaining, order
        if shown > given:
            yield self.price, shown - given, None


class RestingSide:
    """The queues of one side, best price first."""

    __slots__ = ("_is_buy", "_keys", "_queues")

    def __init__(self, side: str) -> None:
        self._is_buy = side == "BUY"
        # Sorted so that the best price comes first: bids as negative numbers.
        self._keys: list[Decimal] = []
        self._queues: dict[Decimal, PriceQueue] = {}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def _key(self, price: Decimal) -> Decimal:
        return -price if self._is_buy else price

    def at(self, price: Decimal) -> PriceQueue | None:
        """Give the queue at a price, if there is one."""
        return self._queues.get(self._key(price))

    def best(self) -> PriceQueue | None:
        """Give the queue at the best price."""
        return self._queues[self._keys[0]] if self._keys else None

    def queues(self) -> Iterator[PriceQueue]:
        """Walk the queues, best price first."""
        return (self._queues[key] for key in self._keys)

    def add(self, order: Order, ahead: Decimal) -> None:
        """Let an order wait at its price."""
        key = self._key(order.price)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = PriceQueue(order.price)
            insort(self._keys, key)
        queue.join(order, ahead)

    def remove(self, order: Order) -> None:
        """Take an order out, if it waits here; with the last one its queue ends."""
        key = self._key(order.price)
        queue = self._queues.get(key)
        if queue is None or queue.orders.pop(order.sequence, None) is None or queue.orders:
            return
        del self._queues[key]
        del self._keys[bisect_left(self._keys, key)]
