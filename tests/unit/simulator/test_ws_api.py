"""The WebSocket API: envelope, signing, sessions, and the same outcomes as REST (``binance-usdm.md §11``)."""

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

from bracketeer.simulator.auth import sign
from bracketeer.simulator.errors import ExchangeError
from bracketeer.simulator.faults import Fault, FaultName
from bracketeer.simulator.profiles import Switches
from bracketeer.simulator.signatures import check_public_key
from bracketeer.simulator.ws_api import WsApi
from tests.unit.simulator.desk import KEY, ORDER, SECRET, Desk, decode

PRIVATE_KEY = ECC.construct(curve="Ed25519", seed=bytes(range(32)))
PUBLIC_KEY = PRIVATE_KEY.public_key().export_key(format="PEM")
LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.010", "price": "59000.0"}


def signed_text(params: dict[str, Any], *, is_encoded: bool = False) -> str:
    """Give the text that is signed: sorted by name."""
    if is_encoded:
        return urlencode(sorted(params.items()))
    return "&".join(f"{name}={value}" for name, value in sorted(params.items()))


def sign_ed25519(text: str) -> str:
    """Sign with the test's key."""
    return base64.b64encode(eddsa.new(PRIVATE_KEY, "rfc8032").sign(text.encode())).decode()


class Line:
    """One socket to the WebSocket API of a desk."""

    def __init__(self, desk: Desk, query: str = "") -> None:
        self.desk = desk
        self.api = WsApi(desk.exchange)
        self.session = self.api.open(query, "127.0.0.1")

    def say(self, text: str) -> dict[str, Any]:
        """Send a text and give the answer."""
        answer: dict[str, Any] = json.loads(self.api.answer(self.session, text).text)
        return answer

    def bare(self, method: str, **params: object) -> dict[str, Any]:
        """Send a request as it is."""
        return self.say(json.dumps({"id": "r-1", "method": method, "params": params}))

    def ask(self, method: str, **params: object) -> dict[str, Any]:
        """Send a request with a key and an HMAC signature."""
        full = {"apiKey": KEY, "timestamp": self.desk.now_ms, **params}
        return self.bare(method, **full, signature=sign(SECRET, signed_text(full)))

    def log_on(self) -> dict[str, Any]:
        """Log on with the Ed25519 key."""
        full = {"apiKey": KEY, "timestamp": self.desk.now_ms}
        return self.bare("session.logon", **full, signature=sign_ed25519(signed_text(full)))


def test_order_by_socket_is_the_order_of_rest() -> None:
    """Placed, changed, read and cancelled: the same answers, the same book."""
    desk = Desk()
    line = Line(desk)
    placed = line.ask("order.place", **LIMIT, timeInForce="GTC", newClientOrderId="mine")
    assert (placed["id"], placed["status"], placed["result"]["status"]) == ("r-1", 200, "NEW")
    key = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
    shown = line.ask("order.status", **key)["result"]
    assert shown == desk.send("GET", ORDER, **key).json
    changed = line.ask("order.modify", **key, side="BUY", quantity="0.020", price="59100.0")
    assert (changed["status"], changed["result"]["origQty"]) == (200, "0.020")
    assert line.ask("order.cancel", **key)["result"]["status"] == "CANCELED"
    gone = line.ask("order.cancel", **key)
    assert (gone["status"], gone["error"]) == (400, {"code": -2011, "msg": "Unknown order sent."})


def test_modify_needs_price_and_quantity() -> None:
    """Both, else -1102."""
    line = Line(Desk())
    key = {"symbol": "BTCUSDT", "orderId": 1, "side": "BUY"}
    for given in ({"price": "59000"}, {"quantity": "0.010"}):
        assert line.ask("order.modify", **key, **given)["error"]["code"] == -1102


def test_conditional_order_by_socket() -> None:
    """Placed and cancelled; there is no query."""
    line = Line(Desk())
    params = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}
    placed = line.ask("algoOrder.place", **params, quantity="0.010", triggerPrice="58000")["result"]
    assert placed["algoStatus"] == "NEW"
    canceled = line.ask("algoOrder.cancel", algoId=placed["algoId"])["result"]
    assert (canceled["code"], canceled["algoId"]) == ("200", placed["algoId"])
    assert line.ask("algoOrder.status", algoId=placed["algoId"])["error"]["code"] == -1020


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("account.balance", "/fapi/v2/balance"),
        ("v2/account.balance", "/fapi/v3/balance"),
        ("account.status", "/fapi/v2/account"),
        ("v2/account.status", "/fapi/v3/account"),
        ("account.position", "/fapi/v2/positionRisk"),
        ("v2/account.position", "/fapi/v3/positionRisk"),
    ],
)
def test_account_queries_are_those_of_rest(method: str, path: str) -> None:
    """Version one and two."""
    desk = Desk()
    desk.market("BUY", "0.010")
    assert Line(desk).ask(method)["result"] == desk.send("GET", path).json


def test_market_queries_need_no_key() -> None:
    """Prices, best prices and the book."""
    desk = Desk()
    line = Line(desk)
    assert line.bare("ticker.price", symbol="BTCUSDT")["result"]["price"] == "60000.00"
    assert len(line.bare("ticker.book")["result"]) > 20
    assert len(line.bare("depth", symbol="BTCUSDT", limit=5)["result"]["bids"]) == 5
    assert line.bare("depth", symbol="BTCUSDT", limit=5.5)["error"]["code"] == -1102


def test_user_data_stream_needs_the_key_alone() -> None:
    """Start, ping, stop; the key is that of REST."""
    desk = Desk()
    line = Line(desk)
    started = line.bare("userDataStream.start", apiKey=KEY)["result"]
    assert started == decode(desk.exchange.handle("POST", "/fapi/v1/listenKey", "", {"X-MBX-APIKEY": KEY})).json
    assert line.bare("userDataStream.ping", apiKey=KEY)["result"] == started
    assert line.bare("userDataStream.stop", apiKey=KEY)["result"] == {}
    assert line.bare("userDataStream.ping", apiKey=KEY)["error"]["code"] == -1125
    assert line.bare("userDataStream.start")["error"]["code"] == -1102


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"signature": "0" * 64}, 400, -1022),
        ({"signature": None}, 400, -1102),
        ({"apiKey": None}, 400, -1102),
        ({"apiKey": "!"}, 401, -2014),
        ({"apiKey": "unknown-key"}, 401, -2015),
        ({"timestamp": 1}, 400, -1022),
    ],
)
def test_wrong_authentication_is_refused(change: dict[str, object], status: int, code: int) -> None:
    """With the codes of REST; the signature covers the key."""
    desk = Desk()
    full: dict[str, object] = {"apiKey": KEY, "timestamp": desk.now_ms}
    answer = Line(desk).bare("account.balance", **(full | {"signature": sign(SECRET, signed_text(full))} | change))
    assert (answer["status"], answer["error"]["code"]) == (status, code)


def test_late_request_is_refused() -> None:
    """The window is that of REST."""
    desk = Desk()
    assert Line(desk).ask("account.balance", timestamp=desk.now_ms - 6000)["error"]["code"] == -1021


def test_signature_may_cover_bare_or_encoded_text() -> None:
    """The documents join without encoding, the SDK encodes; numbers and booleans as JSON or as texts."""
    desk = Desk()
    line = Line(desk)
    full = {"apiKey": KEY, "timestamp": desk.now_ms, **LIMIT, "timeInForce": "GTC", "newClientOrderId": "a:b/c"}
    for is_encoded in (False, True):
        signature = sign(SECRET, signed_text(full, is_encoded=is_encoded))
        assert line.bare("order.place", **full, signature=signature)["status"] == 200
        line.ask("order.cancel", symbol="BTCUSDT", origClientOrderId="a:b/c")
    full = {"apiKey": KEY, "timestamp": str(desk.now_ms), **LIMIT, "quantity": 0.01, "timeInForce": "GTC"}
    signature = sign(SECRET, signed_text(full | {"reduceOnly": "false"}))
    assert line.bare("order.place", **full, reduceOnly=False, signature=signature)["status"] == 200


@pytest.mark.parametrize("text", ["not json", "[]", "{}", '{"method": 7}', '{"method": "depth", "params": []}'])
def test_nonsense_is_answered(text: str) -> None:
    """Without an id, since there may be none; an empty list counts as no parameters."""
    answer = Line(Desk()).say(text)
    assert (answer["id"], answer["status"]) == (None, 400)
    assert answer["error"]["code"] in {-1013, -1102}


def test_limits_ride_along_unless_unwanted() -> None:
    """Weight on all, order counts on orders; off by the address or by request."""
    desk = Desk()
    rows = Line(desk).ask("order.place", **LIMIT, timeInForce="GTC")["rateLimits"]
    assert [(row["rateLimitType"], row["interval"], row["limit"], row["count"]) for row in rows] == [
        ("REQUEST_WEIGHT", "MINUTE", 2400, 5),
        ("ORDERS", "SECOND", 300, 1),
        ("ORDERS", "MINUTE", 1200, 1),
    ]
    quiet = Line(desk, "returnRateLimits=false")
    assert "rateLimits" not in quiet.bare("ticker.price", symbol="BTCUSDT")
    assert "rateLimits" in quiet.bare("ticker.price", symbol="BTCUSDT", returnRateLimits=True)
    assert "rateLimits" not in Line(desk).bare("nope", returnRateLimits=False)


@pytest.mark.parametrize("is_separate", [True, False])
def test_weight_may_be_counted_apart_from_rest(is_separate: bool) -> None:
    """Open point 16; a handshake costs five."""
    desk = Desk(switches=Switches(ws_api_weight_is_separate=is_separate))
    Line(desk)
    used = desk.public("/fapi/v1/ping").headers["x-mbx-used-weight-1m"]
    assert used == ("1" if is_separate else "6")


def test_banned_address_is_banned_here_too() -> None:
    """On sockets that are open, and for new ones."""
    desk = Desk()
    line = Line(desk)
    desk.exchange.limits.ban("127.0.0.1", desk.now_ms)
    banned = line.bare("ticker.price", symbol="BTCUSDT")
    assert (banned["status"], banned["error"]["code"]) == (418, -1003)
    with pytest.raises(ExchangeError):
        Line(desk)


def test_session_speaks_for_its_account() -> None:
    """After logon neither key nor signature; the time stays; after logout it is over."""
    desk = Desk()
    desk.exchange.account.ed25519_key = check_public_key(PUBLIC_KEY)
    line = Line(desk)
    assert line.bare("session.status")["result"]["apiKey"] is None
    logged_on = line.log_on()["result"]
    assert (logged_on["apiKey"], logged_on["authorizedSince"]) == (KEY, desk.now_ms)
    order = {**LIMIT, "timeInForce": "GTC"}
    assert line.bare("order.place", **order, timestamp=desk.now_ms)["status"] == 200
    assert line.bare("order.place", **order)["error"]["code"] == -1102
    assert line.bare("session.logout")["result"]["authorizedSince"] is None
    assert line.bare("order.place", **order, timestamp=desk.now_ms)["error"]["code"] == -1102


def test_session_wants_ed25519() -> None:
    """An account without such a key cannot log on, and a wrong signature is one."""
    desk = Desk()
    line = Line(desk)
    assert line.log_on()["error"]["code"] == -2015
    desk.exchange.account.ed25519_key = PUBLIC_KEY
    assert line.ask("session.logon")["error"]["code"] == -1022
    assert line.bare("session.logon", apiKey=KEY, timestamp=1, signature="x")["error"]["code"] == -1021


def test_revoked_key_is_told_unasked() -> None:
    """Once, with an empty id."""
    desk = Desk()
    desk.exchange.account.ed25519_key = PUBLIC_KEY
    line = Line(desk)
    assert line.api.revoked(line.session) is None
    line.log_on()
    assert line.api.revoked(line.session) is None
    del desk.exchange.venue.accounts[KEY]
    told = json.loads(line.api.revoked(line.session) or "")
    assert (told["id"], told["status"], told["error"]["code"]) == (None, 401, -2015)
    assert line.api.revoked(line.session) is None


@pytest.mark.parametrize("is_accepted", [True, False])
def test_ed25519_signs_requests_too(is_accepted: bool) -> None:
    """By socket always; on REST it is open point 4."""
    desk = Desk(switches=Switches(ed25519_on_rest=is_accepted))
    desk.exchange.account.ed25519_key = PUBLIC_KEY
    full = {"apiKey": KEY, "timestamp": desk.now_ms}
    answer = Line(desk).bare("account.balance", **full, signature=sign_ed25519(signed_text(full)))
    assert answer["status"] == 200
    query = f"timestamp={desk.now_ms}"
    query += "&" + urlencode({"signature": sign_ed25519(query)})
    reply = decode(desk.exchange.handle("GET", "/fapi/v3/balance", query, {"X-MBX-APIKEY": KEY}))
    assert reply.code == (None if is_accepted else -1022)


def test_other_keys_are_no_ed25519_keys() -> None:
    """Private ones and other curves are turned away."""
    with pytest.raises(ValueError, match="Ed25519"):
        check_public_key(PRIVATE_KEY.export_key(format="PEM"))
    with pytest.raises(ValueError, match="Ed25519"):
        check_public_key(ECC.generate(curve="P-256").public_key().export_key(format="PEM"))


def test_faults_of_rest_meet_the_socket() -> None:
    """A lost answer closes the socket, a slow one waits, a 503 comes in the envelope."""
    desk = Desk()
    line = Line(desk)
    full = {"apiKey": KEY, "timestamp": desk.now_ms, **LIMIT, "timeInForce": "GTC"}
    text = json.dumps(
        {"id": 1, "method": "order.place", "params": {**full, "signature": sign(SECRET, signed_text(full))}}
    )
    desk.exchange.fault(Fault(name=FaultName.REPLY_LOST, path=ORDER))
    assert line.api.answer(line.session, text).is_dropped
    desk.exchange.fault(Fault(name=FaultName.DELAY, path=ORDER, delay_ms=700))
    assert line.api.answer(line.session, text).delay_ms == 700
    desk.exchange.fault(Fault(name=FaultName.STATUS_503, path=ORDER))
    answer = line.say(text)
    assert (answer["status"], answer["error"]["msg"]) == (503, "Service Unavailable.")
