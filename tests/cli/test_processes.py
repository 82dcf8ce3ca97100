"""The command line as its users have it: separate processes, real signals, real locks."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import ENTRY, Child, Simulator, environment, run_cli, with_keys


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Simulator]:
    """`bracketeer sim` on a free port."""
    with Simulator(tmp_path) as running:
        yield running


def test_signal_is_protected_and_its_target_leaves_nothing(exchange: Simulator, tmp_path: Path) -> None:
    """The whole way by commands alone: open, look, hit the target, look again, prove."""
    at = exchange.at(tmp_path / "audit")
    done = run_cli("signal", "long", *ENTRY, *at, "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["status"] == "protected"
    assert run_cli("status", *at, cwd=tmp_path).returncode == 0

    exchange.control("price", symbol="BTCUSDT", price="66010")

    state = exchange.state()
    assert (state["positions"], state["openAlgoOrders"]) == ([], [])
    # Nobody was at work when it happened: the next command finds out first, and then follows its own signal.
    again = run_cli("signal", "short", "BTCUSDT", *ENTRY[1:3], "--stop-loss", "70000", *at, "--json", cwd=tmp_path)
    assert json.loads(again.stdout)["status"] == "protected", again.stdout
    assert run_cli("status", *at, cwd=tmp_path).returncode == 0
    assert run_cli("audit", "verify", str(tmp_path / "audit"), cwd=tmp_path).returncode == 0


def test_second_process_is_turned_away(exchange: Simulator, tmp_path: Path) -> None:
    """One manager per account: the second is told who the first is, and does nothing."""
    at = exchange.at(tmp_path / "audit")
    with Child("signal", "json", *at, "--json", cwd=tmp_path) as first:
        first.write('{"signal_type":"CLOSE","symbol":"BTCUSDT"}')
        assert json.loads(first.line())["status"] == "already_flat"

        elsewhere = run_cli("signal", "long", *ENTRY, *exchange.at(tmp_path / "other"), cwd=tmp_path)
        assert elsewhere.returncode == 1
        assert "account_in_use" in elsewhere.stderr
        assert str(first.process.pid) in elsewhere.stderr

        watching = run_cli("status", *at, cwd=tmp_path)
        assert watching.returncode == 0, watching.stdout
        assert f"a manager is at work  pid {first.process.pid}" in watching.stdout
    assert exchange.state()["history"]["orders"] == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_service_ends_tidily_when_stopped(
    exchange: Simulator, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """Stopped while it waits for signals: no traceback, locks given back, and the position keeps its protection."""
    at = exchange.at(tmp_path / "audit")
    entry = {"signal_type": "LONG_ENTRY", "symbol": "BTCUSDT", "quantity": "0.010", "stop_loss": "58000"}
    with Child("signal", "json", *at, "--json", cwd=tmp_path) as service:
        service.write(json.dumps(entry))
        assert json.loads(service.line())["status"] == "protected"
        service.process.send_signal(number)
        _, err = service.process.communicate(timeout=20)
        assert (service.process.returncode, err) == (code, b"")
    assert [row["orderType"] for row in exchange.state()["openAlgoOrders"]] == ["STOP_MARKET"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_simulator_ends_with_success_when_stopped(tmp_path: Path, number: signal.Signals) -> None:
    """Stopping it is how it ends, so that is no failure."""
    with Simulator(tmp_path) as running:
        assert running.end(number) == 0


def test_ready_line_carries_a_generated_secret_only(exchange: Simulator, tmp_path: Path) -> None:
    """A secret that was given is known to whoever gave it; one made up has to be told."""
    assert set(exchange.ready) == {"ready", "rest", "stream", "api_key"}
    with Child("sim", "--json", cwd=tmp_path, env=environment()) as made_up:
        assert "api_secret" in json.loads(made_up.line())
        assert made_up.end(signal.SIGINT) == 0


def test_simulator_says_why_it_cannot_start(exchange: Simulator, tmp_path: Path) -> None:
    """A taken port and a missing file are sentences."""
    taken = run_cli("sim", "--port", exchange.rest.rsplit(":", 1)[1], cwd=tmp_path)
    assert (taken.returncode, "cannot_start" in taken.stderr) == (1, True)
    missing = run_cli("sim", "--prices", "nowhere.csv", "--json", cwd=tmp_path)
    assert (missing.returncode, json.loads(missing.stdout)["error"]["code"]) == (1, "bad_prices")


def test_keys_are_read_from_env_file(exchange: Simulator, tmp_path: Path) -> None:
    """A `.env` in the working directory is enough."""
    keys = with_keys()
    (tmp_path / ".env").write_text(
        "".join(f"{name}={keys[name]}\n" for name in ("BINANCE_API_KEY", "BINANCE_API_SECRET"))
    )
    done = run_cli("signal", "long", *ENTRY, *exchange.at(tmp_path / "audit"), cwd=tmp_path, env=environment())
    assert done.returncode == 0, done.stderr
