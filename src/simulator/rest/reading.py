"""What order requests have in common: parameters read and checked (``binance-usdm.md §5.1``)."""

from decimal import Decimal

from ..admission import is_closing_side
from ..decimals import ZERO
from ..errors import Code, refusal
from ..filters import check_price, check_price_band, check_quantity, check_trigger_price
from ..markets import Market
from ..orders import CONDITIONAL_TYPES, LIMIT_ON_TRIGGER_TYPES, SIDES, Order, OrderTicket
from ..params import Params
from ..price_match import NO_MATCH, check_match, matched_price
from .route import Call

POSITION_SIDES = frozenset({"BOTH", "LONG", "SHORT"})
TIMES_IN_FORCE = frozenset({"GTC", "IOC", "FOK", "GTX", "GTD"})
STP_MODES = frozenset({"EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "NONE"})
RESPONSE_TYPES = frozenset({"ACK", "RESULT"})
# A date must lie more than this ahead, and before the year 10000 (``§5.2``).
_DATE_AHEAD_MS = 600_000
_DATE_END_MS = 253_402_300_799_000
_ROWS_DEFAULT, _ROWS_MAX = 500, 1000


def read_ticket(call: Call) -> OrderTicket:
    """Read and check the parameters of an order."""
    params = call.params
    market = call.venue.market(params.text("symbol"))
    rules = market.instrument
    side = params.choice("side", SIDES, Code.SIDE)
    order_type = params.text("type")
    if order_type in CONDITIONAL_TYPES:
        raise refusal(Code.USE_ALGO_ENDPOINT)
    if order_type not in {"LIMIT", "MARKET"}:
        raise refusal(Code.ORDER_TYPE)
    ticket = OrderTicket(
        symbol=rules.symbol,
        side=side,
        order_type=order_type,
        quantity=params.number("quantity"),
        position_side=read_position_side(params),
        reduce_only=read_reduce_only(params),
        client_order_id=params.client_id("newClientOrderId"),
        self_trade_prevention=read_self_trade_prevention(params),
        price_match=read_price_match(call, order_type),
    )
    check_quantity(rules, ticket.quantity, is_market=order_type == "MARKET")
    if order_type == "MARKET":
        for name in ("timeInForce", "price"):
            if params.has(name):
                raise refusal(Code.PARAMETER_NOT_REQUIRED, name.lower())
    else:
        ticket.time_in_force = params.choice("timeInForce", TIMES_IN_FORCE, Code.TIME_IN_FORCE)
        ticket.good_till_ms = read_good_till(call, ticket.time_in_force)
        ticket.price = read_limit_price(call, market, side, ticket.price_match)
    check_symbol_status(call, ticket.symbol, side, ticket.position_side)
    return ticket


def read_old_conditional(call: Call) -> tuple[OrderTicket, Decimal]:
    """Read a conditional order in its old form, which only order/test still knows; give its stop price as well."""
    params = call.params
    market = call.venue.market(params.text("symbol"))
    rules, order_type = market.instrument, params.text("type")
    has_limit = order_type in LIMIT_ON_TRIGGER_TYPES
    ticket = OrderTicket(
        symbol=rules.symbol,
        side=params.choice("side", SIDES, Code.SIDE),
        order_type=order_type,
        quantity=ZERO if params.flag("closePosition") else params.number("quantity"),
        position_side=read_position_side(params),
        reduce_only=read_reduce_only(params),
        close_position=params.flag("closePosition"),
        client_order_id=params.client_id("newClientOrderId"),
        time_in_force=params.choice("timeInForce", TIMES_IN_FORCE, Code.TIME_IN_FORCE, "GTC"),
    )
    if not ticket.close_position:
        check_quantity(rules, ticket.quantity, is_market=not has_limit)
    if has_limit:
        ticket.price = params.number("price")
        check_price(rules, ticket.price)
    if order_type == "TRAILING_STOP_MARKET":
        params.number("callbackRate")
        return ticket, ZERO
    stop_price = params.number("stopPrice")
    check_trigger_price(rules, stop_price)
    return ticket, stop_price


def read_limit_price(call: Call, market: Market, side: str, price_match: str) -> Decimal:
    """Give the limit price that was sent, or the one of the book, within the filters."""
    if price_match == NO_MATCH:
        price = call.params.number("price")
    elif call.params.has("price"):
        raise refusal(Code.PARAMETER_NOT_REQUIRED, "price")
    else:
        price = matched_price(market, side, price_match)
    check_price(market.instrument, price)
    check_price_band(market, side, price)
    return price


def read_price_match(call: Call, order_type: str) -> str:
    """Read priceMatch; absent means none."""
    match = call.params.text("priceMatch", NO_MATCH)
    check_match(match, order_type, call.venue.switches)
    return match


def read_self_trade_prevention(params: Params) -> str:
    """Read selfTradePreventionMode; the default is what the venue echoes (``§5.5``)."""
    return params.choice("selfTradePreventionMode", STP_MODES, Code.SELF_TRADE_PREVENTION, "EXPIRE_MAKER")


def read_good_till(call: Call, time_in_force: str) -> int:
    """Read goodTillDate, which GTD needs; its milliseconds are ignored (``§5.2``). 0 for all others."""
    if time_in_force != "GTD":
        return 0
    moment_ms = call.params.integer("goodTillDate")
    if not call.venue.now_ms() + _DATE_AHEAD_MS < moment_ms < _DATE_END_MS:
        raise refusal(Code.GOOD_TILL_DATE)
    return moment_ms // 1000 * 1000


def read_position_side(params: Params) -> str:
    """Read positionSide; absent means BOTH."""
    return params.choice("positionSide", POSITION_SIDES, Code.POSITION_SIDE_VALUE, "BOTH")


def read_reduce_only(params: Params) -> bool:
    """Read reduceOnly, which must not be sent in hedge mode (-1106, ``§12.2``)."""
    if params.has("reduceOnly") and read_position_side(params) != "BOTH":
        raise refusal(Code.PARAMETER_NOT_REQUIRED, "reduceonly")
    return params.flag("reduceOnly", Code.REDUCE_ONLY_VALUE)


def check_symbol_status(call: Call, symbol: str, side: str, position_side: str) -> None:
    """Refuse opening on a symbol that is not TRADING (-4140); closing stays possible."""
    leg = call.account.position(symbol, position_side)
    closes = leg.amount != ZERO and is_closing_side(side, position_side, leg.amount)
    if not call.venue.rules(symbol).is_trading and not closes:
        raise refusal(Code.SYMBOL_STATUS)


def find_order(call: Call) -> Order | None:
    """Find the order a request names by id, which wins, or by client id; what the venue has forgotten is not found."""
    params = call.params
    symbol = call.venue.rules(params.text("symbol")).symbol
    order_id = params.integer("orderId") if params.has("orderId") else None
    if order_id is None and not params.has("origClientOrderId"):
        raise refusal(Code.MANDATORY_PARAMETER, "orderId")
    order = call.trading.find(call.account, symbol, order_id, params.text("origClientOrderId", ""))
    return None if order is None or order.is_forgotten(call.venue.now_ms()) else order


def read_row_limit(params: Params, default: int = _ROWS_DEFAULT, most: int = _ROWS_MAX) -> int:
    """Read ``limit``: 500 by default, 1000 at most."""
    limit = params.integer("limit", default)
    if not 1 <= limit <= most:
        raise refusal(Code.PARAMETER_VALUE, "limit")
    return limit


def read_span(params: Params) -> tuple[int, int]:
    """Read ``startTime`` and ``endTime``; absent ones do not limit."""
    return params.integer("startTime", 0), params.integer("endTime", 2**62)


def read_window(params: Params, now_ms: int, longest_ms: int) -> tuple[int, int]:
    """Read ``startTime`` and ``endTime`` where the window is limited; one alone gets the other, none the latest.

    A window that is longer, or ends before it starts, is -1127.
    """
    if params.has("startTime"):
        start_ms = params.integer("startTime")
        end_ms = params.integer("endTime", start_ms + longest_ms)
    else:
        end_ms = params.integer("endTime", now_ms)
        start_ms = end_ms - longest_ms
    if not 0 <= end_ms - start_ms <= longest_ms:
        raise refusal(Code.TIME_SPAN, longest_ms // 3_600_000)
    return start_ms, end_ms
