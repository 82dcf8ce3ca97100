"""Public streams: who hears what, when, and in which letters (``binance-usdm.md §1.2``)."""

import json
from pathlib import Path
from typing import Any

import pytest

from bracketeer.simulator.stream_names import parse_name
from tests.unit.simulator.desk import ORDER, Desk
from tests.unit.simulator.test_connections import Client

FIXTURES = Path(__file__).parents[4] / "shared" / "fixtures" / "ws"
MARKET_STREAMS = [
    "btcusdt@aggTrade", "btcusdt@kline_1m", "btcusdt_perpetual@continuousKline_1m", "btcusdt@markPrice",
    "btcusdt@markPrice@1s", "btcusdt@ticker", "btcusdt@miniTicker",
    "!markPrice@arr", "!markPrice@arr@1s", "!ticker@arr", "!miniTicker@arr",
]  # fmt: skip
PUBLIC_STREAMS = [
    "btcusdt@bookTicker",
    "btcusdt@trade",
    "!bookTicker",
    "btcusdt@depth",
    "btcusdt@depth@100ms",
    "btcusdt@depth5@500ms",
]


def play(desk: Desk) -> None:
    """Let something happen that every stream has to tell."""
    desk.price("60100")
    desk.market("BUY", "0.010")
    for _ in range(6):
        desk.now_ms += 1000
        desk.exchange.tick()


def events_of(client: Client) -> list[dict[str, Any]]:
    """Give the events without their wrapping, lists taken apart."""
    payloads = [heard.get("data", heard) for heard in client.heard]
    return [event for payload in payloads for event in (payload if isinstance(payload, list) else [payload])]


@pytest.mark.parametrize(
    ("profile", "name", "path", "hears"),
    [
        *[("mainnet", name, "/market/stream", True) for name in MARKET_STREAMS],
        *[("mainnet", name, "/public/stream", True) for name in PUBLIC_STREAMS],
        *[("mainnet", name, "/public/stream", False) for name in MARKET_STREAMS[:3]],
        *[("mainnet", name, "/market/stream", False) for name in PUBLIC_STREAMS[:3]],
        *[("mainnet", name, "/private/stream", False) for name in ("btcusdt@aggTrade", "btcusdt@depth")],
        *[("mainnet", name, "/stream", False) for name in ("btcusdt@aggTrade", "btcusdt@depth")],
        *[("demo", name, "/stream", True) for name in ("btcusdt@aggTrade", "btcusdt@depth")],
        *[
            ("demo", name, "/market/stream", name == "btcusdt@aggTrade")
            for name in ("btcusdt@aggTrade", "btcusdt@depth")
        ],
        ("mainnet", "nope@trade", "/market/stream", False),
        ("mainnet", "btcusdt@nope", "/market/stream", False),
        ("mainnet", "btcusdt@kline_7m", "/market/stream", False),
        ("mainnet", "btcusdt@nope_1m", "/market/stream", False),
        ("mainnet", "!nope@arr", "/market/stream", False),
        ("mainnet", "made-up", "/market/stream", False),
    ],
)
def test_streams_keep_to_their_paths(profile: str, name: str, path: str, hears: bool) -> None:
    """A wrong path or name connects and stays silent."""
    desk = Desk(profile=profile)
    client = Client(desk, path, f"streams={name}")
    play(desk)
    assert bool(client.heard) is hears
    assert {heard["stream"] for heard in client.heard} <= {name}


@pytest.mark.parametrize(
    ("name", "fixture"),
    [
        ("btcusdt@aggTrade", "aggTrade__docs_st"),
        ("btcusdt@trade", "trade__docs"),
        ("btcusdt@kline_1m", "kline__open_docs"),
        ("btcusdt_perpetual@continuousKline_1m", "continuous_kline__official_docs"),
        ("btcusdt@markPrice", "markPriceUpdate__docs_ap_field"),
        ("btcusdt@ticker", "24hrTicker__docs_with_st"),
        ("btcusdt@miniTicker", "24hrMiniTicker__official_docs"),
        ("btcusdt@bookTicker", "bookTicker__docs_with_st_ps"),
        ("btcusdt@depth", "depthUpdate__docs_with_st_ps"),
        ("btcusdt@forceOrder", "forceOrder__docs"),
    ],
)
@pytest.mark.skipif(not FIXTURES.exists(), reason=f"the recorded payloads are not here ({FIXTURES})")
def test_events_have_the_recorded_fields(name: str, fixture: str) -> None:
    """Every recorded field with its JSON type; ours may have the newer ones as well."""
    desk = Desk()
    path = "/market/ws/" if parse_name(name).route == "market" else "/public/ws/"  # type: ignore[union-attr]
    client = Client(desk, path + name)
    play(desk)
    desk.exchange.venue.data.note_liquidation(_liquidation())
    desk.exchange.tick()
    recorded = json.loads((FIXTURES / f"{fixture}.json").read_text())
    told = events_of(client)[-1]
    for row, expected in ((told, recorded), *((told[key], recorded[key]) for key in ("k", "o") if key in recorded)):
        if isinstance(expected, dict):
            assert {key: type(row[key]) for key in expected} == {key: type(value) for key, value in expected.items()}


def _liquidation() -> dict[str, object]:
    desk = Desk()
    desk.listen()
    desk.market("BUY", "0.010", newClientOrderId="autoclose-1")
    assert desk.exchange.venue.data.liquidated == 1
    return desk.events[-1]


def test_trades_are_told_as_they_happen_and_aggregated_per_taker_and_price() -> None:
    """Two levels taken: two trades, two aggregates; the next taker starts a new one."""
    desk = Desk(profile="demo")
    client = Client(desk, "/stream", "streams=btcusdt@trade/btcusdt@aggTrade")
    desk.market("BUY", "1.000")
    kinds = [event["e"] for event in events_of(client)]
    assert kinds == ["trade", "trade", "aggTrade", "aggTrade"]
    trades, aggregates = events_of(client)[:2], events_of(client)[2:]
    assert [trade["t"] for trade in trades] == [aggregate["f"] for aggregate in aggregates]
    assert sum(float(trade["q"]) for trade in trades) == 1
    assert not trades[0]["m"]
    client.heard.clear()
    desk.market("SELL", "0.010")
    assert [(event["e"], event["m"]) for event in events_of(client)] == [("trade", True), ("aggTrade", True)]


def test_book_ticker_tells_changes_alone() -> None:
    """First the present state, then only what differs."""
    desk = Desk()
    client = Client(desk, "/public/ws/btcusdt@bookTicker")
    desk.exchange.tick()
    desk.exchange.tick()
    assert len(client.heard) == 1
    desk.limit("BUY", "0.010", "60000.5")
    assert client.heard[-1]["b"] == "60000.50"
    assert client.heard[-1]["u"] > client.heard[0]["u"]


def test_a_local_book_can_be_kept() -> None:
    """Snapshot plus differences gives the book, and the ids join without a gap."""
    desk = Desk()
    client = Client(desk, "/public/ws/btcusdt@depth@100ms")
    desk.exchange.tick()
    snapshot = desk.public("/fapi/v1/depth", "symbol=BTCUSDT&limit=1000").json
    book = {side: dict(snapshot[side]) for side in ("bids", "asks")}
    at_id = snapshot["lastUpdateId"]
    placed = desk.limit("BUY", "0.010", "59990.5").json
    for step in range(4):
        desk.now_ms += 250
        desk.price(str(60000 + step * 10))
        if step == 2:
            desk.send("DELETE", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])
    desk.now_ms += 250
    desk.exchange.tick()
    previous = None
    for event in client.heard:
        if event["u"] < at_id:
            continue
        assert previous is None or event["pu"] == previous
        assert previous is not None or event["U"] <= at_id + 1
        previous = event["u"]
        for letter, side in (("b", "bids"), ("a", "asks")):
            for price, quantity in event[letter]:
                book[side].pop(price, None)
                if float(quantity):
                    book[side][price] = quantity
    final = desk.public("/fapi/v1/depth", "symbol=BTCUSDT&limit=1000").json
    for side in ("bids", "asks"):
        assert {price: float(size) for price, size in book[side].items()} == {
            price: float(size) for price, size in final[side]
        }


def test_partial_depth_is_the_top_of_the_book() -> None:
    """Five, ten or twenty levels, whether or not they changed."""
    desk = Desk()
    client = Client(desk, "/public/ws/btcusdt@depth5@100ms")
    for _ in range(2):
        desk.now_ms += 100
        desk.exchange.tick()
    assert [(len(event["b"]), len(event["a"])) for event in client.heard] == [(5, 5), (5, 5)]


def test_candle_is_told_closed_once() -> None:
    """The last word of a minute has ``x``; the next minute opens where it ended."""
    desk = Desk()
    desk.now_ms = desk.now_ms // 60_000 * 60_000 + 59_000
    client = Client(desk, "/market/ws/btcusdt@kline_1m")
    desk.price("60500")
    desk.now_ms += 2000
    desk.exchange.tick()
    closed, opened = [event["k"] for event in client.heard][-2:]
    assert (closed["x"], closed["h"], closed["c"], opened["x"], opened["o"]) == (
        True,
        "60500.00",
        "60500.00",
        False,
        "60500.00",
    )
    assert opened["t"] == closed["T"] + 1


def test_liquidations_are_told_to_everybody() -> None:
    """Only of the symbol asked for, or of all."""
    desk = Desk()
    clients = [
        Client(desk, f"/market/ws/{name}") for name in ("btcusdt@forceOrder", "!forceOrder@arr", "ethusdt@forceOrder")
    ]
    desk.market("BUY", "0.010")
    desk.exchange.trade_by_hand(
        "BTCUSDT", "SELL", desk.amount(), reduce_only=True, client_order_id="autoclose-1760000000000"
    )
    assert [len(client.heard) for client in clients] == [1, 1, 0]
    assert clients[0].heard[0]["o"]["S"] == "SELL"


def test_muted_streams_and_departed_clients_hear_nothing() -> None:
    """And come back where they are."""
    desk = Desk()
    client = Client(desk, "/public/ws/btcusdt@trade")
    desk.exchange.venue.streams.is_muted = True
    desk.market("BUY", "0.010")
    assert client.heard == []
    desk.exchange.venue.streams.is_muted = False
    desk.market("BUY", "0.010")
    assert len(client.heard) == 1
    assert client.ask(method="UNSUBSCRIBE", params=["btcusdt@trade"], id=1)["result"] is None
    client.heard.clear()
    desk.market("BUY", "0.010")
    assert client.heard == []
