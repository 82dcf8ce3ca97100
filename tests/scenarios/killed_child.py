"""A process that follows one signal and kills itself (SIGKILL) right before, or right after, a given order is sent.

Run by `test_restart.py`: `python -m tests.scenarios.killed_child REST STREAM FOLDER WHEN ROLE`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from bracketeer import OrderExecutionManager, Settings, Signal, SignalType
from bracketeer.core.intent import OrderIntent
from bracketeer.core.values import Role
from bracketeer.execution.binance.gateway import BinanceGateway
from tests.support.venue import FAST


def main() -> None:
    """Arm the trap and send the signal."""
    rest, stream, folder, when, role = sys.argv[1:]
    submit = BinanceGateway.submit

    def deadly(self: BinanceGateway, intent: OrderIntent, on_sent: Callable[[], None] | None = None) -> Any:
        if intent.role is not Role[role]:
            return submit(self, intent, on_sent)
        if when == "after":
            submit(self, intent)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("not reached")

    BinanceGateway.submit = deadly  # type: ignore[method-assign]
    settings = Settings(policy=FAST, audit_log_dir=folder)
    with OrderExecutionManager(base_url=rest, stream_url=stream, settings=settings) as manager:
        manager.execute_signal(
            Signal(
                signal_type=SignalType.LONG_ENTRY,
                symbol="BTCUSDT",
                signal_id="entry-1",
                quantity="0.010",
                take_profit="66000",
                stop_loss="58000",
            )
        )
        manager.execute_signal(Signal(signal_type=SignalType.CLOSE, symbol="BTCUSDT", signal_id="close-1"))


if __name__ == "__main__":
    main()
