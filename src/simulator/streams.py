"""User data streams without sockets: listen keys, routed paths, subscriptions, who hears what.

A socket server (or a test) gives each connection a ``send`` callback and feeds it what the client sends. Sources:
``binance-usdm.md §1.2`` for paths, ``§3.5`` and ``§10.1`` for listen keys, ``§10.7`` for the subscribe protocol.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from .errors import Code, refusal
from .messages import Row
from .profiles import Profile

LISTEN_KEY_LIFE_MS = 60 * 60 * 1000
_KEY_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ROUTES = ("private", "public", "market")

Send = Callable[[str], None]
Close = Callable[[], None]


@dataclass(slots=True)
class ListenKey:
    """The one key of an account; two processes share it."""

    key: str = field(repr=False)
    expires_ms: int


@dataclass(slots=True, eq=False)
class Connection:
    """One socket of a client."""

    route: str  # private, public, market, or empty for the unrouted path
    is_combined: bool
    send: Send
    close: Close
    # Subscribed names; for a listen key the events wanted, empty for all of them.
    subscriptions: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)


def dump(row: object) -> str:
    """Write a message as compact JSON."""
    return json.dumps(row, separators=(",", ":"))


class StreamHub:
    """Listen keys and connections; decides who hears an event."""

    def __init__(self, profile: Profile, now_ms: Callable[[], int], ids: random.Random) -> None:
        self._profile = profile
        self._now_ms = now_ms
        self._ids = ids
        self._keys: dict[str, ListenKey] = {}
        self._connections: list[Connection] = []
        self.is_muted = False

    # Listen keys.

    def open_key(self, api_key: str) -> str:
        """Give the active key of an account, extended, or a new one."""
        self.expire_keys()
        active = self._keys.get(api_key)
        if active is None:
            active = self._keys[api_key] = ListenKey("".join(self._ids.choices(_KEY_LETTERS, k=64)), 0)
        active.expires_ms = self._now_ms() + LISTEN_KEY_LIFE_MS
        return active.key

    def extend_key(self, api_key: str) -> str:
        """Extend the active key by an hour from now; without one -1125."""
        self.expire_keys()
        if api_key not in self._keys:
            raise refusal(Code.LISTEN_KEY)
        return self.open_key(api_key)

    def close_key(self, api_key: str) -> None:
        """End the stream for all users of a key."""
        closed = self._keys.pop(api_key, None)
        if closed is not None:
            for connection in self._listeners(closed.key):
                connection.close()

    def expire_keys_now(self) -> None:
        """End every key before its time."""
        for active in self._keys.values():
            active.expires_ms = self._now_ms()
        self.expire_keys()

    def expire_keys(self) -> None:
        """End the keys whose hour is over: one last event, then silence on an open socket (``§10.1``)."""
        now_ms = self._now_ms()
        for api_key, active in list(self._keys.items()):
            if now_ms >= active.expires_ms:
                self.publish(api_key, {"e": "listenKeyExpired", "E": now_ms, "listenKey": active.key})
                del self._keys[api_key]

    # Connections.

    def connect(self, path: str, raw_query: str, send: Send, close: Close) -> Connection:
        """Accept a connection. A wrong path or an unknown key gives no error, only silence (``§1.2``)."""
        parts = [part for part in path.split("/") if part]
        route = parts.pop(0) if parts and parts[0] in _ROUTES else ""
        form = parts.pop(0) if parts else ""
        connection = Connection(route, form == "stream", send, close)
        for name in parts:
            connection.subscriptions[name] = frozenset()
        self._subscribe_from_query(connection, raw_query)
        self._connections.append(connection)
        return connection

    @staticmethod
    def _subscribe_from_query(connection: Connection, raw_query: str) -> None:
        latest = ""
        for name, value in parse_qsl(raw_query):
            if name == "streams":
                connection.subscriptions.update(dict.fromkeys(value.split("/"), frozenset()))
            elif name == "listenKey":
                latest = value
                connection.subscriptions[latest] = frozenset()
            elif name == "events" and latest:
                connection.subscriptions[latest] = frozenset(value.split("/"))

    def disconnect(self, connection: Connection) -> None:
        """Forget a connection."""
        if connection in self._connections:
            self._connections.remove(connection)

    def close_all(self) -> None:
        """Close every connection: the ``stream_drop`` fault."""
        for connection in list(self._connections):
            connection.close()

    def receive(self, connection: Connection, text: str) -> None:
        """Take a message of the client: SUBSCRIBE, UNSUBSCRIBE or LIST_SUBSCRIPTIONS."""
        try:
            request = json.loads(text)
            method, names, request_id = request["method"], request.get("params", []), request.get("id")
        except (ValueError, TypeError, KeyError, AttributeError):
            connection.send(dump({"code": 2, "msg": "Invalid request: not a known request object"}))
            return
        result: list[str] | None = None
        if method == "SUBSCRIBE":
            connection.subscriptions.update({str(name): frozenset() for name in names})
        elif method == "UNSUBSCRIBE":
            for name in names:
                connection.subscriptions.pop(str(name), None)
        elif method == "LIST_SUBSCRIPTIONS":
            result = list(connection.subscriptions)
        else:
            connection.send(dump({"code": 1, "msg": f"Invalid value type: unknown method {method}", "id": request_id}))
            return
        connection.send(dump({"result": result, "id": request_id}))

    # Events.

    def has_listener(self, api_key: str) -> bool:
        """Tell whether an event of this account would reach anybody."""
        active = self._keys.get(api_key)
        return active is not None and not self.is_muted and any(self._listeners(active.key))

    def publish(self, api_key: str, event: Row) -> None:
        """Send a private event to those who listen to the account's key."""
        active = self._keys.get(api_key)
        if active is None or self.is_muted:
            return
        bare = dump(event)
        wrapped = ""
        for connection in self._listeners(active.key):
            wanted = connection.subscriptions[active.key]
            if wanted and event["e"] not in wanted:
                continue
            if connection.is_combined:
                wrapped = wrapped or dump({"stream": active.key, "data": event})
                connection.send(wrapped)
            else:
                connection.send(bare)

    def _listeners(self, key: str) -> list[Connection]:
        return [
            connection
            for connection in self._connections
            if key in connection.subscriptions and self._may_hear_private_events(connection)
        ]

    def _may_hear_private_events(self, connection: Connection) -> bool:
        if connection.route == "private":
            return True
        return not connection.route and self._profile.private_events_on_unrouted_paths
