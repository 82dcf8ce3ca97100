"""Nobody reads what a command writes: the disk behind its output is full, or who read it is gone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import COMMAND, DEADLINE_S, ENTRY, Child, Simulator, run_cli, with_keys

FULL = Path("/dev/full")
SERVICE_ENTRY = {"signal_type": "LONG_ENTRY", "quantity": "0.010", "stop_loss": "58000"}


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Simulator]:
    """`bracketeer sim` on a free port."""
    with Simulator(tmp_path) as running:
        yield running


def _into_a_full_disk(*arguments: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    with FULL.open("wb") as full:
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=cwd,
            env=with_keys(),
            input=stdin,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["words", "json"])
def test_service_goes_on_when_its_reader_is_gone(exchange: Simulator, tmp_path: Path, form: tuple[str, ...]) -> None:
    """Its positions need it more than its reader did: the next signals are followed, and it says once what it lost."""
    lines = [
        json.dumps({"signal_type": "CLOSE", "symbol": "ETHUSDT"}),
        json.dumps({**SERVICE_ENTRY, "symbol": "BTCUSDT"}),
        json.dumps({"signal_type": "CLOSE", "symbol": "BTCUSDT"}),
    ]
    with Child("signal", "json", *exchange.at(tmp_path / "audit"), *form, cwd=tmp_path) as service:
        service.write(lines[0])
        assert "already_flat" in service.line()
        assert service.process.stdout is not None
        service.process.stdout.close()
        service.process.stdout = None
        for line in lines[1:]:
            service.write(line)
        _, said = service.process.communicate(timeout=DEADLINE_S)
    assert (service.process.returncode, said.count(b"\n")) == (1, 1), said
    assert b"output_unwritable: stdout cannot be written: the work goes on all the same" in said
    assert [row["side"] for row in exchange.state()["trades"]] == ["BUY", "SELL"]


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["words", "json"])
def test_signal_is_protected_though_its_report_cannot_be_written(
    exchange: Simulator, tmp_path: Path, form: tuple[str, ...]
) -> None:
    """The order is followed to its protection, and the exit code says that the caller did not hear of it."""
    done = _into_a_full_disk("signal", "long", *ENTRY, *exchange.at(tmp_path / "audit"), *form, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "output_unwritable" in done.stderr
    assert "No space left on device" in done.stderr
    resting = sorted(row["orderType"] for row in exchange.state()["openAlgoOrders"])
    assert resting == ["STOP_MARKET", "TAKE_PROFIT_MARKET"]


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["words", "json"])
def test_result_that_cannot_be_written_is_a_failure_with_a_code(
    exchange: Simulator, tmp_path: Path, form: tuple[str, ...]
) -> None:
    """One sentence, no traceback."""
    at = exchange.at(tmp_path / "audit")
    assert run_cli("signal", "close", "BTCUSDT", *at, cwd=tmp_path).returncode == 0
    for command in (("status", *at), ("audit", "show", str(tmp_path / "audit"))):
        done = _into_a_full_disk(*command, *form, cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr == "✘ output_unwritable: stdout cannot be written (reason=No space left on device)\n"


def test_reader_of_the_beginning_hears_no_complaint(exchange: Simulator, tmp_path: Path) -> None:
    """`audit show | head -1` is no error of anybody."""
    at = exchange.at(tmp_path / "audit")
    assert run_cli("signal", "close", "BTCUSDT", *at, cwd=tmp_path).returncode == 0
    with Child("audit", "show", str(tmp_path / "audit"), cwd=tmp_path) as command:
        assert command.process.stdout is not None
        command.process.stdout.close()
        command.process.stdout = None
        _, said = command.process.communicate(timeout=DEADLINE_S)
    assert (command.process.returncode, said) == (1, b"")


def test_sign_that_the_output_does_not_have_is_written_otherwise(exchange: Simulator, tmp_path: Path) -> None:
    """An old terminal, or a log that is ASCII: the report is there all the same."""
    command = [*COMMAND, "signal", "long", *ENTRY, *exchange.at(tmp_path / "audit")]
    env = {**with_keys(), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, timeout=DEADLINE_S, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"\\u2714 protected")


def test_command_works_without_a_stdout(exchange: Simulator, tmp_path: Path) -> None:
    """A supervisor may start us with it closed."""
    command = " ".join((*COMMAND, "signal", "long", *ENTRY, *exchange.at(tmp_path / "audit"), ">&-", "2>&-"))
    done = subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, env=with_keys(), timeout=DEADLINE_S, check=False)
    assert done.returncode == 0
    assert len(exchange.state()["openAlgoOrders"]) == 2
