"""`bracketeer demo`: the story is told, its promises are judged, and it leaves nothing behind."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from bracketeer import OrderExecutionManager
from bracketeer.app.demo_story import Story
from tests.cli.conftest import Cli
from tests.support.processes import Child, environment, run_cli
from tests.support.venue import eventually

QUICK = ("--speed", "1000")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Path]:
    """The demo as a program sees it: its lines, and its audit folder. Played once for all tests of this worker."""
    folder = tmp_path_factory.mktemp("demo")
    done = run_cli("demo", "--json", *QUICK, cwd=folder, env=environment(), within_s=60)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return lines, folder / lines[0]["audit_dir"]


def test_story_has_every_kind_of_ending(told: tuple[list[dict[str, Any]], Path]) -> None:
    """A target hit, a stop hit, a CLOSE, two refusals, a duplicate and a lost reply: the same on every machine."""
    lines, _ = told
    ended = {row["signal_id"]: row["reason"] or row["status"] for row in lines[-1]["signals"] if row["entry"]}
    assert ended == {
        "btc-short-1": "take_profit_hit",
        "eth-long-1": "stop_loss_hit",
        "sol-short-1": "close_signal",
        "bnb-short-1": "take_profit_hit",
        "pepe-long-1": "take_profit_hit",
        "eth-long-2": "close_signal",
    }
    refused = [row["reason"] for row in lines[-1]["signals"] if row["status"] in ("denied", "duplicate")]
    assert refused == ["stop_loss_wrong_side", "duplicate_signal", "malformed_json"]
    assert [line["fault"]["fault"] for line in lines if line["event"] == "fault"] == ["reply_lost"]


def test_every_promise_is_kept_and_has_its_numbers(told: tuple[list[dict[str, Any]], Path]) -> None:
    """Eight promises, each with what it was judged by."""
    promises = told[0][-1]["promises"]
    names = [promise["name"] for promise in promises]
    assert names == ["Once", "Protected", "Clean", "True", "Provable", "Polite", "Quiet", "Clear"]
    assert [promise["name"] for promise in promises if not promise["kept"]] == []
    assert promises[0]["text"].startswith("6 entries executed, one per signal; 1 repeated signal sent nothing, 1 lost")


def test_log_is_left_in_the_named_folder(told: tuple[list[dict[str, Any]], Path], cli: Cli) -> None:
    """The record of the demo can be proven and read afterwards."""
    _, folder = told
    assert folder.parent.name == "logs"
    assert cli("audit", "verify", str(folder)).exit_code == 0


def test_people_get_a_summary(cli: Cli, tmp_path: Path) -> None:
    """Without --json: what happens, the table, the promises, the proof."""
    result = cli("demo", *QUICK, "--audit-dir", str(tmp_path / "log"))
    assert result.exit_code == 0, result.output
    assert "00:30  ✔ btc-short-1   SHORT_ENTRY BTCUSDT" in result.stdout
    assert "ended, flat: stop_loss_hit" in result.stdout
    assert "✔ all 8 promises kept" in result.stdout
    assert f"bracketeer audit show {tmp_path / 'log'}" in result.stdout


def test_other_signals_are_played_and_closed_at_the_end(cli: Cli, tmp_path: Path) -> None:
    """A file of one's own: signals without a time arrive one a step, and what is open at the end is closed."""
    signals = tmp_path / "mine.jsonl"
    signals.write_text('{"signal_type":"LONG_ENTRY","symbol":"BTCUSDT","quantity":"0.010","stop_loss":"30000"}\n[]\n')
    result = cli("demo", *QUICK, "--signals", str(signals), "--audit-dir", str(tmp_path / "log"), "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout.splitlines()[-1])
    assert [row["status"] for row in summary["signals"]] == ["closed", "denied", "closed"]


def test_day_is_played_where_no_interrupt_strikes(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python drops an interrupt that strikes within the finalizer of an answer: on the main thread the demo went on."""
    players: list[threading.Thread] = []
    play = Story.play

    def play_and_tell(story: Story, manager: OrderExecutionManager) -> None:
        players.append(threading.current_thread())
        play(story, manager)

    monkeypatch.setattr(Story, "play", play_and_tell)
    assert cli("demo", *QUICK, "--audit-dir", str(tmp_path / "log")).exit_code == 0
    assert players != [threading.main_thread()]


def test_broken_promise_fails_the_demo(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The judgement is no decoration: a trade that no signal explains is found in the exchange's books."""
    play = Story.play

    def play_and_meddle(story: Story, manager: OrderExecutionManager) -> None:
        play(story, manager)
        story._exchange._post("/sim/order", {"symbol": "LTCUSDT", "side": "BUY", "quantity": "1"})

    monkeypatch.setattr(Story, "play", play_and_meddle)
    result = cli("demo", *QUICK, "--audit-dir", str(tmp_path / "log"))
    assert result.exit_code == 1
    assert "orders nobody asked for: LTCUSDT" in result.stdout
    assert "✘ Clean     at the end 1 position open, 0 orders of ours resting" in result.stdout
    assert "2 of 8 promises BROKEN" in result.stdout


def test_folder_with_a_log_is_not_used_again(cli: Cli, tmp_path: Path) -> None:
    """Its signal ids are known there: all would be duplicates."""
    log = tmp_path / "log"
    log.mkdir()
    (log / "audit-2026-01-01.jsonl").touch()
    result = cli("demo", *QUICK, "--audit-dir", str(log))
    assert result.exit_code == 1
    assert "folder_not_empty" in result.stderr


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_exchange_ends_with_the_demo(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """However it is stopped, killed outright included: no process is left behind, and the log verifies."""
    with Child("demo", "--json", "--audit-dir", "log", cwd=tmp_path, env=environment()) as demo:
        exchange = json.loads(demo.line())["exchange"]
        demo.line_with('"protected')
        assert demo.end(number) == code
    eventually(lambda: _is_gone(exchange), what="the exchange is gone")
    assert run_cli("audit", "verify", "log", cwd=tmp_path, env=environment()).returncode == 0


def _is_gone(exchange: str) -> bool:
    try:
        requests.get(f"{exchange}/sim/state", timeout=5)
    except requests.ConnectionError:
        return True
    return False


def test_exchange_that_cannot_start_is_said(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last words are in the sentence."""
    monkeypatch.setattr("bracketeer.app.demo_exchange.SEED", "seven")
    result = cli("demo", *QUICK, "--audit-dir", str(tmp_path / "log"))
    assert result.exit_code == 1
    assert "simulator_failed" in result.stderr
    assert "--seed" in result.stderr


def test_missing_signals_are_said(cli: Cli) -> None:
    """A file that is not there is a sentence, before anything is started."""
    result = cli("demo", "--signals", "nowhere.jsonl")
    assert result.exit_code == 1
    assert "no_such_file" in result.stderr
