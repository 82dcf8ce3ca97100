"""Unprotected time: the first gap, the worst later one, and what lasts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bracketeer.core.commands import Announce
from bracketeer.core.naked import NakedTime, gap_ended, naked_time, stop_is_live
from bracketeer.core.settings import Policy
from bracketeer.core.values import AlgoStatus, ArmingMode
from tests.support.stories import E0, F0, P0, S0, S1, T0, Story


def _times(first: int | None, later: int, worst: int, now: int) -> NakedTime:
    return NakedTime(first_ms=first, later_ms=later, worst_ms=worst, now_ms=now)


def _facts(story: Story, *topics: str) -> list[dict[str, str | int]]:
    return [command.facts for command in story.all(Announce) if command.topic in topics]


def test_counts_a_gap_that_lasts() -> None:
    """The present gap is the first one until a stop was live, and a later one from then on."""
    blank = replace(Story().protected().bracket, naked_first_ms=None, naked_later_ms=0, naked_since_ms=None)
    assert naked_time(blank, T0) == _times(None, 0, 0, 0)
    assert naked_time(replace(blank, naked_since_ms=T0 - 7), T0) == _times(7, 0, 7, 7)
    over = replace(blank, naked_first_ms=9)
    assert naked_time(over, T0) == _times(9, 0, 9, 0)
    assert naked_time(replace(over, naked_since_ms=T0 - 30), T0) == _times(9, 30, 30, 30)
    assert naked_time(replace(over, naked_since_ms=T0 - 30, naked_later_ms=40), T0) == _times(9, 40, 40, 30)
    assert naked_time(replace(over, naked_since_ms=T0 + 5), T0).now_ms == 0, "our estimate of the clock lags"


def test_a_stop_that_was_there_before_the_fill_leaves_no_gap() -> None:
    """Zero, never less."""
    bracket = replace(Story().protected().bracket, naked_first_ms=None, stop_live_ms=None, naked_since_ms=None)
    assert stop_is_live(bracket, T0, T0 + 40)["naked_first_ms"] == 0
    assert gap_ended(bracket, T0 + 40, T0)["naked_first_ms"] == 0


def test_tells_the_first_gap_from_later_ones() -> None:
    """Each stands in the report, on record as numbers, and the worse of the two is the figure of the trade."""
    story = Story().filled()
    story.now += 40
    story.ack_algo(S0)
    story.ack_algo(P0)
    (report,) = story.reports
    assert report.timings is not None
    assert (report.timings.naked_ms, report.timings.naked_first_ms, report.timings.naked_later_ms) == (40, 40, 0)

    story.now += 1000
    story.algo_told(S0, AlgoStatus.CANCELED)
    story.now += 90
    story.ack_algo(S1)
    story.now += 1000
    story.close()
    story.ack(story.submitted[-1], executed="1")
    story.fill(story.submitted[-1])
    story.position("0")
    story.run_until(story.now + 1000)
    for client_id in (S1, P0):
        story.cancelled(client_id)
    story.snapshot("0")
    reported, ended = _facts(story, "reported", "ended")
    assert (reported["naked_first_ms"], reported["naked_later_ms"], reported["naked_worst_ms"]) == (40, 0, 40)
    assert (ended["naked_first_ms"], ended["naked_later_ms"], ended["naked_worst_ms"]) == (40, 90, 90)


def test_a_later_gap_begins_when_the_exchange_ended_the_stop() -> None:
    """Not when we heard of it; but how long we may try to protect counts from then."""
    story = Story(Policy(arm=ArmingMode.AFTER_FILL, naked_limit_ms=2000)).protected()
    ended = story.now
    story.now += 1900
    story.algo_told(S0, AlgoStatus.CANCELED, told_at_ms=ended)
    assert story.bracket.naked_since_ms == ended
    assert story.submitted[-1] == S1, "protect first: a close would take as long"
    story.now += 30
    story.ack_algo(S1)
    assert story.bracket.naked_later_ms == 1930
    assert story.bracket.closing is None


def test_a_stop_that_is_gone_without_a_word_counts_from_when_we_knew() -> None:
    """No answer says when it ended, so its last known time would be a guess."""
    story = Story().protected()
    story.snapshot("1", [P0])
    for _ in range(5):
        if story.algo(S0).status is not AlgoStatus.NEW:
            break
        story.now += 1000
        story.not_found(S0)
    assert story.submitted[-1] == S1
    assert story.algo(S0).ended_ms is None
    assert story.bracket.naked_since_ms == story.now


@pytest.mark.parametrize("take_profit", ["", None])
def test_a_position_that_never_had_its_stop_was_bare_to_its_end(take_profit: str | None) -> None:
    """Flattened: the first gap is all there is."""
    story = Story()
    story.signal(take_profit=take_profit)
    story.fill(E0)
    story.position("1")
    story.ack(E0, executed="1")
    story.refuse(S0, -2021)
    story.now += 25
    story.ack(F0, executed="1")
    story.fill(F0)
    story.position("0")
    story.run_until(story.now + 1000)
    if take_profit is not None:
        story.refuse(P0, -2022)
        story.run_until(story.now + 1000)
    story.snapshot("0")
    (ended,) = _facts(story, "ended")
    assert (ended["naked_first_ms"], ended["naked_later_ms"]) == (25, 0)


def test_a_gap_learned_of_after_the_end_counts_too() -> None:
    """A person cancels the stop unseen and the target closes the position: bare from the one to the other."""
    story = Story().protected()
    gone = story.now
    story.now += 700
    story.trigger(P0)
    story.position("0")
    story.now += 10
    story.algo_told(S0, AlgoStatus.CANCELED, told_at_ms=gone)
    story.run_until(story.now + 1000)
    (ended,) = _facts(story, "ended")
    assert (ended["naked_first_ms"], ended["naked_later_ms"]) == (0, 700)


def test_a_stop_that_goes_with_its_position_leaves_no_gap() -> None:
    """The exchange expires it when the position is gone; a moment later is no gap, nor is the stop's own fill."""
    for closed_by in (P0, S0):
        story = Story().protected()
        story.trigger(closed_by)
        story.position("0")
        story.now += 5
        story.algo_told(S0 if closed_by == P0 else P0, AlgoStatus.EXPIRED)
        story.run_until(story.now + 1000)
        (ended,) = _facts(story, "ended")
        assert ended["naked_worst_ms"] == 0
