"""The life of a bracket on a well-behaved exchange, over real sockets."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from bracketeer import Policy, ReportStatus, SignalType
from bracketeer.core.values import ArmingMode
from bracketeer.simulator.server import RunningSimulator
from tests.support.venue import BTC, Desk, desk, eventually


def test_long_entry_is_protected(at: Desk) -> None:
    """A long entry ends with the position and exactly one stop and one take profit, and an exact report."""
    report = at.enter()
    assert report.status is ReportStatus.PROTECTED
    at.assert_protected()
    assert at.position() == Decimal("0.010")
    assert report.entry is not None
    assert report.entry.average_price is not None
    assert report.stop_loss is not None
    assert report.stop_loss.trigger_price == Decimal(58000)
    assert report.timings is not None
    assert report.timings.naked_ms is not None
    assert report.timings.naked_ms <= at.state()["nakedMs"][BTC]["worst"] + 1


def test_stop_and_take_profit_leave_at_the_same_time(at: Desk) -> None:
    """The take profit does not wait for the stop's answer, nor the stop for the take profit's: two connections."""
    at.simulator.fault("delay", method="POST", path="/fapi/v1/algoOrder", delay_ms=400, times=2)
    assert at.enter().status is ReportStatus.PROTECTED
    first, second = at.requests("POST", "/fapi/v1/algoOrder")
    assert abs(second["time"] - first["time"]) < 300


def test_stop_is_never_behind_the_take_profit(at: Desk) -> None:
    """The take profit begins when the stop's bytes have left: the exchange sees the stop first, every time."""
    for number in range(8):
        at.enter(f"entry-{number}")
        at.close(f"close-{number}")
    types = [row["params"]["type"] for row in at.requests("POST", "/fapi/v1/algoOrder")]
    assert types == ["STOP_MARKET", "TAKE_PROFIT_MARKET"] * 8


def test_short_entry_is_protected(at: Desk) -> None:
    """A short entry is the mirror image."""
    report = at.enter(signal_type=SignalType.SHORT_ENTRY, take_profit="55000", stop_loss="61000")
    assert report.status is ReportStatus.PROTECTED
    assert at.position() == Decimal("-0.010")
    assert at.resting() == ["STOP_MARKET", "TAKE_PROFIT_MARKET"]
    at.simulator.set_price(BTC, "54990")
    at.assert_clean()


@pytest.mark.parametrize(("price", "reason"), [("66100", "take_profit_hit"), ("57900", "stop_loss_hit")])
def test_triggered_leg_leaves_nothing(at: Desk, price: str, reason: str) -> None:
    """Whichever leg triggers, the position is gone, its sibling too, and the log says which it was."""
    at.enter()
    at.simulator.set_price(BTC, price)
    at.assert_clean()
    eventually(lambda: not at.manager.status().brackets)
    (ended,) = at.lines("bracket_ended")
    assert ended.fields["data"]["facts"]["reason"] == reason


def test_close_signal_closes_and_clears(at: Desk) -> None:
    """CLOSE closes by the real size, clears both legs and reports the exit."""
    at.enter()
    report = at.close()
    assert report.status is ReportStatus.CLOSED
    assert report.exit is not None
    assert report.exit.executed_quantity == Decimal("0.010")
    at.assert_clean()


def test_close_without_position_is_success(at: Desk) -> None:
    """Already flat is what was asked for."""
    assert at.close().status is ReportStatus.ALREADY_FLAT


def test_close_of_the_other_side_touches_nothing(at: Desk) -> None:
    """CLOSE_SHORT does not close a long."""
    at.enter()
    assert at.close(signal_type=SignalType.CLOSE_SHORT).status is ReportStatus.ALREADY_FLAT
    at.assert_protected()


def test_duplicate_signal_trades_once(at: Desk) -> None:
    """P1: the same signal id any number of times is one entry."""
    at.enter()
    again = at.enter()
    assert again.status is ReportStatus.DUPLICATE
    assert again.entry is not None
    assert at.entry_fills() == Decimal("0.010")
    at.assert_protected()


def test_no_stop_where_none_is_required(simulator: RunningSimulator, tmp_path: Path) -> None:
    """With REQUIRE_STOP_LOSS=false a bare position is what was asked for, and the report says so."""
    with desk(simulator, tmp_path, policy=Policy(arm=ArmingMode.AFTER_FILL, require_stop_loss=False)) as at:
        report = at.enter(stop_loss=None)
        assert report.status is ReportStatus.OPEN_UNPROTECTED
        assert at.resting() == ["TAKE_PROFIT_MARKET"]


def test_entry_sized_by_notional_is_rounded_down(at: Desk) -> None:
    """A notional buys the largest whole number of steps it pays for."""
    report = at.enter(quantity=None, notional="1000")
    assert report.status is ReportStatus.PROTECTED
    assert at.position() == Decimal("0.016")


def test_several_prints_are_one_position(at: Desk) -> None:
    """An entry that walks the book is averaged over its fills and protected as a whole."""
    at.manager.set_leverage(BTC, 100)
    report = at.enter(quantity="5")
    assert report.status is ReportStatus.PROTECTED
    assert report.entry is not None
    assert report.entry.executed_quantity == 5
    trades = [row for row in at.state()["trades"] if row["side"] == "BUY"]
    assert len(trades) > 1
    paid = sum((Decimal(row["price"]) * Decimal(row["qty"]) for row in trades), Decimal(0))
    assert report.entry.average_price is not None
    assert abs(report.entry.average_price - paid / 5) < Decimal("0.01")
    at.assert_protected("5")


def test_second_entry_on_the_symbol_is_denied(at: Desk) -> None:
    """One bracket at a time on a symbol, either side."""
    at.enter()
    same = at.enter("entry-2")
    opposite = at.enter("entry-3", signal_type=SignalType.SHORT_ENTRY, take_profit="55000", stop_loss="61000")
    assert same.reason is not None
    assert opposite.reason is not None
    assert (same.status, same.reason.code) == (ReportStatus.DENIED, "position_open")
    assert (opposite.status, opposite.reason.code) == (ReportStatus.DENIED, "opposite_position")
    at.assert_protected()


def test_works_without_the_user_stream(simulator: RunningSimulator, tmp_path: Path) -> None:
    """With the stream off, REST alone protects, notices the take profit and clears up."""
    with desk(
        simulator, tmp_path, policy=Policy(arm=ArmingMode.AFTER_FILL, poll_interval_ms=100), user_stream=False
    ) as at:
        report = at.enter()
        assert report.status is ReportStatus.PROTECTED
        assert report.entry is not None
        assert report.entry.average_price is not None
        simulator.set_price(BTC, "66100")
        at.assert_clean()
        eventually(lambda: not at.manager.status().brackets)


def test_foreign_orders_are_left_alone(at: Desk) -> None:
    """P4: an order somebody else rests on the same symbol survives everything we do."""
    at.simulator.trade_by_hand("ETHUSDT", "BUY", "0.5")
    at.enter()
    at.close()
    at.assert_clean()
    assert at.position("ETHUSDT") == Decimal("0.5")


def test_position_opened_by_hand_denies_entries(at: Desk) -> None:
    """A position that is not ours is neither touched nor added to."""
    at.simulator.trade_by_hand(BTC, "BUY", "0.020")
    report = at.enter()
    assert report.reason is not None
    assert (report.status, report.reason.code) == (ReportStatus.DENIED, "external_position")
    assert at.close().reason is not None
    assert at.position() == Decimal("0.020")


def test_position_closed_by_hand_is_cleared(at: Desk) -> None:
    """Somebody closes our position: the legs go, the bracket ends, the log names the cause."""
    at.enter()
    at.simulator.trade_by_hand(BTC, "SELL", "0.010")
    at.assert_clean()
    eventually(lambda: not at.manager.status().brackets)
    assert "external_trade" in at.alerts()
