"""The rate budgets against a model of the exchange that counts what really arrives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from bracketeer.core.request_weight import RequestClass, RequestWeightTracker, Reservation
from bracketeer.core.usage_pools import LENGTHS_MS, WEIGHT_1M
from tests.support.profiles import examples

MINUTE = 60_000
START = 29_921_040 * MINUTE
LIFE_MS = 10_000
"""No request is under way for longer: the time-outs are a few seconds."""
LIMITS = {"weight_1m": 40, "orders_10s": 8, "orders_1m": 15}
PROTECT, EXIT, QUERY, ENTRY = RequestClass.PROTECT, RequestClass.EXIT, RequestClass.QUERY, RequestClass.ENTRY
SHARES = {EXIT: 1.0, QUERY: 0.95, ENTRY: 0.9}
HEADERS = {
    "weight_1m": "X-MBX-USED-WEIGHT-1M",
    "orders_10s": "x-mbx-order-count-10s",
    "orders_1m": "x-mbx-order-count-1m",
}


class Request(NamedTuple):
    """One of ours under way; `headers` once it arrived."""

    purpose: RequestClass
    weight: int
    orders: int
    reservation: Reservation
    sent_ms: int
    headers: dict[str, str] | None = None

    def cost(self, pool: str) -> int:
        """In one pool."""
        return self.weight if pool == WEIGHT_1M else self.orders


@dataclass
class Exchange:
    """Counts by pool and window what arrives, ours and what others send from the same address."""

    now_ms: int = START
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)

    def __call__(self) -> int:
        return self.now_ms

    def window(self, pool: str) -> tuple[str, int]:
        """The pool's window now."""
        return pool, self.now_ms // LENGTHS_MS[pool]

    def arrive(self, request: Request) -> Request:
        """It is counted, and the count goes into its answer."""
        for pool in LENGTHS_MS:
            self.counts[self.window(pool)] += request.cost(pool)
        return request._replace(headers=self.headers())

    def headers(self) -> dict[str, str]:
        """What an answer says now."""
        return {HEADERS[pool]: str(self.counts[self.window(pool)]) for pool in LENGTHS_MS}


purposes = st.sampled_from([EXIT, QUERY, ENTRY, ENTRY])
moves = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.tuples(purposes, st.integers(0, 9), st.integers(0, 4))),
        st.tuples(st.just("ask"), st.tuples(purposes, st.integers(0, 9), st.integers(0, 4))),
        st.tuples(st.sampled_from(["arrive", "answer", "lose", "drop", "hear"]), st.integers(0, 9)),
        st.tuples(st.just("others"), st.integers(1, 12)),
        st.tuples(st.just("wait"), st.integers(1, 9000)),
    ),
    max_size=60,
)


class Line:
    """Our requests between a tracker and the exchange."""

    def __init__(self) -> None:
        self.exchange = Exchange()
        self.tracker = RequestWeightTracker(now_ms=self.exchange, limits=LIMITS)
        self.flying: list[Request] = []
        self.heard: Counter[tuple[str, int]] = Counter()  # the highest count that an answer told, by window
        self.admitted: Request | None = None  # by the last move

    def move(self, kind: str, value: Any) -> None:
        """One of `moves`."""
        self.admitted = None
        chosen = self.flying[value % len(self.flying)] if isinstance(value, int) and self.flying else None
        match kind, chosen:
            case "ask", _:
                self.ask(*value)
            case "others", _:
                for pool in LENGTHS_MS:
                    self.exchange.counts[self.exchange.window(pool)] += value
            case "wait", _:
                self.wait(value)
            case "arrive", Request(headers=None):
                self.flying[self.flying.index(chosen)] = self.exchange.arrive(chosen)
            case "hear", Request(headers=dict(headers)):
                self.hear(chosen, headers)
                self.tracker.observe(headers, sent_at_ms=chosen.sent_ms)
            case "answer", Request(headers=dict(headers)):
                self.flying.remove(chosen)
                self.hear(chosen, headers)
                self.tracker.settle(chosen.reservation, headers)
            case "lose", Request():
                self.flying.remove(chosen)
                self.tracker.settle(chosen.reservation)
            case "drop", Request(headers=None):
                self.flying.remove(chosen)
                self.tracker.release(chosen.reservation)

    def ask(self, purpose: RequestClass, weight: int, orders: int) -> None:
        """A request leaves if it is admitted."""
        admission, reservation = self.tracker.admit(purpose, weight, orders)
        assert admission.ok == (reservation is not None)
        if reservation is not None:
            self.admitted = Request(purpose, weight, orders, reservation, self.exchange.now_ms)
            self.flying.append(self.admitted)

    def hear(self, request: Request, headers: dict[str, str]) -> None:
        """A count of the window that the request was sent in; of an earlier one it is no news."""
        for pool, length in LENGTHS_MS.items():
            window = self.exchange.window(pool)
            if request.sent_ms // length == window[1]:
                self.heard[window] = max(self.heard[window], int(headers[HEADERS[pool]]))

    def wait(self, length_ms: int) -> None:
        """Time goes on; what has been under way for too long is over, arrived or not."""
        self.exchange.now_ms += length_ms
        for request in [one for one in self.flying if self.exchange.now_ms - one.sent_ms > LIFE_MS]:
            self.flying.remove(request)
            self.tracker.settle(request.reservation)


@examples(300)
@given(moves)
def test_a_limit_is_never_passed(story: list[tuple[str, Any]]) -> None:
    """Admission is safe: whatever is asked, arrives, is answered, heard of twice, lost or never sent, in any
    interleaving and over the ends of windows, what arrives in a window of any pool, counted by the exchange, stays
    within its limit; and what is counted here is never below it."""
    line = Line()
    for kind, value in story:
        if kind == "others":
            continue
        line.move(kind, value)
        used = line.tracker.status().pools
        for pool in LENGTHS_MS:
            count = line.exchange.counts[line.exchange.window(pool)]
            assert count <= used[pool].used
            assert count <= LIMITS[pool]


@examples(200)
@given(moves)
def test_what_is_known_of_others_is_left_to_them(story: list[tuple[str, Any]]) -> None:
    """Admission is safe beside others on the address: whatever is admitted fits, on top of the highest count heard in
    this window and of all of ours under way, under the ceiling of its class."""
    line = Line()
    for kind, value in story:
        line.move(kind, value)
        if line.admitted is None:
            continue
        for pool, limit in LIMITS.items():
            under_way = sum(one.cost(pool) for one in line.flying)
            if line.admitted.cost(pool):
                used = line.heard[line.exchange.window(pool)] + under_way
                assert used <= limit * SHARES[line.admitted.purpose] + 1e-6


histories = st.lists(
    st.one_of(
        st.tuples(st.just("observe"), st.sampled_from(sorted(HEADERS)), st.integers(0, 60)),
        st.tuples(st.just("reserve"), st.just(""), st.integers(0, 12)),
        st.tuples(st.just("settle"), st.just(""), st.integers(0, 5)),
        st.tuples(st.just("limited"), st.just(""), st.integers(0, 90)),
        st.tuples(st.just("banned"), st.just(""), st.integers(0, 90)),
        st.tuples(st.just("wait"), st.just(""), st.integers(0, 90)),
    ),
    max_size=10,
)


def tracked(history: list[tuple[str, str, int]]) -> tuple[RequestWeightTracker, Exchange]:
    """A tracker after anything, refusals and bans included."""
    exchange = Exchange()
    tracker = RequestWeightTracker(now_ms=exchange, limits=LIMITS)
    reservations: list[Reservation] = []
    acts: dict[str, Callable[[str, int], object]] = {
        "observe": lambda pool, count: tracker.observe({HEADERS[pool]: str(count)}),
        "reserve": lambda _, cost: reservations.append(tracker.reserve(cost, cost // 4)),
        "settle": lambda _, which: list(map(tracker.settle, reservations[which : which + 1])),
        "limited": lambda _, length: tracker.note_rate_limited(length or None),
        "banned": lambda _, length: tracker.note_banned(1000 * length if length else None),
        "wait": lambda _, length: setattr(exchange, "now_ms", exchange.now_ms + 1000 * length),
    }
    for act, name, number in history:
        acts[act](name, number)
    return tracker, exchange


@examples(300)
@given(histories, st.integers(0, 50), st.integers(0, 20))
def test_classes_are_ordered(history: list[tuple[str, str, int]], weight: int, orders: int) -> None:
    """Admission is monotone in importance: in any state, for the same cost, whoever lets an entry pass lets a query
    pass, then an exit, then protection; protection is held by a ban alone, and a ban holds everybody."""
    tracker, exchange = tracked(history)
    verdicts = [tracker.admits(purpose, weight, orders).ok for purpose in (ENTRY, QUERY, EXIT, PROTECT)]
    assert verdicts == sorted(verdicts)
    assert verdicts[-1] == (tracker.status().banned_until_ms is None)
    assert verdicts[-1] or not any(verdicts)
    until_ms = tracker.status().limited_until_ms
    if until_ms is not None and verdicts[-1]:
        assert not verdicts[1]
        exchange.now_ms = until_ms
        assert tracker.status().limited_until_ms is None


@examples(150)
@given(histories, st.integers(0, 50), st.integers(0, 20), st.integers(0, 9), st.integers(0, 9))
def test_dearer_is_never_easier(
    history: list[tuple[str, str, int]], weight: int, orders: int, more: int, more_orders: int
) -> None:
    """Admission is antitone in cost: what is refused at a cost is refused at any higher one, for every class."""
    tracker, _ = tracked(history)
    for purpose in RequestClass:
        dear = tracker.admits(purpose, weight + more, orders + more_orders).ok
        assert tracker.admits(purpose, weight, orders).ok or not dear


@examples(150)
@given(st.data(), histories, st.lists(st.integers(0, 60), max_size=6))
def test_headers_only_correct_upward(data: st.DataObject, history: list[tuple[str, str, int]], told: list[int]) -> None:
    """Hearing a count is the maximum: within a window it never lowers what is used, and the same counts in any order
    and any number of times come to the same; one from an earlier window changes nothing."""
    (one, exchange), (other, _) = tracked(history), tracked(history)
    repeated = data.draw(st.lists(st.sampled_from(told), max_size=4)) if told else []
    again = data.draw(st.permutations(told + repeated))
    for tracker, counts in ((one, told), (other, again)):
        for count in counts:
            before = {name: pool.used for name, pool in tracker.status().pools.items()}
            tracker.observe(dict.fromkeys(HEADERS.values(), str(count)))
            after = {name: pool.used for name, pool in tracker.status().pools.items()}
            assert all(after[name] >= before[name] for name in before)
            assert all(after[name] >= count for name in after)
            tracker.observe(dict.fromkeys(HEADERS.values(), "9999"), sent_at_ms=exchange.now_ms // MINUTE * MINUTE - 1)
            assert after == {name: pool.used for name, pool in tracker.status().pools.items()}
    assert one.status().pools == other.status().pools


@examples(150)
@given(histories, st.integers(0, 50), st.integers(0, 20), st.booleans())
def test_a_request_that_never_left_leaves_no_trace(
    history: list[tuple[str, str, int]], weight: int, orders: int, twice: bool
) -> None:
    """Release is the inverse of reserve, and idempotent; in between the whole cost counts in every pool."""
    tracker, _ = tracked(history)
    before = {name: pool.used for name, pool in tracker.status().pools.items()}
    reservation = tracker.reserve(weight, orders)
    held = {name: pool.used - before[name] for name, pool in tracker.status().pools.items()}
    assert held == {"weight_1m": weight, "orders_10s": orders, "orders_1m": orders}
    for _ in range(1 + twice):
        tracker.release(reservation)
    assert before == {name: pool.used for name, pool in tracker.status().pools.items()}
