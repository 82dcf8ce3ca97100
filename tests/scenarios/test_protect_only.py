"""A start while a position of ours is open: it goes on whatever cannot be found out, protects, and lets no entry in
until it could. One test for each path on which a start of a flat account would refuse (design note 011)."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from bracketeer import BracketeerError, ReportStatus, Settings, Signal, SignalType
from bracketeer.core.commands import Announce
from bracketeer.core.exclusive_lock import ExclusiveLock
from bracketeer.execution.account_lock import fingerprint
from bracketeer.simulator.faults import FaultBook
from bracketeer.simulator.server import RunningSimulator
from tests.support.venue import BTC, FAST, Desk, Hasty, desk, eventually

ETH = "ETHUSDT"


@pytest.fixture(autouse=True)
def soon(mocker: MockerFixture) -> None:
    """Missing checks are tried again at once."""
    for module in ("start_checks", "starting"):
        mocker.patch(f"bracketeer.execution.{module}.PAUSE_FIRST_S", 0.05)
    mocker.patch("bracketeer.execution.start_checks.PAUSE_MAX_S", 0.2)


@pytest.fixture
def left(simulator: RunningSimulator, tmp_path: Path) -> Path:
    """The folder of a manager that has gone, leaving a protected position."""
    simulator.set_price(ETH, "3000")
    with desk(simulator, tmp_path / "audit") as at:
        assert at.enter().status is ReportStatus.PROTECTED
    return tmp_path / "audit"


@contextmanager
def started(simulator: RunningSimulator, folder: Path) -> Iterator[Desk]:
    """A manager that starts into whatever was prepared, without pauses between its retries."""
    settings = Settings(policy=FAST, audit_log_dir=str(folder))
    working = Desk(simulator, folder, settings, clock=Hasty())
    with working.manager:
        yield working


def other_entry(at: Desk, signal_id: str) -> Any:
    """An entry on a symbol where nothing is open."""
    signal = Signal(
        signal_type=SignalType.LONG_ENTRY, symbol=ETH, signal_id=signal_id, quantity="0.1", stop_loss="2900"
    )
    return at.manager.execute_signal(signal)


def assert_protect_only(at: Desk, missing: str) -> None:
    """On record, told, shown, and no entry is let in."""
    eventually(lambda: "start_degraded" in at.alerts())
    assert at.alerts().count("start_degraded") == 1
    assert missing in at.manager.status().missing_checks
    report = other_entry(at, "while-degraded")
    assert report.reason is not None
    assert (report.status, report.reason.code) == (ReportStatus.DENIED, "protect_only")
    assert missing in report.reason.context["missing"]


def assert_complete(at: Desk) -> None:
    """The missing checks succeeded by themselves: told, on record, and entries are let in."""
    eventually(lambda: not at.manager.status().missing_checks, within_s=20)
    eventually(lambda: "start_completed" in [n.topic for n in at.notices if isinstance(n, Announce)])
    assert other_entry(at, "after").status is ReportStatus.PROTECTED
    assert [line.event_type for line in at.lines() if line.event_type.startswith("start_")][-1] == "start_completed"


QUESTIONS = [
    ("clock", "request_lost", "/fapi/v1/time", {}),
    ("clock", "garbled", "/fapi/v1/time", {}),
    ("account", "status_503", "/fapi/v1/openOrders", {"match": {"symbol": ""}}),
    ("account", "refuse", "/fapi/v1/openAlgoOrders", {"match": {"symbol": ""}, "code": -1000}),
    ("account", "firewall", "/fapi/v3/positionRisk", {"match": {"symbol": ""}}),
    ("position_mode", "request_lost", "/fapi/v1/accountConfig", {}),
    ("position_mode", "garbled", "/fapi/v1/accountConfig", {}),
    ("position_mode", "refuse", "/fapi/v1/accountConfig", {"code": -2015}),
    ("position_mode", "refuse", "/fapi/v1/accountConfig", {"code": -1021}),
    ("position_mode", "maintenance", "/fapi/v1/accountConfig", {}),
]


@pytest.mark.parametrize(("check", "fault", "path", "more"), QUESTIONS, ids=[f"{q[0]}-{q[1]}" for q in QUESTIONS])
def test_question_that_fails_makes_it_protect_only(
    simulator: RunningSimulator, left: Path, check: str, fault: str, path: str, more: dict[str, Any]
) -> None:
    """One question of the start goes unanswered, is refused, or is answered with rubbish.

    A stop that the exchange takes away meanwhile is placed anew; when the question can be answered, the start completes
    itself."""
    simulator.fault(fault, method="GET", path=path, times=-1, **more)
    with started(simulator, left) as at:
        assert_protect_only(at, check)
        eventually(lambda: at.manager.status().stream_up)
        simulator.fault("stop_canceled", order_type="STOP_MARKET")
        eventually(lambda: at.resting() == ["STOP_MARKET", "TAKE_PROFIT_MARKET"])
        assert at.manager.status().missing_checks
        simulator.exchange.faults = FaultBook()
        assert_complete(at)
        assert at.close().status is ReportStatus.CLOSED
        at.assert_verified()


@pytest.mark.parametrize(("check", "fault", "path", "more"), QUESTIONS, ids=[f"{q[0]}-{q[1]}" for q in QUESTIONS])
def test_question_that_fails_stops_a_start_with_nothing_open(
    simulator: RunningSimulator, tmp_path: Path, check: str, fault: str, path: str, more: dict[str, Any]
) -> None:
    """The counterpart: where nothing of ours is open, the same failure is one clear error."""
    simulator.fault(fault, method="GET", path=path, times=-1, **more)
    settings = Settings(policy=FAST, audit_log_dir=str(tmp_path / "audit"))
    flat = Desk(simulator, tmp_path / "audit", settings, clock=Hasty())
    with pytest.raises(BracketeerError):
        flat.manager.start()
    assert flat.lines("start_failed"), check


def test_close_works_while_protect_only(simulator: RunningSimulator, left: Path) -> None:
    """The way out is never shut."""
    simulator.fault("request_lost", method="GET", path="/fapi/v1/accountConfig", times=-1)
    with started(simulator, left) as at:
        assert_protect_only(at, "position_mode")
        assert at.close().status is ReportStatus.CLOSED
        at.assert_clean()
        assert at.manager.status().missing_checks, "flat, and the account still unknown: no entry"


def test_hedge_mode_found_late_is_refused(simulator: RunningSimulator, left: Path) -> None:
    """A mode that could not be asked is not taken for one-way: what the late answer says counts."""
    simulator.fault("request_lost", method="GET", path="/fapi/v1/accountConfig", times=-1)
    with started(simulator, left) as at:
        assert_protect_only(at, "position_mode")
        assert at.close().status is ReportStatus.CLOSED
        eventually(lambda: not at.manager.status().brackets)
        simulator.exchange.account.is_hedge_mode = True
        simulator.exchange.faults = FaultBook()
        eventually(lambda: not at.manager.status().missing_checks, within_s=20)
        report = other_entry(at, "after")
        assert report.reason is not None
        assert report.reason.code == "hedge_mode_unsupported"


def test_listen_key_refused_leaves_the_poll(simulator: RunningSimulator, left: Path) -> None:
    """No stream to be had: the start is not even degraded, for what the exchange takes away is found by asking."""
    simulator.fault("refuse", method="POST", path="/fapi/v1/listenKey", code=-1000, times=-1)
    with started(simulator, left) as at:
        assert not at.manager.status().stream_up
        simulator.fault("stop_canceled", order_type="STOP_MARKET")
        eventually(lambda: at.resting() == ["STOP_MARKET", "TAKE_PROFIT_MARKET"])
        assert other_entry(at, "e").status is ReportStatus.PROTECTED


def test_ban_is_waited_out_in_silence(simulator: RunningSimulator, left: Path) -> None:
    """418 on everything: it starts, tells, and asks its questions no more; what rests guards the position."""
    simulator.fault("banned")
    with started(simulator, left) as at:
        assert_protect_only(at, "clock")
        eventually(lambda: "not sent" in at.manager.status().missing_checks["clock"])
        asked = len(at.lines("api_error"))
        eventually(lambda: at.manager._running().checks._rounds >= 4)
        listened = [line for line in at.lines("api_error") if "listenKey" in str(line.operation)]
        assert len(at.lines("api_error")) - asked <= len(listened)
        assert at.resting() == ["STOP_MARKET", "TAKE_PROFIT_MARKET"]


@contextmanager
def disk(mocker: MockerFixture, *, read_only: bool) -> Iterator[None]:
    """A disk that takes nothing: full, or read-only since an error."""
    write, opened = os.pwrite, os.open

    def no_write(fd: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def no_open(path: Any, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and "audit" in str(path):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return opened(path, flags, mode)

    with (
        mocker.mock_module.patch("os.pwrite", no_write),
        mocker.mock_module.patch("os.open", no_open if read_only else opened),
    ):
        yield
    assert os.pwrite is write


@pytest.mark.parametrize(
    ("read_only", "torn"),
    [(False, b""), (True, b""), (True, b'{"seq":')],
    ids=["full", "read-only", "read-only-torn"],
)
def test_log_that_cannot_be_written(
    simulator: RunningSimulator, left: Path, mocker: MockerFixture, *, read_only: bool, torn: bytes
) -> None:
    """The disk is full, or read-only since it failed, in the middle of a line perhaps: the log is read and the position
    is guarded.

    Lines wait in memory, and are all there when the disk works again."""
    with max(left.glob("*.jsonl")).open("ab") as file:
        file.write(torn)
    with disk(mocker, read_only=read_only):
        working = Desk(simulator, left, Settings(policy=FAST, audit_log_dir=str(left)), clock=Hasty())
        working.manager.start()
        assert_protect_only(working, "audit_log")
        eventually(lambda: working.manager.status().stream_up)
        simulator.fault("stop_canceled", order_type="STOP_MARKET")
        eventually(lambda: working.resting() == ["STOP_MARKET", "TAKE_PROFIT_MARKET"])
    with working.manager:
        assert_complete(working)
        assert working.close().status is ReportStatus.CLOSED
    sent = [row for row in working.state()["requests"] if row["method"] == "POST" and "rder" in row["path"]]
    assert len(sent) == len(working.lines("order_intent"))
    working.assert_verified()


def test_log_that_cannot_be_written_stops_a_start_with_nothing_open(
    simulator: RunningSimulator, tmp_path: Path, mocker: MockerFixture
) -> None:
    """The counterpart: no record, no trading."""
    with desk(simulator, tmp_path / "audit") as at:
        at.enter()
        at.close()
        eventually(lambda: not at.manager.status().brackets)
    with disk(mocker, read_only=True):
        flat = Desk(simulator, tmp_path / "audit", Settings(policy=FAST, audit_log_dir=str(tmp_path / "audit")))
        with pytest.raises(BracketeerError) as caught:
            flat.manager.start()
    assert caught.value.code == "audit_folder_unusable"


def test_account_lock_that_cannot_be_taken(
    simulator: RunningSimulator, left: Path, tmp_path: Path, mocker: MockerFixture
) -> None:
    """Nobody knows whether another process manages the account: guard what is ours, open nothing. That another one does
    is found out as soon as that is possible, and entries stay refused for as long."""
    nowhere = tmp_path / "no-folder"
    nowhere.write_text("a file")
    mocker.patch.object(tempfile, "tempdir", str(nowhere))
    with started(simulator, left) as at:
        assert_protect_only(at, "account_lock")
        nowhere.unlink()
        folder = nowhere / f"bracketeer-{os.getuid()}"
        folder.mkdir(parents=True)
        with ExclusiveLock(folder / f"{fingerprint(simulator.api_key, simulator.rest_url)}.lock", {"pid": "77"}):
            eventually(lambda: "77" in at.manager.status().missing_checks["account_lock"])
            assert other_entry(at, "held-by-another").status is ReportStatus.DENIED
        assert_complete(at)


def test_account_lock_that_cannot_be_taken_stops_a_start_with_nothing_open(
    simulator: RunningSimulator, tmp_path: Path, mocker: MockerFixture
) -> None:
    """The counterpart."""
    nowhere = tmp_path / "no-folder"
    nowhere.write_text("a file")
    mocker.patch.object(tempfile, "tempdir", str(nowhere))
    flat = Desk(simulator, tmp_path / "audit", Settings(policy=FAST, audit_log_dir=str(tmp_path / "audit")))
    with pytest.raises(BracketeerError) as caught:
        flat.manager.start()
    assert caught.value.code == "account_lock_unusable"


def test_defect_in_a_check_is_told_and_tried_again(
    simulator: RunningSimulator, left: Path, mocker: MockerFixture
) -> None:
    """A bug of ours in a question of the start is no reason to leave a position alone."""
    broken = mocker.patch("bracketeer.execution.starting.look_around", side_effect=KeyError("symbol"))
    with started(simulator, left) as at:
        assert_protect_only(at, "account")
        assert "KeyError" in at.manager.status().missing_checks["account"]
        broken.side_effect = None
        assert_complete(at)


def test_protect_only_is_on_record_for_status(simulator: RunningSimulator, left: Path) -> None:
    """Each change of what is missing is one line, with what came of each check."""
    simulator.fault("request_lost", method="GET", path="/fapi/v1/accountConfig", times=-1)
    with started(simulator, left) as at:
        assert_protect_only(at, "position_mode")
        (line,) = at.lines("start_degraded")
        assert set(line.fields["data"]["missing"]) == {"position_mode"}
        assert at.position(BTC) != 0
