"""A snapshot as JSON, and back."""

from __future__ import annotations

import pytest

from bracketeer.core.audit_chain import ChainHead
from bracketeer.core.snapshot import Snapshot, SnapshotError
from tests.support.stories import Story


def _snapshot() -> Snapshot:
    return Snapshot.of(ChainHead(7, "f" * 64), Story().protected().state)


def test_reads_back_what_it_wrote() -> None:
    """Nothing is lost on the way through JSON."""
    snapshot = _snapshot()
    read = Snapshot.from_json(snapshot.to_json())
    assert read == snapshot
    assert read.state.encode() == snapshot.state.encode()


@pytest.mark.parametrize("text", ["", "{}", "no JSON", b"\xff", '{"seq": 1}'])
def test_other_text_is_refused(text: str | bytes) -> None:
    """A file that is no snapshot is said to be none."""
    with pytest.raises(SnapshotError) as caught:
        Snapshot.from_json(text)
    assert caught.value.code == "snapshot_unreadable"


def test_a_changed_state_is_refused() -> None:
    """Its fingerprint is its own proof."""
    with pytest.raises(SnapshotError) as caught:
        Snapshot.from_json(_snapshot().to_json().replace('"58000"', '"57000"'))
    assert caught.value.code == "snapshot_damaged"
