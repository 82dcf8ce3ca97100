"""Each promise is found broken when it is: the judgement is tested by wrong books and logs."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as changed

from bracketeer.app.demo_exchange import Access
from bracketeer.app.demo_promises import Evidence, judge, traded_orders
from bracketeer.app.demo_story import Answer
from bracketeer.core.audit_logger import AuditLogger
from bracketeer.core.client_ids import client_order_id
from bracketeer.core.report import ExecutionReport, OrderReport, Reason, ReportStatus, Timings
from bracketeer.core.state import SignalRecord, State
from bracketeer.core.values import Role, Side

SECRET = "a-secret-of-this-test"


def _order(role: Role, number: int, price: str) -> OrderReport:
    return OrderReport(
        client_order_id=client_order_id("trade-1", role),
        exchange_order_id=number,
        side=Side.BUY if role is Role.ENTRY else Side.SELL,
        quantity=Decimal("0.010"),
        executed_quantity=Decimal("0.010"),
        average_price=Decimal(price),
        status="FILLED",
    )


def _trade(number: int, price: str, **changes: Any) -> dict[str, Any]:
    facts = {
        "symbol": "BTCUSDT",
        "orderId": number,
        "qty": "0.010",
        "price": price,
        "realizedPnl": "0",
        "commission": "0",
    }
    return facts | changes


REPORT = ExecutionReport(
    signal_id="trade-1",
    symbol="BTCUSDT",
    status=ReportStatus.CLOSED,
    entry=_order(Role.ENTRY, 1, "60000"),
    exit=_order(Role.EXIT, 2, "61000"),
    timings=Timings(received_at_ms=0, naked_ms=5),
)


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """One trade, well kept."""
    with AuditLogger(tmp_path, now_us=lambda: 0) as journal:
        for _ in range(2):
            journal.log_event("order_intent")
    closer = changed(REPORT, signal_id="close-1")
    return Evidence(
        books={
            "trades": [_trade(1, "60000"), _trade(2, "61000")],
            "positions": [],
            "openOrders": [],
            "openAlgoOrders": [],
            "nakedMs": {"BTCUSDT": {"now": 0, "worst": 5}},
            "requests": [{"method": "POST", "path": "/fapi/v1/order", "status": 200}] * 2,
            "history": {"requests": 2},
        },
        state=State(
            signals={
                "trade-1": SignalRecord(symbol="BTCUSDT", ended=True, report=REPORT),
                "close-1": SignalRecord(symbol="BTCUSDT", ended=True, report=closer),
            }
        ),
        answers=[Answer("00:30", b"{}", REPORT), Answer("00:45", b"{}", closer)],
        audit_dir=tmp_path,
        access=Access("http://127.0.0.1:1", "ws://127.0.0.1:1", "a-key-of-this-test", SECRET),
        naked_limit_ms=2000,
        replay_is_same=True,
    )


def _broken(evidence: Evidence) -> list[str]:
    return [promise.name for promise in judge(evidence)[0] if not promise.kept]


def test_kept_promises_are_found_kept(evidence: Evidence) -> None:
    """The evidence below is wrong by one thing each; without it, nothing is."""
    assert _broken(evidence) == []


@pytest.mark.parametrize(
    ("books", "broken"),
    [
        ({"trades": [_trade(1, "60000"), _trade(2, "61000"), _trade(3, "60000")]}, ["Once"]),
        ({"trades": [_trade(1, "60000")]}, ["Once", "True"]),
        ({"trades": [_trade(1, "60001"), _trade(2, "61000")]}, ["True"]),
        ({"trades": [_trade(1, "60000"), _trade(2, "61000", qty="0.009")]}, ["True"]),
        ({"nakedMs": {"BTCUSDT": {"now": 0, "worst": 2000}}}, ["Protected"]),
        ({"positions": [{"symbol": "BTCUSDT"}]}, ["Clean"]),
        ({"openOrders": [{"clientOrderId": client_order_id("trade-1", Role.EXIT)}]}, ["Clean"]),
        ({"openAlgoOrders": [{"clientAlgoId": client_order_id("trade-1", Role.STOP_LOSS)}]}, ["Clean"]),
        ({"openAlgoOrders": [{"clientAlgoId": "of-somebody-else"}]}, []),
        ({"requests": [{"method": "POST", "path": "/fapi/v1/algoOrder", "status": 200}] * 3}, ["Provable"]),
        ({"requests": [{"method": "POST", "path": "/fapi/v1/order", "status": 429}] * 2}, ["Polite"]),
    ],
)
def test_wrong_books_break_a_promise(evidence: Evidence, books: dict[str, Any], broken: list[str]) -> None:
    """A second entry, a fill we do not know, a bare position, a leftover order, an unrecorded or refused request."""
    evidence.books.update(books)
    assert _broken(evidence) == broken


def test_shown_secret_breaks_quiet(evidence: Evidence) -> None:
    """Anywhere in the folder of the log."""
    (evidence.audit_dir / "notes.txt").write_text(f"signed with {SECRET}")
    assert _broken(evidence) == ["Quiet"]


def test_changed_log_breaks_provable(evidence: Evidence) -> None:
    """The chain has to hold."""
    (file,) = evidence.audit_dir.glob("*.jsonl")
    file.write_bytes(file.read_bytes().replace(b"order_intent", b"order_INTENT", 1))
    assert _broken(evidence) == ["Provable"]


def test_refusal_without_a_reason_breaks_clear(evidence: Evidence) -> None:
    """Nothing fails silently."""
    mute = ExecutionReport(signal_id="x", symbol="BTCUSDT", status=ReportStatus.DENIED)
    evidence.answers.append(Answer("01:00", b"{}", mute))
    assert _broken(evidence) == ["Clear"]
    evidence.answers[-1] = Answer("01:00", b"{}", changed(mute, reason=Reason(code="c", text="t")))
    assert _broken(evidence) == []


def test_orders_are_summed_from_their_trades(evidence: Evidence) -> None:
    """An order may fill in parts; the same number on another symbol is another order."""
    evidence.books["trades"] = [
        _trade(1, "60000", qty="0.004", commission="0.1"),
        _trade(1, "60010", qty="0.006", commission="0.2"),
        _trade(1, "3000", symbol="ETHUSDT"),
    ]
    orders = traded_orders(evidence.books)
    assert set(orders) == {("BTCUSDT", 1), ("ETHUSDT", 1)}
    order = orders["BTCUSDT", 1]
    assert (order.quantity, order.value, order.commission) == (Decimal("0.010"), Decimal("600.060"), Decimal("0.3"))
