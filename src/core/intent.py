"""The order intent: a decided, sized order, journaled before it is sent."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from .values import CONDITIONAL_TYPES, OrderType, PositionSide, Role, Side, TimeInForce, WorkingType


class OrderIntent(msgspec.Struct, frozen=True, kw_only=True):
    """One order as we mean it.

    `quantity` is in the base asset and None where `close_position` lets the exchange resolve it at trigger time.
    `trigger_price` is set for conditional types only, which go to the algo service (binance-usdm.md §4). `armed` marks
    a protective order that leaves with its entry, before there is a position.
    """

    client_order_id: str
    signal_id: str
    role: Role
    symbol: str
    side: Side
    position_side: PositionSide = PositionSide.BOTH
    order_type: OrderType = OrderType.MARKET
    quantity: Decimal | None = None
    price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    trigger_price: Decimal | None = None
    working_type: WorkingType | None = None
    reduce_only: bool = False
    close_position: bool = False
    armed: bool = False

    @property
    def is_algo(self) -> bool:
        """Whether it belongs to the algo service."""
        return self.order_type in CONDITIONAL_TYPES
