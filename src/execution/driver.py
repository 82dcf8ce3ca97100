"""The driver: brings events to the engine, writes both to the journal, and only then carries the commands out.

It is passive: whoever has an event (a caller, a worker with a reply, the stream's thread, the alarm) calls `handle`.
The engine lock is held for the step and the appends, never for a network call or a disk sync. So the thread that
learned of a fill sends the stop itself, with no hop in between; only the stream's thread hands its commands to workers,
because it must go on reading, and never waits for a disk.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from msgspec.structs import replace

from ..core.audit_logger import AuditLogger
from ..core.commands import Alert, Announce, AnyCommand, Conclude
from ..core.engine import concerns, step
from ..core.errors import AuditError, BracketeerError
from ..core.events import AnyEvent, SubmitFailed, TimerFired
from ..core.journal import JournalLine, command_line, event_line
from ..core.outcome import Failure
from ..core.report import ExecutionReport
from ..core.snapshot import Snapshot
from ..core.state import State
from .carrying import BUG, Asking, Carrier, Leaving, is_order
from .ports import Gateway, Runtime
from .ticket import Ticket

Notice = Alert | Announce
FILTER_ERRORS = frozenset({-1111, -4001, -4002, -4003, -4004, -4005, -4013, -4014, -4023, -4164})
"""Our rules let an order pass that the exchange's do not (binance-usdm.md §6): ours may be out of date."""


class Driver:
    """Owns the state and its lock. `on_notice` hears alerts and announcements; it must return at once (`telling`)."""

    def __init__(
        self,
        state: State,
        journal: AuditLogger,
        gateway: Gateway,
        runtime: Runtime,
        *,
        hold_back: Callable[[Asking], Failure | None] = lambda _: None,
        renew_stream: Callable[[], None] = lambda: None,
        refresh_rules: Callable[[], object] = lambda: None,
        on_notice: Callable[[Notice], None] = lambda _: None,
    ) -> None:
        self._state = state
        self._journal = journal
        self._gateway = gateway
        self._runtime = runtime
        self._leaving = Leaving()
        self._carrier = Carrier(
            self, journal, gateway, runtime, self._leaving, hold_back=hold_back, renew_stream=renew_stream
        )
        self.durability = self._carrier.durability
        self._refresh_rules = refresh_rules
        self._on_notice = on_notice
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._tickets: dict[str, Ticket] = {}

    def read(self) -> State:
        """A copy of the state: a moment's truth for queries."""
        with self._lock:
            return self._state.copy()

    def snapshot(self) -> Snapshot:
        """A copy of the state and the line of the log it belongs to, both of the same moment."""
        with self._lock:
            head, state = self._journal.head, self._state.copy()
        return Snapshot.of(head, state)

    def handle(self, event: AnyEvent, *, ticket: Ticket | None = None, inline: bool = True) -> None:
        """Step, journal, act. With `inline` the first order is carried out on this thread, else all go to workers.

        `ticket` is settled when the signal of a `SignalReceived` event is concluded.
        """
        with self._lock:
            if self._leaving.refusal is not None and ticket is not None:
                ticket.fail(self._leaving.refusal)  # what it opens might be left alone in the middle
                return
            if self._leaving.ended or not concerns(self._state, event):
                return
            if event.at_ms > (now_ms := self._gateway.exchange_now_ms()):
                event = replace(event, at_ms=now_ms)  # dated before the clock was set back, and handled after
            self._journal.rotate_if_due()
            commands = step(self._state, event)
            self._changed.notify_all()
            seq = self._record(event, commands)
            self._queue(commands, ticket, event)
            # Under the lock: two threads must not set what they read in the wrong order, or a wake-up is lost.
            self._runtime.set_alarm(self._state.next_wake_ms())
        self._settle(commands, ticket, event)
        if isinstance(event, SubmitFailed) and event.failure.code in FILTER_ERRORS:
            self._runtime.spawn(self._refresh)
        carry_out = partial(self._carrier.carry_out, commands, seq, self._state.policy.naked_limit_ms)
        if inline or not any(map(is_order, commands)):
            carry_out(inline=inline)
        else:
            self._runtime.spawn(partial(carry_out, inline=True), urgent=True)

    def wait_until(self, condition: Callable[[State], bool], timeout_s: float) -> bool:
        """Block until the state fulfils a condition or the time is over; whether it does."""
        with self._lock:  # not the condition: see `ThreadRuntime`
            return self._changed.wait_for(lambda: condition(self._state), timeout_s)

    def alarm(self) -> None:
        """The wake-up the engine asked for."""
        self.handle(TimerFired(at_ms=self._gateway.exchange_now_ms()))

    def problem(self, failure: BaseException) -> None:
        """Something of ours failed where nobody waits for it: on record, and told."""
        text = f"{type(failure).__name__}: {failure}"
        self.note(BUG, text)
        self._on_notice(Alert(code=BUG, text=text, symbol=""))

    def refuse_signals(self, failure: BracketeerError) -> None:
        """Take no more signals; those that came go on."""
        with self._lock:
            self._leaving.refusal = failure

    def abandon_tickets(self, failure: BracketeerError) -> None:
        """Free every waiting caller, and those to come: the manager is being closed; the journal knows what goes on."""
        with self._lock:
            self._leaving.refusal, self._leaving.abandoned = failure, True
            tickets, self._tickets = list(self._tickets.values()), {}
        for ticket in tickets:
            ticket.fail(failure)

    def end(self) -> None:
        """Take no more events, before the journal closes: as if the process had gone; the next start finds out."""
        with self._lock:
            self._leaving.ended = True
        self.durability.stop()

    def _refresh(self) -> None:
        with suppress(BracketeerError):  # the request has its line in the log; the next filter error asks again
            self._refresh_rules()

    def _record(self, event: AnyEvent, commands: list[AnyCommand]) -> int:
        """Append the event and its commands; the number of the last line."""
        seq = 0
        lines = [event_line(self._state, event), *(command_line(command) for command in commands)]
        for line in lines:
            seq = self._append(line) or seq
        return seq

    def _append(self, line: JournalLine) -> int | None:
        try:
            return self._journal.append(
                line.record,
                line.event_type,
                operation=line.operation,
                symbol=line.symbol,
                signal_id=line.signal_id,
                client_order_id=line.client_order_id,
                fields=line.fields,
            )
        except AuditError:
            # The disk has refused for so long that the buffer is full. Exits go on; `healthy` keeps entries out.
            return None

    def note(self, event_type: str, text: str) -> None:
        """Put a note in the log."""
        self._append(JournalLine("note", event_type, "note", None, None, None, {"error": text}))

    def _queue(self, commands: list[AnyCommand], ticket: Ticket | None, event: AnyEvent) -> None:
        """Remember who waits, before anything can conclude it on another thread."""
        signal = getattr(event, "signal", None)
        if ticket is None or signal is None:
            return
        if not any(isinstance(c, Conclude) and c.report.signal_id == signal.signal_id for c in commands):
            self._tickets[signal.signal_id] = ticket

    def _settle(self, commands: list[AnyCommand], ticket: Ticket | None, event: AnyEvent) -> None:
        own = getattr(getattr(event, "signal", None), "signal_id", None)
        for command in commands:
            match command:
                case Conclude(report=report):
                    # A duplicate is answered at once, to the one who asked now; the first asker still waits.
                    waiting = ticket if own == report.signal_id else self._pop(report)
                    if waiting is not None:
                        waiting.settle(report)
                case Alert() | Announce():
                    self._on_notice(command)
                case _:
                    pass

    def _pop(self, report: ExecutionReport) -> Ticket | None:
        with self._lock:
            return self._tickets.pop(report.signal_id, None)
