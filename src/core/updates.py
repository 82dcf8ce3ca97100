"""What replies and stream events change in the records. Nothing is decided here; `engine` drives the brackets after."""

from __future__ import annotations

from msgspec.structs import replace

from .arming import refuse_armed
from .bracket import CLOCK_ERROR_MS, Bracket, CloseReason, EarlyTrade
from .client_ids import is_ours
from .closing import close_refused
from .codes import ALREADY_THERE, NO_POSITION, WOULD_TRIGGER
from .doubt import look_at_others, put_off, still_there
from .events import (
    AlgoAcknowledged,
    AlgoUpdated,
    CancelDone,
    CancelFailed,
    EntryWithheld,
    Fill,
    OrderAcknowledged,
    OrderUpdated,
    PositionUpdated,
    SubmitFailed,
)
from .guarding import start_closing
from .legs import standing_leg
from .order import ALGO_TRIGGERED, ORDER_WORKING, SHOWN, AlgoOrder, Order, OrderChange, Verdict, apply_algo, apply_order
from .outcome import Failure, OutcomeKind
from .resolving import ASK_AGAIN_MS, RESEND_TRIES, refuse_late_entry, refuse_leg
from .state import PositionView, position_key
from .turn import Turn
from .values import AlgoStatus, OrderStatus, PositionSide, Role, Side

UNKNOWN_PAUSE_MS = 100
EXPIRY_PAUSE_MS = 150
CANCEL_PATIENCE = 4
"""After so many refusals of a cancel a person is told."""


def order_acknowledged(turn: Turn, event: OrderAcknowledged) -> None:
    """A normal order was accepted; RESULT also tells what a market order filled (§5.3)."""
    order = turn.state.orders.get(event.client_order_id)
    if order is None:
        return
    order = turn.update_order(order, acked_ms=event.at_ms, sent_at_ms=event.sent_at_ms, error_code=None, error_text="")
    change = OrderChange(
        status=event.status,
        exchange_order_id=event.exchange_order_id,
        executed=event.executed_quantity,
        exchange_time_ms=event.exchange_time_ms,
        at_ms=event.at_ms,
    )
    _keep_order(turn, *apply_order(order, change), told=event.status, source="reply")


def algo_acknowledged(turn: Turn, event: AlgoAcknowledged) -> None:
    """A conditional order was accepted."""
    algo = turn.state.algos.get(event.client_order_id)
    if algo is None:
        return
    algo = turn.update_algo(
        algo,
        acked_ms=event.at_ms,
        sent_at_ms=event.sent_at_ms,
        error_code=None,
        error_text="",
        refusals=0,
        misses=0,
        doubted_ms=None,
        next_at_ms=None,
    )
    changed, verdict = apply_algo(
        algo,
        event.status,
        algo_id=event.algo_id,
        actual_order_id=None,
        exchange_time_ms=event.exchange_time_ms,
    )
    _keep_algo(turn, changed, verdict, told=event.status, source="reply")


def submit_failed(turn: Turn, event: SubmitFailed) -> None:
    """A send was refused, or its outcome is unknown."""
    failure = event.failure
    policy = turn.state.policy
    told = {"error_code": failure.code, "error_text": failure.text, "sent_at_ms": event.sent_at_ms}
    dead_after = event.sent_at_ms + policy.recv_window_ms + policy.clock_margin_ms
    if (algo := turn.state.algos.get(event.client_order_id)) is not None:
        if failure.kind is OutcomeKind.UNKNOWN:
            algo = turn.update_algo(algo, late_until_ms=dead_after)
        if algo.status is AlgoStatus.PENDING_NEW:
            algo = turn.update_algo(algo, dead_after_ms=max(algo.tries.dead_after_ms, dead_after), **told)
            bracket = turn.state.brackets.get(algo.intent.signal_id)
            if bracket is not None and failure.never_left:
                put_off(turn, bracket, algo)
            _algo_failed(turn, algo, failure)
        return
    order = turn.state.orders.get(event.client_order_id)
    if order is None:
        return
    if order.status is not OrderStatus.PENDING_NEW:  # the stream was faster than the failing reply: what it said stands
        if order.status in ORDER_WORKING and order.tries.next_at_ms is None:
            turn.update_order(order, next_at_ms=turn.now_ms)  # of its end the reply would have told
        return
    order = turn.update_order(order, dead_after_ms=max(order.tries.dead_after_ms, dead_after), **told)
    if failure.kind is OutcomeKind.UNKNOWN:
        turn.update_order(order, status=OrderStatus.UNRESOLVED, next_at_ms=turn.now_ms, misses=0)
        return
    is_entry = order.intent.role is Role.ENTRY
    if is_entry and failure.resend_ms is not None and order.tries.count < RESEND_TRIES:
        at_ms = turn.now_ms + failure.resend_ms * 2 ** (order.tries.count - 1)
        bracket = turn.state.brackets.get(order.intent.signal_id)
        if bracket is None or not refuse_late_entry(turn, bracket, order, at_ms):
            turn.update_order(order, next_at_ms=at_ms)
        return
    order = turn.update_order(order, status=OrderStatus.REJECTED, refusals=order.tries.refusals + 1)
    bracket = turn.state.brackets.get(order.intent.signal_id)
    if bracket is not None and not is_entry:
        close_refused(turn, bracket, event.client_order_id, failure)


def _algo_failed(turn: Turn, algo: AlgoOrder, failure: Failure) -> None:
    """Protection could not be placed: what kind of 'not' was it?"""
    unknown = failure.kind is OutcomeKind.UNKNOWN
    code, tries, role = algo.tries.error_code, algo.tries, algo.intent.role
    bracket = turn.state.brackets.get(algo.intent.signal_id)
    if bracket is None:
        return
    if not unknown and still_there(turn, bracket, algo):
        return
    if unknown or code in ALREADY_THERE:
        # The first time at once: the position may be bare. From then on at a pace.
        pause = 0 if tries.count <= 1 else UNKNOWN_PAUSE_MS
        algo = turn.update_algo(algo, status=AlgoStatus.UNRESOLVED, next_at_ms=turn.now_ms + pause)
        if code in ALREADY_THERE:
            turn.update_algo(algo, misses=0)  # what was not found before this proof says nothing against it
        return
    if algo.intent.armed:  # the standing order finds out what is true when there is a position
        refuse_armed(turn, bracket, algo)
        return
    refuse_leg(turn, algo, barred_ms=failure.barred_ms or 0)
    if code == WOULD_TRIGGER:
        crossed = CloseReason.STOP_CROSSED if role is Role.STOP_LOSS else CloseReason.TAKE_PROFIT_CROSSED
        start_closing(turn, bracket, crossed)
    elif code == NO_POSITION and tries.refusals >= 2:
        turn.look_at_symbol(bracket, "position_denied", trades=True)


def entry_withheld(turn: Turn, event: EntryWithheld) -> None:
    """An entry, or what was to leave with it, was never sent: the intents could not be made durable."""
    algo = turn.state.algos.get(event.client_order_id)
    if algo is not None and algo.status is AlgoStatus.PENDING_NEW:
        turn.update_algo(algo, status=AlgoStatus.REJECTED, error_text=event.text)
        return
    order = turn.state.orders.get(event.client_order_id)
    if order is not None and order.status is OrderStatus.PENDING_NEW:
        turn.update_order(order, status=OrderStatus.REJECTED, withheld=event.code, error_text=event.text)


def cancel_done(turn: Turn, event: CancelDone) -> None:
    """Cancelled, or not open any more: then the truth about its end is asked for (§9.5)."""
    algo = turn.state.algos.get(event.client_order_id)
    if algo is not None and algo.given_up and not event.gone:  # it did rest, and that was its end
        ended, _ = apply_algo(
            algo, AlgoStatus.CANCELED, algo_id=0, actual_order_id=None, exchange_time_ms=algo.updated_ms
        )
        turn.update_algo(ended)
    if algo is None or algo.closed:
        return
    if algo.status in ALGO_TRIGGERED:  # it was faster than the cancel, whatever the answer: its end will be told
        turn.look_up(algo, "triggered_before_cancel")
        return
    if event.gone:
        turn.look_up(turn.update_algo(algo, status=AlgoStatus.UNRESOLVED), "gone_before_cancel")
        return
    turn.update_algo(algo, status=AlgoStatus.CANCELED)


def cancel_failed(turn: Turn, event: CancelFailed) -> None:
    """The cancel did not succeed for certain: it rests until proven otherwise, and is tried again."""
    algo = turn.state.algos.get(event.client_order_id)
    if algo is not None and algo.status is AlgoStatus.PENDING_CANCEL:
        turn.update_algo(
            algo,
            status=AlgoStatus.NEW,
            next_at_ms=turn.now_ms + UNKNOWN_PAUSE_MS * 2 ** min(algo.tries.refusals, 6),
            refusals=algo.tries.refusals + 1,
        )
        bracket = turn.state.brackets.get(algo.intent.signal_id)
        if bracket is not None and algo.tries.refusals == CANCEL_PATIENCE:
            turn.alert(
                "cancel_refused",
                f"an order of ours that guards nothing any more cannot be cancelled: {event.failure.text}; trying on",
                bracket,
                event.client_order_id,
            )


def order_updated(turn: Turn, event: OrderUpdated) -> None:
    """The stream or a lookup told of a normal order."""
    order = turn.state.orders.get(event.client_order_id)
    if order is None:
        algo = turn.state.algos.get(event.client_order_id)
        if algo is None:
            _foreign_order(turn, event)
            return
        # A triggered algo order becomes an ordinary one under the same client id (§4.5).
        order = Order(intent=algo.intent, status=OrderStatus.UNRESOLVED)
    if event.source == "lookup":
        order = turn.update_order(order, asking=False, next_at_ms=None)
    change = OrderChange(
        status=event.status,
        exchange_order_id=event.exchange_order_id,
        executed=event.executed_quantity,
        average=event.average_price or None,
        fill=event.fill,
        exchange_time_ms=event.exchange_time_ms,
        at_ms=event.at_ms,
        streamed=event.source == "stream",
    )
    changed, verdict = apply_order(order, change)
    _keep_order(turn, changed, verdict, told=event.status, source=event.source)
    if event.source == "lookup" and not changed.closed and changed.status is not OrderStatus.PENDING_NEW:
        # In flight still, a next time would mean: proven refused, send again.
        turn.update_order(turn.state.orders[event.client_order_id], next_at_ms=turn.now_ms + ASK_AGAIN_MS)


def algo_updated(turn: Turn, event: AlgoUpdated) -> None:
    """The stream or a lookup told of a conditional order."""
    algo = turn.state.algos.get(event.client_order_id)
    if algo is None:
        return
    asked_for = algo.status is AlgoStatus.PENDING_CANCEL
    if (holder := turn.state.brackets.get(algo.intent.signal_id)) is not None:
        # First: what took this one's place may have gone, and this one be all that guards.
        look_at_others(turn, holder, algo, event.asked_at_ms, event.resting)
    if event.source == "lookup":
        algo = turn.update_algo(algo, asking=False, **SHOWN)
    was_closed = algo.closed
    changed, verdict = apply_algo(
        algo,
        event.status,
        algo_id=event.algo_id,
        actual_order_id=event.actual_order_id,
        exchange_time_ms=event.exchange_time_ms,
        reason=event.reason,
        streamed=event.source == "stream",
    )
    if changed.acked_ms is None and changed.status is AlgoStatus.NEW:
        # Its own time: a stream that connected after it was never to tell of it.
        changed = replace(changed, acked_ms=min(event.at_ms, event.exchange_time_ms))
    if changed.status is AlgoStatus.NEW and algo.status is not AlgoStatus.NEW:
        changed = turn.update_algo(changed, next_at_ms=None, misses=0, doubted_ms=None)
    _keep_algo(turn, changed, verdict, told=event.status, source=event.source)
    if event.source == "lookup" and event.status is AlgoStatus.FINISHED:
        # An answer tells the ordinary order first: where none was told, the exchange knows none, and nothing traded.
        none = Order(intent=algo.intent, status=OrderStatus.EXPIRED, given_up=True)
        turn.state.orders.setdefault(event.client_order_id, none)
    if changed.closed and not was_closed and not asked_for:
        _ended_unasked(turn, changed)


def _ended_unasked(turn: Turn, algo: AlgoOrder) -> None:
    """A protective order ended that we did not cancel (failure mode 15).

    EXPIRED normally means that the position went; its own events travel at the same time, so it gets a moment before
    the stop is placed anew. For every other end the position is taken to be bare now.
    """
    pause = EXPIRY_PAUSE_MS if algo.status is AlgoStatus.EXPIRED else 0
    turn.update_algo(algo, next_at_ms=turn.now_ms + pause)
    bracket = turn.state.brackets.get(algo.intent.signal_id)
    speaks = None if bracket is None else standing_leg(turn.state, bracket, algo.intent.role)
    if speaks is not None and speaks.closed:  # a refused one, whose turn it would be now
        turn.update_algo(speaks, next_at_ms=turn.now_ms + pause)


def position_updated(turn: Turn, event: PositionUpdated) -> None:
    """The stream told a position."""
    key = position_key(event.symbol, event.position_side)
    known = turn.state.positions.get(key)
    if known is not None and known.heard_ms > event.exchange_time_ms:
        return
    turn.state.positions[key] = PositionView(
        amount=event.amount,
        known_at_ms=event.at_ms,
        exchange_time_ms=event.exchange_time_ms,
        heard_ms=event.exchange_time_ms,
    )


def foreign_trade(
    turn: Turn,
    bracket: Bracket,
    *,
    client_id: str,
    side: Side,
    fill: Fill,
    position_side: PositionSide,
    exchange_time_ms: int,
) -> Bracket:
    """Somebody else traded on the position of a bracket: attributed once, by trade id, and told. An empty client id
    means that nobody could name the order.

    What is known of the bracket before it is told apart by its id: a clock that is off could not.
    """
    is_known = fill.trade_id <= bracket.trades_after or fill.trade_id in bracket.external_trades
    if is_known or position_side is not bracket.position_side:
        return bracket
    whose = "an old order of ours" if is_ours(client_id) else "somebody else"
    text = f"{whose} traded {side.value} {fill.quantity} {bracket.symbol} on a position of ours"
    turn.alert("external_trade", text, bracket, client_id)
    signed = fill.quantity if side is bracket.entry_side else -fill.quantity
    is_early = not bracket.claimed and exchange_time_ms <= bracket.trades_from_ms + CLOCK_ERROR_MS
    early = (EarlyTrade(trade_id=fill.trade_id, amount=signed),) if is_early else ()
    return turn.update(
        bracket,
        external_net=bracket.external_net + signed,
        early_trades=(*bracket.early_trades, *early),
        external_trades=(*bracket.external_trades, fill.trade_id),
        external_ms=max(bracket.external_ms, exchange_time_ms),
    )


def _foreign_order(turn: Turn, event: OrderUpdated) -> None:
    """An order that is not of a working bracket: another client's, a person's, a liquidation, an old one of ours."""
    if event.fill is None:
        return
    for bracket in turn.state.on_symbol(event.symbol):
        if event.exchange_time_ms < bracket.trades_from_ms:
            continue  # told late or twice: it is in the position that the bracket began with, or of the bracket before
        foreign_trade(
            turn,
            bracket,
            client_id=event.client_order_id,
            side=event.side,
            fill=event.fill,
            position_side=event.position_side,
            exchange_time_ms=event.exchange_time_ms,
        )


def _keep_order(turn: Turn, order: Order, verdict: Verdict, *, told: OrderStatus, source: str) -> None:
    order = turn.update_order(order)
    if order.status is OrderStatus.PENDING_NEW:  # there it is, whatever was said of it: it must never be sent again
        turn.update_order(order, status=OrderStatus.UNRESOLVED, next_at_ms=turn.now_ms)
    if verdict is Verdict.ANOMALY:
        turn.anomaly(turn.state.orders[order.intent.client_order_id], told.value, source)


def _keep_algo(turn: Turn, algo: AlgoOrder, verdict: Verdict, *, told: AlgoStatus, source: str) -> None:
    turn.update_algo(algo)
    if verdict is Verdict.ANOMALY:
        turn.anomaly(turn.state.algos[algo.intent.client_order_id], told.value, source)
