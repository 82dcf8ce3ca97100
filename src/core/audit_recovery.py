"""Finding the end of an existing log, where a power cut may have left a torn one.

Only what was never promised durable counts as torn. It is handed back to be recorded, and cut off by the writer when
the disk lets it: a log can be read where nothing can be written. Any other damage is refused: replaying a log that was
changed would rebuild a state that never was.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from .audit_chain import GENESIS, AuditLine, ChainHead, LineDamaged, parse
from .audit_files import is_replay_start, log_files, raw_lines, read_anchor, read_since_checkpoint
from .errors import AuditError

__all__ = ["LogEnd", "OpenResult", "find_end"]

_REMOVED_TEXT_MAX = 4096
_ADVICE = (
    "run `bracketeer audit verify`, keep the folder as evidence, "
    "and start with an empty AUDIT_LOG_DIR; what is open is nobody's then: EXTERNAL_POSITION_CLAIMS has it guarded"
)


class OpenResult(NamedTuple):
    """What opening a log found: `fresh`, it was empty; `removed_bytes`, the length of a torn tail that goes."""

    log_dir: Path
    file: Path | None
    fresh: bool
    head: ChainHead
    removed_bytes: int

    def lines(self) -> Iterator[AuditLine]:
        """The lines to replay, from the last checkpoint that carries a state on; not the torn tail."""
        return read_since_checkpoint(self.log_dir, newest=self.file, last_seq=self.head.seq)


class LogEnd(NamedTuple):
    """Where a log ends: in no file when it is empty, else `length` bytes into one; `removed` is what is torn there, and
    in the files behind it, which are `spare`: no line of theirs was ever whole."""

    file: Path | None
    spare: tuple[Path, ...]
    length: int
    head: ChainHead
    has_state: bool
    """Whether the file begins with a state to replay from."""
    removed: bytes

    def removal(self) -> dict[str, Any]:
        """What was cut off, for the record."""
        text = self.removed[:_REMOVED_TEXT_MAX].decode("utf-8", "backslashreplace")
        return {"removed_bytes": len(self.removed), "removed_text": text}


class _Scan(NamedTuple):
    """The intact part of a file: the head it leads to, its length in bytes, and what is wrong after it."""

    head: ChainHead
    length: int
    has_state: bool
    damage: str | None


def find_end(log_dir: Path) -> LogEnd:
    """Find the chain's head in the newest file that has a line, before a torn tail.

    Torn is what a power cut leaves of lines that were not synced: no newline at the end, or blocks of zero
    bytes (a line never holds one), after the line the head anchor names.

    Raises:
        AuditError: the log is damaged (`audit_damaged`) or durable lines are missing (`audit_tail_missing`).
        OSError: a file cannot be read.
    """
    promised = _promised(log_dir)
    removed = b""
    spare: list[Path] = []
    files = log_files(log_dir)
    while files:
        file = files.pop()
        scan = _scan(file)
        if scan.damage is not None:
            removed = _torn(file, scan, promised) + removed
        if scan.length:
            _require_reached(promised, scan.head, file)
            return LogEnd(file, tuple(spare), scan.length, scan.head, scan.has_state, removed)
        spare.append(file)  # a rotation that got no line written: its predecessor is the end
    _require_reached(promised, GENESIS, log_dir)
    return LogEnd(None, tuple(spare), 0, GENESIS, has_state=False, removed=removed)


def _promised(log_dir: Path) -> ChainHead:
    try:
        anchor = read_anchor(log_dir)
    except msgspec.MsgspecError as error:
        raise AuditError(
            f"the head anchor is unreadable: {_ADVICE}",
            code="audit_damaged",
            file=str(log_dir / "audit.head"),
        ) from error
    return anchor.head if anchor else GENESIS


def _scan(file: Path) -> _Scan:
    head, length, has_state = GENESIS, 0, False
    for raw in raw_lines(file):
        try:
            line, digest = parse(raw.removesuffix(b"\n"))
        except LineDamaged as error:
            return _Scan(head, length, has_state, str(error))
        follows = length == 0 or (line.seq == head.seq + 1 and line.prev_hash == head.hash)
        if not (follows and digest == line.hash and raw.endswith(b"\n")):
            return _Scan(head, length, has_state, "the line breaks the hash chain or has no end")
        has_state = has_state or is_replay_start(line)
        head = ChainHead(line.seq, line.hash)
        length += len(raw)
    return _Scan(head, length, has_state, None)


def _torn(file: Path, scan: _Scan, promised: ChainHead) -> bytes:
    with file.open("rb") as log:
        log.seek(scan.length)
        tail = log.read()
    torn = b"\n" not in tail or b"\0" in tail
    if not torn or promised.seq > scan.head.seq > 0:
        raise AuditError(
            f"the audit log is damaged: {_ADVICE}",
            code="audit_damaged",
            file=str(file),
            after_seq=scan.head.seq,
            reason=scan.damage,
        )
    return tail


def _require_reached(promised: ChainHead, head: ChainHead, place: Path) -> None:
    if promised.seq > head.seq:
        raise AuditError(
            f"lines that were durable are missing at the end of the audit log: {_ADVICE}",
            code="audit_tail_missing",
            file=str(place),
            last_seq=head.seq,
            promised_seq=promised.seq,
        )
    if promised.seq == head.seq and promised.hash != head.hash:
        raise AuditError(
            f"the last line is not the one the head anchor names: {_ADVICE}",
            code="audit_damaged",
            file=str(place),
            seq=head.seq,
        )
