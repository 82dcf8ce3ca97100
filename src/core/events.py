"""All that can happen: past tense, frozen, journaled before anything follows from it.

Every `at_ms` is in ms on the exchange's clock as we estimate it when the event reaches us; `exchange_time_ms` is what
the exchange itself wrote. Whatever a decision uses is in its event: the time, the prices, the rules.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from .instrument import Instrument
from .outcome import Failure
from .settings import Policy
from .signal import Signal
from .values import ZERO, AlgoStatus, OrderStatus, OrderType, PositionSide, Side


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="operation"):
    """Base of all events."""

    at_ms: int


class EngineStarted(Event, frozen=True, kw_only=True, tag="engine_started"):
    """A process took over: whatever was in flight before has an unknown outcome now."""

    policy: Policy
    version: str
    venue: str  # the REST base URL: says which exchange this log is about
    account: str = ""  # a fingerprint of key and venue, which tells nothing about the key


class SignalContext(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out for one signal before it was decided.

    `problem` is a denial code found while gathering (`unknown_symbol`, `exchange_unreachable`, …) with `problem_text`.
    `position_amount` is signed, in the base asset, freshly asked of the exchange; None where it was not needed.
    `asked_at_ms` is the instant before that question: what is traded from then on is not in the amount for certain.
    """

    instrument: Instrument | None = None
    reference_price: Decimal | None = None
    position_amount: Decimal | None = None
    asked_at_ms: int | None = None
    problem: str | None = None
    problem_text: str = ""
    problem_context: dict[str, str] = msgspec.field(default_factory=dict)


class SignalReceived(Event, frozen=True, kw_only=True, tag="signal_received"):
    """An upstream asked for something; `context` holds all else the decision needs."""

    signal: Signal
    context: SignalContext


class EntryWithheld(Event, frozen=True, kw_only=True, tag="entry_withheld"):
    """The intents could not be made durable, so an entry, or an order that was to leave with it, was not sent."""

    client_order_id: str
    code: str
    text: str


class OrderAcknowledged(Event, frozen=True, kw_only=True, tag="order_acknowledged"):
    """The exchange answered a normal order with success."""

    client_order_id: str
    exchange_order_id: int
    status: OrderStatus
    quantity: Decimal
    executed_quantity: Decimal
    exchange_time_ms: int
    sent_at_ms: int


class AlgoAcknowledged(Event, frozen=True, kw_only=True, tag="algo_acknowledged"):
    """The exchange answered a conditional order with success."""

    client_order_id: str
    algo_id: int
    status: AlgoStatus
    exchange_time_ms: int
    sent_at_ms: int


class SubmitFailed(Event, frozen=True, kw_only=True, tag="submit_failed"):
    """A send was refused, or nobody knows. `sent_at_ms` is the request's own timestamp: it is dead after
    `sent_at_ms + recv_window_ms` on the exchange's clock."""

    client_order_id: str
    failure: Failure
    sent_at_ms: int


class CancelDone(Event, frozen=True, kw_only=True, tag="cancel_done"):
    """A cancel was accepted, or the order was not open any more (`gone`), which is as good."""

    client_order_id: str
    gone: bool = False


class CancelFailed(Event, frozen=True, kw_only=True, tag="cancel_failed"):
    """A cancel was refused for another reason than 'not open', or its outcome is unknown."""

    client_order_id: str
    failure: Failure


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an order update that traded; commission and profit in their assets."""

    trade_id: int
    price: Decimal
    quantity: Decimal
    commission: Decimal = ZERO
    commission_asset: str = ""
    realized_profit: Decimal = ZERO


class OrderUpdated(Event, frozen=True, kw_only=True, tag="order_updated"):
    """State of a normal order, ours or foreign, from the stream or from a lookup (`source`)."""

    symbol: str
    client_order_id: str
    exchange_order_id: int
    side: Side
    position_side: PositionSide = PositionSide.BOTH
    order_type: str = OrderType.MARKET.value  # also LIQUIDATION and legacy types: descriptive, so not strict
    status: OrderStatus
    quantity: Decimal
    executed_quantity: Decimal
    average_price: Decimal | None = None
    fill: Fill | None = None
    reduce_only: bool = False
    exchange_time_ms: int
    source: str  # "stream" | "lookup"


class AlgoUpdated(Event, frozen=True, kw_only=True, tag="algo_updated"):
    """State of a conditional order, ours or foreign, from the stream or from a lookup (`source`). Where the open list
    was read for it, `resting` has the client ids in that, and `asked_at_ms` is from before it was asked for."""

    symbol: str
    client_order_id: str
    algo_id: int
    status: AlgoStatus
    actual_order_id: int | None = None
    reason: str = ""
    exchange_time_ms: int
    source: str
    asked_at_ms: int = 0
    resting: tuple[str, ...] | None = None


class OrderNotFound(Event, frozen=True, kw_only=True, tag="order_not_found"):
    """The exchange does not know the order now: no proof before its request is dead."""

    client_order_id: str
    asked_at_ms: int
    algo: bool
    resting: tuple[str, ...] | None = None  # of a conditional one: the client ids in the open list that lacks it


class StopMissed(Event, frozen=True, kw_only=True, tag="stop_missed"):
    """An open list, asked for at that instant, lacks a stop that should rest."""

    symbol: str
    client_order_id: str
    asked_at_ms: int


class LookUpFailed(Event, frozen=True, kw_only=True, tag="look_up_failed"):
    """A question went unanswered. It says nothing about what was asked."""

    failure: Failure
    client_order_id: str = ""
    symbol: str = ""
    algo: bool = False


class PositionUpdated(Event, frozen=True, kw_only=True, tag="position_updated"):
    """The stream told a position; `amount` is signed, in the base asset."""

    symbol: str
    position_side: PositionSide = PositionSide.BOTH
    amount: Decimal
    entry_price: Decimal = ZERO
    exchange_time_ms: int


class OpenOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One row of openOrders or openAlgoOrders in a snapshot."""

    client_order_id: str
    exchange_id: int  # orderId or algoId
    algo: bool
    side: Side
    position_side: PositionSide = PositionSide.BOTH
    order_type: str
    status: str
    quantity: Decimal = ZERO
    executed_quantity: Decimal = ZERO
    trigger_price: Decimal | None = None
    close_position: bool = False
    reduce_only: bool = False
    updated_at_ms: int = 0


class TradeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of userTrades. It names its order by the exchange's id only; whose that is was asked for beside it where
    it was not known: `client_order_id` is empty where it was not asked, or there was no answer."""

    trade_id: int
    exchange_order_id: int
    client_order_id: str = ""
    side: Side
    position_side: PositionSide = PositionSide.BOTH
    price: Decimal
    quantity: Decimal
    commission: Decimal = ZERO
    commission_asset: str = ""
    realized_profit: Decimal = ZERO
    exchange_time_ms: int


class SymbolSnapshot(Event, frozen=True, kw_only=True, tag="symbol_snapshot"):
    """What the exchange said of one symbol when asked. `requested_at_ms` is the instant before the first question:
    what changed after it may be missing. A partial one is the position alone: the rest is still being asked for."""

    symbol: str
    requested_at_ms: int
    is_partial: bool = False
    amounts: dict[PositionSide, Decimal]  # signed; empty = flat, from a successful answer
    entry_prices: dict[PositionSide, Decimal] = msgspec.field(default_factory=dict)
    orders: tuple[OpenOrder, ...] | None = ()  # None: they could not be had, the position could
    trades: tuple[TradeRow, ...] | None = None  # None = not asked


class PositionClaimed(Event, frozen=True, kw_only=True, tag="position_claimed"):
    """A position that nothing of ours explains, on a symbol that the operator claims.

    `amount` (signed, base asset), `entry_price` and `updated_at_ms` (when it changed last, exchange time) are the
    exchange's answer to a question asked at `asked_at_ms`; the reference price is the one our stops watch.
    """

    signal_id: str  # the bracket's name: a claim has no signal
    symbol: str
    position_side: PositionSide = PositionSide.BOTH
    amount: Decimal
    entry_price: Decimal = ZERO
    updated_at_ms: int
    asked_at_ms: int
    reference_price: Decimal
    instrument: Instrument


class StreamConnected(Event, frozen=True, kw_only=True, tag="stream_connected"):
    """The user data stream is open. What happened before is lost to it: every active symbol is looked up."""


class ClockSet(Event, frozen=True, kw_only=True, tag="clock_set"):
    """Our estimate of the exchange's clock was set, to `at_ms`: forward by so many ms, or back."""

    by_ms: int


class StreamLost(Event, frozen=True, kw_only=True, tag="stream_lost"):
    """The user data stream ended."""

    reason: str


class TimerFired(Event, frozen=True, kw_only=True, tag="timer_fired"):
    """A wake-up that the engine asked for came due."""


AnyEvent = (
    EngineStarted
    | SignalReceived
    | EntryWithheld
    | OrderAcknowledged
    | AlgoAcknowledged
    | SubmitFailed
    | CancelDone
    | CancelFailed
    | OrderUpdated
    | AlgoUpdated
    | OrderNotFound
    | StopMissed
    | LookUpFailed
    | PositionUpdated
    | SymbolSnapshot
    | PositionClaimed
    | StreamConnected
    | StreamLost
    | ClockSet
    | TimerFired
)
