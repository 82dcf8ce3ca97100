"""What a run left behind, for a scenario's check: the exchange's books, what was sent, the log, the answers."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bracketeer import ExecutionReport
from bracketeer.core.audit_logger import iter_lines, read_since_checkpoint
from bracketeer.core.commands import Alert
from bracketeer.core.journal import rebuild
from bracketeer.core.state import State
from bracketeer.simulator.orders import AlgoOrder, Fill, Order

from ..judge import OURS, Broken

if TYPE_CHECKING:
    from .player import NamedRun

ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
BTC = "BTCUSDT"


def expect(fact: object, text: str) -> None:
    """A scenario's own assertion."""
    if not fact:
        raise Broken(f"scenario: {text}")


class Evidence:
    """One run that is over."""

    def __init__(self, run: NamedRun) -> None:
        self.run = run
        self.account = run.exchange.account

    # What callers were told.

    def reports(self, signal_id: str) -> list[ExecutionReport]:
        """All answers to a signal, in the order they were asked for."""
        found = [answer for signal, _, box in self.run.answers for answer in box if signal.signal_id == signal_id]
        return [answer for answer in found if isinstance(answer, ExecutionReport)]

    def report(self, signal_id: str = "entry-1") -> ExecutionReport:
        """The answer to a signal that was brought once."""
        found = self.reports(signal_id)
        expect(len(found) == 1, f"{signal_id} has {len(found)} answers, not one: {found}")
        return found[0]

    def status(self, signal_id: str = "entry-1") -> str:
        """The status of that answer."""
        return self.report(signal_id).status.value

    def expect_status(self, *statuses: str, of: str = "entry-1") -> None:
        """The answer is one of these."""
        report = self.report(of)
        expect(report.status.value in statuses, f"{of} was answered {report}, not {' or '.join(statuses)}")

    def expect_denied(self, code: str, of: str) -> None:
        """The signal was refused by us with this code, and nothing was sent for it."""
        report = self.report(of)
        found = report.reason.code if report.reason is not None else ""
        expect(report.status.value == "denied" and found == code, f"{of} was answered {report}, not denied: {code}")

    def state(self) -> State:
        """The engine's state as the log alone gives it."""
        return rebuild(read_since_checkpoint(self.run.folder))

    def ended(self, signal_id: str = "entry-1") -> ExecutionReport:
        """What the record says of a signal whose bracket is over."""
        record = self.state().signals.get(signal_id)
        expect(
            record is not None and record.ended and record.report is not None, f"{signal_id} has not ended: {record}"
        )
        assert record is not None
        assert record.report is not None
        return record.report

    def expect_ended(self, reason: str, signal_id: str = "entry-1") -> None:
        """The bracket is over for this reason."""
        report = self.ended(signal_id)
        expect(report.reason is not None and report.reason.code == reason, f"{signal_id} ended {report}, not {reason}")

    @property
    def alerts(self) -> list[str]:
        """The codes of all alerts that were told, oldest first."""
        return [notice.code for notice in self.run.notices if isinstance(notice, Alert)]

    def expect_alert(self, code: str) -> None:
        """A person was told."""
        expect(code in self.alerts, f"no alert {code}: {self.alerts}")

    # The exchange's books.

    def amount(self, symbol: str = BTC) -> Decimal:
        """The position."""
        position = self.account.positions.get((symbol, "BOTH"))
        return Decimal(0) if position is None else position.amount

    def expect_amount(self, amount: str, symbol: str = BTC) -> None:
        """The position is that."""
        expect(self.amount(symbol) == Decimal(amount), f"{symbol} is {self.amount(symbol)}, not {amount}")

    def orders(self, symbol: str = BTC) -> list[Order]:
        """Our normal orders, also those that a conditional one became."""
        found = [order for order in self.account.orders.by_id.values() if order.symbol == symbol]
        return [order for order in found if order.client_order_id.startswith(OURS)]

    def entries(self, symbol: str = BTC) -> list[Order]:
        """Our orders that opened something."""
        return [o for o in self.orders(symbol) if not (o.reduce_only or o.close_position) and o.executed]

    def expect_entries(self, count: int, symbol: str = BTC) -> None:
        """So many entries were executed."""
        expect(len(self.entries(symbol)) == count, f"executed entries: {self.entries(symbol)}, not {count}")

    def algos(self, order_type: str = "STOP_MARKET", symbol: str = BTC) -> list[AlgoOrder]:
        """Our conditional orders of a type, whatever became of them, oldest first."""
        found = self.account.algo_orders.values()
        return [
            algo
            for algo in found
            if algo.symbol == symbol and algo.order_type == order_type and algo.client_algo_id.startswith(OURS)
        ]

    def resting(self, symbol: str = BTC) -> list[str]:
        """The types of our conditional orders that rest."""
        found = self.account.live_algos(symbol)
        return sorted(algo.order_type for algo in found if algo.client_algo_id.startswith(OURS))

    def expect_protected(self, amount: str, symbol: str = BTC) -> None:
        """This much is open, with one stop and one take profit, and the stop closes all of it."""
        self.expect_amount(amount, symbol)
        expect(self.resting(symbol) == ["STOP_MARKET", "TAKE_PROFIT_MARKET"], f"resting: {self.resting(symbol)}")
        (stop,) = [algo for algo in self.algos(symbol=symbol) if algo.is_live]
        expect(stop.close_position or stop.quantity >= abs(Decimal(amount)), f"not covered: {stop}")

    def expect_flat(self, symbol: str = BTC) -> None:
        """Nothing is open and nothing of ours rests."""
        self.expect_amount("0", symbol)
        expect(not self.resting(symbol), f"resting on a flat symbol: {self.resting(symbol)}")

    def fills(self, symbol: str = BTC) -> list[Fill]:
        """All fills of the account on a symbol."""
        return [fill for fill in self.account.fills if fill.symbol == symbol]

    def naked_ms(self, symbol: str = BTC) -> int:
        """The worst unprotected time of the exchange's own ledger."""
        return self.run.exchange.naked.report(self.run.exchange.clock.now_ms()).get(symbol, {"worst": 0})["worst"]

    def expect_naked_within(self, limit_ms: int, symbol: str = BTC) -> None:
        """The exchange's ledger of unprotected time never showed more."""
        expect(self.naked_ms(symbol) <= limit_ms, f"naked for {self.naked_ms(symbol)} ms, not at most {limit_ms}")

    # What was sent, and what met it.

    def requests(self, method: str, path: str, **values: str) -> list[dict[str, Any]]:
        """The requests that reached the exchange, oldest first."""
        rows: list[dict[str, Any]] = self.run.exchange.requests.rows()
        return [
            row
            for row in rows
            if (row["method"], row["path"]) == (method, path)
            and all(row["params"].get(name) == value for name, value in values.items())
        ]

    def entry_requests(self, symbol: str = BTC) -> list[dict[str, Any]]:
        """The requests to place an entry."""
        return [r for r in self.requests("POST", ORDER, symbol=symbol) if r["params"].get("reduceOnly") != "true"]

    def met(self, fault: str) -> int:
        """How many requests met a fault."""
        return sum(row.get("fault") == fault for row in self.run.exchange.requests.rows())

    def expect_met(self, fault: str, at_least: int = 1) -> None:
        """The fault was used: else the scenario shows nothing."""
        expect(self.met(fault) >= at_least, f"{fault} met {self.met(fault)} requests, not {at_least}")

    # The log.

    def lines(self, event_type: str) -> list[Any]:
        """The lines of a type."""
        return [line for line in iter_lines(self.run.folder) if line.event_type == event_type]
