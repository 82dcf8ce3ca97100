"""The judge of the kill story: holds the promises against the exchange's own books and the audit log on disk."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from bracketeer.core.audit_files import iter_lines, read_since_checkpoint
from bracketeer.core.audit_replay import replay_log
from bracketeer.core.audit_verify import verify
from bracketeer.core.client_ids import is_ours, role_of
from bracketeer.core.journal import rebuild
from bracketeer.core.values import Role
from tests.support import canaries
from tests.support.defects import DEFECTS, UNREADABLE

from .kill_manager import NAKED_LIMIT_MS

SLACK_MS = 1000
"""One round trip, on a machine that is busy with three processes and the tests beside them."""
OURS = ("/fapi/v1/order", "/fapi/v1/algoOrder")
BROKEN = DEFECTS | UNREADABLE
EXITS = (Role.EXIT, Role.FLATTEN)


class Judge:
    """Looks often, and says each violation once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.violations: list[str] = []
        self.worst_naked_ms = 0  # by the exchange's own ledger
        self.worst_at_work_ms = 0  # less the time when no manager was at work; of gaps long enough to be seen
        self.entries = 0
        self.decisions = 0
        self.requests: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._outages: list[tuple[int, int | None]] = []  # on the exchange's clock
        self._bare_since: dict[str, int] = {}

    def fail(self, text: str) -> None:
        """A promise is broken."""
        if text not in self.violations:
            self.violations.append(text)

    def manager_left(self, at_ms: int) -> None:
        """From here on nobody is at work."""
        self._outages.append((at_ms, None))

    def manager_came(self, at_ms: int) -> None:
        """Until here nobody was at work."""
        self._outages[-1] = (self._outages[-1][0], at_ms)

    def is_bare(self) -> bool:
        """Whether a position was without a live stop at the last look."""
        return bool(self._bare_since)

    def look(self, view: dict[str, Any]) -> None:
        """P2, at a moment. `view` is what the exchange's own page shows."""
        now_ms = int(view["serverTime"])
        self._keep(view["requests"])
        bare = {row["symbol"]: now_ms - int(row["nakedMs"]) for row in view["positions"] if row["nakedMs"]}
        for symbol, since_ms in bare.items():
            naked_ms = now_ms - since_ms
            outage_ms = self._outage_ms(since_ms, now_ms)
            self.worst_at_work_ms = max(self.worst_at_work_ms, naked_ms - outage_ms)
            bound_ms = NAKED_LIMIT_MS + SLACK_MS + outage_ms
            if naked_ms > bound_ms and not self._is_closing(symbol, since_ms):
                self.fail(f"P2: {symbol} bare for more than {bound_ms} ms, and not being closed")
        self._bare_since = bare

    def check_books(self, state: dict[str, Any], orders: list[dict[str, Any]]) -> None:
        """P1, P3, P6, from all that the exchange has on record."""
        self._keep(state["requests"])
        self.worst_naked_ms = max([self.worst_naked_ms, *(int(row["worst"]) for row in state["nakedMs"].values())])
        executed = [row for row in orders if Decimal(row["executedQty"]) > 0]
        entries = Counter(r["clientOrderId"] for r in executed if role_of(r["clientOrderId"]) is Role.ENTRY)
        self.entries = len(entries)
        for client_id, count in entries.items():
            if count > 1:
                self.fail(f"P1: {client_id} executed {count} times")
        self._check_reducing(state["trades"], {(row["symbol"], row["orderId"]): row["clientOrderId"] for row in orders})
        for row in self.requests.values():
            if row["status"] in (418, 429):
                self.fail(f"P6: {row['status']} for {row['method']} {row['path']}")

    def check_quiet(self, state: dict[str, Any], told: dict[str, Any]) -> list[str]:
        """P2, P3 and P4 when everything should stand still; what does not yet."""
        amounts = {row["symbol"]: Decimal(row["positionAmt"]) for row in state["positions"]}
        expected = {symbol: Decimal(amount) for symbol, amount in told["expected"].items()}
        moving = [f"{symbol} is being closed" for symbol in told["closing"]]
        if amounts != expected:
            moving.append(f"P4: the exchange has {amounts}, the manager believes {expected}")
        ours = [row for row in state["openAlgoOrders"] if is_ours(row["clientAlgoId"])]
        stops = Counter(row["symbol"] for row in ours if row["orderType"] == "STOP_MARKET")
        moving += [f"P2: {symbol} has {stops[symbol]} stops" for symbol in amounts if stops[symbol] != 1]
        moving += [
            f"P3: {row['clientAlgoId']} rests, {row['symbol']} is flat" for row in ours if row["symbol"] not in amounts
        ]
        moving += [f"P3: {row['clientOrderId']} rests" for row in state["openOrders"] if is_ours(row["clientOrderId"])]
        if rebuild(read_since_checkpoint(self.folder)).fingerprint() != told["fingerprint"]:
            moving.append("P5: the log does not replay to the manager's state")
        return moving

    def check_log(self) -> None:
        """P5 and P8, on the files as they are: nobody writes now."""
        report = verify(self.folder)
        for problem in report.problems:
            self.fail(f"P5: {problem}")
        rebuild(read_since_checkpoint(self.folder))
        intents = set()
        for line in iter_lines(self.folder):
            if line.event_type == "order_intent":
                intents.add(line.client_order_id)
            elif line.event_type in BROKEN:
                self.fail(f"P8: line {line.seq}: {line.event_type} {line.fields}")
        for row in self.requests.values():
            client_id = _client_id(row)
            if (row["method"], client_id != "") == ("POST", True) and client_id not in intents:
                self.fail(f"P5: {client_id} was sent without an intent on record")

    def check_replay(self) -> None:
        """P5: every decision, taken again, is the one on record, around each kill too. May run beside a writer."""
        report = replay_log(self.folder)
        self.decisions = report.decisions
        for finding in report.findings:
            self.fail(f"P5: line {finding.seq}: {finding.code}: {finding.text}")

    def check_secrets(self, folder: Path) -> None:
        """P7: everything that was written or said is below this folder."""
        for found in canaries.found_in_files(folder):
            self.fail(f"P7: {found}")

    def _keep(self, rows: list[dict[str, Any]]) -> None:
        """Requests of orders, and those that were too many: the exchange keeps its latest few thousand only."""
        for row in rows:
            if row["path"] in OURS or row["status"] in (418, 429):
                self.requests[row["time"], row["method"], row["path"], _client_id(row)] = row

    def _is_closing(self, symbol: str, since_ms: int) -> bool:
        return any(
            row["params"].get("symbol") == symbol and row["time"] >= since_ms and role_of(_client_id(row)) in EXITS
            for row in self.requests.values()
        )

    def _outage_ms(self, from_ms: int, to_ms: int) -> int:
        return sum(max(0, min(to_ms, end or to_ms) - max(from_ms, start)) for start, end in self._outages)

    def _check_reducing(self, trades: list[dict[str, Any]], ids: dict[tuple[str, int], str]) -> None:
        amounts: dict[str, Decimal] = {}
        for trade in trades:
            symbol, quantity = trade["symbol"], Decimal(trade["qty"])
            before = amounts.get(symbol, Decimal(0))
            after = amounts[symbol] = before + (quantity if trade["side"] == "BUY" else -quantity)
            client_id = ids[symbol, int(trade["orderId"])]
            opens = role_of(client_id) is Role.ENTRY
            if is_ours(client_id) and not opens and (abs(after) > abs(before) or before * after < 0):
                self.fail(f"P3: {client_id}: {before} -> {after}")


def _client_id(row: dict[str, Any]) -> str:
    return str(row["params"].get("newClientOrderId") or row["params"].get("clientAlgoId") or "")
