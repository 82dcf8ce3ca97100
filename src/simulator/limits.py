"""Request weight per address and order counts per account, in aligned windows (``binance-usdm.md §7``)."""

from .errors import Code, refusal
from .profiles import Profile

_MINUTE_MS = 60_000
_TEN_SECONDS_MS = 10_000


class Window:
    """A counter that starts again with each aligned window of time."""

    def __init__(self, length_ms: int, limit: int) -> None:
        self.limit = limit
        self._length_ms = length_ms
        self._index = -1
        self._count = 0

    def count(self, now_ms: int) -> int:
        """Give the count of the present window."""
        index = now_ms // self._length_ms
        if index != self._index:
            self._index, self._count = index, 0
        return self._count

    def has_room(self, now_ms: int, cost: int) -> bool:
        """Tell whether a cost still fits."""
        return self.count(now_ms) + cost <= self.limit

    def add(self, now_ms: int, cost: int) -> None:
        """Count a cost."""
        self._count = self.count(now_ms) + cost

    def seconds_left(self, now_ms: int) -> int:
        """Give the whole seconds until the window ends."""
        return -(-(self._length_ms - now_ms % self._length_ms) // 1000)


class OrderCounts:
    """The two order windows of one account."""

    def __init__(self, profile: Profile) -> None:
        self.ten_seconds = Window(_TEN_SECONDS_MS, profile.orders_limit_10s)
        self.minute = Window(_MINUTE_MS, profile.orders_limit_1m)


class RateLimits:
    """All windows of the exchange."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._weights: dict[str, Window] = {}
        self._orders: dict[str, OrderCounts] = {}

    def _weight(self, address: str) -> Window:
        if address not in self._weights:
            self._weights[address] = Window(_MINUTE_MS, self._profile.weight_limit_1m)
        return self._weights[address]

    def _order_counts(self, api_key: str) -> OrderCounts:
        if api_key not in self._orders:
            self._orders[api_key] = OrderCounts(self._profile)
        return self._orders[api_key]

    def charge_weight(self, address: str, weight: int, now_ms: int) -> None:
        """Count a request's weight; beyond the limit it is refused with 429 -1003 and not executed."""
        window = self._weight(address)
        has_room = window.has_room(now_ms, weight)
        window.add(now_ms, weight)
        if not has_room:
            raise refusal(Code.TOO_MANY_REQUESTS, window.limit)

    def charge_orders(self, api_key: str, now_ms: int) -> None:
        """Count an order; beyond a limit it is refused with 429 -1015 and not executed."""
        counts = self._order_counts(api_key)
        for window, name in ((counts.ten_seconds, "10 SECOND"), (counts.minute, "1 MINUTE")):
            if not window.has_room(now_ms, 1):
                raise refusal(Code.TOO_MANY_ORDERS, window.limit, name)
        counts.ten_seconds.add(now_ms, 1)
        counts.minute.add(now_ms, 1)

    def weight_header(self, address: str, now_ms: int) -> dict[str, str]:
        """Give the header that every answer carries."""
        return {"x-mbx-used-weight-1m": str(self._weight(address).count(now_ms))}

    def order_headers(self, api_key: str, now_ms: int) -> dict[str, str]:
        """Give the headers of an order answer."""
        counts = self._order_counts(api_key)
        return {
            "x-mbx-order-count-10s": str(counts.ten_seconds.count(now_ms)),
            "x-mbx-order-count-1m": str(counts.minute.count(now_ms)),
        }

    def retry_after(self, address: str, now_ms: int) -> dict[str, str]:
        """Give the pause a 429 answer asks for: the rest of the minute."""
        return {"retry-after": str(self._weight(address).seconds_left(now_ms))}
