"""Reading the wire: strict where orders depend on it, lenient where it only describes.

Statuses must be known, because acting on a misread one costs money. Everything else may be absent, and fields we never
heard of are counted, not refused: the exchange adds some every few weeks (binance-usdm.md §14).
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec

from ...core.values import ZERO, AlgoStatus, OrderStatus

_Wire = TypeVar("_Wire", bound=msgspec.Struct)

UNKNOWN_FIELDS: Counter[str] = Counter()
"""`Struct.field` of every field met that no struct here names, with how often; for people and for the contract
tests."""

ORDER_STATUSES: Final = {
    status.value: status
    for status in (
        OrderStatus.NEW,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.REJECTED,
        OrderStatus.EXPIRED,
        OrderStatus.EXPIRED_IN_MATCH,
    )
}
"""What the exchange may say of a normal order (binance-usdm.md §5.7). The other members of `OrderStatus` are ours."""

ALGO_STATUSES: Final = {
    status.value: status
    for status in (
        AlgoStatus.NEW,
        AlgoStatus.TRIGGERING,
        AlgoStatus.TRIGGERED,
        AlgoStatus.FINISHED,
        AlgoStatus.CANCELED,
        AlgoStatus.REJECTED,
        AlgoStatus.EXPIRED,
    )
}
"""What the exchange may say of a conditional order (binance-usdm.md §4.4)."""


def names(text: str) -> frozenset[str]:
    """The wire names in a text, separated by blanks."""
    return frozenset(text.split())


class UnreadableMessage(ValueError):  # noqa: N818 - reads as the fact it states
    """A payload that cannot be translated. `code` is for the anomaly note; the text quotes no values but statuses."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


def load_json(data: str | bytes) -> Any:
    """The payload as plain objects.

    Raises:
        UnreadableMessage: not JSON.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnreadableMessage("not_json", f"{len(data)} characters that are not JSON") from None


def read(raw: Any, kind: type[_Wire]) -> _Wire:
    """One wire object as its struct.

    Raises:
        UnreadableMessage: a required field is missing, or a field has another JSON type.
    """
    if not isinstance(raw, dict):
        raise UnreadableMessage("unreadable_payload", f"{kind.__name__}: an object was expected")
    try:
        value = msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise UnreadableMessage("unreadable_payload", f"{kind.__name__}: {error}") from None
    known = _encoded_names(kind)
    UNKNOWN_FIELDS.update(f"{kind.__name__}.{name}" for name in raw if name not in known)
    return value


def rows_of(raw: Any) -> list[Any]:
    """A bare list, which is what list endpoints answer (binance-usdm.md §3).

    Raises:
        UnreadableMessage: it is something else. An empty list would be a lie about orders or positions.
    """
    if not isinstance(raw, list):
        raise UnreadableMessage("unreadable_payload", "a list was expected")
    return raw


def order_status(text: str) -> OrderStatus:
    """Strict: `UnreadableMessage` for a status we do not know."""
    try:
        return ORDER_STATUSES[text]
    except KeyError:
        raise UnreadableMessage("unknown_order_status", f"{text!r} is no order status we know") from None


def algo_status(text: str) -> AlgoStatus:
    """Strict: `UnreadableMessage` for a status we do not know."""
    try:
        return ALGO_STATUSES[text]
    except KeyError:
        raise UnreadableMessage("unknown_algo_status", f"{text!r} is no algo status we know") from None


def positive_or_none(value: Decimal | None) -> Decimal | None:
    """The exchange writes "no price yet" as zero."""
    return value if value is not None and value > ZERO else None


def order_id_or_none(text: str | int | None) -> int | None:
    """`actualOrderId` / `ai`: text, empty before the trigger (binance-usdm.md §4.3)."""
    digits = str(text or "")
    return int(digits) or None if digits.isdigit() else None


_names: dict[type[msgspec.Struct], frozenset[str]] = {}


def _encoded_names(kind: type[msgspec.Struct]) -> frozenset[str]:
    names = _names.get(kind)
    if names is None:
        ignored: frozenset[str] = getattr(kind, "ignored", frozenset())
        names = _names[kind] = frozenset(kind.__struct_encode_fields__) | ignored
    return names
