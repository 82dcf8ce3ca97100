"""A clock that was wrong and is set: nothing waits until it has caught up, and nothing is over that has just begun."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from bracketeer.core import clock_set
from bracketeer.core.bracket import Bracket
from bracketeer.core.events import ClockSet
from bracketeer.core.order import AlgoOrder, Order, Tries
from bracketeer.core.state import PositionView, State
from bracketeer.core.turn import Turn
from bracketeer.core.values import AlgoStatus
from tests.support.stories import F0, S0, S1, Story, submits

EXEMPT = {
    # On the exchange's own clock, as it told them.
    Bracket: {"claimed_from_ms", "expires_ms", "external_ms", "stop_live_ms"},
    Order: {"first_fill_ms", "last_fill_ms", "untold_ms", "updated_ms"},
    AlgoOrder: {"ended_ms", "live_since_ms", "untold_ms", "updated_ms"},
    PositionView: {"exchange_time_ms", "heard_ms"},
    # Until then a request may still arrive: too late is safe.
    Tries: {"dead_after_ms", "late_until_ms"},
    State: set(),
}
LENGTHS = {"naked_first_ms", "naked_later_ms"}


def _set(story: Story, by_ms: int) -> None:
    story.now += by_ms
    story.feed(ClockSet(at_ms=story.now, by_ms=by_ms))


def _taken_over(off_ms: int) -> tuple[Story, list[str]]:
    """A start on a clock that is off; the stop has gone meanwhile, and the next one is on its way."""
    story = Story().protected()
    story.now += off_ms
    story.restart()
    return story, submits([*story.position("1"), *story.algo_told(S0, AlgoStatus.CANCELED)])


@pytest.mark.parametrize("off_ms", [-20_000, -2_000, 0, 2_000, 20_000, 3_600_000])
@pytest.mark.parametrize("after_ms", [0, 1_000])
def test_closes_in_time_though_the_start_believed_a_wrong_clock(off_ms: int, after_ms: int) -> None:
    """P2: the clock is set while a stop is being tried for; what none is accepted is closed by the limit, not later."""
    story, sent = _taken_over(off_ms)
    began_ms = story.now - off_ms
    is_set = False
    while F0 not in sent and story.now < began_ms + off_ms * (not is_set) + 5_000:
        if not is_set and story.now - began_ms - off_ms >= after_ms:
            _set(story, -off_ms)
            is_set = True
        if S1 in sent:
            sent = submits(story.refuse(S1, -1008))
        sent += submits(story.run_until(story.now + 20))
    assert is_set
    assert F0 in sent
    limit_ms = story.state.policy.naked_limit_ms
    assert story.now - began_ms <= limit_ms
    assert story.now - began_ms >= limit_ms // 2, "it was given the time to succeed"


def test_wake_up_follows_the_clock() -> None:
    """What was due in 100 ms is due in 100 ms, not when the clock has caught up."""
    story, sent = _taken_over(20_000)
    assert sent == [S1]
    story.refuse(S1, -1008, resend_ms=100)
    _set(story, -20_000)
    wake_ms = story.state.next_wake_ms()
    assert wake_ms is not None
    assert story.now < wake_ms <= story.now + 400
    assert S1 in submits(story.run_until(story.now + 400))


def test_everything_of_this_process_is_set_and_nothing_of_the_one_before() -> None:
    """A clock that was ahead: what was stamped from the start on. Of a lost request nothing is."""
    story = Story().protected()
    started = story.now + 20_000
    story.state.started_ms = started
    for off_ms, moved in ((-1, 0), (0, -15_000), (15_000, -15_000)):
        stamp = started + off_ms
        tries = replace(Tries(), **{name: stamp for name in Tries.__struct_fields__ if name.endswith("_ms")})
        state = story.state.copy()
        state.orders = {key: replace(order, tries=tries) for key, order in state.orders.items()}
        state.algos = {key: replace(algo, tries=tries) for key, algo in state.algos.items()}
        clock_set.clock_set(Turn(state=state, now_ms=started), ClockSet(at_ms=started, by_ms=-15_000))
        every = [record.tries for records in (state.orders, state.algos) for record in records.values()]
        assert {one.sent_at_ms for one in every} == {stamp + moved}
        assert {(one.dead_after_ms, one.late_until_ms) for one in every} == {(stamp, stamp)}
        assert state.started_ms == started - 15_000


@pytest.mark.parametrize("kind", EXEMPT)
def test_every_time_is_either_set_or_left_alone_on_purpose(kind: type[msgspec.Struct]) -> None:
    """A new field has to be decided about."""
    known = {
        Bracket: set(clock_set._BRACKET),
        Tries: set(clock_set._TRIES),
        Order: {"acked_ms", "last_fill_known_ms"},
        AlgoOrder: {"acked_ms"},
        PositionView: {"known_at_ms"},
        State: {"started_ms", "stream_since_ms"},
    }[kind]
    times = {name for name in kind.__struct_fields__ if name.endswith("_ms")} - LENGTHS
    assert known | EXEMPT[kind] == times
    assert not known & EXEMPT[kind]
