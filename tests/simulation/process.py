"""One life of a manager: started on a folder, killed or closed; its modules see virtual threads, disk and time."""

from __future__ import annotations

import os
import sys
import threading
from _thread import start_new_thread
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from websockets.sync.client import connect as websocket_connect

import bracketeer.app.cli  # noqa: F401 - loads every module that is to be seen to
from bracketeer import ExecutionReport, OrderExecutionManager, Settings, Signal
from bracketeer.core import retry
from bracketeer.core.errors import JournalUnavailable
from bracketeer.execution import errand
from bracketeer.execution.binance import client, transport, user_stream
from bracketeer.execution.clock import SystemClock

from .disk import Disk, VirtualOs
from .scheduler import Process, Scheduler
from .virtual_threading import VirtualLocal, VirtualThreading
from .wire import BareSession, VirtualAdapter, VirtualConnection, Wire

_ON_DISK = ("core.audit_writer", "core.audit_files", "core.exclusive_lock")
_WAITING = VirtualLocal()


class VirtualClock(SystemClock):
    """The machine's clock: virtual, wrong by `skew_ms`, and its wall may step while the monotonic one does not."""

    def __init__(self, scheduler: Scheduler, skew_ms: int = 0) -> None:
        super().__init__()
        self._scheduler = scheduler
        self.skew_ms = skew_ms

    def now_ms(self) -> int:
        """Wall clock, ms."""
        return self._scheduler.now_us // 1000 + self.skew_ms

    def now_us(self) -> int:
        """Wall clock, µs."""
        return self._scheduler.now_us + self.skew_ms * 1000

    def monotonic(self) -> float:
        """Seconds, never stepping."""
        return self._scheduler.now_us / 1e6


def _find(what: Any) -> list[tuple[ModuleType, str]]:
    """Where the manager's modules have something under a name of their own."""
    rooms = ("bracketeer.core", "bracketeer.execution")
    found = []
    for name, module in sorted(sys.modules.items()):
        if name.startswith(rooms):
            found += [(module, key) for key, value in vars(module).items() if value is what]
    return found


_THREADING = _find(threading)
_FUTURES = _find(Future)
_LIFE_S = user_stream.LIFE_S
_POOLS = _find(ThreadPoolExecutor)
_SOCKETS = _find(websocket_connect)


class Life:
    """A manager's process from its start to its end."""

    def __init__(
        self,
        number: int,
        scheduler: Scheduler,
        wire: Wire,
        disk: Disk,
        settings: Settings,
        keys: tuple[str, str],
        on_notice: Callable[[Any], None],
        skew_ms: int = 0,
        *,
        stream_life_s: float | None = None,
        has_bare_session: bool = True,
    ) -> None:
        self.stream_life_s = _LIFE_S if stream_life_s is None else stream_life_s
        self.has_bare_session = has_bare_session
        self.process = Process(f"manager-{number}")
        self.scheduler = scheduler
        self.wire = wire
        self.disk = disk
        self.os = VirtualOs(disk, self.process)
        self.threading = VirtualThreading(scheduler, self.process)
        self._put_in()
        self.clock = VirtualClock(scheduler, skew_ms)
        adapter = VirtualAdapter(wire, self.process)
        adapter.on_sent = _tell_sent
        self.manager = OrderExecutionManager(
            *keys,
            base_url=f"http://exchange-{os.getpid()}-{id(disk)}",
            stream_url="ws://exchange",
            settings=settings,
            on_notice=on_notice,
            clock=self.clock,
            adapter=adapter,
        )
        self.is_started = False
        self.is_closed = False
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Start on a task of its own."""

        def work() -> None:
            try:
                self.manager.start()
            except Exception as failure:  # noqa: BLE001 - a start may give up; the story judges
                self.failure = failure
            else:
                self.is_started = True

        self.scheduler.spawn(work, self.process, "main")

    def execute(
        self, signal: Signal, answer: Callable[[ExecutionReport | BaseException], None], *, on_main: bool
    ) -> None:
        """Bring a signal on a caller's task."""

        def work() -> None:
            try:
                report = self.manager.execute_signal(signal)
            except Exception as failure:  # noqa: BLE001 - judged with the answers
                answer(failure)
            else:
                answer(report)

        self.scheduler.spawn(work, self.process, "main" if on_main else f"caller-{signal.signal_id}")

    def close(self) -> None:
        """Close in an orderly way, on a task of its own."""

        def work() -> None:
            try:
                self.manager.close()
            except JournalUnavailable:
                if not self.disk.had_trouble:  # else it says, truly, that lines were lost
                    raise
            self.is_closed = True

        self.scheduler.spawn(work, self.process, "main")

    def kill(self) -> None:
        """What `kill -9` does. For the hub."""
        self.scheduler.kill(self.process)
        for stream in list(self.wire.streams):
            if stream._process is self.process:
                stream.close()
        self.os.close_all()

    @property
    def state(self) -> Any:
        """The engine's state, unlocked: between two tasks it is never in the middle of a step."""
        session = self.manager._session
        return None if session is None else session.driver._state

    @property
    def is_on_disk(self) -> bool:
        """Whether the disk has taken every line so far."""
        session = self.manager._session
        return session is None or session.journal.pending == 0

    def _put_in(self) -> None:
        """Let the manager's modules see this machine."""
        for module, key in _THREADING:
            setattr(module, key, self.threading)
        for module, key in _FUTURES:
            setattr(module, key, self.threading.Future)
        for module, key in _POOLS:
            setattr(module, key, self.threading.ThreadPoolExecutor)
        vars(errand)["start_new_thread"] = self.threading.start_new_thread
        vars(user_stream)["LIFE_S"] = self.stream_life_s
        for module, key in _SOCKETS:
            setattr(module, key, lambda url, **_: VirtualConnection(self.wire, self.process, url))
        for name in _ON_DISK:
            vars(sys.modules[f"bracketeer.{name}"])["os"] = self.os
        vars(sys.modules["bracketeer.core.audit_writer"])["_sync_data"] = self.os.fsync
        folder = self.disk.folder
        vars(sys.modules["bracketeer.execution.account_lock"])["tempfile"] = SimpleNamespace(
            gettempdir=lambda: str(folder)
        )
        vars(transport)["_waiting"] = _WAITING
        vars(client)["new_session"] = BareSession if self.has_bare_session else transport.new_session
        retry._JITTER.seed(self.scheduler.dice.random())


def put_back() -> None:
    """Let the manager's modules see the real machine again."""
    import tempfile

    for module, key in _THREADING:
        setattr(module, key, threading)
    for module, key in _FUTURES:
        setattr(module, key, Future)
    for module, key in _POOLS:
        setattr(module, key, ThreadPoolExecutor)
    vars(errand)["start_new_thread"] = start_new_thread
    vars(user_stream)["LIFE_S"] = _LIFE_S
    errand._owed.clear()  # of the killed
    for module, key in _SOCKETS:
        setattr(module, key, websocket_connect)
    for name in _ON_DISK:
        vars(sys.modules[f"bracketeer.{name}"])["os"] = os
    vars(sys.modules["bracketeer.core.audit_writer"])["_sync_data"] = getattr(os, "fdatasync", os.fsync)
    vars(sys.modules["bracketeer.execution.account_lock"])["tempfile"] = tempfile
    vars(transport)["_waiting"] = threading.local()
    vars(client)["new_session"] = transport.new_session
    retry._JITTER.seed()


def _tell_sent() -> None:
    """The request of this task has left: who waited for that may begin (`transport.when_sent`)."""
    on_sent, _WAITING.on_sent = getattr(_WAITING, "on_sent", None), None
    if on_sent is not None:
        on_sent()


def folder_of(settings: Settings) -> Path:
    """The audit folder of a manager."""
    return Path(settings.audit_log_dir)
