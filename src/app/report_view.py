"""An execution report in words: the outcome first, then why, then the orders."""

from __future__ import annotations

from decimal import Decimal

from rich.table import Table
from rich.text import Text

from ..core.report import ExecutionReport, OrderReport, ReportStatus, Timings
from ..core.values import Side, plain
from .console import BAD, GOOD, WARNING, marked

_MARKS = {
    ReportStatus.PROTECTED: GOOD,
    ReportStatus.CLOSED: GOOD,
    ReportStatus.ALREADY_FLAT: GOOD,
    ReportStatus.PARTIALLY_PROTECTED: WARNING,
    ReportStatus.OPEN_UNPROTECTED: WARNING,
    ReportStatus.DUPLICATE: WARNING,
    ReportStatus.UNRESOLVED: WARNING,
    ReportStatus.FLATTENED: BAD,
    ReportStatus.DENIED: BAD,
    ReportStatus.REJECTED: BAD,
}


def mark_of(status: ReportStatus) -> str:
    """✔ as asked, ! look at it, ✘ not done."""
    return _MARKS[status]


def report_lines(report: ExecutionReport) -> list[Text | Table]:
    """The report for a terminal."""
    head = marked(mark_of(report.status), (report.status.value, "bold"))
    if report.symbol:
        head.append(f"  {report.symbol}")
    if report.entry is not None:
        head.append(f" {side_word(report.entry.side)}")
        if report.entry.executed_quantity:
            head.append(f" {amount(report.entry.executed_quantity)}")
    if report.claimed:
        head.append("  claimed, opened elsewhere")
    if report.signal_id:
        head.append(f"  signal {report.signal_id}", style="dim")
    lines: list[Text | Table] = [head]
    if report.reason is not None:
        lines.append(Text.assemble("  ", (report.reason.code, "bold"), f": {report.reason.text}"))
    orders = _orders(report)
    if orders.row_count:
        lines.append(orders)
    if report.timings is not None and report.timings.naked_ms is not None:
        lines.append(Text(f"  {naked_words(report.timings)}, on the exchange's clock", style="dim"))
    return lines


def naked_words(timings: Timings) -> str:
    """How long the position was without a live stop: from its first fill on, and the worst time after that."""
    if not timings.naked_later_ms or timings.naked_first_ms is None:
        return f"unprotected for {timings.naked_ms} ms"
    return f"unprotected for {timings.naked_first_ms} ms at first and up to {timings.naked_later_ms} ms later"


def side_word(entry_side: Side) -> str:
    """What the position is called that an entry of this side opens."""
    return "long" if entry_side is Side.BUY else "short"


def amount(value: Decimal | None) -> str:
    """A number as the exchange would write it; a dash where there is none."""
    return "-" if value is None else plain(value)


def _orders(report: ExecutionReport) -> Table:
    table = Table.grid(padding=(0, 2))
    rows = (
        ("entry", report.entry),
        ("stop loss", report.stop_loss),
        ("take profit", report.take_profit),
        ("exit", report.exit),
    )
    for name, order in rows:
        if order is not None:
            table.add_row(f"  {name}", order.side.value, _what(order), Text(order.status), Text(_ids(order), "dim"))
    return table


def _what(order: OrderReport) -> str:
    if order.executed_quantity and order.average_price is not None:
        return f"{amount(order.executed_quantity)} at {amount(order.average_price)}"
    if order.trigger_price is not None:
        return f"whole position at {amount(order.trigger_price)}"
    return f"{amount(order.quantity)}, executed {amount(order.executed_quantity)}"


def _ids(order: OrderReport) -> str:
    """The exchange's numbers; our client ids are in the JSON and in the audit log."""
    if order.algo_id is not None:
        return f"algo {order.algo_id}"
    return "" if order.exchange_order_id is None else f"order {order.exchange_order_id}"
