"""Keep an open position protected: compare target and reality, and carry out the planner's actions."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from .bracket import Bracket, CloseReason
from .codes import ALREADY_THERE
from .legs import armed_leg, covers, legs_of, standing_leg
from .naked import gap_ended, stop_is_live
from .order import ALGO_TRIGGERED, AlgoOrder
from .position import open_quantity, orders_of
from .protection import Action, AskAbout, CloseNow, LegState, Place, Resting, Target, Wait, plan_protection
from .resolving import covered_pause_ms
from .turn import Turn
from .values import AlgoStatus, Role

CLOSE_TEXTS = {
    CloseReason.NAKED: "the stop loss could not be made live in time; the position is being closed at market",
    CloseReason.STOP_CROSSED: "the price is already through the stop loss; the position is being closed at market",
    CloseReason.STOP_SPENT: "the stop loss triggered and did not close the position; it is being closed at market",
    CloseReason.TAKE_PROFIT_CROSSED: "the price is already through the take profit; the position is closed at market",
}

STOP_ONLY = Target(stop_wanted=True, take_wanted=False)
GUARDING = frozenset({LegState.LIVE, LegState.TRIGGERED})


def guard(turn: Turn, bracket: Bracket) -> Bracket:
    """One pass of protection over an open bracket."""
    target = Target(
        stop_wanted=bracket.stop_loss is not None,
        take_wanted=bracket.take_profit is not None,
    )
    return _keep(turn, bracket, target, open_quantity(turn.state, bracket), _answerable_since(turn, bracket))[0]


def guard_presumed(turn: Turn, bracket: Bracket, amount: Decimal) -> tuple[Bracket, bool]:
    """A stop, and no more than that, for a position that is ours in all likelihood; see `presuming`.

    Also whether it has to be closed, because the stop was not live in time.
    """
    since = bracket.presumed_since_ms
    return _keep(turn, bracket, STOP_ONLY, amount, None if since is None else max(since, turn.state.started_ms))


def guard_meanwhile(turn: Turn, bracket: Bracket, amount: Decimal) -> Bracket:
    """A stop, and no more than that, for a position whose close the exchange refuses: the one it had may be gone. Where
    the price is through it no stop can rest."""
    if bracket.stop_loss is None or bracket.closing in (CloseReason.STOP_CROSSED, CloseReason.STOP_SPENT):
        return bracket
    return _keep(turn, bracket, STOP_ONLY, amount, None)[0]


def _keep(
    turn: Turn, bracket: Bracket, target: Target, amount: Decimal, naked_since_ms: int | None
) -> tuple[Bracket, bool]:
    """Carry out what the planner wants for an amount; also whether that is to close it."""
    actions = plan_protection(
        target,
        amount,
        {role: _resting(turn, bracket, role) for role in (Role.STOP_LOSS, Role.TAKE_PROFIT)},
        now_ms=turn.now_ms,
        naked_since_ms=naked_since_ms,
        naked_limit_ms=turn.state.policy.naked_limit_ms,
    )
    for action in actions:
        bracket = _do(turn, bracket, action)
    return bracket, any(isinstance(action, CloseNow) for action in actions)


def _answerable_since(turn: Turn, bracket: Bracket) -> int | None:
    """From when the naked time counts for the decision to close: who has just taken over, or just learned that a stop
    is gone, protects first, however long the position was bare before."""
    since = bracket.naked_since_ms
    return None if since is None else max(since, turn.state.started_ms, bracket.naked_known_ms or 0)


def start_closing(turn: Turn, bracket: Bracket, reason: CloseReason) -> Bracket:
    """Set the one-way latch; every reason but a signal's is an alert."""
    if bracket.closing is not None:
        return bracket
    if reason is not CloseReason.SIGNAL:
        turn.alert(reason.value, CLOSE_TEXTS[reason], bracket)
    return turn.update(bracket, closing=reason)


def _do(turn: Turn, bracket: Bracket, action: Action) -> Bracket:
    match action:
        case Wait(until_ms=until_ms):
            return turn.wake(bracket, until_ms)
        case CloseNow(reason=reason):
            return start_closing(turn, bracket, reason)
        case AskAbout(role=role):
            algo = standing_leg(turn.state, bracket, role)
            if algo is not None:
                turn.look_up(algo, "outcome_unknown")
            return bracket
        case Place(role=role, again=again):
            algo = standing_leg(turn.state, bracket, role)
            if again and algo is not None:
                return turn.submit(bracket, algo.intent)
            explicit = role is Role.STOP_LOSS and bracket.explicit_stop
            quantity = (open_quantity(turn.state, bracket) or bracket.quantity) if explicit else None
            return turn.submit(bracket, bracket.next_intent(role, quantity=quantity))


def _resting(turn: Turn, bracket: Bracket, role: Role) -> Resting:
    """A role as the planner sees it: its standing order, unless an armed one is closing the position just now."""
    algo = standing_leg(turn.state, bracket, role)
    seen = _seen(turn, bracket, algo)
    armed = _seen(turn, bracket, armed_leg(turn.state, bracket, role))
    if armed.state is LegState.TRIGGERED and seen.state is not LegState.LIVE:
        return armed
    if armed.state is LegState.LIVE and seen.state is LegState.REFUSED and algo is not None:
        # Nothing is bare meanwhile, and no deadline ends it: ever more seldom.
        return replace(seen, ready_ms=(seen.ready_ms or turn.now_ms) + covered_pause_ms(algo.tries.refusals))
    return seen


def _seen(turn: Turn, bracket: Bracket, algo: AlgoOrder | None) -> Resting:
    """One order, as the planner sees it."""
    if algo is None:
        return Resting()
    tries = algo.tries
    match algo.status:
        case AlgoStatus.PENDING_NEW:
            return Resting(state=LegState.IN_FLIGHT)
        case AlgoStatus.UNRESOLVED:
            exists = tries.error_code in ALREADY_THERE
            return Resting(
                state=LegState.UNRESOLVED,
                ready_ms=tries.next_at_ms,
                asking=tries.asking,
                sent_ms=tries.sent_at_ms,
                exists=exists,
            )
        case AlgoStatus.NEW:
            # More of the entry filled than an explicit stop covers: another one for the whole is placed beside it.
            return Resting(state=LegState.LIVE) if covers(turn.state, bracket, algo) else Resting()
        case AlgoStatus.PENDING_CANCEL:
            return Resting(state=LegState.CANCELING)
        case status if status in ALGO_TRIGGERED:
            return _fired(turn, algo)
        case AlgoStatus.FINISHED:
            order = turn.state.orders.get(algo.intent.client_order_id)
            if order is None or not order.closed:
                return _fired(turn, algo)
            return Resting()  # spent without closing: the position is bare now
        case AlgoStatus.REJECTED if algo.algo_id is None:
            return Resting(state=LegState.REFUSED, ready_ms=tries.next_at_ms)
        case _:
            return Resting(ready_ms=tries.next_at_ms)


def _fired(turn: Turn, algo: AlgoOrder) -> Resting:
    """One that is closing the position, for all we know. Who has just taken over asks first: it may have been done for
    long, and the position that is there be somebody else's."""
    return Resting(state=LegState.TRIGGERED, since_ms=max(algo.updated_ms, turn.state.started_ms))


def keep_naked_time(turn: Turn, bracket: Bracket) -> Bracket:
    """The time an open position is without a live stop, on the exchange's clock; also while it is being closed."""
    if bracket.stop_loss is None:
        return bracket
    since = bracket.naked_since_ms
    first_fill = turn.state.orders[bracket.entry_id].first_fill_ms
    guards = [stop for stop in _stops(turn, bracket) if _seen(turn, bracket, stop).state in GUARDING]
    if guards:
        live = min(turn.now_ms if stop.live_since_ms is None else stop.live_since_ms for stop in guards)
        return turn.update(bracket, **stop_is_live(bracket, live, first_fill))
    if bracket.naked_first_ms is None and first_fill is not None:
        # The exchange's clock may be ahead of our estimate of it; the limit must not end later for that.
        return turn.update(bracket, naked_since_ms=min(first_fill, turn.now_ms if since is None else since))
    if since is not None:
        return bracket
    lost = next((stop for stop in _stops(turn, bracket) if stop.closed and stop.live_since_ms is not None), None)
    ended = lost.ended_ms if lost is not None and lost.ended_ms is not None else turn.now_ms
    return turn.update(bracket, naked_since_ms=min(ended, turn.now_ms), naked_known_ms=turn.now_ms)


def count_late_gap(turn: Turn, bracket: Bracket) -> Bracket:
    """Flat, and every order's end is known: stops that were gone before the position left it bare in between."""
    lived = [stop for stop in _stops(turn, bracket) if stop.live_since_ms is not None]
    lived = [stop for stop in lived if stop.ended_ms is not None or not stop.given_up]  # of those nobody told the end
    ends = [stop.ended_ms for stop in lived if stop.ended_ms is not None]
    if not lived or len(ends) < len(lived):
        return bracket
    fired = [turn.state.orders.get(stop.intent.client_order_id) for stop in lived]
    closed = max((order.last_fill_ms for order in orders_of(turn.state, bracket)), default=0)
    if any(order is not None and order.executed > 0 for order in fired) or closed <= max(ends):
        return bracket
    return turn.update(bracket, **gap_ended(bracket, max(ends), closed))


def _stops(turn: Turn, bracket: Bracket) -> list[AlgoOrder]:
    """The standing stops, the newest first, then the armed one, as far as there are any."""
    newest_first = reversed(legs_of(turn.state, bracket, Role.STOP_LOSS))
    return sorted(newest_first, key=lambda stop: stop.intent.armed)


def end_naked_time(turn: Turn, bracket: Bracket) -> Bracket:
    """Flat: a position that was still bare was so until the last fill that closed it."""
    since = bracket.naked_since_ms
    if since is None:
        return bracket
    closed = max((order.last_fill_ms for order in orders_of(turn.state, bracket)), default=turn.now_ms)
    if bracket.external_net != 0:
        closed = turn.now_ms  # somebody else closed it: the newest we know
    if bracket.naked_first_ms is None:
        since = turn.state.orders[bracket.entry_id].first_fill_ms or since
    return turn.update(bracket, **gap_ended(bracket, since, closed))
