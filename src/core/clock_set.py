"""When our estimate of the exchange's clock is set: times of our own that the wrong clock stamped are set with it.

A start that cannot ask for the time believes the machine's clock, which may be wrong by any amount. Once the exchange
has told its own, "since when" would lie ahead, and a position would stay bare until the clock has caught up; or it
would lie far back, and a position would be closed whose stop is on its way. How long a lost request may still arrive
(`dead_after_ms`, `late_until_ms`) is left alone: there, too late is safe.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from .events import ClockSet
from .turn import Turn

_BRACKET: Final = (
    "received_at_ms",
    "flat_asked_ms",
    "naked_since_ms",
    "naked_known_ms",
    "presumed_since_ms",
    "disagree_since_ms",
    "trades_known_ms",
    "flat_since_ms",
    "swept_ms",
    "next_look_ms",
    "wake_ms",
)
_TRIES: Final = ("sent_at_ms", "next_at_ms", "absent_ms", "absent_before_ms", "doubted_ms", "given_up_ms")

Stamped = TypeVar("Stamped", bound=msgspec.Struct)


def clock_set(turn: Turn, event: ClockSet) -> None:
    """Set what this process has stamped. On a clock that was ahead that is all from its start on; on one that was
    behind it cannot be told from what was stamped before, but deadlines count from the start, and that is set."""
    state, by_ms, from_ms = turn.state, event.by_ms, turn.state.started_ms
    state.started_ms = from_ms + by_ms
    if by_ms > 0:
        return
    if state.stream_since_ms >= from_ms:
        state.stream_since_ms += by_ms
    for key, view in state.positions.items():
        state.positions[key] = _set(view, from_ms, by_ms, "known_at_ms")
    for signal_id, bracket in state.brackets.items():
        closers = tuple(_set(closer, from_ms, by_ms, "received_at_ms") for closer in bracket.closers)
        state.brackets[signal_id] = replace(_set(bracket, from_ms, by_ms, *_BRACKET), closers=closers)
    for client_id, order in state.orders.items():
        tries = _set(order.tries, from_ms, by_ms, *_TRIES)
        state.orders[client_id] = replace(_set(order, from_ms, by_ms, "acked_ms", "last_fill_known_ms"), tries=tries)
    for client_id, algo in state.algos.items():
        tries = _set(algo.tries, from_ms, by_ms, *_TRIES)
        state.algos[client_id] = replace(_set(algo, from_ms, by_ms, "acked_ms"), tries=tries)


def _set(record: Stamped, from_ms: int, by_ms: int, *names: str) -> Stamped:
    """The record with these times moved, as far as they were stamped from then on."""
    stamped = {name: value for name in names if (value := getattr(record, name)) is not None and value >= from_ms}
    return replace(record, **{name: value + by_ms for name, value in stamped.items()})
