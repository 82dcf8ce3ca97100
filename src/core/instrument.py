"""One symbol's trading rules as the exchange states them, and exact rounding to them.

The exchange takes a price when `min ≤ price ≤ max` and `(price - min) mod tick = 0`, and likewise a quantity with its
step (binance-usdm.md §6). Everything here is exact: no float, no quotient that had to be rounded, and each rounding
says its direction. The digits in `price_precision` are a limit on decimals, not the tick: BTCUSDT has a tick of 0.10
and a precision of 2, so 60000.15 passes the one and fails the other.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext
from enum import StrEnum

import msgspec

from .errors import BracketeerError
from .values import ZERO, OrderType, Side, exact, plain

# Wide enough for any amount the checks let through. Should one be wider still, the trap makes the operation raise: a
# wrong price in silence is the one thing this module must never produce.
_EXACT = Context(prec=120, traps=[Inexact, InvalidOperation])


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """Rules of one symbol (binance-usdm.md §3.1.1, §6); a zero switches a bound off, as the exchange has it."""

    symbol: str
    status: str
    tick_size: Decimal
    min_price: Decimal = ZERO
    max_price: Decimal = ZERO
    step_size: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    market_step_size: Decimal = ZERO
    market_min_quantity: Decimal = ZERO
    market_max_quantity: Decimal = ZERO
    min_notional: Decimal = ZERO
    price_precision: int = 8  # digits the exchange accepts, not the tick
    quantity_precision: int = 8
    trigger_protect: Decimal = ZERO
    market_take_bound: Decimal = ZERO


class UnknownSymbol(BracketeerError):  # noqa: N818 - reads as the fact it states
    """The exchange's rules have no such symbol."""

    default_code = "unknown_symbol"


class Rounding(StrEnum):
    """Which way a number may move to reach the grid. There is no 'nearest': somebody always pays for the difference."""

    DOWN = "down"  # towards zero
    UP = "up"  # away from zero


class QuantityRules(msgspec.Struct, frozen=True):
    """Step and bounds of a quantity, in the base asset. A bound of zero is off."""

    step: Decimal
    minimum: Decimal
    maximum: Decimal


def quantity_rules(instrument: Instrument, order_type: OrderType = OrderType.MARKET) -> QuantityRules:
    """The rules for one order type: MARKET_LOT_SIZE for MARKET, part by part falling back to LOT_SIZE where it is off
    (binance-usdm.md §6). With the step rules off, the limit on decimals is the step."""
    step, minimum, maximum = instrument.step_size, instrument.min_quantity, instrument.max_quantity
    if order_type is OrderType.MARKET:
        step = instrument.market_step_size or step
        minimum = instrument.market_min_quantity or minimum
        maximum = instrument.market_max_quantity or maximum
    return QuantityRules(step or _one_unit(instrument.quantity_precision), minimum, maximum)


def round_price(instrument: Instrument, price: Decimal, direction: Rounding) -> Decimal:
    """The price on the tick that is nearest to `price` (in quote currency) in `direction`; itself if it is on one.

    With the tick rule off (a tick of zero), the limit on decimals is all that remains, and the price is rounded to it.
    """
    tick, origin = _price_grid(instrument)
    return _round(price, tick, origin, direction)


def is_on_tick(instrument: Instrument, price: Decimal) -> bool:
    """Whether the exchange's tick rule takes the price. The range is another rule."""
    tick, origin = _price_grid(instrument)
    return _excess(price, tick, origin) == 0


def round_quantity(
    instrument: Instrument,
    quantity: Decimal,
    direction: Rounding,
    order_type: OrderType = OrderType.MARKET,
) -> Decimal:
    """The quantity (base asset) on the step that is nearest to `quantity` in `direction`; never negative."""
    rules = quantity_rules(instrument, order_type)
    return max(_round(quantity, rules.step, rules.minimum, direction), ZERO)


def round_quantity_down(instrument: Instrument, quantity: Decimal, order_type: OrderType = OrderType.MARKET) -> Decimal:
    """The largest quantity (base asset) on the step that is not above `quantity`: never more than was asked for.

    It may be below the minimum, or zero.
    """
    return round_quantity(instrument, quantity, Rounding.DOWN, order_type)


def is_on_step(instrument: Instrument, quantity: Decimal, order_type: OrderType = OrderType.MARKET) -> bool:
    """Whether the exchange's step rule takes the quantity. The range is another rule."""
    rules = quantity_rules(instrument, order_type)
    return _excess(quantity, rules.step, rules.minimum) == 0


def notional_of(quantity: Decimal, price: Decimal) -> Decimal:
    """Quantity (base asset) times price, in quote currency; exact whatever decimal context the calling thread has."""
    with localcontext(_EXACT):
        return quantity * price


def quantity_from_notional(instrument: Instrument, notional: Decimal, price: Decimal) -> Decimal:
    """The largest MARKET quantity (base asset) on the step that costs no more than `notional` (quote currency) at
    `price`; zero where not even one step does.

    Raises:
        ValueError: the price is not positive.
    """
    if price <= 0:
        raise ValueError(f"a quantity needs a positive price, not {price}")
    rules = quantity_rules(instrument)
    with localcontext(_EXACT):
        # notional / price may have no end of digits, so money is compared with money: how many times the cost of one
        # step is paid for, once the origin of the grid is.
        step_cost = rules.step * price
        spent = _round(notional - rules.minimum * price, step_cost, ZERO, Rounding.DOWN)
        return max(rules.minimum + spent // step_cost * rules.step, ZERO)


def smallest_quantity(instrument: Instrument, price: Decimal) -> Decimal:
    """The least quantity (base asset) of a MARKET entry at `price`: not below the minimum quantity, nor worth less than
    the minimum notional (binance-usdm.md §6).

    Raises:
        ValueError: the price is not positive.
    """
    rules = quantity_rules(instrument)
    quantity = quantity_from_notional(instrument, instrument.min_notional, price)
    if notional_of(quantity, price) < instrument.min_notional:
        with localcontext(_EXACT):  # the grid counts from the minimum; zero is what buys nothing, not a point of it
            quantity = quantity + rules.step if quantity else rules.minimum or rules.step
    return max(quantity, rules.minimum or rules.step)


def stop_loss_price(instrument: Instrument, raw: Decimal, entry_side: Side) -> Decimal:
    """The stop on the tick, rounded towards the earlier exit: up for a long, down for a short.

    So rounding never lets a loss run further than was asked for.
    """
    return round_price(instrument, raw, Rounding.UP if entry_side is Side.BUY else Rounding.DOWN)


def take_profit_price(instrument: Instrument, raw: Decimal, entry_side: Side) -> Decimal:
    """The target on the tick, rounded towards the earlier exit: down for a long, up for a short.

    So rounding never makes a target harder to reach than was asked for.
    """
    return round_price(instrument, raw, Rounding.DOWN if entry_side is Side.BUY else Rounding.UP)


def format_price(instrument: Instrument, price: Decimal) -> str:
    """The wire's text of a price: no exponent, no digit lost.

    Raises:
        ValueError: the price is off the tick. Round it first, and say which way.
    """
    if not is_on_tick(instrument, price):
        raise ValueError(f"{price} is not on the tick {plain(instrument.tick_size)} of {instrument.symbol}")
    return plain(price)


def format_quantity(instrument: Instrument, quantity: Decimal, order_type: OrderType = OrderType.MARKET) -> str:
    """The wire's text of a quantity: no exponent, no digit lost.

    Raises:
        ValueError: the quantity is off the step. Round it first.
    """
    if not is_on_step(instrument, quantity, order_type):
        step = quantity_rules(instrument, order_type).step
        raise ValueError(f"{quantity} is not on the step {plain(step)} of {instrument.symbol}")
    return plain(quantity)


class PriceFormatter:
    """Prices and quantities of any symbol as the exchange wants them written.

    `rules` gives a symbol's instrument, or None for a symbol the exchange does not have; the cache of exchangeInfo is
    one such callable.
    """

    def __init__(self, rules: Callable[[str], Instrument | None]) -> None:
        self._rules = rules

    def format_price(self, symbol: str, price: str | int | Decimal, direction: Rounding) -> str:
        """The price rounded to the tick in `direction`, as text without an exponent.

        Raises:
            UnknownSymbol: the exchange has no such symbol.
            ValueError: not an exact, finite number.
        """
        instrument = self._instrument(symbol)
        return format_price(instrument, round_price(instrument, exact(price), direction))

    def format_quantity(
        self, symbol: str, quantity: str | int | Decimal, order_type: OrderType = OrderType.MARKET
    ) -> str:
        """The quantity rounded down to the step of the order type, as text without an exponent.

        Raises:
            UnknownSymbol: the exchange has no such symbol.
            ValueError: not an exact, finite number.
        """
        instrument = self._instrument(symbol)
        rounded = round_quantity_down(instrument, exact(quantity), order_type)
        return plain(rounded)

    def _instrument(self, symbol: str) -> Instrument:
        instrument = self._rules(symbol)
        if instrument is None:
            raise UnknownSymbol(f"the exchange has no symbol {symbol!r}", symbol=symbol)
        return instrument


def _price_grid(instrument: Instrument) -> tuple[Decimal, Decimal]:
    """Spacing and origin of the prices that are accepted."""
    if instrument.tick_size == 0:
        return _one_unit(instrument.price_precision), ZERO
    return instrument.tick_size, instrument.min_price


def _one_unit(decimals: int) -> Decimal:
    """The smallest number with so many decimals."""
    return Decimal((0, (1,), -decimals))


def _round(value: Decimal, spacing: Decimal, origin: Decimal, direction: Rounding) -> Decimal:
    excess = _excess(value, spacing, origin)
    if excess == 0:
        return value
    with localcontext(_EXACT):
        below = value - excess
        return below if direction is Rounding.DOWN else below + spacing


def _excess(value: Decimal, spacing: Decimal, origin: Decimal) -> Decimal:
    """How far `value` lies above the grid point at or below it: 0 ≤ excess < spacing."""
    with localcontext(_EXACT):
        remainder = (value - origin) % spacing  # Decimal's remainder takes the sign of the dividend
        return remainder + spacing if remainder < 0 else remainder
