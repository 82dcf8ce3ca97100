"""The README is true: its example runs, its tables are the code's, its commands exist."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests

from bracketeer.core.denial import DenialCode, denial_table
from bracketeer.core.report import ReportStatus
from bracketeer.core.settings import Settings
from bracketeer.execution.settings_loader import VARIABLES
from bracketeer.simulator.faults import CATALOGUE, FaultName
from tests.cli.conftest import Cli
from tests.support.processes import DEADLINE_S, Child, environment, run_cli, with_keys

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """A section of the README, by its title."""
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def blocks(language: str, text: str = README) -> list[str]:
    """The code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def block_with(language: str, words: str, text: str = README) -> str:
    """The one code block with these words."""
    (block,) = [block for block in blocks(language, text) if words in block]
    return str(block)


def test_first_commands_are_demo_and_test() -> None:
    """Whoever reads only the first block gets the whole story."""
    commands = [line.split("#")[0].strip() for line in blocks("sh")[0].splitlines()]
    assert commands == ["make demo", "make test"]


def _curl(line: str) -> dict[str, Any]:
    """What a curl line of the README asks."""
    words = shlex.split(line)
    method = words[words.index("-X") + 1] if "-X" in words else "GET"
    url = next(word for word in words if word.startswith("http"))
    body = words[words.index("-d") + 1] if "-d" in words else None
    document: dict[str, Any] = requests.request(method, url, data=body, timeout=DEADLINE_S).json()
    return document


def test_first_protected_position_as_told(tmp_path: Path) -> None:
    """The simulator, the Python example, the curl lines and the commands, as a stranger would copy them."""
    told = section("First protected position")
    start = block_with("sh", "bracketeer sim", told).splitlines()[-1]
    options = shlex.split(start.split("bracketeer ", 1)[1])
    port = options[options.index("--port") + 1]
    options[options.index("--port") + 1] = "0"
    with Child(*options, cwd=tmp_path, env=environment()) as simulator:
        address = json.loads(simulator.line())["rest"].removeprefix("http://")

        def here(text: str) -> str:
            return text.replace(f"127.0.0.1:{port}", address)

        (example,) = blocks("python", told)
        (tmp_path / "example.py").write_text(here(example), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "example.py"],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert re.fullmatch(r"protected 60001\.20* unprotected for \d+ ms\n", done.stdout), done.stderr

        before, _, after = [_curl(here(line)) for line in block_with("sh", "66010", told).splitlines()]
        assert [row["positionAmt"] for row in before["positions"]] == ["0.010"]
        assert sorted(row["orderType"] for row in before["openAlgoOrders"]) == ["STOP_MARKET", "TAKE_PROFIT_MARKET"]
        assert [after[books] for books in ("positions", "openOrders", "openAlgoOrders")] == [[], [], []]

        for line in block_with("sh", "signal close", told).splitlines()[1:]:
            command = shlex.split(here(line.split("bracketeer ", 1)[1]))
            done_too = run_cli(*command, cwd=tmp_path, env=with_keys())
            assert done_too.returncode == 0, f"{line}\n{done_too.stdout}{done_too.stderr}"

        (fault,) = blocks("sh", section("When something is wrong"))
        assert _curl(here(fault)) == json.loads(block_with("text", '"id"', section("When something is wrong")))


def test_refusal_table_is_generated() -> None:
    """The table of refusal codes is the code's own: regenerate it with `denial_table()`."""
    assert f"\n{denial_table()}\n" in section("Refusal codes")


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_settings_table_is_complete_and_its_defaults_are_true() -> None:
    """Every variable, in the loader's order, with its default."""
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", section("Settings"), re.MULTILINE)
    told = {name: default.strip().strip("`") for name, default in rows if name in VARIABLES}
    defaults = msgspec.to_builtins(Settings())
    flat = {**defaults.pop("policy"), **defaults}
    true = {name: flat[variable.setting] for name, variable in VARIABLES.items()}
    unset: tuple[object, ...] = (None, (), [])
    assert told == {name: "" if value in unset else _shown(value) for name, value in true.items()}


@pytest.mark.parametrize("status", ReportStatus)
def test_every_report_status_is_explained(status: ReportStatus) -> None:
    """A reader who gets a status finds it."""
    assert f"`{status.value}`" in section("In your program")


@pytest.mark.parametrize("fault", FaultName)
def test_every_fault_is_named(fault: FaultName) -> None:
    """What the simulator can do wrong is there to practise with: the row is the catalogue's."""
    spec = CATALOGUE[fault]
    options = f" Options: {', '.join(f'`{option}`' for option in spec.options)}." if spec.options else ""
    row = f"| `{fault.value}` | {spec.kind.value} | {spec.description}{options} |"
    assert row in section("Use the simulator with your own bot").splitlines()


ROWS = {
    "demo": "demo",
    "sim": "sim",
    "signal long": "signal long",
    "signal short": "signal long",
    "signal close": "signal close",
    "signal json": "signal json",
    "status": "status",
    "audit show": "audit verify",
    "audit replay": "audit replay",
}


@pytest.mark.parametrize(("name", "row"), ROWS.items(), ids=ROWS)
def test_commands_have_the_options_of_the_table(cli: Cli, name: str, row: str) -> None:
    """Every option that the README names for a command is one of its options."""
    (told,) = [line for line in section("Command line").splitlines() if line.startswith(f"| `{row}")]
    shown = cli(*name.split(), "--help").stdout
    assert [option for option in re.findall(r"--[a-z-]+", told.rsplit(" | ", 1)[0]) if option not in shown] == []


def test_error_codes_named_in_the_readme_exist() -> None:
    """A code that a reader looks for is one that the program can say."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    told = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+)", section("When something is wrong"), re.MULTILINE)
    codes = [code for cell in told for code in re.findall(r"`([a-z_]+)`", cell)]
    assert len(codes) > 10
    assert [code for code in codes if f'"{code}"' not in source and code not in list(DenialCode)] == []
