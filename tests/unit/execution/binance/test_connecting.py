"""Before anything is sent: the right package, the keys, and errors that say what to do."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Mapping

import pytest

from bracketeer.core.errors import AuditError, BracketeerError
from bracketeer.core.outcome import Failure, OutcomeKind, classify
from bracketeer.core.redaction import Redactor
from bracketeer.core.request_weight import RequestWeightTracker
from bracketeer.core.settings import Settings
from bracketeer.execution.binance.connector import require_connector
from bracketeer.execution.binance.gateway import connect_gateway
from bracketeer.execution.binance.urls import MAINNET, TESTNET, private_stream_url
from bracketeer.execution.binance.usage import cost, retry_after_s
from bracketeer.execution.errors import (
    AuthenticationFailed,
    Banned,
    ClockSkewed,
    ConfigurationError,
    ExchangeError,
    ExchangeRefused,
    ExchangeUnreachable,
    HedgeModeUnsupported,
    RateLimited,
    error_for,
)

from .stubs import BASE_URL, NOW_MS, Answer, Desk, FakeClock, ScriptedExchange


@pytest.mark.parametrize(("key", "secret"), [("", "x"), ("x", ""), ("", "")])
def test_missing_keys_are_a_clear_error(key: str, secret: str) -> None:
    """It says which variables to set."""
    clock = FakeClock()
    with pytest.raises(ConfigurationError, match="BINANCE_API_KEY and BINANCE_API_SECRET") as caught:
        connect_gateway(key, secret, BASE_URL, Settings(), clock, RequestWeightTracker(now_ms=clock.now_ms), Redactor())
    assert caught.value.code == "missing_keys"


def test_short_keys_are_taken_as_they_are() -> None:
    """A simulator may use any; they cannot be masked without harm to other text."""
    clock, exchange = FakeClock(), ScriptedExchange({"GET /fapi/v3/balance": [[]]})
    gateway = connect_gateway(
        "key",
        "secret",
        BASE_URL + "/",
        Settings(),
        clock,
        RequestWeightTracker(now_ms=clock.now_ms),
        Redactor(),
        adapter=exchange,
    )
    assert gateway.balance() == 0
    assert exchange.sent[0].path == "/fapi/v3/balance"


def test_the_connector_is_found() -> None:
    """It is installed here."""
    require_connector()


def without_connector(monkeypatch: pytest.MonkeyPatch, installed: Mapping[str, types.ModuleType]) -> None:
    """Import as if only these packages were installed."""

    def import_module(name: str) -> types.ModuleType:
        if name in installed:
            return installed[name]
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", import_module)


def test_python_binance_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    """It installs a package of the same name (§15.2)."""
    without_connector(monkeypatch, {"binance": types.ModuleType("binance")})
    with pytest.raises(ConfigurationError, match="pip uninstall -y python-binance") as caught:
        require_connector()
    assert caught.value.code == "wrong_binance_package"


def test_a_missing_connector_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    without_connector(monkeypatch, {})
    with pytest.raises(ConfigurationError, match="pip install") as caught:
        require_connector()
    assert caught.value.code == "connector_missing"


def test_importing_the_gateway_does_not_import_the_connector() -> None:
    """So the check comes first, whatever is installed."""
    module = sys.modules["bracketeer.execution.binance.gateway"]
    assert not hasattr(module, "UMFutures")
    assert not hasattr(module, "Client")


def test_the_venues_are_the_current_ones() -> None:
    """binance-usdm.md §1.1; private events come only below /private (§1.2)."""
    assert (TESTNET.rest, TESTNET.stream) == ("https://demo-fapi.binance.com", "wss://demo-fstream.binance.com")
    assert private_stream_url(MAINNET.stream + "/", "k") == "wss://fstream.binance.com/private/ws/k"


@pytest.mark.parametrize(
    ("http_status", "code", "kind"),
    [
        (401, -2014, AuthenticationFailed),
        (401, -2015, AuthenticationFailed),
        (400, -1022, AuthenticationFailed),
        (401, None, AuthenticationFailed),
        (400, -1021, ClockSkewed),
        (400, -5028, ClockSkewed),
        (429, -1003, RateLimited),
        (429, None, RateLimited),
        (400, -1015, RateLimited),
        (418, -1003, Banned),
        (400, -2019, ExchangeRefused),
        (403, None, ExchangeRefused),
        (500, -2019, ExchangeUnreachable),
        (503, -1003, ExchangeUnreachable),
        (503, -1008, ExchangeUnreachable),
        (400, -1007, ExchangeUnreachable),
        (None, None, ExchangeUnreachable),
    ],
)
def test_each_failure_has_its_exception(http_status: int | None, code: int | None, kind: type[ExchangeError]) -> None:
    """By what the caller can do about it."""
    failure = classify(http_status=http_status, code=code, text="text", sent=True)
    error = error_for(failure, call="GET /x", sent_at_ms=5)
    assert type(error) is kind
    assert (error.failure, error.call, error.sent_at_ms) == (failure, "GET /x", 5)
    assert (error.http_status, error.exchange_code) == (http_status, code)
    assert isinstance(error, BracketeerError)


def test_an_exception_says_what_happened_where_and_what_to_do() -> None:
    """In one line."""
    failure = Failure(kind=OutcomeKind.REFUSED, code=-1021, http_status=400, text="Timestamp …")
    text = str(error_for(failure, call="POST /fapi/v1/order", sent_at_ms=0))
    assert text.startswith("clock_skewed: Timestamp …")
    assert "NTP" in text
    assert text.endswith("(call=POST /fapi/v1/order exchange_code=-1021 http_status=400)")
    assert "no answer" in str(ExchangeError(Failure(kind=OutcomeKind.UNKNOWN)))


def test_hedge_mode_says_how_to_switch() -> None:
    """The next step is in the message."""
    assert "one-way mode" in str(HedgeModeUnsupported())


def test_a_note_that_cannot_be_written_costs_nobody_an_answer() -> None:
    """The journal reports its own state."""
    desk = Desk({"GET /fapi/v3/balance": [Answer("", 502), Answer([])]})

    def full(*_args: object, **_data: object) -> int:
        raise AuditError("the disk is full")

    desk.notes.log_event = full  # type: ignore[method-assign]
    assert desk.gateway.balance() == 0


@pytest.mark.parametrize(
    ("call", "one_symbol", "expected"),
    [
        ("POST /fapi/v1/order", True, (0, 1)),
        ("POST /fapi/v1/algoOrder", True, (0, 1)),
        ("GET /fapi/v1/openOrders", True, (1, 0)),
        ("GET /fapi/v1/openOrders", False, (40, 0)),
        ("GET /fapi/v1/userTrades", True, (5, 0)),
        ("GET /fapi/v1/time", False, (1, 0)),
    ],
)
def test_each_call_has_its_cost(call: str, one_symbol: bool, expected: tuple[int, int]) -> None:
    """Weight per IP address, orders per account (§3)."""
    assert cost(call, one_symbol=one_symbol) == expected


@pytest.mark.parametrize(
    ("http_status", "code", "text", "headers", "expected"),
    [
        (200, None, "", {"Retry-After": "5"}, None),
        (503, -1003, "Unknown error", {}, None),
        (429, -1003, "", {"Retry-After": " 5 "}, 5.0),
        (429, -1003, "", {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 40.0),
        (418, -1003, "IP banned until 1700000001500.", {}, 1.5),
        (418, -1003, "IP banned until 1600000001500.", {}, 0.0),
        (418, -1003, "banned", {}, None),
        (429, -1015, "", {}, 10.0),
    ],
)
def test_how_long_to_wait(
    http_status: int, code: int | None, text: str, headers: dict[str, str], expected: float | None
) -> None:
    """The header, else the end of the ban, else the end of the window (§7.2)."""
    waits = retry_after_s(http_status=http_status, code=code, text=text, headers=headers, now_ms=NOW_MS)
    assert waits == expected
