"""From a request to its handler: key, weight, signature, order count."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..accounts import Account
from ..algo import AlgoService
from ..auth import authenticate, check_signature
from ..errors import Code, refusal
from ..limits import RateLimits
from ..params import Params
from ..trading import Trading
from ..venue import Venue
from . import account, algo_orders, batch, listen_key, market, order_history, orders
from .route import Call, Route, Routes, Security

ROUTES: Routes = {
    **market.ROUTES,
    **orders.ROUTES,
    **batch.ROUTES,
    **order_history.ROUTES,
    **algo_orders.ROUTES,
    **account.ROUTES,
    **listen_key.ROUTES,
}


@dataclass(frozen=True, slots=True)
class RestRequest:
    """A request as it came in; header names are in lower case."""

    method: str
    path: str
    raw_query: str
    headers: Mapping[str, str]
    body: str
    address: str


class Dispatcher:
    """The REST front door of a venue."""

    def __init__(self, venue: Venue, trading: Trading, algos: AlgoService, limits: RateLimits) -> None:
        self._venue = venue
        self._trading = trading
        self._algos = algos
        self._limits = limits

    def route(self, request: RestRequest) -> Route:
        """Find the endpoint; an unknown pair of path and method is -5000 (``binance-usdm.md §1.3``)."""
        found = ROUTES.get((request.method, request.path))
        if found is None:
            raise refusal(Code.INVALID_PATH, request.path, request.method)
        return found

    def run(
        self,
        request: RestRequest,
        route: Route,
        params: Params,
        view: Callable[[Account], Account] | None = None,
    ) -> tuple[object, Account | None]:
        """Check a request and run its handler; give the answer's body and whose order count it used.

        ``view`` gives the account to show instead of the caller's own: a query that lags.
        """
        now_ms = self._venue.now_ms()
        if route.is_funding_pool:
            self._limits.charge_funding(request.address, now_ms)
        else:
            self._limits.charge_weight(request.address, route.weight(params), now_ms)
        if route.security is Security.NONE:
            return route.handler(Call(self._venue, self._trading, self._algos, params)), None
        caller = authenticate(self._venue.accounts, request.headers)
        if route.security is Security.SIGNED:
            check_signature(caller, params, request.raw_query, request.body, now_ms, self._venue.switches)
        if route.counts_as_order:
            self._limits.charge_orders(caller.api_key, now_ms, route.ten_second_cost)
        shown = caller if view is None else view(caller)
        answer = route.handler(Call(self._venue, self._trading, self._algos, params, shown))
        return answer, caller if route.counts_as_order else None
