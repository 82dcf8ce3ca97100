"""Whatever happens, plausible or not: what must hold after every step (P1, P3, P5)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bracketeer.core.audit_chain import AuditLine
from bracketeer.core.commands import AnyCommand, SubmitOrder
from bracketeer.core.engine import step
from bracketeer.core.events import AnyEvent, Fill, LookUpFailed, OrderNotFound, SubmitFailed, TimerFired
from bracketeer.core.journal import command_line, event_line, read_command, read_event
from bracketeer.core.settings import Policy
from bracketeer.core.signal import SignalType
from bracketeer.core.state import State
from bracketeer.core.values import AlgoStatus, OrderStatus, Role, Side
from tests.support.stories import E0, P0, S0, S1, SYMBOL, X0, Story

IDS = [E0, S0, P0, S1, X0, "web_1"]
WIRE = [status for status in OrderStatus if status not in (OrderStatus.PENDING_NEW, OrderStatus.UNRESOLVED)]
ALGO_WIRE = [status for status in AlgoStatus if status not in (AlgoStatus.PENDING_NEW, AlgoStatus.UNRESOLVED)]
AMOUNTS = ["0", "0.4", "1", "-1", "2"]
Act = Callable[["Checked"], object]


def through_json(parts: object, seq: int) -> AuditLine:
    """A line as a reader of the log gets it."""
    return AuditLine(
        seq=seq,
        timestamp="",
        record=parts.record,  # type: ignore[attr-defined]
        event_type=parts.event_type,  # type: ignore[attr-defined]
        operation=parts.operation,  # type: ignore[attr-defined]
        symbol=parts.symbol,  # type: ignore[attr-defined]
        signal_id=parts.signal_id,  # type: ignore[attr-defined]
        client_order_id=parts.client_order_id,  # type: ignore[attr-defined]
        fields=msgspec.json.decode(msgspec.json.encode(parts.fields)),  # type: ignore[attr-defined]
        prev_hash="",
        hash="",
    )


class Checked(Story):
    """A story that looks at every step."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.lines: list[AuditLine] = []
        self.leave: set[str] = set()
        super().__init__(policy)

    def feed(self, event: AnyEvent) -> list[AnyCommand]:
        """One step, its promises, and nothing new when it is driven again."""
        self.lines.append(through_json(event_line(self.state, event), len(self.lines)))
        self._note_leave(event)
        executed = {key: order.executed for key, order in self.state.orders.items()}
        commands = super().feed(event)
        for key, before in executed.items():
            assert key not in self.state.orders or self.state.orders[key].executed >= before
        for command in commands:
            assert read_command(through_json(command_line(command), 0)) == command
            if isinstance(command, SubmitOrder):
                self._check_submit(command)
        again = msgspec.json.decode(self.state.encode(), type=State)
        assert not [c for c in step(again, TimerFired(at_ms=self.now)) if isinstance(c, SubmitOrder)]
        wake = self.state.next_wake_ms()
        assert wake is None or wake > self.now, "a wake-up in the past is a busy loop"
        return commands

    def _note_leave(self, event: AnyEvent) -> None:
        """Only a refusal with proof gives leave to send an order in flight once more; any news takes it back."""
        client_id = getattr(event, "client_order_id", "")
        if isinstance(event, SubmitFailed) and event.failure.resend_ms is not None:
            self.leave.add(client_id)
        elif not isinstance(event, OrderNotFound | LookUpFailed):
            self.leave.discard(client_id)

    def _check_submit(self, command: SubmitOrder) -> None:
        intent = command.intent
        if intent.role is Role.ENTRY:
            assert command.attempt <= 4
            assert command.attempt == 1 or intent.client_order_id in self.leave
            self.leave.discard(intent.client_order_id)
        else:
            assert intent.reduce_only or intent.close_position
            assert not (intent.reduce_only and intent.close_position)
            assert intent.quantity is None or intent.quantity > 0

    def check_replay(self) -> None:
        """The journal alone leads to the same bytes."""
        state = State()
        for line in self.lines:
            step(state, read_event(line))
        assert state.encode() == self.state.encode()


def known(client_id: str, act: Callable[[Checked], object]) -> Act:
    """Only when such an order was sent; a reply to nothing is no reply."""
    return lambda s: act(s) if client_id in s.state.orders or client_id in s.state.algos else None


def algo(client_id: str, act: Callable[[Checked], object]) -> Act:
    """Only for a conditional order."""
    return lambda s: act(s) if client_id in s.state.algos else None


def fill_of(trade_id: int, quantity: str) -> Fill:
    """One print."""
    return Fill(trade_id=trade_id, price=Decimal(60000), quantity=Decimal(quantity))


ids = st.sampled_from(IDS)
ages = st.integers(-3000, 200)
refusals = st.sampled_from([-2021, -2022, -4509, -4130, -4116, -2019, -1008])
acts: st.SearchStrategy[Act] = st.one_of(
    st.builds(lambda i, p: lambda s: s.signal(SignalType.LONG_ENTRY, i, amount=p), st.just("signal-1"), st.just("0")),
    st.builds(lambda t, i: lambda s: s.signal(t, i), st.sampled_from(list(SignalType)), st.sampled_from("abc")),
    st.builds(lambda ms: lambda s: s.tick(ms), st.integers(0, 3000)),
    st.builds(lambda ms: lambda s: s.run_until(s.now + ms), st.integers(1, 2500)),
    st.builds(
        lambda i, e, x: known(i, lambda s: s.ack(i, e, x) if s.intent(i).trigger_price is None else s.ack_algo(i)),
        ids,
        st.sampled_from(["0", "0.4", "1"]),
        st.sampled_from([None, *WIRE]),
    ),
    st.builds(
        lambda i, c, r: known(i, lambda s: s.refuse(i, c, resend_ms=r)), ids, refusals, st.sampled_from([None, 0, 200])
    ),
    st.builds(lambda i: known(i, lambda s: s.unknown(i)), ids),
    st.builds(
        lambda i, x, e, f, a, o: lambda s: s.told(i, x, executed=e, fill=f, told_at_ms=s.now + a, source=o),
        ids,
        st.sampled_from(WIRE),
        st.sampled_from(["0", "0.4", "1"]),
        st.none() | st.builds(fill_of, st.integers(1, 9), st.sampled_from(["0.4", "0.6", "1"])),
        ages,
        st.sampled_from(["stream", "lookup"]),
    ),
    st.builds(
        lambda i, x, a, o: lambda s: s.algo_told(i, x, told_at_ms=s.now + a, source=o),
        ids,
        st.sampled_from(ALGO_WIRE),
        ages,
        st.sampled_from(["stream", "lookup"]),
    ),
    st.builds(lambda i, a: lambda s: s.not_found(i, s.now + a), ids, ages),
    st.builds(lambda i, a: lambda s: s.look_up_failed(i, algo=a), ids, st.booleans()),
    st.just(lambda s: s.look_up_failed(symbol=SYMBOL)),
    st.builds(lambda p, a: lambda s: s.position(p, s.now + a), st.sampled_from(AMOUNTS), ages),
    st.builds(
        lambda p, r, a, t: (
            lambda s: s.snapshot(
                p,
                r,
                None if t is None else tuple(s.trade(i, q, side) for i, q, side in t),
                requested_at_ms=s.now + min(a, 0),
            )
        ),
        st.sampled_from(AMOUNTS),
        st.lists(ids, max_size=3),
        ages,
        st.none() | st.lists(st.tuples(ids, st.sampled_from(["0.4", "1"]), st.sampled_from(list(Side))), max_size=3),
    ),
    st.builds(lambda i, g: algo(i, lambda s: s.cancelled(i, gone=g)), ids, st.booleans()),
    st.builds(lambda i: algo(i, lambda s: s.cancel_failed(i)), ids),
    st.just(lambda s: s.stream_lost()),
    st.just(lambda s: s.stream_connected()),
    st.just(lambda s: s.restart()),
)
starts: st.SearchStrategy[list[Act]] = st.sampled_from([
    [lambda s: s.signal()],
    [lambda s: s.signal(), lambda s: s.fill(E0), lambda s: s.ack(E0, "1")],
    [lambda s: s.protected()],
    [lambda s: s.protected(), lambda s: s.close()],
    [lambda s: s.protected(), lambda s: s.trigger(S0)],
])  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(starts, st.lists(acts, max_size=25))
def test_keeps_its_promises_whatever_happens(start: list[Act], story: list[Act]) -> None:
    """No exception, no second entry, no order that could open, no busy loop, no send without news; and the journal
    rebuilds the state bit for bit."""
    checked = Checked()
    for act in [*start, *story]:
        act(checked)
    checked.check_replay()
