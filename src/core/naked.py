"""Unprotected time of a bracket, on the exchange's clock: from the first fill to the first live stop, and the worst gap
after that."""

from __future__ import annotations

from typing import Any

import msgspec

from .bracket import Bracket


class NakedTime(msgspec.Struct, frozen=True, kw_only=True):
    """Lengths in ms; a gap that lasts counts up to the moment asked about.

    `first_ms` is None before there was a position; `now_ms` is the age of the present gap, 0 while a stop is live.
    """

    first_ms: int | None
    later_ms: int
    worst_ms: int
    now_ms: int


def naked_time(bracket: Bracket, at_ms: int) -> NakedTime:
    """What is known at an instant of the exchange's clock."""
    now_ms = 0 if bracket.naked_since_ms is None else max(0, at_ms - bracket.naked_since_ms)
    first_ms, later_ms = bracket.naked_first_ms, bracket.naked_later_ms
    if bracket.naked_since_ms is not None:
        if first_ms is None:
            first_ms = now_ms
        else:
            later_ms = max(later_ms, now_ms)
    return NakedTime(first_ms=first_ms, later_ms=later_ms, worst_ms=max(first_ms or 0, later_ms), now_ms=now_ms)


def gap_ended(bracket: Bracket, since_ms: int, until_ms: int) -> dict[str, Any]:
    """What changes in a bracket when a gap ends. A stop that was live before the fill leaves none."""
    length_ms = max(0, until_ms - since_ms)
    changes: dict[str, Any] = {"naked_since_ms": None, "naked_known_ms": None}
    if bracket.naked_first_ms is None:
        return {**changes, "naked_first_ms": length_ms}
    return {**changes, "naked_later_ms": max(bracket.naked_later_ms, length_ms)}


def stop_is_live(bracket: Bracket, live_ms: int, first_fill_ms: int | None) -> dict[str, Any]:
    """What changes in a bracket whose stop lives since `live_ms`. Both ends of the first gap are the exchange's."""
    first_live_ms = live_ms if bracket.stop_live_ms is None else bracket.stop_live_ms
    changes: dict[str, Any] = {"stop_live_ms": first_live_ms}
    if bracket.naked_since_ms is not None:
        begun_ms = first_fill_ms if bracket.naked_first_ms is None else None
        changes |= gap_ended(bracket, bracket.naked_since_ms if begun_ms is None else begun_ms, live_ms)
    if first_fill_ms is not None:
        # A print told late may be the first one: the gap began with it, though the stop has been live since.
        known_ms = changes.get("naked_first_ms", bracket.naked_first_ms) or 0
        changes["naked_first_ms"] = max(known_ms, first_live_ms - first_fill_ms)
    return changes
