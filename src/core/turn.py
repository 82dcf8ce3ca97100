"""One turn of the engine: the state, the time, and the commands that follow. Records change through here only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from msgspec.structs import replace

from .bracket import Bracket
from .commands import Alert, Announce, AnyCommand, CancelOrder, LookUpOrder, LookUpSymbol, SubmitOrder
from .intent import OrderIntent
from .order import AlgoOrder, Order, Tries
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
        """Keep a changed normal order; names of `Tries` fields go to its `tries`."""
        changed = _changed(order, changes)
        self.state.orders[order.intent.client_order_id] = changed
        return changed

    def update_algo(self, order: AlgoOrder, **changes: Any) -> AlgoOrder:
        """Keep a changed algo order; names of `Tries` fields go to its `tries`."""
        changed = _changed(order, changes)
        self.state.algos[order.intent.client_order_id] = changed
        return changed

    def submit(self, bracket: Bracket, intent: OrderIntent) -> Bracket:
        """Send an order of a bracket, for the first time or (with a known id) again."""
        client_id = intent.client_order_id
        if intent.is_algo:
            algo = self.state.algos.get(client_id) or AlgoOrder(intent=intent)
            count = algo.tries.count + 1
            self.update_algo(algo, status=AlgoStatus.PENDING_NEW, count=count, next_at_ms=None)
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
        intent = order.intent
        self.commands.append(
            CancelOrder(
                client_order_id=intent.client_order_id,
                signal_id=intent.signal_id,
                symbol=intent.symbol,
                algo=True,
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

    def look_at_symbol(self, bracket: Bracket, why: str, *, trades: bool = False) -> Bracket:
        """Ask for a snapshot of the bracket's symbol, unless one is under way."""
        if bracket.asking:
            return bracket
        since = bracket.trades_from_ms if trades else None
        self.commands.append(LookUpSymbol(symbol=bracket.symbol, why=why, trades_since_ms=since))
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

    def announce(self, topic: str, text: str, bracket: Bracket, **facts: str) -> None:
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
