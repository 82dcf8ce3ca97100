"""A short soak: the same story and the same measurements as `make soak`, which plays a million events."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bracketeer.execution import starting
from tests.simulation import soak as soaking
from tests.simulation.soak import ROOMS, SAMPLES, grown, soak

EVENTS = 10_000


def test_nothing_grows(tmp_path: Path) -> None:
    """Memory, open files, tasks, state and unprotected time stay what they were; the log rotates and verifies."""
    told: list[str] = []
    samples = soak(EVENTS, folder=tmp_path, say=told.append, kept=EVENTS // 150)
    assert len(samples) == SAMPLES
    assert samples[-1].events >= EVENTS
    assert grown(samples) == [], "\n".join(told)


def test_clock_that_is_not_measured_again_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchange's clock runs away from this machine's by 180 ms in an hour: only a new measurement keeps up."""
    monkeypatch.setattr(starting, "RESYNC_S", 1e9)
    monkeypatch.setattr(soaking, "RESTARTS", 1)
    assert [text.split(":")[0] for text in grown(soak(EVENTS, folder=tmp_path, kept=EVENTS // 150))] == [
        "clock estimate off, ms"
    ]


def test_growth_is_seen(tmp_path: Path) -> None:
    """The comparison has teeth: a file, a task, ten megabytes, a thousand objects more are told."""
    samples = soak(1_500, folder=tmp_path, kept=100)
    quarter = len(samples) * 3 // 4
    # Objects of tests before this one, in the same process, would make a thousand more a small part.
    objects = Counter(dict.fromkeys(ROOMS, 5000))
    level = [replace(samples[-1], mean_naked_ms=6.0, rss_kb=80_000, objects=objects) for _ in samples]
    assert grown(level) == []
    more = [
        replace(
            sample,
            rss_kb=sample.rss_kb + 10_240,
            fds=sample.fds + 1,
            tasks=sample.tasks + 1,
            objects=sample.objects + Counter(core=1_000),
        )
        for sample in level[quarter:]
    ]
    found = [text.split(":")[0] for text in grown(level[:quarter] + more)]
    assert found == ["rss kB", "open files", "tasks", "objects of core"]
