"""The exchange's trading rules, kept for a day.

Stale rules beat none: while exchangeInfo cannot be fetched the last good answer stays in use, with a warning. A bad
answer is never kept. However many threads need the rules, one asks, and the others take its answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import msgspec

from ..core.errors import BracketeerError
from ..core.instrument import Instrument
from ..core.outcome import Failure, OutcomeKind
from .errors import UnreadableAnswer

Answer = tuple[dict[str, Instrument], list[dict[str, Any]]]
"""Rules by symbol, and the `rateLimits` rows of exchangeInfo (binance-usdm.md §3.1.1)."""

PAUSE_MS = 60_000
"""Between two attempts while rules are at hand. So an exchange that is down does not slow every signal, and filter
errors that fresh rules do not cure do not turn into a stream of questions."""


class _Snapshot(msgspec.Struct, frozen=True):
    instruments: dict[str, Instrument]
    fetched_at_ms: int


class ExchangeInfoCache:
    """Rules of all symbols. Safe for threads; no lock is held while the exchange is asked.

    Args:
        fetch: asks the exchange; raises a `BracketeerError` when it cannot.
        now_ms: this machine's clock, ms since the epoch.
        max_age_hours: how long an answer is good for.
        on_limits: gets the rate limits of every good answer that has some.
        on_warning: gets a sentence when stale rules stay in use.
    """

    def __init__(
        self,
        fetch: Callable[[], Answer],
        now_ms: Callable[[], int],
        max_age_hours: float = 24,
        on_limits: Callable[[list[dict[str, Any]]], None] | None = None,
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        self._fetch = fetch
        self._now_ms = now_ms
        self._max_age_ms = max_age_hours * 3_600_000
        self._on_limits = on_limits
        self._on_warning = on_warning
        self._lock = threading.Lock()
        self._snapshot: _Snapshot | None = None
        self._attempted_at_ms = 0  # means something only once there are rules
        self._under_way: Future[_Snapshot] | None = None

    def at_hand(self, symbol: str) -> Instrument | None:
        """The rules of a symbol, if they are fresh: nobody is asked, and no lock is taken."""
        snapshot = self._snapshot
        return snapshot.instruments.get(symbol) if snapshot is not None and self._is_fresh(snapshot) else None

    def rules(self, symbol: str) -> Instrument | None:
        """The rules of a symbol; None when the exchange does not list it.

        Raises:
            BracketeerError: there are no rules yet, and they cannot be fetched.
        """
        snapshot = self._snapshot
        if snapshot is None or not self._is_fresh(snapshot):
            snapshot = self._renewed(snapshot)
        return snapshot.instruments.get(symbol)

    def refresh_after_filter_error(self) -> bool:
        """Fetch anew because the exchange refused an order by a filter that our rules let pass.

        At most once a minute: rules that are younger are not to blame. True when they are new now, so that a fresh look
        at the order makes sense.

        Raises:
            BracketeerError: there were no rules before, and they cannot be fetched.
        """
        before = self._snapshot
        return self._renewed(before) is not before

    def _is_fresh(self, snapshot: _Snapshot) -> bool:
        # A negative age means that the clock was set back: how old the rules are is unknown then.
        return 0 <= self._now_ms() - snapshot.fetched_at_ms < self._max_age_ms

    def _renewed(self, seen: _Snapshot | None) -> _Snapshot:
        """Newer rules than `seen`: fetched by this thread, or by another that was first. `seen` itself when no better
        ones are to be had now."""
        mine: Future[_Snapshot] = Future()
        with self._lock:
            if self._snapshot is not None and (self._snapshot is not seen or self._is_pause()):
                return self._snapshot
            others = self._under_way
            if others is None:
                self._under_way = mine
                self._attempted_at_ms = self._now_ms()
        if others is not None:
            return others.result()
        try:
            snapshot = self._asked(seen)
        except BaseException as error:
            self._end(seen)
            mine.set_exception(error)  # whoever waited for it has no rules either
            raise
        self._end(snapshot)
        mine.set_result(snapshot)
        return snapshot

    def _is_pause(self) -> bool:
        """Whether the last attempt is over, and too young for another."""
        return self._under_way is None and 0 <= self._now_ms() - self._attempted_at_ms < PAUSE_MS

    def _end(self, snapshot: _Snapshot | None) -> None:
        with self._lock:
            self._snapshot = snapshot
            self._under_way = None

    def _asked(self, old: _Snapshot | None) -> _Snapshot:
        try:
            instruments, limits = self._fetch()
            if not instruments:
                raise UnreadableAnswer(
                    Failure(kind=OutcomeKind.UNKNOWN, text="exchangeInfo lists no symbol"), call="exchangeInfo"
                )
        except BracketeerError as error:
            if old is None:
                raise
            if self._on_warning is not None:
                age_hours = (self._now_ms() - old.fetched_at_ms) / 3_600_000
                self._on_warning(
                    f"exchangeInfo cannot be refreshed ({error}): the rules from {age_hours:.1f} hours ago stay in use"
                )
            return old
        if limits and self._on_limits is not None:
            self._on_limits(limits)
        return _Snapshot(instruments, self._now_ms())
