"""Exact rounding: whatever the rules and the number, the result is on the grid, on its side, and near."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest

from bracketeer.core.instrument import (
    Instrument,
    PriceFormatter,
    QuantityRules,
    Rounding,
    UnknownSymbol,
    format_price,
    format_quantity,
    is_on_tick,
    notional_of,
    quantity_from_notional,
    quantity_rules,
    round_price,
    round_quantity_down,
    stop_loss_price,
)
from bracketeer.core.values import OrderType, Side

D = Decimal


def instrument(tick: str = "0.10", step: str = "0.001", **rules: str) -> Instrument:
    """Rules of a symbol: BTCUSDT's, where nothing else is asked for."""
    given_rules = {name: D(value) for name, value in rules.items()}
    defaults = {"min_quantity": D(step), "max_quantity": D(1000)}
    return Instrument(
        symbol="BTCUSDT",
        status="TRADING",
        tick_size=D(tick),
        step_size=D(step),
        price_precision=2,
        quantity_precision=3,
        **(defaults | given_rules),
    )


@pytest.mark.parametrize(
    ("tick", "price", "down", "up"),
    [
        (
            "0.10",
            "60000.15",
            "60000.1",
            "60000.2",
        ),  # two decimals are within pricePrecision, and off the tick
        ("0.10", "60000.10", "60000.1", "60000.1"),
        ("0.0000001", "0.00001234567", "0.0000123", "0.0000124"),
        ("5", "60003", "60000", "60005"),
        ("1", "99.5", "99", "100"),
        ("0", "60000.156", "60000.15", "60000.16"),  # tick rule off: the limit on decimals remains
    ],
)
def test_prices_round_as_stated(tick: str, price: str, down: str, up: str) -> None:
    """Named cases, as text on the wire."""
    rules = instrument(tick)
    assert format_price(rules, round_price(rules, D(price), Rounding.DOWN)) == down
    assert format_price(rules, round_price(rules, D(price), Rounding.UP)) == up


def test_tick_counts_from_the_minimum_price() -> None:
    """(price - min) mod tick = 0, not price mod tick."""
    rules = instrument("5", min_price="2")
    assert is_on_tick(rules, D(12))
    assert not is_on_tick(rules, D(10))
    assert round_price(rules, D(10), Rounding.DOWN) == 7


def test_an_origin_does_not_count_when_the_tick_rule_is_off() -> None:
    """A tick of zero leaves the limit on decimals alone, whatever the minimum price is."""
    assert is_on_tick(instrument("0", min_price="0.005"), D("1.25"))


def test_rounding_is_exact_for_very_long_numbers() -> None:
    """A digit far behind the point decides the direction: no quotient is rounded on the way."""
    price = D("60000." + "0" * 40 + "1")
    assert round_price(instrument("0.10"), price, Rounding.UP) == D("60000.10")
    assert not is_on_tick(instrument("0.10"), price)


def test_results_do_not_depend_on_the_callers_decimal_context() -> None:
    """A library user may have lowered the precision of its thread; our numbers stay exact."""
    rules = instrument("0.0000001", min_price="0.0000001")
    with localcontext(prec=3):
        assert round_price(rules, D("123456.78901234"), Rounding.DOWN) == D("123456.7890123")
        assert notional_of(D("1234.567"), D("60000.1")) == D("74074143.4567")
        assert quantity_from_notional(rules, D("100000"), D("60000.1")) == D("1.666")
    assert stop_loss_price(rules, D("1.00000001"), Side.BUY) == D("1.0000001")


def test_market_rules_fall_back_to_lot_rules_part_by_part() -> None:
    """A MARKET_LOT_SIZE part that is off leaves LOT_SIZE's part in force; other types see only LOT_SIZE."""
    rules = instrument(market_max_quantity="120", market_step_size="0.01")
    assert quantity_rules(rules) == QuantityRules(D("0.01"), D("0.001"), D(120))
    assert quantity_rules(rules, OrderType.LIMIT) == QuantityRules(D("0.001"), D("0.001"), D(1000))
    assert round_quantity_down(rules, D("1.2345")) == D("1.231")  # steps of 0.01 counted from the minimum 0.001
    assert round_quantity_down(rules, D("1.2345"), OrderType.LIMIT) == D("1.234")


def test_step_of_zero_leaves_the_limit_on_decimals() -> None:
    """With the step rule off, as many decimals as quantityPrecision says are kept."""
    assert round_quantity_down(instrument(step="0"), D("1.23456")) == D("1.234")


def test_money_for_less_than_one_step_buys_nothing() -> None:
    """Zero, not the minimum quantity: it would cost more than was to be spent."""
    assert quantity_from_notional(instrument(), D(5), D(60000)) == 0


def test_notional_needs_a_positive_price() -> None:
    """A price of zero is no answer of the market."""
    with pytest.raises(ValueError, match="positive price"):
        quantity_from_notional(instrument(), D(100), D(0))


def test_formatting_refuses_what_is_off_the_grid() -> None:
    """Formatting never rounds: the caller has to say the direction."""
    with pytest.raises(ValueError, match=r"60000\.15 is not on the tick 0\.1 of BTCUSDT"):
        format_price(instrument(), D("60000.15"))
    with pytest.raises(ValueError, match=r"0\.0105 is not on the step 0\.001 of BTCUSDT"):
        format_quantity(instrument(), D("0.0105"))


def test_formatter_rounds_and_writes_for_any_symbol() -> None:
    """The public formatter takes text and gives text, also for a symbol counted in thousands."""
    pepe = instrument("0.0000001", "1", max_quantity="0")
    formatter = PriceFormatter({"1000PEPEUSDT": pepe}.get)
    assert formatter.format_price("1000PEPEUSDT", "0.00712345678", Rounding.UP) == "0.0071235"
    assert formatter.format_quantity("1000PEPEUSDT", "1E+6") == "1000000"
    assert formatter.format_quantity("1000PEPEUSDT", "12.9", OrderType.LIMIT) == "12"


def test_formatter_says_which_symbol_is_unknown() -> None:
    """An unknown symbol is an error with a code, not a guess."""
    with pytest.raises(UnknownSymbol) as caught:
        PriceFormatter(lambda symbol: None).format_price("NOPE", "1", Rounding.DOWN)
    assert (caught.value.code, caught.value.context) == ("unknown_symbol", {"symbol": "NOPE"})


def test_formatter_refuses_a_float() -> None:
    """A binary float is inexact before it arrives."""
    with pytest.raises(ValueError, match="not exact"):
        PriceFormatter({"BTCUSDT": instrument()}.get).format_quantity("BTCUSDT", 0.1)  # type: ignore[arg-type]
