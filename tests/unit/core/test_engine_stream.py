"""Stories of a stream that is connected and keeps silent, about everything or about one thing (failure mode 7)."""

from __future__ import annotations

import pytest

from bracketeer.core.commands import AnyCommand, LookUpOrder, LookUpSymbol, RenewStream
from bracketeer.core.values import AlgoStatus, OrderStatus, Side
from tests.support.stories import E0, P0, S0, X0, Story


def bracket_told(*, without: str = "") -> Story:
    """A bracket opens; each answer comes, and the stream tells everything but one thing."""
    story = Story()
    story.signal()
    story.ack(E0, executed="1")
    if without != "order":
        story.told(E0, OrderStatus.NEW)
    if without not in ("order", "fill"):
        story.fill(E0)
    if without != "position":
        story.position("1")
    for leg in (S0, P0):
        story.ack_algo(leg)
        if leg != without:
            story.algo_told(leg, AlgoStatus.NEW)
    return story


def renewals(story: Story) -> int:
    """How often the stream was given up so far."""
    return len(story.all(RenewStream))


@pytest.mark.parametrize("silent_about", ["order", "fill", "position", S0, P0])
def test_suspects_a_stream_that_keeps_one_thing_to_itself(silent_about: str) -> None:
    """An order, what it traded, the position that follows, a conditional order: each is missed after a second, the
    symbol is looked at, and the stream renewed; once."""
    story = bracket_told(without=silent_about)
    begun = story.now
    story.run_until(begun + 999)
    assert renewals(story) == 0
    assert story.state.stream_up
    story.run_until(begun + 1000)
    assert renewals(story) == 1
    assert not story.state.stream_up
    assert story.symbol_lookups[-1] == "stream_silent"
    story.snapshot("1", [S0, P0])
    story.stream_connected()
    story.snapshot("1", [S0, P0])
    story.run_until(story.now + 20_000)
    assert renewals(story) == 1, "what happened before it connected is not its business"


def test_believes_a_stream_that_tells_everything() -> None:
    """Also when it is slower than the answers, but in time."""
    story = Story()
    story.signal()
    story.ack(E0, executed="1")
    for leg in (S0, P0):
        story.ack_algo(leg)
    happened = story.now
    story.now += 900
    story.told(E0, OrderStatus.NEW, told_at_ms=happened)
    story.fill(E0, "1", told_at_ms=happened, status=OrderStatus.FILLED)
    story.position("1", told_at_ms=happened)
    for leg in (S0, P0):
        story.algo_told(leg, AlgoStatus.NEW, told_at_ms=happened)
    story.run_until(happened + 20_000)
    assert renewals(story) == 0


@pytest.mark.parametrize("late_ms", [0, 80])
def test_believes_a_stream_that_stamps_a_trade_earlier_than_the_answer(late_ms: int) -> None:
    """An answer has the time of the order's last change, which need not be the trade's."""
    story = Story()
    story.signal()
    happened = story.now
    story.now += late_ms
    story.ack(E0, executed="1")
    story.told(E0, OrderStatus.FILLED, executed="1", told_at_ms=happened)
    story.position("1", told_at_ms=happened)
    for leg in (S0, P0):
        story.ack_algo(leg)
        story.algo_told(leg, AlgoStatus.NEW)
    story.run_until(story.now + 20_000)
    assert renewals(story) == 0


def test_suspects_a_stream_that_did_not_tell_of_the_end() -> None:
    """The poll finds that the stop hit half a minute ago: the bracket is over at once, and the stream is renewed all
    the same, for the next one's sake."""
    story = Story().protected()
    story.now += 1000
    hit_at = story.now

    def answer(command: AnyCommand) -> None:
        story.now += 20
        match command:
            case LookUpSymbol():
                story.snapshot("0", [])
            case LookUpOrder(client_order_id=client_id) if client_id == S0:
                story.told(S0, OrderStatus.FILLED, executed="1", average="58000", source="lookup", told_at_ms=hit_at)
                story.algo_told(S0, AlgoStatus.FINISHED, source="lookup", told_at_ms=hit_at)
            case LookUpOrder(client_order_id=client_id):
                story.algo_told(client_id, AlgoStatus.EXPIRED, source="lookup", told_at_ms=hit_at)

    story.respond(story.now + 40_000, answer)
    assert not story.state.brackets
    assert renewals(story) == 1


def test_suspects_a_stream_when_the_last_thing_it_kept_to_itself_ends_the_bracket() -> None:
    """The target expired with the position, which only a late answer tells; then the bracket is over."""
    story = Story().protected()
    story.trigger(S0)
    story.position("0")
    expired_at = story.now
    story.run_until(story.now + 200)
    story.cancelled(P0, gone=True)
    story.now += 1500
    story.algo_told(P0, AlgoStatus.EXPIRED, source="lookup", told_at_ms=expired_at)
    assert not story.state.brackets
    assert renewals(story) == 1
    assert "stream_silent" not in story.symbol_lookups


def test_suspects_a_stream_that_did_not_tell_that_the_exchange_took_the_stop() -> None:
    """Found missing by the poll, and cancelled by a look-up: replaced at once, and the stream is not believed."""
    story = Story().protected()
    gone_at = story.now
    story.now += 5000
    story.snapshot("1", [P0])
    story.algo_told(S0, AlgoStatus.CANCELED, source="lookup", told_at_ms=gone_at)
    assert renewals(story) == 1
    assert story.submitted[-1] not in (S0, P0)


def test_suspects_a_stream_that_did_not_tell_of_a_trade_by_hand() -> None:
    """A snapshot with trades explains the position; the stream should have."""
    story = Story().protected()
    trade = story.trade("web_1", "0.4", Side.SELL)
    story.now += 5000
    story.snapshot("0.6", [S0, P0])
    story.run_until(story.now + 300)
    assert renewals(story) == 0, "nothing is proven yet"
    story.snapshot("0.6", [S0, P0], trades=(trade,))
    assert renewals(story) == 1


def test_suspects_no_stream_for_an_order_that_is_found_again() -> None:
    """A stop that we gave up, by two answers that lagged, is no news when it shows up: its own time is old."""
    story = Story().protected()
    placed = story.algo(S0).updated_ms
    story.snapshot("1", [P0])
    for _ in range(2):
        story.not_found(S0)
        story.run_until(story.now + 300)
    story.algo_told(S0, AlgoStatus.NEW, source="lookup", told_at_ms=placed)
    assert story.algo(S0).status is AlgoStatus.NEW
    assert renewals(story) == 0


def test_renews_after_what_protects() -> None:
    """A close that is due goes out before the stream is seen to."""
    story = Story().protected()
    gone_at = story.now
    story.now += 5000
    story.algo_told(S0, AlgoStatus.CANCELED, source="lookup", told_at_ms=gone_at)
    kinds = [type(command).__name__ for command in story.log[-4:]]
    assert kinds.index("SubmitOrder") < kinds.index("RenewStream")


def test_suspects_no_stream_for_what_it_was_not_connected_to_tell() -> None:
    """A close that executed while the stream was down is found by an answer after it is back."""
    story = Story().protected()
    story.stream_lost()
    story.close()
    closed_at = story.now
    story.unknown(X0)
    story.now += 500
    story.stream_connected()
    story.now += 2000
    story.told(X0, OrderStatus.FILLED, executed="1", average="60000", source="lookup", told_at_ms=closed_at)
    story.snapshot("0", [])
    assert renewals(story) == 0


def test_asks_for_the_position_when_what_was_told_of_it_is_older_than_the_fill() -> None:
    """By a millisecond, as two stamps may differ: then it is not known whether it has the fill in it, and what others
    traded just before the entry would stay unnoticed until the next idle look."""
    story = bracket_told(without="position")
    story.position("0.6", story.now - 1)
    filled, before = story.now, list(story.symbol_lookups)
    story.run_until(filled + 999)
    assert story.symbol_lookups == before
    story.run_until(filled + 2000)
    assert story.symbol_lookups == [*before, "poll"]
    story.snapshot("0.6", [S0, P0])
    story.run_until(filled + 3000)
    assert story.symbol_lookups[-1] == "position_differs"
