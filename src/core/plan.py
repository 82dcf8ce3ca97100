"""From a checked signal to a bracket: what will rest, at which prices, under which ids."""

from __future__ import annotations

from .bracket import Bracket, ProtectionLeg
from .checks import CheckedEntry
from .instrument import Instrument, quantity_rules
from .intent import OrderIntent
from .values import ArmingMode, OrderType, Role


def plan_bracket(
    entry: CheckedEntry, instrument: Instrument, arming: ArmingMode, *, now_ms: int
) -> tuple[Bracket, tuple[OrderIntent, ...]]:
    """The bracket of an entry, and what is sent at once, in the order in which the exchange should see it.

    The stop is a STOP_MARKET and the target a TAKE_PROFIT_MARKET, both closing the whole position at trigger, so they
    need no resizing when more of the entry fills (design: bracket rules). Armed with the entry they are sent now,
    reduce-only and for its quantity, the stop in front of it; the closing ones take their place after the fill.
    """
    stop = take = None
    if entry.stop_loss is not None:
        stop = ProtectionLeg(
            role=Role.STOP_LOSS,
            order_type=OrderType.STOP_MARKET,
            trigger_price=entry.stop_loss,
            working_type=entry.working_type,
        )
    if entry.take_profit is not None:
        take = ProtectionLeg(
            role=Role.TAKE_PROFIT,
            order_type=OrderType.TAKE_PROFIT_MARKET,
            trigger_price=entry.take_profit,
            working_type=entry.working_type,
        )
    rules = quantity_rules(instrument)
    bracket = Bracket(
        signal_id=entry.signal_id,
        symbol=entry.symbol,
        position_side=entry.position_side,
        entry_side=entry.side,
        quantity=entry.quantity,
        market_max_quantity=rules.maximum,
        market_step=rules.step,
        arming=arming,
        stop_loss=stop,
        take_profit=take,
        received_at_ms=now_ms,
    )
    roles = [Role.ENTRY]
    if arming is ArmingMode.WITH_ENTRY:
        roles = [*([Role.STOP_LOSS] if stop else []), Role.ENTRY, *([Role.TAKE_PROFIT] if take else [])]
    intents = tuple(bracket.next_intent(role, quantity=entry.quantity, armed=role is not Role.ENTRY) for role in roles)
    for intent in intents:
        bracket = bracket.with_id(intent)
    return bracket, intents
