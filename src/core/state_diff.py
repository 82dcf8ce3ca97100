"""Where two documents differ, field by field: for people who have to find out why a replay is not the same."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import msgspec

__all__ = ["DIFFERENCES_MAX", "Difference", "differences"]

DIFFERENCES_MAX: Final = 50
"""How many are listed: the first ones say what went wrong, and a state has thousands of fields."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One field: its path, and both values. A side that lacks the field leaves its value out."""

    path: tuple[str | int, ...]
    recorded: Any = msgspec.UNSET
    replayed: Any = msgspec.UNSET


def differences(recorded: Any, replayed: Any) -> tuple[Difference, ...]:
    """The first differences between two values as JSON holds them, in the order of their fields.

    Members in another order are a difference too: what is oldest decides what is forgotten first.
    """
    return tuple(islice(_walk((), recorded, replayed), DIFFERENCES_MAX))


def _walk(path: tuple[str | int, ...], recorded: Any, replayed: Any) -> Iterator[Difference]:
    if isinstance(recorded, dict) and isinstance(replayed, dict):
        yield from _members(path, recorded, replayed)
    elif isinstance(recorded, list) and isinstance(replayed, list):
        yield from _members(path, dict(enumerate(recorded)), dict(enumerate(replayed)))
    elif type(recorded) is not type(replayed) or recorded != replayed:
        yield Difference(path=path, recorded=recorded, replayed=replayed)


def _members(path: tuple[str | int, ...], recorded: dict[Any, Any], replayed: dict[Any, Any]) -> Iterator[Difference]:
    for key, value in recorded.items():
        if key not in replayed:
            yield Difference(path=(*path, key), recorded=value)
        else:
            yield from _walk((*path, key), value, replayed[key])
    for key, value in replayed.items():
        if key not in recorded:
            yield Difference(path=(*path, key), replayed=value)
    if recorded.keys() == replayed.keys() and list(recorded) != list(replayed):
        yield Difference(path=(*path, "order of the members"), recorded=list(recorded), replayed=list(replayed))
