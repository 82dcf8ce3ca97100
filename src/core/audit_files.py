"""The files of an audit log: their names and order, how lines are read from them, and the head anchor.

`audit-2026-11-21.jsonl` is followed by `audit-2026-11-21.1.jsonl`, `.2`, … and then by the next day's. The
order of the names is the order of the chain.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from .audit_chain import AuditLine, ChainHead, LineDamaged, head_mac, parse

__all__ = [
    "ANCHOR_NAME",
    "LOCK_NAME",
    "Anchor",
    "AnchorFile",
    "FileName",
    "is_replay_start",
    "iter_lines",
    "log_files",
    "raw_lines",
    "read_anchor",
    "read_since_checkpoint",
]

ANCHOR_NAME = "audit.head"
LOCK_NAME = "audit.lock"

_NAME = re.compile(r"audit-(\d{4}-\d{2}-\d{2})(?:\.([1-9]\d*))?\.jsonl")
_ANCHOR_BYTES = 256  # one small write at offset 0, inside one disk sector: never seen half old, half new


class FileName(NamedTuple):
    """A log file's name in parts; sorts in chain order."""

    day: str
    part: int

    def __str__(self) -> str:
        return f"audit-{self.day}.jsonl" if self.part == 0 else f"audit-{self.day}.{self.part}.jsonl"

    @classmethod
    def parse(cls, name: str) -> "FileName | None":
        found = _NAME.fullmatch(name)
        return cls(found[1], int(found[2] or 0)) if found else None

    @classmethod
    def of(cls, path: Path) -> "FileName":
        """The parts of a log file's name. Raises ValueError for another file."""
        name = cls.parse(path.name)
        if name is None:
            raise ValueError(f"not an audit log file: {path}")
        return name

    def next(self, day: str) -> "FileName":
        """The name that follows on `day`; never an older day's, so that a clock gone back keeps the order."""
        return FileName(day, 0) if day > self.day else FileName(self.day, self.part + 1)


def log_files(log_dir: Path) -> list[Path]:
    """The log files of a folder in chain order; other files are ignored."""
    named = [(name, path) for path in log_dir.iterdir() if (name := FileName.parse(path.name)) is not None]
    return [path for _, path in sorted(named)]


def raw_lines(path: Path) -> Iterator[bytes]:
    """The lines of one file as they are, each with its newline (a torn last one without)."""
    with path.open("rb") as file:
        yield from file


def is_replay_start(line: AuditLine) -> bool:
    """Whether replay may begin here: a checkpoint that carries a state."""
    return line.record == "checkpoint" and line.fields.get("state") is not None


def iter_lines(
    source: Path | str,
    *,
    symbol: str | None = None,
    signal_id: str | None = None,
    event_type: str | None = None,
    client_order_id: str | None = None,
) -> Iterator[AuditLine]:
    """The decoded lines of a file or a whole folder, in order, that match every filter given.

    Reads, does not judge: lines that are damaged are skipped (`verify` names them).
    """
    path = Path(source)
    for file in log_files(path) if path.is_dir() else [path]:
        for raw in raw_lines(file):
            try:
                line, _ = parse(raw.rstrip(b"\n"))
            except LineDamaged:
                continue
            if (
                symbol in (None, line.symbol)
                and signal_id in (None, line.signal_id)
                and event_type in (None, line.event_type)
                and client_order_id in (None, line.client_order_id)
            ):
                yield line


def read_since_checkpoint(
    log_dir: Path | str, *, newest: Path | None = None, last_seq: int | None = None
) -> Iterator[AuditLine]:
    """The lines to replay: from the last checkpoint that carries a state on, that checkpoint first; as far as the file
    `newest` and the line `last_seq`, where those are given.

    That is one file as a rule. A rotation in the middle of a step writes a checkpoint without a state; then
    the file before it is read too. Without any state, everything is.

    Raises:
        LineDamaged: a line cannot be read (an opened log has none).
    """
    replay: list[Path] = []
    files = [file for file in log_files(Path(log_dir)) if newest is None or file.name <= newest.name]
    for file in reversed(files):
        replay.insert(0, file)
        first = next(raw_lines(file), b"")
        if first and is_replay_start(parse(first.rstrip(b"\n"))[0]):
            break
    for file in replay:
        for raw in raw_lines(file):
            line, _ = parse(raw.rstrip(b"\n"))
            yield line
            if line.seq == last_seq:
                return


class Anchor(msgspec.Struct, frozen=True):
    """What the head anchor says: the last durable line, keyed when the log is."""

    seq: int
    hash: str
    hmac: str | None = None

    @property
    def head(self) -> ChainHead:
        return ChainHead(self.seq, self.hash)


class AnchorFile:
    """Keeps `audit.head` at the last durable line, so that a log cut at its end shows.

    It is written after the lines are synced and not synced itself: a crash can leave it behind, never ahead.
    """

    def __init__(self, log_dir: Path, hmac_key: bytes | None) -> None:
        self._key = hmac_key
        self._path = log_dir / ANCHOR_NAME
        self._fd: int | None = None  # opened when it is first written: a log can be read where nothing can be written

    def write(self, head: ChainHead) -> None:
        """Point at `head`. Raises OSError."""
        mac = head_mac(self._key, head, ANCHOR_NAME) if self._key is not None else None
        text = msgspec.json.encode(Anchor(head.seq, head.hash, mac)).ljust(_ANCHOR_BYTES - 1) + b"\n"
        if self._fd is None:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.pwrite(self._fd, text, 0)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)


def read_anchor(log_dir: Path) -> Anchor | None:
    """The anchor of a folder; None when there is none or it is empty.

    Raises:
        msgspec.MsgspecError: it is not readable as an anchor.
    """
    try:
        text = (log_dir / ANCHOR_NAME).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(text, type=Anchor) if text.strip() else None
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(str(error)) from error
