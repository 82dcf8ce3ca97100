"""A position that is covered is left open until somebody asks for its end.

The other checks of P2 would be kept best by a manager that closes whatever it holds. This one asks what a close was
for: a CLOSE signal, a price past one of the exits, a gap, or answers that failed, so that nobody could know better.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from .wire import Sent

LONG_AGO = -(10**15)
SIGNAL_MS = 5_000
"""A CLOSE may come before its entry is known to have been filled."""
REASON_MS = 6_000
"""How long a reason lasts: from an answer to what is done about it, every question and close in between tried again."""
BARE_MS = 1_000
"""A gap that is about to reach its limit of 2 s: the close is decided early enough to be done by then."""
STOP_PATHS = ("/fapi/v1/algoOrder", "/fapi/v1/openAlgoOrders", "/fapi/v1/allAlgoOrders")


@dataclass
class _Symbol:
    """When was the last of each reason to close; the judge's steady clock."""

    flat_ms: int = LONG_AGO
    asked_ms: dict[str, int] = field(default_factory=lambda: defaultdict(lambda: LONG_AGO))  # by the side that closes
    crossed_ms: int = LONG_AGO
    bare_ms: int = LONG_AGO


class CloseJudge:
    """Watches the closes of one run."""

    def __init__(self) -> None:
        self._symbols: dict[str, _Symbol] = defaultdict(_Symbol)
        self._in_doubt_ms: dict[str, int] = defaultdict(lambda: LONG_AGO)  # by symbol; of all where none is named
        self._leap = (LONG_AGO, 0)
        self._begun: set[str] = set()  # trades whose close has begun, which goes on until it is done

    def signal(self, symbol: str, kind: str, now_ms: int) -> None:
        """A signal is given."""
        if kind in ("CLOSE", "CLOSE_LONG"):
            self._symbols[symbol].asked_ms["SELL"] = now_ms
        if kind in ("CLOSE", "CLOSE_SHORT"):
            self._symbols[symbol].asked_ms["BUY"] = now_ms

    def position(self, symbol: str, now_ms: int, *, is_flat: bool, bare_for_ms: int) -> None:
        """How a symbol stands in the books."""
        if is_flat:
            self._symbols[symbol].flat_ms = now_ms
        at_ms, by_ms = self._leap
        if bare_for_ms and bare_for_ms + (by_ms if now_ms - at_ms < REASON_MS else 0) >= BARE_MS:
            self._symbols[symbol].bare_ms = now_ms

    def leaps(self, by_ms: int, now_ms: int) -> None:
        """The exchange's clock leaps: by it, a gap that the manager dates before that is longer (seed 11462)."""
        self._leap = (now_ms, by_ms)

    def answer(self, sent: Sent, now_ms: int) -> None:
        """The exchange answered."""
        assert sent.answer is not None
        if b"-2021" in sent.answer.body and sent.method == "POST":
            self._symbols[_value(sent, "symbol")].crossed_ms = now_ms

    def unanswered(self, sent: Sent, now_ms: int) -> None:
        """A question about stops, or a stop itself, has no true answer."""
        is_of_target = "TAKE_PROFIT" in sent.query or "-T" in _value(sent, "clientAlgoId")[-4:]
        if sent.path in STOP_PATHS and not is_of_target:
            self._in_doubt_ms[_value(sent, "symbol")] = now_ms

    def cut_off(self, until_ms: int) -> None:
        """Nothing is answered until then."""
        self._in_doubt_ms[""] = until_ms

    def request(self, sent: Sent, now_ms: int, silent_ms: int) -> str:
        """What is wrong with a request that leaves, which closes a position of ours; empty when nothing is."""
        symbol, side, client_id = (_value(sent, name) for name in ("symbol", "side", "newClientOrderId"))
        trade = client_id.rsplit("-", 1)[0]
        known = self._symbols[symbol]
        reasons = {
            "asked for": known.asked_ms[side] >= known.flat_ms - SIGNAL_MS,
            "begun before": trade in self._begun,
            "past an exit": now_ms - known.crossed_ms < REASON_MS,
            "bare": now_ms - known.bare_ms < REASON_MS,
            "in doubt": now_ms - max(self._in_doubt_ms[symbol], self._in_doubt_ms[""], silent_ms) < REASON_MS,
        }
        self._begun.add(trade)
        if any(reasons.values()):
            return ""
        return f"P2: {client_id} closes {symbol}, though its stop rests and nothing asked for that"


def _value(sent: Sent, name: str) -> str:
    return parse_qs(sent.query).get(name, [""])[0]
