"""What the user stream and questions tell, or do not (failure modes 7, 8, 9, 14)."""

from __future__ import annotations

from decimal import Decimal

from ..story import Step
from .evidence import Evidence, expect
from .scenario import (
    ALGO,
    ORDER,
    POSITION,
    Scenario,
    alone,
    answered,
    close,
    entry,
    fault,
    opened,
    price,
    settled,
    tell,
    wait,
)

_PRIVATE_EVENTS = ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ALGO_UPDATE", "TRADE_LITE")


def _stop_hit_and_known(seen: Evidence) -> None:
    seen.expect_flat()
    seen.expect_ended("stop_loss_hit")


def _mute_was_noticed(seen: Evidence) -> None:
    expect(seen.lines("stream_renewal"), "the stream was silent and nobody renewed it")
    _stop_hit_and_known(seen)


def _found_while_silent(seen: Evidence) -> None:
    _stop_hit_and_known(seen)
    record = seen.ended()
    assert record.timings is not None
    assert record.timings.concluded_at_ms is not None
    (order,) = [o for o in seen.orders() if o.close_position and o.executed]
    late_ms = record.timings.concluded_at_ms - order.updated_ms
    expect(late_ms <= 35_000, f"the end was found {late_ms} ms late")


def _reconnected(seen: Evidence) -> None:
    _stop_hit_and_known(seen)
    connects = [line for line in seen.lines("stream_changed") if line.data.get("up")] or seen.lines("stream_up")
    expect(connects or seen.requests("POST", "/fapi/v1/listenKey"), "nobody connected again")


def _both_trades(seen: Evidence) -> None:
    seen.expect_entries(2)
    seen.expect_status("protected", of="entry-1")
    seen.expect_status("closed", of="close-1")
    seen.expect_status("protected", of="entry-2")
    seen.expect_protected("-0.011")


def _linked(seen: Evidence) -> None:
    record = seen.ended()
    (order,) = [o for o in seen.orders() if o.close_position and o.executed]
    stop = next((algo for algo in seen.algos() if algo.order is order), None)
    expect(stop is not None, "the exchange did not make the stop into that order")
    assert stop is not None
    expect(record.stop_loss is not None and record.exit is not None, f"told {record}")
    assert record.stop_loss is not None
    assert record.exit is not None
    expect(record.stop_loss.algo_id == stop.algo_id, f"another algo id: {record.stop_loss}")
    expect(record.exit.exchange_order_id == order.order_id, f"another order: {record.exit}")
    expect(record.exit.executed_quantity == order.executed == Decimal("0.010"), f"quantity: {record.exit}")
    seen.expect_ended("stop_loss_hit")
    seen.expect_flat()


def _not_taken_for_flat(seen: Evidence) -> None:
    asked = seen.requests("GET", POSITION)
    expect(any("fault" in row for row in asked), "no question met the fault")
    expect(not seen.requests("DELETE", ALGO), "the protection was cancelled")
    expect(len(seen.algos()) == 1, f"stops: {seen.algos()}")
    seen.expect_entries(1)
    seen.expect_protected("0.010")


def _close_despite_silence(seen: Evidence) -> None:
    seen.expect_status("closed", of="close-1")
    seen.expect_flat()
    closers = [o for o in seen.orders() if o.reduce_only and o.executed]
    expect(len(closers) == 1, f"closed several times: {closers}")


def _unknown_news(seen: Evidence) -> None:
    _both_trades(seen)
    expect("internal_error" not in seen.alerts, "an unknown event broke something")


def _business(*faults: Step, **circumstances: object) -> tuple[Step, ...]:
    """A trade that is closed, and one the other way, with faults from the beginning."""
    del circumstances
    return (
        *faults,
        entry(),
        answered(),
        close(after_ms=200),
        answered(),
        wait(15_000),
        entry("entry-2", kind="SHORT_ENTRY", quantity="0.011"),
        answered(),
        settled(),
    )


SCENARIOS = (
    Scenario(
        name="stream_is_silent_while_connected",
        modes=(7,),
        fault="the stream stays open and silent from before the entry on, pongs and all",
        invariant="an acknowledged order without its event makes the stream suspect: renewed, REST tells the rest",
        stories=alone(fault("stream_mute"), entry(), answered(), wait(5_000), price("0.97"), wait(40_000), settled()),
        check=_mute_was_noticed,
    ),
    Scenario(
        name="stream_falls_silent_under_a_position",
        modes=(7, 9),
        fault="the stream falls silent after the entry was protected; the stop is hit meanwhile",
        invariant="found by asking within the poll interval; the record says stop_loss_hit, nothing of ours rests",
        stories=alone(entry(), answered(), wait(2_000), fault("stream_mute"), price("0.97"), wait(45_000), settled()),
        check=_found_while_silent,
    ),
    Scenario(
        name="stream_is_cut",
        modes=(7,),
        fault="sockets closed, or the listen key ended (by another client, by age), while the stop is hit",
        invariant="connected anew with a new key, everything of the gap is found",
        stories={
            name: tell(entry(), answered(), fault(name), price("0.97", after_ms=after_ms), wait(40_000), settled())
            for name, after_ms in (("stream_drop", 0), ("listen_key_expired", 1))
        },
        check=_reconnected,
    ),
    Scenario(
        name="stream_events_are_lost",
        modes=(7, 9),
        fault="every private event of a type is lost, for two whole trades",
        invariant="what the stream did not tell is found by asking; no entry twice, no close twice",
        stories={
            event.lower(): tell(*_business(fault("stream_lose", event=event, times=-1))) for event in _PRIVATE_EVENTS
        },
        check=_both_trades,
    ),
    Scenario(
        name="stream_events_come_twice_late_and_crossed",
        modes=(7, 8),
        fault="private events are duplicated, delayed by 400 ms, or swapped with the next, for two whole trades",
        invariant="a fill counts once, old news changes nothing; both trades end as the books have them",
        stories={
            "duplicated": tell(*_business(fault("stream_duplicate", times=-1))),
            "delayed": tell(*_business(fault("stream_delay", times=-1, delay_ms=400))),
            "swapped": tell(*_business(fault("stream_reorder", times=-1))),
            "all": tell(
                *_business(
                    fault("stream_reorder", times=3),
                    fault("stream_duplicate", times=3),
                    fault("stream_delay", times=6, delay_ms=900),
                )
            ),
        },
        check=_both_trades,
    ),
    Scenario(
        name="stop_fill_is_linked_to_its_trade",
        modes=(8,),
        fault="the stop triggers: another order id, the algo id in one event and the fill in another, or no stream",
        invariant="the fill belongs to the bracket: algo id, order id, quantity and reason are in its record",
        stories={
            "stream": tell(entry(), answered(), price("0.97"), wait(5_000), settled()),
            "polled": tell(entry(), answered(), price("0.97"), wait(5_000), settled(), user_stream=False),
            "no_algo_events": tell(
                entry(),
                answered(),
                fault("stream_lose", event="ALGO_UPDATE", times=-1),
                price("0.97"),
                wait(40_000),
                settled(),
            ),
            "no_order_events": tell(
                entry(),
                answered(),
                fault("stream_lose", event="ORDER_TRADE_UPDATE", times=-1),
                price("0.97"),
                wait(40_000),
                settled(),
            ),
        },
        check=_linked,
    ),
    Scenario(
        name="position_query_fails_or_is_empty",
        modes=(9,),
        fault="every query of the position fails (-1000, 504, lost), lags by 1.5 s, or is answered with an empty list",
        invariant="a failed question is not zero, and an empty answer is not believed against the fills, for a minute",
        stories={
            name: tell(
                fault("stream_mute"),
                entry(),
                opened(),
                fault(kind, method="GET", path=POSITION, **options),
                wait(60_000),
                answered(),
                Step("lift"),
                settled(),
            )
            for name, kind, options in (
                ("refused", "refuse", {"code": -1000, "times": -1}),
                ("gateway", "status_504", {"times": -1}),
                ("lost", "request_lost", {"times": 12}),
                ("empty", "empty_answer", {"times": -1}),
                ("stale", "stale_reads", {"delay_ms": 1500}),
            )
        },
        check=_not_taken_for_flat,
    ),
    Scenario(
        name="fill_of_the_close_is_not_seen",
        modes=(9,),
        fault="the close executes, its answer and its events are lost, queries for it are denied",
        invariant="closed once, not again and again; flat is proven, then the protection goes",
        stories=alone(
            entry(),
            answered(),
            fault("stream_mute"),
            fault("reply_lost", method="POST", path=ORDER),
            fault("refuse", method="GET", path=ORDER, code=-2013, times=3),
            close(),
            answered(),
            settled(),
        ),
        check=_close_despite_silence,
    ),
    Scenario(
        name="venue_sends_what_nobody_knows",
        modes=(14,),
        fault="before every private event one of an unknown type, and unknown fields in each",
        invariant="counted and passed over; two whole trades as if nothing were",
        stories=alone(*_business(fault("stream_unknown", times=-1))),
        check=_unknown_news,
        missing="no canary order at the start proves that conditional orders work on this account (issue on `doctor`)",
    ),
)
