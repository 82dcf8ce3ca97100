"""Streams without sockets: listen keys, connections, who hears what.

A socket server (or a test) gives each connection a ``send`` callback and feeds it what the client sends. Sources:
``binance-usdm.md §1.2`` for paths, ``§3.5`` and ``§10.1`` for listen keys and the life of a connection.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from .connections import Close, Connection, Send, dump
from .errors import Code, refusal
from .messages import Row
from .profiles import Profile
from .subscribing import answer

__all__ = ["LISTEN_KEY_LIFE_MS", "StreamHub", "dump"]

LISTEN_KEY_LIFE_MS = 60 * 60 * 1000
CONNECTION_LIFE_MS = 24 * 60 * 60 * 1000
_KEY_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(slots=True)
class ListenKey:
    """The one key of an account; two processes share it."""

    key: str = field(repr=False)
    expires_ms: int


class StreamHub:
    """Listen keys and connections; decides who hears an event."""

    def __init__(
        self, profile: Profile, now_ms: Callable[[], int], ids: random.Random, shutdown_notice_ms: int
    ) -> None:
        self._profile = profile
        self._now_ms = now_ms
        self._ids = ids
        self._shutdown_notice_ms = shutdown_notice_ms
        self._keys: dict[str, ListenKey] = {}
        self._connections: list[Connection] = []
        # Called when a subscription may have changed: public streams open at once.
        self.on_subscriptions: Callable[[], None] = lambda: None
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

    @property
    def connection_count(self) -> int:
        return len(self._connections)

    def expire_keys_now(self) -> None:
        """End every key before its time: the ``listen_key_expired`` fault."""
        for active in self._keys.values():
            active.expires_ms = self._now_ms()
        self.expire_keys()

    def expire_keys(self) -> None:
        """End what is over: keys after their hour, connections after their day (``§10.1``).

        A key ends with one last event, then silence on an open socket.
        """
        now_ms = self._now_ms()
        for api_key, active in list(self._keys.items()):
            if now_ms >= active.expires_ms:
                self.publish(api_key, {"e": "listenKeyExpired", "E": now_ms, "listenKey": active.key})
                del self._keys[api_key]
        for connection in self._connections:
            age_ms = now_ms - connection.opened_ms
            if age_ms >= CONNECTION_LIFE_MS:
                connection.close()
            elif age_ms >= CONNECTION_LIFE_MS - self._shutdown_notice_ms and not connection.is_warned:
                connection.is_warned = True
                connection.send(dump({"event": {"e": "serverShutdown", "E": now_ms}}))

    # Connections.

    def connect(self, path: str, raw_query: str, send: Send, close: Close) -> Connection:
        """Accept a connection. A wrong path or an unknown key gives no error, only silence (``§1.2``)."""
        return self.join(Connection.from_path(path, raw_query, send, close, self._now_ms()))

    def join(self, connection: Connection) -> Connection:
        """Take a connection in."""
        self._connections.append(connection)
        self.on_subscriptions()
        return connection

    def disconnect(self, connection: Connection) -> None:
        """Forget a connection."""
        if connection in self._connections:
            self._connections.remove(connection)
            self.on_subscriptions()

    def close_all(self) -> None:
        """Close every connection: the ``stream_drop`` fault."""
        for connection in list(self._connections):
            connection.close()

    def receive(self, connection: Connection, text: str) -> None:
        """Take a message of the client; one that talks too much is cut off (``§10.1``)."""
        now_ms = self._now_ms()
        connection.messages.add(now_ms, 1)
        if connection.messages.count(now_ms) > connection.messages.limit:
            connection.close()
            return
        connection.send(answer(connection, text))
        self.on_subscriptions()

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
        for connection in self._listeners(active.key):
            wanted = connection.subscriptions[active.key]
            if not wanted or event["e"] in wanted:
                connection.tell(active.key, event, bare)

    def _listeners(self, key: str) -> list[Connection]:
        return [
            connection
            for connection in self._connections
            if key in connection.subscriptions and self._is_served(connection, "private")
        ]

    def market_listeners(self, route_of: Callable[[str], str | None]) -> dict[str, list[Connection]]:
        """Give the public streams that somebody listens to on the right path."""
        found: dict[str, list[Connection]] = {}
        for connection in self._connections:
            for name in connection.subscriptions:
                route = route_of(name)
                if route is not None and self._is_served(connection, route):
                    found.setdefault(name, []).append(connection)
        return found

    def _is_served(self, connection: Connection, route: str) -> bool:
        """Tell whether a path carries a kind of event; unrouted paths are mute on mainnet, alive on demo (``§1.2``)."""
        if connection.route == route:
            return True
        return not connection.route and self._profile.private_events_on_unrouted_paths
