"""The switches of ``profiles`` as people write them: ``reduce_only_algo_needs_position=true``."""

import dataclasses
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

from .profiles import Switches

_WORDS = {"true": True, "false": False}


def names() -> list[str]:
    """Every switch."""
    return [field.name for field in dataclasses.fields(Switches)]


def turned(switches: Switches, changes: Mapping[str, object]) -> Switches:
    """Give switches with some of them set otherwise; values may be text. What makes no sense raises ``ValueError``."""
    known = {name: getattr(switches, name) for name in names()}
    for name in changes:
        if name not in known:
            raise ValueError(f"no such switch: {name}; there are {', '.join(known)}")
    values: dict[str, Any] = {name: _read(name, known[name], value) for name, value in changes.items()}
    return dataclasses.replace(switches, **values)


def read_pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    """Read ``NAME=VALUE``, as on a command line."""
    found = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise ValueError(f"a switch is written NAME=VALUE, not {pair}")
        found[name.strip()] = value.strip()
    return found


def rows(switches: Switches) -> dict[str, object]:
    """Show every switch."""
    values = {name: getattr(switches, name) for name in names()}
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in values.items()}


def _read(name: str, present: Any, value: object) -> object:
    text = str(value).strip().lower()
    try:
        if isinstance(present, bool):
            return _WORDS[text]
        if isinstance(present, Enum):
            return type(present)(text)
        return str(value) if isinstance(present, str) else type(present)(text)
    except (KeyError, ValueError, InvalidOperation):
        raise ValueError(f"{name} cannot be {value}; it is {present} now") from None
