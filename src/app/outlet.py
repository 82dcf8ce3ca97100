"""A standard stream as its writer meets it: the disk behind it may be full, and who read it may be gone."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, TextIO

from ..core.errors import BracketeerError

PIPE_ENDED: Final = (errno.EPIPE, errno.ECONNRESET)


class OutputError(BracketeerError):
    """A result cannot be written. The context has what the system said."""

    default_code = "output_unwritable"


class Outlet:
    """Writes on, and hands a refusal to `on_refusal`; what that raises comes back to the writer.

    A refused text is lost, or comes with the next write that succeeds. A stream that was closed before we began (`>&-`)
    takes everything.
    """

    def __init__(self, stream: TextIO | None, on_refusal: Callable[[OSError], None]) -> None:
        self._stream = stream
        self._on_refusal = on_refusal
        self.is_refused = False  # the newest attempt was

    def write(self, text: str) -> int:
        if self._stream is not None:
            shown = text.encode(self.encoding, "backslashreplace").decode(self.encoding)  # a sign it does not have
            self._attempt(partial(self._stream.write, shown))
        return len(text)

    def flush(self) -> None:
        if self._stream is not None:
            self._attempt(self._stream.flush)

    def _attempt(self, act: Callable[[], object]) -> None:
        try:
            act()
            self.is_refused = False
        except (OSError, ValueError) as error:  # ValueError: it was closed
            self.is_refused = True
            self._on_refusal(error if isinstance(error, OSError) else OSError(errno.EBADF, os.strerror(errno.EBADF)))

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        if self._stream is None:
            raise io.UnsupportedOperation("there is no such stream")
        return self._stream.fileno()

    @property
    def encoding(self) -> str:
        return "utf-8" if self._stream is None else self._stream.encoding

    def give_up(self) -> None:
        """Let what is still buffered go nowhere: else the interpreter tries again at its end, and complains."""
        with suppress(OSError):  # a test's stream has no number
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
