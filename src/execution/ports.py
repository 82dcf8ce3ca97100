"""The seams: what the driver needs of the outside, as Protocols.

Production gives threads, sockets and the wall clock; the deterministic simulation gives one thread, no sockets and a
virtual clock. Nothing above this line can tell the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from ..core.commands import LookUpOrder, LookUpSymbol
from ..core.events import (
    AlgoAcknowledged,
    AlgoUpdated,
    AnyEvent,
    CancelDone,
    CancelFailed,
    LookUpFailed,
    OrderAcknowledged,
    OrderNotFound,
    OrderUpdated,
    SubmitFailed,
    SymbolSnapshot,
)
from ..core.instrument import Instrument
from ..core.intent import OrderIntent
from ..core.values import MarginType, PositionSide, WorkingType
from .ticket import Ticket


class HeldPosition(msgspec.Struct, frozen=True, kw_only=True):
    """A position that is not zero: signed, in the base asset; when it changed last is on the exchange's clock."""

    symbol: str
    position_side: PositionSide
    amount: Decimal
    entry_price: Decimal
    updated_at_ms: int


class Clock(Protocol):
    """The one source of time."""

    def now_ms(self) -> int:
        """Wall clock, ms since the epoch, UTC."""
        ...

    def now_us(self) -> int:
        """Wall clock, µs since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never steps."""
        ...

    def sleep(self, seconds: float) -> None:
        """Block the calling thread."""
        ...


class Gateway(Protocol):
    """The exchange in our names. Every trading call returns an event and never raises for what the exchange or the
    network does; the account calls raise `ExchangeError` subclasses (`execution/errors`)."""

    def submit(
        self, intent: OrderIntent, on_sent: Callable[[], None] | None = None
    ) -> OrderAcknowledged | AlgoAcknowledged | SubmitFailed:
        """Send one order once. Never retried here. `on_sent` is called, at most once, when its bytes have left and the
        answer is being waited for; not at all where that cannot be told."""
        ...

    def cancel(self, client_order_id: str, symbol: str, *, algo: bool) -> CancelDone | CancelFailed:
        """Cancel one order by its client id."""
        ...

    def look_up_order(self, command: LookUpOrder) -> list[OrderUpdated | AlgoUpdated | OrderNotFound | LookUpFailed]:
        """Ask about one order. An algo order is looked for by id, in the open list and in the full list; once it has
        triggered, the ordinary order it became is asked for too and its update comes first."""
        ...

    def look_up_symbol(
        self, command: LookUpSymbol, early: Callable[[SymbolSnapshot], None] | None = None
    ) -> SymbolSnapshot | LookUpFailed:
        """Take one snapshot. What could not be had is None in it, never empty: a failed query is not
        zero. Without the position it is a failure. Where trades are asked for, `early` gets the position alone before
        the questions that may take long."""
        ...

    def resting_algo_ids(self, symbol: str) -> set[str]:
        """Client ids of all conditional orders that rest on a symbol, ours or not. One question, not repeated; raises
        `ExchangeError`."""
        ...

    def reference_price(self, symbol: str, working_type: WorkingType) -> Decimal:
        """The price triggers of this working type watch: last or mark."""
        ...

    def position_amounts(self, symbol: str | None = None) -> dict[tuple[str, PositionSide], Decimal]:
        """Signed position amounts that are not zero."""
        ...

    def dated_amount(self, symbol: str) -> tuple[int, Decimal]:
        """The signed position of a symbol; before it the instant (exchange clock) before it was asked for."""
        ...

    def held_positions(self) -> list[HeldPosition]:
        """All positions of the account."""
        ...

    def open_orders(self, symbol: str | None = None) -> list[dict[str, Any]]:
        """Open normal and algo orders, ours and foreign, in the exchange's own rows."""
        ...

    def instruments(self) -> tuple[dict[str, Instrument], list[dict[str, Any]]]:
        """All symbols' rules and the rate limits of exchangeInfo (fetched now, not cached)."""
        ...

    def hedge_mode(self) -> bool:
        """Whether the account is in hedge mode (`dualSidePosition`)."""
        ...

    def balance(self, asset: str = "USDT") -> Decimal:
        """Wallet balance of one asset."""
        ...

    def set_leverage(self, symbol: str, leverage: int) -> int:
        """Set and return the leverage."""
        ...

    def set_margin_type(self, symbol: str, margin_type: MarginType) -> bool:
        """Set the margin type; False when it was so already (-4046)."""
        ...

    def position_row(self, symbol: str) -> list[dict[str, Any]]:
        """positionRisk rows of one symbol."""
        ...

    def exchange_now_ms(self) -> int:
        """The exchange's clock as we estimate it."""
        ...

    def synchronise_clock(self) -> None:
        """Measure the exchange's clock offset."""
        ...

    def close(self) -> None:
        """Drop the connections."""
        ...


class UserStream(Protocol):
    """The private event stream."""

    def start(self, on_event: Callable[[AnyEvent], None]) -> None:
        """Connect and keep connected, on a thread of its own; events (its own ups and downs too) go to the callback."""
        ...

    def renew(self) -> None:
        """Drop the connection and connect anew: it is open but not believed."""
        ...

    def stop(self) -> None:
        """Disconnect and end the thread."""
        ...


class Runtime(Protocol):
    """Concurrency: who runs what, how one waits, and when to be woken."""

    def spawn(self, task: Callable[[], None], *, urgent: bool = False) -> bool:
        """Run a task soon, on another thread; False when it is dropped because the runtime is stopping. An `urgent` one
        sends something, and never waits for those that only ask."""
        ...

    def wait(self, ticket: Ticket) -> None:
        """Return when the ticket is settled."""
        ...

    def set_alarm(self, at_ms: int | None) -> None:
        """Call the alarm handler once, at an instant on the exchange's clock; replaces the alarm before it."""
        ...

    def start(self, on_alarm: Callable[[], None], on_problem: Callable[[BaseException], None]) -> None:
        """Begin; `on_problem` hears of every task that failed."""
        ...

    def stop(self) -> None:
        """Let running tasks end, start no new ones."""
        ...
