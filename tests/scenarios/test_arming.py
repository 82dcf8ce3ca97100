"""Protection that leaves with the entry (ARM=with_entry), over real sockets: the hand-over, and one fault at a time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bracketeer import ReportStatus, SignalType
from bracketeer.core.audit_logger import read_since_checkpoint
from bracketeer.core.journal import rebuild
from bracketeer.core.values import ArmingMode
from bracketeer.execution.starting import SETTLE_TIMEOUT_S
from bracketeer.simulator.server import RunningSimulator, SimulatorConfig, start_in_thread
from tests.scenarios.killing import die
from tests.support.venue import BTC, FAST, Desk, desk, eventually

ARMED = replace(FAST, arm=ArmingMode.WITH_ENTRY)
ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
STOP, TAKE = {"type": "STOP_MARKET"}, {"type": "TAKE_PROFIT_MARKET"}
JITTER_MS = 5  # beside that of the network, which is none here


@pytest.fixture
def at(simulator: RunningSimulator, tmp_path: Path) -> Iterator[Desk]:
    """A started manager that arms with the entry."""
    with desk(simulator, tmp_path / "audit", policy=ARMED) as working:
        yield working


def naked_ms(at: Desk) -> int:
    """The worst time without a stop, by the exchange's own ledger."""
    worst: int = at.state()["nakedMs"].get(BTC, {"worst": 0})["worst"]
    return worst


def assert_handed_over(at: Desk, quantity: str = "0.010") -> None:
    """One stop and one target rest, both closing the whole position."""
    eventually(
        lambda: not [row for row in at.state()["openAlgoOrders"] if not row["closePosition"]], what="handed over"
    )
    at.assert_protected(quantity)


def sent(at: Desk) -> list[str]:
    """What was placed, in the order in which the exchange saw it."""
    placed = [row for row in at.state()["requests"] if row["method"] == "POST" and row["path"] in (ORDER, ALGO)]
    return [row["params"]["type"] + ("!" if "closePosition" in row["params"] else "") for row in placed]


def test_bracket_leaves_as_one(at: Desk) -> None:
    """Stop, entry, target; then the closing stop and target, and the first ones go."""
    assert at.enter().status is ReportStatus.PROTECTED
    assert_handed_over(at)
    placed = sent(at)
    assert placed[:2] == ["STOP_MARKET", "MARKET"]
    assert sorted(placed) == ["MARKET", "STOP_MARKET", "STOP_MARKET!", "TAKE_PROFIT_MARKET", "TAKE_PROFIT_MARKET!"]
    assert at.close().status is ReportStatus.CLOSED
    at.assert_clean()


@pytest.mark.parametrize("arm", list(ArmingMode))
def test_time_without_a_stop_is_not_the_networks(tmp_path: Path, arm: ArmingMode) -> None:
    """With a round trip of 60 ms: after the fill it is one round trip, with the entry it is next to nothing."""
    with start_in_thread(SimulatorConfig(prices="frozen", latency_ms=60)) as simulator:
        simulator.set_price(BTC, "60000")
        with desk(simulator, tmp_path, policy=replace(FAST, arm=arm)) as at:
            for number in range(5):
                report = at.enter(f"entry-{number}")
                assert report.status is ReportStatus.PROTECTED
                assert report.timings is not None
                assert report.timings.naked_ms is not None
                assert report.timings.naked_ms <= naked_ms(at) + 1  # two readings of one clock
                assert at.close(f"close-{number}").status is ReportStatus.CLOSED
            at.assert_clean()
            if arm is ArmingMode.WITH_ENTRY:
                assert naked_ms(at) <= JITTER_MS
            else:
                assert naked_ms(at) >= 55


def test_short_entry_is_armed_too(at: Desk) -> None:
    """The mirror image."""
    report = at.enter(signal_type=SignalType.SHORT_ENTRY, take_profit="55000", stop_loss="61000")
    assert report.status is ReportStatus.PROTECTED
    assert_handed_over(at)
    at.simulator.set_price(BTC, "61010")
    at.assert_clean()


def test_works_without_the_user_stream(simulator: RunningSimulator, tmp_path: Path) -> None:
    """REST alone arms, hands over and clears up."""
    with desk(simulator, tmp_path, policy=replace(ARMED, poll_interval_ms=100), user_stream=False) as at:
        assert at.enter().status is ReportStatus.PROTECTED
        assert_handed_over(at)
        simulator.set_price(BTC, "66100")
        at.assert_clean()
        eventually(lambda: not at.manager.status().brackets)


def test_entry_that_fills_in_part_is_covered(at: Desk) -> None:
    """A thin book: part of the entry fills, its rest expires."""
    at.manager.set_leverage(BTC, 100)
    at.simulator.fault("thin_book", symbol=BTC, percent="1")
    report = at.enter(quantity="5")
    assert report.status is ReportStatus.PROTECTED
    assert report.entry is not None
    assert 0 < report.entry.executed_quantity < 5
    assert_handed_over(at, str(report.entry.executed_quantity))
    assert naked_ms(at) <= JITTER_MS


# The entry does not come about.


@pytest.mark.parametrize("fault", ["refuse", "request_lost", "status_503"])
def test_entry_that_does_not_execute_leaves_nothing(at: Desk, fault: str) -> None:
    """Refused, lost, or never let in: both legs are cancelled, and only then the symbol is free."""
    at.simulator.fault(fault, method="POST", path=ORDER, times=-1, code=-2019)
    report = at.enter()
    assert report.status is ReportStatus.REJECTED
    assert at.resting() == []
    assert at.position() == 0
    at.simulator.lift_faults()
    assert at.enter("entry-2").status is ReportStatus.PROTECTED
    assert_handed_over(at)


def test_symbol_is_busy_until_the_legs_are_gone(at: Desk) -> None:
    """A stop that cannot be cancelled yet never meets the next trade: that one is denied."""
    at.simulator.fault("refuse", method="POST", path=ORDER, code=-2019)
    at.simulator.fault("refuse", method="DELETE", path=ALGO, code=-1000, times=-1)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(at.enter)
        eventually(lambda: len(at.requests("DELETE", ALGO)) > 3)
        denied = at.enter("entry-2")
        assert denied.reason is not None
        assert (denied.status, denied.reason.code) == (ReportStatus.DENIED, "symbol_busy")
        at.simulator.lift_faults()
        assert first.result().status is ReportStatus.REJECTED
    assert at.resting() == []
    assert at.enter("entry-3").status is ReportStatus.PROTECTED


@pytest.mark.parametrize("user_stream", [True, False])
def test_entry_of_unknown_fate_keeps_its_legs(simulator: RunningSimulator, tmp_path: Path, user_stream: bool) -> None:
    """P1 and P2: executed, though nobody said so; found, not repeated, and never without its stop."""
    with desk(simulator, tmp_path, policy=ARMED, user_stream=user_stream) as at:
        simulator.fault("reply_lost", method="POST", path=ORDER)
        assert at.enter().status is ReportStatus.PROTECTED
        assert len(at.requests("POST", ORDER)) == 1
        assert_handed_over(at)
        assert naked_ms(at) <= JITTER_MS


# The stop does not come about.


@pytest.mark.parametrize("match", [STOP, TAKE])
@pytest.mark.parametrize("fault", ["reply_lost", "request_lost", "status_503", "status_503_executed", "refuse"])
def test_leg_that_does_not_arrive_is_made_good(at: Desk, fault: str, match: dict[str, str]) -> None:
    """The closing order after the fill does; whatever arrived of the first one goes."""
    at.simulator.fault(fault, method="POST", path=ALGO, match=match, code=-4045)
    assert at.enter().status is ReportStatus.PROTECTED
    assert_handed_over(at)
    assert naked_ms(at) < 1000
    assert at.close().status is ReportStatus.CLOSED
    at.assert_clean()


def test_closing_stop_that_is_refused_leaves_the_first_one(at: Desk) -> None:
    """Protected all the same, and tried on."""
    at.simulator.fault("refuse", method="POST", path=ALGO, code=-4045, match=STOP | {"closePosition": "true"}, times=4)
    assert at.enter().status is ReportStatus.PROTECTED
    assert_handed_over(at)
    assert naked_ms(at) <= JITTER_MS


def test_exchange_that_wants_a_position_first(at: Desk) -> None:
    """The first entry is protected after its fill; the later ones do not try; the operator is told and can see it."""
    at.simulator.switch(reduce_only_algo_needs_position=True)
    assert at.enter().status is ReportStatus.PROTECTED
    assert_handed_over(at)  # the target may have been accepted: it arrived after the fill
    assert at.alerts() == ["arming_refused"]
    (condition,) = at.manager.status().conditions
    assert (condition.code, condition.context["code"]) == ("arming_refused", "-2022")
    assert at.close().status is ReportStatus.CLOSED
    before = len(sent(at))
    assert at.enter("entry-2").status is ReportStatus.PROTECTED
    assert sent(at)[before:] == ["MARKET", "STOP_MARKET!", "TAKE_PROFIT_MARKET!"]
    assert at.alerts() == ["arming_refused"]
    at.assert_protected()


# The stop fires at the wrong moment.


@pytest.mark.parametrize(("later", "status"), [("60000", ReportStatus.PROTECTED), ("57900", ReportStatus.FLATTENED)])
def test_stop_that_fires_before_the_entry_executes(at: Desk, later: str, status: ReportStatus) -> None:
    """The entry is late, the stop finds nothing to reduce: new protection, or out, when the price is through it."""
    at.simulator.fault("late_request", method="POST", path=ORDER, delay_ms=500)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(at.enter)
        eventually(lambda: "STOP_MARKET" in at.resting())
        eventually(lambda: bool(at.requests("POST", ORDER)) or len(at.resting()) == 2)
        at.simulator.set_price(BTC, "57900")
        eventually(lambda: "STOP_MARKET" not in at.resting())
        at.simulator.set_price(BTC, later)
        assert answer.result().status is status
    if status is ReportStatus.PROTECTED:
        assert_handed_over(at)
    else:
        at.assert_clean()
    assert naked_ms(at) < 2000
    assert at.entry_fills() == Decimal("0.010")


def test_stop_that_closes_before_the_fill_is_known(at: Desk) -> None:
    """We learn of the entry when its position is gone: never called protected, flat, nothing left."""
    at.simulator.fault("stream_mute")
    at.simulator.fault("reply_lost", method="POST", path=ORDER)
    at.simulator.fault("refuse", method="GET", path=ORDER, code=-1000, times=-1)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(at.enter)
        eventually(lambda: at.position() != 0 and "STOP_MARKET" in at.resting())
        at.simulator.set_price(BTC, "57900")
        eventually(lambda: at.position() == 0)
        at.simulator.lift_faults()
        report = answer.result()
    assert report.status is ReportStatus.CLOSED
    assert report.reason is not None
    assert report.reason.code == "stop_loss_hit"
    at.assert_clean()
    assert all(row["status"] == 400 for row in at.requests("POST", ALGO) if "closePosition" in row["params"])
    assert naked_ms(at) <= JITTER_MS


# Crashes.


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["STOP_LOSS:0", "ENTRY", "TAKE_PROFIT:0", "STOP_LOSS:1", "TAKE_PROFIT:1", "CANCEL"])
def test_killed_at_any_send(simulator: RunningSimulator, tmp_path: Path, when: str, what: str) -> None:
    """kill -9 before and after each: protected or clean within seconds of the start, never twice, the log replays."""
    die(simulator, tmp_path / "audit", when, what, "with_entry")
    executed: Any = simulator.state()["positions"]
    with desk(simulator, tmp_path / "audit", policy=ARMED) as at:
        if executed:
            assert_handed_over(at)
            # By the log's own times. A start waits so long for the exchange's position to agree with a fill that an
            # answer told; the armed stop guards it all the while.
            before = at.manager.state()
            standing_ms = [algo.acked_ms or 0 for algo in before.algos.values() if not algo.intent.armed]
            assert max(standing_ms) - before.started_ms < 1000 * SETTLE_TIMEOUT_S
        else:
            eventually(lambda: not at.manager.status().brackets)
            at.assert_clean()
        assert at.enter().status is ReportStatus.DUPLICATE
        assert at.entry_fills() == (Decimal("0.010") if executed else 0)
        if executed:
            assert naked_ms(at) == 0 or what.startswith("STOP_LOSS:0")
            assert at.close("close-2").status is ReportStatus.CLOSED
        at.assert_clean()
        assert at.enter("entry-2").status is ReportStatus.PROTECTED
        state = at.manager.state()
    replayed = rebuild(read_since_checkpoint(tmp_path / "audit"))
    assert replayed.signals.keys() == state.signals.keys()
