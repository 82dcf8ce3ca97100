"""Stories of claimed positions: opened by others, taken over, managed like our own (P2, P3, P4, P5)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bracketeer.core.claiming import LAG_MS, claim_stop
from bracketeer.core.client_ids import client_order_id
from bracketeer.core.commands import Announce, AnyCommand, LookUpSymbol, SubmitOrder
from bracketeer.core.denial import DenialCode, Denied
from bracketeer.core.engine import replay
from bracketeer.core.events import Fill, PositionClaimed
from bracketeer.core.intent import OrderIntent
from bracketeer.core.journal import event_line
from bracketeer.core.settings import Policy
from bracketeer.core.signal import SignalType
from bracketeer.core.state import State
from bracketeer.core.values import AlgoStatus, ArmingMode, OrderStatus, OrderType, Role, Side, WorkingType
from tests.support.stories import E0, PRICE, RULES, SYMBOL, T0, Story

POLICY = Policy(arm=ArmingMode.AFTER_FILL, external_position_claims=(SYMBOL,), claim_stop_distance_pct=Decimal("2.5"))
NAME = "claim-1"
S = client_order_id(NAME, Role.STOP_LOSS)
S_NEXT = client_order_id(NAME, Role.STOP_LOSS, 1)
EXIT = client_order_id(NAME, Role.EXIT)
FLATTEN = client_order_id(NAME, Role.FLATTEN)


class Claimed(Story):
    """An account where somebody opened a position before."""

    def __init__(self, policy: Policy = POLICY) -> None:
        super().__init__(policy)

    def claim(self, amount: str = "1", **changes: Any) -> list[AnyCommand]:
        """The position is found; it changed last an hour ago."""
        fields: dict[str, Any] = {
            "at_ms": self.now,
            "signal_id": NAME,
            "symbol": SYMBOL,
            "amount": Decimal(amount),
            "entry_price": Decimal(59000),
            "updated_at_ms": self.now - 3_600_000,
            "asked_at_ms": self.now - 20,
            "reference_price": PRICE,
            "instrument": RULES,
        }
        return self.feed(PositionClaimed(**(fields | changes)))

    def guarded(self, amount: str = "1") -> Claimed:
        """Claimed, and its stop is live."""
        self.claim(amount)
        self.now += 20
        self.ack_algo(S)
        self.algo_told(S, AlgoStatus.NEW)
        self.now += 1000
        return self

    @property
    def ending(self) -> str:
        """How the claim ended."""
        record = self.state.signals[NAME]
        assert record.ended
        assert record.report is not None
        return f"{record.status} {record.report.reason.code if record.report.reason else ''}"


@pytest.mark.parametrize(("amount", "side", "price"), [("1", Side.SELL, "58500"), ("-0.4", Side.BUY, "61500")])
def test_sends_one_closing_stop_on_the_losing_side_and_nothing_else(amount: str, side: Side, price: str) -> None:
    """The stop closes the whole position 2.5 % from the price; nothing is bought or sold, and there is no target."""
    story = Claimed()
    commands = story.claim(amount)
    assert [c.intent for c in commands if isinstance(c, SubmitOrder)] == [
        OrderIntent(
            client_order_id=S,
            signal_id=NAME,
            role=Role.STOP_LOSS,
            symbol=SYMBOL,
            side=side,
            order_type=OrderType.STOP_MARKET,
            trigger_price=Decimal(price),
            working_type=WorkingType.CONTRACT_PRICE,
            close_position=True,
        )
    ]
    assert [c.topic for c in commands if isinstance(c, Announce)] == ["claimed"]


def test_report_says_claimed_when_the_stop_is_live() -> None:
    """What it stands at, and that its entry was none of ours."""
    story = Claimed().guarded()
    (report,) = story.reports
    assert (report.signal_id, report.status, report.claimed) == (NAME, "protected", True)
    assert report.entry is not None
    assert report.entry.average_price == 59000
    assert report.entry.exchange_order_id is None
    assert report.timings is not None
    assert report.timings.naked_ms == 20, "bare since it is ours"


def test_close_signal_closes_the_claimed_amount_and_clears_the_stop() -> None:
    """CLOSE works as on a position of our own."""
    story = Claimed().guarded("-0.4")
    story.signal(SignalType.CLOSE_SHORT, "close-1", amount="-0.4")
    intent = story.intent(EXIT)
    assert (intent.side, intent.quantity, intent.reduce_only) == (Side.BUY, Decimal("0.4"), True)
    story.ack(EXIT, executed="0.4")
    story.position("0")
    story.algo_told(S, AlgoStatus.EXPIRED)
    assert story.ending == "closed close_signal"
    assert [(r.signal_id, r.status, r.claimed) for r in story.reports[1:]] == [("close-1", "closed", True)]
    assert not story.state.brackets


@pytest.mark.parametrize(
    ("kind", "code"), [(SignalType.LONG_ENTRY, "position_open"), (SignalType.SHORT_ENTRY, "opposite_position")]
)
def test_entry_on_the_symbol_is_refused_as_on_our_own_position(kind: SignalType, code: str) -> None:
    """One bracket at a time, claimed or not."""
    story = Claimed().guarded()
    story.signal(kind, amount="1")
    report = story.reports[-1]
    assert report.reason is not None
    assert (report.status, report.reason.code) == ("denied", code)


def test_stop_that_closes_it_ends_it() -> None:
    """The fill of the triggered stop is linked as always."""
    story = Claimed().guarded()
    story.algo_told(S, AlgoStatus.TRIGGERED)
    story.told(S, OrderStatus.FILLED, executed="1", fill=Fill(trade_id=7, price=Decimal(58490), quantity=Decimal(1)))
    story.algo_told(S, AlgoStatus.FINISHED)
    story.position("0")
    assert story.ending == "closed stop_loss_hit"


def test_closed_by_hand_is_noticed() -> None:
    """Who opened it may close it: told once, cleared, nothing sent."""
    story = Claimed().guarded()
    story.foreign_fill("1")
    story.position("0")
    story.algo_told(S, AlgoStatus.EXPIRED)
    story.now += 1
    story.snapshot("0")
    assert story.ending == "closed closed_by_others"
    assert story.submitted == [S]


def test_what_others_add_is_claimed_too() -> None:
    """The position was theirs: unlike with our own, an addition belongs to what CLOSE closes."""
    story = Claimed().guarded()
    story.foreign_fill("0.5", Side.BUY)
    story.position("1.5")
    story.close()
    assert story.intent(EXIT).quantity == Decimal("1.5")


def test_turned_by_hand_is_over() -> None:
    """Sold by more than it held: what is there now is another position, to be claimed anew."""
    story = Claimed().guarded()
    story.foreign_fill("1.5")
    story.position("-0.5")
    story.run_until(story.now + 300)
    story.cancelled(S)
    story.snapshot("-0.5")
    assert story.ending == "closed closed_by_others"
    story.now += LAG_MS + 1000
    story.claim("-0.5", signal_id="claim-2", updated_at_ms=story.now - LAG_MS)
    assert story.bracket.entry_side is Side.SELL


def test_stop_that_goes_missing_is_placed_anew() -> None:
    """P2: the next generation has its own deterministic id."""
    story = Claimed().guarded()
    story.algo_told(S, AlgoStatus.CANCELED)
    assert story.submitted == [S, S_NEXT]


def test_position_that_cannot_be_protected_is_closed() -> None:
    """P2 holds without exception: what is claimed is guarded or closed."""
    story = Claimed()
    story.claim()
    story.refuse(S, -2021)
    assert story.intent(FLATTEN).quantity == Decimal(1)
    assert story.alerts == ["stop_price_already_crossed"]


def test_stop_of_somebody_else_is_left_alone_and_ours_rests_beside_it() -> None:
    """-4130: theirs may be cancelled by them at any time, so ours is placed with a quantity, and that is explained."""
    story = Claimed()
    story.claim()
    story.refuse(S, -4130)
    for _ in range(2):
        story.not_found(S)
        story.run_until(story.now + 300)
    assert story.alerts == ["foreign_stop"]
    ours = story.intent(S_NEXT)
    assert (ours.quantity, ours.reduce_only, ours.close_position) == (Decimal(1), True, False)
    story.ack_algo(S_NEXT)
    assert [report.status for report in story.reports] == ["protected"]


def test_comes_to_the_same_state_when_replayed() -> None:
    """P5: the claim is in the log with all it was decided by, under its own name."""
    story = Claimed().guarded()
    story.restart()
    story.close()
    assert replay(State(), story.events).encode() == story.state.encode()
    line = event_line(story.state, next(e for e in story.events if isinstance(e, PositionClaimed)))
    assert (line.event_type, line.symbol, line.signal_id) == ("position_claimed", SYMBOL, NAME)


def test_restart_takes_the_claim_over() -> None:
    """The next process finds a bracket, looks at the exchange and sends nothing."""
    story = Claimed().guarded()
    story.now += 1000
    commands = story.restart()
    assert [type(c) for c in commands] == [LookUpSymbol]
    story.now += 20
    story.snapshot("1", [S])
    story.run_until(story.now + 5000)
    assert story.submitted == [S]


@pytest.mark.parametrize("at", ["before", "after"])
def test_trades_of_before_are_in_the_amount(at: str) -> None:
    """A fill that the stream tells late, or that a question for trades returns, counts only when it came after."""
    story = Claimed()
    last_change = story.now - 300
    story.claim(updated_at_ms=last_change)
    told_at_ms = last_change if at == "before" else last_change + 1
    fill = Fill(trade_id=5, price=PRICE, quantity=Decimal("0.25"))
    story.told("web_9", OrderStatus.FILLED, executed="0.25", fill=fill, told_at_ms=told_at_ms)
    row = replace(story.trade("web_9", "0.25", trade_id=5), exchange_time_ms=told_at_ms)
    story.snapshot("1", [S], trades=(row,))
    assert story.bracket.external_net == (0 if at == "before" else Decimal("-0.25"))


def test_its_trades_are_known_although_its_entry_is_in_no_list() -> None:
    """The entry was never sent: that no list has a trade of it is no sign of a list that lacks some. What no trade
    explains can be believed only when that is known."""
    story = Claimed().guarded()
    story.now += 5_000
    story.snapshot("1", resting=[S], trades=())
    assert story.state.brackets[NAME].trades_known_ms == story.now


def test_old_position_is_not_searched_for_trades_of_months() -> None:
    """Since the position changed last nothing was traded: the question goes back to the claim only."""
    story = Claimed().guarded()
    assert story.bracket.trades_from_ms == T0 + 100 - 20 - story.policy.clock_margin_ms


def test_nothing_is_claimed_while_a_bracket_of_ours_is_there() -> None:
    """What the exchange shows may be ours."""
    story = Claimed()
    story.signal()
    story.fill(E0)
    story.claim()
    assert list(story.state.brackets) == ["signal-1"]


@pytest.mark.parametrize(("pause_ms", "claimed"), [(100, False), (LAG_MS + 21, True)])
def test_nothing_is_claimed_just_after_a_bracket_of_ours_ended(pause_ms: int, *, claimed: bool) -> None:
    """A read that lags shows what we have closed: taken for somebody's, it would become a phantom."""
    story = Claimed()
    story.protected()
    story.foreign_fill("1")
    story.position("0")
    for leg in list(story.state.algos):
        story.algo_told(leg, AlgoStatus.EXPIRED)
    story.now += 1
    story.snapshot("0")
    assert not story.state.brackets
    story.now += pause_ms
    story.claim()
    assert bool(story.state.brackets) is claimed


@pytest.mark.parametrize("again", ["while it works", "after its end"])
def test_same_claim_twice_is_one(again: str) -> None:
    """Repetition does no harm."""
    story = Claimed().guarded()
    if again == "after its end":
        story.foreign_fill("1")
        story.position("0")
        story.algo_told(S, AlgoStatus.EXPIRED)
        story.now += 1
        story.snapshot("0")
        assert not story.state.brackets
        story.now += LAG_MS * 2
    before = len(story.submitted)
    story.claim()
    assert len(story.submitted) == before


@pytest.mark.parametrize(
    ("policy", "changes"),
    [
        (Policy(arm=ArmingMode.AFTER_FILL), {}),
        (POLICY, {"amount": Decimal(0)}),
        (POLICY, {"instrument": replace(RULES, status="SETTLING")}),
        (POLICY, {"instrument": replace(RULES, min_price=Decimal(59000))}),
    ],
)
def test_what_cannot_be_guarded_is_not_claimed(policy: Policy, changes: dict[str, Any]) -> None:
    """No distance, no position, not trading, a stop outside the prices: nothing happens."""
    story = Claimed(policy)
    story.claim(**changes)
    assert not story.state.brackets
    assert story.log == []


def test_stop_nearer_than_a_tick_goes_one_tick_away() -> None:
    """Rounded towards the earlier exit it would fire at once; so here, and only here, it is rounded away."""
    near = Decimal("0.00001")
    assert claim_stop(RULES, PRICE, Side.BUY, near) == Decimal("59999.9")
    assert claim_stop(RULES, PRICE, Side.SELL, near) == Decimal("60000.1")


def test_stop_outside_the_prices_is_refused_with_the_numbers() -> None:
    """The refusal names the range."""
    refused = claim_stop(replace(RULES, max_price=Decimal(61000)), PRICE, Side.SELL, Decimal(5))
    assert isinstance(refused, Denied)
    assert refused.code is DenialCode.PRICE_INVALID
    assert "61000" in refused.text


@given(
    ticks=st.integers(min_value=10, max_value=10**9),
    side=st.sampled_from(Side),
    distance=st.decimals(min_value="0.001", max_value="99.9", places=3),
)
def test_stop_is_on_the_tick_on_its_side_and_not_further_than_asked(ticks: int, side: Side, distance: Decimal) -> None:
    """For every price, side and distance: a multiple of the tick, strictly on the losing side, and no further from the
    price than the distance or one tick, whichever is more."""
    tick = RULES.tick_size
    price = ticks * tick
    stop = claim_stop(RULES, price, side, distance)
    if isinstance(stop, Denied):  # a tick from nothing: there is no such price
        assert side is Side.BUY
        return
    gap = (price - stop) * side.sign
    assert stop % tick == 0
    assert 0 < gap <= max(price * distance / 100, tick)
