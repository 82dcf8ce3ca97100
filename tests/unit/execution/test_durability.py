"""Waiting for the disk: with a bound, by one at a time, and to the end where nobody else can."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import cast

import pytest

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
        self.failure_to_raise: Exception | None = None
        self.healthy = True
        self.failure: str | None = None

    def wait_durable(self, seq: int) -> None:
        self.asked.append(seq)
        self.may_answer.wait(PATIENCE_S)
        if self.failure_to_raise is not None:
            raise self.failure_to_raise


@pytest.fixture
def disk() -> Disk:
    """A disk that answers at once."""
    return Disk()


@pytest.fixture
def durability(disk: Disk) -> Iterator[Durability]:
    """What is tested; its thread ends with the test."""
    waits = Durability(cast(AuditLogger, disk))
    yield waits
    disk.may_answer.set()
    waits.stop()


def test_returns_when_the_line_is_on_disk(disk: Disk, durability: Durability) -> None:
    """Each wait is over with an answer that was asked for after it began."""
    assert durability.wait(1, PATIENCE_S) is None
    assert durability.wait(2, PATIENCE_S) is None
    assert disk.asked == [1, 2]


def test_says_what_the_disk_said(disk: Disk, durability: Durability) -> None:
    """A refusal is no silence; and the next try is a new one. Nor does a defect end the thread."""
    disk.failure_to_raise = JournalUnavailable("the audit log cannot be written")
    assert "cannot be written" in str(durability.wait(1, PATIENCE_S))
    disk.failure_to_raise = OSError("close failed")
    assert durability.wait(1, PATIENCE_S) == "OSError: close failed"
    disk.failure_to_raise, disk.healthy, disk.failure = None, False, "no space"
    assert durability.wait(1, PATIENCE_S) == "no space"
    disk.healthy = True
    assert durability.wait(1, PATIENCE_S) is None


def test_gives_up_waiting_and_shares_the_work(disk: Disk, durability: Durability) -> None:
    """While the disk stalls there is one who waits for it, however many ask; what came meanwhile is one more round."""
    disk.may_answer.clear()
    assert "within 0.05 s" in str(durability.wait(1, 0.05))
    for seq in (2, 3, 4):
        assert durability.wait(seq, 0.01) is not None
    assert disk.asked == [1]
    disk.may_answer.set()
    assert durability.wait(4, PATIENCE_S) is None
    assert disk.asked[:2] == [1, 4]


def test_many_may_wait_at_once(disk: Disk, durability: Durability) -> None:
    """None of them takes the place of the one who asks the disk."""
    answers: list[str | None] = []
    threads = [
        threading.Thread(target=lambda seq=seq: answers.append(durability.wait(seq, PATIENCE_S))) for seq in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [None] * 40


def test_waits_itself_after_the_end(disk: Disk, durability: Durability) -> None:
    """A cancel on the way of a closing manager leaves no sooner than its intent is safe."""
    durability.stop()
    assert durability.wait(1, PATIENCE_S) is None
    assert durability.wait(2, PATIENCE_S) is None
    assert disk.asked == [1, 2]
