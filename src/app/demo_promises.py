"""The promises, each judged after the demo by the exchange's own books and by the audit log on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from ..core.audit_files import iter_lines
from ..core.audit_verify import VerifyReport, verify
from ..core.client_ids import client_order_id, is_ours
from ..core.report import ExecutionReport, OrderReport, ReportStatus
from ..core.state import State
from ..core.values import Role, exact
from .console import counted
from .demo_exchange import Access
from .demo_story import Answer

PRICE_TOLERANCE: Final = Decimal("1e-7")
"""Relative, of an average price: the exchange writes its averages with a limited number of digits."""

OrderKey = tuple[str, int]


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """One promise: kept or not, and the numbers that say so."""

    name: str
    kept: bool
    text: str


@dataclass(frozen=True)
class Evidence:
    """All there is to judge by. `state` is the manager's when the day was over."""

    books: dict[str, Any]
    state: State
    answers: list[Answer]
    audit_dir: Path
    access: Access
    naked_limit_ms: int
    replay_is_same: bool


class Traded(msgspec.Struct, kw_only=True):
    """One executed order, summed from the exchange's trades; money in USDT, the commission as a cost."""

    quantity: Decimal = Decimal(0)
    value: Decimal = Decimal(0)
    profit: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)


def judge(evidence: Evidence) -> tuple[list[Promise], VerifyReport]:
    """Every promise, and the verification of the log."""
    verified = verify(evidence.audit_dir)
    return [
        _once(evidence),
        _protected(evidence),
        _clean(evidence),
        _true(evidence),
        _provable(evidence, verified),
        _polite(evidence),
        _quiet(evidence),
        _clear(evidence),
    ], verified


def traded_orders(books: dict[str, Any]) -> dict[OrderKey, Traded]:
    """Every order that the exchange executed."""
    orders: dict[OrderKey, Traded] = {}
    for row in books["trades"]:
        order = orders.setdefault((row["symbol"], int(row["orderId"])), Traded())
        quantity = exact(row["qty"])
        order.quantity += quantity
        order.value += quantity * exact(row["price"])
        order.profit += exact(row["realizedPnl"])
        order.commission += exact(row["commission"])
    return orders


def entries(state: State) -> dict[str, ExecutionReport]:
    """What finally became of each signal that opened a position, by signal id.

    The report of a CLOSE shows the same entry; the entry's own id says whose it was.
    """
    reports = {signal_id: record.report for signal_id, record in state.signals.items()}
    return {
        signal_id: report
        for signal_id, report in reports.items()
        if report is not None
        and report.entry is not None
        and report.entry.executed_quantity > 0
        and report.entry.client_order_id == client_order_id(signal_id, Role.ENTRY)
    }


def _executed(state: State) -> Iterator[tuple[OrderKey, OrderReport]]:
    for report in entries(state).values():
        for order in (report.entry, report.exit):
            if order is not None and order.exchange_order_id is not None:
                yield (report.symbol, order.exchange_order_id), order


def _once(evidence: Evidence) -> Promise:
    there, ours = traded_orders(evidence.books), dict(_executed(evidence.state))
    entered = entries(evidence.state)
    repeated = sum(answer.report.status is ReportStatus.DUPLICATE for answer in evidence.answers)
    unexplained = [key for key in there if key not in ours]
    lost = sum("fault" in row for row in evidence.books["requests"])
    text = (
        f"{counted(len(entered), 'entry', 'entries')} executed, one per signal; {counted(repeated, 'repeated signal')}"
        f" sent nothing, {counted(lost, 'lost reply', 'lost replies')} resolved without sending again"
    )
    if unexplained:
        text += f"; orders nobody asked for: {', '.join(f'{symbol} {number}' for symbol, number in unexplained)}"
    return Promise(name="Once", kept=not unexplained and len(there) == 2 * len(entered), text=text)


def _protected(evidence: Evidence) -> Promise:
    worst_ms = max((int(row["worst"]) for row in evidence.books["nakedMs"].values()), default=0)
    text = f"a position was without a live stop for {worst_ms} ms at worst; the limit is {evidence.naked_limit_ms} ms"
    return Promise(name="Protected", kept=worst_ms < evidence.naked_limit_ms, text=text)


def _clean(evidence: Evidence) -> Promise:
    books = evidence.books
    resting = [str(row["clientOrderId"]) for row in books["openOrders"]]
    resting += [str(row["clientAlgoId"]) for row in books["openAlgoOrders"]]
    ours = [client_id for client_id in resting if is_ours(client_id)]
    text = (
        f"at the end {counted(len(books['positions']), 'position')} open, {counted(len(ours), 'order')} of ours resting"
    )
    return Promise(name="Clean", kept=not ours and not books["positions"], text=text)


def _true(evidence: Evidence) -> Promise:
    there = traded_orders(evidence.books)
    wrong = [key for key, order in _executed(evidence.state) if not _agrees(order, there.get(key))]
    open_now = evidence.state.brackets
    text = f"{len(there)} executed orders: quantities and average prices are the exchange's own"
    if wrong or open_now:
        text = f"our record differs from the exchange's trades in {wrong}, and believes {list(open_now)} open"
    return Promise(name="True", kept=not wrong and not open_now, text=text)


def _agrees(order: OrderReport, traded: Traded | None) -> bool:
    if traded is None or order.average_price is None or order.executed_quantity != traded.quantity:
        return False
    average = traded.value / traded.quantity
    return abs(order.average_price - average) <= average * PRICE_TOLERANCE


def _provable(evidence: Evidence, verified: VerifyReport) -> Promise:
    same = evidence.replay_is_same
    sent = sum(
        row["method"] == "POST" and row["path"] in ("/fapi/v1/order", "/fapi/v1/algoOrder")
        for row in evidence.books["requests"]
    )
    recorded = sum(1 for _ in iter_lines(evidence.audit_dir, event_type="order_intent"))
    chain = "intact" if verified.ok else f"broken at {verified.problems[0].file}:{verified.problems[0].line_number}"
    text = (
        f"{sent} orders sent, {recorded} intents on record first; {verified.lines} lines, chain {chain};"
        f" replay gives {'the same' if same else 'OTHER'} decisions and state"
    )
    return Promise(name="Provable", kept=verified.ok and same and sent == recorded, text=text)


def _polite(evidence: Evidence) -> Promise:
    requests = evidence.books["requests"]
    refused = sum(row["status"] in (418, 429) for row in requests)
    text = f"{evidence.books['history']['requests']} requests, {refused} refused for being too many"
    return Promise(name="Polite", kept=refused == 0, text=text)


def _quiet(evidence: Evidence) -> Promise:
    secrets = (evidence.access.api_key.encode(), evidence.access.api_secret.encode())
    files = [path for path in evidence.audit_dir.rglob("*") if path.is_file()]
    found = [path.name for path in files if any(secret in path.read_bytes() for secret in secrets)]
    text = (
        f"neither key nor secret in the {len(files)} files of the log" if not found else f"a secret stands in {found}"
    )
    return Promise(name="Quiet", kept=not found, text=text)


def _clear(evidence: Evidence) -> Promise:
    silent = [
        answer.report.signal_id
        for answer in evidence.answers
        if answer.report.status in (ReportStatus.DENIED, ReportStatus.REJECTED) and answer.report.reason is None
    ]
    refused = [answer.report.reason.code for answer in evidence.answers if _is_refusal(answer) and answer.report.reason]
    text = f"{len(evidence.answers)} signals answered; refused with a code: {', '.join(refused) or 'none'}"
    if silent:
        text += f"; without one: {silent}"
    return Promise(name="Clear", kept=not silent, text=text)


def _is_refusal(answer: Answer) -> bool:
    return answer.report.status in (ReportStatus.DENIED, ReportStatus.REJECTED, ReportStatus.DUPLICATE)
