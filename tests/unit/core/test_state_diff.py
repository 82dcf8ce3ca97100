"""Differences between two documents, field by field."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bracketeer.core.state_diff import DIFFERENCES_MAX, Difference, differences

UNSET = msgspec.UNSET


@pytest.mark.parametrize(
    ("recorded", "replayed", "found"),
    [
        ({"a": 1, "b": [1, {"c": "x"}]}, {"a": 1, "b": [1, {"c": "x"}]}, []),
        ({"a": 1}, {"a": 2}, [(("a",), 1, 2)]),
        ({"a": {"b": "1"}}, {"a": {"b": "1.0"}}, [(("a", "b"), "1", "1.0")]),
        ({"a": 1}, {}, [(("a",), 1, UNSET)]),
        ({}, {"a": None}, [(("a",), UNSET, None)]),
        ([1, 2], [1], [((1,), 2, UNSET)]),
        ({"a": True}, {"a": 1}, [(("a",), True, 1)]),
        ({"a": None}, {"a": {}}, [(("a",), None, {})]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, [(("order of the members",), ["a", "b"], ["b", "a"])]),
    ],
)
def test_names_each_field(recorded: Any, replayed: Any, found: list[tuple[Any, Any, Any]]) -> None:
    """The path, and both values; one side may lack it; the order counts."""
    expected = tuple(Difference(path=path, recorded=left, replayed=right) for path, left, right in found)
    assert differences(recorded, replayed) == expected


def test_lists_the_first_ones() -> None:
    """A state has thousands of fields."""
    assert len(differences(dict.fromkeys(range(1000)), {})) == DIFFERENCES_MAX
