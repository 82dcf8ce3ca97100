"""How commands are asked, and what a wrong question gets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bracketeer import __version__
from tests.cli.conftest import Cli
from tests.support.processes import ENTRY, environment, run_cli


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["signal", "long"],
        ["signal", "long", "BTCUSDT", "--quantty", "1"],
        ["signal", "long", "BTCUSDT", "--ttl-ms", "soon"],
        ["signal", "long", "BTCUSDT", "--api-key", "k"],
        ["signal", "close", "BTCUSDT", "--side", "up"],
        ["audit", "show", "--limit", "-1"],
        ["sim", "--port", "70000"],
        ["sim", "--profile", "testnet"],
        ["demo", "--speed", "0"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(cli: Cli, arguments: list[str]) -> None:
    """Nothing is done for a command that is not understood, and the exit code says so."""
    result = cli(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "command", [[], ["demo"], ["sim"], ["status"], ["signal"], ["signal", "long"], ["audit", "show"]]
)
def test_help_is_there_for_every_command(cli: Cli, command: list[str]) -> None:
    """--help explains and exits with 0."""
    result = cli(*command, "--help")
    assert result.exit_code == 0
    assert "Usage: " in result.stdout


def test_help_says_where_keys_come_from(cli: Cli) -> None:
    """There is no option for keys, and the help says why."""
    text = " ".join(cli("signal", "long", "--help").stdout.split())
    assert "BINANCE_API_KEY" in text
    assert "history" in text


def test_version_is_shown(cli: Cli) -> None:
    """--version names the version."""
    assert cli("--version").stdout == f"bracketeer {__version__}\n"


def test_module_and_command_are_the_same(tmp_path: Path) -> None:
    """`python -m bracketeer` calls itself by the command's name."""
    assert "Usage: bracketeer " in run_cli("--help", cwd=tmp_path).stdout


def test_no_exchange_library_is_loaded_when_a_log_is_verified(tmp_path: Path) -> None:
    """A log can be proven on a machine that has nothing to do with trading."""
    code = (
        "import sys\n"
        "from bracketeer.app.cli import app\n"
        "app(['audit', 'verify', sys.argv[1]], standalone_mode=False)\n"
        "assert not {'binance', 'requests', 'websockets', 'starlette', 'uvicorn'} & set(sys.modules), sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=environment(), capture_output=True, text=True, check=False
    )
    assert "no_lines" in done.stdout
    assert done.returncode == 0, done.stderr


def test_missing_keys_are_said_at_once(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence that says what to set; nothing is asked of the exchange."""
    monkeypatch.delenv("BINANCE_API_SECRET")
    result = cli.signal("long", *ENTRY)
    assert result.exit_code == 1
    assert "credentials_missing" in result.stderr
    assert "BINANCE_API_SECRET" in result.stderr
    assert cli.books()["requests"] == []


def test_mainnet_needs_to_be_armed(cli: Cli) -> None:
    """--mainnet alone trades nothing."""
    result = cli("signal", "long", *ENTRY, "--mainnet", "--audit-dir", str(cli.audit_dir))
    assert result.exit_code == 1
    assert "mainnet_not_armed" in result.stderr


def test_error_is_a_document_when_json_is_asked_for(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program gets the code and the sentence where it reads, and nothing else."""
    monkeypatch.delenv("BINANCE_API_KEY")
    result = cli.signal("long", *ENTRY, "--json")
    assert result.exit_code == 1
    assert result.stdout.startswith('{"error":{"code":"credentials_missing","message":"')
    assert result.stderr == ""
