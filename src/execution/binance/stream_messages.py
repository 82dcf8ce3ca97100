"""Events of the user data stream: wire structs, and their translation into ours (binance-usdm.md §10).

One letter per field on the wire; the structs give them names. Order statuses are strict, all else is lenient.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar, Final

import msgspec

from ...core.events import AlgoUpdated, Fill, OrderUpdated, PositionUpdated
from ...core.values import ZERO, PositionSide, Side
from .wire import (
    UnreadableMessage,
    algo_status,
    load_json,
    names,
    order_id_or_none,
    order_status,
    positive_or_none,
    read,
)

STREAM = "stream"

StreamEvent = OrderUpdated | AlgoUpdated | PositionUpdated


class StreamMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What one message says.

    `events` are for the engine; `note` is a (code, text) a person or the driver should learn of; `key_expired` asks for
    a new listen key.
    """

    kind: str
    events: tuple[StreamEvent, ...] = ()
    note: tuple[str, str] | None = None
    key_expired: bool = False


class WireOrderUpdate(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "symbol": "s",
        "client_order_id": "c",
        "side": "S",
        "order_type": "o",
        "quantity": "q",
        "average_price": "ap",
        "execution_type": "x",
        "status": "X",
        "order_id": "i",
        "last_quantity": "l",
        "executed_quantity": "z",
        "last_price": "L",
        "commission_asset": "N",
        "commission": "n",
        "trade_id": "t",
        "reduce_only": "R",
        "position_side": "ps",
        "realized_profit": "rp",
    },
):
    """`o` of ORDER_TRADE_UPDATE (§10.3), as far as we use it."""

    symbol: str
    client_order_id: str
    side: Side
    status: str
    order_id: int
    quantity: Decimal
    executed_quantity: Decimal
    execution_type: str = ""
    order_type: str = ""
    average_price: Decimal | None = None
    last_quantity: Decimal | None = None
    last_price: Decimal | None = None
    commission_asset: str | None = None
    commission: Decimal | None = None
    trade_id: int | None = None
    reduce_only: bool = False
    position_side: PositionSide = PositionSide.BOTH
    realized_profit: Decimal | None = None
    ignored: ClassVar[frozenset[str]] = names("f p sp T b a m wt ot cp AP cr pP si ss V pm gtd er M W")

    @property
    def fill(self) -> Fill | None:
        """What traded. A liquidation or deleveraging (CALCULATED) changes the position just as a trade does."""
        if self.execution_type not in ("TRADE", "CALCULATED") or not self.trade_id:
            return None
        if not self.last_quantity or self.last_price is None:
            return None
        return Fill(
            trade_id=self.trade_id,
            price=self.last_price,
            quantity=self.last_quantity,
            commission=self.commission or ZERO,
            commission_asset=self.commission_asset or "",
            realized_profit=self.realized_profit or ZERO,
        )


class WireAlgoUpdate(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "client_algo_id": "caid",
        "algo_id": "aid",
        "symbol": "s",
        "status": "X",
        "actual_order_id": "ai",
        "reason": "rm",
    },
):
    """`o` of ALGO_UPDATE (§10.5), as far as we use it."""

    client_algo_id: str
    algo_id: int
    symbol: str
    status: str
    actual_order_id: str | int | None = None
    reason: str | None = None
    ignored: ClassVar[frozenset[str]] = names("at o S ps f q ap aq act tp p V wt pm cp pP R tt gtd ia")


class WirePositionUpdate(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"symbol": "s", "amount": "pa", "entry_price": "ep", "position_side": "ps"},
):
    """A row of `a.P` of ACCOUNT_UPDATE (§10.4)."""

    symbol: str
    amount: Decimal
    entry_price: Decimal = ZERO
    position_side: PositionSide = PositionSide.BOTH


class WireAccountUpdate(msgspec.Struct, frozen=True, kw_only=True, rename={"reason": "m", "positions": "P"}):
    """`a` of ACCOUNT_UPDATE. Funding of a cross position comes without `P`."""

    reason: str = ""
    positions: list[WirePositionUpdate] = []
    ignored: ClassVar[frozenset[str]] = frozenset({"B", "S"})


class WireMarginCallRow(msgspec.Struct, frozen=True, kw_only=True, rename={"symbol": "s"}):
    """A row of `p` of MARGIN_CALL."""

    symbol: str
    ignored: ClassVar[frozenset[str]] = names("ps pa mt iw mp up mm")


class WireTriggerReject(
    msgspec.Struct, frozen=True, kw_only=True, rename={"symbol": "s", "order_id": "i", "reason": "r"}
):
    """`or` of CONDITIONAL_ORDER_TRIGGER_REJECT: announced as retired, read in case it is not (§10.5)."""

    symbol: str
    order_id: int
    reason: str = ""


def read_message(data: str | bytes, *, at_ms: int) -> StreamMessage:
    """Translate one message of the stream, bare or in the envelope of a combined stream (§1.2).

    Raises:
        UnreadableMessage: not JSON, a required field missing, or an unknown order status.
    """
    raw = load_json(data)
    if isinstance(raw, dict) and "stream" in raw and isinstance(raw.get("data"), dict):
        raw = raw["data"]
    if not isinstance(raw, dict) or not isinstance(raw.get("e"), str):
        raise UnreadableMessage("unreadable_event", "there is no event name in it")
    translate = _TRANSLATIONS.get(raw["e"])
    if translate is None:
        return StreamMessage(kind=raw["e"], note=("unknown_event", f"the stream sent {raw['e'][:40]!r}"))
    return translate(raw, at_ms)


def _exchange_time_ms(raw: dict[str, Any], at_ms: int) -> int:
    """`T` when the change happened, `E` when it was sent; a payload without either is dated by us."""
    for name in ("T", "E"):
        value = raw.get(name)
        if isinstance(value, int):
            return value
    return at_ms


def _order_update(raw: dict[str, Any], at_ms: int) -> StreamMessage:
    order = read(raw.get("o"), WireOrderUpdate)
    event = OrderUpdated(
        at_ms=at_ms,
        symbol=order.symbol,
        client_order_id=order.client_order_id,
        exchange_order_id=order.order_id,
        side=order.side,
        position_side=order.position_side,
        order_type=order.order_type,
        status=order_status(order.status),
        quantity=order.quantity,
        executed_quantity=order.executed_quantity,
        average_price=positive_or_none(order.average_price),
        fill=order.fill,
        reduce_only=order.reduce_only,
        exchange_time_ms=_exchange_time_ms(raw, at_ms),
        source=STREAM,
    )
    return StreamMessage(kind=raw["e"], events=(event,))


def _algo_update(raw: dict[str, Any], at_ms: int) -> StreamMessage:
    order = read(raw.get("o"), WireAlgoUpdate)
    event = AlgoUpdated(
        at_ms=at_ms,
        symbol=order.symbol,
        client_order_id=order.client_algo_id,
        algo_id=order.algo_id,
        status=algo_status(order.status),
        actual_order_id=order_id_or_none(order.actual_order_id),
        reason=order.reason or "",
        exchange_time_ms=_exchange_time_ms(raw, at_ms),
        source=STREAM,
    )
    return StreamMessage(kind=raw["e"], events=(event,))


def _account_update(raw: dict[str, Any], at_ms: int) -> StreamMessage:
    account = read(raw.get("a"), WireAccountUpdate)
    events = tuple(
        PositionUpdated(
            at_ms=at_ms,
            symbol=row.symbol,
            position_side=row.position_side,
            amount=row.amount,
            entry_price=row.entry_price,
            exchange_time_ms=_exchange_time_ms(raw, at_ms),
        )
        for row in account.positions
    )
    return StreamMessage(kind=raw["e"], events=events)


def _margin_call(raw: dict[str, Any], _at_ms: int) -> StreamMessage:
    rows = raw.get("p")
    symbols = sorted({read(row, WireMarginCallRow).symbol for row in rows}) if isinstance(rows, list) else []
    return StreamMessage(kind=raw["e"], note=("margin_call", f"margin is short for {', '.join(symbols)}"))


def _trigger_reject(raw: dict[str, Any], _at_ms: int) -> StreamMessage:
    reject = read(raw.get("or"), WireTriggerReject)
    text = f"{reject.symbol}: conditional order {reject.order_id} was refused when it triggered: {reject.reason}"
    return StreamMessage(kind=raw["e"], note=("trigger_rejected", text))


def _key_expired(raw: dict[str, Any], _at_ms: int) -> StreamMessage:
    return StreamMessage(kind=raw["e"], key_expired=True)  # the key inside is not passed on: it is a secret


def _nothing_to_do(raw: dict[str, Any], _at_ms: int) -> StreamMessage:
    return StreamMessage(kind=raw["e"])


_TRANSLATIONS: Final = {
    "ORDER_TRADE_UPDATE": _order_update,
    "ALGO_UPDATE": _algo_update,
    "ACCOUNT_UPDATE": _account_update,
    "MARGIN_CALL": _margin_call,
    "CONDITIONAL_ORDER_TRIGGER_REJECT": _trigger_reject,
    "listenKeyExpired": _key_expired,
    "TRADE_LITE": _nothing_to_do,  # a hint of a fill that ORDER_TRADE_UPDATE books (§10.5)
    "ACCOUNT_CONFIG_UPDATE": _nothing_to_do,
    "STRATEGY_UPDATE": _nothing_to_do,  # the exchange's own bots
    "GRID_UPDATE": _nothing_to_do,
}
