"""One stream socket of a client: its path, its subscriptions, its conduct."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from .limits import Window

ROUTES = ("private", "public", "market")
# What a client may do (``binance-usdm.md §10.1``).
MESSAGES_PER_SECOND_MAX = 10
STREAMS_MAX = 1024

Send = Callable[[str], None]
Close = Callable[[], None]


# Made once: ``json.dumps`` with separators makes an encoder for every message.
_encode = json.JSONEncoder(separators=(",", ":")).encode


def dump(row: object) -> str:
    """Write a message as compact JSON."""
    return _encode(row)


@dataclass(slots=True, eq=False)
class Connection:
    """One socket."""

    # private, public, market, ws-api (which carries no events), or empty for the unrouted path.
    route: str
    send: Send
    close: Close
    opened_ms: int
    is_combined: bool = False
    # Subscribed names; for a listen key the events wanted, empty for all of them.
    subscriptions: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)
    messages: Window = field(default_factory=lambda: Window(1000, MESSAGES_PER_SECOND_MAX))
    is_warned: bool = False

    @classmethod
    def from_path(cls, path: str, raw_query: str, send: Send, close: Close, now_ms: int) -> "Connection":
        """Read what a path and its query subscribe; anything is fine (``binance-usdm.md §1.2``)."""
        parts = [part for part in path.split("/") if part]
        route = parts.pop(0) if parts and parts[0] in ROUTES else ""
        form = parts.pop(0) if parts else ""
        connection = cls(route, send, close, now_ms, is_combined=form == "stream")
        connection.add(parts)
        latest = ""
        for name, value in parse_qsl(raw_query):
            if name == "streams":
                connection.add(value.split("/"))
            elif name == "listenKey":
                latest = value
                connection.add([latest])
            elif name == "events" and latest:
                connection.subscriptions[latest] = frozenset(value.split("/"))
        return connection

    def add(self, names: list[str]) -> bool:
        """Subscribe; False when that would be more streams than a connection may have."""
        wanted = dict.fromkeys(names, frozenset[str]())
        if len(self.subscriptions.keys() | wanted.keys()) > STREAMS_MAX:
            return False
        self.subscriptions |= wanted
        return True

    def tell(self, stream: str, event: object, bare: str) -> None:
        """Send an event, wrapped on a combined connection."""
        self.send(dump({"stream": stream, "data": event}) if self.is_combined else bare)
