"""The exchange in process: requests and price moves in, answers and events out; no sockets, no threads, no real time.

Everything random comes from the seed and every time from the injected clock, so the same seed and script give the same
bytes.
"""

import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from email.utils import formatdate

from .accounts import Account
from .agenda import Agenda
from .algo import AlgoService
from .answers import HttpAnswer
from .clock import Clock
from .decimals import ZERO
from .errors import Code, ExchangeError, refusal
from .fault_acts import FaultActs
from .fault_events import EventGate
from .fault_requests import RequestFaults, View
from .faults import Fault, FaultBook, FaultKind, FaultName
from .filters import check_quantity
from .flow import Flow
from .history import AccountHistory
from .limits import RateLimits
from .market_streams import MarketFeed
from .naked import NakedLedger
from .orders import SIDES, Order, OrderTicket
from .params import Params
from .profiles import PROFILES, Profile, Switches
from .records import PriceTrails, RequestLog
from .rest.dispatch import ROUTES, Dispatcher, RestRequest
from .risk import RiskDesk
from .streams import dump
from .switching import turned
from .trading import Trading
from .venue import Venue
from .world import World

__all__ = ["LOOPBACK", "Exchange", "HttpAnswer"]

_KEY_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_KEY_LENGTH = 64
LOOPBACK = "127.0.0.1"
# Faults meet requests a client of the real exchange could make, nothing else.
_REAL_REQUESTS = "/fapi/"


class Exchange:
    """One simulated exchange with one account."""

    def __init__(
        self,
        *,
        now_ms: Callable[[], int],
        seed: int = 1,
        api_key: str | None = None,
        api_secret: str | None = None,
        profile: str | Profile = "mainnet",
        switches: Switches | None = None,
    ) -> None:
        keys = random.Random(f"{seed}/keys")
        self.api_key = api_key or "".join(keys.choices(_KEY_LETTERS, k=_KEY_LENGTH))
        self.api_secret = api_secret or "".join(keys.choices(_KEY_LETTERS, k=_KEY_LENGTH))
        self.profile = PROFILES[profile] if isinstance(profile, str) else profile
        self.switches = switches or Switches()
        self.clock = Clock(now_ms)
        self.seed = seed
        self._build()

    def _build(self) -> None:
        self.venue = Venue(self.profile, self.switches, self.clock, random.Random(f"{self.seed}/ids"))
        self.venue.accounts[self.api_key] = Account(self.api_key, self.api_secret, updated_ms=self.clock.now_ms())
        self.trading = Trading(self.venue)
        self.feed = MarketFeed(self.venue.data, self.venue.streams, self.venue.markets, self.venue.now_ms)
        self.algos = AlgoService(self.venue, self.trading)
        self.risk = RiskDesk(self.venue, self.trading, self.algos)
        self.world = World(self.venue, self.trading, self.algos, Flow(self.seed))
        self.limits = RateLimits(self.profile, self.switches.refusals_before_ban)
        self.agenda = Agenda()
        self.history = AccountHistory(self.clock)
        self.faults = FaultBook()
        self._request_faults = RequestFaults(self)
        self._acts = FaultActs(self)
        self.venue.publish = EventGate(self.venue.streams.publish, self.faults, self.agenda, self.clock).pass_on
        self.naked = NakedLedger()
        self.requests = RequestLog()
        self.trails = PriceTrails()
        # What a story wanted and could not do, for people.
        self.notes: list[str] = []
        self._dispatcher = Dispatcher(self.venue, self.trading, self.algos, self.limits)

    @property
    def account(self) -> Account:
        """The account of the exchange's own key pair."""
        return self.venue.accounts[self.api_key]

    def reset(self, seed: int | None = None) -> None:
        """Begin again with empty books; the key pair stays, stream sockets are closed."""
        self.venue.streams.close_all()
        self.seed = self.seed if seed is None else seed
        self.clock.reset()
        self._build()

    def set_switches(self, changes: Mapping[str, object]) -> None:
        """Decide open points otherwise, by name, and for good; ``refusals_before_ban`` and ``shutdown_notice_ms`` from
        the next reset on. What makes no sense raises ``ValueError``."""
        self.switches = self.venue.switches = turned(self.switches, changes)

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
        self._pass_time()
        self.venue.streams.expire_keys()
        fault = self.faults.take(method, path, params) if path.startswith(_REAL_REQUESTS) else None
        answer = self.run(request, params) if fault is None else self._request_faults.answer(fault, request, params)
        if fault is None or fault.name is not FaultName.LATE_REQUEST:
            self.record(request, params, answer, fault)
        answer.headers.setdefault("date", formatdate(self.venue.now_ms() / 1000, usegmt=True))
        return answer

    def run(self, request: RestRequest, params: Params, view: View | None = None) -> HttpAnswer:
        """Execute a request and answer it."""
        with self.clock.one_instant():
            return self._run(request, params, view)

    def _run(self, request: RestRequest, params: Params, view: View | None) -> HttpAnswer:
        now_ms = self.venue.now_ms()
        try:
            self.limits.check_ban(request.address, now_ms)
            route = self._dispatcher.route(request)
            body, order_account = self._dispatcher.run(request, route, params, view)
        except ExchangeError as error:
            return self.refuse(error, request)
        self._after_change()
        headers = {} if route.is_funding_pool else self.limits.weight_header(request.address, now_ms)
        if order_account is not None:
            headers |= self.limits.order_headers(order_account.api_key, now_ms)
        return HttpAnswer(200, dump(body).encode(), headers)

    def refuse(self, error: ExchangeError, request: RestRequest) -> HttpAnswer:
        """Answer a request with a refusal."""
        now_ms = self.venue.now_ms()
        headers = self.limits.weight_header(request.address, now_ms)
        if error.status in {418, 429} and self.switches.retry_after_header:
            seconds = self.limits.seconds_left(request.address, now_ms)
            headers["retry-after"] = str(seconds if error.retry_after_s is None else error.retry_after_s)
        caller = request.headers.get("x-mbx-apikey", "")
        if self.switches.order_headers_on_refusal and caller in self.venue.accounts:
            route = ROUTES.get((request.method, request.path))
            headers |= self.limits.order_headers(caller, now_ms) if route and route.counts_as_order else {}
        return HttpAnswer(error.status, dump({"code": error.code, "msg": error.text}).encode(), headers)

    def record(self, request: RestRequest, params: Params, answer: HttpAnswer, fault: Fault | None) -> None:
        """Write a request into the log."""
        self.requests.add(self.venue.now_ms(), request, params, answer, fault)

    # The world outside.

    def set_price(self, symbol: str, last: Decimal, mark: Decimal | None = None) -> None:
        """Move the last price, and the mark price with it unless it is given; fill and fire what that reaches."""
        market = self.venue.market(symbol)
        self._pass_time()
        self.risk.funding.settle_due()  # an hour that has struck counts at the price before
        price = market.instrument.to_tick(last)
        market.move(price, price if mark is None else mark, self.venue.now_ms())
        self.venue.data.note_prices(symbol)
        self.trails.note(symbol, self.venue.now_ms(), price)
        self.world.fill_resting(market)
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
        self._pass_time()
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
        """Let a fault wait for its requests or events, or let the venue act at once."""
        if fault.spec.kind is FaultKind.ACT:
            self._acts.act(fault)
            self._after_change()
            return
        if fault.name is FaultName.STALE_READS:
            self.history.is_kept = True
            fault.undo = self.history.stop
            for account in self.venue.accounts.values():
                self.history.note(account)
        self.faults.add(fault)

    def advance(self, by_ms: int) -> None:
        """Let time pass at once; what falls due on the way happens at its own moment, in order."""
        end_ms = self.clock.steady_ms() + by_ms
        while (due_ms := self.agenda.next_ms) is not None and due_ms <= end_ms:
            self.clock.advance(max(0, due_ms - self.clock.steady_ms()))
            self.tick()
        self.clock.advance(max(0, end_ms - self.clock.steady_ms()))
        self.tick()

    def tick(self) -> None:
        """Do what time alone makes due: end listen keys, let other people trade."""
        with self.clock.one_instant():
            self.agenda.run_due(self.clock.steady_ms())
            self._pass_time()
            self._after_change()
            self.venue.streams.expire_keys()

    def _pass_time(self) -> None:
        """Let other people trade and deadlines come, up to now; what follows for conditional orders is settled."""
        self.world.pass_time()
        if self.venue.flattened:
            self.algos.settle()

    def delist(self, symbol: str) -> None:
        """Let a contract end."""
        self.risk.delist(symbol)
        self._after_change()

    def settle_funding(self) -> None:
        """Let the funding hour strike now."""
        self.risk.funding.settle(self.venue.now_ms())
        self._after_change()

    def _after_change(self) -> None:
        self.algos.settle()
        self.risk.review()
        now_ms = self.venue.now_ms()
        for account in self.venue.accounts.values():
            self.naked.observe(account, now_ms)
            self.history.note(account)
        self.feed.pump()
