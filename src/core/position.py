"""The position of a bracket: from fills, and held against what the exchange says.

The ledger is the sum of fills of our orders, corrected by what others traded on the same position. Flat is believed
only where the ledger and a successful answer of the exchange agree (failure mode 9: a failed query is not zero).
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

from .bracket import Bracket
from .order import Order
from .state import State, position_key
from .values import ZERO, Role


class Agreement(Enum):
    """How the ledger compares with the exchange's own position."""

    AGREES = "agrees"
    DIFFERS = "differs"
    UNKNOWN = "unknown"  # the exchange has not told of the position since our last fill


def orders_of(state: State, bracket: Bracket, *roles: Role) -> list[Order]:
    """The normal orders of a bracket, triggered ones included; of all roles when none is named."""
    wanted = roles or tuple(bracket.ids)
    return [state.orders[i] for role in wanted for i in bracket.ids.get(role, ()) if i in state.orders]


def newest_fill_known_ms(state: State, bracket: Bracket) -> int:
    """When we learned of the newest fill of our orders; 0 without one."""
    return max((order.last_fill_known_ms for order in orders_of(state, bracket)), default=0)


def executed_in(state: State, bracket: Bracket) -> Decimal:
    """What the entry filled, in the base asset."""
    return state.orders[bracket.entry_id].executed


def executed_out(state: State, bracket: Bracket) -> Decimal:
    """What our other orders took off again."""
    exits = (Role.STOP_LOSS, Role.TAKE_PROFIT, Role.EXIT, Role.FLATTEN)
    return sum((order.executed for order in orders_of(state, bracket, *exits)), ZERO)


def open_quantity(state: State, bracket: Bracket) -> Decimal:
    """What is still open of this bracket, never negative. What others add is theirs, but to a position that was theirs:
    who claims one claims all of it."""
    ours = executed_in(state, bracket) - executed_out(state, bracket)
    others = bracket.external_net if bracket.claimed else min(ZERO, bracket.external_net)
    return max(ZERO, ours + others)


def expected_amount(state: State, bracket: Bracket) -> Decimal:
    """The signed amount the exchange should show, if our ledger is right."""
    ours = executed_in(state, bracket) - executed_out(state, bracket)
    return bracket.entry_side.sign * (ours + bracket.external_net)


def agreement(state: State, bracket: Bracket, *, since_ms: int = 0) -> Agreement:
    """Compare the ledger with the exchange's position, if that was told after our last fill (and after `since_ms`)."""
    view = state.positions.get(position_key(bracket.symbol, bracket.position_side))
    if view is None or view.known_at_ms < since_ms:
        return Agreement.UNKNOWN
    if view.exchange_time_ms is not None:  # both times are the exchange's own
        newest_ms = max((order.last_fill_ms for order in orders_of(state, bracket)), default=0)
        fresh = view.exchange_time_ms >= newest_ms
    else:  # both times are our estimates
        fresh = view.known_at_ms >= newest_fill_known_ms(state, bracket)
    if not fresh:
        return Agreement.UNKNOWN
    return Agreement.AGREES if view.amount == expected_amount(state, bracket) else Agreement.DIFFERS
