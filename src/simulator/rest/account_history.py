"""What happened to an account, and where it stands with the venue's rules (``binance-usdm.md §3.2, §3.4``)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TypeVar

from ..account_messages import adl_quantile, wire_number
from ..decimals import plain
from ..errors import Code, refusal
from ..forced import ADL_CLIENT_ID
from ..instruments import Instrument
from ..ledger import INCOME_TYPES, Income
from ..ledger import history as income_history
from ..messages import Row, all_orders_row
from ..orders import Order
from ..params import Params
from .route import Call, Route, Routes, Security, costs, costs_by_symbol

_DAY_MS = 24 * 60 * 60 * 1000
_RECENT_MS = 7 * _DAY_MS
_INCOME_LIFE_MS = 90 * _DAY_MS  # three months (§3.4)
_CLOSE_TYPES = frozenset({"", "LIQUIDATION", "ADL"})
# Indicators of the quantitative rules: unfilled ratio, IOC/FOK expiry ratio, cancel ratio, dust ratio. Here nobody is
# ever locked out; the bounds are those of the venue's own example.
_INDICATORS = (("UFR", "0.995"), ("IFER", "0.99"), ("GCR", "0.99"), ("DR", "0.99"))

Item = TypeVar("Item")


def _symbol(call: Call) -> str | None:
    return call.venue.rules(call.params.text("symbol")).symbol if call.params.has("symbol") else None


def _limit(params: Params, default: int, largest: int) -> int:
    limit = params.integer("limit", default)
    if not 1 <= limit <= largest:
        raise refusal(Code.PARAMETER_VALUE, "limit")
    return limit


def _span(call: Call, life_ms: int) -> tuple[int, int]:
    """Read a span of time; without its start the latest week is meant."""
    params = call.params
    now_ms = call.venue.now_ms()
    end_ms = params.integer("endTime", now_ms)
    start_ms = params.integer("startTime", end_ms - _RECENT_MS)
    if start_ms > end_ms:
        raise refusal(Code.TIME_SPAN)
    return max(start_ms, now_ms - life_ms), end_ms


def _cut(params: Params, rows: Sequence[Item], limit: int) -> Sequence[Item]:
    """Keep the oldest rows of a span that was asked for, else the newest."""
    return rows[:limit] if params.has("startTime") else rows[-limit:]


def income(call: Call) -> object:
    """List wallet changes, oldest first."""
    params = call.params
    symbol, kind = _symbol(call), params.choice("incomeType", INCOME_TYPES | {""}, Code.PARAMETER_VALUE, "")
    limit = _limit(params, 100, 1000)
    start_ms, end_ms = _span(call, _INCOME_LIFE_MS)
    rows = [
        _income_row(entry)
        for entry in income_history(call.account.fills, call.account.ledger)
        if symbol in {None, entry.symbol} and kind in {"", entry.kind} and start_ms <= entry.time_ms <= end_ms
    ]
    return _cut(params, rows, limit)


def _income_row(entry: Income) -> Row:
    return {
        "symbol": entry.symbol,
        "incomeType": entry.kind,
        "income": plain(entry.amount),
        "asset": "USDT",
        "info": entry.kind,
        "time": entry.time_ms,
        "tranId": entry.transaction_id,
        "tradeId": entry.trade_id,
    }


def force_orders(call: Call) -> object:
    """List the account's liquidations and deleveragings, oldest first."""
    params = call.params
    symbol, close_type = _symbol(call), params.choice("autoCloseType", _CLOSE_TYPES, Code.PARAMETER_VALUE, "")
    limit = _limit(params, 50, 100)
    start_ms, end_ms = _span(call, 90 * _DAY_MS)
    rows = [
        _force_order_row(call.venue.rules(order.symbol), order)
        for order in call.account.forced_orders
        if symbol in {None, order.symbol}
        and close_type in {"", "ADL" if order.client_order_id == ADL_CLIENT_ID else "LIQUIDATION"}
        and start_ms <= order.created_ms <= end_ms
    ]
    return _cut(params, rows, limit)


def _force_order_row(rules: Instrument, order: Order) -> Row:
    """Write a forced order, which calls itself LIMIT here and LIQUIDATION on the stream."""
    kept = (
        "orderId", "symbol", "pair", "status", "clientOrderId", "price", "avgPrice", "origQty", "executedQty",
        "cumQuote", "cumBase", "timeInForce", "reduceOnly", "closePosition", "side", "positionSide", "stopPrice",
        "workingType", "time", "updateTime",
    )  # fmt: skip
    kind = "LIMIT" if order.order_type == "LIQUIDATION" else order.order_type
    row = all_orders_row(rules, order)
    return {name: row[name] for name in kept} | {"type": kind, "origType": kind}


def margin_moves(call: Call) -> object:
    """List what the owner put into isolated legs and took out, oldest first."""
    params = call.params
    symbol = call.venue.rules(params.text("symbol")).symbol
    move_type = params.integer("type", 0)
    limit = _limit(params, 500, 500)
    start_ms, end_ms = params.integer("startTime", 0), params.integer("endTime", call.venue.now_ms())
    rows = [
        {
            "symbol": move.symbol,
            "type": move.move_type,
            "deltaType": "USER_ADJUST",
            "amount": plain(move.amount),
            "asset": "USDT",
            "time": move.time_ms,
            "positionSide": move.position_side,
        }
        for move in call.account.margin_moves
        if move.symbol == symbol and move_type in {0, move.move_type} and start_ms <= move.time_ms <= end_ms
    ]
    return _cut(params, rows, limit)


def leverage_bracket(call: Call) -> object:
    """Tell the tiers; all figures are JSON numbers. The shape with ``symbol`` is open point 14."""
    symbol = _symbol(call)
    rows = [_bracket_row(rules) for rules in call.venue.instruments.values() if symbol in {None, rules.symbol}]
    is_object = symbol is not None and not call.venue.switches.leverage_bracket_always_list
    return rows[0] if is_object else rows


def _bracket_row(rules: Instrument) -> Row:
    brackets = [
        {
            "bracket": tier.number,
            "initialLeverage": tier.leverage_max,
            "notionalCap": wire_number(tier.notional_cap),
            "notionalFloor": wire_number(tier.notional_floor),
            "maintMarginRatio": wire_number(tier.maintenance_rate),
            "cum": wire_number(tier.cum),
        }
        for tier in rules.brackets
    ]
    return {"symbol": rules.symbol, "brackets": brackets}


def adl_quantiles(call: Call) -> object:
    """Tell the place in the deleveraging queue of symbols with a position."""
    account, symbol = call.account, _symbol(call)
    rows: list[Row] = []
    for touched in sorted({leg.symbol for leg in account.open_positions()}):
        if symbol in {None, touched}:
            sides = {leg.position_side: adl_quantile(call.venue.margins, account, leg) for leg in account.legs(touched)}
            whole = sides.get("BOTH", 0)
            # In one-way mode the whole position counts; HEDGE is only a sign that the legs stand side by side.
            extra = {"HEDGE": 0} if account.is_hedge_mode else {"BOTH": whole}
            rows.append({"symbol": touched, "adlQuantile": {"LONG": 0, "SHORT": 0, **sides, **extra}})
    return rows


def adl_risk(call: Call) -> object:
    """Tell everybody how likely deleveraging is on a symbol; here the insurance fund never runs dry."""
    symbol, now_ms = _symbol(call), call.venue.now_ms()
    rows = [
        {"symbol": rules.symbol, "adlRisk": "low", "updateTime": now_ms}
        for rules in call.venue.instruments.values()
        if rules.is_trading and symbol in {None, rules.symbol}
    ]
    return rows[0] if symbol is not None and rows else rows


def trading_status(call: Call) -> object:
    """Tell where the account stands with the quantitative rules: never locked."""
    symbol = _symbol(call)
    symbols = [symbol] if symbol else sorted(call.account.touched_symbols())
    indicators = {name: [_indicator(kind, bound) for kind, bound in _INDICATORS] for name in symbols}
    if symbol is None:
        indicators["ACCOUNT"] = [_indicator("TMV", "10") | {"value": 0}]  # a count, where the others are ratios
    return {"indicators": indicators, "updateTime": call.venue.now_ms()}


def _indicator(kind: str, bound: str) -> Row:
    trigger = wire_number(Decimal(bound))
    return {"isLocked": False, "plannedRecoverTime": 0, "indicator": kind, "value": 0.0, "triggerValue": trigger}


ROUTES: Routes = {
    ("GET", "/fapi/v1/income"): Route(income, Security.SIGNED, costs(30)),
    ("GET", "/fapi/v1/forceOrders"): Route(force_orders, Security.SIGNED, costs_by_symbol(20, 50)),
    ("GET", "/fapi/v1/positionMargin/history"): Route(margin_moves, Security.SIGNED, costs(1)),
    ("GET", "/fapi/v1/leverageBracket"): Route(leverage_bracket, Security.SIGNED, costs(1)),
    ("GET", "/fapi/v1/symbolAdlRisk"): Route(adl_risk, Security.NONE, costs(1)),
    ("GET", "/fapi/v1/adlQuantile"): Route(adl_quantiles, Security.SIGNED, costs(5)),
    ("GET", "/fapi/v1/apiTradingStatus"): Route(trading_status, Security.SIGNED, costs_by_symbol(1, 10)),
}
