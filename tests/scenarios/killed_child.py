"""A process that follows one signal and kills itself (SIGKILL) right before, or right after, a given order is sent.

Run by `killing.die`: `python -m tests.scenarios.killed_child REST STREAM FOLDER WHEN WHAT ARM`.
WHAT is a role, a role and a generation (`STOP_LOSS:1`), or `CANCEL`, the first one that is sent.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from bracketeer import OrderExecutionManager, Settings, Signal, SignalType
from bracketeer.core.intent import OrderIntent
from bracketeer.core.values import ArmingMode
from bracketeer.execution.binance.gateway import BinanceGateway
from tests.support.venue import FAST


def main() -> None:
    """Arm the trap and send the signal."""
    rest, stream, folder, when, what, arm = sys.argv[1:]
    name, _, generation = what.partition(":")
    submit, cancel = BinanceGateway.submit, BinanceGateway.cancel

    def is_meant(intent: OrderIntent) -> bool:
        return intent.role.name == name and intent.client_order_id.endswith(generation)

    def deadly(self: BinanceGateway, intent: OrderIntent, on_sent: Callable[[], None] | None = None) -> Any:
        if not is_meant(intent):
            return submit(self, intent, on_sent)
        if when == "after":
            submit(self, intent)  # what follows when its bytes have left does not follow
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("not reached")

    def deadly_cancel(self: BinanceGateway, client_order_id: str, symbol: str, *, algo: bool) -> Any:
        if when == "after":
            cancel(self, client_order_id, symbol, algo=algo)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("not reached")

    BinanceGateway.submit = deadly  # type: ignore[method-assign]
    if name == "CANCEL":
        BinanceGateway.cancel = deadly_cancel  # type: ignore[method-assign]
    settings = Settings(policy=replace(FAST, arm=ArmingMode(arm)), audit_log_dir=folder)
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
        if name != "EXIT":
            threading.Event().wait(20)  # what is sent after the report
        manager.execute_signal(Signal(signal_type=SignalType.CLOSE, symbol="BTCUSDT", signal_id="close-1"))


if __name__ == "__main__":
    main()
