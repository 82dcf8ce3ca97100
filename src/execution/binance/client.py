"""`UMFutures`, with what it lacks: our clock, bounded waiting, one error translation, and silence about secrets.

The connector (binance-usdm.md §15.2) takes its timestamps from the wall clock, waits for ever, drops rate headers of
refusals, raises exceptions whose texts carry the signed URL, and logs raw answers, listen keys included. All its calls
go through `sign_request` and `send_request`, so replacing those two mends every call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlencode

import msgspec
import requests
import urllib3
from binance.um_futures import UMFutures
from requests.adapters import BaseAdapter

from ...core.outcome import classify
from ...core.redaction import SECRET_LENGTH_MIN, Redactor
from ...core.request_weight import RequestWeightTracker
from ...core.settings import Settings
from ..clock import ExchangeClock
from ..errors import ExchangeError, UnreadableAnswer, error_for
from ..ports import Clock
from .rest_messages import WireServerTime, error_body
from .transport import describe, never_left, new_session, quiet_http_logs
from .usage import TOO_MANY_ORDERS, cost, limit_usage, retry_after_s
from .wire import UnreadableMessage, load_json, read

_ALGO_ORDER: Final = "/fapi/v1/algoOrder"
_PLACE_ALGO_ORDER: Final = f"POST {_ALGO_ORDER}"
_TEXT_LENGTH_MAX: Final = 300
"""Of an error text that is kept: a firewall answers with a whole web page."""


Meaning = TypeVar("Meaning")


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A successful answer: its JSON, when the request was stamped (exchange clock), and its usage headers."""

    call: str
    data: Any
    sent_at_ms: int
    limit_usage: dict[str, str]

    def __repr__(self) -> str:
        return f"Reply({self.call})"  # the data may be a listen key

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("call", self.call)]

    def read(self, translate: Callable[[Any], Meaning]) -> Meaning:
        """Translate the data.

        Raises:
            UnreadableAnswer: it has a shape we do not know. The request was accepted all the same.
        """
        try:
            return translate(self.data)
        except UnreadableMessage as error:
            text = str(error)
        failure = classify(http_status=200, code=None, text=text, sent=True)
        raise UnreadableAnswer(failure, call=self.call, sent_at_ms=self.sent_at_ms)


class Client(UMFutures):  # type: ignore[misc] # the connector ships no types
    """One account on one venue. Every method of `UMFutures` answers a `Reply` or raises an `ExchangeError`.

    Safe for threads: sessions are shared, connections are pooled.
    """

    session: requests.Session

    def __init__(
        self,
        api_key: str,
        api_secret: str,
        base_url: str,
        *,
        settings: Settings,
        clock: Clock,
        tracker: RequestWeightTracker,
        redactor: Redactor,
        adapter: BaseAdapter | None = None,
        on_failure: Callable[[ExchangeError], None] | None = None,
    ) -> None:
        timeout = (settings.connect_timeout_ms / 1000, settings.read_timeout_ms / 1000)
        super().__init__(api_key, api_secret, base_url=base_url.rstrip("/"), timeout=timeout, show_limit_usage=True)
        quiet_http_logs()
        for secret in (api_key, api_secret):
            if len(secret) >= SECRET_LENGTH_MIN:
                redactor.add(secret)
        connectors_own: requests.Session = self.session
        self.session = new_session(adapter)
        self.session.headers.update(connectors_own.headers)
        connectors_own.close()
        self.recv_window_ms = settings.policy.recv_window_ms
        self.redactor = redactor
        self.clock = ExchangeClock(clock, self.server_time_ms)
        self.monotonic = clock.monotonic
        self._tracker = tracker
        self._on_failure = on_failure

    def __repr__(self) -> str:
        return f"Client({self.base_url})"

    def server_time_ms(self) -> int:
        """`GET /fapi/v1/time`."""
        reply = self.send_request("GET", "/fapi/v1/time")
        return reply.read(lambda data: read(data, WireServerTime)).server_time

    def sign_request(
        self,
        http_method: str,
        url_path: str,
        payload: Mapping[str, object] | None = None,
        special: bool = False,  # noqa: ARG002 - the connector's signature
    ) -> Reply:
        """Stamp, sign and send (binance-usdm.md §2.1). The text that was signed is the text that is sent."""
        sent_at_ms = self.clock.now_ms()
        stamped = _encoded(payload, recvWindow=self.recv_window_ms, timestamp=sent_at_ms)
        return self._exchange(_Request(http_method, url_path, stamped, sign=self._get_sign), sent_at_ms)

    def send_request(
        self,
        http_method: str,
        url_path: str,
        payload: Mapping[str, object] | None = None,
        special: bool = False,  # noqa: ARG002 - the connector's signature
    ) -> Reply:
        """Send a request that needs no signature; the key goes along in its header."""
        return self._exchange(_Request(http_method, url_path, _encoded(payload)), self.clock.now_ms())

    # What the connector has no methods for (binance-usdm.md §3.3, §15.2), in its own style.

    def new_algo_order(self, **parameters: object) -> Reply:
        """`POST /fapi/v1/algoOrder`."""
        return self.sign_request("POST", _ALGO_ORDER, parameters)

    def query_algo_order(self, **parameters: object) -> Reply:
        """`GET /fapi/v1/algoOrder`."""
        return self.sign_request("GET", _ALGO_ORDER, parameters)

    def cancel_algo_order(self, **parameters: object) -> Reply:
        """`DELETE /fapi/v1/algoOrder`."""
        return self.sign_request("DELETE", _ALGO_ORDER, parameters)

    def get_open_algo_orders(self, **parameters: object) -> Reply:
        """`GET /fapi/v1/openAlgoOrders`."""
        return self.sign_request("GET", "/fapi/v1/openAlgoOrders", parameters)

    def get_all_algo_orders(self, **parameters: object) -> Reply:
        """`GET /fapi/v1/allAlgoOrders`."""
        return self.sign_request("GET", "/fapi/v1/allAlgoOrders", parameters)

    def listen_key(self, http_method: str) -> Reply:
        """`POST | PUT | DELETE /fapi/v1/listenKey` (§3.5). The connector's methods would put the key into the URL; the
        exchange does not want it there."""
        return self.send_request(http_method, "/fapi/v1/listenKey")

    def close(self) -> None:
        """Drop all connections."""
        self.session.close()

    def _exchange(self, request: _Request, sent_at_ms: int) -> Reply:
        """One request, one answer or one `ExchangeError`; never a second request.

        Nothing leaves during a ban, whoever asks for it: each request makes it longer (binance-usdm.md §7.3).
        """
        if (ban_ms := self._tracker.ban_left_ms()) > 0:
            text = "not sent: the exchange has banned this address"
            raise self._failure(request.call, sent_at_ms, text=text, http_status=418, wait_s=ban_ms / 1000)
        reservation = self._tracker.reserve(*cost(request.call, one_symbol=request.one_symbol))
        answer = self._send(request)
        if isinstance(answer, _NoAnswer):
            if answer.sent:
                self._tracker.settle(reservation)
            else:
                self._tracker.release(reservation)
            raise self._failure(request.call, sent_at_ms, text=answer.text, sent=answer.sent)
        self.clock.hear_date(answer.headers.get("Date", ""))
        # Refusals count too, and their headers are the ones that matter most.
        self._tracker.observe(answer.headers, sent_at_ms=sent_at_ms)
        self._tracker.settle(reservation)
        if not 200 <= answer.status_code < 300:
            raise self._refusal(request.call, sent_at_ms, answer)
        try:
            data = load_json(answer.content)
        except UnreadableMessage as error:
            text = str(error)
        else:
            usage = limit_usage(answer.headers)
            return Reply(call=request.call, data=data, sent_at_ms=sent_at_ms, limit_usage=usage)
        failure = classify(http_status=answer.status_code, code=None, text=text, sent=True)
        raise self._noted(UnreadableAnswer(failure, call=request.call, sent_at_ms=sent_at_ms))

    def _send(self, request: _Request) -> requests.Response | _NoAnswer:
        """Send. A failure comes back as a value: the exception knows the signed URL, and must not be chained to
        ours."""
        try:
            # Redirects are not followed: they would carry key and signature to another host.
            return self.session.request(
                request.method, self.base_url + request.target, timeout=self.timeout, allow_redirects=False
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            return _NoAnswer(describe(error), sent=not never_left(error))

    def _refusal(self, call: str, sent_at_ms: int, response: requests.Response) -> ExchangeError:
        status = response.status_code
        code, text = error_body(response.text)
        wait_s = retry_after_s(
            http_status=status, code=code, text=text, headers=response.headers, now_ms=self.clock.now_ms()
        )
        if status == 418:
            self._tracker.note_banned(None if wait_s is None else int(wait_s * 1000))
        elif wait_s is not None and code == TOO_MANY_ORDERS:
            self._tracker.note_orders_limited(wait_s)
        elif wait_s is not None:
            self._tracker.note_rate_limited(wait_s)
        return self._failure(call, sent_at_ms, text=text, http_status=status, code=code, wait_s=wait_s)

    def _failure(
        self,
        call: str,
        sent_at_ms: int,
        *,
        text: str,
        sent: bool = True,
        http_status: int | None = None,
        code: int | None = None,
        wait_s: float | None = None,
    ) -> ExchangeError:
        failure = classify(
            http_status=http_status,
            code=code,
            text=self.redactor.text(text)[:_TEXT_LENGTH_MAX],
            sent=sent,
            retry_after_s=wait_s,
            conditional=call == _PLACE_ALGO_ORDER,
        )
        return self._noted(error_for(failure, call=call, sent_at_ms=sent_at_ms))

    def _noted(self, error: ExchangeError) -> ExchangeError:
        if self._on_failure is not None:
            self._on_failure(error)
        return error


class _NoAnswer(NamedTuple):
    """Nothing came back: why, and whether the request may have left."""

    text: str
    sent: bool


class _Request:
    """What goes out. Its repr leaves the query out, so that no traceback with local variables shows a signature."""

    __slots__ = ("call", "method", "one_symbol", "target")

    def __init__(self, method: str, path: str, query: str, *, sign: Callable[[str], str] | None = None) -> None:
        self.method = method
        self.call = f"{method} {path}"
        self.one_symbol = "symbol=" in query
        signed = f"{query}&signature={sign(query)}" if sign else query
        self.target = f"{path}?{signed}" if signed else path

    def __repr__(self) -> str:
        return f"_Request({self.call})"


def _encoded(payload: Mapping[str, object] | None, **ours: int) -> str:
    """Parameters as a query string, percent-encoded once: absent ones are left out, text is UTF-8."""
    given = {name: value for name, value in (payload or {}).items() if value is not None}
    return urlencode({**given, **ours})
