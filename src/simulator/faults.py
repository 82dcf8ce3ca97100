"""Faults on purpose: those that wait, what they wait for, and how they are lifted again."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from .fault_catalogue import CATALOGUE, FOR_EVER, FaultKind, FaultName, FaultSpec
from .params import Params

__all__ = ["CATALOGUE", "FOR_EVER", "Fault", "FaultBook", "FaultKind", "FaultName", "FaultSpec", "is_overload_exempt"]

_ORDER_QUERIES = frozenset({"/fapi/v1/order", "/fapi/v1/openOrder", "/fapi/v1/algoOrder"})
# Paths that shed load (``binance-usdm.md §8``); the algo service is not among them.
_SHEDDING = frozenset({"/fapi/v1/order", "/fapi/v1/batchOrders", "/fapi/v1/order/test"})


@dataclass(slots=True)
class Fault:
    """A failure, and the requests or events it is meant for."""

    name: FaultName
    method: str = ""  # empty: any
    path: str = "*"  # exact, or a prefix ending in *
    times: int = 1
    code: int = -1000
    delay_ms: int = 1000
    match: dict[str, str] = field(default_factory=dict)
    is_executed: bool = False
    event: str = ""  # type of event; empty: any
    symbol: str = ""
    address: str = ""
    order_type: str = ""
    percent: Decimal | None = None
    price: Decimal | None = None
    mark: Decimal | None = None
    rules: dict[str, str] = field(default_factory=dict)
    fault_id: int = 0
    # What lifting it takes, for an act that stands.
    undo: Callable[[], None] | None = field(default=None, repr=False)

    @property
    def spec(self) -> FaultSpec:
        return CATALOGUE[self.name]

    def fits(self, method: str, path: str, params: Params) -> bool:
        """Tell whether this request meets the fault."""
        is_path = path.startswith(self.path[:-1]) if self.path.endswith("*") else path == self.path
        if not is_path or self.method not in {"", method}:
            return False
        if self.name is FaultName.ORDER_DENIED and path not in _ORDER_QUERIES:
            return False
        if self.name is FaultName.OVERLOADED and (path not in _SHEDDING or is_overload_exempt(method, params)):
            return False
        return all(params.text(name, "") == value for name, value in self.match.items())

    def fits_event(self, event_type: str) -> bool:
        """Tell whether this private event meets the fault."""
        return self.event in {"", event_type}

    def row(self) -> dict[str, object]:
        """Show a waiting or standing fault."""
        return {
            "id": self.fault_id,
            "fault": self.name.value,
            "times": self.times,
            "method": self.method,
            "path": self.path,
            "symbol": self.symbol,
            "event": self.event,
        }


def is_overload_exempt(method: str, params: Params) -> bool:
    """Tell what overload protection lets through (``binance-usdm.md §8``): whatever closes, and cancels."""
    if method != "POST":
        return True
    if params.has("batchOrders"):
        return all(_is_closing(element) for element in _elements(params))
    return _is_closing(params)


def _elements(params: Params) -> list[Params]:
    """Give the orders of a batch; none that can be read means none that closes."""
    try:
        found = json.loads(params.text("batchOrders"), parse_float=str)
        return [Params({name: str(value) for name, value in element.items()}) for element in found]
    except (ValueError, AttributeError, TypeError):
        return [Params({})]


def _is_closing(params: Params) -> bool:
    leg, side = params.text("positionSide", "BOTH"), params.text("side", "")
    is_closing = params.text("closePosition", "").lower() == "true"
    is_reducing = leg == "BOTH" and params.text("reduceOnly", "").lower() == "true"
    return is_closing or is_reducing or (leg, side) in {("LONG", "SELL"), ("SHORT", "BUY")}


class FaultBook:
    """The faults that wait or stand, oldest first."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._count = 0

    def add(self, fault: Fault) -> None:
        """Let a fault wait, or stand."""
        self._count += 1
        fault.fault_id = self._count
        self._waiting.append(fault)

    def take(self, method: str, path: str, params: Params) -> Fault | None:
        """Give the fault this request meets, and use it up by one."""
        for fault in self._waiting:
            if fault.spec.kind is FaultKind.REQUEST and fault.fits(method, path, params):
                return self._use(fault)
        return None

    def take_for_event(self, event_type: str) -> Fault | None:
        """Give the fault this private event meets, and use it up by one."""
        for fault in self._waiting:
            if fault.spec.kind is FaultKind.EVENT and fault.fits_event(event_type):
                return self._use(fault)
        return None

    def take_named(self, name: FaultName, symbol: str) -> Fault | None:
        """Give a waiting fault by name, one that fits a symbol, and use it up by one."""
        for fault in self._waiting:
            if fault.name is name and fault.symbol in {"", symbol}:
                return self._use(fault)
        return None

    def _use(self, fault: Fault) -> Fault:
        if fault.times != FOR_EVER:
            fault.times -= 1
            if fault.times <= 0:
                self._waiting.remove(fault)
        return fault

    def __iter__(self) -> Iterator[Fault]:
        return iter(tuple(self._waiting))

    def lift(self, fault_id: int | None = None, name: FaultName | None = None) -> int:
        """End one fault, all of a name, or all; tell how many."""
        lifted = [fault for fault in self._waiting if fault_id in {None, fault.fault_id} and name in {None, fault.name}]
        # Backwards, so that the first state comes back where several changed the same thing.
        for fault in reversed(lifted):
            self._waiting.remove(fault)
            if fault.undo is not None:
                fault.undo()
        return len(lifted)

    def rows(self) -> list[dict[str, object]]:
        """Show them."""
        return [fault.row() for fault in self._waiting]
