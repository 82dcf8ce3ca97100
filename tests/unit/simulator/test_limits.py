"""Request weight, order counts, their headers and refusals (``binance-usdm.md §7``)."""

import pytest

from bracketeer.simulator.errors import ExchangeError
from bracketeer.simulator.limits import BAN_MAX_MS
from bracketeer.simulator.profiles import Switches
from tests.unit.simulator.desk import ORDER, Desk, Reply, decode

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


def test_every_answer_tells_the_exchanges_time() -> None:
    """RFC 9110 §6.6.1: refusals included, on its own clock."""
    desk = Desk()
    desk.now_ms = 1_795_168_807_900
    for reply in (desk.public("/fapi/v1/time"), desk.public("/fapi/v1/nowhere"), desk.send("GET", ORDER, symbol="X")):
        assert reply.headers["date"] == "Fri, 20 Nov 2026 10:00:07 GMT"


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


def _ignore_refusals(desk: Desk) -> Reply:
    """Use up the minute's weight, then go on as if nothing had been said."""
    for _ in range(60):
        desk.send("GET", "/fapi/v1/openOrders")
    replies = [desk.send("GET", "/fapi/v1/openOrders") for _ in range(11)]
    assert [reply.status for reply in replies] == [429] * 10 + [418]
    return replies[-1]


def test_ignoring_refusals_ends_in_a_ban_that_grows() -> None:
    """Two minutes, then four, up to three days; the text tells the end, and everything is refused until then."""
    desk = Desk()
    for minutes in (2, 4, 8):
        banned = _ignore_refusals(desk)
        until_ms = desk.now_ms + minutes * 60_000
        assert banned.json["msg"].startswith(f"Way too many requests; IP banned until {until_ms}.")
        assert banned.headers["retry-after"] == str(minutes * 60)
        desk.now_ms = until_ms - 1
        assert (desk.public("/fapi/v1/ping").status, desk.market("BUY", "0.010").code) == (418, -1003)
        desk.now_ms += 1
        assert desk.public("/fapi/v1/ping").status == 200
        desk.now_ms += 60_000
    for _ in range(20):
        until_ms = desk.exchange.limits.ban("127.0.0.1", desk.now_ms)
    assert until_ms - desk.now_ms == BAN_MAX_MS == 3 * 24 * 3600 * 1000


def test_patience_before_a_ban_is_a_switch() -> None:
    """How many refusals it takes is nowhere stated."""
    desk = Desk(switches=Switches(refusals_before_ban=0))
    for _ in range(61):
        reply = desk.send("GET", "/fapi/v1/openOrders")
    assert reply.status == 418


def test_order_counts_on_refusals_are_a_switch() -> None:
    """They are "not guaranteed" (``§7.2``); a query never carries them."""
    for is_sent in (False, True):
        desk = Desk(switches=Switches(order_headers_on_refusal=is_sent))
        assert ("x-mbx-order-count-10s" in desk.market("BUY", "0").headers) is is_sent
        assert "x-mbx-order-count-10s" not in desk.send("GET", ORDER, symbol="BTCUSDT", orderId=1).headers


def test_a_batch_costs_five_and_one() -> None:
    """Five in the ten-second window, one in the minute (``§7.1``)."""
    limits = Desk().exchange.limits
    for _ in range(60):
        limits.charge_orders("k", 0, 5)
    assert limits.order_headers("k", 0) == {"x-mbx-order-count-10s": "300", "x-mbx-order-count-1m": "60"}
    with pytest.raises(ExchangeError, match="300 orders per 10 SECOND") as refused:
        limits.charge_orders("k", 0)
    assert refused.value.retry_after_s == 10


def test_funding_has_a_pool_of_its_own() -> None:
    """500 in five minutes per address, apart from weight."""
    limits = Desk().exchange.limits
    for _ in range(500):
        limits.charge_funding("a", 0)
    assert limits.weight_header("a", 0) == {"x-mbx-used-weight-1m": "0"}
    with pytest.raises(ExchangeError, match="500"):
        limits.charge_funding("a", 299_999)
    limits.charge_funding("a", 300_000)
