"""What happens in the kill story: signals, prices, faults. Every choice comes from its dice."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.support.places import PLACES

from .kill_processes import Exchange

QUANTITIES = {
    "BTCUSDT": "0.004",
    "ETHUSDT": "0.080",
    "BNBUSDT": "0.40",
    "SOLUSDT": "2",
    "XRPUSDT": "300",
    "DOGEUSDT": "1500",
}
SYMBOLS = tuple(QUANTITIES)
KILL_WEIGHT = 8
MOVES = ("0.94", "0.97", "0.985", "1", "1.015", "1.03", "1.06")
"""Of the symbol's first price. Stops lie 2 % from the price of their entry, take profits 3 %."""
FAULTS: tuple[dict[str, Any], ...] = (
    {"fault": "reply_lost"},
    {"fault": "request_lost"},
    {"fault": "status_503"},
    {"fault": "status_503_executed"},
    {"fault": "status_503_unknown"},
    {"fault": "status_504", "executed": True},
    {"fault": "garbled"},
    {"fault": "delay", "delay_ms": 300},
    {"fault": "delay", "delay_ms": 900},
    {"fault": "late_request", "delay_ms": 700},
    {"fault": "timeout_1007"},
)
"""Those that wait for a request, of a random kind, once or twice."""
STREAM_FAULTS = ("stream_lose", "stream_duplicate", "stream_reorder", "stream_delay", "listen_key_expired")
VENUE_FAULTS = ("stop_canceled", "stop_expired")


class Acts:
    """Does one thing at a time, and keeps a record of it. `tell` hands a signal to whoever is at work."""

    def __init__(
        self, dice: random.Random, exchange: Exchange, tell: Callable[[dict[str, str]], None], record: Path
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._dice = dice
        self._exchange = exchange
        self._tell = tell
        self._record = record.open("w", encoding="utf-8")
        self._sent: list[dict[str, str]] = []
        self._mute_until_s = 0.0
        self._first_prices = {symbol: Decimal(exchange.state()["prices"][symbol]) for symbol in SYMBOLS}

    def close(self) -> None:
        """Close the record."""
        self._record.close()

    def one(self) -> bool:
        """Do something; False when it should be a kill, which is not ours to do."""
        dice, symbol = self._dice, self._dice.choice(SYMBOLS)
        acts: dict[str, tuple[int, Callable[[], None]]] = {
            "entry": (30, lambda: self.entry(symbol)),
            "close": (12, lambda: self.signal(symbol, "CLOSE")),
            "again": (5, self._again),
            "price": (24, lambda: self._price(symbol)),
            "fault": (12, self._fault),
            "stream_drop": (5, lambda: self.cause("stream_drop")),
            "stream_mute": (2, self._mute),
            "stream_fault": (5, lambda: self.cause(dice.choice(STREAM_FAULTS))),
            "venue_fault": (2, lambda: self.cause(dice.choice(VENUE_FAULTS))),
        }
        weights = [weight for weight, _ in acts.values()]
        name = dice.choices([*acts, "kill"], weights=[*weights, KILL_WEIGHT])[0]
        if name == "kill":
            return False
        acts[name][1]()
        return True

    def note(self, what: str, **facts: Any) -> None:
        """On record."""
        self.counts[what] += 1
        self._record.write(json.dumps({"at": time.time_ns() // 1_000_000, "act": what, **facts}) + "\n")
        self._record.flush()

    def entry(self, symbol: str) -> None:
        """A long or a short with stop and target around the price of this moment."""
        kind, sign = self._dice.choice((("LONG_ENTRY", 1), ("SHORT_ENTRY", -1)))
        price = Decimal(self._exchange.view()["prices"][symbol]["last"])
        stop, target = (price * (1 + sign * Decimal(part)) for part in ("-0.02", "0.03"))
        self.signal(symbol, kind, quantity=QUANTITIES[symbol], stop_loss=str(stop), take_profit=str(target))

    def signal(self, symbol: str, kind: str, **fields: str) -> None:
        """A new wish."""
        signal = {"signal_type": kind, "symbol": symbol, "signal_id": f"{kind}-{len(self._sent)}", **fields}
        self._sent.append(signal)
        self.note("signal", **signal)
        self._tell(signal)

    def _again(self) -> None:
        """An upstream program that was not answered sends its signal once more."""
        if self._sent:
            signal = self._dice.choice(self._sent[-8:])
            self.note("repeated", **signal)
            self._tell(signal)

    def _price(self, symbol: str) -> None:
        factor = self._dice.choice(("0.94", "0.97", "0.985", "1", "1.015", "1.03", "1.06"))
        price = str(self._first_prices[symbol] * Decimal(factor))
        self.note("price", symbol=symbol, price=price)
        self._exchange.control("price", symbol=symbol, price=price)

    def _fault(self) -> None:
        method, path, match = self._dice.choice(PLACES)
        fault = {**self._dice.choice(FAULTS), "method": method, "path": path, "times": self._dice.choice((1, 1, 2))}
        if match:
            fault["match"] = match
        self.note("fault", **fault)
        self._exchange.control("fault", **fault)

    def cause(self, fault: str) -> None:
        """A fault without options."""
        self.note(fault)
        self._exchange.control("fault", fault=fault)

    def _mute(self) -> None:
        self.cause("stream_mute")
        self._mute_until_s = time.monotonic() + self._dice.uniform(0.5, 4)

    def unmute_if_due(self) -> None:
        """Let the streams speak again."""
        if self._mute_until_s and time.monotonic() > self._mute_until_s:
            self._mute_until_s = 0.0
            self.cause("stream_unmute")

    def calm(self) -> None:
        """Lift every fault."""
        self.note("quiet")
        self._exchange.control("lift")
        self._exchange.control("fault", fault="stream_unmute")
        self._mute_until_s = 0.0
