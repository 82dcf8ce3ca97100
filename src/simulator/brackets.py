"""Leverage brackets: how much leverage a position value allows, and what must stay behind it.

The venue publishes its table per account and changes it often, so no fixture carries a whole one. Bitcoin and ether
have tiers of the shape it published in 2025; all other symbols share a sensible table. ``cum`` is what makes
maintenance margin continuous from tier to tier: it follows from the rates, and is computed here, not copied.
"""

from dataclasses import dataclass
from decimal import Decimal

from .decimals import ZERO


@dataclass(frozen=True, slots=True)
class Bracket:
    """One tier: position values above ``notional_floor`` up to ``notional_cap``."""

    number: int
    leverage_max: int
    notional_floor: Decimal
    notional_cap: Decimal
    maintenance_rate: Decimal
    cum: Decimal

    def maintenance(self, notional: Decimal) -> Decimal:
        """Give the maintenance margin of a position value in this tier (``binance-usdm.md §3.4``)."""
        return notional * self.maintenance_rate - self.cum


Brackets = tuple[Bracket, ...]


def build(*tiers: tuple[int, int, str]) -> Brackets:
    """Build tiers from leverage, cap and rate."""
    built: list[Bracket] = []
    floor, rate_before, cum = ZERO, ZERO, ZERO
    for number, (leverage, cap, rate_text) in enumerate(tiers, start=1):
        rate = Decimal(rate_text)
        cum += floor * (rate - rate_before) if built else ZERO
        built.append(Bracket(number, leverage, floor, Decimal(cap), rate, cum.normalize()))
        floor, rate_before = Decimal(cap), rate
    return tuple(built)


_BITCOIN = build(
    (125, 300_000, "0.004"),
    (100, 800_000, "0.005"),
    (75, 3_000_000, "0.0065"),
    (50, 12_000_000, "0.01"),
    (25, 70_000_000, "0.02"),
    (20, 100_000_000, "0.025"),
    (10, 230_000_000, "0.05"),
    (5, 480_000_000, "0.1"),
    (4, 600_000_000, "0.125"),
    (3, 800_000_000, "0.15"),
    (2, 1_200_000_000, "0.25"),
    (1, 1_800_000_000, "0.5"),
)
_ETHER = build(
    (125, 300_000, "0.004"),
    (100, 800_000, "0.005"),
    (75, 3_000_000, "0.0065"),
    (50, 12_000_000, "0.01"),
    (25, 50_000_000, "0.02"),
    (20, 65_000_000, "0.025"),
    (10, 150_000_000, "0.05"),
    (5, 320_000_000, "0.1"),
    (4, 400_000_000, "0.125"),
    (3, 530_000_000, "0.15"),
    (2, 800_000_000, "0.25"),
    (1, 1_200_000_000, "0.5"),
)
_OTHER = build(
    (75, 10_000, "0.01"),
    (50, 80_000, "0.015"),
    (25, 500_000, "0.02"),
    (20, 1_000_000, "0.025"),
    (10, 5_000_000, "0.05"),
    (5, 10_000_000, "0.1"),
    (4, 12_500_000, "0.125"),
    (2, 20_000_000, "0.25"),
    (1, 30_000_000, "0.5"),
)
_OWN_TABLES = {"BTCUSDT": _BITCOIN, "ETHUSDT": _ETHER}


def brackets_of(symbol: str) -> Brackets:
    """Give the tiers of a symbol."""
    return _OWN_TABLES.get(symbol, _OTHER)
