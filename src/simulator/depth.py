"""The liquidity of other people: a ladder of prices around the last price, made level by level as somebody looks.

What is taken is gone until the ladder is filled up again: with the next price, or a moment later (``flow``). Our trades
do not move the price, only a price path or ``/sim/price`` does, so a test decides what the market does, while size
still costs slippage.
"""

from collections.abc import Iterator
from decimal import Decimal

from .decimals import ZERO, floor_to, round_to
from .instruments import Instrument

Level = tuple[Decimal, Decimal]

LEVELS = 20
# The first level offers this value in USDT, the n-th n times as much: 5 % of a typical large contract's real depth.
LEVEL_NOTIONAL = Decimal(25_000)
# Distance between best bid and best ask, and between levels, as shares of the price; a tick at the least.
SPREAD = Decimal("0.00002")
LEVEL_GAP = Decimal("0.0001")


class Ladder:
    """One side of other people's liquidity."""

    __slots__ = ("_best", "_gap", "_last", "_levels", "_notional", "_rules", "_taken", "side")

    def __init__(self, rules: Instrument, side: str, last: Decimal) -> None:
        self.side = side
        self._rules = rules
        self._notional = LEVEL_NOTIONAL * rules.depth_share
        self._taken: dict[Decimal, Decimal] = {}
        self.move(last)

    def move(self, last: Decimal) -> None:
        """Build it anew around a price."""
        tick = self._rules.tick_size
        self._last = last
        # The last price is the best bid; the spread lies above it.
        spread = ZERO if self.side == "BUY" else max(tick, round_to(last * SPREAD, tick))
        self._best = last + spread
        gap = max(tick, round_to(last * LEVEL_GAP, tick))
        self._gap = -gap if self.side == "BUY" else gap
        self._levels: list[Level] = []
        self._taken.clear()

    def refill(self) -> None:
        """Offer everything again."""
        self._taken.clear()

    def _level(self, index: int) -> Level | None:
        while len(self._levels) <= index:
            number = len(self._levels)
            price = self._best + self._gap * number
            if number == LEVELS or price < self._rules.price_min:
                return None
            quantity = floor_to(self._notional * (number + 1) / self._last, self._rules.step_size)
            self._levels.append((price, max(quantity, self._rules.step_size)))
        return self._levels[index]

    def levels(self) -> Iterator[Level]:
        """Give what is left, best price first."""
        index = 0
        while (level := self._level(index)) is not None:
            index += 1
            price, quantity = level
            if self._taken:
                quantity -= self._taken.get(price, ZERO)
                if not quantity:
                    continue
            yield price, quantity

    def best(self) -> Level | None:
        """Give the best level of which something is left."""
        return next(self.levels(), None) if self._taken else self._level(0)

    def at(self, price: Decimal) -> Decimal:
        """Give what is left at a price, nothing when it is no level."""
        index, off = divmod(price - self._best, self._gap)
        if off or index < 0 or (level := self._level(int(index))) is None:
            return ZERO
        return level[1] - self._taken.get(price, ZERO)

    def take(self, price: Decimal, quantity: Decimal) -> None:
        """Take from a level, at most what is left."""
        taken = min(quantity, self.at(price))
        if taken:
            self._taken[price] = self._taken.get(price, ZERO) + taken
