"""`bracketeer sim`: its faults by name, and its stories."""

from __future__ import annotations

import json
from pathlib import Path

import requests

from bracketeer.simulator.faults import FaultName
from tests.cli.conftest import Cli
from tests.support.processes import Simulator, environment, run_cli


def test_faults_are_listed_for_people_and_programs(cli: Cli) -> None:
    """Every name with a sentence; nothing is started."""
    shown = cli("sim", "--list-faults")
    assert shown.exit_code == 0
    assert all(name.value in shown.output for name in FaultName)
    rows = json.loads(cli("sim", "--list-faults", "--json").stdout)
    assert [row["fault"] for row in rows] == list(FaultName)
    assert all(row["description"] for row in rows)


def test_script_that_is_missing_or_wrong_stops_the_start(tmp_path: Path) -> None:
    """With a sentence, and exit code 1."""
    missing = run_cli("sim", "--script", "nowhere.jsonl", "--json", cwd=tmp_path, env=environment())
    assert (missing.returncode, json.loads(missing.stdout)["error"]["code"]) == (1, "bad_script")
    (tmp_path / "story.jsonl").write_text('{"at_ms": 0, "fault": "meteor"}\n', encoding="utf-8")
    wrong = run_cli("sim", "--script", "story.jsonl", "--json", cwd=tmp_path, env=environment())
    assert (wrong.returncode, json.loads(wrong.stdout)["error"]["code"]) == (1, "cannot_start")


def test_switch_that_makes_no_sense_stops_the_start(tmp_path: Path) -> None:
    """With a sentence, and exit code 1."""
    for written in ("warp=true", "algo_query_is_blind"):
        wrong = run_cli("sim", "--switch", written, "--json", cwd=tmp_path, env=environment())
        assert (wrong.returncode, json.loads(wrong.stdout)["error"]["code"]) == (1, "cannot_start")


def test_switch_decides_an_open_point(tmp_path: Path) -> None:
    """What was given at the start is in force, in the exchange's own words."""
    with Simulator(tmp_path, "--switch", "reduce_only_algo_needs_position=true") as simulator:
        shown = requests.get(f"{simulator.rest}/sim/switches", timeout=10).json()
    assert shown["reduce_only_algo_needs_position"] is True
