"""A moment of a running manager, bound to its place in the audit log, for a replay to be held against."""

from __future__ import annotations

from typing import Self

import msgspec

from .audit_chain import ChainHead, encode_state
from .errors import BracketeerError
from .state import State

__all__ = ["Snapshot", "SnapshotError"]


class SnapshotError(BracketeerError):
    """A snapshot cannot be used: `snapshot_unreadable`, `snapshot_damaged`, or, held against a log,
    `snapshot_of_another_log` and `snapshot_out_of_reach`."""

    default_code = "snapshot_unreadable"


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The state in memory after everything up to line `seq` of the log; `hash` is that line's own."""

    seq: int
    hash: str
    fingerprint: str
    state: State

    @classmethod
    def of(cls, head: ChainHead, state: State) -> Self:
        """The snapshot of a state that no later step changes."""
        return cls(seq=head.seq, hash=head.hash, fingerprint=state.fingerprint(), state=state)

    def to_json(self) -> str:
        """One JSON object; Decimals are strings."""
        return encode_state(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            SnapshotError: it is no snapshot, or its state does not give its fingerprint.
        """
        try:
            snapshot = msgspec.json.decode(text, type=cls)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise SnapshotError(f"this is no snapshot of a manager: {error}") from None
        if snapshot.state.fingerprint() != snapshot.fingerprint:
            raise SnapshotError(
                "the snapshot's state does not give its fingerprint: it was changed, or another version wrote it",
                code="snapshot_damaged",
                version=snapshot.state.version,
            )
        return snapshot
