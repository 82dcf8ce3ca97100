"""What the caller is told: the execution report."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from .values import Side


class ReportStatus(StrEnum):
    """How a signal ended, as the exchange's own facts have it."""

    PROTECTED = "protected"
    PARTIALLY_PROTECTED = "partially_protected"  # the stop is live, the take profit is not (yet)
    OPEN_UNPROTECTED = "open_unprotected"  # no stop was asked for
    CLOSED = "closed"
    ALREADY_FLAT = "already_flat"
    DENIED = "denied"  # refused by us; nothing was sent
    REJECTED = "rejected"  # refused by the exchange; nothing is open
    FLATTENED = "flattened"  # opened, could not be protected, closed at market
    DUPLICATE = "duplicate"
    UNRESOLVED = "unresolved"  # the exchange cannot be asked at the moment; we go on asking


class OrderReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One order of the bracket: ids, quantities in the base asset, prices in USDT, the last known status."""

    client_order_id: str
    exchange_order_id: int | None = None
    algo_id: int | None = None
    side: Side
    quantity: Decimal | None = None
    executed_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    trigger_price: Decimal | None = None
    status: str = ""
    error_code: int | None = None


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Instants in ms on the exchange's clock (as we estimate it, or as it told us).

    `naked_…` are lengths in ms: how long the position was without a live stop from its first fill on (`first`), the
    worst time after that (`later`, 0 if there was none), and the worse of the two (`naked_ms`). None where nothing was
    filled, or no stop was asked for.
    """

    received_at_ms: int
    entry_sent_at_ms: int | None = None
    first_fill_at_ms: int | None = None
    stop_live_at_ms: int | None = None
    concluded_at_ms: int | None = None
    naked_ms: int | None = None
    naked_first_ms: int | None = None
    naked_later_ms: int | None = None


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why: a stable code, a sentence that says what to do, and the numbers behind it."""

    code: str
    text: str
    context: dict[str, str] = msgspec.field(default_factory=dict)


class ExecutionReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one signal."""

    signal_id: str
    symbol: str
    status: ReportStatus
    reason: Reason | None = None
    entry: OrderReport | None = None
    take_profit: OrderReport | None = None
    stop_loss: OrderReport | None = None
    exit: OrderReport | None = None
    timings: Timings | None = None
    claimed: bool = False  # the position was opened by others and taken over; `entry` was no order of ours

    def to_json(self) -> str:
        """The report as one JSON object; numbers are strings."""
        return msgspec.json.encode(self).decode()
