"""The ground a `Story` stands on: one state, one clock, and a log of what the engine asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from bracketeer.core.bracket import Bracket
from bracketeer.core.commands import Alert, AnyCommand, Conclude, LookUpOrder, LookUpSymbol, SubmitOrder
from bracketeer.core.engine import step
from bracketeer.core.events import AnyEvent, EngineStarted, StreamConnected, TimerFired
from bracketeer.core.intent import OrderIntent
from bracketeer.core.order import AlgoOrder, Order
from bracketeer.core.report import ExecutionReport
from bracketeer.core.settings import Policy
from bracketeer.core.state import State
from bracketeer.core.values import ArmingMode

T0 = 1_700_000_000_000
C = TypeVar("C")


def submits(commands: Iterable[AnyCommand]) -> list[str]:
    """The client ids of the orders to be sent, in order."""
    return [command.intent.client_order_id for command in commands if isinstance(command, SubmitOrder)]


class StoryLog:
    """The state, the time, and everything that was asked for."""

    def __init__(self, policy: Policy | None = None, *, stream: bool = True, state: State | None = None) -> None:
        self.state = State() if state is None else state
        self.now = T0
        self.log: list[AnyCommand] = []
        self.events: list[AnyEvent] = []
        self.trade_id = 100
        self.policy = policy or Policy(arm=ArmingMode.AFTER_FILL)
        self.start()
        if stream:
            self.feed(StreamConnected(at_ms=self.now))
        self.now += 100

    # Time and bookkeeping.

    def feed(self, event: AnyEvent) -> list[AnyCommand]:
        """One step."""
        commands = step(self.state, event)
        self.events.append(event)
        self.log += commands
        return commands

    def start(self) -> list[AnyCommand]:
        """A process takes over."""
        return self.feed(EngineStarted(at_ms=self.now, policy=self.policy, version="1", venue="test"))

    def restart(self) -> list[AnyCommand]:
        """The process dies, and the next one has what the state's bytes say."""
        self.state = msgspec.json.decode(self.state.encode(), type=State)
        return self.start()

    def tick(self, after_ms: int = 0) -> list[AnyCommand]:
        """A timer, `after_ms` later."""
        self.now += after_ms
        return self.feed(TimerFired(at_ms=self.now))

    def advance_to_wake(self) -> list[AnyCommand]:
        """A timer when the engine asked for one."""
        wake = self.state.next_wake_ms()
        assert wake is not None, "the engine asked for no wake-up"
        assert wake > self.now, "the engine asked for a wake-up in the past"
        self.now = wake
        return self.tick()

    def run_until(self, at_ms: int) -> list[AnyCommand]:
        """All wake-ups up to an instant; every command on the way."""
        commands: list[AnyCommand] = []
        while (wake := self.state.next_wake_ms()) is not None and wake <= at_ms:
            if wake > self.now:
                commands += self.advance_to_wake()
                continue
            commands += self.tick()  # the story jumped over it
            again = self.state.next_wake_ms()
            assert again is None or again > self.now, "the engine asked for a wake-up in the past"
        self.now = max(self.now, at_ms)
        return commands

    def respond(self, until_ms: int, answer: Callable[[AnyCommand], object], *, since: int | None = None) -> None:
        """Answer every command as it comes (from a place in the log on), and fire every timer, until an instant."""
        done = len(self.log) if since is None else since
        while self.now < until_ms:
            if done < len(self.log):
                done += 1
                answer(self.log[done - 1])
                continue
            wake = self.state.next_wake_ms()
            if wake is None or wake > until_ms:
                self.now = until_ms
            else:
                self.advance_to_wake()

    # What was asked for.

    def all(self, kind: type[C]) -> list[C]:
        """Every command of a kind so far."""
        return [command for command in self.log if isinstance(command, kind)]

    @property
    def submitted(self) -> list[str]:
        """Client ids of everything sent, with repetitions."""
        return submits(self.log)

    @property
    def reports(self) -> list[ExecutionReport]:
        """Every report."""
        return [command.report for command in self.all(Conclude)]

    @property
    def alerts(self) -> list[str]:
        """Codes of every alert."""
        return [command.code for command in self.all(Alert)]

    @property
    def order_lookups(self) -> list[str]:
        """Client ids of every order looked up."""
        return [command.client_order_id for command in self.all(LookUpOrder)]

    @property
    def symbol_lookups(self) -> list[str]:
        """Why the symbol was looked at, each time."""
        return [command.why for command in self.all(LookUpSymbol)]

    @property
    def bracket(self) -> Bracket:
        """The only working bracket."""
        (bracket,) = self.state.brackets.values()
        return bracket

    def intent(self, client_id: str) -> OrderIntent:
        """The intent of an order that was sent."""
        return next(c.intent for c in self.all(SubmitOrder) if c.intent.client_order_id == client_id)

    def order(self, client_id: str) -> Order:
        """A normal order's record."""
        return self.state.orders[client_id]

    def algo(self, client_id: str) -> AlgoOrder:
        """A conditional order's record."""
        return self.state.algos[client_id]
