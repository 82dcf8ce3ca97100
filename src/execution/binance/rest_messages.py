"""Answers of the REST API: wire structs, and their translation into our events (binance-usdm.md §3, §4.3).

A field without a default is one we cannot do without; `ignored` names what we know and do not use. Money is text on the
wire and `Decimal` here.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

import msgspec

from ...core.client_ids import is_ours
from ...core.events import AlgoAcknowledged, AlgoUpdated, OpenOrder, OrderAcknowledged, OrderUpdated, TradeRow
from ...core.values import ZERO, AlgoStatus, PositionSide, Side
from .wire import UnreadableMessage, algo_status, names, order_id_or_none, order_status, positive_or_none, read, rows_of

LOOKUP = "lookup"
Meaning = TypeVar("Meaning")


class WireOrder(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A normal order: the answer of POST, DELETE, GET order and a row of openOrders (§3.2).

    `avg_price` is in queries only: placing an order tells no price (§5.3).
    """

    order_id: int
    client_order_id: str
    symbol: str
    side: Side
    status: str
    orig_qty: Decimal
    executed_qty: Decimal
    type: str = ""
    position_side: PositionSide = PositionSide.BOTH
    avg_price: Decimal | None = None
    reduce_only: bool = False
    close_position: bool = False
    update_time: int = 0
    ignored: ClassVar[frozenset[str]] = names(
        "cumQty cumQuote cumBase price stopPrice timeInForce origType workingType priceProtect "
        "priceMatch selfTradePreventionMode goodTillDate time pair activatePrice priceRate modifyId"
    )

    def acknowledged(self, *, at_ms: int, sent_at_ms: int, client_order_id: str) -> OrderAcknowledged:
        """As the answer to a placement. The exchange may have cut a reduce-only quantity (§12.3): ours is not
        assumed."""
        return OrderAcknowledged(
            at_ms=at_ms,
            client_order_id=client_order_id,
            exchange_order_id=self.order_id,
            status=order_status(self.status),
            quantity=self.orig_qty,
            executed_quantity=self.executed_qty,
            exchange_time_ms=self.update_time,
            sent_at_ms=sent_at_ms,
        )

    def updated(self, *, at_ms: int, client_order_id: str) -> OrderUpdated:
        """As the answer to a question about one of ours."""
        return OrderUpdated(
            at_ms=at_ms,
            symbol=self.symbol,
            client_order_id=client_order_id,
            exchange_order_id=self.order_id,
            side=self.side,
            position_side=self.position_side,
            order_type=self.type,
            status=order_status(self.status),
            quantity=self.orig_qty,
            executed_quantity=self.executed_qty,
            average_price=positive_or_none(self.avg_price),
            reduce_only=self.reduce_only,
            exchange_time_ms=self.update_time,
            source=LOOKUP,
        )

    def resting(self) -> OpenOrder:
        """As a row of a snapshot."""
        return OpenOrder(
            client_order_id=self.client_order_id,
            exchange_id=self.order_id,
            algo=False,
            side=self.side,
            position_side=self.position_side,
            order_type=self.type,
            status=self.status,
            quantity=self.orig_qty,
            executed_quantity=self.executed_qty,
            close_position=self.close_position,
            reduce_only=self.reduce_only,
            updated_at_ms=self.update_time,
        )


class WireAlgoOrder(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A conditional order: the answer of POST and GET algoOrder, and a row of both lists (§4.3).

    Its names differ from a normal order's: `orderType`, `algoStatus`, `quantity`, `triggerPrice`.
    """

    algo_id: int
    client_algo_id: str
    symbol: str
    side: Side
    algo_status: str
    order_type: str = ""
    position_side: PositionSide = PositionSide.BOTH
    quantity: Decimal = ZERO
    trigger_price: Decimal | None = None
    actual_order_id: str | int | None = None
    actual_qty: Decimal | None = None
    close_position: bool = False
    reduce_only: bool = False
    create_time: int = 0
    update_time: int = 0
    reject_reason: str = ""
    ignored: ClassVar[frozenset[str]] = names(
        "algoType timeInForce price icebergQuantity selfTradePreventionMode workingType priceMatch "
        "priceProtect triggerTime goodTillDate activatePrice callbackRate isActivated actualPrice "
        "actualType tpOrderType tpTriggerPrice tpPrice slTriggerPrice slPrice"
    )

    @property
    def status(self) -> AlgoStatus:
        """Strict: raises `UnreadableMessage` for a status we do not know."""
        return algo_status(self.algo_status)

    @property
    def became(self) -> int | None:
        """The id of the ordinary order it became when it triggered."""
        return order_id_or_none(self.actual_order_id)

    def acknowledged(self, *, at_ms: int, sent_at_ms: int, client_order_id: str) -> AlgoAcknowledged:
        """As the answer to a placement."""
        return AlgoAcknowledged(
            at_ms=at_ms,
            client_order_id=client_order_id,
            algo_id=self.algo_id,
            status=self.status,
            exchange_time_ms=self.update_time or self.create_time,
            sent_at_ms=sent_at_ms,
        )

    def updated(self, *, at_ms: int) -> AlgoUpdated:
        """As the answer to a question."""
        return AlgoUpdated(
            at_ms=at_ms,
            symbol=self.symbol,
            client_order_id=self.client_algo_id,
            algo_id=self.algo_id,
            status=self.status,
            actual_order_id=self.became,
            reason=self.reject_reason,
            exchange_time_ms=self.update_time or self.create_time,
            source=LOOKUP,
        )

    def resting(self) -> OpenOrder:
        """As a row of a snapshot."""
        return OpenOrder(
            client_order_id=self.client_algo_id,
            exchange_id=self.algo_id,
            algo=True,
            side=self.side,
            position_side=self.position_side,
            order_type=self.order_type,
            status=self.algo_status,
            quantity=self.quantity,
            trigger_price=positive_or_none(self.trigger_price),
            close_position=self.close_position,
            reduce_only=self.reduce_only,
            updated_at_ms=self.update_time or self.create_time,
        )


class WirePosition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A row of positionRisk (§3.4). Only these fields decide anything; the others are for people."""

    symbol: str
    position_amt: Decimal
    position_side: PositionSide = PositionSide.BOTH
    entry_price: Decimal = ZERO
    update_time: int = 0
    ignored: ClassVar[frozenset[str]] = names(
        "breakEvenPrice markPrice unRealizedProfit liquidationPrice isolatedMargin notional "
        "marginAsset isolatedWallet initialMargin maintMargin positionInitialMargin "
        "openOrderInitialMargin bidNotional askNotional adl"
    )


class WireTrade(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A row of userTrades (§3.2)."""

    id: int
    order_id: int
    side: Side
    price: Decimal
    qty: Decimal
    time: int
    position_side: PositionSide = PositionSide.BOTH
    commission: Decimal = ZERO
    commission_asset: str = ""
    realized_pnl: Decimal = ZERO
    ignored: ClassVar[frozenset[str]] = names("symbol pair quoteQty baseQty marginAsset buyer maker")

    def row(self) -> TradeRow:
        """In our names."""
        return TradeRow(
            trade_id=self.id,
            exchange_order_id=self.order_id,
            side=self.side,
            position_side=self.position_side,
            price=self.price,
            quantity=self.qty,
            commission=self.commission,
            commission_asset=self.commission_asset,
            realized_profit=self.realized_pnl,
            exchange_time_ms=self.time,
        )


class WireBalance(msgspec.Struct, frozen=True, kw_only=True):
    """A row of balance (§3.4)."""

    asset: str
    balance: Decimal
    ignored: ClassVar[frozenset[str]] = names(
        "accountAlias crossWalletBalance crossUnPnl availableBalance maxWithdrawAmount marginAvailable updateTime"
    )


class WireError(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a refusal (§9). DELETE algoOrder writes a success code as text (§4.3), so text is read too."""

    code: int | str
    msg: str = ""


class WireServerTime(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of `GET /fapi/v1/time`."""

    server_time: int


class WireListenKey(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of `POST /fapi/v1/listenKey`. The default repr would show the key."""

    listen_key: str

    def __repr__(self) -> str:
        return "WireListenKey(***)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []  # what `rich` prints instead of the repr; the one of `msgspec` would show the key


class WireLastPrice(msgspec.Struct, frozen=True):
    """Answer of `GET /fapi/v2/ticker/price` for one symbol."""

    price: Decimal


class WireMarkPrice(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of `GET /fapi/v1/premiumIndex` for one symbol."""

    mark_price: Decimal


class WireLeverage(msgspec.Struct, frozen=True):
    """Answer of `POST /fapi/v1/leverage`."""

    leverage: int


class WireAccountConfiguration(msgspec.Struct, frozen=True, rename="camel"):
    """What is used of the answer of `GET /fapi/v1/accountConfig`."""

    dual_side_position: bool
    ignored: ClassVar[frozenset[str]] = names(
        "feeTier canTrade canDeposit canWithdraw updateTime multiAssetsMargin tradeGroupId"
    )


def error_body(text: str) -> tuple[int | None, str]:
    """Code and text of a refusal; no code when the body is not the exchange's JSON (a firewall page, a proxy's)."""
    try:
        error = msgspec.json.decode(text, type=WireError)
        return int(error.code), error.msg
    except (msgspec.DecodeError, ValueError):
        return None, text


def read_order(raw: Any) -> WireOrder:
    """A normal order."""
    return read(raw, WireOrder)


def read_algo_order(raw: Any) -> WireAlgoOrder:
    """A conditional order."""
    return read(raw, WireAlgoOrder)


def read_orders(raw: Any) -> list[WireOrder]:
    """Rows of openOrders; of others' orders those that can be read."""
    return _readable(raw, read_order, "clientOrderId")


def read_algo_orders(raw: Any) -> list[WireAlgoOrder]:
    """Rows of openAlgoOrders or allAlgoOrders; of others' orders those that can be read."""
    return _readable(raw, read_algo_order, "clientAlgoId")


def _readable(raw: Any, read_one: Callable[[Any], Meaning], id_name: str) -> list[Meaning]:
    """Somebody else's order of a kind we do not know must not hide our own: it would leave us blind for all of them."""
    found: list[Meaning] = []
    for row in rows_of(raw):
        try:
            found.append(read_one(row))
        except UnreadableMessage:
            client_id = row.get(id_name) if isinstance(row, dict) else None
            if not isinstance(client_id, str) or is_ours(client_id):
                raise
    return found


def read_positions(raw: Any) -> list[WirePosition]:
    """Rows of positionRisk."""
    return [read(row, WirePosition) for row in rows_of(raw)]


def read_trades(raw: Any) -> list[WireTrade]:
    """Rows of userTrades."""
    return [read(row, WireTrade) for row in rows_of(raw)]
