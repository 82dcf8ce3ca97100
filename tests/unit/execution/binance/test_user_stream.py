"""The user data stream: what it hands on, and how it comes back from every way of being lost."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidURI
from websockets.frames import Close

from bracketeer.core.events import AlgoUpdated, AnyEvent, OrderUpdated, PositionUpdated, StreamConnected, StreamLost
from bracketeer.core.outcome import Failure, OutcomeKind
from bracketeer.execution.binance.user_stream import (
    KEEP_ALIVE_RETRY_S,
    KEEP_ALIVE_S,
    LIFE_S,
    NEXT_RETRY_S,
    OVERLAP_S,
    BinanceUserStream,
)
from bracketeer.execution.errors import ExchangeRefused, ExchangeUnreachable

from .stubs import NOW_MS, FakeClock

KEY = "canarylistenkey0123456789abcdef"
STREAM_URL = "wss://stream.test"

ORDER_EVENT = {
    "e": "ORDER_TRADE_UPDATE",
    "T": NOW_MS,
    "E": NOW_MS,
    "o": {"s": "BTCUSDT", "c": "bktr-x", "S": "BUY", "X": "NEW", "i": 5, "q": "1", "z": "0"},
}
ALGO_EVENT = {
    "e": "ALGO_UPDATE",
    "T": NOW_MS,
    "o": {"caid": "bktr-x", "aid": 9, "s": "BTCUSDT", "X": "NEW", "ai": ""},
}
ACCOUNT_EVENT = {"e": "ACCOUNT_UPDATE", "T": NOW_MS, "a": {"m": "ORDER", "P": [{"s": "BTCUSDT", "pa": "1", "ep": "6"}]}}
EXPIRED_EVENT = {"e": "listenKeyExpired", "E": NOW_MS, "listenKey": KEY}


class Keys:
    """Hands out one listen key; failures are scripted. The exchange's clock is five seconds ahead of ours."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.opened = 0
        self.extended = 0
        self.open_failures: list[Exception] = []
        self.extend_failures: list[Exception] = []

    def exchange_now_ms(self) -> int:
        return self.clock.now_ms() + 5000

    def open_listen_key(self) -> str:
        self.opened += 1
        if self.open_failures:
            raise self.open_failures.pop(0)
        return KEY

    def extend_listen_key(self) -> None:
        self.extended += 1
        if self.extend_failures:
            raise self.extend_failures.pop(0)


def closed_by_the_exchange() -> ConnectionClosedError:
    """The far end closed the connection."""
    return ConnectionClosedError(Close(1001, "going away"), None)


class Held:
    """A step of a script: the socket stays open until it is dropped, and hands on what is pushed into it."""


HELD = Held()


class Socket:
    """One connection of a story; `recv` follows its script, then the exchange closes it."""

    def __init__(self, story: Story, script: list[Any]) -> None:
        self.story = story
        self.script = list(script)
        self.pushed: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.closed = False

    def recv(self, timeout: float | None = None) -> str:
        while self.script:
            step = self.script[0]
            if isinstance(step, Held):
                step = self.pushed.get(timeout=5)
            else:
                self.script.pop(0)
            if callable(step):
                step()
                continue
            if isinstance(step, TimeoutError):
                assert timeout is not None
                self.story.clock.elapsed_s += timeout
            if isinstance(step, Exception):
                raise step
            return step if isinstance(step, str) else json.dumps(step)
        if not self.story.sockets:
            self.story.stream.stop()
        raise closed_by_the_exchange()

    def close(self) -> None:
        self.closed = True
        self.pushed.put(ConnectionClosedError(None, None))


class Story:
    """A stream whose sockets follow a script, run to its end on the calling thread.

    Each socket is a list of what `recv` meets: a payload, an exception, or an act to call. When the script is over the
    stream is stopped. `waiting` is called at every pause of the stream.
    """

    def __init__(self, *sockets: list[Any] | Exception) -> None:
        self.sockets = list(sockets)
        self.opened: list[Socket] = []
        self.clock = FakeClock()
        self.keys = Keys(self.clock)
        self.urls: list[str] = []
        self.events: list[AnyEvent] = []
        self.problems: list[tuple[str, str]] = []
        self.waits: list[float] = []
        self.waiting: Callable[[], object] = lambda: None
        self.connecting: Callable[[], object] = lambda: None
        self.on_event: Callable[[AnyEvent], None] = self.events.append
        self.stream = BinanceUserStream(
            self.keys, STREAM_URL, self.clock, on_problem=self._problem, connect=self._connect, wait=self._wait
        )

    def run(self) -> Story:
        """Until the script is over."""
        self.stream.start(lambda event: self.on_event(event))
        thread = self.stream._thread
        assert thread is not None
        thread.join(10)
        assert not thread.is_alive(), "the stream did not end"
        return self

    @contextmanager
    def _connect(self, url: str) -> Iterator[Socket]:
        self.urls.append(url)
        self.connecting()
        if not self.sockets:
            self.stream.stop()
        script = self.sockets.pop(0) if self.sockets else []
        if isinstance(script, Exception):
            raise script
        socket = Socket(self, script)
        self.opened.append(socket)
        try:
            yield socket
        finally:
            socket.closed = True

    def _problem(self, code: str, text: str) -> None:
        self.problems.append((code, text))

    def _wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.clock.elapsed_s += seconds
        self.waiting()
        return False

    def when(self, kind: type[AnyEvent]) -> threading.Event:
        """Set when an event of a kind was handed on."""
        seen = threading.Event()

        def on_event(event: AnyEvent) -> None:
            self.events.append(event)
            if isinstance(event, kind):
                seen.set()

        self.on_event = on_event
        return seen

    @property
    def kinds(self) -> list[type[AnyEvent]]:
        return [type(event) for event in self.events]

    @property
    def reasons(self) -> list[str]:
        return [event.reason for event in self.events if isinstance(event, StreamLost)]


def unreachable() -> ExchangeUnreachable:
    """No answer to the question for a listen key."""
    return ExchangeUnreachable(Failure(kind=OutcomeKind.UNKNOWN, text="ReadTimeout"))


def key_gone() -> ExchangeRefused:
    """-1125."""
    return ExchangeRefused(Failure(kind=OutcomeKind.REFUSED, code=-1125, text="This listenKey does not exist."))


def test_stream_hands_on_what_happens() -> None:
    """Orders, algo orders and positions arrive as events, between connected and lost."""
    story = Story([ORDER_EVENT, ALGO_EVENT, {"stream": "x", "data": ACCOUNT_EVENT}]).run()
    assert story.kinds == [StreamConnected, OrderUpdated, AlgoUpdated, PositionUpdated, StreamLost]
    assert story.urls == [f"{STREAM_URL}/private/ws/{KEY}"]
    assert story.problems == []
    assert {event.at_ms for event in story.events} == {NOW_MS + 5000}


def test_stream_reconnects_with_growing_pauses_while_nobody_answers() -> None:
    """1 s, 2 s, 4 s, …; each failure is reported without the address."""
    story = Story(OSError("no route"), InvalidURI(f"{STREAM_URL}/{KEY}", "bad"), TimeoutError(), []).run()
    assert story.waits[:3] == [1.0, 2.0, 4.0]
    assert story.problems == [
        ("stream_unreachable", "OSError"),
        ("stream_unreachable", "InvalidURI"),
        ("stream_unreachable", "TimeoutError"),
    ]


def test_stream_waits_two_minutes_at_most() -> None:
    """However long the exchange has been away."""
    story = Story(*[OSError() for _ in range(20)], []).run()
    assert story.waits[:8] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 120.0]
    assert set(story.waits[7:20]) == {120.0}


def test_stream_keeps_trying_when_there_is_no_listen_key() -> None:
    """An exchange that does not answer is asked again, later."""
    story = Story([])
    story.keys.open_failures = [unreachable(), unreachable()]
    story.run()
    assert story.keys.opened == 3
    assert story.waits[:2] == [1.0, 2.0]
    assert story.problems[0][0] == "stream_unreachable"


def test_stream_reconnects_when_the_exchange_closes() -> None:
    """Lost, a pause, connected again: the engine hears of both."""
    story = Story([closed_by_the_exchange()], [ORDER_EVENT]).run()
    assert story.kinds == [StreamConnected, StreamLost, StreamConnected, OrderUpdated, StreamLost]
    assert story.reasons[0] == "closed with code 1001"


def test_stream_forgets_old_failures_after_a_long_life() -> None:
    """A connection that lived longer than the longest pause starts the pauses anew."""
    story = Story(OSError(), OSError(), [TimeoutError(), closed_by_the_exchange()], []).run()
    assert story.waits[:3] == [1.0, 2.0, 1.0]


def test_stream_says_when_the_connection_was_lost_without_a_word() -> None:
    """No close frame came."""
    story = Story([ConnectionClosedError(None, None)], []).run()
    assert story.reasons[0] == "connection lost"


def test_stream_extends_its_listen_key_every_half_hour() -> None:
    """The key would end after an hour."""
    story = Story([TimeoutError(), TimeoutError(), ORDER_EVENT]).run()
    assert story.keys.extended == 2
    assert story.clock.elapsed_s == pytest.approx(2 * KEEP_ALIVE_S)


def test_stream_tries_to_extend_again_soon_when_that_failed() -> None:
    """Half of the key's life is left for it; the connection goes on meanwhile."""
    story = Story([TimeoutError(), TimeoutError(), ORDER_EVENT])
    story.keys.extend_failures = [unreachable()]
    story.run()
    assert story.keys.extended == 2
    assert story.clock.elapsed_s == pytest.approx(KEEP_ALIVE_S + KEEP_ALIVE_RETRY_S)
    assert [code for code, _text in story.problems] == ["keep_alive_failed"]


def test_stream_takes_a_new_key_when_the_old_one_is_gone() -> None:
    """-1125 from the keep-alive."""
    story = Story([TimeoutError()], [])
    story.keys.extend_failures = [key_gone()]
    story.run()
    assert story.keys.opened == 2
    assert story.reasons[0] == "listen key gone"


def test_stream_takes_a_new_key_when_told_that_it_expired() -> None:
    """After listenKeyExpired the socket stays open and silent (§10.1)."""
    story = Story([EXPIRED_EVENT, ORDER_EVENT], []).run()
    assert story.keys.opened == 2
    assert story.reasons[0] == "listen key expired"
    assert OrderUpdated not in story.kinds


DAY = [TimeoutError()] * 48
"""So many waits, each for half an hour at most, are the life of a connection."""


def test_stream_has_its_next_connection_before_the_24_hours_are_over() -> None:
    """What is told while both are open is told by both, in order; nobody hears of a loss, for there is none."""
    story = Story([*DAY, HELD], [ORDER_EVENT, ALGO_EVENT])
    story.waiting = lambda: story.opened[0].pushed.put(ORDER_EVENT)
    story.run()
    assert story.kinds == [StreamConnected, OrderUpdated, StreamConnected, OrderUpdated, AlgoUpdated, StreamLost]
    assert story.waits == [OVERLAP_S]
    assert story.clock.elapsed_s == pytest.approx(LIFE_S + OVERLAP_S)
    assert [socket.closed for socket in story.opened] == [True, True]
    assert story.problems == []
    assert (story.keys.opened, len(story.urls)) == (2, 2)


def test_stream_reads_on_while_the_next_connection_is_being_opened() -> None:
    """A handshake that hangs holds up no event."""
    story = Story([*DAY, ORDER_EVENT, HELD], [])
    heard = story.when(OrderUpdated)
    story.connecting = lambda: story.opened and heard.wait(5)
    story.run()
    assert story.kinds == [StreamConnected, OrderUpdated, StreamConnected, StreamLost]


def test_stream_keeps_its_old_connection_when_the_next_one_cannot_be_opened() -> None:
    """It has ten minutes left, and tries again each minute."""
    story = Story([*DAY, HELD], OSError("no route"), [])

    def problem(code: str, text: str) -> None:
        story.problems.append((code, text))
        story.opened[0].pushed.put(ORDER_EVENT)
        story.opened[0].pushed.put(TimeoutError())

    story.stream._on_problem = problem
    story.run()
    assert story.kinds == [StreamConnected, OrderUpdated, StreamConnected, StreamLost]
    assert story.problems == [("stream_unreachable", "the next connection: OSError")]
    assert story.clock.elapsed_s == pytest.approx(LIFE_S + NEXT_RETRY_S + OVERLAP_S)


def test_stream_goes_on_with_the_next_connection_when_the_old_one_ends_first() -> None:
    """The exchange was faster: the one that is open takes over at once, and is not dropped in its place."""
    story = Story([*DAY, HELD], [ORDER_EVENT])
    story.waiting = lambda: story.opened[0].pushed.put(closed_by_the_exchange())
    story.run()
    assert story.kinds == [StreamConnected, StreamConnected, OrderUpdated, StreamLost]
    assert story.waits == [OVERLAP_S]


def test_stream_waits_for_the_next_connection_when_the_old_one_ends_while_it_is_being_opened() -> None:
    """Then there is a gap, and the engine hears of it; but no pause."""
    story = Story([*DAY, HELD], [ORDER_EVENT])
    lost = story.when(StreamLost)

    def connecting() -> None:
        if story.opened:
            story.opened[0].pushed.put(closed_by_the_exchange())
            lost.wait(5)

    story.connecting = connecting
    story.run()
    assert story.kinds == [StreamConnected, StreamLost, StreamConnected, OrderUpdated, StreamLost]
    assert len(story.urls) == 2


def test_stream_renews_at_once_when_asked() -> None:
    """It is open but not believed: the next one is opened beside it, and takes over without a pause."""
    story = Story([])
    story.sockets = [[ORDER_EVENT, lambda: story.stream.renew(), HELD], [ALGO_EVENT]]
    story.run()
    assert story.kinds == [StreamConnected, OrderUpdated, StreamConnected, AlgoUpdated, StreamLost]
    assert story.waits == []
    assert story.opened[0].closed


def test_stream_renews_once_when_asked_twice() -> None:
    """One successor at a time; asked again later, it is renewed again."""
    story = Story([])
    story.sockets = [
        [lambda: story.stream.renew(), lambda: story.stream.renew(), HELD],
        [ORDER_EVENT, lambda: story.stream.renew(), HELD],
        [],
    ]
    story.run()
    assert story.kinds == [StreamConnected, StreamConnected, OrderUpdated, StreamConnected, StreamLost]
    assert len(story.urls) == 3


def test_stream_drops_a_connection_that_is_not_believed_even_when_no_other_can_be_opened() -> None:
    """Lost, said so, and tried again with growing pauses, as after any loss."""
    story = Story([])
    story.sockets = [[lambda: story.stream.renew(), HELD], OSError("no route"), OSError("no route"), []]
    story.run()
    assert story.kinds == [StreamConnected, StreamLost, StreamConnected, StreamLost]
    assert story.reasons[0] == "renewed"
    assert [code for code, _text in story.problems] == ["stream_unreachable"] * 2
    assert story.waits[:2] == [1.0, 2.0]


def test_stream_cuts_the_overlap_short_when_the_old_connection_is_not_believed() -> None:
    """A renewal during a planned one."""
    story = Story([*DAY, HELD], [ORDER_EVENT])
    story.waiting = story.stream.renew
    story.run()
    assert story.kinds == [StreamConnected, StreamConnected, OrderUpdated, StreamLost]
    assert len(story.urls) == 2


def test_stream_leaves_no_connection_open_when_it_is_stopped_amid_a_renewal() -> None:
    """The next one is closed by whoever learns of it last."""
    story = Story([*DAY, HELD], [HELD])
    story.waiting = story.stream.stop
    story.run()
    next_thread = next((t for t in threading.enumerate() if t.name == "bracketeer-user-stream-next"), None)
    if next_thread is not None:
        next_thread.join(5)
    assert [socket.closed for socket in story.opened] == [True, True]
    assert story.kinds == [StreamConnected, StreamLost]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"e": "SOMETHING_NEW"}, "unknown_event"),
        ({"e": "MARGIN_CALL", "p": [{"s": "BTCUSDT"}]}, "margin_call"),
    ],
)
def test_stream_reports_what_it_cannot_use_and_goes_on(payload: Any, code: str) -> None:
    """One strange message costs no other."""
    story = Story([payload, ORDER_EVENT]).run()
    assert [problem for problem, _text in story.problems] == [code]
    assert OrderUpdated in story.kinds


MELTED = {"e": "ORDER_TRADE_UPDATE", "o": ORDER_EVENT["o"] | {"X": "MELTED"}}  # type: ignore[operator]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ("{", "not_json"),
        ([], "unreadable_event"),
        (ORDER_EVENT | {"o": {}}, "unreadable_payload"),
        (MELTED, "unknown_order_status"),
    ],
)
def test_stream_has_looked_up_what_it_cannot_read(payload: Any, code: str) -> None:
    """What was said is lost like what a cut connection would have brought: the next one takes over, without a gap."""
    story = Story([payload, ORDER_EVENT, HELD], [])
    heard = story.when(OrderUpdated)
    story.connecting = lambda: story.opened and heard.wait(5)
    story.run()
    assert [problem for problem, _text in story.problems] == [code]
    assert story.kinds == [StreamConnected, OrderUpdated, StreamConnected, StreamLost]


def test_stream_does_not_chase_a_new_kind_of_message() -> None:
    """A status that comes with every order from now on costs one look-up in half a minute."""
    story = Story([MELTED, MELTED, ORDER_EVENT, HELD], [MELTED, TimeoutError(), MELTED, ORDER_EVENT, HELD], [])
    story.run()
    assert [kind for kind in story.kinds if kind is StreamConnected] == [StreamConnected] * 3
    assert len(story.problems) == 4


def test_stream_survives_a_callback_that_raises() -> None:
    """Its failure is reported, and the next event is handed on."""
    story = Story([ORDER_EVENT, ALGO_EVENT])
    seen: list[AnyEvent] = []

    def on_event(event: AnyEvent) -> None:
        seen.append(event)
        if isinstance(event, OrderUpdated):
            raise KeyError("a bug")

    story.on_event = on_event
    story.run()
    assert [type(event) for event in seen] == [StreamConnected, OrderUpdated, AlgoUpdated, StreamLost]
    assert story.problems == [("callback_failed", "OrderUpdated: KeyError: 'a bug'")]


def test_stream_survives_a_reporter_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """Then the log is what is left."""
    story = Story([{"e": "SOMETHING_NEW"}, ORDER_EVENT])

    def broken(_code: str, _text: str) -> None:
        raise RuntimeError("disk full")

    story.stream._on_problem = broken
    story.run()
    assert OrderUpdated in story.kinds
    assert "unknown_event" in caplog.text


def test_stream_survives_a_bug_of_its_own() -> None:
    """The thread outlives what nobody expected, and says what it met."""
    story = Story([ZeroDivisionError()], [ORDER_EVENT]).run()
    assert story.problems == [("stream_unreachable", "ZeroDivisionError")]
    assert story.reasons[0] == "interrupted"
    assert OrderUpdated in story.kinds


def test_stream_is_started_once() -> None:
    """Two threads on one account would see everything twice."""
    story = Story([]).run()
    with pytest.raises(RuntimeError, match="once"):
        story.stream.start(story.on_event)


def test_stream_may_be_stopped_before_it_was_started() -> None:
    """Nothing to do."""
    Story([]).stream.stop()


def test_stream_stops_in_the_middle_of_a_pause() -> None:
    """`stop` cuts the pause short and ends the thread."""
    paused = threading.Event()
    keys = Keys(FakeClock())
    keys.open_failures = [unreachable()] * 100
    stream = BinanceUserStream(keys, STREAM_URL, keys.clock, on_problem=lambda _code, _text: paused.set())
    stream.start(lambda _event: None)
    assert paused.wait(5)
    stream.stop()
    assert stream._thread is not None
    assert not stream._thread.is_alive()
