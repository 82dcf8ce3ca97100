"""The README's section for other people's bots, line by line against a real `bracketeer sim`."""

from __future__ import annotations

import json
import os
import re
import select
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
import requests

from tests.cli.test_readme import block_with, blocks, section
from tests.support.processes import DEADLINE_S, Child, environment

TOLD = section("Use the simulator with your own bot")
BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Desk:
    """The simulator that the README starts, at an address of its own, and a folder to work in."""

    folder: Path
    address: str

    def here(self, text: str) -> str:
        """What the README says, with this address and this environment."""
        return text.replace("127.0.0.1:8590", self.address).replace(".venv/bin/", f"{BIN}/")

    def run(self, *command: str) -> str:
        """What a command says, which must succeed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=2 * DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def shell(self, lines: str) -> list[Any]:
        """The JSON documents that lines for the shell give."""
        said = self.run("bash", "-euc", self.here(lines)).strip()
        decoder, documents = json.JSONDecoder(), []
        while said:
            document, end = decoder.raw_decode(said)
            documents.append(document)
            said = said[end:].lstrip()
        return documents


@contextmanager
def started(line: str, folder: Path) -> Iterator[Desk]:
    """A line of the README that starts the simulator, on a free port."""
    options = shlex.split(line.split("bracketeer ", 1)[1])
    options[options.index("--port") + 1] = "0"
    with Child(*options, cwd=folder, env=environment()) as simulator:
        yield Desk(folder, json.loads(simulator.line())["rest"].removeprefix("http://"))


@pytest.fixture(name="desk")
def _desk(tmp_path: Path) -> Iterator[Desk]:
    with started(block_with("sh", "--port 8590", TOLD), tmp_path) as desk:
        yield desk


def test_python_examples_print_what_is_shown(desk: Desk) -> None:
    """Unmodified clients, in the order of the README."""
    for module in ("ccxt", "binance_sdk_derivatives_trading_usds_futures"):
        pytest.importorskip(module)
    examples, shown = blocks("python", TOLD), blocks("text", TOLD)
    assert len(examples) == len(shown) == 2
    assert [desk.run(sys.executable, "-c", desk.here(example)) for example in examples] == shown


def test_shell_lines_trade_and_look(desk: Desk) -> None:
    """A public price, a signed order, the books, and the page."""
    price, order, books = desk.shell(block_with("sh", "openssl", TOLD))
    assert (price["symbol"], price["price"]) == ("BTCUSDT", "60000.00")
    assert (order["status"], order["executedQty"]) == ("FILLED", "0.010")
    assert [row["positionAmt"] for row in books["positions"]] == ["0.010"]
    page = requests.get(f"http://{desk.address}/", timeout=DEADLINE_S)
    assert (page.status_code, page.text[:15]) == (200, "<!doctype html>")


def test_shell_lines_control(desk: Desk) -> None:
    """Prices, faults, clock, switches and a fresh start, each with its effect."""
    price, failing, lagging, faults, one, rest, later, back, open_points, decided, fresh = desk.shell(
        block_with("sh", "/sim/lift", TOLD)
    )
    assert price["price"] == "59500.00"
    assert [(row["id"], row["fault"], row["times"]) for row in faults["waiting"]] == [
        (failing["id"], "status_503", 2),
        (lagging["id"], "stale_reads", -1),
    ]
    assert (one, rest) == ({"lifted": 1}, {"lifted": 1})
    assert 0 <= later["serverTime"] - back["serverTime"] <= 60_000
    name = "reduce_only_algo_needs_position"
    assert (open_points[name], decided) == (False, open_points | {name: True})
    assert fresh == {"seed": 1}


def _read_line_with(pipe: IO[bytes], words: str) -> dict[str, Any]:
    said, deadline_s = b"", time.monotonic() + DEADLINE_S
    while True:
        *lines, said = said.split(b"\n")
        for line in lines:
            if words.encode() in line:
                document: dict[str, Any] = json.loads(line)
                return document
        readable, _, _ = select.select([pipe], [], [], max(0.0, deadline_s - time.monotonic()))
        assert readable, f"no line with {words} within {DEADLINE_S} s"
        chunk = os.read(pipe.fileno(), 65536)
        assert chunk, f"it ended without {words}"
        said += chunk


@contextmanager
def _listening(desk: Desk, lines: str) -> Iterator[IO[bytes]]:
    # The shell becomes the listener, so that ending the one ends the other.
    first, _, last = lines.rpartition("\n")
    command = ["bash", "-euc", desk.here(f"{first}\nexec {last}")]
    with subprocess.Popen(
        command, cwd=desk.folder, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        try:
            yield child.stdout
        finally:
            child.kill()


def test_market_is_heard_from_the_shell(desk: Desk) -> None:
    """Other people trade by themselves."""
    market = block_with("sh", "listenKey", TOLD).splitlines()[0]
    with _listening(desk, market) as said:
        trade = _read_line_with(said, "aggTrade")
    assert trade["s"] == "BTCUSDT"


def test_account_is_heard_from_the_shell(desk: Desk) -> None:
    """What the README's own order does arrives on the README's own listen key."""
    account = "\n".join(block_with("sh", "listenKey", TOLD).splitlines()[1:])
    with _listening(desk, account) as said:
        deadline_s = time.monotonic() + DEADLINE_S
        # An order before the socket is open would be missed: order until one is heard.
        while True:
            desk.shell(block_with("sh", "openssl", TOLD))
            readable, _, _ = select.select([said], [], [], 0.5)
            if readable:
                break
            assert time.monotonic() < deadline_s
        filled = _read_line_with(said, '"X":"FILLED"')
    assert (filled["e"], filled["o"]["s"]) == ("ORDER_TRADE_UPDATE", "BTCUSDT")


def test_story_plays(tmp_path: Path) -> None:
    """The story is written by the shell and told by the simulator."""
    *writing, start = block_with("sh", "story.jsonl", TOLD).splitlines()
    subprocess.run(["bash", "-euc", "\n".join(writing)], cwd=tmp_path, check=True, timeout=DEADLINE_S)
    story = [json.loads(line) for line in (tmp_path / "story.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(story) == 3
    before_ms = time.time_ns() // 1_000_000
    with started(start, tmp_path) as desk:
        deadline_s = time.monotonic() + DEADLINE_S
        while (clock := _get(desk, "/fapi/v1/time")["serverTime"]) < before_ms + story[-1]["advance_ms"]:
            assert time.monotonic() < deadline_s, clock
        assert _get(desk, "/fapi/v2/ticker/price?symbol=BTCUSDT")["price"] == "59000.00"


def _get(desk: Desk, path: str) -> dict[str, Any]:
    document: dict[str, Any] = requests.get(f"http://{desk.address}{path}", timeout=DEADLINE_S).json()
    return document


def test_every_command_of_the_section_is_run() -> None:
    """A block that is added is one that is tried."""
    tried = ("--port 8590", "openssl", "listenKey", "/sim/lift", "story.jsonl")
    assert [block_with("sh", words, TOLD) for words in tried] == blocks("sh", TOLD)
    controls = set(re.findall(r"`?/sim/([a-z]+)", TOLD)) - {"state", "faults", "orders", "switches"}
    acts = {"price", "fault", "lift", "clock", "reset", "order", "account", "funding", "transfer", "delist", "switch"}
    assert controls == acts
