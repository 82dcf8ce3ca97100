"""The status tables of an order: whatever is told or concluded, an ended order does not live again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bracketeer.core.intent import OrderIntent
from bracketeer.core.order import (
    ALGO_CLOSED,
    ALGO_CONCLUDED,
    ALGO_LOCAL,
    ALGO_NEXT,
    ORDER_CLOSED,
    ORDER_CONCLUDED,
    ORDER_LOCAL,
    ORDER_NEXT,
    AlgoOrder,
    Order,
    OrderChange,
    Verdict,
    apply_algo,
    apply_order,
)
from bracketeer.core.state import State
from bracketeer.core.turn import Turn
from bracketeer.core.values import ZERO, AlgoStatus, OrderStatus, OrderType, Role, Side
from tests.support.profiles import examples

INTENT = OrderIntent(client_order_id="id", signal_id="signal-1", role=Role.ENTRY, symbol="BTCUSDT", side=Side.BUY)
LEG = replace(INTENT, role=Role.STOP_LOSS, order_type=OrderType.STOP_MARKET)
orders = st.builds(
    Order,
    intent=st.just(INTENT),
    status=st.sampled_from(OrderStatus),
    updated_ms=st.integers(0, 9),
    given_up=st.booleans(),
).filter(lambda order: order.closed or not order.given_up)
legs = st.builds(
    AlgoOrder,
    intent=st.just(LEG),
    status=st.sampled_from(AlgoStatus),
    updated_ms=st.integers(0, 9),
    given_up=st.booleans(),
).filter(lambda leg: leg.closed or not leg.given_up)
order_news = st.builds(
    OrderChange,
    status=st.sampled_from([status for status in OrderStatus if status not in ORDER_LOCAL]),
    exchange_order_id=st.integers(0, 2),
    executed=st.integers(0, 2).map(ZERO.__add__),
    exchange_time_ms=st.integers(0, 20),
    at_ms=st.just(20),
)
leg_news = st.tuples(st.sampled_from([status for status in AlgoStatus if status not in ALGO_LOCAL]), st.integers(0, 20))


def check(before: Any, after: Any, verdict: Verdict, told: Any, table: Mapping[Any, frozenset[Any]]) -> None:
    """One update of either kind of order."""
    assert after.status in {before.status, told} | ({OrderStatus.PARTIALLY_FILLED} if after.status != told else set())
    if verdict is Verdict.ANOMALY:
        assert after.status is before.status
        assert told not in table[before.status]
    if after.status is not before.status:
        assert not after.given_up, "now it is the exchange's word"
    if before.closed and not before.given_up:
        assert after.closed
        assert not after.given_up


@examples(100)
@given(orders, st.lists(order_news, max_size=12))
def test_an_order_that_ended_stays_ended(order: Order, news: list[OrderChange]) -> None:
    """Ended is absorbing: no sequence of updates leads a normal order from an end that the exchange told to a working
    status; an update that no edge of the table allows changes no status, and one that repeats changes nothing."""
    for change in news:
        after, verdict = apply_order(order, change)
        check(order, after, verdict, change.status, ORDER_NEXT)
        assert apply_order(after, change) == (after, Verdict.STALE)
        order = after


@examples(100)
@given(legs, st.lists(leg_news, max_size=12))
def test_a_leg_that_ended_stays_ended(leg: AlgoOrder, news: list[tuple[AlgoStatus, int]]) -> None:
    """Ended is absorbing for conditional orders too, one that the exchange refused after its trigger included."""
    for status, told_at_ms in news:
        told = {"algo_id": 9, "actual_order_id": None, "exchange_time_ms": told_at_ms}
        after, verdict = apply_algo(leg, status, **told)  # type: ignore[arg-type]
        check(leg, after, verdict, status, ALGO_NEXT)
        assert apply_algo(after, status, **told) == (after, Verdict.STALE)  # type: ignore[arg-type]
        leg = after


@examples(100)
@given(orders, legs, st.sampled_from(OrderStatus), st.sampled_from(AlgoStatus))
def test_conclusions_follow_their_table(order: Order, leg: AlgoOrder, status: OrderStatus, other: AlgoStatus) -> None:
    """A conclusion of ours moves an order along an edge of its table or not at all, and only an end that we concluded
    can be contradicted."""
    turn = Turn(state=State(), now_ms=0)
    concluded = turn.update_order(order, status=status)
    assert concluded.status is (status if status in ORDER_CONCLUDED[order.status] else order.status)
    concluded_leg = turn.update_algo(leg, status=other)
    assert concluded_leg.status is (other if other in ALGO_CONCLUDED[leg.status] else leg.status)
    wrong = (concluded.status is not status) + (concluded_leg.status is not other)
    assert turn.state.anomalies == wrong


def test_no_edge_leads_out_of_an_end_but_a_new_send() -> None:
    """The tables name every status; the exchange's lead from an end to nothing but FILLED, ours only to the next send
    of a refused leg."""
    assert set(ORDER_NEXT) == set(ORDER_CONCLUDED) == set(OrderStatus)
    assert set(ALGO_NEXT) == set(ALGO_CONCLUDED) == set(AlgoStatus)
    assert {after for ended in ORDER_CLOSED for after in ORDER_NEXT[ended]} == {OrderStatus.FILLED}
    assert not any(ALGO_NEXT[ended] for ended in ALGO_CLOSED)
    assert not any(ORDER_CONCLUDED[ended] for ended in ORDER_CLOSED)
    assert {(ended, after) for ended in ALGO_CLOSED for after in ALGO_CONCLUDED[ended]} == {
        (AlgoStatus.REJECTED, AlgoStatus.PENDING_NEW)
    }
    told = [ORDER_NEXT.values(), ALGO_NEXT.values()]
    local = {status.value for status in (*ORDER_LOCAL, *ALGO_LOCAL)}
    assert not local & {status.value for table in told for row in table for status in row}
