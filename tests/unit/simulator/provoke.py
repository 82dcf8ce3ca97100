"""Ways to earn a refusal, for the table of error codes: each gives a function from a desk to the reply."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bracketeer.simulator.errors import status_of
from tests.unit.simulator.desk import ORDER, Desk, Reply, decode
from tests.unit.simulator.test_faults import cause

Provoke = Callable[[Desk], Reply]
BATCH = "/fapi/v1/batchOrders"
LEVERAGE = "/fapi/v1/leverage"
MARGIN_TYPE = "/fapi/v1/marginType"
MARGIN = "/fapi/v1/positionMargin"
DUAL = "/fapi/v1/positionSide/dual"
MULTI = "/fapi/v1/multiAssetsMargin"


def fault(name: str, **options: object) -> Provoke:
    def provoke(desk: Desk) -> Reply:
        cause(desk, name, **options)
        return desk.market("BUY", "0.010")

    return provoke


def market(**more: object) -> Provoke:
    return lambda desk: desk.send(
        "POST", ORDER, **{"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010", **more}
    )


def limit(quantity: str = "0.010", price: str = "59000.0", **more: object) -> Provoke:
    more = {"timeInForce": "GTC", **more}
    return post(ORDER, symbol="BTCUSDT", side="BUY", type="LIMIT", quantity=quantity, price=price, **more)


def algo(trigger: str | None = "58000", order_type: str = "STOP_MARKET", side: str = "SELL", **more: object) -> Provoke:
    return lambda desk: desk.algo(side, order_type, trigger, **{"quantity": "0.010", **more})


def post(path: str, **params: object) -> Provoke:
    return lambda desk: desk.send("POST", path, **params)


def get(path: str, **params: object) -> Provoke:
    return lambda desk: desk.send("GET", path, **params)


def after(*before: Provoke, then: Provoke, done: int = 200) -> Provoke:
    """Do what must succeed first, then what must not."""

    def provoke(desk: Desk) -> Reply:
        for step in before:
            assert (reply := step(desk)).status == done, reply.json
        return then(desk)

    return provoke


def given(change: Callable[[Desk], Any], then: Provoke) -> Provoke:
    def provoke(desk: Desk) -> Reply:
        change(desk)
        return then(desk)

    return provoke


def modify(quantity: str = "0.020", price: str = "59000.0", **more: object) -> Provoke:
    def provoke(desk: Desk) -> Reply:
        order = desk.exchange.account.orders.open_orders("BTCUSDT")[0]
        fields = {"symbol": "BTCUSDT", "side": "BUY", "orderId": order.order_id, "quantity": quantity, "price": price}
        return desk.send("PUT", ORDER, **{**fields, **more})

    return provoke


def batch_element(path_method: str, elements: list[dict[str, str]], index: int) -> Provoke:
    """An element of a batch is refused inside a 200."""

    def provoke(desk: Desk) -> Reply:
        reply = desk.send(path_method, BATCH, batchOrders=json.dumps(elements))
        return Reply(status_of(reply.json[index]["code"]), reply.json[index], reply.headers)

    return provoke


def modify_twice(desk: Desk) -> Reply:
    order_id = str(desk.limit("BUY", "0.010", "59000.0").json["orderId"])
    same = {"symbol": "BTCUSDT", "side": "BUY", "orderId": order_id, "price": "59000.0"}
    changes = [{**same, "quantity": "0.020"}, {**same, "quantity": "0.030"}]
    return batch_element("PUT", changes, 1)(desk)


def raw(headers: dict[str, str], query: str = "timestamp=1&signature=00") -> Provoke:
    return lambda desk: decode(desk.exchange.handle("GET", "/fapi/v3/balance", query, headers))


def isolated(desk: Desk) -> Reply:
    return desk.send("POST", MARGIN_TYPE, symbol="BTCUSDT", marginType="ISOLATED")


def repeat(times: int, step: Provoke) -> Provoke:
    def provoke(desk: Desk) -> Reply:
        for _ in range(times):
            reply = step(desk)
        return reply

    return provoke


def many_limits(desk: Desk) -> Reply:
    for _ in range(201):
        reply = desk.limit("BUY", "0.001", "59000.0")
        desk.now_ms += 100
    return reply


def many_algos(desk: Desk) -> Reply:
    for _ in range(201):
        reply = desk.algo("SELL", "STOP_MARKET", "58000", quantity="0.010")
    return reply


def modified_too_often(desk: Desk) -> Reply:
    desk.limit("BUY", "0.010", "59000.0")
    amendments = desk.exchange.account.orders.open_orders("BTCUSDT")[0].amendments
    modify()(desk)
    amendments.extend(amendments * 10_000)
    return modify("0.030")(desk)


def coarse_steps(desk: Desk) -> None:
    cause(desk, "rules_changed", symbol="BTCUSDT", stepSize="0.005")


def halt(desk: Desk) -> None:
    cause(desk, "rules_changed", symbol="BTCUSDT", status="SETTLING")


def wallet(text: str) -> Callable[[Desk], None]:
    def change(desk: Desk) -> None:
        desk.exchange.account.wallet = Decimal(text)

    return change


def liquidating(desk: Desk) -> None:
    desk.exchange.account.is_in_liquidation = True
