"""A position that is covered is left open until somebody asks for its end.

The other checks of P2 would be kept best by a manager that closes whatever it holds. This one asks what a close was
for: a CLOSE signal, a price past one of the exits, a gap, or answers that failed, so that nobody could know better.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from .judge_orders import ALGO_PATH, ORDER_PATH, trade_of
from .wire import Sent

LONG_AGO = -(10**15)
SIGNAL_MS = 5_000
"""A CLOSE may come before its entry is known to have been filled."""
REASON_MS = 6_000
"""How long a reason lasts: from an answer to what is done about it, every question and close in between tried again."""
BARE_MS = 1_000
"""A gap that is about to reach its limit of 2 s: the close is decided early enough to be done by then."""
LISTS = ("/fapi/v1/openAlgoOrders", "/fapi/v1/allAlgoOrders")
BY_SIGNAL = "-X"
"""In the id of a close that a signal asked for. Who asked is the manager's word; that somebody did is not."""


@dataclass
class _Symbol:
    """When was the last of each reason to close; the judge's steady clock."""

    flat_ms: int = LONG_AGO  # before that, nothing is known of it
    asked_ms: dict[str, int] = field(default_factory=lambda: defaultdict(lambda: LONG_AGO))  # by the side that closes
    crossed_ms: int = LONG_AGO
    bare_ms: int = LONG_AGO
    doubted_ms: int = LONG_AGO


class CloseJudge:
    """Watches the closes of one run."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()  # what all closes were for
        self._symbols: dict[str, _Symbol] = defaultdict(_Symbol)
        self._trades: dict[str, str] = {}  # which symbol each is on
        self._begun: set[str] = set()  # trades whose close has begun, for a reason: it goes on until it is done
        self._deaf_ms = LONG_AGO  # until when nothing of any symbol is answered
        self._leapt_ms = 0  # by how much the exchange's clock leapt since the manager measured it
        self._measured = (LONG_AGO, 0)  # when it last did, and by how much it had leapt
        self._died_ms: int | None = None

    def forget(self) -> None:
        """Of the trades that are over; all are."""
        self._trades.clear()
        self._begun.clear()

    def signal(self, symbol: str, kind: str, now_ms: int) -> None:
        """A signal is given."""
        if kind in ("CLOSE", "CLOSE_LONG"):
            self._symbols[symbol].asked_ms["SELL"] = now_ms
        if kind in ("CLOSE", "CLOSE_SHORT"):
            self._symbols[symbol].asked_ms["BUY"] = now_ms

    def position(self, symbol: str, now_ms: int, *, is_flat: bool, bare_for_ms: int) -> None:
        """How a symbol stands in the books; for how long the manager has been able to see it bare."""
        known = self._symbols[symbol]
        if is_flat or known.flat_ms == LONG_AGO:
            known.flat_ms = now_ms
        if is_flat:
            known.crossed_ms = known.bare_ms = LONG_AGO  # of another position
            return
        measured_ms, leapt_ms = self._measured
        longer_ms = leapt_ms if now_ms - measured_ms < REASON_MS else 0
        if bare_for_ms > 0 and bare_for_ms + longer_ms >= BARE_MS:
            known.bare_ms = now_ms

    def leaps(self, by_ms: int) -> None:
        """The exchange's clock leaps. Once the manager has measured it, a gap that it dates before is longer by that
        (seeds 11462, 2479191)."""
        self._leapt_ms += by_ms

    def answer(self, sent: Sent, now_ms: int) -> None:
        """The exchange answered."""
        assert sent.answer is not None
        if sent.path == "/fapi/v1/time" and sent.answer.status == 200 and self._leapt_ms:
            self._measured, self._leapt_ms = (now_ms, self._leapt_ms), 0
        if b"-1021" in sent.answer.body:  # refused for its timestamp: that says nothing of what was asked
            self.unanswered(sent, now_ms)
        if sent.method != "POST" or sent.path not in (ALGO_PATH, ORDER_PATH):
            return
        if b"-2021" in sent.answer.body:
            self._symbols[sent.value("symbol")].crossed_ms = now_ms

    def unanswered(self, sent: Sent, now_ms: int) -> None:
        """A stop, or a question about stops, has no true answer; what becomes of a cancel says nothing about others."""
        client_id = sent.value("clientAlgoId")
        is_of_target = sent.value("type").startswith("TAKE_PROFIT") or "-T" in client_id[-4:]
        if sent.method == "DELETE" or is_of_target or sent.path not in (*LISTS, ALGO_PATH):
            return
        symbol = sent.value("symbol") or self._trades.get(trade_of(client_id), "")
        for known in [self._symbols[symbol]] if symbol else self._symbols.values():
            known.doubted_ms = now_ms

    def cut_off(self, until_ms: int) -> None:
        """Nothing is answered until then."""
        self._deaf_ms = until_ms

    def has_died(self, now_ms: int) -> None:
        """The process is gone."""
        self._died_ms = now_ms

    def is_back(self, now_ms: int) -> None:
        """The next process starts: no reason has grown old meanwhile, for nobody could act on it."""
        down_ms = 0 if self._died_ms is None else now_ms - self._died_ms
        self._died_ms = None
        for known in self._symbols.values():
            known.crossed_ms += down_ms
            known.bare_ms += down_ms
            known.doubted_ms += down_ms

    def request(self, sent: Sent, now_ms: int, silent_ms: int, *, is_ours: bool) -> str:
        """What is wrong with an order that leaves; empty when nothing is. `is_ours`: the manager has a position."""
        symbol = sent.value("symbol")
        client_id = sent.value("newClientOrderId") or sent.value("clientAlgoId")
        trade = trade_of(client_id)
        self._trades[trade] = symbol
        if not is_ours or sent.path != ORDER_PATH or sent.value("reduceOnly") != "true":
            return ""
        known = self._symbols[symbol]
        is_asked = BY_SIGNAL in client_id[-4:] and known.asked_ms[sent.value("side")] >= known.flat_ms - SIGNAL_MS
        reasons = {
            "asked for": is_asked,
            "begun before": trade in self._begun,
            "past an exit": now_ms - known.crossed_ms < REASON_MS,
            "bare": now_ms - known.bare_ms < REASON_MS,
            "in doubt": now_ms - max(known.doubted_ms, self._deaf_ms, silent_ms) < REASON_MS,
        }
        for reason, is_given in reasons.items():
            if is_given:
                self._begun.add(trade)
                self.reasons[reason] += 1
                return ""
        return f"P2: {client_id} closes {symbol}, and nothing asked for that: no CLOSE, no gap, no price past an exit"
