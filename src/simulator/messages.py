"""Orders as the exchange writes them: REST answers and user stream events.

REST shapes: ``binance-usdm.md §3.2`` and ``§4.3``; event letters: ``§10.3`` to ``§10.5``. Since the 2026 integration no
order answer carries ``avgPrice`` or ``cumQuote``; only queries do.
"""

from dataclasses import dataclass
from decimal import Decimal

from .decimals import ZERO, money, padded, plain, trimmed
from .instruments import Instrument
from .orders import Fill, Order, OrderTicket

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class TradeHint:
    """What TRADE_LITE tells of a fill, before it is booked."""

    trade_id: int
    price: Decimal
    quantity: Decimal
    is_maker: bool


def average_text(order: Order) -> str:
    """Write an average price: rounded like money, since averages do not divide evenly."""
    return trimmed(money(order.average_price))


def _common_order_fields(rules: Instrument, order: Order) -> Row:
    return {
        "orderId": order.order_id,
        "symbol": order.symbol,
        "status": order.status.value,
        "clientOrderId": order.client_order_id,
        "price": padded(order.price, rules.price_precision),
        "origQty": plain(order.quantity),
        "executedQty": padded(order.executed, rules.quantity_precision),
        "timeInForce": order.time_in_force,
        "type": order.order_type,
        "reduceOnly": order.reduce_only,
        "closePosition": order.close_position,
        "side": order.side,
        "positionSide": order.position_side,
        "stopPrice": padded(ZERO, rules.price_precision),
        "workingType": order.working_type,
        "priceProtect": order.price_protect,
        "origType": order.order_type,
        "priceMatch": order.price_match,
        "selfTradePreventionMode": order.self_trade_prevention,
        "goodTillDate": order.good_till_ms,
        "updateTime": order.updated_ms,
    }


def order_answer(rules: Instrument, order: Order) -> Row:
    """Write the answer of placing or cancelling an order."""
    return _common_order_fields(rules, order) | {"cumQty": padded(order.executed, rules.quantity_precision)}


def order_acknowledgement(rules: Instrument, order: Order) -> Row:
    """Write the ACK answer: a snapshot of acceptance, even when the order has filled (``binance-usdm.md §5.3``)."""
    nothing = padded(ZERO, rules.quantity_precision)
    answer = order_answer(rules, order)
    return answer | {"status": "NEW", "executedQty": nothing, "cumQty": nothing, "updateTime": order.created_ms}


def test_answer(rules: Instrument, ticket: OrderTicket, quantity: Decimal, client_id: str, now_ms: int) -> Row:
    """Write the answer of order/test: an order that never was, with the two fields other answers have lost."""
    order = Order(
        order_id=0,
        client_order_id=client_id,
        symbol=ticket.symbol,
        side=ticket.side,
        order_type=ticket.order_type,
        quantity=quantity,
        price=ticket.price,
        time_in_force=ticket.time_in_force,
        position_side=ticket.position_side,
        reduce_only=ticket.reduce_only,
        close_position=ticket.close_position,
        self_trade_prevention=ticket.self_trade_prevention,
        working_type=ticket.working_type,
        price_protect=ticket.price_protect,
        owner="",
        created_ms=now_ms,
        updated_ms=now_ms,
        price_match=ticket.price_match,
        good_till_ms=ticket.good_till_ms,
    )
    nothing: Row = {"avgPrice": padded(ZERO, rules.price_precision), "cumQuote": "0"}
    return order_answer(rules, order) | nothing


def order_row(rules: Instrument, order: Order) -> Row:
    """Write an order as queries and lists show it."""
    return _common_order_fields(rules, order) | {
        "avgPrice": padded(order.average_price, rules.price_precision + 1),
        "cumQuote": plain(order.quote) if order.quote else padded(ZERO, rules.price_precision),
        "time": order.created_ms,
    }


def all_orders_row(rules: Instrument, order: Order) -> Row:
    """Write a row of allOrders, which has two fields more since 2026-08-05."""
    base = padded(order.executed, rules.quantity_precision)
    return order_row(rules, order) | {"cumBase": base, "pair": order.symbol}


def trade_row(fill: Fill) -> Row:
    """Write a row of userTrades."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "pair": fill.symbol,
        "side": fill.side,
        "price": plain(fill.price),
        "qty": plain(fill.quantity),
        "realizedPnl": plain(money(fill.realized)),
        "quoteQty": plain(fill.quote),
        "baseQty": plain(fill.quantity),
        "commission": plain(money(fill.commission)),
        "commissionAsset": "USDT",
        "marginAsset": "USDT",
        "time": fill.time_ms,
        "buyer": fill.side == "BUY",
        "maker": fill.is_maker,
        "positionSide": fill.position_side,
    }


def modify_answer(rules: Instrument, order: Order, modify_id: str) -> Row:
    """Write the answer of a change, which echoes the caller's number for it."""
    echo: Row = {"modifyId": int(modify_id)} if modify_id else {}
    return order_answer(rules, order) | {"pair": order.symbol} | echo


def amendment_row(rules: Instrument, order: Order, index: int) -> Row:
    """Write a row of orderAmendment; the count is that of changes up to this one."""
    made = order.amendments[index]
    decimals = rules.price_precision
    change: Row = {
        "price": {"before": padded(made.price_before, decimals), "after": padded(made.price_after, decimals)},
        "origQty": {"before": plain(made.quantity_before), "after": plain(made.quantity_after)},
        "count": index + 1,
    }
    if made.modify_id:
        change["modifyId"] = int(made.modify_id)
    return {
        "amendmentId": made.amendment_id,
        "symbol": order.symbol,
        "pair": order.symbol,
        "orderId": order.order_id,
        "clientOrderId": order.client_order_id,
        "time": made.time_ms,
        "amendment": change,
    }


def order_event(order: Order, execution_type: str, now_ms: int, fill: Fill | None = None) -> Row:
    """Write ORDER_TRADE_UPDATE; ``fill`` is the execution it reports, if it is one."""
    amended = order.modify_id if execution_type == "AMENDMENT" else ""
    return {
        "e": "ORDER_TRADE_UPDATE",
        "T": now_ms,
        "E": now_ms,
        "o": {
            "s": order.symbol,
            "c": order.client_order_id,
            "S": order.side,
            "o": order.order_type,
            "f": order.time_in_force,
            "q": trimmed(order.quantity),
            "p": trimmed(order.price),
            "ap": average_text(order),
            "sp": "0",
            "x": execution_type,
            "X": order.status.value,
            "i": order.order_id,
            **({"M": amended} if amended else {}),
            "l": trimmed(fill.quantity) if fill else "0",
            "z": trimmed(order.executed),
            "L": trimmed(fill.price) if fill else "0",
            "n": trimmed(fill.commission) if fill else "0",
            "N": "USDT",
            "T": now_ms,
            "t": fill.trade_id if fill else 0,
            "b": "0",
            "a": "0",
            "m": fill.is_maker if fill else False,
            "R": order.reduce_only,
            "wt": order.working_type,
            "ot": order.order_type,
            "ps": order.position_side,
            "cp": order.close_position,
            "rp": trimmed(fill.realized) if fill else "0",
            "pP": order.price_protect,
            "si": 0,
            "ss": 0,
            "V": order.self_trade_prevention,
            "pm": order.price_match,
            "gtd": order.good_till_ms,
            "er": order.expiry_reason.value,
        },
    }


def trade_lite_event(rules: Instrument, order: Order, hint: TradeHint, now_ms: int) -> Row:
    """Write TRADE_LITE: the early word of a fill, with padded decimals."""
    return {
        "e": "TRADE_LITE",
        "E": now_ms,
        "T": now_ms,
        "s": order.symbol,
        "q": padded(order.quantity, rules.quantity_precision),
        "p": padded(order.price, rules.price_precision),
        "m": hint.is_maker,
        "c": order.client_order_id,
        "S": order.side,
        "L": padded(hint.price, rules.price_precision),
        "l": padded(hint.quantity, rules.quantity_precision),
        "t": hint.trade_id,
        "i": order.order_id,
    }
