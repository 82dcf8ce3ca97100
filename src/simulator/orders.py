"""Normal orders, conditional orders and fills: the records of the exchange."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from .decimals import ZERO

SIDES = frozenset({"BUY", "SELL"})
CONDITIONAL_TYPES = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"})
STOP_TYPES = frozenset({"STOP", "STOP_MARKET"})
TAKE_PROFIT_TYPES = frozenset({"TAKE_PROFIT", "TAKE_PROFIT_MARKET"})
# Types that, once fired, enter the book with a limit price.
LIMIT_ON_TRIGGER_TYPES = frozenset({"STOP", "TAKE_PROFIT"})


class Status(StrEnum):
    """Statuses of a normal order (``binance-usdm.md §5.7``)."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"


class AlgoStatus(StrEnum):
    """Statuses of a conditional order (``binance-usdm.md §4.4``)."""

    NEW = "NEW"
    TRIGGERING = "TRIGGERING"
    TRIGGERED = "TRIGGERED"
    FINISHED = "FINISHED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


class ExpiryReason(StrEnum):
    """Event field ``er`` (``binance-usdm.md §10.3``)."""

    NONE = "0"
    SELF_TRADE = "1"
    IOC_REST = "2"
    IOC_SELF_TRADE = "3"
    REDUCE_ONLY = "4"
    LIQUIDATION = "5"
    DELISTED = "7"
    MARKET_REST = "9"


_EMPTY_KEPT_MS = 3 * 86_400_000
_FILLED_KEPT_MS = 90 * 86_400_000
OPEN = frozenset({Status.NEW, Status.PARTIALLY_FILLED})


@dataclass(slots=True)
class OrderTicket:
    """A validated wish for a normal order, before the exchange gives it an id."""

    symbol: str
    side: str
    order_type: str
    quantity: Decimal
    price: Decimal = ZERO
    time_in_force: str = "GTC"
    position_side: str = "BOTH"
    reduce_only: bool = False
    close_position: bool = False
    client_order_id: str = ""
    self_trade_prevention: str = "EXPIRE_MAKER"
    working_type: str = "CONTRACT_PRICE"
    price_protect: bool = False
    price_match: str = "NONE"
    good_till_ms: int = 0


@dataclass(frozen=True, slots=True)
class Amendment:
    """One change of an order, with what was before."""

    amendment_id: int
    time_ms: int
    price_before: Decimal
    price_after: Decimal
    quantity_before: Decimal
    quantity_after: Decimal
    modify_id: str


@dataclass(slots=True)
class Order:
    """A normal order; ids and trade ids count per symbol (``binance-usdm.md §10.3``)."""

    order_id: int
    client_order_id: str
    symbol: str
    side: str
    order_type: str
    quantity: Decimal
    price: Decimal
    time_in_force: str
    position_side: str
    reduce_only: bool
    close_position: bool
    self_trade_prevention: str
    working_type: str
    price_protect: bool
    owner: str
    created_ms: int
    updated_ms: int
    price_match: str = "NONE"
    good_till_ms: int = 0
    sequence: int = 0
    status: Status = Status.NEW
    executed: Decimal = ZERO
    quote: Decimal = ZERO
    expiry_reason: ExpiryReason = ExpiryReason.NONE
    # Its turn comes when the queue at its price has let this much of other people trade (``queues``).
    queue_mark: Decimal = ZERO
    modify_id: str = ""  # the caller's number of the latest change
    amendments: list[Amendment] = field(default_factory=list)

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.executed

    @property
    def average_price(self) -> Decimal:
        return self.quote / self.executed if self.executed else ZERO

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    def is_forgotten(self, now_ms: int) -> bool:
        """Tell whether the venue knows it no more: over and empty after 3 days, over after 90 (``§3.2``)."""
        if self.is_open:
            return False
        kept_ms = _FILLED_KEPT_MS if self.executed else _EMPTY_KEPT_MS
        return self.updated_ms + kept_ms < now_ms


@dataclass(slots=True)
class AlgoOrder:
    """A conditional order waiting in the algo service."""

    algo_id: int
    client_algo_id: str
    symbol: str
    side: str
    order_type: str
    position_side: str
    quantity: Decimal
    price: Decimal
    trigger_price: Decimal
    time_in_force: str
    working_type: str
    price_protect: bool
    close_position: bool
    reduce_only: bool
    self_trade_prevention: str
    activate_price: Decimal
    callback_rate: Decimal
    owner: str
    created_ms: int
    updated_ms: int
    price_match: str = "NONE"
    good_till_ms: int = 0
    status: AlgoStatus = AlgoStatus.NEW
    trigger_ms: int = 0
    is_activated: bool = False
    # The best price since activation, which a trailing order measures from.
    extreme: Decimal = ZERO
    order: Order | None = None
    reject_reason: str = ""

    @property
    def is_live(self) -> bool:
        return self.status is AlgoStatus.NEW

    @property
    def expires_with_position(self) -> bool:
        """Tell whether the exchange drops it when the position goes flat (``binance-usdm.md §4.6``)."""
        return self.close_position or self.time_in_force == "GTE_GTC"

    @property
    def is_stop_kind(self) -> bool:
        """Tell whether it limits a loss: the half of the -4130 scope that trailing orders share with stops."""
        return self.order_type not in TAKE_PROFIT_TYPES


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of one order."""

    symbol: str
    trade_id: int
    order_id: int
    side: str
    position_side: str
    price: Decimal
    quantity: Decimal
    quote: Decimal
    realized: Decimal
    commission: Decimal
    is_maker: bool
    time_ms: int


LegSide = tuple[str, str, str]


def _leg_side(order: Order) -> LegSide:
    return order.symbol, order.side, order.position_side


@dataclass(slots=True)
class OrderBooklet:
    """All orders of an account: by id for ever, by client id the newest, and the open ones."""

    by_id: dict[tuple[str, int], Order] = field(default_factory=dict)
    newest_by_client_id: dict[tuple[str, str], Order] = field(default_factory=dict)
    open_by_client_id: dict[tuple[str, str], Order] = field(default_factory=dict)
    open_per_symbol: dict[str, dict[int, Order]] = field(default_factory=dict)
    # Running sums over open orders, so that admitting an order does not cost a walk over all resting ones.
    opening_notional: dict[tuple[str, str, str], Decimal] = field(default_factory=dict)
    reducing_quantity: dict[LegSide, Decimal] = field(default_factory=dict)
    _reducing: dict[LegSide, dict[int, Order]] = field(default_factory=dict)

    def add(self, order: Order) -> None:
        """Record a new order; it counts as open until ``close`` is called."""
        self.by_id[order.symbol, order.order_id] = order
        self.newest_by_client_id[order.symbol, order.client_order_id] = order
        self.open_by_client_id[order.symbol, order.client_order_id] = order
        self.open_per_symbol.setdefault(order.symbol, {})[order.order_id] = order
        if order.reduce_only:
            self._reducing.setdefault(_leg_side(order), {})[order.order_id] = order
        self._count(order, order.remaining)

    def execute(self, order: Order, price: Decimal, quantity: Decimal) -> None:
        """Book an execution on an open order."""
        order.executed += quantity
        order.quote += price * quantity
        self._count(order, -quantity)

    def cut(self, order: Order, quantity: Decimal) -> None:
        """Make an open order smaller."""
        order.quantity -= quantity
        order.modify_id = ""
        self._count(order, -quantity)

    def close(self, order: Order) -> None:
        """Take a finished order out of the open ones: its client id may now be used again (``§5.4``)."""
        del self.open_by_client_id[order.symbol, order.client_order_id]
        del self.open_per_symbol[order.symbol][order.order_id]
        if order.reduce_only:
            del self._reducing[_leg_side(order)][order.order_id]
        self._count(order, -order.remaining)

    def amend(self, order: Order, price: Decimal, quantity: Decimal) -> None:
        """Change price and size of an open order."""
        self._count(order, -order.remaining)
        order.price, order.quantity = price, quantity
        self._count(order, order.remaining)

    def reducing_orders(self, symbol: str, side: str, position_side: str) -> list[Order]:
        """List the open reduce-only orders of a leg on one side, oldest first."""
        return list(self._reducing.get((symbol, side, position_side), {}).values())

    def _count(self, order: Order, quantity: Decimal) -> None:
        key = _leg_side(order)
        if order.reduce_only:
            self.reducing_quantity[key] = self.reducing_quantity.get(key, ZERO) + quantity
        elif order.order_type == "LIMIT":
            notional = self.opening_notional.get(key, ZERO)
            self.opening_notional[key] = notional + quantity * order.price

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        """List the open orders, oldest first."""
        if symbol is not None:
            return list(self.open_per_symbol.get(symbol, {}).values())
        found = [order for orders in self.open_per_symbol.values() for order in orders.values()]
        return sorted(found, key=lambda order: order.sequence)
