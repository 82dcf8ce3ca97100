"""Stories of protection that does not come at once, or does not last (P2)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bracketeer.core.client_ids import client_order_id
from bracketeer.core.commands import AnyCommand, CancelOrder, LookUpOrder, SubmitOrder
from bracketeer.core.events import Fill
from bracketeer.core.order import ALGO_CLOSED
from bracketeer.core.settings import Policy
from bracketeer.core.values import AlgoStatus, ArmingMode, OrderStatus, Role
from tests.support.stories import E0, F0, F1, P0, P1, PRICE, S0, S1, T0, Story, submits


def filled() -> Story:
    """Entry filled, both legs sent, nothing answered yet."""
    story = Story()
    story.signal()
    story.now += 50
    story.fill(E0)
    story.position("1")
    story.now += 10
    story.ack(E0, executed="1")
    assert story.submitted == [E0, S0, P0]
    return story


def flatten(story: Story, client_id: str = F0) -> None:
    """The closing order fills, and everything of ours ends."""
    story.ack(client_id)
    story.fill(client_id)
    if story.bracket.asking:
        story.snapshot("0")
    story.position("0")
    for leg in list(story.state.algos.values()):
        if leg.status is AlgoStatus.NEW:
            story.algo_told(leg.intent.client_order_id, AlgoStatus.EXPIRED)
    for leg in list(story.state.algos.values()):
        if leg.status not in ALGO_CLOSED:
            story.not_found(leg.intent.client_order_id, story.now + 60_000)


@pytest.mark.parametrize("code", [-2019, -1111, -4120, -1008, -4509, None])
def test_closes_at_market_when_the_stop_is_refused_for_ever(code: int) -> None:
    """The stop is tried again and again; before the naked limit is over a reduce-only close goes out, with an alert."""
    story = filled()
    first_fill = story.now - 10
    story.ack_algo(P0)
    story.algo_told(P0, AlgoStatus.NEW)
    while F0 not in story.submitted:
        story.refuse(S0, code)
        if F0 in story.submitted:
            break
        story.run_until(story.state.next_wake_ms() or 0)
        assert story.now <= first_fill + 2000, "the naked limit has passed"
    assert story.submitted.count(S0) > 3
    assert story.submitted.count(F0) == 1
    close = story.intent(F0)
    assert (close.reduce_only, close.quantity, close.close_position) == (True, Decimal(1), False)
    assert "stop_not_live_in_time" in story.alerts
    assert not story.reports
    story.now += 100
    if story.algo(S0).status is AlgoStatus.PENDING_NEW:
        story.refuse(S0, code)
    sold_at = story.now
    flatten(story)
    (report,) = story.reports
    assert (report.status, report.reason and report.reason.code) == ("flattened", "stop_not_live_in_time")
    assert report.exit is not None
    assert report.timings is not None
    assert report.timings.naked_ms == sold_at - first_fill, "it was never protected"
    assert not story.state.brackets


def test_closes_in_time_when_the_stop_is_never_answered() -> None:
    """Silence is no protection either."""
    story = filled()
    commands = story.run_until(story.now + 2000)
    assert F0 in submits(commands)
    assert F0 in story.submitted


@pytest.mark.parametrize(
    ("leg", "status", "reason"),
    [(S0, "flattened", "stop_price_already_crossed"), (P0, "closed", "take_profit_price_already_crossed")],
)
def test_closes_at_once_when_a_price_is_already_crossed(leg: str, status: str, reason: str) -> None:
    """-2021 is not argued with: its condition is true now."""
    story = filled()
    if leg == P0:
        story.ack_algo(S0)
    assert submits(story.refuse(leg, -2021)) == [F0]
    assert story.alerts == [reason]
    if leg == S0:
        story.ack_algo(P0)
    flatten(story)
    (report,) = story.reports
    assert (report.status, report.reason and report.reason.code) == (status, reason)
    assert story.submitted == [E0, S0, P0, F0]


def test_sends_the_stop_again_when_the_position_is_not_visible_yet() -> None:
    """-4509 right after the fill is transient: the same id again within the naked limit."""
    story = filled()
    story.ack_algo(P0)
    story.refuse(S0, -4509)
    assert submits(story.advance_to_wake()) == [S0]
    story.refuse(S0, -4509)
    assert submits(story.advance_to_wake()) == [S0]
    story.ack_algo(S0)
    assert [report.status for report in story.reports] == ["protected"]
    assert S1 not in story.submitted


def test_looks_at_the_position_when_the_exchange_goes_on_saying_that_there_is_none() -> None:
    """-4509 three times: perhaps somebody closed it; the position and the trades are asked for."""
    story = filled()
    for _ in range(3):
        story.refuse(S0, -4509)
        story.run_until(story.now + 210)
    assert "position_denied" in story.symbol_lookups


def test_sends_the_same_stop_again_and_looks_when_its_outcome_is_unknown() -> None:
    """The safe error is to protect twice: same id, and a question beside it; never a second id."""
    story = filled()
    story.ack_algo(P0)
    commands = story.unknown(S0)
    assert submits(commands) == [S0]
    assert [c.client_order_id for c in commands if isinstance(c, LookUpOrder)] == [S0]
    story.now += 30
    story.ack_algo(S0)
    story.algo_told(S0, AlgoStatus.NEW, source="lookup")
    assert [report.status for report in story.reports] == ["protected"]
    assert S1 not in story.submitted


@pytest.mark.parametrize("code", [-4116, -4130])
def test_adopts_the_first_stop_when_the_second_send_is_told_that_one_is_there(code: int) -> None:
    """A duplicate refusal proves that the lost request arrived: it is looked up and adopted."""
    story = filled()
    story.ack_algo(P0)
    story.unknown(S0)
    story.refuse(S0, code)
    assert story.submitted.count(S0) == 2
    story.algo_told(S0, AlgoStatus.NEW, source="lookup")
    assert story.algo(S0).status is AlgoStatus.NEW
    assert [report.status for report in story.reports] == ["protected"]
    story.run_until(story.now + 1000)
    assert story.submitted == [E0, S0, P0, S0]
    assert not story.bracket.explicit_stop


def test_does_not_give_up_its_own_stop_when_reads_lag_behind_the_refusal() -> None:
    """Answers from before the -4130 do not count against the stop that it proves: exactly one stop rests."""
    story = filled()
    story.ack_algo(P0)
    story.unknown(S0)
    story.not_found(S0)
    story.unknown(S0)
    story.run_until(story.now + 200)
    story.not_found(S0)
    story.refuse(S0, -4130)
    story.run_until(story.now + 130)
    story.not_found(S0)
    story.run_until(story.now + 130)
    assert S1 not in story.submitted
    story.algo_told(S0, AlgoStatus.NEW, source="lookup")
    assert story.algo(S0).status is AlgoStatus.NEW


def test_places_an_explicit_quantity_when_somebody_elses_stop_is_in_the_way() -> None:
    """Their closePosition stop is left alone; ours carries the position's size, and a person is told."""
    story = filled()
    story.ack_algo(P0)
    story.refuse(S0, -4130)
    story.not_found(S0)
    story.run_until(story.now + 130)
    story.not_found(S0)
    stop = story.intent(S1)
    assert (stop.quantity, stop.reduce_only, stop.close_position) == (Decimal(1), True, False)
    assert story.alerts == ["foreign_stop"]
    story.ack_algo(S1)
    assert [report.status for report in story.reports] == ["protected"]
    story.algo_told(S1, AlgoStatus.NEW)
    story.now += 500
    story.foreign_fill("1")
    commands = story.position("0")
    assert S1 in [c.client_order_id for c in commands if isinstance(c, CancelOrder)], "it does not die by itself"


def test_covers_what_fills_later_when_the_stop_has_an_explicit_quantity() -> None:
    """An explicit stop is not the whole position once more of the entry fills: another for the whole joins it, and it
    goes once that one rests."""
    story = Story()
    story.signal()
    story.fill(E0, "0.4")
    story.ack_algo(P0)
    story.refuse(S0, -4130)
    story.not_found(S0)
    story.run_until(story.now + 130)
    story.not_found(S0)
    story.ack_algo(S1)
    assert story.intent(S1).quantity == Decimal("0.4")
    story.fill(E0, "0.6")
    second = client_order_id("signal-1", Role.STOP_LOSS, 2)
    assert story.intent(second).quantity == Decimal(1)
    assert story.bracket.naked_since_ms is not None, "until it is live, the rest is bare"
    assert S1 not in [command.client_order_id for command in story.all(CancelOrder)]
    story.ack_algo(second)
    story.algo_told(second, AlgoStatus.NEW)
    assert S1 in [command.client_order_id for command in story.all(CancelOrder)]


def test_keeps_the_pace_when_somebody_elses_target_is_in_the_way() -> None:
    """Their closePosition target costs ours, not the stop: `partially_protected`, and no flood of sends and alerts."""
    story = filled()
    story.ack_algo(S0)
    story.algo_told(S0, AlgoStatus.NEW)

    def answer(command: AnyCommand) -> None:
        story.now += 20
        match command:
            case LookUpOrder(client_order_id=client_id):
                story.not_found(client_id)
            case SubmitOrder(intent=intent):
                story.refuse(intent.client_order_id, -4130)

    before = len(story.log)
    story.refuse(P0, -4130)
    story.respond(story.now + 60_000, answer, since=before)
    assert [report.status for report in story.reports] == ["partially_protected"]
    assert not story.bracket.explicit_stop
    assert len(story.submitted) < 30
    assert len(story.alerts) <= 1


def test_places_a_new_stop_when_the_unknown_one_is_proven_absent() -> None:
    """Only an answer to a question asked after the request's death counts."""
    story = Story(Policy(arm=ArmingMode.AFTER_FILL, naked_limit_ms=60_000))
    story.signal()
    story.fill(E0)
    story.position("1")
    story.ack(E0, executed="1")
    story.ack_algo(P0)
    story.unknown(S0)
    story.unknown(S0)
    dead = story.algo(S0).tries.dead_after_ms
    assert dead == story.now + 2500
    story.not_found(S0, dead)
    assert story.algo(S0).status is AlgoStatus.UNRESOLVED
    story.not_found(S0, dead + 1)
    assert story.submitted[-1] in (S0, S1)


@pytest.mark.parametrize("status", [AlgoStatus.CANCELED, AlgoStatus.REJECTED, AlgoStatus.EXPIRED])
@pytest.mark.parametrize("answered", [True, False])
def test_protects_anew_when_the_exchange_ends_the_stop(status: AlgoStatus, answered: bool) -> None:
    """A stop that ends without our asking is replaced within the naked limit, or the position is closed."""
    story = Story().protected()
    ended = story.now
    story.algo_told(S0, status)
    story.run_until(story.now + 200)
    assert story.submitted[-1] == S1
    if answered:
        story.ack_algo(S1)
        story.run_until(story.now + 3000)
        assert story.bracket.closing is None
        assert story.bracket.naked_later_ms == story.algo(S1).live_since_ms - ended  # type: ignore[operator]
    else:
        story.run_until(ended + 2000)
        assert story.submitted[-1] == F0


def test_replaces_the_target_when_the_exchange_ends_it() -> None:
    """The take profit is brought back, and the stop is not touched."""
    story = Story().protected()
    assert submits(story.algo_told(P0, AlgoStatus.CANCELED)) == [P1]
    assert not story.all(CancelOrder)


@pytest.mark.parametrize("order_end", [OrderStatus.EXPIRED, OrderStatus.CANCELED, OrderStatus.REJECTED])
def test_protects_anew_when_the_stop_finishes_without_a_fill(order_end: OrderStatus) -> None:
    """FINISHED does not mean filled: the ordinary order decides, and a bare position is protected or closed."""
    story = Story().protected()
    story.algo_told(S0, AlgoStatus.TRIGGERED)
    story.told(S0, order_end)
    assert submits(story.algo_told(S0, AlgoStatus.FINISHED)) == [S1]
    assert submits(story.refuse(S1, -2021)) == [F0]


def test_closes_the_rest_when_the_stop_filled_a_part_only() -> None:
    """What a triggered stop leaves is protected again by the position's real size."""
    story = Story().protected()
    story.algo_told(S0, AlgoStatus.TRIGGERED)
    story.fill(S0, "0.6")
    story.told(S0, OrderStatus.EXPIRED, executed="0.6")
    story.algo_told(S0, AlgoStatus.FINISHED)
    assert story.submitted[-1] == S1
    story.refuse(S1, -2021)
    assert story.intent(F0).quantity == Decimal("0.4")


def test_closes_when_a_triggered_stop_does_not_close() -> None:
    """A stop that triggered and does not finish is spent: a close goes out within the naked limit."""
    story = Story().protected()
    at = story.now
    story.algo_told(S0, AlgoStatus.TRIGGERING)
    story.run_until(at + 2000)
    assert F0 in story.submitted
    assert story.alerts == ["stop_triggered_without_closing"]


def test_finds_the_end_when_a_triggered_stop_goes_silent() -> None:
    """The ordinary order behind a trigger is asked for (failure mode 8)."""
    story = Story().protected()
    story.algo_told(S0, AlgoStatus.TRIGGERED)
    story.run_until(story.now + 300)
    assert story.order_lookups == [S0]
    story.told(S0, OrderStatus.FILLED, executed="1", average="57990", source="lookup")
    story.algo_told(S0, AlgoStatus.FINISHED, source="lookup")
    story.position("0")
    story.algo_told(P0, AlgoStatus.EXPIRED)
    assert not story.state.brackets
    assert story.state.signals["signal-1"].status == "closed"


def test_ends_when_a_finished_stop_never_had_an_order() -> None:
    """FINISHED with no order behind it: nothing traded, so the position is protected or closed, and ends."""
    story = Story().protected()
    story.algo_told(S0, AlgoStatus.FINISHED, source="lookup")
    story.run_until(story.now + 300)
    assert story.submitted[-1] == S1
    story.refuse(S1, -2021)
    flatten(story)
    assert not story.state.brackets


def test_tries_to_close_on_when_the_close_is_refused() -> None:
    """Refused closes are repeated under new ids after growing pauses; the position is looked at, a person told."""
    story = filled()
    story.refuse(S0, -2021)
    story.refuse(F0, -2022)
    assert "close_refused" in story.symbol_lookups
    story.advance_to_wake()
    assert story.submitted[-1] == F1
    for _ in range(2):
        story.refuse(story.submitted[-1], -2022)
        story.run_until(story.now + 1000)
    assert story.alerts == ["stop_price_already_crossed", "close_refused"]


def test_counts_naked_time_on_the_exchanges_clock() -> None:
    """From the first fill's own time to the stop's own time, whatever our clock says."""
    story = Story()
    story.signal()
    story.now += 100
    story.fill(E0, told_at_ms=story.now - 60)
    story.now += 200
    story.ack_algo(S0, at_ms=story.now - 90)
    story.ack_algo(P0)
    assert story.reports[0].timings is not None
    assert story.reports[0].timings.naked_ms == 60 + 200 - 90
    assert story.reports[0].timings.first_fill_at_ms == T0 + 100 + 100 - 60


def test_counts_naked_time_when_the_close_comes_before_the_stop() -> None:
    """A position that was closed without ever having had its stop was naked all the time."""
    story = Story()
    story.signal()
    story.close()
    story.fill(E0)
    begun = story.now
    story.now += 300
    story.ack(E0, executed="1")
    exit_id = story.submitted[-1]
    story.ack(exit_id)
    story.fill(exit_id)
    story.position("0")
    report = next(r for r in story.reports if r.signal_id == "signal-1")
    assert report.timings is not None
    assert report.timings.naked_ms == story.now - begun


@pytest.mark.parametrize("stop_first", [False, True])
def test_counts_naked_time_from_the_first_print_when_it_is_told_last(stop_first: bool) -> None:
    """The answer tells the whole fill before the stream tells its first print: the gap began with the print."""
    story = Story()
    story.signal()
    sent = story.now
    story.now += 40
    story.told(E0, OrderStatus.FILLED, executed="1", source="lookup")
    first = Fill(trade_id=1, price=PRICE, quantity=Decimal("0.4"))

    def tell() -> None:
        story.told(E0, OrderStatus.PARTIALLY_FILLED, executed="0.4", fill=first, told_at_ms=sent)

    if not stop_first:
        tell()
    story.now += 10
    story.ack_algo(S0)
    if stop_first:
        tell()
    assert story.bracket.naked_worst_ms == 50


def test_closes_in_time_when_the_exchanges_clock_is_ahead() -> None:
    """A fill that bears a time later than now, by our estimate, does not put the naked limit off."""
    story = Story()
    story.signal()
    filled_at = story.now
    story.fill(E0, told_at_ms=story.now + 900)
    commands = story.run_until(filled_at + 1600)
    assert F0 in submits(commands)
