"""The exchange in process: requests and price moves in, answers and events out; no sockets, no threads, no real time.

Everything random comes from the seed and every time from the injected clock, so the same seed and script give the same
bytes.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from .accounts import Account
from .algo import AlgoService
from .decimals import ZERO
from .errors import Code, ExchangeError, refusal
from .faults import STREAM_FAULTS, Fault, FaultBook, FaultName
from .filters import check_quantity
from .limits import RateLimits
from .naked import NakedLedger
from .orders import SIDES, Order, OrderTicket
from .params import Params
from .profiles import PROFILES, Switches
from .records import RequestLog
from .rest.dispatch import Dispatcher, RestRequest
from .streams import dump
from .trading import Trading
from .venue import Clock, Venue

_KEY_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_KEY_LENGTH = 64
# The 503 answers of ``binance-usdm.md §8``: the text tells whether the order may have been executed. The code is
# open point 5.
UNKNOWN_503 = "Unknown error, please check your request or try again later."
UNAVAILABLE_503 = "Service Unavailable."
LOOPBACK = "127.0.0.1"
# Faults meet requests a client of the real exchange could make, nothing else.
_REAL_REQUESTS = "/fapi/"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer, and what the socket server has to do to it."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    is_dropped: bool = False  # abort the connection instead of answering
    delay_ms: int = 0


class Exchange:
    """One simulated exchange with one account."""

    def __init__(
        self,
        *,
        now_ms: Callable[[], int],
        seed: int = 1,
        api_key: str | None = None,
        api_secret: str | None = None,
        profile: str = "mainnet",
        switches: Switches | None = None,
    ) -> None:
        keys = random.Random(f"{seed}/keys")
        self.api_key = api_key or "".join(keys.choices(_KEY_LETTERS, k=_KEY_LENGTH))
        self.api_secret = api_secret or "".join(keys.choices(_KEY_LETTERS, k=_KEY_LENGTH))
        self.profile = PROFILES[profile]
        self.switches = switches or Switches()
        self.clock = Clock(now_ms)
        self.seed = seed
        self._build()

    def _build(self) -> None:
        self.venue = Venue(self.profile, self.switches, self.clock, random.Random(f"{self.seed}/ids"))
        self.venue.accounts[self.api_key] = Account(self.api_key, self.api_secret)
        self.trading = Trading(self.venue)
        self.algos = AlgoService(self.venue, self.trading)
        self.limits = RateLimits(self.profile)
        self.faults = FaultBook()
        self.naked = NakedLedger()
        self.requests = RequestLog()
        self._dispatcher = Dispatcher(self.venue, self.trading, self.algos, self.limits)

    @property
    def account(self) -> Account:
        """The account of the exchange's own key pair."""
        return self.venue.accounts[self.api_key]

    def reset(self, seed: int | None = None) -> None:
        """Begin again with empty books; the key pair stays, stream sockets are closed."""
        self.venue.streams.close_all()
        self.seed = self.seed if seed is None else seed
        self.clock.offset_ms = 0
        self._build()

    # REST.

    def handle(
        self,
        method: str,
        path: str,
        raw_query: str = "",
        headers: Mapping[str, str] | None = None,
        body: str = "",
        address: str = LOOPBACK,
    ) -> HttpAnswer:
        """Answer one REST request; faults that wait for it apply."""
        names = {name.lower(): value for name, value in (headers or {}).items()}
        request = RestRequest(method, path, raw_query, names, body, address)
        params = Params.parse(raw_query, body)
        self.venue.streams.expire_keys()
        fault = self.faults.take(method, path, params) if path.startswith(_REAL_REQUESTS) else None
        answer = self._run(request, params) if fault is None else self._fail(fault, request, params)
        self.requests.add(self.venue.now_ms(), request, params, answer, fault)
        return answer

    def _run(self, request: RestRequest, params: Params) -> HttpAnswer:
        now_ms = self.venue.now_ms()
        try:
            route = self._dispatcher.route(request)
            body, order_account = self._dispatcher.run(request, route, params)
        except ExchangeError as error:
            return self._refuse(error, request)
        self._after_change()
        headers = self.limits.weight_header(request.address, now_ms)
        if order_account is not None:
            headers |= self.limits.order_headers(order_account.api_key, now_ms)
        return HttpAnswer(200, dump(body).encode(), headers)

    def _refuse(self, error: ExchangeError, request: RestRequest) -> HttpAnswer:
        now_ms = self.venue.now_ms()
        headers = self.limits.weight_header(request.address, now_ms)
        if error.status == 429 and self.switches.retry_after_header:
            headers |= self.limits.retry_after(request.address, now_ms)
        return HttpAnswer(error.status, dump({"code": error.code, "msg": error.text}).encode(), headers)

    def _fail(self, fault: Fault, request: RestRequest, params: Params) -> HttpAnswer:
        match fault.name:
            case FaultName.REQUEST_LOST:
                return HttpAnswer(0, b"", is_dropped=True)
            case FaultName.REFUSE:
                return self._refuse(refusal(fault.code), request)
            case FaultName.STATUS_503:
                return self._refuse(ExchangeError(self.switches.status_503_code, UNAVAILABLE_503, 503), request)
        done = self._run(request, params)
        match fault.name:
            case FaultName.REPLY_LOST:
                return HttpAnswer(done.status, done.body, done.headers, is_dropped=True)
            case FaultName.STATUS_503_EXECUTED:
                return self._refuse(ExchangeError(self.switches.status_503_code, UNKNOWN_503, 503), request)
        return HttpAnswer(done.status, done.body, done.headers, delay_ms=fault.delay_ms)

    # The world outside.

    def set_price(self, symbol: str, last: Decimal, mark: Decimal | None = None) -> None:
        """Move the last price, and the mark price with it unless it is given; fill and fire what that reaches."""
        market = self.venue.market(symbol)
        price = market.instrument.to_tick(last)
        market.move(price, price if mark is None else mark, self.venue.now_ms())
        self.trading.fill_resting(market)
        self.algos.settle()
        self.algos.evaluate(market, self.algos.settle)
        self._after_change()

    def trade_by_hand(
        self,
        symbol: str,
        side: str,
        quantity: Decimal,
        *,
        reduce_only: bool = False,
        position_side: str = "BOTH",
        client_order_id: str = "",
        price: Decimal | None = None,
    ) -> Order:
        """Place an order of the account that no client sent: at market, or resting when it has a price."""
        if side not in SIDES:
            raise refusal(Code.SIDE)
        check_quantity(self.venue.rules(symbol), quantity, is_market=price is None)
        ticket = OrderTicket(
            symbol=symbol,
            side=side,
            order_type="MARKET" if price is None else "LIMIT",
            quantity=quantity,
            price=ZERO if price is None else price,
            position_side=position_side,
            reduce_only=reduce_only,
            client_order_id=client_order_id,
        )
        order = self.trading.place(self.account, ticket)
        self._after_change()
        return order

    def fault(self, fault: Fault) -> None:
        """Let a fault wait for its request, or apply it to the streams at once."""
        if fault.name not in STREAM_FAULTS:
            self.faults.add(fault)
        elif fault.name is FaultName.STREAM_DROP:
            self.venue.streams.close_all()
        else:
            self.venue.streams.is_muted = fault.name is FaultName.STREAM_MUTE

    def tick(self) -> None:
        """Do what time alone makes due: end listen keys."""
        self.venue.streams.expire_keys()

    def _after_change(self) -> None:
        self.algos.settle()
        now_ms = self.venue.now_ms()
        for account in self.venue.accounts.values():
            self.naked.observe(account, now_ms)
