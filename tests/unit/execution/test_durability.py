"""Waiting for the disk: with a bound, by one at a time, and to the end where nobody else can."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

from bracketeer.core.audit_logger import AuditLogger
from bracketeer.core.errors import JournalUnavailable
from bracketeer.execution.durability import Durability

PATIENCE_S = 5.0


class Disk:
    """Takes the place of the journal: notes what it is asked for, and answers when told to."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.refuses = False
        self.healthy = True
        self.failure: str | None = None

    def wait_durable(self, seq: int) -> None:
        self.asked.append(seq)
        self.may_answer.wait(PATIENCE_S)
        if self.refuses:
            raise JournalUnavailable("the audit log cannot be written")


def spawn(task: Callable[[], None], *, urgent: bool) -> bool:
    """A thread of its own."""
    assert urgent
    threading.Thread(target=task, daemon=True).start()
    return True


def waiting_on(disk: Disk, start: Callable[..., bool] = spawn) -> Durability:
    """What is tested."""
    return Durability(cast(AuditLogger, disk), start)


def test_returns_when_the_line_is_on_disk() -> None:
    """Each wait is over with an answer that was asked for after it began."""
    disk = Disk()
    durability = waiting_on(disk)
    assert durability.wait(1, PATIENCE_S) is None
    assert durability.wait(2, PATIENCE_S) is None
    assert disk.asked == [1, 2]


def test_says_what_the_disk_said() -> None:
    """A refusal is no silence; and the next try is a new one."""
    disk = Disk()
    durability = waiting_on(disk)
    disk.refuses = True
    assert "cannot be written" in str(durability.wait(1, PATIENCE_S))
    disk.refuses, disk.healthy, disk.failure = False, False, "no space"
    assert durability.wait(1, PATIENCE_S) == "no space"
    disk.healthy = True
    assert durability.wait(1, PATIENCE_S) is None


def test_gives_up_waiting_and_shares_the_work() -> None:
    """While the disk stalls there is one who waits for it, however many ask; what came meanwhile is one more round."""
    disk = Disk()
    disk.may_answer.clear()
    durability = waiting_on(disk)
    assert "within 0.01 s" in str(durability.wait(1, 0.01))
    for seq in (2, 3, 4):
        assert durability.wait(seq, 0.01) is not None
    assert disk.asked == [1]
    disk.may_answer.set()
    assert durability.wait(4, PATIENCE_S) is None
    assert disk.asked[:2] == [1, 4]


def test_waits_itself_when_no_worker_begins_anything_any_more() -> None:
    """A cancel on the way of a closing manager leaves no sooner than its intent is safe."""
    disk = Disk()

    def drop(*_: Any, **__: Any) -> bool:
        return False

    durability = waiting_on(disk, drop)
    assert durability.wait(1, PATIENCE_S) is None
    assert durability.wait(2, PATIENCE_S) is None
    assert disk.asked == [1, 2]
