"""kill -9 at every send of a bracket, restart on the same folder: never twice, never naked, always true."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bracketeer import Policy, ReportStatus, Settings
from bracketeer.core.audit_replay import replay_log
from bracketeer.core.values import ArmingMode
from bracketeer.execution.settling import is_guarded, is_settled
from bracketeer.simulator.faults import FaultBook
from bracketeer.simulator.server import RunningSimulator
from tests.scenarios.killing import ROOT, die
from tests.support.venue import BTC, FAST, Desk, Hasty, desk, eventually


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("role", ["STOP_LOSS", "TAKE_PROFIT"])
def test_killed_while_protecting(simulator: RunningSimulator, tmp_path: Path, when: str, role: str) -> None:
    """Killed between entry and protection: protected within 2 s of the start, and the signal does not trade again."""
    die(simulator, tmp_path / "audit", when, role)
    positions: Any = simulator.state()["positions"]
    assert Decimal(positions[0]["positionAmt"]) == Decimal("0.010")
    simulator.set_clock_offset(60_000)  # the machine was down for a minute: protect all the same, do not close
    started = time.monotonic()
    with desk(simulator, tmp_path / "audit") as at:
        eventually(lambda: at.resting() == ["STOP_MARKET", "TAKE_PROFIT_MARKET"])
        assert time.monotonic() - started < 2
        again = at.enter()
        assert again.status is ReportStatus.DUPLICATE
        assert at.entry_fills() == Decimal("0.010")
        at.assert_protected()
        assert at.close("close-2").status is ReportStatus.CLOSED
        at.assert_clean()


def test_killed_after_the_entry_left(simulator: RunningSimulator, tmp_path: Path) -> None:
    """Killed before the entry's answer was journaled: found, protected, not repeated."""
    die(simulator, tmp_path / "audit", "after", "ENTRY")
    with desk(simulator, tmp_path / "audit") as at:
        eventually(lambda: at.resting() == ["STOP_MARKET", "TAKE_PROFIT_MARKET"])
        assert at.enter().status is ReportStatus.DUPLICATE
        assert at.entry_fills() == Decimal("0.010")


def test_killed_before_the_entry_left(simulator: RunningSimulator, tmp_path: Path) -> None:
    """Killed after the intent was durable and before it was sent: proven absent, never sent later."""
    die(simulator, tmp_path / "audit", "before", "ENTRY")
    with desk(simulator, tmp_path / "audit") as at:
        assert at.enter().status is ReportStatus.DUPLICATE
        eventually(lambda: not at.manager.status().brackets)
        assert at.entry_fills() == 0
        at.assert_clean()
        assert at.enter("entry-2").status is ReportStatus.PROTECTED


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_closing(simulator: RunningSimulator, tmp_path: Path, when: str) -> None:
    """Killed around the closing order: closed after the restart, once, with nothing left."""
    die(simulator, tmp_path / "audit", when, "EXIT")
    with desk(simulator, tmp_path / "audit") as at:
        at.assert_clean()
        eventually(lambda: not at.manager.status().brackets)
        sold = sum(Decimal(row["qty"]) for row in at.state()["trades"] if row["side"] == "SELL")
        assert sold == Decimal("0.010")


def test_clean_restart_with_an_open_position(simulator: RunningSimulator, tmp_path: Path) -> None:
    """A stop and start changes nothing at the exchange, and what happened meanwhile is found."""
    with desk(simulator, tmp_path / "audit") as at:
        at.enter()
        orders = len(at.requests("POST", "/fapi/v1/algoOrder"))
    with desk(simulator, tmp_path / "audit") as at:
        at.assert_protected()
        assert len(at.requests("POST", "/fapi/v1/algoOrder")) == orders
    simulator.set_price(BTC, "66100")
    with desk(simulator, tmp_path / "audit") as at:
        eventually(lambda: not at.manager.status().brackets)
        at.assert_clean()


def test_replay_equals_the_living_state(at: Desk) -> None:
    """P5: the log alone rebuilds the state, bit for bit, and every decision on the way to it."""
    at.enter()
    at.close()
    at.enter("entry-2")
    living = at.manager.snapshot()
    at.manager._running().journal.wait_durable(living.seq)
    again = replay_log(at.folder, against=living)
    assert (again.ok, again.snapshots) == (True, 1), again.findings


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("role", ["ENTRY", "STOP_LOSS", "EXIT"])
def test_replay_of_a_killed_run(simulator: RunningSimulator, tmp_path: Path, when: str, role: str) -> None:
    """P5 across a crash: what the dead process left and what the next one did decide the same again."""
    die(simulator, tmp_path / "audit", when, role)
    with desk(simulator, tmp_path / "audit") as at:
        eventually(lambda: is_settled(at.manager.state()) and is_guarded(at.manager.state()))
    again = replay_log(tmp_path / "audit")
    assert (again.ok, again.run_ends) == (True, 1), again.findings


def test_orders_of_a_lost_log_are_cleared_when_flat(simulator: RunningSimulator, tmp_path: Path) -> None:
    """Orders with our prefix that no log knows: cancelled on a flat symbol, left alone under a position."""
    with desk(simulator, tmp_path / "first") as at:
        at.enter()
    with desk(simulator, tmp_path / "second") as at:
        assert at.resting() == ["STOP_MARKET", "TAKE_PROFIT_MARKET"]
        found = at.lines("account_found")
        assert found[0].fields["data"]["external_positions"] == {BTC: "0.010"}


def test_start_does_not_give_up_while_a_position_is_open(simulator: RunningSimulator, tmp_path: Path) -> None:
    """The exchange cannot be asked at the start: with a position of ours open the manager runs, and goes on asking."""
    with desk(simulator, tmp_path / "audit") as at:
        at.enter()
    simulator.set_price(BTC, "66100")
    simulator.fault("request_lost", path="/fapi/*", times=-1)
    settings = Settings(policy=FAST, audit_log_dir=str(tmp_path / "audit"))
    working = Desk(simulator, tmp_path / "audit", settings, clock=Hasty())
    with working.manager:
        assert working.lines("start_degraded")
        assert working.manager.status().brackets
        simulator.exchange.faults = FaultBook()
        eventually(lambda: not working.manager.status().brackets, within_s=20)
        working.assert_clean()


def test_start_settles_what_happened_meanwhile(simulator: RunningSimulator, tmp_path: Path) -> None:
    """A target hit while nobody was at work does not deny the first entry after the start."""
    with desk(simulator, tmp_path / "audit") as at:
        at.enter()
    simulator.set_price(BTC, "66100")
    simulator.set_price(BTC, "60000")
    late = Desk(simulator, tmp_path / "audit", Settings(policy=FAST, audit_log_dir=str(tmp_path / "audit")))
    with late.manager:
        assert late.enter("entry-2").status is ReportStatus.PROTECTED


@pytest.mark.parametrize("fault", ["garbled", "reply_lost"])
def test_rules_that_cannot_be_had_again_are_no_defect(simulator: RunningSimulator, tmp_path: Path, fault: str) -> None:
    """After a restart a stop is refused by a filter, and the new rules cannot be read: it goes out all the same."""
    with desk(simulator, tmp_path / "audit") as at:
        assert at.enter().status is ReportStatus.PROTECTED
    simulator.fault("stop_canceled", order_type="STOP_MARKET")
    simulator.fault("refuse", method="POST", path="/fapi/v1/algoOrder", code=-1111, times=1)
    simulator.fault(fault, method="GET", path="/fapi/v1/exchangeInfo", times=-1)
    with desk(simulator, tmp_path / "audit") as at:
        eventually(lambda: at.resting() == ["STOP_MARKET", "TAKE_PROFIT_MARKET"])
        asked = "GET /fapi/v1/exchangeInfo"
        eventually(lambda: asked in [line.operation for line in at.lines("api_error")], what="the failure is on record")
        assert "internal_error" not in at.alerts()
    assert "internal_error" not in [line.event_type for line in at.lines()]


def test_close_waits_for_the_stop(simulator: RunningSimulator, tmp_path: Path) -> None:
    """Closing the manager amid an entry does not leave the position bare."""
    with (
        ThreadPoolExecutor(1) as pool,
        desk(simulator, tmp_path / "audit", policy=Policy(arm=ArmingMode.AFTER_FILL)) as at,
    ):
        simulator.fault("refuse", method="POST", path="/fapi/v1/algoOrder", code=-4509, times=4)
        caller = pool.submit(at.enter)
        eventually(lambda: at.position() != 0)
    assert "STOP_MARKET" in at.resting()
    failure = caller.exception()
    assert failure is None or "closed" in str(failure), "reported, or told that the manager was closed"


def test_interrupt_amid_the_entry_loses_nothing(simulator: RunningSimulator, tmp_path: Path) -> None:
    """Ctrl-C in a program that waits for its entry: the answer is not lost, and the position gets its stop."""
    child = r"""
import os, signal, sys, threading
from bracketeer import OrderExecutionManager, Settings, Signal, SignalType
rest, stream, folder = sys.argv[1:]
settings = Settings(audit_log_dir=folder, user_stream=False)
with OrderExecutionManager(base_url=rest, stream_url=stream, settings=settings) as m:
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    m.execute_signal(Signal(signal_type=SignalType.LONG_ENTRY, symbol="BTCUSDT", signal_id="e", quantity="0.010",
                            stop_loss="58000"))
"""
    simulator.fault("delay", method="POST", path="/fapi/v1/order", delay_ms=700)
    environment = os.environ | {"BINANCE_API_KEY": simulator.api_key, "BINANCE_API_SECRET": simulator.api_secret}
    arguments = [simulator.rest_url, simulator.stream_url, str(tmp_path / "audit")]
    ended = subprocess.run(
        [sys.executable, "-c", child, *arguments],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT / "dev")},
        timeout=60,
        check=False,
        capture_output=True,
    )
    assert b"KeyboardInterrupt" in ended.stderr
    state: Any = simulator.state()
    assert [row["orderType"] for row in state["openAlgoOrders"]] == ["STOP_MARKET"]
