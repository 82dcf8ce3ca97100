"""Little stories on the simulated exchange, told by a client that knows nothing but the exchange's own language."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bracketeer.simulator.control import handle_control
from bracketeer.simulator.exchange import Exchange

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
ABSENT = f"the recorded payloads are not here ({FIXTURES})"

START_MS = 1_760_000_000_000
HOUR_MS = 3_600_000
Params = dict[str, object]
_KEY, _SECRET = "k" * 64, "s" * 64


def entries(kinds: frozenset[str] | set[str]) -> list[dict[str, Any]]:
    """List what is recorded of these kinds; nothing where nothing is recorded."""
    path = FIXTURES / "index.json"
    index: dict[str, list[Any]] = json.loads(path.read_text()) if path.exists() else {}
    # One payload is entered among the repositories.
    rows = [row for name in ("entries", "repositories") for row in index.get(name, ()) if isinstance(row, dict)]
    return [row for row in rows if row["kind"] in kinds]


def stem(entry: dict[str, Any]) -> str:
    """Name a payload."""
    return Path(entry["file"]).stem


def recorded(folder: str, name: str) -> Any:
    """Read one payload."""
    return json.loads((FIXTURES / folder / f"{name}.json").read_text())


@dataclass(frozen=True, slots=True)
class Terms:
    """What to trade and at which prices, around the exchange's opening price."""

    symbol: str
    quantity: str
    opening: str
    below: str  # where a buyer waits
    stop: str  # below that
    target: str  # above the opening


BTC = Terms("BTCUSDT", quantity="0.010", opening="60000.0", below="59000.0", stop="58000.0", target="62000.0")
# A price of seven decimals and whole quantities: where exponents and missing zeros would show.
PEPE = Terms(
    "1000PEPEUSDT", quantity="100000", opening="0.0123456", below="0.0120000", stop="0.0119000", target="0.0126000"
)
ALL_TERMS = (BTC, PEPE)


class RefusedError(Exception):
    """A story asked for something that the exchange refused."""


class Scene:
    """One account on a fresh exchange whose clock stands still."""

    def __init__(self, terms: Terms = BTC) -> None:
        self.terms = terms
        self.now_ms = START_MS
        self.exchange = Exchange(now_ms=lambda: self.now_ms, api_key=_KEY, api_secret=_SECRET)
        self.events: list[Any] = []

    # Requests.

    def request(
        self, method: str, path: str, params: Params | None = None, *, signed: bool = True, key: str = _KEY
    ) -> tuple[int, Any]:
        """Send a request; give status and body."""
        query = urlencode({**(params or {}), **({"timestamp": self.now_ms} if signed else {})})
        if signed:
            query += "&signature=" + hmac.new(_SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
        answer = self.exchange.handle(method, path, query, {"X-MBX-APIKEY": key})
        return answer.status, json.loads(answer.body)

    def ask(self, method: str, path: str, params: Params | None = None, *, signed: bool = True) -> Any:
        """Send a request that has to succeed."""
        status, body = self.request(method, path, params, signed=signed)
        if status != 200:
            raise RefusedError(f"{method} {path} {params}: {status} {body}")
        return body

    def control(self, name: str, **body: object) -> None:
        """Use the control plane."""
        answer = handle_control(self.exchange, "POST", f"/sim/{name}", json.dumps(body).encode())
        if answer.status != 200:
            raise RefusedError(f"{name} {body}: {answer.body!r}")

    # Orders.

    def order(self, side: str, order_type: str, **more: object) -> Any:
        """Send a normal order for the usual quantity."""
        terms = self.terms
        params: Params = {"symbol": terms.symbol, "side": side, "type": order_type, "quantity": terms.quantity}
        return self.ask("POST", "/fapi/v1/order", params | more)

    def rest(self) -> Any:
        """Let a buyer wait below the market."""
        return self.order("BUY", "LIMIT", price=self.terms.below, timeInForce="GTC")

    def buy(self) -> Any:
        """Open a position at market."""
        return self.order("BUY", "MARKET")

    def sell(self) -> Any:
        """Close the position at market."""
        return self.order("SELL", "MARKET", reduceOnly="true")

    def cancel(self, order: dict[str, Any]) -> Any:
        """Cancel a normal order."""
        return self.ask("DELETE", "/fapi/v1/order", {"symbol": self.terms.symbol, "orderId": order["orderId"]})

    def algo(self, order_type: str, **more: object) -> Any:
        """Send a conditional order that sells."""
        symbol = self.terms.symbol
        params: Params = {"algoType": "CONDITIONAL", "symbol": symbol, "side": "SELL", "type": order_type}
        return self.ask("POST", "/fapi/v1/algoOrder", params | more)

    def stop_loss(self) -> Any:
        """Guard the whole position from below."""
        return self.algo("STOP_MARKET", triggerPrice=self.terms.stop, closePosition="true")

    def take_profit(self) -> Any:
        """Guard the whole position from above."""
        return self.algo("TAKE_PROFIT_MARKET", triggerPrice=self.terms.target, closePosition="true")

    def take_profit_limit(self) -> Any:
        """Sell above, at a limit."""
        at = self.terms.target
        return self.algo("TAKE_PROFIT", triggerPrice=at, price=at, quantity=self.terms.quantity)

    def trailing_stop(self) -> Any:
        """Follow the price from above."""
        return self.algo(
            "TRAILING_STOP_MARKET",
            quantity=self.terms.quantity,
            activatePrice=self.terms.target,
            callbackRate="1.5",
            reduceOnly="true",
        )

    def cancel_algo(self, algo: dict[str, Any]) -> Any:
        """Cancel a conditional order."""
        return self.ask("DELETE", "/fapi/v1/algoOrder", {"algoId": algo["algoId"]})

    def move(self, price: str) -> None:
        """Move the market."""
        self.exchange.set_price(self.terms.symbol, Decimal(price))

    def stopped_out(self) -> Any:
        """Live through a position that its stop closes and a market that comes back; gives the stop."""
        self.buy()
        stop = self.stop_loss()
        self.take_profit()
        self.move(self.terms.stop)
        self.move(self.terms.opening)
        return stop

    # The user stream.

    def listen(self, *, wrapped: bool = False) -> str:
        """Record the user stream, bare or in envelopes; gives the listen key."""
        listen_key: str = self.ask("POST", "/fapi/v1/listenKey", signed=False)["listenKey"]
        form = "stream" if wrapped else "ws"
        self.exchange.venue.streams.connect(
            f"/private/{form}",
            f"listenKey={listen_key}",
            lambda text: self.events.append(json.loads(text)),
            lambda: None,
        )
        return listen_key
