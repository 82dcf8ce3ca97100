"""Bracketeer: signals become protected positions on Binance USDⓈ-M Futures.

from bracketeer import OrderExecutionManager, Signal, SignalType
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .core.errors import BracketeerError
    from .core.report import ExecutionReport, ReportStatus
    from .core.settings import Policy, Settings
    from .core.signal import Signal, SignalType
    from .execution.order_manager import OrderExecutionManager

_HOMES = {
    "BracketeerError": ".core.errors",
    "ExecutionReport": ".core.report",
    "OrderExecutionManager": ".execution.order_manager",
    "Policy": ".core.settings",
    "ReportStatus": ".core.report",
    "Settings": ".core.settings",
    "Signal": ".core.signal",
    "SignalType": ".core.signal",
}

__all__ = [
    "BracketeerError",
    "ExecutionReport",
    "OrderExecutionManager",
    "Policy",
    "ReportStatus",
    "Settings",
    "Signal",
    "SignalType",
]


def __getattr__(name: str) -> Any:
    """Load the public names on first use: `bracketeer audit verify` needs no exchange library."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
