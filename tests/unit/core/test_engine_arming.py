"""Protection that leaves with the entry (ARM=with_entry): the hand-over, and entries that do not come about."""

from __future__ import annotations

import pytest

from bracketeer.core.commands import CancelOrder
from bracketeer.core.events import TradeRow
from bracketeer.core.values import AlgoStatus, OrderStatus
from tests.support.stories import E0, P0, P1, S0, S1, submits
from tests.unit.core.arming_kit import armed, cancels, filled, rest, sent


def test_sends_stop_entry_and_target_at_once() -> None:
    """In this order: the exchange is to see the stop no later than the entry. None of them can open but the entry."""
    story = sent()
    assert story.submitted == [S0, E0, P0]
    for leg in (S0, P0):
        intent = story.intent(leg)
        assert (intent.reduce_only, intent.close_position, intent.quantity) == (True, False, story.intent(E0).quantity)
    assert not story.intent(E0).reduce_only


def test_is_protected_with_the_fill() -> None:
    """The report needs no further round trip, and tells of no time without a stop."""
    story = armed()
    filled(story)
    (report,) = story.reports
    assert report.status == "protected"
    assert report.stop_loss is not None
    assert (report.stop_loss.client_order_id, report.stop_loss.status) == (S0, "NEW")
    assert report.timings is not None
    assert report.timings.naked_ms == 0


def test_hands_over_to_closing_orders_without_a_gap() -> None:
    """The closing one is placed beside the other, known to rest, and only then the other is cancelled."""
    story = armed()
    assert submits(filled(story)) == [S1, P1]
    assert story.intent(S1).close_position
    assert not story.all(CancelOrder)
    assert cancels(rest(story, P1)) == [P0]
    assert cancels(rest(story, S1)) == [S0]
    for leg in (S0, P0):
        story.cancelled(leg)
        story.algo_told(leg, AlgoStatus.CANCELED)
    assert [report.status for report in story.reports] == ["protected"]
    assert story.bracket.naked_worst_ms == 0
    quiet = len(story.log)
    story.run_until(story.now + 20_000)
    assert len(story.log) == quiet


def test_keeps_what_left_with_the_entry_while_more_may_fill() -> None:
    """A closing order that fires on the first part dies with it; the rest of the entry would be bare."""
    story = armed()
    story.fill(E0, "0.4")
    assert cancels(rest(story, S1)) == []
    assert cancels(story.fill(E0, "0.6")) == [S0]


def test_covers_an_entry_that_filled_in_part() -> None:
    """A reduce-only quantity above the position is cut to it by the exchange (§12.3)."""
    story = armed()
    story.fill(E0, "0.4")
    story.position("0.4")
    story.told(E0, OrderStatus.EXPIRED, executed="0.4")
    assert [report.status for report in story.reports] == ["protected"]
    assert set(cancels(rest(story, S1) + rest(story, P1))) == {S0, P0}


@pytest.mark.parametrize("told_first", [True, False])
def test_tells_the_time_without_a_stop_when_the_stop_came_second(told_first: bool) -> None:
    """The network may let the entry overtake the stop: the figure is the exchange's own, whoever is told first."""
    story = sent(take_profit=None)
    fill_ms, live_ms = story.now + 10, story.now + 13
    story.now += 40
    if told_first:
        story.ack_algo(S0, at_ms=live_ms)
    story.fill(E0, told_at_ms=fill_ms)
    if not told_first:
        story.ack_algo(S0, at_ms=live_ms)
    story.ack(E0, executed="1")
    assert story.bracket.naked_worst_ms == 3
    assert story.bracket.stop_live_ms == live_ms


# The entry does not come about.


@pytest.mark.parametrize("end", ["refused", "expired", "canceled"])
def test_takes_everything_back_when_the_entry_does_not_execute(end: str) -> None:
    """Both are cancelled at once; the symbol is free when that is proven, not before."""
    story = armed()
    if end == "refused":
        commands = story.refuse(E0, -2019)
    elif end == "expired":
        commands = story.ack(E0, status=OrderStatus.EXPIRED)
    else:
        commands = story.told(E0, OrderStatus.CANCELED)
    assert set(cancels(commands)) == {S0, P0}
    story.cancelled(P0)
    story.signal(signal_id="signal-2")
    assert story.reports[-1].reason is not None
    assert story.reports[-1].reason.code == "symbol_busy"
    story.cancelled(S0)
    assert story.reports[-1].status == "rejected"
    assert not story.state.brackets
    assert submits(story.signal(signal_id="signal-3")) != []


def test_takes_a_stop_of_unknown_fate_back_when_the_entry_is_refused() -> None:
    """It may still arrive: looked for until it no longer can, the symbol being busy so long."""
    story = sent(take_profit=None)
    story.refuse(E0, -2019)
    story.unknown(S0)
    assert story.order_lookups == [S0]
    story.not_found(S0)
    assert story.state.brackets
    dead_ms = story.algo(S0).tries.dead_after_ms
    story.run_until(dead_ms + 300)
    assert story.order_lookups == [S0, S0]
    story.now += 300
    story.not_found(S0)
    assert not story.state.brackets
    assert story.submitted == [S0, E0]


def test_cancels_a_stop_that_arrived_late() -> None:
    """Its answer was lost, and the entry refused: found resting, it is cancelled."""
    story = sent(take_profit=None)
    story.refuse(E0, -2019)
    story.unknown(S0)
    assert cancels(story.algo_told(S0, AlgoStatus.NEW, source="lookup")) == [S0]
    story.cancelled(S0)
    assert not story.state.brackets


def test_leaves_everything_in_place_while_the_fate_of_the_entry_is_unknown() -> None:
    """It may have executed: the stop is what protects it."""
    story = armed()
    story.unknown(E0)
    story.run_until(story.now + 1000)
    assert not story.all(CancelOrder)
    assert E0 in story.order_lookups
    story.told(E0, OrderStatus.FILLED, executed="1", average="60000", source="lookup")
    story.position("1")
    assert [report.status for report in story.reports] == ["protected"]
    assert story.bracket.naked_worst_ms == 0


def test_takes_everything_back_when_the_entry_never_arrived() -> None:
    """Absence proven twice, none of the trades being its: then the legs go."""
    _is_taken_back(trades=(), within_ms=3_000)


def test_takes_everything_back_when_the_entry_never_arrived_and_its_trades_cannot_be_had() -> None:
    """The position has to do then, which takes more answers: a person may have closed what did execute."""
    _is_taken_back(trades=None, within_ms=60_000)


def _is_taken_back(trades: tuple[TradeRow, ...] | None, within_ms: int) -> None:
    story = armed()
    story.unknown(E0)
    dead_ms = story.order(E0).tries.dead_after_ms
    while not story.all(CancelOrder):
        story.not_found(E0)
        if story.bracket.asking:
            story.snapshot("0", [S0, P0], trades)
        story.run_until(min(story.now + 250, dead_ms + within_ms))
        assert story.now < dead_ms + within_ms
    assert story.now > dead_ms
    for leg in (S0, P0):
        story.cancelled(leg)
    assert [report.status for report in story.reports] == ["rejected"]


def test_sends_the_entry_alone_when_it_is_sent_again() -> None:
    """A proven refusal that invites a resend: the legs rest already."""
    story = armed()
    story.refuse(E0, -1008, resend_ms=200)
    assert submits(story.advance_to_wake()) == [E0]
    assert story.submitted == [S0, E0, P0, E0]
