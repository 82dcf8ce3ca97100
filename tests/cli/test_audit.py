"""`bracketeer audit …`: a log is proven or its damage is named, and it can be read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bracketeer.core.audit_logger import AuditLogger
from tests.cli.conftest import Cli
from tests.support import canaries
from tests.support.processes import ENTRY

Lines = list[bytes]


def _log(cli: Cli) -> Path:
    """A log of one whole trade."""
    cli.report("long", *ENTRY, "--signal-id", "trade-1")
    cli.report("close", "BTCUSDT", "--signal-id", "close-1")
    (file,) = cli.audit_dir.glob("audit-*.jsonl")
    return file


def test_whole_log_verifies(cli: Cli) -> None:
    """An untouched log: exit code 0 and where the chain stands."""
    lines = len(_log(cli).read_bytes().splitlines())
    result = cli("audit", "verify", str(cli.audit_dir))
    assert result.exit_code == 0
    assert f"✔ {cli.audit_dir}: {lines} lines in 1 file, chain intact up to line {lines}" in result.stdout


def test_default_folder_is_the_setting(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a path, AUDIT_LOG_DIR says where."""
    _log(cli)
    monkeypatch.setenv("AUDIT_LOG_DIR", str(cli.audit_dir))
    assert cli("audit", "verify").exit_code == 0
    assert cli("audit", "show").exit_code == 0


def _change(lines: Lines, at: int) -> None:
    lines[at] = lines[at].replace(b"BTCUSDT", b"BTCUSDC")


def _remove(lines: Lines, at: int) -> None:
    del lines[at]


def _swap(lines: Lines, at: int) -> None:
    lines[at], lines[at + 1] = lines[at + 1], lines[at]


@pytest.mark.parametrize(("tamper", "code"), [(_change, "hash_mismatch"), (_remove, "seq_gap"), (_swap, "seq_gap")])
def test_tampering_is_named(cli: Cli, tamper: Callable[[Lines, int], None], code: str) -> None:
    """A line changed, removed or swapped with the next: exit code 1, the place and what is wrong there."""
    file = _log(cli)
    lines = file.read_bytes().splitlines(keepends=True)
    at = next(index for index, line in enumerate(lines) if b'"order_intent"' in line)
    tamper(lines, at)
    file.write_bytes(b"".join(lines))
    result = cli("audit", "verify", str(cli.audit_dir))
    assert result.exit_code == 1
    assert f"✘ {cli.audit_dir}: " in result.stdout
    assert f"{file.name} line {at + 1}  {code}" in result.stdout


def test_cut_end_is_named(cli: Cli) -> None:
    """A log without its last lines is a whole chain, but it is known how far it went."""
    file = _log(cli)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-2]))
    result = cli("audit", "verify", str(cli.audit_dir))
    assert result.exit_code == 1
    assert f"the log ends with line {len(lines) - 2}, but line {len(lines)} was on disk" in result.stdout


def test_findings_are_json_too(cli: Cli) -> None:
    """The same findings for programs."""
    file = _log(cli)
    file.write_bytes(file.read_bytes().replace(b'"BUY"', b'"SEL"', 1))
    result = cli("audit", "verify", str(cli.audit_dir), "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["ok"] is False
    assert [problem["code"] for problem in document["problems"]] == ["hash_mismatch"]


def test_missing_log_is_said(cli: Cli) -> None:
    """No folder is a failure of its own, not an empty success."""
    for command in ("verify", "show"):
        result = cli("audit", command, "nowhere")
        assert result.exit_code == 1
        assert "no_audit_log" in result.stderr


def test_log_tells_the_trade_in_words(cli: Cli) -> None:
    """From the signal to the end, in order, in words."""
    _log(cli)
    result = cli("audit", "show", str(cli.audit_dir), "--limit", "0")
    assert result.exit_code == 0
    told = [
        "LONG_ENTRY 0.010 stop 58000 target 66000 market 60000",
        "entry: MARKET BUY 0.010",
        "stop loss: STOP_MARKET SELL whole position at 58000",
        "take profit: TAKE_PROFIT_MARKET SELL whole position at 66000",
        "exit: MARKET SELL 0.01",  # 0.010 when REST told the position first, the stream trims zeros
        "flat, nothing of ours rests: closed (close_signal)",
    ]
    places = [result.stdout.find(words) for words in told]
    assert -1 not in places, told[places.index(-1)]
    assert sorted(places[:2] + places[-2:]) == places[:2] + places[-2:]


def test_lines_are_filtered(cli: Cli) -> None:
    """By symbol, by signal and by event."""
    _log(cli)
    show = ("audit", "show", str(cli.audit_dir), "--json")
    intents = [
        json.loads(line)["order_data"]["intent"] for line in cli(*show, "--event", "order_intent").stdout.splitlines()
    ]
    assert [intent["role"] for intent in intents] == ["S", "E", "T", "S", "T", "X"]
    signals = {json.loads(line)["signal_id"] for line in cli(*show, "--signal-id", "trade-1").stdout.splitlines()}
    assert signals == {"trade-1"}
    assert cli(*show, "--symbol", "ETHUSDT").stdout == ""


def test_lines_are_given_as_they_were_written(cli: Cli) -> None:
    """--json shows every member of the line, in its order."""
    file = _log(cli)
    written = [json.loads(line) for line in file.read_text().splitlines()]
    shown = [json.loads(line) for line in cli("audit", "show", str(file), "--json").stdout.splitlines()]
    assert shown == written
    assert [list(line) for line in shown] == [list(line) for line in written]


def test_the_last_lines_are_shown(cli: Cli) -> None:
    """A long log is cut at its beginning, and that is said."""
    total = len(_log(cli).read_text().splitlines())
    result = cli("audit", "show", str(cli.audit_dir), "--limit", "3")
    assert [line.split()[0] for line in result.stdout.splitlines()[-3:]] == [str(total - 2), str(total - 1), str(total)]
    assert f"{total - 3} earlier lines not shown" in result.stderr
    assert "no such lines" in cli("audit", "show", str(cli.audit_dir), "--event", "nothing").stderr


def test_copied_file_verifies_alone(cli: Cli, tmp_path: Path) -> None:
    """One file can be handed to somebody and proven on its own."""
    copy = tmp_path / "copy" / _log(cli).name
    copy.parent.mkdir()
    shutil.copy(cli.audit_dir / copy.name, copy)
    assert cli("audit", "verify", str(copy)).exit_code == 0


def test_keyed_log_is_proven_with_its_key(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """With AUDIT_HMAC_KEY the log is signed, and verified and replayed with it; without it the chain still holds."""
    monkeypatch.setenv("AUDIT_HMAC_KEY", canaries.AUDIT_KEY)
    _log(cli)
    verify, replay = ("audit", "verify", str(cli.audit_dir)), ("audit", "replay", str(cli.audit_dir))
    assert "signed with the key" in cli(*verify).stdout
    assert json.loads(cli(*verify, "--json").stdout)["keyed"] is True
    assert cli(*replay).exit_code == 0
    assert list(canaries.found_in_files(cli.audit_dir)) == []

    monkeypatch.setenv("AUDIT_HMAC_KEY", f"not-{canaries.AUDIT_KEY}")
    other = cli(*verify)
    assert (other.exit_code, other.stdout.count("hmac_mismatch")) == (1, 2), "the checkpoint and the head"
    assert "problem=hmac_mismatch" in cli(*replay).stderr

    monkeypatch.setenv("AUDIT_HMAC_KEY", "short")
    refused = cli(*verify)
    assert (refused.exit_code, "audit_key_malformed" in refused.stderr, "short" in refused.stderr) == (1, True, False)

    monkeypatch.delenv("AUDIT_HMAC_KEY")
    unkeyed = cli(*verify)
    assert (unkeyed.exit_code, "signed" in unkeyed.stdout) == (0, False)


def test_log_rewritten_as_a_whole_shows_with_the_key(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody with the folder and the program, but not the key, writes another history with a whole chain."""
    monkeypatch.setenv("AUDIT_HMAC_KEY", canaries.AUDIT_KEY)
    file = _log(cli)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for path in cli.audit_dir.iterdir():
        path.unlink()
    with AuditLogger(cli.audit_dir, now_us=lambda: 0) as forged:
        for line in lines[1:]:
            forged.append(line["record"], line["event_type"], fields={"data": "another history"})
    forgery = cli("audit", "verify", str(cli.audit_dir))
    assert (forgery.exit_code, "hmac_mismatch" in forgery.stdout) == (1, True)
    monkeypatch.delenv("AUDIT_HMAC_KEY")
    assert cli("audit", "verify", str(cli.audit_dir)).exit_code == 0, "the chain alone cannot tell"
