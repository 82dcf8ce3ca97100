"""What single orders must look like, from what leaves the manager and from the exchange's books.

The other checks of P2 ask whether a position is covered. These ask whether each order was the right one: the stop
leaves before the take profit, lies at the price that was asked for, rounded towards the earlier exit, and is not taken
away while it is all that covers a position of ours.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from bracketeer.simulator.exchange import Exchange

from .wire import Sent

ALGO_PATH, ORDER_PATH = "/fapi/v1/algoOrder", "/fapi/v1/order"
ABLE_FOR_MS = 10_000
"""A stop that could not even leave, for an outage, may be tried again after the take profit: not judged so soon."""
ENDED_BY_ITSELF = ("CANCELED", "EXPIRED", "REJECTED")
"""What becomes of a stop that no request ended: REJECTED where it triggered and there was nothing to reduce."""


class OrderJudge:
    """Watches single orders. Those of one trade have an id in common, without their last two characters or so."""

    def __init__(self, exchange: Exchange, round_trip_ms: int) -> None:
        self.exchange = exchange
        self.round_trip_ms = round_trip_ms
        self._canceled: set[str] = set()  # by the manager: the names its requests have for them
        self.stops: dict[tuple[str, Decimal], set[Decimal]] = defaultdict(set)  # asked for, by symbol and quantity
        self._entries: dict[str, tuple[str, Decimal]] = {}
        self._stopped: set[str] = set()  # trades whose stop has left once

    def wants(self, symbol: str, quantity: Decimal, stop_loss: Decimal) -> None:
        """A signal asks for an entry of this quantity (each has its own) with this stop."""
        self.stops[symbol, quantity].add(stop_loss)

    def request(self, sent: Sent, ours: dict[str, Decimal], told_ms: dict[str, int], able_for_ms: int) -> str:
        """What is wrong with a request that leaves; empty when nothing is.

        Args:
            ours: by symbol, what is open of ours and of nobody else; symbols with mixed positions are left out.
            told_ms: by symbol, when the manager last heard of stops, on the exchange's clock.
            able_for_ms: how long the manager has been able to reach the exchange.
        """
        values = {name: found[0] for name, found in parse_qs(sent.query).items()}
        if sent.method == "DELETE" and sent.path == ALGO_PATH:
            return self._cancel(values, ours, told_ms)
        if sent.method != "POST":
            return ""
        if sent.path == ORDER_PATH and not is_exit(values):
            self._entries[trade_of(values["newClientOrderId"])] = values["symbol"], Decimal(values["quantity"])
        if sent.path == ALGO_PATH:
            return self._protection(values, able_for_ms)
        return ""

    def _protection(self, values: dict[str, str], able_for_ms: int) -> str:
        client_id, kind = values["clientAlgoId"], values["type"]
        trade = trade_of(client_id)
        if kind == "STOP_MARKET":
            self._stopped.add(trade)
            return self._stop_price(values, trade)
        if trade not in self._stopped and able_for_ms > ABLE_FOR_MS:
            return f"P2: the take profit {client_id} left before the stop of its trade"
        return ""

    def _stop_price(self, values: dict[str, str], trade: str) -> str:
        entry = self._entries.get(trade)
        wanted = self.stops.get(entry, set()) if entry is not None else set()
        if not wanted:
            return ""  # a position that was claimed: its stop is nobody's wish
        rules = self.exchange.venue.instruments[values["symbol"]]
        price, tick = Decimal(values["triggerPrice"]), max(rules.tick_size, self._usual_tick(values["symbol"]))
        # The earlier exit is the higher price of a long and the lower one of a short.
        sign = 1 if values["side"] == "SELL" else -1
        if any(0 <= sign * (price - stop) < tick for stop in wanted):
            return ""
        return f"P2: the stop {values['clientAlgoId']} lies at {price}, asked for was {sorted(wanted)}"

    def _usual_tick(self, symbol: str) -> Decimal:
        """Rules may change while the manager still has the old ones: the coarsest that a story uses."""
        return {"BTCUSDT": Decimal("0.5"), "ETHUSDT": Decimal("0.1"), "XRPUSDT": Decimal("0.001")}.get(
            symbol, Decimal(0)
        )

    def _cancel(self, values: dict[str, str], ours: dict[str, Decimal], told_ms: dict[str, int]) -> str:
        algo = self._algo(values)
        self._canceled |= {str(algo.algo_id)} if algo is not None else set()
        if algo is None or not algo.is_live or algo.order_type != "STOP_MARKET" or algo.symbol not in ours:
            return ""  # to take away what rests no more does no harm
        amount = ours[algo.symbol]
        covered = Decimal(0)
        for other in self.exchange.account.algo_orders.values():
            if other is algo or other.symbol != algo.symbol or not self._stands(other, told_ms.get(algo.symbol, 0)):
                continue
            if other.order_type == "STOP_MARKET" and (other.side == "SELL") is (amount > 0):
                covered += abs(amount) if other.close_position else other.quantity
        if amount == 0 or (algo.side == "SELL") is not (amount > 0) or covered >= abs(amount):
            return ""
        return f"P2: {algo.client_algo_id} is being cancelled, and nothing else stops {amount} {algo.symbol}"

    def has_gone_unheard(self, symbol: str, amount: Decimal, told_ms: int) -> bool:
        """Whether the exchange ended a stop of ours that the manager may believe to guard this position."""
        return any(
            not algo.is_live and self._stands(algo, told_ms)
            for algo in self.exchange.account.algo_orders.values()
            if algo.symbol == symbol and algo.order_type == "STOP_MARKET" and (algo.side == "SELL") is (amount > 0)
        )

    def _stands(self, algo: Any, told_ms: int) -> bool:
        """Whether it rests, or did when the manager last heard of stops: what the exchange ends by itself is news."""
        if algo.is_live:
            return True
        is_news = algo.updated_ms > min(told_ms, self.exchange.clock.now_ms() - self.round_trip_ms)
        return is_news and algo.status.value in ENDED_BY_ITSELF and str(algo.algo_id) not in self._canceled

    def _algo(self, values: dict[str, str]) -> Any:
        lower = {name.lower(): value for name, value in values.items()}
        for algo in self.exchange.account.algo_orders.values():
            if algo.client_algo_id == lower.get("clientalgoid") or str(algo.algo_id) == lower.get("algoid"):
                return algo
        return None


def is_exit(values: dict[str, str]) -> bool:
    """Whether an order can only reduce."""
    return values.get("reduceOnly") == "true" or values.get("closePosition") == "true"


def trade_of(client_id: str) -> str:
    """What the ids of one trade have in common."""
    return client_id.rsplit("-", 1)[0]
