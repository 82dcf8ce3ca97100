"""What the next line of the log is and which file it belongs to: decided in memory, without a disk.

Deciding this apart from writing is what lets lines queue while the disk fails: a rotation, too, is only a
line.
"""

import msgspec

from .audit_chain import GENESIS, ChainHead, LineParts, compose, day_of, head_mac
from .audit_files import FileName
from .audit_writer import Entry
from .redaction import Redactor

__all__ = ["LineComposer"]


class LineComposer:
    """Builds the entries of one log in order. Not thread-safe: the caller holds a lock.

    Every file starts with a checkpoint: its own name and the chain head before it (with `hmac_key`, an HMAC
    over both), and `state`, or null where there is none.
    """

    def __init__(self, redactor: Redactor, hmac_key: bytes | None) -> None:
        self._redactor = redactor
        self._hmac_key = hmac_key
        self.head: ChainHead = GENESIS
        self.file = FileName("", 0)
        self.file_bytes = 0
        self.file_has_state = False

    def resume(self, file: FileName, head: ChainHead, *, file_bytes: int, has_state: bool) -> None:
        """Go on after `head`, in `file`."""
        self.file, self.head = file, head
        self.file_bytes, self.file_has_state = file_bytes, has_state

    def day_is_over(self, now_us: int) -> bool:
        """Whether the current file belongs to an earlier day. A clock that went back does not make it so."""
        return day_of(now_us) > self.file.day

    def start_file(self, now_us: int, state: bytes | None) -> Entry:
        """The checkpoint that opens the next file; `state` is JSON."""
        self.file = self.file.next(day_of(now_us))
        self.file_bytes, self.file_has_state = 0, state is not None
        fields = {
            "file": str(self.file),
            "head": self.head,
            "state": None if state is None else msgspec.Raw(state),
        }
        if self._hmac_key is not None:
            fields["hmac"] = head_mac(self._hmac_key, self.head, str(self.file))
        return self.line(LineParts("checkpoint", "checkpoint", fields=fields), now_us)

    def line(self, parts: LineParts, now_us: int) -> Entry:
        """The next line, in the current file. Raises ValueError for a field named like a key of the line."""
        data, self.head = compose(self.head, parts, now_us=now_us, redactor=self._redactor)
        self.file_bytes += len(data)
        return Entry(self.head, data, str(self.file))
