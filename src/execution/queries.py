"""Read models: what people and programs ask about, folded from the engine's state."""

from __future__ import annotations

from decimal import Decimal
from statistics import median_low
from typing import Any, Protocol

import msgspec

from ..core.audit_logger import AuditLogger
from ..core.bracket import Bracket
from ..core.client_ids import client_order_id
from ..core.legs import shown_leg
from ..core.naked import naked_time
from ..core.position import open_quantity
from ..core.report import Reason
from ..core.state import State
from ..core.values import PositionSide, Role, Side, exact, tidy


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """A position as the exchange has it: amount signed, in the base asset; prices and profit in USDT."""

    symbol: str
    position_side: PositionSide
    amount: Decimal
    entry_price: Decimal
    mark_price: Decimal
    unrealized_profit: Decimal
    liquidation_price: Decimal


class BracketView(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of ours at work."""

    signal_id: str
    symbol: str
    side: Side
    quantity: Decimal
    open_quantity: Decimal
    average_price: Decimal | None
    entry_status: str
    stop_loss: Decimal | None
    stop_loss_status: str
    take_profit: Decimal | None
    take_profit_status: str
    closing: str | None
    naked_now_ms: int
    naked_first_ms: int | None
    naked_later_ms: int
    naked_worst_ms: int
    claimed: bool = False


class NakedSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Unprotected time of ended trades, in ms on the exchange's clock: of each its worst gap."""

    trades: int
    median_ms: int
    worst_ms: int
    worst_signal_id: str


class ManagerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the manager knows of itself; with `missing_checks` (name: what came of it) it is protect-only."""

    venue: str
    stream_up: bool
    journal_healthy: bool
    journal_failure: str | None
    anomalies: int
    missing_checks: dict[str, str]
    conditions: tuple[Reason, ...]
    brackets: tuple[BracketView, ...]
    naked_recent: NakedSummary | None
    budgets: dict[str, Any]


class Budgets(Protocol):
    """Whatever can tell how much of the rate limits is used."""

    def status(self) -> Any:
        """A plain struct or mapping."""
        ...


def position_of(rows: list[dict[str, Any]]) -> Position | None:
    """The first position row that is not zero."""
    for row in rows:
        amount = exact(row["positionAmt"])
        if amount != 0:
            return Position(
                symbol=row["symbol"],
                position_side=PositionSide(row["positionSide"]),
                amount=amount,
                entry_price=exact(row["entryPrice"]),
                mark_price=exact(row["markPrice"]),
                unrealized_profit=exact(row["unRealizedProfit"]),
                liquidation_price=exact(row["liquidationPrice"]),
            )
    return None


def bracket_views(state: State, now_ms: int) -> tuple[BracketView, ...]:
    """The brackets at work, oldest first."""
    return tuple(_view(state, bracket, now_ms) for bracket in state.brackets.values())


def naked_recent(state: State) -> NakedSummary | None:
    """Over the ended trades whose reports are still kept (`REPORTS_KEPT` signals); None when there are none."""
    worst = {
        signal_id: record.report.timings.naked_ms
        for signal_id, record in state.signals.items()
        if record.ended
        and record.report is not None
        and record.report.entry is not None
        # The report of a CLOSE shows the trade it closed: that counts once, by its entry's own signal.
        and record.report.entry.client_order_id == client_order_id(signal_id, Role.ENTRY)
        and record.report.timings is not None
        and record.report.timings.naked_ms is not None
    }
    if not worst:
        return None
    worst_id = max(worst, key=worst.__getitem__)
    return NakedSummary(
        trades=len(worst),
        median_ms=median_low(worst.values()),
        worst_ms=worst[worst_id],
        worst_signal_id=worst_id,
    )


def manager_status(
    state: State, tracker: Budgets, journal: AuditLogger, now_ms: int, missing_checks: dict[str, str]
) -> ManagerStatus:
    """Everything about the running manager."""
    return ManagerStatus(
        venue=state.venue,
        stream_up=state.stream_up,
        journal_healthy=journal.healthy,
        journal_failure=journal.failure,
        anomalies=state.anomalies,
        missing_checks=missing_checks,
        conditions=conditions(state),
        brackets=bracket_views(state, now_ms),
        naked_recent=naked_recent(state),
        budgets=msgspec.to_builtins(tracker.status()),
    )


def conditions(state: State) -> tuple[Reason, ...]:
    """What stands in the way of working as the settings say."""
    refused = state.arming_refused
    if refused is None:
        return ()
    text = (
        "ARM=with_entry is not in force: the exchange refused stop and target that leave with the entry, so they leave "
        "after the fill; a start with ARM=after_fill forgets this"
    )
    facts = {"code": str(refused.code), "text": refused.text, "at_ms": str(refused.at_ms)}
    return (Reason(code="arming_refused", text=text, context=facts),)


def _view(state: State, bracket: Bracket, now_ms: int) -> BracketView:
    entry = state.orders[bracket.entry_id]
    naked = naked_time(bracket, now_ms)
    return BracketView(
        signal_id=bracket.signal_id,
        symbol=bracket.symbol,
        side=bracket.entry_side,
        quantity=bracket.quantity,
        open_quantity=open_quantity(state, bracket),
        average_price=None if entry.average is None else tidy(entry.average),
        entry_status=entry.status.value,
        stop_loss=bracket.stop_loss.trigger_price if bracket.stop_loss else None,
        stop_loss_status=_leg_status(state, bracket, Role.STOP_LOSS),
        take_profit=bracket.take_profit.trigger_price if bracket.take_profit else None,
        take_profit_status=_leg_status(state, bracket, Role.TAKE_PROFIT),
        closing=bracket.closing.value if bracket.closing else None,
        naked_now_ms=naked.now_ms,
        naked_first_ms=naked.first_ms,
        naked_later_ms=naked.later_ms,
        naked_worst_ms=naked.worst_ms,
        claimed=bracket.claimed,
    )


def _leg_status(state: State, bracket: Bracket, role: Role) -> str:
    algo = shown_leg(state, bracket, role)
    return algo.status.value if algo else ""
