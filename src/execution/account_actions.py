"""Account settings and cancels by hand. What is asked of the exchange here is journaled before it is sent, too."""

from __future__ import annotations

from typing import Any

import msgspec

from ..core.audit_logger import AuditLogger
from ..core.client_ids import is_ours
from ..core.events import CancelFailed
from ..core.values import MarginType
from .driver import Driver
from .errors import ExchangeError
from .ports import Gateway


class CancelReport(msgspec.Struct, frozen=True, kw_only=True):
    """Client ids: cancelled (or gone already), kept as they protect an open position, and failed with the reason."""

    cancelled: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    failed: dict[str, str] = msgspec.field(default_factory=dict)


class AccountActions:
    """Things a person or an upstream does beside signals."""

    def __init__(self, gateway: Gateway, driver: Driver, journal: AuditLogger) -> None:
        self._gateway = gateway
        self._driver = driver
        self._journal = journal

    def set_leverage(self, symbol: str, leverage: int) -> int:
        """Set the leverage and return what the exchange says it is now."""
        self._intend("set_leverage", symbol, leverage=leverage)
        try:
            result = self._gateway.set_leverage(symbol, leverage)
        except ExchangeError as error:
            self._failed("set_leverage", symbol, error)
            raise
        self._journal.log_event("setting_changed", "set_leverage", symbol, response={"leverage": result})
        return result

    def set_margin_type(self, symbol: str, margin_type: MarginType) -> None:
        """Set the margin type."""
        self._intend("set_margin_type", symbol, margin_type=margin_type.value)
        try:
            changed = self._gateway.set_margin_type(symbol, margin_type)
        except ExchangeError as error:
            self._failed("set_margin_type", symbol, error)
            raise
        self._journal.log_event(
            "setting_changed",
            "set_margin_type",
            symbol,
            response={"margin_type": margin_type.value, "changed": changed},
        )

    def open_orders(self, symbol: str | None) -> list[dict[str, Any]]:
        """Open orders of both stores, marked `ours`."""
        return [{**row, "ours": is_ours(_client_id(row))} for row in self._gateway.open_orders(symbol)]

    def cancel_all(self, symbol: str, *, ours_only: bool) -> CancelReport:
        """Cancel what rests on a symbol, but for the protection of an open position of ours."""
        cancelled, kept, failed = [], [], {}
        for row in self.open_orders(symbol):
            client_id = _client_id(row)
            if client_id in self._guarding(symbol):  # read now: the list may have taken long
                kept.append(client_id)
                continue
            if ours_only and not row["ours"]:
                continue
            algo = row["list"] == "openAlgoOrders"
            self._intend("cancel_order", symbol, client_order_id=client_id, algo=algo)
            outcome = self._gateway.cancel(client_id, symbol, algo=algo)
            if isinstance(outcome, CancelFailed):
                failed[client_id] = outcome.failure.text
                self._journal.log_event(
                    "cancel_failed", "cancel_order", symbol, None, client_id, error=outcome.failure.text
                )
            else:
                cancelled.append(client_id)
                self._journal.log_event("order_canceled", "cancel_order", symbol, None, client_id)
        return CancelReport(cancelled=tuple(cancelled), kept=tuple(kept), failed=failed)

    def _guarding(self, symbol: str) -> set[str]:
        brackets = self._driver.read().on_symbol(symbol)
        return {client_id for bracket in brackets for ids in bracket.ids.values() for client_id in ids}

    def _intend(self, operation: str, symbol: str, *, client_order_id: str | None = None, **data: object) -> None:
        seq = self._journal.log_event(
            "setting_intent" if client_order_id is None else "cancel_intent",
            operation,
            symbol,
            None,
            client_order_id,
            order_data=data,
        )
        self._journal.wait_durable(seq)

    def _failed(self, operation: str, symbol: str, error: ExchangeError) -> None:
        self._journal.log_event("setting_failed", operation, symbol, error=str(error))


def _client_id(row: dict[str, Any]) -> str:
    return str(row.get("clientOrderId") or row.get("clientAlgoId") or "")
