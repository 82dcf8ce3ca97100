"""When the exchange's clock, as we estimate it, is set back: what bears a time to come was stamped by the wrong clock.

A start that cannot ask for the time believes the machine's clock, which may be wrong by any amount; once the exchange
has told its own, "since when" would lie ahead, and a position would stay bare until the clock has caught up. So no such
time lies ahead of the clock. How long a lost request may still arrive (`dead_after_ms`, `late_until_ms`) is left alone:
there, too late is safe.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from .state import State

LEAP_MS: Final = 1_000
"""Events may reach the engine out of their order, by less."""

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
_TRIES: Final = ("sent_at_ms", "next_at_ms", "doubted_ms", "given_up_ms")

Stamped = TypeVar("Stamped", bound=msgspec.Struct)


def keep_time(state: State, now_ms: int) -> None:
    """Note what the clock says now; where it was set back, let nothing lie ahead of it."""
    if now_ms >= state.clock_ms - LEAP_MS:
        state.clock_ms = max(state.clock_ms, now_ms)
        return
    state.clock_ms = now_ms
    state.started_ms = min(state.started_ms, now_ms)
    state.stream_since_ms = min(state.stream_since_ms, now_ms)
    for key, view in state.positions.items():
        state.positions[key] = _reached(view, now_ms, "known_at_ms")
    for signal_id, bracket in state.brackets.items():
        closers = tuple(_reached(closer, now_ms, "received_at_ms") for closer in bracket.closers)
        state.brackets[signal_id] = replace(_reached(bracket, now_ms, *_BRACKET), closers=closers)
    for client_id, order in state.orders.items():
        tries = _reached(order.tries, now_ms, *_TRIES)
        state.orders[client_id] = replace(_reached(order, now_ms, "acked_ms", "last_fill_known_ms"), tries=tries)
    for client_id, algo in state.algos.items():
        tries = _reached(algo.tries, now_ms, *_TRIES)
        state.algos[client_id] = replace(_reached(algo, now_ms, "acked_ms"), tries=tries)


def _reached(record: Stamped, now_ms: int, *names: str) -> Stamped:
    """The record with these times no later than now."""
    return replace(record, **{name: now_ms for name in names if (getattr(record, name) or 0) > now_ms})
