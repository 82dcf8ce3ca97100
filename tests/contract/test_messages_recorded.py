"""Every recorded payload that the manager parses is read, and read right.

The payloads (binance-usdm.md's companions in `../shared/fixtures`, with their provenance in `index.json`) come from the
exchange, its documentation, and other projects' tests. They are not part of this repository; without them nothing is
checked here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bracketeer.core.events import AlgoUpdated, Fill, OrderUpdated, PositionUpdated
from bracketeer.core.outcome import OutcomeKind, classify
from bracketeer.core.values import AlgoStatus, OrderStatus, PositionSide
from bracketeer.execution.binance.exchange_info import read_exchange_info
from bracketeer.execution.binance.rest_messages import (
    WireAccountConfiguration,
    WireBalance,
    WireLastPrice,
    WireLeverage,
    WireListenKey,
    WireMarkPrice,
    WireServerTime,
    error_body,
    read_algo_order,
    read_algo_orders,
    read_order,
    read_orders,
    read_positions,
    read_trades,
)
from bracketeer.execution.binance.stream_messages import StreamMessage, read_message
from bracketeer.execution.binance.wire import UNKNOWN_FIELDS, UnreadableMessage, read, rows_of

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
AT_MS = 1_700_000_000_000

if not (FIXTURES / "index.json").exists():
    pytest.skip(f"the recorded payloads are not here ({FIXTURES})", allow_module_level=True)

ENTRIES: list[dict[str, Any]] = json.loads((FIXTURES / "index.json").read_text())["entries"]


def order_as_an_event(raw: Any) -> Any:
    """GET order: the status must be one we know."""
    return read_order(raw).updated(at_ms=AT_MS, client_order_id="x")


def algo_as_an_event(raw: Any) -> Any:
    """GET algoOrder, likewise."""
    return read_algo_order(raw).updated(at_ms=AT_MS)


def prices(kind: type[WireMarkPrice | WireLastPrice]) -> Callable[[Any], Any]:
    """Only the price of a price answer is read."""
    return lambda raw: read(raw, kind)


REST: dict[str, Callable[[Any], Any]] = {
    "order_post": lambda raw: read_order(raw).acknowledged(at_ms=AT_MS, sent_at_ms=AT_MS, client_order_id="x"),
    "order_get": order_as_an_event,
    "order_delete": order_as_an_event,
    "openOrder": order_as_an_event,
    "openOrders": lambda raw: [row.resting() for row in read_orders(raw)],
    "algoOrder_post": lambda raw: read_algo_order(raw).acknowledged(at_ms=AT_MS, sent_at_ms=AT_MS, client_order_id="x"),
    "algoOrder_get": algo_as_an_event,
    "openAlgoOrders": lambda raw: [row.resting() for row in read_algo_orders(raw)],
    "allAlgoOrders": lambda raw: [row.updated(at_ms=AT_MS) for row in read_algo_orders(raw)],
    "positionRisk_v3": read_positions,
    "userTrades": lambda raw: [row.row() for row in read_trades(raw)],
    "balance_v3": lambda raw: [read(row, WireBalance) for row in rows_of(raw)],
    "listenKey_post": lambda raw: read(raw, WireListenKey),
    "leverage": lambda raw: read(raw, WireLeverage),
    "accountConfig": lambda raw: read(raw, WireAccountConfiguration),
    "time": lambda raw: read(raw, WireServerTime),
    "premiumIndex": prices(WireMarkPrice),
    "ticker_price": prices(WireLastPrice),
}
"""How each kind of answer is read. Answers that are success by their status alone (listenKey_put, marginType,
algoOrder_delete) are not read at all."""

STREAM = {"ORDER_TRADE_UPDATE", "ALGO_UPDATE", "ACCOUNT_UPDATE", "TRADE_LITE", "MARGIN_CALL"}

UNREADABLE = {
    "ORDER_TRADE_UPDATE__adl_new_adl_synthetic.json": "unknown_order_status",
    "ORDER_TRADE_UPDATE__liquidation_new_insurance_synthetic.json": "unknown_order_status",
}
"""Statuses of long ago (NEW_ADL, NEW_INSURANCE): an anomaly, never a guess."""

FOREIGN_FIELDS = {
    "WireAlgoOrder.type",  # a made-up payload; the exchange writes `orderType`
    "WireMarkPrice",
    "WireLastPrice",
    "WireLeverage",
}
"""Fields, or whole structs, that are known and not named by the structs."""


def files(kinds: set[str]) -> list[Any]:
    """The payloads of these kinds, named by their file."""
    chosen = [entry for entry in ENTRIES if entry["kind"] in kinds]
    return [pytest.param(entry["kind"], FIXTURES / entry["file"], id=Path(entry["file"]).stem) for entry in chosen]


def recorded(name: str) -> Any:
    """One payload by name."""
    return json.loads((FIXTURES / name).read_text())


def message(name: str) -> StreamMessage:
    """One stream payload by name, translated."""
    return read_message((FIXTURES / "ws" / name).read_text(), at_ms=AT_MS)


def new_unknown_fields() -> set[str]:
    """What was met and not expected, since the counter was cleared."""
    return {name for name in UNKNOWN_FIELDS if name not in FOREIGN_FIELDS and name.split(".")[0] not in FOREIGN_FIELDS}


@pytest.mark.parametrize(("kind", "file"), files(set(REST)))
def test_every_rest_answer_is_read(kind: str, file: Path) -> None:
    """Without an unknown field: what the exchange documents is known here."""
    UNKNOWN_FIELDS.clear()
    assert REST[kind](json.loads(file.read_text())) is not None
    assert new_unknown_fields() == set()


@pytest.mark.parametrize(("kind", "file"), files(STREAM))
def test_every_stream_event_is_read(kind: str, file: Path) -> None:
    """Bare or in an envelope; an unknown status is refused by name."""
    UNKNOWN_FIELDS.clear()
    if file.name in UNREADABLE:
        with pytest.raises(UnreadableMessage) as caught:
            read_message(file.read_text(), at_ms=AT_MS)
        assert caught.value.code == UNREADABLE[file.name]
        return
    translated = read_message(file.read_text(), at_ms=AT_MS)
    assert translated.kind == kind
    assert new_unknown_fields() == set()


@pytest.mark.parametrize("kind", sorted({*REST, *STREAM, "error", "exchangeInfo"}))
def test_every_kind_the_manager_reads_is_recorded(kind: str) -> None:
    """A kind without a payload is a promise without a test."""
    assert any(entry["kind"] == kind for entry in ENTRIES)


@pytest.mark.parametrize(("kind", "file"), files({"error"}))
def test_every_error_body_is_read(kind: str, file: Path) -> None:
    """Code and text."""
    code, text = error_body(file.read_text())
    assert code is not None
    assert code < 0
    assert text


def test_the_recorded_503_is_unknown_whatever_its_code_says() -> None:
    """Its code is the one of a rate limit; its text says that the order was sent on."""
    code, text = error_body((FIXTURES / "rest/error__http503_unknown_status_mock.json").read_text())
    assert code == -1003
    assert classify(http_status=503, code=code, text=text, sent=True).kind is OutcomeKind.UNKNOWN


def test_a_triggered_stop_tells_the_order_it_became() -> None:
    """Text on the wire, a number here; and FINISHED is not yet FILLED."""
    (event,) = message("ALGO_UPDATE__stop_market_finished_filled.json").events
    assert event == AlgoUpdated(
        at_ms=AT_MS,
        symbol="DOGEUSDT",
        client_order_id="O-20251211-053131-TEST-000-1",
        algo_id=1000000033225453,
        status=AlgoStatus.FINISHED,
        actual_order_id=88937381063,
        exchange_time_ms=1765431097031,
        source="stream",
    )
    (triggering,) = message("ALGO_UPDATE__stop_market_triggering.json").events
    assert isinstance(triggering, AlgoUpdated)
    assert triggering.actual_order_id is None


def test_a_refused_algo_order_tells_why() -> None:
    """`rm`."""
    (event,) = message("ALGO_UPDATE__take_profit_canceled_docs.json").events
    assert isinstance(event, AlgoUpdated)
    assert event.reason == "Reduce Only reject"


def test_a_trade_carries_its_fill() -> None:
    """Price, quantity, commission and profit of that trade, beside the order's running totals."""
    (event,) = message("ORDER_TRADE_UPDATE__trade_partial_docs.json").events
    assert isinstance(event, OrderUpdated)
    assert event.status is OrderStatus.PARTIALLY_FILLED
    assert event.average_price == Decimal("7100.50")
    assert event.fill == Fill(
        trade_id=12345678,
        price=Decimal("7100.50"),
        quantity=Decimal("0.001"),
        commission=Decimal("0.01000000"),
        commission_asset="USDT",
        realized_profit=Decimal("12.34"),
    )


def test_a_liquidation_is_a_fill_of_a_foreign_order() -> None:
    """CALCULATED changes the position just as a trade does; one of nothing does not."""
    (event,) = message("ORDER_TRADE_UPDATE__liquidation_autoclose_calculated_synthetic.json").events
    assert isinstance(event, OrderUpdated)
    assert event.client_order_id == "autoclose-1234567890"
    assert event.fill is not None
    assert event.fill.realized_profit == Decimal("-5.67")
    (nothing,) = message("ORDER_TRADE_UPDATE__liquidation_zero_qty_synthetic.json").events
    assert isinstance(nothing, OrderUpdated)
    assert nothing.fill is None


def test_an_order_id_beyond_a_floats_precision_is_exact() -> None:
    """Ids of 19 digits exist."""
    (event,) = message("ORDER_TRADE_UPDATE__liquidation_new_FRAGMENT_2026.json").events
    assert isinstance(event, OrderUpdated)
    assert event.exchange_order_id == 8389766079988521101
    assert event.order_type == "LIQUIDATION"


def test_positions_come_one_event_per_row() -> None:
    """Each leg of a hedge-mode account; none where only a balance moved."""
    events = message("ACCOUNT_UPDATE__order_hedge_docs.json").events
    assert all(isinstance(event, PositionUpdated) for event in events)
    assert {event.position_side for event in events if isinstance(event, PositionUpdated)} >= {
        PositionSide.LONG,
        PositionSide.SHORT,
    }
    assert message("ACCOUNT_UPDATE__funding_fee_cross_2022.json").events == ()


def test_a_hint_of_a_trade_is_not_a_trade() -> None:
    """TRADE_LITE is booked when ORDER_TRADE_UPDATE comes (§10.5)."""
    translated = message("TRADE_LITE__ethusdt_buy_2024.json")
    assert (translated.events, translated.note) == ((), None)


def test_a_margin_call_is_noted() -> None:
    """For a person, now."""
    assert message("MARGIN_CALL__long_docs.json").note == ("margin_call", "margin is short for BTCUSDT")


def test_a_filled_order_tells_its_price_only_when_asked() -> None:
    """Zero means none."""
    event = order_as_an_event(recorded("rest/order_get__limit_new_synthetic.json"))
    assert event.average_price is None


def test_the_rules_of_660_symbols_are_read() -> None:
    """One big answer of the testnet: nothing is skipped, and ticks are what the filters say, not the precision."""
    info = read_exchange_info(recorded("rest/exchangeInfo__full_testnet_2025_12.json"))
    assert len(info.instruments) + len(info.skipped) == 660
    assert info.skipped == ()
    btc = info.instruments["BTCUSDT"]
    assert btc.tick_size > 0
    assert btc.tick_size != Decimal(10) ** -btc.price_precision
    assert {rule["limit"] for rule in info.rate_limits} == {6000, 1200, 300}


def test_symbols_without_filters_are_skipped() -> None:
    """And when none is left, the answer is refused."""
    with pytest.raises(UnreadableMessage):
        read_exchange_info(recorded("rest/exchangeInfo__btc_eth_no_filters_2024.json"))
    assert read_exchange_info(recorded("rest/exchangeInfo__testnet_2022_btc_eth_quarter.json")).instruments
