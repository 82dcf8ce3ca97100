"""The standing conditions: what a full disk refused is tried again, without a new line and without an entry."""

from decimal import Decimal
from unittest.mock import Mock

import pytest

from bracketeer.core.commands import CancelOrder, LookUpSymbol, SubmitOrder
from bracketeer.core.errors import JournalUnavailable
from bracketeer.core.intent import OrderIntent
from bracketeer.core.request_weight import RequestWeightTracker
from bracketeer.core.values import ArmingMode, OrderType, PositionSide, Role, Side
from bracketeer.execution.gates import Gates


def gates(journal: Mock) -> Gates:
    return Gates(journal, RequestWeightTracker(now_ms=lambda: 0), ArmingMode.AFTER_FILL, lambda _: None)


@pytest.mark.parametrize(
    ("used", "held"), [(2000, ""), (2100, "whole"), (2200, "poll whole"), (2275, "poll look whole"), (2400, "all")]
)
def test_who_is_held_back_as_the_budget_is_spent(used: int, held: str) -> None:
    """Routine and what only entries wait for, then questions about what may be bare; a stop never."""
    tracker = RequestWeightTracker(now_ms=lambda: 1000)
    tracker.observe({"x-mbx-used-weight-1m": str(used)})
    asked = Gates(Mock(healthy=True), tracker, ArmingMode.AFTER_FILL, lambda _: None)
    found = {
        "poll": asked.hold_back(LookUpSymbol(symbol="BTCUSDT", why="poll")),
        "look": asked.hold_back(LookUpSymbol(symbol="BTCUSDT", why="entry_unknown")),
        "cancel": asked.hold_back(CancelOrder(client_order_id="c", signal_id="a", symbol="BTCUSDT", algo=True)),
        "stop": asked.hold_back(SubmitOrder(intent=stop_intent())),
    }
    names = [name for name, failure in found.items() if failure is not None]
    whole = ["whole"] if asked.routine_held_back(85) is not None else []
    assert names + whole == (["poll", "look", "cancel", "whole"] if held == "all" else held.split())
    assert {failure.retry_after_s for failure in found.values() if failure is not None} <= {59.0}


def stop_intent() -> OrderIntent:
    """A stop that stands alone."""
    return OrderIntent(
        client_order_id="bktr-a-S0",
        signal_id="a",
        role=Role.STOP_LOSS,
        symbol="BTCUSDT",
        side=Side.SELL,
        position_side=PositionSide.BOTH,
        order_type=OrderType.STOP_MARKET,
        trigger_price=Decimal(1),
        close_position=True,
    )


def test_what_waits_is_written_again_and_again() -> None:
    """As long as the journal is not healthy; a disk that still refuses is no failure of ours."""
    journal = Mock(healthy=False, last_seq=7)
    journal.wait_durable.side_effect = JournalUnavailable("no room")
    gates(journal).write_what_waits()
    journal.wait_durable.assert_called_once_with(7)


def test_healthy_journal_is_left_alone() -> None:
    """Nothing waits."""
    journal = Mock(healthy=True)
    gates(journal).write_what_waits()
    journal.wait_durable.assert_not_called()
