"""`bracketeer signal …` against an exchange: what is done, what is said, how it ends."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from bracketeer.core.audit_chain import AuditLine
from bracketeer.core.audit_files import iter_lines
from tests.cli.conftest import Cli
from tests.support.processes import ENTRY

SHORT = ("ETHUSDT", "--notional", "500", "--take-profit", "2800", "--stop-loss", "3100")


def test_long_ends_protected(cli: Cli) -> None:
    """The position is there with its stop and its target, and the words say the numbers."""
    result = cli.signal("long", *ENTRY, "--signal-id", "first")
    assert result.exit_code == 0
    assert "✔ protected  BTCUSDT long 0.01  signal first" in result.stdout
    assert "whole position at 58000" in result.stdout
    assert "unprotected for" in result.stdout
    state = cli.books()
    assert [row["positionAmt"] for row in state["positions"]] == ["0.010"]
    assert sorted(row["orderType"] for row in state["openAlgoOrders"]) == ["STOP_MARKET", "TAKE_PROFIT_MARKET"]


def test_report_is_one_json_document(cli: Cli) -> None:
    """--json gives the execution report itself; numbers are text, so that none is rounded on the way."""
    report = cli.report("short", *SHORT, "--strategy", "test", "--ttl-ms", "60000")
    assert report["status"] == "protected"
    assert report["entry"]["side"] == "SELL"
    assert report["entry"]["executed_quantity"] == "0.166"
    assert Decimal(report["stop_loss"]["trigger_price"]) == Decimal(3100)


def test_strategy_and_reference_are_on_record(cli: Cli) -> None:
    """What only the record needs reaches it."""
    cli.report("long", *ENTRY, "--strategy", "breakout", "--entry-price", "60010")
    (line,) = iter_lines(cli.audit_dir, event_type="signal_received")
    signal = line.fields["data"]["signal"]
    assert (signal["strategy"], signal["entry_price"]) == ("breakout", "60010")


def test_close_leaves_nothing_when_another_process_opened(cli: Cli) -> None:
    """Each command is a run of its own: the second knows the position from the log alone."""
    cli.report("short", *SHORT)
    result = cli.signal("close", "ETHUSDT")
    assert result.exit_code == 0
    assert "✔ closed  ETHUSDT short 0.166" in result.stdout
    state = cli.books()
    assert (state["positions"], state["openAlgoOrders"]) == ([], [])


def test_close_of_nothing_is_success(cli: Cli) -> None:
    """Flat already is what was asked for."""
    assert cli.report("close", "BTCUSDT", "--side", "long")["status"] == "already_flat"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("long", "NOPEUSDT", "--quantity", "1", "--stop-loss", "1"), "unknown_symbol"),
        (("long", "EOSUSDT", "--quantity", "100", "--stop-loss", "0.5"), "symbol_not_trading"),
        (("long", "BTCUSDT", "--stop-loss", "58000"), "quantity_missing"),
        (("long", "BTCUSDT", "--quantity", "0.01", "--notional", "600", "--stop-loss", "1"), "quantity_and_notional"),
        (("long", "BTCUSDT", "--quantity", "-1", "--stop-loss", "58000"), "quantity_not_positive"),
        (("long", "BTCUSDT", "--quantity", "0.0101", "--stop-loss", "58000"), "quantity_too_precise"),
        (("long", "BTCUSDT", "--quantity", "nan", "--stop-loss", "58000"), "quantity_not_a_number"),
        (("long", "BTCUSDT", "--quantity", "0.010"), "stop_loss_required"),
        (("long", "BTCUSDT", "--quantity", "0.010", "--stop-loss", "61000"), "stop_loss_wrong_side"),
        (
            ("short", "BTCUSDT", "--quantity", "1", "--stop-loss", "61000", "--take-profit", "7e4"),
            "take_profit_wrong_side",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_signal_is_refused_with_its_code(cli: Cli, arguments: tuple[str, ...], code: str) -> None:
    """A refusal is exit code 1, a code and a sentence; nothing is sent, and the refusal is on record."""
    result = cli.signal(*arguments)
    assert result.exit_code == 1
    assert "✘ denied" in result.stdout
    assert f"{code}: " in result.stdout
    assert cli.books()["history"]["orders"] == 0
    assert [line.fields["data"]["report"]["reason"]["code"] for line in _reports(cli)] == [code]


def _reports(cli: Cli) -> list[AuditLine]:
    return list(iter_lines(cli.audit_dir, event_type="execution_report"))


def test_same_id_trades_once(cli: Cli) -> None:
    """The second command with the id does nothing and says so."""
    cli.report("long", *ENTRY, "--signal-id", "only-once")
    result = cli.signal("long", *ENTRY, "--signal-id", "only-once")
    assert result.exit_code == 1
    assert "! duplicate" in result.stdout
    assert cli.books()["history"]["orders"] == 1


def test_lines_are_followed_in_order(cli: Cli, tmp_path: Path) -> None:
    """A file of signals: each gets its report, an unreadable one is refused and the next is followed."""
    signals = tmp_path / "signals.jsonl"
    entry = {"signal_type": "LONG_ENTRY", "symbol": "BTCUSDT", "quantity": 0.010, "stop_loss": 58000, "signal_id": "a"}
    close = {"signal_type": "CLOSE", "symbol": "BTCUSDT", "signal_id": "b"}
    signals.write_text(f"{json.dumps(entry)}\n\nnonsense\n{json.dumps(close)}\n")
    result = cli.signal("json", str(signals), "--json")
    assert result.exit_code == 1
    reports = [json.loads(line) for line in result.stdout.splitlines()]
    assert [report["status"] for report in reports] == ["protected", "denied", "closed"]
    assert reports[1]["reason"]["code"] == "malformed_json"


def test_lines_come_from_standard_input(cli: Cli) -> None:
    """Without a file, signals are read from a pipe; all done is exit code 0."""
    result = cli.signal("json", stdin='{"signal_type":"CLOSE","symbol":"BTCUSDT"}\n')
    assert result.exit_code == 0
    assert "✔ already_flat  BTCUSDT" in result.stdout


def test_missing_file_is_said(cli: Cli) -> None:
    """A file that is not there is a sentence, before anything is connected."""
    result = cli.signal("json", "nowhere.jsonl")
    assert result.exit_code == 1
    assert "no_such_file" in result.stderr


def test_wrong_key_is_said_and_recorded(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchange's refusal becomes a sentence that says what to check."""
    monkeypatch.setenv("BINANCE_API_KEY", "another-key-of-nobody")
    result = cli.signal("long", *ENTRY)
    assert result.exit_code == 1
    assert "authentication_failed" in result.stderr
    assert "BINANCE_API_KEY" in result.stderr
    assert [line.event_type for line in iter_lines(cli.audit_dir, event_type="start_failed")] == ["start_failed"]


def test_unreachable_exchange_is_said(cli: Cli) -> None:
    """No exchange: a sentence, not a traceback."""
    nobody = ["--base-url", "http://127.0.0.1:9", "--stream-url", "ws://127.0.0.1:9"]
    result = cli("signal", "long", *ENTRY, *nobody, "--audit-dir", str(cli.audit_dir))
    assert result.exit_code == 1
    assert "exchange_unreachable" in result.stderr


def test_unusable_audit_folder_stops_the_start(cli: Cli, tmp_path: Path) -> None:
    """Nothing is traded that cannot be recorded."""
    (tmp_path / "file").touch()
    result = cli("signal", "long", *ENTRY, *cli.at[:4], "--audit-dir", str(tmp_path / "file" / "audit"))
    assert result.exit_code == 1
    assert "audit_folder_unusable" in result.stderr
    assert cli.books()["history"]["orders"] == 0


def test_alert_is_shown_beside_the_report(cli: Cli) -> None:
    """A stop that the exchange refuses for ever: the position is closed, and a person is told why."""
    cli.simulator.fault("refuse", method="POST", path="/fapi/v1/algoOrder", times=-1, code=-2010)
    result = cli.signal("long", *ENTRY)
    assert result.exit_code == 1
    assert "✘ flattened  BTCUSDT" in result.stdout
    assert result.stderr.startswith("! ")
    assert cli.books()["positions"] == []
