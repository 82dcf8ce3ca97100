"""Signals that come again, late or too early (failure mode 16)."""

from __future__ import annotations

from .evidence import Evidence, expect
from .scenario import Scenario, alone, answered, close, crash, entry, restart, settled, started, tell


def _same_signal(seen: Evidence) -> None:
    seen.expect_entries(1)
    expect(len(seen.entry_requests()) == 1, f"the entry was sent {len(seen.entry_requests())} times")
    statuses = [report.status.value for report in seen.reports("entry-1")]
    expect(statuses.count("duplicate") >= 1, f"answers: {statuses}")


def _stale(seen: Evidence) -> None:
    seen.expect_denied("signal_expired", "old")
    seen.expect_denied("signal_from_future", "early")
    expect(seen.status("fresh") == "protected", f"a fresh one: {seen.report('fresh')}")
    seen.expect_entries(1)


SCENARIOS = (
    Scenario(
        name="signal_comes_again",
        modes=(16,),
        fault="the same signal id two and three times: at once, after the answer, after the close, after kill -9",
        invariant="one executed entry whatever happens in between; later ones are answered `duplicate`",
        stories={
            "at_once": tell(entry(), entry(), entry(after_ms=1), answered(), settled()),
            "after_the_answer": tell(entry(), answered(), entry(), answered(), settled()),
            "after_the_close": tell(entry(), answered(), close(), answered(), entry(), answered(), settled()),
            "after_a_kill": tell(entry(), answered(), crash(), started(), entry(), answered(), settled()),
            "after_a_power_cut": tell(
                entry(), answered(), crash(power=True), started(), entry(), answered(), settled()
            ),
            "after_a_restart": tell(entry(), answered(), restart(), started(), entry(), answered(), settled()),
        },
        check=_same_signal,
        missing="the webhook (its answer within 100 ms, after the durable write) is not built yet",
    ),
    Scenario(
        name="signal_is_stale",
        modes=(16,),
        fault="a signal older than its ttl, and one from the future",
        invariant="denied with a code, nothing is sent; a fresh one beside them is followed",
        stories=alone(
            entry("old", quantity="0.011", age_ms=6_000, ttl_ms=5_000),
            entry("early", quantity="0.012", age_ms=-90_000, ttl_ms=5_000),
            answered(),
            entry("fresh", quantity="0.013", age_ms=1_000, ttl_ms=5_000),
            answered(),
            settled(),
        ),
        check=_stale,
    ),
)
