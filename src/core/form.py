"""What can be said of a signal without the exchange: its names, its age, whether its amounts are exact numbers."""

from __future__ import annotations

from decimal import Decimal

from .denial import DenialCode, Denied, denied, shown
from .settings import Policy
from .signal import Amount, Signal
from .values import PositionSide, exact

FUTURE_TOLERANCE_MS = 60_000  # clocks differ; a minute ahead is a fault
SIGNAL_ID_LENGTH_MAX = 200
SYMBOL_LENGTH_MAX = 40
# Before and after the point; no market needs more. Absurd texts, as 1E+999999, stay out of the arithmetic.
AMOUNT_DIGITS_MAX = 30


def check_form(signal: Signal, policy: Policy, now_ms: int) -> Denied | None:
    """What can be said without the exchange: ids, age, amounts. None when the signal is well formed.

    `now_ms` is the exchange's clock as we estimate it, in ms since the epoch.
    """
    return _check_names(signal) or _check_age(signal, policy, now_ms) or _check_amounts(signal, policy)


def _check_names(signal: Signal) -> Denied | None:
    signal_id, symbol = signal.signal_id, signal.symbol
    if not 1 <= len(signal_id) <= SIGNAL_ID_LENGTH_MAX or signal_id.strip() != signal_id or not signal_id.isprintable():
        return denied(
            DenialCode.SIGNAL_ID_INVALID,
            f"The signal id {shown(signal_id)} cannot be used: give 1 to {SIGNAL_ID_LENGTH_MAX} printable"
            " characters, without spaces at either end.",
            signal_id=signal_id,
            length=len(signal_id),
        )
    if not is_symbol(symbol):
        upper = symbol.strip().upper()
        hint = f": did you mean {shown(upper)}?" if upper != symbol else "."
        return denied(
            DenialCode.SYMBOL_INVALID,
            f"{shown(symbol)} is not a symbol: upper-case letters, digits and _ only, at most"
            f" {SYMBOL_LENGTH_MAX}, as the exchange writes it{hint}",
            symbol=symbol,
        )
    if signal.position_side is not PositionSide.BOTH:
        return denied(
            DenialCode.HEDGE_MODE_UNSUPPORTED,
            f"Position side {signal.position_side} needs hedge mode, which is not supported yet: leave"
            " position_side out, with the account in one-way mode.",
            position_side=signal.position_side,
        )
    return None


def is_symbol(text: str) -> bool:
    """Whether this can be one of the exchange's symbols."""
    return 1 <= len(text) <= SYMBOL_LENGTH_MAX and all(map(_is_symbol_character, text))


def _is_symbol_character(character: str) -> bool:
    """Since 2025 some symbols have letters that are not ASCII (币安人生USDT); none has lower case."""
    if character.isascii():
        return character.isupper() or character.isdigit() or character == "_"
    return character.isalpha() and not character.islower()


def _check_age(signal: Signal, policy: Policy, now_ms: int) -> Denied | None:
    if signal.timestamp is None:
        if signal.ttl_ms is None:
            return None
        return denied(
            DenialCode.TIMESTAMP_MISSING,
            f"ttl_ms is {signal.ttl_ms}, but there is no timestamp to count it from: send both.",
            ttl_ms=signal.ttl_ms,
        )
    age_ms = now_ms - signal.timestamp
    numbers = {"timestamp": signal.timestamp, "now_ms": now_ms, "age_ms": age_ms}
    if age_ms < -FUTURE_TOLERANCE_MS:
        return denied(
            DenialCode.SIGNAL_FROM_FUTURE,
            f"The signal's timestamp is {-age_ms} ms ahead of the exchange's clock (at most"
            f" {FUTURE_TOLERANCE_MS} is tolerated): correct the sender's clock, and give milliseconds, UTC.",
            **numbers,
        )
    ttl_ms = signal.ttl_ms if signal.ttl_ms is not None else policy.signal_ttl_ms
    if ttl_ms is not None and (ttl_ms <= 0 or age_ms > ttl_ms):
        return denied(
            DenialCode.SIGNAL_EXPIRED,
            f"The signal is {age_ms} ms old and was good for {ttl_ms} ms: decide anew, and send a fresh one.",
            ttl_ms=ttl_ms,
            **numbers,
        )
    return None


def expires_at_ms(signal: Signal, policy: Policy) -> int | None:
    """Until when a signal is worth following, in ms on the exchange's clock; None when it says nothing of its age."""
    ttl_ms = signal.ttl_ms if signal.ttl_ms is not None else policy.signal_ttl_ms
    return None if signal.timestamp is None or ttl_ms is None else signal.timestamp + ttl_ms


def _check_amounts(signal: Signal, policy: Policy) -> Denied | None:
    if not signal.signal_type.is_entry:
        if signal.quantity is None and signal.notional is None:
            return None
        return denied(
            DenialCode.CLOSE_TAKES_NO_QUANTITY,
            f"{signal.signal_type} closes the whole position: send it without quantity and notional.",
            quantity=signal.quantity,
            notional=signal.notional,
        )
    if signal.quantity is not None and signal.notional is not None:
        return denied(
            DenialCode.QUANTITY_AND_NOTIONAL,
            "Both quantity and notional are given: give one of them.",
            quantity=signal.quantity,
            notional=signal.notional,
        )
    if signal.quantity is None and signal.notional is None:
        return denied(
            DenialCode.QUANTITY_MISSING,
            "The entry has no size: give quantity (base asset) or notional (USDT).",
        )
    for field, amount in (("quantity", signal.quantity), ("notional", signal.notional)):
        if amount is not None and (problem := _check_size(field, amount)):
            return problem
    for field, amount in (
        ("stop_loss", signal.stop_loss),
        ("take_profit", signal.take_profit),
        ("entry_price", signal.entry_price),
    ):
        if amount is not None and (problem := _check_price(field, amount)):
            return problem
    if signal.stop_loss is None and policy.require_stop_loss:
        return denied(
            DenialCode.STOP_LOSS_REQUIRED,
            "The entry has no stop loss: give stop_loss, or allow such entries with REQUIRE_STOP_LOSS=false.",
        )
    return None


def _check_size(field: str, amount: Amount) -> Denied | None:
    text = shown(amount)
    facts = {"field": field, "value": amount}
    if isinstance(amount, float):
        return denied(
            DenialCode.QUANTITY_NOT_EXACT,
            f"{field} {text} is a binary float, which is not exact: give it as text, such as '0.010'.",
            **facts,
        )
    number = _number(amount)
    if number is None:
        return denied(
            DenialCode.QUANTITY_NOT_A_NUMBER,
            f"{field} {text} is not a finite number: give it in digits, such as '0.010'.",
            **facts,
        )
    if number <= 0:
        return denied(
            DenialCode.QUANTITY_NOT_POSITIVE,
            f"{field} {text} is not above zero: the signal type says the direction, the amount is positive.",
            **facts,
        )
    if number.adjusted() >= AMOUNT_DIGITS_MAX:
        return denied(
            DenialCode.QUANTITY_TOO_LARGE,
            f"{field} {text} has more than {AMOUNT_DIGITS_MAX} digits: no market is that large.",
            **facts,
        )
    if _decimals(number) > AMOUNT_DIGITS_MAX:
        return denied(
            DenialCode.QUANTITY_TOO_PRECISE,
            f"{field} {text} has more than {AMOUNT_DIGITS_MAX} decimals: no market is that precise.",
            **facts,
        )
    return None


def _check_price(field: str, amount: Amount) -> Denied | None:
    text = shown(amount)
    number = _number(amount)
    if isinstance(amount, float):
        problem = "is a binary float, which is not exact: give it as text, such as '58000.10'"
    elif number is None:
        problem = "is not a finite number: give it in digits, such as '58000.10'"
    elif number <= 0:
        problem = "is not above zero: leave the field out if there is none"
    elif number.adjusted() >= AMOUNT_DIGITS_MAX or _decimals(number) > AMOUNT_DIGITS_MAX:
        problem = f"has more than {AMOUNT_DIGITS_MAX} digits or decimals: no price does"
    else:
        return None
    return denied(DenialCode.PRICE_INVALID, f"{field} {text} {problem}.", field=field, value=amount)


def _number(amount: Amount) -> Decimal | None:
    """The amount as a finite number; None where it is none."""
    try:
        return None if amount is None else exact(amount)
    except ValueError:
        return None


def _decimals(number: Decimal) -> int:
    """Digits after the point as written; trailing zeros count."""
    exponent = number.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0
