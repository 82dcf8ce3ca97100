"""The shape of a JSON value: its fields and their JSON types, and in what a simulated one differs from a recorded one.

A recorded value is one sample. So an empty list tells nothing about its rows, an empty text may as well hold something,
and a list of many rows tells all the shapes a row can have. A text that holds a number has to hold a number always, and
written as the exchange writes numbers: plain digits, no exponent (`binance-usdm.md §3.0`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_PLAIN_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class Kind(StrEnum):
    """What a JSON value is."""

    NOTHING = "null"
    FLAG = "a boolean"
    INTEGER = "an integer"
    FRACTION = "a number that is no integer"
    NUMBER = "a number written as text"
    TEXT = "a text"
    EMPTY = "an empty text"
    ROWS = "a list"
    FIELDS = "an object"


_TEXTS = frozenset({Kind.NUMBER, Kind.TEXT, Kind.EMPTY})
# What may stand where a kind was recorded, beside the same kind.
_FITTING = {Kind.TEXT: frozenset({Kind.NUMBER}), Kind.EMPTY: _TEXTS}


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not alike; a side that lacks it says so with None."""

    field: str
    recorded: str | None
    simulated: str | None

    def __str__(self) -> str:
        if self.recorded is None:
            return f"{self.field}: not recorded, simulated as {self.simulated}"
        if self.simulated is None:
            return f"{self.field}: recorded as {self.recorded}, not simulated"
        return f"{self.field}: recorded as {self.recorded}, simulated as {self.simulated}"


def kind_of(value: Any) -> Kind:
    """Name the kind of a value."""
    match value:
        case None:
            return Kind.NOTHING
        case bool():
            return Kind.FLAG
        case int():
            return Kind.INTEGER
        case "":
            return Kind.EMPTY
        case str():
            return Kind.NUMBER if _PLAIN_NUMBER.fullmatch(value) else Kind.TEXT
        case list():
            return Kind.ROWS
        case dict():
            return Kind.FIELDS
    return Kind.FRACTION


def differences(recorded: Any, simulated: Any, at: str = "") -> list[Difference]:
    """Say in what a simulated value is not like a recorded one: each field once, in the order of its name."""
    found = {difference.field: difference for difference in _differences(recorded, simulated, at)}
    return [found[field] for field in sorted(found)]


def _differences(recorded: Any, simulated: Any, at: str) -> Iterable[Difference]:
    expected, got = kind_of(recorded), kind_of(simulated)
    if got is not expected and got not in _FITTING.get(expected, frozenset()):
        yield Difference(at, _describe(recorded), _describe(simulated))
    elif isinstance(recorded, dict):
        yield from _field_differences(recorded, simulated, at)
    elif isinstance(recorded, list) and recorded:
        yield from _row_differences(recorded, simulated, at)


def _field_differences(recorded: dict[str, Any], simulated: dict[str, Any], at: str) -> Iterable[Difference]:
    for name in {**recorded, **simulated}:
        field = f"{at}.{name}" if at else name
        if name not in simulated:
            yield Difference(field, _describe(recorded[name]), None)
        elif name not in recorded:
            yield Difference(field, None, _describe(simulated[name]))
        else:
            yield from _differences(recorded[name], simulated[name], field)


def _row_differences(recorded: list[Any], simulated: list[Any], at: str) -> Iterable[Difference]:
    if not simulated:
        yield Difference(at, f"{len(recorded)} rows", "no rows")
    for row in simulated:
        yield from _closest(recorded, row, f"{at}[]")


def _closest(recorded: list[Any], row: Any, at: str) -> list[Difference]:
    """Compare a row with the recorded one that it resembles most."""
    closest: list[Difference] | None = None
    for sample in recorded:
        is_tuple = isinstance(sample, list) and isinstance(row, list)
        found = _tuple_differences(sample, row, at) if is_tuple else differences(sample, row, at)
        if not found:
            return []
        if closest is None or len(found) < len(closest):
            closest = found
    return closest or []


def _tuple_differences(recorded: list[Any], simulated: list[Any], at: str) -> list[Difference]:
    """Compare a list within a list, whose places have meanings."""
    if len(recorded) != len(simulated):
        return [Difference(at, f"{len(recorded)} values", f"{len(simulated)} values")]
    pairs = zip(recorded, simulated, strict=True)
    return [found for place, (one, other) in enumerate(pairs) for found in differences(one, other, f"{at}[{place}]")]


def _describe(value: Any) -> str:
    text = json.dumps(value)
    return f"{kind_of(value)} ({text if len(text) <= 40 else text[:40] + '…'})"


def unexplained(found: Iterable[Difference], allowed: Mapping[str, str]) -> str:
    """Name the differences that no entry (field → why) explains, one per line."""
    return "\n".join(str(difference) for difference in found if difference.field not in allowed)


def unused(found: Iterable[Difference], allowed: Mapping[str, str]) -> str:
    """Name the entries that explain nothing, one per line."""
    different = {difference.field for difference in found}
    return "\n".join(f"{field}: is not different ({why})" for field, why in allowed.items() if field not in different)


def keyed(rows: list[dict[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    """Turn rows that differ by design into an object, named by one of their fields."""
    return {row[name]: row for row in rows}
