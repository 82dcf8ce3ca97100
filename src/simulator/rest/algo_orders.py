"""Conditional orders over REST (``binance-usdm.md §3.3`` and ``§4``)."""

from decimal import Decimal

from ..algo import AlgoTicket
from ..algo_messages import algo_placement, algo_query_answer, algo_row, open_algo_row
from ..decimals import ZERO
from ..errors import Code, refusal
from ..filters import (
    check_limit_near_trigger,
    check_notional,
    check_price,
    check_quantity,
    check_trigger_band,
    check_trigger_price,
)
from ..orders import CONDITIONAL_TYPES, LIMIT_ON_TRIGGER_TYPES, SIDES, AlgoOrder
from ..price_match import NO_MATCH
from .reading import (
    TIMES_IN_FORCE,
    check_symbol_status,
    read_good_till,
    read_position_side,
    read_price_match,
    read_row_limit,
    read_self_trade_prevention,
    read_span,
)
from .route import Call, Route, Routes, Security, costs, costs_by_symbol

_CLOSE_POSITION_TYPES = frozenset({"STOP_MARKET", "TAKE_PROFIT_MARKET"})
_WORKING_TYPES = frozenset({"CONTRACT_PRICE", "MARK_PRICE"})
# GTE_GTC is accepted in practice although not listed (§4.2).
_TIMES_IN_FORCE = TIMES_IN_FORCE | {"GTE_GTC"}
# Callback rate in percent; the upper bound is 20 since 2026-10-23 (§4.2).
_CALLBACK_MIN, _CALLBACK_MAX = Decimal("0.1"), Decimal(20)


def place(call: Call) -> object:
    """Place a conditional order."""
    params = call.params
    params.choice("algoType", frozenset({"CONDITIONAL"}), Code.PARAMETER_VALUE)
    ticket = _read_ticket(call)
    check_symbol_status(call, ticket.symbol, ticket.side, ticket.position_side)
    algo = call.algos.place(call.account, ticket)
    return algo_placement(call.venue.rules(algo.symbol), algo)


def _read_ticket(call: Call) -> AlgoTicket:
    params = call.params
    rules = call.venue.rules(params.text("symbol"))
    side = params.choice("side", SIDES, Code.SIDE)
    order_type = params.choice("type", CONDITIONAL_TYPES, Code.ORDER_TYPE)
    close_position = params.flag("closePosition")
    ticket = AlgoTicket(
        symbol=rules.symbol,
        side=side,
        order_type=order_type,
        position_side=read_position_side(params),
        quantity=_read_quantity(call, order_type, close_position=close_position),
        price=ZERO,
        trigger_price=ZERO,
        time_in_force=_read_time_in_force(call, close_position=close_position),
        working_type=params.choice("workingType", _WORKING_TYPES, Code.WORKING_TYPE, "CONTRACT_PRICE"),
        price_protect=params.flag("priceProtect"),
        close_position=close_position,
        reduce_only=_read_reduce_only(call, close_position=close_position),
        self_trade_prevention=read_self_trade_prevention(params),
        activate_price=ZERO,
        callback_rate=ZERO,
        client_algo_id=params.client_id("clientAlgoId"),
        price_match=read_price_match(call, order_type),
    )
    ticket.good_till_ms = read_good_till(call, ticket.time_in_force)
    _read_prices(call, ticket)
    return ticket


def _read_quantity(call: Call, order_type: str, *, close_position: bool) -> Decimal:
    params = call.params
    if not close_position:
        quantity = params.number("quantity")
        rules = call.venue.rules(params.text("symbol"))
        check_quantity(rules, quantity, is_market=order_type not in LIMIT_ON_TRIGGER_TYPES)
        return quantity
    if order_type not in _CLOSE_POSITION_TYPES:
        raise refusal(Code.CLOSE_POSITION_TYPE, order_type)
    if params.has("quantity") and params.number("quantity"):
        raise refusal(Code.CLOSE_POSITION_QUANTITY)
    return ZERO


def _read_time_in_force(call: Call, *, close_position: bool) -> str:
    chosen = call.params.choice("timeInForce", _TIMES_IN_FORCE, Code.TIME_IN_FORCE, "GTC")
    return call.venue.switches.close_position_time_in_force if close_position else chosen


def _read_reduce_only(call: Call, *, close_position: bool) -> bool:
    """Read reduceOnly: not in hedge mode, and not ``true`` together with closePosition (-1106, ``§4.6``)."""
    wanted = call.params.flag("reduceOnly", Code.REDUCE_ONLY_VALUE)
    is_hedge = read_position_side(call.params) != "BOTH" and call.params.has("reduceOnly")
    if is_hedge or (close_position and wanted):
        raise refusal(Code.PARAMETER_NOT_REQUIRED, "reduceonly")
    return wanted


def _read_prices(call: Call, ticket: AlgoTicket) -> None:
    params = call.params
    market = call.venue.market(ticket.symbol)
    rules = market.instrument
    if ticket.order_type == "TRAILING_STOP_MARKET":
        ticket.callback_rate = params.number("callbackRate")
        if not _CALLBACK_MIN <= ticket.callback_rate <= _CALLBACK_MAX:
            raise refusal(Code.PARAMETER_VALUE, "callbackRate")
        if params.has("activatePrice"):
            ticket.activate_price = params.number("activatePrice")
            check_trigger_price(rules, ticket.activate_price)
    else:
        ticket.trigger_price = params.number("triggerPrice")
        check_trigger_price(rules, ticket.trigger_price)
        check_trigger_band(market, ticket.trigger_price, call.venue.switches.trigger_multiplier)
    if ticket.price_match != NO_MATCH:
        # The book decides when the order fires.
        if params.has("price"):
            raise refusal(Code.PARAMETER_NOT_REQUIRED, "price")
    elif ticket.order_type in LIMIT_ON_TRIGGER_TYPES:
        ticket.price = params.number("price")
        check_price(rules, ticket.price)
        check_limit_near_trigger(rules, ticket.side, ticket.price, ticket.trigger_price)
    elif params.has("price"):
        raise refusal(Code.PARAMETER_NOT_REQUIRED, "price")
    if not ticket.reduce_only and not ticket.close_position and ticket.position_side == "BOTH":
        check_notional(rules, ticket.quantity, ticket.price or ticket.trigger_price or market.mark)


def _find(call: Call) -> AlgoOrder:
    params = call.params
    algo_id = params.integer("algoId") if params.has("algoId") else None
    if algo_id is None and not params.has("clientAlgoId"):
        raise refusal(Code.MANDATORY_PARAMETER, "algoId")
    return call.algos.find(call.account, algo_id, params.text("clientAlgoId", ""))


def query(call: Call) -> object:
    """Show one conditional order."""
    algo = _find(call)
    if algo.is_live and call.venue.switches.algo_query_is_blind:
        raise refusal(Code.NO_SUCH_ORDER)
    return algo_query_answer(call.venue.rules(algo.symbol), algo)


def cancel(call: Call) -> object:
    """Cancel one; here ``code`` is a text (``binance-usdm.md §4.3``)."""
    algo = _find(call)
    call.algos.cancel(call.account, algo)
    return {"algoId": algo.algo_id, "clientAlgoId": algo.client_algo_id, "code": "200", "msg": "success"}


def cancel_all(call: Call) -> object:
    """Cancel those of a symbol; here ``code`` is an integer."""
    call.algos.cancel_all(call.account, call.venue.rules(call.params.text("symbol")).symbol)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def list_open(call: Call) -> object:
    """List the waiting ones, oldest first."""
    symbol = call.venue.rules(call.params.text("symbol")).symbol if call.params.has("symbol") else None
    algo_id = call.params.integer("algoId", 0)
    waiting = call.account.live_algos(symbol)
    return [open_algo_row(call.venue.rules(algo.symbol), algo) for algo in waiting if algo_id in {0, algo.algo_id}]


def list_all(call: Call) -> object:
    """List those of a symbol, newest first as in the live capture."""
    params = call.params
    symbol = call.venue.rules(params.text("symbol")).symbol
    start_ms, end_ms = read_span(params)
    first_id = params.integer("algoId", 0)
    found = [
        algo
        for algo in call.account.algo_orders.values()
        if algo.symbol == symbol and start_ms <= algo.created_ms <= end_ms and algo.algo_id >= first_id
    ]
    newest = reversed(found[-read_row_limit(params) :])
    return [algo_row(call.venue.rules(symbol), algo) for algo in newest]


ROUTES: Routes = {
    ("POST", "/fapi/v1/algoOrder"): Route(place, Security.SIGNED, costs(0), counts_as_order=True),
    ("GET", "/fapi/v1/algoOrder"): Route(query, Security.SIGNED, costs(1)),
    ("DELETE", "/fapi/v1/algoOrder"): Route(cancel, Security.SIGNED, costs(1)),
    ("DELETE", "/fapi/v1/algoOpenOrders"): Route(cancel_all, Security.SIGNED, costs(1)),
    ("GET", "/fapi/v1/openAlgoOrders"): Route(list_open, Security.SIGNED, costs_by_symbol(1, 40)),
    ("GET", "/fapi/v1/allAlgoOrders"): Route(list_all, Security.SIGNED, costs(5)),
}
