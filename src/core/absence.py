"""Proof that a normal order never reached the exchange.

"No such order" may lag, or be said by mistake. It is believed of an entry when it comes twice, asked for when no
request of it could arrive any more, and when it is known of every trade since whose it was; flat alone proves nothing,
for an order of ours, or others, may have closed what the entry opened (binance-usdm.md §8.1; design: outcomes).
"""

from __future__ import annotations

from .bracket import Bracket
from .codes import ID_IN_USE, OTHERS_STOP
from .legs import LEGS, armed_leg, legs_of
from .order import ORDER_WORKING, AlgoOrder, Order
from .position import Agreement, agreement, orders_of
from .resolving import ASK_AGAIN_MS, MISSES_NEEDED, SETTLE_MS, pace
from .turn import Turn
from .values import AlgoStatus, OrderStatus, Role

ABSENCES_NEEDED = 2
ABSENCES_WITHOUT_TRADES = 16
"""Three quarters of a minute of answers that it does not exist, with its trades asked for after each."""
AGREEMENTS_NEEDED = 2
UNFIRED = frozenset(
    {AlgoStatus.NEW, AlgoStatus.PENDING_CANCEL, AlgoStatus.CANCELED, AlgoStatus.EXPIRED, AlgoStatus.REJECTED}
)
"""A conditional order in one of these has not traded."""


def order_not_found(turn: Turn, bracket: Bracket, order: Order, asked_at_ms: int) -> Bracket:
    """Weigh one answer that a normal order does not exist."""
    tries = order.tries
    order = turn.update_order(order, asking=False, misses=tries.misses + 1, absent_ms=max(tries.absent_ms, asked_at_ms))
    if order.status in ORDER_WORKING:  # it was acknowledged: the answer lags
        turn.update_order(order, next_at_ms=turn.now_ms + pace(tries.misses))
        if order.intent.role is Role.ENTRY:  # what lags may be its fill: then the position says so first
            return turn.look_at_symbol(bracket, "entry_not_found", position_only=True)
        return bracket
    if order.status is not OrderStatus.UNRESOLVED:
        return bracket
    if asked_at_ms <= tries.dead_after_ms:
        again = min(turn.now_ms + ASK_AGAIN_MS, tries.dead_after_ms + 1)
        turn.update_order(order, next_at_ms=max(again, turn.now_ms + 1))
        if order.intent.role is Role.ENTRY and order.tries.misses % MISSES_NEEDED == 0:
            # The look-up may lag behind the trade, and an entry that did execute is bare meanwhile.
            return turn.look_at_symbol(bracket, "entry_not_found", trades=True)
        return bracket
    pause = pace(max(0, tries.absences - ABSENCES_NEEDED))
    order = turn.update_order(order, absences=tries.absences + 1, next_at_ms=turn.now_ms + pause)
    # An entry is given up when it is known of every trade whose it was; of none at all, though a position shows or has
    # shown, only after long, for a list may be empty by mistake. Where the trades cannot be had for long, the position
    # has to do; but others, or the exchange itself, may have closed it. So it has to agree a second time, the trades
    # having been asked for in between. An exit could only have reduced: should it have executed after all, its fills
    # are found as trades.
    says = agreement(turn.state, bracket, since_ms=tries.dead_after_ms)
    agreed = says is Agreement.AGREES
    order = turn.update_order(order, agreements=tries.agreements + 1 if agreed else 0)
    is_long = order.tries.absences >= ABSENCES_WITHOUT_TRADES
    may_have_closed = _may_have_closed(turn, bracket)
    may_have_been = says is Agreement.DIFFERS or may_have_closed
    agreed = is_long and order.tries.agreements >= AGREEMENTS_NEEDED and not may_have_closed
    traced = bracket.trades_known_ms > tries.dead_after_ms + SETTLE_MS and order.executed == 0
    traced = traced and (is_long or not may_have_been or bracket.external_net != 0)
    if order.tries.absences >= ABSENCES_NEEDED and (agreed or traced or order.intent.role is not Role.ENTRY):
        also = ", the position agrees" if agreed else ", none of the trades is its" if traced else ""
        turn.update_order(
            order,
            status=OrderStatus.REJECTED,
            next_at_ms=None,
            error_text=f"it never reached the exchange: asked twice when it could no longer arrive{also}",
        )
        return bracket
    if order.tries.absences == ABSENCES_NEEDED + 3 and order.intent.role is Role.ENTRY:
        turn.alert(
            "entry_unresolved",
            "the exchange does not know the entry, but its position does not agree with that; look at the account",
            bracket,
            order.intent.client_order_id,
        )
    for stop in _standing_stops(turn, bracket):  # one may have closed what the entry opened, unless it never rested
        if stop.status is not AlgoStatus.PENDING_NEW and not _is_known(stop) and not _never_rested(stop):
            turn.look_up(stop, "prove_absence")
    return turn.look_at_symbol(bracket, "prove_absence", trades=True)


def _may_have_closed(turn: Turn, bracket: Bracket) -> bool:
    """Whether an order of ours may have closed a position already, or one has shown: then flat does not say that there
    was none. An order that the exchange refused has closed nothing."""
    if bracket.has_shown or not all(map(_never_rested, _standing_stops(turn, bracket))):
        return True
    closes = orders_of(turn.state, bracket, Role.EXIT, Role.FLATTEN)
    if any(order.status is not OrderStatus.REJECTED or order.tries.misses for order in closes):
        return True
    armed = [armed_leg(turn.state, bracket, role) for role in LEGS]
    return any(leg is not None and leg.status not in UNFIRED for leg in armed)


def _standing_stops(turn: Turn, bracket: Bracket) -> list[AlgoOrder]:
    return [leg for leg in legs_of(turn.state, bracket, Role.STOP_LOSS) if not leg.intent.armed]


def _is_known(stop: AlgoOrder) -> bool:
    """Whether the exchange ever said that it has it."""
    return stop.acked_ms is not None or stop.algo_id is not None


def _never_rested(stop: AlgoOrder) -> bool:
    """Whether every request of a stop was refused, or is denied twice since the last one could arrive."""
    if _is_known(stop) or not stop.closed or stop.tries.error_code == ID_IN_USE:
        return False
    if stop.tries.late_until_ms == 0:  # each was answered, and none with yes
        return True
    is_denied_twice = stop.tries.absent_before_ms > stop.tries.late_until_ms
    return is_denied_twice and stop.tries.error_code != OTHERS_STOP
