"""kill -9 against a real exchange process: a short run of the kill story, and a judge that does notice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bracketeer.core.audit_logger import AuditLogger
from bracketeer.core.client_ids import client_order_id
from bracketeer.core.values import Role
from bracketeer.execution.clock import SystemClock
from tests.support import canaries

from .kill_judge import Judge
from .kill_story import run

ENTRY, STOP = client_order_id("s-1", Role.ENTRY), client_order_id("s-1", Role.STOP_LOSS)
BTC = "BTCUSDT"


def test_promises_hold_through_kills(tmp_path: Path) -> None:
    """Fifteen seconds of it; `python -m tests.scenarios.kill_story --minutes 5` plays for longer."""
    violations, figures = run(15, seed=6, folder=tmp_path)
    assert violations == [], figures
    assert figures["kills and restarts"] >= 1  # more on a machine with time for it
    assert figures["entries executed"] >= 1
    assert figures["decisions replayed"] > 0


def _view(now_ms: int, naked_ms: int) -> dict[str, Any]:
    return {"serverTime": now_ms, "requests": [], "positions": [{"symbol": BTC, "nakedMs": naked_ms}]}


def _request(client_id: str, status: int = 200, time: int = 0) -> dict[str, Any]:
    params = {"symbol": BTC, "newClientOrderId": client_id}
    return {"time": time, "method": "POST", "path": "/fapi/v1/order", "status": status, "code": None, "params": params}


def _order(number: int, client_id: str) -> dict[str, Any]:
    return {"symbol": BTC, "orderId": number, "clientOrderId": client_id, "executedQty": "0.010"}


def _trade(number: int, side: str, quantity: str = "0.010") -> dict[str, Any]:
    return {"symbol": BTC, "orderId": number, "side": side, "qty": quantity}


def _books(judge: Judge, trades: list[dict[str, Any]], orders: list[dict[str, Any]], *requests: dict[str, Any]) -> None:
    judge.check_books({"requests": list(requests), "nakedMs": {}, "trades": trades}, orders)


def _twice(judge: Judge) -> None:
    _books(judge, [_trade(1, "BUY"), _trade(2, "BUY")], [_order(1, ENTRY), _order(2, ENTRY)])


def _bare(judge: Judge) -> None:
    judge.manager_left(10_000)
    judge.manager_came(12_000)
    judge.look(_view(15_000, 4_900))
    assert judge.violations == []  # nobody was at work for 1900 ms of it
    judge.look(_view(15_200, 5_100))


def _flipped(judge: Judge) -> None:
    _books(judge, [_trade(1, "BUY"), _trade(2, "SELL", "0.020")], [_order(1, ENTRY), _order(2, STOP)])


def _unrecorded(judge: Judge) -> None:
    judge.look({"serverTime": 0, "positions": [], "requests": [_request(ENTRY)]})
    judge.check_log()


def _changed(judge: Judge) -> None:
    file = next(judge.folder.glob("*.jsonl"))
    file.write_bytes(file.read_bytes().replace(b"a quiet line", b"a loud line!"))
    judge.check_log()


def _impolite(judge: Judge) -> None:
    _books(judge, [], [], _request(ENTRY, status=429))


def _talkative(judge: Judge) -> None:
    (judge.folder / "said.txt").write_text(f"key={canaries.KEY}")
    judge.check_secrets(judge.folder)
    (judge.folder / "said.txt").unlink()


def _broken(judge: Judge) -> None:
    with AuditLogger(judge.folder, now_us=SystemClock().now_us) as log:
        log.log_event("internal_error", "note", error="KeyError")
    judge.check_log()


@pytest.mark.parametrize(
    ("promise", "break_it"),
    [
        ("P1", _twice),
        ("P2", _bare),
        ("P3", _flipped),
        ("P5", _unrecorded),
        ("P5", _changed),
        ("P6", _impolite),
        ("P7", _talkative),
        ("P8", _broken),
    ],
)
def test_judge_notices(tmp_path: Path, promise: str, break_it: Callable[[Judge], None]) -> None:
    """Each promise, broken in forged books or files, is named."""
    with AuditLogger(tmp_path, now_us=SystemClock().now_us) as log:
        log.log_event("note", "note", error="a quiet line")
    judge = Judge(tmp_path)
    judge.check_log()
    assert judge.violations == []
    break_it(judge)
    assert [text[:2] for text in judge.violations] == [promise]


def test_judge_compares_beliefs_with_the_books(tmp_path: Path) -> None:
    """P2, P3 and P4 at a quiet point: a stop too few, a rest left over, a position nobody knows of."""
    with AuditLogger(tmp_path, now_us=SystemClock().now_us):
        pass
    state = {
        "positions": [{"symbol": BTC, "positionAmt": "0.010"}],
        "openOrders": [],
        "openAlgoOrders": [{"symbol": "ETHUSDT", "clientAlgoId": STOP, "orderType": "STOP_MARKET"}],
    }
    moving = Judge(tmp_path).check_quiet(state, {"expected": {}, "closing": [], "fingerprint": ""})
    assert [text[:2] for text in moving] == ["P4", "P2", "P3", "P5"]
