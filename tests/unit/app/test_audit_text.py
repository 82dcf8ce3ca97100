"""Lines of the log in words, and what is said of lines that no words fit."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bracketeer.app.audit_text import _WORDS, in_words, style_of
from bracketeer.core.audit_chain import AuditLine
from bracketeer.core.commands import AnyCommand
from bracketeer.core.events import AnyEvent

STOP = "bktr-6o1H8gtByYRu8G6KvaEI-S0"
SIGNAL = {"signal_type": "SHORT_ENTRY", "notional": "500"}
INTENT = {"role": "E", "order_type": "MARKET", "side": "BUY", "quantity": "1"}
REFUSED = {"kind": "refused", "code": -2021, "text": "no"}


def _line(operation: str | None, event_type: str = "", record: str = "event", **fields: Any) -> AuditLine:
    return AuditLine(
        seq=7,
        timestamp="2026-11-21T07:44:44.925293Z",
        record=record,  # type: ignore[arg-type]
        event_type=event_type or operation or "",
        operation=operation,
        symbol=None,
        signal_id=None,
        client_order_id=None,
        fields=fields,
        prev_hash="",
        hash="",
    )


def test_every_event_and_command_has_words() -> None:
    """A kind of line that is added to the journal gets its words here."""
    kinds = {kind.__struct_config__.tag for union in (AnyEvent, AnyCommand) for kind in union.__args__}
    assert kinds == set(_WORDS)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            _line("signal_received", data={"signal": SIGNAL, "context": {"problem": "unknown_symbol"}}),
            "SHORT_ENTRY 500 USDT (unknown_symbol)",
        ),
        (
            _line("submit_order", order_data={"intent": INTENT, "attempt": 2}),
            "entry: MARKET BUY 1, attempt 2",
        ),
        (
            _line("submit_failed", error={"client_order_id": STOP, "failure": REFUSED}),
            "stop loss refused: -2021 no",
        ),
        (
            _line("look_up_failed", error={"symbol": "BTCUSDT", "failure": {"kind": "unknown", "text": "time-out"}}),
            "BTCUSDT unknown: time-out",
        ),
        (_line("cancel_done", response={"client_order_id": STOP, "gone": True}), "stop loss was gone"),
        (_line("cancel_done", response={"client_order_id": "hand-made"}), "hand-made cancelled"),
        (_line("position_updated", response={"amount": "0.0", "entry_price": "0"}), "flat"),
        (_line("alert", data={"code": "close_refused", "text": "look at it"}), "close_refused: look at it"),
        (_line(None, "checkpoint", "checkpoint", state=None), "continues line 6"),
        (_line("start", "account_found", "note", data={"a": 1}, error=None), 'data={"a":1}'),
        (_line("announce", data={"text": "open", "facts": {"naked_worst_ms": 5}}), "open, unprotected for 5 ms"),
        (_line("announce", data={"text": "it ended", "facts": {"reason": "closed"}}), "it ended (closed)"),
        (_line("conclude", data={"unheard": "of"}), 'data={"unheard":"of"}'),
        (_line("timer_fired", data="odd"), "data=odd"),
        (_line("nothing"), ""),
    ],
)
def test_line_is_said_in_words(line: AuditLine, words: str) -> None:
    """In words where we have them; the facts as they are where the line is of another version."""
    assert in_words(line) == words


def test_long_words_are_cut() -> None:
    """A web page in an error text does not fill the screen."""
    assert len(in_words(_line("x", error="y" * 1000))) == 160


def test_what_needs_a_look_is_red() -> None:
    """Alerts stand out; ordinary events do not."""
    assert "red" in style_of(_line("alert"))
    assert style_of(_line("timer_fired", "timer")) == ""


def test_words_are_of_decoded_lines() -> None:
    """The fixture above is a line as the log gives it."""
    assert msgspec.convert(msgspec.to_builtins(_line("x")), AuditLine) == _line("x")
