"""Stories of the end: legs that hit, CLOSE signals, and what others do to the position (P2, P3)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from bracketeer.core.bracket import CLOCK_ERROR_MS
from bracketeer.core.commands import CancelOrder, LookUpSymbol
from bracketeer.core.settings import Policy
from bracketeer.core.signal import SignalType
from bracketeer.core.values import AlgoStatus, ArmingMode, OrderStatus, Side
from tests.support.stories import E0, F0, F1, P0, RULES, S0, S1, X0, X1, X2, Story, submits

LONG, SHORT = SignalType.LONG_ENTRY, SignalType.SHORT_ENTRY


def cancels(story: Story) -> list[str]:
    """Client ids of everything to be cancelled, with repetitions."""
    return [command.client_order_id for command in story.all(CancelOrder)]


@pytest.mark.parametrize("signal_type", [LONG, SHORT])
@pytest.mark.parametrize(("hit", "sibling", "code"), [(S0, P0, "stop_loss_hit"), (P0, S0, "take_profit_hit")])
@pytest.mark.parametrize("sibling_end", ["expired by the exchange", "cancelled by us", "gone before the cancel"])
def test_ends_clean_when_a_leg_hits(
    signal_type: SignalType, hit: str, sibling: str, code: str, sibling_end: str
) -> None:
    """The sibling's end is awaited or brought about, then the bracket is over; nothing is asked of others."""
    story = Story().protected(signal_type)
    story.trigger(hit)
    story.position("0")
    assert story.state.brackets, "the sibling may still rest"
    if sibling_end == "expired by the exchange":
        story.algo_told(sibling, AlgoStatus.EXPIRED)
        assert cancels(story) == []
    else:
        story.run_until(story.now + 200)
        assert cancels(story) == [sibling]
        story.cancelled(sibling, gone=sibling_end.startswith("gone"))
        if sibling_end.startswith("gone"):
            assert story.order_lookups == [sibling]
            story.algo_told(sibling, AlgoStatus.EXPIRED, source="lookup")
    assert not story.state.brackets
    assert not story.state.orders
    assert not story.state.algos
    record = story.state.signals["signal-1"]
    assert (record.ended, record.status) == (True, "closed")
    assert record.report is not None
    assert record.report.reason is not None
    assert record.report.reason.code == code
    assert record.report.exit is not None
    assert record.report.exit.executed_quantity == 1
    assert story.submitted == [E0, S0, P0]
    assert story.alerts == []


def test_cancels_again_when_a_cancel_fails() -> None:
    """A leg whose cancel was refused rests until proven otherwise."""
    story = Story().protected()
    story.trigger(P0)
    story.position("0")
    story.run_until(story.now + 200)
    for _ in range(3):
        story.cancel_failed(S0)
        story.run_until(story.now + 1000)
    assert cancels(story) == [S0] * 4
    story.cancelled(S0)
    assert not story.state.brackets


def test_does_not_cancel_when_flat_is_not_proven() -> None:
    """The ledger alone is not enough: the exchange's own position must agree before protection is cancelled."""
    story = Story().protected()
    story.fill(S0, "1", source="stream")
    story.algo_told(S0, AlgoStatus.FINISHED)
    story.run_until(story.now + 60)
    assert story.symbol_lookups[-1] == "prove_flat"
    story.look_up_failed(symbol="BTCUSDT")
    story.run_until(story.now + 2000)
    assert cancels(story) == []
    story.now += 1
    story.snapshot("0", [P0])
    story.run_until(story.now + 200)
    assert cancels(story) == [P0]


def test_protects_the_rest_when_a_flat_ledger_proves_wrong() -> None:
    """A fill told after the end reopens the bracket: whatever is open is guarded."""
    story = Story()
    story.signal()
    story.fill(E0, "0.5")
    story.ack_algo(S0)
    story.ack_algo(P0)
    story.told(E0, OrderStatus.EXPIRED, executed="0.5")
    story.fill(S0, "0.5")
    story.algo_told(S0, AlgoStatus.FINISHED)
    assert story.bracket.flat_since_ms is not None
    story.fill(E0, "0.5", status=OrderStatus.FILLED)
    assert story.bracket.flat_since_ms is None
    assert story.submitted[-1] == S1


def test_closes_by_the_real_size_and_keeps_the_stop_when_a_close_comes() -> None:
    """One reduce-only order of the position's size; the stop rests until flat; closer and bracket end together."""
    story = Story().protected()
    assert submits(story.close()) == [X0]
    close = story.intent(X0)
    assert (close.side, close.quantity, close.reduce_only) == (Side.SELL, Decimal(1), True)
    story.ack(X0)
    assert cancels(story) == []
    story.fill(X0)
    story.position("0")
    story.algo_told(S0, AlgoStatus.EXPIRED)
    story.run_until(story.now + 200)
    assert cancels(story) == [P0]
    story.cancelled(P0)
    report = story.reports[-1]
    assert (report.signal_id, report.status) == ("close-1", "closed")
    assert report.exit is not None
    assert report.exit.client_order_id == X0
    assert story.state.signals["close-1"].ended
    assert story.state.signals["signal-1"].status == "closed"


@pytest.mark.parametrize("end", [OrderStatus.EXPIRED, OrderStatus.CANCELED, OrderStatus.EXPIRED_IN_MATCH])
def test_goes_on_closing_when_a_part_is_left(end: OrderStatus) -> None:
    """The exchange may leave a rest: fills are believed, and the rest is closed under the next id at once."""
    story = Story().protected()
    story.close()
    story.ack(X0)
    story.fill(X0, "0.7")
    assert submits(story.told(X0, end, executed="0.7")) == [X1]
    assert story.intent(X1).quantity == Decimal("0.3")


def test_splits_the_close_when_the_market_maximum_is_smaller() -> None:
    """No closing order is larger than the symbol allows, and one is at work at a time."""
    story = Story()
    rules = replace(RULES, market_max_quantity=Decimal("0.4"))
    story.signal(rules=rules, quantity="0.4")
    story.fill(E0)
    story.state.orders[E0] = replace(story.order(E0), executed=Decimal(1))  # more filled than one order may carry
    story.close()
    for left in ("0.4", "0.4", "0.2"):
        sent = story.submitted[-1]
        assert story.intent(sent).quantity == Decimal(left)
        story.ack(sent, executed=left)
    assert story.bracket.flat_since_ms is not None


def test_halves_the_close_when_the_market_maximum_was_lowered_meanwhile() -> None:
    """-4005: the limit of when the position was opened holds no more. Half of what was too large, on the step, until it
    is taken, and no more than that from then on."""
    story = Story().protected()
    story.close()
    asked: list[Decimal | None] = []
    while len(asked) < 3:
        asked.append(story.intent(story.submitted[-1]).quantity)
        story.refuse(story.submitted[-1], -4005)
        story.run_until(story.now + 100)
    assert asked == [Decimal(1), Decimal("0.5"), Decimal("0.25")]
    rest = Decimal(1)
    while rest:
        sent = story.submitted[-1]
        quantity = story.intent(sent).quantity
        assert quantity == min(rest, Decimal("0.125"))
        rest -= quantity
        story.ack(sent, executed=str(quantity))
    assert story.bracket.flat_since_ms is not None


def test_never_halves_a_close_below_one_step() -> None:
    """A refusal that makes no sense ends at the smallest order there is, not at none."""
    story = Story().protected()
    story.close()
    for _ in range(15):
        story.refuse(story.submitted[-1], -4005)
        story.run_until(story.now + 6_000)
    assert story.intent(story.submitted[-1]).quantity == story.bracket.market_step == RULES.step_size


def test_looks_for_the_cause_when_a_close_is_refused() -> None:
    """-2022: perhaps a leg has fired or somebody closed; all are asked about, and flat is success."""
    story = Story().protected()
    story.close()
    story.refuse(X0, -2022)
    assert set(story.order_lookups) == {S0, P0}
    (look,) = [c for c in story.all(LookUpSymbol) if c.why == "close_refused"]
    assert look.trades_since_ms == story.bracket.received_at_ms - CLOCK_ERROR_MS
    story.now += 1
    story.told(S0, OrderStatus.FILLED, executed="1", average="57990", source="lookup")
    story.algo_told(S0, AlgoStatus.FINISHED, source="lookup")
    story.algo_told(P0, AlgoStatus.EXPIRED, source="lookup")
    story.now += 1
    story.snapshot("0")
    assert (story.reports[-1].signal_id, story.reports[-1].status) == ("close-1", "closed")
    assert story.submitted == [E0, S0, P0, X0]


def test_places_a_stop_anew_when_it_goes_while_the_close_is_refused() -> None:
    """Overloaded, say, for seconds: what is to be closed and cannot be is not left bare. Where there is nothing to
    close, or no stop can rest any more, none is tried."""
    story = Story().protected()
    story.close()
    story.refuse(X0, -1008)
    assert submits(story.algo_told(S0, AlgoStatus.CANCELED)) == [S1]
    story.ack_algo(S1)
    story.run_until(story.now + 200)
    assert X1 in story.submitted
    gone = Story().protected()
    gone.close()
    gone.refuse(X0, -2022)
    assert submits(gone.algo_told(S0, AlgoStatus.CANCELED)) == []
    crossed = Story().protected()
    crossed.algo_told(S0, AlgoStatus.CANCELED)
    assert submits(crossed.refuse(S1, -2021)) == [F0]
    crossed.refuse(F0, -1008)
    assert submits(crossed.run_until(crossed.now + 300)) == [F1]


def test_closes_soon_when_the_stop_goes_while_refused_closes_pause() -> None:
    """While a stop guards, refusals may wait for seconds; once the position is bare the next close leaves at once, and
    the ones after it a second later at most."""
    story = Story().protected()
    story.close()
    for _ in range(5):
        story.refuse(story.submitted[-1], -2022)
        story.run_until(story.now + 5_000)
    story.refuse(story.submitted[-1], -2022)
    story.now += 100
    story.algo_told(S0, AlgoStatus.CANCELED)
    closes = submits(story.run_until(story.now + 300))
    assert len(closes) == 1
    story.refuse(closes[0], -2022)
    assert len(submits(story.run_until(story.now + 1_000))) == 1


def test_is_first_to_leave_when_a_ban_is_over() -> None:
    """Nothing leaves during a ban, so nothing is tried, and a person is told; at its end the close goes at once, and
    the stop that went meanwhile."""
    story = Story().protected()
    until = story.now + 120_000
    story.close()
    story.send_barred(X0, until)
    assert story.alerts == ["close_refused"]
    story.now += 100
    barred = submits(story.algo_told(S0, AlgoStatus.CANCELED))
    barred += submits(story.run_until(story.now + 300))
    assert barred == [S1, X1]  # what went is tried once, for the ban may be over; then no more
    for client_id in barred:
        story.send_barred(client_id, until)
    assert submits(story.run_until(until - 1)) == []
    assert submits(story.run_until(until)) == [X2, S1]


def test_waits_for_the_end_of_a_ban_though_the_clock_was_set_back_amid_the_closes() -> None:
    """The newest refusal decides, and it is not the one that bears the latest time: a clock that was only assumed was
    off by seconds. (Seed 2025370: a thousand attempts within one step.)"""
    story = Story().protected()
    story.close()
    story.refuse(X0, -1008)
    story.now -= 5_000
    until = story.now + 120_000
    assert submits([*story.restart(), *story.position("1"), *story.run_until(story.now + 300)]) == [X1]
    story.send_barred(X1, until)
    assert submits(story.run_until(until - 1)) == []
    assert submits(story.run_until(until)) == [X2]


def test_tries_again_within_a_second_when_a_close_found_no_connection() -> None:
    """Nobody refused it: refusals before an outage do not delay the close after it."""
    story = Story().protected()
    story.close()
    for _ in range(6):
        story.refuse(story.submitted[-1], -1008)
        story.run_until(story.now + 5_000)
    assert len(story.submitted) == 3 + 7
    story.send_fails(story.submitted[-1])
    assert submits(story.run_until(story.now + 990)) == []
    assert len(submits(story.run_until(story.now + 20))) == 1


def test_closes_anew_when_the_fate_of_a_close_is_unknown() -> None:
    """Nothing goes out until the exchange says that it does not know the lost one; both only reduce."""
    story = Story().protected()
    story.close()
    story.unknown(X0)
    assert story.order_lookups == [X0]
    story.tick(50)
    assert X1 not in story.submitted
    assert submits(story.not_found(X0)) == [X1]
    story.ack(X1, executed="1")
    story.position("0")
    for leg in (S0, P0):
        story.algo_told(leg, AlgoStatus.EXPIRED)
    assert story.state.brackets, "the lost one may still arrive"
    story.signal(LONG, "signal-2")
    assert story.reports[-1].status == "denied"
    until = story.order(X0).tries.dead_after_ms
    while story.state.brackets:
        story.run_until(story.now + 300)
        story.not_found(X0)
        story.snapshot("0")
    assert story.now > until


def test_adopts_an_unknown_close_when_it_is_found() -> None:
    """A lost close that did execute is believed, and no second one is sent."""
    story = Story().protected()
    story.close()
    story.unknown(X0)
    story.told(X0, OrderStatus.FILLED, executed="1", average="60000", source="lookup")
    story.run_until(story.now + 500)
    assert story.submitted == [E0, S0, P0, X0]


@pytest.mark.parametrize("signal_type", [SignalType.CLOSE, SignalType.CLOSE_LONG, SignalType.CLOSE_SHORT])
def test_answers_already_flat_when_there_is_nothing_to_close(signal_type: SignalType) -> None:
    """Nothing to do is success; the id is remembered."""
    story = Story()
    assert submits(story.signal(signal_type, "close-1")) == []
    assert [report.status for report in story.reports] == ["already_flat"]
    story.signal(signal_type, "close-1")
    assert story.reports[-1].status == "duplicate"


@pytest.mark.parametrize(
    ("entry", "close", "closes"),
    [
        (LONG, SignalType.CLOSE, True),
        (LONG, SignalType.CLOSE_LONG, True),
        (LONG, SignalType.CLOSE_SHORT, False),
        (SHORT, SignalType.CLOSE_SHORT, True),
        (SHORT, SignalType.CLOSE_LONG, False),
    ],
)
def test_closes_only_the_side_that_was_named(entry: SignalType, close: SignalType, closes: bool) -> None:
    """CLOSE_LONG does nothing to a short."""
    story = Story().protected(entry)
    story.signal(close, "close-1", amount="1" if entry is LONG else "-1")
    assert (X0 in story.submitted) is closes
    if not closes:
        assert story.reports[-1].status == "already_flat"


@pytest.mark.parametrize(
    ("close", "amount", "status"),
    [
        (SignalType.CLOSE, "1", "denied"),
        (SignalType.CLOSE_LONG, "1", "denied"),
        (SignalType.CLOSE_LONG, "-1", "already_flat"),
        (SignalType.CLOSE_SHORT, "-1", "denied"),
        (SignalType.CLOSE_SHORT, "1", "already_flat"),
        (SignalType.CLOSE, None, "already_flat"),
    ],
)
def test_leaves_the_position_alone_when_it_is_not_ours(close: SignalType, amount: str | None, status: str) -> None:
    """A CLOSE never touches what others opened."""
    story = Story()
    assert submits(story.signal(close, "close-1", amount=amount)) == []
    assert story.reports[-1].status == status


def test_closes_when_the_exchange_could_not_be_asked_before() -> None:
    """An exit of our own position needs no answer to anything: what failed while gathering does not hold it back."""
    story = Story().protected()
    commands = story.signal(SignalType.CLOSE, "close-1", amount=None, problem="rate_budget")
    assert submits(commands) == [X0]


def test_closes_once_filled_when_the_close_comes_during_the_entry() -> None:
    """The entry cannot be called back: what it fills is closed at once, without new legs."""
    story = Story()
    story.signal()
    assert submits(story.close()) == []
    assert submits(story.fill(E0)) == [X0]
    story.ack(X0, executed="1")
    story.position("0")
    assert [(r.signal_id, r.status) for r in story.reports] == [("signal-1", "closed"), ("close-1", "closed")]
    assert story.submitted == [E0, X0]


def test_tells_both_when_the_close_comes_and_the_entry_is_refused() -> None:
    """Nothing was opened: the entry is rejected and the close finds it flat."""
    story = Story()
    story.signal()
    story.close()
    story.refuse(E0, -2019)
    assert [(r.signal_id, r.status) for r in story.reports] == [("signal-1", "rejected"), ("close-1", "already_flat")]


def test_tells_both_when_the_close_comes_and_the_entry_expires() -> None:
    """An entry that ended without a fill says so."""
    story = Story()
    story.signal()
    story.close()
    story.told(E0, OrderStatus.EXPIRED)
    assert story.reports[0].reason is not None
    assert story.reports[0].reason.code == "closed_before_fill"


def test_answers_both_when_two_closes_come_at_once() -> None:
    """One exit, two truthful answers; a repeated id is a duplicate."""
    story = Story().protected()
    story.close("close-1")
    assert submits(story.close("close-2")) == []
    story.close("close-1")
    assert story.reports[-1].status == "duplicate"
    story.ack(X0, executed="1")
    story.position("0")
    for leg in (S0, P0):
        story.algo_told(leg, AlgoStatus.EXPIRED)
    ends = {(r.signal_id, r.status.value) for r in story.reports}
    assert {("close-1", "closed"), ("close-2", "closed")} <= ends


def test_tells_unresolved_when_the_close_takes_too_long() -> None:
    """The closer gets a truthful answer at the limit, and the closing goes on."""
    story = Story(Policy(arm=ArmingMode.AFTER_FILL, report_timeout_ms=5000)).protected()
    story.close()
    at = story.now
    while story.reports[-1].signal_id != "close-1":
        story.advance_to_wake()
        assert story.now <= at + 5000
    assert (story.reports[-1].status, story.now) == ("unresolved", at + 5000)
    story.ack(X0, executed="1")
    assert story.bracket.flat_since_ms is not None
    story.position("0")
    for leg in (S0, P0):
        story.algo_told(leg, AlgoStatus.EXPIRED)
    assert story.state.signals["close-1"].status == "closed", "the record is kept true after the caller was told"


def test_tells_a_person_when_a_cancel_is_refused_again_and_again() -> None:
    """An order that guards nothing any more and cannot be cancelled is not kept silent about."""
    story = Story().protected()
    story.close()
    story.ack(X0, executed="1")
    story.position("0")
    for _ in range(6):
        story.run_until(story.now + 7000)
        story.cancel_failed(S0)
    assert story.alerts.count("cancel_refused") == 1
