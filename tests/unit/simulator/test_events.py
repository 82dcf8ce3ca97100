"""User stream events: their order, their letters, and who hears them (``binance-usdm.md §10``)."""

import itertools
import json

import pytest

from bracketeer.simulator.streams import LISTEN_KEY_LIFE_MS
from tests.unit.simulator.desk import KEY, ORDER, START_MS, Desk, decode


def test_market_order_is_told_in_the_live_order() -> None:
    """TRADE_LITE, NEW, ACCOUNT_UPDATE, TRADE, all with the same times (``§10.6``)."""
    desk = Desk()
    desk.listen()
    desk.market("BUY", "0.010")
    assert {(event["T"], event["E"]) for event in desk.events} == {(START_MS, START_MS)}
    assert desk.told() == ["TRADE_LITE", "ORDER NEW NEW", "ACCOUNT_UPDATE", "ORDER TRADE FILLED"]


def test_one_trade_has_one_time_however_the_clock_runs() -> None:
    """Whoever compares the position's time with the fill's must not find one older by a millisecond (``§10.6``)."""
    desk = Desk()
    desk.listen()
    desk.exchange.clock._source_ms = itertools.count(START_MS).__next__
    desk.market("BUY", "0.010")
    assert len({(event["T"], event["E"]) for event in desk.events}) == 1
    assert len(desk.events) == 4


def test_several_fills_are_told_one_by_one() -> None:
    """One TRADE for each fill, with the account beside it."""
    desk = Desk()
    desk.listen()
    desk.market("BUY", "1.000")
    assert desk.told() == [
        *["TRADE_LITE"] * 2,
        "ORDER NEW NEW",
        "ACCOUNT_UPDATE",
        "ORDER TRADE PARTIALLY_FILLED",
        "ACCOUNT_UPDATE",
        "ORDER TRADE FILLED",
    ]


def test_cancel_is_told_without_an_account_update() -> None:
    """Nothing traded, nothing to account for."""
    desk = Desk()
    desk.listen()
    desk.limit("BUY", "0.010", "59000.0", newClientOrderId="o")
    desk.send("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="o")
    assert desk.told() == ["ORDER NEW NEW", "ORDER CANCELED CANCELED"]


def test_trigger_is_told_around_the_normal_order() -> None:
    """TRIGGERING, TRIGGERED, the order's own events, FINISHED, then the sibling's end (``§4.5``)."""
    desk = Desk()
    desk.listen()
    desk.market("BUY", "0.010")
    desk.close_all_at("SELL", "STOP_MARKET", "58000", clientAlgoId="sl")
    desk.close_all_at("SELL", "TAKE_PROFIT_MARKET", "62000", clientAlgoId="tp")
    desk.told()
    desk.price("58000")
    events = [event["o"] for event in desk.events if event["e"] == "ALGO_UPDATE"]
    assert [(event["X"], event["ai"] != "", event.get("act"), event.get("aq")) for event in events] == [
        ("TRIGGERING", False, None, None),
        ("TRIGGERED", True, "MARKET", "0"),
        ("FINISHED", True, "MARKET", "0.01"),
        ("EXPIRED", False, None, None),
    ]
    assert desk.told() == [
        "ALGO STOP_MARKET TRIGGERING",
        "ALGO STOP_MARKET TRIGGERED",
        "TRADE_LITE",
        "ORDER NEW NEW",
        "ACCOUNT_UPDATE",
        "ORDER TRADE FILLED",
        "ALGO STOP_MARKET FINISHED",
        "ALGO TAKE_PROFIT_MARKET EXPIRED",
    ]


def test_fill_event_carries_the_money() -> None:
    """Price, quantity, commission and profit, numbers trimmed."""
    desk = Desk()
    desk.market("BUY", "0.010")
    desk.listen()
    desk.price("61000")
    desk.market("SELL", "0.010", newClientOrderId="exit", reduceOnly="true")
    body = desk.events[-1]["o"]
    assert {name: body[name] for name in ("c", "l", "z", "L", "ap", "n", "N", "rp", "m", "R", "ps", "er")} == {
        "c": "exit",
        "l": "0.01",
        "z": "0.01",
        "L": "61000",
        "ap": "61000",
        "n": "0.305",
        "N": "USDT",
        "rp": "9.988",
        "m": False,
        "R": True,
        "ps": "BOTH",
        "er": "0",
    }
    account = desk.events[-2]["a"]
    assert account["m"] == "ORDER"
    assert account["P"] == [
        {
            "s": "BTCUSDT",
            "pa": "0",
            "ep": "0",
            "bep": "0",
            "cr": "9.988",
            "up": "0",
            "mt": "cross",
            "iw": "0",
            "ps": "BOTH",
            "ma": "USDT",
        }
    ]
    assert account["B"] == [{"a": "USDT", "wb": "10009.382994", "cw": "10009.382994", "bc": "0"}]


def test_leverage_change_is_told_once() -> None:
    """ACCOUNT_CONFIG_UPDATE for a change, nothing for the same value again."""
    desk = Desk()
    desk.listen()
    for _ in range(2):
        desk.send("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=10)
    assert [event["ac"] for event in desk.events] == [{"s": "BTCUSDT", "l": 10}]


@pytest.mark.parametrize(
    ("profile", "path", "hears"),
    [
        ("mainnet", "/private/ws/{key}", True),
        ("mainnet", "/private/stream?listenKey={key}", True),
        ("mainnet", "/private/ws?listenKey={key}&events=ACCOUNT_UPDATE/TRADE_LITE", True),
        ("mainnet", "/private/ws?listenKey={key}&events=ALGO_UPDATE", False),
        ("mainnet", "/private/stream?streams={key}", True),
        ("mainnet", "/public/ws/{key}", False),
        ("mainnet", "/market/ws/{key}", False),
        ("mainnet", "/ws/{key}", False),
        ("mainnet", "/private/ws/made-up", False),
        ("mainnet", "/", False),
        ("demo", "/ws/{key}", True),
        ("demo", "/stream?streams={key}", True),
        ("demo", "/private/ws/{key}", True),
        ("demo", "/market/ws/{key}", False),
    ],
)
def test_private_events_keep_to_their_paths(profile: str, path: str, hears: bool) -> None:
    """A wrong path connects and stays silent (``§1.2``)."""
    desk = Desk(profile=profile)
    streams = desk.exchange.venue.streams
    key = streams.open_key(KEY)
    heard: list[str] = []
    bare_path, _, query = path.format(key=key).partition("?")
    connection = streams.connect(bare_path, query, heard.append, lambda: None)
    desk.market("BUY", "0.010")
    assert hears is bool(heard)
    if heard:
        wrapped = json.loads(heard[0])
        assert ("stream" in wrapped) is connection.is_combined
    streams.disconnect(connection)
    streams.disconnect(connection)  # a second time is harmless
    heard.clear()
    desk.market("BUY", "0.010")
    assert heard == []


def test_subscribe_protocol() -> None:
    """SUBSCRIBE, LIST, UNSUBSCRIBE are answered; nonsense gets an error (``§10.7``)."""
    desk = Desk()
    streams = desk.exchange.venue.streams
    key = streams.open_key(KEY)
    heard: list[str] = []
    connection = streams.connect("/private/stream", "", heard.append, lambda: None)

    def ask(**request: object) -> object:
        streams.receive(connection, json.dumps(request))
        return json.loads(heard.pop())

    assert ask(method="SUBSCRIBE", params=[key], id="u") == {"result": None, "id": "u"}
    assert ask(method="LIST_SUBSCRIPTIONS", id=2) == {"result": [key], "id": 2}
    desk.market("BUY", "0.010")
    assert json.loads(heard[0])["stream"] == key
    heard.clear()
    assert ask(method="UNSUBSCRIBE", params=[key], id=3) == {"result": None, "id": 3}
    desk.market("BUY", "0.010")
    assert heard == []


def _listen_key(desk: Desk, method: str) -> object:
    return decode(desk.exchange.handle(method, "/fapi/v1/listenKey", "", {"X-MBX-APIKEY": KEY})).json


def test_listen_key_is_one_per_account_and_lives_an_hour() -> None:
    """POST gives the active key again, PUT extends it, without one -1125 (``§3.5``)."""
    desk = Desk()
    first = _listen_key(desk, "POST")
    desk.now_ms += LISTEN_KEY_LIFE_MS - 1
    assert first == _listen_key(desk, "POST") == _listen_key(desk, "PUT")
    desk.now_ms += LISTEN_KEY_LIFE_MS
    assert _listen_key(desk, "PUT") == {"code": -1125, "msg": "This listenKey does not exist."}
    assert first != _listen_key(desk, "POST")


def test_expired_listen_key_says_goodbye_and_falls_silent() -> None:
    """One last event; the socket stays open (``§10.1``)."""
    desk = Desk()
    key = desk.listen()
    desk.now_ms += LISTEN_KEY_LIFE_MS
    desk.exchange.tick()
    desk.market("BUY", "0.010")
    assert desk.events == [{"e": "listenKeyExpired", "E": desk.now_ms, "listenKey": key}]


def test_deleted_listen_key_closes_its_streams() -> None:
    """For all users of the key; deleting nothing is fine."""
    desk = Desk()
    streams = desk.exchange.venue.streams
    closed: list[bool] = []
    streams.connect(f"/private/ws/{streams.open_key(KEY)}", "", lambda _text: None, lambda: closed.append(True))
    assert _listen_key(desk, "DELETE") == {}
    assert _listen_key(desk, "DELETE") == {}
    assert closed == [True]
