"""Stream sockets: requests and refusals, client limits, the end after a day (``binance-usdm.md §10``)."""

import json
from typing import Any

import pytest

from bracketeer.simulator.connections import MESSAGES_PER_SECOND_MAX, STREAMS_MAX, Connection
from bracketeer.simulator.profiles import Switches
from bracketeer.simulator.streams import CONNECTION_LIFE_MS
from tests.unit.simulator.desk import KEY, Desk


class Client:
    """One socket on a desk's streams."""

    def __init__(self, desk: Desk, path: str = "/market/stream", query: str = "") -> None:
        self.heard: list[dict[str, Any]] = []
        self.is_closed = False
        self._streams = desk.exchange.venue.streams
        self.connection = self._streams.connect(path, query, self._hear, self._close)

    def _hear(self, text: str) -> None:
        self.heard.append(json.loads(text))

    def _close(self) -> None:
        self.is_closed = True

    def say(self, text: str) -> dict[str, Any]:
        """Send a text and give the answer."""
        self._streams.receive(self.connection, text)
        return self.heard.pop()

    def ask(self, **request: object) -> dict[str, Any]:
        """Send a request and give the answer."""
        return self.say(json.dumps(request))


@pytest.mark.parametrize(
    ("request_text", "code"),
    [
        ('{"method": "GET_PROPERTY", "params": ["colour"], "id": 1}', 0),
        ('{"method": "SET_PROPERTY", "params": ["combined", "yes"], "id": 1}', 1),
        ('{"method": "SET_PROPERTY", "params": ["combined"], "id": 1}', 1),
        ('{"method": "DANCE", "id": 1}', 2),
        ('{"params": [], "id": 1}', 2),
        ('{"method": "GET_PROPERTY", "params": [7], "id": 1}', 2),
        ('{"method": "GET_PROPERTY", "params": [], "id": 1}', 2),
        ('{"method": "GET_PROPERTY", "params": ["combined", true], "id": 1}', 2),
        ('{"method": "SUBSCRIBE", "params": [7], "id": 1}', 2),
        ('{"method": "SUBSCRIBE", "params": "btcusdt@trade", "id": 1}', 2),
        ('{"method": "SUBSCRIBE", "params": [], "id": 1.5}', 2),
        ("[]", 2),
        ("not json", 3),
    ],
)
def test_bad_requests_are_refused_by_kind(request_text: str, code: int) -> None:
    """0 property, 1 value, 2 request, 3 JSON (``§10.7``)."""
    answer = Client(Desk()).say(request_text)
    assert answer["code"] == code
    assert answer["msg"]


def test_combined_is_a_property() -> None:
    """SET and GET; the form of events follows at once."""
    client = Client(Desk(), "/public/ws")
    assert client.ask(method="GET_PROPERTY", params=["combined"], id="u-1") == {"result": False, "id": "u-1"}
    assert client.ask(method="SET_PROPERTY", params=["combined", True], id=2) == {"result": None, "id": 2}
    assert client.connection.is_combined


def test_a_connection_has_at_most_1024_streams() -> None:
    """The one too many is refused, and none of its request is taken."""
    client = Client(Desk())
    names = [f"s{index}@trade" for index in range(STREAMS_MAX)]
    assert client.ask(method="SUBSCRIBE", params=names, id=1)["result"] is None
    assert client.ask(method="SUBSCRIBE", params=["one@trade", "two@trade"], id=2)["code"] == 2
    assert client.ask(method="SUBSCRIBE", params=names[:1], id=3)["result"] is None
    assert len(client.ask(method="LIST_SUBSCRIPTIONS", id=4)["result"]) == STREAMS_MAX


def test_a_client_that_talks_too_much_is_cut_off() -> None:
    """Ten messages a second; the next second is a new one."""
    desk = Desk()
    client = Client(desk)
    for _ in range(2):
        for index in range(MESSAGES_PER_SECOND_MAX):
            client.ask(method="LIST_SUBSCRIPTIONS", id=index)
        assert not client.is_closed
        desk.now_ms += 1000
    for _ in range(MESSAGES_PER_SECOND_MAX + 1):
        desk.exchange.venue.streams.receive(client.connection, '{"method":"LIST_SUBSCRIPTIONS","id":1}')
    assert client.is_closed


@pytest.mark.parametrize("notice_ms", [600_000, 1_000])
def test_connection_ends_after_a_day_and_says_so_before(notice_ms: int) -> None:
    """One warning, then the end, in the exchange's own time (``§10.1``)."""
    desk = Desk(switches=Switches(shutdown_notice_ms=notice_ms))
    client = Client(desk, "/private/ws")
    desk.now_ms += CONNECTION_LIFE_MS - notice_ms
    for _ in range(2):
        desk.exchange.tick()
    assert client.heard == [{"event": {"e": "serverShutdown", "E": desk.now_ms}}]
    assert not client.is_closed
    desk.now_ms += notice_ms
    desk.exchange.tick()
    assert client.is_closed


def test_two_keys_on_one_socket_choose_their_events_apart() -> None:
    """``/private/stream?listenKey=K1&events=…&listenKey=K2&events=…`` (``§1.2``)."""
    query = "listenKey=one&events=ACCOUNT_UPDATE&listenKey=two&events=ORDER_TRADE_UPDATE/TRADE_LITE"
    connection = Connection.from_path("/private/stream", query, lambda _text: None, lambda: None, 0)
    assert connection.subscriptions == {
        "one": frozenset({"ACCOUNT_UPDATE"}),
        "two": frozenset({"ORDER_TRADE_UPDATE", "TRADE_LITE"}),
    }


def test_keys_can_end_before_their_time() -> None:
    """With the same goodbye."""
    desk = Desk()
    desk.listen()
    desk.exchange.venue.streams.expire_keys_now()
    assert desk.told() == ["listenKeyExpired"]
    assert not desk.exchange.venue.streams.has_listener(KEY)
