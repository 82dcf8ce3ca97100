"""Everything the engine knows. It is rebuilt from the journal alone, and its bytes are the same every time."""

from __future__ import annotations

import hashlib
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from .bracket import Bracket
from .order import AlgoOrder, Order
from .report import ExecutionReport
from .settings import Policy
from .values import ArmingMode, PositionSide

SIGNALS_KEPT = 10_000
"""How many signal ids are remembered: beyond that the oldest ended ones are forgotten, so memory stays flat."""
REPORTS_KEPT = 200
"""How many ended signals keep their whole report."""


class PositionView(msgspec.Struct, frozen=True, kw_only=True):
    """What the exchange last said of a position.

    `known_at_ms` is our estimate of the exchange's clock when the stream told us, or the instant before we asked;
    `exchange_time_ms` is the stream's own time, None for an answer; `heard_ms` is that of the newest stream event so
    far, whatever was answered since.
    """

    amount: Decimal
    known_at_ms: int
    exchange_time_ms: int | None = None
    heard_ms: int = 0


class SignalRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a signal id. While `ended` is false its bracket is still at work."""

    symbol: str
    ended: bool = False
    status: str = ""
    report: ExecutionReport | None = None


class ArmingRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """The exchange refused a reduce-only conditional order because there was no position yet."""

    code: int
    text: str
    at_ms: int


class State(msgspec.Struct, kw_only=True):
    """The engine's whole memory: frozen records in plain dictionaries, changed by `step` only."""

    policy: Policy = Policy()
    version: str = ""
    venue: str = ""
    account: str = ""  # whose: a fingerprint of key and venue
    starts: int = 0
    started_ms: int = 0  # when the newest process took over
    stream_up: bool = False  # connected, and not caught being silent
    stream_since_ms: int = 0
    brackets: dict[str, Bracket] = msgspec.field(default_factory=dict)  # by the entry's signal id
    orders: dict[str, Order] = msgspec.field(default_factory=dict)  # by client id
    algos: dict[str, AlgoOrder] = msgspec.field(default_factory=dict)  # by client id
    positions: dict[str, PositionView] = msgspec.field(default_factory=dict)  # by "SYMBOL|SIDE"
    signals: dict[str, SignalRecord] = msgspec.field(default_factory=dict)  # oldest first
    last_trades: dict[str, int] = msgspec.field(default_factory=dict)  # by symbol: newest trade id of an ended bracket
    anomalies: int = 0
    refusals: int = 0  # entries in a row that were not executed
    arming_refused: ArmingRefusal | None = None  # ARM=with_entry is not to be had on this venue

    @property
    def arming(self) -> ArmingMode:
        """When the protection of the next entry leaves."""
        return ArmingMode.AFTER_FILL if self.arming_refused is not None else self.policy.arm

    def on_symbol(self, symbol: str) -> list[Bracket]:
        """The working brackets of a symbol."""
        return [bracket for bracket in self.brackets.values() if bracket.symbol == symbol]

    def next_wake_ms(self) -> int | None:
        """When the engine wants a `TimerFired`, on the exchange's clock."""
        return min((b.wake_ms for b in self.brackets.values() if b.wake_ms is not None), default=None)

    def last_end_ms(self, symbol: str) -> int:
        """When the newest bracket of a symbol ended, as far as that is remembered; 0 where it is not."""
        for record in reversed(self.signals.values()):
            timings = record.report.timings if record.ended and record.symbol == symbol and record.report else None
            if timings is not None and timings.concluded_at_ms is not None:
                return timings.concluded_at_ms
        return 0

    def remember(self, signal_id: str, record: SignalRecord) -> None:
        """Keep what became of a signal, forgetting the oldest ended ones beyond the bounds."""
        self.signals.pop(signal_id, None)
        self.signals[signal_id] = record
        if len(self.signals) > SIGNALS_KEPT:
            oldest = next((key for key, value in self.signals.items() if value.ended), None)
            if oldest is not None:
                del self.signals[oldest]
        if len(self.signals) > REPORTS_KEPT:
            key = list(self.signals)[-REPORTS_KEPT - 1]
            old = self.signals[key]
            if old.ended and old.report is not None:
                self.signals[key] = replace(old, report=None)

    def copy(self) -> State:
        """A copy that later steps do not change: records are frozen, so dictionaries are all there is to copy."""
        return replace(
            self,
            brackets=dict(self.brackets),
            orders=dict(self.orders),
            algos=dict(self.algos),
            positions=dict(self.positions),
            signals=dict(self.signals),
            last_trades=dict(self.last_trades),
        )

    def encode(self) -> bytes:
        """Canonical bytes: equal states give equal bytes."""
        return msgspec.json.encode(self, order="deterministic")

    def fingerprint(self) -> str:
        """SHA-256 of the canonical bytes."""
        return hashlib.sha256(self.encode()).hexdigest()


def position_key(symbol: str, side: PositionSide) -> str:
    """The key of a position view."""
    return f"{symbol}|{side.value}"
