"""The stop: refused, crossed, spent, ended by the venue, too small (failure modes 1, 10, 11, 12, 13, 15)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ..story import Step
from .evidence import ALGO, BTC, Evidence, expect
from .scenario import (
    FOR_EVER,
    STOP,
    TAKE,
    Scenario,
    alone,
    answered,
    entry,
    fault,
    hand,
    opened,
    price,
    settled,
    streams,
    tell,
    wait,
)

_STOP_REQUEST: dict[str, Any] = {"method": "POST", "path": ALGO, "match": STOP}
_TAKE_REQUEST: dict[str, Any] = {"method": "POST", "path": ALGO, "match": TAKE}


def _stops_refused(seen: Evidence) -> int:
    return sum(row["status"] != 200 for row in seen.requests("POST", ALGO, type="STOP_MARKET"))


def _flattened(seen: Evidence) -> None:
    expect(_stops_refused(seen) >= 2, "the stop was not refused again and again")
    seen.expect_status("flattened")
    seen.expect_alert("stop_not_live_in_time")
    seen.expect_naked_within(2000)
    seen.expect_entries(1)
    seen.expect_flat()


def _protected_after_refusals(seen: Evidence) -> None:
    expect(_stops_refused(seen) == 2, f"{_stops_refused(seen)} refusals")
    seen.expect_status("protected")
    seen.expect_protected("0.010")
    seen.expect_naked_within(2000)
    ids = {row["params"]["clientAlgoId"] for row in seen.requests("POST", ALGO, type="STOP_MARKET")}
    expect(len(ids) == 1, f"the stop went with several ids: {ids}")


def _unheard_stop(seen: Evidence) -> None:
    seen.expect_status("flattened", "protected")
    seen.expect_entries(1)
    if seen.status() == "flattened":
        seen.expect_flat()
    else:
        seen.expect_protected("0.010")


def _partially(seen: Evidence) -> None:
    refused = [row for row in seen.requests("POST", ALGO, type="TAKE_PROFIT_MARKET") if row["status"] != 200]
    expect(len(refused) == 5, f"{len(refused)} refusals of the take profit")
    seen.expect_status("partially_protected")
    seen.expect_protected("0.010")
    seen.expect_naked_within(1000)


def _stop_crossed(seen: Evidence) -> None:
    seen.expect_status("flattened")
    refused = [row for row in seen.requests("POST", ALGO, type="STOP_MARKET") if row["code"] == -2021]
    expect(len(refused) == 1, f"-2021 came {len(refused)} times: tried again with the same price, or not at all")
    expect(len(seen.algos()) == 0, f"stops: {seen.algos()}")
    seen.expect_alert("stop_price_already_crossed")
    seen.expect_naked_within(1000)
    seen.expect_flat()


def _take_crossed(seen: Evidence) -> None:
    seen.expect_status("closed")
    refused = [row for row in seen.requests("POST", ALGO, type="TAKE_PROFIT_MARKET") if row["code"] == -2021]
    expect(len(refused) == 1, f"-2021 came {len(refused)} times")
    seen.expect_flat()


def _grown(seen: Evidence) -> None:
    amount = {"part": "0.006", "add": "0.014"}[seen.run.story.steps[-3].options["how"]]
    seen.expect_protected(amount)
    seen.expect_naked_within(500)
    expect(len(seen.algos()) == 1, "a closePosition stop needs no resizing")


def _partial_entry(seen: Evidence) -> None:
    (order,) = seen.entries("XRPUSDT")
    expect(Decimal(0) < order.executed < order.quantity, f"the entry was not filled in part: {order}")
    expect(len([f for f in seen.fills("XRPUSDT") if f.order_id == order.order_id]) > 1, "one print only")
    report = seen.report()
    assert report.entry is not None
    expect(report.entry.executed_quantity == order.executed, f"told {report.entry}, executed {order.executed}")
    seen.expect_protected(str(order.executed), "XRPUSDT")


def _spent(seen: Evidence) -> None:
    (stop,) = seen.algos(symbol="XRPUSDT")
    assert stop.order is not None
    expect(stop.order.executed < stop.order.quantity, f"the stop filled all of it: {stop.order}")
    closers = [o for o in seen.orders("XRPUSDT") if o.reduce_only and o is not stop.order and o.executed]
    expect(closers, "nobody closed the rest")
    codes = {"stop_triggered_without_closing", "stop_price_already_crossed"}
    expect(codes & set(seen.alerts), f"nobody was told: {seen.alerts}")
    seen.expect_flat("XRPUSDT")
    expect(all(algo.order_type.endswith("_MARKET") for algo in seen.account.algo_orders.values()), "a limit stop")


def _venue_ended(seen: Evidence) -> None:
    first, *later = seen.algos()
    expect(first.status in ("CANCELED", "EXPIRED"), f"the first stop: {first}")
    expect(len(later) == 1, f"stops after it: {later}")
    seen.expect_protected("0.010")
    seen.expect_naked_within(2000)


def _replaced_unasked(seen: Evidence) -> None:
    first, *later = seen.algos()
    expect(first.status == "CANCELED", f"the first stop: {first}")
    expect(len(later) == 1, f"stops after it: {later}")
    expect(seen.met("reply_lost") + seen.met("rate_limited"), "every question about the stop was answered")
    seen.expect_protected("0.010")
    seen.expect_naked_within(2500)


def _kept_though_denied(seen: Evidence) -> None:
    refused = [row for row in seen.requests("POST", ALGO, type="STOP_MARKET") if row["code"] == -4130]
    expect(refused, "nobody tried to replace the stop")
    expect(len(seen.algos()) == 1, f"stops: {seen.algos()}")
    seen.expect_protected("0.010")
    told = {"foreign_stop", "stop_not_live_in_time"} & set(seen.alerts)
    expect(not told, f"alerts: {told}")
    seen.expect_naked_within(500)


def _trigger_rejected(seen: Evidence) -> None:
    expect(seen.algos()[0].status == "REJECTED", f"the first stop: {seen.algos()[0]}")
    seen.expect_flat()
    seen.expect_naked_within(2600)


def _foreign_stop(seen: Evidence) -> None:
    refused = [row for row in seen.requests("POST", ALGO, type="STOP_MARKET") if row["code"] == -4130]
    expect(refused, "-4130 never came")
    live = [algo for algo in seen.algos() if algo.is_live]
    expect(len(live) == 1 and not live[0].close_position and live[0].reduce_only, f"ours beside theirs: {live}")
    expect(live[0].quantity == Decimal("0.010"), f"it covers {live[0].quantity}")
    theirs = [algo for algo in seen.account.live_algos(BTC) if algo.client_algo_id == "hand-stop"]
    expect(len(theirs) == 1, "the foreign stop was touched")


SCENARIOS = (
    Scenario(
        name="stop_refused_for_ever",
        modes=(1, 19, 20),
        fault="every attempt to place the stop is refused: -4045, -1111, -2019, -4509, -1000, -4120, -4014, -4061",
        invariant="closed at market within naked_limit_ms of exchange time, an alert, reported `flattened`",
        stories={
            f"code{code}": tell(
                fault("refuse", **_STOP_REQUEST, code=code, times=FOR_EVER), entry(), answered(), settled()
            )
            for code in (-4045, -1111, -2019, -4509, -1000, -4120, -4014, -4061)
        },
        check=_flattened,
    ),
    Scenario(
        name="stop_refused_for_a_while",
        modes=(1, 20),
        fault="the stop is refused twice: the position is not visible yet (-4509), -1111, -1008",
        invariant="the same intent again with the same id; protected within naked_limit_ms",
        stories={
            f"code{code}": tell(fault("refuse", **_STOP_REQUEST, code=code, times=2), entry(), answered(), settled())
            for code in (-4509, -1111, -1008)
        },
        check=_protected_after_refusals,
    ),
    Scenario(
        name="network_breaks_after_the_entry",
        modes=(1,),
        fault="the network is out for 0.3 to 5 s from the moment the entry is executed",
        invariant="protected as soon as it can be, or closed; the bound counts while the exchange can be reached",
        stories={
            f"{out_ms}ms": tell(
                entry(),
                opened(),
                Step("weather", {"is_out": True, "lasts_ms": out_ms}),
                wait(out_ms),
                answered(),
                settled(),
            )
            for out_ms in (300, 1500, 5000)
        },
        check=_unheard_stop,
    ),
    Scenario(
        name="take_profit_refused",
        modes=(1,),
        fault="the take profit is refused five times (-4045)",
        invariant="the stop stands, reported `partially_protected`, and it is tried until it rests",
        stories=alone(
            fault("refuse", **_TAKE_REQUEST, code=-4045, times=5), entry(), answered(), wait(15_000), settled()
        ),
        check=_partially,
    ),
    Scenario(
        name="stop_price_crossed_before_it_rests",
        modes=(12,),
        fault="between the entry's fill and the stop's arrival the price falls through the stop (a real -2021)",
        invariant="closed at market at once; the same price is not tried again",
        stories={
            "long": tell(entry(), opened(), price("0.97"), answered(), settled()),
            "short": tell(entry(kind="SHORT_ENTRY"), opened(), price("1.03"), answered(), settled()),
        },
        check=_stop_crossed,
    ),
    Scenario(
        name="take_profit_crossed_before_it_rests",
        modes=(12,),
        fault="between the entry's fill and the take profit's arrival the price runs through it (a real -2021)",
        invariant="taken at market, reported `closed`; no loop with the same price",
        stories={
            "long": tell(entry(), opened(), price("1.04"), answered(), settled()),
            "short": tell(entry(kind="SHORT_ENTRY"), opened(), price("0.96"), answered(), settled()),
        },
        check=_take_crossed,
    ),
    Scenario(
        name="position_changed_by_hand",
        modes=(11, 22),
        fault="a person takes a part of the position off, or adds to it",
        invariant="the stop covers what is open, always: it is closePosition, nothing is resized",
        stories={how: tell(entry(), answered(), hand(how), wait(3000), settled()) for how in ("part", "add")},
        check=_grown,
    ),
    Scenario(
        name="entry_filled_in_part",
        modes=(11,),
        fault="a thin book: the entry fills in several prints, and its rest expires",
        invariant="protected from the first print on, for exactly what was filled; the report tells that quantity",
        stories=streams(
            fault("thin_book", symbol="XRPUSDT", percent="0.02", lasts_ms=30_000),
            entry(symbol="XRPUSDT", quantity="9000.1"),
            answered(),
            settled(),
        ),
        check=_partial_entry,
    ),
    Scenario(
        name="stop_triggers_and_does_not_close",
        modes=(13,),
        fault="the stop triggers on a thin book and fills in part only; stops are STOP_MARKET, never stop-limit",
        invariant="the rest is closed at market within naked_limit_ms of the trigger, with an alert",
        stories=streams(
            entry(symbol="XRPUSDT", quantity="9000.1"),
            answered(),
            fault("thin_book", symbol="XRPUSDT", percent="0.02", lasts_ms=1_500),
            price("0.97", "XRPUSDT"),
            wait(6_000),
            settled(),
        ),
        check=_spent,
    ),
    Scenario(
        name="venue_ends_the_stop",
        modes=(15,),
        fault="the venue cancels or expires the stop by itself; or a person cancels it",
        invariant="a new stop within naked_limit_ms, seen by the stream, or by asking while there is none",
        stories={
            f"{name}{polled}": tell(entry(), answered(), step, wait(4_000), settled(), user_stream=not polled)
            for name, step in (
                ("canceled", fault("stop_canceled", symbol=BTC)),
                ("expired", fault("stop_expired", symbol=BTC)),
                ("by_hand", Step("unstop", {"symbol": BTC})),
            )
            for polled in ("", "_polled")
        },
        check=_venue_ended,
    ),
    Scenario(
        name="venue_ends_a_stop_and_no_question_is_answered",
        modes=(15, 18),
        fault="the exchange cancels the stop unheard; the questions about it are lost, or met by a 429",
        invariant="the open list that lacks it is enough: a new one within a second of it, without an answer",
        stories={
            name: tell(
                entry(),
                answered(),
                fault("stream_mute"),
                *(fault(how, method="GET", path=path, times=times) for path in (ALGO, "/fapi/v1/allAlgoOrders")),
                fault("stop_canceled", symbol=BTC, after_ms=500),
                wait(4_000),
                settled(),
            )
            for name, how, times in (("lost", "reply_lost", FOR_EVER), ("limited", "rate_limited", 1))
        },
        check=_replaced_unasked,
    ),
    Scenario(
        name="stop_is_denied_though_it_rests",
        modes=(15,),
        fault="the open list is empty by mistake, eight times; the questions about the stop are lost",
        invariant="another one is refused (-4130), and that is believed: one stop, no alert, the position stays open",
        stories=streams(
            entry(),
            answered(),
            fault("request_lost", method="GET", path=ALGO, times=FOR_EVER),
            fault("request_lost", method="GET", path="/fapi/v1/allAlgoOrders", times=FOR_EVER),
            fault("empty_answer", method="GET", path="/fapi/v1/openAlgoOrders", times=8),
            wait(8_000),
            settled(),
        ),
        check=_kept_though_denied,
    ),
    Scenario(
        name="triggered_stop_is_rejected",
        modes=(15,),
        fault="the stop triggers and the engine rejects the order it becomes (-2019)",
        invariant="the position is closed at market; nothing rests",
        stories=streams(
            entry(),
            answered(),
            fault("trigger_rejected", symbol=BTC, code=-2019),
            price("0.97"),
            wait(4_000),
            settled(),
        ),
        check=_trigger_rejected,
    ),
    Scenario(
        name="foreign_stop_is_in_the_way",
        modes=(10,),
        fault="a person cancels our stop and puts one of their own: ours is refused (-4130)",
        invariant="ours rests beside it, reduce-only with the position's quantity; theirs is not touched",
        stories=alone(
            entry(),
            answered(),
            Step("unstop", {"symbol": BTC}),
            Step("stop_by_hand", {"symbol": BTC, "factor": "0.95"}),
            wait(5_000),
            settled(),
        ),
        check=_foreign_stop,
        missing="stops are not moved yet (no trailing, no break-even): `armed_stop_is_handed_over` is all there is",
    ),
)
