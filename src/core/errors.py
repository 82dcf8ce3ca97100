"""The exceptions of Bracketeer: one small tree, every leaf with a stable code.

    BracketeerError
    └── AuditError
        ├── AuditLocked          another process writes this log
        └── JournalError         the journal cannot take or keep a line
            └── JournalUnavailable   the line is not on disk (yet)
    └── LockHeld                 an exclusive lock has another holder

What the exchange or the market does is reported as a value, not raised: exceptions are for broken
preconditions, for misuse, and for a disk that does not do its work.
"""

from typing import ClassVar

__all__ = ["AuditError", "AuditLocked", "BracketeerError", "JournalError", "JournalUnavailable", "LockHeld"]


class BracketeerError(Exception):
    """A failure with a machine-readable `code`, a sentence, and the facts behind it.

    `str()` gives `code: message (key=value …)`. The code of a class is `default_code`; a raiser may be more
    exact.
    Context values are shown to people: never put a secret there.
    """

    default_code: ClassVar[str] = "error"

    def __init__(self, message: str, *, code: str | None = None, **context: object) -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.message = message
        self.context = context

    def __str__(self) -> str:
        facts = " ".join(f"{key}={value}" for key, value in self.context.items())
        return f"{self.code}: {self.message}" + (f" ({facts})" if facts else "")


class LockHeld(BracketeerError):  # noqa: N818 - reads as the fact it states
    """An exclusive lock is taken; `holder` is what its owner wrote about itself (may be empty)."""

    default_code = "lock_held"

    def __init__(self, message: str, *, code: str | None = None, **context: object) -> None:
        super().__init__(message, code=code, **context)
        self.holder: dict[str, str] = {}


class AuditError(BracketeerError):
    """The audit log cannot be used as asked (folder unusable, damaged, wrong state)."""

    default_code = "audit_error"


class AuditLocked(AuditError):  # noqa: N818 - reads as the fact it states
    """Another writer owns this log folder. The context names it (`pid`, `host`, `since`)."""

    default_code = "audit_locked"


class JournalError(AuditError):
    """The journal cannot accept a line: it is closed, or its memory of unwritten lines is full."""

    default_code = "journal_error"


class JournalUnavailable(JournalError):  # noqa: N818 - reads as the fact it states
    """A line is not durable: the disk refuses it. It stays in memory, in order, and is tried again."""

    default_code = "journal_unavailable"
