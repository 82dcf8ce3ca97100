"""Orders as the exchange writes them: REST answers and user stream events.

REST shapes: ``binance-usdm.md §3.2`` and ``§4.3``; event letters: ``§10.3`` to ``§10.5``. Since the 2026 integration no
order answer carries ``avgPrice`` or ``cumQuote``; only queries do.
"""

from dataclasses import dataclass
from decimal import Decimal

from .decimals import ZERO, money, padded, plain, trimmed
from .instruments import Instrument
from .orders import AlgoOrder, AlgoStatus, Fill, Order

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
        "priceMatch": "NONE",
        "selfTradePreventionMode": order.self_trade_prevention,
        "goodTillDate": 0,
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


def order_event(order: Order, execution_type: str, now_ms: int, fill: Fill | None = None) -> Row:
    """Write ORDER_TRADE_UPDATE; ``fill`` is the execution it reports, if it is one."""
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
            "pm": "NONE",
            "gtd": 0,
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


def algo_placement(rules: Instrument, algo: AlgoOrder) -> Row:
    """Write the answer of placing a conditional order, in the order of the live capture (``binance-usdm.md §4.3``)."""
    is_trailing = algo.order_type == "TRAILING_STOP_MARKET"
    trailing = (
        {"activatePrice": plain(algo.activate_price), "callbackRate": plain(algo.callback_rate)} if is_trailing else {}
    )
    return {
        "algoId": algo.algo_id,
        "clientAlgoId": algo.client_algo_id,
        "algoType": "CONDITIONAL",
        "orderType": algo.order_type,
        "symbol": algo.symbol,
        "side": algo.side,
        "positionSide": algo.position_side,
        "timeInForce": algo.time_in_force,
        "quantity": plain(algo.quantity),
        "algoStatus": algo.status.value,
        "triggerPrice": padded(algo.trigger_price, rules.price_precision),
        "price": padded(algo.price, rules.price_precision),
        "icebergQuantity": None,
        "selfTradePreventionMode": algo.self_trade_prevention,
        "workingType": algo.working_type,
        "priceMatch": "NONE",
        "closePosition": algo.close_position,
        "priceProtect": algo.price_protect,
        "reduceOnly": algo.reduce_only,
        **trailing,
        "createTime": algo.created_ms,
        "updateTime": algo.updated_ms,
        "triggerTime": algo.trigger_ms,
        "goodTillDate": 0,
    }


def open_algo_row(rules: Instrument, algo: AlgoOrder) -> Row:
    """Write a row of openAlgoOrders: numbers trimmed, actual fields empty."""
    return algo_placement(rules, algo) | {
        "triggerPrice": trimmed(algo.trigger_price),
        "price": _at_least_one_decimal(algo.price),
        "actualOrderId": "",
        "actualQty": "0.0",
        "actualPrice": "0.0",
        "tpTriggerPrice": "0.0",
        "tpPrice": "0.0",
        "slTriggerPrice": "0.0",
        "slPrice": "0.0",
        "tpOrderType": "",
        "isActivated": algo.is_activated,
    }


_ONLY_IN_LISTS = frozenset({"tpTriggerPrice", "tpPrice", "slTriggerPrice", "slPrice"})


def algo_query_answer(rules: Instrument, algo: AlgoOrder) -> Row:
    """Write the answer of a single query: a row of allAlgoOrders without its prices of linked orders."""
    return {name: value for name, value in algo_row(rules, algo).items() if name not in _ONLY_IN_LISTS}


def algo_row(rules: Instrument, algo: AlgoOrder) -> Row:
    """Write a row of allAlgoOrders."""
    row = open_algo_row(rules, algo) | {"actualPrice": padded(ZERO, 7)}
    order = algo.order
    if order is None:
        return row
    return row | {
        "actualOrderId": str(order.order_id),
        "actualPrice": padded(order.average_price, 7),
        "actualQty": _at_least_one_decimal(order.executed),
        "actualType": order.order_type,
    }


def _at_least_one_decimal(value: Decimal) -> str:
    text = trimmed(value)
    return text if "." in text else text + ".0"


def algo_event(algo: AlgoOrder, now_ms: int) -> Row:
    """Write ALGO_UPDATE in its present status."""
    body: Row = {
        "caid": algo.client_algo_id,
        "aid": algo.algo_id,
        "at": "CONDITIONAL",
        "o": algo.order_type,
        "s": algo.symbol,
        "S": algo.side,
        "ps": algo.position_side,
        "f": algo.time_in_force,
        "q": trimmed(algo.quantity),
        "X": algo.status.value,
        "ai": "" if algo.order is None else str(algo.order.order_id),
    }
    if algo.order is not None:
        # TRIGGERED tells of the acceptance, before the order has executed anything.
        has_result = algo.status is AlgoStatus.FINISHED
        body |= {
            "ap": average_text(algo.order) if has_result else "0",
            "aq": trimmed(algo.order.executed) if has_result else "0",
            "act": algo.order.order_type,
        }
    body |= {
        "tp": trimmed(algo.trigger_price),
        "p": trimmed(algo.price),
        "V": algo.self_trade_prevention,
        "wt": algo.working_type,
        "pm": "NONE",
        "cp": algo.close_position,
        "pP": algo.price_protect,
        "R": algo.reduce_only,
        "tt": algo.trigger_ms,
        "gtd": 0,
        "ia": algo.is_activated,
    }
    if algo.reject_reason:
        body["rm"] = algo.reject_reason
    return {"e": "ALGO_UPDATE", "T": now_ms, "E": now_ms, "o": body}
