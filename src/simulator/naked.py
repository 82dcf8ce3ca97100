"""The ledger of unprotected time: how long a position has been without a live stop, on the exchange's clock."""

from dataclasses import dataclass
from decimal import Decimal

from .accounts import Account
from .admission import is_closing_side
from .decimals import ZERO
from .positions import Position

STOPS = frozenset({"STOP", "STOP_MARKET", "TRAILING_STOP_MARKET"})

LegKey = tuple[str, str, str]


@dataclass(slots=True)
class NakedTime:
    """The present gap of a leg, if there is one, and the worst so far."""

    since_ms: int | None = None
    worst_ms: int = 0

    def update(self, now_ms: int, *, is_naked: bool) -> None:
        """Note the state at a moment."""
        if self.since_ms is not None:
            self.worst_ms = max(self.worst_ms, now_ms - self.since_ms)
        if not is_naked:
            self.since_ms = None
        elif self.since_ms is None:
            self.since_ms = now_ms


def is_covered(account: Account, leg: Position) -> bool:
    """Tell whether live stops in closing direction cover the whole leg."""
    covered = ZERO
    for algo in account.live_algos(leg.symbol):
        if algo.order_type not in STOPS or algo.position_side != leg.position_side:
            continue
        if not is_closing_side(algo.side, leg.position_side, leg.amount):
            continue
        covered += abs(leg.amount) if algo.close_position else algo.quantity
    return covered >= abs(leg.amount)


class NakedLedger:
    """Unprotected time per leg; call ``observe`` after everything that may change a position or a stop."""

    def __init__(self) -> None:
        self._legs: dict[LegKey, NakedTime] = {}

    def observe(self, account: Account, now_ms: int) -> None:
        """Look at all legs of an account."""
        for (symbol, position_side), leg in account.positions.items():
            key = (account.api_key, symbol, position_side)
            if leg.amount or key in self._legs:
                is_naked = leg.amount != Decimal(0) and not is_covered(account, leg)
                self._legs.setdefault(key, NakedTime()).update(now_ms, is_naked=is_naked)

    def report(self, now_ms: int) -> dict[str, dict[str, int]]:
        """Give ``now`` and ``worst`` per symbol, the worse leg counting."""
        report: dict[str, dict[str, int]] = {}
        for (_, symbol, _), leg in sorted(self._legs.items()):
            row = report.setdefault(symbol, {"now": 0, "worst": 0})
            gap_ms = 0 if leg.since_ms is None else now_ms - leg.since_ms
            row["now"] = max(row["now"], gap_ms)
            row["worst"] = max(row["worst"], leg.worst_ms, gap_ms)
        return report
