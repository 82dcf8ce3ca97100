"""P2: how long a position of the manager's may be without a live stop, from what the books say and what reached it.

A gap may last the naked limit and one round trip from when the manager, at work, could know of it; past that the
position must be being closed. While nothing told of the gap, it must be asking, or sending a stop (design 013).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from .wire import Sent

LONG_AGO = -(10**15)
ATTEMPT_MS = 6_000
"""A position that is being closed sees an attempt at least so often: the longest pause between two is 5 s."""
QUESTION_MS = 2_500
"""While a fill is not known, the manager asks at least so often: a question may wait a second for its answer."""
UNANSWERED_MS = 1_000
"""What a question costs that is not answered: the manager's patience."""
UNANSWERED_MAX = 2
"""That a stop is gone takes two times three questions; so many of them may go unanswered."""

_TELL_OF_FILLS = {
    "ORDER_TRADE_UPDATE",
    "POST /fapi/v1/order",
    "GET /fapi/v1/order",
}  # a row of userTrades does not say whose order it was
_SHOW_POSITIONS = {"ACCOUNT_UPDATE", "GET /fapi/v3/positionRisk"}
_TELL_OF_STOPS = {"ALGO_UPDATE", "GET /fapi/v1/algoOrder"}
_LISTS_STOPS = "GET /fapi/v1/openAlgoOrders"  # one read may lag; two more are the manager's questions
_ASK_ABOUT_STOPS = {"/fapi/v1/algoOrder", "/fapi/v1/openAlgoOrders", "/fapi/v1/allAlgoOrders"}


@dataclass
class Gap:
    """One symbol: what the manager did about it, what it was told, and the gap that lasts. Steady ms, but `told_ms`."""

    asked_ms: int = 0
    tried_ms: int = 0  # a stop left: it can be refused, or rest, and either says something
    closing_ms: int = LONG_AGO
    fill_said_ms: int = LONG_AGO  # when that was said which it last heard of fills
    told_ms: int = 0  # when that was said which it last heard of stops; the exchange's own clock
    since_ms: int | None = None
    is_filled: bool = False  # bare because something was filled, not because a stop went
    filled_ms: int = 0  # the last fill
    lacks_stop: bool = False  # a stop went, and the manager has not heard of that
    known_ms: int | None = None  # since when the manager could know of the gap
    seen_ms: int | None = None  # since when it could see a position that may be its own
    reads: int = 0  # of the list in which a stop that went is missing
    unanswered: int = 0  # questions about stops since one went

    def begin(self, now_ms: int, *, has_gone_unheard: bool) -> None:
        """No stop of the manager's covers the position from now on."""
        self.since_ms, self.known_ms, self.seen_ms, self.reads, self.unanswered = now_ms, None, None, 0, 0
        self.is_filled = self.filled_ms == now_ms
        self.lacks_stop = not self.is_filled or has_gone_unheard

    def forget(self) -> None:
        """A new process has to learn it anew."""
        self.known_ms, self.seen_ms, self.reads = None, None, 0


@dataclass
class NakedJudge:
    """Watches the gaps of one run."""

    limit_ms: int
    round_trip_ms: int
    worst_ms: int = 0
    worst_known_ms: int = 0
    gaps: dict[str, Gap] = field(default_factory=lambda: defaultdict(Gap))

    def asked(self, symbol: str, now_ms: int) -> None:
        """A question leaves about a symbol, or about none in particular."""
        for gap in [self.gaps[symbol]] if symbol else self.gaps.values():
            gap.asked_ms = now_ms

    def told(self, symbol: str, source: str, *, now_ms: int, said_ms: int, exchange_ms: int) -> None:
        """What was said then reached the manager: does it tell of the gap?"""
        gap = self.gaps[symbol]
        if source in _TELL_OF_STOPS or source == _LISTS_STOPS:
            gap.told_ms = exchange_ms
        if source in _TELL_OF_FILLS:
            gap.fill_said_ms = max(gap.fill_said_ms, said_ms)
        if gap.since_ms is None:
            return
        if said_ms >= gap.since_ms:
            gap.reads += source == _LISTS_STOPS
            if source in _TELL_OF_STOPS or gap.reads > 2:
                gap.lacks_stop = False
            if gap.is_filled and gap.seen_ms is None and source in _SHOW_POSITIONS:
                gap.seen_ms = now_ms
        if gap.known_ms is None and not gap.lacks_stop and gap.fill_said_ms >= min(gap.since_ms, gap.filled_ms):
            gap.known_ms = now_ms

    def unanswered(self, sent: Sent) -> None:
        """A question about a symbol, or one that names none, will not be answered with the truth in time."""
        symbol = sent.value("symbol")
        if sent.path in _ASK_ABOUT_STOPS:
            for gap in [self.gaps[symbol]] if symbol else self.gaps.values():
                gap.unanswered += gap.since_ms is not None

    def look(self, symbol: str, now_ms: int, *, able_ms: int, silent_ms: int, is_leaving: bool) -> str:
        """What is wrong with a gap by now; empty when nothing is.

        Args:
            able_ms: since when the manager runs and can reach the exchange.
            silent_ms: until when it may not ask (a 429). Where it may believe in a stop, that keeps it from hearing
                that there is none; where not, it is no excuse: orders leave.
            is_leaving: the manager is being closed in an orderly way.
        """
        gap = self.gaps[symbol]
        assert gap.since_ms is not None
        excused_ms = silent_ms if gap.lacks_stop else 0
        able = max(gap.since_ms, able_ms, 0 if gap.known_ms else excused_ms)
        self.worst_ms = max(self.worst_ms, min(now_ms - gap.since_ms, now_ms - able))
        bound = self.limit_ms + self.round_trip_ms
        since_known = 0 if gap.known_ms is None else now_ms - max(able, gap.known_ms)
        self.worst_known_ms = max(self.worst_known_ms, since_known)
        if now_ms - able <= bound:
            return ""
        if gap.closing_ms >= gap.since_ms and now_ms - gap.closing_ms <= ATTEMPT_MS + self.round_trip_ms:
            return ""
        is_seen = gap.seen_ms is not None and not gap.lacks_stop
        if gap.known_ms is None and is_seen and now_ms - max(able, gap.seen_ms or 0) > bound:
            is_kept = False  # it is the entry's in all likelihood, though that cannot be proven
        elif gap.known_ms is None and is_leaving:
            is_kept = True  # what it cannot know of is the next one's
        elif gap.known_ms is None:
            tried_ms = min(gap.tried_ms, silent_ms)  # as long as it may not ask
            newest_ms = max(gap.asked_ms, tried_ms, able, excused_ms)
            is_kept = now_ms - newest_ms <= QUESTION_MS + self.round_trip_ms
        else:
            # That a stop is gone is believed after three questions: by its id, in the open list, in the full one.
            patience = UNANSWERED_MS * min(gap.unanswered, UNANSWERED_MAX)
            is_kept = since_known <= bound + (0 if gap.is_filled else 2 * self.round_trip_ms + patience)
        if is_kept:
            return ""
        known = "not known" if gap.known_ms is None else f"known for {now_ms - gap.known_ms} ms"
        return (
            f"naked for {now_ms - gap.since_ms} ms ({now_ms - able} ms of them with the manager able to act, {known}), "
            "and is not being closed"
        )
