"""The machine under the manager: clocks, disk, whoever is told of alerts, and secrets (failure modes 23, 24, 25)."""

from __future__ import annotations

from bracketeer import ExecutionReport

from ..scheduler import START_US
from ..story import Step
from .evidence import Evidence, expect
from .scenario import (
    ALGO,
    BTC,
    ETH,
    ORDER,
    STOP,
    TIME,
    Scenario,
    alone,
    answered,
    close,
    entry,
    fault,
    opened,
    restart,
    settled,
    started,
    tell,
    wait,
)

_A_STOP_ENDS = (
    entry(),
    answered(),
    fault("stop_canceled", symbol=BTC),
    wait(3_000),
    close(),
    answered(),
    entry("entry-2", quantity="0.011"),
    answered(),
    settled(),
)
"""A position whose stop the exchange ends, its close, and another entry."""

_SHOWN = 8
"""So many characters of a secret in a row are a leak: by chance they do not appear."""


def _clock_was_mended(seen: Evidence) -> None:
    told = [row for row in seen.run.exchange.requests.rows() if row["code"] == -1021]
    expect(told, "no request met -1021")
    expect(len(told) <= 12, f"-1021 was met {len(told)} times: not mended once for all")
    seen.expect_status("protected", of="entry-1")
    seen.expect_status("protected", of="entry-2")
    seen.expect_entries(1)
    seen.expect_entries(1, ETH)
    expect(len(seen.algos()) == 1, f"protection was lost or doubled: {seen.algos()}")
    seen.expect_naked_within(2000, ETH)
    seen.expect_protected("0.010")


def _wall_clock_is_no_matter(seen: Evidence) -> None:
    told = [row for row in seen.run.exchange.requests.rows() if row["code"] == -1021]
    expect(not told, f"timestamps followed the machine's clock: {told[:2]}")
    seen.expect_status("protected", of="entry-1")
    seen.expect_status("closed", of="close-1")
    seen.expect_status("protected", of="entry-2")
    seen.expect_protected("0.011")


def _stop_in_time(seen: Evidence) -> None:
    expect(any("fault" in row for row in seen.requests("POST", ALGO)), "no stop met the fault")
    seen.expect_status("protected")
    seen.expect_naked_within(2000)
    seen.expect_protected("0.010")


def _exits_without_disk(seen: Evidence) -> None:
    seen.expect_denied("audit_unavailable", "entry-2")
    seen.expect_status("closed", of="close-1")
    seen.expect_flat()
    expect(not seen.entries(ETH), "an entry without a journal")
    expect(seen.status("entry-3") == "protected", f"after the disk was mended: {seen.report('entry-3')}")


def _stop_without_disk(seen: Evidence) -> None:
    seen.expect_entries(1)
    seen.expect_naked_within(2000)
    seen.expect_protected("0.010")


def _alerts_are_not_needed(seen: Evidence) -> None:
    expect(seen.run.deaf_ears > 0, "nobody was told anything")
    expect(seen.lines("notice_failed"), "that nobody heard is not on record")
    seen.expect_status("protected", of="entry-1")
    seen.expect_status("closed", of="close-1")
    seen.expect_protected("0.011")


def _nothing_waits_for_the_listener(seen: Evidence) -> None:
    seen.expect_naked_within(2000)
    seen.expect_status("protected", of="entry-1")
    seen.expect_status("closed", of="close-1")
    seen.expect_protected("0.011")
    expect(seen.run.exchange.venue.now_ms() - START_US // 1000 < 20_000, "the story waited for the listener")


def _nothing_shown(seen: Evidence) -> None:
    run = seen.run
    secrets = run.secrets
    expect(len(secrets) > 3, f"only {len(secrets)} secrets were at stake")
    outputs = {path.name: path.read_text() for path in run.folder.iterdir() if path.is_file()}
    outputs["notices"] = repr(run.notices)
    outputs["answers"] = repr([box for _, _, box in run.answers])
    reports = [answer for _, _, box in run.answers for answer in box if isinstance(answer, ExecutionReport)]
    outputs["json"] = " ".join(report.to_json() for report in reports)
    outputs["logging"] = "\n".join(run.log_lines)
    outputs["manager"] = repr(vars(run.life.manager)) if run.life is not None else ""
    for name, text in outputs.items():
        for secret in secrets:
            parts = (secret[at : at + _SHOWN] for at in range(0, len(secret) - _SHOWN + 1, _SHOWN))
            expect(not any(part in text for part in parts), f"{name} shows a secret")
        expect("signature=" not in text.replace("signature=[", ""), f"{name} shows a signature")


SCENARIOS = (
    Scenario(
        name="exchange_clock_steps",
        modes=(23,),
        fault="the exchange's clock leaps 2.6 s or 5 s ahead of our estimate, with a position open",
        invariant="-1021: one shared measurement, the same intent once more; no protection lost, nothing doubled",
        stories={
            f"{by_ms}ms": tell(
                entry(),
                answered(),
                Step("clock", {"by_ms": by_ms}),
                entry("entry-2", ETH, quantity="0.200"),
                answered(),
                settled(),
            )
            for by_ms in (2_600, 5_000)
        },
        check=_clock_was_mended,
    ),
    Scenario(
        name="machine_clock_steps",
        modes=(23,),
        fault="the machine's wall clock is set 5 s forward or back, or an hour, between and amid orders",
        invariant="timestamps run on the monotonic clock: no -1021, protection and close as ever",
        stories={
            f"{'plus' if by_ms > 0 else 'minus'}_{abs(by_ms)}ms": tell(
                entry(),
                opened(),
                Step("wall_clock", {"by_ms": by_ms}),
                answered(),
                close(),
                answered(),
                Step("wall_clock", {"by_ms": -by_ms}),
                entry("entry-2", quantity="0.011"),
                answered(),
                settled(),
            )
            for by_ms in (5_000, -5_000, 3_600_000)
        },
        check=_wall_clock_is_no_matter,
    ),
    Scenario(
        name="stop_meets_a_wrong_timestamp",
        modes=(23, 1),
        fault="the stop is refused with -1021 or -5028, and the question for the time fails once",
        invariant="the same stop again within naked_limit_ms",
        stories={
            f"code{code}": tell(
                fault("refuse", method="POST", path=ALGO, match=STOP, code=code),
                fault("refuse", method="GET", path=TIME, code=-1000),
                entry(after_ms=1),
                answered(),
                settled(),
            )
            for code in (-1021, -5028)
        },
        check=_stop_in_time,
    ),
    Scenario(
        name="disk_is_full",
        modes=(24,),
        fault="the disk is full, or every sync fails or does not return, while a position is open",
        invariant="entries are denied (`audit_unavailable`), the close goes on; then the log verifies, entries go on",
        stories={
            how: tell(
                entry(),
                answered(),
                Step("disk", {"how": how, "lasts_ms": 8_000}),
                wait(3_000),
                entry("entry-2", ETH, quantity="0.200"),
                close(),
                answered(),
                settled(),
                wait(8_000),
                entry("entry-3", "XRPUSDT", quantity="900.1"),
                answered(),
                settled(),
            )
            for how in ("full", "failing", "stalling")
        },
        check=_exits_without_disk,
    ),
    Scenario(
        name="disk_fails_between_fill_and_stop",
        modes=(24, 1),
        fault="the disk is full, or syncs fail or do not return, from the moment of the first fill on",
        invariant="the stop is placed all the same, in time; lines wait in memory, none is lost",
        stories={
            how: tell(
                entry(), opened(), Step("disk", {"how": how, "lasts_ms": 8_000}), answered(), wait(9_000), settled()
            )
            for how in ("full", "failing", "stalling")
        },
        check=_stop_without_disk,
    ),
    Scenario(
        name="nobody_hears_alerts",
        modes=(24,),
        fault="whoever is told of alerts and turning points raises, every time",
        invariant="trading and protection go on as ever",
        stories=alone(Step("deaf"), *_A_STOP_ENDS),
        check=_alerts_are_not_needed,
        missing="memory over 10^6 events is shown by `make soak`; tasks that die are told as `internal_error`",
    ),
    Scenario(
        name="listener_takes_its_time",
        modes=(24, 1),
        fault="whoever is told of alerts and turning points takes 20 s for each, while the exchange ends a stop",
        invariant="the stop is placed anew in time, closes and entries go on; nothing waits for the listener",
        stories=alone(Step("slow_ears", {"lasts_ms": 20_000}), *_A_STOP_ENDS),
        check=_nothing_waits_for_the_listener,
    ),
    Scenario(
        name="nothing_shows_a_secret",
        modes=(25,),
        fault="refused keys and signatures (-2014, -2015, -1022), firewall pages, ended listen keys, a restart",
        invariant="no log line, notice, answer, repr or log record holds eight characters of key, secret or listen key",
        stories=alone(
            Step("listen_to_logs"),
            entry(),
            answered(),
            *(fault("refuse", path="/fapi/*", code=code, times=2, after_ms=1_500) for code in (-2014, -2015, -1022)),
            fault("firewall", path="/fapi/*", times=3, after_ms=1_000),
            fault("garbled", path="/fapi/*", times=3, after_ms=1_000),
            fault("status_502", path="/fapi/*", times=3, after_ms=1_000),
            fault("listen_key_expired", after_ms=1_000),
            fault("stream_drop", after_ms=3_000),
            fault("refuse", path="/fapi/v1/listenKey", code=-1125, times=2),
            close(after_ms=5_000),
            answered(),
            restart(),
            started(),
            fault("reply_lost", method="POST", path=ORDER),
            entry("entry-2", quantity="0.011"),
            answered(),
            settled(),
        ),
        check=_nothing_shown,
        missing="the webhook and its token are not built yet",
    ),
)
