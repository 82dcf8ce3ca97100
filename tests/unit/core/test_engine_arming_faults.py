"""Protection that leaves with the entry, and does not arrive, or fires at the wrong moment; and crashes."""

from __future__ import annotations

import pytest

from bracketeer.core.commands import AnyCommand, CancelOrder, LookUpOrder, LookUpSymbol, SubmitOrder
from bracketeer.core.events import AlgoUpdated
from bracketeer.core.settings import Policy
from bracketeer.core.values import AlgoStatus, ArmingMode, OrderStatus
from tests.support.stories import E0, F0, P0, P1, S0, S1, SYMBOL, X0, submits
from tests.unit.core.arming_kit import armed, cancels, filled, rest, sent

# The stop does not come about.


def test_protects_after_the_fill_when_the_stop_is_refused() -> None:
    """One more round trip, as with ARM=after_fill; only a code that wants a position says more about later entries."""
    story = sent(take_profit=None)
    story.refuse(S0, -4045)
    assert submits(filled(story)) == [S1]
    assert story.bracket.naked_since_ms is not None
    rest(story, S1)
    assert [report.status for report in story.reports] == ["protected"]
    assert story.state.arming_refused is None
    assert not story.alerts


@pytest.mark.parametrize("code", [-2022, -4118, -4509])
def test_arms_after_the_fill_from_now_on_when_the_exchange_wants_a_position_first(code: int) -> None:
    """One alert, a condition that stays over restarts, and the next entry leaves alone."""
    story = sent()
    story.refuse(S0, code)
    story.refuse(P0, code)
    assert story.alerts == ["arming_refused"]
    story.refuse(E0, -2019)
    assert not story.state.brackets
    story.restart()
    assert story.state.arming_refused is not None
    assert story.state.arming_refused.code == code
    assert len(submits(story.signal(signal_id="signal-2"))) == 1


@pytest.mark.parametrize("change", ["policy", "venue"])
def test_forgets_the_refusal_when_the_operator_or_the_venue_changed(change: str) -> None:
    """A start with ARM=after_fill, or on another exchange: then it is worth a try again."""
    story = sent(take_profit=None)
    story.refuse(S0, -2022)
    story.refuse(E0, -2019)
    if change == "policy":
        story.policy = Policy(arm=ArmingMode.AFTER_FILL)
        story.restart()
        story.policy = Policy(arm=ArmingMode.WITH_ENTRY)
    else:
        story.state.venue = "elsewhere"
    story.restart()
    assert story.state.arming_refused is None
    assert len(submits(story.signal(signal_id="signal-2"))) == 3


def test_protects_at_once_when_the_outcome_of_the_stop_is_unknown() -> None:
    """The closing stop goes out with the fill. The lost one is looked for, and cancelled when it is found."""
    story = sent(take_profit=None)
    story.unknown(S0)
    assert submits(filled(story)) == [S1]
    rest(story, S1)
    assert [report.status for report in story.reports] == ["protected"]
    assert cancels(story.algo_told(S0, AlgoStatus.NEW, source="lookup")) == [S0]
    story.cancelled(S0)
    assert story.submitted == [S0, E0, S1]


def test_protects_at_once_when_the_stop_is_not_answered_yet() -> None:
    """The stream can tell the fill before either answer is there."""
    story = sent(take_profit=None)
    assert submits(filled(story)) == [S1]


def test_closes_when_the_price_was_through_the_stop() -> None:
    """-2021 before the fill decides nothing, as the price may come back; -2021 after it does."""
    story = sent(take_profit=None)
    story.refuse(S0, -2021)
    assert story.bracket.closing is None
    assert submits(filled(story)) == [S1]
    assert submits(story.refuse(S1, -2021)) == [F0]


def test_protects_anew_when_the_stop_is_cancelled_by_somebody() -> None:
    """In the middle of the hand-over: the closing stop is on its way already."""
    story = armed()
    filled(story)
    story.algo_told(S0, AlgoStatus.CANCELED)
    assert story.bracket.naked_since_ms is not None
    rest(story, S1)
    assert story.bracket.naked_since_ms is None


@pytest.mark.parametrize("code", [-4045, -4509, -1008])
def test_is_protected_while_the_closing_stop_is_refused(code: int) -> None:
    """What left with the entry covers all: no close at market, and ever longer pauses; gone, the limit runs at once."""
    story = armed()
    filled(story)
    rest(story, P1)

    def answer(command: AnyCommand) -> None:
        if S1 in submits([command]):
            story.refuse(S1, code)

    story.respond(story.now + 60_000, answer, since=0)
    assert [report.status for report in story.reports] == ["protected"]
    assert 5 < story.submitted.count(S1) < 20
    assert F0 not in story.submitted
    gone_ms = story.now
    story.algo_told(S0, AlgoStatus.CANCELED)
    story.respond(gone_ms + 2000, answer, since=len(story.log) - 1)
    assert story.submitted.count(S1) > 20 or F0 in story.submitted
    assert F0 in story.submitted


# The stop fires at the wrong moment.


def test_is_flat_when_the_stop_fired_before_the_fill_was_known() -> None:
    """The position came and went: nothing is placed for it, nothing is left of it."""
    story = armed()
    story.algo_told(S0, AlgoStatus.TRIGGERED)
    story.told(S0, OrderStatus.FILLED, executed="1", average="58000")
    story.algo_told(S0, AlgoStatus.FINISHED)
    story.position("0")
    assert story.submitted == [S0, E0, P0]
    commands = story.ack(E0, executed="1") + story.fill(E0)
    story.position("0")
    assert submits(commands) == []
    assert cancels(commands) == [P0]
    story.cancelled(P0)
    assert [report.status for report in story.reports] == ["closed"]
    assert not story.state.brackets


def test_is_not_called_protected_by_a_stop_that_may_have_fired_since() -> None:
    """The fate of the entry was unknown for a while: its position, told since, or a closing stop, says it."""
    story = armed()
    story.unknown(E0)
    story.told(E0, OrderStatus.FILLED, executed="1", average="60000", source="lookup")
    assert not story.reports
    assert story.submitted[3:] == [S1, P1]
    story.position("1")
    assert [report.status for report in story.reports] == ["protected"]


def test_protects_anew_when_the_stop_fired_with_nothing_to_reduce() -> None:
    """REJECTED by the engine, then the entry fills: a new stop, or -2021 and the close."""
    story = armed()
    story.algo_told(S0, AlgoStatus.TRIGGERING)
    story.algo_told(S0, AlgoStatus.REJECTED)
    assert submits(filled(story)) == [S1, P1]
    assert story.bracket.naked_since_ms is not None
    assert submits(story.refuse(S1, -2021)) == [F0]


def test_waits_for_a_stop_that_is_firing() -> None:
    """A closing stop beside it would only be refused; when it does not close the position, it is closed at market."""
    story = armed()
    story.algo_told(S0, AlgoStatus.TRIGGERED)
    assert submits(filled(story)) == [P1]
    assert F0 in submits(story.run_until(story.now + 2000))


def test_guards_the_rest_when_the_stop_fired_on_a_part() -> None:
    """It reduced what there was; what filled after it is protected anew."""
    story = armed()
    story.fill(E0, "0.4")
    story.algo_told(S0, AlgoStatus.TRIGGERED)
    story.told(S0, OrderStatus.FILLED, executed="0.4", average="58000")
    story.algo_told(S0, AlgoStatus.FINISHED)
    rest(story, S1)
    story.algo_told(S1, AlgoStatus.EXPIRED)
    story.run_until(story.now + 50)
    story.fill(E0, "0.6")
    story.position("0.6")
    story.run_until(story.now + 300)
    assert len([client_id for client_id in story.submitted if "-S" in client_id[-4:]]) == 3


def test_takes_the_target_when_it_fired_before_the_fill_was_known() -> None:
    """As with the stop: flat, nothing left."""
    story = armed()
    story.algo_told(P0, AlgoStatus.TRIGGERED)
    story.told(P0, OrderStatus.FILLED, executed="1", average="62000")
    story.algo_told(P0, AlgoStatus.FINISHED)
    commands = story.fill(E0) + story.ack(E0, executed="1") + story.position("0")
    assert set(cancels(commands)) == {S0}


def test_looks_at_a_trade_that_no_entry_explains() -> None:
    """The stop reduced what somebody else opened while the entry was refused: not taken for flat without a look."""
    story = armed()
    story.foreign_fill("1", side=story.intent(E0).side)
    story.algo_told(S0, AlgoStatus.TRIGGERED)
    story.told(S0, OrderStatus.FILLED, executed="1", average="58000")
    story.algo_told(S0, AlgoStatus.FINISHED)
    story.refuse(E0, -2019)
    story.cancelled(P0)
    assert story.state.brackets
    story.position("0")
    assert not story.state.brackets
    assert story.reports[-1].status == "rejected"


# Closing, and crashes.


def test_closes_by_signal_before_the_hand_over() -> None:
    """The stop stays until flat; then everything goes, and nothing is placed any more."""
    story = armed()
    filled(story)
    assert submits(story.close()) == [X0]
    assert not story.all(CancelOrder)
    story.refuse(S1, -4509)
    story.refuse(P1, -4509)
    story.now += 30
    story.ack(X0)
    story.fill(X0)
    story.position("0")
    for leg in (S0, P0):
        story.cancelled(leg)
    assert not story.state.brackets
    assert {S0, P0} == set(cancels(story.log))


def test_closes_by_signal_while_the_entry_is_at_work() -> None:
    """The legs guard what may fill; a fill is closed at once, with no hand-over."""
    story = armed()
    story.close()
    assert not story.all(CancelOrder)
    assert submits(story.fill(E0)) == [X0]


@pytest.mark.parametrize("arrived", [(), (S0,), (S0, E0), (S0, E0, P0), (E0,), (E0, P0), (P0,)])
def test_comes_right_after_a_crash_between_any_two_sends(arrived: tuple[str, ...]) -> None:
    """Whatever of the three had left: what rests is adopted or cancelled, the entry found or proven absent."""
    story = sent()
    known = len(story.log)
    story.restart()
    story.stream_connected()
    resting = [leg for leg in (S0, P0) if leg in arrived]
    has_entry = E0 in arrived

    def answer(command: AnyCommand) -> None:
        match command:
            case LookUpSymbol(trades_since_ms=since):
                trades = None if since is None or has_entry else ()
                story.snapshot("1" if has_entry else "0", resting=resting, trades=trades)
            case LookUpOrder(client_order_id=client_id) if client_id == E0 and has_entry:
                story.told(E0, OrderStatus.FILLED, executed="1", average="60000", source="lookup")
            case LookUpOrder(client_order_id=client_id) if client_id in resting:
                story.algo_told(client_id, AlgoStatus.NEW, source="lookup")
            case LookUpOrder(client_order_id=client_id):
                story.not_found(client_id)
            case CancelOrder(client_order_id=client_id):
                resting.remove(client_id)
                story.cancelled(client_id)
            case SubmitOrder(intent=intent):
                resting.append(intent.client_order_id)
                rest(story, intent.client_order_id)
            case _:
                pass

    story.respond(story.now + 10_000, answer, since=known)
    assert story.submitted[:3] == [S0, E0, P0]
    assert story.submitted[3:] == ([S1, P1] if has_entry else [])
    assert resting == story.submitted[3:]
    assert [report.status for report in story.reports] == ["protected" if has_entry else "rejected"]
    assert bool(story.state.brackets) is has_entry


def test_keeps_the_armed_stop_where_the_list_that_shows_it_lacks_the_standing_one() -> None:
    """One answer tells of both: found by way of the open list, which was read to find it."""
    story = sent(take_profit=None)
    story.refuse(S0, -5028)
    filled(story)
    rest(story, S1)
    story.now += 1000
    found = AlgoUpdated(
        at_ms=story.now,
        symbol=SYMBOL,
        client_order_id=S0,
        algo_id=7,
        status=AlgoStatus.NEW,
        exchange_time_ms=story.now - 10,
        source="lookup",
        asked_at_ms=story.now - 5,
        resting=(S0,),
    )
    assert cancels(story.feed(found)) == []
    assert story.algo(S1).tries.doubted_ms == story.now
    shown = story.algo_told(S1, AlgoStatus.NEW, source="lookup")
    assert cancels([*shown, *story.run_until(story.now + 100)]) == [S0]


@pytest.mark.parametrize("after_ms", [100, 1000])
def test_keeps_the_armed_stop_while_the_standing_one_is_in_doubt(after_ms: int) -> None:
    """A list lacks the stop that took over: what may be all that guards is not cancelled before that is known."""
    story = sent(take_profit=None)
    story.refuse(S0, -5028)
    filled(story)
    rest(story, S1)
    story.now += after_ms
    story.stop_missed(S1)
    shown = story.algo_told(S0, AlgoStatus.NEW, source="lookup")
    assert cancels(shown) == []
    story.algo_told(S1, AlgoStatus.NEW, source="lookup")
    story.run_until(story.now + 100)
    assert [command.client_order_id for command in story.all(CancelOrder)] == [S0]
