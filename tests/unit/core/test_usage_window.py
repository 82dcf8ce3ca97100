"""The count of one pool against a model of the exchange: never below what is certain, never above what is possible."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bracketeer.core.usage_window import UsageWindow
from tests.support.profiles import examples

MINUTE = 60_000
START = 29_921_040 * MINUTE


def window(now_ms: int = START) -> UsageWindow:
    pool = UsageWindow(2400, MINUTE)
    pool.roll(now_ms)
    return pool


def test_header_raises_and_never_lowers() -> None:
    """Answers arrive out of order; the higher count is the later one."""
    pool = window()
    pool.observe(100, START)
    pool.observe(40, START)
    assert (pool.used, pool.fraction) == (100, 100 / 2400)


def test_request_in_flight_counts_on_top() -> None:
    """No answer so far includes it."""
    pool = window()
    pool.observe(100, START)
    pool.reserve(1, 40)
    assert pool.used == 140
    pool.release(1)
    assert pool.used == 100


def test_answered_request_is_not_counted_twice() -> None:
    """Its own answer's count includes it."""
    pool = window()
    pool.observe(100, START)
    pool.reserve(1, 40)
    pool.observe(140, START)
    pool.settle(1)
    assert pool.used == 140


def test_lost_requests_count() -> None:
    """They may have arrived, both of them."""
    pool = window()
    pool.observe(100, START)
    pool.reserve(1, 5)
    pool.reserve(2, 5)
    pool.settle(1)
    pool.settle(2)
    pool.settle(2)
    assert pool.used == 110


def test_requests_that_end_out_of_order_count_once_each() -> None:
    """The later one is over first: neither hides the other, neither counts for both."""
    pool = window()
    pool.reserve(1, 5)
    pool.reserve(2, 7)
    pool.settle(2)
    assert pool.used == 12
    pool.settle(1)
    assert pool.used == 12


def test_request_that_never_left_is_not_claimed_by_a_later_one() -> None:
    """What was in flight when the later one was reserved turned out to be nothing."""
    pool = window()
    pool.observe(100, START)
    pool.reserve(1, 40)
    pool.reserve(2, 5)
    pool.release(1)
    pool.settle(2)
    assert pool.used == 105


def test_new_window_starts_with_what_is_in_flight() -> None:
    """The exchange may count it there; an answer from the old window says nothing about the new one."""
    pool = window()
    pool.observe(2000, START)
    pool.reserve(1, 5)
    pool.roll(START + MINUTE)
    assert (pool.used, pool.resets_at_ms) == (5, START + 2 * MINUTE)
    pool.observe(2005, START + MINUTE - 1)
    pool.settle(1)
    assert pool.used == 5
    pool.observe(7, START + MINUTE)
    assert pool.used == 7


def test_clock_corrected_backwards_keeps_the_window() -> None:
    """A correction over the boundary is not a new window; a clock that was wrong by far is."""
    pool = window()
    pool.observe(100, START)
    pool.roll(START - 50)
    assert pool.used == 100
    pool.roll(START - 10 * MINUTE)
    assert pool.used == 0


def test_first_measurement_corrects_a_machine_clock_that_is_ahead() -> None:
    """Less than a window ahead: the count of the true window is heard at once, not only when the clock gets there."""
    pool = window(START + 40_000)
    pool.reserve(1, 1)
    pool.roll(START - 20_000)
    pool.observe(2200, START - 20_000)
    assert pool.used == 2201
    pool.settle(1)
    assert pool.used == 2200
    assert pool.resets_at_ms == START


def test_token_nobody_settled_is_dropped_in_time() -> None:
    """A mistake elsewhere must not eat the budget for ever."""
    pool = window()
    pool.reserve(1, 50)
    pool.roll(START + MINUTE)
    assert pool.used == 50
    pool.roll(START + 2 * MINUTE)
    assert pool.used == 0


@dataclass
class Exchange:
    """Counts by window what really arrives; other programs on the same address are part of it."""

    now_ms: int = START
    counts: dict[int, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return self.counts.get(self.now_ms // MINUTE, 0)

    def take(self, cost: int) -> int:
        self.counts[self.now_ms // MINUTE] = self.count + cost
        return self.count


moves = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 50)),
        st.tuples(st.just("arrive"), st.integers(0, 9)),
        st.tuples(st.just("answer"), st.integers(0, 9)),
        st.tuples(st.just("lose"), st.integers(0, 9)),
        st.tuples(st.just("drop"), st.integers(0, 9)),
        st.tuples(st.just("others"), st.integers(1, 100)),
        st.tuples(st.just("wait"), st.integers(1, 25_000)),
    ),
    max_size=60,
)


@examples(500)
@given(moves)
def test_count_stays_between_certain_and_possible(story: list[tuple[str, int]]) -> None:
    """Requests are sent, arrive, are answered late, lost or never sent, in any order and over window ends.

    Below: what of our own arrived in this window. Above: the highest count told in it, plus all our own that may count.
    """
    exchange, pool = Exchange(), window()
    in_flight: dict[int, dict[str, Any]] = {}
    told = ours_arrived = ours_possible = 0
    token = 0
    for move, value in story:
        pool.roll(exchange.now_ms)
        chosen = sorted(in_flight)[value % len(in_flight)] if in_flight else None
        match move:
            case "send":
                token += 1
                pool.reserve(token, value)
                in_flight[token] = {"cost": value, "sent": exchange.now_ms, "count": None}
                ours_possible += value
            case "arrive" if chosen is not None and in_flight[chosen]["count"] is None:
                in_flight[chosen]["count"] = exchange.take(in_flight[chosen]["cost"])
                ours_arrived += in_flight[chosen]["cost"]
            case "answer" if chosen is not None and in_flight[chosen]["count"] is not None:
                request = in_flight.pop(chosen)
                pool.observe(request["count"], request["sent"])
                pool.settle(chosen)
                if request["sent"] // MINUTE == exchange.now_ms // MINUTE:
                    told = max(told, request["count"])
            case "lose" if chosen is not None:
                in_flight.pop(chosen)
                pool.settle(chosen)
            case "drop" if chosen is not None and in_flight[chosen]["count"] is None:
                ours_possible -= in_flight.pop(chosen)["cost"]
                pool.release(chosen)
                pool.release(chosen)
            case "others":
                exchange.take(value)
            case "wait":
                # No request outlives a window and a half: the time-outs are a few seconds.
                before = exchange.now_ms // MINUTE
                exchange.now_ms += value
                stale = [key for key, request in in_flight.items() if exchange.now_ms - request["sent"] > MINUTE]
                if exchange.now_ms // MINUTE != before:
                    told = ours_arrived = 0
                    ours_possible = sum(request["cost"] for request in in_flight.values())
                pool.roll(exchange.now_ms)
                for key in stale:
                    in_flight.pop(key)
                    pool.settle(key)
        assert ours_arrived <= pool.used <= told + ours_possible
