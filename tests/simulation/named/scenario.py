"""What a named scenario is, and the steps its stories are told with."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..story import Step, Story
from .evidence import Evidence

BTC, ETH, XRP = "BTCUSDT", "ETHUSDT", "XRPUSDT"
ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
POSITION, TRADES, TIME = "/fapi/v3/positionRisk", "/fapi/v1/userTrades", "/fapi/v1/time"
STOP, TAKE = {"type": "STOP_MARKET"}, {"type": "TAKE_PROFIT_MARKET"}
FOR_EVER = -1
NETWORKS = ((500, 0), (1_000, 1_000), (5_000, 2_000), (15_000, 10_000), (40_000, 20_000))
"""One way and its jitter, in µs."""


@dataclass(frozen=True)
class Scenario:
    """One failure mode brought about on purpose, and what is to hold then.

    `stories` are its variants by name. A seed draws the interleaving of each, and unless `fixed`, the network's times,
    the machine's wrong clock and the kind of thread that brings the signals as well. `check` asserts what the judge of
    the promises cannot know: that the fault was met, and that the outcome is the wanted one. `missing` names what the
    failure mode asks for and does not exist yet.
    """

    name: str
    modes: tuple[int, ...]
    fault: str
    invariant: str
    stories: Mapping[str, Story]
    check: Callable[[Evidence], None]
    fixed: bool = False
    missing: str = ""

    def story(self, variant: str, seed: int) -> Story:
        """A variant with the circumstances of a seed."""
        story = replace(self.stories[variant], seed=seed)
        dice = random.Random(f"{self.name}/{variant}/{seed}")
        story = replace(story, preemption=dice.choice((0.0, 0.02, 0.1, 0.3)))
        if self.fixed:
            return story
        way_us, jitter_us = dice.choice(NETWORKS)
        skew_ms = dice.choice((0, 0, -400, 700, 60_000))
        return replace(story, way_us=way_us, jitter_us=jitter_us, skew_ms=skew_ms, on_main=dice.random() < 0.3)


def tell(*steps: Step, **circumstances: Any) -> Story:
    """A story of these steps."""
    return Story(seed=0, steps=steps, **circumstances)


def alone(*steps: Step, **circumstances: Any) -> dict[str, Story]:
    """The only variant of a scenario."""
    return {"": tell(*steps, **circumstances)}


def streams(*steps: Step, **circumstances: Any) -> dict[str, Story]:
    """A story with the user stream, and without one."""
    return {
        "stream": tell(*steps, **circumstances),
        "polled": tell(*steps, user_stream=False, **circumstances),
    }


# Steps. What a story waits for keeps the order of things under any latency.


def entry(
    id: str = "entry-1",  # noqa: A002
    symbol: str = BTC,
    kind: str = "LONG_ENTRY",
    quantity: str = "0.010",
    after_ms: int = 0,
    **more: Any,
) -> Step:
    """An entry signal, with a stop 2 % off and a take profit 3 %."""
    options = {"symbol": symbol, "kind": kind, "id": id, "quantity": quantity, **more}
    return Step("signal", options, after_ms)


def close(id: str = "close-1", symbol: str = BTC, kind: str = "CLOSE", after_ms: int = 0) -> Step:  # noqa: A002
    """A CLOSE signal."""
    return Step("signal", {"symbol": symbol, "kind": kind, "id": id}, after_ms)


def price(factor: str, symbol: str = BTC, after_ms: int = 0) -> Step:
    """The price moves to so many times the first one."""
    return Step("price", {"symbol": symbol, "factor": factor}, after_ms)


def fault(name: str, after_ms: int = 0, **options: Any) -> Step:
    """A fault of the exchange's catalogue."""
    return Step("fault", {"name": name, **options}, after_ms)


def wait(ms: int) -> Step:
    """Time passes."""
    return Step("wait", {}, ms)


def answered() -> Step:
    """Until every signal so far has its answer."""
    return Step("until_answered")


def started() -> Step:
    """Until the manager is at work."""
    return Step("until_started")


def settled() -> Step:
    """Until everything is as it should be: protected or flat, and known."""
    return Step("until_settled")


def opened(symbol: str = BTC) -> Step:
    """Until the very moment of the first fill."""
    return Step("until_open", {"symbol": symbol})


def flat(symbol: str = BTC) -> Step:
    """Until the very moment at which the position is zero."""
    return Step("until_flat", {"symbol": symbol})


def hand(how: str, symbol: str = BTC, after_ms: int = 0) -> Step:
    """A person trades on the position: takes a part off, all, adds, or more than there is."""
    return Step("hand", {"symbol": symbol, "how": how}, after_ms)


def crash(where: str = "now", in_effects: int = 1, *, power: bool = False, down_ms: int = 300) -> Step:
    """The process dies: now, or at its n-th write, send or sent request from here."""
    return Step("crash", {"where": where, "in_effects": in_effects, "power": power, "down_ms": down_ms})


def restart() -> Step:
    """The manager is closed in an orderly way and started again."""
    return Step("restart")
