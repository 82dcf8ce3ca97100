"""The status tables, and the algebra of fills."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from bracketeer.core.events import Fill
from bracketeer.core.intent import OrderIntent
from bracketeer.core.order import (
    ALGO_CLOSED,
    ALGO_LOCAL,
    ALGO_NEXT,
    ALGO_TRIGGERED,
    ORDER_CLOSED,
    ORDER_LOCAL,
    ORDER_NEXT,
    AlgoOrder,
    Order,
    OrderChange,
    Verdict,
    apply_algo,
    apply_order,
)
from bracketeer.core.values import AlgoStatus, OrderStatus, OrderType, Role, Side

INTENT = OrderIntent(
    client_order_id="id", signal_id="signal-1", role=Role.ENTRY, symbol="BTCUSDT", side=Side.BUY, quantity=Decimal(1)
)
LEG = replace(INTENT, role=Role.STOP_LOSS, order_type=OrderType.STOP_MARKET, quantity=None)
WIRE = [status for status in OrderStatus if status not in ORDER_LOCAL]
ALGO_WIRE = [status for status in AlgoStatus if status not in ALGO_LOCAL]
NEWER = 1000


def order(status: OrderStatus, executed: str = "0") -> Order:
    """An order as we hold it, last told of at 500."""
    return Order(intent=INTENT, status=status, executed=Decimal(executed), exchange_order_id=7, updated_ms=500)


def change(status: OrderStatus, executed: str = "0", at_ms: int = NEWER, fill: Fill | None = None) -> OrderChange:
    """What an update says."""
    return OrderChange(
        status=status,
        exchange_order_id=7,
        executed=Decimal(executed),
        fill=fill,
        exchange_time_ms=at_ms,
        at_ms=at_ms,
        streamed=True,
    )


def one_fill(trade_id: int, quantity: str, price: str = "60000") -> Fill:
    """One print."""
    return Fill(trade_id=trade_id, price=Decimal(price), quantity=Decimal(quantity))


def test_has_a_row_for_every_status() -> None:
    """Both tables are complete, name real statuses only, and never lead back into the unsent."""
    assert set(ORDER_NEXT) == set(OrderStatus)
    assert set(ALGO_NEXT) == set(AlgoStatus)
    for following in ORDER_NEXT.values():
        assert OrderStatus.PENDING_NEW not in following
    for following_algo in ALGO_NEXT.values():
        assert AlgoStatus.PENDING_NEW not in following_algo


@pytest.mark.parametrize("before", list(OrderStatus))
@pytest.mark.parametrize("told", WIRE)
def test_follows_the_table_when_an_update_is_newer(before: OrderStatus, told: OrderStatus) -> None:
    """The status moves where the table allows it and nowhere else. That an ended order lives is old news; that it ended
    otherwise is an anomaly."""
    after, verdict = apply_order(order(before), change(told))
    assert after.status is (told if told in ORDER_NEXT[before] else before)
    if told in ORDER_NEXT[before]:
        assert verdict is Verdict.CHANGED
    elif told is not before:
        un_ended = before in ORDER_CLOSED and told not in ORDER_CLOSED
        assert verdict is (Verdict.STALE if un_ended else Verdict.ANOMALY)


@pytest.mark.parametrize("before", list(AlgoStatus))
@pytest.mark.parametrize("told", ALGO_WIRE)
def test_follows_the_table_when_an_algo_update_is_newer(before: AlgoStatus, told: AlgoStatus) -> None:
    """The same for conditional orders."""
    leg = AlgoOrder(intent=LEG, status=before, algo_id=9, updated_ms=500)
    after, verdict = apply_algo(leg, told, algo_id=9, actual_order_id=None, exchange_time_ms=NEWER)
    assert after.status is (told if told in ALGO_NEXT[before] else before)
    if told in ALGO_NEXT[before]:
        assert verdict is Verdict.CHANGED
    elif told is not before:
        never_triggered = before in (AlgoStatus.CANCELED, AlgoStatus.EXPIRED) and told in ALGO_TRIGGERED
        un_ended = before in ALGO_CLOSED and told not in ALGO_CLOSED and not never_triggered
        assert verdict is (Verdict.STALE if un_ended else Verdict.ANOMALY)


def test_changes_nothing_when_an_update_repeats() -> None:
    """The second time is no news."""
    first, _ = apply_order(order(OrderStatus.NEW), change(OrderStatus.FILLED, "1", fill=one_fill(1, "1")))
    again, verdict = apply_order(first, change(OrderStatus.FILLED, "1", fill=one_fill(1, "1")))
    assert (again, verdict) == (first, Verdict.STALE)
    leg, _ = apply_algo(AlgoOrder(intent=LEG), AlgoStatus.NEW, algo_id=9, actual_order_id=None, exchange_time_ms=5)
    twice, verdict = apply_algo(leg, AlgoStatus.NEW, algo_id=9, actual_order_id=None, exchange_time_ms=5)
    assert (twice, verdict) == (leg, Verdict.STALE)


def test_takes_the_fill_when_its_update_is_otherwise_old() -> None:
    """What traded is always believed, whatever the status around it."""
    after, verdict = apply_order(
        order(OrderStatus.CANCELED), change(OrderStatus.PARTIALLY_FILLED, "0.4", at_ms=400, fill=one_fill(1, "0.4"))
    )
    assert (after.status, after.executed, verdict) == (OrderStatus.CANCELED, Decimal("0.4"), Verdict.CHANGED)


def test_is_partially_filled_when_new_has_executed() -> None:
    """NEW and a quantity do not go together."""
    after, _ = apply_order(order(OrderStatus.PENDING_NEW), change(OrderStatus.NEW, "0.4"))
    assert after.status is OrderStatus.PARTIALLY_FILLED


def test_dates_the_first_fill_by_the_earliest_print() -> None:
    """The naked time begins with the first print, though a later sum was told before it."""
    after, _ = apply_order(order(OrderStatus.PENDING_NEW), change(OrderStatus.FILLED, "1", at_ms=930))
    assert after.first_fill_ms == 930
    after, _ = apply_order(after, change(OrderStatus.PARTIALLY_FILLED, "0.4", at_ms=900, fill=one_fill(1, "0.4")))
    after, _ = apply_order(after, change(OrderStatus.FILLED, "1", at_ms=930, fill=one_fill(2, "0.6")))
    assert (after.first_fill_ms, after.last_fill_ms) == (900, 930)


def test_keeps_the_told_average_until_the_prints_explain_it() -> None:
    """Never guessed: the exchange's figure while prints are missing, theirs when they add up."""
    told = replace(change(OrderStatus.FILLED, "1"), average=Decimal(60007))
    after, _ = apply_order(order(OrderStatus.NEW), told)
    assert after.average == Decimal(60007)
    after, _ = apply_order(after, change(OrderStatus.FILLED, "1", fill=one_fill(1, "0.5", "60000")))
    assert after.average == Decimal(60007)
    after, _ = apply_order(after, change(OrderStatus.FILLED, "1", fill=one_fill(2, "0.5", "60010")))
    assert after.average == Decimal(60005)


def test_average_of_a_part_is_not_the_average_of_the_whole() -> None:
    """The stream tells the first print with its average, the answer all of it without one: unknown until told."""
    first = Fill(trade_id=1, price=Decimal(100), quantity=Decimal("0.4"))
    told = OrderChange(
        status=OrderStatus.PARTIALLY_FILLED,
        exchange_order_id=7,
        executed=Decimal("0.4"),
        average=Decimal(100),
        fill=first,
        exchange_time_ms=NEWER,
        at_ms=NEWER,
        streamed=True,
    )
    answered = replace(told, status=OrderStatus.FILLED, executed=Decimal(1), average=None, fill=None, streamed=False)
    partly, _ = apply_order(order(OrderStatus.PENDING_NEW), told)
    assert partly.average == 100
    whole, _ = apply_order(partly, answered)
    assert (whole.executed, whole.average) == (Decimal(1), None)
    found, _ = apply_order(whole, replace(answered, average=Decimal(160)))
    assert found.average == 160
