"""A trading desk for tests: the exchange in process, a clock that stands still, a client that signs, a recorder."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from bracketeer.simulator.auth import sign
from bracketeer.simulator.exchange import Exchange, HttpAnswer
from bracketeer.simulator.profiles import Switches

KEY = "dbefbc809e3e83c283a984c3a1459732ea7db1360ca80c5c2c8867408d28cc83"
SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
START_MS = 1_760_000_000_000

ORDER = "/fapi/v1/order"
ALGO = "/fapi/v1/algoOrder"
OPEN_ALGOS = "/fapi/v1/openAlgoOrders"
OPEN_ORDERS = "/fapi/v1/openOrders"


@dataclass
class Reply:
    """A decoded answer."""

    status: int
    json: Any
    headers: dict[str, str]

    @property
    def code(self) -> int | None:
        """The error code, None on success."""
        return self.json.get("code") if self.status >= 400 else None


class Desk:
    """One client on one exchange."""

    def __init__(self, *, seed: int = 1, profile: str = "mainnet", switches: Switches | None = None) -> None:
        self.now_ms = START_MS
        self.exchange = Exchange(
            now_ms=lambda: self.now_ms,
            seed=seed,
            api_key=KEY,
            api_secret=SECRET,
            profile=profile,
            switches=switches,
        )
        self.events: list[dict[str, Any]] = []
        self.raw_events: list[str] = []

    def raw(self, method: str, path: str, **params: object) -> HttpAnswer:
        """Send a signed request."""
        query = urlencode({**params, "timestamp": params.get("timestamp", self.now_ms)})
        query += "&signature=" + sign(SECRET, query)
        return self.exchange.handle(method, path, query, {"X-MBX-APIKEY": KEY})

    def send(self, method: str, path: str, **params: object) -> Reply:
        """Send a signed request and decode the answer."""
        return decode(self.raw(method, path, **params))

    def public(self, path: str, query: str = "") -> Reply:
        """Send a request without key."""
        return decode(self.exchange.handle("GET", path, query))

    def market(self, side: str, quantity: str, symbol: str = "BTCUSDT", **more: object) -> Reply:
        """Send a MARKET order."""
        return self.send("POST", ORDER, symbol=symbol, side=side, type="MARKET", quantity=quantity, **more)

    def limit(self, side: str, quantity: str, price: str, symbol: str = "BTCUSDT", **more: object) -> Reply:
        """Send a LIMIT order, GTC unless said otherwise."""
        rest = {"timeInForce": "GTC", **more}
        return self.send("POST", ORDER, symbol=symbol, side=side, type="LIMIT", quantity=quantity, price=price, **rest)

    def algo(self, side: str, order_type: str, trigger: str | None = None, **more: object) -> Reply:
        """Send a conditional order on BTCUSDT unless said otherwise."""
        params: dict[str, object] = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": side, "type": order_type}
        if trigger is not None:
            params["triggerPrice"] = trigger
        return self.send("POST", ALGO, **{**params, **more})

    def close_all_at(self, side: str, order_type: str, trigger: str, **more: object) -> Reply:
        """Send a closePosition order."""
        return self.algo(side, order_type, trigger, closePosition="true", **more)

    def price(self, price: str, symbol: str = "BTCUSDT", mark: str | None = None) -> None:
        """Move a price."""
        self.exchange.set_price(symbol, Decimal(price), None if mark is None else Decimal(mark))

    def listen(self, path: str = "/private/ws/{key}") -> str:
        """Open the user stream and record what it says; gives the listen key."""
        key: str = decode(self.exchange.handle("POST", "/fapi/v1/listenKey", "", {"X-MBX-APIKEY": KEY})).json[
            "listenKey"
        ]
        self.exchange.venue.streams.connect(path.format(key=key), "", self._record, lambda: None)
        return key

    def _record(self, text: str) -> None:
        self.raw_events.append(text)
        self.events.append(json.loads(text))

    def told(self) -> list[str]:
        """Give the recorded events in short form, and forget them."""
        told = [short(event) for event in self.events]
        self.events.clear()
        return told

    def amount(self, symbol: str = "BTCUSDT", position_side: str = "BOTH") -> Decimal:
        """Give a position."""
        return self.exchange.account.position(symbol, position_side).amount

    @property
    def is_flat(self) -> bool:
        """Tell whether nothing is open on BTCUSDT."""
        return not self.amount()


def short(event: dict[str, Any]) -> str:
    """Write an event in a few words."""
    body = event.get("o", {})
    match event["e"]:
        case "ORDER_TRADE_UPDATE":
            return f"ORDER {body['x']} {body['X']}"
        case "ALGO_UPDATE":
            return f"ALGO {body['o']} {body['X']}"
    return str(event["e"])


def decode(answer: HttpAnswer) -> Reply:
    """Decode an answer."""
    return Reply(answer.status, json.loads(answer.body) if answer.body else None, answer.headers)
