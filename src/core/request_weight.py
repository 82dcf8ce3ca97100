"""The rate budgets: how much is used, and who may still spend.

Two budgets with different owners: request weight per IP address, order count per account (binance-usdm.md
§7). The exchange's count comes with every answer, errors included; our own requests in flight are added
(`usage_window`). Who is shed first is the point: entries and routine, then queries; exits last and protection
never, for a stop that waits is a loss that does not. After a 429 for weight only exits and protection are sent;
after one for orders no entry, for questions cost none. During a ban (418) nothing: every request makes it longer.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from math import floor
from typing import Any, Final, Literal

import msgspec

from . import usage_pools
from .usage_pools import LENGTHS_MS, LIMITS_DEFAULT, ban_end_ms
from .usage_window import UsageWindow

__all__ = [
    "Admission",
    "PoolStatus",
    "RequestClass",
    "RequestWeightTracker",
    "Reservation",
    "UsageStatus",
    "ban_end_ms",
]

Level = Literal["ok", "warning", "held", "limited", "banned"]

_LEVELS: Final[tuple[Level, ...]] = ("ok", "warning", "held", "limited", "banned")
_MINUTE_MS: Final = 60_000
_FLOAT_SLACK: Final = 1e-9  # 0.9 * 2400 must not come out as 2159
_BAN_DEFAULT_MS: Final = 2 * _MINUTE_MS  # the shortest ban the exchange gives


class RequestClass(Enum):
    """What a request is for, the most important first."""

    PROTECT = "protect"
    EXIT = "exit"
    QUERY = "query"  # what became of an order, what is open
    ROUTINE = "routine"  # whether all is as it is believed to be
    ENTRY = "entry"


class Admission(msgspec.Struct, frozen=True):
    """Whether a request may be sent now. `reason`: "", `banned`, `rate_limited` or `budget_<pool>`.

    `numbers` holds the facts: `until_ms`, or `used`, `cost`, `ceiling`, `limit`, `resets_at_ms` of the pool. `wait_ms`
    is the time until then.
    """

    ok: bool
    reason: str = ""
    numbers: dict[str, int] = msgspec.field(default_factory=dict)
    wait_ms: int = 0


class Reservation(msgspec.Struct, frozen=True):
    """Requests in flight, until `settle` or `release`."""

    token: int
    reserved_at_ms: int


class PoolStatus(msgspec.Struct, frozen=True):
    """One pool now; `resets_at_ms` on the exchange's clock."""

    used: int
    limit: int
    fraction: float
    level: Level
    resets_at_ms: int


class UsageStatus(msgspec.Struct, frozen=True):
    """All pools now; `level` is the worst. `*_until_ms` on the exchange's clock, None where it is not so."""

    level: Level
    pools: dict[str, PoolStatus]
    limited_until_ms: int | None
    banned_until_ms: int | None


class RequestWeightTracker:
    """Counts what the exchange counts and says who may spend. Safe for threads.

    Args:
        now_ms: the exchange's clock, in ms; windows are aligned to its minutes and ten seconds.
        steady_ms: a clock in ms that never steps, on which pauses and bans end: measuring the exchange's clock anew
            must neither shorten a ban nor prolong it. Default: `now_ms`.
        limits: by pool (`usage_pools`), where not the defaults; `update_limits` brings the exchange's own.
        warning_threshold: fraction of a pool at which `on_warning` is told, once per window.
        hard_threshold: fraction at which entries and routine questions stop.
        query_threshold: fraction at which queries stop (never below `hard_threshold`).
        on_warning: gets the pool's name and status, outside the tracker's lock.
    """

    def __init__(
        self,
        *,
        now_ms: Callable[[], int],
        steady_ms: Callable[[], int] | None = None,
        limits: Mapping[str, int] | None = None,
        warning_threshold: float = 0.8,
        hard_threshold: float = 0.9,
        query_threshold: float = 0.95,
        on_warning: Callable[[str, PoolStatus], object] | None = None,
    ) -> None:
        if not 0 < warning_threshold <= hard_threshold <= 1:
            raise ValueError("thresholds must satisfy 0 < warning <= hard <= 1")
        effective = {**LIMITS_DEFAULT, **(limits or {})}
        if effective.keys() != LIMITS_DEFAULT.keys() or min(effective.values()) <= 0:
            raise ValueError(f"limits must be positive, for {', '.join(LIMITS_DEFAULT)}")
        self._now_ms = now_ms
        self._steady_ms = steady_ms or now_ms
        self._warning = warning_threshold
        self._shares = {
            RequestClass.EXIT: 1.0,
            RequestClass.QUERY: max(query_threshold, hard_threshold),
            RequestClass.ROUTINE: hard_threshold,
            RequestClass.ENTRY: hard_threshold,
        }
        self._on_warning = on_warning
        self._lock = threading.Lock()
        self._pools = {name: UsageWindow(limit, LENGTHS_MS[name]) for name, limit in effective.items()}
        self._tokens = 0
        self._limited_until_ms = 0  # these three on the steady clock
        self._orders_limited_until_ms = 0
        self._banned_until_ms = 0

    def observe(self, headers: Mapping[str, str], *, sent_at_ms: int | None = None) -> None:
        """Take the counts from an answer's headers (any case), refusals included.

        `sent_at_ms` (exchange clock) is when its request left: an answer from an earlier window says nothing
        about this one. Unreadable values are ignored.
        """
        counts = usage_pools.counts(headers)
        with self._lock:
            self._roll()
            for name, count in counts.items():
                self._pools[name].observe(count, sent_at_ms)
            due = self._warnings_due()
        self._warn(due)

    def admits(self, purpose: RequestClass, weight: int = 0, orders: int = 0) -> Admission:
        """Whether `purpose` may spend this much now. For an entry give the cost of its whole bracket."""
        with self._lock:
            return self._admission(purpose, self._roll(), weight, orders)

    def reserve(self, weight: int = 0, orders: int = 0) -> Reservation:
        """Requests of this cost are about to leave; count them until `settle` or `release`."""
        with self._lock:
            reservation = self._reserve(self._roll(), weight, orders)
            due = self._warnings_due()
        self._warn(due)
        return reservation

    def admit(self, purpose: RequestClass, weight: int = 0, orders: int = 0) -> tuple[Admission, Reservation | None]:
        """`admits` and `reserve` in one act, so that two threads cannot both take the last room."""
        with self._lock:
            now_ms = self._roll()
            admission = self._admission(purpose, now_ms, weight, orders)
            reservation = self._reserve(now_ms, weight, orders) if admission.ok else None
            due = self._warnings_due()
        self._warn(due)
        return admission, reservation

    def settle(self, reservation: Reservation, headers: Mapping[str, str] | None = None) -> None:
        """The requests are over: answered (with these headers, unless `observe` had them) or lost."""
        if headers is not None:
            self.observe(headers, sent_at_ms=reservation.reserved_at_ms)
        with self._lock:
            self._roll()
            for pool in self._pools.values():
                pool.settle(reservation.token)

    def release(self, reservation: Reservation) -> None:
        """The requests never left."""
        with self._lock:
            for pool in self._pools.values():
                pool.release(reservation.token)

    def note_rate_limited(self, retry_after_s: float | None = None) -> None:
        """A 429 came: only exits and protection until then; without `Retry-After`, until the next minute."""
        with self._lock:
            self._limited_until_ms = max(self._limited_until_ms, self._retry_at_ms(retry_after_s))

    def note_orders_limited(self, retry_after_s: float | None = None) -> None:
        """A 429 for the number of orders came (-1015): no entry until then. It is the account's pool, not the
        address's: questions go on (binance-usdm.md §7.3)."""
        with self._lock:
            self._orders_limited_until_ms = max(self._orders_limited_until_ms, self._retry_at_ms(retry_after_s))

    def note_banned(self, length_ms: int | None = None) -> None:
        """A 418 came: nothing for so long; unsaid, two minutes."""
        with self._lock:
            until_ms = self._steady_ms() + (_BAN_DEFAULT_MS if length_ms is None else length_ms)
            self._banned_until_ms = max(self._banned_until_ms, until_ms)

    def ban_left_ms(self) -> int:
        """How long nothing at all may be sent; 0 without a ban."""
        with self._lock:
            return self._left_ms(self._banned_until_ms)

    def update_limits(self, rate_limits: Iterable[Mapping[str, Any]]) -> None:
        """Take the limits from exchangeInfo's `rateLimits`; rules of other kinds are left alone."""
        with self._lock:
            for name, limit in usage_pools.limits(rate_limits).items():
                self._pools[name].limit = limit

    def status(self) -> UsageStatus:
        """What is used now, against which limits, and when it ends."""
        with self._lock:
            now_ms = self._roll()
            pools = {name: self._status(pool) for name, pool in self._pools.items()}
            limited_ms = self._left_ms(max(self._limited_until_ms, self._orders_limited_until_ms))
            banned_ms = self._left_ms(self._banned_until_ms)
            return UsageStatus(
                level=max((pool.level for pool in pools.values()), key=_LEVELS.index),
                pools=pools,
                limited_until_ms=now_ms + limited_ms if limited_ms else None,
                banned_until_ms=now_ms + banned_ms if banned_ms else None,
            )

    def _left_ms(self, until_ms: int) -> int:
        return max(0, until_ms - self._steady_ms())

    def _retry_at_ms(self, retry_after_s: float | None) -> int:
        rest_of_minute_ms = _MINUTE_MS - self._roll() % _MINUTE_MS
        return self._steady_ms() + (rest_of_minute_ms if retry_after_s is None else round(retry_after_s * 1000))

    def _roll(self) -> int:
        now_ms = self._now_ms()
        for pool in self._pools.values():
            pool.roll(now_ms)
        return now_ms

    def _reserve(self, now_ms: int, weight: int, orders: int) -> Reservation:
        self._tokens += 1
        for name, pool in self._pools.items():
            pool.reserve(self._tokens, weight if name == usage_pools.WEIGHT_1M else orders)
        return Reservation(self._tokens, now_ms)

    def _admission(self, purpose: RequestClass, now_ms: int, weight: int, orders: int) -> Admission:
        if (left_ms := self._left_ms(self._banned_until_ms)) > 0:
            return _until("banned", now_ms, left_ms)
        is_urgent = purpose in (RequestClass.PROTECT, RequestClass.EXIT)
        if (left_ms := self._left_ms(self._limited_until_ms)) > 0 and not is_urgent:
            return _until("rate_limited", now_ms, left_ms)
        if (left_ms := self._left_ms(self._orders_limited_until_ms)) > 0 and purpose is RequestClass.ENTRY:
            return _until("rate_limited", now_ms, left_ms)
        if purpose is RequestClass.PROTECT:
            return Admission(ok=True)
        for name, pool in self._pools.items():
            cost = weight if name == usage_pools.WEIGHT_1M else orders
            if not self._has_room(purpose, pool, cost):
                numbers = {
                    "used": pool.used,
                    "cost": cost,
                    "ceiling": self._ceiling(purpose, pool),
                    "limit": pool.limit,
                    "resets_at_ms": pool.resets_at_ms,
                }
                wait_ms = pool.resets_at_ms - now_ms
                return Admission(ok=False, reason=f"budget_{name}", numbers=numbers, wait_ms=wait_ms)
        return Admission(ok=True)

    def _has_room(self, purpose: RequestClass, pool: UsageWindow, cost: int) -> bool:
        ceiling = self._ceiling(purpose, pool)
        if purpose is RequestClass.ENTRY and pool.used >= ceiling:
            return False  # even one that costs nothing here: what follows it will
        return cost == 0 or pool.used + cost <= ceiling

    def _ceiling(self, purpose: RequestClass, pool: UsageWindow) -> int:
        return floor(pool.limit * self._shares[purpose] + _FLOAT_SLACK)

    def _status(self, pool: UsageWindow) -> PoolStatus:
        level: Level = "ok"
        if self._left_ms(self._banned_until_ms) > 0:
            level = "banned"
        elif self._left_ms(max(self._limited_until_ms, self._orders_limited_until_ms)) > 0:
            level = "limited"
        elif pool.used >= self._ceiling(RequestClass.ENTRY, pool):
            level = "held"
        elif pool.fraction >= self._warning:
            level = "warning"
        return PoolStatus(pool.used, pool.limit, pool.fraction, level, pool.resets_at_ms)

    def _warnings_due(self) -> list[tuple[str, PoolStatus]]:
        due: list[tuple[str, PoolStatus]] = []
        for name, pool in self._pools.items():
            if not pool.warned and pool.fraction >= self._warning:
                pool.warned = True
                due.append((name, self._status(pool)))
        return due

    def _warn(self, due: list[tuple[str, PoolStatus]]) -> None:
        if self._on_warning is not None:
            for name, status in due:
                self._on_warning(name, status)


def _until(reason: str, now_ms: int, left_ms: int) -> Admission:
    return Admission(ok=False, reason=reason, numbers={"until_ms": now_ms + left_ms}, wait_ms=left_ms)
