"""What the demo plays: a day of prices, and signals with the moment each was decided. Both are files of this package.

The day is made up: a fall of 12 % in bitcoin and half a recovery, in steps of a quarter of an hour.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, Final

from ..core.errors import BracketeerError

_DATA = resources.files(__package__) / "data"

FAULTS: Final[dict[str, dict[str, Any]]] = {
    "bnb-short-1": {"fault": "reply_lost", "method": "POST", "path": "/fapi/v1/order", "symbol": "BNBUSDT"}
}
"""What goes wrong, by the signal that meets it: here the entry is executed and its reply lost on the way."""


@dataclass(frozen=True)
class Step:
    """A moment of the day: the prices that come true, then the signals that arrive, as they were written."""

    at_ms: int
    prices: dict[str, Decimal]
    signals: tuple[bytes, ...]

    @property
    def clock(self) -> str:
        """The time of day, UTC."""
        return datetime.fromtimestamp(self.at_ms / 1000, UTC).strftime("%H:%M")


def read_script(signals: Path | None = None) -> list[Step]:
    """The day, step by step; with `signals` that file's instead of the demo's own.

    A signal arrives at the first step that is not before its timestamp. Those without one, and those from other days,
    arrive one a step.

    Raises:
        BracketeerError: the file cannot be read.
    """
    day = list(csv.DictReader((_DATA / "demo_prices.csv").read_text(encoding="utf-8").splitlines()))
    times = [int(row.pop("timestamp")) for row in day]
    arriving: list[list[bytes]] = [[] for _ in times]
    for number, line in enumerate(_signal_lines(signals)):
        at_ms = _timestamp(line)
        if at_ms is not None and times[0] <= at_ms <= times[-1]:
            index = next(i for i, time in enumerate(times) if time >= at_ms)
        else:
            index = 1 + number % (len(times) - 2)
        arriving[index].append(line)
    return [
        Step(at_ms, {symbol: Decimal(price) for symbol, price in row.items()}, tuple(lines))
        for at_ms, row, lines in zip(times, day, arriving, strict=True)
    ]


def _signal_lines(signals: Path | None) -> list[bytes]:
    try:
        text = (_DATA / "demo_signals.jsonl").read_bytes() if signals is None else signals.read_bytes()
    except OSError as error:
        raise BracketeerError(
            f"the signals cannot be read: {error.strerror}", code="no_such_file", file=signals
        ) from None
    return [line for line in text.splitlines() if line.strip()]


def _timestamp(line: bytes) -> int | None:
    """When the signal was decided, if the line says so; whether it is a signal at all is not for us to judge."""
    try:
        at_ms = json.loads(line)["timestamp"]
    except (ValueError, TypeError, KeyError):
        return None
    return at_ms if isinstance(at_ms, int) else None
