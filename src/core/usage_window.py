"""How much of one rate limit is used in its current window: arithmetic only, no lock, no clock.

The exchange counts in windows aligned to its own clock and tells its count in every answer. Between answers
our own requests are added. Both are kept so that the figure may run high for a moment but never below what we
caused:

- a header raises the count, never lowers it: answers arrive out of order;
- a request in flight counts in full, for no answer so far is known to include it;
- a request that is over raises the count to what was used when it was reserved plus its cost. Where a header
  said so already, nothing is added twice; where the answer was lost, it still counts.
"""

from typing import Final, NamedTuple

__all__ = ["UsageWindow"]

_WINDOWS_KEPT: Final = 2  # a request in flight for longer is a token nobody settled
_CORRECTION_MS: Final = 2_000  # what a new measurement of the exchange's clock may take back; more was no measurement


class _Flight(NamedTuple):
    cost: int
    base: int  # used when it was reserved, requests in flight before it included
    window: int


class UsageWindow:
    """One pool: `limit` per `length_ms`. Times are the exchange's clock in ms; `roll` before anything else."""

    def __init__(self, limit: int, length_ms: int) -> None:
        self.limit = limit
        self.length_ms = length_ms
        self.warned = False
        self._window = 0
        self._counted = 0
        self._flights: dict[int, _Flight] = {}

    @property
    def used(self) -> int:
        """The count in this window, as high as it may be."""
        return self._counted + sum(flight.cost for flight in self._flights.values())

    @property
    def fraction(self) -> float:
        return self.used / self.limit

    @property
    def resets_at_ms(self) -> int:
        return (self._window + 1) * self.length_ms

    def roll(self, now_ms: int) -> None:
        """Start afresh when the window is over; what is in flight may be counted in the new one.

        A clock corrected a little backwards, over a boundary, does not bring the old window back. Corrected by more, as
        by the first measurement on a machine whose own clock is ahead, it does: else every header until the clock is
        there again would count as one of an earlier window.
        """
        window = now_ms // self.length_ms
        if window == self._window or 0 < self._window * self.length_ms - now_ms <= min(_CORRECTION_MS, self.length_ms):
            return
        self._window, self._counted, self.warned = window, 0, False
        flights, self._flights = self._flights, {}
        for token, flight in flights.items():
            if abs(window - flight.window) < _WINDOWS_KEPT:
                self._flights[token] = flight._replace(base=self.used)

    def reserve(self, token: int, cost: int) -> None:
        """A request of ours is about to leave; tokens grow."""
        if cost > 0:
            self._flights[token] = _Flight(cost, self.used, self._window)

    def settle(self, token: int) -> None:
        """It is over, whatever came of it."""
        flight = self._flights.pop(token, None)
        if flight is None:
            return
        earlier = {key: other for key, other in self._flights.items() if key < token}
        still_flying = sum(other.cost for other in earlier.values())  # in our base, and counted by themselves
        self._counted = max(self._counted, flight.base + flight.cost - still_flying)
        for key, other in earlier.items():  # reserved before us, over after us: what we cost is known by then
            self._flights[key] = other._replace(base=other.base + flight.cost)

    def release(self, token: int) -> None:
        """It never left."""
        flight = self._flights.pop(token, None)
        if flight is None:
            return
        for key, other in self._flights.items():
            if key > token:
                self._flights[key] = other._replace(base=other.base - flight.cost)

    def observe(self, count: int, sent_at_ms: int | None) -> None:
        """The exchange's own count, in an answer to a request sent at `sent_at_ms` (None: taken as now).

        An answer to a request of an earlier window tells about that one, and is ignored.
        """
        if sent_at_ms is None or sent_at_ms // self.length_ms >= self._window:
            self._counted = max(self._counted, count)
