"""A stream that refuses, and takes again."""

from __future__ import annotations

import errno
import io

import pytest

from bracketeer.app.console import Output
from bracketeer.app.outlet import Outlet
from bracketeer.core.errors import BracketeerError


class Disk(io.StringIO):
    """Full, or not."""

    is_full = False
    encoding = "utf-8"

    def write(self, text: str) -> int:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)

    def flush(self) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_outlet_hands_refusals_over_and_knows_when_they_are_past() -> None:
    """A closed file is one, too."""
    disk, refused = Disk(), list[OSError]()
    outlet = Outlet(disk, refused.append)
    disk.is_full = True
    outlet.write("lost")
    assert (outlet.is_refused, [error.errno for error in refused]) == (True, [errno.ENOSPC])
    disk.is_full = False
    outlet.write("there")
    outlet.flush()
    assert (outlet.is_refused, disk.getvalue()) == (False, "there")
    disk.close()
    outlet.write("late")
    assert refused[-1].errno == errno.EBADF


def test_failure_is_a_document_again_once_the_disk_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it does not, the code is said on stderr."""
    out, err = Disk(), Disk()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    output = Output(as_json=True, must_go_on=True)
    out.is_full = True
    output.document({"report": 1})
    output.failure(BracketeerError("it broke", code="broken"))
    out.is_full = False
    output.document({"report": 2})
    output.failure(BracketeerError("again", code="broken"))
    assert [line[:10] for line in out.getvalue().splitlines()] == ['{"report":', '{"error":{']
    assert ("output_unwritable" in err.getvalue(), "it broke" in err.getvalue()) == (True, True)
    assert "again" not in err.getvalue()
    assert output.is_lost
