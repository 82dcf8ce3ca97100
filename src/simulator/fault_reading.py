"""A fault as people write it: ``{"fault": "refuse", "code": -1001, "path": "/fapi/v1/order", "times": 2}``."""

from decimal import Decimal
from typing import Any

from .decimals import parse_number
from .faults import CATALOGUE, Fault, FaultName

Body = dict[str, Any]

_RULES = ("tickSize", "stepSize", "notional", "status", "maxQty", "marketMaxQty")
_SYMBOL_NEEDED = frozenset(
    {FaultName.LIQUIDATION, FaultName.ADL, FaultName.PRICE_GAP, FaultName.THIN_BOOK, FaultName.RULES_CHANGED}
)
_TRIGGER_CODE = -2019


class BadRequestError(Exception):
    """A control request that makes no sense; the text says why."""


def read_number(body: Body, name: str) -> Decimal:
    """Give a decimal number, written as text or as an integer."""
    value = parse_number(str(body.get(name)))
    if value is None:
        raise BadRequestError(f"{name} must be a decimal number, written as text")
    return value


def _maybe_number(body: Body, name: str) -> Decimal | None:
    return read_number(body, name) if body.get(name) is not None else None


def make_fault(body: Body) -> Fault:
    """Read a fault; ``symbol`` is short for a match on that parameter where requests are meant."""
    known = [name.value for name in FaultName]
    if body.get("fault") not in known:
        raise BadRequestError(f"fault must be one of {', '.join(known)}")
    name = FaultName(body["fault"])
    spec = CATALOGUE[name]
    if name in _SYMBOL_NEEDED and not body.get("symbol"):
        raise BadRequestError(f"{name} needs a symbol")
    match = {str(parameter): str(value) for parameter, value in dict(body.get("match") or {}).items()}
    if "symbol" in body:
        match["symbol"] = str(body["symbol"])
    return Fault(
        name=name,
        method=str(body.get("method") or spec.method).upper(),
        path=str(body.get("path") or spec.path),
        times=int(body.get("times", spec.times)),
        code=int(body.get("code", _TRIGGER_CODE if name is FaultName.TRIGGER_REJECTED else -1000)),
        delay_ms=int(body.get("delay_ms", 1000)),
        match=match,
        is_executed=body.get("executed") in {True, "true"},
        event=str(body.get("event") or ""),
        symbol=str(body.get("symbol") or ""),
        address=str(body.get("address") or ""),
        order_type=str(body.get("order_type") or ""),
        percent=_maybe_number(body, "percent"),
        price=_maybe_number(body, "price"),
        mark=_maybe_number(body, "mark"),
        rules={rule: _read_rule(body, rule) for rule in _RULES if body.get(rule) is not None},
    )


def _read_rule(body: Body, rule: str) -> str:
    return str(body[rule]) if rule == "status" else format(read_number(body, rule), "f")
