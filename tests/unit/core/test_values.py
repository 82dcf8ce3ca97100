"""Exact numbers in, plain text out; sides that undo each other."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bracketeer.core.values import CONDITIONAL_TYPES, OrderType, Side, exact, plain, tidy


@pytest.mark.parametrize(
    ("given_value", "number"),
    [
        ("0.010", "0.010"),
        (" 7 ", "7"),
        ("1e3", "1E+3"),
        ("-0.5", "-0.5"),
        (12, "12"),
        (Decimal("0.1"), "0.1"),
    ],
)
def test_exact_takes_text_integers_and_decimals(given_value: str | int | Decimal, number: str) -> None:
    """What is exact stays as it is, digit by digit."""
    assert str(exact(given_value)) == number


@pytest.mark.parametrize(
    ("given_value", "reason"),
    [
        (0.1, "is not exact: give it as text"),
        (True, "is not exact"),
        (None, "is not exact"),
        ([1], "is not exact"),
        ("", "is not a number"),
        ("0,5", "is not a number"),
        ("1e99999999999999999999", "is not a number"),
        ("NaN", "is not a finite number"),
        ("sNaN", "is not a finite number"),
        ("-Infinity", "is not a finite number"),
        (Decimal("Infinity"), "is not a finite number"),
    ],
)
def test_exact_refuses_everything_else_with_its_reason(given_value: Any, reason: str) -> None:
    """Floats, flags, nothing, garbage, and numbers without an end."""
    with pytest.raises(ValueError, match=reason):
        exact(given_value)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1E+3", "1000"),
        ("1E-7", "0.0000001"),
        ("60000.10", "60000.1"),
        ("100", "100"),
        ("0.000", "0"),
        ("-0.50", "-0.5"),
    ],
)
def test_plain_writes_no_exponent_and_no_padding(number: str, text: str) -> None:
    """The wire's form of a number."""
    assert plain(Decimal(number)) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-1e20"), max_value=Decimal("1e20")))
def test_plain_text_reads_back_as_the_same_number(value: Decimal) -> None:
    """Nothing is lost on the way through text."""
    text = plain(value)
    assert set(text) <= set("-0123456789.")
    assert exact(text) == value


@pytest.mark.parametrize(("side", "opposite", "sign"), [(Side.BUY, Side.SELL, 1), (Side.SELL, Side.BUY, -1)])
def test_sides_undo_each_other(side: Side, opposite: Side, sign: int) -> None:
    """What one side adds, the other takes away."""
    assert (side.opposite, side.sign) == (opposite, sign)
    assert side.sign + side.opposite.sign == 0


def test_conditional_types_are_the_five_of_the_algo_service() -> None:
    """The exchange refuses these on the ordinary endpoint (-4120; binance-usdm.md §4.1)."""
    assert {str(order_type) for order_type in CONDITIONAL_TYPES} == {
        "STOP",
        "STOP_MARKET",
        "TAKE_PROFIT",
        "TAKE_PROFIT_MARKET",
        "TRAILING_STOP_MARKET",
    }
    assert OrderType.MARKET not in CONDITIONAL_TYPES


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal("60001.200"), "60001.2"),
        (Decimal(1) / Decimal(3), "0.3333333333333333"),
        (Decimal("0.0000012345"), "0.0000012345"),
        (Decimal(600), "600"),
    ],
)
def test_a_quotient_is_shown_the_same_whatever_it_came_from(value: Decimal, shown: str) -> None:
    """Sixteen significant digits, no trailing zeros, no exponent."""
    assert format(tidy(value), "f") == shown
