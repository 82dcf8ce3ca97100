"""Events and commands as lines, and back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bracketeer.core.audit_chain import AuditLine, Record
from bracketeer.core.commands import Alert, Announce, CancelOrder, Conclude, LookUpSymbol, RenewStream, SubmitOrder
from bracketeer.core.events import AnyEvent
from bracketeer.core.journal import JournalLine, command_line, event_line, read_command, read_event, rebuild
from bracketeer.core.state import State
from bracketeer.core.values import AlgoStatus
from tests.support.stories import E0, P0, S0, S1, SYMBOL, Story


def line(parts: JournalLine, seq: int = 1) -> AuditLine:
    """A line as it is read from the log."""
    fields: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(parts.fields))
    return _line(parts.record, parts.event_type, fields, seq)


def _line(record: Record, event_type: str, fields: dict[str, Any], seq: int = 1) -> AuditLine:
    return AuditLine(
        seq=seq,
        timestamp="",
        record=record,
        event_type=event_type,
        operation=None,
        symbol=None,
        signal_id=None,
        client_order_id=None,
        fields=fields,
        prev_hash="",
        hash="",
    )


def long_story() -> Story:
    """A story in which most kinds of events and commands occur."""
    story = Story()
    story.signal()
    story.unknown(E0)
    story.not_found(E0)
    story.look_up_failed(E0)
    story.fill(E0)
    story.position("1")
    story.ack(E0, executed="1")
    story.unknown(S0)
    story.ack_algo(S0)
    story.ack_algo(P0)
    story.snapshot("1", [S0, P0], trades=(story.trade("other", "0.1"),))
    story.run_until(story.now + 1500)
    story.stream_lost()
    story.stream_connected()
    story.algo_told(S0, AlgoStatus.CANCELED)
    story.refuse(S1, -2021)
    story.refuse(story.submitted[-1], -2022)
    story.foreign_fill("0.9")
    story.now += 1
    story.snapshot("0", [P0])
    story.run_until(story.now + 500)
    story.cancel_failed(P0)
    story.run_until(story.now + 500)
    story.cancelled(P0)
    story.snapshot("0")
    assert not story.state.brackets
    return story


def test_reads_back_every_event_and_command_as_it_was() -> None:
    """Nothing is lost on the way through JSON."""
    story = long_story()
    for event in story.events:
        assert read_event(line(event_line(story.state, event))) == event
    kinds = set()
    for command in story.log:
        kinds.add(type(command))
        assert read_command(line(command_line(command))) == command
    assert {SubmitOrder, CancelOrder, LookUpSymbol, RenewStream, Conclude, Alert, Announce} <= kinds


def test_says_in_the_header_what_a_line_is_about() -> None:
    """Symbol, signal and order stand in every line that has them, also where the event names only a client id."""
    story = Story()
    story.signal()
    story.unknown(E0)
    unresolved = event_line(story.state, story.events[-1])
    assert (unresolved.event_type, unresolved.symbol, unresolved.signal_id) == ("order_unresolved", SYMBOL, "signal-1")
    assert unresolved.client_order_id == E0
    story.fill(E0)
    assert event_line(story.state, story.events[-1]).event_type == "fill"
    story.refuse(S0, -4509)
    rejected = event_line(story.state, story.events[-1])
    assert (rejected.event_type, rejected.client_order_id) == ("order_rejected", S0)
    submit = command_line(story.all(SubmitOrder)[-1])
    assert (submit.event_type, submit.symbol, submit.signal_id) == ("order_intent", SYMBOL, "signal-1")
    assert submit.fields["retry_count"] == story.all(SubmitOrder)[-1].attempt - 1
    first = event_line(State(), story.events[0])
    assert (first.event_type, first.symbol, first.signal_id, first.client_order_id) == (
        "engine_started",
        None,
        None,
        None,
    )


def test_counts_the_sends_of_an_order() -> None:
    """`retry_count` is 0 for the first send."""
    story = Story()
    story.signal()
    story.refuse(E0, -1008, resend_ms=0)
    assert [command_line(c).fields["retry_count"] for c in story.all(SubmitOrder)] == [0, 1]


def test_rebuilds_the_state_from_the_events_alone() -> None:
    """Commands and notes are for people; a checkpoint replaces all before it."""
    story = long_story()
    lines = [line(event_line(story.state, event)) for event in story.events]
    talk = [line(command_line(story.log[0])), _line("note", "api_error", {"error": "x"})]
    assert rebuild([*talk, *lines, *talk]).encode() == story.state.encode()
    half = len(lines) // 2
    state = msgspec.json.decode(rebuild(lines[:half]).encode())
    checkpoint = _line("checkpoint", "checkpoint", {"state": state})
    empty = _line("checkpoint", "checkpoint", {"state": None})
    assert rebuild([*lines[3:9], checkpoint, empty, *lines[half:]]).encode() == story.state.encode()


@pytest.mark.parametrize("fields", [{}, {"data": {"operation": "of the future"}}, {"data": {"at_ms": "soon"}}])
def test_refuses_a_line_that_it_does_not_know(fields: dict[str, Any]) -> None:
    """What cannot be replayed is said with its number, not skipped."""
    with pytest.raises(ValueError, match="line 77"):
        read_event(_line("event", "?", fields, 77))
    with pytest.raises(ValueError, match="line 77"):
        read_command(_line("command", "?", fields, 77))
    with pytest.raises(ValueError, match="line 77"):
        rebuild([_line("event", "?", fields, 77)])


def test_names_every_event_in_its_own_words() -> None:
    """No two kinds of events share an operation."""
    tags = [kind.__struct_config__.tag for kind in AnyEvent.__args__]
    assert len(set(tags)) == len(tags)
