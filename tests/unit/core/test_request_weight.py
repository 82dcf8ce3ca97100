"""The budgets: who may spend, who is shed first, and what people are told."""

import threading
from typing import Any

import pytest

from bracketeer.core.request_weight import PoolStatus, RequestClass, RequestWeightTracker, ban_end_ms
from bracketeer.core.usage_pools import counts, limits

MINUTE = 60_000
START = 29_921_040 * MINUTE
PROTECT, EXIT, QUERY, ENTRY = RequestClass.PROTECT, RequestClass.EXIT, RequestClass.QUERY, RequestClass.ENTRY


class Clock:
    def __init__(self) -> None:
        self.now_ms = START + 1000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tracker(clock: Clock) -> RequestWeightTracker:
    return RequestWeightTracker(now_ms=clock)


def weight(used: int) -> dict[str, str]:
    return {"X-MBX-USED-WEIGHT-1M": str(used)}


def allowed(tracker: RequestWeightTracker, weight: int = 1, orders: int = 0) -> str:
    """The classes that may spend now, most important first, by initial: `PXQRE`."""
    letters = zip("PXQRE", RequestClass, strict=True)
    return "".join(letter for letter, purpose in letters if tracker.admits(purpose, weight, orders).ok)


def test_headers_are_read_in_any_case() -> None:
    """Served lower case, documented upper case; what is no number is left out."""
    headers = {
        "x-mbx-used-weight-1m": "17",
        "X-Mbx-Order-Count-10S": "3",
        "X-MBX-ORDER-COUNT-1M": "many",
        "x-mbx-used-weight": "99",
        "Content-Type": "text",
    }
    assert counts(headers) == {"weight_1m": 17, "orders_10s": 3}


@pytest.mark.parametrize(
    ("used", "classes"),
    [(0, "PXQRE"), (2159, "PXQRE"), (2160, "PXQ"), (2279, "PXQ"), (2280, "PX"), (2399, "PX"), (2400, "P"), (9999, "P")],
)
def test_entries_are_shed_first_protection_never(tracker: RequestWeightTracker, used: int, classes: str) -> None:
    """90 %, 95 %, 100 %, never."""
    tracker.observe(weight(used))
    assert allowed(tracker) == classes


def test_entry_needs_room_for_its_whole_bracket(tracker: RequestWeightTracker) -> None:
    """Half a bracket is worse than none; the refusal gives its numbers."""
    tracker.observe({"x-mbx-order-count-10s": "267"})
    assert tracker.admits(ENTRY, weight=1, orders=3).ok
    refusal = tracker.admits(ENTRY, weight=1, orders=4)
    assert (refusal.ok, refusal.reason, refusal.wait_ms) == (False, "budget_orders_10s", 9_000)
    assert refusal.numbers == {
        "used": 267,
        "cost": 4,
        "ceiling": 270,
        "limit": 300,
        "resets_at_ms": START + 10_000,
    }


def test_entry_that_costs_no_weight_is_held_with_the_rest(tracker: RequestWeightTracker) -> None:
    """Orders weigh nothing, but the questions after them do. A query that costs no orders is not held by orders."""
    tracker.observe(weight(2160))
    assert allowed(tracker, weight=0, orders=1) == "PXQR"
    tracker.observe({"x-mbx-order-count-10s": "300"})
    assert allowed(tracker, weight=1, orders=0) == "PXQ"
    assert allowed(tracker, weight=0, orders=1) == "P"


def test_windows_end_on_the_exchange_s_clock(tracker: RequestWeightTracker, clock: Clock) -> None:
    """Ten seconds for the short one, the minute for the others."""
    tracker.observe({**weight(2400), "x-mbx-order-count-10s": "300", "x-mbx-order-count-1m": "300"})
    clock.now_ms = START + 10_000
    used = {name: pool.used for name, pool in tracker.status().pools.items()}
    assert used == {"weight_1m": 2400, "orders_10s": 0, "orders_1m": 300}
    clock.now_ms = START + MINUTE
    assert tracker.status().pools["weight_1m"].used == 0
    assert allowed(tracker) == "PXQRE"


def test_late_answer_does_not_raise_the_new_window(tracker: RequestWeightTracker, clock: Clock) -> None:
    """By the time it was sent, or by its reservation."""
    reservation = tracker.reserve(weight=5, orders=1)
    clock.now_ms = START + MINUTE + 20
    tracker.observe(weight(2300), sent_at_ms=START + 2000)
    tracker.settle(reservation, weight(2305))
    pools = tracker.status().pools
    assert (pools["weight_1m"].used, pools["orders_1m"].used) == (5, 1)


def test_flight_is_counted_until_it_ends(tracker: RequestWeightTracker) -> None:
    """Reserved, then answered, or never sent."""
    sent, unsent = tracker.reserve(weight=40), tracker.reserve(weight=7)
    assert tracker.status().pools["weight_1m"].used == 47
    tracker.release(unsent)
    tracker.settle(sent, weight(40))
    assert tracker.status().pools["weight_1m"].used == 40


def test_last_room_is_given_once(tracker: RequestWeightTracker) -> None:
    """Admitting and reserving are one act, so threads cannot share the same room."""
    tracker.observe({"x-mbx-order-count-10s": "250"})
    admitted: list[bool] = []

    def enter() -> None:
        admission, reservation = tracker.admit(ENTRY, weight=1, orders=4)
        assert admission.ok == (reservation is not None)
        admitted.append(admission.ok)

    threads = [threading.Thread(target=enter) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert admitted.count(True) == 5


@pytest.mark.parametrize(("retry_after_s", "until_ms"), [(7, START + 8000), (None, START + MINUTE)])
def test_after_429_only_exits_and_protection(
    tracker: RequestWeightTracker, clock: Clock, retry_after_s: float | None, until_ms: int
) -> None:
    """Until `Retry-After`, or the next minute where none is given."""
    tracker.note_rate_limited(retry_after_s)
    assert allowed(tracker) == "PX"
    refusal = tracker.admits(QUERY, 1)
    assert (refusal.reason, refusal.numbers) == ("rate_limited", {"until_ms": until_ms})
    assert refusal.wait_ms == until_ms - clock.now_ms
    assert (tracker.status().level, tracker.status().limited_until_ms) == ("limited", until_ms)
    clock.now_ms = until_ms
    assert allowed(tracker) == "PXQRE"
    assert tracker.status().limited_until_ms is None


def test_after_a_429_for_orders_questions_go_on(tracker: RequestWeightTracker, clock: Clock) -> None:
    """The pool of orders is the account's; what became of an order must be found out all the same (§7.3)."""
    tracker.note_orders_limited(7)
    assert allowed(tracker) == "PXQR"
    refusal = tracker.admits(ENTRY, 0, 1)
    assert (refusal.reason, refusal.numbers) == ("rate_limited", {"until_ms": START + 8000})
    assert (tracker.status().level, tracker.status().limited_until_ms) == ("limited", START + 8000)
    clock.now_ms = START + 8000
    assert allowed(tracker) == "PXQRE"


def test_shorter_limit_does_not_end_a_longer_one(tracker: RequestWeightTracker) -> None:
    """Several refusals arrive together; the latest end counts."""
    tracker.note_rate_limited(30)
    tracker.note_rate_limited(1)
    tracker.note_banned(5 * MINUTE - 1000)
    tracker.note_banned()
    assert tracker.status().limited_until_ms == START + 31_000
    assert tracker.status().banned_until_ms == START + 5 * MINUTE


@pytest.mark.parametrize("leap_ms", [-20_000, 5_000, 20_000])
def test_measuring_the_exchanges_clock_anew_neither_shortens_nor_prolongs_a_ban(clock: Clock, leap_ms: int) -> None:
    """What must not be sent for so long, must not be sent for so long: on a clock that never steps."""
    steady = Clock()
    tracker = RequestWeightTracker(now_ms=clock, steady_ms=steady)
    tracker.note_banned(60_000)
    tracker.note_rate_limited(90)
    clock.now_ms += leap_ms
    steady.now_ms += 59_999
    assert (allowed(tracker), tracker.ban_left_ms()) == ("", 1)
    assert tracker.status().banned_until_ms == clock.now_ms + 1
    steady.now_ms += 1
    assert (allowed(tracker), tracker.ban_left_ms(), tracker.status().level) == ("PX", 0, "limited")
    refusal = tracker.admits(QUERY, 1)
    assert (refusal.wait_ms, refusal.numbers) == (30_000, {"until_ms": clock.now_ms + 30_000})
    steady.now_ms += 30_000
    assert allowed(tracker) == "PXQRE"


def test_during_a_ban_nothing_is_sent(tracker: RequestWeightTracker, clock: Clock) -> None:
    """Not even protection: each request makes the ban longer, and the resting stops are what protects."""
    tracker.note_banned()
    assert allowed(tracker) == ""
    refusal = tracker.admits(PROTECT, 0, 1)
    assert (refusal.reason, refusal.numbers) == ("banned", {"until_ms": START + 1000 + 2 * MINUTE})
    assert {pool.level for pool in tracker.status().pools.values()} == {"banned"}
    clock.now_ms += 2 * MINUTE
    assert allowed(tracker) == "PXQRE"
    assert tracker.status().banned_until_ms is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Way too many requests; IP banned until 1591702613943. Please use the websocket.", 1591702613943),
        ("Way too many requests; IP(1.2.3.4) banned until 1591702613943.", 1591702613943),
        ("Too many requests; current limit is 2400 requests per minute.", None),
        ("banned until tomorrow", None),
        ("", None),
    ],
)
def test_end_of_a_ban_is_read_from_the_text(text: str, expected: int | None) -> None:
    """The text is where the exchange says it."""
    assert ban_end_ms(text) == expected


def test_limits_come_from_exchange_info(tracker: RequestWeightTracker) -> None:
    """The test network's recorded rules; rules of other kinds and nonsense are left alone."""
    rules: list[dict[str, Any]] = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
    ]
    odd: list[dict[str, Any]] = [
        {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 1},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 0},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": "none"},
        {},
    ]
    tracker.update_limits([*rules, *odd])
    assert {name: pool.limit for name, pool in tracker.status().pools.items()} == {
        "weight_1m": 6000,
        "orders_10s": 300,
        "orders_1m": 1200,
    }
    assert limits(odd) == {}


@pytest.mark.parametrize(
    ("used", "level"), [(0, "ok"), (1919, "ok"), (1920, "warning"), (2159, "warning"), (2160, "held"), (3000, "held")]
)
def test_level_says_what_is_going_on(tracker: RequestWeightTracker, used: int, level: str) -> None:
    """80 % warns, 90 % holds entries; the worst pool speaks for all."""
    tracker.observe(weight(used))
    status = tracker.status()
    assert (status.level, status.pools["weight_1m"].level) == (level, level)
    assert status.pools["weight_1m"].fraction == used / 2400
    assert status.pools["weight_1m"].resets_at_ms == START + MINUTE
    assert status.pools["orders_1m"].level == "ok"


def test_warning_comes_once_per_window_and_pool(clock: Clock) -> None:
    """From headers and from our own requests; the callback may ask the tracker."""
    heard: list[tuple[str, PoolStatus]] = []

    def hear(name: str, status: PoolStatus) -> None:
        heard.append((name, status))
        watched.status()  # outside the lock

    watched = RequestWeightTracker(now_ms=clock, on_warning=hear)
    watched.observe(weight(1900))
    watched.reserve(weight=20)
    watched.observe(weight(2000))
    assert [(name, status.used, status.level) for name, status in heard] == [("weight_1m", 1920, "warning")]
    clock.now_ms += MINUTE
    watched.observe({**weight(2200), "x-mbx-order-count-10s": "290"})
    assert [name for name, _ in heard] == ["weight_1m", "weight_1m", "orders_10s"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"warning_threshold": 0.95},
        {"hard_threshold": 1.2},
        {"warning_threshold": 0},
        {"limits": {"weight_1m": 0}},
        {"limits": {"weight": 1}},
    ],
)
def test_settings_that_make_no_sense_are_refused(clock: Clock, arguments: dict[str, Any]) -> None:
    """A budget that holds nothing back, or warns too late, is a mistake."""
    with pytest.raises(ValueError, match=r"thresholds|limits"):
        RequestWeightTracker(now_ms=clock, **arguments)
