"""What was asked of the exchange, for people and tests; nothing secret is kept."""

import json
from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING

from .faults import Fault
from .messages import Row
from .params import Params

if TYPE_CHECKING:
    from .answers import HttpAnswer
    from .rest.dispatch import RestRequest

REQUESTS_MAX = 5000
TRAIL_MAX = 240
_HIDDEN = frozenset({"signature", "timestamp", "listenkey"})


class RequestLog:
    """The latest requests, oldest first."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque(maxlen=REQUESTS_MAX)
        self.total = 0

    def add(
        self, now_ms: int, request: "RestRequest", params: Params, answer: "HttpAnswer", fault: Fault | None
    ) -> None:
        """Record a request with its outcome, also when the answer never left."""
        shown = {name: value for name, value in params.sent.items() if name.lower() not in _HIDDEN}
        row: Row = {
            "time": now_ms,
            "method": request.method,
            "path": request.path,
            "status": answer.status,
            "code": _code_of(answer),
            "params": shown,
        }
        if fault is not None:
            row["fault"] = fault.name.value
        self._rows.append(row)
        self.total += 1

    def rows(self) -> list[Row]:
        """Give the kept rows."""
        return list(self._rows)

    @property
    def latest(self) -> Row:
        """Give the last row; an empty one before the first."""
        return self._rows[-1] if self._rows else {}


class PriceTrails:
    """Where prices came from: the latest moments of each symbol, for a chart."""

    def __init__(self) -> None:
        self._trails: dict[str, deque[tuple[int, str]]] = {}

    def note(self, symbol: str, now_ms: int, price: Decimal) -> None:
        """Remember a price; of one moment the last one counts."""
        trail = self._trails.setdefault(symbol, deque(maxlen=TRAIL_MAX))
        if trail and trail[-1][0] == now_ms:
            trail.pop()
        trail.append((now_ms, format(price, "f")))

    def rows(self) -> Row:
        """Give all of them."""
        return {symbol: list(trail) for symbol, trail in self._trails.items()}


def _code_of(answer: "HttpAnswer") -> int | None:
    """Give the error code of an answer, None when it was no error."""
    if answer.status < 400:
        return None
    try:
        code = json.loads(answer.body)["code"]
    except ValueError:  # a page of something in front of the exchange
        return None
    return code if isinstance(code, int) else None
