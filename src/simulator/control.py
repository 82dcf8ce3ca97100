"""The control plane: look at the exchange, move prices, cause faults, trade by hand (``/sim/…``)."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from . import account_messages, messages
from .decimals import parse_number, plain
from .errors import ExchangeError
from .exchange import Exchange, HttpAnswer
from .faults import Fault, FaultName
from .messages import Row
from .streams import dump

Body = dict[str, Any]


class BadRequestError(Exception):
    """A control request that makes no sense; the text says why."""


def state(exchange: Exchange) -> Row:
    """Show everything worth asserting, in the exchange's own field names; nothing secret."""
    venue, account = exchange.venue, exchange.account
    margin = venue.margins.summary(account)
    return {
        "serverTime": venue.now_ms(),
        "prices": {symbol: plain(market.last) for symbol, market in venue.markets.items()},
        "positions": [
            account_messages.position_risk_v3(
                account, leg, venue.instruments[leg.symbol], venue.markets[leg.symbol].mark, venue.margins
            )
            for leg in account.open_positions()
        ],
        "openOrders": [
            messages.order_row(venue.instruments[order.symbol], order) for order in account.orders.open_orders()
        ],
        "openAlgoOrders": [
            messages.open_algo_row(venue.instruments[algo.symbol], algo) for algo in account.live_algos()
        ],
        "trades": [messages.trade_row(fill) for fill in account.fills],
        "balances": [account_messages.balance_row(account, margin)],
        "requests": exchange.requests.rows(),
        "nakedMs": exchange.naked.report(venue.now_ms()),
        "history": {
            "requests": exchange.requests.total,
            "orders": len(account.orders.by_id),
            "algoOrders": len(account.algo_orders),
            "trades": len(account.fills),
        },
    }


def make_fault(body: Body) -> Fault:
    """Read a fault; ``symbol`` is short for a match on that parameter."""
    known = [name.value for name in FaultName]
    if body.get("fault") not in known:
        raise BadRequestError(f"fault must be one of {', '.join(known)}")
    match = {str(name): str(value) for name, value in dict(body.get("match") or {}).items()}
    if "symbol" in body:
        match["symbol"] = str(body["symbol"])
    return Fault(
        name=FaultName(body["fault"]),
        method=str(body.get("method") or "").upper(),
        path=str(body.get("path") or "*"),
        times=int(body.get("times", 1)),
        code=int(body.get("code", -1000)),
        delay_ms=int(body.get("delay_ms", 1000)),
        match=match,
    )


def _price(exchange: Exchange, body: Body) -> Row:
    mark = _number(body, "mark") if "mark" in body else None
    exchange.set_price(str(body.get("symbol")), _number(body, "price"), mark)
    return {"symbol": body["symbol"], "price": plain(exchange.venue.markets[body["symbol"]].last)}


def _fault(exchange: Exchange, body: Body) -> Row:
    exchange.fault(make_fault(body))
    return {}


def _reset(exchange: Exchange, body: Body) -> Row:
    exchange.reset(int(body["seed"]) if body.get("seed") is not None else None)
    return {"seed": exchange.seed}


def place_by_hand(exchange: Exchange, body: Body) -> Row:
    """Place an order of the account that no client sent."""
    order = exchange.trade_by_hand(
        str(body.get("symbol")),
        str(body.get("side")),
        _number(body, "quantity"),
        reduce_only=bool(body.get("reduceOnly", False)),
        position_side=str(body.get("positionSide") or "BOTH"),
        client_order_id=str(body.get("clientOrderId") or ""),
        price=_number(body, "price") if body.get("price") is not None else None,
    )
    return messages.order_row(exchange.venue.instruments[order.symbol], order)


def _clock(exchange: Exchange, body: Body) -> Row:
    exchange.clock.offset_ms = int(body.get("offset_ms", 0))
    return {"serverTime": exchange.venue.now_ms()}


def set_account(exchange: Exchange, body: Body) -> Row:
    """Change the account past all rules: ``dualSidePosition``, ``balance``."""
    account = exchange.account
    if "dualSidePosition" in body:
        account.is_hedge_mode = bool(body["dualSidePosition"])
    if "balance" in body:
        account.wallet = _number(body, "balance")
        exchange.venue.tell_account(account, None, "ADJUSTMENT")
    return {"dualSidePosition": account.is_hedge_mode, "balance": plain(account.wallet)}


def _number(body: Body, name: str) -> Decimal:
    value = parse_number(str(body.get(name)))
    if value is None:
        raise BadRequestError(f"{name} must be a decimal number, written as text")
    return value


_ACTIONS: dict[str, Callable[[Exchange, Body], Row]] = {
    "/sim/price": _price,
    "/sim/fault": _fault,
    "/sim/reset": _reset,
    "/sim/order": place_by_hand,
    "/sim/clock": _clock,
    "/sim/account": set_account,
}


def handle_control(exchange: Exchange, method: str, path: str, body: bytes) -> HttpAnswer:
    """Answer one control request."""
    if (method, path) == ("GET", "/sim/state"):
        return _answer(200, state(exchange))
    action = _ACTIONS.get(path)
    if method != "POST" or action is None:
        return _answer(404, {"error": f"no such control: {method} {path}"})
    try:
        return _answer(200, action(exchange, _parse(body)))
    except ExchangeError as error:
        return _answer(400, {"code": error.code, "msg": error.text})
    except (BadRequestError, ValueError, TypeError) as error:
        return _answer(400, {"error": str(error)})


def _parse(body: bytes) -> Body:
    # Numbers with a point stay text: money is never a float.
    parsed = json.loads(body, parse_float=str) if body else {}
    if not isinstance(parsed, dict):
        raise BadRequestError("the body must be a JSON object")
    return parsed


def _answer(status: int, row: Row) -> HttpAnswer:
    return HttpAnswer(status, dump(row).encode())
