"""A headless Chromium for tests of pages, driven through chromedriver's own protocol (W3C WebDriver, JSON over HTTP).

So small that it needs no package: open a page, run a script in it, click, take a picture.
"""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
import requests

_START_S = 90.0
"""A browser that nobody has used since the machine was started is read from the disk first."""
_STEP_S = 20.0
_PHONE_MAX = 500
# Without these Chromium looks for its maker's hosts, many at a time.
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def require_chromium() -> tuple[str, str]:
    """Give the paths of browser and driver, or skip the test."""
    browser = shutil.which("chromium")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("needs Debian's chromium and chromium-driver")
    return browser, driver


class Browser:
    """One browser with one page."""

    def __init__(self, width: int = 1280, height: int = 1400) -> None:
        browser, driver = require_chromium()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        quiet = subprocess.DEVNULL
        self._driver = subprocess.Popen([driver, f"--port={port}"], stdout=quiet, stderr=quiet)
        self._http = requests.Session()
        self._http.trust_env = False
        self._url = f"http://127.0.0.1:{port}"
        try:
            self._wait_for_driver()
            flags = [*_FLAGS, f"--user-data-dir={self._profile.name}", f"--window-size={width},{height}"]
            options = {"binary": browser, "args": flags}
            wanted = {
                "capabilities": {
                    "alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
                }
            }
            self._url += f"/session/{self._ask('POST', '/session', wanted, _START_S)['sessionId']}"
            if width < _PHONE_MAX:
                # A window is never that narrow; a phone is.
                screen = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": True}
                command = {"cmd": "Emulation.setDeviceMetricsOverride", "params": screen}
                self._ask("POST", "/goog/cdp/execute", command)
        except BaseException:
            self._end_driver()
            raise

    def _wait_for_driver(self) -> None:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                if self._ask("GET", "/status")["ready"]:
                    return
            except requests.ConnectionError:
                if time.monotonic() > deadline or self._driver.poll() is not None:
                    raise

    def _ask(self, method: str, path: str, body: object = None, within_s: float = _STEP_S) -> Any:
        answer = self._http.request(method, self._url + path, json=body, timeout=within_s).json()["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(f"{answer['error']}: {answer['message'].splitlines()[0]}")
        return answer

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._ask("DELETE", "")
        finally:
            self._end_driver()

    def _end_driver(self) -> None:
        self._http.close()
        self._driver.terminate()
        self._driver.wait(timeout=_STEP_S)
        self._profile.cleanup()

    def open(self, url: str) -> None:
        """Open a page."""
        self._ask("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: object) -> Any:
        """Run a script in the page; its ``return`` is the result."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def text(self, selector: str) -> str:
        """Give the visible text of the first match, empty when there is none."""
        return str(self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector))

    def click(self, selector: str) -> None:
        """Click where a person would."""
        found = self._ask("POST", "/element", {"using": "css selector", "value": selector})
        self._ask("POST", f"/element/{next(iter(found.values()))}/click", {})

    def type(self, selector: str, text: str) -> None:
        """Type into a field, instead of what it holds."""
        found = self._ask("POST", "/element", {"using": "css selector", "value": selector})
        element = next(iter(found.values()))
        self._ask("POST", f"/element/{element}/clear", {})
        self._ask("POST", f"/element/{element}/value", {"text": text})

    def choose(self, selector: str, value: str) -> None:
        """Choose from a list."""
        script = "const e = document.querySelector(arguments[0]); e.value = arguments[1];"
        self.run(script + "e.dispatchEvent(new Event('change'))", selector, value)

    def wait_until(self, is_true: Callable[[], bool], what: str) -> None:
        """Wait until something shows; each look is a question to the browser, so nothing spins."""
        deadline = time.monotonic() + _STEP_S
        while not is_true():
            assert time.monotonic() < deadline, f"the page never showed {what}"

    def complaints(self) -> list[str]:
        """Give what the page wrote to its console as a warning or an error."""
        rows = self._ask("POST", "/se/log", {"type": "browser"})
        return [row["message"] for row in rows if row["level"] in {"WARNING", "SEVERE"}]

    def picture(self, path: Path) -> None:
        """Take a picture of what is visible."""
        path.write_bytes(base64.b64decode(self._ask("GET", "/screenshot")))
