"""Protection that leaves with the entry (`ARM=with_entry`): each way it can go wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ..story import Step, Story
from .evidence import ALGO, ORDER, Evidence, expect
from .restarts import PLACES, once_and_safe
from .scenario import (
    STOP,
    XRP,
    Scenario,
    answered,
    close,
    crash,
    entry,
    fault,
    opened,
    price,
    settled,
    started,
    tell,
    wait,
)


def _armed(*steps: Step, **circumstances: Any) -> Story:
    return tell(*steps, arm="with_entry", **circumstances)


def _bare(seen: Evidence, symbol: str = "BTCUSDT") -> list[str]:
    """What became of the armed orders: those that carry a quantity and do not close the position."""
    algos = seen.algos(symbol=symbol) + seen.algos("TAKE_PROFIT_MARKET", symbol)
    return [str(algo.status) for algo in algos if not algo.close_position]


def _jitter_ms(seen: Evidence) -> int:
    return 2 * seen.run.story.jitter_us // 1000 + 5


def _handed_over(seen: Evidence) -> None:
    seen.expect_status("protected")
    seen.expect_naked_within(_jitter_ms(seen))
    seen.expect_protected("0.010")
    expect(_bare(seen) == ["CANCELED", "CANCELED"], f"the armed orders: {_bare(seen)}")
    standing = [algo for algo in seen.algos() if algo.close_position]
    bridge = next(algo for algo in seen.algos() if not algo.close_position)
    expect(bridge.updated_ms >= standing[0].created_ms, "the armed stop went before the standing one rested")


def _nothing_left(seen: Evidence) -> None:
    seen.expect_status("rejected")
    expect(all(status in ("CANCELED", "REJECTED") for status in _bare(seen)), f"the armed orders: {_bare(seen)}")
    seen.expect_entries(0)
    seen.expect_flat()


def _guarded_all_the_same(seen: Evidence) -> None:
    seen.expect_status("protected")
    expect(any("fault" in row or row["status"] != 200 for row in seen.requests("POST", ALGO)), "no fault was met")
    seen.expect_naked_within(2000)
    seen.expect_entries(1)
    seen.expect_protected("0.010")


def _fell_back(seen: Evidence) -> None:
    seen.expect_alert("arming_refused")
    seen.expect_status("closed", of="close-1")
    seen.expect_status("protected", of="entry-2")
    bare = [row for row in seen.requests("POST", ALGO) if row["params"].get("closePosition") != "true"]
    expect(len(bare) <= 2, f"armed again though the exchange refuses it: {len(bare)} requests")
    seen.expect_protected("0.011")


def _fired_first(seen: Evidence) -> None:
    seen.expect_entries(1)
    seen.expect_flat()
    seen.expect_naked_within(2000)
    exits = [o for o in seen.orders() if o.reduce_only or o.close_position]
    expect(sum(o.executed for o in exits) == Decimal("0.010"), f"closed by {exits}")


def _one_entry(seen: Evidence) -> None:
    expect(len(seen.entry_requests()) == 1, f"the entry was sent {len(seen.entry_requests())} times")
    seen.expect_status("protected")
    seen.expect_entries(1)
    seen.expect_protected("0.010")


def _part(seen: Evidence) -> None:
    (order,) = seen.entries(XRP)
    expect(Decimal(0) < order.executed < order.quantity, f"the entry was not filled in part: {order}")
    seen.expect_protected(str(order.executed), XRP)
    seen.expect_naked_within(2000, XRP)


SCENARIOS = (
    Scenario(
        name="armed_stop_is_handed_over",
        modes=(10, 1),
        fault="none: the armed stop has to be swapped for a closePosition one, which no second one may stand beside",
        invariant="bare for the jitter at most; the armed stop goes only when the standing one rests",
        stories={
            "stream": _armed(entry(), answered(), wait(3_000), settled()),
            "polled": _armed(entry(), answered(), wait(3_000), settled(), user_stream=False),
        },
        check=_handed_over,
    ),
    Scenario(
        name="armed_entry_does_not_execute",
        modes=(5, 2),
        fault="stop and target rest, and the entry is refused (-2019), lost, or answered 503 without being executed",
        invariant="both are cancelled once that is proven; nothing is left that could meet another trade",
        stories={
            "refused": _armed(fault("refuse", method="POST", path=ORDER, code=-2019), entry(), answered(), settled()),
            "lost": _armed(fault("request_lost", method="POST", path=ORDER), entry(), answered(), settled()),
            "unknown": _armed(fault("status_503_unknown", method="POST", path=ORDER), entry(), answered(), settled()),
        },
        check=_nothing_left,
    ),
    Scenario(
        name="armed_entry_executes_without_an_answer",
        modes=(2, 3),
        fault="the entry executes; its answer is lost, or it arrives after the client gave up",
        invariant="sent once, guarded by the armed stop all the while, one executed entry, protected",
        stories={
            "reply_lost": _armed(fault("reply_lost", method="POST", path=ORDER), entry(), answered(), settled()),
            "late": _armed(
                fault("late_request", method="POST", path=ORDER, delay_ms=900), entry(), answered(), settled()
            ),
        },
        check=_one_entry,
    ),
    Scenario(
        name="armed_stop_fails",
        modes=(1,),
        fault="the armed stop is refused (-4045, -1111), its request or answer lost, or it arrives late",
        invariant="what goes wrong costs the head start only: a standing stop within naked_limit_ms",
        stories={
            name: _armed(fault(kind, method="POST", path=ALGO, match=STOP, **options), entry(), answered(), settled())
            for name, kind, options in (
                ("code4045", "refuse", {"code": -4045}),
                ("code1111", "refuse", {"code": -1111}),
                ("reply_lost", "reply_lost", {}),
                ("status_503_unknown", "status_503_unknown", {}),
                ("late", "late_request", {"delay_ms": 900}),
            )
        },
        check=_guarded_all_the_same,
    ),
    Scenario(
        name="exchange_refuses_to_arm",
        modes=(1, 14),
        fault="the exchange wants a position before any reduce-only conditional order (-2022): the other reading",
        invariant="protected after the fill, told once (`arming_refused`), and later entries do not try",
        stories={
            "": _armed(
                entry(),
                answered(),
                close(),
                answered(),
                wait(1_000),
                entry("entry-2", quantity="0.011"),
                answered(),
                settled(),
                accepts_bare_stops=False,
                jitter_us=0,
            )
        },
        check=_fell_back,
        fixed=True,  # with jitter the stop may arrive behind the fill, and is accepted then
    ),
    Scenario(
        name="armed_stop_fires_at_once",
        modes=(12, 8),
        fault="the price falls through the stop at the very moment of the fill, before anybody knows of it",
        invariant="flat, closed exactly once, nothing of ours rests",
        stories={
            "long": _armed(entry(), opened(), price("0.97"), wait(5_000), answered(), settled()),
            "short": _armed(entry(kind="SHORT_ENTRY"), opened(), price("1.03"), wait(5_000), answered(), settled()),
            "polled": _armed(entry(), opened(), price("0.97"), wait(5_000), answered(), settled(), user_stream=False),
        },
        check=_fired_first,
    ),
    Scenario(
        name="armed_entry_fills_in_part",
        modes=(11,),
        fault="a thin book: the entry fills in part, the armed legs carry the whole quantity",
        invariant="protected for what was filled, by a standing stop in the end",
        stories={
            "": _armed(
                fault("thin_book", symbol=XRP, percent="0.02", lasts_ms=30_000),
                entry(symbol=XRP, quantity="9000.1"),
                answered(),
                wait(3_000),
                settled(),
            )
        },
        check=_part,
    ),
    Scenario(
        name="killed_at_each_effect_of_an_armed_entry",
        modes=(4, 2, 5),
        fault="kill -9, or a power cut, at each of the first journal writes and sends of the three orders",
        invariant="after the restart: at most one executed entry, protected or flat, no armed order left behind",
        stories={
            name: _armed(crash(where, number, power=power), entry(), wait(3_000), started(), settled())
            for name, where, number, power in PLACES
        },
        check=once_and_safe,
    ),
)
