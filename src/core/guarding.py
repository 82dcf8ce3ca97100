"""Keep an open position protected: compare target and reality, and carry out the planner's actions."""

from __future__ import annotations

from .bracket import Bracket, CloseReason
from .order import ALGO_TRIGGERED, AlgoOrder
from .position import open_quantity
from .protection import Action, AskAbout, CloseNow, LegState, Place, Resting, Target, Wait, plan_protection
from .turn import Turn
from .values import AlgoStatus, Role

CLOSE_TEXTS = {
    CloseReason.NAKED: "the stop loss could not be made live in time; the position is being closed at market",
    CloseReason.STOP_CROSSED: "the price is already through the stop loss; the position is being closed at market",
    CloseReason.STOP_SPENT: "the stop loss triggered and did not close the position; it is being closed at market",
    CloseReason.TAKE_PROFIT_CROSSED: "the price is already through the take profit; the position is closed at market",
}


def guard(turn: Turn, bracket: Bracket) -> Bracket:
    """One pass of protection over an open bracket."""
    stop = _resting(turn, bracket, Role.STOP_LOSS)
    bracket = _keep_naked_time(turn, bracket, stop)
    target = Target(
        stop_wanted=bracket.stop_loss is not None,
        take_wanted=bracket.take_profit is not None,
        arming=bracket.arming,
    )
    actions = plan_protection(
        target,
        open_quantity(turn.state, bracket),
        {Role.STOP_LOSS: stop, Role.TAKE_PROFIT: _resting(turn, bracket, Role.TAKE_PROFIT)},
        now_ms=turn.now_ms,
        naked_since_ms=bracket.naked_since_ms,
        naked_limit_ms=turn.state.policy.naked_limit_ms,
    )
    for action in actions:
        bracket = _do(turn, bracket, action)
    return bracket


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
            algo = _newest(turn, bracket, role)
            if algo is not None:
                turn.look_up(algo, "outcome_unknown")
            return bracket
        case Place(role=role, again=again):
            algo = _newest(turn, bracket, role)
            if again and algo is not None:
                return turn.submit(bracket, algo.intent)
            explicit = role is Role.STOP_LOSS and bracket.explicit_stop
            quantity = open_quantity(turn.state, bracket) if explicit else None
            return turn.submit(bracket, bracket.next_intent(role, quantity=quantity))


def _newest(turn: Turn, bracket: Bracket, role: Role) -> AlgoOrder | None:
    client_id = bracket.current(role)
    return turn.state.algos.get(client_id) if client_id else None


def _resting(turn: Turn, bracket: Bracket, role: Role) -> Resting:
    """A role's newest order, as the planner sees it."""
    algo = _newest(turn, bracket, role)
    if algo is None:
        return Resting()
    tries = algo.tries
    match algo.status:
        case AlgoStatus.PENDING_NEW:
            return Resting(state=LegState.IN_FLIGHT)
        case AlgoStatus.UNRESOLVED:
            exists = tries.error_code in (-4116, -4130)
            return Resting(state=LegState.UNRESOLVED, ready_ms=tries.next_at_ms, asking=tries.asking, exists=exists)
        case AlgoStatus.NEW:
            return Resting(state=LegState.LIVE)
        case AlgoStatus.PENDING_CANCEL:
            return Resting(state=LegState.CANCELING)
        case status if status in ALGO_TRIGGERED:
            return Resting(state=LegState.TRIGGERED, since_ms=algo.updated_ms)
        case AlgoStatus.FINISHED:
            order = turn.state.orders.get(algo.intent.client_order_id)
            if order is None or not order.closed:
                return Resting(state=LegState.TRIGGERED, since_ms=algo.updated_ms)
            return Resting(ready_ms=tries.next_at_ms)
        case AlgoStatus.REJECTED if algo.algo_id is None:
            return Resting(state=LegState.REFUSED, ready_ms=tries.next_at_ms)
        case _:
            return Resting(ready_ms=tries.next_at_ms)


def _keep_naked_time(turn: Turn, bracket: Bracket, stop: Resting) -> Bracket:
    """The time a position is without a live stop, on the exchange's clock."""
    if bracket.stop_loss is None or stop.state is LegState.TRIGGERED:
        return bracket
    since = bracket.naked_since_ms
    if stop.state is LegState.LIVE:
        algo = _newest(turn, bracket, Role.STOP_LOSS)
        live = algo.live_since_ms if algo is not None and algo.live_since_ms is not None else turn.now_ms
        if since is None:
            return bracket if bracket.stop_live_ms is not None else turn.update(bracket, stop_live_ms=live)
        worst = max(bracket.naked_worst_ms, live - since)
        first = bracket.stop_live_ms if bracket.stop_live_ms is not None else live
        return turn.update(bracket, naked_since_ms=None, naked_worst_ms=worst, stop_live_ms=first)
    if since is not None:
        return bracket
    first_fill = turn.state.orders[bracket.entry_id].first_fill_ms
    begun = bracket.stop_live_ms is None
    return turn.update(bracket, naked_since_ms=first_fill if begun and first_fill is not None else turn.now_ms)
