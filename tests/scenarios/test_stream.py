"""The user stream at work, over real sockets: how it is replaced, and how its silence is found out (failure mode 7)."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from bracketeer import Policy, ReportStatus
from bracketeer.core.values import ArmingMode
from bracketeer.execution.binance import user_stream
from bracketeer.simulator.server import RunningSimulator
from tests.support.venue import Desk, desk, eventually


def test_stream_is_replaced_without_a_gap(
    simulator: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection's day shortened to a moment: while trades come and go each is followed by the next, and none is ever
    lost; what two connections tell twice counts once."""
    monkeypatch.setattr(user_stream, "LIFE_S", 0.05)
    monkeypatch.setattr(user_stream, "OVERLAP_S", 0.05)
    with desk(simulator, tmp_path) as at:
        for number in range(4):
            assert at.enter(f"entry-{number}").status is ReportStatus.PROTECTED
            assert [bracket.external_net for bracket in at.brackets()] == [Decimal(0)]
            assert at.close(f"close-{number}").status is ReportStatus.CLOSED
            eventually(partial(has_connected, at, number + 3), what="replaced")
        eventually(lambda: simulator.exchange.venue.streams.connection_count <= 2, what="the old ones are gone")
        assert at.lines("stream_lost") == []
        assert at.lines("stream_renewal") == []
        assert at.alerts() == []
        at.assert_clean()


@pytest.mark.parametrize("event", ["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ALGO_UPDATE"])
def test_silence_about_one_kind_of_event_is_found_out(simulator: RunningSimulator, tmp_path: Path, event: str) -> None:
    """Connected, and telling everything but orders, positions, or conditional orders: suspected within two seconds and
    renewed; the one that is healthy again is believed."""
    with desk(simulator, tmp_path, policy=Policy(arm=ArmingMode.AFTER_FILL, poll_interval_ms=100)) as at:
        simulator.fault("stream_lose", event=event, times=-1)
        assert at.enter().status is ReportStatus.PROTECTED
        eventually(lambda: len(at.lines("stream_renewal")) == 1, within_s=2.5, what="suspected")
        simulator.lift_faults()
        eventually(lambda: at.manager.status().stream_up, what="renewed")
        assert at.close().status is ReportStatus.CLOSED
        at.assert_clean()
        assert at.enter("entry-2").status is ReportStatus.PROTECTED
        assert len(at.lines("stream_renewal")) == 1


def has_connected(at: Desk, times: int) -> bool:
    """Whether the stream has connected so often."""
    return len(at.lines("stream_connected")) >= times
