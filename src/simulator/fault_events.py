"""Stream faults: what happens to a private event on its way out."""

from collections.abc import Callable

from .agenda import Agenda
from .clock import Clock
from .faults import FaultBook, FaultName
from .messages import Row

Publish = Callable[[str, Row], None]

# An event held back for another one does not wait longer than this.
_HOLD_MS = 1000


class EventGate:
    """The way out for private events: they pass, unless a fault waits for them."""

    def __init__(self, publish: Publish, faults: FaultBook, agenda: Agenda, clock: Clock) -> None:
        self._publish = publish
        self._faults = faults
        self._agenda = agenda
        self._clock = clock
        self._held: list[tuple[str, Row]] = []

    def pass_on(self, api_key: str, event: Row) -> None:
        """Send an event, or let its fault have it."""
        fault = self._faults.take_for_event(str(event["e"]))
        if fault is None:
            self._send(api_key, event)
            return
        match fault.name:
            case FaultName.STREAM_DUPLICATE:
                self._send(api_key, event)
                self._send(api_key, event)
            case FaultName.STREAM_REORDER:
                self._held.append((api_key, event))
                self._agenda.plan(self._clock.steady_ms() + _HOLD_MS, self._release)
            case FaultName.STREAM_DELAY:
                self._agenda.plan(self._clock.steady_ms() + fault.delay_ms, lambda: self._publish(api_key, event))
            case FaultName.STREAM_UNKNOWN:
                self._send(api_key, {"e": "NEWS_OF_NEXT_YEAR", "E": event["E"], "x": {"y": [1, None]}})
                self._send(api_key, {**event, "zz": {"new": True}})
            case FaultName.STREAM_GARBLED:
                self._send(api_key, _garbled(event))
            case _:  # STREAM_LOSE
                pass

    def _send(self, api_key: str, event: Row) -> None:
        self._publish(api_key, event)
        self._release()

    def _release(self) -> None:
        held, self._held = self._held, []
        for api_key, event in held:
            self._publish(api_key, event)


def _garbled(event: Row) -> Row:
    """An order's news with a status of next year; any other event without its body."""
    order = event.get("o")
    if isinstance(order, dict):
        return {**event, "o": {**order, "X": "STATUS_OF_NEXT_YEAR"}}
    return {name: value for name, value in event.items() if name in ("e", "E", "T")}
