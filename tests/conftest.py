"""For every test of the run: what it printed, logged, raised or wrote to its folder shows no secret (P7)."""

from __future__ import annotations

import logging
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.support import canaries, profiles

profiles.load()  # before the test modules are read: they scale their examples by it


def pytest_configure() -> None:
    """Under `nohup`, or as a script's background job, children would inherit ignored signals; that they end by these is
    what is tested."""
    for number, default in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, default)


@pytest.fixture(autouse=True, scope="session")
def _secrets_are_learned() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        canaries.watch(patch)
        yield


@pytest.fixture(autouse=True)
def _no_secret_is_logged() -> Iterator[None]:
    """Every logger at every level, as a debugging user would turn it on."""
    root, trap = logging.getLogger(), canaries.LogTrap()
    level = root.level
    root.addHandler(trap)
    root.setLevel(logging.DEBUG)
    yield
    root.setLevel(level)
    root.removeHandler(trap)
    leaked = [shown for text in trap.texts for shown in canaries.found_in_text(text)]
    assert not leaked, f"a log line shows a secret: {leaked}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Look through what is left of a test when it is over."""
    report = yield
    leaks = [f"{name}: {shown}" for name, text in report.sections for shown in canaries.found_in_text(text)]
    leaks += [f"traceback: {shown}" for shown in canaries.found_in_text(report.longreprtext)]
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if report.when == "teardown" and isinstance(folder, Path):
        leaks += canaries.found_in_files(folder)
    if leaks:
        report.outcome = "failed"
        report.longrepr = "secrets are shown by " + "; ".join(leaks)
    return report
