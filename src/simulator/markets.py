"""The market of one contract: its prices, the liquidity of other people, and the orders resting in between."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from .decimals import ZERO, floor_to
from .depth import LEVEL_NOTIONAL, Ladder, Level
from .instruments import Instrument
from .orders import Order
from .queues import Offer, RestingSide

# Ids count per symbol and so repeat across symbols, as on the venue (``binance-usdm.md §10.3``).
FIRST_ORDER_ID = 8_389_765_001
FIRST_TRADE_ID = 4_467_001


@dataclass(frozen=True, slots=True)
class TradePrint:
    """One trade as everybody sees it."""

    symbol: str
    trade_id: int
    price: Decimal
    quantity: Decimal
    taker_side: str
    time_ms: int


_SIDES = ("BUY", "SELL")
Tape = Callable[[TradePrint], None]


def opposite(side: str) -> str:
    """Give the other side."""
    return "SELL" if side == "BUY" else "BUY"


def is_better(side: str, price: Decimal, other: Decimal) -> bool:
    """Tell whether a resting price comes before another one for a taker: asks from below, bids from above."""
    return price < other if side == "SELL" else price > other


@dataclass(slots=True)
class Market:
    """Prices, ladders and resting orders of one contract."""

    instrument: Instrument
    last: Decimal
    mark: Decimal
    updated_ms: int
    update_id: int = 1
    next_order_id: int = FIRST_ORDER_ID
    next_trade_id: int = FIRST_TRADE_ID
    # Who wants every trade; the background flow of a market with nobody resting is made up only for listeners.
    tapes: list[Tape] = field(default_factory=list)
    resting: dict[str, RestingSide] = field(default_factory=lambda: {side: RestingSide(side) for side in _SIDES})
    ladders: dict[str, Ladder] = field(init=False)

    def __post_init__(self) -> None:
        self.ladders = {side: Ladder(self.instrument, side, self.last) for side in _SIDES}

    def move(self, last: Decimal, mark: Decimal, now_ms: int) -> None:
        """Set both prices; the ladders follow the last price."""
        self.last = last
        self.mark = mark
        self.updated_ms = now_ms
        self.update_id += 1
        for ladder in self.ladders.values():
            ladder.move(last)

    def change_rules(self, rules: Instrument) -> None:
        """Let other rules hold; other people quote by them at once."""
        self.instrument = rules
        self.ladders = {side: Ladder(rules, side, self.last) for side in _SIDES}

    def refill(self) -> None:
        """Let other people offer again what was taken from them."""
        for ladder in self.ladders.values():
            ladder.refill()

    @property
    def has_resting(self) -> bool:
        return bool(self.resting["BUY"] or self.resting["SELL"])

    def watched_price(self, working_type: str) -> Decimal:
        """Give the price a conditional order looks at (``binance-usdm.md §4.2`` workingType)."""
        return self.mark if working_type == "MARK_PRICE" else self.last

    def offers_against(self, taker_side: str) -> Iterator[Offer]:
        """Walk what a taker meets, best price first; at one price, whoever came first."""
        side = opposite(taker_side)
        queues = self.resting[side].queues()
        queue = next(queues, None)
        for price, quantity in self.ladders[side].levels():
            while queue is not None and is_better(side, queue.price, price):
                yield from queue.offers(ZERO)
                queue = next(queues, None)
            if queue is not None and queue.price == price:
                yield from queue.offers(quantity)
                queue = next(queues, None)
            else:
                yield price, quantity, None
        while queue is not None:
            yield from queue.offers(ZERO)
            queue = next(queues, None)

    def take(self, side: str, price: Decimal, quantity: Decimal) -> None:
        """Let other people on one side trade: what waits behind them moves up."""
        queue = self.resting[side].at(price)
        if queue is not None:
            queue.passed += quantity
        self.ladders[side].take(price, quantity)

    def reach(self, order: Order) -> None:
        """Note that an order's turn has come: nobody is before it any more."""
        queue = self.resting[order.side].at(order.price)
        if queue is not None:
            queue.passed = max(queue.passed, order.queue_mark)

    def first_level_quantity(self, share: Decimal) -> Decimal:
        """Give a share of what the best level of a fresh ladder offers, a step at the least."""
        step = self.instrument.step_size
        return max(step, floor_to(share * LEVEL_NOTIONAL / self.last, step))

    def best(self, side: str) -> Decimal | None:
        """Give the best price of one side, resting orders included."""
        level, queue = self.ladders[side].best(), self.resting[side].best()
        if queue is None:
            return None if level is None else level[0]
        return queue.price if level is None or is_better(side, queue.price, level[0]) else level[0]

    def depth(self, side: str, limit: int) -> list[Level]:
        """Give the visible levels of one side, best price first."""
        levels: list[Level] = []
        for price, quantity, _ in self.offers_against(opposite(side)):
            if levels and levels[-1][0] == price:
                levels[-1] = (price, levels[-1][1] + quantity)
            elif len(levels) == limit:
                break
            else:
                levels.append((price, quantity))
        return levels

    def rest(self, order: Order) -> None:
        """Let an order wait at its price, behind what others show there."""
        self.resting[order.side].add(order, self.ladders[order.side].at(order.price))

    def unrest(self, order: Order) -> None:
        """Take an order out of its queue, if it is there."""
        self.resting[order.side].remove(order)

    def print_trade(self, trade: TradePrint) -> None:
        """Show a trade to everybody."""
        for tape in self.tapes:
            tape(trade)

    def take_order_id(self) -> int:
        """Give the next order id of this symbol."""
        self.next_order_id += 1
        return self.next_order_id

    def take_trade_id(self) -> int:
        """Give the next trade id of this symbol."""
        self.next_trade_id += 1
        return self.next_trade_id
