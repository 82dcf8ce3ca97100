"""The bracket: entry, stop loss and take profit as one unit, and what is known of their common fate."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from .client_ids import client_order_id
from .intent import OrderIntent
from .values import ZERO, ArmingMode, OrderType, PositionSide, Role, Side, WorkingType


class CloseReason(StrEnum):
    """Why a bracket is being closed at market. Once set it is never unset: closing is a one-way street."""

    SIGNAL = "close_signal"
    NAKED = "stop_not_live_in_time"
    STOP_CROSSED = "stop_price_already_crossed"
    STOP_SPENT = "stop_triggered_without_closing"
    TAKE_PROFIT_CROSSED = "take_profit_price_already_crossed"


class Closer(msgspec.Struct, frozen=True, kw_only=True):
    """A CLOSE signal that waits for the end of a bracket."""

    signal_id: str
    received_at_ms: int
    told: bool = False  # that it takes too long; the end goes into its record all the same


class ProtectionLeg(msgspec.Struct, frozen=True, kw_only=True):
    """What should rest on one side of the position."""

    role: Role
    order_type: OrderType
    trigger_price: Decimal
    working_type: WorkingType


class EarlyTrade(msgspec.Struct, frozen=True, kw_only=True):
    """A trade of others that is dated within our clock's error of when the symbol was found flat. `amount` is + where
    it adds to the position of the bracket."""

    trade_id: int
    amount: Decimal


CLOCK_ERROR_MS = 1000
"""How far our estimate of the exchange's clock may be off: half of the longest answer that sets it, and some more."""


class Bracket(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of ours, from the signal to flat. Times ending in `_ms` are on the exchange's clock."""

    signal_id: str
    symbol: str
    position_side: PositionSide
    entry_side: Side
    quantity: Decimal
    market_max_quantity: Decimal = ZERO
    market_step: Decimal = ZERO
    arming: ArmingMode = ArmingMode.AFTER_FILL
    stop_loss: ProtectionLeg | None = None
    take_profit: ProtectionLeg | None = None
    received_at_ms: int
    expires_ms: int | None = None  # the signal is not worth following after this
    flat_asked_ms: int | None = None  # the symbol was found flat by a question asked then, before the signal
    claimed_from_ms: int | None = None  # taken over from others: what is traded from here on is not in its quantity
    ids: dict[Role, tuple[str, ...]] = msgspec.field(default_factory=dict)  # client ids by role, oldest first

    closing: CloseReason | None = None
    closers: tuple[Closer, ...] = ()
    explicit_stop: bool = False  # somebody else's closePosition stop is in the way (-4130): ours carries a quantity

    naked_since_ms: int | None = None  # a position without a live stop, since when
    naked_known_ms: int | None = None  # when we learned that a stop had ended
    presumed_since_ms: int | None = None  # a position shows that may be ours, while the entry's fate is not known
    has_shown: bool = False  # one did, at some time
    naked_first_ms: int | None = None  # from the first fill to the first live stop
    naked_later_ms: int = 0  # the worst gap after it
    stop_live_ms: int | None = None

    trades_after: int = 0  # trades up to this id were over before it began
    external_net: Decimal = ZERO  # what others traded on our position; + adds to it, - takes from it
    external_trades: tuple[int, ...] = ()
    external_ms: int = 0  # exchange time of the newest of them
    early_trades: tuple[EarlyTrade, ...] = ()  # of these, by id: they may be from before the position was asked for
    disagree_since_ms: int | None = None  # our ledger and the exchange's position differ
    disagreements: int = 0  # how often that was looked into without an explanation, the exchange saying the same
    disagree_amount: Decimal | None = None  # what it said
    trades_known_ms: int = 0  # as of then, it is known of every trade whose it was

    flat_since_ms: int | None = None
    strays: bool = False  # orders of ours rest on the symbol that no record of ours knows
    swept_ms: int = 0  # as of then, nothing of it rests that has ended by our books
    asking: bool = False  # a symbol lookup is under way
    next_look_ms: int | None = None
    average_asked: bool = False
    reported: str = ""  # the status the caller was told
    wake_ms: int | None = None

    @property
    def entry_id(self) -> str:
        """The client id of the entry order."""
        return self.ids[Role.ENTRY][0]

    @property
    def naked_worst_ms(self) -> int:
        """The worst gap that is over."""
        return max(self.naked_first_ms or 0, self.naked_later_ms)

    @property
    def claimed(self) -> bool:
        """Whether others opened the position, and the operator claims it."""
        return self.claimed_from_ms is not None

    @property
    def trades_from_ms(self) -> int:
        """Trades of others from here on change the position of this bracket, as far as our clock is right."""
        if self.claimed_from_ms is not None:
            return self.claimed_from_ms
        return self.received_at_ms if self.flat_asked_ms is None else self.flat_asked_ms

    def next_intent(self, role: Role, *, quantity: Decimal | None = None, armed: bool = False) -> OrderIntent:
        """The next order of a role: a new generation with its deterministic id.

        Every order but the entry is reduce-only or closes the position, so it can never open or flip one (P3). One that
        is `armed` leaves with the entry; closePosition needs a position, so it has to carry a quantity (§4.6).
        """
        generation = len(self.ids.get(role, ()))
        leg = self.leg(role)
        hedge = self.position_side is not PositionSide.BOTH
        closes_all = leg is not None and quantity is None
        return OrderIntent(
            client_order_id=client_order_id(self.signal_id, role, generation),
            signal_id=self.signal_id,
            role=role,
            symbol=self.symbol,
            side=self.entry_side if role is Role.ENTRY else self.entry_side.opposite,
            position_side=self.position_side,
            order_type=leg.order_type if leg else OrderType.MARKET,
            quantity=quantity,
            trigger_price=leg.trigger_price if leg else None,
            working_type=leg.working_type if leg else None,
            # In hedge mode the closing combinations reduce by nature and refuse the flag (binance-usdm.md §12.2).
            reduce_only=role is not Role.ENTRY and not closes_all and not hedge,
            close_position=closes_all,
            armed=armed,
        )

    def leg(self, role: Role) -> ProtectionLeg | None:
        """The wanted protection of a role."""
        if role is Role.STOP_LOSS:
            return self.stop_loss
        return self.take_profit if role is Role.TAKE_PROFIT else None

    def with_id(self, intent: OrderIntent) -> Bracket:
        """This bracket with one more order of a role."""
        ids = {**self.ids, intent.role: (*self.ids.get(intent.role, ()), intent.client_order_id)}
        return msgspec.structs.replace(self, ids=ids)
