"""The client: what it signs is what it sends, what it hears it counts, and what it knows it keeps to itself."""

from __future__ import annotations

import hashlib
import hmac
import logging
import traceback
from typing import Any

import pytest
import requests
from rich.pretty import pretty_repr

from bracketeer.execution.binance.client import Client, Reply
from bracketeer.execution.binance.rest_messages import WireListenKey
from bracketeer.execution.errors import ExchangeError, ExchangeRefused, RateLimited

from .stubs import API_KEY, API_SECRET, NOW_MS, Answer, Desk, refusal

BALANCE = "GET /fapi/v3/balance"
LISTEN_KEY = "canarylistenkey0123456789abcdef"


def client_of(desk: Desk) -> Client:
    """The client behind a gateway."""
    return desk.gateway._client


def test_signature_agrees_with_the_published_vector() -> None:
    """binance-usdm.md §2.4, first row; key and secret are the documentation's sample pair."""
    client = client_of(Desk())
    client.secret = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
    text = (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000"
        "&timestamp=1591702613943"
    )
    assert client._get_sign(text) == "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"


@pytest.mark.parametrize("symbol", ["BTCUSDT", "1000PEPEUSDT", "币安人生USDT", "A B&C=D", "x@y"])
def test_the_signed_text_is_the_sent_text(symbol: str) -> None:
    """Encoded once, signed, sent; the signature is the last parameter (§2.1, §2.3)."""
    desk = Desk({"GET /fapi/v3/positionRisk": [[]]})
    desk.gateway.position_row(symbol)
    signed, _, signature = desk.only.query.rpartition("&signature=")
    assert signature == hmac.new(API_SECRET.encode(), signed.encode(), hashlib.sha256).hexdigest()
    assert desk.only.parameters["symbol"] == symbol
    assert desk.only.headers["X-MBX-APIKEY"] == API_KEY


def test_each_attempt_is_stamped_anew() -> None:
    """A timestamp is taken at the moment of sending, not of asking."""
    desk = Desk({BALANCE: [Answer("", 502), Answer([])]})
    desk.gateway.balance()
    first, second = (int(sent.parameters["timestamp"]) for sent in desk.exchange.sent)
    assert first == NOW_MS
    assert second == NOW_MS + int(desk.clock.slept[0] * 1000)


def test_the_callers_parameters_are_left_alone() -> None:
    """The connector writes timestamp and signature into the dictionary it is given; a second send must not carry
    them."""
    desk = Desk({BALANCE: [Answer([])]})
    given: dict[str, object] = {"symbol": None}
    client_of(desk).sign_request("GET", "/fapi/v3/balance", given)
    assert given == {"symbol": None}


def test_waiting_is_bounded() -> None:
    """Connect and read timeouts go with every request: the connector has none."""
    desk = Desk()
    assert client_of(desk).timeout == (1.0, 1.0)


def test_usage_headers_of_answers_and_refusals_are_counted() -> None:
    """Refusals count too, 5xx included."""
    used = {"X-MBX-USED-WEIGHT-1M": "1200", "X-MBX-ORDER-COUNT-10S": "7"}
    desk = Desk({BALANCE: [Answer([], 200, used)], "POST /fapi/v1/order": Answer("", 503, used)})
    reply = client_of(desk).balance()
    assert reply.limit_usage == {"x-mbx-used-weight-1m": "1200", "x-mbx-order-count-10s": "7"}
    pools = desk.tracker.status().pools
    assert (pools["weight_1m"].used, pools["orders_10s"].used) == (1200, 7)
    with pytest.raises(ExchangeError):
        client_of(desk).new_order("BTCUSDT", "BUY", "MARKET")
    assert desk.tracker.status().pools["weight_1m"].used == 1200


def test_requests_in_flight_are_counted_before_they_are_answered() -> None:
    """Their cost is known: two threads must not both take the last room."""
    desk = Desk({"GET /fapi/v1/openOrders": [[]], "GET /fapi/v1/openAlgoOrders": [[]]})
    seen: list[int] = []
    desk.exchange.on_send = lambda _sent: seen.append(desk.tracker.status().pools["weight_1m"].used)
    desk.gateway.open_orders()
    assert seen[0] == 40


def test_a_request_that_never_left_costs_nothing() -> None:
    """Its reservation is given back."""
    desk = Desk({BALANCE: [requests.ConnectTimeout()]})
    with pytest.raises(ExchangeError):
        client_of(desk).balance()
    assert desk.tracker.status().pools["weight_1m"].used == 0


@pytest.mark.parametrize(
    ("code", "status", "wait_s"),
    [(-1003, 429, 40.0), (-1015, 429, 10.0), (-1003, 400, 40.0)],
    ids=["weight: next minute", "orders: next ten seconds", "by code alone"],
)
def test_a_rate_refusal_without_retry_after_lasts_to_the_end_of_its_window(
    code: int, status: int, wait_s: float
) -> None:
    """Which is what is left of the minute or of the ten seconds (§7.2)."""
    assert NOW_MS % 60_000 == 20_000
    desk = Desk({BALANCE: refusal(code, "Too many", status)})
    with pytest.raises(RateLimited) as caught:
        client_of(desk).balance()
    assert caught.value.retry_after_s == wait_s
    assert desk.tracker.status().limited_until_ms == NOW_MS + wait_s * 1000


def test_an_error_text_is_kept_short() -> None:
    """A firewall answers with a web page."""
    desk = Desk({BALANCE: Answer("<html>" + "x" * 5000, 403)})
    with pytest.raises(ExchangeRefused) as caught:
        client_of(desk).balance()
    assert len(caught.value.failure.text) == 300


def test_closing_drops_the_connections() -> None:
    """The session is private, so it is ours to close."""
    desk = Desk()
    desk.gateway.close()
    assert desk.exchange.closed


def failures() -> list[Any]:
    """Every way a call ends badly, each knowing a secret."""
    url = f"https://exchange.test/x?symbol=B&signature=canary{LISTEN_KEY}"
    return [
        requests.ConnectionError(f"Max retries exceeded with url: {url}"),
        requests.ReadTimeout(f"HTTPSConnectionPool: {url}"),
        Answer(f'{{"code":-1102,"msg":"{API_SECRET} and {API_KEY} and signature=deadbeefdeadbeef"}}', 400),
        Answer(f"<html>{API_KEY}</html>", 403),
        Answer(f"{API_KEY}", 200),
        Answer({"listenKey": 5, "other": LISTEN_KEY}, 200),
    ]


def everything_about(error: BaseException | None) -> str:
    """All a log or a crash report could print of an exception, however it is chained, our local variables included."""
    if error is None:
        return ""
    said = "".join(traceback.format_exception(error)) + repr(error)
    for frame, _line in traceback.walk_tb(error.__traceback__):
        if "bracketeer" in frame.f_code.co_filename:
            said += repr(frame.f_locals)
    return said + everything_about(error.__context__) + everything_about(error.__cause__)


@pytest.mark.parametrize("number", range(len(failures())))
def test_no_secret_is_in_any_log_or_exception(number: int, caplog: pytest.LogCaptureFixture) -> None:
    """P7: key, secret, signature and listen key stay inside, whatever fails and however loud the loggers are."""
    caplog.set_level(logging.DEBUG)
    desk = Desk({BALANCE: [failures()[number]], "POST /fapi/v1/listenKey": [failures()[number]]})
    said = ""
    for call in (desk.gateway.balance, desk.gateway.open_listen_key):
        with pytest.raises(ExchangeError) as caught:
            call()
        said += everything_about(caught.value)
    said += caplog.text + repr(desk.gateway) + repr(client_of(desk)) + repr(desk.notes.events)
    signatures = [sent.parameters.get("signature", API_KEY) for sent in desk.exchange.sent]
    for secret in (API_KEY, API_SECRET, LISTEN_KEY, "deadbeefdeadbeef", *signatures):
        assert secret not in said


def test_a_listen_key_is_known_to_the_redactor_and_hidden_in_reprs() -> None:
    """From the moment it is there."""
    desk = Desk({"POST /fapi/v1/listenKey": {"listenKey": LISTEN_KEY}, "PUT /fapi/v1/listenKey": {}})
    assert desk.gateway.open_listen_key() == LISTEN_KEY
    desk.gateway.extend_listen_key()
    assert desk.redactor.text(f"the key {LISTEN_KEY}") == "the key ***"
    assert [sent.query for sent in desk.exchange.sent] == ["", ""]
    reply = Reply(call="POST /fapi/v1/listenKey", data={"listenKey": LISTEN_KEY}, sent_at_ms=0, limit_usage={})
    assert LISTEN_KEY not in repr(reply) + pretty_repr(reply)
    assert LISTEN_KEY not in pretty_repr(WireListenKey(LISTEN_KEY))


def test_the_connector_leaves_the_root_logger_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Its own senders log raw answers through the root logger, listen keys included; they are never reached."""
    caplog.set_level(logging.DEBUG)
    desk = Desk({"POST /fapi/v1/listenKey": {"listenKey": LISTEN_KEY}})
    desk.gateway.open_listen_key()
    assert [record for record in caplog.records if record.name == "root"] == []
