"""Proving an audit log: reads every line and names each place where the chain does not hold."""

import hmac
from pathlib import Path
from typing import Final

import msgspec

from .audit_chain import GENESIS, AuditLine, ChainHead, LineDamaged, head_mac, parse
from .audit_files import ANCHOR_NAME, Anchor, log_files, raw_lines, read_anchor

__all__ = ["Problem", "VerifyReport", "verify"]

PROBLEMS_MAX: Final = 1000  # a log that is noise from end to end should not fill the memory


class Problem(msgspec.Struct, frozen=True):
    """One finding. `line_number` counts from 1 in `file`; `seq` is the line's, or the last good one's.

    Codes: `bad_line`, `hash_mismatch`, `chain_broken`, `seq_gap`, `seq_backwards`, `no_checkpoint`,
    `checkpoint_mismatch`, `file_renamed`, `hmac_mismatch`, `empty_file`, `torn_tail`, `truncated`,
    `tail_missing`, `head_mismatch`, `head_missing`, `no_lines`.
    """

    file: str
    line_number: int
    seq: int | None
    code: str
    text: str


class VerifyReport(msgspec.Struct, frozen=True):
    """What `verify` read, and everything wrong with it."""

    ok: bool
    files: int
    lines: int
    head_seq: int
    head_hash: str
    problems: tuple[Problem, ...]


def verify(source: Path | str, *, hmac_key: bytes | None = None) -> VerifyReport:
    """Check a whole log folder, or one file on its own (its first line then says where the chain stands).

    With `hmac_key` the keyed checkpoints and the head anchor are checked too, which shows a log rewritten as
    a whole. Never changes anything and may run beside a writer; it can then see the last line half written
    (`torn_tail`).

    Raises:
        OSError: the path cannot be read.
    """
    path = Path(source)
    log_dir, whole = (path, True) if path.is_dir() else (path.parent, False)
    verifier = _Verifier(hmac_key, whole=whole)
    # The anchor before the lines: a writer at work moves it on meanwhile, but never back.
    verifier.load_anchor(log_dir)
    in_order = log_files(log_dir)
    files = in_order if whole else [path]
    for file in files:
        verifier.read(file, newest=file == files[-1])
    if whole or files == in_order[-1:]:
        verifier.check_end(log_dir)
    return VerifyReport(
        ok=not verifier.problems,
        files=len(files),
        lines=verifier.lines,
        head_seq=verifier.head.seq,
        head_hash=verifier.head.hash,
        problems=tuple(verifier.problems),
    )


class _Verifier:
    """Walks the lines in order.

    After a fault it goes on from what the faulty line states, so that one change is one finding (or two,
    where it breaks two promises) and not one for every later line.
    """

    def __init__(self, hmac_key: bytes | None, *, whole: bool) -> None:
        self._key = hmac_key
        self._whole = whole
        self._anchor: Anchor | None = None
        self._met = False  # the line that the anchor names was read
        self._file = ""
        self._number = 0
        self._started = whole  # one file alone is taken to continue whatever its first line says
        self._real_hash = GENESIS.hash  # what the previous line's bytes hash to, whatever it states
        self.head = GENESIS
        self.lines = 0
        self.problems: list[Problem] = []

    def load_anchor(self, log_dir: Path) -> None:
        self._file, self._number = ANCHOR_NAME, 1
        try:
            self._anchor = read_anchor(log_dir)
        except msgspec.MsgspecError as error:
            self._report("head_mismatch", f"the head anchor is unreadable: {error}", None)
        anchor = self._anchor
        if anchor and not self._signed(anchor.head, ANCHOR_NAME, anchor.hmac):
            self._report("hmac_mismatch", "the head anchor is not signed with this key", anchor.seq)

    def read(self, file: Path, *, newest: bool) -> None:
        self._file, self._number = file.name, 0
        for self._number, raw in enumerate(raw_lines(file), start=1):
            if raw.endswith(b"\n"):
                self._line(raw[:-1])
            elif newest:
                self._report("torn_tail", "the last line has no end", self.head.seq)
            else:
                self._report("truncated", "the file is cut in the middle of a line", self.head.seq)
        if self._number == 0:
            self._report("empty_file", "the file holds no line", self.head.seq)

    def check_end(self, log_dir: Path) -> None:
        """The log must reach the line the head anchor names."""
        if not self.lines:
            self._file, self._number = log_dir.name, 0
            self._report("no_lines", "there is no audit log here", None)
        if self._anchor is None:
            if self._whole and self.lines and not self.problems:
                text = f"there is no {ANCHOR_NAME}, so a missing end would not show"
                self._report("head_missing", text, self.head.seq)
        elif self._anchor.seq > self.head.seq:
            text = f"the log ends with line {self.head.seq}, but line {self._anchor.seq} was on disk"
            self._report("tail_missing", text, self.head.seq)
        elif self._whole and not self._met and not self.problems:
            self._file, self._number = ANCHOR_NAME, 1
            self._report("head_mismatch", f"line {self._anchor.seq}, which the head anchor names, is not there", None)

    def _line(self, raw: bytes) -> None:
        self.lines += 1
        try:
            line, real_hash = parse(raw)
        except LineDamaged as error:
            self._report("bad_line", str(error), self.head.seq + 1)
            # Its number is taken, its hash unknown: the next line's word has to do.
            self.head, self._real_hash = ChainHead(self.head.seq + 1, ""), ""
            return
        self._check_chain(line, real_hash)
        if self._number == 1:
            self._check_checkpoint(line)
        if self._anchor and line.seq == self._anchor.seq:
            self._met = True
            if line.hash != self._anchor.hash:
                self._report("head_mismatch", "this is not the line the head anchor names", line.seq)
        self.head, self._real_hash = ChainHead(line.seq, line.hash), real_hash

    def _check_chain(self, line: AuditLine, real_hash: str) -> None:
        if not self._started:
            self._started = True
            self.head = ChainHead(line.seq - 1, line.prev_hash)
        expected = self.head.seq + 1
        if line.hash != real_hash:
            self._report("hash_mismatch", "the line was changed: its bytes do not give its hash", line.seq)
        elif line.seq > expected:
            count = line.seq - expected
            self._report("seq_gap", f"{count} missing before line {line.seq}, from {expected} on", line.seq)
        elif line.seq < expected:
            self._report("seq_backwards", f"line {line.seq} stands where line {expected} belongs", line.seq)
        elif self.head.hash and line.prev_hash not in (self.head.hash, self._real_hash):
            self._report("chain_broken", f"the line does not continue line {self.head.seq}", line.seq)

    def _check_checkpoint(self, line: AuditLine) -> None:
        if line.record != "checkpoint":
            self._report("no_checkpoint", "the file does not start with a checkpoint", line.seq)
            return
        try:
            stated = msgspec.convert(line.fields.get("head"), ChainHead)
        except msgspec.ValidationError:
            stated = None
        if stated != ChainHead(line.seq - 1, line.prev_hash):
            self._report("checkpoint_mismatch", "the checkpoint names another chain head", line.seq)
        elif line.fields.get("file") != self._file:
            self._report("file_renamed", f"the file was written as {line.fields.get('file')}", line.seq)
        elif not self._signed(stated, self._file, line.fields.get("hmac")):
            self._report("hmac_mismatch", "the checkpoint is not signed with this key", line.seq)

    def _signed(self, head: ChainHead, label: str, stated: object) -> bool:
        if self._key is None:
            return True
        expected = head_mac(self._key, head, label)
        return isinstance(stated, str) and hmac.compare_digest(stated.encode(), expected.encode())

    def _report(self, code: str, text: str, seq: int | None) -> None:
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(Problem(self._file, self._number, seq, code, text))
