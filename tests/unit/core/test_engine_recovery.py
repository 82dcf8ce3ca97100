"""Stories of restarts, gaps and what others do to the account (P1, P3, P4)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from bracketeer.core.bracket import CloseReason
from bracketeer.core.client_ids import client_order_id
from bracketeer.core.commands import AnyCommand, CancelOrder, LookUpOrder, LookUpSymbol, SubmitOrder
from bracketeer.core.engine import concerns, replay
from bracketeer.core.events import OrderUpdated, PositionUpdated, TimerFired
from bracketeer.core.state import State
from bracketeer.core.values import AlgoStatus, OrderStatus, PositionSide, Role, Side
from tests.support.stories import E0, F0, P0, S0, S1, SYMBOL, T0, X0, X1, Story, submits


def ended(story: Story) -> str:
    """How the signal ended."""
    record = story.state.signals["signal-1"]
    assert record.ended
    assert record.report is not None
    return f"{record.status} {record.report.reason.code if record.report.reason else ''}"


def test_sends_no_entry_again_when_the_process_restarts_with_one_in_flight() -> None:
    """What was in flight is unknown: looked up, believed absent only after no request of before can arrive."""
    story = Story()
    story.signal()
    story.now += 500
    commands = story.restart()
    assert submits(commands) == []
    assert [c.client_order_id for c in commands if isinstance(c, LookUpOrder)] == [E0]
    assert story.order(E0).tries.dead_after_ms == story.now + 2500
    story.run_until(story.now + 20_000)
    assert story.submitted == [E0, S0], "nobody answers whether there is a position: its stop goes out"
    story.ack_algo(S0)
    story.told(E0, OrderStatus.FILLED, executed="1", average="60000", source="lookup")
    assert submits(story.log)[1:] == [S0, P0]


def test_sends_no_entry_again_when_the_process_restarts_before_a_scheduled_resend() -> None:
    """The proof of the process before is not carried over: it is asked, not sent."""
    story = Story()
    story.signal()
    story.refuse(E0, -1008, resend_ms=200)
    story.restart()
    story.run_until(story.now + 5000)
    assert story.submitted == [E0, S0]


def test_asks_at_once_about_an_entry_that_was_acknowledged_and_not_ended() -> None:
    """Its end may have been told while nobody listened; a running manager gives it a second."""
    story = Story()
    story.signal()
    story.ack(E0, status=OrderStatus.NEW)
    story.now += 50
    assert [c.client_order_id for c in story.restart() if isinstance(c, LookUpOrder)] == [E0]


def test_asks_first_what_became_of_a_stop_that_fired_before_the_start() -> None:
    """It may have closed the position long ago, and a person have opened another one since: nothing is closed before
    there was time for an answer."""
    story = Story().protected()
    story.algo_told(S0, AlgoStatus.TRIGGERED)
    story.now += 40_000
    story.restart()
    story.run_until(story.now + 1_499)
    assert S0 in story.order_lookups
    assert F0 not in story.submitted
    story.run_until(story.now + 1)
    assert story.submitted[-1] == F0, "nobody answers: it has to be taken for spent"


@pytest.mark.parametrize("what", ["close", "stop"])
def test_no_pause_outlives_the_process_that_was_told_to_make_it(what: str) -> None:
    """A ban or a spent budget was told to the process before, and perhaps on a clock that was wrong: the next one tries
    at once, and hears itself whether it may."""
    story = Story().protected()
    if what == "close":
        story.close()
        story.send_barred(X0, story.now + 120_000)
    else:
        story.algo_told(S0, AlgoStatus.CANCELED)
        story.send_barred(S1, story.now + 120_000)
    assert submits(story.run_until(story.now + 1_000)) == []
    commands = [*story.restart(), *story.position("1"), *story.run_until(story.now + 100)]
    assert submits(commands)[:1] == [X1 if what == "close" else S1]


@pytest.mark.parametrize("stage", ["in flight", "unknown"])
def test_protects_first_when_the_process_restarts_with_a_stop_in_flight(stage: str) -> None:
    """The same stop goes out again, at once, beside the question: two cannot rest (-4130)."""
    story = Story()
    story.signal()
    story.fill(E0)
    if stage == "unknown":
        story.unknown(S0)
    story.now += 500
    commands = story.restart()
    assert submits(commands) == [S0, P0]
    assert {c.client_order_id for c in commands if isinstance(c, LookUpOrder)} == {S0, P0, E0} - {E0}
    for leg in (S0, P0):
        story.refuse(leg, -4116)
        story.algo_told(leg, AlgoStatus.NEW, source="lookup")
    assert [r.status for r in story.reports] == ["protected"]


def test_sends_no_second_exit_when_the_process_restarts_with_one_in_flight() -> None:
    """The exit's fate is asked first; then the rest is closed by the real size."""
    story = Story().protected()
    story.close()
    commands = story.restart()
    assert submits(commands) == []
    assert X0 in [c.client_order_id for c in commands if isinstance(c, LookUpOrder)]
    story.told(X0, OrderStatus.FILLED, executed="1", average="60000", source="lookup")
    story.now += 1
    story.snapshot("0")
    assert story.submitted == [E0, S0, P0, X0]


def test_asks_what_became_of_a_cancel_when_the_process_restarts_during_it() -> None:
    """A cancel in flight is looked up, and repeated if the leg still rests."""
    story = Story().protected()
    story.trigger(S0)
    story.position("0")
    story.run_until(story.now + 200)
    assert story.algo(P0).status is AlgoStatus.PENDING_CANCEL
    commands = story.restart()
    assert P0 in [c.client_order_id for c in commands if isinstance(c, LookUpOrder)]
    story.algo_told(P0, AlgoStatus.NEW, source="lookup")
    story.run_until(story.now + 300)
    assert [c.client_order_id for c in story.all(CancelOrder)] == [P0, P0]


def test_finds_that_the_stop_hit_when_nobody_was_watching() -> None:
    """A restart into a flat account: the missing leg is looked up, its fill booked, flat proven, the sibling ended."""
    story = Story().protected()
    story.now += 60_000
    story.restart()

    def answer(command: AnyCommand) -> None:
        story.now += 20
        match command:
            case LookUpSymbol():
                story.snapshot("0", trades=())
            case LookUpOrder(client_order_id=client_id) if client_id == S0:
                story.told(S0, OrderStatus.FILLED, executed="1", average="57990", source="lookup")
                story.algo_told(S0, AlgoStatus.FINISHED, source="lookup")
            case LookUpOrder(client_order_id=client_id):
                story.algo_told(client_id, AlgoStatus.EXPIRED, source="lookup")

    story.respond(story.now + 10_000, answer, since=len(story.log) - 1)
    assert ended(story) == "closed stop_loss_hit"
    assert not story.state.brackets
    assert story.submitted == [E0, S0, P0]


@pytest.mark.parametrize("client_id", ["web_abc", "autoclose-1234", "adl_autoclose", "bktr-old"])
def test_ends_when_somebody_else_closes_the_position(client_id: str) -> None:
    """By hand, by liquidation, by another program: seen, told, attributed; our legs go, and nothing is sent."""
    story = Story().protected()
    story.foreign_fill("1", client_id=client_id)
    story.position("0")
    for leg in (S0, P0):
        story.algo_told(leg, AlgoStatus.EXPIRED)
    if story.state.brackets:
        story.now += 1
        story.snapshot("0")
    assert ended(story) == "closed closed_by_others"
    assert story.alerts == ["external_trade"]
    assert story.submitted == [E0, S0, P0]


def test_ends_when_only_a_snapshot_tells_that_somebody_closed() -> None:
    """The stream kept silent: position and trades of a snapshot are enough."""
    story = Story().protected()
    story.now += 1
    story.snapshot("0", [S0, P0])
    story.run_until(story.now + 300)
    assert story.symbol_lookups[-1] == "position_differs"
    trade = story.trade("by hand", "1")
    story.now += 1
    story.snapshot("0", [S0, P0], trades=(trade,))
    story.run_until(story.now + 200)
    assert {c.client_order_id for c in story.all(CancelOrder)} == {S0, P0}
    for leg in (S0, P0):
        story.cancelled(leg)
    assert ended(story) == "closed closed_by_others"
    assert story.alerts == ["external_trade"]


def test_closes_the_rest_only_when_somebody_took_a_part() -> None:
    """The stop closes whatever there is; a CLOSE asks for the real size; a foreign trade counts once."""
    story = Story().protected()
    story.foreign_fill("0.3")
    trade = story.trade("by hand", "0.3", trade_id=story.trade_id)
    story.position("0.7")
    story.run_until(story.now + 1000)
    assert story.submitted == [E0, S0, P0]
    story.snapshot("0.7", [S0, P0], trades=(trade,))
    story.close()
    assert story.intent(X0).quantity == Decimal("0.7")


def test_closes_our_part_only_when_somebody_added() -> None:
    """What others add is theirs: it does not enlarge our close, and the books agree with the exchange."""
    story = Story().protected()
    story.foreign_fill("0.5", Side.BUY)
    story.position("1.5")
    story.close()
    assert story.intent(X0).quantity == Decimal(1)
    story.now += 1
    story.ack(X0, executed="1")
    story.position("0.5")
    story.run_until(story.now + 200)
    for leg in (S0, P0):
        story.cancelled(leg)
    assert ended(story) == "closed close_signal"


def test_asks_more_and_more_seldom_when_the_position_cannot_be_explained() -> None:
    """A difference that no trade explains is a person's matter: one alert, and questions at a polite pace."""
    story = Story().protected()

    def answer(command: AnyCommand) -> None:
        story.now += 20
        if isinstance(command, LookUpSymbol):
            story.snapshot("3", [S0, P0], trades=())

    story.position("3")
    before = len(story.symbol_lookups)
    story.respond(story.now + 60_000, answer, since=len(story.log))
    assert len(story.symbol_lookups) - before < 40
    assert story.alerts == ["position_differs"]
    story.position("1")
    assert story.bracket.disagree_since_ms is None


def test_asks_more_and_more_seldom_when_flat_cannot_be_proven() -> None:
    """The same, after our last order closed: the legs stay, a person is told, the bracket is not over."""
    story = Story().protected()
    story.trigger(S0)
    before = len(story.symbol_lookups)

    def answer(command: AnyCommand) -> None:
        story.now += 20
        if isinstance(command, LookUpSymbol):
            story.snapshot("3", [P0], trades=())

    story.respond(story.now + 60_000, answer, since=len(story.log))
    assert len(story.symbol_lookups) - before < 40
    assert story.alerts == ["position_differs"]
    assert not story.all(CancelOrder)
    assert story.state.brackets


def test_believes_the_stream_when_a_snapshot_is_older() -> None:
    """What the stream told after the question was asked is newer than the answer."""
    story = Story().protected()
    asked = story.now
    story.now += 10
    story.foreign_fill("0.4")
    story.position("0.6")
    story.now += 10
    story.snapshot("1", [S0, P0], requested_at_ms=asked)
    view = story.state.positions[f"{SYMBOL}|BOTH"]
    assert view.amount == Decimal("0.6")


def test_believes_the_newer_when_positions_come_out_of_order() -> None:
    """An older position event does not win over a newer one."""
    story = Story().protected()
    story.position("0.6")
    story.position("1", told_at_ms=story.now - 5)
    assert story.state.positions[f"{SYMBOL}|BOTH"].amount == Decimal("0.6")


@pytest.mark.parametrize("order_known", [True, False])
def test_books_a_trade_on_our_order_when_its_id_is_ours(order_known: bool) -> None:
    """A row of userTrades with the id of a triggered leg is that leg's fill, even before its order was told."""
    story = Story().protected()
    story.algo_told(S0, AlgoStatus.TRIGGERED)
    if order_known:
        story.told(S0, OrderStatus.NEW)
    trade = story.trade(S0, "1")
    story.now += 1
    story.snapshot("0", [P0], trades=(trade, trade))
    assert story.order(S0).executed == 1
    assert story.bracket.external_net == 0
    assert story.bracket.flat_since_ms is not None


def test_blames_nobody_when_an_order_of_ours_may_be_behind_a_trade() -> None:
    """A fill of an unknown order is not somebody else's while a leg of ours is missing or an order is unresolved."""
    story = Story().protected()
    trade = story.trade(S0, "1", traced=False)
    story.now += 1
    story.snapshot("0", [P0], trades=(trade,))
    assert story.bracket.external_net == 0
    assert story.order_lookups == [S0]


@pytest.mark.parametrize(("amount", "cancelled"), [("0", True), ("1", False)])
def test_cancels_orders_of_ours_without_a_bracket_only_when_flat(amount: str, cancelled: bool) -> None:
    """An orphan is cleared from a flat symbol; with a position there it may be all that protects it."""
    orphan = client_order_id("of another life", Role.STOP_LOSS)
    story = Story()
    commands = story.snapshot(amount, [orphan, "somebody-elses"])
    assert [c.client_order_id for c in commands if isinstance(c, CancelOrder)] == [orphan] * cancelled


def test_cancels_no_orphan_when_a_bracket_is_at_work() -> None:
    """While we work on a symbol nothing is cancelled on suspicion."""
    orphan = client_order_id("of another life", Role.STOP_LOSS)
    story = Story()
    story.signal()
    story.snapshot("0", [orphan])
    assert story.all(CancelOrder) == []


def told(symbol: str, client_id: str = "x", status: OrderStatus = OrderStatus.NEW, executed: int = 0) -> OrderUpdated:
    """The stream tells of a normal order."""
    return OrderUpdated(
        at_ms=T0,
        symbol=symbol,
        client_order_id=client_id,
        exchange_order_id=1,
        side=Side.BUY,
        status=status,
        quantity=Decimal(1),
        executed_quantity=Decimal(executed),
        exchange_time_ms=T0,
        source="stream",
    )


def test_concerns_only_what_we_work_on() -> None:
    """Others' symbols are neither stepped nor journaled."""
    story = Story()
    position = PositionUpdated(at_ms=T0, symbol=SYMBOL, amount=Decimal(1), exchange_time_ms=T0)
    assert [concerns(story.state, e) for e in (told(SYMBOL), position, TimerFired(at_ms=T0))] == [False, False, True]
    story.signal()
    assert [concerns(story.state, e) for e in (told(SYMBOL), told("ETHUSDT"), position)] == [True, False, True]


def test_concerns_an_order_of_ours_when_its_trade_is_over() -> None:
    """What its last fill was and what it cost is on record, however late it is told."""
    late = told(SYMBOL, client_order_id("A", Role.EXIT, 0), OrderStatus.FILLED, executed=1)
    story = Story()
    assert concerns(story.state, late)
    before = story.state.encode()
    assert replay(story.state, [late]).encode() == before


def test_ignores_the_other_position_sides_when_a_trade_is_theirs() -> None:
    """In another position of the account somebody may do as he likes."""
    story = Story().protected()
    row = replace(story.trade("by hand", "1"), position_side=PositionSide.SHORT)
    story.snapshot("1", [S0, P0], trades=(row,))
    assert story.bracket.external_net == 0


def test_comes_to_the_same_state_when_replayed() -> None:
    """The fold of the events is the state, bit for bit."""
    story = Story().protected()
    story.algo_told(S0, AlgoStatus.CANCELED)
    story.refuse(S1, -2021)
    assert story.bracket.closing is CloseReason.STOP_CROSSED
    story.ack(F0)
    assert replay(State(), story.events).encode() == story.state.encode()


def test_clears_a_stop_that_was_given_up_and_rests_after_all() -> None:
    """Two lagging reads made us replace our stop; when the old one shows up, it is believed and cleared in the end."""
    story = Story().protected()
    story.snapshot("1", [P0])  # the stop is missing from the list
    for _ in range(2):
        story.not_found(S0)
        story.run_until(story.now + 300)
    assert S1 in story.submitted
    story.ack_algo(S1)
    story.algo_told(S1, AlgoStatus.NEW)
    story.snapshot("1", [S0, S1, P0])
    assert story.algo(S0).status is AlgoStatus.NEW
    story.close()
    story.ack(X0, executed="1")
    story.position("0")
    story.run_until(story.now + 1000)
    cancelled = {c.client_order_id for c in story.log if isinstance(c, CancelOrder)}
    assert cancelled == {S0, S1, P0}


def test_an_answer_does_not_make_old_stream_news_new_again() -> None:
    """Two sockets overlap at a rotation: what the second repeats from before the answer is older than the answer."""
    story = Story().protected()
    story.position("0.4", told_at_ms=story.now)
    story.snapshot("0.4", (S0, P0))
    story.position("1", told_at_ms=story.now - 5)
    assert story.state.positions["BTCUSDT|BOTH"].amount == Decimal("0.4")


def explained(story: Story, amount: str, resting: list[str]) -> None:
    """Answer every question about the symbol: an amount, and trades of which each is accounted for."""
    rows = [story.trade(E0, "1", Side.BUY, trade_id=story.order(E0).fills[0].trade_id)]

    def answer(command: AnyCommand) -> None:
        story.now += 20
        if isinstance(command, LookUpSymbol):
            story.snapshot(amount, resting, trades=tuple(rows))

    story.position(amount)
    story.respond(story.now + 60_000, answer, since=len(story.log))


def test_believes_the_exchange_when_it_says_the_same_and_every_trade_is_known() -> None:
    """Somebody traded just before our entry: no trade since explains the position, and it is what it is."""
    story = Story().protected()
    explained(story, "3", [S0, P0])
    assert story.alerts == ["position_differs"]
    assert story.bracket.external_net == 2
    assert story.bracket.disagree_since_ms is None
    assert not story.all(CancelOrder), "ours is guarded on"


def test_keeps_its_stop_when_the_exchange_goes_on_saying_flat() -> None:
    """Empty answers say "flat" as well; a closePosition stop that rests says that it is not."""
    story = Story().protected()
    explained(story, "0", [S0, P0])
    assert story.alerts == ["position_differs"]
    assert not story.all(CancelOrder)
    assert story.bracket.external_net == 0


def test_gives_a_lost_entry_up_when_none_of_the_trades_is_its() -> None:
    """Somebody else's position stands in the way of "the position agrees"; their trades do not."""
    story = Story()
    story.signal()
    story.unknown(E0)

    def answer(command: AnyCommand) -> None:
        story.now += 20
        if isinstance(command, LookUpSymbol):
            foreign = replace(
                story.trade(E0, "1", Side.BUY, trade_id=77), exchange_order_id=4711, client_order_id="web_1"
            )
            resting = [i for i, algo in story.state.algos.items() if algo.status is AlgoStatus.NEW]
            story.snapshot("3", resting, trades=(foreign,))
        elif isinstance(command, LookUpOrder):
            story.not_found(command.client_order_id)
        elif isinstance(command, SubmitOrder):
            story.ack_algo(S0)
        elif isinstance(command, CancelOrder):
            story.cancelled(S0)

    story.respond(story.now + 20_000, answer, since=len(story.log) - 2)
    assert [report.status for report in story.reports] == ["rejected"]
    assert story.submitted == [E0, S0], "it was guarded until it was known to be somebody else's"
    assert "entry_unresolved" not in story.alerts


def test_does_not_take_an_empty_list_of_trades_for_none_when_a_position_has_shown() -> None:
    """The position went by other hands, the list of trades is empty by mistake and the order is denied: the entry is
    not given up, and the next list that is true finds it."""
    story = Story()
    story.signal()
    story.unknown(E0)
    story.snapshot("1")
    assert story.submitted == [E0, S0], "guarded on a presumption"
    story.ack_algo(S0)
    is_empty = True

    def answer(command: AnyCommand) -> None:
        story.now += 20
        if isinstance(command, LookUpSymbol):
            trades = () if is_empty else (story.trade(E0, "1", Side.BUY, trade_id=77),)
            story.snapshot("0", [S0], trades=trades)
        elif isinstance(command, LookUpOrder):
            story.not_found(command.client_order_id)

    story.respond(story.now + 20_000, answer, since=0)
    assert story.reports == []
    is_empty = False
    story.respond(story.now + 20_000, answer, since=len(story.log))
    assert story.order(E0).executed == 1


def test_believes_an_answer_over_what_bears_a_time_to_come() -> None:
    """A view that was dated by a clock which has been set since is not newer than everything that follows."""
    story = Story().protected()
    story.position("3", told_at_ms=story.now + 60_000)
    key = f"{SYMBOL}|BOTH"
    story.state.positions[key] = replace(story.state.positions[key], known_at_ms=story.now + 60_000)
    story.snapshot("1", [S0, P0])
    assert story.state.positions[key].amount == 1


def test_sweeps_what_arrives_late_under_the_id_of_a_leg_that_ended() -> None:
    """A target that was sent twice may arrive twice, the second time after the first one ended with the position."""
    story = Story()
    story.signal()
    story.fill(E0)
    story.ack(E0, executed="1")
    story.ack_algo(S0)
    story.unknown(P0)
    story.run_until(story.now + 300)
    assert story.submitted.count(P0) == 2, "protect first: the same one again"
    story.unknown(P0)
    story.algo_told(P0, AlgoStatus.NEW)
    story.trigger(S0)
    story.algo_told(P0, AlgoStatus.EXPIRED)
    story.position("0")
    assert story.state.brackets, "a request of it may still arrive"
    late = story.algo(P0).tries.late_until_ms
    story.run_until(late + 1)
    story.snapshot("0", [P0])
    assert [command.client_order_id for command in story.all(CancelOrder)] == [P0]
    story.run_until(story.now + 500)
    story.snapshot("0", [])
    assert not story.state.brackets


STRAY = client_order_id("signal-1", Role.STOP_LOSS, 7)
"""An order of ours that rests, and that the log lost with the last moments of a full disk."""


def cancels(commands: list[AnyCommand]) -> list[str]:
    """Whose end is asked for."""
    return [command.client_order_id for command in commands if isinstance(command, CancelOrder)]


def test_cancels_an_order_of_ours_that_nobody_remembers_beside_the_stop_that_is_known() -> None:
    """Until an answer shows none: a cancel may fail."""
    story = Story().protected()
    story.restart()
    assert cancels(story.snapshot("1", [S0, P0, STRAY])) == [STRAY]
    story.run_until(story.now + 1000)
    assert story.symbol_lookups[-1] == "poll"
    assert cancels(story.snapshot("1", [S0, P0, STRAY])) == [STRAY]
    story.run_until(story.now + 1000)
    assert cancels(story.snapshot("1", [S0, P0])) == []
    assert not story.bracket.strays


def test_keeps_an_order_that_nobody_remembers_while_it_may_be_all_that_guards() -> None:
    """The stop goes out anew first."""
    story = Story().protected()
    story.algo_told(S0, AlgoStatus.EXPIRED)
    story.restart()
    assert cancels(story.snapshot("1", [P0, STRAY])) == []
    story.run_until(story.now + 500)
    assert S1 in story.submitted
    story.ack_algo(S1)
    story.run_until(story.now + 1000)
    assert cancels(story.snapshot("1", [S1, P0, STRAY])) == [STRAY]


def test_keeps_an_order_that_nobody_remembers_where_the_known_stop_does_not_rest() -> None:
    """The stream kept its end to itself: by our record it is live, by this answer it is not there."""
    story = Story().protected()
    story.restart()
    assert cancels(story.snapshot("1", [P0, STRAY])) == []
    assert cancels(story.snapshot("1", [S0, P0, STRAY])) == [STRAY]


def test_bracket_is_not_over_while_an_order_that_nobody_remembers_rests() -> None:
    """A reduce-only one outlives the position, and would hit a later trade."""
    story = Story().protected()
    story.restart()
    story.snapshot("1", [S0, P0, STRAY])
    story.trigger(S0)
    story.position("0")
    story.algo_told(P0, AlgoStatus.EXPIRED)
    story.run_until(story.now + 1000)
    assert "signal-1" in story.state.brackets
    fills = (story.trade(E0, "1", Side.BUY), story.trade(S0, "1"))
    assert cancels(story.snapshot("0", [STRAY], fills)) == [STRAY]
    assert "signal-1" in story.state.brackets, "the cancel may fail"
    story.run_until(story.now + 1000)
    story.snapshot("0")
    assert story.state.brackets == {}
