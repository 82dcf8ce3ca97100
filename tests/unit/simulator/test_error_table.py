"""Every error code of ``binance-usdm.md §9``, one by one: the request that earns it, its HTTP status and its text.

A code that no state of this exchange leads to is listed with the reason; the ``refuse`` fault gives it all the same.
"""

from __future__ import annotations

import pytest

from bracketeer.simulator.error_codes import Code
from bracketeer.simulator.errors import text_of
from bracketeer.simulator.profiles import ReduceOnlyConflict, Switches
from tests.unit.simulator import provoke as by
from tests.unit.simulator.desk import KEY, ORDER, Desk
from tests.unit.simulator.provoke import BATCH, DUAL, LEVERAGE, MARGIN, MARGIN_TYPE, MULTI, Provoke

LONG = by.market()
CLOSE_ALL = {"quantity": "", "closePosition": "true"}

TABLE: dict[Code, Provoke] = {
    Code.UNKNOWN: by.fault("status_500"),
    Code.DISCONNECTED: by.fault("status_503_internal"),
    Code.TOO_MANY_REQUESTS: by.repeat(61, by.get("/fapi/v1/openOrders")),
    Code.UNEXPECTED_RESPONSE: by.fault("bus_1006"),
    Code.TIMEOUT: by.fault("timeout_1007"),
    Code.OVERLOADED: by.fault("overloaded"),
    Code.TOO_MANY_ORDERS: by.repeat(301, by.market(quantity="0")),
    Code.MAINTENANCE: by.fault("maintenance"),
    Code.TIMESTAMP: by.get("/fapi/v3/balance", timestamp=1),
    Code.SIGNATURE: by.raw({"X-MBX-APIKEY": KEY}),
    Code.ILLEGAL_CHARACTERS: by.market(quantity="many"),
    Code.MANDATORY_PARAMETER: by.market(symbol=""),
    Code.PARAMETER_NOT_REQUIRED: by.market(timeInForce="GTC"),
    Code.PRECISION: by.market(quantity="0.0101"),
    Code.TIME_IN_FORCE: by.limit(timeInForce="GTX5"),
    Code.ORDER_TYPE: by.market(type="ICEBERG"),
    Code.SIDE: by.market(side="LONG"),
    Code.INTERVAL: lambda desk: desk.public("/fapi/v1/klines", "symbol=BTCUSDT&interval=7m"),
    Code.SYMBOL: by.market(symbol="NOPEUSDT"),
    Code.LISTEN_KEY: lambda desk: desk.send("PUT", "/fapi/v1/listenKey"),
    Code.TIME_SPAN: by.get("/fapi/v1/userTrades", symbol="BTCUSDT", startTime=1, endTime=10**12),
    Code.OPTIONAL_COMBINATION: by.get("/fapi/v1/userTrades", symbol="BTCUSDT", fromId=1, startTime=1),
    Code.PARAMETER_VALUE: by.algo(algoType="VP"),
    Code.RESPONSE_TYPE: by.market(newOrderRespType="FULL"),
    Code.CANCEL_REJECTED: lambda desk: desk.send("DELETE", ORDER, symbol="BTCUSDT", orderId=1),
    Code.NO_SUCH_ORDER: by.get(ORDER, symbol="BTCUSDT", orderId=1),
    Code.KEY_FORMAT: by.raw({"X-MBX-APIKEY": "short"}),
    Code.KEY_REJECTED: by.raw({"X-MBX-APIKEY": "x" * 64}),
    Code.MARGIN: by.given(by.wallet("1"), LONG),
    Code.WOULD_TRIGGER: by.algo("61000"),
    Code.REDUCE_ONLY: by.market(reduceOnly="true"),
    Code.IN_LIQUIDATION: by.given(by.liquidating, LONG),
    Code.MAX_OPEN_ORDERS: by.many_limits,
    Code.MAX_POSITION: by.after(
        by.post(LEVERAGE, symbol="BTCUSDT", leverage=125), then=by.given(by.wallet("1000000"), by.market(quantity="6"))
    ),
    Code.LEVERAGE_TOO_LOW: by.after(
        by.market(quantity="2"), then=by.given(by.wallet("9000"), by.post(LEVERAGE, symbol="BTCUSDT", leverage=1))
    ),
    Code.PRICE_NOT_POSITIVE: by.limit(price="0"),
    Code.PRICE_ABOVE_MAX: by.limit(price="4529765"),
    Code.QUANTITY_NOT_POSITIVE: by.market(quantity="0"),
    Code.QUANTITY_BELOW_MIN: by.given(by.coarse_steps, by.market(quantity="0.003")),
    Code.QUANTITY_OFF_STEP: by.given(by.coarse_steps, by.market(quantity="0.007")),
    Code.QUANTITY_ABOVE_MAX: by.market(quantity="121"),
    Code.TRIGGER_NOT_POSITIVE: by.algo("0"),
    Code.TRIGGER_ABOVE_MAX: by.algo("4529765"),
    Code.PRICE_BELOW_MIN: by.limit(price="556.0"),
    Code.PRICE_OFF_TICK: by.limit(price="59000.05"),
    Code.CLIENT_ID: by.market(newClientOrderId="no spaces"),
    Code.PRICE_ABOVE_BAND: by.limit(price="70000.0"),
    Code.PRICE_BELOW_BAND: lambda desk: desk.limit("SELL", "0.010", "50000.0"),
    Code.LEVERAGE_VALUE: by.post(LEVERAGE, symbol="BTCUSDT", leverage=126),
    Code.WORKING_TYPE: by.algo(workingType="INDEX_PRICE"),
    Code.MAX_ALGO_ORDERS: by.many_algos,
    Code.MARGIN_TYPE_UNCHANGED: by.post(MARGIN_TYPE, symbol="BTCUSDT", marginType="CROSSED"),
    Code.MARGIN_TYPE_OPEN_ORDERS: by.after(by.limit(), then=by.isolated),
    Code.MARGIN_TYPE_POSITION: by.after(LONG, then=by.isolated),
    Code.MARGIN_NOT_ISOLATED: by.after(LONG, then=by.post(MARGIN, symbol="BTCUSDT", amount="1", type=1)),
    Code.CROSS_BALANCE: by.after(by.isolated, LONG, then=by.post(MARGIN, symbol="BTCUSDT", amount="99999", type=1)),
    Code.ISOLATED_BALANCE: by.after(by.isolated, LONG, then=by.post(MARGIN, symbol="BTCUSDT", amount="99999", type=2)),
    Code.MARGIN_NO_POSITION: by.after(by.isolated, then=by.post(MARGIN, symbol="BTCUSDT", amount="1", type=1)),
    Code.MARGIN_AMOUNT: by.post(MARGIN, symbol="BTCUSDT", amount="0", type=1),
    Code.POSITION_MODE_UNCHANGED: by.post(DUAL, dualSidePosition="false"),
    Code.POSITION_SIDE_VALUE: by.market(positionSide="UP"),
    Code.POSITION_SIDE_MISMATCH: by.market(positionSide="LONG"),
    Code.REDUCE_ONLY_VALUE: by.market(reduceOnly="maybe"),
    Code.POSITION_MODE_OPEN_ORDERS: by.after(by.limit(), then=by.post(DUAL, dualSidePosition="true")),
    Code.POSITION_MODE_POSITION: by.after(LONG, then=by.post(DUAL, dualSidePosition="true")),
    Code.BATCH_SIZE: by.post(BATCH, batchOrders="[]"),
    Code.DUPLICATE_CLIENT_ID: by.repeat(2, by.limit(newClientOrderId="twice")),
    Code.USE_ALGO_ENDPOINT: by.market(type="STOP_MARKET", stopPrice="58000"),
    Code.CLOSE_POSITION_EXISTS: by.after(LONG, then=by.repeat(2, by.algo(**CLOSE_ALL))),
    Code.COUNTER_PRICE: by.given(lambda desk: desk.price("60000", mark="50000"), LONG),
    Code.CLOSE_POSITION_TYPE: by.after(LONG, then=by.algo(order_type="STOP", price="58000", **CLOSE_ALL)),
    Code.CLOSE_POSITION_QUANTITY: by.after(LONG, then=by.algo(closePosition="true")),
    Code.SYMBOL_STATUS: by.market(symbol="EOSUSDT", quantity="100"),
    Code.ISOLATED_LEVERAGE: by.after(by.isolated, LONG, then=by.post(LEVERAGE, symbol="BTCUSDT", leverage=2)),
    Code.MIN_NOTIONAL: by.limit(quantity="0.001", price="3000.0"),
    Code.MULTI_ASSETS_ISOLATED_SYMBOL: by.after(by.isolated, then=by.post(MULTI, multiAssetsMargin="true")),
    Code.ISOLATED_IN_MULTI_ASSETS: by.after(by.post(MULTI, multiAssetsMargin="true"), then=by.isolated),
    Code.MULTI_ASSETS_MARGIN: by.after(
        by.market(quantity="2"), then=by.given(by.wallet("100"), by.post(MULTI, multiAssetsMargin="true"))
    ),
    Code.MULTI_ASSETS_OPEN_ORDERS: by.after(by.limit(), then=by.post(MULTI, multiAssetsMargin="true")),
    Code.MULTI_ASSETS_UNCHANGED: by.post(MULTI, multiAssetsMargin="false"),
    Code.MULTI_ASSETS_BALANCE: by.given(by.wallet("-1"), by.post(MULTI, multiAssetsMargin="true")),
    Code.LIMIT_ABOVE_TRIGGER_BAND: by.algo("61000", "STOP", "BUY", price="70000"),
    Code.LIMIT_BELOW_TRIGGER_BAND: by.algo("58000", "STOP", price="50000"),
    Code.TRIGGER_ABOVE_BAND: by.algo("4000000", "TAKE_PROFIT_MARKET"),
    Code.TRIGGER_BELOW_BAND: by.algo("600"),
    Code.GTE_WITHOUT_POSITION: by.algo(**CLOSE_ALL),
    Code.INVALID_PATH: by.get("/fapi/v1/nothing"),
    Code.FOK_REFUSED: by.limit(timeInForce="FOK"),
    Code.POST_ONLY_REFUSED: by.limit(price="61000.0", timeInForce="GTX"),
    Code.MODIFY_SYMBOL_STATUS: by.after(by.limit(), then=by.given(by.halt, by.modify())),
    Code.MODIFY_TOO_MANY: by.modified_too_often,
    Code.MODIFY_UNCHANGED: by.after(by.limit(), then=by.modify(quantity="0.010")),
    Code.ENGINE_TIMESTAMP: by.fault("late_at_engine", delay_ms=5001),
    Code.MODIFY_NOTIONAL: by.after(by.limit(), then=by.modify(quantity="0.001", price="49000.0")),
    Code.PRICE_MATCH: by.limit(price="", priceMatch="BEST"),
    Code.PRICE_MATCH_TYPE: by.market(priceMatch="OPPONENT"),
    Code.SELF_TRADE_PREVENTION: by.market(selfTradePreventionMode="HOPE"),
    Code.GOOD_TILL_DATE: by.limit(timeInForce="GTD", goodTillDate=1),
    Code.PRICE_MATCH_DEPTH: by.given(
        lambda desk: desk.price("557"), by.limit(quantity="0.100", price="", priceMatch="QUEUE_20")
    ),
    Code.MODIFY_PENDING: by.modify_twice,
    Code.MODIFY_REDUCE_ONLY: by.after(by.limit(), then=by.modify(reduceOnly="true")),
}

_NO_RESTRICTION = "accounts here have no restriction of that kind"
_NOT_RAISED = "parameters this exchange does not know are ignored, as clients expect (§3.0)"
_SPECIFIC = "a more specific code is given instead"
NOT_PROVOKED: dict[Code, str] = {
    Code.UNAUTHORIZED: _SPECIFIC,
    Code.INVALID_MESSAGE: "the WS API's own; see test_ws_api",
    Code.UNSUPPORTED_OPERATION: "the WS API's own; see test_ws_api",
    Code.UNKNOWN_ORDER_COMPOSITION: _SPECIFIC,
    Code.NOT_FOUND: _SPECIFIC,
    Code.TOO_MANY_PARAMETERS: _NOT_RAISED,
    Code.UNKNOWN_PARAMETER: _NOT_RAISED,
    Code.UNREAD_PARAMETERS: _NOT_RAISED,
    Code.PARAMETER_EMPTY: "an empty parameter counts as missing (-1102)",
    Code.BAD_ASSET: "no modelled endpoint takes an asset",
    Code.BAD_ACCOUNT: "no modelled endpoint takes an account",
    Code.NO_DEPTH: "an empty side refuses a MARKET order with -4131",
    Code.TIME_IN_FORCE_NOT_REQUIRED: "timeInForce on MARKET is -1106 (§5.1)",
    Code.EMPTY_NEW_CLIENT_ID: "an empty id counts as absent, and one is generated",
    Code.EMPTY_ORIGINAL_CLIENT_ID: "an empty id counts as missing (-1102)",
    Code.BAD_SYMBOL_STATUS: "a symbol that is not trading is -4140 (§6)",
    Code.NEW_ORDER_REJECTED: _SPECIFIC,
    Code.BATCH_CANCEL: "elements of a batch fail one by one",
    Code.KEYS_LOCKED: _NO_RESTRICTION,
    Code.BALANCE: "futures orders need margin (-2019), not balance",
    Code.UNABLE_TO_FILL: "what cannot be filled rests or expires",
    Code.POSITION_NOT_SUFFICIENT: "answers the control plane alone: nothing to liquidate or deleverage",
    Code.REDUCE_ONLY_TYPE: "all modelled types allow reduceOnly",
    Code.ORDER_STATUS: "no modelled endpoint takes an order status",
    Code.BATCH_FAILED: "elements of a batch fail one by one",
    Code.USER_REDUCE_ONLY: _NO_RESTRICTION,
    Code.USER_NO_TRADE: _NO_RESTRICTION,
    Code.SYMBOL_REDUCE_ONLY: "positionControlSide is NONE for every symbol (§6)",
    Code.SYMBOL_REDUCE_ONLY_BUY: "positionControlSide is NONE for every symbol (§6)",
    Code.SYMBOL_REDUCE_ONLY_SELL: "positionControlSide is NONE for every symbol (§6)",
    Code.ACCOUNT_INACTIVE: _NO_RESTRICTION,
    Code.STOP_TRIGGERING: "a trigger and its order are one step here, no cancel falls in between",
    Code.ACTIVATION_PRICE: "a bad activatePrice breaks a filter first (-4006, -4014), or is -2021",
    Code.CLOSE_POSITION_REDUCE_ONLY: "reduceOnly with closePosition is -1106 (§4.6)",
    Code.SYMBOL_CLOSED: "a symbol that is not trading is -4140 (§6)",
    Code.STRATEGY_WOULD_TRIGGER: "for strategy orders; conditional ones are -2021 (§4.5)",
    Code.ACCOUNT_REDUCE_ONLY: _NO_RESTRICTION,
    Code.COOLING_OFF: _NO_RESTRICTION,
    Code.LEVERAGE_KYC: _NO_RESTRICTION,
    Code.QUANTITATIVE_RULES: _NO_RESTRICTION,
    Code.LARGE_POSITION: _NO_RESTRICTION,
    Code.REGION_RESTRICTED: _NO_RESTRICTION,
    Code.REGION_COMPLIANCE: _NO_RESTRICTION,
    Code.MODIFY_LIMIT_ONLY: "only LIMIT orders rest, and one that is not open is -2013",
    Code.MODE_OUT_OF_SYNC: "gone with the integration of 2026-06-30 (§14)",
}

# Other statuses than 400, written down a second time on purpose (§2.2, §7.3, §8).
STATUSES = {
    **dict.fromkeys((Code.TOO_MANY_REQUESTS, Code.TOO_MANY_ORDERS), 429),
    **dict.fromkeys((Code.KEY_FORMAT, Code.KEY_REJECTED, Code.UNAUTHORIZED), 401),
    **dict.fromkeys((Code.DISCONNECTED, Code.OVERLOADED, Code.MAINTENANCE), 503),
    Code.INVALID_PATH: 404,
    Code.TIMEOUT: 408,
    Code.UNKNOWN: 500,
}


@pytest.mark.parametrize("code", TABLE, ids=lambda code: f"{int(code)}")
def test_request_earns_its_code(code: Code) -> None:
    """Status, code and text; what stands in braces is filled in."""
    reply = TABLE[code](Desk())
    assert (reply.code, reply.status) == (code, STATUSES.get(code, 400)), reply.json
    fixed = max(text_of(code, *["|"] * 5).split("|"), key=len)
    assert fixed in reply.json["msg"]
    assert "{" not in reply.json["msg"]


@pytest.mark.parametrize("code", NOT_PROVOKED, ids=lambda code: f"{int(code)}")
def test_other_codes_come_by_fault(code: Code) -> None:
    """Whoever wants to see his client meet one of them asks for it."""
    reply = by.fault("refuse", code=int(code))(Desk())
    assert (reply.code, reply.status) == (code, STATUSES.get(code, 400))
    assert reply.json["msg"] == text_of(code)
    assert reply.json["msg"] != text_of(-9999)


@pytest.mark.parametrize("conflict", ReduceOnlyConflict)
def test_codes_that_a_switch_chooses(conflict: ReduceOnlyConflict) -> None:
    """Open point 11: a market close beside a resting reduce-only order."""
    desk = Desk(switches=Switches(reduce_only_conflict=conflict))
    desk.market("BUY", "0.010")
    desk.limit("SELL", "0.010", "61000.0", reduceOnly="true")
    expected = {"refuse": Code.REDUCE_ONLY, "refuse_4118": Code.REDUCE_ONLY_CONFLICT, "displace": None}[conflict]
    assert desk.market("SELL", "0.010", reduceOnly="true").code == expected


ELSEWHERE = {
    Code.REDUCE_ONLY_CONFLICT,  # the test above
}


def test_every_code_is_accounted_for() -> None:
    """Provoked, explained, or chosen by a switch; never two of these."""
    assert set(TABLE) | set(NOT_PROVOKED) | ELSEWHERE == set(Code)
    assert not set(TABLE) & set(NOT_PROVOKED)
