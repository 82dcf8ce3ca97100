"""One order of ours, and how it may change: the status tables and the only two functions that apply an update.

For each kind of order two tables hold every transition there is: what the exchange may tell (`*_NEXT`), and what we may
conclude by ourselves (`*_CONCLUDED`). An update that repeats or precedes what we hold changes nothing (`STALE`);
quantities only grow; an update that is newer and impossible is an anomaly (theirs, not ours): nothing changes but what
has been traded, which is always believed. Fills are counted once, by trade id (binance-usdm.md §10.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from types import MappingProxyType

import msgspec

from .events import Fill
from .intent import OrderIntent
from .values import ZERO, AlgoStatus, OrderStatus

_S, _A = OrderStatus, AlgoStatus

ORDER_CLOSED = frozenset({_S.FILLED, _S.CANCELED, _S.REJECTED, _S.EXPIRED, _S.EXPIRED_IN_MATCH})
ORDER_WORKING = frozenset({_S.NEW, _S.PARTIALLY_FILLED})
ORDER_LOCAL = frozenset({_S.PENDING_NEW, _S.UNRESOLVED, _S.PENDING_CANCEL})

ALGO_CLOSED = frozenset({_A.FINISHED, _A.CANCELED, _A.REJECTED, _A.EXPIRED})
ALGO_TRIGGERED = frozenset({_A.TRIGGERING, _A.TRIGGERED})
ALGO_LOCAL = frozenset({_A.PENDING_NEW, _A.UNRESOLVED, _A.PENDING_CANCEL})

ORDER_NEXT: dict[OrderStatus, frozenset[OrderStatus]] = {
    _S.PENDING_NEW: ORDER_CLOSED | ORDER_WORKING,
    _S.UNRESOLVED: ORDER_CLOSED | ORDER_WORKING,
    _S.PENDING_CANCEL: ORDER_CLOSED | ORDER_WORKING,
    _S.NEW: ORDER_CLOSED | {_S.PARTIALLY_FILLED},
    _S.PARTIALLY_FILLED: ORDER_CLOSED,
    # Odd edges, seen for real: a cancel or expiry crosses the last fill on its way, and the fill is told after it.
    _S.CANCELED: frozenset({_S.FILLED}),
    _S.EXPIRED: frozenset({_S.FILLED}),
    _S.EXPIRED_IN_MATCH: frozenset({_S.FILLED}),
    _S.REJECTED: frozenset(),
    _S.FILLED: frozenset(),
}
"""Which status the exchange may tell after which."""

ORDER_CONCLUDED: dict[OrderStatus, frozenset[OrderStatus]] = dict.fromkeys(OrderStatus, frozenset()) | {
    _S.PENDING_NEW: frozenset({_S.UNRESOLVED, _S.REJECTED}),
    _S.UNRESOLVED: frozenset({_S.REJECTED}),
    _S.PENDING_CANCEL: frozenset({_S.UNRESOLVED}),
}
"""Which status we may take an order for by ourselves: nobody answered, it was refused, it never arrived."""

ALGO_NEXT: dict[AlgoStatus, frozenset[AlgoStatus]] = {
    _A.PENDING_NEW: ALGO_CLOSED | ALGO_TRIGGERED | {_A.NEW},
    _A.UNRESOLVED: ALGO_CLOSED | ALGO_TRIGGERED | {_A.NEW},
    _A.PENDING_CANCEL: ALGO_CLOSED | ALGO_TRIGGERED,
    _A.NEW: ALGO_CLOSED | ALGO_TRIGGERED,
    _A.TRIGGERING: frozenset({_A.TRIGGERED, _A.FINISHED, _A.REJECTED, _A.EXPIRED, _A.CANCELED}),
    _A.TRIGGERED: frozenset({_A.FINISHED, _A.REJECTED, _A.EXPIRED, _A.CANCELED}),
    _A.FINISHED: frozenset(),
    _A.CANCELED: frozenset(),
    _A.EXPIRED: frozenset(),
    _A.REJECTED: frozenset(),
}
"""Which status the exchange may tell after which."""

ALGO_CONCLUDED: dict[AlgoStatus, frozenset[AlgoStatus]] = dict.fromkeys(AlgoStatus, frozenset()) | {
    _A.PENDING_NEW: frozenset({_A.UNRESOLVED, _A.REJECTED, _A.CANCELED}),
    _A.UNRESOLVED: frozenset({_A.PENDING_NEW, _A.REJECTED, _A.EXPIRED, _A.CANCELED}),
    _A.PENDING_CANCEL: frozenset({_A.NEW, _A.UNRESOLVED, _A.CANCELED}),
    _A.NEW: frozenset({_A.PENDING_CANCEL, _A.UNRESOLVED, _A.EXPIRED, _A.CANCELED}),
    _A.REJECTED: frozenset({_A.PENDING_NEW}),  # a refused leg is sent again under its id
}
"""Which status we may take one for by ourselves: protection is sent again, cancelled, given up."""

GIVEN_UP = frozenset({_S.REJECTED.value, _A.REJECTED.value, _A.EXPIRED.value})
"""Ends that are our conclusion where we drew it: the exchange can contradict them, and is believed then."""


class Verdict(Enum):
    """What an update did to an order."""

    CHANGED = "changed"
    STALE = "stale"
    ANOMALY = "anomaly"


class Tries(msgspec.Struct, frozen=True, kw_only=True):
    """The sending side of an order: how often, when, and what is still to be asked."""

    count: int = 0
    sent_at_ms: int = 0  # the newest request's own timestamp
    dead_after_ms: int = 0  # no request of this order can arrive after this instant
    late_until_ms: int = 0  # until then one of unknown outcome may, whatever became of the order
    next_at_ms: int | None = None  # when to send again or to ask (again)
    asking: bool = False
    doubted_ms: int | None = None  # since when a list lacks it that should show it
    restored: int = 0  # how often -4130 said that it rests, since an answer showed it last
    given_up_ms: int = 0  # when it was taken for gone, though it had rested
    misses: int = 0  # answers that the order does not exist
    absent_ms: int = 0  # when the newest of these was asked for
    absent_before_ms: int = 0  # and the one before it
    agreements: int = 0  # how often in a row the position said so, too, when one of these came
    absences: int = 0  # those given when no request of it could arrive any more: they count as proof
    error_code: int | None = None
    error_text: str = ""
    refusals: int = 0


SHOWN: Mapping[str, int | None] = MappingProxyType({"misses": 0, "doubted_ms": None, "restored": 0, "next_at_ms": None})
"""What an answer that shows an order changes in its `Tries`: the doubts are over."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A normal order of ours; also the one an algo order becomes when it triggers (same client id, §4.5)."""

    intent: OrderIntent
    status: OrderStatus = OrderStatus.PENDING_NEW
    exchange_order_id: int | None = None
    executed: Decimal = ZERO
    average: Decimal | None = None
    fills: tuple[Fill, ...] = ()
    first_fill_ms: int | None = None  # exchange time
    last_fill_ms: int = 0  # exchange time
    last_fill_known_ms: int = 0  # our estimate of it when we learned of the fill
    updated_ms: int = 0
    acked_ms: int | None = None
    untold_ms: int | None = None  # exchange time of the newest change that an answer told, and the stream has not yet
    given_up: bool = False  # its end is our conclusion, not the exchange's word: that can contradict it
    withheld: str = ""  # the denial code, where it was not sent, or not sent again
    tries: Tries = Tries()

    @property
    def closed(self) -> bool:
        """Whether the exchange is done with it."""
        return self.status in ORDER_CLOSED


class AlgoOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A conditional order of ours."""

    intent: OrderIntent
    status: AlgoStatus = AlgoStatus.PENDING_NEW
    algo_id: int | None = None
    actual_order_id: int | None = None
    live_since_ms: int | None = None  # exchange time
    ended_ms: int | None = None  # exchange time; None also where the end is known by other means
    acked_ms: int | None = None
    updated_ms: int = 0
    reason: str = ""
    untold_ms: int | None = None  # as for a normal order
    given_up: bool = False  # its end is our conclusion, not the exchange's word: that can contradict it
    tries: Tries = Tries()

    @property
    def closed(self) -> bool:
        """Whether the algo service is done with it. Its ordinary order may still be working."""
        return self.status in ALGO_CLOSED


class OrderChange(msgspec.Struct, frozen=True, kw_only=True):
    """What an update says about a normal order."""

    status: OrderStatus
    exchange_order_id: int
    executed: Decimal
    average: Decimal | None = None
    fill: Fill | None = None
    exchange_time_ms: int
    at_ms: int
    streamed: bool = False


def apply_order(order: Order, change: OrderChange) -> tuple[Order, Verdict]:
    """Apply one update; see the module's rules."""
    known = {fill.trade_id for fill in order.fills}
    fills = order.fills
    if change.fill is not None and change.fill.trade_id not in known:
        fills = tuple(sorted((*fills, change.fill), key=_trade_id))  # however they arrive, the record is the same
    executed = max(order.executed, change.executed, sum((fill.quantity for fill in fills), ZERO))
    grew = executed > order.executed
    # An average speaks of what was executed when it was told: that of a part is not the average of the whole.
    told = change.average if change.average is not None and change.executed == executed else None
    if told is None and not grew:
        told = order.average
    same = change.status == order.status
    allowed = change.status in ORDER_NEXT[OrderStatus.UNRESOLVED if order.given_up else order.status]
    status = change.status if allowed else order.status
    if status is OrderStatus.NEW and executed > 0:
        status = OrderStatus.PARTIALLY_FILLED
    updated = msgspec.structs.replace(
        order,
        status=status,
        exchange_order_id=order.exchange_order_id or change.exchange_order_id or None,
        executed=executed,
        average=_average(fills, executed, told),
        fills=fills,
        first_fill_ms=_earliest(order.first_fill_ms, change.exchange_time_ms if grew or fills != order.fills else None),
        last_fill_ms=max(order.last_fill_ms, change.exchange_time_ms) if grew else order.last_fill_ms,
        last_fill_known_ms=max(order.last_fill_known_ms, change.at_ms) if grew else order.last_fill_known_ms,
        updated_ms=max(order.updated_ms, change.exchange_time_ms),
        given_up=order.given_up and not allowed,
    )
    if change.streamed and change.status == status and change.executed >= executed:
        updated = msgspec.structs.replace(updated, untold_ms=None)
    elif not change.streamed and (grew or status != order.status):
        updated = msgspec.structs.replace(updated, untold_ms=change.exchange_time_ms)
    if updated == order:
        return order, Verdict.STALE
    if allowed or same or grew:
        return updated, Verdict.CHANGED
    # A trade may name a first fill earlier than the sum we had; that alone is no reason to distrust anything. Nor is an
    # end that is followed by life: answers and stream stamp their times apart. Another end, told later, is.
    stale = (
        change.exchange_time_ms <= order.updated_ms
        or fills != order.fills
        or (order.closed and change.status not in ORDER_CLOSED)
    )
    return (updated, Verdict.STALE) if stale else (updated, Verdict.ANOMALY)


def apply_algo(
    order: AlgoOrder,
    status: AlgoStatus,
    *,
    algo_id: int,
    actual_order_id: int | None,
    exchange_time_ms: int,
    reason: str = "",
    streamed: bool = False,
) -> tuple[AlgoOrder, Verdict]:
    """Apply one update of a conditional order; see the module's rules."""
    known = AlgoStatus.UNRESOLVED if order.given_up else order.status
    allowed = status in ALGO_NEXT[known]
    new_status = status if allowed else order.status
    live = exchange_time_ms if new_status is AlgoStatus.NEW and order.live_since_ms is None else order.live_since_ms
    ended = exchange_time_ms if new_status in ALGO_CLOSED and order.ended_ms is None else order.ended_ms
    updated = msgspec.structs.replace(
        order,
        status=new_status,
        ended_ms=ended,
        algo_id=order.algo_id or algo_id or None,
        actual_order_id=order.actual_order_id or actual_order_id,
        live_since_ms=live,
        updated_ms=max(order.updated_ms, exchange_time_ms),
        reason=reason or order.reason,
        given_up=order.given_up and not allowed,
    )
    # An old order that is found resting once more is no news: the stream told of it in its time.
    news = new_status is not order.status and (new_status is not AlgoStatus.NEW or exchange_time_ms > order.updated_ms)
    if streamed and status is new_status:
        updated = msgspec.structs.replace(updated, untold_ms=None)
    elif not streamed and news:
        updated = msgspec.structs.replace(updated, untold_ms=exchange_time_ms)
    if updated == order:
        return order, Verdict.STALE
    if allowed or status == order.status:
        return updated, Verdict.CHANGED
    # As above; and what ended without triggering has not triggered later.
    old = order.closed and status not in ALGO_CLOSED
    if order.status in (AlgoStatus.CANCELED, AlgoStatus.EXPIRED) and status in ALGO_TRIGGERED:
        old = False
    return updated, Verdict.STALE if exchange_time_ms <= order.updated_ms or old else Verdict.ANOMALY


def _trade_id(fill: Fill) -> int:
    return fill.trade_id


def _earliest(known: int | None, new: int | None) -> int | None:
    if known is None or new is None:
        return known if new is None else new
    return min(known, new)


def _average(fills: tuple[Fill, ...], executed: Decimal, told: Decimal | None) -> Decimal | None:
    """The average price: from the fills when they explain all that was executed, else what the exchange told.

    Never guessed: None until one of the two is there (binance-usdm.md §5.3).
    """
    covered = sum((fill.quantity for fill in fills), ZERO)
    if executed > 0 and covered == executed:
        return sum((fill.quantity * fill.price for fill in fills), ZERO) / covered
    return told
