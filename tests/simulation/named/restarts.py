"""The process dies, or is started again (failure modes 4, 5)."""

from __future__ import annotations

from .evidence import Evidence, expect
from .scenario import (
    POSITION,
    Scenario,
    answered,
    close,
    crash,
    entry,
    fault,
    flat,
    opened,
    price,
    restart,
    settled,
    started,
    tell,
    wait,
)

PLACES = [
    (f"{where}{number}{'_power' if power else ''}", where, number, power)
    for where, count in (("write", 6), ("send", 4), ("sent", 4))
    for number in range(1, count + 1)
    for power in ((False, True) if where == "write" else (False,))
]
"""Effects of an entry: each journal write, each request before it leaves, and each that has just left."""


MANY_STARTS = tuple(step for _ in range(30) for step in (crash(down_ms=50), started(), wait(300)))
"""A start asks for some 95 of the 2400 units of a minute, and more with a position open."""


def _many_starts(seen: Evidence) -> None:
    kills = seen.run.figures["kills"]
    expect(kills == len(MANY_STARTS) // 3, f"killed {kills} times")
    seen.expect_alert("start_degraded")
    expect(seen.lines("start_completed"), "the last start never found everything out")
    seen.expect_entries(1)
    seen.expect_protected("0.010")


def once_and_safe(seen: Evidence) -> None:
    """Killed, and one entry at most, guarded or gone."""
    expect(seen.run.figures["kills"] >= 1, "the process was not killed")
    sent = [row for row in seen.entry_requests() if row["status"] == 200]
    expect(len(sent) <= 1, f"the entry was accepted {len(sent)} times")
    amount = seen.amount()
    if amount:
        seen.expect_protected("0.010")
    else:
        seen.expect_flat()
    expect(len(seen.entries()) <= 1, f"entries: {seen.entries()}")


def _killed_bare(seen: Evidence) -> None:
    expect(seen.run.figures["kills"] == 1, "the process was not killed")
    seen.expect_entries(1)
    seen.expect_protected("0.010")
    since_start = [line for line in seen.lines("alert") if line.data.get("code") == "stop_not_live_in_time"]
    expect(not since_start, "a new process closed what it could have protected")


def _killed_closing(seen: Evidence) -> None:
    expect(seen.run.figures["kills"] >= 1, "the process was not killed")
    seen.expect_entries(1)
    seen.expect_flat()
    closers = [o for o in seen.orders() if o.reduce_only and o.executed]
    expect(len(closers) == 1, f"closed {len(closers)} times")


def _settled_meanwhile(seen: Evidence) -> None:
    reason = "take_profit_hit" if seen.run.story.steps[-4].options.get("factor", "1") > "1" else "stop_loss_hit"
    seen.expect_ended(reason)
    seen.expect_flat()


def _next_trade_is_safe(seen: Evidence) -> None:
    expect(seen.run.figures["kills"] == 1, "the process was not killed")
    seen.expect_entries(2)
    seen.expect_protected("0.011")
    first = [
        algo
        for algo in seen.algos() + seen.algos("TAKE_PROFIT_MARKET")
        if algo.created_ms < seen.entries()[1].created_ms
    ]
    expect(not any(algo.is_live for algo in first), f"orders of the first trade rest beside the second: {first}")


def _taken_over(seen: Evidence) -> None:
    expect(seen.run.figures["restarts"] == 1, "the manager was not restarted")
    seen.expect_entries(1)
    expect(len(seen.algos()) == 1, f"a restart replaced the stop: {seen.algos()}")
    seen.expect_protected("0.010")
    expect(not seen.alerts, f"alerts: {seen.alerts}")


def _protect_only(seen: Evidence) -> None:
    expect(seen.lines("start_degraded"), "the start did not tell what is missing")
    expect(seen.lines("start_completed"), "the start was never completed")
    seen.expect_entries(1)
    seen.expect_protected("0.010")


SCENARIOS = (
    Scenario(
        name="killed_at_each_effect_of_an_entry",
        modes=(4, 2),
        fault="kill -9, or a power cut, at each of the first journal writes and sends of an entry and its protection",
        invariant="after the restart: at most one executed entry, protected or flat, nothing lost, nothing twice",
        stories={
            name: tell(crash(where, number, power=power), entry(), wait(3_000), started(), settled())
            for name, where, number, power in PLACES
        },
        check=once_and_safe,
    ),
    Scenario(
        name="killed_between_fill_and_stop",
        modes=(4, 1),
        fault="kill -9 at the moment of the first fill; down for 5 ms, 3 s, or 40 s",
        invariant="the next process finds the position bare and protects it; it does not open another, nor close it",
        stories={
            f"down_{down_ms}ms": tell(entry(), opened(), crash(down_ms=down_ms), started(), settled())
            for down_ms in (5, 3_000, 40_000)
        },
        check=_killed_bare,
    ),
    Scenario(
        name="killed_while_closing",
        modes=(4, 5),
        fault="kill -9 at each of the first writes and sends of a close",
        invariant="the next process finishes the close: flat, closed once, nothing of ours rests",
        stories={
            f"{where}{number}": tell(
                entry(),
                answered(),
                crash(where, number),
                close(),
                wait(2_000),
                started(),
                close("close-2"),
                answered(),
                settled(),
            )
            for where in ("write", "send", "sent")
            for number in (1, 2)
        },
        check=_killed_closing,
    ),
    Scenario(
        name="leg_fills_while_the_process_is_down",
        modes=(4, 5, 8),
        fault="the stop or the take profit is hit while no process runs",
        invariant="the next process links the fill, clears the sibling, and records the right reason",
        stories={
            name: tell(entry(), answered(), crash(down_ms=5_000), price(factor), flat(), started(), settled())
            for name, factor in (("stop", "0.97"), ("take_profit", "1.04"))
        },
        check=_settled_meanwhile,
    ),
    Scenario(
        name="killed_between_fill_and_sibling_cancel",
        modes=(4, 5),
        fault="kill -9 at the moment at which the stop closes the position; then a second trade on the symbol",
        invariant="no order of the first trade is left that could close or reverse the second",
        stories={
            name: tell(
                entry(),
                answered(),
                price(factor),
                flat(),
                crash(down_ms=down_ms),
                started(),
                settled(),
                price("1"),
                entry("entry-2", quantity="0.011"),
                answered(),
                settled(),
            )
            for name, factor, down_ms in (
                ("stop", "0.97", 5),
                ("take_profit", "1.04", 5),
                ("stop_later", "0.97", 3_000),
            )
        },
        check=_next_trade_is_safe,
    ),
    Scenario(
        name="restart_with_an_open_position",
        modes=(4,),
        fault="an orderly restart while a position is open",
        invariant="taken over as it is: the same stop, no order, no alert",
        stories={"": tell(entry(), answered(), wait(500), restart(), started(), wait(3_000), settled())},
        check=_taken_over,
    ),
    Scenario(
        name="start_cannot_find_everything_out",
        modes=(4, 22),
        fault="kill -9 between fill and stop, and the next start's questions about the account are refused for a while",
        invariant="protect-only: the stop is placed all the same, entries wait; completed when the answers come",
        stories={
            "account": tell(
                entry(),
                opened(),
                fault("refuse", path=POSITION, code=-1000, times=24),  # the engine asks there, too
                crash(),
                started(),
                wait(40_000),
                settled(),
            ),
            "position_mode": tell(
                entry(),
                opened(),
                fault("refuse", path="/fapi/v1/accountConfig", code=-1000, times=12),
                crash(),
                started(),
                wait(40_000),
                settled(),
            ),
        },
        check=_protect_only,
    ),
    Scenario(
        name="many_starts_in_a_minute",
        modes=(4, 18),
        fault="kill -9 thirty times within a minute: too little request weight for that; with a position, without",
        invariant="no 429: protect-only while there is no room, what is open stays guarded; completed a minute later",
        stories={
            "guarded": tell(wait(20_500), entry(), opened(), *MANY_STARTS, wait(62_000), settled()),
            "flat": tell(wait(20_500), *MANY_STARTS, wait(62_000), entry(), opened(), settled()),
        },
        check=_many_starts,
    ),
)
