"""Fills, whoever tells of them, in whatever order, however often: one truth."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bracketeer.core.client_ids import client_order_id
from bracketeer.core.commands import Conclude
from bracketeer.core.events import (
    AlgoAcknowledged,
    AlgoUpdated,
    AnyEvent,
    Fill,
    OpenOrder,
    OrderAcknowledged,
    OrderUpdated,
    PositionUpdated,
    SymbolSnapshot,
    TradeRow,
)
from bracketeer.core.intent import OrderIntent
from bracketeer.core.order import ORDER_CLOSED, ORDER_LOCAL, Order, OrderChange, Verdict, apply_order
from bracketeer.core.position import expected_amount, open_quantity
from bracketeer.core.signal import SignalType
from bracketeer.core.values import ZERO, AlgoStatus, OrderStatus, PositionSide, Role, Side
from tests.support.profiles import examples
from tests.support.stories import E0, P0, S0, SYMBOL, Story

INTENT = OrderIntent(client_order_id="id", signal_id="signal-1", role=Role.ENTRY, symbol=SYMBOL, side=Side.BUY)
WIRE = [status for status in OrderStatus if status not in ORDER_LOCAL]
TOLD_AT_MS = 10_000
quantities = st.decimals("0.001", "10", places=3)
prices = st.decimals("0.01", "100000", places=2)


class History(NamedTuple):
    """What really happened to one order, print by print; `times` are the exchange's own and may repeat."""

    prints: tuple[Fill, ...]
    times: tuple[int, ...]
    ending: OrderStatus
    end_ms: int

    def executed(self, count: int) -> Decimal:
        """After so many prints."""
        return sum((fill.quantity for fill in self.prints[:count]), ZERO)

    def average(self, count: int) -> Decimal | None:
        """The exchange's own figure after so many prints."""
        worth = sum((fill.quantity * fill.price for fill in self.prints[:count]), ZERO)
        return worth / self.executed(count) if count else None

    def status(self, count: int) -> OrderStatus:
        """What the exchange calls the order after so many prints, before an end other than FILLED."""
        if count == len(self.prints) and self.ending is OrderStatus.FILLED:
            return OrderStatus.FILLED
        return OrderStatus.PARTIALLY_FILLED if count else OrderStatus.NEW

    def told(self, count: int, source: str) -> OrderChange:
        """The order after so many prints, by the stream (with the print), a lookup, or a reply (without average)."""
        return OrderChange(
            status=self.status(count),
            exchange_order_id=7,
            executed=self.executed(count),
            average=None if source == "reply" else self.average(count),
            fill=self.prints[count - 1] if source == "stream" and count else None,
            exchange_time_ms=self.times[count - 1] if count else 0,
            at_ms=TOLD_AT_MS,
            streamed=source == "stream",
        )

    def stream(self) -> list[OrderChange]:
        """All that the stream tells, in its order."""
        told = [self.told(count, "stream") for count in range(len(self.prints) + 1)]
        if self.ending is OrderStatus.FILLED:
            return told
        return [*told, replace(told[-1], status=self.ending, fill=None, exchange_time_ms=self.end_ms)]

    def answers(self) -> list[OrderChange]:
        """All that a reply or a lookup can say, at any moment."""
        moments = range(len(self.prints) + 1)
        ended = replace(self.stream()[-1], fill=None, streamed=False)
        return [ended, *(self.told(count, source) for count in moments for source in ("lookup", "reply"))]


@st.composite
def histories(draw: st.DrawFn) -> History:
    """One to five prints; then filled, or ended with a rest."""
    parts = draw(st.lists(st.tuples(quantities, prices, st.integers(0, 3)), min_size=1, max_size=5))
    fills = tuple(Fill(trade_id=5 + i, price=price, quantity=quantity) for i, (quantity, price, _) in enumerate(parts))
    times = tuple(100 + sum(pause for *_, pause in parts[: i + 1]) for i in range(len(parts)))
    ending = draw(st.sampled_from(sorted(ORDER_CLOSED - {OrderStatus.REJECTED})))
    return History(fills, times, ending, times[-1] + draw(st.integers(0, 3)))


starts = st.sampled_from([
    Order(intent=INTENT),
    Order(intent=INTENT, status=OrderStatus.UNRESOLVED),
    Order(intent=INTENT, status=OrderStatus.REJECTED, given_up=True),
])  # fmt: skip


def folded(order: Order, changes: list[OrderChange]) -> Order:
    """The record after all of them; a true history is never an anomaly, however it arrives."""
    for change in changes:
        order, verdict = apply_order(order, change)
        assert verdict is not Verdict.ANOMALY, change
    return order


@examples(100)
@given(st.data(), histories(), starts)
def test_any_order_of_any_views_gives_one_record(data: st.DataObject, history: History, start: Order) -> None:
    """Folding is commutative and idempotent: any permutation of any multiset of the stream's events and of answers of
    any moment gives the record that the stream alone gives in its order, field by field."""
    extra = data.draw(st.lists(st.sampled_from(history.stream() + history.answers()), max_size=8))
    shuffled = folded(start, data.draw(st.permutations(history.stream() + extra)))
    in_order = folded(start, history.stream())
    # The exchange dates an end without a print later than the last print: what is known of the latter is a bound.
    assert history.times[-1] <= shuffled.last_fill_ms <= max(history.times[-1], history.end_ms)
    assert replace(shuffled, last_fill_ms=0) == replace(in_order, last_fill_ms=0)
    assert (in_order.status, in_order.executed) == (history.ending, history.executed(len(history.prints)))
    assert (in_order.first_fill_ms, in_order.last_fill_ms) == (history.times[0], history.times[-1])


@examples(100)
@given(st.data(), histories(), starts)
def test_later_is_never_undone_by_earlier(data: st.DataObject, history: History, start: Order) -> None:
    """Folding is monotone: after any part of what can be told, in any order, executed is the largest amount told, an
    end that was told stands, and the average is unknown or that of exactly what is executed."""
    order = start
    seen: list[OrderChange] = []
    true_averages = {
        history.executed(count): Fraction(
            sum((fill.quantity * fill.price for fill in history.prints[:count]), ZERO)
        ) / Fraction(history.executed(count))
        for count in range(1, len(history.prints) + 1)
    }  # fmt: skip
    for change in data.draw(st.lists(st.sampled_from(history.stream() + history.answers()), max_size=10)):
        seen.append(change)
        before, order = order, folded(order, [change])
        assert order.executed == max(one.executed for one in seen)
        assert set(before.fills) <= set(order.fills) == {one.fill for one in seen if one.fill is not None}
        assert order.closed == any(one.status in ORDER_CLOSED for one in seen)
        assert (before.first_fill_ms or TOLD_AT_MS) >= (order.first_fill_ms or TOLD_AT_MS)
        assert order.updated_ms == max(one.exchange_time_ms for one in seen)
        if order.average is not None:
            true = true_averages[order.executed]
            assert abs(Fraction(order.average) - true) <= true / 10**20


lies = st.builds(
    OrderChange,
    status=st.sampled_from(WIRE),
    exchange_order_id=st.integers(0, 3),
    executed=st.decimals(0, 10, places=3),
    average=st.none() | st.decimals(1, 100, places=2),
    fill=st.none() | st.builds(Fill, trade_id=st.integers(1, 4), price=quantities, quantity=quantities),
    exchange_time_ms=st.integers(0, 2000),
    at_ms=st.integers(0, 2000),
    streamed=st.booleans(),
)


@examples(100)
@given(st.sampled_from(list(OrderStatus)), st.lists(lies, max_size=12))
def test_never_shrinks_whatever_is_told(start: OrderStatus, changes: list[OrderChange]) -> None:
    """Folding is monotone for contradictory updates too: quantities and fills only grow, times only advance, no trade
    id is counted twice, and the same update a second time changes nothing."""
    current = Order(intent=INTENT, status=start, exchange_order_id=7, updated_ms=500)
    for change in changes:
        after, verdict = apply_order(current, change)
        assert after.executed >= max(current.executed, change.executed)
        assert after.executed >= sum((fill.quantity for fill in after.fills), ZERO)
        assert set(current.fills) <= set(after.fills)
        assert len({fill.trade_id for fill in after.fills}) == len(after.fills)
        assert after.updated_ms >= current.updated_ms
        assert (verdict is Verdict.STALE) or after != current
        assert apply_order(after, change) == (after, Verdict.STALE)
        current = after


class View(NamedTuple):
    """One event, and the orders that must have been sent before anybody can tell it."""

    needs: frozenset[str]
    event: AnyEvent


class Account:
    """What really happened on one symbol: an entry in prints, its two legs live, and others who trade beside it.

    Everything is told at one instant, `now`, so that only the order of arrival can make a difference.
    """

    def __init__(self, side: Side, entry: History, others: tuple[Fill, ...]) -> None:
        self.story = Story()
        self.side, self.entry, self.others = side, entry, others
        kind = SignalType.LONG_ENTRY if side is Side.BUY else SignalType.SHORT_ENTRY
        self.story.signal(kind, quantity=str(entry.executed(len(entry.prints))))
        self.began = self.story.now
        self.story.now += 200

    def deliver(self, views: list[View]) -> None:
        """Each as soon as its turn and what it needs have come."""
        waiting = list(views)
        while waiting:
            sent = set(self.story.submitted)
            view = next(one for one in waiting if one.needs <= sent)
            waiting.remove(view)
            self.story.feed(view.event)

    def truth(self) -> tuple[object, ...]:
        """Records, position and report, without what is under way (questions, pauses, wake-ups)."""
        state, bracket = self.story.state, self.story.bracket
        report = next(c.report for c in self.story.signal(SignalType.LONG_ENTRY) if isinstance(c, Conclude))
        return (
            {key: replace(order, tries=None) for key, order in state.orders.items()},
            {key: replace(algo, tries=None) for key, algo in state.algos.items()},
            (open_quantity(state, bracket), expected_amount(state, bracket)),
            (bracket.external_net, sorted(bracket.external_trades)),
            {key: view.amount for key, view in state.positions.items()},
            report,
        )

    def stream(self) -> list[View]:
        """All that the stream and the replies tell, in a natural order."""
        views = [self._entry(change, "stream") for change in self.entry.stream()]
        views += [self._position(count) for count in range(1, len(self.entry.prints) + 1)]
        views.append(self._acknowledged())
        for leg in (S0, P0):
            views += [self._leg(leg, "reply"), self._leg(leg, "stream")]
        views += [self._other(fill) for fill in self.others]
        views.append(self._position(len(self.entry.prints), after_others=True))
        return views

    def answers(self) -> list[View]:
        """What may be asked beside, at any moment, and any number of times."""
        looked_up = [self._entry(change, "lookup") for change in self.entry.answers() if change.average is not None]
        return [*looked_up, self._snapshot(), *(self._leg(leg, "lookup") for leg in (S0, P0))]

    def _entry(self, change: OrderChange, source: str) -> View:
        event = OrderUpdated(
            at_ms=self.story.now,
            symbol=SYMBOL,
            client_order_id=E0,
            exchange_order_id=7,
            side=self.side,
            status=change.status,
            quantity=self.entry.executed(len(self.entry.prints)),
            executed_quantity=change.executed,
            average_price=change.average,
            fill=change.fill,
            exchange_time_ms=self.began + change.exchange_time_ms - 100,
            source=source,
        )
        return View(frozenset(), event)

    def _acknowledged(self) -> View:
        """The reply to the entry, which waited for its end."""
        whole = self.entry.executed(len(self.entry.prints))
        event = OrderAcknowledged(
            at_ms=self.story.now,
            client_order_id=E0,
            exchange_order_id=7,
            status=OrderStatus.FILLED,
            quantity=whole,
            executed_quantity=whole,
            exchange_time_ms=self.began + self.entry.times[-1] - 100,
            sent_at_ms=self.began,
        )
        return View(frozenset(), event)

    def _leg(self, leg: str, source: str) -> View:
        live_ms = self.began + (60 if leg == S0 else 70)
        algo_id = 11 if leg == S0 else 12
        if source == "reply":
            reply = AlgoAcknowledged(
                at_ms=self.story.now,
                client_order_id=leg,
                algo_id=algo_id,
                status=AlgoStatus.NEW,
                exchange_time_ms=live_ms,
                sent_at_ms=self.began + 50,
            )
            return View(frozenset({leg}), reply)
        told = AlgoUpdated(
            at_ms=self.story.now,
            symbol=SYMBOL,
            client_order_id=leg,
            algo_id=algo_id,
            status=AlgoStatus.NEW,
            exchange_time_ms=live_ms,
            source=source,
        )
        return View(frozenset({leg}), told)

    def _amount(self, count: int, *, after_others: bool) -> Decimal:
        taken = sum((fill.quantity for fill in self.others), ZERO) if after_others else ZERO
        return self.side.sign * (self.entry.executed(count) - taken)

    def _position(self, count: int, *, after_others: bool = False) -> View:
        event = PositionUpdated(
            at_ms=self.story.now,
            symbol=SYMBOL,
            amount=self._amount(count, after_others=after_others),
            # The exchange tells each once, and a little apart; equal times would leave open which is the newer.
            exchange_time_ms=self.began + 20 * count + (100 if after_others else 0),
        )
        return View(frozenset(), event)

    def _other(self, fill: Fill) -> View:
        event = OrderUpdated(
            at_ms=self.story.now,
            symbol=SYMBOL,
            client_order_id=f"web_{fill.trade_id}",
            exchange_order_id=900 + fill.trade_id,
            side=self.side.opposite,
            status=OrderStatus.FILLED,
            quantity=fill.quantity,
            executed_quantity=fill.quantity,
            fill=fill,
            exchange_time_ms=self.began + 150,
            source="stream",
        )
        return View(frozenset(), event)

    def _snapshot(self) -> View:
        """The symbol with every trade on it, asked for when all had happened."""

        def row(fill: Fill, order: int, side: Side, at_ms: int) -> TradeRow:
            return TradeRow(
                trade_id=fill.trade_id,
                exchange_order_id=order,
                side=side,
                price=fill.price,
                quantity=fill.quantity,
                exchange_time_ms=at_ms,
            )

        entry = zip(self.entry.prints, self.entry.times, strict=True)
        trades = [row(fill, 7, self.side, self.began + at_ms - 100) for fill, at_ms in entry]
        trades += [row(fill, 900 + fill.trade_id, self.side.opposite, self.began + 150) for fill in self.others]
        orders = tuple(
            OpenOrder(
                client_order_id=leg,
                exchange_id=algo_id,
                algo=True,
                side=self.side.opposite,
                order_type="STOP_MARKET",
                status="NEW",
                close_position=True,
                updated_at_ms=self.began + live_ms,
            )
            for leg, algo_id, live_ms in ((S0, 11, 60), (P0, 12, 70))
        )
        event = SymbolSnapshot(
            at_ms=self.story.now,
            symbol=SYMBOL,
            requested_at_ms=self.story.now,
            amounts={PositionSide.BOTH: self._amount(len(self.entry.prints), after_others=True)},
            orders=orders,
            trades=tuple(trades),
        )
        return View(frozenset({S0, P0}), event)


@st.composite
def accounts(draw: st.DrawFn) -> Callable[[], Account]:
    """The same account as often as it is wanted; others take less than half of the position."""
    side = draw(st.sampled_from(Side))
    parts = draw(
        st.lists(st.tuples(st.integers(1, 400), st.integers(-99, 99), st.integers(0, 3)), min_size=1, max_size=4)
    )
    prints = tuple(
        Fill(trade_id=5 + i, price=Decimal(60000 + cents), quantity=Decimal(lots) / 100)
        for i, (lots, cents, _) in enumerate(parts)
    )
    times = tuple(100 + sum(pause for *_, pause in parts[: i + 1]) for i in range(len(parts)))
    entry = History(prints, times, OrderStatus.FILLED, times[-1])
    takes = draw(st.lists(st.integers(1, 4), max_size=2))
    others = tuple(
        Fill(trade_id=50 + i, price=Decimal(60000), quantity=entry.executed(len(prints)) * share / 10)
        for i, share in enumerate(takes)
    )
    return lambda: Account(side, entry, others[:1] if sum(takes) >= 5 else others)


@examples(120)
@given(st.data(), accounts())
def test_any_interleaving_gives_one_position_and_report(data: st.DataObject, account: Callable[[], Account]) -> None:
    """The engine is confluent: any interleaving and repetition of stream events, replies, lookups and snapshots of one
    true story ends in the same order records, the same attribution of every trade, the same position, the same naked
    time and the same report."""
    in_order, shuffled = account(), account()
    in_order.deliver(in_order.stream())
    asked = data.draw(st.lists(st.sampled_from(shuffled.answers()), max_size=4))
    extra = asked + data.draw(st.lists(st.sampled_from(shuffled.stream()), max_size=6))
    shuffled.deliver(data.draw(st.permutations(shuffled.stream() + extra)))
    assert shuffled.truth() == in_order.truth()
    assert in_order.story.state.anomalies == shuffled.story.state.anomalies == 0
    live, filled = in_order.story.algo(S0).live_since_ms, in_order.story.order(E0).first_fill_ms
    assert live is not None
    assert filled is not None
    assert in_order.story.bracket.naked_worst_ms == live - filled


def test_ids_of_the_stories_are_those_of_the_engine() -> None:
    """The views speak of the orders that the engine really sends."""
    assert [client_order_id("signal-1", role) for role in (Role.ENTRY, Role.STOP_LOSS, Role.TAKE_PROFIT)] == [
        E0,
        S0,
        P0,
    ]
