"""Stories of orders whose fate nobody told: asked, believed, and never sent again blindly (P1)."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from msgspec.structs import replace

from bracketeer.core.absence import ABSENCES_WITHOUT_TRADES
from bracketeer.core.commands import Announce, AnyCommand, LookUpOrder, LookUpSymbol, RenewStream, SubmitOrder
from bracketeer.core.engine import poll_pause_ms
from bracketeer.core.events import TradeRow
from bracketeer.core.journal import command_line
from bracketeer.core.settings import Policy
from bracketeer.core.turn import Turn
from bracketeer.core.values import AlgoStatus, ArmingMode, OrderStatus, Side
from tests.support.stories import E0, P0, P1, S0, S1, T0, X0, Story, submits


def lost() -> Story:
    """The entry was sent, and no answer came."""
    story = Story()
    story.signal()
    story.now += 1000
    story.unknown(E0)
    return story


def absent(story: Story, amount: str = "0", trades: tuple[TradeRow, ...] | None = None) -> None:
    """The exchange knows no order, and shows a position, until the bracket is over (or a minute is). Without `trades`
    those cannot be had."""

    def answer(command: AnyCommand) -> None:
        story.now += 20
        match command:
            case LookUpOrder(client_order_id=client_id):
                story.not_found(client_id, story.now - 10)
            case LookUpSymbol(trades_since_ms=since):
                rows = None if since is None else trades
                resting = [i for i, algo in story.state.algos.items() if algo.status is AlgoStatus.NEW]
                story.snapshot(amount, resting, rows, requested_at_ms=story.now - 10)
            case SubmitOrder(intent=intent) if intent.client_order_id == S0:
                story.ack_algo(S0)

    mark = len(story.log) - 2
    story.respond(story.now + 60_000, answer, since=mark)


def test_is_never_sent_again_when_the_outcome_of_the_entry_is_unknown() -> None:
    """It is looked up at once, and believed absent only after it can no longer arrive, twice, and by its trades."""
    story = lost()
    assert story.order_lookups == [E0]
    dead = story.order(E0).tries.dead_after_ms
    assert dead == story.now + 2000 + 500
    absent(story, trades=())
    assert story.submitted == [E0]
    (report,) = story.reports
    assert (report.status, report.reason and report.reason.code) == ("rejected", "entry_not_executed")
    assert report.timings is not None
    concluded = report.timings.concluded_at_ms
    assert concluded is not None
    assert dead < concluded < dead + 1000


def test_takes_the_position_for_proof_when_the_trades_cannot_be_had() -> None:
    """But only after long: others, or the exchange itself, may have closed what the entry opened."""
    story = lost()
    dead = story.order(E0).tries.dead_after_ms
    absent(story)
    (entry,) = [report for report in story.reports if report.status == "rejected"]
    assert entry.timings is not None
    assert entry.timings.concluded_at_ms is not None
    assert entry.timings.concluded_at_ms > dead + 5_000


def test_asks_for_the_trades_once_more_when_the_position_agrees_at_last() -> None:
    """It could not be had for long, and is flat then: somebody may have closed what the entry opened meanwhile."""
    story = lost()
    while story.order(E0).tries.absences < ABSENCES_WITHOUT_TRADES:
        story.run_until(story.now + 6_000)
        if story.bracket.asking:
            story.look_up_failed(symbol="BTCUSDT")
        if S0 in story.submitted:
            story.refuse(S0, -4509)  # there is no position to guard
        story.not_found(E0)
    looked = len(story.symbol_lookups)
    story.snapshot("0")  # without trades
    story.run_until(story.now + 6_000)
    story.not_found(E0)
    assert story.order(E0).status is OrderStatus.UNRESOLVED
    assert len(story.symbol_lookups) > looked, "the trades are asked for once more"
    story.snapshot("0")
    story.run_until(story.now + 6_000)
    story.not_found(E0)
    assert story.reports[-1].status == "rejected"


def test_counts_no_absence_when_the_question_was_asked_too_early() -> None:
    """An answer to a question from before the request's death proves nothing, however often it comes."""
    story = lost()
    dead = story.order(E0).tries.dead_after_ms
    for _ in range(20):
        story.now += 10
        story.not_found(E0, dead)
        story.snapshot("0", requested_at_ms=dead)
    assert story.order(E0).status is OrderStatus.UNRESOLVED
    assert story.order(E0).tries.absences == 0


def test_needs_the_position_when_the_entry_is_said_to_be_absent() -> None:
    """Absence twice over is not believed while the position is unknown or differs; a person is told, politely."""
    story = lost()
    started = story.now
    absent(story, "1")
    assert story.submitted == [E0, S0], "what may be ours is guarded meanwhile"
    assert story.order(E0).status is OrderStatus.UNRESOLVED
    assert story.alerts == ["entry_unresolved"]
    assert [report.status for report in story.reports] == ["unresolved"]
    asked = [c for c in story.log if isinstance(c, LookUpOrder | LookUpSymbol)]
    assert len(asked) < 60, f"{len(asked)} questions in {story.now - started} ms"


@pytest.mark.parametrize("source", ["lookup", "stream"])
def test_protects_when_the_lost_entry_is_found_filled(source: str) -> None:
    """However late, and however often it was not found before: what executed is protected."""
    story = lost()
    story.not_found(E0)
    story.now += 300
    assert submits(story.told(E0, OrderStatus.FILLED, executed="1", average="60000", source=source)) == [S0, P0]
    story.ack_algo(S0)
    story.ack_algo(P0)
    assert [report.status for report in story.reports] == ["protected"]
    assert story.submitted == [E0, S0, P0]


def test_protects_when_the_lost_entry_is_found_working_and_fills_untold() -> None:
    """An order that was found working is asked about until its end, also with the stream down; not in a hurry."""
    story = lost()
    story.stream_lost()
    asked = []

    def answer(command: AnyCommand) -> None:
        match command:
            case LookUpOrder(client_order_id=client_id) if client_id == E0:
                story.now += 20
                asked.append(story.now)
                filled = len(asked) > 4
                status = OrderStatus.FILLED if filled else OrderStatus.NEW
                story.told(E0, status, executed="1" if filled else "0", average="60000", source="lookup")
            case SubmitOrder(intent=intent):
                story.ack_algo(intent.client_order_id)

    story.respond(story.now + 10_000, answer, since=len(story.log) - 2)
    assert story.order(E0).status is OrderStatus.FILLED
    assert story.submitted == [E0, S0, P0]
    assert min(b - a for a, b in itertools.pairwise(asked)) >= 200


def test_asks_about_an_acknowledged_entry_when_its_end_is_not_told() -> None:
    """A market order that is still working after a second is looked up, at a pace."""
    story = Story()
    story.signal()
    story.ack(E0)
    story.told(E0, OrderStatus.NEW)
    story.run_until(story.now + 1000)
    assert story.order_lookups == [E0]
    story.told(E0, OrderStatus.PARTIALLY_FILLED, executed="0.4", source="lookup")
    assert story.order_lookups == [E0], "not again at once"
    story.ack_algo(S0)
    assert story.submitted == [E0, S0, P0]
    story.run_until(story.now + 1000)
    assert story.order_lookups == [E0, E0]
    story.not_found(E0)
    assert story.order(E0).status is OrderStatus.PARTIALLY_FILLED, "it was acknowledged: the answer lags"
    story.run_until(story.now + 1000)
    assert story.order_lookups == [E0] * 3
    story.look_up_failed(E0)
    story.run_until(story.now + 1000)
    assert story.order_lookups == [E0] * 4


def test_asks_again_when_a_question_fails() -> None:
    """A failed question says nothing, and is repeated."""
    story = lost()
    for count in range(2, 6):
        story.look_up_failed(E0)
        story.run_until(story.now + 250)
        assert story.order_lookups == [E0] * count


@pytest.mark.parametrize(("retry_after_s", "pause_ms"), [(0.1, 250), (3.2, 3200), (57.0, 5000)])
def test_asks_again_when_it_may(retry_after_s: float, pause_ms: int) -> None:
    """After a 429, or with the budget spent, not before that is over: each attempt would be a line in the log."""
    story = lost()
    story.look_up_failed(E0, retry_after_s=retry_after_s)
    story.run_until(story.now + pause_ms - 1)
    assert story.order_lookups == [E0]
    story.run_until(story.now + 1)
    assert story.order_lookups == [E0] * 2


@pytest.mark.parametrize(("resting", "asked"), [((S0,), []), ((), [S0]), (None, [])])
def test_asks_about_the_stop_when_the_list_that_lacks_the_target_lacks_it_too(
    resting: tuple[str, ...] | None, asked: list[str]
) -> None:
    """One list, read for another order, is all that may come through on a bad network."""
    story = Story().protected()
    commands = story.not_found(P0, resting=resting)
    assert [c.client_order_id for c in commands if isinstance(c, LookUpOrder)] == asked


def test_sends_nothing_when_a_question_about_an_entry_in_flight_fails() -> None:
    """Only a refusal with proof schedules another send of the entry, never an unanswered question."""
    story = Story()
    story.signal()
    story.look_up_failed(E0)
    story.not_found(E0)
    story.run_until(story.now + 29_000)
    assert story.submitted == [E0]


def test_changes_nothing_when_answers_are_about_unknown_orders() -> None:
    """Answers about orders that are long over, or never were, are let go."""
    story = Story()
    before = story.state.encode()
    story.not_found("bktr-nobody")
    story.look_up_failed("bktr-nobody")
    story.look_up_failed("bktr-nobody", algo=True)
    story.cancelled("bktr-nobody")
    story.cancel_failed("bktr-nobody")
    story.algo_told("bktr-nobody", AlgoStatus.NEW)
    story.unknown("bktr-nobody")
    story.look_up_failed(symbol="ETHUSDT")
    story.foreign_fill("1")
    assert story.state.encode() == before
    assert story.log == []


def test_renews_the_stream_when_it_keeps_silent_about_an_acknowledged_order() -> None:
    """Connected and mute: after a second it is dropped, the symbol is looked at, and polled often from then on."""
    story = Story()
    story.signal()
    story.ack(E0, executed="1")
    story.now += 20
    story.ack_algo(S0)
    story.ack_algo(P0)
    story.run_until(story.now + 1000)
    assert len(story.all(RenewStream)) == 1
    assert not story.state.stream_up
    assert story.symbol_lookups == ["stream_silent"]
    story.snapshot("1", [S0, P0])
    story.run_until(story.now + 3100)
    assert story.symbol_lookups == ["stream_silent", "poll"], "one question at a time"
    story.snapshot("1", [S0, P0])
    story.run_until(story.now + 1000)
    assert story.symbol_lookups == ["stream_silent", "poll", "poll"]
    assert len(story.all(RenewStream)) == 1
    story.stream_connected()
    story.run_until(story.now + 900)
    assert len(story.all(RenewStream)) == 1, "what was acknowledged before it connected is not its business"


def test_polls_seldom_when_the_stream_is_up() -> None:
    """Every 30 s, and every second while it is down."""
    story = Story().protected()
    looked = len(story.symbol_lookups)
    story.run_until(story.now + 31_000)
    assert story.symbol_lookups[looked:] == ["poll"]
    story.snapshot("1", [S0, P0])
    story.stream_lost()
    at = story.now
    story.run_until(at + 1000)
    assert story.symbol_lookups[looked:] == ["poll", "poll"]


def test_polls_of_many_positions_leave_half_of_the_budget() -> None:
    """With the stream down, eight symbols at 7 a look: no more than 1200 a minute; one symbol as often as ever."""
    story = Story().protected()
    story.stream_lost()
    assert poll_pause_ms(story.state) == story.state.policy.poll_interval_ms
    (bracket,) = story.state.brackets.values()
    many = {f"entry-{number}": bracket for number in range(8)}
    pause_ms = poll_pause_ms(replace(story.state, brackets=many))
    assert 8 * 7 * 60_000 / pause_ms <= 1200


def test_looks_again_when_the_stream_connects_during_a_question() -> None:
    """A snapshot from before the connection leaves a gap: once it is there, another one is asked for at once."""
    story = Story().protected()
    story.stream_lost()
    story.run_until(story.now + 1000)
    looked = len(story.symbol_lookups)
    asked_at = story.now
    story.now += 50
    story.stream_connected()
    story.now += 50
    story.snapshot("1", [S0, P0], requested_at_ms=asked_at)
    story.tick(1)
    assert len(story.symbol_lookups) == looked + 1


def test_asks_about_a_leg_when_it_is_missing_from_a_snapshot() -> None:
    """A leg that vanished is looked up, again soon, and given up after two misses: the position is protected."""
    story = Story().protected()
    vanished = story.now
    story.snapshot("1", [P0])
    assert story.order_lookups == [S0]
    story.not_found(S0)
    assert story.algo(S0).status is AlgoStatus.NEW, "one answer may lag"
    story.run_until(story.now + 200)
    assert story.order_lookups == [S0, S0]
    story.not_found(S0)
    assert story.submitted[-1] == S1
    assert story.now < vanished + 2000


def test_keeps_a_leg_when_a_snapshot_may_be_too_old_for_it() -> None:
    """An order acknowledged just before the snapshot was asked for may be missing from it."""
    story = Story()
    story.signal()
    story.fill(E0)
    story.ack_algo(S0)
    story.snapshot("1", [], requested_at_ms=story.now + 100)
    assert story.order_lookups == []


def test_adopts_a_leg_when_a_snapshot_shows_it() -> None:
    """An unresolved stop that rests is live: the snapshot is as good as the answer that was lost."""
    story = Story()
    story.signal()
    story.fill(E0)
    story.ack(E0, executed="1")
    story.ack_algo(P0)
    story.unknown(S0)
    story.snapshot("1", [S0, P0])
    assert story.algo(S0).status is AlgoStatus.NEW
    assert [report.status for report in story.reports] == ["protected"]


def test_does_not_suspect_the_stream_when_a_leg_from_before_it_is_found() -> None:
    """A leg that was placed before the stream connected was never to be told by it."""
    story = Story(stream=False)
    story.signal()
    story.ack(E0, executed="1")
    story.unknown(S0)
    story.ack_algo(P0)
    placed = story.now
    story.now += 100
    story.stream_connected()
    story.now += 100
    story.algo_told(S0, AlgoStatus.NEW, source="lookup", told_at_ms=placed)
    story.run_until(story.now + 5000)
    assert story.all(RenewStream) == []


def test_asks_about_an_order_when_its_news_is_impossible() -> None:
    """Newer and impossible: on record with what was held and told, and the exchange is asked what is true, of the order
    and of its symbol with all trades."""
    story = Story().protected()
    story.told(E0, OrderStatus.NEW, executed="1", told_at_ms=story.now + 5)
    assert story.state.anomalies == 0, "an ended order cannot be un-ended: old news"
    story.algo_told(S0, AlgoStatus.TRIGGERED)
    story.now += 5
    story.algo_told(S0, AlgoStatus.NEW)
    assert story.state.anomalies == 1
    assert story.order_lookups == [S0]
    assert story.symbol_lookups[-1] == "impossible_transition"
    assert story.all(LookUpSymbol)[-1].trades_since_ms is not None
    (note,) = [c for c in story.all(Announce) if c.topic == "anomaly"]
    assert command_line(note).event_type == "bracket_anomaly"
    assert note.facts == {"client_order_id": S0, "held": "TRIGGERED", "told": "NEW", "source": "stream"}


def test_asks_when_an_order_is_told_to_have_ended_in_two_ways() -> None:
    """Filled and then cancelled, cancelled and then triggered: one of the two is not true, whichever."""
    story = Story().protected()
    story.told(E0, OrderStatus.CANCELED, executed="1", told_at_ms=story.now + 5)
    assert (story.state.anomalies, story.order(E0).status) == (1, OrderStatus.FILLED)
    story.algo_told(P0, AlgoStatus.CANCELED)
    story.algo_told(P0, AlgoStatus.TRIGGERED, told_at_ms=story.now + 5)
    assert (story.state.anomalies, story.algo(P0).status) == (2, AlgoStatus.CANCELED)
    assert story.order_lookups == [E0, P0]


def test_contradictory_answers_do_not_keep_each_other_going() -> None:
    """An answer that is impossible itself is on record, and is not asked about again at once."""
    story = Story().protected()
    story.told(E0, OrderStatus.CANCELED, executed="1", told_at_ms=story.now + 5)
    for later in range(6, 16):
        story.told(E0, OrderStatus.EXPIRED, executed="1", told_at_ms=story.now + later, source="lookup")
    assert story.state.anomalies == 11
    assert story.order_lookups == [E0]


def test_a_refusal_by_the_exchange_is_not_undone_by_late_news() -> None:
    """The stop triggered and was refused; the same events come once more by the other socket of a rotation."""
    story = Story().protected()
    for status in (AlgoStatus.TRIGGERING, AlgoStatus.TRIGGERED, AlgoStatus.REJECTED):
        story.algo_told(S0, status)
    for status in (AlgoStatus.NEW, AlgoStatus.TRIGGERING, AlgoStatus.TRIGGERED):
        story.algo_told(S0, status, told_at_ms=story.now - 1)
        assert story.algo(S0).status is AlgoStatus.REJECTED
    assert S1 in story.submitted, "the position is bare: a new stop is placed"


def test_a_refusal_that_we_concluded_is_undone_when_the_exchange_shows_the_order() -> None:
    """It was given up as never arrived: the exchange's own word is believed over our conclusion."""
    story = Story().protected()
    story.algo_told(P0, AlgoStatus.CANCELED)
    story.refuse(P1, -1102)
    assert (story.algo(P1).status, story.algo(P1).given_up) == (AlgoStatus.REJECTED, True)
    story.algo_told(P1, AlgoStatus.NEW)
    assert (story.algo(P1).status, story.algo(P1).given_up) == (AlgoStatus.NEW, False)


@pytest.mark.parametrize("gone", [True, False])
def test_a_leg_that_triggered_before_its_cancel_stays_triggered(gone: bool) -> None:
    """The answer to the cancel knows less than the stream; how the leg ended is asked."""
    story = Story().protected()
    story.foreign_fill("1")
    story.position("0")
    story.run_until(story.now + 200)
    assert story.algo(S0).status is AlgoStatus.PENDING_CANCEL
    story.algo_told(S0, AlgoStatus.TRIGGERED)
    story.cancelled(S0, gone=gone)
    assert story.algo(S0).status is AlgoStatus.TRIGGERED
    assert S0 in story.order_lookups


def test_a_conclusion_that_no_table_has_changes_nothing() -> None:
    """A mistake of ours neither crashes nor makes a wrong state: it is on record like an impossible answer."""
    story = Story().protected()
    turn = Turn(state=story.state, now_ms=story.now)
    entry = turn.update_order(story.order(E0), status=OrderStatus.REJECTED, misses=7)
    assert (entry.status, entry.tries.misses) == (OrderStatus.FILLED, 7)
    assert [type(command) for command in turn.commands] == [Announce, LookUpOrder, LookUpSymbol]


@pytest.mark.parametrize("naked_limit_ms", [500, 2000, 10_000])
def test_respects_the_naked_limit_that_is_set(naked_limit_ms: int) -> None:
    """The close leaves before the limit, whatever it is."""
    story = Story(Policy(arm=ArmingMode.AFTER_FILL, naked_limit_ms=naked_limit_ms))
    story.signal()
    story.fill(E0)
    begun = story.now
    story.run_until(begun + naked_limit_ms - 1)
    (close,) = [c for c in story.all(SubmitOrder) if c.intent.reduce_only]
    assert close.intent.side is Side.SELL
    assert close.intent.quantity == Decimal(1)
    assert begun > T0
    assert X0 not in story.submitted


def test_does_not_send_an_entry_in_flight_again_because_an_answer_makes_no_sense() -> None:
    """P1: only a refusal with proof schedules a resend; a status that an order in flight cannot have does not."""
    story = Story()
    story.signal()
    story.told(E0, OrderStatus.PENDING_CANCEL, source="lookup")
    story.tick(250)
    story.tick(2000)
    assert story.submitted == [E0, S0]


def test_asks_at_once_when_the_reply_of_an_entry_that_the_stream_told_cannot_be_read() -> None:
    """The stream said NEW, the reply with the end was garbled: the end would be missed for a second otherwise."""
    story = Story()
    story.signal()
    story.told(E0, OrderStatus.NEW)
    story.unknown(E0)
    assert story.order(E0).status is OrderStatus.NEW
    story.tick()
    assert story.order_lookups == [E0]


def test_looks_at_the_position_when_an_acknowledged_entry_is_denied() -> None:
    """The question about the order lags behind its fill, and the stream lost it: the position shows it first."""
    story = Story()
    story.signal()
    story.told(E0, OrderStatus.NEW)
    story.unknown(E0)
    story.tick()
    story.now += 20
    (look,) = [c for c in story.not_found(E0) if isinstance(c, LookUpSymbol)]
    assert look.position_only
    story.now += 20
    story.snapshot("1")
    story.now += 100
    assert submits(story.tick()) == [S0]


def test_guards_a_position_that_shows_before_its_entry_is_answered() -> None:
    """The answer is slow, or lost for as long as its time-out, and the stream lost the fill: the position was told."""
    story = Story()
    story.signal()
    story.now += 50
    assert submits(story.position("1")) == [], "the fill's own event travels with it"
    shown = story.now
    story.run_until(shown + 100)
    assert story.submitted == [E0, S0]
    story.now += 900
    story.unknown(E0)
    assert story.state.brackets["signal-1"].presumed_since_ms == shown


def test_position_from_before_an_entry_is_sent_again_is_not_its() -> None:
    """The first attempt was refused with proof: what showed then is somebody else's."""
    story = Story()
    story.signal()
    story.refuse(E0, -1008, resend_ms=200)
    story.position("3")
    story.run_until(story.now + 900)
    assert story.submitted == [E0, E0]


def test_position_from_before_an_unanswered_entry_is_not_its() -> None:
    """What was told before the signal came may be what it was judged by."""
    story = Story()
    before = story.now - 1
    story.signal()
    story.snapshot("1", requested_at_ms=before)
    story.run_until(story.now + 900)
    assert story.submitted == [E0]
