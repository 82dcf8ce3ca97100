"""Is this signal fit to be followed? Pure checks, in two steps: what the signal says of itself (`check_form`), then
what it says against the exchange's rules and the price of the moment (`check_entry`).

They refuse with a code and the numbers, and never repair: a wish that cannot be had exactly goes back to its sender.
The one exception is rounding in a direction that can only make things safer: protective prices towards the earlier
exit, quantities derived from money down.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from .denial import DenialCode, Denied, denied
from .form import check_form
from .instrument import (
    Instrument,
    Rounding,
    is_on_step,
    notional_of,
    quantity_from_notional,
    quantity_rules,
    round_quantity,
    smallest_quantity,
    stop_loss_price,
    take_profit_price,
)
from .settings import Policy
from .signal import Signal
from .values import PositionSide, Side, WorkingType, exact, plain

__all__ = ["CheckedEntry", "check_entry", "check_form", "check_price_range"]


class CheckedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that may be planned: quantity (base asset) on the step, prices (quote currency) on the tick.

    `reference_price` is the price of `working_type` at which the sides of stop and target were judged.
    """

    signal_id: str
    symbol: str
    side: Side
    position_side: PositionSide
    quantity: Decimal
    stop_loss: Decimal | None
    take_profit: Decimal | None
    working_type: WorkingType
    reference_price: Decimal


def check_entry(
    signal: Signal, policy: Policy, instrument: Instrument, reference_price: Decimal | None
) -> CheckedEntry | Denied:
    """Judge an entry that passed `check_form` by the symbol's rules (binance-usdm.md §6) and by the price that its
    triggers watch, in quote currency.

    The minimum notional is judged at the reference price. The exchange judges it at the mark price, so near the minimum
    it may still refuse (-4164).

    Raises:
        ValueError: not an entry that passed `check_form`, or another symbol's rules.
    """
    if not signal.signal_type.is_entry:
        raise ValueError(f"{signal.signal_type} is not an entry")
    if signal.symbol != instrument.symbol:
        raise ValueError(f"rules of {instrument.symbol} cannot judge {signal.symbol}")
    if instrument.status != "TRADING":
        return denied(
            DenialCode.SYMBOL_NOT_TRADING,
            f"{instrument.symbol} is {instrument.status}, not TRADING: wait until the exchange trades it.",
            symbol=instrument.symbol,
            status=instrument.status,
        )
    if reference_price is None or not (reference_price.is_finite() and reference_price > 0):
        return denied(
            DenialCode.REFERENCE_PRICE_MISSING,
            f"The exchange gave no usable price for {signal.symbol}: send the signal again in a moment.",
            symbol=signal.symbol,
            reference_price=reference_price,
        )
    quantity = _sized(signal, instrument, reference_price)
    if isinstance(quantity, Denied):
        return quantity
    side = signal.signal_type.entry_side
    stop_loss = take_profit = None
    if signal.stop_loss is not None:
        stop_loss = stop_loss_price(instrument, exact(signal.stop_loss), side)
    if signal.take_profit is not None:
        take_profit = take_profit_price(instrument, exact(signal.take_profit), side)
    entry = CheckedEntry(
        signal_id=signal.signal_id,
        symbol=signal.symbol,
        side=side,
        position_side=signal.position_side,
        quantity=quantity,
        stop_loss=stop_loss,
        take_profit=take_profit,
        working_type=signal.working_type or policy.working_type,
        reference_price=reference_price,
    )
    return _check_prices(entry, instrument) or entry


def _sized(signal: Signal, instrument: Instrument, price: Decimal) -> Decimal | Denied:
    """The quantity of the entry, on the step and within the rules of market orders."""
    if signal.quantity is not None:
        quantity, source = exact(signal.quantity), ""
    elif signal.notional is not None:
        budget = exact(signal.notional)
        if problem := _check_notional(instrument, price, budget, f"Notional {plain(budget)} USDT is"):
            return problem
        quantity = quantity_from_notional(instrument, budget, price)
        source = f" (what {plain(budget)} USDT buys at {plain(price)})"
    else:
        raise ValueError("an entry without a size has not passed check_form")
    subject = f"Quantity {plain(quantity)}{source}"
    worth = notional_of(quantity, price)
    return (
        _check_quantity(instrument, price, quantity, subject)
        or _check_notional(instrument, price, worth, f"{subject} at {plain(price)} is worth {plain(worth)} USDT,")
        or quantity
    )


def _check_quantity(instrument: Instrument, price: Decimal, quantity: Decimal, subject: str) -> Denied | None:
    rules = quantity_rules(instrument)
    facts = {
        "symbol": instrument.symbol,
        "quantity": quantity,
        "minimum": rules.minimum,
        "maximum": rules.maximum,
        "step": rules.step,
    }
    if quantity <= 0 or quantity < rules.minimum:
        least = smallest_quantity(instrument, price)
        return denied(
            DenialCode.QUANTITY_TOO_SMALL,
            f"{subject} is below the minimum of {instrument.symbol}: ask for at least {plain(least)}.",
            **facts,
        )
    if 0 < rules.maximum < quantity:
        return denied(
            DenialCode.QUANTITY_TOO_LARGE,
            f"{subject} is above the maximum of one market order of {instrument.symbol}: ask for at most"
            f" {plain(rules.maximum)}.",
            **facts,
        )
    if not is_on_step(instrument, quantity):
        below = round_quantity(instrument, quantity, Rounding.DOWN)
        above = round_quantity(instrument, quantity, Rounding.UP)
        return denied(
            DenialCode.QUANTITY_TOO_PRECISE,
            f"{subject} is not on the step {plain(rules.step)} of {instrument.symbol}: send {plain(below)} or"
            f" {plain(above)}.",
            **facts,
        )
    return None


def _check_notional(instrument: Instrument, price: Decimal, worth: Decimal, subject: str) -> Denied | None:
    """`worth` is quantity times price, or the money that was to be spent, in quote currency."""
    if worth >= instrument.min_notional:
        return None
    return denied(
        DenialCode.NOTIONAL_TOO_SMALL,
        f"{subject} below the minimum {plain(instrument.min_notional)} of {instrument.symbol}: ask for"
        f" a quantity of at least {plain(smallest_quantity(instrument, price))}.",
        symbol=instrument.symbol,
        notional=worth,
        minimum=instrument.min_notional,
        price=price,
    )


def _check_prices(entry: CheckedEntry, instrument: Instrument) -> Denied | None:
    is_long = entry.side is Side.BUY
    stop, take = entry.stop_loss, entry.take_profit
    return (
        check_price_range("stop_loss", stop, instrument)
        or check_price_range("take_profit", take, instrument)
        or _check_side(DenialCode.STOP_LOSS_WRONG_SIDE, "stop_loss", stop, entry, above=not is_long)
        or _check_side(DenialCode.TAKE_PROFIT_WRONG_SIDE, "take_profit", take, entry, above=is_long)
    )


def check_price_range(field: str, price: Decimal | None, instrument: Instrument) -> Denied | None:
    """Whether a price (quote currency) is one in which the symbol may trade."""
    if price is None or (price > 0 and instrument.min_price <= price <= (instrument.max_price or price)):
        return None
    highest = plain(instrument.max_price) if instrument.max_price else "any height"
    return denied(
        DenialCode.PRICE_INVALID,
        f"{field} {plain(price)} (on the tick) is outside the prices of {instrument.symbol}, which go from"
        f" {plain(instrument.min_price)} to {highest}: correct it.",
        field=field,
        value=price,
        symbol=instrument.symbol,
        minimum=instrument.min_price,
        maximum=instrument.max_price,
    )


def _check_side(
    code: DenialCode, field: str, price: Decimal | None, entry: CheckedEntry, *, above: bool
) -> Denied | None:
    """Strictly on its side of the reference price: at the price itself a trigger fires at once (-2021)."""
    reference = entry.reference_price
    if price is None or (price > reference if above else price < reference):
        return None
    direction = "long" if entry.side is Side.BUY else "short"
    watched = "mark" if entry.working_type is WorkingType.MARK_PRICE else "last"
    wanted = "above" if above else "below"
    return denied(
        code,
        f"{field} {plain(price)} (on the tick) of a {direction} must be {wanted} the {watched} price"
        f" {plain(reference)}, or it fires at once: {_advice(entry)}.",
        symbol=entry.symbol,
        price=price,
        reference_price=reference,
        working_type=entry.working_type,
    )


def _advice(entry: CheckedEntry) -> str:
    stop, take = entry.stop_loss, entry.take_profit
    if stop is not None and take is not None and (stop > take if entry.side is Side.BUY else stop < take):
        return "stop_loss and take_profit look swapped"
    return "correct it, or let the signal go if the market has moved on"
