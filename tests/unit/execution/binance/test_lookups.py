"""Look-ups: found, not found, or no answer; the last two are never confused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import requests
from msgspec.structs import replace

from bracketeer.core.commands import LookUpOrder, LookUpSymbol
from bracketeer.core.events import (
    AlgoUpdated,
    LookUpFailed,
    OpenOrder,
    OrderNotFound,
    OrderUpdated,
    SymbolSnapshot,
    TradeRow,
)
from bracketeer.core.outcome import OutcomeKind
from bracketeer.core.values import AlgoStatus, OrderStatus, PositionSide, Side

from .stubs import NOW_MS, Answer, Desk, refusal

ORDER = "GET /fapi/v1/order"
ALL_ORDERS = "GET /fapi/v1/allOrders"
ALGO = "GET /fapi/v1/algoOrder"
OPEN_ALGO = "GET /fapi/v1/openAlgoOrders"
ALL_ALGO = "GET /fapi/v1/allAlgoOrders"
OPEN = "GET /fapi/v1/openOrders"
POSITIONS = "GET /fapi/v3/positionRisk"
TRADES = "GET /fapi/v1/userTrades"
DAY_MS = 86_400_000

NO_SUCH = refusal(-2013, "Order does not exist.")

FILLED: dict[str, Any] = {
    "orderId": 77,
    "clientOrderId": "bktr-entry",
    "symbol": "BTCUSDT",
    "side": "BUY",
    "status": "FILLED",
    "origQty": "0.010",
    "executedQty": "0.010",
    "avgPrice": "60000.50",
    "type": "MARKET",
    "updateTime": NOW_MS - 5,
}
WAITING: dict[str, Any] = {
    "algoId": 9,
    "clientAlgoId": "bktr-stop",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "orderType": "STOP_MARKET",
    "algoStatus": "NEW",
    "triggerPrice": "58000",
    "closePosition": True,
    "actualOrderId": "",
    "createTime": NOW_MS - 9,
    "updateTime": NOW_MS - 8,
}
TRIGGERED = WAITING | {"algoStatus": "FINISHED", "actualOrderId": "78", "actualQty": "0.010"}


def about(client_id: str = "bktr-stop", *, algo: bool = True) -> LookUpOrder:
    """A question about one order."""
    return LookUpOrder(client_order_id=client_id, signal_id="s1", symbol="BTCUSDT", algo=algo, why="test")


def waiting() -> AlgoUpdated:
    """WAITING as an event."""
    return AlgoUpdated(
        at_ms=NOW_MS,
        symbol="BTCUSDT",
        client_order_id="bktr-stop",
        algo_id=9,
        status=AlgoStatus.NEW,
        exchange_time_ms=NOW_MS - 8,
        source="lookup",
    )


def test_a_normal_order_is_found_with_its_average_price() -> None:
    """Which the answer to placing it does not tell (§5.3)."""
    desk = Desk({ORDER: FILLED})
    assert desk.gateway.look_up_order(about("bktr-entry", algo=False)) == [
        OrderUpdated(
            at_ms=NOW_MS,
            symbol="BTCUSDT",
            client_order_id="bktr-entry",
            exchange_order_id=77,
            side=Side.BUY,
            order_type="MARKET",
            status=OrderStatus.FILLED,
            quantity=Decimal("0.010"),
            executed_quantity=Decimal("0.010"),
            average_price=Decimal("60000.50"),
            exchange_time_ms=NOW_MS - 5,
            source="lookup",
        )
    ]
    assert desk.only.parameters["origClientOrderId"] == "bktr-entry"


def test_an_average_price_of_zero_is_none_yet() -> None:
    """A resting order has no price."""
    desk = Desk({ORDER: FILLED | {"avgPrice": "0.0000"}})
    (event,) = desk.gateway.look_up_order(about("bktr-entry", algo=False))
    assert isinstance(event, OrderUpdated)
    assert event.average_price is None


def test_not_found_is_dated_before_the_question() -> None:
    """What the exchange did not know then may arrive later; `asked_at_ms` says when that was."""
    desk = Desk({ORDER: NO_SUCH})
    desk.exchange.on_send = lambda _sent: setattr(desk.clock, "elapsed_s", desk.clock.elapsed_s + 0.25)
    (event,) = desk.gateway.look_up_order(about("bktr-entry", algo=False))
    assert event == OrderNotFound(at_ms=NOW_MS + 250, client_order_id="bktr-entry", asked_at_ms=NOW_MS, algo=False)


@pytest.mark.parametrize(
    ("answer", "kind", "sends"),
    [
        (requests.ReadTimeout(), OutcomeKind.UNKNOWN, 3),
        (Answer("<html>", 502), OutcomeKind.UNKNOWN, 3),
        (refusal(-2015, "Invalid API-key", 401), OutcomeKind.REFUSED, 1),
        (refusal(-1003, "Too many requests", 429), OutcomeKind.REFUSED, 1),
        (Answer(FILLED | {"status": "MELTED"}), OutcomeKind.UNKNOWN, 1),
        (Answer([FILLED]), OutcomeKind.UNKNOWN, 1),
    ],
    ids=["no answer", "5xx", "wrong key", "rate limit", "unknown status", "another shape"],
)
def test_a_question_that_failed_says_nothing_about_the_order(answer: Any, kind: OutcomeKind, sends: int) -> None:
    """It is asked again a little where that may help, and then it is `LookUpFailed`."""
    desk = Desk({ORDER: [answer]})
    (event,) = desk.gateway.look_up_order(about("bktr-entry", algo=False))
    assert isinstance(event, LookUpFailed)
    assert (event.failure.kind, event.client_order_id, event.symbol) == (kind, "bktr-entry", "BTCUSDT")
    assert len(desk.exchange.sent) == sends
    assert sum(desk.clock.slept) < 1


def test_a_question_is_asked_again_with_the_right_time_when_its_timestamp_was_refused() -> None:
    """The clock is measured in between."""
    skewed = refusal(-1021, "Timestamp for this request is outside of the recvWindow.")
    desk = Desk({ORDER: [skewed, FILLED], "GET /fapi/v1/time": {"serverTime": NOW_MS + 9000}})
    (event,) = desk.gateway.look_up_order(about("bktr-entry", algo=False))
    assert isinstance(event, OrderUpdated)
    assert int(desk.exchange.sent[-1].parameters["timestamp"]) >= NOW_MS + 9000


def test_an_algo_order_is_found_by_its_id() -> None:
    """One question is enough."""
    desk = Desk({ALGO: WAITING})
    assert desk.gateway.look_up_order(about()) == [waiting()]
    assert desk.only.parameters["clientAlgoId"] == "bktr-stop"


def test_an_algo_order_is_found_in_the_open_list() -> None:
    """-2013 by id was seen for an order that was open (§4.7). What else the list has is told with it."""
    desk = Desk({ALGO: NO_SUCH, OPEN_ALGO: [[WAITING | {"clientAlgoId": "other"}, WAITING]]})
    listed = replace(waiting(), asked_at_ms=NOW_MS, resting=("other", "bktr-stop"))
    assert desk.gateway.look_up_order(about()) == [listed]
    assert desk.exchange.calls() == [ALGO, OPEN_ALGO]


def test_an_algo_order_is_found_in_the_full_list() -> None:
    """It may have ended already."""
    desk = Desk({ALGO: NO_SUCH, OPEN_ALGO: [[]], ALL_ALGO: [[WAITING | {"algoStatus": "EXPIRED"}]]})
    (event,) = desk.gateway.look_up_order(about())
    assert isinstance(event, AlgoUpdated)
    assert event.status is AlgoStatus.EXPIRED


def test_an_algo_order_is_not_found_only_when_all_three_say_so() -> None:
    """Dated before the first question, and with what the open list had instead."""
    desk = Desk({ALGO: NO_SUCH, OPEN_ALGO: [[WAITING | {"clientAlgoId": "other"}]], ALL_ALGO: [[]]})
    assert desk.gateway.look_up_order(about()) == [
        OrderNotFound(at_ms=NOW_MS, client_order_id="bktr-stop", asked_at_ms=NOW_MS, algo=True, resting=("other",))
    ]
    assert desk.exchange.calls() == [ALGO, OPEN_ALGO, ALL_ALGO]


def test_an_algo_order_is_not_called_missing_when_the_open_list_failed() -> None:
    """Two empty answers and a silence prove nothing."""
    desk = Desk({ALGO: NO_SUCH, OPEN_ALGO: [[]], ALL_ALGO: [[]]})
    desk.exchange.answer(OPEN_ALGO, requests.ReadTimeout())
    (event,) = desk.gateway.look_up_order(about())
    assert isinstance(event, LookUpFailed)
    assert event.algo


@pytest.mark.parametrize("failing", [ALGO, ALL_ALGO])
def test_an_algo_order_that_the_open_list_lacks_does_not_rest(failing: str) -> None:
    """That is what has to be known to protect; what became of it may stay unknown."""
    desk = Desk({ALGO: NO_SUCH, OPEN_ALGO: [[]], ALL_ALGO: [[]]})
    desk.exchange.answer(failing, requests.ReadTimeout())
    (event,) = desk.gateway.look_up_order(about())
    assert isinstance(event, OrderNotFound)
    assert desk.exchange.calls() == [ALGO, OPEN_ALGO, ALL_ALGO], "a silence costs a second: it is not tried again"


@pytest.mark.parametrize("refused", [ALGO, ALL_ALGO])
def test_a_spent_budget_ends_the_questions_about_an_algo_order(refused: str) -> None:
    """More of them would end in a ban."""
    desk = Desk({ALGO: NO_SUCH, OPEN_ALGO: [[]], ALL_ALGO: [[]]})
    desk.exchange.answer(refused, refusal(-1003, status=429))
    (event,) = desk.gateway.look_up_order(about())
    assert isinstance(event, LookUpFailed)


@pytest.mark.parametrize(
    ("row", "key"),
    [
        (TRIGGERED, {"orderId": "78"}),
        (TRIGGERED | {"algoStatus": "TRIGGERED"}, {"orderId": "78"}),
        (TRIGGERED | {"actualOrderId": ""}, {"origClientOrderId": "bktr-stop"}),
        (TRIGGERED | {"algoStatus": "CANCELED"}, {"orderId": "78"}),
    ],
    ids=["finished", "triggered", "finished without an order id", "an order id whatever the status"],
)
def test_a_triggered_algo_order_brings_the_order_it_became_first(row: dict[str, Any], key: dict[str, str]) -> None:
    """FINISHED does not mean filled: the ordinary order knows (§4.4). It is linked to the id we know."""
    desk = Desk({ALGO: row, ORDER: FILLED | {"orderId": 78, "clientOrderId": "venue-made"}})
    became, algo = desk.gateway.look_up_order(about())
    assert isinstance(became, OrderUpdated)
    assert isinstance(algo, AlgoUpdated)
    assert (became.client_order_id, became.exchange_order_id) == ("bktr-stop", 78)
    sent = desk.exchange.sent[-1].parameters
    assert {name: sent.get(name) for name in ("orderId", "origClientOrderId") if name in sent} == key


def test_a_triggered_algo_order_is_not_reported_without_the_order_it_became() -> None:
    """A read may lag behind the trigger; FINISHED alone would read as 'ended without a fill'."""
    desk = Desk({ALGO: TRIGGERED, ORDER: NO_SUCH})
    (event,) = desk.gateway.look_up_order(about())
    assert isinstance(event, LookUpFailed)
    assert event.failure.code == -2013


def test_a_finished_algo_order_may_have_become_an_order_that_is_forgotten() -> None:
    """Orders without a fill are kept for three days (§3.2); its zero quantity says that nothing was lost."""
    desk = Desk({ALGO: TRIGGERED | {"actualQty": "0.0"}, ORDER: NO_SUCH})
    (event,) = desk.gateway.look_up_order(about())
    assert isinstance(event, AlgoUpdated)
    assert event.status is AlgoStatus.FINISHED


def test_an_unknown_algo_status_fails_the_look_up() -> None:
    """Guessing would be worse."""
    melted = WAITING | {"algoStatus": "MELTED"}
    desk = Desk({ALGO: melted, OPEN_ALGO: [[melted]]})
    (event,) = desk.gateway.look_up_order(about())
    assert isinstance(event, LookUpFailed)
    assert "MELTED" in event.failure.text


POSITION = {"symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": "-0.010", "entryPrice": "60000.5"}
RESTING = FILLED | {"status": "NEW", "executedQty": "0", "type": "LIMIT", "reduceOnly": True}


def test_a_snapshot_holds_position_and_both_lists() -> None:
    """All of one symbol, as of the instant before the first question."""
    desk = Desk({POSITIONS: [[POSITION]], OPEN: [[RESTING]], OPEN_ALGO: [[WAITING]]})
    snapshot = desk.gateway.look_up_symbol(LookUpSymbol(symbol="BTCUSDT", why="test"))
    assert snapshot == SymbolSnapshot(
        at_ms=NOW_MS,
        symbol="BTCUSDT",
        requested_at_ms=NOW_MS,
        amounts={PositionSide.BOTH: Decimal("-0.010")},
        entry_prices={PositionSide.BOTH: Decimal("60000.5")},
        orders=(
            OpenOrder(
                client_order_id="bktr-entry",
                exchange_id=77,
                algo=False,
                side=Side.BUY,
                order_type="LIMIT",
                status="NEW",
                quantity=Decimal("0.010"),
                reduce_only=True,
                updated_at_ms=NOW_MS - 5,
            ),
            OpenOrder(
                client_order_id="bktr-stop",
                exchange_id=9,
                algo=True,
                side=Side.SELL,
                order_type="STOP_MARKET",
                status="NEW",
                trigger_price=Decimal(58000),
                close_position=True,
                updated_at_ms=NOW_MS - 8,
            ),
        ),
    )
    assert {sent.parameters["symbol"] for sent in desk.exchange.sent} == {"BTCUSDT"}


@pytest.mark.parametrize("rows", [[], [POSITION | {"positionAmt": "0.000"}], [POSITION | {"symbol": "ETHUSDT"}]])
def test_a_snapshot_of_a_flat_symbol_has_no_amounts(rows: list[dict[str, str]]) -> None:
    """Empty means flat, from a successful answer."""
    desk = Desk({POSITIONS: [rows], OPEN: [[]], OPEN_ALGO: [[]]})
    snapshot = desk.gateway.look_up_symbol(LookUpSymbol(symbol="BTCUSDT", why="test"))
    assert isinstance(snapshot, SymbolSnapshot)
    assert (snapshot.amounts, snapshot.orders, snapshot.trades) == ({}, (), None)


@pytest.mark.parametrize("failing", [OPEN, OPEN_ALGO])
@pytest.mark.parametrize("answer", [requests.ReadTimeout(), Answer({"code": 0, "msg": ""}), Answer([{}])])
def test_a_snapshot_tells_orders_that_could_not_be_had_from_none(failing: str, answer: Any) -> None:
    """The position is worth knowing alone; nothing follows from orders that were not read."""
    desk = Desk({POSITIONS: [[]], OPEN: [[]], OPEN_ALGO: [[]], TRADES: [[]]})
    desk.exchange.answer(failing, answer)
    event = desk.gateway.look_up_symbol(LookUpSymbol(symbol="BTCUSDT", why="test", trades_since_ms=NOW_MS - 1))
    assert isinstance(event, SymbolSnapshot)
    assert (event.orders, event.trades) == (None, None)


@pytest.mark.parametrize("answer", [requests.ReadTimeout(), Answer({"code": 0, "msg": ""}), Answer([{}])])
def test_there_is_no_snapshot_without_the_position(answer: Any) -> None:
    """A failed query is not zero."""
    desk = Desk({POSITIONS: [[]], OPEN: [[]], OPEN_ALGO: [[]], TRADES: [[]]})
    desk.exchange.answer(POSITIONS, answer)
    event = desk.gateway.look_up_symbol(LookUpSymbol(symbol="BTCUSDT", why="test", trades_since_ms=NOW_MS - 1))
    assert isinstance(event, LookUpFailed)
    assert (event.symbol, event.client_order_id, event.failure.kind) == ("BTCUSDT", "", OutcomeKind.UNKNOWN)


@pytest.mark.parametrize("answer", [requests.ReadTimeout(), Answer({"code": 0, "msg": ""}), Answer([{}])])
def test_a_snapshot_does_not_wait_for_trades_that_cannot_be_had(answer: Any) -> None:
    """The position may be bare. Trades left out are not "no trades"."""
    desk = Desk({POSITIONS: [[]], OPEN: [[]], OPEN_ALGO: [[]], TRADES: [[]]})
    desk.exchange.answer(TRADES, answer)
    snapshot = desk.gateway.look_up_symbol(LookUpSymbol(symbol="BTCUSDT", why="test", trades_since_ms=NOW_MS - 1))
    assert isinstance(snapshot, SymbolSnapshot)
    assert snapshot.trades is None


@pytest.mark.parametrize("since_ms", [NOW_MS - 1, None])
def test_the_position_is_told_before_all_else_is_asked(since_ms: int | None) -> None:
    """That may take seconds, or be lost, and the position may be bare."""
    desk = Desk({POSITIONS: [[POSITION]], OPEN: [[]], OPEN_ALGO: [[]], TRADES: [[]]})
    heard: list[tuple[SymbolSnapshot, int]] = []
    command = LookUpSymbol(symbol="BTCUSDT", why="test", trades_since_ms=since_ms)
    whole = desk.gateway.look_up_symbol(command, lambda part: heard.append((part, len(desk.exchange.sent))))
    ((part, asked),) = heard
    assert isinstance(whole, SymbolSnapshot)
    assert (part.is_partial, whole.is_partial) == (True, False)
    assert (part.amounts, part.orders, part.trades, asked) == (whole.amounts, None, None, 1)


def test_tells_the_position_also_when_nothing_else_can_be_had() -> None:
    """A position that shows is guarded, whatever rests: that its open orders are not told must not hide it."""
    desk = Desk({POSITIONS: [[POSITION]]})
    for path in (OPEN, OPEN_ALGO):
        desk.exchange.answer(path, *[requests.ReadTimeout()] * 9)
    heard: list[SymbolSnapshot] = []
    whole = desk.gateway.look_up_symbol(LookUpSymbol(symbol="BTCUSDT", why="started"), heard.append)
    assert isinstance(whole, SymbolSnapshot)
    assert whole.orders is None
    assert [part.amounts for part in heard] == [whole.amounts] != [{}]


def trade(trade_id: int) -> dict[str, Any]:
    """One row of userTrades."""
    return {
        "id": trade_id,
        "orderId": 77,
        "side": "BUY",
        "price": "60000.5",
        "qty": "0.001",
        "time": NOW_MS - 10,
        "commission": "0.02",
        "commissionAsset": "USDT",
        "realizedPnl": "1.5",
    }


def trades_of(desk: Desk, since_ms: int, known: tuple[int, ...] = (77,)) -> tuple[TradeRow, ...]:
    """The trades in a snapshot."""
    command = LookUpSymbol(symbol="BTCUSDT", why="test", trades_since_ms=since_ms, known_orders=known)
    snapshot = desk.gateway.look_up_symbol(command)
    assert isinstance(snapshot, SymbolSnapshot), snapshot
    assert snapshot.trades is not None
    return snapshot.trades


def trade_questions(desk: Desk) -> list[dict[str, str]]:
    """How userTrades was asked."""
    names = ("startTime", "endTime", "fromId")
    return [
        {name: sent.parameters[name] for name in names if name in sent.parameters}
        for sent in desk.exchange.sent
        if sent.call == TRADES
    ]


def flat_desk(*pages: list[dict[str, Any]]) -> Desk:
    """A flat symbol with a history."""
    return Desk({POSITIONS: [[]], OPEN: [[]], OPEN_ALGO: [[]], TRADES: list(pages)})


def test_trades_come_in_our_names() -> None:
    """Commission and profit with them."""
    desk = flat_desk([trade(5)])
    assert trades_of(desk, NOW_MS - 1000) == (
        TradeRow(
            trade_id=5,
            exchange_order_id=77,
            side=Side.BUY,
            price=Decimal("60000.5"),
            quantity=Decimal("0.001"),
            commission=Decimal("0.02"),
            commission_asset="USDT",
            realized_profit=Decimal("1.5"),
            exchange_time_ms=NOW_MS - 10,
        ),
    )
    assert trade_questions(desk) == [{"startTime": str(NOW_MS - 1000)}]


def test_trades_go_on_by_id_after_a_full_page() -> None:
    """A time window keeps its oldest rows only (§3.2)."""
    desk = flat_desk([trade(n) for n in range(1, 1001)], [trade(1001)])
    assert [row.trade_id for row in trades_of(desk, NOW_MS - 1000)] == list(range(1, 1002))
    assert trade_questions(desk)[1:] == [{"fromId": "1001"}]


def test_trades_are_looked_for_window_by_window() -> None:
    """Seven days at a time until the first trade, then by id up to now."""
    desk = flat_desk([], [trade(5)], [trade(6)])
    since_ms = NOW_MS - 20 * DAY_MS
    assert [row.trade_id for row in trades_of(desk, since_ms)] == [5, 6]
    assert trade_questions(desk) == [
        {"startTime": str(since_ms), "endTime": str(since_ms + 7 * DAY_MS - 1)},
        {"startTime": str(since_ms + 7 * DAY_MS), "endTime": str(since_ms + 14 * DAY_MS - 1)},
        {"fromId": "6"},
    ]


def test_trades_of_long_ago_are_not_asked_for() -> None:
    """The exchange keeps three months."""
    desk = flat_desk([])
    assert trades_of(desk, 0) == ()
    assert len(trade_questions(desk)) == 13


def test_trades_without_end_are_left_out() -> None:
    """Every loop has a limit."""
    desk = flat_desk([trade(n) for n in range(1, 1001)])
    event = desk.gateway.look_up_symbol(LookUpSymbol(symbol="BTCUSDT", why="test", trades_since_ms=NOW_MS - 1))
    assert isinstance(event, SymbolSnapshot)
    assert event.trades is None


def traded(order_id: int, trade_id: int) -> dict[str, Any]:
    """One row of userTrades, of an order."""
    return trade(trade_id) | {"orderId": order_id}


def named(order_id: int) -> dict[str, Any]:
    """An order as the exchange tells it."""
    return FILLED | {"orderId": order_id, "clientOrderId": f"order-{order_id}"}


def order_questions(desk: Desk) -> list[tuple[str, str]]:
    """By which exchange ids orders were asked for, and how."""
    asked = (sent for sent in desk.exchange.sent if sent.call in (ORDER, ALL_ORDERS))
    return [(sent.path.rpartition("/")[2], sent.parameters["orderId"]) for sent in asked]


def test_trades_are_traced_to_client_ids() -> None:
    """Once for each order that the engine does not know: a row of userTrades does not say whose it is (§3.2)."""
    desk = flat_desk([traded(77, 1), traded(80, 2), traded(80, 3), traded(78, 4)])
    desk.exchange.answer(ORDER, named(78), named(80))
    rows = trades_of(desk, NOW_MS - 1000)
    assert [row.client_order_id for row in rows] == ["", "order-80", "order-80", "order-78"]
    assert order_questions(desk) == [("order", "78"), ("order", "80")]


def test_trades_of_an_order_the_exchange_does_not_know_stay_without_a_name() -> None:
    """Reads lag: the position is worth having all the same, and nobody is blamed."""
    desk = flat_desk([traded(78, 1), traded(80, 2)])
    desk.exchange.answer(ORDER, NO_SUCH, named(80))
    assert [row.client_order_id for row in trades_of(desk, NOW_MS - 1000)] == ["", "order-80"]


@pytest.mark.parametrize("answer", [requests.ReadTimeout(), refusal(-1000), Answer({"code": 0, "msg": ""})])
def test_trades_are_left_out_when_an_order_of_theirs_cannot_be_asked_for(answer: Any) -> None:
    """A failed question is not an unknown order."""
    desk = flat_desk([traded(78, 1)])
    desk.exchange.answer(ORDER, answer)
    event = desk.gateway.look_up_symbol(LookUpSymbol(symbol="BTCUSDT", why="test", trades_since_ms=NOW_MS - 1))
    assert isinstance(event, SymbolSnapshot)
    assert event.trades is None


def test_trades_of_many_orders_are_traced_by_the_list() -> None:
    """Beyond five orders the list is cheaper; it is read from the first unknown one to the last, page by page."""
    desk = flat_desk([traded(order_id, order_id) for order_id in (77, 101, 103, 104, 105, 106, 1500)])
    pages = [[named(number) for number in range(101, 1101)], [named(number) for number in range(1101, 2101)]]
    desk.exchange.answer(ALL_ORDERS, *pages)
    rows = trades_of(desk, NOW_MS - 1000)
    assert [row.client_order_id for row in rows if row.exchange_order_id != 77] == [
        "order-101", "order-103", "order-104", "order-105", "order-106", "order-1500"
    ]  # fmt: skip
    assert order_questions(desk) == [("allOrders", "101"), ("allOrders", "1101")]


def test_the_list_of_orders_is_read_to_a_bound() -> None:
    """Every loop has a limit: what lies beyond it stays without a name."""
    desk = flat_desk([traded(order_id, order_id) for order_id in (101, 102, 103, 104, 105, 9000)])
    pages = [[named(number) for number in range(first, first + 1000)] for first in (101, 1101, 2101, 3101)]
    desk.exchange.answer(ALL_ORDERS, *pages)
    assert trades_of(desk, NOW_MS - 1000)[-1].client_order_id == ""
    assert len(order_questions(desk)) == 3
