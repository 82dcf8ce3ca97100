"""The process that is killed in the kill story: one manager, told what to do by JSON lines on its standard input.

`python -m tests.scenarios.kill_manager REST STREAM FOLDER`, keys from the environment. Asked `{"signal": {…}}` it
follows the signal on a thread of its own and answers with the report; asked `{"look": true}` it tells what it believes.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

from bracketeer import BracketeerError, OrderExecutionManager, Policy, Settings
from bracketeer.core.commands import Alert
from bracketeer.core.position import expected_amount

NAKED_LIMIT_MS = 2000
POLICY = Policy(
    recv_window_ms=1000,
    clock_margin_ms=200,
    naked_limit_ms=NAKED_LIMIT_MS,
    report_timeout_ms=8000,
)
STARTS_MAX = 40

_writing = threading.Lock()


def say(**facts: Any) -> None:
    """One line for whoever started us, whole even if we are killed right after."""
    with _writing:
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Start, whatever that takes, and follow what is told until the input ends."""
    rest, stream, folder = sys.argv[1:]
    settings = Settings(policy=POLICY, audit_log_dir=folder, connect_timeout_ms=500, read_timeout_ms=500)
    manager = OrderExecutionManager(base_url=rest, stream_url=stream, settings=settings, on_notice=_alert)
    for attempt in range(STARTS_MAX):  # with nothing open, a start gives up while the exchange does not answer
        try:
            manager.start()
            break
        except BracketeerError as error:
            say(start_failed=error.code, attempt=attempt)
    say(ready=True)
    for line in sys.stdin:
        wish = json.loads(line)
        if "signal" in wish:
            threading.Thread(target=_follow, args=(manager, wish["signal"]), daemon=True).start()
        else:
            _look(manager)
    manager.close()


def _follow(manager: OrderExecutionManager, signal: dict[str, str]) -> None:
    try:
        report = manager.execute_json(json.dumps(signal))
    except BracketeerError as error:
        say(failed=signal["signal_id"], code=error.code)
        return
    reason = report.reason.code if report.reason is not None else ""
    say(report=signal["signal_id"], status=report.status.value, reason=reason)


def _look(manager: OrderExecutionManager) -> None:
    """What it believes is open, and the state's fingerprint once its lines are on disk."""
    state = manager.state()
    expected = {bracket.symbol: str(expected_amount(state, bracket)) for bracket in state.brackets.values()}
    closing = [bracket.symbol for bracket in state.brackets.values() if bracket.closing is not None]
    say(expected=expected, closing=closing, fingerprint=state.fingerprint())


def _alert(notice: Any) -> None:
    if isinstance(notice, Alert):
        say(alert=notice.code, symbol=notice.symbol, text=notice.text)


if __name__ == "__main__":
    main()
