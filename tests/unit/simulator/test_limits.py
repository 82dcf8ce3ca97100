"""Request weight, order counts, their headers and refusals (``binance-usdm.md §7``)."""

from bracketeer.simulator.profiles import Switches
from tests.unit.simulator.desk import ORDER, Desk, decode

WEIGHT = "x-mbx-used-weight-1m"


def test_weight_adds_up_within_the_minute() -> None:
    """The header counts every request of the address, errors included, and starts again with the minute."""
    desk = Desk()
    desk.now_ms = desk.now_ms // 60_000 * 60_000
    assert desk.public("/fapi/v1/ping").headers[WEIGHT] == "1"
    assert desk.send("GET", "/fapi/v1/openOrders").headers[WEIGHT] == "41"
    assert desk.send("GET", "/fapi/v1/openOrders", symbol="BTCUSDT").headers[WEIGHT] == "42"
    assert desk.send("GET", ORDER, symbol="BTCUSDT", orderId=1).headers[WEIGHT] == "43"
    assert desk.public("/fapi/v1/depth", "symbol=BTCUSDT&limit=1000").headers[WEIGHT] == "63"
    assert desk.public("/fapi/v1/depth", "symbol=BTCUSDT&limit=100").headers[WEIGHT] == "68"
    desk.now_ms += 60_000
    assert desk.public("/fapi/v1/ping").headers[WEIGHT] == "1"


def test_too_much_weight_is_refused_with_a_pause() -> None:
    """429 -1003, nothing executed, and the seconds until the window ends."""
    desk = Desk()
    desk.now_ms = desk.now_ms // 60_000 * 60_000 + 18_500
    for _ in range(60):
        desk.send("GET", "/fapi/v1/openOrders")
    refused = desk.send("GET", "/fapi/v1/openOrders")
    assert (refused.status, refused.code, refused.headers["retry-after"]) == (429, -1003, "42")
    elsewhere = desk.exchange.handle("GET", "/fapi/v1/ping", address="10.0.0.9")
    assert (elsewhere.status, elsewhere.headers[WEIGHT]) == (200, "1")


def test_retry_after_is_a_switch() -> None:
    """Whether fapi sends it is open (``§16`` point 1)."""
    desk = Desk(switches=Switches(retry_after_header=False))
    for _ in range(61):
        reply = desk.send("GET", "/fapi/v1/openOrders")
    assert (reply.status, "retry-after" in reply.headers) == (429, False)


def test_orders_are_counted_per_account_in_two_windows() -> None:
    """Normal and conditional orders count; queries do not."""
    desk = Desk()
    desk.now_ms = desk.now_ms // 60_000 * 60_000
    desk.market("BUY", "0.010")
    desk.send("GET", "/fapi/v3/balance")
    desk.now_ms += 10_000
    reply = desk.algo("SELL", "STOP_MARKET", "58000", quantity="0.010")
    assert (reply.headers["x-mbx-order-count-10s"], reply.headers["x-mbx-order-count-1m"]) == ("1", "2")


def test_too_many_orders_are_refused() -> None:
    """The 301st within ten seconds is 429 -1015 and not executed."""
    desk = Desk()
    for _ in range(300):
        desk.market("BUY", "0.001", reduceOnly="true")  # refused, and counted
    reply = desk.market("BUY", "0.010")
    assert (reply.status, reply.code, reply.json["msg"]) == (
        429,
        -1015,
        "Too many new orders; current limit is 300 orders per 10 SECOND.",
    )
    assert desk.is_flat
    desk.now_ms += 10_000
    assert desk.market("BUY", "0.010").status == 200


def test_unknown_paths_are_refused_by_name() -> None:
    """-5000 names the path and the method (``§1.3``)."""
    reply = decode(Desk().exchange.handle("DELETE", "/fapi/v1/nothing"))
    assert (reply.status, reply.json) == (
        404,
        {"code": -5000, "msg": "Path /fapi/v1/nothing, Method DELETE is invalid"},
    )
