"""Named ways to write the usual lines: what happened, in the words the audit log uses everywhere."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .audit_chain import NO_FIELDS, Record

__all__ = ["AuditEvents"]


class AuditEvents(ABC):
    """The convenience face of a journal; each method writes one `note` line and returns its number.

    Notes are for people and reviews: replay skips them.
    """

    @abstractmethod
    def append(
        self,
        record: Record,
        event_type: str,
        *,
        operation: str | None = None,
        symbol: str | None = None,
        signal_id: str | None = None,
        client_order_id: str | None = None,
        fields: Mapping[str, Any] = NO_FIELDS,
    ) -> int:
        """Add a line and return its number."""

    def log_event(
        self,
        event_type: str,
        operation: str | None = None,
        symbol: str | None = None,
        signal_id: str | None = None,
        client_order_id: str | None = None,
        **data: Any,
    ) -> int:
        """Anything worth a line; `data` becomes its fields (`order_data`, `response`, `error`, …)."""
        return self.append(
            "note",
            event_type,
            operation=operation,
            symbol=symbol,
            signal_id=signal_id,
            client_order_id=client_order_id,
            fields=data,
        )

    def log_order_placed(
        self,
        symbol: str,
        order_data: Mapping[str, Any],
        response: Mapping[str, Any] | None = None,
        *,
        operation: str = "place_order",
        signal_id: str | None = None,
        client_order_id: str | None = None,
    ) -> int:
        """The exchange accepted an order."""
        return self.log_event(
            "order_placed",
            operation,
            symbol,
            signal_id,
            client_order_id,
            order_data=order_data,
            response=response,
        )

    def log_order_rejected(
        self,
        symbol: str,
        order_data: Mapping[str, Any],
        error: object,
        *,
        error_code: int | str | None = None,
        operation: str = "place_order",
        signal_id: str | None = None,
        client_order_id: str | None = None,
    ) -> int:
        """The exchange refused an order; `error` is its own text or the exception."""
        return self.log_event(
            "order_rejected",
            operation,
            symbol,
            signal_id,
            client_order_id,
            order_data=order_data,
            error=error,
            error_code=error_code,
        )

    def log_retry_attempt(
        self,
        operation: str,
        *,
        retry_count: int,
        max_retries: int,
        delay_s: float,
        error: object,
        error_code: int | str | None = None,
        status_code: int | None = None,
        symbol: str | None = None,
    ) -> int:
        """A read failed and is tried again: `retry_count` counts from 1, `delay_s` is the pause before it."""
        return self.log_event(
            "retry_attempt",
            operation,
            symbol,
            retry_count=retry_count,
            max_retries=max_retries,
            delay_s=delay_s,
            error=error,
            error_code=error_code,
            status_code=status_code,
        )

    def log_rate_limit(
        self,
        pool: str,
        *,
        used: int,
        limit: int,
        level: str,
        operation: str | None = None,
        retry_after_s: float | Decimal | None = None,
    ) -> int:
        """A budget is running short, or the exchange said so; `pool` and `level` as in the weight tracker."""
        return self.log_event(
            "rate_limit",
            operation,
            pool=pool,
            used=used,
            limit=limit,
            level=level,
            retry_after_s=retry_after_s,
        )
