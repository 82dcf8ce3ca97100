"""Carrying out what the engine commands: what is sent, asked or withheld, and how long it waits for the disk.

Every command that asks something of the exchange is answered by an event, whatever happens on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..core.audit_logger import AuditLogger
from ..core.commands import AnyCommand, CancelOrder, LookUpOrder, LookUpSymbol, RenewStream, SubmitOrder
from ..core.errors import BracketeerError
from ..core.events import AnyEvent, CancelFailed, EntryWithheld, LookUpFailed, SubmitFailed, SymbolSnapshot
from ..core.intent import OrderIntent
from ..core.outcome import Failure, OutcomeKind
from ..core.values import Role
from .chains import Chain, Chains, Next, Task
from .durability import Durability
from .ports import Gateway, Runtime

Asking = SubmitOrder | CancelOrder | LookUpOrder | LookUpSymbol
BUG = "internal_error"
ENTRY_DISK_S = 3.0
"""How long an entry waits for its intent to be on disk: its price was judged when the signal came."""
PROTECTION_DISK_PART = 8
"""Exits and protection wait for the disk for this part of the naked limit, then they go all the same, as they do when
the disk refuses (design note 001)."""


@dataclass
class Leaving:
    """How far the manager is with being closed."""

    refusal: BracketeerError | None = None  # why no signal is taken any more
    abandoned: bool = False  # nobody waits for an answer any more
    ended: bool = False


class Told(Protocol):
    """Who hears of what came of a command: the driver."""

    def handle(self, event: AnyEvent, *, inline: bool = True) -> None:
        """Take an event."""
        ...

    def problem(self, failure: BaseException) -> None:
        """Something of ours failed."""
        ...

    def note(self, event_type: str, text: str) -> None:
        """Put a note in the log."""
        ...


class Carrier:
    """Carries out commands for a driver."""

    def __init__(
        self,
        told: Told,
        journal: AuditLogger,
        gateway: Gateway,
        runtime: Runtime,
        leaving: Leaving,
        *,
        hold_back: Callable[[Asking], Failure | None],
        renew_stream: Callable[[], None],
    ) -> None:
        self._told = told
        self._journal = journal
        self._gateway = gateway
        self._chains = Chains(runtime.spawn)
        self._leaving = leaving
        self._hold_back = hold_back
        self._renew_stream = renew_stream
        self.durability = Durability(journal)

    def carry_out(self, commands: list[AnyCommand], seq: int, naked_limit_ms: int, *, inline: bool) -> None:
        """Begin what is to be done, the first order on this thread if `inline`; `seq` is the commands' last line. An
        entry waits for the disk by itself: it is not to hold up what one step with it protects elsewhere."""
        entry = [command for command in commands if isinstance(command, SubmitOrder) and _opens(command.intent)]
        rest = [command for command in commands if command not in entry]
        if rest:
            refused = self._protection_waits(rest, seq, naked_limit_ms)
            self._chains.begin(self._chains_of(rest, refused), inline=inline and not entry)
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

    def _protection_waits(self, commands: list[AnyCommand], seq: int, naked_limit_ms: int) -> str | None:
        """Wait for the disk, where something is to be sent; why it is not waited for any longer."""
        if not any(map(is_order, commands)):
            return None
        slow = self.durability.wait(seq, naked_limit_ms / 1000 / PROTECTION_DISK_PART)
        if slow is not None and self._journal.healthy:
            self._told.note("sent_before_durable", slow)
        return slow

    def _withhold(self, client_order_id: str, why: str) -> Task:
        text = f"the intent could not be written to the audit log, so nothing was sent: {why}"

        def withhold(begin_next: Next) -> None:
            begin_next()
            at_ms = self._gateway.exchange_now_ms()
            event = EntryWithheld(at_ms=at_ms, client_order_id=client_order_id, code="audit_unavailable", text=text)
            self._told.handle(event)

        return withhold

    def _task(self, command: Asking) -> Task:
        def carry_out(begin_next: Next) -> None:
            if not isinstance(command, SubmitOrder):
                begin_next()
            events = self._ask(command, begin_next)
            begin_next()
            for event in events:
                self._told.handle(event)

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
        if self._leaving.ended or (given_up and self._leaving.abandoned):
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
            self._told.problem(defect)
            failure = Failure(kind=OutcomeKind.UNKNOWN, text=f"{BUG}: {type(defect).__name__}")
            return [self._failed(command, failure)]

    def _not_begun_again(self, command: Asking) -> Failure | None:
        """While the manager is being closed no entry is sent again: what it opened would have to be guarded first."""
        if self._leaving.refusal is None or not isinstance(command, SubmitOrder):
            return None
        if command.intent.role is not Role.ENTRY or command.attempt == 1:
            return None
        return Failure(kind=OutcomeKind.REFUSED, text=f"it is not sent again: {self._leaving.refusal}")

    def _hear_early(self, snapshot: SymbolSnapshot) -> None:
        self._told.handle(snapshot, inline=False)  # this thread has more to ask

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


def is_order(command: AnyCommand) -> bool:
    """Whether carrying it out sends an order or a cancel."""
    return isinstance(command, SubmitOrder | CancelOrder)


def _opens(intent: OrderIntent) -> bool:
    """Whether an order belongs to the opening of a position: withheld, held back and dropped together."""
    return intent.role is Role.ENTRY or intent.armed
