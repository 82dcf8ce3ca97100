"""P7: no output of any kind contains a key, a secret, a signature or a listen key, whatever goes wrong."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from bracketeer import BracketeerError, OrderExecutionManager, ReportStatus, Settings
from bracketeer.core.audit_verify import verify
from bracketeer.simulator.server import RunningSimulator, SimulatorConfig, start_in_thread
from tests.support import canaries
from tests.support.venue import BTC, FAST, desk

SIGNATURE = re.compile(r"signature=[0-9a-f]{16}")


@pytest.fixture
def guarded() -> Iterator[RunningSimulator]:
    """An exchange whose account has the canaries as its keys."""
    config = SimulatorConfig(prices="frozen", api_key=canaries.KEY, api_secret=canaries.SECRET)
    with start_in_thread(config) as simulator:
        simulator.set_price(BTC, "60000")
        yield simulator


def test_nothing_shows_a_secret_through_a_bad_day(
    guarded: RunningSimulator, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refusals, lost answers, time-outs, reconnects, every logger at DEBUG: texts, reprs and files are clean."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("AUDIT_HMAC_KEY", canaries.AUDIT_KEY)
    shown: list[str] = []
    with desk(guarded, tmp_path / "audit", read_timeout_ms=300) as at:
        session = at.manager._running()
        guarded.fault("reply_lost", method="POST", path="/fapi/v1/order")
        guarded.fault("refuse", method="POST", path="/fapi/v1/algoOrder", code=-1111)
        guarded.fault("delay", method="POST", path="/fapi/v1/algoOrder", delay_ms=600)
        assert at.enter().status is ReportStatus.PROTECTED
        guarded.fault("stream_drop")
        guarded.fault("refuse", path="/fapi/v1/leverage", code=-4028)
        with pytest.raises(BracketeerError) as caught:
            at.manager.set_leverage(BTC, 5)
        shown.append("".join(traceback.format_exception(caught.value)))
        guarded.fault("request_lost", path="/fapi/v3/balance", times=-1)
        with pytest.raises(BracketeerError) as caught:
            at.manager.get_account_balance()
        shown.append("".join(traceback.format_exception(caught.value)))
        for thing in (at.manager, session, session.gateway, session.gateway._client, session.settings, session.driver):
            shown.append(repr(thing))
            shown.append(str(thing))
        shown.append(repr(at.manager._credentials))
        session.journal.log_event("note", "test", data={"text": f"a key: {canaries.AUDIT_KEY}"})
        at.close()
    assert verify(tmp_path / "audit", hmac_key=canaries.AUDIT_KEY.encode()).ok
    text = "\n".join(shown) + caplog.text
    assert canaries.found_in_text(text) == []
    assert not SIGNATURE.search(text)
    assert list(canaries.found_in_files(tmp_path)) == []


@pytest.mark.parametrize("wrong", ["api_key", "api_secret"])
def test_refused_credentials_are_not_quoted(guarded: RunningSimulator, tmp_path: Path, wrong: str) -> None:
    """The error about a wrong key shows neither key."""
    keys = {"api_key": canaries.KEY, "api_secret": canaries.SECRET} | {wrong: f"wrong{canaries.SECRET}"}
    manager = OrderExecutionManager(
        keys["api_key"],
        keys["api_secret"],
        base_url=guarded.rest_url,
        stream_url=guarded.stream_url,
        settings=Settings(policy=FAST, audit_log_dir=str(tmp_path)),
    )
    with pytest.raises(BracketeerError) as caught:
        manager.start()
    assert canaries.found_in_text("".join(traceback.format_exception(caught.value))) == []
    assert list(canaries.found_in_files(tmp_path)) == []


def test_the_guard_of_the_run_sees_a_leak(tmp_path: Path) -> None:
    """The search itself works: a secret in a text or a file is found."""
    (tmp_path / "leak.log").write_text(f"X-MBX-APIKEY: {canaries.KEY}")
    assert canaries.found_in_text(canaries.SECRET)
    assert list(canaries.found_in_files(tmp_path))
    (tmp_path / "leak.log").unlink()
