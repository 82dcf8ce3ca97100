"""Decimal helpers: money comes from text, stays exact, and goes back to text without exponents."""

import re
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

ZERO = Decimal(0)
ONE = Decimal(1)
# Wallets, commission and PnL are booked to eight decimals, as every recorded balance shows.
MONEY_STEP = Decimal("0.00000001")

_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")


def parse_number(text: str) -> Decimal | None:
    """Read a plain decimal number; None for anything else (exponents, NaN, signs other than minus)."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def decimals_of(value: Decimal) -> int:
    """Count the decimals that matter: trailing zeros are no precision."""
    exponent = value.normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0


def money(value: Decimal) -> Decimal:
    """Round to the eight decimals of a wallet."""
    return value.quantize(MONEY_STEP, rounding=ROUND_HALF_EVEN)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Round down to a multiple of ``step``, keeping the step's own number of decimals."""
    return ((value / step).to_integral_value(rounding=ROUND_DOWN) * step).quantize(step)


def round_to(value: Decimal, step: Decimal) -> Decimal:
    """Round to the nearest multiple of ``step``."""
    return ((value / step).to_integral_value(rounding=ROUND_HALF_EVEN) * step).quantize(step)


def plain(value: Decimal) -> str:
    """Write a number as it is, never with an exponent."""
    return format(value, "f")


def trimmed(value: Decimal) -> str:
    """Write a number without trailing zeros, as stream events do (``binance-usdm.md §10.3``)."""
    return format(value.normalize(), "f") if value else "0"


def padded(value: Decimal, decimals: int) -> str:
    """Write a number with a fixed count of decimals, as REST answers do (``binance-usdm.md §3.0``)."""
    return format(value, f".{decimals}f")
