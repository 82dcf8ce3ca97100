"""The simulator's order answers have the fields and JSON types of the recorded ones; what differs has its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"

if not (FIXTURES / "index.json").exists():
    pytest.skip(f"the recorded payloads are not here ({FIXTURES})", allow_module_level=True)

from tests.contract.test_account_recorded import differences, shape  # noqa: E402
from tests.unit.simulator.desk import ALGO, OPEN_ALGOS, OPEN_ORDERS, ORDER, Desk  # noqa: E402

# The documentation shows a legacy trailing order: these two came with that type alone (``binance-usdm.md §3.2``).
LEGACY_TRAILING = {"activatePrice", "priceRate"}
# It shows a good and a refused element of a batch in one list; they are recorded as one object.
REFUSED_ELEMENT = {"code", "msg"}
# Trailing alone has them, and documented ones are empty; absent in the live capture of a STOP_MARKET (``§4.3``).
TRAILING_ONLY = {"activatePrice", "callbackRate"}
# Fields of 2026 that recordings of 2022 lack.
NEW_IN_TRADES = {"pair", "baseQty"}
# Recordings from before price match, self-trade prevention and dates; the sums left the answers in 2026 (``§3.2``).
NEW_IN_ORDERS = {"priceMatch", "selfTradePreventionMode", "goodTillDate"}
GONE_IN_2026 = {"cumQuote"}
# There after the trigger alone, in the live capture (``§4.3``).
AFTER_TRIGGER = {"actualType"}
# In the live capture, not in the documentation.
LIVE_ONLY = {"actualQty", "isActivated"}

DROPPED: dict[str, set[str]] = {
    "allOrders__official_docs": LEGACY_TRAILING,
    "batchOrders_delete__official_docs": LEGACY_TRAILING | REFUSED_ELEMENT,
    "batchOrders_post__official_docs": REFUSED_ELEMENT,
    "batchOrders_put__official_docs": REFUSED_ELEMENT,
    "openOrder__official_docs": LEGACY_TRAILING,
    "openOrders__official_docs": LEGACY_TRAILING,
    "order_delete__official_docs": LEGACY_TRAILING,
    "order_get__official_docs": LEGACY_TRAILING,
    "order_test_post__official_docs": LEGACY_TRAILING,
    "algoOrder_post__official_docs": TRAILING_ONLY,
    "allOrders__docs": LEGACY_TRAILING,
    "order_delete__trailing_canceled_docs": LEGACY_TRAILING | GONE_IN_2026,
    "order_delete__trailing_filled_race_docs": LEGACY_TRAILING | GONE_IN_2026,
    "algoOrder_get__official_docs": TRAILING_ONLY | AFTER_TRIGGER,
    "openAlgoOrders__official_docs": TRAILING_ONLY,
    "allAlgoOrders__official_docs": TRAILING_ONLY,
}
ADDED: dict[str, set[str]] = {
    "allAlgoOrders__official_docs": LIVE_ONLY,
    "algoOrder_get__official_docs": {"isActivated"},
    "openAlgoOrders__official_docs": LIVE_ONLY,
    "allOrders__docs": NEW_IN_ORDERS | {"cumBase", "pair"},
    "order_delete__trailing_canceled_docs": NEW_IN_ORDERS,
    "order_delete__trailing_filled_race_docs": NEW_IN_ORDERS,
    "userTrades__testnet_2022_ethusdt": NEW_IN_TRADES,
}


def _answers() -> dict[str, Any]:
    """Ask each question once; one desk tells the whole story."""
    desk = Desk()
    limit = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
    element = {**limit, "price": "59000", "newClientOrderId": "b"}
    put = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"}
    stop = {"quantity": "0.010", "price": "61000", "clientAlgoId": "stop"}
    answers = {
        "order_post": desk.limit("BUY", "0.010", "59000.0", newClientOrderId="o").json,
        "order_test_post": desk.send("POST", "/fapi/v1/order/test", **limit, price="59000").json,
        "order_put": desk.send("PUT", ORDER, **put, price="59100", origClientOrderId="o", modifyId=1).json,
        "orderAmendment": desk.send("GET", "/fapi/v1/orderAmendment", symbol="BTCUSDT", origClientOrderId="o").json,
        "batchOrders_post": desk.send("POST", "/fapi/v1/batchOrders", batchOrders=json.dumps([element])).json,
    }
    changed = [{**put, "price": "59200", "origClientOrderId": "b", "modifyId": 2}]
    answers |= {
        "batchOrders_put": desk.send("PUT", "/fapi/v1/batchOrders", batchOrders=json.dumps(changed)).json,
        "order_get": desk.send("GET", ORDER, symbol="BTCUSDT", origClientOrderId="o").json,
        "openOrder": desk.send("GET", "/fapi/v1/openOrder", symbol="BTCUSDT", origClientOrderId="o").json,
        "openOrders": desk.send("GET", OPEN_ORDERS).json,
        "order_delete": desk.send("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="o").json,
        "batchOrders_delete": desk.send(
            "DELETE", "/fapi/v1/batchOrders", symbol="BTCUSDT", origClientOrderIdList='["b"]'
        ).json,
        "allOrders": desk.send("GET", "/fapi/v1/allOrders", symbol="BTCUSDT").json,
        "countdownCancelAll_post": desk.send(
            "POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=100_000
        ).json,
        "allOpenOrders_delete": desk.send("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT").json,
        "algoOrder_post": desk.algo("BUY", "STOP", "61000", **stop).json,
        "algoOrder_get": desk.send("GET", ALGO, clientAlgoId="stop").json,
        "openAlgoOrders": desk.send("GET", OPEN_ALGOS).json,
        "allAlgoOrders": desk.send("GET", "/fapi/v1/allAlgoOrders", symbol="BTCUSDT").json,
        "algoOrder_delete": desk.send("DELETE", ALGO, clientAlgoId="stop").json,
        "algoOpenOrders_delete": desk.send("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT").json,
    }
    desk.market("BUY", "0.010")
    answers["userTrades"] = desk.send("GET", "/fapi/v1/userTrades", symbol="BTCUSDT").json
    return answers


ANSWERS = _answers()
RECORDED = sorted(
    path.stem
    for path in (FIXTURES / "rest").glob("*.json")
    if path.stem.partition("__")[0] in ANSWERS and "synthetic" not in path.stem and "mock" not in path.stem
)


@pytest.mark.parametrize("name", RECORDED)
def test_order_answers_have_the_recorded_fields_and_types(name: str) -> None:
    """Field by field; the differences are those of the tables above and no others."""
    recorded = json.loads((FIXTURES / "rest" / f"{name}.json").read_text(encoding="utf-8"))
    ours = ANSWERS[name.partition("__")[0]]
    wanted = {f".{field} is missing" for field in DROPPED.get(name, set())}
    wanted |= {f".{field} is extra" for field in ADDED.get(name, set())}
    assert set(differences(shape(recorded), shape(ours))) <= wanted
