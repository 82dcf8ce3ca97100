"""One intent, one order: ambiguous sends, ghosts, duplicates (failure modes 1, 2, 3)."""

from __future__ import annotations

from typing import Any

from .evidence import ALGO, ORDER, Evidence, expect
from .scenario import (
    FOR_EVER,
    STOP,
    Scenario,
    alone,
    answered,
    entry,
    fault,
    settled,
    tell,
    wait,
)

_EXECUTED: dict[str, dict[str, Any]] = {
    "reply_lost": {},
    "garbled": {},
    "status_503_executed": {},
    "timeout_1007": {"is_executed": True},
    "bus_1006": {"is_executed": True},
    "status_500": {"is_executed": True},
    "status_502": {"is_executed": True},
    "status_504": {"is_executed": True},
}
_NOT_EXECUTED: dict[str, dict[str, Any]] = {
    "request_lost": {},
    "status_503_unknown": {},
    "timeout_1007": {"is_executed": False},
    "bus_1006": {"is_executed": False},
    "status_500": {"is_executed": False},
    "status_502": {"is_executed": False},
    "status_504": {"is_executed": False},
}


def _one_request_one_entry(seen: Evidence) -> None:
    seen.expect_status("protected")
    expect(len(seen.entry_requests()) == 1, f"the entry was sent {len(seen.entry_requests())} times")
    seen.expect_entries(1)
    seen.expect_protected("0.010")


def _one_request_no_entry(seen: Evidence) -> None:
    seen.expect_status("rejected")
    expect(len(seen.entry_requests()) == 1, f"the entry was sent {len(seen.entry_requests())} times")
    seen.expect_entries(0)
    seen.expect_flat()


def _met_by_entry(seen: Evidence) -> None:
    expect(any("fault" in row for row in seen.entry_requests()), "the entry met no fault")


def _executed(seen: Evidence) -> None:
    _met_by_entry(seen)
    _one_request_one_entry(seen)


def _not_executed(seen: Evidence) -> None:
    if seen.run.story.steps[0].options["name"] != "request_lost":
        _met_by_entry(seen)
    _one_request_no_entry(seen)


def _resent(seen: Evidence) -> None:
    rows = seen.entry_requests()
    expect(len(rows) == 3 and ["fault" in row for row in rows] == [True, True, False], f"sent as {rows}")
    expect(len({row["params"]["newClientOrderId"] for row in rows}) == 1, "a new id for the same intent")
    seen.expect_entries(1)
    seen.expect_protected("0.010")


def _given_up(seen: Evidence) -> None:
    seen.expect_status("rejected")
    expect(len({row["params"]["newClientOrderId"] for row in seen.entry_requests()}) == 1, "a new id")
    expect(len(seen.entry_requests()) >= 2, "not sent again")
    seen.expect_entries(0)
    seen.expect_flat()


def _duplicate_id(seen: Evidence) -> None:
    expect(len(seen.entry_requests()) == 1, f"the entry was sent {len(seen.entry_requests())} times")
    lookups = seen.requests("GET", ORDER, origClientOrderId=seen.entry_requests()[0]["params"]["newClientOrderId"])
    expect(lookups, "-4116 was not looked into")
    _one_request_no_entry(seen)


def _late_entry(seen: Evidence) -> None:
    expect(len(seen.entry_requests()) == 1, f"the entry was sent {len(seen.entry_requests())} times")
    seen.expect_entries(1)
    seen.expect_status("protected")
    seen.expect_protected("0.010")


def _too_late_entry(seen: Evidence) -> None:
    expect(len(seen.entry_requests()) == 1, f"the entry was sent {len(seen.entry_requests())} times")
    expect(seen.entry_requests()[0]["status"] != 200, "the exchange took a request beyond its recvWindow")
    _one_request_no_entry(seen)
    took_ms = seen.report().timings
    assert took_ms is not None
    assert took_ms.concluded_at_ms is not None
    assert took_ms.entry_sent_at_ms is not None
    waited = took_ms.concluded_at_ms - took_ms.entry_sent_at_ms
    expect(waited >= 2000, f"absence was believed after {waited} ms, while the request could still arrive")


def _denied_entry(seen: Evidence) -> None:
    denials = [row for row in seen.requests("GET", ORDER) if row["code"] == -2013]
    expect(denials, "nobody asked, so nothing was denied")
    expect(len(seen.entry_requests()) == 1, f"the entry was sent {len(seen.entry_requests())} times")
    seen.expect_entries(1)
    seen.expect_status("protected", "flattened")
    if seen.status() == "protected":
        seen.expect_protected("0.010")
    else:
        seen.expect_flat()


def _denied_stop(seen: Evidence) -> None:
    seen.expect_met("order_denied")
    seen.expect_status("protected")
    seen.expect_protected("0.010")
    live = [algo for algo in seen.algos() if algo.status != "REJECTED"]
    expect(len(live) == 1, f"the stop was replaced though it was live: {live}")
    expect("stop_not_live_in_time" not in seen.alerts, "closed though a stop was live")


def _stop_of_unknown_outcome(seen: Evidence) -> None:
    expect(any("fault" in row for row in seen.requests("POST", ALGO, type="STOP_MARKET")), "no stop met the fault")
    seen.expect_protected("0.010")
    seen.expect_status("protected")
    expect(len(seen.algos()) == 1, f"stops: {seen.algos()}")
    seen.expect_naked_within(2000)


_ENTRY_REQUEST: dict[str, Any] = {"method": "POST", "path": ORDER}

SCENARIOS = (
    Scenario(
        name="entry_executed_without_an_answer",
        modes=(2,),
        fault="the entry executes; its answer is lost, cut off, or a 5xx, -1007 or -1006 that says nothing",
        invariant="sent once, looked up by its id, one executed entry, protected",
        stories={
            f"{name}{stream or ''}": tell(
                fault(name, **_ENTRY_REQUEST, **options), entry(), answered(), settled(), user_stream=not stream
            )
            for name, options in _EXECUTED.items()
            for stream in ("", "_polled")
        },
        check=_executed,
    ),
    Scenario(
        name="entry_lost_without_an_answer",
        modes=(2, 3),
        fault="the entry never executes; the same silence, the same 5xx, -1007 and -1006",
        invariant="sent once, rejected after proof of absence only; nothing is open",
        stories={
            name: tell(fault(name, **_ENTRY_REQUEST, **options), entry(), answered())
            for name, options in _NOT_EXECUTED.items()
        },
        check=_not_executed,
    ),
    Scenario(
        name="entry_refused_with_proof_goes_again",
        modes=(2,),
        fault="two refusals that prove non-execution: 503 'Service Unavailable.', 503 -1001, -1008 overload",
        invariant="the same intent with the same id, exactly one executed entry",
        stories={
            name: tell(fault(name, **_ENTRY_REQUEST, times=2), entry(), answered(), settled())
            for name in ("status_503", "status_503_internal", "overloaded")
        },
        check=_resent,
    ),
    Scenario(
        name="entry_refused_for_ever_is_given_up",
        modes=(2,),
        fault="every attempt is refused with proof, for ever",
        invariant="few attempts, one id, rejected; nothing is open",
        stories={
            name: tell(fault(name, **_ENTRY_REQUEST, times=FOR_EVER), entry(), answered())
            for name in ("status_503", "overloaded")
        },
        check=_given_up,
    ),
    Scenario(
        name="duplicate_id_means_look",
        modes=(2, 3),
        fault="the entry is refused as a duplicate id (-4116) and was never executed",
        invariant="not sent again, looked up; rejected only when nothing is found",
        stories=alone(fault("refuse", **_ENTRY_REQUEST, code=-4116), entry(), answered()),
        check=_duplicate_id,
    ),
    Scenario(
        name="entry_arrives_after_the_client_gave_up",
        modes=(2, 3),
        fault="the connection is cut; the request reaches the exchange 300 to 1400 ms later, within recvWindow",
        invariant="the first -2013 is not believed; one executed entry, found and protected",
        stories={
            f"{delay}ms{stream}": tell(
                fault("late_request", **_ENTRY_REQUEST, delay_ms=delay),
                entry(),
                answered(),
                settled(),
                user_stream=not stream,
            )
            for delay in (300, 900, 1400)
            for stream in ("", "_polled")
        },
        check=_late_entry,
    ),
    Scenario(
        name="entry_arrives_beyond_its_window",
        modes=(2, 3),
        fault="the request reaches the exchange 2600 ms later, beyond recvWindow",
        invariant="refused by the exchange; absence believed only after the window, then rejected; nothing is open",
        stories=alone(fault("late_request", **_ENTRY_REQUEST, delay_ms=2600), entry(), answered(), wait(1000)),
        check=_too_late_entry,
    ),
    Scenario(
        name="executed_entry_is_denied",
        modes=(3,),
        fault="the entry executed without an answer, and eight queries for it say -2013; the stream is silent",
        invariant="the denial is not believed against fills: one entry, protected, or closed if found too late",
        stories=alone(
            fault("stream_mute"),
            fault("reply_lost", **_ENTRY_REQUEST),
            fault("refuse", method="GET", path=ORDER, code=-2013, times=8),
            entry(),
            answered(),
            settled(),
        ),
        check=_denied_entry,
    ),
    Scenario(
        name="live_stop_is_denied",
        modes=(3,),
        fault="the stop rests, its answer is lost and GET algoOrder denies it (-2013) five times",
        invariant="the lists are asked too: no second stop, no close, protected",
        stories=alone(
            fault("stream_mute"),
            fault("reply_lost", method="POST", path=ALGO, match=STOP),
            fault("order_denied", times=5),
            entry(),
            answered(),
            settled(),
        ),
        check=_denied_stop,
    ),
    Scenario(
        name="stop_of_unknown_outcome",
        modes=(1, 2, 3),
        fault="the stop's request or answer is lost, or answered 5xx, -1007, -1006",
        invariant="protect first: again with the same id at once; -4116 and -4130 prove that one is there; one stop",
        stories={
            f"{name}{'' if options.get('is_executed', name in _EXECUTED) else '_not_executed'}": tell(
                fault(name, method="POST", path=ALGO, match=STOP, **options), entry(), answered(), settled()
            )
            for name, options in [*_EXECUTED.items(), *_NOT_EXECUTED.items()]
            if name != "request_lost"
        },
        check=_stop_of_unknown_outcome,
    ),
)
