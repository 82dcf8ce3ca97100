"""A signal comes in: duplicate, denied, already so, or the start of something."""

from __future__ import annotations

from decimal import Decimal

from .bracket import Bracket, Closer, CloseReason
from .checks import check_entry, check_form
from .commands import Conclude
from .denial import DenialCode, Denied
from .events import SignalReceived
from .form import expires_at_ms
from .guarding import start_closing
from .plan import plan_bracket
from .reconcile import keep_position
from .report import ExecutionReport, Reason, ReportStatus
from .reporting import build_report, refuse
from .signal import Signal, SignalType
from .state import SignalRecord
from .turn import Turn
from .values import PositionSide, Side


def receive(turn: Turn, event: SignalReceived) -> None:
    """Decide one signal.

    Only signals that caused something are remembered by id: one that was denied may come again with the same id, and is
    decided anew.
    """
    signal, context = event.signal, event.context
    if context.position_amount is not None and context.asked_at_ms is not None and turn.state.on_symbol(signal.symbol):
        # What was asked for this signal is news for the trade at work: it may be the first word of its position.
        keep_position(turn, signal.symbol, PositionSide.BOTH, context.position_amount, context.asked_at_ms)
    if signal.signal_id in turn.state.signals:
        _duplicate(turn, signal)
        return
    denied = _denied(turn, event)
    if denied is not None:
        reason = Reason(code=denied.code.value, text=denied.text, context=denied.context)
        refuse(turn, signal, ReportStatus.DENIED, reason)
    elif signal.signal_type.is_entry:
        _enter(turn, event)
    else:
        _close(turn, event)


def _denied(turn: Turn, event: SignalReceived) -> Denied | None:
    signal, context = event.signal, event.context
    denied = check_form(signal, turn.state.policy, turn.now_ms)
    if denied is not None:
        return denied
    if not signal.signal_type.is_entry and _matching(turn, signal):
        return None  # our own position: what could not be asked does not hold the exit back
    if context.problem is not None:
        return Denied(
            code=DenialCode(context.problem), text=context.problem_text, context=dict(context.problem_context)
        )
    if signal.signal_type.is_entry:
        return _busy(turn, signal) or _external(signal, context.position_amount)
    if not turn.state.on_symbol(signal.symbol):
        return _external(signal, _in_direction(signal, context.position_amount))
    return None


def _busy(turn: Turn, signal: Signal) -> Denied | None:
    """One bracket at a time on a symbol (`on_same_side`, `on_opposite` = reject)."""
    for bracket in turn.state.on_symbol(signal.symbol):
        facts = {"symbol": signal.symbol, "open_signal_id": bracket.signal_id}
        entry = turn.state.orders[bracket.entry_id]
        if bracket.closing is not None or bracket.flat_since_ms is not None or not entry.closed:
            text = "another entry on this symbol is at work or being cleared up; send the signal again in a moment"
            return Denied(code=DenialCode.SYMBOL_BUSY, text=text, context=facts)
        if bracket.entry_side is signal.signal_type.entry_side:
            text = "a position of the same side is open on this symbol; close it first"
            return Denied(code=DenialCode.POSITION_OPEN, text=text, context=facts)
        text = "a position of the opposite side is open on this symbol; close it first"
        return Denied(code=DenialCode.OPPOSITE_POSITION, text=text, context=facts)
    return None


def _external(signal: Signal, amount: Decimal | None) -> Denied | None:
    """A position that is not ours is shown, never touched."""
    if amount is None or amount == 0:
        return None
    return Denied(
        code=DenialCode.EXTERNAL_POSITION,
        text="the account holds a position on this symbol that Bracketeer did not open; it is left alone: "
        "close it where it was opened",
        context={"symbol": signal.symbol, "amount": str(amount)},
    )


def _duplicate(turn: Turn, signal: Signal) -> None:
    record = turn.state.signals[signal.signal_id]
    bracket = turn.state.brackets.get(signal.signal_id)
    reason = Reason(
        code=DenialCode.DUPLICATE_SIGNAL.value,
        text="this signal id was followed before; nothing was sent",
        context={"first_status": record.status or "working", "first_symbol": record.symbol},
    )
    if bracket is not None:
        turn.commands.append(Conclude(report=build_report(turn, bracket, ReportStatus.DUPLICATE, reason)))
        return
    first = record.report
    report = ExecutionReport(
        signal_id=signal.signal_id,
        symbol=signal.symbol,
        status=ReportStatus.DUPLICATE,
        reason=reason,
        entry=first.entry if first else None,
        take_profit=first.take_profit if first else None,
        stop_loss=first.stop_loss if first else None,
        exit=first.exit if first else None,
    )
    turn.commands.append(Conclude(report=report))


def _enter(turn: Turn, event: SignalReceived) -> None:
    signal, context = event.signal, event.context
    if context.instrument is None or context.reference_price is None:
        raise ValueError("an entry needs its instrument and a reference price, or the problem that prevented them")
    checked = check_entry(signal, turn.state.policy, context.instrument, context.reference_price)
    if isinstance(checked, Denied):
        reason = Reason(code=checked.code.value, text=checked.text, context=checked.context)
        refuse(turn, signal, ReportStatus.DENIED, reason)
        return
    bracket, intents = plan_bracket(checked, context.instrument, turn.state.arming, now_ms=turn.now_ms)
    # Somebody may trade between the question for the position and now; what our last bracket did then is not theirs.
    asked_ms = turn.now_ms if context.asked_at_ms is None else context.asked_at_ms
    flat_asked_ms = max(asked_ms, turn.state.last_end_ms(signal.symbol))
    bracket = turn.update(
        bracket,
        flat_asked_ms=flat_asked_ms,
        trades_after=turn.state.last_trades.get(signal.symbol, 0),
        expires_ms=expires_at_ms(signal, turn.state.policy),
    )
    turn.state.remember(signal.signal_id, SignalRecord(symbol=signal.symbol))
    for intent in intents:
        bracket = turn.submit(bracket, intent)


def _close(turn: Turn, event: SignalReceived) -> None:
    signal = event.signal
    matching = _matching(turn, signal)
    if not matching:
        text = "there is no position of this side on the symbol"
        report = refuse(turn, signal, ReportStatus.ALREADY_FLAT, Reason(code="already_flat", text=text))
        record = SignalRecord(symbol=signal.symbol, ended=True, status=report.status.value, report=report)
        turn.state.remember(signal.signal_id, record)
        return
    turn.state.remember(signal.signal_id, SignalRecord(symbol=signal.symbol))
    for bracket in matching:
        closer = Closer(signal_id=signal.signal_id, received_at_ms=turn.now_ms)
        bracket = turn.update(bracket, closers=(*bracket.closers, closer))
        start_closing(turn, bracket, CloseReason.SIGNAL)


def _matching(turn: Turn, signal: Signal) -> list[Bracket]:
    sides = {SignalType.CLOSE_LONG: {Side.BUY}, SignalType.CLOSE_SHORT: {Side.SELL}}
    wanted = sides.get(signal.signal_type, {Side.BUY, Side.SELL})
    return [bracket for bracket in turn.state.on_symbol(signal.symbol) if bracket.entry_side in wanted]


def _in_direction(signal: Signal, amount: Decimal | None) -> Decimal | None:
    """The part of a signed amount that a close signal means."""
    if amount is None:
        return None
    if signal.signal_type is SignalType.CLOSE_LONG:
        return max(amount, Decimal(0))
    return min(amount, Decimal(0)) if signal.signal_type is SignalType.CLOSE_SHORT else amount
