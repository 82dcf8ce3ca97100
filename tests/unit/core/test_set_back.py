"""A clock that was ahead and is set back: nothing waits until it has caught up."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from bracketeer.core import set_back
from bracketeer.core.bracket import Bracket
from bracketeer.core.order import AlgoOrder, Order, Tries
from bracketeer.core.set_back import LEAP_MS, keep_time
from bracketeer.core.state import PositionView, State
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
    State: {"clock_ms"},
}
LENGTHS = {"naked_first_ms", "naked_later_ms"}


@pytest.mark.parametrize("ahead_ms", [0, 2_000, 20_000, 3_600_000])
def test_closes_in_time_though_the_start_believed_a_clock_that_was_ahead(ahead_ms: int) -> None:
    """P2: taken over on the machine's clock, then set right; the stop is gone and none is accepted."""
    story = Story().protected()
    story.now += ahead_ms
    story.restart()
    story.now -= ahead_ms
    began_ms = story.now
    sent = submits([*story.position("1"), *story.algo_told(S0, AlgoStatus.CANCELED)])
    while F0 not in sent and story.now < began_ms + 5_000:
        if S1 in sent:
            sent = submits(story.refuse(S1, -1008))
        sent += submits(story.run_until(story.now + 20))
    assert F0 in sent
    assert story.now <= began_ms + story.state.policy.naked_limit_ms


def test_disorder_is_no_leap() -> None:
    """Threads hand their events over as they get to it."""
    story = Story().protected()
    before = story.state.encode()
    keep_time(story.state, story.state.clock_ms - LEAP_MS)
    assert story.state.encode() == before


def test_nothing_lies_ahead_of_the_clock_but_what_is_safe_there() -> None:
    """Every time of our own, in every record; what the exchange stamped stays, and what a lost request may still do."""
    story = Story().protected()
    story.close()
    state, now = story.state, story.now
    ahead = now + 20_000
    tries = replace(Tries(), **{name: ahead for name in Tries.__struct_fields__ if name.endswith("_ms")})
    for client_id, order in state.orders.items():
        state.orders[client_id] = replace(order, tries=tries)
    for client_id, algo in state.algos.items():
        state.algos[client_id] = replace(algo, tries=tries)
    state.clock_ms = state.started_ms = state.stream_since_ms = ahead
    keep_time(state, now)
    assert (state.clock_ms, state.started_ms, state.stream_since_ms) == (now, now, now)
    every = [record.tries for records in (state.orders, state.algos) for record in records.values()]
    assert {(one.sent_at_ms, one.next_at_ms, one.doubted_ms, one.given_up_ms) for one in every} == {(now,) * 4}
    assert {(one.dead_after_ms, one.late_until_ms) for one in every} == {(ahead, ahead)}


@pytest.mark.parametrize("kind", EXEMPT)
def test_every_time_is_either_kept_or_left_alone_on_purpose(kind: type[msgspec.Struct]) -> None:
    """A new field has to be decided about."""
    kept = {
        Bracket: set(set_back._BRACKET),
        Tries: set(set_back._TRIES),
        Order: {"acked_ms", "last_fill_known_ms"},
        AlgoOrder: {"acked_ms"},
        PositionView: {"known_at_ms"},
        State: {"started_ms", "stream_since_ms"},
    }[kind]
    times = {name for name in kind.__struct_fields__ if name.endswith("_ms")} - LENGTHS
    assert kept | EXEMPT[kind] == times
    assert not kept & EXEMPT[kind]
