"""Whoever listens may fail, or take long."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bracketeer.core.commands import Alert
from bracketeer.core.redaction import Redactor
from bracketeer.execution import telling
from bracketeer.execution.driver import Notice
from bracketeer.execution.telling import Teller

PATIENCE_S = 5.0


def alert(text: str = "look at the account") -> Alert:
    """Something to tell."""
    return Alert(code="position_gone", text=text, symbol="BTCUSDT")


@contextmanager
def telling_to(hear: Callable[[Notice], None], failures: list[str]) -> Iterator[Teller]:
    """A teller at work."""
    teller = Teller(hear, failures.append, Redactor(["a-secret-of-ours"]))
    teller.start()
    yield teller
    teller.stop()


def test_failure_of_a_listener_goes_no_further() -> None:
    """It is passed on with what could not be told, and the next is told all the same."""
    failures: list[str] = []
    heard: list[str] = []

    def hear(notice: Notice) -> None:
        heard.append(notice.text)
        if len(heard) == 1:
            raise OSError("no route to the pager")

    with telling_to(hear, failures) as teller:
        teller.tell(alert())
        teller.tell(alert("again"))
    assert failures == ["look at the account: OSError: no route to the pager"]
    assert heard == ["look at the account", "again"]


def test_listener_hears_all_in_order_and_no_secret() -> None:
    """The last of it before the manager is closed."""
    heard: list[Notice] = []
    failures: list[str] = []
    with telling_to(heard.append, failures) as teller:
        for text in ("1", "2", "of a-secret-of-ours"):
            teller.tell(alert(text))
    assert [notice.text for notice in heard] == ["1", "2", "of ***"]
    assert failures == []


def test_nobody_waits_for_a_slow_listener() -> None:
    """Nor does its backlog grow without end."""
    failures: list[str] = []
    go_on = threading.Event()

    def hear(_: Notice) -> None:
        go_on.wait(PATIENCE_S)

    with telling_to(hear, failures) as teller:
        for number in range(telling.WAITING_MAX + 2):
            teller.tell(alert(str(number)))
        assert not teller.wait_until_told(0)
        assert len(failures) in (1, 2)  # one more fits when the first is being told already
        go_on.set()


def test_listener_that_ends_its_thread_ends_not_ours() -> None:
    """`sys.exit` in it is a failure like any other."""
    failures: list[str] = []

    def hear(_: Notice) -> None:
        sys.exit("enough")

    with telling_to(hear, failures) as teller:
        teller.tell(alert("1"))
        teller.tell(alert("2"))
    assert failures == ["1: SystemExit: enough", "2: SystemExit: enough"]


def test_listener_may_close_the_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not wait for itself."""
    monkeypatch.setattr(telling, "FAREWELL_S", 10 * PATIENCE_S)
    failures: list[str] = []
    closed = threading.Event()

    def hear(_: Notice) -> None:
        teller.stop()
        closed.set()

    teller = Teller(hear, failures.append, Redactor())
    teller.start()
    teller.tell(alert())
    assert closed.wait(PATIENCE_S)
    assert failures == []
