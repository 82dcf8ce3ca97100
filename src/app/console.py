"""The one place that writes: tables and sentences for people, JSON for programs.

Results go to stdout, everything said beside them to stderr, so that `--json` output can be piped as it is.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, cast

import msgspec
import typer
from rich.console import Console, RenderableType
from rich.text import Text

from ..core.errors import BracketeerError
from .outlet import PIPE_ENDED, Outlet, OutputError

EXIT_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130

PIPED_WIDTH: Final = 200
"""Of tables that no terminal shows: wide enough that nothing is folded for a file or a `grep`."""

GOOD: Final = "✔"
BAD: Final = "✘"
WARNING: Final = "!"
_STYLES: Final = {GOOD: "bold green", BAD: "bold red", WARNING: "bold yellow"}

_encode = msgspec.json.Encoder(enc_hook=str, decimal_format="string").encode


class Output:
    """What a command says. With `as_json` nothing but JSON reaches stdout, one document per line.

    A stdout that cannot be written ends the command, unless `must_go_on`: a manager with positions to watch does not
    stop for want of a listener. `is_lost` says that it happened. What stderr refuses is dropped.
    """

    def __init__(self, *, as_json: bool, must_go_on: bool = False) -> None:
        self.as_json = as_json
        self.is_lost = False
        self._must_go_on = must_go_on
        self._stdout = Outlet(sys.stdout, self._refused)
        self.console = Console(file=cast(IO[str], self._stdout), highlight=False)
        if not self.console.is_terminal:
            self.console.width = PIPED_WIDTH
        self.aside = Console(file=cast(IO[str], Outlet(sys.stderr, lambda _: None)), highlight=False, soft_wrap=True)

    def document(self, value: Any) -> None:
        """One JSON document on a line of its own."""
        self._stdout.write(_encode(value).decode() + "\n")
        self._stdout.flush()

    def show(self, *renderables: RenderableType) -> None:
        """Something for people, on stdout; left out in JSON mode."""
        if not self.as_json:
            for renderable in renderables:
                self.console.print(renderable)

    def note(self, text: RenderableType) -> None:
        """Something said beside the result, on stderr; left out in JSON mode."""
        if not self.as_json:
            self.aside.print(text)

    def failure(self, error: BracketeerError) -> None:
        """A code and a sentence, never a traceback: on stderr, or as the JSON document."""
        if self.as_json and not self._stdout.is_refused:
            self.document({"error": {"code": error.code, "message": error.message, "context": error.context}})
            return
        facts = " ".join(f"{name}={value}" for name, value in error.context.items())
        parts: list[str | tuple[str, str]] = [(f"{BAD} {error.code}", "bold red"), f": {error.message}"]
        self.aside.print(Text.assemble(*parts, (f" ({facts})" if facts else "", "dim")))

    def end(self) -> None:
        """What nobody took by now is dropped."""
        if self.is_lost:
            self._stdout.give_up()

    def _refused(self, error: OSError) -> None:
        is_news, self.is_lost = not self.is_lost, True
        what, reason = "stdout cannot be written", error.strerror or str(error)
        if not self._must_go_on:
            if error.errno in PIPE_ENDED:  # who reads only the beginning, as `head` does, wants to hear no more
                raise typer.Exit(EXIT_FAILED)
            raise OutputError(what, reason=reason)
        if is_news:
            on_record = "the work goes on all the same, and what becomes of it is in the audit log"
            self.failure(OutputError(f"{what}: {on_record}", reason=reason))


@contextmanager
def speaking(*, as_json: bool, must_go_on: bool = False) -> Iterator[Output]:
    """Run a command's work: a failure we have words for is said and ends with exit code 1, Ctrl-C with 130.

    So does one whose result nobody could read, with 1; with `must_go_on` not before its work is done."""
    output = Output(as_json=as_json, must_go_on=must_go_on)
    try:
        with _stopping_tidily():
            yield output
        if output.is_lost:
            raise typer.Exit(EXIT_FAILED)
    except BracketeerError as error:
        output.failure(error)
        raise typer.Exit(EXIT_FAILED) from None
    except KeyboardInterrupt:
        output.note("[dim]interrupted[/dim]")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    finally:
        output.end()


STOP_LIMIT_S = 10.0


@contextmanager
def _stopping_tidily() -> Iterator[None]:
    """End by an exception on SIGTERM and on a closed terminal too, so that locks, connections and child processes are
    given back. A signal that is ignored (`nohup`) stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: object) -> None:
        # Giving everything back is bounded: a supervisor would kill us soon, and the next start settles what is open.
        # And Python drops an exception that strikes within a finalizer: then this ends what would go on unmoved.
        last_resort = threading.Timer(STOP_LIMIT_S, os._exit, (128 + number,))
        last_resort.daemon = True
        last_resort.start()
        raise SystemExit(128 + number)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    heard = [number for number in numbers if before[number] != signal.SIG_IGN]
    for number in heard:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


def invoked_as() -> str:
    """How this program was called, for a hint that can be copied."""
    called = sys.argv[0]
    return called if Path(called).name == "bracketeer" else "bracketeer"


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number and its noun: 1 order, 2 orders."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def marked(mark: str, *parts: str | tuple[str, str]) -> Text:
    """A line that starts with a coloured mark."""
    return Text.assemble((mark, _STYLES[mark]), " ", *parts)
