"""The outcome table: one row per line of binance-usdm.md §8 and per class of §9.

A wrong row here loses money twice: a REFUSED that was executed is sent again, an UNKNOWN that was not stands still.
"""

from __future__ import annotations

import pytest

from bracketeer.core.outcome import RESEND_MS, UNKNOWN_CODES, OutcomeKind, classify

REFUSED, UNKNOWN = OutcomeKind.REFUSED, OutcomeKind.UNKNOWN

TIMEOUT_TEXT = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
UNKNOWN_503 = "Unknown error, please check your request or try again later."
INTERNAL_503 = "Internal error; unable to process your request. Please try again."
OVERLOAD = (
    "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again."
)
BAN = "Way too many requests; IP banned until 1700000120000. Please use the websocket for live updates."

# what happened, http status, code, text, kind, pause before a resend
TABLE = [
    # §8, top to bottom
    ("2xx that cannot be read", 200, None, "", UNKNOWN, None),
    ("a redirect", 302, None, "", UNKNOWN, None),
    ("400 with a code", 400, -1102, "Mandatory parameter 'side' was not sent.", REFUSED, None),
    ("401 with a code", 401, -2015, "Invalid API-key, IP, or permissions for action.", REFUSED, None),
    ("403 with a code", 403, -2015, "Invalid API-key, IP, or permissions for action.", REFUSED, None),
    ("404 with a code", 404, -5000, "Path /fapi/v1/x, Method POST is invalid", REFUSED, None),
    ("408", 408, None, "", UNKNOWN, None),
    ("408 with a code", 408, -1007, TIMEOUT_TEXT, UNKNOWN, None),
    ("-1007", 400, -1007, TIMEOUT_TEXT, UNKNOWN, None),
    ("-1006", 400, -1006, "An unexpected response was received from the message bus.", UNKNOWN, None),
    ("-1000", 400, -1000, "An unknown error occurred while processing the request.", UNKNOWN, None),
    ("429", 429, -1003, "Too many requests; current limit is 2400 requests per minute.", REFUSED, 1000),
    ("429 of orders", 429, -1015, "Too many new orders; current limit is 300 orders per TEN_SECONDS.", REFUSED, 1000),
    ("429 without a body", 429, None, "", REFUSED, 1000),
    ("-1003 under another status", 400, -1003, "Too many requests", REFUSED, 1000),
    ("-1015 under another status", 400, -1015, "Too many new orders", REFUSED, 1000),
    ("418", 418, -1003, BAN, REFUSED, None),
    ("500", 500, -1000, "An unknown error occurred while processing the request.", UNKNOWN, None),
    ("500 with a refusal's code", 500, -2019, "Margin is insufficient.", UNKNOWN, None),
    ("5xx 'request occur unknown error'", 500, None, "Request occur unknown error.", UNKNOWN, None),
    ("502", 502, None, "<html>Bad Gateway</html>", UNKNOWN, None),
    ("504", 504, None, "<html>Gateway Timeout</html>", UNKNOWN, None),
    ("503 sent on", 503, None, UNKNOWN_503, UNKNOWN, None),
    ("503 sent on, with a code", 503, -1000, UNKNOWN_503, UNKNOWN, None),
    ("503 sent on, under an undocumented code", 503, -1001, UNKNOWN_503, UNKNOWN, None),
    ("503 service unavailable", 503, None, "Service Unavailable.", REFUSED, 200),
    ("503 service unavailable, with a code", 503, -1000, "Service Unavailable.", REFUSED, 200),
    ("503 internal error", 503, -1001, INTERNAL_503, REFUSED, 200),
    ("503 overload", 503, -1008, OVERLOAD, REFUSED, 200),
    ("503 overload, code unread", 503, None, OVERLOAD, REFUSED, 200),
    ("503 nobody knows", 503, None, "upstream connect error", UNKNOWN, None),
    ("503 empty", 503, None, "", UNKNOWN, None),
    ("500 'service unavailable' is not the 503", 500, None, "Service Unavailable.", UNKNOWN, None),
    ("-1001 without the 503", 400, -1001, "Internal error; unable to process your request.", UNKNOWN, None),
    ("maintenance", 503, -1016, "This service is no longer available.", REFUSED, 1000),
    ("maintenance under 400", 400, -1016, "This service is no longer available.", REFUSED, 1000),
    ("403 of the firewall", 403, None, "<html>", REFUSED, None),
    ("404 as a page", 404, None, "<html>", REFUSED, None),
    ("400 that cannot be read", 400, None, "?", UNKNOWN, None),
    ("401 that cannot be read", 401, None, "?", UNKNOWN, None),
    # §9 by class
    ("R: timestamp", 400, -1021, "Timestamp for this request is outside of the recvWindow.", REFUSED, 0),
    ("R: timestamp at the engine", 400, -5028, "The requests' timestamp is outside of the recvWindow.", REFUSED, 0),
    ("R: empty book", 400, -1112, "No orders on book for symbol.", REFUSED, 1000),
    ("R: unable to fill", 400, -2020, "Unable to fill.", REFUSED, 1000),
    ("R: counter price", 400, -4131, "The counterparty's best price is outside its band.", REFUSED, 1000),
    ("R with a new price: fill or kill", 400, -5021, "FOK order rejected.", REFUSED, None),
    ("R with a new price: post only", 400, -5022, "Post Only order rejected.", REFUSED, None),
    ("U: a batch", 400, -4083, "Place batch orders failed.", UNKNOWN, None),
    ("U: duplicate id, so one was accepted", 400, -4116, "ClientOrderId is duplicated.", UNKNOWN, None),
    ("A: signature", 400, -1022, "Signature for this request is not valid.", REFUSED, None),
    ("A: key format", 401, -2014, "API-key format invalid.", REFUSED, None),
    ("P: precision", 400, -1111, "Precision is over the maximum defined for this asset.", REFUSED, None),
    ("P: wrong endpoint", 400, -4120, "Order type not supported for this endpoint.", REFUSED, None),
    ("F: margin", 400, -2019, "Margin is insufficient.", REFUSED, None),
    ("S: would trigger at once", 400, -2021, "Order would immediately trigger.", REFUSED, None),
    ("S: nothing to reduce", 400, -2022, "ReduceOnly Order is rejected.", REFUSED, None),
    ("S: one is there already", 400, -4130, "An open stop or take profit order is existing.", REFUSED, None),
    ("S: no position, for a normal order", 400, -4509, "TIF GTE can only be used with open positions.", REFUSED, None),
    ("B: already so", 400, -4046, "No need to change margin type.", REFUSED, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("http_status", "code", "text", "kind", "resend_ms"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_classify_says_what_an_answer_proves(
    http_status: int, code: int | None, text: str, kind: OutcomeKind, resend_ms: int | None
) -> None:
    """Each line of §8 and each class of §9 has one verdict, and the facts are kept beside it."""
    failure = classify(http_status=http_status, code=code, text=text, sent=True)
    assert (failure.kind, failure.resend_ms) == (kind, resend_ms)
    assert (failure.http_status, failure.code, failure.text) == (http_status, code, text)


def test_classify_calls_it_refused_when_nothing_left() -> None:
    """Connect refused, DNS, connect timeout, TLS handshake: not executed, and a resend is allowed."""
    failure = classify(http_status=None, code=None, text="ConnectTimeout", sent=False)
    assert (failure.kind, failure.resend_ms) == (REFUSED, 200)


def test_classify_calls_it_unknown_when_it_left_and_nobody_answered() -> None:
    """Read timeout, reset, broken pipe, end of stream after the send: it may have executed."""
    failure = classify(http_status=None, code=None, text="ReadTimeout", sent=True)
    assert (failure.kind, failure.resend_ms) == (UNKNOWN, None)


def test_classify_lets_a_conditional_order_wait_for_its_position() -> None:
    """-4509 right after a fill is transient: the position lags (§4.6)."""
    failure = classify(http_status=400, code=-4509, text="TIF GTE", sent=True, conditional=True)
    assert (failure.kind, failure.resend_ms) == (REFUSED, 100)


@pytest.mark.parametrize(("wait_s", "resend_ms"), [(7.5, 7500), (0.2, 1000), (None, 1000)])
def test_classify_resends_no_sooner_than_the_exchange_wants(wait_s: float | None, resend_ms: int) -> None:
    """`Retry-After` lengthens the pause and never shortens it."""
    failure = classify(http_status=429, code=-1003, text="", sent=True, retry_after_s=wait_s)
    assert (failure.resend_ms, failure.retry_after_s) == (resend_ms, wait_s)


def test_classify_gives_a_ban_no_resend_but_keeps_its_length() -> None:
    """During a ban nothing goes out at all."""
    failure = classify(http_status=418, code=-1003, text=BAN, sent=True, retry_after_s=120.0)
    assert (failure.kind, failure.resend_ms, failure.retry_after_s) == (REFUSED, None, 120.0)


def test_no_code_is_both_unknown_and_worth_a_resend() -> None:
    """The two tables contradict each other nowhere."""
    assert UNKNOWN_CODES.isdisjoint(RESEND_MS)
