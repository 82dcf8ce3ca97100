"""The WebSocket API: another envelope around the same calls (``binance-usdm.md §11``).

A request is authenticated here, by its own rule, then signed anew and sent through the door of REST: the same handlers,
limits and faults, no second implementation.
"""

import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from .accounts import Account
from .answers import HttpAnswer
from .auth import authenticate, check_time, sign
from .connections import dump
from .errors import Code, ExchangeError, refusal
from .exchange import Exchange
from .messages import Row
from .params import Params
from .rest.dispatch import ROUTES
from .rest.route import Security
from .signatures import is_ed25519_signed
from .ws_methods import METHODS, SESSION_METHODS

PATH = "/ws-fapi/v1"
_HANDSHAKE_WEIGHT = 5
_SESSION_WEIGHT = 2
# Marks the weight of an address that is counted apart from that of REST.
_OWN_POOL = "/ws"
_OWN_NAMES = frozenset({"apiKey", "signature", "returnRateLimits"})


@dataclass(slots=True)
class Session:
    """One socket: where it comes from, since when, and as whom."""

    address: str
    connected_ms: int
    returns_limits: bool = True
    api_key: str = ""
    authorized_ms: int = 0


@dataclass(frozen=True, slots=True)
class WsAnswer:
    """An answer, and what the socket server has to do to it."""

    text: str
    is_dropped: bool = False
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class _Request:
    request_id: object
    method: str
    params: dict[str, str]
    wants_limits: bool


class WsApi:
    """The order entry by socket of one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def open(self, raw_query: str, address: str) -> Session:
        """Begin a session, which costs weight; beyond the limit the handshake is refused."""
        now_ms = self._exchange.venue.now_ms()
        self._exchange.limits.check_ban(address, now_ms)
        if self._exchange.switches.ws_api_weight_is_separate:
            address += _OWN_POOL
        self._exchange.limits.charge_weight(address, _HANDSHAKE_WEIGHT, now_ms)
        wanted = dict(parse_qsl(raw_query)).get("returnRateLimits", "true")
        return Session(address, now_ms, wanted != "false")

    def revoked(self, session: Session) -> str | None:
        """Give what a socket hears whose key is gone: an answer nobody asked for."""
        if not session.api_key or session.api_key in self._exchange.venue.accounts:
            return None
        session.api_key = ""
        return dump({"id": None, **_error_row(refusal(Code.KEY_REJECTED))})

    def answer(self, session: Session, text: str) -> WsAnswer:
        """Answer one request."""
        try:
            request = _parse(text, session)
        except ExchangeError as error:
            return WsAnswer(dump({"id": None, **_error_row(error)}))
        try:
            if request.method in SESSION_METHODS:
                return self._answer_session(session, request)
            http = self._run(session, request)
        except ExchangeError as error:
            return WsAnswer(dump({"id": request.request_id, **_error_row(error)} | self._limit_rows(session, request)))
        body = json.loads(http.body) if http.body else None
        row = {"result": body} if http.status == 200 else {"error": body}
        envelope: Row = {"id": request.request_id, "status": http.status, **row}
        envelope |= self._limit_rows(session, request, http)
        return WsAnswer(dump(envelope), http.is_dropped, http.delay_ms)

    # Calls.

    def _run(self, session: Session, request: _Request) -> HttpAnswer:
        if request.method not in METHODS:
            raise refusal(Code.UNSUPPORTED_OPERATION)
        # A ban is of the address, however its weight is counted.
        self._exchange.limits.check_ban(session.address.removesuffix(_OWN_POOL), self._exchange.venue.now_ms())
        method, path = METHODS[request.method]
        security = ROUTES[method, path].security
        query = urlencode({name: value for name, value in request.params.items() if name not in _OWN_NAMES})
        headers: dict[str, str] = {}
        if security is not Security.NONE:
            account = self._caller(session, request, must_sign=security is Security.SIGNED)
            headers["x-mbx-apikey"] = account.api_key
            query += "&signature=" + sign(account.api_secret, query)
        if request.method == "order.modify":
            Params(request.params).text("quantity")
            Params(request.params).text("price")
        return self._exchange.handle(method, path, query, headers, "", session.address)

    def _caller(self, session: Session, request: _Request, *, must_sign: bool) -> Account:
        """Find out who asks: whoever signs, else whoever logged on."""
        accounts = self._exchange.venue.accounts
        if session.api_key and "signature" not in request.params:
            return authenticate(accounts, {"x-mbx-apikey": session.api_key})
        api_key = Params(request.params).text("apiKey")
        account = authenticate(accounts, {"x-mbx-apikey": api_key})
        if must_sign:
            _check_signature(account, request)
        return account

    # Sessions.

    def _answer_session(self, session: Session, request: _Request) -> WsAnswer:
        now_ms = self._exchange.venue.now_ms()
        self._exchange.limits.charge_weight(session.address, _SESSION_WEIGHT, now_ms)
        if request.method == "session.logon":
            self._log_on(session, request, now_ms)
        elif request.method == "session.logout":
            session.api_key, session.authorized_ms = "", 0
        result = {
            "apiKey": session.api_key or None,
            "authorizedSince": session.authorized_ms or None,
            "connectedSince": session.connected_ms,
            "returnRateLimits": session.returns_limits,
            "serverTime": now_ms,
        }
        envelope: Row = {"id": request.request_id, "status": 200, "result": result}
        return WsAnswer(dump(envelope | self._limit_rows(session, request)))

    def _log_on(self, session: Session, request: _Request, now_ms: int) -> None:
        """Log on, with an Ed25519 key alone; an account without one is -2015."""
        params = Params(request.params)
        account = authenticate(self._exchange.venue.accounts, {"x-mbx-apikey": params.text("apiKey")})
        check_time(params, now_ms, self._exchange.switches)
        signature = params.text("signature")
        if not any(is_ed25519_signed(account, text, signature) for text in _signed_texts(request.params)):
            raise refusal(Code.SIGNATURE if account.ed25519_key else Code.KEY_REJECTED)
        session.api_key, session.authorized_ms = account.api_key, now_ms

    # Envelope.

    def _limit_rows(self, session: Session, request: _Request, http: HttpAnswer | None = None) -> Row:
        if not request.wants_limits:
            return {}
        profile, now_ms = self._exchange.profile, self._exchange.venue.now_ms()
        headers = self._exchange.limits.weight_header(session.address, now_ms) | (http.headers if http else {})
        pools = (
            ("x-mbx-used-weight-1m", "REQUEST_WEIGHT", "MINUTE", 1, profile.weight_limit_1m),
            ("x-mbx-order-count-10s", "ORDERS", "SECOND", 10, profile.orders_limit_10s),
            ("x-mbx-order-count-1m", "ORDERS", "MINUTE", 1, profile.orders_limit_1m),
        )
        rows = [
            {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit, "count": int(used)}
            for header, kind, interval, number, limit in pools
            if (used := headers.get(header)) is not None
        ]
        return {"rateLimits": rows}


def _parse(text: str, session: Session) -> _Request:
    try:
        # Numbers with a point stay text: money is never a float.
        parsed: Any = json.loads(text, parse_float=str)
    except ValueError:
        raise refusal(Code.INVALID_MESSAGE) from None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("method"), str):
        raise refusal(Code.INVALID_MESSAGE)
    raw = parsed.get("params") or {}
    if not isinstance(raw, dict):
        raise refusal(Code.INVALID_MESSAGE)
    params = {str(name): _text(value) for name, value in raw.items() if value is not None}
    wanted = params.get("returnRateLimits")
    return _Request(
        parsed.get("id"), parsed["method"], params, session.returns_limits if wanted is None else wanted != "false"
    )


def _text(value: object) -> str:
    """Write a parameter as it is signed: integers may come as numbers, decimals as texts."""
    if isinstance(value, str):
        return value
    return dump(value)


def _signed_texts(params: dict[str, str]) -> Iterator[str]:
    """Give the texts a signature may cover: sorted by name, bare as documented, or encoded as the SDK does."""
    pairs = sorted((name, value) for name, value in params.items() if name != "signature")
    yield "&".join(f"{name}={value}" for name, value in pairs)
    yield urlencode(pairs)


def _check_signature(account: Account, request: _Request) -> None:
    given = Params(request.params).text("signature")
    for text in _signed_texts(request.params):
        if hmac.compare_digest(sign(account.api_secret, text), given.lower()):
            return
        if is_ed25519_signed(account, text, given):
            return
    raise refusal(Code.SIGNATURE)


def _error_row(error: ExchangeError) -> Row:
    return {"status": error.status, "error": {"code": error.code, "msg": error.text}}
