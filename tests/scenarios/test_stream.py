"""The user stream at work, over real sockets: how it is replaced, and how its silence is found out (failure mode 7)."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from bracketeer import Policy, ReportStatus
from bracketeer.execution.binance import user_stream
from bracketeer.simulator.server import RunningSimulator
from tests.support.venue import BTC, desk, eventually


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
            eventually(lambda count=number + 2: len(at.lines("stream_connected")) > count, what="replaced")
        eventually(lambda: simulator.exchange.venue.streams.connection_count <= 2, what="the old ones are gone")
        assert at.lines("stream_lost") == []
        assert at.lines("stream_renewal") == []
        assert at.alerts() == []
        at.assert_clean()
