"""One turn of the engine: the state, the time, and the commands that follow. Records change through here only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from msgspec.structs import replace

from .bracket import CLOCK_ERROR_MS, Bracket
from .commands import Alert, Announce, AnyCommand, CancelOrder, LookUpOrder, LookUpSymbol, SubmitOrder
from .intent import OrderIntent
from .order import ALGO_CONCLUDED, GIVEN_UP, ORDER_CONCLUDED, AlgoOrder, Order, Tries
from .position import orders_of
from .state import State
from .values import AlgoStatus, OrderStatus


@dataclass
class Turn:
    """What a handler works with. `now_ms` is on the exchange's clock, from the event."""

    state: State
    now_ms: int
    commands: list[AnyCommand] = field(default_factory=list)

    def update(self, bracket: Bracket, **changes: Any) -> Bracket:
        """Keep a changed bracket."""
        changed = replace(bracket, **changes)
        self.state.brackets[bracket.signal_id] = changed
        return changed

    def update_order(self, order: Order, **changes: Any) -> Order:
        """Keep a changed normal order; names of `Tries` fields go to its `tries`, `status` is a conclusion of ours."""
        changed = _changed(order, self._concluded(order, changes, ORDER_CONCLUDED))
        self.state.orders[order.intent.client_order_id] = changed
        return changed

    def update_algo(self, order: AlgoOrder, **changes: Any) -> AlgoOrder:
        """Keep a changed algo order; names of `Tries` fields go to its `tries`, `status` is a conclusion of ours."""
        changed = _changed(order, self._concluded(order, changes, ALGO_CONCLUDED))
        self.state.algos[order.intent.client_order_id] = changed
        return changed

    def anomaly(self, record: Order | AlgoOrder, told: str, source: str) -> None:
        """An order cannot become what it is said to be: on record, and the exchange is asked what is true.

        `source` says who said so: `stream`, `reply`, `lookup`, or `us`. After a lookup the order is not asked about
        again at once, or two contradictory answers would keep each other going.
        """
        self.state.anomalies += 1
        intent = record.intent
        bracket = self.state.brackets.get(intent.signal_id)
        if bracket is None:
            return
        self.announce(
            "anomaly",
            f"an order that is {record.status.value} cannot become {told}; it is left as it is and looked into",
            bracket,
            client_order_id=intent.client_order_id,
            held=record.status.value,
            told=told,
            source=source,
        )
        if source != "lookup":
            self.look_up(record, "impossible_transition")
        if bracket.asking:  # what is being answered may be from before: ask once more after it
            self.update(bracket, next_look_ms=self.now_ms)
        self.look_at_symbol(bracket, "impossible_transition", trades=True)

    def _concluded(
        self, record: Order | AlgoOrder, changes: dict[str, Any], table: Mapping[Any, frozenset[Any]]
    ) -> dict[str, Any]:
        """The changes, their status held against the table: an impossible one is a mistake of ours, and left out."""
        status = changes.get("status", record.status)
        if status is record.status:
            return changes
        if status in table[record.status]:
            return {**changes, "given_up": status.value in GIVEN_UP}
        self.anomaly(record, status.value, "us")
        return {name: value for name, value in changes.items() if name != "status"} | {"asking": True}

    def submit(self, bracket: Bracket, intent: OrderIntent) -> Bracket:
        """Send an order of a bracket, for the first time or (with a known id) again."""
        client_id = intent.client_order_id
        if intent.is_algo:
            algo = self.state.algos.get(client_id) or AlgoOrder(intent=intent)
            count = algo.tries.count + 1
            fresh: dict[str, Any] = {"next_at_ms": None, "error_code": None, "error_text": ""}
            self.update_algo(algo, status=AlgoStatus.PENDING_NEW, count=count, **fresh)
        else:
            order = self.state.orders.get(client_id) or Order(intent=intent)
            count = order.tries.count + 1
            self.update_order(order, status=OrderStatus.PENDING_NEW, count=count, next_at_ms=None)
        self.commands.append(SubmitOrder(intent=intent, attempt=count))
        if client_id in bracket.ids.get(intent.role, ()):
            return bracket
        changed = bracket.with_id(intent)
        self.state.brackets[bracket.signal_id] = changed
        return changed

    def cancel(self, order: AlgoOrder) -> None:
        """Cancel an algo order of ours."""
        self.update_algo(order, status=AlgoStatus.PENDING_CANCEL, next_at_ms=None)
        self.cancel_row(order.intent)

    def cancel_row(self, intent: OrderIntent) -> None:
        """Cancel what rests under an id of ours, whatever our record says."""
        self.commands.append(
            CancelOrder(
                client_order_id=intent.client_order_id, signal_id=intent.signal_id, symbol=intent.symbol, algo=True
            )
        )

    def look_up(self, record: Order | AlgoOrder, why: str) -> None:
        """Ask about one order, unless that question is under way."""
        if record.tries.asking:
            return
        intent = record.intent
        algo = isinstance(record, AlgoOrder)
        if isinstance(record, AlgoOrder):
            self.update_algo(record, asking=True, next_at_ms=None)
        else:
            self.update_order(record, asking=True, next_at_ms=None)
        self.commands.append(
            LookUpOrder(
                client_order_id=intent.client_order_id,
                signal_id=intent.signal_id,
                symbol=intent.symbol,
                algo=algo,
                why=why,
            )
        )

    def look_at_symbol(
        self, bracket: Bracket, why: str, *, trades: bool = False, position_only: bool = False
    ) -> Bracket:
        """Ask for a snapshot of the bracket's symbol, unless one is under way."""
        if bracket.asking:
            return bracket
        command = LookUpSymbol(symbol=bracket.symbol, why=why, position_only=position_only)
        if trades:
            known = tuple(o.exchange_order_id for o in orders_of(self.state, bracket) if o.exchange_order_id)
            command = replace(command, trades_since_ms=bracket.trades_from_ms - CLOCK_ERROR_MS, known_orders=known)
        self.commands.append(command)
        return self.update(bracket, asking=True)

    def wake(self, bracket: Bracket, at_ms: int) -> Bracket:
        """Ask for a turn at an instant, if none is asked for earlier."""
        if bracket.wake_ms is not None and bracket.wake_ms <= at_ms:
            return bracket
        return self.update(bracket, wake_ms=at_ms)

    def alert(self, code: str, text: str, bracket: Bracket, client_order_id: str = "") -> None:
        """Tell a person."""
        self.commands.append(
            Alert(
                code=code,
                text=text,
                symbol=bracket.symbol,
                signal_id=bracket.signal_id,
                client_order_id=client_order_id,
            )
        )

    def announce(self, topic: str, text: str, bracket: Bracket, **facts: str | int) -> None:
        """Record a turning point."""
        self.commands.append(
            Announce(topic=topic, text=text, symbol=bracket.symbol, signal_id=bracket.signal_id, facts=facts)
        )


_T = TypeVar("_T", Order, AlgoOrder)
_TRIES_FIELDS = frozenset(Tries.__struct_fields__)


def _changed(record: _T, changes: dict[str, Any]) -> _T:
    tries = {name: value for name, value in changes.items() if name in _TRIES_FIELDS}
    rest = {name: value for name, value in changes.items() if name not in _TRIES_FIELDS}
    if tries:
        rest["tries"] = replace(record.tries, **tries)
    return replace(record, **rest)
