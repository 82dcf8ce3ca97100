"""From a checked entry to a bracket."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from bracketeer.core.checks import CheckedEntry
from bracketeer.core.client_ids import client_order_id
from bracketeer.core.plan import plan_bracket
from bracketeer.core.values import ArmingMode, OrderType, PositionSide, Role, Side, WorkingType
from tests.support.stories import RULES, SYMBOL

ENTRY = CheckedEntry(
    signal_id="signal-1",
    symbol=SYMBOL,
    side=Side.BUY,
    position_side=PositionSide.BOTH,
    quantity=Decimal("0.5"),
    stop_loss=Decimal(58000),
    take_profit=Decimal(62000),
    working_type=WorkingType.MARK_PRICE,
    reference_price=Decimal(60000),
)


def test_plans_what_was_checked() -> None:
    """Sizes, prices and the watched price are the entry's; the id is the signal's."""
    bracket, (intent,) = plan_bracket(ENTRY, RULES, ArmingMode.AFTER_FILL, now_ms=7)
    assert (intent.client_order_id, intent.quantity, intent.side) == (
        client_order_id("signal-1", Role.ENTRY),
        Decimal("0.5"),
        Side.BUY,
    )
    assert (intent.is_algo, intent.reduce_only, intent.close_position, intent.trigger_price) == (
        False,
        False,
        False,
        None,
    )
    assert bracket.entry_id == intent.client_order_id
    assert bracket.received_at_ms == 7
    for role, price in ((Role.STOP_LOSS, 58000), (Role.TAKE_PROFIT, 62000)):
        leg = bracket.leg(role)
        assert leg is not None
        assert (leg.trigger_price, leg.working_type) == (Decimal(price), WorkingType.MARK_PRICE)
    assert bracket.leg(Role.EXIT) is None


def test_plans_no_leg_when_none_was_asked_for() -> None:
    """What is not wanted does not appear."""
    bracket, _ = plan_bracket(replace(ENTRY, stop_loss=None, take_profit=None), RULES, ArmingMode.AFTER_FILL, now_ms=7)
    assert (bracket.stop_loss, bracket.take_profit) == (None, None)


@pytest.mark.parametrize(
    ("market", "limit", "expected"), [("120", "1000", "120"), ("0", "1000", "1000"), ("0", "0", "0")]
)
def test_takes_the_largest_close_from_the_rules(market: str, limit: str, expected: str) -> None:
    """MARKET_LOT_SIZE bounds a close; where it is off LOT_SIZE does; a zero bounds nothing."""
    rules = replace(RULES, market_max_quantity=Decimal(market), max_quantity=Decimal(limit))
    bracket, _ = plan_bracket(ENTRY, rules, ArmingMode.AFTER_FILL, now_ms=7)
    assert bracket.market_max_quantity == Decimal(expected)


@pytest.mark.parametrize("side", list(PositionSide))
@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ENTRY])
def test_never_plans_an_order_that_could_open(side: PositionSide, role: Role) -> None:
    """Every order but the entry reduces or closes; in hedge mode by direction, where the flag is refused (§12.2)."""
    bracket, _ = plan_bracket(replace(ENTRY, position_side=side), RULES, ArmingMode.AFTER_FILL, now_ms=7)
    quantities = [None, Decimal("0.5")] if bracket.leg(role) else [Decimal("0.5")]
    for quantity in quantities:
        intent = bracket.next_intent(role, quantity=quantity)
        assert intent.side is Side.SELL
        assert intent.close_position is (quantity is None)
        assert intent.reduce_only is (quantity is not None and side is PositionSide.BOTH)


def test_gives_every_generation_its_own_id() -> None:
    """The next order of a role has the next id, the same one every time it is computed."""
    bracket, _ = plan_bracket(ENTRY, RULES, ArmingMode.AFTER_FILL, now_ms=7)
    assert Role.STOP_LOSS not in bracket.ids
    ids = []
    for _ in range(3):
        intent = bracket.next_intent(Role.STOP_LOSS)
        assert intent == bracket.next_intent(Role.STOP_LOSS)
        assert intent.order_type is OrderType.STOP_MARKET
        bracket = bracket.with_id(intent)
        assert bracket.ids[Role.STOP_LOSS][-1] == intent.client_order_id
        ids.append(intent.client_order_id)
    assert ids == [client_order_id("signal-1", Role.STOP_LOSS, generation) for generation in range(3)]


@pytest.mark.parametrize(
    ("missing", "roles"),
    [
        ({}, [Role.STOP_LOSS, Role.ENTRY, Role.TAKE_PROFIT]),
        ({"take_profit": None}, [Role.STOP_LOSS, Role.ENTRY]),
        ({"stop_loss": None}, [Role.ENTRY, Role.TAKE_PROFIT]),
    ],
)
def test_sends_the_stop_in_front_of_the_entry_when_armed_with_it(missing: dict[str, None], roles: list[Role]) -> None:
    """Stop, entry, target: each for the entry's quantity, and all but the entry able to reduce only."""
    bracket, intents = plan_bracket(replace(ENTRY, **missing), RULES, ArmingMode.WITH_ENTRY, now_ms=7)
    assert [intent.role for intent in intents] == roles
    assert bracket.ids == {intent.role: (intent.client_order_id,) for intent in intents}
    for intent in intents:
        assert intent.quantity == Decimal("0.5")
        assert intent.armed is intent.reduce_only is (intent.role is not Role.ENTRY)
        assert not intent.close_position


def test_replaces_an_armed_order_by_one_that_closes_the_position() -> None:
    """The next generation of a role is a standing order."""
    bracket, _ = plan_bracket(ENTRY, RULES, ArmingMode.WITH_ENTRY, now_ms=7)
    intent = bracket.next_intent(Role.STOP_LOSS)
    assert intent.client_order_id == client_order_id("signal-1", Role.STOP_LOSS, 1)
    assert (intent.armed, intent.close_position, intent.quantity) == (False, True, None)
