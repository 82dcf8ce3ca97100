"""Conditional orders as the exchange writes them: answers (``binance-usdm.md §4.3``) and events (``§10.5``)."""

from decimal import Decimal

from .decimals import ZERO, padded, plain, trimmed
from .instruments import Instrument
from .messages import Row, average_text
from .orders import AlgoOrder, AlgoStatus


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
        "priceMatch": algo.price_match,
        "closePosition": algo.close_position,
        "priceProtect": algo.price_protect,
        "reduceOnly": algo.reduce_only,
        **trailing,
        "createTime": algo.created_ms,
        "updateTime": algo.updated_ms,
        "triggerTime": algo.trigger_ms,
        "goodTillDate": algo.good_till_ms,
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
        "pm": algo.price_match,
        "cp": algo.close_position,
        "pP": algo.price_protect,
        "R": algo.reduce_only,
        "tt": algo.trigger_ms,
        "gtd": algo.good_till_ms,
        "ia": algo.is_activated,
    }
    if algo.reject_reason:
        body["rm"] = algo.reject_reason
    return {"e": "ALGO_UPDATE", "T": now_ms, "E": now_ms, "o": body}
