"""The one function through which anything changes: `step(state, event) -> commands`.

An event changes records (`updates`, `intake`, `reconcile`); then every bracket is driven: what it needs now is
compared with what there is, and differences become commands. Driving again without a new event yields nothing new,
so no order of events and no repetition can do harm. No sockets, clocks, randomness, threads: the time is in the event.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, localcontext
from typing import Any

from msgspec.structs import replace

from . import updates
from .absence import order_not_found
from .arming import tend_armed
from .bracket import Bracket
from .claiming import claim
from .clearing import clear
from .client_ids import is_ours
from .clock_set import clock_set
from .closing import close, is_held_up
from .commands import AnyCommand, Conclude, RenewStream
from .doubt import algo_not_found, resolve_missing, stop_missed
from .events import (
    AlgoAcknowledged,
    AlgoUpdated,
    AnyEvent,
    CancelDone,
    CancelFailed,
    ClockSet,
    EngineStarted,
    EntryWithheld,
    LookUpFailed,
    OrderAcknowledged,
    OrderNotFound,
    OrderUpdated,
    PositionClaimed,
    PositionUpdated,
    SignalReceived,
    StopMissed,
    StreamConnected,
    StreamLost,
    SubmitFailed,
    SymbolSnapshot,
    TimerFired,
)
from .guarding import guard, guard_meanwhile, keep_naked_time
from .intake import receive
from .order import ALGO_LOCAL, ORDER_LOCAL, ORDER_WORKING, AlgoOrder
from .position import Agreement, agreement, newest_fill_known_ms, open_quantity
from .presuming import presume
from .reconcile import reconcile
from .report import Reason, ReportStatus
from .reporting import build_report, conclude_entry
from .resolving import (
    ASK_AGAIN_MS,
    ASK_SELDOM_MS,
    STREAM_SILENCE_MS,
    check_stream,
    count_disagreement,
    pace,
    resolve_orders,
)
from .state import SignalRecord, State
from .turn import Turn
from .values import AlgoStatus, ArmingMode, OrderStatus

EXACT = Context(prec=50)
DISAGREE_MS = 250
POLL_SHARE_MS = 350
"""A look at a symbol weighs 7 (binance-usdm.md §7.1): one every 350 ms takes half of a minute's 2400. The other half is
for finding out about orders and for restarts; a manager that spent it all on looking is blind until the minute ends."""
"""Fill and position travel as separate events; only a difference that lasts longer is looked into."""


def step(state: State, event: AnyEvent) -> list[AnyCommand]:
    """Apply one event to the state, in place, and return what is to be asked of the world.

    Deterministic: the same state and event give the same state and commands, byte for byte.
    """
    turn = Turn(state=state, now_ms=event.at_ms)
    with localcontext(EXACT):  # the calling thread's own precision must not change a quantity
        _HANDLERS[type(event)](turn, event)
        for signal_id in list(state.brackets):
            _drive(turn, state.brackets[signal_id])
    return turn.commands


def replay(state: State, events: list[AnyEvent]) -> State:
    """Fold events into a state; the commands were carried out in their own time."""
    for event in events:
        step(state, event)
    return state


def _drive(turn: Turn, bracket: Bracket) -> None:
    """Everything one bracket needs now. Level-triggered: see the module's text."""
    bracket = turn.update(bracket, wake_ms=None)
    bracket, silent = check_stream(turn, bracket)  # first: an end that was not told is part of it
    if silent:
        turn.state.stream_up = False
    remaining = _serve(turn, bracket)
    if silent:  # after what protects
        turn.commands.append(RenewStream(why="something that happened was not told of in time"))
    if remaining is None:
        return
    bracket = turn.look_at_symbol(remaining, "stream_silent") if silent else remaining
    bracket = conclude_entry(turn, bracket)
    _conclude_closers(turn, bracket)


def _serve(turn: Turn, bracket: Bracket) -> Bracket | None:
    """What orders and position need; None when the bracket is over."""
    bracket = resolve_missing(turn, resolve_orders(turn, bracket))
    quantity = open_quantity(turn.state, bracket)
    entry = turn.state.orders[bracket.entry_id]
    if quantity > 0:
        if bracket.flat_since_ms is not None or bracket.presumed_since_ms is not None:
            bracket = turn.update(bracket, flat_since_ms=None, presumed_since_ms=None)
        bracket = keep_naked_time(turn, bracket)
        if bracket.closing is None:
            bracket = guard(turn, bracket)
        if bracket.closing is not None:
            bracket = close(turn, bracket)
            if is_held_up(turn, bracket):
                bracket = guard_meanwhile(turn, bracket, quantity)
        return _watch(turn, tend_armed(turn, bracket))
    return clear(turn, bracket) if entry.closed else presume(turn, tend_armed(turn, bracket))


def _watch(turn: Turn, bracket: Bracket) -> Bracket:
    """Ask the exchange now and then whether things are as we think; often while the stream cannot be believed."""
    agreed = agreement(turn.state, bracket)
    if agreed is Agreement.DIFFERS:
        since = bracket.disagree_since_ms
        if since is None:
            bracket = turn.update(bracket, disagree_since_ms=turn.now_ms)
            bracket = turn.wake(bracket, turn.now_ms + DISAGREE_MS)
        elif not bracket.asking:
            due = since + pace(bracket.disagreements)
            if turn.now_ms >= due:
                bracket = count_disagreement(turn, turn.update(bracket, disagree_since_ms=turn.now_ms))
                bracket = turn.look_at_symbol(bracket, "position_differs", trades=True)
            else:
                bracket = turn.wake(bracket, due)
    elif bracket.disagree_since_ms is not None:
        bracket = turn.update(bracket, disagree_since_ms=None, disagreements=0, disagree_amount=None)
    interval = poll_pause_ms(turn.state)
    if agreed is Agreement.UNKNOWN:  # the position that follows from a fill is told with it; else it is asked for
        told_by_ms = newest_fill_known_ms(turn.state, bracket) + STREAM_SILENCE_MS
        if turn.now_ms < told_by_ms:
            bracket = turn.wake(bracket, told_by_ms)
        else:
            interval = min(interval, turn.state.policy.poll_interval_ms)
    next_look = bracket.next_look_ms
    if next_look is None or next_look > turn.now_ms + interval:
        bracket = turn.update(bracket, next_look_ms=turn.now_ms + interval)
    elif turn.now_ms >= next_look and not bracket.asking:
        bracket = turn.update(bracket, next_look_ms=turn.now_ms + interval)
        bracket = turn.look_at_symbol(bracket, "poll")
    next_look = bracket.next_look_ms
    return bracket if bracket.asking or next_look is None else turn.wake(bracket, next_look)


def poll_pause_ms(state: State) -> int:
    """How long from one look at a symbol to the next: seldom while the stream speaks, else often; with many open
    positions as often as the request budget bears."""
    if state.stream_up:
        return state.policy.poll_idle_interval_ms
    return max(state.policy.poll_interval_ms, POLL_SHARE_MS * len(state.brackets))


def _conclude_closers(turn: Turn, bracket: Bracket) -> None:
    """A CLOSE signal whose end takes too long gets a truthful answer; the closing goes on."""
    limit = turn.state.policy.report_timeout_ms
    closers = []
    for closer in bracket.closers:
        deadline = max(closer.received_at_ms, turn.state.started_ms) + limit
        if closer.told or turn.now_ms < deadline:
            bracket = bracket if closer.told else turn.wake(bracket, deadline)
            closers.append(closer)
            continue
        reason = Reason(code="report_timeout", text="the position is still being closed; see `bracketeer status`")
        report = build_report(turn, bracket, ReportStatus.UNRESOLVED, reason)
        turn.commands.append(Conclude(report=replace(report, signal_id=closer.signal_id)))
        turn.state.remember(closer.signal_id, SignalRecord(symbol=bracket.symbol, status=report.status.value))
        closers.append(replace(closer, told=True))
    if tuple(closers) != bracket.closers:
        turn.update(bracket, closers=tuple(closers))


def _engine_started(turn: Turn, event: EngineStarted) -> None:
    """A new process: what was in flight has an unknown outcome, and no request of before can arrive for long."""
    state = turn.state
    if event.policy.arm is not ArmingMode.WITH_ENTRY or event.venue != state.venue:
        state.arming_refused = None  # asked for anew some day, it is tried anew
    state.policy, state.version, state.venue = event.policy, event.version, event.venue
    state.account = event.account
    state.starts += 1
    state.started_ms = event.at_ms
    state.stream_up = False
    dead_after = event.at_ms + event.policy.recv_window_ms + event.policy.clock_margin_ms
    # No pause of before counts any more: whether a ban or a limit lasts is heard at the first request, and a pause may
    # bear a time of a clock that was wrong.
    for order in list(state.orders.values()):
        changes: dict[str, Any] = {"asking": False, "next_at_ms": _soon(order.tries.next_at_ms, event.at_ms)}
        if order.status in ORDER_LOCAL:
            changes |= {
                "status": OrderStatus.UNRESOLVED,
                "dead_after_ms": dead_after,
                "next_at_ms": event.at_ms,
            }
        elif order.status in ORDER_WORKING:  # its end may have been told while nobody listened
            changes["next_at_ms"] = event.at_ms
        turn.update_order(order, **changes)
    for algo in list(state.algos.values()):
        changes = {"asking": False, "next_at_ms": _soon(algo.tries.next_at_ms, event.at_ms)}
        if algo.status in ALGO_LOCAL:
            changes |= {
                "status": AlgoStatus.UNRESOLVED,
                "dead_after_ms": dead_after,
                "late_until_ms": dead_after,
                "next_at_ms": event.at_ms,
            }
        turn.update_algo(algo, **changes)
    for bracket in list(state.brackets.values()):
        is_lost = state.orders[bracket.entry_id].status is OrderStatus.UNRESOLVED  # whether it is bare, first of all
        turn.look_at_symbol(turn.update(bracket, asking=False), "started", position_only=is_lost)


def _soon(due_ms: int | None, now_ms: int) -> int | None:
    return due_ms if due_ms is None else min(due_ms, now_ms)


def _stream_connected(turn: Turn, event: StreamConnected) -> None:
    """What happened before was not told: look at every symbol we work on."""
    turn.state.stream_up = True
    turn.state.stream_since_ms = event.at_ms
    for bracket in list(turn.state.brackets.values()):
        if bracket.asking:  # what is being answered may be from before: ask once more after it
            turn.update(bracket, next_look_ms=event.at_ms)
        turn.look_at_symbol(bracket, "stream_connected")


def _stream_lost(turn: Turn, _event: StreamLost) -> None:
    turn.state.stream_up = False


def _order_not_found(turn: Turn, event: OrderNotFound) -> None:
    record = (turn.state.algos if event.algo else turn.state.orders).get(event.client_order_id)
    bracket = turn.state.brackets.get(record.intent.signal_id) if record is not None else None
    if bracket is None:
        return
    if isinstance(record, AlgoOrder):
        algo_not_found(turn, bracket, record, event.asked_at_ms, event.resting)
    elif record is not None:
        order_not_found(turn, bracket, record, event.asked_at_ms)


def _look_up_failed(turn: Turn, event: LookUpFailed) -> None:
    wait_ms = int(1000 * (event.failure.retry_after_s or 0))  # known: a 429, a spent budget
    again = turn.now_ms + min(max(ASK_AGAIN_MS, wait_ms), ASK_SELDOM_MS)
    if event.client_order_id:
        order = turn.state.orders.get(event.client_order_id)
        if order is not None and not event.algo:
            turn.update_order(order, asking=False)
            if order.status is not OrderStatus.PENDING_NEW:  # there it would mean: proven refused, send again
                turn.update_order(turn.state.orders[event.client_order_id], next_at_ms=again)
        algo = turn.state.algos.get(event.client_order_id)
        if algo is not None and event.algo:
            turn.update_algo(algo, asking=False, next_at_ms=again)
        return
    for bracket in turn.state.on_symbol(event.symbol):
        turn.update(bracket, asking=False, next_look_ms=again)


def _nothing(_turn: Turn, _event: TimerFired) -> None:
    """The drive that follows every event is all a timer is for."""


_HANDLERS: dict[type, Callable[[Turn, Any], None]] = {
    EngineStarted: _engine_started,
    SignalReceived: receive,
    EntryWithheld: updates.entry_withheld,
    OrderAcknowledged: updates.order_acknowledged,
    AlgoAcknowledged: updates.algo_acknowledged,
    SubmitFailed: updates.submit_failed,
    CancelDone: updates.cancel_done,
    CancelFailed: updates.cancel_failed,
    OrderUpdated: updates.order_updated,
    AlgoUpdated: updates.algo_updated,
    OrderNotFound: _order_not_found,
    StopMissed: stop_missed,
    LookUpFailed: _look_up_failed,
    PositionUpdated: updates.position_updated,
    SymbolSnapshot: reconcile,
    PositionClaimed: claim,
    StreamConnected: _stream_connected,
    StreamLost: _stream_lost,
    ClockSet: clock_set,
    TimerFired: _nothing,
}

assert set(_HANDLERS) == set(AnyEvent.__args__), "every event has a handler"  # noqa: S101


def concerns(state: State, event: AnyEvent) -> bool:
    """Whether an event can matter: other people's orders and positions on symbols we do not work on cannot.

    What does not concern us is neither stepped nor journaled. An order of ours always does: its trades and what they
    cost belong on record, also when they are told after all is over.
    """
    if isinstance(event, OrderUpdated | AlgoUpdated):
        return is_ours(event.client_order_id) or bool(state.on_symbol(event.symbol))
    if isinstance(event, PositionUpdated):
        return bool(state.on_symbol(event.symbol))
    return True
