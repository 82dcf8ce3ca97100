"""Signatures, keys and time windows (``binance-usdm.md §2``)."""

import pytest

from bracketeer.simulator.auth import sign, signed_text
from bracketeer.simulator.profiles import Switches
from tests.unit.simulator.desk import KEY, SECRET, START_MS, Desk, Reply, decode

ONE_PART = (
    "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943"
)
QUERY = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC"
BODY = "quantity=1&price=9000&recvWindow=5000&timestamp=1591702613943"
ONE_PART_HMAC = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
SPLIT_HMAC = "30baaf0fab549bbeda7f5ef201898b34122da25fd23c646cac2c529aebe670a4"


@pytest.mark.parametrize(
    ("query", "body", "expected"),
    [
        (f"{ONE_PART}&signature=x", "", ONE_PART_HMAC),
        ("", f"{ONE_PART}&signature=x", ONE_PART_HMAC),
        (QUERY, f"{BODY}&signature=x", SPLIT_HMAC),
        (f"{QUERY}&signature=x", BODY, SPLIT_HMAC),
    ],
)
def test_signature_covers_query_then_body_without_a_joint(query: str, body: str, expected: str) -> None:
    """The public vectors verify, in every place the parameters may travel."""
    text = signed_text(query, body)
    assert text is not None
    assert expected == sign(SECRET, text)


def test_signature_must_be_the_last_parameter_of_its_part() -> None:
    """A parameter behind the signature makes the text unverifiable."""
    assert signed_text("a=1&signature=x&b=2", "") is None


def _account(query: str, key: str | None = KEY) -> Reply:
    headers = {} if key is None else {"x-mbx-apikey": key}
    return decode(Desk().exchange.handle("GET", "/fapi/v3/account", query, headers))


def _signed(query: str, secret: str = SECRET) -> str:
    return f"{query}&signature={sign(secret, query)}"


@pytest.mark.parametrize(
    ("query", "key", "status", "code"),
    [
        (_signed(f"timestamp={START_MS}"), None, 401, -2014),
        (_signed(f"timestamp={START_MS}"), "short", 401, -2014),
        (_signed(f"timestamp={START_MS}"), "x" * 64, 401, -2015),
        (_signed("recvWindow=5000"), KEY, 400, -1102),
        (_signed("timestamp=soon"), KEY, 400, -1102),
        (f"timestamp={START_MS}", KEY, 400, -1102),
        (_signed(f"timestamp={START_MS}", "wrong"), KEY, 400, -1022),
        (_signed(f"timestamp={START_MS}") + "&late=1", KEY, 400, -1022),
        (_signed(f"timestamp={START_MS - 5001}"), KEY, 400, -1021),
        (_signed(f"timestamp={START_MS - 101}&recvWindow=100"), KEY, 400, -1021),
        (_signed(f"timestamp={START_MS + 1000}"), KEY, 400, -1021),
    ],
)
def test_request_is_refused_when_it_cannot_be_trusted(query: str, key: str | None, status: int, code: int) -> None:
    """Each way of being unknown, unsigned or out of time has its own code."""
    reply = _account(query, key)
    assert (status, code) == (reply.status, reply.code)


@pytest.mark.parametrize("skew_ms", [-5000, 0, 999])
def test_request_is_accepted_inside_the_window(skew_ms: int) -> None:
    """The window reaches recvWindow back and less than a second ahead."""
    assert _account(_signed(f"timestamp={START_MS + skew_ms}")).status == 200


def test_signature_ignores_letter_case() -> None:
    """Hex is hex."""
    query = f"timestamp={START_MS}"
    assert _account(f"{query}&signature={sign(SECRET, query).upper()}").status == 200


def test_clock_skew_is_visible_to_clients() -> None:
    """A turned clock makes honest requests late, as on a host whose clock is off."""
    desk = Desk()
    desk.exchange.clock.offset_ms = 6000
    assert desk.send("GET", "/fapi/v3/account", timestamp=START_MS).code == -1021
    assert desk.public("/fapi/v1/time").json == {"serverTime": START_MS + 6000}


def test_form_body_is_read_and_the_query_wins() -> None:
    """Clients that sign a form body work; a name in both parts counts from the query."""
    desk = Desk()
    query = "symbol=BTCUSDT&quantity=0.002"
    body = f"side=BUY&type=MARKET&quantity=0.001&timestamp={START_MS}"
    body += "&signature=" + sign(SECRET, query + body)
    answer = desk.exchange.handle("POST", "/fapi/v1/order", query, {"X-MBX-APIKEY": KEY}, body)
    assert (answer.status, decode(answer).json["origQty"]) == (200, "0.002")


def test_parameter_names_match_without_case() -> None:
    """Some clients send names in lower case."""
    desk = Desk()
    params = {"symbol": "BTCUSDT", "SIDE": "BUY", "type": "MARKET", "Quantity": "0.001"}
    assert desk.send("POST", "/fapi/v1/order", **params).status == 200


@pytest.mark.parametrize("limit_ms", [0, 60_000])
def test_largest_window_is_a_switch(limit_ms: int) -> None:
    """Open point 2: the documents state no bound and use 9999999 in a sample."""
    desk = Desk(switches=Switches(recv_window_max_ms=limit_ms))
    assert desk.send("GET", "/fapi/v3/balance", recvWindow=60_000).status == 200
    assert desk.send("GET", "/fapi/v3/balance", recvWindow=9_999_999).code == (-1130 if limit_ms else None)


@pytest.mark.parametrize("is_accepted", [False, True])
def test_signature_over_decoded_text_is_a_switch(is_accepted: bool) -> None:
    """Open point 3: text that was signed before it was percent-encoded."""
    desk = Desk(switches=Switches(accepts_decoded_signatures=is_accepted))
    signature = sign(SECRET, f"note=a b&timestamp={START_MS}")
    query = f"note=a%20b&timestamp={START_MS}&signature={signature}"
    answer = desk.exchange.handle("GET", "/fapi/v3/balance", query, {"X-MBX-APIKEY": KEY})
    assert answer.status == (200 if is_accepted else 400)
