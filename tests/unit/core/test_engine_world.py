"""The engine against a small truthful exchange with an unreliable line: when the line heals, everything comes right."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bracketeer.core.commands import AnyCommand, CancelOrder, LookUpOrder, LookUpSymbol, RenewStream, SubmitOrder
from bracketeer.core.engine import replay
from bracketeer.core.events import Fill, PositionClaimed, PositionUpdated, TradeRow
from bracketeer.core.intent import OrderIntent
from bracketeer.core.position import expected_amount
from bracketeer.core.settings import Policy
from bracketeer.core.state import State
from bracketeer.core.values import AlgoStatus, ArmingMode, OrderStatus, OrderType, Role, Side
from tests.support.profiles import examples
from tests.support.stories import PRICE, RULES, SYMBOL, Story

LATENCY_MS = 20
ZERO = Decimal(0)


class World(Story):
    """One symbol of an exchange. `fates` says what becomes of the next messages; after them all goes well."""

    def __init__(
        self,
        fates: list[str],
        policy: Policy | None = None,
        overtaking: list[int] | None = None,
        *,
        strict: bool = False,
    ) -> None:
        self.fates = fates
        self.overtaking = overtaking or []  # which of the requests under way arrives next, the oldest being 0
        self.strict = strict  # reduce-only conditional orders need a position, too
        self.amount = ZERO
        self.orders: dict[str, Decimal] = {}  # executed quantity of what arrived
        self.legs: dict[str, AlgoStatus] = {}
        self.intents: dict[str, OrderIntent] = {}
        self.trades: list[TradeRow] = []
        self.answered = 0
        self.deaf = False
        self.late: list[tuple[int, OrderIntent]] = []
        super().__init__(policy)

    def run(self, length_ms: int) -> None:
        """Answer everything, fire every timer, for so long."""
        until = self.now + length_ms
        while self.now < until or self.answered < len(self.log):
            if self.late and self.late[0][0] <= self.now:
                self.arrive(self.late.pop(0)[1])
            if self.answered < len(self.log):
                self.overtake()
                self.answered += 1
                assert self.answered < 2000, f"no end of questions: {self.log[-3:]}"
                self.answer(self.log[self.answered - 1])
                continue
            wake = self.state.next_wake_ms()
            due = min([until, *(at for at, _ in self.late), *([] if wake is None else [wake])])
            self.now = max(self.now, due)
            if wake is not None and wake <= self.now:
                self.tick()

    def overtake(self) -> None:
        """Requests that are under way together arrive in any order."""
        nth = self.overtaking.pop() if self.overtaking else 0
        first, other = self.answered, min(self.answered + nth, len(self.log) - 1)
        self.log[first], self.log[other] = self.log[other], self.log[first]

    def crash(self) -> None:
        """The process dies after it sent what it had decided; the answers reach nobody."""
        self.deaf = True
        for command in self.log[self.answered :]:
            if isinstance(command, SubmitOrder) and self.fate() == "ok":
                self.arrive(command.intent)
        self.answered = len(self.log)
        self.deaf = False
        self.now += 1000
        self.restart()
        self.stream_connected()

    def fate(self) -> str:
        """Of the next message."""
        return self.fates.pop() if self.fates else "ok"

    def stream(self, tell: Callable[[], object]) -> None:
        """A stream event, perhaps lost."""
        if self.state.stream_up and not self.deaf and self.fate() != "lost":
            tell()

    def answer(self, command: AnyCommand) -> None:
        """Carry a command out."""
        self.now += LATENCY_MS
        fate = self.fate()
        match command:
            case SubmitOrder(intent=intent):
                self.submit(intent, fate)
            case CancelOrder(client_order_id=client_id):
                self.cancel(client_id, fate)
            case LookUpOrder(client_order_id=client_id, algo=algo):
                self.look_up(client_id, fate, algo=algo)
            case LookUpSymbol(symbol=symbol, trades_since_ms=since):
                if fate == "ok":
                    resting = [i for i, status in self.legs.items() if status is AlgoStatus.NEW]
                    self.snapshot(str(self.amount), resting, tuple(self.trades) if since else None)
                else:
                    self.look_up_failed(symbol=symbol)
            case RenewStream():
                self.stream_lost()
                self.now += LATENCY_MS
                self.stream_connected()

    def submit(self, intent: OrderIntent, fate: str) -> None:
        """An order arrives, or not; its answer arrives, or not."""
        client_id = intent.client_order_id
        if fate == "lost":
            self.unknown(client_id)
            return
        if fate == "refused":
            self.refuse(client_id, -1008, resend_ms=200)
            return
        if fate == "late":  # but within its receive window
            self.late.append((self.now + 1500, intent))
            self.unknown(client_id)
            return
        code = self.arrive(intent)
        if fate == "answer lost":
            self.unknown(client_id)
        elif code is not None:
            self.refuse(client_id, code)
        elif intent.is_algo:
            self.ack_algo(client_id)
        else:
            self.ack(client_id, str(self.orders[client_id]))

    def arrive(self, intent: OrderIntent) -> int | None:
        """A request is there."""
        self.intents.setdefault(intent.client_order_id, intent)
        return self.place(intent) if intent.is_algo else self.trade_market(intent)

    def place(self, intent: OrderIntent) -> int | None:
        """The algo service: closePosition needs a position, and is alone of its kind."""
        resting = [i for i, status in self.legs.items() if status is AlgoStatus.NEW]
        if intent.client_order_id in resting:
            return -4116
        if self.amount * intent.side.sign >= 0 and intent.close_position:
            return -4509
        if self.amount * intent.side.sign >= 0 and self.strict:
            return -2022
        alike = (i for i in resting if self.intents[i].order_type is intent.order_type)
        if intent.close_position and any(self.intents[i].close_position for i in alike):
            return -4130
        self.legs[intent.client_order_id] = AlgoStatus.NEW
        self.stream(lambda: self.algo_told(intent.client_order_id, AlgoStatus.NEW))
        return None

    def trade_market(self, intent: OrderIntent) -> int | None:
        """A market order fills at once; reduce-only is cut to the position."""
        quantity = intent.quantity or ZERO
        if intent.reduce_only:
            if self.amount * intent.side.sign >= 0:
                return -2022
            quantity = min(quantity, abs(self.amount))
        self.execute(intent.client_order_id, intent.side, quantity)
        return None

    def execute(self, client_id: str, side: Side, quantity: Decimal) -> None:
        """Move the position, and tell."""
        self.trade_id += 1
        number = self.trade_id
        self.amount += quantity * side.sign
        self.orders[client_id] = self.orders.get(client_id, ZERO) + quantity
        self.trades.append(self.trade(client_id, str(quantity), side, number))
        fill = Fill(trade_id=number, price=PRICE, quantity=quantity)
        executed, amount = str(self.orders[client_id]), str(self.amount)
        self.stream(lambda: self.told(client_id, OrderStatus.FILLED, executed=executed, fill=fill, side=side))
        self.stream(lambda: self.position(amount))
        if self.amount == 0:
            for leg, status in self.legs.items():
                if status is AlgoStatus.NEW and self.intents[leg].close_position:
                    self.legs[leg] = AlgoStatus.EXPIRED
                    self.stream(lambda leg=leg: self.algo_told(leg, AlgoStatus.EXPIRED))  # type: ignore[misc]

    def cancel(self, client_id: str, fate: str) -> None:
        """A cancel arrives, or not."""
        if fate in ("lost", "late", "refused"):
            self.cancel_failed(client_id)
            return
        resting = self.legs.get(client_id) is AlgoStatus.NEW
        if resting:
            self.legs[client_id] = AlgoStatus.CANCELED
        if fate == "answer lost":
            self.cancel_failed(client_id)
        else:
            self.cancelled(client_id, gone=not resting)

    def look_up(self, client_id: str, fate: str, *, algo: bool) -> None:
        """A question about an order; the ordinary order of a triggered leg comes first."""
        if fate != "ok":
            self.look_up_failed(client_id, algo=algo)
        elif client_id not in (self.legs if algo else self.orders):
            self.not_found(client_id, self.now - LATENCY_MS)
        else:
            if client_id in self.orders:
                executed = str(self.orders[client_id])
                self.told(client_id, OrderStatus.FILLED, executed=executed, average=str(PRICE), source="lookup")
            if algo:
                self.algo_told(client_id, self.legs[client_id], source="lookup")

    # What happens by itself.

    def hit(self, order_type: OrderType) -> None:
        """The price goes through the legs of a kind; what has nothing to reduce is rejected as it fires (§4.6)."""
        for leg in list(self.legs):
            intent = self.intents[leg]
            if self.legs[leg] is not AlgoStatus.NEW or intent.order_type is not order_type:
                continue
            if self.amount * intent.side.sign >= 0:
                self.legs[leg] = AlgoStatus.REJECTED
                self.stream(lambda leg=leg: self.algo_told(leg, AlgoStatus.REJECTED))  # type: ignore[misc]
                continue
            self.legs[leg] = AlgoStatus.FINISHED
            self.stream(lambda leg=leg: self.algo_told(leg, AlgoStatus.TRIGGERED))  # type: ignore[misc]
            self.execute(leg, intent.side, min(intent.quantity or abs(self.amount), abs(self.amount)))
            self.stream(lambda leg=leg: self.algo_told(leg, AlgoStatus.FINISHED))  # type: ignore[misc]

    def take_away(self, role: Role) -> None:
        """The exchange cancels a leg by itself."""
        for leg, status in self.legs.items():
            if status is AlgoStatus.NEW and self.intents[leg].role is role:
                self.legs[leg] = AlgoStatus.CANCELED
                self.stream(lambda leg=leg: self.algo_told(leg, AlgoStatus.CANCELED))  # type: ignore[misc]
                return

    def by_hand(self, share: str) -> None:
        """Somebody closes the position, or a part of it."""
        if self.amount != 0:
            side = Side.SELL if self.amount > 0 else Side.BUY
            self.execute(f"web_{self.trade_id}", side, abs(self.amount) * Decimal(share))

    def lose_stream(self) -> None:
        """The stream breaks, and comes back later."""
        self.stream_lost()
        self.now += 300
        self.stream_connected()

    def rotate(self, overlap: int) -> None:
        """Another connection takes over from the stream's: what was told last is told again, by the other one."""
        streamed = [e for e in self.events if isinstance(e, PositionUpdated) or getattr(e, "source", "") == "stream"]
        self.stream_connected()
        for event in streamed[-overlap:]:
            self.feed(replace(event, at_ms=self.now))


acts: st.SearchStrategy[Callable[[World], object]] = st.sampled_from([
    lambda w: w.hit(OrderType.STOP_MARKET),
    lambda w: w.hit(OrderType.TAKE_PROFIT_MARKET),
    lambda w: w.by_hand("1"),
    lambda w: w.by_hand("0.5"),
    lambda w: w.take_away(Role.STOP_LOSS),
    lambda w: w.take_away(Role.TAKE_PROFIT),
    lambda w: w.close(f"close-{w.now}"),
    lambda w: w.lose_stream(),
    lambda w: w.rotate(1),
    lambda w: w.rotate(3),
    lambda w: w.rotate(9),
    lambda w: w.crash(),
    lambda w: w.stream_lost(),
    lambda w: None,
    lambda w: None,
])  # fmt: skip
fates = st.lists(st.sampled_from(["ok", "ok", "ok", "lost", "late", "answer lost", "refused"]), max_size=40)


def assert_right(world: World) -> None:
    """At most one entry, protected for the whole size or flat and clean, and our books equal the exchange's."""
    entries = [i for i in world.orders if i in world.intents and world.intents[i].role is Role.ENTRY]
    assert len(entries) <= 1
    resting = [i for i, status in world.legs.items() if status is AlgoStatus.NEW]
    if world.state.brackets:
        stops = [i for i in resting if world.intents[i].role is Role.STOP_LOSS]
        assert world.amount != 0
        assert len(stops) == 1
        assert world.algo(stops[0]).status is AlgoStatus.NEW
        assert world.state.positions["BTCUSDT|BOTH"].amount == world.amount
        assert expected_amount(world.state, world.bracket) == world.amount
    else:
        assert world.amount == 0
        assert resting == []


@examples(250)
@given(
    st.sampled_from(ArmingMode),
    st.booleans(),
    st.lists(st.integers(0, 2), max_size=20),
    fates,
    st.lists(st.tuples(acts, st.sampled_from([1, 30, 200, 700, 3000])), max_size=6),
)
def test_comes_right_when_the_line_heals(
    arm: ArmingMode,
    strict: bool,
    overtaking: list[int],
    bad_luck: list[str],
    story: list[tuple[Callable[[World], object], int]],
) -> None:
    """At most one entry executes; in the end the position is protected for its whole size, or flat with nothing of ours
    resting; our books equal the exchange's; the caller was answered; and quiet is quiet."""
    world = World(bad_luck, Policy(arm=arm), overtaking, strict=strict)
    world.signal()
    for act, pause in story:
        act(world)
        world.run(pause)
    world.fates.clear()
    world.run(1000)
    world.lose_stream()
    world.run(100_000)

    assert_right(world)
    assert [r.signal_id for r in world.reports].count("signal-1") == 1
    quiet = len(world.log)
    world.run(60_000)
    assert len(world.log) - quiet <= 4


hands = st.lists(
    st.tuples(st.sampled_from(["0.2", "0.5", "1"]), st.sampled_from([0, 30, 700, 3000])), min_size=1, max_size=3
)


@examples(150)
@given(fates, hands, st.booleans())
def test_tells_ours_from_others(bad_luck: list[str], by_hand: list[tuple[str, int]], streaming: bool) -> None:
    """Somebody buys what our entry buys, while nobody knows what became of it: in the end our ledger is what our entry
    executed, the rest is theirs, and a lost entry neither blocks the symbol nor is sent again."""
    world = World(bad_luck)
    if not streaming:
        world.stream_lost()
    world.signal()
    for number, (quantity, pause) in enumerate(by_hand):
        world.execute(f"web_{number}", Side.BUY, Decimal(quantity))
        world.run(pause)
    world.fates.clear()
    world.run(1000)
    world.lose_stream()
    world.run(100_000)

    theirs = sum((Decimal(quantity) for quantity, _ in by_hand), ZERO)
    ours = world.amount - theirs
    assert ours in (0, 1)
    assert bool(world.state.brackets) is (ours == 1)
    if ours:
        assert world.bracket.external_net == theirs
        assert len([i for i, s in world.legs.items() if s is AlgoStatus.NEW]) == 2
    assert "entry_unresolved" not in world.alerts
    assert [r.signal_id for r in world.reports].count("signal-1") == 1


@examples(150)
@given(
    fates, st.sampled_from(["1", "-0.7"]), st.lists(st.tuples(acts, st.sampled_from([30, 200, 700, 3000])), max_size=6)
)
def test_claimed_position_comes_right_when_the_line_heals(
    bad_luck: list[str], amount: str, story: list[tuple[Callable[[World], object], int]]
) -> None:
    """The same for a position of others that was taken over; and the log's fold is the state."""
    policy = Policy(arm=ArmingMode.AFTER_FILL, external_position_claims=(SYMBOL,), claim_stop_distance_pct=Decimal(5))
    world = World(bad_luck, policy)
    world.amount = Decimal(amount)
    world.feed(
        PositionClaimed(
            at_ms=world.now,
            signal_id="claim-1",
            symbol=SYMBOL,
            amount=world.amount,
            entry_price=PRICE,
            updated_at_ms=world.now - 50,
            asked_at_ms=world.now - 20,
            reference_price=PRICE,
            instrument=RULES,
        )
    )
    for act, pause in story:
        act(world)
        world.run(pause)
    world.fates.clear()
    world.run(1000)
    world.lose_stream()
    world.run(100_000)

    assert_right(world)
    assert replay(State(), world.events).encode() == world.state.encode()
