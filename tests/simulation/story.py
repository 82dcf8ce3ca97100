"""What happens in a run, drawn from its seed: signals, prices, people, faults, weather, kills. Data only.

A story is a list of steps with the time that passes before each. It can be shortened step by step while it still fails,
because no step depends on what an earlier one did.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import Any

from bracketeer.simulator.error_codes import Code
from tests.support.places import ALGO, ORDER, OTHER_CODES, PLACES

PRICES = {"BTCUSDT": "60000", "ETHUSDT": "3000", "XRPUSDT": "0.6"}
BASES = {"BTCUSDT": ("0.010", "0.001"), "ETHUSDT": ("0.200", "0.001"), "XRPUSDT": ("900", "0.1")}
"""The quantity of a symbol's first entry, and what each later one is larger: so the books tell them apart."""
MOVES = ("0.93", "0.97", "0.99", "0.995", "1", "1.005", "1.01", "1.03", "1.07")
"""Of the symbol's first price. Stops lie 2 % from the price of their entry, take profits 3 %."""
PAUSES_MS = (0, 0, 1, 3, 8, 30, 150, 300, 700, 2500)
"""Mostly short: a quiet second costs as much to play as a busy one, and outages and the story's end have many."""

ANY_REQUEST = (
    "reply_lost", "request_lost", "refuse", "refuse", "refuse", "status_503", "status_503_executed",
    "status_503_unknown", "status_503_internal", "status_500", "status_502", "status_504", "timeout_1007", "bus_1006",
    "firewall", "garbled", "delay", "late_request", "late_at_engine",
)  # fmt: skip
QUERIES = ("order_denied", "order_denied", "stale_reads", "empty_answer")
LIMITS = ("rate_limited", "order_limited", "overloaded", "maintenance", "ban")
STREAM_EVENTS = (
    "stream_lose", "stream_duplicate", "stream_reorder", "stream_delay", "stream_unknown", "stream_garbled",
)  # fmt: skip
STREAM_ACTS = ("stream_drop", "stream_mute", "stream_unmute", "listen_key_expired")
VENUE_ACTS = ("stop_canceled", "stop_expired", "trigger_rejected", "liquidation", "adl", "price_gap", "thin_book",
              "rules_changed")  # fmt: skip
RULES = (
    ("tickSize", {"BTCUSDT": "0.5", "ETHUSDT": "0.1", "XRPUSDT": "0.001"}),
    ("marketMaxQty", {"BTCUSDT": "0.012", "ETHUSDT": "0.205", "XRPUSDT": "900.5"}),
    ("notional", dict.fromkeys(PRICES, "700")),
    ("status", dict.fromkeys(PRICES, "SETTLING")),
)
"""What a symbol's rules become for a while: all but the first keep entries out, or some of them."""
EVENTS = ("", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ALGO_UPDATE")
CODES = {
    ORDER: (-1000, -1001, -1006, -1007, -1008, -1021, -2013, -2018, -2019, -2022, -4118, -4116, -1111),
    ALGO: (-1000, -1001, -1006, -1007, -1008, -1021, -2011, -2013, -2021, -4116, -4130, -4509, -4509, -4045, -1111),
}


ANY_CODE = tuple(sorted({int(code) for code in Code} - {-1003, -1015}))
"""Of limits nobody speaks who counts (P6)."""
CLAIMS = {"external_position_claims": tuple(sorted(PRICES)), "claim_stop_distance_pct": Decimal(5)}


@dataclass(frozen=True)
class Draw:
    """How often a story brings what. What stands twice in a choice is drawn twice as often."""

    name: str
    symbols: tuple[int, ...]
    signals: tuple[int, ...]
    trouble: tuple[float, ...]
    audit_max_bytes: tuple[int, ...]
    skew_ms: tuple[int, ...]
    stream_share: float
    short_stream_share: float
    claims_share: float


USUAL = Draw(
    name="story",
    symbols=(1, 2, 2, 2, 2, 3, 3, 3),
    signals=(20, 20, 20, 20, 25, 25, 30, 40, 60),
    trouble=(0.0, 0.3, 0.6, 1.0, 1.5),
    audit_max_bytes=(64 * 1024 * 1024, 64 * 1024 * 1024, 100_000, 200_000),
    skew_ms=(0, 0, -400, 700, 60_000, -3_600_000),
    stream_share=0.9,
    short_stream_share=0.1,
    claims_share=0.15,
)
DENSE = Draw(
    name="dense",
    symbols=(1, 2, 2, 3),
    signals=(10, 15, 20, 20, 30),
    trouble=(1.0, 1.5, 1.8, 2.1),
    audit_max_bytes=(64 * 1024 * 1024, 100_000),
    skew_ms=(0, -400, 700, 60_000, -3_600_000),
    stream_share=0.85,
    short_stream_share=0.15,
    claims_share=0.25,
)
"""Fewer signals and more trouble: it takes a third as many stories for what is wrong to show (design note 013)."""


@dataclass(frozen=True)
class Step:
    """One thing that happens, `after_ms` after the one before."""

    what: str
    options: dict[str, Any] = field(default_factory=dict)
    after_ms: int = 0

    def __str__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"+{self.after_ms} ms {self.what}({told})"


@dataclass(frozen=True)
class Story:
    """All of it. The seed also draws the interleaving and the network's doings."""

    seed: int
    steps: tuple[Step, ...]
    user_stream: bool = True
    arm: str = "after_fill"
    preemption: float = 0.05
    way_us: int = 1_000
    jitter_us: int = 1_000
    skew_ms: int = 0
    on_main: bool = False
    accepts_bare_stops: bool = True
    audit_max_bytes: int = 64 * 1024 * 1024
    stream_life_s: float | None = None
    policy: dict[str, Any] = field(default_factory=dict)

    @property
    def signals(self) -> int:
        """How many signals it brings."""
        return sum(step.what == "signal" for step in self.steps)

    def __str__(self) -> str:
        facts = {fact.name: getattr(self, fact.name) for fact in fields(self) if fact.name not in ("seed", "steps")}
        lines = [f"story of seed {self.seed}: {facts}"]
        return "\n".join(lines + [f"  {number}. {step}" for number, step in enumerate(self.steps)])


def make_story(seed: int, draw: Draw = USUAL) -> Story:
    """The story of a seed: signals on up to three symbols, 20 to 60 of them as a rule, and what befalls them."""
    dice = random.Random(f"{seed}/{draw.name}")
    symbols = dice.sample(sorted(PRICES), dice.choice(draw.symbols))
    wanted = dice.choice(draw.signals)
    trouble = dice.choice(draw.trouble)
    maker = _Maker(dice, symbols)
    steps: list[Step] = []
    while maker.signals < wanted:
        if dice.random() < trouble * 0.4:
            steps.append(maker.trouble())
        else:
            steps.append(maker.business())
    pauses = tuple(dice.choice(PAUSES_MS) for _ in steps)
    steps = [replace(step, after_ms=step.after_ms or pause) for step, pause in zip(steps, pauses, strict=True)]
    return Story(
        seed=seed,
        steps=tuple(steps),
        user_stream=dice.random() < draw.stream_share,
        arm=dice.choice(("after_fill", "with_entry")),
        accepts_bare_stops=dice.random() < 0.8,
        audit_max_bytes=dice.choice(draw.audit_max_bytes),
        preemption=dice.choice((0.0, 0.02, 0.1)),
        way_us=dice.choice((500, 2_000, 15_000, 80_000)),
        jitter_us=dice.choice((0, 1_000, 10_000, 60_000)),
        skew_ms=dice.choice(draw.skew_ms),
        on_main=dice.random() < 0.3,
        stream_life_s=2.5 if dice.random() < draw.short_stream_share else None,
        policy=CLAIMS if dice.random() < draw.claims_share else {},
    )


class _Maker:
    def __init__(self, dice: random.Random, symbols: list[str]) -> None:
        self.dice = dice
        self.symbols = symbols
        self.signals = 0
        self._entries: dict[str, int] = dict.fromkeys(symbols, 0)
        self._made: list[Step] = []

    def business(self) -> Step:
        """What happens on any day."""
        what = self.dice.choices(("entry", "close", "again", "price", "hand", "limit"), weights=(34, 16, 4, 26, 5, 1))[
            0
        ]
        symbol = self.dice.choice(self.symbols)
        match what:
            case "entry":
                return self._entry(symbol)
            case "close":
                kind = self.dice.choice(("CLOSE", "CLOSE", "CLOSE_LONG", "CLOSE_SHORT"))
                self.signals += 1
                return Step("signal", {"symbol": symbol, "kind": kind, "id": f"close-{self.signals}"})
            case "again" if self._made:
                self.signals += 1
                return self.dice.choice(self._made)
            case "hand":
                return Step("hand", {"symbol": symbol, "how": self.dice.choice(("part", "all", "add", "over"))})
            case "limit":
                return Step("limit", {"symbol": symbol})
            case _:
                return Step("price", {"symbol": symbol, "factor": self.dice.choice(MOVES)})

    def trouble(self) -> Step:
        """What does not happen on every day."""
        dice, symbol = self.dice, self.dice.choice(self.symbols)
        what = dice.choices(
            ("fault", "query", "limits", "event", "stream", "venue", "weather", "calm", "crash", "restart", "disk",
             "clock", "wall_clock", "unstop"),
            weights=(30, 8, 4, 8, 6, 8, 6, 4, 8, 3, 3, 2, 2, 2),
        )[0]  # fmt: skip
        match what:
            case "fault":
                return self._fault()
            case "query":
                name = dice.choice(QUERIES)
                options: dict[str, Any] = {"name": name, "times": dice.choice((1, 2, 5))}
                if name == "empty_answer":
                    options["path"] = dice.choice([path for method, path, _ in PLACES if method == "GET"])
                if name == "stale_reads":
                    options |= {"delay_ms": dice.choice((50, 300, 1500)), "lasts_ms": dice.choice((200, 2000))}
                return Step("fault", options)
            case "limits":
                name = dice.choice(LIMITS)
                if name == "ban":
                    return Step(name)
                return Step("fault", {"name": name, "times": dice.choice((1, 3)), "lasts_ms": 1500})
            case "event":
                options = {"name": dice.choice(STREAM_EVENTS), "event": dice.choice(EVENTS)}
                return Step("fault", options | {"times": dice.choice((1, 2, 5)), "delay_ms": dice.choice((20, 400))})
            case "stream":
                return Step("fault", {"name": dice.choice(STREAM_ACTS)})
            case "venue":
                return self._venue(symbol)
            case "weather":
                options = {name: dice.choice((0.0, 0.05, 0.3)) for name in ("request_lost", "reply_lost", "late")}
                return Step("weather", options | {"is_out": dice.random() < 0.2, "lasts_ms": dice.choice((300, 3000))})
            case "crash":
                where = dice.choice(("now", "write", "send", "sent"))
                options = {"where": where, "in_effects": dice.randint(1, 12), "power": dice.random() < 0.5}
                return Step("crash", options | {"down_ms": dice.choice((5, 300, 3000, 40_000))})
            case "disk":
                return Step(
                    "disk", {"how": dice.choice(("full", "failing", "stalling")), "lasts_ms": dice.choice((100, 2000))}
                )
            case "clock":
                return Step("clock", {"by_ms": dice.choice((300, 900, 2500, 5000))})
            case "wall_clock":
                return Step(what, {"by_ms": dice.choice((-20_000, -900, 700, 2500, 20_000))})
            case _:
                return Step(what, {"symbol": symbol} if what == "unstop" else {})

    def _entry(self, symbol: str) -> Step:
        first, step = BASES[symbol]
        quantity = Decimal(first) + Decimal(step) * self._entries[symbol]
        self._entries[symbol] += 1
        self.signals += 1
        kind = self.dice.choice(("LONG_ENTRY", "SHORT_ENTRY"))
        options = {"symbol": symbol, "kind": kind, "id": f"entry-{self.signals}", "quantity": str(quantity)}
        made = Step("signal", options)
        self._made.append(made)
        return made

    def _fault(self) -> Step:
        dice = self.dice
        method, path, match = dice.choice(PLACES)
        name = dice.choice(ANY_REQUEST)
        options: dict[str, Any] = {"name": name, "method": method, "path": path, "times": dice.choice((1, 1, 2, 3, 8))}
        if match:
            options["match"] = match
        if name == "refuse":
            options["code"] = dice.choice(ANY_CODE if dice.random() < 0.3 else CODES.get(path, OTHER_CODES))
        if name in ("delay", "late_request", "late_at_engine"):
            options["delay_ms"] = dice.choice((20, 120, 600, 1900, 2600))
        if name in ("status_500", "status_502", "status_504", "timeout_1007", "bus_1006"):
            options["is_executed"] = dice.random() < 0.5
        return Step("fault", options)

    def _venue(self, symbol: str) -> Step:
        name = self.dice.choice(VENUE_ACTS)
        options: dict[str, Any] = {"name": name, "symbol": symbol}
        match name:
            case "price_gap":
                options["percent"] = self.dice.choice(("-5", "5", "-2.5"))
            case "thin_book":
                options |= {"percent": "0.05", "lasts_ms": 3000}
            case "adl":
                options["percent"] = self.dice.choice(("40", "100"))
            case "trigger_rejected":
                options["code"] = -2019
            case "rules_changed":
                rule, values = self.dice.choice(RULES)
                options |= {"rules": {rule: values[symbol]}, "lasts_ms": 5000}
        return Step("fault", options)
