"""The trades of other people: who takes how much from the best price, moment by moment.

Time is cut into slots. What happens in a slot depends on seed, symbol and slot alone, so a market nobody looks at costs
nothing, and the same seed and clock give the same trades whoever looked before.
"""

from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b

SLOT_MS = 250
# A jump of the clock prints at most this much: one minute.
SLOTS_MAX = 240
# In three of four slots somebody trades, up to this share of what the best level of a fresh ladder offers.
_BUSY_OF_256 = 192
_SHARE_MAX = Decimal("0.6")
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class FlowTrade:
    """A wish of somebody else to take."""

    taker_side: str
    share: Decimal  # of the value the best level of a fresh ladder offers


class Flow:
    """The stream of wishes of a seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def at(self, symbol: str, slot: int) -> FlowTrade | None:
        """Give the wish of a slot, None when nobody trades."""
        digest = blake2b(f"{self._seed}/{symbol}/{slot}".encode(), digest_size=6).digest()
        if digest[0] >= _BUSY_OF_256:
            return None
        # Small trades are frequent, large ones rare: the square of an even number.
        even = Decimal(int.from_bytes(digest[2:6], "big") % _MILLION).scaleb(-6)
        return FlowTrade("BUY" if digest[1] & 1 else "SELL", even * even * _SHARE_MAX)
