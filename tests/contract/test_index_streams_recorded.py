"""Indices and contract news of the simulated exchange have the fields and JSON types of the recorded ones."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.simulator.desk import Desk
from tests.unit.simulator.test_connections import Client

from .scene import ABSENT, FIXTURES, entries, recorded, stem
from .shapes import differences, unexplained

if not (FIXTURES / "index.json").exists():
    pytest.skip(ABSENT, allow_module_level=True)

COVERED = {"assetIndex", "assetIndexUpdate", "compositeIndex", "contractInfo"}

STREAMS = [
    ("!assetIndex@arr", "assetIndexUpdate__official_docs_arr"),
    ("defiusdt@compositeIndex", "compositeIndex__official_docs"),
    ("!contractInfo", "contractInfo__official_docs"),
]


def heard(name: str) -> list[Any]:
    """Listen to one stream while a second passes and a contract ends."""
    desk = Desk()
    client = Client(desk, f"/market/ws/{name}")
    desk.now_ms += 1000
    desk.exchange.tick()
    desk.exchange.delist("BTCUSDT")
    assert client.heard
    return client.heard


@pytest.mark.parametrize(("name", "payload"), STREAMS)
def test_event_has_the_recorded_shape(name: str, payload: str) -> None:
    """Same fields, same JSON types."""
    for message in heard(name):
        assert not unexplained(differences(recorded("ws", payload), message), {})


def test_the_index_of_one_asset_is_a_row_of_the_list() -> None:
    """The same event without the list around it."""
    (sample,) = recorded("ws", "assetIndexUpdate__official_docs_arr")
    for message in heard("adausd@assetIndex"):
        assert not unexplained(differences(sample, message), {})


def test_answer_has_the_recorded_shape() -> None:
    """One asset, and as a row of all."""
    desk, sample = Desk(), recorded("rest", "assetIndex__docs")
    path = "/fapi/v1/assetIndex"
    assert not unexplained(differences(sample, desk.public(path, "symbol=ADAUSD").json), {})
    assert not unexplained(differences([sample], desk.public(path).json), {})


def test_every_recorded_payload_is_compared() -> None:
    """No payload of these kinds is forgotten."""
    assert {stem(entry) for entry in entries(COVERED)} == {payload for _, payload in STREAMS} | {"assetIndex__docs"}
