"""Indices and contract news: who hears them, when, and what follows from the prices (``binance-usdm.md §1.2``)."""

from decimal import Decimal

import pytest

from bracketeer.simulator.fault_reading import make_fault
from tests.unit.simulator.desk import Desk
from tests.unit.simulator.test_connections import Client

PATH = "/fapi/v1/assetIndex"


def pass_a_second(desk: Desk) -> None:
    """Let time pass, and the exchange notice."""
    desk.now_ms += 1000
    desk.exchange.tick()


def change_rules(desk: Desk, name: str = "rules_changed", **body: object) -> None:
    """Cause a fault on BTCUSDT."""
    desk.exchange.fault(make_fault({"fault": name, "symbol": "BTCUSDT", **body}))


@pytest.mark.parametrize("name", ["!assetIndex@arr", "adausd@assetIndex", "defiusdt@compositeIndex"])
def test_indices_are_told_once_a_second(name: str) -> None:
    """However often the price moves."""
    desk = Desk()
    client = Client(desk, f"/market/ws/{name}")
    for _ in range(3):
        pass_a_second(desk)
        desk.price("0.46", "ADAUSDT")
    assert len(client.heard) == 3


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("public", "adausd@assetIndex"),
        ("public", "!contractInfo"),
        ("market", "adausdt@assetIndex"),
        ("market", "btcusdt@compositeIndex"),
        ("market", "btcusdt@contractInfo"),
        ("market", "!compositeIndex@arr"),
        ("market", "defiusdt@markPrice"),
        ("market", "adausd@markPrice"),
    ],
)
def test_other_paths_and_names_are_silent(path: str, name: str) -> None:
    """As everywhere: a wrong name connects."""
    desk = Desk()
    client = Client(desk, f"/{path}/ws/{name}")
    pass_a_second(desk)
    change_rules(desk, status="SETTLING")
    assert not client.heard


def test_the_rates_of_an_asset_stand_around_its_index() -> None:
    """The recorded figures: ten percent, and five for the venue's own exchange, rounded down."""
    desk = Desk()
    desk.price("1.9295", "ADAUSDT", mark="1.92957370")
    row = desk.public(PATH, "symbol=ADAUSD").json
    assert (row["index"], row["bidRate"], row["askRate"]) == ("1.92957370", "1.73661633", "2.12253107")
    assert (row["autoExchangeBidRate"], row["autoExchangeAskRate"]) == ("1.83309501", "2.02605238")


def test_all_assets_are_listed_and_others_refused() -> None:
    """The symbol of a contract is none of an index."""
    desk = Desk()
    assert {"BTCUSD", "ADAUSD"} <= {row["symbol"] for row in desk.public(PATH).json}
    assert desk.public(PATH, "symbol=ADAUSDT").code == -1121


def test_the_composite_index_follows_its_parts() -> None:
    """It is worth what it is made of, and the shares are one whole."""
    desk = Desk()
    client = Client(desk, "/market/ws/defiusdt@compositeIndex")
    pass_a_second(desk)
    desk.price("280", "AAVEUSDT")
    pass_a_second(desk)
    first, second = client.heard
    assert Decimal(second["p"]) - Decimal(first["p"]) == 140
    for event in (first, second):
        assert sum(Decimal(part["w"]) * Decimal(part["i"]) for part in event["c"]) == Decimal(event["p"])
        assert round(sum(Decimal(part["W"]) for part in event["c"]), 6) == 1


def test_contract_news_come_when_rules_change_and_when_they_come_back() -> None:
    """A thin book or a price is no news."""
    desk = Desk()
    client = Client(desk, "/market/ws/!contractInfo")
    desk.price("60100")
    change_rules(desk, "thin_book")
    assert not client.heard
    change_rules(desk, tickSize="0.5")
    desk.exchange.tick()
    assert [(event["s"], event["cs"]) for event in client.heard] == [("BTCUSDT", "TRADING")]
    desk.exchange.faults.lift()
    desk.exchange.tick()
    assert len(client.heard) == 2


def test_the_end_of_a_contract_is_news() -> None:
    """With its new status, and leverages that leave no gap between the tiers."""
    desk = Desk()
    client = Client(desk, "/market/ws/!contractInfo")
    desk.exchange.delist("BTCUSDT")
    (event,) = client.heard
    assert event["cs"] == "SETTLING"
    tiers = event["bks"]
    assert [tier["mi"] for tier in tiers[:-1]] == [tier["ma"] + 1 for tier in tiers[1:]]
    assert (tiers[0]["ma"], tiers[-1]["mi"]) == (125, 1)
