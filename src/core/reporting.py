"""Execution reports: built from what is known, concluded once, and only when they are true."""

from __future__ import annotations

from msgspec.structs import replace

from .bracket import Bracket, CloseReason
from .commands import Alert, Conclude
from .denial import DenialCode
from .legs import armed_leg, covers, shown_leg, standing_leg
from .naked import naked_time
from .order import Order
from .position import Agreement, agreement, executed_in, open_quantity, orders_of
from .report import ExecutionReport, OrderReport, Reason, ReportStatus, Timings
from .signal import Signal
from .state import SignalRecord
from .turn import Turn
from .values import ZERO, Role, tidy

TAKE_PROFIT_PATIENCE = 3
"""After this many refusals the report says `partially_protected`; the take profit is tried on."""
REFUSALS_TOLD = 5
REFUSALS_TOLD_AGAIN = 100
"""After so many entries in a row that were not executed a person is told, and then after every so many."""
TRADING_GOES_ON = frozenset({DenialCode.SYMBOL_BUSY, DenialCode.POSITION_OPEN, DenialCode.OPPOSITE_POSITION})
"""Denials for a trade that is open: nothing is blocked."""


def conclude_entry(turn: Turn, bracket: Bracket) -> Bracket:
    """Tell the caller of the entry as soon as the outcome stands; later changes are announced, not reported.

    Who was told `unresolved` is told again when it stands: nobody may be waiting any more, but the record is kept true.
    """
    if bracket.reported not in ("", ReportStatus.UNRESOLVED.value):
        return bracket
    now = turn.now_ms
    deadline = max(bracket.received_at_ms, turn.state.started_ms) + turn.state.policy.report_timeout_ms
    status: ReportStatus | None = None
    reason: Reason | None = None
    entry = turn.state.orders[bracket.entry_id]
    if entry.closed and bracket.closing is None and open_quantity(turn.state, bracket) > 0:
        status, reason = _standing(turn, bracket)
        if status is not None and entry.average is None and not bracket.average_asked:
            # The reply to an order carries no fill price (§5.3): ask, and report with the answer.
            turn.look_up(entry, "average_price")
            return turn.update(bracket, average_asked=True)
        if status is not None and entry.average is None and entry.tries.asking:
            status = None
    if status is None:
        if bracket.reported:
            return bracket
        if now < deadline:
            return turn.wake(bracket, deadline)
        status = ReportStatus.UNRESOLVED
        reason = Reason(
            code="report_timeout",
            text="the outcome is not known yet; it goes on being resolved and protected, see `bracketeer status`",
        )
    report = build_report(turn, bracket, status, reason)
    if status is not ReportStatus.UNRESOLVED:
        turn.state.refusals = 0
        text = f"the position stands: {status.value}"
        turn.announce("reported", text, bracket, status=status.value, **_naked_facts(report))
    turn.commands.append(Conclude(report=report))
    turn.state.remember(bracket.signal_id, SignalRecord(symbol=bracket.symbol, status=status.value, report=report))
    return turn.update(bracket, reported=status.value)


def _standing(turn: Turn, bracket: Bracket) -> tuple[ReportStatus | None, Reason | None]:
    """The status of an open position whose protection has settled; None while it has not."""
    take_live = bracket.take_profit is None or _is_covered(turn, bracket, Role.TAKE_PROFIT)
    if bracket.stop_loss is not None and not _is_covered(turn, bracket, Role.STOP_LOSS):
        return None, None
    if not take_live:
        algo = standing_leg(turn.state, bracket, Role.TAKE_PROFIT)
        if algo is None or algo.tries.refusals < TAKE_PROFIT_PATIENCE:
            return None, None
        return (
            ReportStatus.PARTIALLY_PROTECTED if bracket.stop_loss else ReportStatus.OPEN_UNPROTECTED,
            Reason(
                code="take_profit_refused",
                text="the exchange refuses the take profit; the stop loss is live and the take profit is tried on",
                context={"code": str(algo.tries.error_code), "text": algo.tries.error_text},
            ),
        )
    if bracket.stop_loss is None:
        return (
            ReportStatus.OPEN_UNPROTECTED,
            Reason(
                code="no_stop_asked",
                text="no stop loss was asked for; REQUIRE_STOP_LOSS=true refuses such signals",
            ),
        )
    return ReportStatus.PROTECTED, None


def _is_covered(turn: Turn, bracket: Bracket, role: Role) -> bool:
    """Whether an order of a role covers the position, and is still there for all we know.

    What left with the entry was live before the fill. Where the entry's fate was unknown for a while, it may have fired
    since; so it counts when the position, told after we learned of the fill, is what that says.
    """
    if covers(turn.state, bracket, standing_leg(turn.state, bracket, role)):
        return True
    was_unknown = turn.state.orders[bracket.entry_id].tries.dead_after_ms > 0
    known = not was_unknown or agreement(turn.state, bracket) is Agreement.AGREES
    return known and covers(turn.state, bracket, armed_leg(turn.state, bracket, role))


def end_bracket(turn: Turn, bracket: Bracket) -> None:
    """The bracket is flat and nothing of it rests: report, announce, forget its orders."""
    status, reason = _ending(turn, bracket)
    report = build_report(turn, bracket, status, reason)
    if executed_in(turn.state, bracket) > 0:
        turn.state.refusals = 0
    elif bracket.closing is None:
        _count_refusal(turn, bracket.signal_id, bracket.symbol, reason)
    if bracket.reported in ("", ReportStatus.UNRESOLVED.value):
        turn.commands.append(Conclude(report=report))
    for closer in bracket.closers:
        flat = ReportStatus.CLOSED if report.exit is not None else ReportStatus.ALREADY_FLAT
        closed = replace(report, signal_id=closer.signal_id, status=flat, reason=None)
        turn.commands.append(Conclude(report=closed))
        turn.state.remember(
            closer.signal_id,
            SignalRecord(symbol=bracket.symbol, ended=True, status=flat.value, report=closed),
        )
    newest = max((fill.trade_id for order in orders_of(turn.state, bracket) for fill in order.fills), default=0)
    known = max(newest, *bracket.external_trades, turn.state.last_trades.get(bracket.symbol, 0))
    turn.state.last_trades[bracket.symbol] = known
    turn.announce(
        "ended",
        f"flat, nothing of ours rests: {status.value}",
        bracket,
        status=status.value,
        reason=reason.code if reason else "",
        **_naked_facts(report),
    )
    turn.state.remember(
        bracket.signal_id,
        SignalRecord(symbol=bracket.symbol, ended=True, status=status.value, report=report),
    )
    if status is ReportStatus.DENIED:  # nothing was sent: the same signal may come again
        del turn.state.signals[bracket.signal_id]
    del turn.state.brackets[bracket.signal_id]
    for role_ids in bracket.ids.values():
        for client_id in role_ids:
            turn.state.orders.pop(client_id, None)
            turn.state.algos.pop(client_id, None)


def _ending(turn: Turn, bracket: Bracket) -> tuple[ReportStatus, Reason | None]:
    entry = turn.state.orders[bracket.entry_id]
    if entry.withheld:
        # Sent before, and proven not executed: then it was more than a refusal of ours.
        status = ReportStatus.REJECTED if entry.tries.sent_at_ms else ReportStatus.DENIED
        return status, Reason(code=entry.withheld, text=entry.tries.error_text)
    if executed_in(turn.state, bracket) == 0:
        if entry.tries.error_code is None and bracket.closing is CloseReason.SIGNAL and not entry.tries.error_text:
            text = "nothing of the entry was filled before the close came"
            return ReportStatus.REJECTED, Reason(code="closed_before_fill", text=text)
        return ReportStatus.REJECTED, Reason(
            code="entry_refused" if entry.tries.error_code is not None else "entry_not_executed",
            text=f"the entry did not execute: {entry.tries.error_text or entry.status.value}",
            context={} if entry.tries.error_code is None else {"code": str(entry.tries.error_code)},
        )
    if bracket.closing in (None, CloseReason.SIGNAL):
        filled = [
            o.intent.role for o in orders_of(turn.state, bracket) if o.executed and o.intent.role is not Role.ENTRY
        ]
        names = {
            Role.STOP_LOSS: "stop_loss_hit",
            Role.TAKE_PROFIT: "take_profit_hit",
            Role.EXIT: "close_signal",
        }
        code = names.get(filled[-1], "closed") if filled else "closed_by_others"
        texts = {
            "stop_loss_hit": "the stop loss closed the position",
            "take_profit_hit": "the take profit closed the position",
            "close_signal": "a CLOSE signal closed the position",
            "closed_by_others": "somebody else closed the position: by hand, another program, or a liquidation",
        }
        return ReportStatus.CLOSED, Reason(code=code, text=texts.get(code, "the position was closed"))
    if bracket.closing is CloseReason.TAKE_PROFIT_CROSSED:
        text = "the price was through the take profit before it could rest; closed at market"
        return ReportStatus.CLOSED, Reason(code=bracket.closing.value, text=text)
    algo = shown_leg(turn.state, bracket, Role.STOP_LOSS)
    context = {} if algo is None or algo.tries.error_code is None else {"code": str(algo.tries.error_code)}
    if context and algo is not None:
        context["text"] = algo.tries.error_text
    text = "the position could not be kept protected and was closed at market"
    return ReportStatus.FLATTENED, Reason(code=bracket.closing.value, text=text, context=context)


def build_report(turn: Turn, bracket: Bracket, status: ReportStatus, reason: Reason | None = None) -> ExecutionReport:
    """Everything known of a bracket, for a caller."""
    entry = turn.state.orders[bracket.entry_id]
    closers = [o for o in orders_of(turn.state, bracket) if o.intent.role is not Role.ENTRY and o.executed > 0]
    guarded = bracket.stop_loss is not None and entry.first_fill_ms is not None
    naked = naked_time(bracket, turn.now_ms) if guarded else None
    return ExecutionReport(
        signal_id=bracket.signal_id,
        symbol=bracket.symbol,
        status=status,
        reason=reason,
        entry=_order_report(entry),
        take_profit=_leg_report(turn, bracket, Role.TAKE_PROFIT),
        stop_loss=_leg_report(turn, bracket, Role.STOP_LOSS),
        exit=_order_report(closers[-1]) if closers else None,
        claimed=bracket.claimed,
        timings=Timings(
            received_at_ms=bracket.received_at_ms,
            entry_sent_at_ms=entry.tries.sent_at_ms or None,
            first_fill_at_ms=entry.first_fill_ms,
            stop_live_at_ms=bracket.stop_live_ms,
            concluded_at_ms=turn.now_ms,
            naked_ms=naked.worst_ms if naked else None,
            naked_first_ms=naked.first_ms if naked else None,
            naked_later_ms=naked.later_ms if naked else None,
        ),
    )


def _naked_facts(report: ExecutionReport) -> dict[str, int]:
    """The unprotected time as numbers of the log; none where there was nothing to protect."""
    timings = report.timings
    if timings is None or timings.naked_ms is None:
        return {}
    figures = {"first": timings.naked_first_ms, "later": timings.naked_later_ms, "worst": timings.naked_ms}
    return {f"naked_{name}_ms": figure for name, figure in figures.items() if figure is not None}


def _order_report(order: Order) -> OrderReport:
    return OrderReport(
        client_order_id=order.intent.client_order_id,
        exchange_order_id=order.exchange_order_id,
        side=order.intent.side,
        quantity=order.intent.quantity,
        executed_quantity=order.executed,
        average_price=None if order.average is None else tidy(order.average),
        status=order.status.value,
        error_code=order.tries.error_code,
    )


def _leg_report(turn: Turn, bracket: Bracket, role: Role) -> OrderReport | None:
    algo = shown_leg(turn.state, bracket, role)
    if algo is None:
        return None
    order = turn.state.orders.get(algo.intent.client_order_id)
    return OrderReport(
        client_order_id=algo.intent.client_order_id,
        exchange_order_id=algo.actual_order_id or (order.exchange_order_id if order else None),
        algo_id=algo.algo_id,
        side=algo.intent.side,
        quantity=algo.intent.quantity,
        executed_quantity=order.executed if order else ZERO,
        average_price=tidy(order.average) if order and order.average is not None else None,
        trigger_price=algo.intent.trigger_price,
        status=algo.status.value,
        error_code=algo.tries.error_code,
    )


def refuse(turn: Turn, signal: Signal, status: ReportStatus, reason: Reason | None) -> ExecutionReport:
    """Answer a signal that causes nothing."""
    report = ExecutionReport(signal_id=signal.signal_id, symbol=signal.symbol, status=status, reason=reason)
    turn.commands.append(Conclude(report=report))
    if signal.signal_type.is_entry and reason is not None and reason.code not in TRADING_GOES_ON:
        _count_refusal(turn, signal.signal_id, signal.symbol, reason)
    return report


def _count_refusal(turn: Turn, signal_id: str, symbol: str, reason: Reason | None) -> None:
    """One more entry was not executed. Each says why; that it is every one since days is what nobody sees."""
    turn.state.refusals += 1
    count = turn.state.refusals
    if count == REFUSALS_TOLD or count % REFUSALS_TOLD_AGAIN == 0:
        why = "" if reason is None else f", the newest for {reason.code}: {reason.text}"
        text = f"{count} entries in a row were not executed{why}"
        turn.commands.append(Alert(code="entries_refused", text=text, symbol=symbol, signal_id=signal_id))
