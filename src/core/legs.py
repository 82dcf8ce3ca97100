"""Which order speaks for a protective role.

With ARM=with_entry a role has two orders for a while: the *armed* one, which left with the entry and carries its
quantity, and the *standing* one, which closes the whole position and takes its place. After the hand-over, and always
with ARM=after_fill, there are standing ones only, of which the newest counts; where that was refused or given up, an
older one that shows again.
"""

from __future__ import annotations

from .bracket import Bracket
from .order import AlgoOrder
from .position import open_quantity
from .state import State
from .values import AlgoStatus, Role

LEGS = (Role.STOP_LOSS, Role.TAKE_PROFIT)


def legs_of(state: State, bracket: Bracket, *roles: Role) -> list[AlgoOrder]:
    """The conditional orders of a bracket, oldest first; of both roles when none is named."""
    return [state.algos[i] for role in roles or LEGS for i in bracket.ids.get(role, ()) if i in state.algos]


def armed_leg(state: State, bracket: Bracket, role: Role) -> AlgoOrder | None:
    """The order of a role that left with the entry."""
    return next((algo for algo in legs_of(state, bracket, role) if algo.intent.armed), None)


def standing_leg(state: State, bracket: Bracket, role: Role) -> AlgoOrder | None:
    """The newest order of a role that was sent for the position itself; where that is given up, an older one that rests
    and covers."""
    sent = [algo for algo in reversed(legs_of(state, bracket, role)) if not algo.intent.armed]
    if sent and sent[0].given_up:
        return next((algo for algo in sent if covers(state, bracket, algo)), sent[0])
    return sent[0] if sent else None


def covers(state: State, bracket: Bracket, algo: AlgoOrder | None) -> bool:
    """Whether an order rests, and for the whole of what is open."""
    if algo is None or algo.status is not AlgoStatus.NEW:
        return False
    return algo.intent.quantity is None or algo.intent.quantity >= open_quantity(state, bracket)


def shown_leg(state: State, bracket: Bracket, role: Role) -> AlgoOrder | None:
    """The order to be told of: the one that covers, the standing one first; else the newest."""
    both = [algo for algo in (standing_leg(state, bracket, role), armed_leg(state, bracket, role)) if algo is not None]
    return next((algo for algo in both if covers(state, bracket, algo)), both[0] if both else None)


def is_covered(state: State, bracket: Bracket, role: Role) -> bool:
    """Whether an order of the role rests for the whole of what is open."""
    return covers(state, bracket, shown_leg(state, bracket, role))


def is_handed_over(state: State, bracket: Bracket) -> bool:
    """Whether nothing is left of what went out with the entry."""
    return all(algo.closed for algo in legs_of(state, bracket) if algo.intent.armed)
