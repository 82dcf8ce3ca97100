"""`bracketeer audit replay`: a real log decides the same again; where it does not, place and fields are shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bracketeer import OrderExecutionManager, Settings, Signal
from bracketeer.core import reporting
from bracketeer.core.report import Reason, ReportStatus
from tests.cli.conftest import Cli
from tests.support.processes import ENTRY, KEY, SECRET


def _trades(cli: Cli) -> None:
    """Two runs: an entry, and its close."""
    cli.report("long", *ENTRY, "--signal-id", "trade-1")
    cli.report("close", "BTCUSDT", "--signal-id", "close-1")


def test_a_real_log_replays_to_the_same_bits(cli: Cli) -> None:
    """Two processes' runs, each with the fingerprint it left at its end."""
    _trades(cli)
    result = cli("audit", "replay", str(cli.audit_dir))
    assert result.exit_code == 0
    assert f"✔ {cli.audit_dir}: lines 1 to " in result.stdout
    assert "the same to the bit" in result.stdout
    assert "2 compared: 0 checkpoints, 2 ends of runs, 0 snapshots" in result.stdout
    document = json.loads(cli("audit", "replay", str(cli.audit_dir), "--json").stdout)
    assert (document["ok"], document["findings"], document["open_brackets"]) == (True, [], 0)


def test_other_code_is_found_out(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that names the end otherwise: exit code 1, the first decision that differs, and its field."""
    _trades(cli)
    monkeypatch.setattr(reporting, "_ending", lambda *_: (ReportStatus.FLATTENED, Reason(code="other", text="other")))
    result = cli("audit", "replay", str(cli.audit_dir))
    assert result.exit_code == 1
    assert f"✘ {cli.audit_dir}: " in result.stdout
    assert "decision_differs" in result.stdout
    assert "data → facts → status" in result.stdout
    document = json.loads(cli("audit", "replay", str(cli.audit_dir), "--json").stdout)
    first = document["findings"][0]
    assert (first["code"], document["ok"]) == ("decision_differs", False)
    assert {"path": ["data", "facts", "status"], "recorded": "closed", "replayed": "flattened"} in first["differences"]


def test_a_snapshot_of_the_living_manager_is_compared(cli: Cli, tmp_path: Path) -> None:
    """Taken amid a trade, held against the log while the manager goes on, and after."""
    manager = OrderExecutionManager(
        KEY,
        SECRET,
        base_url=cli.simulator.rest_url,
        stream_url=cli.simulator.stream_url,
        settings=Settings(audit_log_dir=str(cli.audit_dir)),
    )
    snapshot = tmp_path / "snapshot.json"
    replay = ("audit", "replay", str(cli.audit_dir), "--against", str(snapshot))
    with manager:
        entry = {"signal_type": "LONG_ENTRY", "symbol": "BTCUSDT", "quantity": "0.010", "stop_loss": "58000"}
        manager.execute_signal(Signal.from_json(json.dumps({**entry, "signal_id": "trade-1"})))
        taken = manager.snapshot()
        snapshot.write_text(taken.to_json(), encoding="utf-8")
        alive = cli(*replay)
    assert (alive.exit_code, alive.stderr) == (0, "")
    after = cli(*replay)
    assert after.exit_code == 0
    assert "1 snapshot" in after.stdout
    assert SECRET not in snapshot.read_text(encoding="utf-8")

    snapshot.write_text(taken.to_json().replace("58000", "57000"), encoding="utf-8")
    assert "snapshot_damaged" in cli(*replay).stderr


def test_what_cannot_be_replayed_is_said(cli: Cli) -> None:
    """A missing log or snapshot, a file that is none, a broken chain: exit code 1 and a code."""
    replay = ("audit", "replay", str(cli.audit_dir))
    missing = cli(*replay)
    assert (missing.exit_code, "no_audit_log" in missing.stderr) == (1, True)
    _trades(cli)
    (file,) = cli.audit_dir.glob("audit-*.jsonl")
    for against in ("nowhere", str(file)):
        refused = cli(*replay, "--against", against)
        assert (refused.exit_code, "snapshot_unreadable" in refused.stderr) == (1, True)
    file.write_bytes(file.read_bytes().replace(b'"BUY"', b'"SEL"', 1))
    broken = cli(*replay)
    assert (broken.exit_code, "audit_damaged" in broken.stderr) == (1, True)
    assert "problem=hash_mismatch" in broken.stderr
