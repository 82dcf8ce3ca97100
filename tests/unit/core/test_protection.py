"""The planner's table: what rests, and what follows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bracketeer.core.bracket import CloseReason
from bracketeer.core.protection import (
    DOUBTFUL_STOP_MS,
    Action,
    AskAbout,
    CloseNow,
    LegState,
    Place,
    Resting,
    Target,
    Wait,
    close_reserve_ms,
    plan_protection,
)
from bracketeer.core.values import Role

NOW = 10_000
LIMIT = 2000
STOP, TAKE = Role.STOP_LOSS, Role.TAKE_PROFIT
LIVE = Resting(state=LegState.LIVE)
DUE = NOW + LIMIT - LIMIT // 4  # the close is decided here when the position is bare since NOW


def plan(
    stop: Resting, take: Resting = LIVE, *, quantity: int = 1, naked_since: int | None = NOW, now: int = NOW
) -> list[Action]:
    """The actions for two legs; both are wanted."""
    return plan_protection(
        Target(stop_wanted=True, take_wanted=True),
        Decimal(quantity),
        {STOP: stop, TAKE: take},
        now_ms=now,
        naked_since_ms=naked_since,
        naked_limit_ms=LIMIT,
    )


@pytest.mark.parametrize(
    ("stop", "actions"),
    [
        (Resting(), [Wait(until_ms=DUE), Place(role=STOP)]),
        (Resting(ready_ms=NOW + 1), [Wait(until_ms=DUE), Wait(until_ms=NOW + 1)]),
        (Resting(ready_ms=NOW), [Wait(until_ms=DUE), Place(role=STOP)]),
        (Resting(state=LegState.REFUSED), [Wait(until_ms=DUE), Place(role=STOP, again=True)]),
        (Resting(state=LegState.REFUSED, ready_ms=NOW + 9), [Wait(until_ms=DUE), Wait(until_ms=NOW + 9)]),
        (Resting(state=LegState.IN_FLIGHT), [Wait(until_ms=DUE)]),
        (Resting(state=LegState.CANCELING), [Wait(until_ms=DUE)]),
        (
            Resting(state=LegState.UNRESOLVED),
            [Wait(until_ms=DUE), Place(role=STOP, again=True), AskAbout(role=STOP)],
        ),
        (Resting(state=LegState.UNRESOLVED, exists=True), [Wait(until_ms=DUE), AskAbout(role=STOP)]),
        (Resting(state=LegState.UNRESOLVED, asking=True), [Wait(until_ms=DUE)]),
        (Resting(state=LegState.UNRESOLVED, ready_ms=NOW + 5), [Wait(until_ms=DUE), Wait(until_ms=NOW + 5)]),
        (Resting(state=LegState.TRIGGERED, since_ms=NOW), [Wait(until_ms=DUE)]),
        (LIVE, []),
    ],
)
def test_does_what_the_table_says_when_the_stop_is_in_a_state(stop: Resting, actions: list[Action]) -> None:
    """One row per state of the stop, the target being live."""
    assert plan(stop) == actions


@pytest.mark.parametrize(
    ("stop", "actions"),
    [
        ({"asking": True, "sent_ms": NOW - DOUBTFUL_STOP_MS}, [Place(role=STOP, again=True)]),
        ({"asking": True, "sent_ms": NOW - DOUBTFUL_STOP_MS + 9}, [Wait(until_ms=NOW + 9)]),
        (
            {"ready_ms": NOW + 3000, "sent_ms": NOW - DOUBTFUL_STOP_MS},
            [Place(role=STOP, again=True), AskAbout(role=STOP)],
        ),
        ({"ready_ms": NOW + 3000, "sent_ms": NOW - DOUBTFUL_STOP_MS + 9}, [Wait(until_ms=NOW + 9)]),
        ({"ready_ms": NOW + 3, "sent_ms": NOW - DOUBTFUL_STOP_MS + 9}, [Wait(until_ms=NOW + 3)]),
        ({"asking": True, "sent_ms": NOW - DOUBTFUL_STOP_MS, "exists": True}, []),
    ],
)
def test_does_not_wait_for_answers_about_a_doubtful_stop(stop: dict[str, Any], actions: list[Action]) -> None:
    """Questions may take seconds, or be lost: the stop goes out again, unless a refusal said that it is there."""
    assert plan(Resting(state=LegState.UNRESOLVED, **stop))[1:] == actions


def test_places_the_stop_before_the_target_when_both_are_missing() -> None:
    """The stop is never behind the target."""
    assert [a for a in plan(Resting(), Resting()) if isinstance(a, Place)] == [Place(role=STOP), Place(role=TAKE)]


def test_sends_no_target_while_an_earlier_stop_is_on_its_way() -> None:
    """Decided in two steps they are sent by two threads, and the second may be faster: the stop is answered first."""
    assert plan(Resting(state=LegState.IN_FLIGHT), Resting()) == [Wait(until_ms=DUE)]
    assert Place(role=TAKE) in plan(Resting(state=LegState.UNRESOLVED), Resting())
    assert Place(role=TAKE) in plan(LIVE, Resting())


@pytest.mark.parametrize("state", [state for state in LegState if state not in (LegState.LIVE, LegState.TRIGGERED)])
def test_closes_when_the_stop_is_not_live_in_time(state: LegState) -> None:
    """At the deadline, not after it, and nothing else is done: whatever state the stop is in."""
    assert CloseNow(reason=CloseReason.NAKED) not in plan(Resting(state=state), now=DUE - 1)
    assert plan(Resting(state=state), Resting(), now=DUE) == [CloseNow(reason=CloseReason.NAKED)]


def test_closes_when_a_triggered_stop_is_spent() -> None:
    """Its time counts from the trigger, not from when the position was last bare."""
    spent = Resting(state=LegState.TRIGGERED, since_ms=NOW)
    assert plan(spent, naked_since=0, now=DUE - 1) == [Wait(until_ms=DUE)]
    assert plan(spent, naked_since=None, now=DUE) == [CloseNow(reason=CloseReason.STOP_SPENT)]
    assert plan(Resting(state=LegState.TRIGGERED), now=DUE + 99_999) == []


def test_plans_nothing_when_nothing_is_open() -> None:
    """No position, no protection: it could only do harm."""
    assert plan(Resting(), Resting(), quantity=0, now=NOW + 99_999) == []


def test_plans_only_what_is_wanted() -> None:
    """A leg that was not asked for is not placed, and no limit runs for it."""
    actions = plan_protection(
        Target(stop_wanted=False, take_wanted=False),
        Decimal(1),
        {STOP: Resting(), TAKE: Resting()},
        now_ms=NOW + 99_999,
        naked_since_ms=NOW,
        naked_limit_ms=LIMIT,
    )
    assert actions == []


@pytest.mark.parametrize(("limit", "reserve"), [(2000, 500), (500, 125), (0, 0)])
def test_keeps_a_quarter_of_the_limit_for_the_close(limit: int, reserve: int) -> None:
    """The close must be done by the limit, so it is decided before."""
    assert close_reserve_ms(limit) == reserve
