"""The comparison itself: what it has to notice, and what one recorded sample cannot tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .shapes import differences, unexplained, unused

ROW = {"symbol": "BTCUSDT", "price": "1.0", "orderId": 1, "maker": True, "note": "", "icebergQuantity": None}
ALIKE: list[tuple[str, Any, Any]] = [
    ("an empty list tells nothing about rows", [], [{"a": 1}]),
    ("an empty text may hold a number", "", "1.0"),
    ("a text may look like a number", "testOrder", "42"),
    ("any number is like any other", "0", "-60000.10"),
    ("rows may be fewer or more", [ROW], [ROW, ROW]),
    ("a row may be like any of several", [{"a": 1}, {"b": "x"}], [{"b": "y"}]),
    ("the order of fields means nothing", {"a": 1, "b": 2}, {"b": 2, "a": 1}),
]
DIFFERENT: list[tuple[str, Any, Any, str]] = [
    ("a field is missing", ROW, {**ROW, "price": "1", "extra": 1}, "extra"),
    ("a field is new", {**ROW, "extra": 1}, ROW, "extra"),
    ("a number for a text", ROW, {**ROW, "price": 1}, "price"),
    ("a text for an integer", ROW, {**ROW, "orderId": "1"}, "orderId"),
    ("an integer for a boolean", ROW, {**ROW, "maker": 1}, "maker"),
    ("a boolean for an integer", ROW, {**ROW, "orderId": True}, "orderId"),
    ("a fraction for an integer", ROW, {**ROW, "orderId": 1.0}, "orderId"),
    ("an exponent", ROW, {**ROW, "price": "1E-7"}, "price"),
    ("no number at all", ROW, {**ROW, "price": ""}, "price"),
    ("nothing in a number's place", ROW, {**ROW, "price": None}, "price"),
    ("something in nothing's place", ROW, {**ROW, "icebergQuantity": "0"}, "icebergQuantity"),
    ("an empty text", {"side": "BUY"}, {"side": ""}, "side"),
    ("no rows", {"bids": [["1", "2"]]}, {"bids": []}, "bids"),
    ("a longer tuple", {"bids": [["1", "2"]]}, {"bids": [["1", "2", "3"]]}, "bids[]"),
    ("a tuple of other types", {"bids": [["1", "2"]]}, {"bids": [["1", 2]]}, "bids[][1]"),
    ("one odd row", [ROW], [ROW, {**ROW, "price": 1}], "[].price"),
    ("a list for an object", {"a": {}}, {"a": []}, "a"),
    ("deep inside", {"a": {"P": [{"ep": "1"}]}}, {"a": {"P": [{"ep": 1}]}}, "a.P[].ep"),
]


@pytest.mark.parametrize(("recorded", "simulated"), [case[1:] for case in ALIKE], ids=[case[0] for case in ALIKE])
def test_alike(recorded: Any, simulated: Any) -> None:
    """One sample cannot rule this out."""
    assert differences(recorded, simulated) == []


@pytest.mark.parametrize(
    ("recorded", "simulated", "field"), [case[1:] for case in DIFFERENT], ids=[case[0] for case in DIFFERENT]
)
def test_different(recorded: Any, simulated: Any, field: str) -> None:
    """Named by its field, and by nothing else."""
    simulated = json.loads(json.dumps(simulated))
    assert [difference.field for difference in differences(recorded, simulated)] == [field]


def test_a_difference_says_which_side_has_what() -> None:
    """So that a failing test needs no second look."""
    found = differences({"a": 1, "b": "1", "d": "x" * 99}, {"b": 1, "c": True, "d": None})
    assert unexplained(found, {"d": "why"}).splitlines() == [
        "a: recorded as an integer (1), not simulated",
        'b: recorded as a number written as text ("1"), simulated as an integer (1)',
        "c: not recorded, simulated as a boolean (true)",
    ]
    assert len(str(found[-1])) < 120


def test_an_exception_that_explains_nothing_is_named() -> None:
    """With its reason."""
    found = differences({"a": 1}, {"a": "1"})
    assert unexplained(found, {"a": "§1"}) == ""
    assert unused(found, {"a": "§1", "b": "§2"}) == "b: is not different (§2)"
