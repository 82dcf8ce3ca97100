"""`step` for any event in any reachable state: what must hold after every one (P1, P3, P5)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bracketeer.core.audit_chain import AuditLine
from bracketeer.core.client_ids import client_order_id
from bracketeer.core.commands import Announce, AnyCommand, LookUpSymbol, SubmitOrder
from bracketeer.core.engine import step
from bracketeer.core.events import (
    AlgoAcknowledged,
    AlgoUpdated,
    AnyEvent,
    CancelDone,
    CancelFailed,
    ClockSet,
    EngineStarted,
    EntryWithheld,
    Fill,
    LookUpFailed,
    OpenOrder,
    OrderAcknowledged,
    OrderNotFound,
    OrderUpdated,
    PositionUpdated,
    StopMissed,
    StreamConnected,
    StreamLost,
    SubmitFailed,
    SymbolSnapshot,
    TimerFired,
    TradeRow,
)
from bracketeer.core.journal import command_line, event_line, read_command, rebuild
from bracketeer.core.outcome import Failure, OutcomeKind
from bracketeer.core.settings import Policy
from bracketeer.core.signal import SignalType
from bracketeer.core.state import State
from bracketeer.core.values import AlgoStatus, ArmingMode, OrderStatus, PositionSide, Role, Side
from tests.support.profiles import examples
from tests.support.stories import E0, P0, P1, PRICE, RULES, S0, S1, SYMBOL, X0, Story, exchange_id

IDS = [E0, S0, P0, S1, P1, X0, "web_1"]
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
        before = self.state.copy()
        commands = super().feed(event)
        self._check_ends(before)
        self._check_anomalies(before, commands)
        for command in commands:
            assert read_command(through_json(command_line(command), 0)) == command
            if isinstance(command, SubmitOrder):
                self._check_submit(command)
        return commands

    def _check_ends(self, before: State) -> None:
        """Quantities only grow; an order that ended stays ended, unless the end was our own conclusion."""
        for key, order in before.orders.items():
            now = self.state.orders.get(key, order)
            assert now.executed >= order.executed
            assert now.closed or not order.closed or order.given_up, f"{key}: {order.status} -> {now.status}"
        for key, algo in before.algos.items():
            leg = self.state.algos.get(key, algo)
            assert leg.closed or not algo.closed or algo.given_up, f"{key}: {algo.status} -> {leg.status}"

    def _check_anomalies(self, before: State, commands: list[AnyCommand]) -> None:
        """Each is on record and looked into; none is a mistake of ours."""
        notes = [c for c in commands if isinstance(c, Announce) and c.topic == "anomaly"]
        assert len(notes) == self.state.anomalies - before.anomalies
        for note in notes:
            assert note.facts["source"] != "us", note
            asked = any(isinstance(c, LookUpSymbol) and c.symbol == note.symbol for c in commands)
            assert asked or before.brackets[note.signal_id].asking

    def _note_leave(self, event: AnyEvent) -> None:
        """Only a refusal with proof gives leave to send an order in flight once more; any news takes it back."""
        client_id = getattr(event, "client_order_id", "")
        if isinstance(event, SubmitFailed) and event.failure.resend_ms is not None:
            self.leave.add(client_id)
        elif isinstance(event, OrderAcknowledged | OrderUpdated | SubmitFailed | EntryWithheld):
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

    def check_replay(self, cut: int) -> None:
        """The journal alone leads to the same bytes, from its beginning and from a checkpoint anywhere."""
        whole = rebuild(self.lines)
        assert whole.encode() == self.state.encode()
        checkpoint = through_json(event_line(whole, TimerFired(at_ms=0)), 0)
        state = msgspec.json.decode(rebuild(self.lines[:cut]).encode())
        checkpoint = replace(checkpoint, record="checkpoint", fields={"state": state})
        assert rebuild([*self.lines[:cut], checkpoint, *self.lines[cut:]]).encode() == self.state.encode()

    def check_level(self) -> None:
        """Driven again at the same instant there is nothing more to do, and no reason to wake up at once."""
        again = self.state.copy()
        assert step(again, TimerFired(at_ms=self.now)) == []
        assert awake(again) == awake(self.state)
        wake = self.state.next_wake_ms()
        assert wake is None or wake > self.now, "a wake-up in the past is a busy loop"


def awake(state: State) -> bytes:
    """The state without when it wants to wake or to look: while a question is under way, its answer will wake it."""
    brackets = {key: replace(b, wake_ms=None, next_look_ms=None) for key, b in state.brackets.items()}
    return replace(state, brackets=brackets).encode()


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


@examples(200)
@given(starts, st.lists(acts, max_size=25))
def test_keeps_its_promises_whatever_happens(start: list[Act], story: list[Act]) -> None:
    """No sequence of events makes two entries of one signal, an order that could open or flip a position, a send of
    what is in flight without proof that it did not execute, or a live order out of an ended one; and what is impossible
    is on record and looked into."""
    checked = Checked()
    for act in [*start, *story]:
        act(checked)


@examples(150)
@given(starts, st.lists(acts, max_size=20), st.integers(0, 50))
def test_the_log_rebuilds_the_state(start: list[Act], story: list[Act], cut: int) -> None:
    """Rebuilding is the inverse of journaling: the state is the fold of the events read back from their lines, byte for
    byte; and a checkpoint anywhere stands for all that was before it."""
    checked = Checked()
    for act in [*start, *story]:
        act(checked)
    checked.check_replay(cut)


class Level(Checked):
    """A story that is driven twice."""

    def feed(self, event: AnyEvent) -> list[AnyCommand]:
        """One step, and nothing new at the same instant."""
        commands = super().feed(event)
        self.check_level()
        return commands


@examples(150)
@given(starts, st.lists(acts, max_size=20))
def test_driving_again_adds_nothing(start: list[Act], story: list[Act]) -> None:
    """Driving is idempotent: after any event a second turn at the same instant asks for nothing and changes nothing
    that is known."""
    checked = Level()
    for act in [*start, *story]:
        act(checked)


early_starts: st.SearchStrategy[list[Act]] = st.sampled_from([
    [lambda s: s.signal()],
    [lambda s: s.signal(), lambda s: s.ack_algo(S0)],
    [lambda s: s.signal(), lambda s: s.ack_algo(S0), lambda s: s.ack_algo(P0), lambda s: s.fill(E0)],
    [lambda s: s.signal(), lambda s: s.fill(E0), lambda s: s.ack(E0, "1"), lambda s: s.ack_algo(S0)],
    [lambda s: s.signal(), lambda s: s.ack_algo(S0), lambda s: s.refuse(E0, -2019)],
])  # fmt: skip


@examples(250)
@given(early_starts, st.lists(acts, max_size=25), st.integers(0, 50))
def test_protection_that_leaves_with_the_entry_breaks_no_law(start: list[Act], story: list[Act], cut: int) -> None:
    """With ARM=with_entry the three laws above hold as well."""
    checked = Level(Policy(arm=ArmingMode.WITH_ENTRY))
    for act in [*start, *story]:
        act(checked)
    checked.check_replay(cut)


OTHER = "other"
OTHER_IDS = [client_order_id(OTHER, role) for role in (Role.ENTRY, Role.STOP_LOSS, Role.TAKE_PROFIT)]


class Beside(Checked):
    """A bracket on another symbol beside the story's own."""

    def feed(self, event: AnyEvent) -> list[AnyCommand]:
        """What does not concern the other bracket is no more to it than time."""
        everybodys = isinstance(event, EngineStarted | StreamConnected | StreamLost | ClockSet)
        if everybodys or getattr(event, "client_order_id", "") in OTHER_IDS or OTHER not in self.state.brackets:
            return super().feed(event)
        quiet = self.state.copy()
        step(quiet, TimerFired(at_ms=event.at_ms))
        commands = super().feed(event)
        if self.state.stream_up == quiet.stream_up:  # a silent stream is everybody's, whoever finds it out
            assert others(self.state) == others(quiet)
        return commands


def others(state: State) -> tuple[object, ...]:
    """All that is known of the other bracket."""
    orders = [record for records in (state.orders, state.algos) for record in map(records.get, OTHER_IDS)]
    return state.brackets.get(OTHER), orders, state.signals.get(OTHER), state.positions.get("ETHUSDT|BOTH")


@examples(150)
@given(st.integers(0, 4), starts, st.lists(acts, max_size=20))
def test_brackets_do_not_touch_each_other(depth: int, start: list[Act], story: list[Act]) -> None:
    """Brackets are independent: for a bracket on another symbol any event that is not about it is the same as a timer
    at that instant."""
    beside = Beside()
    entry, *legs = OTHER_IDS
    steps: list[Callable[[], object]] = [
        lambda: beside.signal(signal_id=OTHER, symbol="ETHUSDT", rules=replace(RULES, symbol="ETHUSDT")),
        lambda: beside.ack(entry, "1"),
        lambda: beside.told(entry, OrderStatus.FILLED, executed="1", average="60000", source="lookup"),
        lambda: [beside.ack_algo(leg) for leg in legs],
        lambda: [beside.algo_told(leg, AlgoStatus.NEW) for leg in legs],
    ]
    for prepare in steps[: depth + 1]:
        prepare()
    beside.log.clear()  # the starts look at what they asked for themselves
    for act in [*start, *story]:
        act(beside)


small = st.sampled_from(["0", "0.4", "1", "2", "-1"]).map(Decimal)
sizes = st.sampled_from(["0.001", "0.4", "1", "2"]).map(Decimal)
instants = st.integers(-3000, 3000)
failures = st.builds(
    Failure,
    kind=st.sampled_from([OutcomeKind.REFUSED, OutcomeKind.UNKNOWN]),
    code=st.none() | refusals,
    text=st.just("text"),
    resend_ms=st.none() | st.sampled_from([0, 200]),
)
fills = st.builds(Fill, trade_id=st.integers(1, 9), price=st.just(PRICE), quantity=sizes)
rows = st.builds(
    OpenOrder,
    client_order_id=ids,
    exchange_id=st.integers(0, 3),
    algo=st.booleans(),
    side=st.sampled_from(Side),
    order_type=st.sampled_from(["STOP_MARKET", "LIMIT", "NOVELTY"]),
    status=st.sampled_from(["NEW", "NOVELTY"]),
    updated_at_ms=st.integers(0, 3),
)
trades = st.builds(
    TradeRow,
    trade_id=st.integers(1, 9),
    exchange_order_id=ids.map(exchange_id),
    side=st.sampled_from(Side),
    position_side=st.sampled_from(PositionSide),
    price=st.just(PRICE),
    quantity=sizes,
    exchange_time_ms=instants,
)


def some(kind: type, **fields: st.SearchStrategy[object]) -> st.SearchStrategy[AnyEvent]:
    """An event of a kind with anything in it; its times count from now."""
    common = {"client_order_id": ids, "exchange_time_ms": instants, "sent_at_ms": instants, "symbol": st.just(SYMBOL)}
    wanted = {name: given for name, given in (common | fields).items() if name in kind.__struct_fields__}  # type: ignore[attr-defined]
    return st.builds(kind, at_ms=st.just(0), **wanted)


sources = st.sampled_from(["stream", "lookup"])
some_ids = st.integers(0, 3)
order_facts = {"exchange_order_id": some_ids, "status": st.sampled_from(WIRE), "executed_quantity": small.map(abs)}
any_event: st.SearchStrategy[AnyEvent] = st.one_of(
    some(EntryWithheld, code=st.just("x"), text=st.just("x")),
    some(OrderAcknowledged, quantity=sizes, **order_facts),
    some(AlgoAcknowledged, algo_id=some_ids, status=st.sampled_from(ALGO_WIRE)),
    some(SubmitFailed, failure=failures),
    some(CancelDone, gone=st.booleans()),
    some(CancelFailed, failure=failures),
    some(
        OrderUpdated,
        symbol=st.sampled_from([SYMBOL, "ETHUSDT"]),
        side=st.sampled_from(Side),
        quantity=sizes,
        average_price=st.none() | st.just(Decimal(0)) | sizes,
        fill=st.none() | fills,
        position_side=st.sampled_from(PositionSide),
        source=sources,
        **order_facts,
    ),
    some(
        AlgoUpdated,
        algo_id=some_ids,
        status=st.sampled_from(ALGO_WIRE),
        actual_order_id=st.none() | some_ids,
        source=sources,
    ),
    some(OrderNotFound, asked_at_ms=instants, algo=st.booleans()),
    some(StopMissed, asked_at_ms=instants, symbol=st.just(SYMBOL)),
    some(LookUpFailed, failure=failures, symbol=st.sampled_from(["", SYMBOL]), algo=st.booleans()),
    some(PositionUpdated, amount=small, position_side=st.sampled_from(PositionSide)),
    some(
        SymbolSnapshot,
        requested_at_ms=instants,
        amounts=st.dictionaries(st.sampled_from(PositionSide), small, max_size=2),
        orders=st.lists(rows, max_size=3).map(tuple),
        trades=st.none() | st.lists(trades, max_size=4).map(tuple),
    ),
    some(StreamConnected),
    some(StreamLost, reason=st.just("x")),
    some(ClockSet, by_ms=st.integers(-30_000, 30_000)),
    some(TimerFired),
)


def dated(event: AnyEvent, now: int) -> AnyEvent:
    """The event with its times counted from `now`."""
    times = ("at_ms", "exchange_time_ms", "sent_at_ms", "asked_at_ms", "requested_at_ms")
    moved = {name: getattr(event, name) + now for name in times if hasattr(event, name)}
    if isinstance(event, SymbolSnapshot) and event.trades is not None:
        moved["trades"] = tuple(replace(row, exchange_time_ms=row.exchange_time_ms + now) for row in event.trades)
    return replace(event, **moved)


@examples(200)
@given(starts, st.lists(st.tuples(st.sampled_from([0, 1, 150, 700, 3000]), any_event), min_size=1, max_size=15))
def test_step_is_total(start: list[Act], story: list[tuple[int, AnyEvent]]) -> None:
    """`step` is a total function: any event, about any order, with anything in it and at any time, in any state that
    such events lead to, is answered without an exception and keeps every promise of a step."""
    checked = Level()
    for act in start:
        act(checked)
    for pause, event in story:
        checked.now += pause
        checked.feed(dated(event, checked.now))
