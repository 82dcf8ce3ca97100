"""The nouns every other module speaks: sides, types, statuses, and exact money.

Money, prices and quantities are `Decimal`, always made from text, never from a binary float.
Enumerations carry the exchange's own spelling, so that a value needs no translation table at the edge.
"""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation
from enum import StrEnum

ZERO = Decimal(0)
_SHOWN = Context(prec=16)


class Side(StrEnum):
    """Direction of an order."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> Side:
        """The side that undoes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL: what a fill of this side adds to a position."""
        return 1 if self is Side.BUY else -1


class PositionSide(StrEnum):
    """BOTH in one-way mode; LONG or SHORT in hedge mode (binance-usdm.md §12.1)."""

    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


class OrderType(StrEnum):
    """All order types; the conditional ones belong to the algo service (binance-usdm.md §4.1)."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    TRAILING_STOP_MARKET = "TRAILING_STOP_MARKET"


CONDITIONAL_TYPES = frozenset(OrderType) - {OrderType.MARKET, OrderType.LIMIT}


class TimeInForce(StrEnum):
    """How long an order works (binance-usdm.md §5.2)."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"
    GTD = "GTD"
    GTE_GTC = "GTE_GTC"


class WorkingType(StrEnum):
    """Which price a trigger watches: last trade or mark (binance-usdm.md §4.2)."""

    CONTRACT_PRICE = "CONTRACT_PRICE"
    MARK_PRICE = "MARK_PRICE"


class MarginType(StrEnum):
    """Margin type of a symbol, as POST marginType spells it (binance-usdm.md §3.4)."""

    CROSSED = "CROSSED"
    ISOLATED = "ISOLATED"


class ArmingMode(StrEnum):
    """When the protective orders leave: after the entry's first fill, or together with the entry."""

    AFTER_FILL = "after_fill"
    WITH_ENTRY = "with_entry"


class Role(StrEnum):
    """What an order of ours is for; the letter is part of its client order id."""

    ENTRY = "E"
    STOP_LOSS = "S"
    TAKE_PROFIT = "T"
    EXIT = "X"  # asked for by a CLOSE signal
    FLATTEN = "F"  # decided by us: the position could not be left as it was


class OrderStatus(StrEnum):
    """The exchange's seven statuses of a normal order (§5.7), and three of our own."""

    PENDING_NEW = "PENDING_NEW"  # journaled and perhaps sent; no answer yet
    UNRESOLVED = "UNRESOLVED"  # sent or maybe sent; the answer never came
    PENDING_CANCEL = "PENDING_CANCEL"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"


class AlgoStatus(StrEnum):
    """The exchange's statuses of a conditional order (§4.4), and three of our own."""

    PENDING_NEW = "PENDING_NEW"
    UNRESOLVED = "UNRESOLVED"
    PENDING_CANCEL = "PENDING_CANCEL"
    NEW = "NEW"
    TRIGGERING = "TRIGGERING"
    TRIGGERED = "TRIGGERED"
    FINISHED = "FINISHED"  # its ordinary order ended; that does not mean filled
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


def exact(value: str | int | Decimal) -> Decimal:
    """Make a finite `Decimal` from text, an integer or a `Decimal`.

    Raises:
        ValueError: not a number, not finite, or a binary float (which is already inexact).
    """
    if isinstance(value, (bool, float)) or not isinstance(value, (str, int, Decimal)):
        raise ValueError(f"{value!r} is not exact: give it as text, such as '0.010'")  # noqa: TRY004
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    return number


def tidy(value: Decimal) -> Decimal:
    """A quotient as it is shown: 16 significant digits and no trailing zeros, whatever source it came from."""
    return Decimal(plain(_SHOWN.plus(value)))


def plain(value: Decimal) -> str:
    """Text of a number without an exponent and without trailing zeros: the wire's form."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
