"""The ledger of a bracket, and its agreement with the exchange."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from bracketeer.core.position import Agreement, agreement, executed_out, expected_amount, open_quantity, orders_of
from bracketeer.core.signal import SignalType
from bracketeer.core.state import PositionView
from bracketeer.core.values import Role
from tests.support.stories import E0, S0, SYMBOL, X0, Story

KEY = f"{SYMBOL}|BOTH"
AGREES, DIFFERS, UNKNOWN = Agreement.AGREES, Agreement.DIFFERS, Agreement.UNKNOWN


@pytest.mark.parametrize(
    ("out", "external", "still_open", "expected"),
    [
        ("0", "0", "1", "1"),
        ("0.4", "0", "0.6", "0.6"),
        ("1", "0", "0", "0"),
        ("1.5", "0.5", "0", "0"),  # the stop closed what others had added, too
        ("0", "0.5", "1", "1.5"),
        ("0", "-0.3", "0.7", "0.7"),
        ("0.7", "-0.3", "0", "0"),
        ("0", "-1", "0", "0"),
        ("0", "-2", "0", "-1"),  # somebody flipped it: nothing of ours is left to close
    ],
)
@pytest.mark.parametrize("signal_type", [SignalType.LONG_ENTRY, SignalType.SHORT_ENTRY])
def test_adds_up(signal_type: SignalType, out: str, external: str, still_open: str, expected: str) -> None:
    """What is open is ours only and never negative; what the exchange should show counts everybody, with its sign."""
    story = Story().protected(signal_type)
    story.close()
    story.state.orders[X0] = replace(story.order(X0), executed=Decimal(out))
    bracket = replace(story.bracket, external_net=Decimal(external))
    assert open_quantity(story.state, bracket) == Decimal(still_open)
    assert expected_amount(story.state, bracket) == Decimal(expected) * bracket.entry_side.sign
    assert executed_out(story.state, bracket) == Decimal(out)


@pytest.mark.parametrize(
    ("amount", "exchange_lag_ms", "known_lag_ms", "result"),
    [
        ("1", 0, 0, AGREES),  # the fill and the position carry the same time
        ("2", 0, 0, DIFFERS),
        ("1", 5, 0, AGREES),
        ("1", -1, 5, UNKNOWN),  # told by the stream, of before the fill
        ("1", None, 0, AGREES),
        ("1", None, -1, UNKNOWN),  # asked before we knew of the fill
        ("0", None, 1, DIFFERS),
    ],
)
def test_compares_only_with_what_was_told_after_the_last_fill(
    amount: str, exchange_lag_ms: int | None, known_lag_ms: int, result: Agreement
) -> None:
    """The stream's time is held against the fill's own, an answer's against when we learned of it."""
    story = Story()
    story.signal()
    story.now += 50
    story.fill(E0, told_at_ms=story.now - 7)
    exchange_ms = None if exchange_lag_ms is None else story.now - 7 + exchange_lag_ms
    story.state.positions[KEY] = PositionView(
        amount=Decimal(amount), known_at_ms=story.now + known_lag_ms, exchange_time_ms=exchange_ms
    )
    assert agreement(story.state, story.bracket) is result


def test_knows_nothing_when_the_position_is_older_than_asked_for() -> None:
    """A bound in time can be set; without any view nothing is known."""
    story = Story().protected()
    at = story.state.positions[KEY].known_at_ms
    assert agreement(story.state, story.bracket, since_ms=at) is AGREES
    assert agreement(story.state, story.bracket, since_ms=at + 1) is UNKNOWN
    story.state.positions.clear()
    assert agreement(story.state, story.bracket) is UNKNOWN


def test_lists_orders_by_role() -> None:
    """A triggered leg counts as an order once it is one."""
    story = Story().protected()
    assert orders_of(story.state, story.bracket) == [story.order(E0)]
    story.fill(S0, "0.4")
    assert orders_of(story.state, story.bracket, Role.STOP_LOSS) == [story.order(S0)]
    assert orders_of(story.state, story.bracket) == [story.order(E0), story.order(S0)]
