"""Somebody else does the work: an interrupt ends the waiting, never the work."""

from __future__ import annotations

import subprocess
import sys
import threading

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
    errand.begin()
    with pytest.raises(ValueError, match="of the work"):
        errand.result()


def test_interrupt_ends_the_waiting_and_not_the_work() -> None:
    """The work knows that nobody waits; whoever waits anew gets its result."""
    program = """
import signal, threading
from bracketeer.execution.errand import Errand, off_main

may_end = threading.Event()

def work():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    may_end.wait(30)
    return threading.current_thread() is threading.main_thread()

errand = Errand(work)
try:
    errand.begin()
    errand.result()
except KeyboardInterrupt:
    print("left", errand.is_left)
may_end.set()
print("on main:", errand.result(), "left", errand.is_left)
print("on main:", off_main(lambda: threading.current_thread() is threading.main_thread()))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == ["left True", "on main: False left False", "on main: False"], done.stderr
