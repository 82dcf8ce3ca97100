"""The exchange's clock: an injected source that a test may stop, push forward or turn."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Clock:
    """Two readings of one source.

    ``steady_ms`` never jumps by itself: plans (delayed events, scripts) are made on it. ``now_ms`` is what the exchange
    believes and tells, which a skew moves in either direction.
    """

    def __init__(self, source_ms: Callable[[], int]) -> None:
        self._source_ms = source_ms
        self._frozen_ms: int | None = None
        self._instant_ms: int | None = None
        self._advanced_ms = 0
        self.offset_ms = 0

    def now_ms(self) -> int:
        """Give the exchange time in milliseconds."""
        return self.steady_ms() + self.offset_ms

    def steady_ms(self) -> int:
        """Give the time that plans are made on."""
        if self._frozen_ms is not None:
            return self._frozen_ms + self._advanced_ms
        return (self._source_ms() if self._instant_ms is None else self._instant_ms) + self._advanced_ms

    @contextmanager
    def one_instant(self) -> Iterator[None]:
        """Read the source once for all that follows from one act: the exchange stamps the events of a trade alike
        (binance-usdm.md §10.6)."""
        before = self._instant_ms
        self._instant_ms = self._source_ms() if before is None else before
        try:
            yield
        finally:
            self._instant_ms = before

    @property
    def is_frozen(self) -> bool:
        return self._frozen_ms is not None

    def freeze(self) -> None:
        """Stand still until ``resume``; ``advance`` is then the only way on."""
        if self._frozen_ms is None:
            self._frozen_ms = self._source_ms()

    def resume(self) -> None:
        """Go on from where it stood."""
        if self._frozen_ms is not None:
            self._advanced_ms -= self._source_ms() - self._frozen_ms
            self._frozen_ms = None

    def advance(self, by_ms: int) -> None:
        """Let time pass at once."""
        self._advanced_ms += by_ms

    def step(self, by_ms: int) -> None:
        """Turn the hands: the exchange is wrong about the time by that much more."""
        self.offset_ms += by_ms

    def reset(self) -> None:
        """Follow the source again."""
        self._frozen_ms = None
        self._advanced_ms = self.offset_ms = 0
