"""Prices and quantities on the exchange's grid: exact, one-sided, idempotent."""

from __future__ import annotations

import re
from decimal import Decimal, localcontext

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from bracketeer.core.checks import CheckedEntry, check_entry
from bracketeer.core.instrument import (
    Instrument,
    Rounding,
    format_price,
    format_quantity,
    is_on_step,
    is_on_tick,
    notional_of,
    quantity_from_notional,
    quantity_rules,
    round_price,
    round_quantity,
    round_quantity_down,
    smallest_quantity,
    stop_loss_price,
    take_profit_price,
)
from bracketeer.core.settings import Policy
from bracketeer.core.signal import Signal, SignalType
from bracketeer.core.values import OrderType, Side
from tests.support.profiles import examples

D = Decimal
WIRE_NUMBER = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]*[1-9])?\Z")  # no exponent, no sign, no padding

ticks = st.sampled_from(["0.0000001", "0.00000010", "0.0001000", "0.01", "0.10", "0.5", "1", "5", "10"]).map(D)
steps = st.sampled_from(["0.0001", "0.001", "0.1", "1", "10"]).map(D)
prices = st.decimals(min_value=0, max_value=D("1e9"), allow_nan=False, places=12)
amounts = st.decimals(min_value=0, max_value=D("1e7"), places=9)
directions = st.sampled_from(Rounding)
sides = st.sampled_from(Side)


@st.composite
def instruments(draw: st.DrawFn) -> Instrument:
    """Rules as exchanges have them and worse: grids that do not start at zero, parts switched off, coarse and fine."""
    step = draw(steps)
    return Instrument(
        symbol="BTCUSDT",
        status="TRADING",
        tick_size=draw(ticks | st.just(D(0))),
        min_price=draw(st.sampled_from(["0", "556.80", "0.0000003", "7", "1000000.5"]).map(D)),
        max_price=draw(st.sampled_from(["0", "4529764"]).map(D)),
        step_size=draw(st.just(step) | st.just(D(0))),
        min_quantity=draw(st.sampled_from([D(0), step, 5 * step, D("0.5"), D("0.37")])),
        max_quantity=D(1_000_000),
        market_step_size=draw(st.sampled_from([D(0), step])),
        market_min_quantity=draw(st.sampled_from([D(0), 2 * step])),
        market_max_quantity=draw(st.sampled_from([D(0), 120 * step])),
        min_notional=draw(st.sampled_from(["0", "5", "100"]).map(D)),
        price_precision=draw(st.integers(0, 8)),
        quantity_precision=draw(st.integers(0, 4)),
    )


@examples(150)
@given(instruments(), prices, directions)
def test_rounding_a_price_is_a_projection_onto_the_grid(rules: Instrument, price: Decimal, direction: Rounding) -> None:
    """Rounding is idempotent and one-sided: the result is a grid point, in the stated direction, less than a tick away,
    and a grid point is its own image. Down and up are the neighbours on either side."""
    spacing = rules.tick_size or D(1).scaleb(-rules.price_precision)
    origin = rules.min_price if rules.tick_size else D(0)
    rounded = round_price(rules, price, direction)
    with localcontext(prec=100):
        assert (rounded - origin) % spacing == 0
        moved = rounded - price if direction is Rounding.UP else price - rounded
        assert 0 <= moved < spacing
        gap = round_price(rules, price, Rounding.UP) - round_price(rules, price, Rounding.DOWN)
    assert gap == (0 if is_on_tick(rules, price) else spacing)
    assert is_on_tick(rules, rounded)
    assert round_price(rules, rounded, direction) == rounded


@given(instruments(), prices, prices, directions)
def test_rounding_keeps_the_order(rules: Instrument, one: Decimal, other: Decimal, direction: Rounding) -> None:
    """Rounding is monotone: the smaller of two prices, or quantities, never rounds to the larger result."""
    low, high = sorted((one, other))
    assert round_price(rules, low, direction) <= round_price(rules, high, direction)
    assert round_quantity(rules, low, direction) <= round_quantity(rules, high, direction)


@examples(150)
@given(instruments(), prices, amounts, directions)
def test_wire_text_loses_nothing(rules: Instrument, price: Decimal, quantity: Decimal, direction: Rounding) -> None:
    """Formatting is injective: digits with at most one point, no exponent, no padding, and reading it gives the very
    number back; in any decimal context of the caller."""
    rounded = round_price(rules, price, direction)
    amount = round_quantity(rules, quantity, Rounding.UP)
    with localcontext(prec=3):
        texts = {rounded: format_price(rules, rounded), amount: format_quantity(rules, amount)}
        assert round_price(rules, price, direction) == rounded
        assert round_quantity(rules, quantity, Rounding.UP) == amount
        worth = notional_of(amount, price)
    with localcontext(prec=100):
        assert worth == amount * price
    for number, text in texts.items():
        if number >= 0:
            assert WIRE_NUMBER.match(text)
        assert D(text) == number


@given(instruments(), prices, sides)
def test_protective_prices_exit_earlier_never_later(rules: Instrument, raw: Decimal, side: Side) -> None:
    """Rounding narrows a bracket: measured in the entry's direction the stop never moves down and the target never up,
    for a long and mirrored for a short; each by less than a tick."""
    spacing = rules.tick_size or D(1).scaleb(-rules.price_precision)
    with localcontext(prec=100):
        stop = (stop_loss_price(rules, raw, side) - raw) * side.sign
        take = (take_profit_price(rules, raw, side) - raw) * side.sign
    assert 0 <= stop < spacing
    assert -spacing < take <= 0


@examples(150)
@given(instruments(), amounts, st.sampled_from([OrderType.MARKET, OrderType.LIMIT]))
def test_a_quantity_rounds_down_onto_the_step(rules: Instrument, quantity: Decimal, order_type: OrderType) -> None:
    """Rounding a quantity down is a projection that never adds: the result is zero or on the step, not above what was
    asked for and less than a step below it (or below the first grid point), and is its own image."""
    step = quantity_rules(rules, order_type).step
    rounded = round_quantity_down(rules, quantity, order_type)
    assert 0 <= quantity - rounded < max(step, quantity_rules(rules, order_type).minimum + step)
    assert rounded == 0 or is_on_step(rules, rounded, order_type)
    assert rounded == 0 or quantity - rounded < step
    assert round_quantity_down(rules, rounded, order_type) == rounded


@examples(150)
@given(instruments(), amounts, st.lists(st.integers(1, 100), min_size=1, max_size=5))
def test_rounded_parts_never_sum_to_more_than_the_whole(rules: Instrument, whole: Decimal, weights: list[int]) -> None:
    """Rounding down is subadditive: whatever shares a quantity is split into, their rounded sizes sum up to no more
    than the whole; so the targets of a position never close more than it."""
    with localcontext(prec=100):
        shares = [whole * weight / sum(weights) for weight in weights]
        parts = [round_quantity_down(rules, share.quantize(D("1e-30"), "ROUND_DOWN")) for share in shares]
        assert sum(parts, D(0)) <= whole


@examples(150)
@given(
    instruments(),
    st.decimals(min_value="0.01", max_value=D("1e8"), places=6),
    st.decimals(min_value="0.0000001", max_value=D("1e6"), places=7),
)
def test_what_money_buys_is_the_largest_affordable_quantity(
    rules: Instrument, notional: Decimal, price: Decimal
) -> None:
    """Sizing by money is the lower adjoint of the cost: what a sum buys costs no more than the sum, and one step more
    would; nothing where not even the first grid point is paid for."""
    quantity, step = quantity_from_notional(rules, notional, price), quantity_rules(rules).step
    with localcontext(prec=100):
        assert quantity * price <= notional
        if quantity > 0:
            assert is_on_step(rules, quantity)
            assert notional < (quantity + step) * price


@examples(200)
@given(instruments(), st.integers(1, 10**6).map(D) | st.decimals(min_value="0.0000001", max_value=D("1e6"), places=7))
def test_the_smallest_quantity_is_the_least_that_passes(rules: Instrument, price: Decimal) -> None:
    """What we advise is the minimum of what both minima take: it passes them, and one step less does not."""
    quantity, bounds = smallest_quantity(rules, price), quantity_rules(rules)

    def passes(amount: Decimal) -> bool:
        return amount > 0 and amount >= bounds.minimum and notional_of(amount, price) >= rules.min_notional

    assert passes(quantity)
    assert is_on_step(rules, quantity)
    assert not passes(quantity - bounds.step)


@examples(100)
@given(instruments(), st.data())
def test_what_is_let_through_is_on_the_grid_and_in_range(rules: Instrument, data: st.DataObject) -> None:
    """Whatever signal passes the checks satisfies every filter at once: sizes and prices on their grids and within
    their bounds, worth enough, protective prices on their sides; and asking for exactly that again passes unchanged."""
    rules = replace(rules, min_price=data.draw(st.sampled_from(["0", "0.0000003", "7"]).map(D)))
    price = data.draw(st.decimals(min_value=1000, max_value=100_000, places=4))
    percent = st.integers(-5, 2000).map(lambda part: price * part / 10_000)
    kind = data.draw(st.sampled_from([SignalType.LONG_ENTRY, SignalType.SHORT_ENTRY]))
    sign = kind.entry_side.sign
    by_money = data.draw(st.booleans())
    bounds = quantity_rules(rules)
    lots = smallest_quantity(rules, price) + data.draw(st.integers(-1, 100)) * bounds.step
    size = lots * price + data.draw(st.decimals(min_value=0, max_value=1000, places=2))
    signal = Signal(
        signal_type=kind,
        symbol="BTCUSDT",
        signal_id="s",
        quantity=None if by_money else lots,
        notional=size if by_money else None,
        stop_loss=price - sign * data.draw(percent),
        take_profit=price + sign * data.draw(percent),
    )
    with localcontext(prec=4):  # whatever context the caller has
        entry = check_entry(signal, Policy(), rules, price)
    assume(isinstance(entry, CheckedEntry))
    assert isinstance(entry, CheckedEntry)
    assert is_on_step(rules, entry.quantity)
    assert max(bounds.minimum, D("1e-9")) <= entry.quantity <= (bounds.maximum or entry.quantity)
    assert notional_of(entry.quantity, price) >= rules.min_notional
    assert not by_money or notional_of(entry.quantity, price) <= size
    assert entry.stop_loss is not None
    assert entry.take_profit is not None
    for level in (entry.stop_loss, entry.take_profit):
        assert is_on_tick(rules, level)
        assert max(rules.min_price, D("1e-12")) <= level <= (rules.max_price or level)
        assert WIRE_NUMBER.match(format_price(rules, level))
    assert (price - entry.stop_loss) * sign > 0
    assert (entry.take_profit - price) * sign > 0
    exact = Signal(
        signal_type=kind,
        symbol="BTCUSDT",
        signal_id="s",
        quantity=entry.quantity,
        stop_loss=entry.stop_loss,
        take_profit=entry.take_profit,
    )
    assert check_entry(exact, Policy(), rules, price) == entry
