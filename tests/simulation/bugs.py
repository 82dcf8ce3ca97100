"""The bugs of `mutants`: each one a small change to the manager, in the words of who might have thought it right."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from bracketeer.core.audit_writer import JournalWriter
from bracketeer.core.bracket import CloseReason
from bracketeer.core.events import (
    AlgoUpdated,
    OrderUpdated,
    PositionUpdated,
)
from bracketeer.core.order import Order
from bracketeer.core.outcome import OutcomeKind
from bracketeer.core.position import open_quantity
from bracketeer.core.protection import CloseNow, LegState, Place
from bracketeer.core.state import PositionView, position_key
from bracketeer.core.values import AlgoStatus, OrderStatus, Role
from bracketeer.execution.binance.user_stream import BinanceUserStream
from bracketeer.execution.durability import Durability

from .mutants import Patches, mutant

EXITS = (Role.EXIT, Role.FLATTEN)

# Once (P1).


@mutant("A send that timed out counts as refused and is sent again.", first=20)
def resend_on_timeout(patch: Patches) -> None:
    def make(classify: Any) -> Any:
        def classified(**facts: Any) -> Any:
            failure = classify(**facts)
            timed_out = failure.kind is OutcomeKind.UNKNOWN and facts["http_status"] is None
            return replace(failure, kind=OutcomeKind.REFUSED, resend_ms=200) if timed_out else failure

        return classified

    patch.function("core.outcome", "classify", make)


@mutant("An entry of unknown outcome is sent again under a new client id, since the old one may be taken.", first=12)
def new_client_id_on_retry(patch: Patches) -> None:
    def make(resolve: Any) -> Any:
        def resolved(turn: Any, bracket: Any, order: Any) -> Any:
            is_lost = order.status is OrderStatus.UNRESOLVED and order.intent.role is Role.ENTRY
            if is_lost and len(bracket.ids[Role.ENTRY]) == 1:
                return turn.submit(bracket, bracket.next_intent(Role.ENTRY, quantity=order.intent.quantity))
            return resolve(turn, bracket, order)

        return resolved

    patch.function("core.resolving", "_resolve_order", make)


@mutant(
    "The first answer that an order does not exist is believed, while its request may still be on its way.", first=27
)
def believe_first_2013(patch: Patches) -> None:
    def make(weigh: Any) -> Any:
        def believe(turn: Any, bracket: Any, order: Any, asked_at_ms: int) -> Any:
            if order.status is not OrderStatus.UNRESOLVED:
                return weigh(turn, bracket, order, asked_at_ms)
            turn.update_order(order, asking=False, status=OrderStatus.REJECTED, next_at_ms=None)
            return bracket

        return believe

    patch.function("core.absence", "order_not_found", make)


@mutant("A signal id is forgotten when its trade is over, so a signal that comes again is followed again.", first=0)
def forget_ended_signals(patch: Patches) -> None:
    def make(receive: Any) -> Any:
        def forgetful(turn: Any, event: Any) -> None:
            if event.signal.signal_id not in turn.state.brackets:
                turn.state.signals.pop(event.signal.signal_id, None)
            receive(turn, event)

        return forgetful

    patch.function("core.intake", "receive", make)


@mutant("A new process begins with an empty list of signals that were followed.", first=0)
def forget_signals_on_restart(patch: Patches) -> None:
    def make(started: Any) -> Any:
        def forgetful(turn: Any, event: Any) -> None:
            started(turn, event)
            turn.state.signals.clear()

        return forgetful

    patch.function("core.engine", "_engine_started", make)


@mutant("What was in flight when the process died is taken for never sent.", first=12)
def in_flight_never_left(patch: Patches) -> None:
    def make(started: Any) -> Any:
        def hopeful(turn: Any, event: Any) -> None:
            started(turn, event)
            for order in list(turn.state.orders.values()):
                if order.status is OrderStatus.UNRESOLVED:
                    turn.update_order(order, status=OrderStatus.REJECTED, next_at_ms=None)

        return hopeful

    patch.function("core.engine", "_engine_started", make)


# Protected (P2).


@mutant("A question about a position that failed is taken for the answer that it is gone: somebody closed it.", first=5)
def failed_query_is_flat(patch: Patches) -> None:
    def make(failed: Any) -> Any:
        def believing(turn: Any, event: Any) -> None:
            failed(turn, event)
            for bracket in turn.state.on_symbol(event.symbol) if not event.client_order_id else ():
                key = position_key(bracket.symbol, bracket.position_side)
                turn.state.positions[key] = PositionView(amount=Decimal(0), known_at_ms=event.at_ms)
                turn.update(bracket, external_net=bracket.external_net - open_quantity(turn.state, bracket))

        return believing

    patch.function("core.engine", "_look_up_failed", make)


@mutant("The take profit is sent first and the stop loss behind it.", first=0)
def stop_after_take_profit(patch: Patches) -> None:
    def make(plan: Any) -> Any:
        def planned(*args: Any, **facts: Any) -> Any:
            def is_stop(action: Any) -> bool:
                return isinstance(action, Place) and action.role is Role.STOP_LOSS

            return sorted(plan(*args, **facts), key=is_stop)

        return planned

    patch.function("core.protection", "plan_protection", make)


@mutant("One stream event in four is dropped on its way to the engine.", first=1)
def drop_stream_events(patch: Patches) -> None:
    def make(emit: Any) -> Any:
        def dropping(self: Any, event: Any) -> None:
            told = isinstance(event, OrderUpdated | AlgoUpdated | PositionUpdated)
            if not (told and event.exchange_time_ms % 4 == 0):
                emit(self, event)

        return dropping

    patch.method(BinanceUserStream, "_emit", make)


@mutant("No limit to the naked time: a stop that cannot be placed is tried for ever.", first=7)
def no_naked_limit(patch: Patches) -> None:
    patch.function("core.protection", "_deadline", lambda _: lambda *args: None)


@mutant("A take profit that cannot be placed closes the position, as a stop does.", first=7)
def close_without_take_profit(patch: Patches) -> None:
    def make(plan: Any) -> Any:
        def planned(target: Any, left: Any, resting: Any, **facts: Any) -> Any:
            if left > 0 and target.take_wanted and resting[Role.TAKE_PROFIT].state is LegState.REFUSED:
                return [CloseNow(reason=CloseReason.NAKED)]
            return plan(target, left, resting, **facts)

        return planned

    patch.function("core.protection", "plan_protection", make)


@mutant("A stop of unknown outcome is taken for live.", first=11)
def unresolved_stop_is_live(patch: Patches) -> None:
    def make(resting: Any) -> Any:
        def hopeful(turn: Any, bracket: Any, role: Any) -> Any:
            found = resting(turn, bracket, role)
            return replace(found, state=LegState.LIVE) if found.state is LegState.UNRESOLVED else found

        return hopeful

    patch.function("core.guarding", "_resting", make)


@mutant("A refusal that says that such an order is there (-4116, -4130) is taken for our own live stop.", first=77)
def already_there_is_live(patch: Patches) -> None:
    def make(failed: Any) -> Any:
        def hopeful(turn: Any, algo: Any, failure: Any) -> None:
            failed(turn, algo, failure)
            now = turn.state.algos[algo.intent.client_order_id]
            if now.status is AlgoStatus.UNRESOLVED and now.tries.error_code in (-4116, -4130):
                live = replace(now, status=AlgoStatus.NEW, live_since_ms=turn.now_ms, acked_ms=turn.now_ms)
                turn.state.algos[algo.intent.client_order_id] = live

        return hopeful

    patch.function("core.updates", "_algo_failed", make)


@mutant("A stop that has FINISHED is taken for filled.", first=229)
def finished_is_filled(patch: Patches) -> None:
    def make(updated: Any) -> Any:
        def hopeful(turn: Any, event: Any) -> None:
            updated(turn, event)
            algo = turn.state.algos.get(event.client_order_id)
            bracket = turn.state.brackets.get(algo.intent.signal_id) if algo is not None else None
            if bracket is None or event.status is not AlgoStatus.FINISHED:
                return
            order = turn.state.orders.get(event.client_order_id) or Order(intent=algo.intent)
            left = open_quantity(turn.state, bracket)
            turn.state.orders[event.client_order_id] = replace(
                order, status=OrderStatus.FILLED, executed=order.executed + left
            )

        return hopeful

    patch.function("core.updates", "algo_updated", make)


@mutant("CLOSE cancels the stop first and then closes.", first=0)
def cancel_stop_before_close(patch: Patches) -> None:
    def make(close: Any) -> Any:
        def closing(turn: Any, bracket: Any) -> Any:
            for client_id in bracket.ids.get(Role.STOP_LOSS, ()):
                if turn.state.algos[client_id].status is AlgoStatus.NEW:
                    turn.cancel(turn.state.algos[client_id])
            return close(turn, bracket)

        return closing

    patch.function("core.closing", "close", make)


@mutant("The stop is rounded to the tick on the far side: it fires later than was asked for.", first=0)
def round_stop_the_wrong_way(patch: Patches) -> None:
    def make(price_of: Any) -> Any:
        return lambda instrument, raw, side: price_of(instrument, raw, side.opposite)

    patch.function("core.instrument", "stop_loss_price", make)


@mutant("Nobody asks now and then whether things are as they seem: the stream will tell.", first=9)
def never_ask(patch: Patches) -> None:
    patch.function("core.engine", "_watch", lambda _: lambda turn, bracket: bracket)


# Clean (P3).


@mutant("An order that closes is sent without reduceOnly.", first=0)
def no_reduce_only(patch: Patches) -> None:
    patch.function("execution.binance.orders", "_common", lambda common: lambda i: common(i) | {"reduceOnly": None})


@mutant("The sibling that still rests after the position is gone is left to itself.", first=17)
def forget_sibling_cancel(patch: Patches) -> None:
    def make(clear: Any) -> Any:
        def cleared(turn: Any, bracket: Any, algo: Any) -> Any:
            return (bracket, False) if algo.status is AlgoStatus.NEW else clear(turn, bracket, algo)

        return cleared

    patch.function("core.clearing", "_clear_algo", make)


@mutant("A cancel that failed is taken for done.", first=55, arm="with_entry")
def failed_cancel_is_done(patch: Patches) -> None:
    def make(failed: Any) -> Any:
        def hopeful(turn: Any, event: Any) -> None:
            algo = turn.state.algos.get(event.client_order_id)
            if algo is None or algo.status is not AlgoStatus.PENDING_CANCEL:
                failed(turn, event)
            else:
                turn.update_algo(algo, status=AlgoStatus.CANCELED)

        return hopeful

    patch.function("core.updates", "cancel_failed", make)


# True (P4).


@mutant("What was asked to be closed is taken for closed when the exchange accepts the order.", first=203)
def believe_the_request(patch: Patches) -> None:
    def make(acknowledged: Any) -> Any:
        def hopeful(turn: Any, event: Any) -> None:
            order = turn.state.orders.get(event.client_order_id)
            if order is not None and order.intent.role in EXITS:
                event = replace(event, status=OrderStatus.FILLED, executed_quantity=order.intent.quantity)
            acknowledged(turn, event)

        return hopeful

    patch.function("core.updates", "order_acknowledged", make)


@mutant("A fill that is told twice is counted twice.", first=9)
def count_fills_twice(patch: Patches) -> None:
    def make(apply: Any) -> Any:
        def counted(order: Any, change: Any) -> Any:
            if change.fill is not None and any(fill.trade_id == change.fill.trade_id for fill in order.fills):
                change = replace(change, fill=replace(change.fill, trade_id=change.fill.trade_id + 10**9))
            return apply(order, change)

        return counted

    patch.function("core.order", "apply_order", make)


@mutant("Every order on the account is taken for ours, and cleared away where nothing is open.", first=8)
def cancel_foreign_orders(patch: Patches) -> None:
    patch.function("core.client_ids", "is_ours", lambda _: lambda client_id: True)


# Provable (P5).


@mutant("An order leaves before its intent is safe on disk.", first=0)
def skip_the_sync(patch: Patches) -> None:
    patch.method(Durability, "wait", lambda _: lambda self, seq, timeout_s: None)


@mutant("A sync that failed is taken for done.", first=27)
def swallow_sync_errors(patch: Patches) -> None:
    def make(sync: Any) -> Any:
        def quiet(self: Any, file: Any, waiting: Any) -> None:
            with suppress(OSError):
                sync(self, file, waiting)

        return quiet

    patch.method(JournalWriter, "_sync_file", make)


@mutant("A torn last line is left in the log, and the next one is written behind it.", first=0)
def keep_the_torn_line(patch: Patches) -> None:
    def make(attach: Any) -> Any:
        def uncut(self: Any, path: Any, _length: int, head: Any) -> None:
            attach(self, path, path.stat().st_size, head)

        return uncut

    patch.method(JournalWriter, "attach", make)


@mutant("A line that the disk refuses is dropped: trading goes on without it.", first=16)
def drop_refused_lines(patch: Patches) -> None:
    def make(fail: Any) -> Any:
        def dropping(self: Any, error: Any) -> None:
            fail(self, error)
            self._backlog.clear()

        return dropping

    patch.method(JournalWriter, "_fail", make)


@mutant("A claimed position is entered into the books, and nobody places its stop.", first=22)
def claim_on_paper(patch: Patches) -> None:
    def make(guard: Any) -> Any:
        def idle(turn: Any, bracket: Any) -> Any:
            return bracket if bracket.claimed else guard(turn, bracket)

        return idle

    patch.function("core.guarding", "guard", make)
