"""Submit and cancel: one request, one event, and never a second send that could execute twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import requests
import urllib3

from bracketeer.core.events import AlgoAcknowledged, CancelDone, CancelFailed, OrderAcknowledged, SubmitFailed
from bracketeer.core.intent import OrderIntent
from bracketeer.core.outcome import OutcomeKind
from bracketeer.core.settings import Policy
from bracketeer.core.values import (
    AlgoStatus,
    OrderStatus,
    OrderType,
    PositionSide,
    Role,
    Side,
    TimeInForce,
    WorkingType,
)

from .stubs import NOW_MS, Answer, Desk, Sent, refusal

ORDER = "POST /fapi/v1/order"
ALGO = "POST /fapi/v1/algoOrder"
CANCEL = "DELETE /fapi/v1/order"
CANCEL_ALGO = "DELETE /fapi/v1/algoOrder"
OPEN_ALGO = "GET /fapi/v1/openAlgoOrders"

FILLED: dict[str, Any] = {
    "orderId": 77,
    "clientOrderId": "bktr-entry",
    "symbol": "BTCUSDT",
    "side": "BUY",
    "status": "FILLED",
    "origQty": "0.010",
    "executedQty": "0.010",
    "type": "MARKET",
    "updateTime": NOW_MS + 5,
}
WAITING: dict[str, Any] = {
    "algoId": 2146760,
    "clientAlgoId": "bktr-stop",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "orderType": "STOP_MARKET",
    "algoStatus": "NEW",
    "createTime": NOW_MS + 5,
    "updateTime": NOW_MS + 6,
}
SKEWED = refusal(-1021, "Timestamp for this request is outside of the recvWindow.")


def entry(**changes: Any) -> OrderIntent:
    """A market entry."""
    given: dict[str, Any] = {
        "client_order_id": "bktr-entry",
        "signal_id": "s1",
        "role": Role.ENTRY,
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "quantity": Decimal("0.010"),
    }
    return OrderIntent(**(given | changes))


def stop(**changes: Any) -> OrderIntent:
    """A stop for the whole position."""
    given: dict[str, Any] = {
        "client_order_id": "bktr-stop",
        "signal_id": "s1",
        "role": Role.STOP_LOSS,
        "symbol": "BTCUSDT",
        "side": Side.SELL,
        "order_type": OrderType.STOP_MARKET,
        "trigger_price": Decimal("58000.0"),
        "working_type": WorkingType.CONTRACT_PRICE,
        "close_position": True,
    }
    return OrderIntent(**(given | changes))


def test_submit_acknowledges_a_market_order() -> None:
    """The answer becomes an event that says what was executed and when the request was stamped."""
    desk = Desk({ORDER: FILLED})
    assert desk.gateway.submit(entry()) == OrderAcknowledged(
        at_ms=NOW_MS,
        client_order_id="bktr-entry",
        exchange_order_id=77,
        status=OrderStatus.FILLED,
        quantity=Decimal("0.010"),
        executed_quantity=Decimal("0.010"),
        exchange_time_ms=NOW_MS + 5,
        sent_at_ms=NOW_MS,
    )


@pytest.mark.parametrize(
    ("intent", "expected"),
    [
        (
            entry(quantity=Decimal("0.00001000")),
            {"side": "BUY", "type": "MARKET", "quantity": "0.00001", "newClientOrderId": "bktr-entry"},
        ),
        (
            entry(order_type=OrderType.LIMIT, price=Decimal("6E+4"), time_in_force=TimeInForce.GTC),
            {
                "side": "BUY",
                "type": "LIMIT",
                "quantity": "0.01",
                "price": "60000",
                "timeInForce": "GTC",
                "newClientOrderId": "bktr-entry",
            },
        ),
        (
            entry(side=Side.SELL, reduce_only=True),
            {
                "side": "SELL",
                "type": "MARKET",
                "quantity": "0.01",
                "reduceOnly": "true",
                "newClientOrderId": "bktr-entry",
            },
        ),
        (
            entry(side=Side.SELL, reduce_only=True, position_side=PositionSide.LONG),
            {
                "side": "SELL",
                "type": "MARKET",
                "quantity": "0.01",
                "positionSide": "LONG",
                "newClientOrderId": "bktr-entry",
            },
        ),
    ],
    ids=["market", "limit", "reduce-only", "hedge mode says reduce-only by its side"],
)
def test_submit_sends_exactly_what_the_intent_says(intent: OrderIntent, expected: dict[str, str]) -> None:
    """Numbers go out plain, and absent parameters stay absent."""
    desk = Desk({ORDER: FILLED})
    desk.gateway.submit(intent)
    sent = desk.only.parameters
    assert sent.pop("signature")
    assert sent == expected | {
        "symbol": "BTCUSDT",
        "newOrderRespType": "RESULT",
        "recvWindow": "2000",
        "timestamp": str(NOW_MS),
    }


@pytest.mark.parametrize(
    ("intent", "expected"),
    [
        (stop(), {"type": "STOP_MARKET", "closePosition": "true"}),
        (stop(quantity=Decimal(1), reduce_only=True), {"type": "STOP_MARKET", "closePosition": "true"}),
        (
            stop(close_position=False, quantity=Decimal("0.5"), reduce_only=True),
            {"type": "STOP_MARKET", "quantity": "0.5", "reduceOnly": "true"},
        ),
        (
            stop(order_type=OrderType.TAKE_PROFIT_MARKET, working_type=None),
            {"type": "TAKE_PROFIT_MARKET", "closePosition": "true", "workingType": None},
        ),
    ],
    ids=["close-position", "close-position wins over a quantity", "quantity", "no working type"],
)
def test_submit_sends_a_conditional_order_to_the_algo_service(
    intent: OrderIntent, expected: dict[str, str | None]
) -> None:
    """A close-position order carries neither quantity nor reduceOnly: both are refused (§4.6)."""
    desk = Desk({ALGO: WAITING})
    desk.gateway.submit(intent)
    sent = desk.only.parameters
    assert sent.pop("signature")
    wanted = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "algoType": "CONDITIONAL",
        "clientAlgoId": "bktr-stop",
        "triggerPrice": "58000",
        "workingType": "CONTRACT_PRICE",
        "recvWindow": "2000",
        "timestamp": str(NOW_MS),
    } | expected
    assert sent == {name: value for name, value in wanted.items() if value is not None}


def test_submit_acknowledges_a_conditional_order() -> None:
    """The algo id is the handle until it triggers."""
    desk = Desk({ALGO: WAITING})
    assert desk.gateway.submit(stop()) == AlgoAcknowledged(
        at_ms=NOW_MS,
        client_order_id="bktr-stop",
        algo_id=2146760,
        status=AlgoStatus.NEW,
        exchange_time_ms=NOW_MS + 6,
        sent_at_ms=NOW_MS,
    )


def lost() -> requests.ConnectionError:
    """What `requests` raises when the server closes a reused connection instead of answering."""
    inner = urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, "reset"))
    return requests.ConnectionError(inner)


def never_connected() -> requests.ConnectionError:
    """What `requests` raises when nobody listens."""
    pool = urllib3.HTTPConnectionPool("exchange.test")
    reason = urllib3.exceptions.NewConnectionError(urllib3.connection.HTTPConnection("exchange.test"), "refused")
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/x?signature=abc", reason))


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (requests.ReadTimeout("read timed out"), OutcomeKind.UNKNOWN, None),
        (lost(), OutcomeKind.UNKNOWN, None),
        (requests.exceptions.SSLError("bad record"), OutcomeKind.UNKNOWN, None),
        (requests.exceptions.ChunkedEncodingError("cut"), OutcomeKind.UNKNOWN, None),
        (OSError(5, "input/output error"), OutcomeKind.UNKNOWN, None),
        (never_connected(), OutcomeKind.REFUSED, None),
        (requests.ConnectTimeout("timed out"), OutcomeKind.REFUSED, None),
        (Answer("<html>", 502), OutcomeKind.UNKNOWN, None),
        (refusal(-2019, "Margin is insufficient."), OutcomeKind.REFUSED, -2019),
        (refusal(-4116, "ClientOrderId is duplicated."), OutcomeKind.UNKNOWN, -4116),
        (Answer("OK"), OutcomeKind.UNKNOWN, None),
        (Answer([]), OutcomeKind.UNKNOWN, None),
        (Answer({"orderId": 1}), OutcomeKind.UNKNOWN, None),
        (Answer(FILLED | {"status": "MELTED"}), OutcomeKind.UNKNOWN, None),
        (Answer("", 302, {"Location": "https://elsewhere.test/"}), OutcomeKind.UNKNOWN, None),
    ],
    ids=[
        "no answer",
        "reset on a reused connection",
        "TLS error at an unknown moment",
        "answer cut short",
        "other system error",
        "nobody listens",
        "connect timeout",
        "502",
        "margin",
        "duplicate id",
        "2xx that is not JSON",
        "2xx of another type",
        "2xx with a field missing",
        "2xx with an unknown status",
        "redirect",
    ],
)
def test_submit_sends_once_and_says_what_is_proven(answer: Any, kind: OutcomeKind, code: int | None) -> None:
    """Whatever happens to it, an order leaves once; and only proof makes it REFUSED."""
    desk = Desk({ORDER: [answer]})
    event = desk.gateway.submit(entry())
    assert isinstance(event, SubmitFailed)
    assert (event.failure.kind, event.failure.code) == (kind, code)
    assert (event.client_order_id, event.sent_at_ms) == ("bktr-entry", NOW_MS)
    assert desk.exchange.calls() == [ORDER]


def test_submit_measures_the_clock_and_sends_again_when_its_timestamp_was_refused() -> None:
    """-1021 proves non-execution: one resync, one resend, with the timestamp of the exchange's clock."""
    desk = Desk({ORDER: [SKEWED, FILLED], "GET /fapi/v1/time": {"serverTime": NOW_MS + 5000}})
    event = desk.gateway.submit(entry())
    assert isinstance(event, OrderAcknowledged)
    assert event.sent_at_ms == NOW_MS + 5000
    stamps = [sent.parameters["timestamp"] for sent in desk.exchange.sent if sent.call == ORDER]
    assert stamps == [str(NOW_MS), str(NOW_MS + 5000)]


@pytest.mark.parametrize(("role", "sends"), [(Role.ENTRY, 1), (Role.EXIT, 2)])
def test_entry_that_was_long_on_its_way_is_not_sent_again_from_here(role: Role, sends: int) -> None:
    """Its timestamp was refused because it was old, not wrong. The engine knows whether the signal has expired; what
    closes a position goes out all the same."""
    desk = Desk({ORDER: [SKEWED, FILLED]})

    def look_up_the_name(sent: Sent) -> None:
        if sent.call == ORDER:
            desk.clock.sleep(1.5)

    desk.exchange.on_send = look_up_the_name
    event = desk.gateway.submit(entry(role=role))
    assert desk.exchange.calls().count(ORDER) == sends
    assert isinstance(event, SubmitFailed if role is Role.ENTRY else OrderAcknowledged)


def test_submit_gives_up_when_the_second_timestamp_is_refused_too() -> None:
    """There is no third send."""
    desk = Desk({ORDER: [SKEWED]})
    event = desk.gateway.submit(entry())
    assert isinstance(event, SubmitFailed)
    assert event.failure.code == -1021
    assert desk.exchange.calls().count(ORDER) == 2


def test_submit_reports_the_refused_timestamp_when_the_clock_cannot_be_measured() -> None:
    """Then nothing is sent again."""
    desk = Desk({ORDER: [SKEWED], "GET /fapi/v1/time": Answer("<html>", 502)})
    event = desk.gateway.submit(entry())
    assert isinstance(event, SubmitFailed)
    assert event.failure.code == -1021
    assert desk.exchange.calls().count(ORDER) == 1


def test_submit_says_how_long_to_wait_when_it_is_rate_limited() -> None:
    """`Retry-After` reaches the engine."""
    desk = Desk({ORDER: refusal(-1003, "Too many requests", 429, **{"Retry-After": "7"})})
    event = desk.gateway.submit(entry())
    assert isinstance(event, SubmitFailed)
    assert (event.failure.retry_after_s, event.failure.resend_ms) == (7.0, 7000)


def test_submit_uses_the_configured_recv_window() -> None:
    """A small window makes the doubt about a lost order short."""
    desk = Desk({ORDER: FILLED}, policy=Policy(recv_window_ms=1500))
    desk.gateway.submit(entry())
    assert desk.only.parameters["recvWindow"] == "1500"


def test_cancel_is_done_when_the_exchange_says_so() -> None:
    """By client id, in the store of normal orders."""
    desk = Desk({CANCEL: FILLED | {"status": "CANCELED"}})
    event = desk.gateway.cancel("bktr-entry", "BTCUSDT", algo=False)
    assert event == CancelDone(at_ms=NOW_MS, client_order_id="bktr-entry")
    assert desk.only.parameters["origClientOrderId"] == "bktr-entry"


def test_cancel_of_an_algo_order_takes_a_success_code_that_is_text() -> None:
    """DELETE algoOrder answers `"code": "200"` (§4.3)."""
    desk = Desk({CANCEL_ALGO: {"algoId": 1, "clientAlgoId": "bktr-stop", "code": "200", "msg": "success"}})
    event = desk.gateway.cancel("bktr-stop", "BTCUSDT", algo=True)
    assert event == CancelDone(at_ms=NOW_MS, client_order_id="bktr-stop")
    assert desk.only.parameters["clientAlgoId"] == "bktr-stop"


@pytest.mark.parametrize(
    ("call", "code", "algo"), [(CANCEL, -2011, False), (CANCEL, -2013, False), (CANCEL_ALGO, -2011, True)]
)
def test_cancel_is_done_when_the_order_was_not_open(call: str, code: int, algo: bool) -> None:
    """Gone is as good; whether it filled is another question."""
    desk = Desk({call: refusal(code, "Unknown order sent.")})
    event = desk.gateway.cancel("bktr-x", "BTCUSDT", algo=algo)
    assert event == CancelDone(at_ms=NOW_MS, client_order_id="bktr-x", gone=True)


def test_cancel_believes_no_such_algo_order_when_the_open_list_agrees() -> None:
    """-2013 alone is not proof for an algo order (§4.7)."""
    desk = Desk({CANCEL_ALGO: refusal(-2013), OPEN_ALGO: [[]]})
    event = desk.gateway.cancel("bktr-stop", "BTCUSDT", algo=True)
    assert event == CancelDone(at_ms=NOW_MS, client_order_id="bktr-stop", gone=True)


@pytest.mark.parametrize(("second", "gone"), [(Answer({"code": "200"}), False), (refusal(-2011), True)])
def test_cancel_uses_the_algo_id_when_the_open_list_disagrees(second: Answer, gone: bool) -> None:
    """The order is there after all, so it is cancelled by its other key."""
    desk = Desk({CANCEL_ALGO: [refusal(-2013), second], OPEN_ALGO: [[WAITING | {"clientAlgoId": "x"}, WAITING]]})
    event = desk.gateway.cancel("bktr-stop", "BTCUSDT", algo=True)
    assert event == CancelDone(at_ms=NOW_MS, client_order_id="bktr-stop", gone=gone)
    assert desk.exchange.sent[-1].parameters["algoId"] == "2146760"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(requests.ReadTimeout(), OutcomeKind.UNKNOWN), (refusal(-4117, "Stop is triggering"), OutcomeKind.REFUSED)],
)
def test_cancel_fails_with_what_is_known(answer: Any, kind: OutcomeKind) -> None:
    """Unknown stays unknown, and is not repeated here."""
    desk = Desk({CANCEL_ALGO: [answer]})
    event = desk.gateway.cancel("bktr-stop", "BTCUSDT", algo=True)
    assert isinstance(event, CancelFailed)
    assert event.failure.kind is kind
    assert desk.exchange.calls() == [CANCEL_ALGO]


def test_cancel_measures_the_clock_when_its_timestamp_was_refused() -> None:
    """As for a submit: proven not executed, known cure."""
    desk = Desk({CANCEL: [SKEWED, FILLED]})
    assert isinstance(desk.gateway.cancel("bktr-entry", "BTCUSDT", algo=False), CancelDone)
