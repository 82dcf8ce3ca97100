"""The pools the exchange counts in, and what it says about them: headers, exchangeInfo, the text of a ban."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = [
    "LENGTHS_MS",
    "LIMITS_DEFAULT",
    "ORDERS_1M",
    "ORDERS_10S",
    "WEIGHT_1M",
    "ban_end_ms",
    "counts",
    "limits",
]

WEIGHT_1M: Final = "weight_1m"
ORDERS_10S: Final = "orders_10s"
ORDERS_1M: Final = "orders_1m"

LENGTHS_MS: Final = {WEIGHT_1M: 60_000, ORDERS_10S: 10_000, ORDERS_1M: 60_000}
LIMITS_DEFAULT: Final = {WEIGHT_1M: 2400, ORDERS_10S: 300, ORDERS_1M: 1200}

_HEADERS: Final = {
    "x-mbx-used-weight-1m": WEIGHT_1M,
    "x-mbx-order-count-10s": ORDERS_10S,
    "x-mbx-order-count-1m": ORDERS_1M,
}
_RULES: Final[dict[tuple[object, ...], str]] = {
    ("REQUEST_WEIGHT", "MINUTE", 1): WEIGHT_1M,
    ("ORDERS", "SECOND", 10): ORDERS_10S,
    ("ORDERS", "MINUTE", 1): ORDERS_1M,
}
_BAN_END = re.compile(r"banned until (\d{13})\b", re.IGNORECASE)


def counts(headers: Mapping[str, str]) -> dict[str, int]:
    """The exchange's counts by pool, from an answer's headers in any case; non-numbers are left out."""
    return {
        pool: int(value)
        for name, value in headers.items()
        if (pool := _HEADERS.get(name.lower())) is not None and value.isascii() and value.isdigit()
    }


def limits(rate_limits: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The limits by pool, from exchangeInfo's `rateLimits`; rules of other kinds are left out."""
    known: dict[str, int] = {}
    for rule in rate_limits:
        pool = _RULES.get((rule.get("rateLimitType"), rule.get("interval"), rule.get("intervalNum")))
        limit = rule.get("limit")
        if pool is not None and isinstance(limit, int) and limit > 0:
            known[pool] = limit
    return known


def ban_end_ms(text: str) -> int | None:
    """When an IP ban ends (ms since the epoch), from the text of error -1003; None where it does not say.

    The text is the documented place: `Way too many requests; IP banned until 1591702613943. …`
    """
    found = _BAN_END.search(text)
    return int(found[1]) if found else None
