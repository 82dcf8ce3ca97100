"""Request faults: what is executed, what is answered (``binance-usdm.md §8``)."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from .accounts import Account
from .agenda import Agenda
from .answers import HttpAnswer
from .decimals import floor_to, parse_number, plain
from .errors import Code, ExchangeError, refusal
from .faults import Fault, FaultName
from .history import AccountHistory
from .limits import RateLimits
from .params import Params
from .rest.dispatch import RestRequest
from .venue import Venue

# The texts of the 503 answers tell whether the order may have been executed; the code is open point 5.
UNKNOWN_503 = "Unknown error, please check your request or try again later."
UNAVAILABLE_503 = "Service Unavailable."
_HALF = Decimal(50)
_ENGINE_PATHS = frozenset({"/fapi/v1/order", "/fapi/v1/batchOrders", "/fapi/v1/algoOrder"})
_DEFAULT_RECV_WINDOW_MS = 5000

View = Callable[[Account], Account]


class Desk(Protocol):
    """What a fault needs of the exchange."""

    venue: Venue
    limits: RateLimits
    agenda: Agenda
    history: AccountHistory

    def run(self, request: RestRequest, params: Params, view: View | None = None) -> HttpAnswer: ...

    def refuse(self, error: ExchangeError, request: RestRequest) -> HttpAnswer: ...

    def record(self, request: RestRequest, params: Params, answer: HttpAnswer, fault: Fault | None) -> None: ...


def page_of(status: int, title: str) -> HttpAnswer:
    """Give an answer of something in front of the exchange: a page, not JSON."""
    body = (
        f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body><h1>{status} {title}</h1></body>\r\n</html>"
    )
    return HttpAnswer(status, body.encode(), {"content-type": "text/html"})


class RequestFaults:
    """Gives a request the answer its fault wants."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def answer(self, fault: Fault, request: RestRequest, params: Params) -> HttpAnswer:
        """Fail a request."""
        refused = self._refusal(fault, request, params)
        if refused is not None:
            return self._desk.refuse(refused, request)
        match fault.name:
            case FaultName.REQUEST_LOST:
                return HttpAnswer(0, b"", is_dropped=True)
            case FaultName.EMPTY_ANSWER:
                return replace(self._desk.run(request, params), status=200, body=b"[]")
            case FaultName.FIREWALL:
                return page_of(403, "Forbidden")
            case FaultName.LATE_REQUEST:
                return self._execute_later(fault, request, params)
            case FaultName.STALE_READS:
                return self._desk.run(
                    request, params, lambda account: self._desk.history.before(account, fault.delay_ms)
                )
            case FaultName.ORDER_SHRUNK:
                return self._desk.run(request, self._shrink(fault, params))
        return self._spoil(fault, request, params)

    def _refusal(self, fault: Fault, request: RestRequest, params: Params) -> ExchangeError | None:
        """Give the refusal of a request that is not executed."""
        now_ms = self._desk.venue.now_ms()
        switches = self._desk.venue.switches
        match fault.name:
            case FaultName.REFUSE:
                return refusal(fault.code)
            case FaultName.STATUS_503:
                return ExchangeError(switches.status_503_code, UNAVAILABLE_503, 503)
            case FaultName.STATUS_503_UNKNOWN:
                return ExchangeError(switches.status_503_code, UNKNOWN_503, 503)
            case FaultName.STATUS_503_INTERNAL:
                return refusal(Code.DISCONNECTED)
            case FaultName.OVERLOADED:
                return refusal(Code.OVERLOADED)
            case FaultName.MAINTENANCE:
                error = refusal(Code.MAINTENANCE)
                error.status = switches.maintenance_status
                return error
            case FaultName.RATE_LIMITED:
                error = refusal(Code.TOO_MANY_REQUESTS, self._desk.venue.profile.weight_limit_1m)
                error.retry_after_s = self._desk.limits.seconds_left(request.address, now_ms)
                return error
            case FaultName.ORDER_LIMITED:
                error = refusal(Code.TOO_MANY_ORDERS, self._desk.venue.profile.orders_limit_10s, "10 SECOND")
                error.retry_after_s = -(-(10_000 - now_ms % 10_000) // 1000)
                return error
            case FaultName.ORDER_DENIED:
                return refusal(Code.NO_SUCH_ORDER)
            case FaultName.LATE_AT_ENGINE if self._is_late(fault, request, params):
                return refusal(Code.ENGINE_TIMESTAMP)
        return None

    def _is_late(self, fault: Fault, request: RestRequest, params: Params) -> bool:
        window_ms = params.integer("recvWindow", _DEFAULT_RECV_WINDOW_MS)
        age_ms = self._desk.venue.now_ms() + fault.delay_ms - params.integer("timestamp", 0)
        return request.path in _ENGINE_PATHS and request.method != "GET" and age_ms > window_ms

    def _spoil(self, fault: Fault, request: RestRequest, params: Params) -> HttpAnswer:
        """Execute a request, or maybe not, and spoil the answer."""
        is_surely_executed = fault.name in {
            FaultName.REPLY_LOST, FaultName.STATUS_503_EXECUTED, FaultName.GARBLED, FaultName.DELAY,
            FaultName.LATE_AT_ENGINE,
        }  # fmt: skip
        done = HttpAnswer(200, b"")
        if is_surely_executed or fault.is_executed:
            done = self._desk.run(request, params)
        match fault.name:
            case FaultName.REPLY_LOST:
                return replace(done, is_dropped=True)
            case FaultName.GARBLED:
                return replace(done, body=done.body[: len(done.body) // 2])
            case FaultName.STATUS_503_EXECUTED:
                error = ExchangeError(self._desk.venue.switches.status_503_code, UNKNOWN_503, 503)
            case FaultName.STATUS_500:
                error = refusal(Code.UNKNOWN)
                error.status = 500
            case FaultName.STATUS_502:
                return page_of(502, "Bad Gateway")
            case FaultName.STATUS_504:
                return page_of(504, "Gateway Time-out")
            case FaultName.TIMEOUT_1007:
                error = refusal(Code.TIMEOUT)
            case FaultName.BUS_1006:
                error = refusal(Code.UNEXPECTED_RESPONSE)
            case _:  # DELAY, LATE_AT_ENGINE
                return replace(done, delay_ms=fault.delay_ms)
        return self._desk.refuse(error, request)

    def _execute_later(self, fault: Fault, request: RestRequest, params: Params) -> HttpAnswer:
        desk = self._desk

        def arrive() -> None:
            desk.record(request, params, desk.run(request, params), fault)

        desk.agenda.plan(desk.venue.clock.steady_ms() + fault.delay_ms, arrive)
        return HttpAnswer(0, b"", is_dropped=True, delay_ms=fault.delay_ms)

    def _shrink(self, fault: Fault, params: Params) -> Params:
        quantity = parse_number(params.text("quantity", ""))
        rules = self._desk.venue.instruments.get(params.text("symbol", ""))
        if quantity is None or rules is None:
            return params
        percent = _HALF if fault.percent is None else fault.percent
        smaller = max(rules.step_size, floor_to(quantity * percent / 100, rules.step_size))
        others = {name: value for name, value in params.sent.items() if name.lower() != "quantity"}
        return Params({**others, "quantity": plain(smaller)})
