"""Stories of an entry about which nobody answers, and of its position neither: the stop is the question.

A 429 holds questions back, and lets orders through. A stop that closes a position is refused where there is none.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest

from bracketeer.core.absence import _never_rested
from bracketeer.core.client_ids import client_order_id
from bracketeer.core.commands import Announce, AnyCommand, CancelOrder, LookUpOrder, LookUpSymbol, SubmitOrder
from bracketeer.core.doubt import DOUBTED_STOP_MS
from bracketeer.core.presuming import UNSEEN_MS, UNSEEN_PAUSE_MAX_MS
from bracketeer.core.resolving import SETTLE_MS
from bracketeer.core.settings import Policy
from bracketeer.core.values import AlgoStatus, ArmingMode, OrderStatus, Role, Side
from tests.support.stories import E0, F0, F1, P0, S0, S1, X0, Story, submits

BARRED_S = 50.0


def silent_entry(arm: ArmingMode = ArmingMode.AFTER_FILL) -> Story:
    """An entry whose answer was lost; no stream, and questions are held back from then on."""
    story = Story(Policy(arm=arm), stream=False)
    story.signal()
    story.unknown(E0)
    hold_back(story)
    return story


def hold_back(story: Story) -> None:
    """What is being asked is not sent: a 429."""
    story.look_up_failed(E0, retry_after_s=BARRED_S)
    story.look_up_failed(symbol="BTCUSDT", retry_after_s=BARRED_S)


def wait(story: Story, length_ms: int, code: int | None) -> list[int]:
    """Let time pass while questions are held back and every order is refused with a code, or stays without an answer;
    when stops left, from the first moment on."""
    left_at: list[int] = []
    began = story.now

    def answer(command: AnyCommand) -> None:
        match command:
            case LookUpOrder(client_order_id=client_id):
                story.look_up_failed(client_id, retry_after_s=BARRED_S)
            case LookUpSymbol():
                story.look_up_failed(symbol="BTCUSDT", retry_after_s=BARRED_S)
            case SubmitOrder(intent=intent):
                left_at.append(story.now - began)
                if code is not None:
                    story.refuse(intent.client_order_id, code)

    story.respond(story.now + length_ms, answer, since=len(story.log))
    return left_at


def prove_absent(story: Story) -> None:
    """Questions are answered again: flat, no such order, no trades; as often as it takes in the usual case."""
    for _ in range(2):
        story.snapshot("0", trades=())
        story.run_until(story.now + 3_000)
        story.not_found(E0)
    story.snapshot("0", trades=())
    story.run_until(story.now + 300)
    story.not_found(E0)


def test_sends_the_stop_of_an_entry_that_nobody_answers_about() -> None:
    """Its position may be bare for all of the 429. That it is accepted says that there is one."""
    story = silent_entry()
    assert wait(story, 40_000, None) == [UNSEEN_MS]
    assert story.submitted == [E0, S0]
    assert story.intent(S0).close_position
    assert [note.topic for note in story.all(Announce)] == ["presumed"]
    story.ack_algo(S0)
    assert wait(story, 10_000, None) == []
    story.told(E0, OrderStatus.FILLED, executed="1", average="60000", source="lookup")
    assert story.submitted == [E0, S0, P0]
    assert story.bracket.stop_live_ms is not None


def test_sends_the_stop_also_where_the_entry_was_acknowledged_and_its_end_is_not_told() -> None:
    """A market order that is NEW for so long has filled, and nobody says so."""
    story = Story(stream=False)
    story.signal()
    story.ack(E0, status=OrderStatus.NEW)
    story.run_until(story.now + UNSEEN_MS - 1)
    assert story.submitted == [E0]
    story.run_until(story.now + 1)
    assert story.submitted == [E0, S0]


def test_tries_on_while_there_is_no_position_yet() -> None:
    """The entry may be late by the recvWindow: a refusal (-4509) settles nothing, and is no reason to hurry."""
    story = silent_entry()
    left_at = wait(story, 30_000, -4509)
    pauses = [after - before for before, after in pairwise(left_at)]
    assert pauses == sorted(pauses), "ever slower"
    assert max(pauses) == UNSEEN_PAUSE_MAX_MS
    assert set(story.submitted) == {E0, S0}
    assert story.alerts == []


def test_sends_no_stop_once_an_answer_says_that_there_is_no_position() -> None:
    """From then on it is asked about as before, and proven absent in the usual time: a refused stop closed nothing."""
    story = silent_entry()
    wait(story, 3_000, -4509)
    tries = story.submitted.count(S0)
    prove_absent(story)
    assert story.reports[-1].status == "rejected"
    assert story.submitted.count(S0) == tries


def test_an_answer_counts_for_what_may_have_arrived_until_it_was_asked_for() -> None:
    """Flat at the first question; then the 429 came, and the entry may be late by the recvWindow. Where the question
    about the order is answered, the stop need not ask."""
    story = Story(stream=False)
    story.signal()
    story.unknown(E0)
    story.snapshot("0")
    story.run_until(story.now + UNSEEN_MS - 100)
    story.not_found(E0)
    story.run_until(story.now + UNSEEN_MS - 1)
    assert S0 not in story.submitted
    hold_back(story)
    story.run_until(story.now + 1)
    assert S0 in story.submitted


def test_closes_what_the_entry_was_for_when_its_stop_is_refused_as_crossed() -> None:
    """The price is through the stop: what may be open has no protection but a close. It reduces only, so where nothing
    is open it does nothing; it is tried on."""
    story = silent_entry()
    story.run_until(story.now + UNSEEN_MS)
    assert submits(story.refuse(S0, -2021)) == [F0]
    assert (story.intent(F0).quantity, story.intent(F0).reduce_only) == (Decimal(1), True)
    story.refuse(F0, -2022)
    story.look_up_failed(symbol="BTCUSDT", retry_after_s=BARRED_S)
    story.run_until(story.now + 100)
    assert story.submitted[-1] == F1
    story.ack(F1, executed="1", status=OrderStatus.FILLED)
    assert set(wait(story, 20_000, None)) == set(), "it was there, and is closed"


def test_gives_the_entry_up_in_the_usual_time_after_closes_that_found_nothing() -> None:
    """A close that was refused has closed nothing, so flat says what it says."""
    story = silent_entry()
    story.run_until(story.now + UNSEEN_MS)
    story.refuse(S0, -2021)
    story.refuse(F0, -2022)
    story.now = story.order(E0).tries.dead_after_ms + SETTLE_MS + 1
    prove_absent(story)
    assert story.reports[-1].status == "rejected"


def test_closes_nothing_unseen_where_others_are_known_to_have_added() -> None:
    """The stream was heard for a moment: a hand bought. What would be sold may all be theirs (P4)."""
    story = silent_entry()
    story.run_until(story.now + UNSEEN_MS)
    story.foreign_fill("0.4", Side.BUY)
    story.refuse(S0, -2021)
    wait(story, 10_000, -2021)
    assert set(story.submitted) == {E0, S0}, "the stop is tried again: the price may be back"


def test_closes_on_a_close_signal_what_cannot_be_guarded_unseen() -> None:
    """CLOSE came, and the stop is refused as crossed: that much is reason enough."""
    story = silent_entry()
    story.close()
    hold_back(story)
    wait(story, UNSEEN_MS + 50, -2021)
    assert story.submitted[:3] == [E0, S0, X0]
    assert story.intent(X0).reduce_only


@pytest.mark.parametrize("closing", [False, True])
def test_closes_what_a_stop_left_that_fired_unseen(closing: bool) -> None:
    """The armed stop has triggered and does not finish: spent, whatever is known of the entry."""
    story = silent_entry(ArmingMode.WITH_ENTRY)
    story.ack_algo(S0)
    if closing:
        story.close()
        hold_back(story)
    story.algo_told(S0, AlgoStatus.TRIGGERED)
    began = story.now
    wait(story, 3_000, None)
    assert story.submitted[-1] == (X0 if closing else F0)
    assert story.now - began <= 3_000
    assert "presumed" not in [note.topic for note in story.all(Announce)], "no stop went out"


def test_closes_the_rest_as_well_after_a_part_went_unseen() -> None:
    """A thin book: the close is filled in part, and nobody answers yet how much is left."""
    story = silent_entry()
    story.run_until(story.now + UNSEEN_MS)
    story.refuse(S0, -2021)
    story.ack(F0, executed="0.4", status=OrderStatus.EXPIRED)
    wait(story, UNSEEN_MS, None)
    assert story.submitted[-1] == F1
    assert story.intent(F1).quantity == Decimal("0.6")


def test_waits_for_the_answer_of_an_entry_that_the_stream_told_first() -> None:
    """NEW, and the fill a moment later: an ordinary trade, long after the start. Stop and target leave together."""
    story = Story()
    story.now += 10_000
    story.signal()
    story.now += 30
    assert submits(story.told(E0, OrderStatus.NEW)) == []
    story.now += 1
    assert submits(story.fill(E0)) == [S0, P0]


def test_guards_an_entry_that_was_acknowledged_and_whose_position_was_flat_just_then() -> None:
    """It may have filled since, and nobody says so."""
    story = Story(stream=False)
    story.signal()
    story.ack(E0, status=OrderStatus.NEW)
    story.snapshot("0")
    hold_back(story)
    wait(story, 5_000, None)
    assert story.submitted == [E0, S0]


def test_replaces_a_stop_that_a_list_lacks_while_the_entry_is_not_proven() -> None:
    """As it would with the fill known: a position shows, and what should guard it is not there."""
    story = silent_entry()
    story.run_until(story.now + UNSEEN_MS)
    story.ack_algo(S0)
    story.now += 1_000
    story.snapshot("1", [])
    story.look_up_failed(S0, algo=True, retry_after_s=BARRED_S)
    wait(story, 1_200, None)
    assert story.submitted == [E0, S0, S1]
    assert "stop_not_live_in_time" not in story.alerts


@pytest.mark.parametrize("code", [-4116, -4130])
def test_a_stop_that_was_said_to_be_there_may_have_closed_the_position(code: int) -> None:
    """Its first request was not answered, and the second one refused because one is there: then it fired, unheard. The
    entry is denied by mistake, and its trades are not listed yet: no proof that it never executed."""
    story = silent_entry()
    story.run_until(story.now + UNSEEN_MS)
    story.unknown(S0)
    story.run_until(story.now + 800)
    story.refuse(S0, code)
    story.now = story.algo(S0).tries.dead_after_ms + 300
    story.snapshot("0", trades=())
    for _ in range(12):
        if story.algo(S0).tries.asking:
            story.not_found(S0)
        if story.bracket.asking:
            story.snapshot("0", trades=())
        if story.order(E0).tries.asking:
            story.not_found(E0)
        story.run_until(story.now + 250)
    assert story.order(E0).status is OrderStatus.UNRESOLVED
    rows = (story.trade(E0, "1", Side.BUY), story.trade(S0, "1"))
    story.snapshot("0", trades=rows)
    assert story.order(E0).status is OrderStatus.FILLED


def test_asks_about_a_stop_that_is_said_to_be_in_the_way_of_itself() -> None:
    """-4130 unseen: whose it is, is to be found out, or the lost entry is never settled."""
    story = silent_entry()
    story.run_until(story.now + UNSEEN_MS)
    story.refuse(S0, -4130)
    story.now = story.order(E0).tries.dead_after_ms + 300
    story.snapshot("0", trades=())
    began = story.now

    def answer(command: AnyCommand) -> None:
        story.now += 20
        match command:
            case LookUpOrder(client_order_id=client_id):
                story.not_found(client_id, story.now - 10)
            case LookUpSymbol(trades_since_ms=since):
                story.snapshot("0", trades=None if since is None else (), requested_at_ms=story.now - 10)

    story.look_up_failed(E0)
    story.look_up_failed(S0, algo=True)
    story.respond(began + 10_000, answer, since=len(story.log))
    assert story.reports[-1].status == "rejected"


def test_guards_what_a_close_signal_wants_gone_until_it_is_seen() -> None:
    """CLOSE is no evidence that there is a position, nor of how much."""
    story = silent_entry()
    story.close()
    story.look_up_failed(symbol="BTCUSDT", retry_after_s=BARRED_S)
    wait(story, 5_000, None)
    assert (S0 in story.submitted, X0 in story.submitted) == (True, False)


@pytest.mark.parametrize("taken", [True, False])
def test_needs_no_other_stop_where_the_armed_one_rests(taken: bool) -> None:
    """What left with the entry guards, if it was accepted."""
    story = silent_entry(ArmingMode.WITH_ENTRY)
    armed = next(client_id for client_id in story.submitted if client_id in story.state.algos)
    if taken:
        story.ack_algo(armed)
    else:
        story.refuse(armed, -2021)
    stops = [client_id for client_id in story.submitted if client_id in story.state.algos]
    wait(story, 20_000, None)
    new = [client_id for client_id in story.submitted if client_id in story.state.algos and client_id not in stops]
    assert bool(new) is not taken
    assert not story.all(CancelOrder)


@pytest.mark.parametrize("shows", [True, False])
def test_sends_another_stop_where_the_armed_one_is_denied_and_cannot_be_asked_about(shows: bool) -> None:
    """Proof that it is gone takes answers, and there are none; what closes the position is accepted beside it. Before a
    second is over it leaves, and it has its time to be live before the position is closed for want of one."""
    story = silent_entry(ArmingMode.WITH_ENTRY)
    story.ack_algo(S0)
    story.run_until(story.now + 500)
    if shows:
        story.snapshot("1", is_partial=True)
    began = story.now
    if not shows:
        story.now = began = story.order(E0).tries.dead_after_ms + SETTLE_MS + 1
    story.snapshot("1" if shows else "0", [P0], requested_at_ms=story.now)
    assert story.algo(S0).tries.doubted_ms == began
    if not shows:
        story.snapshot("0", [P0])  # its doubt stays; there is nothing to guard
    left_at = wait(story, 1_400, None)
    assert (S1 in story.submitted) is shows
    assert left_at == ([DOUBTED_STOP_MS] if shows else [])
    assert "stop_not_live_in_time" not in story.alerts


# A position shows, and the entry is not proven.


def guarded_unseen() -> Story:
    """The stop was sent unseen, and rests."""
    story = silent_entry()
    story.run_until(story.now + UNSEEN_MS)
    story.ack_algo(S0)
    story.run_until(story.now + 1_000)
    return story


def doubted() -> Story:
    """A position shows for the first time, and its stop is missing beside it."""
    story = guarded_unseen()
    story.snapshot("1", [])
    story.look_up_failed(S0, algo=True, retry_after_s=BARRED_S)
    story.look_up_failed(E0, retry_after_s=BARRED_S)
    return story


def test_weighs_a_doubt_from_the_moment_in_which_the_position_shows() -> None:
    """Nothing else needs to happen: the wake-up for it is set."""
    story = doubted()
    left_at = story.now + DOUBTED_STOP_MS
    while S1 not in story.submitted:
        story.advance_to_wake()
    assert story.now == left_at


def test_an_old_doubt_closes_no_position_that_was_guarded_since() -> None:
    """The second stop ends by the exchange's doing, half a minute later: it is replaced, as for a proven entry."""
    story = doubted()
    wait(story, 1_000, None)
    story.ack_algo(S1)
    wait(story, 30_000, None)
    story.snapshot("1", [S1])
    story.algo_told(S1, AlgoStatus.EXPIRED)
    wait(story, 500, None)
    assert F0 not in story.submitted
    assert client_order_id("signal-1", Role.STOP_LOSS, 2) in story.submitted


@pytest.mark.parametrize("arm", ArmingMode)
def test_does_not_close_for_want_of_a_connection_what_may_be_guarded(arm: ArmingMode) -> None:
    """One list lacks the stop, and nothing can be sent or asked: not known to be bare, and a close would not leave."""
    if arm is ArmingMode.AFTER_FILL:
        story = doubted()
    else:
        story = silent_entry(arm)
        story.ack_algo(S0)
        story.run_until(story.now + 1_000)
        story.snapshot("1", [P0])
        story.look_up_failed(S0, algo=True)

    def answer(command: AnyCommand) -> None:
        match command:
            case LookUpOrder(client_order_id=client_id, algo=algo):
                story.look_up_failed(client_id, algo=algo)
            case LookUpSymbol():
                story.look_up_failed(symbol="BTCUSDT")
            case SubmitOrder(intent=intent):
                story.send_fails(intent.client_order_id)

    story.respond(story.now + 5_000, answer, since=len(story.log))
    assert story.submitted.count(S1) > 3
    assert F0 not in story.submitted


def test_replaces_a_denied_stop_also_where_a_close_signal_waits_for_proof() -> None:
    """CLOSE came, and the position is not exactly the entry's: it stays, guarded."""
    story = silent_entry()
    story.run_until(story.now + UNSEEN_MS)
    story.ack_algo(S0)
    story.close()
    hold_back(story)
    story.run_until(story.now + 500)
    story.snapshot("1.5", [])
    story.look_up_failed(S0, algo=True, retry_after_s=BARRED_S)
    wait(story, 1_500, None)
    assert story.submitted == [E0, S0, S1]


def test_guards_what_the_exchange_refuses_to_close() -> None:
    """CLOSE wants exactly what shows, and each close is refused: a stop is tried for meanwhile."""
    story = silent_entry()
    story.close()
    story.snapshot("1", [])
    assert story.submitted == [E0, X0]
    assert submits(story.refuse(X0, -4131)) == [S0]


def test_two_denials_count_when_both_were_asked_for_after_the_last_request_could_arrive() -> None:
    """A stop that was denied before it was sent again has one denial since."""
    story = silent_entry()
    story.run_until(story.now + UNSEEN_MS)
    story.unknown(S0)
    for _ in range(2):
        story.run_until(story.now + 10)
        story.not_found(S0)
    story.run_until(story.now + 1_500)
    story.unknown(S0)
    late_ms = story.algo(S0).tries.late_until_ms
    story.now = late_ms + 1
    story.not_found(S0)
    assert not _never_rested(story.algo(S0))
    story.not_found(S0, story.now + 1)
    assert _never_rested(story.algo(S0))


def test_guards_in_time_a_position_that_is_told_again_and_again() -> None:
    """It fills in parts, each told as a position and none as a fill: the grace runs from the first showing."""
    story = Story()
    story.now += 10_000
    story.signal()
    for _ in range(5):
        story.now += 90
        story.position("1")
    assert S0 in story.submitted
