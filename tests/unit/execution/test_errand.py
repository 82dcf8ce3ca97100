"""Somebody else does the work: an interrupt ends the waiting, never the work."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from weakref import ref

import pytest

from bracketeer.execution.errand import Errand, off_main


def test_any_other_thread_does_its_work_itself() -> None:
    """No interrupt strikes there, so nobody is sent."""
    seen: list[threading.Thread] = []

    def caller() -> None:
        seen.append(off_main(threading.current_thread))

    thread = threading.Thread(target=caller)
    thread.start()
    thread.join()
    assert seen == [thread]


def test_failure_of_the_work_is_raised_where_it_is_waited_for() -> None:
    """It happened on another thread, and is the caller's all the same."""

    def fail() -> None:
        raise ValueError("of the work")

    errand = Errand(fail)
    with pytest.raises(ValueError, match="of the work"):
        errand.run()
    assert not errand.is_left


def test_main_thread_does_not_wait_for_the_new_thread_to_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Thread.start` does, within a condition whose lock an interrupt could leave taken."""
    starters: list[threading.Thread] = []
    start = threading.Thread.start

    def note_and_start(thread: threading.Thread) -> None:
        starters.append(threading.current_thread())
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", note_and_start)
    assert Errand(lambda: "done").run() == "done"
    assert starters
    assert threading.main_thread() not in starters


@pytest.mark.parametrize("refused", ["threading.Thread.start", "bracketeer.execution.errand.start_new_thread"])
def test_work_is_done_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch, refused: str) -> None:
    """A process at its limit, an interpreter at its end: an interrupt may strike then, and nobody waits without end."""

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(refused, refuse)
    assert Errand(lambda: "done").run() == "done"


def test_nothing_is_kept_alive() -> None:
    """Neither by an errand that is known to its work, nor by a failure whose traceback passes through it."""

    class Burden:
        pass

    def fail() -> None:
        burden = Burden()
        burdens.append(ref(burden))
        raise ValueError("of the work")

    burdens: list[ref[Burden]] = []
    gc.disable()
    try:
        for _ in range(3):
            with pytest.raises(ValueError, match="of the work"):
                Errand(fail).run()
        assert [burden() for burden in burdens[:-1]] == [None, None]
    finally:
        gc.enable()


def test_interrupt_ends_the_waiting_and_not_the_work() -> None:
    """The work knows that nobody waits; whoever waits anew gets its result. One that must end, does."""
    program = """
import signal, threading
from bracketeer.execution.errand import Errand

may_end = threading.Event()

def work():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    may_end.wait(30)
    return threading.current_thread() is threading.main_thread()

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may have been told to ignore it
errand = Errand(work)
try:
    errand.run()
except KeyboardInterrupt:
    print("left", errand.is_left, flush=True)
may_end.set()
print("on main:", errand.result(), flush=True)

def work_on():
    threading.Event().wait(0.3)
    print("to its end", flush=True)

Errand(work_on, must_end=True).begin()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == ["left True", "on main: False", "to its end"], done.stderr
