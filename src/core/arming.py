"""Protection that leaves with the entry (ARM=with_entry): what becomes of it, and what when the exchange refuses it.

An armed order is sent once and never again. From the first fill on the position gets its standing orders as with
ARM=after_fill, whatever the armed ones are doing: what goes wrong with those costs the head start and nothing else.
They rest for as long as they may be all there is, and go when a standing order rests in their place. They reduce only,
and the bracket does not end before the end of each is proven: so they never meet another trade.
"""

from __future__ import annotations

from .bracket import Bracket
from .clearing import clear_algo
from .codes import WANTS_POSITION
from .doubt import is_sure
from .legs import LEGS, armed_leg, covers, legs_of, standing_leg
from .order import ALGO_TRIGGERED, AlgoOrder
from .resolving import refuse_leg
from .state import ArmingRefusal
from .turn import Turn
from .values import AlgoStatus, Role


def tend_armed(turn: Turn, bracket: Bracket) -> Bracket:
    """Find out about armed orders of unknown fate, and cancel each one in whose place a standing one rests; so, too,
    one with a quantity that the position has outgrown.

    While the entry is at work they stay: what fills later would else be covered by an order that may just have fired.
    """
    entry = turn.state.orders[bracket.entry_id]
    for role in LEGS:
        standing = standing_leg(turn.state, bracket, role)
        stands = standing is not None and covers(turn.state, bracket, standing) and is_sure(standing)
        for smaller in _outgrown(turn, bracket, role, standing) if stands else ():
            bracket, _ = clear_algo(turn, bracket, smaller)
        algo = armed_leg(turn.state, bracket, role)
        if algo is None or algo.closed or algo.status in ALGO_TRIGGERED:
            continue
        replaced = entry.closed and stands
        if algo.status is AlgoStatus.NEW and not replaced:
            continue
        bracket, _ = clear_algo(turn, bracket, algo)
    return bracket


def _outgrown(turn: Turn, bracket: Bracket, role: Role, standing: AlgoOrder | None) -> list[AlgoOrder]:
    """Orders of a role that rest, carry a quantity, and were sent for less of the position than the standing one."""
    legs = legs_of(turn.state, bracket, role)
    explicit = [leg for leg in legs if leg.intent.quantity is not None and not leg.intent.armed]
    return [leg for leg in explicit if leg is not standing and leg.status is AlgoStatus.NEW]


def refuse_armed(turn: Turn, bracket: Bracket, algo: AlgoOrder) -> None:
    """An armed order was refused: this bracket is protected after the fill. Where the exchange wants a position first,
    so is every later one, until a start with ARM=after_fill."""
    refuse_leg(turn, algo)
    code = algo.tries.error_code
    if code not in WANTS_POSITION or turn.state.arming_refused is not None:
        return
    turn.state.arming_refused = ArmingRefusal(code=code, text=algo.tries.error_text, at_ms=turn.now_ms)
    turn.alert(
        "arming_refused",
        f"the exchange refuses protection that leaves with the entry ({code}: {algo.tries.error_text}); from now on it "
        "leaves after the fill, as with ARM=after_fill",
        bracket,
        algo.intent.client_order_id,
    )
