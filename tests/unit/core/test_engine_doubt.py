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
    story.run_until(story.now + 2 * DOUBTED_STOP_MS - 1)
    assert story.submitted.count(S1) == 1, "that it rests was proven once: longer each time"
    story.run_until(story.now + 1)
    assert story.submitted.count(S1) == 2
    story.ack_algo(S1)
    story.run_until(story.now + 5000)
    assert story.submitted.count(S1) == 2
    assert story.bracket.closing is None


def test_asks_about_both_when_a_copy_of_the_successor_may_be_in_the_way() -> None:
    """The first copy may have arrived: -4130 proves that one of the two rests, so nothing is bare, but not which."""
    story = _doubted()
    story.run_until(story.now + DOUBTED_STOP_MS)
    story.unknown(S1)
    story.run_until(story.now + 1000)
    assert story.submitted.count(S1) >= 2
    story.refuse(S1, -4130)
    assert story.algo(S0).status is AlgoStatus.NEW
    assert story.algo(S1).status is AlgoStatus.UNRESOLVED
    assert story.order_lookups.count(S0) >= 1
    assert story.order_lookups.count(S1) >= 1
    story.run_until(story.now + 5000)
    assert story.bracket.closing is None


def _denied_twice() -> Story:
    """Two complete denials: another stop is on its way."""
    story = _doubted()
    story.not_found(S0)
    story.run_until(story.now + 200)
    story.not_found(S0)
    assert story.submitted[-1] == S1
    return story


def test_asks_once_more_when_a_stop_is_in_the_way_of_one_that_was_denied_twice() -> None:
    """Denials and -4130 contradict each other: the order that can be there is ours first of all."""
    story = _denied_twice()
    story.refuse(S1, -4130)
    assert story.algo(S0).status is AlgoStatus.NEW
    assert story.order_lookups == [S0, S0, S0]
    assert story.bracket.naked_later_ms == 0


def test_suspects_somebody_else_when_the_stop_is_denied_twice_again() -> None:
    """Four denials, and still one is in the way: not ours. Ours goes beside it, with a quantity."""
    story = _denied_twice()
    story.refuse(S1, -4130)
    for _ in range(2):
        story.run_until(story.now + 200)
        story.not_found(S0)
    assert story.submitted.count(S1) == 2
    story.refuse(S1, -4130)
    assert story.algo(S0).status is AlgoStatus.EXPIRED
    for _ in range(2):
        story.run_until(story.now + 300)
        story.not_found(S1, resting=(P0,))
    assert story.alerts == ["foreign_stop"]


def test_ends_the_gap_when_a_stop_that_was_given_up_shows_again() -> None:
    """The list that lacks its successor shows the first one: that stands, the position is not closed."""
    story = _denied_twice()
    story.unknown(S1)
    story.run_until(story.now + 1000)
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


def test_doubts_a_stop_that_the_watch_misses() -> None:
    """The list of the watch counts like any other: where no question leaves, it is all there is."""
    story = Story().protected()
    story.stop_missed(S0)
    assert story.order_lookups == [S0]
    story.look_up_failed(S0, algo=True, retry_after_s=50)
    story.run_until(story.now + DOUBTED_STOP_MS)
    assert story.submitted[-1] == S1


def test_does_not_doubt_a_stop_that_the_watch_misses_when_it_is_new() -> None:
    """Reads lag: a list asked for within 200 ms of the stop's acceptance is no reason to replace it, but one to ask."""
    story = Story().protected()
    story.stop_missed("bktr-unknown-S0")
    assert story.order_lookups == []
    story.stop_missed(S0, asked_at_ms=(story.algo(S0).acked_ms or 0) + 199)
    assert story.order_lookups == [S0]
    story.run_until(story.now + 2 * DOUBTED_STOP_MS)
    assert S1 not in story.submitted


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


def test_suspects_nobody_when_the_stop_is_shown_before_its_successor_is_refused() -> None:
    """The answer about the first one overtakes the refusal of the second: the list that shows the first settles it."""
    story = _doubted()
    story.run_until(story.now + DOUBTED_STOP_MS)
    story.algo_told(S0, AlgoStatus.NEW, source="lookup")
    story.refuse(S1, -4130)
    assert story.algo(S1).status is AlgoStatus.REJECTED
    assert story.algo(S0).status is AlgoStatus.NEW
    assert story.alerts == []


def test_settles_a_successor_of_unknown_fate_when_the_list_shows_the_first() -> None:
    """Both were asked about: of two closePosition stops only one can rest."""
    story = _doubted()
    story.run_until(story.now + DOUBTED_STOP_MS)
    story.unknown(S1)
    story.run_until(story.now + 1000)
    story.refuse(S1, -4130)
    story.algo_told(S0, AlgoStatus.NEW, source="lookup")
    for _ in range(3):
        story.now += 50
        story.not_found(S1, resting=(P0,))
    assert story.alerts == [], "one of ours is believed to rest: nobody else is suspected"
    story.not_found(S1, resting=(S0, P0))
    assert story.algo(S1).status is AlgoStatus.REJECTED


def test_does_not_restore_a_stop_by_a_list_from_before_it_was_given_up() -> None:
    """A slow answer shows what rested when it was asked for."""
    story = _doubted()
    asked = story.now
    story.not_found(S0)
    story.run_until(story.now + 200)
    story.not_found(S0)
    story.not_found(P0, asked_at_ms=asked, resting=(S0,))
    assert story.algo(S0).status is AlgoStatus.EXPIRED
    story.snapshot("1", [S0, P0], requested_at_ms=asked)
    assert story.algo(S0).status is AlgoStatus.EXPIRED
    story.now += 50
    story.snapshot("1", [S0, P0])
    assert story.algo(S0).status is AlgoStatus.NEW


def test_does_not_replace_a_stop_in_time_when_the_position_is_shown_flat() -> None:
    """It fired, or the position was closed: what is missing then is no protection."""
    story = Story().protected()
    story.snapshot("0", [])
    story.run_until(story.now + 2000)
    assert S1 not in story.submitted


def test_counts_a_doubt_anew_after_a_restart() -> None:
    """What a list lacked before the crash is asked about first: the stop may have fired in between."""
    story = _doubted()
    story.now += 3_600_000
    story.restart()
    assert S1 not in story.submitted
    story.run_until(story.now + DOUBTED_STOP_MS)
    assert story.submitted[-1] == S1


def test_does_not_close_for_a_doubt_when_the_successor_finds_no_connection() -> None:
    """Nothing proves that the position is bare, and a close would not leave either."""
    story = _doubted()
    story.run_until(story.now + DOUBTED_STOP_MS)
    for _ in range(20):
        story.send_fails(S1)
        story.run_until(story.now + 400)
    assert story.bracket.closing is None
    story.refuse(S1, -4130)
    assert story.algo(S0).status is AlgoStatus.NEW
    assert story.alerts == []


def test_closes_when_the_successor_of_a_doubted_stop_is_refused_for_another_reason() -> None:
    """Nothing says that the first one rests, and the next one cannot be placed: within the limit the position goes."""
    story = _doubted()
    story.run_until(story.now + DOUBTED_STOP_MS)
    given_up = story.now
    while story.bracket.closing is None:
        assert story.now - given_up <= story.policy.naked_limit_ms
        story.refuse(S1, -4045)
        story.advance_to_wake()


def test_sends_a_new_stop_when_the_successor_is_ended_by_the_exchange() -> None:
    """An old stop that a late answer showed is no protection: the exchange accepted another one since."""
    story = _doubted()
    story.run_until(story.now + DOUBTED_STOP_MS)
    story.ack_algo(S1)
    story.algo_told(S0, AlgoStatus.NEW, source="lookup")
    story.algo_told(S1, AlgoStatus.CANCELED)
    story.run_until(story.now + 200)
    assert len(set(story.submitted)) == 5, "E0, S0, P0, S1 and one more stop"


def test_waits_for_the_position_when_a_restored_stop_expires() -> None:
    """EXPIRED mostly means that the position is gone: its refused successor is not sent at once."""
    story = _doubted()
    story.run_until(story.now + DOUBTED_STOP_MS)
    story.refuse(S1, -4130)
    story.algo_told(S0, AlgoStatus.EXPIRED)
    assert story.submitted.count(S1) == 1
    story.run_until(story.now + 200)
    assert story.submitted.count(S1) == 2


def test_does_not_cancel_a_stop_that_a_list_from_before_it_was_given_up_shows() -> None:
    """It rests, and guards, for all that is known: -4130 will say so."""
    story = _doubted()
    story.run_until(story.now + DOUBTED_STOP_MS)
    story.now += 50
    story.snapshot("1", [S0, P0], requested_at_ms=story.now - 100)
    assert story.all(CancelOrder) == []


def test_believes_that_a_stop_was_cancelled_that_was_given_up() -> None:
    """Its cancel was accepted: it did rest, and does not any more, whatever -4130 said of the moment before."""
    story = _doubted()
    story.run_until(story.now + DOUBTED_STOP_MS)
    story.cancelled(S0)
    story.refuse(S1, -4130)
    assert story.algo(S0).status is AlgoStatus.CANCELED
    assert story.algo(S1).status is AlgoStatus.UNRESOLVED
    assert story.bracket.naked_since_ms is not None


def test_forgets_earlier_proofs_when_an_answer_shows_the_stop() -> None:
    """What happened in an outage does not make a doubt of an hour later last longer; nor do sends without an answer."""
    story = _doubted()
    story.run_until(story.now + DOUBTED_STOP_MS)
    for _ in range(8):
        story.send_fails(S1)
        story.run_until(story.now + 400)
    story.refuse(S1, -4130)
    story.algo_told(S0, AlgoStatus.NEW, source="lookup")
    story.now += 3_600_000
    sent = story.submitted.count(S1)
    story.stop_missed(S0)
    story.run_until(story.now + DOUBTED_STOP_MS)
    assert story.submitted.count(S1) == sent + 1


def test_does_not_take_an_old_refusal_for_the_answer_to_a_new_send() -> None:
    """A successor that was refused with -4130 once is sent again later; a crash then leaves its fate open, no more."""
    story = _doubted()
    story.run_until(story.now + DOUBTED_STOP_MS)
    story.refuse(S1, -4130)
    story.algo_told(S0, AlgoStatus.NEW, source="lookup")
    story.now += 60_000
    story.algo_told(S0, AlgoStatus.CANCELED)
    assert story.submitted.count(S1) == 2
    story.restart()
    story.run_until(story.now + 1000)
    assert story.submitted.count(S1) == 3, "of unknown fate: sent again, for a second copy is refused"


def test_believes_the_first_proof_however_often_the_successor_was_sent() -> None:
    """Sends that found no connection say nothing about what rests."""
    story = _denied_twice()
    story.send_fails(S1)
    story.run_until(story.now + 100)
    assert story.submitted.count(S1) == 2
    story.refuse(S1, -4130)
    assert story.algo(S0).status is AlgoStatus.NEW


def test_asks_on_about_a_stop_that_was_given_up_without_proof() -> None:
    """It may have fired: what it traded would be taken for somebody else's."""
    story = _doubted()
    story.run_until(story.now + DOUBTED_STOP_MS)
    story.ack_algo(S1)
    story.look_up_failed(S0, algo=True)
    story.run_until(story.now + 1000)
    assert story.order_lookups.count(S0) == 2
    story.not_found(S0)
    story.run_until(story.now + 1000)
    assert story.order_lookups.count(S0) == 3
    story.not_found(S0)
    story.run_until(story.now + 1000)
    assert story.order_lookups.count(S0) == 3, "denied twice: it is gone"


def test_gives_up_an_older_stop_that_a_late_answer_showed_when_its_successor_ends() -> None:
    """What was accepted after it proves that it had gone: it does not count as protection when that one goes, too."""
    story = _doubted()
    story.run_until(story.now + DOUBTED_STOP_MS)
    story.ack_algo(S1)
    story.algo_told(S0, AlgoStatus.NEW, source="lookup")
    story.algo_told(S1, AlgoStatus.CANCELED)
    assert story.algo(S0).status is AlgoStatus.EXPIRED
    assert story.bracket.naked_since_ms is not None


def _refused_after_it_was_lost() -> Story:
    """A stop: its first request was lost, the second one refused; and the target the same."""
    story = Story().filled()
    story.unknown(S0)
    story.look_up_failed(S0, algo=True)
    story.unknown(P0)
    story.run_until(story.now + 1000)
    story.refuse(S0, -1001)
    story.refuse(P0, -1001)
    return story


def test_asks_about_a_stop_of_which_a_list_has_only_the_name() -> None:
    """The list was read for the target. A report of a stop without an id, live since 1970, would help nobody."""
    story = _refused_after_it_was_lost()
    asked = story.order_lookups.count(S0)
    story.not_found(P0, resting=(S0,))
    assert story.algo(S0).status is AlgoStatus.REJECTED
    assert story.order_lookups.count(S0) == asked + 1
    story.algo_told(P0, AlgoStatus.NEW, source="lookup")
    assert story.reports == []
    story.algo_told(S0, AlgoStatus.NEW, source="lookup", told_at_ms=story.now - 900)
    assert story.algo(S0).algo_id is not None
    assert story.algo(S0).live_since_ms == story.now - 900
    assert [report.status for report in story.reports] == ["protected"]


def test_tries_a_stop_on_while_it_is_asked_about() -> None:
    """That question may be lost as well; a second stop would be refused."""
    story = _refused_after_it_was_lost()
    sent = story.submitted.count(S0)
    story.not_found(P0, resting=(S0,))
    assert story.submitted.count(S0) == sent
    story.run_until(story.now + 50)
    assert story.submitted.count(S0) == sent + 1
