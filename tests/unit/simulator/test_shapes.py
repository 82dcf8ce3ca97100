"""Field names and JSON types of answers and events, as recorded (``binance-usdm.md §3, §4.3, §10``).

A shape is the set of fields per JSON type; a missing, extra or re-typed field fails. Types are strict on the wire:
money is text, ids and times are integers, flags are booleans.
"""

from typing import Any

import pytest

from tests.unit.simulator.desk import ALGO, OPEN_ALGOS, OPEN_ORDERS, ORDER, Desk

Shape = dict[str, set[str]]

ORDER_ANSWER: Shape = {
    "int": {"orderId", "updateTime", "goodTillDate"},
    "bool": {"reduceOnly", "closePosition", "priceProtect"},
    "str": {
        *("clientOrderId", "cumQty", "executedQty", "origQty", "price", "side", "positionSide", "status", "stopPrice"),
        *("symbol", "timeInForce", "type", "origType", "workingType", "priceMatch", "selfTradePreventionMode"),
    },
}
ORDER_ROW: Shape = {
    "int": ORDER_ANSWER["int"] | {"time"},
    "bool": ORDER_ANSWER["bool"],
    "str": (ORDER_ANSWER["str"] - {"cumQty"}) | {"avgPrice", "cumQuote"},
}
ALL_ORDERS_ROW: Shape = ORDER_ROW | {"str": ORDER_ROW["str"] | {"cumBase", "pair"}}
TRADE_ROW: Shape = {
    "int": {"id", "orderId", "time"},
    "bool": {"buyer", "maker"},
    "str": {
        *("symbol", "pair", "side", "price", "qty", "realizedPnl", "quoteQty", "baseQty", "commission"),
        *("commissionAsset", "marginAsset", "positionSide"),
    },
}
ALGO_PLACEMENT: Shape = {
    "int": {"algoId", "createTime", "updateTime", "triggerTime", "goodTillDate"},
    "bool": {"closePosition", "priceProtect", "reduceOnly"},
    "NoneType": {"icebergQuantity"},
    "str": {
        *("clientAlgoId", "algoType", "orderType", "symbol", "side", "positionSide", "timeInForce", "quantity"),
        *("algoStatus", "triggerPrice", "price", "selfTradePreventionMode", "workingType", "priceMatch"),
    },
}
ALGO_QUERY: Shape = ALGO_PLACEMENT | {
    "bool": ALGO_PLACEMENT["bool"] | {"isActivated"},
    "str": ALGO_PLACEMENT["str"] | {"actualOrderId", "actualPrice", "actualQty", "tpOrderType"},
}
OPEN_ALGO_ROW: Shape = ALGO_QUERY | {
    "str": ALGO_QUERY["str"] | {"tpTriggerPrice", "tpPrice", "slTriggerPrice", "slPrice"},
}
TOTALS = {
    *("totalInitialMargin", "totalMaintMargin", "totalWalletBalance", "totalUnrealizedProfit", "totalMarginBalance"),
    *("totalPositionInitialMargin", "totalOpenOrderInitialMargin", "totalCrossWalletBalance", "totalCrossUnPnl"),
    *("availableBalance", "maxWithdrawAmount"),
}
ACCOUNT_V3: Shape = {"str": TOTALS, "list": {"assets", "positions"}}
ACCOUNT_V2: Shape = {
    "str": TOTALS,
    "list": {"assets", "positions"},
    "int": {"feeTier", "updateTime", "tradeGroupId"},
    "bool": {"feeBurn", "canTrade", "canDeposit", "canWithdraw", "multiAssetsMargin"},
}
POSITION_V3: Shape = {
    "int": {"adl", "updateTime"},
    "str": {
        *("symbol", "positionSide", "positionAmt", "entryPrice", "breakEvenPrice", "markPrice", "unRealizedProfit"),
        *("liquidationPrice", "isolatedMargin", "notional", "marginAsset", "isolatedWallet", "initialMargin"),
        *("maintMargin", "positionInitialMargin", "openOrderInitialMargin", "bidNotional", "askNotional"),
    },
}
POSITION_V2: Shape = {
    "int": {"updateTime"},
    "str": {
        *("symbol", "positionSide", "positionAmt", "entryPrice", "breakEvenPrice", "markPrice", "unRealizedProfit"),
        *("liquidationPrice", "isolatedMargin", "notional", "isolatedWallet", "leverage", "maxNotionalValue"),
        *("marginType", "isAutoAddMargin"),
    },
}
BALANCE: Shape = {
    "int": {"updateTime"},
    "bool": {"marginAvailable"},
    "str": {
        *("accountAlias", "asset", "balance", "crossWalletBalance", "crossUnPnl", "availableBalance"),
        "maxWithdrawAmount",
    },
}
SYMBOL_CONFIG: Shape = {
    "int": {"leverage"},
    "bool": {"isAutoAddMargin"},
    "str": {"symbol", "marginType", "maxNotionalValue"},
}
PREMIUM: Shape = {
    "int": {"nextFundingTime", "time"},
    "str": {"symbol", "markPrice", "indexPrice", "estimatedSettlePrice", "lastFundingRate", "interestRate"},
}
BOOK_TICKER: Shape = {
    "int": {"time", "lastUpdateId"},
    "str": {"symbol", "bidPrice", "bidQty", "askPrice", "askQty"},
}
EXCHANGE_INFO: Shape = {
    "str": {"timezone", "futuresType"},
    "int": {"serverTime"},
    "list": {"rateLimits", "exchangeFilters", "assets", "symbols"},
}
SYMBOL: Shape = {
    "int": {
        *("deliveryDate", "onboardDate", "pricePrecision", "quantityPrecision", "baseAssetPrecision"),
        *("quotePrecision", "maxMoveOrderLimit"),
    },
    "str": {
        *("symbol", "pair", "contractType", "status", "maintMarginPercent", "requiredMarginPercent", "baseAsset"),
        *("quoteAsset", "marginAsset", "underlyingType", "triggerProtect", "liquidationFee", "marketTakeBound"),
    },
    "list": {"underlyingSubType", "filters", "orderTypes", "timeInForce", "permissionSets"},
}


def shape_of(row: dict[str, Any]) -> Shape:
    """Group the fields of a row by their JSON type."""
    shape: Shape = {}
    for name, value in row.items():
        shape.setdefault(type(value).__name__, set()).add(name)
    return shape


@pytest.fixture(name="desk", scope="module")
def _desk() -> Desk:
    """A desk with one of everything."""
    desk = Desk()
    desk.listen()
    desk.market("BUY", "0.010", newClientOrderId="entry")
    desk.limit("BUY", "0.010", "59000.0", newClientOrderId="rest")
    desk.close_all_at("SELL", "STOP_MARKET", "58000", clientAlgoId="sl")
    desk.close_all_at("SELL", "TAKE_PROFIT_MARKET", "62000", clientAlgoId="tp")
    return desk


@pytest.mark.parametrize(
    ("path", "params", "expected"),
    [
        (ORDER, {"symbol": "BTCUSDT", "origClientOrderId": "entry"}, ORDER_ROW),
        ("/fapi/v1/openOrder", {"symbol": "BTCUSDT", "origClientOrderId": "rest"}, ORDER_ROW),
        (OPEN_ORDERS, {}, ORDER_ROW),
        ("/fapi/v1/allOrders", {"symbol": "BTCUSDT"}, ALL_ORDERS_ROW),
        ("/fapi/v1/userTrades", {"symbol": "BTCUSDT"}, TRADE_ROW),
        (ALGO, {"clientAlgoId": "sl"}, ALGO_QUERY),
        (OPEN_ALGOS, {"symbol": "BTCUSDT"}, OPEN_ALGO_ROW),
        ("/fapi/v1/allAlgoOrders", {"symbol": "BTCUSDT"}, OPEN_ALGO_ROW),
        ("/fapi/v3/account", {}, ACCOUNT_V3),
        ("/fapi/v2/account", {}, ACCOUNT_V2),
        ("/fapi/v3/positionRisk", {}, POSITION_V3),
        ("/fapi/v2/positionRisk", {}, POSITION_V2),
        ("/fapi/v2/balance", {}, BALANCE),
        ("/fapi/v3/balance", {}, BALANCE),
        ("/fapi/v1/symbolConfig", {}, SYMBOL_CONFIG),
        ("/fapi/v1/premiumIndex", {"symbol": "BTCUSDT"}, PREMIUM),
        ("/fapi/v1/premiumIndex", {}, PREMIUM),
        ("/fapi/v1/ticker/bookTicker", {"symbol": "BTCUSDT"}, BOOK_TICKER),
        ("/fapi/v1/ticker/bookTicker", {}, BOOK_TICKER),
        ("/fapi/v1/ticker/price", {}, {"str": {"symbol", "price"}, "int": {"time"}}),
        ("/fapi/v2/ticker/price", {"symbol": "BTCUSDT"}, {"str": {"symbol", "price"}, "int": {"time"}}),
        ("/fapi/v1/exchangeInfo", {}, EXCHANGE_INFO),
        (
            "/fapi/v1/depth",
            {"symbol": "BTCUSDT", "limit": "5"},
            {"int": {"lastUpdateId", "E", "T"}, "list": {"bids", "asks"}},
        ),
    ],
)
def test_answers_have_the_recorded_shape(desk: Desk, path: str, params: dict[str, str], expected: Shape) -> None:
    """Rows of lists are looked at by their first."""
    answer = desk.send("GET", path, **params).json
    assert expected == shape_of(answer[0] if isinstance(answer, list) else answer)


def test_symbols_have_the_recorded_shape(desk: Desk) -> None:
    """Filters too: numbers are text, the order limit is an integer."""
    symbol = desk.send("GET", "/fapi/v1/exchangeInfo").json["symbols"][0]
    assert shape_of(symbol) == SYMBOL
    numbers = {type(value) for row in symbol["filters"] for name, value in row.items() if name != "limit"}
    assert numbers == {str}


def test_order_and_algo_answers_have_the_recorded_shape() -> None:
    """Placing and cancelling answer alike."""
    desk = Desk()
    assert shape_of(desk.market("BUY", "0.010").json) == ORDER_ANSWER
    order_id = desk.limit("BUY", "0.010", "59000.0").json["orderId"]
    assert shape_of(desk.send("DELETE", ORDER, symbol="BTCUSDT", orderId=order_id).json) == ORDER_ANSWER
    assert shape_of(desk.close_all_at("SELL", "STOP_MARKET", "58000").json) == ALGO_PLACEMENT


def test_algo_placement_keeps_the_live_field_order() -> None:
    """Not that order matters, but the capture is followed."""
    names = list(Desk().algo("SELL", "STOP_MARKET", "58000", quantity="0.010").json)
    assert names[:6] == ["algoId", "clientAlgoId", "algoType", "orderType", "symbol", "side"]
    assert names[-4:] == ["createTime", "updateTime", "triggerTime", "goodTillDate"]


EVENTS: dict[str, Shape] = {
    "TRADE_LITE": {
        "int": {"E", "T", "t", "i"},
        "bool": {"m"},
        "str": {"e", "s", "q", "p", "c", "S", "L", "l"},
    },
    "ORDER_TRADE_UPDATE": {
        "int": {"i", "T", "t", "si", "ss", "gtd"},
        "bool": {"m", "R", "cp", "pP"},
        "str": {
            *("s", "c", "S", "o", "f", "q", "p", "ap", "sp", "x", "X", "l", "z", "L", "n", "N", "b", "a", "wt", "ot"),
            *("ps", "rp", "V", "pm", "er"),
        },
    },
    "ALGO_UPDATE": {
        "int": {"aid", "tt", "gtd"},
        "bool": {"cp", "pP", "R", "ia"},
        "str": {"caid", "at", "o", "s", "S", "ps", "f", "q", "X", "ai", "tp", "p", "V", "wt", "pm"},
    },
}


def test_events_have_the_recorded_shape(desk: Desk) -> None:
    """Each kind the story has told."""
    seen = set()
    for event in desk.events:
        if event["e"] in EVENTS:
            seen.add(event["e"])
            assert shape_of(event.get("o", event)) == EVENTS[event["e"]]
    assert seen == set(EVENTS)
