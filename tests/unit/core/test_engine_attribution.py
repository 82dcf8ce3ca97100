"""Stories of trades on the account: each belongs to one order of ours, or to somebody else (failure modes 8 and 22)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from bracketeer.core.client_ids import client_order_id
from bracketeer.core.commands import Announce, AnyCommand, CancelOrder, LookUpOrder, LookUpSymbol, SubmitOrder
from bracketeer.core.events import Fill, TradeRow
from bracketeer.core.values import AlgoStatus, OrderStatus, Role, Side
from tests.support.stories import E0, F0, F1, P0, PRICE, S0, S1, X0, X1, Story, exchange_id, submits

HAND = "web_abc"


def lost_entry() -> Story:
    """An entry of 1 whose answer did not come; the stream is down, so that only questions tell."""
    story = Story(stream=False)
    story.signal()
    story.now += 1000
    story.unknown(E0)
    return story


def settle(story: Story, amount: str, trades: tuple[TradeRow, ...], *, found: bool = False) -> None:
    """The exchange answers for a minute: a position, trades where asked for, and whether it knows the entry."""
    mark = len(story.log) - 2

    def answer(command: AnyCommand) -> None:
        story.now += 20
        match command:
            case LookUpOrder(client_order_id=client_id) if client_id == E0 and found:
                story.told(E0, OrderStatus.FILLED, executed="1", average="60000", source="lookup")
            case LookUpOrder(client_order_id=client_id):
                story.not_found(client_id, story.now - 10)
            case LookUpSymbol(trades_since_ms=since):
                rows = None if since is None else trades
                resting = [i for i, algo in story.state.algos.items() if algo.status is AlgoStatus.NEW]
                story.snapshot(amount, [S0, P0] if found else resting, rows, requested_at_ms=story.now - 10)
            case SubmitOrder(intent=intent) if not found:
                story.ack_algo(intent.client_order_id)
            case CancelOrder(client_order_id=client_id):
                story.cancelled(client_id)

    story.respond(story.now + 60_000, answer, since=mark)


@pytest.mark.parametrize("quantity", ["0.4", "1"])
def test_gives_a_lost_entry_up_when_the_trades_are_somebody_elses(quantity: str) -> None:
    """A hand trade of the entry's side and size is not the entry: its order's client id says so."""
    story = lost_entry()
    settle(story, quantity, (story.trade(HAND, quantity, Side.BUY),))
    (report,) = story.reports
    assert (report.status, report.reason and report.reason.code) == ("rejected", "entry_not_executed")
    assert story.submitted == [E0, S0], "until it was known to be somebody else's it was guarded"
    assert [command.client_order_id for command in story.all(CancelOrder)] == [S0]
    assert not story.state.brackets, "the symbol is free again"
    assert "entry_unresolved" not in story.alerts


@pytest.mark.parametrize("quantity", ["0.4", "1"])
def test_finds_a_lost_entry_beside_a_trade_of_somebody_else(quantity: str) -> None:
    """Both happened: ours is guarded for its size, theirs stays theirs."""
    story = lost_entry()
    trades = (story.trade(HAND, quantity, Side.BUY), story.trade(E0, "1", Side.BUY))
    settle(story, str(1 + float(quantity)), trades, found=True)
    assert str(story.bracket.external_net) == quantity
    assert story.order(E0).executed == 1
    assert story.submitted[:3] == [E0, S0, P0]
    story.close()
    assert story.intent(X0).quantity == 1


def test_looks_at_the_trades_while_a_lost_entry_is_not_found() -> None:
    """A look-up that lags must not leave an executed entry bare: its trade under our client id proves that it arrived,
    long before the proof of its absence would be complete."""
    story = lost_entry()
    story.snapshot("1")
    story.not_found(E0)
    story.run_until(story.now + 250)
    story.not_found(E0)
    command = story.all(LookUpSymbol)[-1]
    assert (command.why, command.trades_since_ms is not None) == ("entry_not_found", True)
    story.ack_algo(S0)
    assert submits(story.snapshot("1", trades=(story.trade(E0, "1", Side.BUY),))) == [P0], "the stop went out before"
    assert story.now < story.order(E0).tries.dead_after_ms - 2000
    assert story.order(E0).status is OrderStatus.FILLED, "all that was asked for traded: nothing is left to ask"
    asked = len(story.order_lookups)
    story.run_until(story.now + 5000)
    assert E0 not in story.order_lookups[asked:]


def test_guards_a_lost_entry_whose_position_shows_before_its_trades_are_known() -> None:
    """A partial snapshot is the position alone: the stop does not wait for the rest, and the question stays open."""
    story = lost_entry()
    assert submits(story.snapshot("1", is_partial=True)) == [S0]
    assert story.bracket.asking
    assert story.snapshot("1") is not None
    assert not story.bracket.asking


def test_guards_a_lost_entry_whose_position_shows_in_what_was_asked_for_another_signal() -> None:
    """The first word of a position is news, whoever it was asked for; what was asked before the entry left is not."""
    story = lost_entry()
    story.now += 500
    sent_ms = story.order(E0).tries.sent_at_ms
    assert submits(story.signal(signal_id="other-1", amount="1", asked_at_ms=sent_ms - 1)) == []
    assert submits(story.signal(signal_id="other-2", amount="1", asked_at_ms=sent_ms + 1)) == [S0]


@pytest.mark.parametrize(("amount", "sent"), [("0.6", [S0]), ("1.4", [S0]), ("1", [X0])])
def test_guards_a_lost_entry_that_is_to_go_and_is_not_the_whole_position(amount: str, sent: list[str]) -> None:
    """CLOSE came, and somebody traded beside it: what is exactly the entry's is closed, all else needs proof first, and
    is not bare meanwhile."""
    story = lost_entry()
    story.close()
    assert submits(story.snapshot(amount)) == sent


@pytest.mark.parametrize(("amount", "goes"), [("0.6", "0.6"), ("1.4", "1"), ("1", "1")])
def test_closes_of_a_position_that_may_be_ours_what_cannot_be_guarded_in_time(amount: str, goes: str) -> None:
    """The stop is refused for whatever reason: by the limit as much as the entry was for is being closed, no more."""
    story = lost_entry()
    story.snapshot(amount)
    seen = story.now

    closed_at: list[int] = []

    def refuse(command: AnyCommand) -> None:
        match command:
            case SubmitOrder(intent=intent) if intent.client_order_id == S0:
                story.refuse(S0, -4045)
            case SubmitOrder():
                closed_at.append(story.now)

    story.respond(seen + 5000, refuse, since=len(story.log) - 2)
    assert story.alerts[0] == "stop_not_live_in_time"
    assert str(story.intent(F0).quantity) == goes
    assert closed_at == [seen + 1500]


@pytest.mark.parametrize(("amount", "goes"), [("0.6", "0.6"), ("1.4", "1")])
def test_closes_what_may_be_ours_when_the_price_is_through_its_stop(amount: str, goes: str) -> None:
    """Somebody traded beside a lost entry, and no stop can rest any more. What was closed is not closed again."""
    story = lost_entry()
    story.snapshot(amount)
    assert submits(story.refuse(S0, -2021)) == [F0]
    assert str(story.intent(F0).quantity) == goes
    assert submits(story.ack(F0, executed=goes)) == []
    if goes == "1":
        story.run_until(story.now + 5000)
        story.snapshot("0.4")
        assert F1 not in story.submitted, "the rest is somebody else's"


def test_leaves_what_others_are_known_to_have_added_when_ours_cannot_be_guarded() -> None:
    """A trade with another's id is not ours, whatever becomes of the lost entry."""
    story = lost_entry()
    story.foreign_fill("0.4", Side.BUY)
    story.snapshot("1.2")
    assert submits(story.refuse(S0, -2021)) == [F0]
    assert str(story.intent(F0).quantity) == "0.8"


def test_does_not_take_flat_for_never_executed_when_the_close_of_a_lost_entry_may_have_closed_it() -> None:
    """CLOSE sold what showed, its answer was lost as well: flat says nothing about the entry. Its trades do."""
    story = lost_entry()
    story.close()
    assert submits(story.snapshot("1")) == [X0]
    story.unknown(X0)
    rows = (story.trade(E0, "1", Side.BUY), story.trade(X0, "1"))
    settle(story, "0", rows)
    assert (story.order(E0).status, story.order(X0).status) == (OrderStatus.FILLED, OrderStatus.FILLED)
    assert "entry_not_executed" not in str(story.reports)


def test_finds_the_trade_of_a_lost_entry_although_our_clock_is_ahead() -> None:
    """The exchange stamps the entry's trade before the instant at which we think that it was asked for."""
    story = lost_entry()
    row = story.trade(E0, "1", Side.BUY)
    story.snapshot("1")
    story.not_found(E0)
    story.run_until(story.now + 250)
    story.not_found(E0)
    since_ms = story.all(LookUpSymbol)[-1].trades_since_ms
    early_ms = story.bracket.received_at_ms - 300
    assert since_ms is not None
    assert since_ms < early_ms, "so the answer has it"
    story.snapshot("1", [S0], (replace(row, exchange_time_ms=early_ms),))
    assert story.order(E0).status is OrderStatus.FILLED


def test_takes_a_trade_of_others_out_again_when_it_was_before_the_entry() -> None:
    """Told after the signal, and dated within the error of our clock: the exchange's position tells which it was."""
    story = Story().protected()
    fill = Fill(trade_id=7, price=PRICE, quantity=Decimal("0.3"))
    at_ms = story.bracket.received_at_ms + 5
    story.told(HAND, OrderStatus.FILLED, executed="0.3", fill=fill, side=Side.SELL, told_at_ms=at_ms)
    assert str(story.bracket.external_net) == "-0.3"
    story.close()
    assert story.intent(X0).quantity == Decimal("0.7")
    story.ack(X0, executed="0.7", status=OrderStatus.FILLED)
    story.position("0.3")

    def answer(command: AnyCommand) -> None:
        story.now += 20
        match command:
            case LookUpSymbol():
                story.snapshot("0.3", [S0, P0], requested_at_ms=story.now - 10)
            case LookUpOrder(client_order_id=client_id):
                story.look_up_failed(client_id)

    story.respond(story.now + 2_000, answer, since=len(story.log))
    assert "traded_before" in [note.topic for note in story.all(Announce)]
    assert story.intent(X1).quantity == Decimal("0.3"), "the rest of ours is closed as well"


@pytest.mark.parametrize(("before", "stays"), [(1, "-0.5"), (2, "0.2")])
def test_takes_out_no_more_trades_of_others_than_were_before_the_entry(before: int, stays: str) -> None:
    """Two hands around the instant at which the symbol was found flat. That was one instant, so the first of them may
    have been before it, or both; which, the exchange's position tells. The third came after the entry's own trade."""
    story = Story().filled()
    at_ms = story.bracket.received_at_ms + 5
    own_id = min(fill.trade_id for fill in story.order(E0).fills)
    for trade_id, quantity, side in ((7, "0.3", Side.BUY), (8, "0.7", Side.SELL), (own_id + 1, "0.2", Side.BUY)):
        fill = Fill(trade_id=trade_id, price=PRICE, quantity=Decimal(quantity))
        story.told(HAND, OrderStatus.FILLED, executed=quantity, fill=fill, side=side, told_at_ms=at_ms)
    assert str(story.bracket.external_net) == "-0.2"
    shown = str(1 + Decimal(stays))

    def answer(command: AnyCommand) -> None:
        story.now += 20
        match command:
            case SubmitOrder(intent=intent):
                story.ack_algo(intent.client_order_id)
            case LookUpSymbol():
                story.snapshot(shown, [S0, P0], requested_at_ms=story.now - 10)
            case LookUpOrder(client_order_id=client_id):
                story.look_up_failed(client_id)

    story.position(shown)
    story.respond(story.now + 3_000, answer, since=0)
    assert [note.facts["amount"] for note in story.all(Announce) if note.topic == "traded_before"] == [
        "0.3" if before == 1 else "-0.4"
    ]
    assert str(story.bracket.external_net) == stays


def test_asks_for_the_end_of_a_lost_entry_when_a_trade_shows_a_part_of_it() -> None:
    """A trade under our client id proves that it arrived; from then on "no such order" only means that the answer
    lags."""
    story = lost_entry()
    story.not_found(E0)
    story.run_until(story.now + 250)
    story.not_found(E0)
    story.snapshot("0.4", trades=(story.trade(E0, "0.4", Side.BUY),))
    assert story.order(E0).status is OrderStatus.PARTIALLY_FILLED
    for _ in range(20):
        story.run_until(story.now + 300)
        story.not_found(E0)
    assert story.order(E0).status is OrderStatus.PARTIALLY_FILLED, "never given up: it traded"


def test_books_the_fill_of_a_leg_whose_trigger_was_not_told() -> None:
    """The order that a stop became has an id we never saw, but its client id is the stop's (§4.5)."""
    story = Story().protected()
    story.now += 1
    story.snapshot("0", [P0], trades=(story.trade(S0, "1"),))
    assert story.order(S0).executed == 1
    assert story.order(S0).exchange_order_id == exchange_id(S0)
    assert story.bracket.external_net == 0
    assert S0 in story.order_lookups


def test_books_a_late_fill_of_an_exit_that_was_given_up() -> None:
    """Absent for certain, we thought; a trade under its id says otherwise, and the ledger follows."""
    story = Story().protected()
    story.close()
    story.unknown(X0)
    dead = story.order(X0).tries.dead_after_ms
    while story.order(X0).status is OrderStatus.UNRESOLVED:
        story.run_until(max(story.now + 300, dead + 1))
        story.not_found(X0)
    story.now += 1
    story.snapshot("0", [S0, P0], trades=(story.trade(X0, "1"),))
    assert story.order(X0).executed == 1
    assert story.bracket.flat_since_ms is not None


@pytest.mark.parametrize("traced", [True, False])
def test_does_not_wait_for_our_order_when_a_trade_is_known_to_be_another_ones(traced: bool) -> None:
    """While the stop is missing from the list an untraced fill may be its own; a traced one is judged at once."""
    story = Story().protected()
    story.now += 1
    trade = story.trade(HAND, "0.4", traced=traced)
    story.snapshot("0.6", [P0], trades=(trade,))
    assert (str(story.bracket.external_net) == "-0.4") is traced


def test_names_the_orders_it_knows_when_it_asks_for_trades() -> None:
    """What need not be traced is not asked for: each order costs weight."""
    story = Story().protected()
    story.position("0.6")
    story.run_until(story.now + 300)
    command = story.all(LookUpSymbol)[-1]
    assert command.trades_since_ms is not None
    assert command.known_orders == (exchange_id(E0),)


def test_blames_nobody_for_a_fill_of_the_bracket_before() -> None:
    """Our own fill, told late or twice, after its bracket ended and the next one began: no trade of somebody else."""
    story = Story().protected()
    story.algo_told(S0, AlgoStatus.TRIGGERED)
    story.fill(S0)
    ended_at = story.now
    story.position("0")
    story.algo_told(S0, AlgoStatus.FINISHED)
    story.algo_told(P0, AlgoStatus.EXPIRED)
    assert not story.state.brackets
    story.now += 5
    story.signal(signal_id="signal-2")
    again = Fill(trade_id=story.trade_id, price=PRICE, quantity=Decimal(1))
    story.told(S0, OrderStatus.FILLED, executed="1", fill=again, told_at_ms=ended_at)
    assert story.bracket.external_net == 0
    assert story.alerts == []


def test_trade_of_the_bracket_before_is_not_somebody_elses() -> None:
    """Our clock is behind by a second: by its time, the old exit traded after the new signal. Its id is known."""
    story = Story().protected()
    story.close()
    story.fill(X0)
    old = story.order(X0).fills[0]
    story.position("0")
    for leg in (S0, P0):
        story.algo_told(leg, AlgoStatus.EXPIRED)
    assert story.state.brackets == {}
    story.signal(signal_id="signal-2")
    second = client_order_id("signal-2", Role.ENTRY)
    story.fill(second)
    story.position("1")
    row = replace(story.trade(X0, "1"), trade_id=old.trade_id, exchange_time_ms=story.now + 500)
    story.snapshot("1", trades=(row, story.trade(second, "1", Side.BUY, story.order(second).fills[0].trade_id)))
    bracket = story.state.brackets["signal-2"]
    assert (str(bracket.external_net), story.alerts) == ("0", [])


def test_guards_a_position_that_shows_though_others_have_closed_it_by_our_books() -> None:
    """What was taken for a trade on the position was from before it: the exchange shows it, and its stop went."""
    story = Story().protected()
    story.foreign_fill("1")
    story.foreign_fill("0.3")
    for _ in range(3):
        story.now += 1000
        story.tick()
        story.snapshot("0.7", [S0, P0], (), requested_at_ms=story.now)
    assert story.bracket.disagreements >= 2
    assert S1 not in story.submitted
    story.algo_told(S0, AlgoStatus.CANCELED)
    assert S1 in story.submitted
