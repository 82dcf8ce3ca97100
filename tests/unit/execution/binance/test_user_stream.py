"""The user data stream: what it hands on, and how it comes back from every way of being lost."""

from __future__ import annotations

import json
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


class Story:
    """A stream whose sockets follow a script, run to its end on the calling thread.

    Each socket is a list of what `recv` meets: a payload, an exception, or an act to call. When the script is over the
    stream is stopped.
    """

    def __init__(self, *sockets: list[Any] | Exception) -> None:
        self.sockets = list(sockets)
        self.clock = FakeClock()
        self.keys = Keys(self.clock)
        self.urls: list[str] = []
        self.events: list[AnyEvent] = []
        self.problems: list[tuple[str, str]] = []
        self.waits: list[float] = []
        self.closed = 0
        self.on_event: Callable[[AnyEvent], None] = self.events.append
        self.stream = BinanceUserStream(
            self.keys, STREAM_URL, self.clock, on_problem=self._problem, connect=self._connect, wait=self._wait
        )
        self._script: list[Any] = []

    def run(self) -> Story:
        """Until the script is over."""
        self.stream.start(lambda event: self.on_event(event))
        thread = self.stream._thread
        assert thread is not None
        thread.join(10)
        assert not thread.is_alive(), "the stream did not end"
        return self

    def recv(self, timeout: float | None = None) -> str:
        while self._script:
            step = self._script.pop(0)
            if callable(step):
                step()
                continue
            if isinstance(step, TimeoutError):
                assert timeout is not None
                self.clock.elapsed_s += timeout
            if isinstance(step, Exception):
                raise step
            return step if isinstance(step, str) else json.dumps(step)
        if not self.sockets:
            self.stream.stop()
        raise closed_by_the_exchange()

    def close(self) -> None:
        self.closed += 1

    @contextmanager
    def _connect(self, url: str) -> Iterator[Story]:
        self.urls.append(url)
        if not self.sockets:
            self.stream.stop()
            yield self
            return
        script = self.sockets.pop(0)
        if isinstance(script, Exception):
            raise script
        self._script = list(script)
        yield self

    def _problem(self, code: str, text: str) -> None:
        self.problems.append((code, text))

    def _wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.clock.elapsed_s += seconds
        return False

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


def test_stream_renews_itself_before_the_24_hours_are_over() -> None:
    """Without a pause: the moment is ours."""
    story = Story([TimeoutError()] * 60, []).run()
    assert story.reasons[0] == "end of its 24 hours"
    assert story.clock.elapsed_s == pytest.approx(LIFE_S)
    assert story.waits == []


def test_stream_renews_at_once_when_asked() -> None:
    """It is open but not believed."""
    story = Story([])
    story.sockets = [[story.stream.renew, closed_by_the_exchange()], []]
    story.run()
    assert story.kinds == [StreamConnected, StreamLost, StreamConnected, StreamLost]
    assert story.waits == []
    assert story.closed >= 1


def test_stream_notices_a_renewal_that_came_with_a_message() -> None:
    """The message is still handed on."""
    story = Story([])
    story.sockets = [[story.stream.renew, ORDER_EVENT, ORDER_EVENT], []]
    story.run()
    assert story.reasons[0] == "renewed"
    assert story.kinds.count(OrderUpdated) == 1


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ("{", "not_json"),
        ([], "unreadable_event"),
        (ORDER_EVENT | {"o": {}}, "unreadable_payload"),
        ({"e": "ORDER_TRADE_UPDATE", "o": ORDER_EVENT["o"] | {"X": "MELTED"}}, "unknown_order_status"),  # type: ignore[operator]
        ({"e": "SOMETHING_NEW"}, "unknown_event"),
        ({"e": "MARGIN_CALL", "p": [{"s": "BTCUSDT"}]}, "margin_call"),
    ],
)
def test_stream_reports_what_it_cannot_use_and_goes_on(payload: Any, code: str) -> None:
    """One strange message costs no other."""
    story = Story([payload, ORDER_EVENT]).run()
    assert [problem for problem, _text in story.problems] == [code]
    assert OrderUpdated in story.kinds


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
