"""What a manager needs before it trades, and what it says when it is not there."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from bracketeer import BracketeerError, OrderExecutionManager, ReportStatus, Settings, Signal, SignalType
from bracketeer.core.journal import rebuild
from bracketeer.simulator.server import RunningSimulator
from tests.support.venue import BTC, FAST, Desk, desk, eventually


def manager_on(simulator: RunningSimulator, folder: Path, **changes: Any) -> OrderExecutionManager:
    """A manager that is not started yet."""
    arguments: dict[str, Any] = {
        "api_key": simulator.api_key,
        "api_secret": simulator.api_secret,
        "base_url": simulator.rest_url,
        "stream_url": simulator.stream_url,
        "settings": Settings(policy=FAST, audit_log_dir=str(folder)),
    }
    return OrderExecutionManager(**(arguments | changes))


@pytest.mark.parametrize("wrong", [{"api_key": "k" * 64}, {"api_secret": "s" * 64}])
def test_wrong_key_is_said_at_the_start(simulator: RunningSimulator, tmp_path: Path, wrong: dict[str, str]) -> None:
    """Wrong key or secret: one clear error, on record, nothing traded."""
    with pytest.raises(BracketeerError) as caught:
        manager_on(simulator, tmp_path, **wrong).start()
    assert caught.value.code == "authentication_failed"
    assert "BINANCE_API_KEY" in str(caught.value)


def test_missing_keys_say_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No keys anywhere: the error names the variables."""
    monkeypatch.delenv("BINANCE_API_KEY", raising=False)
    monkeypatch.delenv("BINANCE_API_SECRET", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BracketeerError, match="BINANCE_API_KEY"):
        OrderExecutionManager()


def test_clock_off_by_five_seconds(simulator: RunningSimulator, tmp_path: Path) -> None:
    """A local clock five seconds off is measured and corrected: nothing is lost."""
    simulator.set_clock_offset(5000)
    with desk(simulator, tmp_path) as at:
        assert at.enter().status is ReportStatus.PROTECTED


@pytest.mark.parametrize("step_ms", [5000, -5000])
def test_clock_steps_while_running(at: Desk, step_ms: int) -> None:
    """A clock that steps while running costs one resync, not an entry and not a stop."""
    assert at.enter().status is ReportStatus.PROTECTED
    at.simulator.set_clock_offset(step_ms)
    assert at.close().status is ReportStatus.CLOSED
    assert at.enter("entry-2").status is ReportStatus.PROTECTED
    at.assert_verified()


def test_exchange_unreachable_at_the_start(tmp_path: Path) -> None:
    """Nobody listens: a clear error, and the locks are free again."""
    manager = OrderExecutionManager(
        "k" * 64, "s" * 64, base_url="http://127.0.0.1:9", settings=Settings(audit_log_dir=str(tmp_path))
    )
    for _ in range(2):
        with pytest.raises(BracketeerError) as caught:
            manager.start()
        assert caught.value.code == "exchange_unreachable"


def test_exchange_unreachable_for_a_signal(at: Desk) -> None:
    """The exchange goes away: denied with its own code, on record, and the same signal may come again."""
    at.simulator.fault("request_lost", path="/fapi/*", times=-1)
    report = at.enter()
    assert report.reason is not None
    assert (report.status, report.reason.code) == (ReportStatus.DENIED, "exchange_unreachable")
    assert at.lines("signal_received")
    at.simulator.reset()
    at.simulator.set_price(BTC, "60000")
    assert at.enter().status is ReportStatus.PROTECTED


def test_second_manager_on_the_account(at: Desk, tmp_path: Path) -> None:
    """One writer: the second is refused and told about the first, with another folder too."""
    for folder in (at.folder, tmp_path / "other"):
        with pytest.raises(BracketeerError, match=str(os.getpid())) as caught:
            manager_on(at.simulator, folder).start()
        assert caught.value.code == "account_in_use"


def test_audit_folder_is_not_writable(simulator: RunningSimulator, tmp_path: Path) -> None:
    """No record, no trading: a start without a usable folder fails clearly."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(BracketeerError) as caught:
        manager_on(simulator, blocked / "audit").start()
    assert caught.value.code == "audit_folder_unusable"


def test_disk_full_stops_entries_and_not_exits(at: Desk, mocker: MockerFixture) -> None:
    """A full disk: no new entry, CLOSE works, nothing is lost from the log when there is room again."""
    at.simulator.set_price("ETHUSDT", "3000")
    at.enter()
    write = os.pwrite
    full = {"now": True}

    def no_room(fd: int, data: bytes, offset: int) -> int:
        if full["now"] and bytes(data).startswith(b'{"seq"'):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(fd, data, offset)

    mocker.patch("os.pwrite", side_effect=no_room)
    ether = at.manager.execute_signal(
        Signal(signal_type=SignalType.LONG_ENTRY, symbol="ETHUSDT", signal_id="e", quantity="0.1", stop_loss="2900")
    )
    assert ether.reason is not None
    assert (ether.status, ether.reason.code) == (ReportStatus.DENIED, "audit_unavailable")
    assert at.close().status is ReportStatus.CLOSED
    full["now"] = False
    assert at.enter("entry-2").status is ReportStatus.PROTECTED
    eventually(lambda: at.manager.status().journal_healthy)
    at.assert_verified()
    assert [line.signal_id for line in at.lines("signal_received")] == ["entry-1", "e", "close-1", "entry-2"]


def test_hedge_mode_account_is_refused_with_the_way_out(simulator: RunningSimulator, tmp_path: Path) -> None:
    """An account in hedge mode: entries are denied, saying how to switch."""
    simulator.exchange.account.is_hedge_mode = True
    with desk(simulator, tmp_path) as at:
        report = at.enter()
        assert report.reason is not None
        assert (report.status, report.reason.code) == (ReportStatus.DENIED, "hedge_mode_unsupported")
        assert "one-way" in report.reason.text


BAD = [
    ({"symbol": "NOPEUSDT"}, "unknown_symbol"),
    ({"symbol": "btcusdt"}, "symbol_invalid"),
    ({"quantity": "0"}, "quantity_not_positive"),
    ({"quantity": "-1"}, "quantity_not_positive"),
    ({"quantity": "NaN"}, "quantity_not_a_number"),
    ({"quantity": 0.01}, "quantity_not_exact"),
    ({"quantity": "0.0005"}, "quantity_too_small"),
    ({"quantity": "0.0105"}, "quantity_too_precise"),
    ({"quantity": "100000"}, "quantity_too_large"),
    ({"quantity": None}, "quantity_missing"),
    ({"notional": "100"}, "quantity_and_notional"),
    ({"quantity": None, "notional": "59"}, "quantity_too_small"),
    ({"stop_loss": None}, "stop_loss_required"),
    ({"stop_loss": "61000"}, "stop_loss_wrong_side"),
    ({"take_profit": "59000"}, "take_profit_wrong_side"),
    ({"stop_loss": "abc"}, "price_invalid"),
    ({"timestamp": 1_600_000_000_000, "ttl_ms": 1000}, "signal_expired"),
]


@pytest.mark.parametrize(("changes", "code"), BAD, ids=[f"{code}-{i}" for i, (_, code) in enumerate(BAD)])
def test_bad_signal_is_denied_on_record(at: Desk, changes: dict[str, Any], code: str) -> None:
    """P8: each bad input has its own code and sentence, is on record, and sends nothing."""
    report = at.enter(**changes)
    assert report.reason is not None
    assert (report.status, report.reason.code) == (ReportStatus.DENIED, code)
    assert len(report.reason.text) > 20
    assert at.requests("POST", "/fapi/v1/order") == []
    (line,) = at.lines("execution_report")
    assert line.fields["data"]["report"]["reason"]["code"] == code


def test_malformed_json_is_denied_on_record(at: Desk) -> None:
    """Text that is no signal is answered, and kept."""
    report = at.manager.execute_json('{"signal_type": "LONG_ENTRY", ')
    assert report.reason is not None
    assert (report.status, report.reason.code) == (ReportStatus.DENIED, "malformed_json")
    assert at.lines("signal_refused")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"strategy": "buy \ud83d"}, "malformed_signal"),
        ({"timestamp": 1.5}, "malformed_signal"),
        ({"signal_id": "tv;signature=abc"}, "signal_id_invalid"),
    ],
)
def test_signal_that_cannot_be_kept_on_record(at: Desk, changes: dict[str, Any], code: str) -> None:
    """It is denied on record, sends nothing, and the log can be taken over."""
    report = at.enter(**changes)
    assert report.reason is not None
    assert (report.status, report.reason.code) == (ReportStatus.DENIED, code)
    assert at.requests("POST", "/fapi/v1/order") == []
    assert at.lines("signal_refused")
    assert rebuild(at.lines()) == at.manager.state()


def test_symbol_that_is_not_trading(at: Desk) -> None:
    """A symbol the exchange lists but does not trade has its own code."""
    settled = next(s for s, i in at.simulator.exchange.venue.instruments.items() if i.status != "TRADING")
    report = at.enter(symbol=settled)
    assert report.reason is not None
    assert report.reason.code == "symbol_not_trading"


def test_entry_below_the_minimum_notional(at: Desk) -> None:
    """The smallest step can still be worth too little."""
    at.simulator.set_price(BTC, "30000")
    report = at.enter(quantity="0.001", stop_loss="29000", take_profit="31000")
    assert report.reason is not None
    assert report.reason.code == "notional_too_small"


def test_log_of_another_account_is_not_taken_over(simulator: RunningSimulator, tmp_path: Path) -> None:
    """Its protection would close what somebody else holds. The same account with a new key may be adopted."""
    first = manager_on(simulator, tmp_path)
    entry = Signal(
        signal_type=SignalType.LONG_ENTRY, symbol=BTC, quantity="0.010", take_profit="66000", stop_loss="58000"
    )
    with first:
        assert first.execute_signal(entry).status is ReportStatus.PROTECTED
    elsewhere = simulator.rest_url.replace("127.0.0.1", "localhost")
    before = simulator.state()["requests"]
    with pytest.raises(BracketeerError) as caught:
        manager_on(simulator, tmp_path, base_url=elsewhere).start()
    assert caught.value.code == "audit_of_another_account"
    assert "BTCUSDT" in str(caught.value)
    assert simulator.state()["requests"] == before, "nothing was asked, nothing sent"
    adopting = Settings(policy=FAST, audit_log_dir=str(tmp_path), audit_adopt=True)
    with manager_on(simulator, tmp_path, base_url=elsewhere, settings=adopting) as second:
        close = Signal(signal_type=SignalType.CLOSE, symbol=BTC)
        assert second.execute_signal(close).status is ReportStatus.CLOSED
    with manager_on(simulator, tmp_path) as third:  # nothing is open: whoever comes may begin anew
        assert third.status().brackets == ()
