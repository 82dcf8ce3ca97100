"""The driver: brings events to the engine, writes both to the journal, and only then carries the commands out.

It is passive: whoever has an event (a caller, a worker with a reply, the stream's thread, the alarm) calls `handle`.
The engine lock is held for the step and the appends, never for a network call or a disk sync. So the thread that
learned of a fill sends the stop itself, with no hop in between; only the stream's thread hands its commands to workers,
because it must go on reading, and never waits for a disk.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from msgspec.structs import replace

from ..core.audit_logger import AuditLogger
from ..core.commands import (
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
from ..core.engine import concerns, step
from ..core.errors import AuditError, BracketeerError
from ..core.events import AnyEvent, CancelFailed, EntryWithheld, LookUpFailed, SubmitFailed, SymbolSnapshot, TimerFired
from ..core.intent import OrderIntent
from ..core.journal import JournalLine, command_line, event_line
from ..core.outcome import Failure, OutcomeKind
from ..core.report import ExecutionReport
from ..core.snapshot import Snapshot
from ..core.state import State
from ..core.values import Role
from .chains import Chain, Chains, Next, Task
from .durability import Durability
from .ports import Gateway, Runtime
from .ticket import Ticket

Asking = SubmitOrder | CancelOrder | LookUpOrder | LookUpSymbol
Notice = Alert | Announce
BUG = "internal_error"
FILTER_ERRORS = frozenset({-1111, -4001, -4002, -4003, -4004, -4005, -4013, -4014, -4023, -4164})
"""Our rules let an order pass that the exchange's do not (binance-usdm.md §6): ours may be out of date."""


ENTRY_DISK_S = 3.0
"""How long an entry waits for its intent to be on disk: its price was judged when the signal came."""
PROTECTION_DISK_PART = 8
"""Exits and protection wait for the disk for this part of the naked limit, then they go all the same, as they do when
the disk refuses (design note 001)."""


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
        self._chains = Chains(runtime.spawn)
        self.durability = Durability(journal)
        self._hold_back = hold_back
        self._renew_stream = renew_stream
        self._refresh_rules = refresh_rules
        self._on_notice = on_notice
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._tickets: dict[str, Ticket] = {}
        self._refusal: BracketeerError | None = None  # why no signal is taken any more
        self._abandoned = False  # nobody waits for an answer any more
        self._ended = False

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
            if self._refusal is not None and ticket is not None:
                ticket.fail(self._refusal)  # what it opens might be left alone in the middle
                return
            if self._ended or not concerns(self._state, event):
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
        if inline or not any(map(_is_order, commands)):
            self._act(commands, seq, inline=inline)
        else:
            self._runtime.spawn(partial(self._act, commands, seq, inline=True), urgent=True)

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
        self._note(BUG, text)
        self._on_notice(Alert(code=BUG, text=text, symbol=""))

    def refuse_signals(self, failure: BracketeerError) -> None:
        """Take no more signals; those that came go on."""
        with self._lock:
            self._refusal = failure

    def abandon_tickets(self, failure: BracketeerError) -> None:
        """Free every waiting caller, and those to come: the manager is being closed; the journal knows what goes on."""
        with self._lock:
            self._refusal, self._abandoned = failure, True
            tickets, self._tickets = list(self._tickets.values()), {}
        for ticket in tickets:
            ticket.fail(failure)

    def end(self) -> None:
        """Take no more events, before the journal closes: as if the process had gone; the next start finds out."""
        with self._lock:
            self._ended = True
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

    def _note(self, event_type: str, text: str) -> None:
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

    def _act(self, commands: list[AnyCommand], seq: int, *, inline: bool) -> None:
        """Begin what is to be done. An entry waits for the disk by itself: it is not to hold up what one step with it
        protects elsewhere."""
        entry = [command for command in commands if isinstance(command, SubmitOrder) and _opens(command.intent)]
        rest = [command for command in commands if command not in entry]
        if rest:
            self._chains.begin(self._chains_of(rest, self._protection_waits(rest, seq)), inline=inline and not entry)
        if entry:
            self._chains.begin(self._chains_of(entry, self.durability.wait(seq, ENTRY_DISK_S)), inline=inline)

    def _chains_of(self, commands: Sequence[AnyCommand], refused: str | None) -> list[Chain]:
        """What has to be done: orders of one symbol one behind the other. `refused` says why their intents are not
        durable."""
        chains: list[Chain] = []
        orders: dict[str, list[Task]] = {}
        for command in commands:
            match command:
                case SubmitOrder(intent=intent) if refused is not None and _opens(intent):
                    chains.append(Chain([self._withhold(intent.client_order_id, refused)], urgent=True))
                case SubmitOrder() | CancelOrder():
                    symbol = command.intent.symbol if isinstance(command, SubmitOrder) else command.symbol
                    if symbol not in orders:
                        chains.append(Chain(orders.setdefault(symbol, []), urgent=True))
                    orders[symbol].append(self._task(command))
                case LookUpOrder() | LookUpSymbol():
                    chains.append(Chain([self._task(command)], urgent=False))
                case RenewStream():
                    chains.append(Chain([self._renewal], urgent=False))
                case _:
                    pass
        return chains

    def _protection_waits(self, commands: list[AnyCommand], seq: int) -> str | None:
        """Wait for the disk, where something is to be sent; why it is not waited for any longer."""
        if not any(map(_is_order, commands)):
            return None
        slow = self.durability.wait(seq, self._state.policy.naked_limit_ms / 1000 / PROTECTION_DISK_PART)
        if slow is not None and self._journal.healthy:
            self._note("sent_before_durable", slow)
        return slow

    def _withhold(self, client_order_id: str, why: str) -> Task:
        text = f"the intent could not be written to the audit log, so nothing was sent: {why}"

        def withhold(begin_next: Next) -> None:
            begin_next()
            at_ms = self._gateway.exchange_now_ms()
            self.handle(
                EntryWithheld(at_ms=at_ms, client_order_id=client_order_id, code="audit_unavailable", text=text)
            )

        return withhold

    def _task(self, command: Asking) -> Task:
        def carry_out(begin_next: Next) -> None:
            if not isinstance(command, SubmitOrder):
                begin_next()
            events = self._ask(command, begin_next)
            begin_next()
            for event in events:
                self.handle(event)

        return carry_out

    def _renewal(self, begin_next: Next) -> None:
        begin_next()
        self._renew_stream()

    def _ask(self, command: Asking, on_sent: Next) -> list[AnyEvent]:
        """One command, always answered: a defect of ours on the way is an unknown outcome, not a silence.

        A caller's thread may get here late. By then the account may be another process's, which takes what this one
        had not sent for lost.
        """
        entry = isinstance(command, SubmitOrder) and _opens(command.intent)
        # Nor is anything asked any more: an answer may raise the next question, and the close would wait for the last.
        given_up = entry or isinstance(command, LookUpOrder | LookUpSymbol)
        if self._ended or (given_up and self._abandoned):
            return []
        held = self._not_begun_again(command) or self._hold_back(command)
        if held is not None:
            return [self._failed(command, held)]
        try:
            match command:
                case SubmitOrder(intent=intent):
                    return [self._gateway.submit(intent, on_sent)]
                case CancelOrder(client_order_id=client_id, symbol=symbol, algo=algo):
                    return [self._gateway.cancel(client_id, symbol, algo=algo)]
                case LookUpOrder():
                    return list(self._gateway.look_up_order(command))
                case LookUpSymbol():
                    return [self._gateway.look_up_symbol(command, self._hear_early)]
        except Exception as defect:  # noqa: BLE001 - the reply must not be lost, whatever it was
            self.problem(defect)
            failure = Failure(kind=OutcomeKind.UNKNOWN, text=f"{BUG}: {type(defect).__name__}")
            return [self._failed(command, failure)]

    def _not_begun_again(self, command: Asking) -> Failure | None:
        """While the manager is being closed no entry is sent again: what it opened would have to be guarded first."""
        if self._refusal is None or not isinstance(command, SubmitOrder):
            return None
        if command.intent.role is not Role.ENTRY or command.attempt == 1:
            return None
        return Failure(kind=OutcomeKind.REFUSED, text=f"it is not sent again: {self._refusal}")

    def _hear_early(self, snapshot: SymbolSnapshot) -> None:
        self.handle(snapshot, inline=False)  # this thread has more to ask

    def _failed(self, command: Asking, failure: Failure) -> AnyEvent:
        at_ms = self._gateway.exchange_now_ms()
        match command:
            case SubmitOrder(intent=intent):
                return SubmitFailed(
                    at_ms=at_ms, client_order_id=intent.client_order_id, failure=failure, sent_at_ms=at_ms
                )
            case CancelOrder(client_order_id=client_id):
                return CancelFailed(at_ms=at_ms, client_order_id=client_id, failure=failure)
            case LookUpOrder(client_order_id=client_id, algo=algo):
                return LookUpFailed(at_ms=at_ms, failure=failure, client_order_id=client_id, algo=algo)
            case LookUpSymbol(symbol=symbol):
                return LookUpFailed(at_ms=at_ms, failure=failure, symbol=symbol)


def _is_order(command: AnyCommand) -> bool:
    return isinstance(command, SubmitOrder | CancelOrder)


def _opens(intent: OrderIntent) -> bool:
    """Whether an order belongs to the opening of a position: withheld, held back and dropped together."""
    return intent.role is Role.ENTRY or intent.armed
