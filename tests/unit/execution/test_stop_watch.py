"""The stop watch: silent while stops rest, quick to say when one does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bracketeer.core.events import AnyEvent, StopMissed
from bracketeer.core.outcome import Failure, OutcomeKind
from bracketeer.core.state import State
from bracketeer.execution.errors import ExchangeUnreachable
from bracketeer.execution.stop_watch import StopWatch, live_stops
from tests.support.stories import Story


class Books:
    """A gateway that knows what rests."""

    def __init__(self, resting: set[str]) -> None:
        self.resting = resting
        self.is_down = False
        self.asked: list[str] = []

    def resting_algo_ids(self, symbol: str) -> set[str]:
        self.asked.append(symbol)
        if self.is_down:
            failure = Failure(kind=OutcomeKind.UNKNOWN, text="no answer in time")
            raise ExchangeUnreachable(failure, call="GET /fapi/v1/openAlgoOrders", sent_at_ms=0)
        return self.resting

    def exchange_now_ms(self) -> int:
        return 1_700_000_000_000 + len(self.asked)


class Ears:
    """A driver that remembers what it was told."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.heard: list[AnyEvent] = []

    def read(self) -> State:
        return self.state

    def handle(self, event: AnyEvent) -> None:
        self.heard.append(event)


class Now:
    """A runtime that does everything at once."""

    def spawn(self, task: Callable[[], None]) -> bool:
        task()
        return True


class Answers:
    """Remembers whether questions were answered."""

    def __init__(self) -> None:
        self.were: list[bool] = []

    def failed(self) -> None:
        self.were.append(False)

    def succeeded(self) -> None:
        self.were.append(True)


def watch_over(books: Books, ears: Ears, *, held: str | None = None, answers: Answers | None = None) -> StopWatch:
    """A watch with an interval of one second."""
    gateway: Any = books
    driver: Any = ears
    runtime: Any = Now()
    told: Any = answers or Answers()
    return StopWatch(gateway, driver, runtime, 1.0, lambda _: held, told)


def protected() -> tuple[Story, str]:
    """A story with a live stop, and that stop's id."""
    story = Story()
    story.protected()
    ((_, (stop,)),) = live_stops(story.state).items()
    return story, stop.intent.client_order_id


def test_says_nothing_while_the_stop_rests() -> None:
    """What is in order is neither journaled nor stepped."""
    story, stop_id = protected()
    books, ears = Books({stop_id, "somebody-elses"}), Ears(story.state)
    assert watch_over(books, ears).look() == 1.0
    assert (books.asked, ears.heard) == (["BTCUSDT"], [])


def test_tells_of_a_stop_that_is_gone() -> None:
    """The engine hears which list lacked it: what is to be asked is its decision, also where no question may leave."""
    story, stop_id = protected()
    ears = Ears(story.state)
    watch_over(Books(set()), ears).look()
    (event,) = ears.heard
    assert isinstance(event, StopMissed)
    assert (event.client_order_id, event.asked_at_ms) == (stop_id, 1_700_000_000_000)
    assert event.at_ms == 1_700_000_000_001


def test_a_failed_question_is_no_absence() -> None:
    """Failure mode 9: nothing is concluded from it, and the next look is taken."""
    story, _ = protected()
    books, ears, answers = Books(set()), Ears(story.state), Answers()
    watch = watch_over(books, ears, answers=answers)
    books.is_down = True
    watch.look()
    assert ears.heard == []
    books.is_down = False
    watch.look()
    assert len(ears.heard) == 1
    assert answers.were == [False, True]


def test_asks_nothing_while_requests_are_held_back() -> None:
    """A ban or a spent budget."""
    story, _ = protected()
    books = Books(set())
    watch_over(books, Ears(story.state), held="banned").look()
    assert books.asked == []


def test_asks_nothing_without_live_stops() -> None:
    """Flat, or a stop that is on its way: others see to that."""
    books = Books(set())
    watch_over(books, Ears(State())).look()
    assert books.asked == []
