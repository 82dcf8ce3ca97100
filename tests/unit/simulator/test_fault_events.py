"""Stream faults: lost, doubled, swapped and late events, and a listen key that ends."""

from tests.unit.simulator.desk import Desk
from tests.unit.simulator.test_faults import cause

FILL = ["TRADE_LITE", "ORDER NEW NEW", "ACCOUNT_UPDATE", "ORDER TRADE FILLED"]


def _listening() -> Desk:
    desk = Desk()
    desk.listen()
    return desk


def test_events_may_be_lost() -> None:
    """Only the type that is meant, only as often as said."""
    desk = _listening()
    cause(desk, "stream_lose", event="ORDER_TRADE_UPDATE", times=2)
    desk.market("BUY", "0.010")
    assert desk.told() == ["TRADE_LITE", "ACCOUNT_UPDATE"]
    desk.market("SELL", "0.010")
    assert desk.told() == FILL


def test_events_may_come_twice() -> None:
    """Reported of the test platform (``binance-usdm.md §10.2``)."""
    desk = _listening()
    cause(desk, "stream_duplicate", times=4)
    desk.market("BUY", "0.010")
    assert desk.told() == [name for name in FILL for _ in range(2)]


def test_events_may_be_swapped() -> None:
    """One waits for the next; the last one does not wait for ever."""
    desk = _listening()
    cause(desk, "stream_reorder", event="ORDER_TRADE_UPDATE", times=2)
    desk.market("BUY", "0.010")
    assert desk.told() == ["TRADE_LITE", "ACCOUNT_UPDATE", "ORDER NEW NEW"]
    desk.now_ms += 1000
    desk.exchange.tick()
    assert desk.told() == ["ORDER TRADE FILLED"]


def test_events_may_be_late() -> None:
    """They keep their order and their time."""
    desk = _listening()
    cause(desk, "stream_delay", delay_ms=700, times=-1)
    desk.market("BUY", "0.010")
    then_ms = desk.now_ms
    desk.now_ms += 699
    desk.exchange.tick()
    assert desk.told() == []
    desk.now_ms += 1
    desk.exchange.tick()
    assert {event["E"] for event in desk.events} == {then_ms}
    assert desk.told() == FILL


def test_listen_key_may_end_now() -> None:
    """One last event, then silence on an open socket, and -1125 for the keep-alive (``§10.1``)."""
    desk = _listening()
    cause(desk, "listen_key_expired")
    desk.market("BUY", "0.010")
    assert desk.told() == ["listenKeyExpired"]
    assert desk.send("PUT", "/fapi/v1/listenKey").code == -1125


def test_mute_is_lifted_like_any_other() -> None:
    """By its opposite, or by lifting."""
    desk = _listening()
    for end in ("unmute", "lift"):
        cause(desk, "stream_mute")
        desk.market("BUY", "0.010")
        assert desk.told() == []
        if end == "lift":
            desk.exchange.faults.lift()
        else:
            cause(desk, "stream_unmute")
        assert desk.exchange.faults.rows() == []
        desk.market("BUY", "0.010")
        assert desk.told() == FILL


def test_events_may_be_of_another_year() -> None:
    """An unknown type and an unknown field: neither may disturb a client."""
    desk = _listening()
    cause(desk, "stream_unknown", event="TRADE_LITE")
    desk.market("BUY", "0.010")
    assert desk.events[1]["zz"] == {"new": True}
    assert desk.told() == ["NEWS_OF_NEXT_YEAR", *FILL]


def test_events_may_be_garbled() -> None:
    """An order's status that nobody knows, and an account's news without its body."""
    desk = _listening()
    cause(desk, "stream_garbled", event="ORDER_TRADE_UPDATE")
    cause(desk, "stream_garbled", event="ACCOUNT_UPDATE")
    desk.market("BUY", "0.010")
    orders = [event["o"]["X"] for event in desk.events if event["e"] == "ORDER_TRADE_UPDATE"]
    assert orders == ["STATUS_OF_NEXT_YEAR", "FILLED"]
    (account,) = [event for event in desk.events if event["e"] == "ACCOUNT_UPDATE"]
    assert "a" not in account
