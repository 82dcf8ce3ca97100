"""Upkeep: each task in its turn, and none that ends the others."""

from __future__ import annotations

import threading

from bracketeer.execution.upkeep import Upkeep

BOUND_S = 5.0


class Time:
    """Monotonic time that jumps on request."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_task_says_when_it_wants_its_next_turn() -> None:
    """A pause is kept, None ends it, and `add` moves the next turn forward."""
    time, turns = Time(), []  # type: tuple[Time, list[str]]
    taken = threading.Semaphore(0)
    pauses: list[float | None] = [100.0, None]

    def task() -> float | None:
        turns.append("a turn")
        taken.release()
        return pauses.pop(0)

    upkeep = Upkeep(time, lambda problem: None)
    upkeep.add(task, 0)
    upkeep.start()
    assert taken.acquire(timeout=BOUND_S)
    assert not taken.acquire(timeout=0.02), "its next turn is 100 s away"
    upkeep.add(task, 0)
    assert taken.acquire(timeout=BOUND_S)
    upkeep.stop()
    assert len(turns) == 2


def test_failing_task_is_told_and_does_not_end_the_others() -> None:
    """A defect in one task is a problem to be told; the next task has its turn."""
    problems: list[BaseException] = []
    done = threading.Event()

    def broken() -> None:
        raise ZeroDivisionError

    def good() -> None:
        done.set()

    upkeep = Upkeep(Time(), problems.append)
    upkeep.add(broken, 0)
    upkeep.add(good, 0)
    upkeep.start()
    assert done.wait(BOUND_S)
    upkeep.stop()
    assert [type(problem) for problem in problems] == [ZeroDivisionError]


def test_stop_before_start_is_harmless() -> None:
    """What was never started need not be waited for."""
    Upkeep(Time(), lambda problem: None).stop()


def test_turn_that_is_all_but_due_is_taken() -> None:
    """Where time goes in steps, a wait of less than one would never end."""
    taken = threading.Event()
    upkeep = Upkeep(Time(), lambda problem: None)
    upkeep.add(taken.set, 1e-7)
    upkeep.start()
    assert taken.wait(BOUND_S)
    upkeep.stop()
