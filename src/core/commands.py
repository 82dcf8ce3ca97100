"""All we may ask of the world: imperative, frozen, journaled before they are carried out."""

from __future__ import annotations

import msgspec

from .intent import OrderIntent
from .report import ExecutionReport


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="operation"):
    """Base of all commands."""


class SubmitOrder(Command, frozen=True, kw_only=True, tag="submit_order"):
    """Send one order; to the algo service when its type is conditional. `attempt` counts from 1."""

    intent: OrderIntent
    attempt: int = 1


class CancelOrder(Command, frozen=True, kw_only=True, tag="cancel_order"):
    """Cancel one order of ours by its client id; `algo` says in which of the two stores it lives."""

    client_order_id: str
    signal_id: str
    symbol: str
    algo: bool


class LookUpOrder(Command, frozen=True, kw_only=True, tag="look_up_order"):
    """Ask the exchange about one order of ours. An algo order is looked for in the open and the full list as well."""

    client_order_id: str
    signal_id: str
    symbol: str
    algo: bool
    why: str


class LookUpSymbol(Command, frozen=True, kw_only=True, tag="look_up_symbol"):
    """Take a snapshot of a symbol: position, open orders, open algo orders, and the trades since `trades_since_ms`.

    Trades of other orders than `known_orders` (the exchange's ids) are to be traced to their client ids. With
    `position_only` the position is all that is asked for: the quickest word on whether something is bare."""

    symbol: str
    why: str
    trades_since_ms: int | None = None
    known_orders: tuple[int, ...] = ()
    position_only: bool = False


class RenewStream(Command, frozen=True, kw_only=True, tag="renew_stream"):
    """Drop the user data stream and connect anew: it is open, but it kept silent about an order we know of."""

    why: str


class Conclude(Command, frozen=True, kw_only=True, tag="conclude"):
    """Tell whoever waits for this signal."""

    report: ExecutionReport


class Alert(Command, frozen=True, kw_only=True, tag="alert"):
    """Something a person must know about now."""

    code: str
    text: str
    symbol: str
    signal_id: str = ""
    client_order_id: str = ""


class Announce(Command, frozen=True, kw_only=True, tag="announce"):
    """A turning point of a bracket, for people and for the record: protected, ended. Nobody decides by it."""

    topic: str
    text: str
    symbol: str
    signal_id: str
    facts: dict[str, str | int] = msgspec.field(default_factory=dict)


AnyCommand = SubmitOrder | CancelOrder | LookUpOrder | LookUpSymbol | RenewStream | Conclude | Alert | Announce
