"""What happened while nobody was at work, settled before a new wish is judged.

A command is a run of its own. A target hit last night is found out in the first milliseconds of this run; judged
earlier, a new entry would be refused for a position that is long gone.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from ..core.position import Agreement, agreement
from ..core.state import State

if TYPE_CHECKING:
    from ..execution.order_manager import OrderExecutionManager

SETTLE_TIMEOUT_S: Final = 5.0
SETTLE_PAUSE_S: Final = 0.005


def settle(manager: OrderExecutionManager) -> None:
    """Wait until the positions taken over are as the exchange has them. Past the bound, signals are judged as things
    stand."""
    deadline_s = time.monotonic() + SETTLE_TIMEOUT_S
    while not is_settled(manager.state()) and time.monotonic() < deadline_s:
        time.sleep(SETTLE_PAUSE_S)


def is_settled(state: State) -> bool:
    """Whether each bracket's ledger agrees with what the exchange said since the start, and none is on its way out."""
    return all(
        agreement(state, bracket, since_ms=state.started_ms) is Agreement.AGREES
        and bracket.closing is None
        and bracket.flat_since_ms is None
        for bracket in state.brackets.values()
    )
