"""The production runtime: alarms come, failures are told, and nothing dies unseen."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from bracketeer.execution.threads import ThreadRuntime

PATIENCE_S = 5.0


class Now:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.ms = 1_000
        self.broken = 0

    def __call__(self) -> int:
        if self.broken:
            self.broken -= 1
            raise ZeroDivisionError
        return self.ms


@pytest.fixture
def now() -> Now:
    """The exchange's clock."""
    return Now()


@pytest.fixture
def runtime(now: Now) -> Iterator[ThreadRuntime]:
    """A runtime that is stopped in the end."""
    running = ThreadRuntime(now, workers=2)
    yield running
    running.stop()


def test_alarm_comes_once_when_it_is_due(runtime: ThreadRuntime, now: Now) -> None:
    """An alarm in the past rings at once; one in the future does not."""
    rung = threading.Event()
    runtime.start(rung.set, lambda _: None)
    runtime.set_alarm(now.ms + 10_000)
    assert not rung.wait(0.05)
    runtime.set_alarm(now.ms)
    assert rung.wait(PATIENCE_S)


def test_failing_task_is_told_and_the_workers_go_on(runtime: ThreadRuntime) -> None:
    """Failure mode 24: a worker does not die with its task."""
    problems: list[BaseException] = []
    told, done = threading.Event(), threading.Event()

    def on_problem(problem: BaseException) -> None:
        problems.append(problem)
        told.set()

    runtime.start(lambda: None, on_problem)
    runtime.spawn(lambda: [][1])
    assert told.wait(PATIENCE_S)
    assert isinstance(problems[0], IndexError)
    runtime.spawn(done.set)
    assert done.wait(PATIENCE_S)


def test_failing_clock_does_not_end_the_alarms(runtime: ThreadRuntime, now: Now) -> None:
    """Without alarms nothing is bounded: a failure on their thread is told, and the next alarm comes."""
    told, rung = threading.Event(), threading.Event()
    now.broken = 1
    runtime.start(rung.set, lambda _: told.set())
    runtime.set_alarm(now.ms)
    assert told.wait(PATIENCE_S)
    assert rung.wait(PATIENCE_S)


def test_orders_do_not_wait_for_questions(runtime: ThreadRuntime, now: Now) -> None:
    """Every worker for questions is taken by one that is not answered: an order leaves, and the alarm rings."""
    go_on, sent, rung = threading.Event(), threading.Event(), threading.Event()
    runtime.start(rung.set, lambda _: None)

    def ask() -> None:
        go_on.wait(PATIENCE_S)

    for _ in range(4):
        runtime.spawn(ask)
    runtime.spawn(sent.set, urgent=True)
    assert sent.wait(PATIENCE_S)
    runtime.set_alarm(now.ms)
    assert rung.wait(PATIENCE_S)
    go_on.set()


def test_task_runs_once_when_no_thread_can_be_started(runtime: ThreadRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool has queued it by then: on a thread of its own it would be sent twice."""
    ran: list[str] = []

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            runtime.spawn(lambda: ran.append("sent"), urgent=True)
    runtime.spawn(lambda: None, urgent=True)
    runtime.stop()
    assert ran == ["sent"]


def test_main_thread_may_end_before_the_others() -> None:
    """Python shuts its pools down when the main thread ends, and waits for the program's other threads only then."""
    program = """
import threading
from bracketeer.execution.threads import ThreadRuntime

runtime = ThreadRuntime(lambda: 1)
runtime.start(lambda: print("rung", flush=True), lambda problem: print(problem, flush=True))
over = threading.Event()

def trade():
    threading.main_thread().join()
    done = threading.Event()
    over.wait(0.1)  # the interpreter's own farewell
    begun = runtime.spawn(done.set, urgent=True)
    print(begun, done.wait(5), flush=True)
    runtime.stop()

threading.Thread(target=trade).start()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "True True\n", done.stderr
    assert done.returncode == 0, done.stderr


def test_tasks_after_the_stop_are_dropped(now: Now) -> None:
    """As a crash would drop them: the journal knows of what they were to do. Stopping twice is harmless."""
    runtime = ThreadRuntime(now, workers=1)
    runtime.stop()
    runtime.spawn(lambda: pytest.fail("it ran"))
    runtime.stop()
