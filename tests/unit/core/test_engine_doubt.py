"""A stop that an answer did not show: asked about, taken for gone in time, and believed when it shows again."""

from __future__ import annotations

import pytest

from bracketeer.core.commands import CancelOrder
from bracketeer.core.doubt import DOUBTED_STOP_MS
from bracketeer.core.values import AlgoStatus
from tests.support.stories import P0, S0, S1, X0, Story


def _doubted() -> Story:
    """A snapshot lacks the stop, and the question about it is under way."""
    story = Story().protected()
    story.snapshot("1", [P0])
    assert story.order_lookups == [S0]
    return story


def test_replaces_a_missing_stop_in_time_when_no_question_is_answered() -> None:
    """Nobody says what became of the stop: another one goes out, for a second one is refused if the first rests."""
    story = _doubted()
    doubted = story.now
    story.run_until(doubted + DOUBTED_STOP_MS - 1)
    assert S1 not in story.submitted
    story.run_until(doubted + DOUBTED_STOP_MS)
    assert story.submitted[-1] == S1


def test_replaces_a_missing_stop_in_time_when_questions_are_held_back() -> None:
    """During a 429 nothing can be asked, but orders may go out."""
    story = _doubted()
    doubted = story.now
    story.look_up_failed(S0, algo=True, retry_after_s=50)
    story.run_until(doubted + DOUBTED_STOP_MS)
    assert story.submitted[-1] == S1


@pytest.mark.parametrize("source", ["lookup", "stream"])
def test_keeps_a_missing_stop_when_it_is_shown_meanwhile(source: str) -> None:
    """One list lagged: the stop's own answer is believed, and the time of the doubt begins anew."""
    story = _doubted()
    story.now += 100
    if source == "lookup":
        story.algo_told(S0, AlgoStatus.NEW, source=source)
    else:
        story.snapshot("1", [S0, P0])
    story.run_until(story.now + 3 * DOUBTED_STOP_MS)
    assert S1 not in story.submitted


def test_keeps_a_doubted_stop_when_its_successor_is_refused_because_of_it() -> None:
    """-4130 proves the first one: it stands again, without a gap, and nobody else's stop is suspected."""
    story = _doubted()
    story.run_until(story.now + DOUBTED_STOP_MS)
    story.now += 50
    story.refuse(S1, -4130)
    assert story.algo(S0).status is AlgoStatus.NEW
    assert story.algo(S1).status is AlgoStatus.REJECTED
    story.algo_told(S0, AlgoStatus.NEW, source="lookup")
    story.run_until(story.now + 5000)
    assert story.submitted[-1] == S1
    assert story.submitted.count(S1) == 1
    assert story.alerts == []
    assert story.bracket.closing is None
    assert story.bracket.naked_since_ms is None
    assert story.bracket.naked_later_ms == 0


def test_sends_the_successor_again_when_the_stop_is_missed_again() -> None:
    """The doubt that -4130 ended can come back: the same successor goes out, and stands once it is accepted."""
    story = _doubted()
    story.run_until(story.now + DOUBTED_STOP_MS)
    story.refuse(S1, -4130)
    story.now += 100
    story.snapshot("1", [P0])
    story.run_until(story.now + DOUBTED_STOP_MS)
    assert story.submitted.count(S1) == 2
    story.ack_algo(S1)
    story.run_until(story.now + 5000)
    assert story.submitted.count(S1) == 2
    assert story.bracket.closing is None


def test_does_not_take_a_refused_copy_for_the_doubted_stop() -> None:
    """The first copy of the successor may be the one in the way: what was given up is not believed for that."""
    story = _doubted()
    story.run_until(story.now + DOUBTED_STOP_MS)
    story.unknown(S1)
    story.run_until(story.now + 1000)
    assert story.submitted.count(S1) >= 2
    story.refuse(S1, -4130)
    assert story.algo(S0).status is AlgoStatus.EXPIRED
    assert story.algo(S1).status is AlgoStatus.UNRESOLVED


def test_suspects_somebody_else_when_the_stop_was_proven_gone() -> None:
    """Two complete denials, and still one is in the way: not ours. Ours goes beside it, with a quantity."""
    story = _doubted()
    story.not_found(S0)
    story.run_until(story.now + 200)
    story.not_found(S0)
    assert story.submitted[-1] == S1
    story.refuse(S1, -4130)
    assert story.algo(S0).status is AlgoStatus.EXPIRED
    for _ in range(2):
        story.run_until(story.now + 300)
        story.not_found(S1, resting=(P0,))
    assert story.alerts == ["foreign_stop"]


def test_ends_the_gap_when_a_stop_that_was_given_up_shows_again() -> None:
    """The list that lacks its successor shows the first one: that stands, the position is not closed."""
    story = _doubted()
    story.not_found(S0)
    story.run_until(story.now + 200)
    story.not_found(S0)
    story.refuse(S1, -4130)
    story.not_found(S1, resting=(S0, P0))
    assert story.algo(S0).status is AlgoStatus.NEW
    assert story.algo(S1).status is AlgoStatus.REJECTED
    story.run_until(story.now + 5000)
    assert story.bracket.closing is None
    assert story.bracket.naked_later_ms == 0
    assert story.alerts == []


def test_ignores_a_denial_that_was_asked_for_before_the_stop_was_told() -> None:
    """What was asked before it was there, or just after, says nothing about it."""
    story = Story().protected()
    told = story.algo(S0).acked_ms
    assert told is not None
    story.not_found(S0, asked_at_ms=told - 50)
    story.not_found(S0, asked_at_ms=told + 199)
    assert story.algo(S0).tries.misses == 0
    assert story.algo(S0).status is AlgoStatus.NEW
    story.not_found(S0, asked_at_ms=told + 200)
    assert story.algo(S0).tries.misses == 1


def test_does_not_replace_by_time_what_may_stand_twice() -> None:
    """A target does not protect, and a second stop with a quantity would be accepted beside the first."""
    story = Story().protected()
    story.snapshot("1", [S0])
    assert story.order_lookups == [P0]
    story.run_until(story.now + 5000)
    assert story.submitted.count(P0) == 1
    assert len(story.submitted) == 3


def test_looks_once_more_before_the_end_when_a_stop_was_given_up() -> None:
    """A stop that was given up wrongly may outlive the position: a list asked for since then says so, and it goes."""
    story = _doubted()
    story.run_until(story.now + DOUBTED_STOP_MS)
    story.ack_algo(S1)
    story.close()
    story.fill(X0)
    story.position("0")
    for client_id in (S1, P0):
        story.algo_told(client_id, AlgoStatus.EXPIRED)
    story.run_until(story.now + 500)
    assert story.symbol_lookups[-1] == "late_arrivals"
    story.snapshot("0", [S0])
    story.run_until(story.now + 500)
    assert S0 in [command.client_order_id for command in story.all(CancelOrder)]
