"""Stories from the signal to the report."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from bracketeer.core.commands import Alert, LookUpOrder, SubmitOrder
from bracketeer.core.engine import step
from bracketeer.core.events import EntryWithheld, SignalContext, SignalReceived
from bracketeer.core.settings import Policy
from bracketeer.core.signal import Signal, SignalType
from bracketeer.core.state import State
from bracketeer.core.values import AlgoStatus, ArmingMode, OrderStatus, OrderType, Side
from tests.support.stories import E0, P0, PRICE, RULES, S0, SYMBOL, T0, Story, submits

LONG, SHORT = SignalType.LONG_ENTRY, SignalType.SHORT_ENTRY


@pytest.mark.parametrize(
    ("signal_type", "side", "stop", "take"), [(LONG, Side.BUY, 58000, 62000), (SHORT, Side.SELL, 62000, 58000)]
)
def test_protects_at_once_when_the_entry_fills(signal_type: SignalType, side: Side, stop: int, take: int) -> None:
    """Stop and target leave together with the first fill, the stop first, both closing the whole position."""
    story = Story()
    assert submits(story.signal(signal_type)) == [E0]
    entry = story.intent(E0)
    assert (entry.side, entry.quantity, entry.order_type, entry.reduce_only) == (
        side,
        Decimal(1),
        OrderType.MARKET,
        False,
    )
    assert submits(story.ack(E0, executed="1")) == [S0, P0]
    stop_loss, take_profit = story.intent(S0), story.intent(P0)
    assert (stop_loss.order_type, stop_loss.trigger_price) == (OrderType.STOP_MARKET, Decimal(stop))
    assert (take_profit.order_type, take_profit.trigger_price) == (OrderType.TAKE_PROFIT_MARKET, Decimal(take))
    for leg in (stop_loss, take_profit):
        assert (leg.side, leg.close_position, leg.quantity, leg.reduce_only) == (side.opposite, True, None, False)
    story.now += 40
    story.ack_algo(P0)
    assert not story.reports
    commands = story.ack_algo(S0)
    assert [type(c) for c in commands if isinstance(c, LookUpOrder)] == [LookUpOrder]  # the average is not known
    assert not story.reports
    story.told(E0, OrderStatus.FILLED, executed="1", average="60001.5", source="lookup")
    (report,) = story.reports
    assert report.status == "protected"
    assert report.entry is not None
    assert (report.entry.average_price, report.entry.executed_quantity) == (Decimal("60001.5"), Decimal(1))
    assert report.timings is not None
    assert report.timings.naked_ms == 40


@pytest.mark.parametrize("stream_first", [True, False])
def test_sends_each_leg_once_when_ack_and_stream_both_tell_the_fill(stream_first: bool) -> None:
    """Whichever tells the fill first starts the protection; the other one adds nothing."""
    story = Story()
    story.signal()
    if stream_first:
        story.fill(E0)
        story.ack(E0, executed="1")
    else:
        story.ack(E0, executed="1")
        story.fill(E0)
    story.tick(1)
    assert story.submitted == [E0, S0, P0]


def test_protects_with_the_first_print_when_the_entry_fills_in_several() -> None:
    """Later prints send nothing more, and the average is that of all prints."""
    story = Story()
    story.signal()
    assert submits(story.fill(E0, "0.2", price=Decimal(60000))) == [S0, P0]
    story.fill(E0, "0.3", price=Decimal(60010))
    story.ack_algo(S0)
    story.ack_algo(P0)
    assert not story.reports, "the entry is still working"
    story.fill(E0, "0.5", price=Decimal(60020))
    story.ack(E0, executed="1")
    (report,) = story.reports
    assert report.entry is not None
    assert report.entry.average_price == Decimal(60013)
    assert report.entry.exchange_order_id is not None
    assert story.submitted == [E0, S0, P0]
    assert story.order_lookups == [], "the prints explain the average"


def test_keeps_the_numbers_when_stream_events_repeat_or_come_late() -> None:
    """A repeated or late event of the stream neither adds to the position nor takes from it."""
    story = Story()
    story.signal()
    story.fill(E0, "0.4")
    first = story.events[-1]
    story.now += 1
    story.fill(E0, "0.6")
    last = story.events[-1]
    for event in (first, last, first):
        step(story.state, event)
    story.told(E0, OrderStatus.NEW, told_at_ms=story.now - 2)
    order = story.order(E0)
    assert (order.executed, order.status, len(order.fills)) == (Decimal(1), OrderStatus.FILLED, 2)
    assert story.state.anomalies == 0


def test_reports_without_an_average_when_the_question_for_it_fails() -> None:
    """A price that cannot be had does not keep the caller waiting."""
    story = Story()
    story.signal()
    story.ack(E0, executed="1")
    story.ack_algo(S0)
    story.ack_algo(P0)
    assert story.order_lookups == [E0]
    story.look_up_failed(E0)
    (report,) = story.reports
    assert report.entry is not None
    assert report.status == "protected"
    assert report.entry.average_price is None


def test_reports_open_unprotected_when_no_stop_was_asked_for() -> None:
    """Without a stop the report does not claim protection, and nothing closes the position."""
    story = Story(Policy(arm=ArmingMode.AFTER_FILL, require_stop_loss=False))
    story.signal(stop_loss=None)
    assert submits(story.fill(E0)) == [P0]
    story.ack_algo(P0)
    (report,) = story.reports
    assert report.status == "open_unprotected"
    assert report.timings is not None
    assert report.timings.naked_ms is None
    story.position("1")
    story.run_until(T0 + 60_000)
    assert story.submitted == [E0, P0]


def test_reports_open_unprotected_when_nothing_was_asked_for() -> None:
    """A bare entry, allowed by setting, is answered after its fill."""
    story = Story(Policy(arm=ArmingMode.AFTER_FILL, require_stop_loss=False))
    story.signal(stop_loss=None, take_profit=None)
    story.fill(E0)
    assert [report.status for report in story.reports] == ["open_unprotected"]


def test_reports_partially_protected_when_the_target_is_refused_again_and_again() -> None:
    """The stop stands, the caller is told, and the target is tried on with the same id until it rests."""
    story = Story()
    story.signal()
    story.fill(E0)
    story.ack_algo(S0)
    story.algo_told(S0, AlgoStatus.NEW)
    for _ in range(3):
        story.now += 1
        assert not story.reports
        story.refuse(P0, -2019)
        story.run_until(story.now + 400)
    (report,) = story.reports
    assert (report.status, report.reason and report.reason.code) == ("partially_protected", "take_profit_refused")
    assert report.reason is not None
    assert report.reason.context["code"] == "-2019"
    before = story.submitted.count(P0)
    story.position("1")
    story.refuse(P0, -2019)
    story.run_until(story.now + 60_000)
    assert story.submitted.count(P0) == before + 1, "one at a time, after a pause"
    story.ack_algo(P0)
    story.run_until(story.now + 60_000)
    assert set(story.submitted) == {E0, S0, P0}
    assert story.bracket.closing is None


def test_tries_the_target_more_and_more_slowly_when_it_is_refused() -> None:
    """A target that nobody wants costs no more than two sends a minute in the long run."""
    story = Story().protected()
    story.algo_told(P0, AlgoStatus.CANCELED)
    sent = story.submitted[-1]
    at = story.now
    for _ in range(40):
        story.refuse(sent, -2019)
        while story.submitted.count(sent) and not submits(story.advance_to_wake()):
            pass
    assert story.now - at > 25 * 30_000


@pytest.mark.parametrize("status", list(OrderStatus))
def test_rejects_when_the_exchange_refuses_the_entry(status: OrderStatus) -> None:
    """A definite refusal ends the bracket with the exchange's code; late news of the order harms nothing."""
    story = Story()
    story.signal()
    story.refuse(E0, -2019)
    (report,) = story.reports
    assert (report.status, report.reason and report.reason.code) == ("rejected", "entry_refused")
    assert report.reason is not None
    assert report.reason.context == {"code": "-2019"}
    assert not story.state.brackets
    assert not story.state.orders
    story.told(E0, status)
    assert story.submitted == [E0]


def test_sends_the_same_id_at_most_three_times_more_when_a_resend_is_proven_safe() -> None:
    """The pauses double, the id stays, and after four sends it is a rejection."""
    story = Story()
    story.signal()
    pauses = []
    for count in range(1, 5):
        assert story.submitted == [E0] * count
        at = story.now
        story.refuse(E0, -1008, resend_ms=200)
        if count < 4:
            assert not submits(story.tick())
            story.advance_to_wake()
            pauses.append(story.now - at)
    assert pauses == [200, 400, 800]
    assert [report.status for report in story.reports] == ["rejected"]
    assert [c.attempt for c in story.all(SubmitOrder)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("ttl_ms", "sent", "code"), [(250, 2, "signal_expired"), (150, 1, "signal_expired"), (2000, 4, "entry_refused")]
)
def test_sends_an_entry_again_only_while_its_signal_is_worth_following(ttl_ms: int, sent: int, code: str) -> None:
    """A price that was judged when the signal came is not judged again: its time to live holds for every attempt."""
    story = Story()
    story.signal(timestamp=story.now, ttl_ms=ttl_ms)
    while not story.reports:
        story.refuse(E0, -1008, resend_ms=200)
        if not story.reports:
            story.advance_to_wake()
    assert story.submitted == [E0] * sent
    (report,) = story.reports
    assert (report.status, report.reason and report.reason.code) == ("rejected", code)
    assert story.state.signals["signal-1"].ended, "it was sent: the same id is not good for another try"


def test_sends_no_entry_again_when_its_signal_expired_while_nothing_ran() -> None:
    """A timer that comes late (a suspended process) is judged by when it comes, not by when it was due."""
    story = Story()
    story.signal(timestamp=story.now, ttl_ms=1000)
    story.refuse(E0, -1008, resend_ms=200)
    story.tick(5000)
    assert story.submitted == [E0]
    assert [r.reason and r.reason.code for r in story.reports] == ["signal_expired"]


def test_sends_no_entry_again_seconds_later() -> None:
    """The exchange asks for a long pause: a signal without an age limit is not followed at another time's price."""
    story = Story()
    story.signal()
    story.refuse(E0, -1015, resend_ms=7000)
    (report,) = story.reports
    assert (report.status, report.reason and report.reason.code) == ("rejected", "entry_refused")
    assert report.reason is not None
    assert "too late" in report.reason.text
    assert story.submitted == [E0]


def test_does_not_resend_when_the_stream_tells_of_the_entry_during_the_pause() -> None:
    """A refusal that the stream contradicts is not followed by a second send."""
    story = Story()
    story.signal()
    story.refuse(E0, -1008, resend_ms=200)
    story.told(E0, OrderStatus.NEW)
    story.run_until(story.now + 900)
    assert story.submitted == [E0, S0], "what it may have opened is guarded"


def test_tells_a_person_when_no_entry_is_executed_any_more() -> None:
    """Denied by us or refused by the exchange, five in a row: each has its answer, and nobody may read those. A denial
    for a trade that is open does not count, and one execution ends the row."""
    story = Story()

    def deny(*numbers: int) -> None:
        for number in numbers:
            story.signal(signal_id=f"denied-{number}", problem="rate_budget")

    deny(1, 2, 3)
    story.signal()
    story.refuse(E0, -2019)
    assert story.alerts == []
    deny(4)
    assert story.alerts == ["entries_refused"]
    alert = story.all(Alert)[-1]
    assert "5 entries in a row were not executed" in alert.text
    assert "rate_budget" in alert.text
    deny(*range(5, 100))
    assert story.alerts == ["entries_refused"] * 2
    story = Story().protected()
    deny(1, 2, 3, 4)
    for number in range(5):
        story.signal(signal_id=f"busy-{number}", amount="1")
    assert story.alerts == []
    deny(5)
    assert story.alerts == ["entries_refused"]


def test_denies_and_forgets_when_the_entry_is_withheld() -> None:
    """What was not sent for want of a journal is a denial, and its id is good for another try."""
    story = Story()
    story.signal()
    story.feed(EntryWithheld(at_ms=story.now, client_order_id=E0, code="audit_unavailable", text="the disk is full"))
    (report,) = story.reports
    assert (report.status, report.reason and report.reason.code) == ("denied", "audit_unavailable")
    assert "signal-1" not in story.state.signals
    assert submits(story.signal()) == [E0]


def test_ignores_a_withholding_when_the_entry_is_known_to_work() -> None:
    """An order that the exchange told of was sent, whatever is said of it."""
    story = Story()
    story.signal()
    story.fill(E0)
    story.feed(EntryWithheld(at_ms=story.now, client_order_id=E0, code="audit_unavailable", text="?"))
    assert story.order(E0).status is OrderStatus.FILLED


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("when", ["sent", "protected", "ended"])
def test_answers_duplicate_when_the_same_signal_comes_again(when: str, restarted: bool) -> None:
    """One id causes one entry: while it works, after its end, and in the next process."""
    story = Story()
    if when == "sent":
        story.signal()
    else:
        story.protected()
    if when == "ended":
        story.trigger(S0)
        story.position("0")
        story.algo_told(P0, AlgoStatus.EXPIRED)
        assert not story.state.brackets
    if restarted:
        story.restart()
    commands = story.signal()
    assert submits(commands) == []
    report = story.reports[-1]
    assert (report.status, report.reason and report.reason.code) == ("duplicate", "duplicate_signal")
    assert report.entry is not None
    assert report.entry.client_order_id == E0
    assert report.reason is not None
    assert report.reason.context["first_symbol"] == SYMBOL


@pytest.mark.parametrize(
    ("signal_type", "stage", "code"),
    [
        (LONG, "open", "position_open"),
        (SHORT, "open", "opposite_position"),
        (LONG, "closing", "symbol_busy"),
        (SHORT, "clearing", "symbol_busy"),
    ],
)
def test_denies_an_entry_when_the_symbol_is_taken(signal_type: SignalType, stage: str, code: str) -> None:
    """One bracket at a time on a symbol, whatever its stage; the denied id stays usable."""
    story = Story().protected()
    if stage == "closing":
        story.close()
    elif stage == "clearing":
        story.trigger(S0)
    before = story.submitted
    story.signal(signal_type, "signal-2")
    report = story.reports[-1]
    assert (report.signal_id, report.status, report.reason and report.reason.code) == ("signal-2", "denied", code)
    assert story.submitted == before
    assert "signal-2" not in story.state.signals


def test_denies_an_entry_when_the_account_holds_a_position_of_somebody_else() -> None:
    """An external position is never mixed with."""
    story = Story()
    assert submits(story.signal(amount="-0.5")) == []
    (report,) = story.reports
    assert (report.status, report.reason and report.reason.code) == ("denied", "external_position")
    assert report.reason is not None
    assert report.reason.context["amount"] == "-0.5"


def test_denies_an_entry_when_gathering_found_a_problem() -> None:
    """What was found out before the decision is the reason, with its code and text."""
    story = Story()
    story.signal(problem="exchange_unreachable")
    (report,) = story.reports
    assert (report.status, report.reason and report.reason.code) == ("denied", "exchange_unreachable")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": "0"}, "quantity_not_positive"),
        ({"quantity": "0.0001"}, "quantity_too_small"),
        ({"stop_loss": "61000"}, "stop_loss_wrong_side"),
        ({"stop_loss": None}, "stop_loss_required"),
    ],
)
def test_denies_an_entry_when_its_numbers_are_wrong(changes: dict[str, str | None], code: str) -> None:
    """A refused signal sends nothing and leaves no trace in the state."""
    story = Story()
    before = story.state.encode()
    story.signal(**changes)  # type: ignore[arg-type]
    assert [(r.status, r.reason and r.reason.code) for r in story.reports] == [("denied", code)]
    assert story.state.refusals == 1
    story.state.refusals = 0  # that it was counted is all that is kept of it
    assert story.state.encode() == before


def test_refuses_to_decide_when_an_entry_comes_without_its_rules() -> None:
    """A caller that forgot the context is a programming error, not a market event."""
    signal = Signal(signal_type=LONG, symbol=SYMBOL, signal_id="x", quantity="1", stop_loss="58000")
    with pytest.raises(ValueError, match="needs its instrument"):
        step(State(), SignalReceived(at_ms=T0, signal=signal, context=SignalContext(reference_price=PRICE)))


def test_tells_unresolved_when_the_outcome_takes_too_long() -> None:
    """The caller gets a truthful answer at the limit, once; what it became is reported after, its end remembered."""
    story = Story()
    story.signal()
    started = story.now
    story.fill(E0, "0.4")  # the rest of the order never tells its end
    for leg in (S0, P0):
        story.ack_algo(leg)
        story.algo_told(leg, AlgoStatus.NEW)
    story.position("0.4")
    for _ in range(2000):
        if story.reports:
            break
        story.advance_to_wake()
        for lookup in [c for c in story.log[-5:] if isinstance(c, LookUpOrder)]:
            story.look_up_failed(lookup.client_order_id)
    (report,) = story.reports
    assert (report.status, story.now) == ("unresolved", started + 30_000)
    assert story.state.signals["signal-1"].status == "unresolved"
    story.snapshot("0.4", [S0, P0])
    story.now += 1
    story.told(E0, OrderStatus.EXPIRED, executed="0.4")
    story.trigger(S0)
    story.position("0")
    story.algo_told(P0, AlgoStatus.EXPIRED)
    assert [report.status for report in story.reports] == ["unresolved", "protected"]
    record = story.state.signals["signal-1"]
    assert (record.ended, record.status) == (True, "closed")


def test_splits_nothing_and_changes_nothing_when_the_state_is_written_and_read() -> None:
    """The state's bytes are the same after a round trip: a restart starts from what was."""
    story = Story().protected()
    again = msgspec.json.decode(story.state.encode(), type=State)
    assert again.encode() == story.state.encode()
    assert again.fingerprint() == story.state.fingerprint()
    assert RULES.market_max_quantity == again.brackets["signal-1"].market_max_quantity
