"""What the simulated exchange tells on the user stream has the shape, and the order, of what the real one tells.

Each recorded event is set beside the event of a little story here. An event that was recorded in the envelope of a
combined stream is heard in one. Where they differ on purpose, `ALLOWED` names the field and says why; § numbers are
those of `binance-usdm.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatch
from typing import Any

import pytest

from .scene import ABSENT, ALL_TERMS, BTC, FIXTURES, HOUR_MS, Scene, Terms, entries, recorded, stem
from .shapes import Difference, differences, unexplained, unused

if not (FIXTURES / "index.json").exists():
    pytest.skip(ABSENT, allow_module_level=True)


# The stories.


def fill(scene: Scene) -> None:
    """A market order fills."""
    scene.buy()


def fill_in_parts(scene: Scene) -> None:
    """A market order takes more than the best price offers."""
    quantity = Decimal(scene.terms.quantity) * 100
    scene.order("BUY", "MARKET", quantity=str(quantity))


def cancel(scene: Scene) -> None:
    """A waiting order is cancelled."""
    scene.cancel(scene.rest())


def fill_by_maker(scene: Scene) -> None:
    """The market comes to a waiting order."""
    scene.rest()
    scene.move(scene.terms.stop)


def expire(scene: Scene) -> None:
    """A waiting reduce-only order dies with its position."""
    scene.buy()
    scene.order("SELL", "LIMIT", price=scene.terms.target, timeInForce="GTC", reduceOnly="true")
    scene.exchange.trade_by_hand(scene.terms.symbol, "SELL", Decimal(scene.terms.quantity))


def stop_out(scene: Scene) -> None:
    """A stop for the whole position fires, and its sibling dies with the position."""
    scene.stopped_out()


def trail(scene: Scene) -> None:
    """A trailing order starts, follows and fires."""
    scene.buy()
    scene.trailing_stop()
    scene.move(scene.terms.target)
    scene.move(scene.terms.opening)


def cancel_algo(scene: Scene) -> None:
    """A waiting conditional order is cancelled."""
    scene.cancel_algo(scene.take_profit_limit())


def cancel_after_trigger(scene: Scene) -> None:
    """A stop becomes a limit order that waits, and is cancelled."""
    scene.buy()
    terms = scene.terms
    algo = scene.algo("STOP", triggerPrice=terms.stop, price=terms.below, quantity=terms.quantity)
    scene.move(terms.stop)
    (order,) = scene.ask("GET", "/fapi/v1/openOrders", {"symbol": terms.symbol})
    assert order["clientOrderId"] == algo["clientAlgoId"]
    scene.cancel(order)


def refuse_at_trigger(scene: Scene) -> None:
    """A reduce-only stop fires when there is nothing to reduce."""
    terms = scene.terms
    scene.algo("STOP_MARKET", triggerPrice=terms.stop, quantity=terms.quantity, reduceOnly="true")
    scene.move(terms.stop)


def deposit(scene: Scene) -> None:
    """The wallet changes, no position does."""
    scene.control("account", balance="20000")


def change_leverage(scene: Scene) -> None:
    """Another leverage for a symbol."""
    scene.ask("POST", "/fapi/v1/leverage", {"symbol": scene.terms.symbol, "leverage": 7})


def sleep_an_hour(scene: Scene) -> None:
    """Nobody extends the listen key."""
    scene.now_ms += HOUR_MS
    scene.exchange.tick()


# The comparison.


@dataclass(frozen=True, slots=True)
class Case:
    """A recorded event, and where its like is found: in which story, by which of the fields."""

    payload: str
    story: Callable[[Scene], None]
    fields: dict[str, str]

    @property
    def name(self) -> str:
        """Name it for a person: the payload and what is compared with it."""
        return "-".join([self.payload, self.story.__name__, *self.fields.values()])

    @property
    def kind(self) -> str:
        """The event's type."""
        return self.payload.split("__", maxsplit=1)[0]


ORDER, ALGO, ACCOUNT = "ORDER_TRADE_UPDATE__", "ALGO_UPDATE__", "ACCOUNT_UPDATE__"
OLD_STOP = f"{ORDER}new_take_profit_market_close_position_gte_gtc_2023"
NEW, TRADE, CANCELED, EXPIRED = {"x": "NEW"}, {"x": "TRADE"}, {"x": "CANCELED"}, {"x": "EXPIRED"}

CASES = [
    Case(f"{ORDER}new_trailing_docs", cancel, NEW),
    Case(f"{ORDER}new_trailing_docs", cancel, CANCELED),
    Case(f"{ORDER}trade_partial_docs", fill, NEW),
    Case(f"{ORDER}trade_partial_docs", fill, TRADE),
    Case(f"{ORDER}trade_partial_qty_docs", fill_in_parts, {"X": "PARTIALLY_FILLED"}),
    Case(f"{ORDER}trade_partial_qty_docs", fill_by_maker, TRADE),
    Case(f"{ORDER}trade_partial_docs", expire, EXPIRED),
    Case(OLD_STOP, stop_out, {"x": "NEW", "S": "SELL"}),
    Case(OLD_STOP, stop_out, {"x": "TRADE", "S": "SELL"}),
    Case("TRADE_LITE__ethusdt_buy_2024", fill, {}),
    Case("TRADE_LITE__ethusdt_buy_2024", stop_out, {}),
    Case("TRADE_LITE__synthetic_all_fields", fill_by_maker, {}),
    Case(f"{ALGO}take_profit_new_docs", cancel_algo, {"X": "NEW"}),
    Case(f"{ALGO}take_profit_new_docs", stop_out, {"X": "NEW", "o": "STOP_MARKET"}),
    Case(f"{ALGO}take_profit_new_docs", trail, {"X": "NEW"}),
    Case(f"{ALGO}take_profit_canceled_docs", cancel_algo, {"X": "CANCELED"}),
    Case(f"{ALGO}take_profit_canceled_docs", stop_out, {"X": "EXPIRED"}),
    Case(f"{ALGO}take_profit_canceled_docs", refuse_at_trigger, {"X": "REJECTED"}),
    Case(f"{ALGO}stop_market_triggering", stop_out, {"X": "TRIGGERING"}),
    Case(f"{ALGO}stop_market_triggered", stop_out, {"X": "TRIGGERED"}),
    Case(f"{ALGO}stop_market_finished_filled", stop_out, {"X": "FINISHED"}),
    Case(f"{ALGO}stop_market_finished_filled", trail, {"X": "FINISHED"}),
    Case(f"{ALGO}stop_market_finished_unfilled", cancel_after_trigger, {"X": "FINISHED"}),
    Case(f"{ACCOUNT}order_hedge_docs", fill, {"m": "ORDER"}),
    Case(f"{ACCOUNT}order_bnfcr_2026", fill, {"m": "ORDER"}),
    Case(f"{ACCOUNT}delivery_symbol_edited", stop_out, {"m": "ORDER"}),
    Case(f"{ACCOUNT}funding_fee_cross_2022", deposit, {"m": "ADJUSTMENT"}),
]

KINDS = frozenset({case.kind for case in CASES} | {"MARGIN_CALL"})

LEFT_OUT = {
    "ORDER_TRADE_UPDATE__*_synthetic": "made by hand; documented and live events are compared",
    "ORDER_TRADE_UPDATE__liquidation_new_FRAGMENT_2026": "cut short when it was stored; nothing is liquidated here",
    "MARGIN_CALL__long_docs": "margin is never called here",
}
"""Recorded events that are no evidence, or of something that does not happen here."""

NEWER = "in every event, newer than this payload (§10.3)"
SINCE_THE_DOCS = {"o.er": NEWER, "o.gtd": NEWER, "o.pm": NEWER}
SINCE_2023 = {"o.V": NEWER, "o.N": "in every live event (§10.3)", "o.n": "in every live event (§10.3)"} | SINCE_THE_DOCS
OF_TRAILING = "of trailing orders alone (§10.3), which are algo orders now (§4.1)"
ORDER_DOCS = {"o.AP": OF_TRAILING, "o.cr": OF_TRAILING} | SINCE_THE_DOCS
ACTIVATED = {"o.ia": "since 2026-08-07 (§10.5)"}
LATER = "filled after the trigger (§10.5), and absent before it in the live events"
ALGO_DOCS = {"o.act": LATER, "o.ap": LATER, "o.aq": LATER} | ACTIVATED
NO_FAILURE = {"o.rm": "on failure alone (§10.5)"}
MARGIN_ASSET = {"a.P[].ma": "in live events, not in the documentation (§10.4)"}

ALLOWED: dict[str, dict[str, str]] = {
    f"{ORDER}new_trailing_docs": ORDER_DOCS,
    f"{ORDER}trade_partial_docs": ORDER_DOCS,
    f"{ORDER}trade_partial_qty_docs": ORDER_DOCS,
    OLD_STOP: SINCE_2023,
    f"{ALGO}take_profit_new_docs": ALGO_DOCS | NO_FAILURE,
    f"{ALGO}take_profit_canceled_docs": ALGO_DOCS,
    f"{ALGO}take_profit_canceled_docs-cancel_algo-CANCELED": NO_FAILURE,
    f"{ALGO}take_profit_canceled_docs-stop_out-EXPIRED": NO_FAILURE,
    f"{ALGO}stop_market_triggering": ACTIVATED,
    f"{ALGO}stop_market_triggered": ACTIVATED,
    f"{ALGO}stop_market_finished_filled": ACTIVATED,
    f"{ALGO}stop_market_finished_unfilled": ACTIVATED,
    f"{ACCOUNT}order_hedge_docs": MARGIN_ASSET,
    f"{ACCOUNT}delivery_symbol_edited": MARGIN_ASSET | {"a.P[].bep": "newer than this payload (§10.4)"},
}
"""Per payload, or per case, the fields that differ, and why."""


def within(message: dict[str, Any]) -> dict[str, Any]:
    """Take an event out of its envelope, if it has one."""
    event: dict[str, Any] = message.get("data", message)
    return event


def compare(case: Case, terms: Terms) -> list[Difference]:
    """Live through a story and compare the event in question with the recorded one."""
    sample = recorded("ws", case.payload)
    is_wrapped = "stream" in sample
    scene = Scene(terms)
    scene.listen(wrapped=is_wrapped)
    case.story(scene)
    found = [message for message in scene.events if matches(within(message), case)]
    assert found, f"{case.name}: no such event, only {told(scene)}"
    unlike = [difference for message in found for difference in differences(within(sample), within(message))]
    if is_wrapped:
        envelope: dict[str, Any] = {"data": {}}
        unlike += differences(sample | envelope, found[0] | envelope)
    return unlike


def matches(event: dict[str, Any], case: Case) -> bool:
    """Tell whether an event is the one in question."""
    body: dict[str, Any] = event.get("o", event.get("a", event))
    return event["e"] == case.kind and case.fields.items() <= body.items()


def told(scene: Scene) -> list[str]:
    """Give the events in a few words each."""
    return [short(within(message)) for message in scene.events]


def short(event: dict[str, Any]) -> str:
    """Tell an event in a few words."""
    match event["e"]:
        case "ORDER_TRADE_UPDATE":
            return f"{event['o']['S']} {event['o']['x']} {event['o']['X']}"
        case "ALGO_UPDATE":
            return f"{event['o']['o']} {event['o']['X']}"
    return str(event["e"])


@pytest.mark.parametrize("terms", ALL_TERMS, ids=lambda terms: terms.symbol)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_event_has_the_recorded_shape(case: Case, terms: Terms) -> None:
    """Same fields, same JSON types."""
    allowed = ALLOWED.get(case.payload, {}) | ALLOWED.get(case.name, {})
    problems = unexplained(compare(case, terms), allowed)
    assert not problems, f"{case.name}\n{problems}"


@pytest.mark.parametrize("name", ALLOWED)
def test_allowed_difference_is_needed(name: str) -> None:
    """An exception that explains nothing hides the next mistake."""
    found = [difference for case in CASES if name in {case.payload, case.name} for difference in compare(case, BTC)]
    problems = unused(found, ALLOWED[name])
    assert not problems, f"{name}\n{problems}"


def test_every_recorded_event_is_compared_or_left_out() -> None:
    """And nothing is left out that does not exist."""
    names = {stem(entry) for entry in entries(KINDS)}
    left_out = {pattern: {name for name in names if fnmatch(name, pattern)} for pattern in LEFT_OUT}
    assert {case.payload for case in CASES} == names.difference(*left_out.values())
    assert all(left_out.values())


# Events that are not recorded; the reference tells their fields.


def test_leverage_is_told_as_the_reference_says() -> None:
    """ACCOUNT_CONFIG_UPDATE (§10.5)."""
    scene = Scene()
    scene.listen()
    change_leverage(scene)
    sample = {"e": "ACCOUNT_CONFIG_UPDATE", "E": 1, "T": 1, "ac": {"s": "BTCUSDT", "l": 25}}
    assert not unexplained(differences(sample, scene.events[0]), {})


def test_the_end_of_a_listen_key_is_told_as_the_reference_says() -> None:
    """listenKeyExpired (§10.1)."""
    scene = Scene()
    listen_key = scene.listen()
    sleep_an_hour(scene)
    assert scene.events == [{"e": "listenKeyExpired", "E": scene.now_ms, "listenKey": listen_key}]


# The order of events.


def listened(story: Callable[[Scene], None], terms: Terms) -> Scene:
    """Live through a story with an ear on the stream."""
    scene = Scene(terms)
    scene.listen()
    story(scene)
    return scene


@pytest.mark.parametrize("terms", ALL_TERMS, ids=lambda terms: terms.symbol)
def test_a_market_fill_is_told_in_the_live_order(terms: Terms) -> None:
    """The hint, the order, the account, the trade: at one time, about one trade (§10.6)."""
    scene = listened(fill, terms)
    assert told(scene) == ["TRADE_LITE", "BUY NEW NEW", "ACCOUNT_UPDATE", "BUY TRADE FILLED"]
    assert {(event["T"], event["E"]) for event in scene.events} == {(scene.now_ms, scene.now_ms)}
    hint, new, _, trade = scene.events
    assert {name: trade["o"][name] for name in ("t", "i", "c", "s", "S")} == {
        name: hint[name] for name in ("t", "i", "c", "s", "S")
    }
    assert new["o"]["t"] == 0


def test_a_cancel_moves_no_account() -> None:
    """Nothing has filled (§10.6)."""
    assert told(listened(cancel, BTC)) == ["BUY NEW NEW", "BUY CANCELED CANCELED"]


@pytest.mark.parametrize("terms", ALL_TERMS, ids=lambda terms: terms.symbol)
def test_a_trigger_is_told_in_the_live_order(terms: Terms) -> None:
    """The algo order hands over, its normal order fills under its name, it is finished; its sibling expires (§4.5)."""
    scene = listened(stop_out, terms)
    entry = ["TRADE_LITE", "BUY NEW NEW", "ACCOUNT_UPDATE", "BUY TRADE FILLED"]
    assert told(scene) == [
        *entry,
        "STOP_MARKET NEW",
        "TAKE_PROFIT_MARKET NEW",
        "STOP_MARKET TRIGGERING",
        "STOP_MARKET TRIGGERED",
        "TRADE_LITE",
        "SELL NEW NEW",
        "ACCOUNT_UPDATE",
        "SELL TRADE FILLED",
        "STOP_MARKET FINISHED",
        "TAKE_PROFIT_MARKET EXPIRED",
    ]
    triggered, exit_order = scene.events[7]["o"], scene.events[9]["o"]
    assert (exit_order["c"], exit_order["o"], exit_order["ot"]) == (triggered["caid"], "MARKET", "MARKET")
    assert str(exit_order["i"]) == triggered["ai"]


def test_a_trailing_order_is_told_new_twice() -> None:
    """Placed, then activated (§10.5)."""
    scene = listened(trail, BTC)
    new = [event["o"]["ia"] for event in scene.events if short(event) == "TRAILING_STOP_MARKET NEW"]
    assert new == [False, True]
    assert told(scene)[-1] == "TRAILING_STOP_MARKET FINISHED"
