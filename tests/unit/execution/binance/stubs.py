"""Hand-written stand-ins: a clock that only moves when told, and an exchange that answers from a script."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import requests
from requests.adapters import BaseAdapter

from bracketeer.core.redaction import Redactor
from bracketeer.core.request_weight import RequestWeightTracker
from bracketeer.core.settings import Policy, Settings
from bracketeer.core.values import ArmingMode
from bracketeer.execution.binance.gateway import BinanceGateway, connect_gateway

API_KEY = "canary-key-0123456789abcdef"
API_SECRET = "canary-secret-0123456789abcdef"
BASE_URL = "https://exchange.test"
NOW_MS = 1_700_000_000_000


class FakeClock:
    """`ports.Clock`: sleeping moves it, and is remembered."""

    def __init__(self, now_ms: int = NOW_MS) -> None:
        self.started_ms = now_ms
        self.elapsed_s = 0.0
        self.slept: list[float] = []

    def now_ms(self) -> int:
        return self.started_ms + round(self.elapsed_s * 1000)

    def now_us(self) -> int:
        return self.now_ms() * 1000

    def monotonic(self) -> float:
        return 1000.0 + self.elapsed_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.elapsed_s += seconds


class Sent(msgspec.Struct, frozen=True):
    """One request as it left."""

    method: str
    path: str
    parameters: dict[str, str]
    query: str
    headers: dict[str, str]

    @property
    def call(self) -> str:
        return f"{self.method} {self.path}"


class Answer(msgspec.Struct, frozen=True):
    """One scripted answer; `body` goes out as JSON unless it is text."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = {}


def refusal(code: int, text: str = "refused", status: int = 400, **headers: str) -> Answer:
    """A refusal in the exchange's form."""
    return Answer({"code": code, "msg": text}, status, headers)


class ScriptedExchange(BaseAdapter):
    """Answers each call from its own list; the last answer of a list is repeated. An exception in a list is raised."""

    def __init__(self, script: Mapping[str, Any] | None = None, *, clock: FakeClock | None = None) -> None:
        super().__init__()
        self.script: dict[str, list[Any]] = {}
        self.sent: list[Sent] = []
        self.closed = False
        self.on_send: Callable[[Sent], None] = lambda _sent: None
        self._clock = clock
        for call, answers in (script or {}).items():
            self.answer(call, *(answers if isinstance(answers, list) else [answers]))

    def answer(self, call: str, *answers: Any) -> None:
        """Set the answers of one call, such as `GET /fapi/v1/order`."""
        self.script[call] = list(answers)

    def calls(self) -> list[str]:
        """Methods and paths in the order sent."""
        return [sent.call for sent in self.sent]

    def send(self, request: requests.PreparedRequest, *_args: Any, **_kwargs: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        sent = Sent(str(request.method), parts.path, dict(parse_qsl(parts.query)), parts.query, dict(request.headers))
        self.sent.append(sent)
        self.on_send(sent)
        answers = self.script.get(sent.call)
        if answers is None and sent.call == "GET /fapi/v1/time" and self._clock is not None:
            answers = [Answer({"serverTime": self._clock.now_ms()})]
        assert answers, f"no answer is scripted for {sent.call}"
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        if not isinstance(answer, Answer):
            answer = Answer(answer)
        response = requests.Response()
        response.status_code = answer.status
        response.headers.update(answer.headers)
        body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        response.raw = BytesIO(body.encode())
        response.url = str(request.url)
        response.request = request
        return response

    def close(self) -> None:
        self.closed = True


class Notes:
    """Takes the place of the audit log."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str | None, dict[str, Any]]] = []

    def log_event(self, event_type: str, operation: str | None = None, **data: Any) -> int:
        self.events.append((event_type, operation, data))
        return len(self.events)


class Desk:
    """A gateway on a scripted exchange, with everything at hand that a test may want to look at."""

    def __init__(self, script: Mapping[str, Any] | None = None, *, policy: Policy | None = None) -> None:
        self.clock = FakeClock()
        self.exchange = ScriptedExchange(script, clock=self.clock)
        self.tracker = RequestWeightTracker(now_ms=self.clock.now_ms)
        self.notes = Notes()
        self.redactor = Redactor()
        self.gateway: BinanceGateway = connect_gateway(
            API_KEY,
            API_SECRET,
            BASE_URL,
            Settings(policy=policy or Policy(arm=ArmingMode.AFTER_FILL)),
            self.clock,
            self.tracker,
            self.redactor,
            self.notes,
            self.exchange,
        )

    @property
    def only(self) -> Sent:
        """The one request that was sent."""
        (sent,) = self.exchange.sent
        return sent
