"""Request weight per address, order counts per account, in aligned windows, and bans (``binance-usdm.md §7``)."""

from dataclasses import dataclass

from .errors import Code, ExchangeError, refusal
from .profiles import Profile

_MINUTE_MS = 60_000
_TEN_SECONDS_MS = 10_000
_FUNDING_MS = 5 * _MINUTE_MS
# A ban lasts two minutes at first and doubles for those who come back, up to three days (``§7.3``).
BAN_FIRST_MS = 2 * _MINUTE_MS
BAN_MAX_MS = 3 * 24 * 60 * _MINUTE_MS
_BANNED = "Way too many requests; IP banned until {}. Please use the websocket for live updates to avoid bans."


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


@dataclass(slots=True)
class Conduct:
    """How an address behaved: requests sent on against a 429, and bans."""

    refusals: Window
    bans: int = 0
    banned_until_ms: int = 0


class RateLimits:
    """All windows of the exchange."""

    def __init__(self, profile: Profile, refusals_before_ban: int) -> None:
        self._profile = profile
        self._refusals_before_ban = refusals_before_ban
        self._weights: dict[str, Window] = {}
        self._funding: dict[str, Window] = {}
        self._orders: dict[str, OrderCounts] = {}
        self._conducts: dict[str, Conduct] = {}

    def _weight(self, address: str) -> Window:
        if address not in self._weights:
            self._weights[address] = Window(_MINUTE_MS, self._profile.weight_limit_1m)
        return self._weights[address]

    def _order_counts(self, api_key: str) -> OrderCounts:
        if api_key not in self._orders:
            self._orders[api_key] = OrderCounts(self._profile)
        return self._orders[api_key]

    def _conduct(self, address: str) -> Conduct:
        if address not in self._conducts:
            self._conducts[address] = Conduct(Window(_MINUTE_MS, self._refusals_before_ban))
        return self._conducts[address]

    def check_ban(self, address: str, now_ms: int) -> None:
        """Refuse everything from a banned address: 418 -1003 with the end of the ban in the text."""
        conduct = self._conducts.get(address)
        if conduct is not None and now_ms < conduct.banned_until_ms:
            raise _banned(conduct.banned_until_ms, now_ms)

    def ban(self, address: str, now_ms: int) -> int:
        """Ban an address, longer each time; give the end of it."""
        conduct = self._conduct(address)
        conduct.banned_until_ms = now_ms + min(BAN_MAX_MS, BAN_FIRST_MS << min(conduct.bans, 20))
        conduct.bans += 1
        return conduct.banned_until_ms

    def pardon(self) -> None:
        """End all bans and forget them."""
        self._conducts.clear()

    def charge_weight(self, address: str, weight: int, now_ms: int) -> None:
        """Count a request's weight; beyond the limit it is refused with 429 -1003 and not executed."""
        self._charge(address, self._weight(address), weight, now_ms)

    def charge_funding(self, address: str, now_ms: int) -> None:
        """Count a request of the funding pool, which is apart from weight (``§7.1``)."""
        if address not in self._funding:
            self._funding[address] = Window(_FUNDING_MS, self._profile.funding_limit_5m)
        self._charge(address, self._funding[address], 1, now_ms)

    def _charge(self, address: str, window: Window, cost: int, now_ms: int) -> None:
        has_room = window.has_room(now_ms, cost)
        window.add(now_ms, cost)
        if has_room:
            return
        refusals = self._conduct(address).refusals
        refusals.add(now_ms, 1)
        if refusals.count(now_ms) > refusals.limit:
            raise _banned(self.ban(address, now_ms), now_ms)
        raise _too_many(refusal(Code.TOO_MANY_REQUESTS, window.limit), window, now_ms)

    def charge_orders(self, api_key: str, now_ms: int, ten_second_cost: int = 1) -> None:
        """Count an order, or a batch; beyond a limit it is refused with 429 -1015 and not executed."""
        counts = self._order_counts(api_key)
        costs = ((counts.ten_seconds, ten_second_cost, "10 SECOND"), (counts.minute, 1, "1 MINUTE"))
        for window, cost, name in costs:
            if not window.has_room(now_ms, cost):
                raise _too_many(refusal(Code.TOO_MANY_ORDERS, window.limit, name), window, now_ms)
        for window, cost, _ in costs:
            window.add(now_ms, cost)

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

    def seconds_left(self, address: str, now_ms: int) -> int:
        """Give the seconds until the weight of an address starts again."""
        return self._weight(address).seconds_left(now_ms)


def _too_many(error: ExchangeError, window: Window, now_ms: int) -> ExchangeError:
    error.retry_after_s = window.seconds_left(now_ms)
    return error


def _banned(until_ms: int, now_ms: int) -> ExchangeError:
    error = ExchangeError(Code.TOO_MANY_REQUESTS, _BANNED.format(until_ms), 418)
    error.retry_after_s = -(-(until_ms - now_ms) // 1000)
    return error
