"""After flat: prove it, cancel what still rests, and end the bracket."""

from __future__ import annotations

from .bracket import Bracket
from .doubt import was_resting
from .guarding import count_late_gap, end_naked_time, guard_presumed
from .legs import legs_of
from .order import AlgoOrder
from .position import Agreement, agreement, executed_in, executed_out
from .reporting import end_bracket
from .resolving import ASK_AGAIN_MS, DISAGREEMENTS_WEIGHED, count_disagreement, pace
from .state import position_key
from .turn import Turn
from .values import ZERO, AlgoStatus

EXPIRY_GRACE_MS = 150
"""closePosition orders die with the position (§4.6); while the stream is up their end is usually told within this."""


def clear(turn: Turn, bracket: Bracket) -> Bracket | None:
    """One pass over a bracket whose entry has ended and whose ledger is zero; None when it is over."""
    if bracket.flat_since_ms is None:
        bracket = end_naked_time(turn, bracket)
        bracket = turn.update(bracket, flat_since_ms=turn.now_ms, next_look_ms=None)
    if executed_in(turn.state, bracket) > 0 or executed_out(turn.state, bracket) > 0:
        agreed = agreement(turn.state, bracket)
        if agreed is not Agreement.AGREES:
            return _prove_flat(turn, _guard_what_shows(turn, bracket), agreed)
    busy = False
    for role_ids in bracket.ids.values():
        for client_id in role_ids:
            order = turn.state.orders.get(client_id)
            busy = busy or (order is not None and not order.closed)
            algo = turn.state.algos.get(client_id)
            if algo is not None:
                bracket, working = clear_algo(turn, bracket, algo)
                busy = busy or working
    if busy or bracket.asking:
        return bracket
    late_ms = _last_arrival_ms(turn, bracket)
    if late_ms >= bracket.swept_ms or bracket.strays:
        due = max(late_ms + 1, bracket.next_look_ms or 0)
        if turn.now_ms < due:
            return turn.wake(bracket, due)
        bracket = turn.update(bracket, next_look_ms=turn.now_ms + ASK_AGAIN_MS)
        return turn.look_at_symbol(bracket, "late_arrivals")
    end_bracket(turn, count_late_gap(turn, bracket))
    return None


def _guard_what_shows(turn: Turn, bracket: Bracket) -> Bracket:
    """A stop for a position that only others' trades have closed, by our books, while the exchange goes on showing it:
    the books may be wrong, and a closePosition stop can only reduce."""
    view = turn.state.positions.get(position_key(bracket.symbol, bracket.position_side))
    amount = ZERO if view is None else view.amount * bracket.entry_side.sign
    doubtful = bracket.disagreements >= DISAGREEMENTS_WEIGHED and executed_out(turn.state, bracket) == 0
    if not doubtful or amount <= 0 or bracket.stop_loss is None:
        return bracket
    return guard_presumed(turn, bracket, amount)[0]


def _last_arrival_ms(turn: Turn, bracket: Bracket) -> int:
    """Until when a leg may still show under the id of one that has ended: it was sent more than once, or had rested and
    was given up. -1: never."""
    legs = legs_of(turn.state, bracket)
    late = [leg.tries.late_until_ms for leg in legs if leg.tries.count > 1]
    late += [leg.tries.given_up_ms for leg in legs if was_resting(leg)]
    return max((until_ms for until_ms in late if until_ms), default=-1)


def _prove_flat(turn: Turn, bracket: Bracket, agreed: Agreement) -> Bracket:
    due = bracket.next_look_ms
    if bracket.asking:
        return bracket
    if agreed is Agreement.UNKNOWN and turn.state.stream_up and due is None:
        # The position's own event travels with the fill's; give it a moment before asking.
        bracket = turn.update(bracket, next_look_ms=turn.now_ms + ASK_AGAIN_MS // 5)
        return turn.wake(bracket, turn.now_ms + ASK_AGAIN_MS // 5)
    if due is not None and turn.now_ms < due:
        return turn.wake(bracket, due)
    if agreed is Agreement.DIFFERS:
        bracket = count_disagreement(turn, bracket)
    bracket = turn.update(bracket, next_look_ms=turn.now_ms + pace(bracket.disagreements))
    return turn.look_at_symbol(bracket, "prove_flat", trades=agreed is Agreement.DIFFERS)


def clear_algo(turn: Turn, bracket: Bracket, algo: AlgoOrder) -> tuple[Bracket, bool]:
    """Bring one protective order to its end; whether it is still at work."""
    if algo.status is AlgoStatus.FINISHED:
        order = turn.state.orders.get(algo.intent.client_order_id)
        return bracket, order is None or not order.closed
    if algo.closed:
        return bracket, False
    if algo.status is AlgoStatus.NEW:
        due = algo.tries.next_at_ms or 0
        if turn.state.stream_up and bracket.flat_since_ms is not None and algo.intent.close_position:
            due = max(due, bracket.flat_since_ms + EXPIRY_GRACE_MS)
        if turn.now_ms < due:
            return turn.wake(bracket, due), True
        turn.cancel(algo)
    elif algo.status is AlgoStatus.UNRESOLVED and not algo.tries.asking:
        due = algo.tries.next_at_ms if algo.tries.next_at_ms is not None else turn.now_ms
        if turn.now_ms < due:
            return turn.wake(bracket, due), True
        turn.look_up(algo, "outcome_unknown")
    return bracket, True
