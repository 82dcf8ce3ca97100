"""Whether a conditional order rests that an answer did not show.

One answer may lag, or be denied by mistake; so it is asked about again, and believed gone after two complete denials. A
stop has no time for that where questions are lost or held back: then another one is sent. The safe error is to protect
twice, for a second closePosition stop is refused (-4130), and that proves the first (binance-usdm.md §4.6).
"""

from __future__ import annotations

from .bracket import Bracket
from .codes import OTHERS_STOP
from .events import StopMissed
from .legs import legs_of
from .order import AlgoOrder, apply_algo
from .position import Agreement, agreement, open_quantity
from .resolving import ASK_AGAIN_MS, ASK_SELDOM_MS, MISSES_NEEDED, SETTLE_MS, refuse_leg
from .state import position_key
from .turn import Turn
from .values import AlgoStatus, Role

DOUBTED_STOP_MS = 750
"""A stop that a list lacks, and that nothing has shown since, is taken for gone after this long."""


def resolve_missing(turn: Turn, bracket: Bracket) -> Bracket:
    """Look into every leg of the bracket that should rest and that an answer did not show, and into one that was given
    up without proof: it may have fired."""
    for algo in legs_of(turn.state, bracket):
        if algo.status is AlgoStatus.NEW:
            bracket = _weigh(turn, bracket, algo)
        algo = turn.state.algos[algo.intent.client_order_id]
        due_ms = algo.tries.next_at_ms
        if due_ms is None or algo.tries.asking or not (algo.status is AlgoStatus.NEW or is_unproven(algo)):
            continue
        if turn.now_ms < due_ms:
            bracket = turn.wake(bracket, due_ms)
        else:
            turn.look_up(algo, "missing")
    return bracket


def _weigh(turn: Turn, bracket: Bracket, algo: AlgoOrder) -> Bracket:
    """Give up a leg that should rest where one that took its place has ended, or the time of its doubt is over."""
    if _is_replaced(turn, bracket, algo):
        _give_up(turn, turn.update_algo(algo, misses=MISSES_NEEDED))
        return bracket
    gone_ms = _taken_for_gone_ms(turn, bracket, algo)
    if gone_ms is None:
        return bracket
    if turn.now_ms < gone_ms:
        return turn.wake(bracket, gone_ms)
    turn.look_up(_give_up(turn, algo), "given_up")
    return bracket


def _is_replaced(turn: Turn, bracket: Bracket, algo: AlgoOrder) -> bool:
    """Whether a younger closePosition order of its role was accepted, which proves that this one had gone, and ended
    since: then this one must not be taken for what guards now. Of a flat position it is cleared instead."""
    if open_quantity(turn.state, bracket) == 0 and not _is_presumed(turn, bracket):
        return False
    legs = legs_of(turn.state, bracket, algo.intent.role)
    younger = legs[legs.index(algo) + 1 :] if algo.intent.close_position else []
    return any(leg.closed and leg.acked_ms is not None and leg.intent.close_position for leg in younger)


def _taken_for_gone_ms(turn: Turn, bracket: Bracket, algo: AlgoOrder) -> int | None:
    """When a stop is replaced, whatever was answered about it; None for what has to be proven gone: only of
    closePosition stops there cannot be two, so only there the error shows, and heals. Later each time that -4130 has
    proven it."""
    doubted_ms = algo.tries.doubted_ms
    is_kept = bracket.closing is None or _is_presumed(turn, bracket)  # that is not always closed
    replaceable = algo.intent.role is Role.STOP_LOSS and algo.intent.close_position and is_kept
    if doubted_ms is None or not replaceable or _is_flat(turn, bracket):
        return None
    return max(doubted_ms, turn.state.started_ms) + (DOUBTED_STOP_MS << min(algo.tries.restored, 6))


def _is_flat(turn: Turn, bracket: Bracket) -> bool:
    """Whether nothing is open, by our books or by what the exchange shows: then a stop is missing for a good reason."""
    if open_quantity(turn.state, bracket) == 0:
        return not _is_presumed(turn, bracket)
    return not _is_shown(turn, bracket) and agreement(turn.state, bracket) is Agreement.DIFFERS


def _is_presumed(turn: Turn, bracket: Bracket) -> bool:
    """Whether a position shows that may be the entry's, whose fate is not known (`presuming`)."""
    entry = turn.state.orders[bracket.entry_id]
    return not entry.closed and bracket.has_shown and _is_shown(turn, bracket)


def _is_shown(turn: Turn, bracket: Bracket) -> bool:
    view = turn.state.positions.get(position_key(bracket.symbol, bracket.position_side))
    return view is not None and view.amount * bracket.entry_side.sign > 0


def algo_not_found(
    turn: Turn, bracket: Bracket, algo: AlgoOrder, asked_at_ms: int, resting: tuple[str, ...] | None
) -> None:
    """Weigh one answer that a conditional order is in none of the three places it could be (§4.7)."""
    look_at_others(turn, bracket, algo, asked_at_ms, resting)
    if algo.status is AlgoStatus.NEW and not _is_settled(algo, asked_at_ms):
        # Asked before it was there for sure: that says nothing.
        turn.update_algo(algo, asking=False, next_at_ms=turn.now_ms + ASK_AGAIN_MS // 2)
        return
    misses = algo.tries.misses + 1
    pause = min(ASK_AGAIN_MS // 2 << min(misses - 1, 10), ASK_SELDOM_MS)
    newest_ms = max(algo.tries.absent_ms, asked_at_ms)
    told = {"asking": False, "misses": misses, "absent_before_ms": algo.tries.absent_ms, "absent_ms": newest_ms}
    algo = turn.update_algo(algo, **told, next_at_ms=turn.now_ms + pause)
    in_the_way = algo.status is AlgoStatus.UNRESOLVED and algo.tries.error_code == OTHERS_STOP
    rivals = [leg for leg in _same_kind(turn, bracket, algo) if leg.status is AlgoStatus.NEW]
    if algo.status is AlgoStatus.UNRESOLVED and asked_at_ms > algo.tries.dead_after_ms:
        _give_up(turn, algo)  # it never arrived, or it is long gone
    elif in_the_way and any(leg.intent.client_order_id in (resting or ()) for leg in rivals):
        turn.update_algo(algo, status=AlgoStatus.REJECTED)
    elif in_the_way and misses >= MISSES_NEEDED and not rivals:
        _give_way(turn, bracket, algo)
    elif algo.status is AlgoStatus.NEW and misses >= MISSES_NEEDED:
        _give_up(turn, algo)
    elif algo.status is AlgoStatus.NEW:
        _doubt(turn, algo)


def look_at_others(
    turn: Turn, bracket: Bracket, algo: AlgoOrder, asked_at_ms: int, resting: tuple[str, ...] | None
) -> None:
    """The open list, read for one order, may lack another one, or show one that was given up."""
    for other in legs_of(turn.state, bracket):
        client_id = other.intent.client_order_id
        if resting is None or client_id == algo.intent.client_order_id:
            continue
        if client_id not in resting:
            look_for_missing(turn, other, asked_at_ms, "missing_from_list")
        elif other.closed and other.given_up and asked_at_ms > other.tries.given_up_ms:
            _shown_again(turn, other)


def look_for_missing(turn: Turn, algo: AlgoOrder, asked_at_ms: int, why: str) -> None:
    """Ask about a leg that should rest and that a list, asked for then, lacks; one that is new may be missing yet."""
    if algo.status is AlgoStatus.NEW and _is_settled(algo, asked_at_ms):
        turn.look_up(_doubt(turn, algo), why)


def stop_missed(turn: Turn, event: StopMissed) -> None:
    """The watch's list lacks a stop: it is asked about also when it is new, for the next look is a second away."""
    algo = turn.state.algos.get(event.client_order_id)
    if algo is not None and algo.status is AlgoStatus.NEW:
        turn.look_up(_doubt(turn, algo) if _is_settled(algo, event.asked_at_ms) else algo, "watch")


def is_sure(algo: AlgoOrder) -> bool:
    """Whether nothing says that it does not rest, and no question about it is under way."""
    return algo.tries.doubted_ms is None and not algo.tries.asking


def still_there(turn: Turn, bracket: Bracket, algo: AlgoOrder) -> bool:
    """Whether this one was refused (-4130) because of one of ours that answers denied: then that one rests, and this
    one is not wanted. Where it was denied twice, it is taken to be so once only."""
    if algo.tries.error_code != OTHERS_STOP:
        return False
    for other in _same_kind(turn, bracket, algo):
        is_denied = other.closed and other.given_up and other.tries.doubted_ms is not None
        if is_denied and (other.tries.restored == 0 or other.tries.misses < MISSES_NEEDED):
            other = turn.update_algo(_restore(turn, other), restored=other.tries.restored + 1)
        if other.status is not AlgoStatus.NEW:
            continue
        turn.look_up(other, "in_the_way")
        if algo.tries.late_until_ms:
            return False  # a copy of this very one may be in the way as well: both are asked about
        turn.update_algo(algo, status=AlgoStatus.REJECTED)
        return True
    return False


def put_off(turn: Turn, bracket: Bracket, algo: AlgoOrder) -> None:
    """A stop found no connection. Where the one before it was taken for gone without proof, the position is not closed
    for that: it is not known to be bare, and a close would find no connection either."""
    before = next(iter(_same_kind(turn, bracket, algo)), None)
    if before is None or not is_unproven(before):
        return
    if bracket.naked_since_ms is not None:
        turn.update(bracket, naked_known_ms=turn.now_ms)
    elif bracket.presumed_since_ms is not None:
        turn.update(bracket, presumed_since_ms=turn.now_ms)


def _same_kind(turn: Turn, bracket: Bracket, algo: AlgoOrder) -> list[AlgoOrder]:
    """The other closePosition orders of its role, the newest first: of all of these one can rest."""
    legs = reversed(legs_of(turn.state, bracket, algo.intent.role))
    return [leg for leg in legs if leg is not algo and leg.intent.close_position]


def was_resting(algo: AlgoOrder) -> bool:
    """Whether it rested once and was given up: what became of it is our conclusion only; it may have traded."""
    return algo.given_up and algo.tries.given_up_ms > 0


def is_unproven(algo: AlgoOrder) -> bool:
    """Whether it was given up so by the time alone, or by one denial."""
    return was_resting(algo) and algo.tries.misses < MISSES_NEEDED


def _is_settled(algo: AlgoOrder, asked_at_ms: int) -> bool:
    """Whether an answer that was asked for then should have shown it: reads lag (§3.4)."""
    return (algo.acked_ms or 0) + SETTLE_MS <= asked_at_ms


def _doubt(turn: Turn, algo: AlgoOrder) -> AlgoOrder:
    if algo.tries.doubted_ms is not None:
        return algo
    return turn.update_algo(algo, doubted_ms=turn.now_ms)


def _restore(turn: Turn, algo: AlgoOrder) -> AlgoOrder:
    """It was given up, and an answer shows that it rests."""
    rests, _ = apply_algo(
        algo, AlgoStatus.NEW, algo_id=algo.algo_id or 0, actual_order_id=None, exchange_time_ms=algo.updated_ms
    )
    return turn.update_algo(rests, next_at_ms=None, misses=0, doubted_ms=None)


def _shown_again(turn: Turn, algo: AlgoOrder) -> None:
    """A list has the name of one that was given up. Of one that was never acknowledged nothing else is known, not its
    id, nor since when it rests: that is asked for, and meanwhile it is tried on as before."""
    if algo.algo_id is not None:
        _restore(turn, algo)
        return
    due_ms = algo.tries.next_at_ms
    turn.look_up(algo, "shown_in_list")
    turn.update_algo(turn.state.algos[algo.intent.client_order_id], next_at_ms=due_ms)


def _give_up(turn: Turn, algo: AlgoOrder) -> AlgoOrder:
    """Conclude that it does not rest. Should the exchange show it after all, it is believed, and cleared in the end:
    the bracket is not over before a list was asked for that would show it."""
    gone_ms = turn.now_ms if algo.status is AlgoStatus.NEW else 0
    return turn.update_algo(algo, status=AlgoStatus.EXPIRED, next_at_ms=None, given_up_ms=gone_ms)


def _give_way(turn: Turn, bracket: Bracket, algo: AlgoOrder) -> None:
    """A closePosition order rests in this direction and it is not this one: somebody else's (-4130)."""
    text = "somebody else's closePosition order is in the way (-4130); "
    client_id = algo.intent.client_order_id
    if algo.intent.role is Role.STOP_LOSS:
        _give_up(turn, algo)
        turn.update(bracket, explicit_stop=True)
        turn.alert("foreign_stop", text + "ours is placed with an explicit quantity", bracket, client_id)
        return
    refuse_leg(turn, algo)
    if algo.tries.refusals == 0:
        turn.alert("foreign_take_profit", text + "the stop loss stands, ours is tried on", bracket, client_id)
