"""The control plane: look at the exchange, move prices, cause faults, trade by hand (``/sim/…``)."""

import json
from collections.abc import Callable

from . import messages, switching
from .account_controls import delist, set_funding, transfer
from .answers import HttpAnswer
from .decimals import plain
from .errors import ExchangeError
from .exchange import Exchange
from .fault_reading import BadRequestError, Body, make_fault, read_number
from .faults import CATALOGUE, FaultName
from .messages import Row
from .overview import state
from .page import page_file
from .page.view import view
from .signatures import check_public_key
from .streams import dump

__all__ = ["handle_control", "make_fault", "perform", "place_by_hand", "set_account", "state"]


def _price(exchange: Exchange, body: Body) -> Row:
    mark = read_number(body, "mark") if "mark" in body else None
    exchange.set_price(str(body.get("symbol")), read_number(body, "price"), mark)
    return {"symbol": body["symbol"], "price": plain(exchange.venue.markets[body["symbol"]].last)}


def _fault(exchange: Exchange, body: Body) -> Row:
    fault = make_fault(body)
    exchange.fault(fault)
    return {"id": fault.fault_id} if fault.fault_id else {}


def _lift(exchange: Exchange, body: Body) -> Row:
    """Lift one fault by ``id``, all of a name by ``fault``, or all."""
    if "fault" in body and body["fault"] not in list(FaultName):
        raise BadRequestError(f"no such fault: {body['fault']}")
    name = FaultName(body["fault"]) if "fault" in body else None
    lifted = exchange.faults.lift(int(body["id"]) if "id" in body else None, name)
    return {"lifted": lifted}


def show_faults(exchange: Exchange) -> Row:
    """Show what can fail, and what is waiting or standing."""
    return {"catalogue": [spec.row() for spec in CATALOGUE.values()], "waiting": exchange.faults.rows()}


def _reset(exchange: Exchange, body: Body) -> Row:
    exchange.reset(int(body["seed"]) if body.get("seed") is not None else None)
    return {"seed": exchange.seed}


def place_by_hand(exchange: Exchange, body: Body) -> Row:
    """Place an order of the account that no client sent."""
    order = exchange.trade_by_hand(
        str(body.get("symbol")),
        str(body.get("side")),
        read_number(body, "quantity"),
        reduce_only=bool(body.get("reduceOnly", False)),
        position_side=str(body.get("positionSide") or "BOTH"),
        client_order_id=str(body.get("clientOrderId") or ""),
        price=read_number(body, "price") if body.get("price") is not None else None,
    )
    return messages.order_row(exchange.venue.instruments[order.symbol], order)


def _clock(exchange: Exchange, body: Body) -> Row:
    """Turn the clock: ``offset_ms`` (skew), ``step_ms``, ``freeze``, ``resume``, ``advance_ms``, in this order."""
    clock = exchange.clock
    if "offset_ms" in body:
        clock.offset_ms = int(body["offset_ms"])
    if "step_ms" in body:
        clock.step(int(body["step_ms"]))
    if body.get("freeze"):
        clock.freeze()
    if body.get("resume"):
        clock.resume()
    if "advance_ms" in body:
        by_ms = int(body["advance_ms"])
        if by_ms < 0:
            raise BadRequestError("advance_ms must not be negative; step_ms turns the clock back")
        exchange.advance(by_ms)
    return {"serverTime": exchange.venue.now_ms()}


def set_account(exchange: Exchange, body: Body) -> Row:
    """Change the account past all rules: ``dualSidePosition``, ``balance``, ``ed25519PublicKey`` (PEM)."""
    account = exchange.account
    if "ed25519PublicKey" in body:
        account.ed25519_key = check_public_key(str(body["ed25519PublicKey"]))
    if "dualSidePosition" in body:
        account.is_hedge_mode = bool(body["dualSidePosition"])
    if "balance" in body:
        account.adjust(read_number(body, "balance"), exchange.venue.now_ms())
        exchange.venue.tell_account(account, None, "ADJUSTMENT")
    return {"dualSidePosition": account.is_hedge_mode, "balance": plain(account.wallet)}


def _switch(exchange: Exchange, body: Body) -> Row:
    """Decide open points otherwise, by name: see ``profiles.Switches``."""
    exchange.set_switches(body)
    return switching.rows(exchange.switches)


# What ``POST /sim/<name>`` does, and a line of a script with ``"do": "<name>"``.
_ACTIONS: dict[str, Callable[[Exchange, Body], Row]] = {
    "price": _price,
    "fault": _fault,
    "lift": _lift,
    "reset": _reset,
    "order": place_by_hand,
    "clock": _clock,
    "account": set_account,
    "funding": set_funding,
    "transfer": transfer,
    "delist": delist,
    "switch": _switch,
}
ACTION_NAMES = frozenset(_ACTIONS)


def perform(exchange: Exchange, name: str, body: Body) -> Row:
    """Do one thing to the exchange; what makes no sense raises."""
    return _ACTIONS[name](exchange, body)


def show_orders(exchange: Exchange) -> Row:
    """Show every order the account ever had, oldest first: whose id traded is told by no trade row."""
    orders = exchange.account.orders.by_id.values()
    return {"orders": [messages.order_row(exchange.venue.instruments[order.symbol], order) for order in orders]}


def _show_trails(exchange: Exchange) -> Row:
    return exchange.trails.rows()


def _show_switches(exchange: Exchange) -> Row:
    return switching.rows(exchange.switches)


class _UnknownControlError(Exception):
    """No control has this method and path."""


_VIEWS: dict[str, Callable[[Exchange], Row]] = {
    "state": state,
    "orders": show_orders,
    "faults": show_faults,
    "trails": _show_trails,
    "switches": _show_switches,
}
_VIEW = "/sim/view/"


def handle_control(exchange: Exchange, method: str, path: str, body: bytes) -> HttpAnswer:
    """Answer one control request."""
    if method == "GET" and (found := page_file(path)) is not None:
        return found
    try:
        return _answer(200, _handle(exchange, method, path, body))
    except _UnknownControlError:
        return _answer(404, {"error": f"no such control: {method} {path}"})
    except ExchangeError as error:
        return _answer(400, {"code": error.code, "msg": error.text})
    except (BadRequestError, ValueError, TypeError) as error:
        return _answer(400, {"error": str(error)})


def _handle(exchange: Exchange, method: str, path: str, body: bytes) -> Row:
    name = path.removeprefix("/sim/")
    if method == "GET" and path.startswith(_VIEW):
        return view(exchange, path.removeprefix(_VIEW))
    if method == "GET" and name in _VIEWS:
        return _VIEWS[name](exchange)
    if (method, name) == ("DELETE", "faults"):
        method, name = "POST", "lift"
    if method != "POST" or name not in _ACTIONS:
        raise _UnknownControlError
    return perform(exchange, name, _parse(body))


def _parse(body: bytes) -> Body:
    # Numbers with a point stay text: money is never a float.
    parsed = json.loads(body, parse_float=str) if body else {}
    if not isinstance(parsed, dict):
        raise BadRequestError("the body must be a JSON object")
    return parsed


def _answer(status: int, row: Row) -> HttpAnswer:
    return HttpAnswer(status, dump(row).encode())
