"""Ctrl-C in a program that calls the manager on its main thread."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Self

import pytest

from bracketeer import OrderExecutionManager
from bracketeer.core.errors import BracketeerError
from bracketeer.core.events import SignalContext
from bracketeer.core.report import ReportStatus
from bracketeer.core.signal import Signal
from bracketeer.core.state import State
from bracketeer.execution.gathering import Gatherer
from bracketeer.execution.opening import open_session
from bracketeer.execution.session import Session
from bracketeer.simulator.server import RunningSimulator
from tests.support.venue import BTC, Desk, desk, eventually

PATIENCE_S = 10.0
PASSES_ON = {"order_manager.py", "errand.py"}
NAMES_A_THREAD = {"__init__", "_newname", "current_thread", "main_thread", "daemon", "is_set", "add", "is_alive"} | {
    "_make_invoke_excepthook",
    "_remove",
}
"""Functions of `threading`, and of the set that its threads are in. None of them waits."""


class Passages:
    """The functions that the main thread enters meanwhile, by file."""

    def __init__(self) -> None:
        self.entered: dict[str, set[str]] = defaultdict(set)

    def __enter__(self) -> Self:
        gc.collect()  # finalizers of what other tests left behind
        gc.disable()
        self._before = sys.getprofile()
        sys.setprofile(self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)
        gc.enable()

    def _hear(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            self.entered[Path(frame.f_code.co_filename).name].add(frame.f_code.co_name)


@pytest.fixture
def interrupt() -> Iterator[threading.Event]:
    """Set it where something of ours may go on after the interrupt."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield threading.Event()
    signal.signal(signal.SIGINT, before)


def _interrupt_the_caller() -> None:
    caller = threading.main_thread().ident
    assert caller is not None
    signal.pthread_kill(caller, signal.SIGINT)


def _errands() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "bracketeer-errand"]


def test_main_thread_passes_on_and_waits(simulator: RunningSimulator, tmp_path: Path) -> None:
    """No lock, request or finalizer of ours is where an interrupt may strike: other threads do the work."""
    with desk(simulator, tmp_path) as at:
        long = Signal(signal_type="LONG_ENTRY", symbol=BTC, quantity="0.010", stop_loss="58000")  # type: ignore[arg-type]
        with Passages() as seen:
            at.manager.close()
            at.manager.start()
            report = at.manager.execute_signal(long)
            at.manager.set_leverage(BTC, 7)
            at.manager.get_position(BTC)
            at.manager.get_account_balance()
            at.manager.get_open_orders()
            at.manager.cancel_all_orders(BTC)
            at.manager.state()
            at.manager.snapshot()
            at.manager.status()
            at.manager.close()
        assert report.status is ReportStatus.PROTECTED
    threads = seen.entered.pop("threading.py") | seen.entered.pop("_weakrefset.py", set())
    assert threads <= NAMES_A_THREAD
    assert seen.entered.keys() - {Path(__file__).name} <= PASSES_ON


def test_signal_not_decided_yet_is_dropped(
    at: Desk, monkeypatch: pytest.MonkeyPatch, interrupt: threading.Event
) -> None:
    """Whoever interrupts a slow question wants the entry no more. It is on record, and the manager trades on."""
    gather = Gatherer.gather

    def gather_slowly(self: Gatherer, wish: Signal) -> SignalContext:
        _interrupt_the_caller()
        assert interrupt.wait(PATIENCE_S)
        return gather(self, wish)

    with monkeypatch.context() as patch:
        patch.setattr(Gatherer, "gather", gather_slowly)
        with pytest.raises(KeyboardInterrupt):
            at.enter("unwanted")
        interrupt.set()
        eventually(lambda: bool(at.lines("signal_refused")), what="it is on record")
    assert [line.signal_id for line in at.lines("signal_refused")] == ["unwanted"]
    assert at.entry_fills() == 0
    assert at.enter("wanted").status is ReportStatus.PROTECTED


@pytest.mark.usefixtures("interrupt")
def test_entry_under_way_is_guarded_all_the_same(simulator: RunningSimulator, tmp_path: Path) -> None:
    """What has left is followed to its end, and closing the manager waits for that."""
    with desk(simulator, tmp_path, user_stream=False, read_timeout_ms=1_900) as at:
        simulator.fault("delay", method="POST", path="/fapi/v1/order", delay_ms=1_000)

        def watch() -> None:
            eventually(lambda: at.entry_fills() > 0)  # its answer is still on its way
            _interrupt_the_caller()

        watching = threading.Thread(target=watch)
        watching.start()
        with pytest.raises(KeyboardInterrupt):
            at.enter()
        at.manager.close()
        watching.join()
        assert at.entry_fills() > 0
        assert at.position() == 0 or "STOP_MARKET" in at.resting()  # closed, if that was too slow for a stop


def test_signal_that_the_end_overtakes_is_dropped(
    at: Desk, monkeypatch: pytest.MonkeyPatch, interrupt: threading.Event
) -> None:
    """The usual way out: the interrupt leaves the `with` of the manager while a question is still open."""
    gather = Gatherer.gather
    ended: list[BaseException] = []

    def gather_slowly(self: Gatherer, wish: Signal) -> SignalContext:
        _interrupt_the_caller()
        assert interrupt.wait(PATIENCE_S)
        try:
            return gather(self, wish)
        except BaseException as failure:
            ended.append(failure)
            raise

    monkeypatch.setattr(Gatherer, "gather", gather_slowly)
    with pytest.raises(KeyboardInterrupt):
        at.enter("unwanted")
    at.manager.close()
    interrupt.set()
    eventually(lambda: not _errands(), what="it has ended")
    assert ended == []
    assert at.entry_fills() == 0
    at.assert_verified()


def test_handler_may_close_the_manager(at: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual SIGTERM handler: whatever the main thread asked of the manager, it holds no lock of ours meanwhile."""
    caller = threading.main_thread().ident
    assert caller is not None
    copy = State.copy

    def copy_and_signal(self: State) -> State:
        signal.pthread_kill(caller, signal.SIGUSR1)
        threading.Event().wait(0.1)
        return copy(self)

    before = signal.signal(signal.SIGUSR1, lambda *_: at.manager.close())
    try:
        with monkeypatch.context() as patch:
            patch.setattr(State, "copy", copy_and_signal)
            at.manager.state()
    finally:
        signal.signal(signal.SIGUSR1, before)
    with pytest.raises(BracketeerError, match="closed"):
        at.manager.state()


def test_interrupted_start_gives_everything_back(
    simulator: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupt: threading.Event
) -> None:
    """Nobody knows of what was started so: it ends by itself, and the next start finds account and log free."""
    started: list[Session] = []

    def open_slowly(*parts: Any) -> Session:
        _interrupt_the_caller()
        assert interrupt.wait(PATIENCE_S)
        started.append(open_session(*parts))
        return started[-1]

    with monkeypatch.context() as patch:
        patch.setattr("bracketeer.execution.order_manager.open_session", open_slowly)
        with pytest.raises(KeyboardInterrupt), desk(simulator, tmp_path):
            pass
        interrupt.set()
        eventually(lambda: bool(started) and not _errands(), what="it has ended")
    with desk(simulator, tmp_path) as at:
        assert at.enter().status is ReportStatus.PROTECTED


def test_interrupted_start_leaves_what_others_started(
    at: Desk, monkeypatch: pytest.MonkeyPatch, interrupt: threading.Event
) -> None:
    """A second start, which had nothing to do, takes nothing with it; nor does one that another start came after."""
    start = OrderExecutionManager._start

    def start_slowly(self: OrderExecutionManager, *, implicit: bool = False) -> None:
        start(self, implicit=implicit)
        _interrupt_the_caller()
        assert interrupt.wait(PATIENCE_S)

    with monkeypatch.context() as patch:
        patch.setattr(OrderExecutionManager, "_start", start_slowly)
        with pytest.raises(KeyboardInterrupt):
            at.manager.start()
    interrupt.set()
    eventually(lambda: not _errands(), what="it has ended")
    assert at.enter().status is ReportStatus.PROTECTED
    at.manager.close()
    interrupt.clear()
    with monkeypatch.context() as patch:
        patch.setattr(OrderExecutionManager, "_start", start_slowly)
        with pytest.raises(KeyboardInterrupt):
            at.manager.start()
    at.manager.start()
    interrupt.set()
    eventually(lambda: not _errands(), what="it has ended")
    assert at.close().status is ReportStatus.CLOSED
