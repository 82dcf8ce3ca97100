"""Events and commands as journal lines, and back: the whole of what replay needs to know about the log.

A line's header names what it is about for whoever reads it (`event_type`, symbol, ids); its payload is the event or
command itself, under a name that says what kind of data it is. Other kinds of lines (notes) are for people.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from .audit_chain import AuditLine, Record
from .commands import (
    Alert,
    Announce,
    AnyCommand,
    CancelOrder,
    Conclude,
    LookUpOrder,
    LookUpSymbol,
    RenewStream,
    SubmitOrder,
)
from .engine import step
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
from .intent import OrderIntent
from .outcome import OutcomeKind
from .state import State

PAYLOADS = ("data", "order_data", "response", "error")
RUN_ENDED = "run_ended"
"""The note a run leaves at its tidy end: the fingerprint of its state in memory, for a replay to be held against."""

_EVENT_LINES: dict[type, tuple[str, str]] = {
    EngineStarted: ("engine_started", "data"),
    SignalReceived: ("signal_received", "data"),
    EntryWithheld: ("order_withheld", "error"),
    OrderAcknowledged: ("order_placed", "response"),
    AlgoAcknowledged: ("order_placed", "response"),
    SubmitFailed: ("order_rejected", "error"),
    CancelDone: ("order_canceled", "response"),
    CancelFailed: ("cancel_failed", "error"),
    OrderUpdated: ("order_update", "response"),
    AlgoUpdated: ("algo_update", "response"),
    OrderNotFound: ("order_not_found", "response"),
    StopMissed: ("stop_missed", "response"),
    LookUpFailed: ("api_error", "error"),
    PositionUpdated: ("position_update", "response"),
    SymbolSnapshot: ("symbol_snapshot", "response"),
    PositionClaimed: ("position_claimed", "data"),
    StreamConnected: ("stream_connected", "data"),
    StreamLost: ("stream_lost", "data"),
    ClockSet: ("clock_set", "data"),
    TimerFired: ("timer", "data"),
}
_COMMAND_LINES: dict[type, tuple[str, str]] = {
    SubmitOrder: ("order_intent", "order_data"),
    CancelOrder: ("cancel_intent", "order_data"),
    LookUpOrder: ("lookup", "data"),
    LookUpSymbol: ("lookup", "data"),
    RenewStream: ("stream_renewal", "data"),
    Conclude: ("execution_report", "data"),
    Alert: ("alert", "data"),
    Announce: ("bracket", "data"),
}


class JournalLine(NamedTuple):
    """What `AuditLogger.append` takes."""

    record: Record
    event_type: str
    operation: str
    symbol: str | None
    signal_id: str | None
    client_order_id: str | None
    fields: dict[str, Any]


def event_line(state: State, event: AnyEvent) -> JournalLine:
    """The line of an event; `state` (before or after its step) knows whose order a bare client id is."""
    event_type, payload = _EVENT_LINES[type(event)]
    if isinstance(event, OrderUpdated) and event.fill is not None:
        event_type = "fill"
    if isinstance(event, SubmitFailed) and event.failure.kind is OutcomeKind.UNKNOWN:
        event_type = "order_unresolved"
    client_id = getattr(event, "client_order_id", "") or None
    intent = _intent_of(state, client_id)
    if isinstance(event, SignalReceived):
        symbol, signal_id = event.signal.symbol, event.signal.signal_id
    else:
        symbol = getattr(event, "symbol", "") or (intent.symbol if intent else "")
        signal_id = intent.signal_id if intent else getattr(event, "signal_id", "")
    return JournalLine("event", event_type, _tag(event), symbol or None, signal_id or None, client_id, {payload: event})


def command_line(command: AnyCommand) -> JournalLine:
    """The line of a command."""
    event_type, payload = _COMMAND_LINES[type(command)]
    fields: dict[str, Any] = {payload: command}
    about: Any = command
    if isinstance(command, SubmitOrder):
        about = command.intent
        fields["retry_count"] = command.attempt - 1
    elif isinstance(command, Conclude):
        about = command.report
    elif isinstance(command, Announce):
        event_type = f"bracket_{command.topic}"
    return JournalLine(
        "command",
        event_type,
        _tag(command),
        getattr(about, "symbol", None) or None,
        getattr(about, "signal_id", None) or None,
        getattr(about, "client_order_id", None) or None,
        fields,
    )


def read_event(line: AuditLine) -> AnyEvent:
    """The event of an `event` line.

    Raises:
        ValueError: the line holds no event this version knows.
    """
    payload = next((line.fields[name] for name in PAYLOADS if name in line.fields), None)
    try:
        event: AnyEvent = msgspec.convert(payload, type=AnyEvent)
        return event
    except msgspec.ValidationError as error:
        raise ValueError(f"line {line.seq} ({line.event_type}) cannot be replayed: {error}") from None


def clock_offset_ms(line: AuditLine) -> int:
    """By how many ms the exchange's clock was ahead of the machine's, as far as was known when this `event` line was
    written.

    Raises:
        ValueError: the line holds no event this version knows.
    """
    written_ms = datetime.fromisoformat(line.timestamp).timestamp() * 1000
    return read_event(line).at_ms - int(written_ms)


def read_command(line: AuditLine) -> AnyCommand:
    """The command of a `command` line.

    Raises:
        ValueError: the line holds no command this version knows.
    """
    payload = next((line.fields[name] for name in PAYLOADS if name in line.fields), None)
    try:
        command: AnyCommand = msgspec.convert(payload, type=AnyCommand)
        return command
    except msgspec.ValidationError as error:
        raise ValueError(f"line {line.seq} ({line.event_type}) cannot be read: {error}") from None


def rebuild(lines: Iterable[AuditLine]) -> State:
    """The state that a log's lines lead to: the last checkpoint's, and every event after it.

    Raises:
        ValueError: a line cannot be replayed.
    """
    state = State()
    for line in lines:
        if line.record == "checkpoint" and line.fields.get("state") is not None:
            state = msgspec.convert(line.fields["state"], type=State)
        elif line.record == "event":
            step(state, read_event(line))
    return state


def _tag(message: AnyEvent | AnyCommand) -> str:
    return str(type(message).__struct_config__.tag)


def _intent_of(state: State, client_id: str | None) -> OrderIntent | None:
    record = state.orders.get(client_id or "") or state.algos.get(client_id or "")
    return record.intent if record else None
