"""Budgets, account settings and precision (failure modes 14, 18, 19, 20)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ..story import Step, Story
from .evidence import ALGO, ORDER, Evidence, expect
from .scenario import (
    BTC,
    ETH,
    XRP,
    Scenario,
    alone,
    answered,
    close,
    entry,
    fault,
    hand,
    opened,
    price,
    settled,
    streams,
    wait,
)


def _limited(seen: Evidence) -> None:
    rows = seen.run.exchange.requests.rows()
    refused = [row for row in rows if row["status"] == 429]
    expect(refused, "nobody was told 429")
    expect(len(refused) <= 4, f"the limit was asked about {len(refused)} times: digging deeper")
    expect(seen.status("entry-2") == "denied", f"an entry went on: {seen.report('entry-2')}")
    seen.expect_ended("stop_loss_hit")
    seen.expect_flat()


def _banned(seen: Evidence) -> None:
    rows: list[dict[str, Any]] = seen.run.exchange.requests.rows()
    told = [row["time"] for row in rows if row["status"] == 418]
    expect(told, "nobody was told 418")
    expect(len(told) <= 3, f"{len(told)} requests into a ban")
    during = [row for row in rows if told[0] + 200 < row["time"] < told[0] + 119_000]
    expect(not during, f"sent during the ban: {during}")
    seen.expect_ended("stop_loss_hit")
    seen.expect_flat()


def _short_of_weight(seen: Evidence) -> None:
    seen.expect_denied("rate_budget", "entry-2")
    seen.expect_status("closed", of="close-1")
    expect(not [r for r in seen.run.exchange.requests.rows() if r["status"] in (418, 429)], "the limit was passed")
    seen.expect_entries(1)
    seen.expect_flat()


def _hedge(seen: Evidence) -> None:
    report = seen.report()
    expect(report.status.value in ("denied", "rejected") and report.reason is not None, f"answered {report}")
    assert report.reason is not None
    expect(
        report.reason.code == "hedge_mode_unsupported" or report.reason.context.get("code") == "-4061",
        f"the reason does not tell: {report.reason}",
    )
    seen.expect_entries(0)
    seen.expect_alert("entries_refused")


def _precise(seen: Evidence) -> None:
    seen.expect_denied("quantity_too_precise", "fine")
    seen.expect_denied("notional_too_small", "small")
    seen.expect_denied("quantity_not_positive", "none")
    expect(not seen.entry_requests(), "a signal that cannot be was sent")


def _dust(seen: Evidence) -> None:
    (last,) = [o for o in seen.orders(XRP) if o.reduce_only and o.executed]
    expect(last.executed == Decimal("0.1"), f"the close was for {last.executed}")
    seen.expect_status("closed", of="close-1")
    seen.expect_flat(XRP)


def _new_rules(seen: Evidence) -> None:
    seen.expect_status("closed", of="close-1")
    expect(len(seen.entries()) == 2, f"entries: {seen.entries()}")
    stop = seen.algos()[-1]
    expect(stop.trigger_price % Decimal("0.5") == 0, f"off the new tick: {stop.trigger_price}")
    seen.expect_protected("0.011")


def _stopped_unasked(seen: Evidence) -> None:
    seen.expect_met("rate_limited")
    seen.expect_entries(1)
    seen.expect_protected("0.010")
    seen.expect_naked_within(1_500)


def _closed_unasked(seen: Evidence) -> None:
    seen.expect_met("rate_limited")
    seen.expect_entries(1)
    seen.expect_alert("stop_price_already_crossed")
    seen.expect_naked_within(1_500)
    seen.expect_flat()
    seen.expect_ended("stop_price_already_crossed")


def _nothing_to_stop(seen: Evidence) -> None:
    refused = [row for row in seen.requests("POST", ALGO, type="STOP_MARKET") if row["code"] == -4509]
    expect(refused, "no stop left")
    expect(len(refused) < 40, f"{len(refused)} stops within a minute")
    seen.expect_entries(0)
    seen.expect_flat()
    expect(not seen.alerts, f"alerts: {seen.alerts}")


def _unanswered(how: str, moment: Step, *then: Step) -> dict[str, Story]:
    """An entry about which nothing is heard: no stream, its request or answer lost, and from a moment on a 429."""
    lost, limited = fault(how, method="POST", path=ORDER), fault("rate_limited", method="GET", times=2)
    steps = (fault("stream_mute"), lost, entry(), moment, *then, limited, wait(70_000), settled())
    return alone(*steps, arm="after_fill")


SCENARIOS = (
    Scenario(
        name="entry_is_lost_and_no_question_is_answered",
        modes=(1, 18),
        fault="the answer to an entry is lost, the stream is silent, and a 429 holds all questions back",
        invariant="orders leave all the same: the stop is live within a second and a half, and is its own answer",
        stories=_unanswered("reply_lost", opened()),
        check=_stopped_unasked,
        fixed=True,
    ),
    Scenario(
        name="entry_is_lost_and_its_stop_is_crossed_unasked",
        modes=(12, 18),
        fault="the answer to an entry is lost, a 429 holds questions back, and the price has fallen through its stop",
        invariant="refused (-2021), the stop says that nothing but a close is left: flat within a second and a half",
        stories=_unanswered("reply_lost", opened(), price("0.97")),
        check=_closed_unasked,
        fixed=True,
    ),
    Scenario(
        name="entry_never_arrives_and_no_question_is_answered",
        modes=(2, 18),
        fault="an entry is lost on its way, the stream is silent, and a 429 holds all questions back",
        invariant="stops are refused (-4509), ever more seldom, and do no harm; the entry is proven absent afterwards",
        stories=_unanswered("request_lost", wait(120)),
        check=_nothing_to_stop,
        fixed=True,
    ),
    Scenario(
        name="rate_limited_with_a_position_open",
        modes=(18,),
        fault="429 on everything for 6 s while the stop is hit",
        invariant="few questions into the limit, entries are shed; the resting stop protects; all is known afterwards",
        stories=streams(
            entry(),
            answered(),
            fault("rate_limited", lasts_ms=6_000),
            entry("entry-2", ETH, quantity="0.200"),
            price("0.97", after_ms=500),
            wait(90_000),
            answered(),
            settled(),
        ),
        check=_limited,
    ),
    Scenario(
        name="banned_with_a_position_open",
        modes=(18,),
        fault="418 for two minutes; the stop is hit meanwhile",
        invariant="nothing is sent until Retry-After; the resting stop protects; all is known afterwards",
        stories=streams(entry(), answered(), Step("ban"), price("0.97", after_ms=2_000), wait(150_000), settled()),
        check=_banned,
    ),
    Scenario(
        name="budget_is_short",
        modes=(18,),
        fault="another program behind the same address uses nine tenths of the request weight",
        invariant="entries are shed first (`rate_budget`), the exit goes through; no 429 is ever met",
        stories=alone(
            entry(),
            answered(),
            Step("use_weight", {"weight": 2200}),
            entry("warm-up", XRP, quantity="900.1"),
            entry("entry-2", ETH, quantity="0.200", after_ms=1_000),
            close(),
            answered(),
            settled(),
        ),
        check=_short_of_weight,
    ),
    Scenario(
        name="hedge_mode_appears",
        modes=(19,),
        fault="a person switches the flat account to hedge mode while the manager runs",
        invariant="the entry is not executed and the answer names the reason; the fifth in a row is an alert",
        stories=alone(
            wait(500),
            Step("hedge_mode"),
            *(
                step
                for number in range(1, 6)
                for step in (entry(f"entry-{number}", quantity=f"0.01{number}"), answered())
            ),
            Step("one_way_mode"),
        ),
        check=_hedge,
    ),
    Scenario(
        name="quantity_cannot_be",
        modes=(20,),
        fault="entries with too many digits, below the least notional, and of nothing",
        invariant="denied with the numbers, nothing is sent",
        stories=alone(
            entry("fine", quantity="0.0105"),
            entry("small", XRP, quantity="1.1"),
            entry("none", quantity="0"),
            answered(),
        ),
        check=_precise,
    ),
    Scenario(
        name="dust_is_closed_to_zero",
        modes=(20,),
        fault="others leave 0.1 XRP of the position: far below the least notional",
        invariant="the close is sent for exactly that and reaches exactly zero",
        stories=streams(
            entry(symbol=XRP, quantity="900.1"),
            answered(),
            hand("part", XRP),
            hand("part", XRP, after_ms=50),
            hand("part", XRP, after_ms=50),
            wait(5_000),
            close(symbol=XRP),
            answered(),
            settled(),
        ),
        check=_dust,
    ),
    Scenario(
        name="rules_change_under_a_position",
        modes=(20, 14),
        fault="the tick size grows fivefold while a position is open",
        invariant="the position still closes; the next bracket is on the new tick after one refresh",
        stories=alone(
            entry(),
            answered(),
            fault("rules_changed", symbol=BTC, rules={"tickSize": "0.5"}),
            close(),
            answered(),
            price("1.00001"),
            entry("entry-2", quantity="0.011"),
            answered(),
            settled(),
        ),
        check=_new_rules,
    ),
)
