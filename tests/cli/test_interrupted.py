"""Ctrl-C at the worst moments: an order is never torn from its protection."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.processes import DEADLINE_S, ENTRY, Child, Simulator, environment, run_cli, with_keys
from tests.support.venue import eventually

ORDER = "/fapi/v1/order"
IMPATIENT = {**with_keys(), "REPORT_TIMEOUT_MS": "100"}
PATIENT = {**with_keys(), "READ_TIMEOUT_MS": "30000"}
"""It waits for an answer for as long as it takes a test on a slow machine to interrupt it twice."""


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Simulator]:
    """`bracketeer sim` on a free port."""
    with Simulator(tmp_path) as running:
        yield running


def test_entry_in_flight_is_protected_before_the_command_ends(exchange: Simulator, tmp_path: Path) -> None:
    """Executed, but the answer is late: Ctrl-C waits for the outcome, says so, and exits with 130."""
    exchange.control("fault", fault="delay", method="POST", path=ORDER, delay_ms=3_000)
    exchange.control("fault", fault="stream_mute")
    at = exchange.at(tmp_path / "audit")
    with Child("signal", "long", *ENTRY, *at, "--json", cwd=tmp_path, env=PATIENT) as command:
        eventually(lambda: bool(exchange.state()["trades"]), within_s=DEADLINE_S, what="the entry is executed")
        command.process.send_signal(signal.SIGINT)
        out, err = command.process.communicate(timeout=20)
    assert (command.process.returncode, err) == (130, b"")
    assert json.loads(out)["status"] == "protected"
    resting = sorted(row["orderType"] for row in exchange.state()["openAlgoOrders"])
    assert resting == ["STOP_MARKET", "TAKE_PROFIT_MARKET"]


def test_second_interrupt_leaves_and_the_next_command_takes_over(exchange: Simulator, tmp_path: Path) -> None:
    """Whoever insists may go; the next start knows of the entry from the log and finds out what became of it."""
    at = exchange.at(tmp_path / "audit")
    exchange.control("fault", fault="delay", method="POST", path=ORDER, delay_ms=15_000)
    exchange.control("fault", fault="stream_mute")
    with Child("signal", "long", *ENTRY, *at, cwd=tmp_path, env=PATIENT) as command:
        eventually(lambda: bool(exchange.state()["trades"]), within_s=DEADLINE_S, what="the entry is executed")
        command.process.send_signal(signal.SIGINT)
        assert "finishing what is under way" in command.error_line()
        command.process.send_signal(signal.SIGINT)
        command.process.communicate(timeout=20)
    assert command.process.returncode == 130
    done = run_cli("signal", "close", "BTCUSDT", *at, "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["status"] == "closed"
    state = exchange.state()
    assert (state["positions"], state["openAlgoOrders"], len(state["trades"])) == ([], [], 2)


def test_interrupt_while_it_ends_shows_no_traceback(exchange: Simulator, tmp_path: Path) -> None:
    """Who will not even wait for connections and locks to be given back gets no page of Python for it."""
    at = exchange.at(tmp_path / "audit")
    assert run_cli("signal", "long", *ENTRY, *at, cwd=tmp_path).returncode == 0
    exchange.process.send_signal(signal.SIGSTOP)  # it answers nothing any more
    with Child("signal", "close", "BTCUSDT", *at, cwd=tmp_path) as command:
        assert "start_degraded" in command.error_line()
        command.process.send_signal(signal.SIGINT)
        assert command.error_line() == "interrupted"
        while command.process.poll() is None:
            command.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                command.process.wait(0.2)
        _, rest = command.process.communicate()
    assert command.process.returncode in (130, -signal.SIGINT)
    assert rest == b""


def test_command_stays_until_an_unknown_entry_is_known(exchange: Simulator, tmp_path: Path) -> None:
    """Reported as unresolved in time, and then as what it was: the command does not go away in between."""
    exchange.control("fault", fault="request_lost", method="POST", path=ORDER)
    done = run_cli("signal", "long", *ENTRY, *exchange.at(tmp_path / "audit"), "--json", cwd=tmp_path, env=IMPATIENT)
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["unresolved", "rejected"]
    assert done.returncode == 1


def test_command_stays_until_a_late_entry_is_protected(exchange: Simulator, tmp_path: Path) -> None:
    """Whatever was reported while the answer was on its way: the position is guarded when the command ends."""
    exchange.control("fault", fault="delay", method="POST", path=ORDER, delay_ms=900)
    exchange.control("fault", fault="stream_mute")
    run_cli("signal", "long", *ENTRY, *exchange.at(tmp_path / "audit"), cwd=tmp_path, env=IMPATIENT)
    resting = sorted(row["orderType"] for row in exchange.state()["openAlgoOrders"])
    assert resting == ["STOP_MARKET", "TAKE_PROFIT_MARKET"]


@pytest.mark.parametrize(
    "module", ["bracketeer.app.cli", "typer", "bracketeer.app.demo", "bracketeer.app.demo_exchange"]
)
def test_interrupt_while_loading_is_a_word_and_130(tmp_path: Path, module: str) -> None:
    """Ctrl-C before the command has begun to work: no traceback, nothing left."""
    struck = (
        "import os, signal, sys\n"
        "class Strike:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Strike())\n"
        "sys.argv = ['bracketeer', 'demo', '--speed', '1000']\n"
        "from bracketeer.__main__ import main\n"
        "main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", struck], cwd=tmp_path, env=environment(), capture_output=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr.strip()) == (130, b"", b"interrupted")
