"""The journal's face: numbering, files and rotation, replay, the lock, the named lines."""

import json
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bracketeer.core.audit_logger import AuditLogger, iter_lines, read_since_checkpoint, verify
from bracketeer.core.errors import AuditError, AuditLocked, JournalError
from bracketeer.core.redaction import Redactor
from tests.unit.core.audit_kit import DAY_US, NOON_US, Clock, event_types, files_of, journal, numbers


def test_numbers_continue_over_files_and_restarts(tmp_path: Path) -> None:
    """`seq` counts from 1 without a gap, whatever file a line is in and whichever run wrote it."""
    clock = Clock()
    for day in range(2):
        clock.now_us = NOON_US + day * DAY_US
        with journal(tmp_path, clock) as log:
            assert log.append("event", "x") == log.last_seq
    assert [line.seq for line in iter_lines(tmp_path)] == [1, 2, 3, 4]
    assert files_of(tmp_path) == ["audit-2026-11-21.jsonl", "audit-2026-11-22.jsonl"]
    assert verify(tmp_path).ok


def test_first_open_starts_with_a_checkpoint(tmp_path: Path) -> None:
    """A new log begins with the state it was opened with."""
    with journal(tmp_path / "deep" / "er", checkpoint_state=lambda: {"balance": Decimal("1.50")}) as log:
        assert (log.healthy, log.failure, log.pending) == (True, None, 0)
    (line,) = iter_lines(tmp_path / "deep" / "er")
    assert (line.record, line.event_type) == ("checkpoint", "checkpoint")
    assert line.fields == {
        "file": "audit-2026-11-21.jsonl",
        "head": {"seq": 0, "hash": "0" * 64},
        "state": {"balance": "1.50"},
    }


def test_open_tells_what_it_found(tmp_path: Path) -> None:
    """Fresh or not, the head, and the lines to replay."""
    first = journal(tmp_path, checkpoint_state=dict)
    result = first.open()
    assert (result.fresh, result.removed_bytes, result.head.seq) == (True, 0, 0)
    first.append("event", "x", fields={"n": 1})
    first.close()
    second = journal(tmp_path)
    result = second.open()
    assert (result.fresh, result.head.seq) == (False, 2)
    assert [line.event_type for line in result.lines()] == ["checkpoint", "x"]
    second.close()


def test_size_rotation_happens_between_steps_only(tmp_path: Path) -> None:
    """However large a step is, its lines stay together; the next file starts with the state before the next step."""
    state = {"n": 0}
    with journal(tmp_path, max_bytes=1000, checkpoint_state=lambda: state) as log:
        for n in range(1, 9):
            log.append("event", "x", fields={"n": n})
        assert files_of(tmp_path) == ["audit-2026-11-21.jsonl"]
        state["n"] = 8
        assert log.rotate_if_due()
        assert not log.rotate_if_due()
        log.append("event", "x", fields={"n": 9})
    assert files_of(tmp_path) == ["audit-2026-11-21.1.jsonl", "audit-2026-11-21.jsonl"]
    replay = list(read_since_checkpoint(tmp_path))
    assert replay[0].fields["state"] == {"n": 8}
    assert [line.fields["n"] for line in replay[1:]] == [9]
    assert verify(tmp_path).ok


def test_midnight_within_a_step_loses_nothing_for_replay(tmp_path: Path) -> None:
    """No line goes to yesterday's file, and a checkpoint in the middle of a step is not a replay start."""
    clock = Clock()
    with journal(tmp_path, clock, checkpoint_state=lambda: {"s": 1}) as log:
        log.append("event", "x", fields={"n": 1})
        clock.now_us += DAY_US
        log.append("command", "y", fields={"n": 2})  # the step's second line, after midnight
        assert [line.fields.get("n") for line in read_since_checkpoint(tmp_path)] == [None, 1, None, 2]
        assert log.rotate_if_due()  # the next step: now a state can be written
    assert files_of(tmp_path) == [
        "audit-2026-11-21.jsonl",
        "audit-2026-11-22.1.jsonl",
        "audit-2026-11-22.jsonl",
    ]
    assert [line.fields.get("n") for line in read_since_checkpoint(tmp_path)] == [None]
    assert verify(tmp_path).ok


def test_day_rotation_after_restart_waits_for_the_replayed_state(tmp_path: Path) -> None:
    """Opening yesterday's log writes nothing; the first step of the day checkpoints what replay rebuilt."""
    clock = Clock()
    state: dict[str, int] = {"rebuilt": 0}
    with journal(tmp_path, clock, checkpoint_state=lambda: state) as log:
        log.append("event", "x")
    clock.now_us += DAY_US
    with journal(tmp_path, clock, checkpoint_state=lambda: state) as log:
        assert len(files_of(tmp_path)) == 1
        state["rebuilt"] = 1
        assert log.rotate_if_due()
    assert [line.fields["state"] for line in read_since_checkpoint(tmp_path)] == [{"rebuilt": 1}]


def test_clock_going_back_keeps_the_order_of_files(tmp_path: Path) -> None:
    """A clock set back over midnight neither reopens yesterday's file nor names a new one before today's."""
    clock = Clock()
    with journal(tmp_path, clock, max_bytes=10) as log:
        clock.now_us -= DAY_US
        log.append("event", "x")
        assert log.rotate_if_due()
    assert files_of(tmp_path) == ["audit-2026-11-21.1.jsonl", "audit-2026-11-21.jsonl"]
    assert verify(tmp_path).ok


def test_tenth_file_of_a_day_follows_the_ninth(tmp_path: Path) -> None:
    """Files are ordered by number, not by letter."""
    with journal(tmp_path, max_bytes=10, checkpoint_state=dict) as log:
        for n in range(11):
            log.append("event", "x", fields={"n": n})
            log.rotate_if_due()
    assert numbers(tmp_path) == list(range(11))
    assert verify(tmp_path).files == 12


def test_replay_without_any_state_reads_everything(tmp_path: Path) -> None:
    """A log written without checkpoint states can only be replayed from its start."""
    with journal(tmp_path, max_bytes=10) as log:
        for n in range(3):
            log.append("event", "x", fields={"n": n})
            log.rotate_if_due()
    assert [line.fields["n"] for line in read_since_checkpoint(tmp_path) if "n" in line.fields] == [0, 1, 2]


def test_lines_can_be_filtered(tmp_path: Path) -> None:
    """By symbol, signal, event and client id, from a folder or one file; other files and damaged lines are skipped."""
    with journal(tmp_path) as log:
        log.append("event", "a", symbol="BTCUSDT", signal_id="s1", client_order_id="c1")
        log.append("event", "b", symbol="ETHUSDT", signal_id="s1")
    (tmp_path / "notes.txt").write_text("mine")
    file = tmp_path / "audit-2026-11-21.jsonl"
    with file.open("a") as damaged:
        damaged.write("noise\n")
    assert [line.event_type for line in iter_lines(tmp_path, signal_id="s1")] == ["a", "b"]
    assert [line.symbol for line in iter_lines(file, event_type="b")] == ["ETHUSDT"]
    assert [line.seq for line in iter_lines(file, symbol="BTCUSDT", client_order_id="c1")] == [2]


def test_second_writer_is_told_who_is_first(tmp_path: Path) -> None:
    """One writer per folder; the refusal names the first one's process and since when."""
    with journal(tmp_path, owner={"account": "7f3a"}):
        with pytest.raises(AuditLocked, match=r"pid=\d+ host=\S+ since=2026-11-21T12:00") as refused:
            journal(tmp_path).open()
        assert refused.value.context["account"] == "7f3a"
    journal(tmp_path).open()


@pytest.mark.parametrize("use", ["append", "rotate", "wait", "retry"])
def test_closed_journal_takes_no_line(tmp_path: Path, use: str) -> None:
    """Before open and after close: a mistake of the caller, said clearly."""
    log = journal(tmp_path)
    uses: dict[str, Any] = {
        "append": lambda: log.append("note", "x"),
        "rotate": log.rotate_if_due,
        "wait": lambda: log.wait_durable(1),
        "retry": log.retry,
    }
    assert (log.healthy, log.failure, log.pending) == (False, "the journal is not open", 0)
    with pytest.raises(JournalError, match="not open"):
        uses[use]()
    log.close()  # harmless
    log.open()
    log.close()
    with pytest.raises(JournalError, match="not open"):
        uses[use]()


def test_open_twice_is_a_mistake(tmp_path: Path) -> None:
    """And leaves the open journal as it is."""
    with journal(tmp_path) as log:
        with pytest.raises(JournalError, match="already open"):
            log.open()
        log.append("note", "x")


def test_reopening_continues(tmp_path: Path) -> None:
    """One object may be closed and opened again."""
    log = journal(tmp_path)
    for _ in range(2):
        log.open()
        log.append("note", "x")
        log.close()
    assert event_types(tmp_path) == ["checkpoint", "x", "x"]
    assert verify(tmp_path).ok


def test_unusable_folder_is_one_clear_error(tmp_path: Path) -> None:
    """A file in the folder's place: the error says what to do."""
    (tmp_path / "audit").write_text("")
    with pytest.raises(AuditError, match="set AUDIT_LOG_DIR") as refused:
        journal(tmp_path / "audit").open()
    assert refused.value.code == "audit_folder_unusable"


def test_unknown_fsync_policy_is_refused(tmp_path: Path) -> None:
    """A misspelt policy must not silently mean less safety."""
    with pytest.raises(ValueError, match="intent, always, never"):
        journal(tmp_path, fsync="intents")


def test_waiting_for_a_line_that_was_never_written_is_a_mistake(tmp_path: Path) -> None:
    """It would otherwise wait for ever, or claim what is not so."""
    with journal(tmp_path) as log, pytest.raises(ValueError, match="never appended"):
        log.wait_durable(99)


def test_secrets_are_masked_before_hashing(tmp_path: Path) -> None:
    """In the header, in data and in the state; the chain proves the masked bytes."""
    secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP"
    with journal(tmp_path, redactor=Redactor([secret]), checkpoint_state=lambda: {"k": secret}) as log:
        log.log_event("x", symbol=secret, order_data={"deep": [secret], "signature": "s3cr3t"})
    content = (tmp_path / "audit-2026-11-21.jsonl").read_text()
    assert secret not in content
    assert "s3cr3t" not in content
    assert verify(tmp_path).ok


def test_named_lines(tmp_path: Path) -> None:
    """The usual events under their usual names, with their data where reviews look for it."""
    with journal(tmp_path) as log:
        log.log_order_placed("BTCUSDT", {"q": Decimal("0.01")}, {"orderId": 7}, signal_id="s", client_order_id="c")
        log.log_order_rejected("BTCUSDT", {"q": "1"}, ValueError("margin"), error_code=-2019, signal_id="s")
        log.log_retry_attempt("get_position", retry_count=1, max_retries=3, delay_s=1.5, error="503", status_code=503)
        log.log_rate_limit("weight_1m", used=2000, limit=2400, level="warning", retry_after_s=2)
    placed, rejected, retried, limited = list(iter_lines(tmp_path))[1:]
    assert {line.record for line in (placed, rejected, retried, limited)} == {"note"}
    assert (placed.event_type, placed.symbol, placed.signal_id, placed.client_order_id) == (
        "order_placed",
        "BTCUSDT",
        "s",
        "c",
    )
    assert placed.fields == {"order_data": {"q": "0.01"}, "response": {"orderId": 7}}
    assert (rejected.event_type, rejected.fields["error"], rejected.fields["error_code"]) == (
        "order_rejected",
        "ValueError: margin",
        -2019,
    )
    assert (retried.event_type, retried.operation, retried.fields["retry_count"]) == (
        "retry_attempt",
        "get_position",
        1,
    )
    assert (limited.event_type, limited.fields["level"]) == ("rate_limit", "warning")


def test_threads_share_one_chain(tmp_path: Path) -> None:
    """Many threads appending and waiting, over rotations: every line once, the chain whole."""
    with journal(tmp_path, max_bytes=5_000, checkpoint_state=dict) as log:

        def work(worker: int) -> None:
            for n in range(50):
                seq = log.append("event", "x", fields={"n": worker * 50 + n})
                if n % 10 == 0:
                    log.wait_durable(seq)
                    log.rotate_if_due()

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(numbers(tmp_path)) == list(range(300))
    report = verify(tmp_path)
    assert report.ok
    assert report.files > 3


def test_lines_are_json_for_any_other_tool(tmp_path: Path) -> None:
    """Plain JSON Lines: no reader of ours is needed."""
    with journal(tmp_path) as log:
        log.log_event("x", note="größer\nals")
    lines = (tmp_path / "audit-2026-11-21.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [1, 2]


def test_default_folder() -> None:
    """Named in the documentation, so it is fixed here."""
    assert AuditLogger(now_us=Clock()).log_dir == Path("logs/audit")
