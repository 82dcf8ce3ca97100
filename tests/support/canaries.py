"""Secrets that exist in a test run, gathered where they are made, and a search for them in what a test leaves behind.

They are learned from the exchange's side (its account keys, the listen keys it gives out), so that a secret the manager
forgets to mask is found too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from bracketeer.simulator.server import RunningSimulator
from bracketeer.simulator.streams import StreamHub

KEY = "canaryKEYx4f1d9c2b7e6a5083canaryKEYx4f1d9c2b7e6a5083canaryKEYx01"
SECRET = "canarySECRETx8b3e7f6a1d2c9504canarySECRETx8b3e7f6a1d2c9504canary"
AUDIT_KEY = "canaryAUDITx2c7e9f4a6b1d8305canaryAUDITx2c7e9f4a"
_LENGTH_MIN = 16  # shorter ones are names that tests chose, such as "demo-key"

secrets: set[str] = {KEY, SECRET, AUDIT_KEY}


def learn(secret: str) -> None:
    """From now on this must not be seen anywhere."""
    if len(secret) >= _LENGTH_MIN:
        secrets.add(secret)


def watch(patch: pytest.MonkeyPatch) -> None:
    """Learn every secret that a simulated exchange in this process makes."""
    open_key, start = StreamHub.open_key, RunningSimulator.start

    def open_and_learn(hub: StreamHub, api_key: str) -> str:
        key = open_key(hub, api_key)
        learn(key)
        return key

    def start_and_learn(simulator: RunningSimulator) -> RunningSimulator:
        learn(simulator.api_key)
        learn(simulator.api_secret)
        return start(simulator)

    patch.setattr(StreamHub, "open_key", open_and_learn)
    patch.setattr(RunningSimulator, "start", start_and_learn)


class LogTrap(logging.Handler):
    """Keeps what every logger says at every level, as a person would see it, tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.texts.append(self.format(record))


def found_in_text(text: str) -> list[str]:
    """What part of a secret a text shows: the beginnings of the secrets in it, short enough to print."""
    return sorted({secret[:6] + "…" for secret in secrets if secret in text})


def found_in_files(folder: Path) -> Iterator[str]:
    """Files below a folder that show a secret. A `.env` is where secrets live."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != ".env":
            for shown in found_in_text(path.read_text(encoding="utf-8", errors="replace")):
                yield f"{path}: {shown}"
