"""The driver alone: journal first, always an answer, nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bracketeer.core.audit_logger import AuditLogger, iter_lines
from bracketeer.core.commands import Alert
from bracketeer.core.errors import BracketeerError, JournalError
from bracketeer.core.events import (
    EngineStarted,
    OrderUpdated,
    PositionUpdated,
    SignalContext,
    SignalReceived,
    SubmitFailed,
)
from bracketeer.core.instrument import Instrument
from bracketeer.core.intent import OrderIntent
from bracketeer.core.outcome import Failure, OutcomeKind
from bracketeer.core.settings import Policy
from bracketeer.core.signal import Signal, SignalType
from bracketeer.core.state import State
from bracketeer.core.values import ArmingMode, OrderStatus, Side, exact
from bracketeer.execution.driver import Driver, Notice
from bracketeer.execution.ticket import Ticket

NOW = 1_700_000_000_000
RULES = Instrument(
    symbol="BTCUSDT",
    status="TRADING",
    tick_size=exact("0.1"),
    step_size=exact("0.001"),
    min_quantity=exact("0.001"),
    max_quantity=exact("1000"),
    price_precision=2,
    quantity_precision=3,
)


class Broken:
    """A gateway with a defect in every call."""

    def exchange_now_ms(self) -> int:
        return NOW

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fail(*_: object, **__: object) -> None:
            raise ZeroDivisionError(name)

        return fail


class Later:
    """A runtime that keeps tasks until the test runs them."""

    def __init__(self) -> None:
        self.tasks: list[Callable[[], None]] = []
        self.alarm_ms: int | None = None

    def spawn(self, task: Callable[[], None], *, urgent: bool = False) -> bool:
        self.tasks.append(task)
        return True

    def set_alarm(self, at_ms: int | None) -> None:
        self.alarm_ms = at_ms

    def wait(self, ticket: Ticket) -> None:
        raise NotImplementedError

    def start(self, on_alarm: Callable[[], None], on_problem: Callable[[BaseException], None]) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[AuditLogger]:
    """A journal that is closed in the end."""
    logger = AuditLogger(tmp_path, now_us=lambda: NOW * 1000)
    logger.open()
    yield logger
    logger.close()


def signal_event(signal_id: str = "s", take_profit: str | None = None) -> SignalReceived:
    """A good long entry."""
    signal = Signal(
        signal_type=SignalType.LONG_ENTRY,
        symbol="BTCUSDT",
        signal_id=signal_id,
        quantity="0.01",
        stop_loss="58000",
        take_profit=take_profit,
    )
    context = SignalContext(instrument=RULES, reference_price=exact("60000"), position_amount=exact(0))
    return SignalReceived(at_ms=NOW, signal=signal, context=context)


def driver_on(journal: AuditLogger, runtime: Later, notices: list[Notice], gateway: Any = None, **more: Any) -> Driver:
    """A driver whose gateway always fails, if no other one is given."""
    driver = Driver(State(), journal, gateway or Broken(), runtime, on_notice=notices.append, **more)
    driver.handle(EngineStarted(at_ms=NOW, policy=Policy(arm=ArmingMode.AFTER_FILL), version="t", venue="v"))
    return driver


def test_defect_while_sending_is_an_unknown_outcome(journal: AuditLogger) -> None:
    """A bug of ours on the way out must not pass for "not executed": the entry is looked up, never sent again."""
    runtime, notices = Later(), []  # type: tuple[Later, list[Notice]]
    driver = driver_on(journal, runtime, notices)
    ticket = Ticket()
    driver.handle(signal_event(), ticket=ticket)
    assert not ticket.done
    (order,) = driver.read().orders.values()
    assert order.status is OrderStatus.UNRESOLVED
    runtime.tasks.pop(0)()  # the look-up fails as well, and is asked again
    assert [notice.code for notice in notices if isinstance(notice, Alert)] == ["internal_error"] * 2
    assert runtime.alarm_ms is not None


def test_intent_is_in_the_log_before_it_is_sent(journal: AuditLogger, tmp_path: Path) -> None:
    """P5: when the gateway is called, the line of its order is on disk."""
    seen: list[str] = []

    class Looking(Broken):
        def submit(self, intent: Any, on_sent: Any = None) -> Any:
            seen.extend(str(line.client_order_id) for line in iter_lines(tmp_path) if line.event_type == "order_intent")
            raise ZeroDivisionError

    driver = Driver(State(), journal, Looking(), Later())
    driver.handle(EngineStarted(at_ms=NOW, policy=Policy(arm=ArmingMode.AFTER_FILL), version="t", venue="v"))
    driver.handle(signal_event())
    assert len(seen) == 1


def test_commands_of_a_stream_event_go_to_workers(journal: AuditLogger) -> None:
    """The stream's thread must go on reading."""
    runtime = Later()
    driver = driver_on(journal, runtime, [])
    driver.handle(signal_event(), inline=False)
    assert len(runtime.tasks) == 1
    assert journal.last_seq > 0


def test_orders_of_an_entry_leave_in_order_and_after_all_intents(journal: AuditLogger, tmp_path: Path) -> None:
    """ARM=with_entry: the stop first, on the caller's thread; the entry when its bytes have left; the target after it.

    By then all three intents are on disk.
    """
    left: list[tuple[str, int]] = []

    class Sending(Broken):
        def submit(self, intent: Any, on_sent: Any = None) -> Any:
            lines = [line for line in iter_lines(tmp_path) if line.event_type == "order_intent"]
            left.append((intent.role.name, len(lines)))
            on_sent()
            raise ZeroDivisionError

    runtime = Later()
    driver = Driver(State(), journal, Sending(), runtime)
    driver.handle(EngineStarted(at_ms=NOW, policy=Policy(arm=ArmingMode.WITH_ENTRY), version="t", venue="v"))
    driver.handle(signal_event(take_profit="66000"))
    assert left == [("STOP_LOSS", 3)]
    while len(left) < 3:
        runtime.tasks.pop(0)()
    assert left[1:] == [("ENTRY", 3), ("TAKE_PROFIT", 3)]


def test_full_journal_withholds_what_leaves_with_the_entry(
    journal: AuditLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing at all is sent, and the bracket is over."""
    sent: list[str] = []

    class Counting(Broken):
        def submit(self, intent: Any, on_sent: Any = None) -> Any:
            sent.append(intent.client_order_id)
            raise ZeroDivisionError

    class AtOnce(Later):
        def spawn(self, task: Callable[[], None], *, urgent: bool = False) -> bool:
            task()
            return True

    driver = Driver(State(), journal, Counting(), AtOnce())
    driver.handle(EngineStarted(at_ms=NOW, policy=Policy(arm=ArmingMode.WITH_ENTRY), version="t", venue="v"))

    def refuse(*_: object, **__: object) -> int:
        raise JournalError("full", code="journal_full")

    monkeypatch.setattr(journal, "append", refuse)
    monkeypatch.setattr(journal, "wait_durable", refuse)
    ticket = Ticket()
    driver.handle(signal_event(), ticket=ticket)
    report = ticket.result()
    assert report.reason is not None
    assert (report.status.value, report.reason.code) == ("denied", "audit_unavailable")
    assert sent == []
    assert driver.read().brackets == {}


def test_full_journal_withholds_the_entry(journal: AuditLogger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that cannot even be buffered: the entry is not sent, and the caller is told."""
    driver = driver_on(journal, Later(), [])

    def refuse(*_: object, **__: object) -> int:
        raise JournalError("full", code="journal_full")

    monkeypatch.setattr(journal, "append", refuse)
    monkeypatch.setattr(journal, "wait_durable", refuse)
    ticket = Ticket()
    driver.handle(signal_event(), ticket=ticket)
    report = ticket.result()
    assert report.reason is not None
    assert (report.status.value, report.reason.code) == ("denied", "audit_unavailable")
    assert driver.read().brackets == {}


def test_held_back_requests_are_answered_without_the_exchange(journal: AuditLogger) -> None:
    """During a ban nothing is sent, and what was to be sent is refused with proof, not unknown."""
    driver = driver_on(journal, Later(), [], hold_back=lambda _: Failure(kind=OutcomeKind.REFUSED, text="banned"))
    ticket = Ticket()
    driver.handle(signal_event(), ticket=ticket)
    report = ticket.result()
    assert report.status.value == "rejected"
    assert report.reason is not None
    assert "banned" in report.reason.text


def test_events_of_others_are_not_journaled(journal: AuditLogger) -> None:
    """What concerns no symbol of ours does not fill the log."""
    driver = driver_on(journal, Later(), [])
    before = journal.last_seq
    driver.handle(PositionUpdated(at_ms=NOW, symbol="XRPUSDT", amount=exact(5), exchange_time_ms=NOW))
    driver.handle(
        OrderUpdated(
            at_ms=NOW,
            symbol="XRPUSDT",
            client_order_id="web_1",
            exchange_order_id=1,
            side=Side.BUY,
            status=OrderStatus.NEW,
            quantity=exact(1),
            executed_quantity=exact(0),
            exchange_time_ms=NOW,
            source="stream",
        )
    )
    assert journal.last_seq == before


def test_waiting_callers_are_freed_when_the_manager_closes(journal: AuditLogger) -> None:
    """Nobody waits for a report that no thread will make."""
    driver = driver_on(journal, Later(), [])
    ticket = Ticket()
    driver.handle(signal_event(), ticket=ticket, inline=False)
    driver.abandon_tickets(BracketeerError("the manager was closed", code="closed"))
    with pytest.raises(BracketeerError, match="closed"):
        ticket.result()


class Overloaded(Broken):
    """A gateway whose exchange takes no entries just now."""

    def __init__(self) -> None:
        self.submitted = 0
        self.now_ms = NOW

    def exchange_now_ms(self) -> int:
        return self.now_ms

    def submit(self, intent: OrderIntent, _on_sent: Callable[[], None]) -> SubmitFailed:
        self.submitted += 1
        failure = Failure(kind=OutcomeKind.REFUSED, code=-1008, text="throttled", resend_ms=100)
        return SubmitFailed(
            at_ms=self.now_ms, client_order_id=intent.client_order_id, failure=failure, sent_at_ms=self.now_ms
        )


@pytest.mark.parametrize(("is_closing", "sends"), [(True, 1), (False, 4)])
def test_sends_no_entry_again_while_the_manager_is_being_closed(
    journal: AuditLogger, *, is_closing: bool, sends: int
) -> None:
    """What it opened would have to be guarded by somebody who is about to go."""
    gateway = Overloaded()
    driver = driver_on(journal, Later(), [], gateway=gateway)
    ticket = Ticket()
    driver.handle(signal_event(), ticket=ticket)
    assert gateway.submitted == 1
    if is_closing:
        driver.refuse_signals(BracketeerError("the manager was closed", code="closed"))
    for _ in range(5):
        gateway.now_ms += 800
        driver.alarm()
    assert gateway.submitted == sends
    report = ticket.result()
    assert report.reason is not None
    assert report.status.value == "rejected"
    assert ("not sent again" in report.reason.text) is is_closing


def test_late_caller_of_a_closed_manager_is_told_at_once(journal: AuditLogger) -> None:
    """A signal that comes in while the manager closes is not begun, and its caller does not wait for ever."""
    driver = driver_on(journal, Later(), [])
    driver.abandon_tickets(BracketeerError("the manager was closed", code="closed"))
    before, ticket = journal.last_seq, Ticket()
    driver.handle(signal_event(), ticket=ticket)
    with pytest.raises(BracketeerError, match="closed"):
        ticket.result()
    assert journal.last_seq == before


def test_signals_are_refused_while_the_manager_waits_to_leave(journal: AuditLogger) -> None:
    """What one would open could be left bare; who came before is still served."""
    runtime = Later()
    driver = driver_on(journal, runtime, [])
    first, second = Ticket(), Ticket()
    driver.handle(signal_event(), ticket=first, inline=False)
    driver.refuse_signals(BracketeerError("the manager was closed", code="closed"))
    driver.handle(signal_event("second"), ticket=second)
    with pytest.raises(BracketeerError, match="closed"):
        second.result()
    assert list(driver.read().signals) == ["s"]
    runtime.tasks.pop(0)()
    assert next(iter(driver.read().orders.values())).status is OrderStatus.UNRESOLVED, "it was sent"
    assert not first.done


def test_entry_is_not_sent_for_a_closed_manager(journal: AuditLogger) -> None:
    """What a thread was about to send when the manager closed stays unsent: the next start takes it for lost."""
    runtime, notices = Later(), []  # type: tuple[Later, list[Notice]]
    driver = driver_on(journal, runtime, notices)
    driver.handle(signal_event(), inline=False)
    driver.abandon_tickets(BracketeerError("the manager was closed", code="closed"))
    runtime.tasks[0]()
    assert notices == []  # the gateway, which always fails, was not called
    driver.end()
    journal.close()
    driver.alarm()  # a reply that comes later still meets no closed journal


class Sending(Broken):
    """A gateway that notes what is sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def submit(self, intent: Any, on_sent: Any = None) -> Any:
        self.sent.append(intent.role.name)
        raise ZeroDivisionError


class Threads(Later):
    """Tasks run on threads of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.running: list[threading.Thread] = []

    def spawn(self, task: Callable[[], None], *, urgent: bool = False) -> bool:
        thread = threading.Thread(target=task)
        self.running.append(thread)
        thread.start()
        return True

    def end(self, driver: Driver) -> None:
        """Let the driver hear no more, and wait for what runs."""
        driver.end()
        while self.running:
            self.running.pop().join()


@pytest.fixture
def stalling(journal: AuditLogger, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The disk takes what it is given, and does not say so until the event is set."""
    goes_on = threading.Event()
    goes_on.set()
    wait_durable = journal.wait_durable

    def stall(seq: int) -> None:
        goes_on.wait(10)
        wait_durable(seq)

    monkeypatch.setattr(journal, "wait_durable", stall)
    yield goes_on
    goes_on.set()


def test_protection_leaves_although_the_disk_stalls(journal: AuditLogger, stalling: threading.Event) -> None:
    """A volume that answers in half a minute must not leave a position bare; that it was so is on record."""
    gateway, runtime = Sending(), Threads()
    driver = Driver(State(), journal, gateway, runtime)
    policy = Policy(arm=ArmingMode.AFTER_FILL, naked_limit_ms=400)
    driver.handle(EngineStarted(at_ms=NOW, policy=policy, version="t", venue="v"))
    driver.handle(signal_event())
    (entry,) = driver.read().orders.values()
    stalling.clear()
    filled = OrderUpdated(
        at_ms=NOW,
        symbol="BTCUSDT",
        client_order_id=entry.intent.client_order_id,
        exchange_order_id=1,
        side=Side.BUY,
        status=OrderStatus.FILLED,
        quantity=exact("0.01"),
        executed_quantity=exact("0.01"),
        exchange_time_ms=NOW,
        source="stream",
    )
    driver.handle(filled)
    assert gateway.sent[:2] == ["ENTRY", "STOP_LOSS"]
    stalling.set()
    runtime.end(driver)
    assert [line.event_type for line in iter_lines(journal.log_dir)].count("sent_before_durable") >= 1


def test_entry_is_withheld_when_the_disk_stalls(
    journal: AuditLogger, stalling: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be sent late, at a price nobody looked at."""
    monkeypatch.setattr("bracketeer.execution.carrying.ENTRY_DISK_S", 0.01)
    gateway, runtime = Sending(), Threads()
    driver = Driver(State(), journal, gateway, runtime)
    driver.handle(EngineStarted(at_ms=NOW, policy=Policy(arm=ArmingMode.AFTER_FILL), version="t", venue="v"))
    stalling.clear()
    ticket = Ticket()
    driver.handle(signal_event(), ticket=ticket)
    assert ticket.result().reason is not None
    assert (ticket.result().status.value, gateway.sent) == ("denied", [])
    stalling.set()
    runtime.end(driver)


def test_stream_thread_does_not_wait_for_the_disk(journal: AuditLogger, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has to go on reading: a worker asks the disk."""
    runtime = Later()
    driver = driver_on(journal, runtime, [])
    asked: list[int] = []
    wait_durable = journal.wait_durable

    def note(seq: int) -> None:
        asked.append(seq)
        wait_durable(seq)

    monkeypatch.setattr(journal, "wait_durable", note)
    driver.handle(signal_event(), inline=False)
    assert (len(runtime.tasks), asked) == (1, [])
    runtime.tasks.pop()()
    assert asked


def test_copy_of_the_state_is_a_moment(journal: AuditLogger) -> None:
    """A reader's copy does not change under it, and lacks nothing."""
    driver = driver_on(journal, Later(), [])
    before = driver.read()
    driver.handle(signal_event(), inline=False)
    assert before.brackets == {}
    assert driver.read().encode() == driver._state.encode()


def test_ticket_is_settled_once() -> None:
    """The first report counts; an unsettled ticket has no result."""
    ticket = Ticket()
    with pytest.raises(RuntimeError):
        ticket.result()
    ticket.fail(BracketeerError("first"))
    ticket.fail(BracketeerError("second"))
    assert ticket.wait(0)
    with pytest.raises(BracketeerError, match="first"):
        ticket.result()


def test_alarm_is_set_in_the_order_of_the_steps(journal: AuditLogger) -> None:
    """Two threads that set what they had read outside the lock could do so in the wrong order: a lost wake-up."""
    owned: list[bool] = []

    class Watching(Later):
        def set_alarm(self, at_ms: int | None) -> None:
            owned.append(driver._lock._is_owned())  # type: ignore[attr-defined]
            super().set_alarm(at_ms)

    driver = Driver(State(), journal, Broken(), Watching())
    driver.handle(EngineStarted(at_ms=NOW, policy=Policy(arm=ArmingMode.AFTER_FILL), version="t", venue="v"))
    driver.handle(signal_event())
    assert owned
    assert all(owned)


def test_event_dated_before_the_clock_was_set_back_is_handled_as_of_now(journal: AuditLogger, tmp_path: Path) -> None:
    """Neither the log nor a wake-up lies at a time that the clock has yet to reach; what is late keeps its date."""
    runtime = Later()
    driver = driver_on(journal, runtime, [])
    driver.handle(replace(signal_event(), at_ms=NOW + 3_600_000))
    assert runtime.alarm_ms is not None
    assert NOW < runtime.alarm_ms < NOW + 60_000
    driver.handle(replace(signal_event("late"), at_ms=NOW - 5))
    lines = [line for line in iter_lines(tmp_path) if line.event_type == "signal_received"]
    assert [line.fields["data"]["at_ms"] for line in lines] == [NOW, NOW - 5]
