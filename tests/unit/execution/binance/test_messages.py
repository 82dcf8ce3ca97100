"""Wire to events: strict where orders depend on it, lenient where it only describes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from bracketeer.core.client_ids import client_order_id
from bracketeer.core.events import AlgoUpdated, OrderUpdated, PositionUpdated
from bracketeer.core.values import AlgoStatus, OrderStatus, Role
from bracketeer.execution.binance.rest_messages import (
    WireListenKey,
    error_body,
    read_algo_order,
    read_order,
    read_orders,
)
from bracketeer.execution.binance.stream_messages import StreamMessage, read_message
from bracketeer.execution.binance.wire import (
    ALGO_STATUSES,
    ORDER_STATUSES,
    UNKNOWN_FIELDS,
    UnreadableMessage,
    load_json,
    order_id_or_none,
)

from .stubs import NOW_MS

ORDER: dict[str, Any] = {
    "s": "BTCUSDT",
    "c": "bktr-x",
    "S": "BUY",
    "o": "MARKET",
    "x": "TRADE",
    "X": "FILLED",
    "i": 5,
    "q": "1",
    "z": "1",
    "l": "0.4",
    "L": "60000",
    "t": 7,
}
REST_ORDER: dict[str, Any] = {
    "orderId": 1,
    "clientOrderId": "x",
    "symbol": "BTCUSDT",
    "side": "BUY",
    "status": "NEW",
    "origQty": "1",
    "executedQty": "0",
}


def told(payload: Any) -> StreamMessage:
    """One message of the stream."""
    return read_message(json.dumps(payload), at_ms=NOW_MS)


def order(**changes: Any) -> OrderUpdated:
    """One order event."""
    (event,) = told({"e": "ORDER_TRADE_UPDATE", "T": 3, "E": 4, "o": ORDER | changes}).events
    assert isinstance(event, OrderUpdated)
    return event


@pytest.mark.parametrize(
    ("changes", "fills"),
    [
        ({}, True),
        ({"x": "CALCULATED"}, True),
        ({"x": "NEW"}, False),
        ({"x": "EXPIRED"}, False),
        ({"t": 0}, False),
        ({"t": None}, False),
        ({"l": "0.000"}, False),
        ({"l": None}, False),
        ({"L": None}, False),
    ],
)
def test_only_what_traded_is_a_fill(changes: dict[str, Any], fills: bool) -> None:
    """A trade or a liquidation, with an id to book it once by, a price and a quantity."""
    assert (order(**changes).fill is not None) is fills


def test_an_order_update_may_leave_out_what_only_describes() -> None:
    """Absent, null and zero all mean: nothing to say."""
    event = order(N=None, n=None, ap="0", ps="BOTH", rp=None, R=True, x="NEW", o="LIQUIDATION")
    assert (event.average_price, event.reduce_only, event.order_type) == (None, True, "LIQUIDATION")


@pytest.mark.parametrize("missing", ["s", "c", "S", "X", "i", "q", "z"])
def test_an_order_update_must_say_what_orders_depend_on(missing: str) -> None:
    """Half an order is none."""
    rest = {name: value for name, value in ORDER.items() if name != missing}
    with pytest.raises(UnreadableMessage) as caught:
        told({"e": "ORDER_TRADE_UPDATE", "o": rest})
    assert caught.value.code == "unreadable_payload"


@pytest.mark.parametrize("status", ["PENDING_NEW", "UNRESOLVED", "PENDING_CANCEL", "NEW_ADL", "new", ""])
def test_our_own_statuses_are_none_of_the_exchanges(status: str) -> None:
    """What we invented must not come in from outside."""
    with pytest.raises(UnreadableMessage) as caught:
        order(X=status)
    assert caught.value.code == "unknown_order_status"
    with pytest.raises(UnreadableMessage) as caught:
        told({"e": "ALGO_UPDATE", "o": {"caid": "x", "aid": 1, "s": "B", "X": status}})
    assert caught.value.code == "unknown_algo_status"


def test_every_documented_status_is_known() -> None:
    """binance-usdm.md §5.7 and §4.4."""
    assert set(ORDER_STATUSES.values()) == set(OrderStatus) - {
        OrderStatus.PENDING_NEW,
        OrderStatus.UNRESOLVED,
        OrderStatus.PENDING_CANCEL,
    }
    assert set(ALGO_STATUSES.values()) == set(AlgoStatus) - {
        AlgoStatus.PENDING_NEW,
        AlgoStatus.UNRESOLVED,
        AlgoStatus.PENDING_CANCEL,
    }


@pytest.mark.parametrize(
    ("times", "expected"), [({"T": 3, "E": 4}, 3), ({"E": 4}, 4), ({}, NOW_MS), ({"T": ""}, NOW_MS)]
)
def test_an_event_is_dated_as_well_as_can_be(times: dict[str, Any], expected: int) -> None:
    """When it happened, else when it was sent, else when it came."""
    (event,) = told({"e": "ACCOUNT_UPDATE", "a": {"P": [{"s": "B", "pa": "-1"}]}} | times).events
    assert isinstance(event, PositionUpdated)
    assert (event.exchange_time_ms, event.amount) == (expected, Decimal(-1))


@pytest.mark.parametrize(
    "payload",
    [{"e": "ORDER_TRADE_UPDATE"}, {"e": "ALGO_UPDATE", "o": []}, {"e": "ACCOUNT_UPDATE", "a": {"P": [{}]}}],
)
def test_an_event_without_its_body_is_refused(payload: Any) -> None:
    """By name, without quoting values."""
    with pytest.raises(UnreadableMessage):
        told(payload)


@pytest.mark.parametrize("payload", [5, [], {}, {"e": 5}, {"stream": "x", "data": 5}])
def test_what_is_no_event_is_refused(payload: Any) -> None:
    """Answers to subscriptions, for instance."""
    with pytest.raises(UnreadableMessage) as caught:
        told(payload)
    assert caught.value.code == "unreadable_event"


def test_the_envelope_of_a_combined_stream_is_opened() -> None:
    """`{"stream": …, "data": …}` (§1.2)."""
    assert told({"stream": "x", "data": {"e": "TRADE_LITE"}}) == StreamMessage(kind="TRADE_LITE")


@pytest.mark.parametrize("kind", ["TRADE_LITE", "ACCOUNT_CONFIG_UPDATE", "STRATEGY_UPDATE", "GRID_UPDATE"])
def test_some_events_need_nothing_done(kind: str) -> None:
    """They are known and silent."""
    assert told({"e": kind}) == StreamMessage(kind=kind)


def test_a_conditional_order_refused_at_its_trigger_is_noted() -> None:
    """Announced as retired; read in case it is not (§10.5)."""
    note = told({"e": "CONDITIONAL_ORDER_TRIGGER_REJECT", "or": {"s": "BTCUSDT", "i": 5, "r": "Due to risk"}}).note
    assert note == ("trigger_rejected", "BTCUSDT: conditional order 5 was refused when it triggered: Due to risk")


def test_a_margin_call_without_rows_is_noted_all_the_same() -> None:
    """It still is one."""
    note = told({"e": "MARGIN_CALL"}).note
    assert note is not None
    assert note[0] == "margin_call"


def test_a_listen_key_stays_out_of_the_message_about_its_end() -> None:
    """The event carries it; what we make of it does not."""
    message = told({"e": "listenKeyExpired", "listenKey": "canarylistenkey"})
    assert message.key_expired
    assert "canary" not in repr(message)
    assert "canary" not in repr(WireListenKey("canarylistenkey"))


def test_new_fields_are_counted_and_harmless() -> None:
    """The exchange adds some every few weeks (§14)."""
    UNKNOWN_FIELDS.clear()
    order(zz="new")
    order(zz="new")
    assert UNKNOWN_FIELDS == {"WireOrderUpdate.zz": 2}


def test_an_algo_update_knows_its_order_only_after_the_trigger() -> None:
    """Empty text before."""
    told_of = {"caid": "x", "aid": 1, "s": "B", "X": "NEW", "ai": "", "rm": None}
    (before,) = told({"e": "ALGO_UPDATE", "T": 1, "o": told_of}).events
    (after,) = told({"e": "ALGO_UPDATE", "T": 1, "o": told_of | {"X": "TRIGGERED", "ai": "12"}}).events
    assert isinstance(before, AlgoUpdated)
    assert isinstance(after, AlgoUpdated)
    assert (before.actual_order_id, after.actual_order_id) == (None, 12)


@pytest.mark.parametrize(
    ("text", "expected"), [("", None), (None, None), ("0", None), (0, None), ("12", 12), (12, 12), ("x", None)]
)
def test_an_order_id_is_a_positive_number_or_none(text: Any, expected: int | None) -> None:
    """Whichever way it is written."""
    assert order_id_or_none(text) == expected


def test_money_must_be_exact() -> None:
    """Text stays exact; what is no number is refused without being quoted."""
    assert read_order(REST_ORDER | {"origQty": "0.10000000000000000001"}).orig_qty == Decimal("0.10000000000000000001")
    with pytest.raises(UnreadableMessage) as caught:
        read_order(REST_ORDER | {"origQty": "secret"})
    assert "secret" not in str(caught.value)


def test_an_algo_order_is_dated_by_its_creation_when_it_was_never_updated() -> None:
    """`updateTime` may be absent."""
    raw = {"algoId": 1, "clientAlgoId": "x", "symbol": "B", "side": "SELL", "algoStatus": "NEW", "createTime": 5}
    row = read_algo_order(raw)
    assert row.updated(at_ms=NOW_MS).exchange_time_ms == 5
    assert row.resting().updated_at_ms == 5


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"code":-2019,"msg":"Margin is insufficient."}', (-2019, "Margin is insufficient.")),
        ('{"code":"-2019","msg":"text"}', (-2019, "text")),
        ('{"code":-1000}', (-1000, "")),
        ("<html>", (None, "<html>")),
        ('{"code":"x"}', (None, '{"code":"x"}')),
        ('{"msg":"no code"}', (None, '{"msg":"no code"}')),
        ("", (None, "")),
    ],
)
def test_an_error_body_is_code_and_text_or_just_text(body: str, expected: tuple[int | None, str]) -> None:
    """A page of a firewall has no code, and none is invented."""
    assert error_body(body) == expected


@pytest.mark.parametrize("data", [b"\xff\xfe", "{", ""])
def test_what_is_not_json_is_refused_without_being_quoted(data: Any) -> None:
    """Its length is all that is said of it."""
    with pytest.raises(UnreadableMessage, match="characters that are not JSON"):
        load_json(data)


def test_order_of_others_that_cannot_be_read_hides_none_of_ours() -> None:
    """A kind that is new to us is theirs to understand; one of ours that cannot be read must not be overlooked."""
    theirs = REST_ORDER | {"clientOrderId": "web_1", "origQty": None}
    ours = client_order_id("s", Role.ENTRY)
    (row,) = read_orders([theirs, REST_ORDER | {"clientOrderId": ours}])
    assert row.client_order_id == ours
    for odd in (REST_ORDER | {"clientOrderId": ours, "origQty": None}, "no row at all"):
        with pytest.raises(UnreadableMessage):
            read_orders([theirs, odd])
