"""What should rest against what does: the level-triggered planner of protection.

Run after every event that touches a symbol, on a timer and after a restart. Partial fills, lost cancels, a vanished
stop and start-up recovery are not special cases here: they are differences between the target and what rests.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

import msgspec

from .bracket import CloseReason
from .values import Role

DOUBTFUL_STOP_MS = 750
"""A stop of unknown fate is sent again after this long at the latest, whatever has been asked about it."""


class LegState(Enum):
    """What is known of the newest order of a protective role."""

    ABSENT = "absent"  # none, or ended without closing the position
    REFUSED = "refused"  # the exchange said no; the same intent may be sent again
    IN_FLIGHT = "in_flight"
    UNRESOLVED = "unresolved"
    LIVE = "live"
    TRIGGERED = "triggered"
    CANCELING = "canceling"


class Resting(msgspec.Struct, frozen=True, kw_only=True):
    """One protective role as it stands. `ready_ms` gates the next try; `since_ms` is when it triggered,
    `sent_ms` when its last request left."""

    state: LegState = LegState.ABSENT
    ready_ms: int | None = None
    since_ms: int | None = None
    asking: bool = False
    sent_ms: int | None = None
    exists: bool = False  # a refusal proved that one is there (-4116, -4130): look, do not send


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What should rest."""

    stop_wanted: bool
    take_wanted: bool


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Send the next generation of a role (`again` = the same intent once more, with the same id)."""

    role: Role
    again: bool = False


class AskAbout(msgspec.Struct, frozen=True, kw_only=True):
    """Look a role's order up: it is not known whether it rests."""

    role: Role


class CloseNow(msgspec.Struct, frozen=True, kw_only=True):
    """The position cannot be left as it is: close it at market."""

    reason: CloseReason


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing before this instant."""

    until_ms: int


Action = Place | AskAbout | CloseNow | Wait


def close_reserve_ms(naked_limit_ms: int) -> int:
    """How long before the naked limit the close is decided, so that it is done by the limit."""
    return naked_limit_ms // 4


def plan_protection(
    target: Target,
    open_quantity: Decimal,
    resting: dict[Role, Resting],
    *,
    now_ms: int,
    naked_since_ms: int | None,
    naked_limit_ms: int,
) -> list[Action]:
    """The actions that make what rests equal to the target. The stop always comes before the take profit, and the take
    profit leaves in the same step or when the stop has been answered."""
    if open_quantity <= 0:
        return []  # what leaves with an entry is planned with it; from here on nothing is sent without a position
    actions: list[Action] = []
    if target.stop_wanted:
        deadline = _deadline(resting[Role.STOP_LOSS], naked_since_ms, naked_limit_ms)
        if deadline is not None and now_ms >= deadline:
            spent = resting[Role.STOP_LOSS].state is LegState.TRIGGERED
            return [CloseNow(reason=CloseReason.STOP_SPENT if spent else CloseReason.NAKED)]
        if deadline is not None:
            actions.append(Wait(until_ms=deadline))
        actions += _leg(Role.STOP_LOSS, resting[Role.STOP_LOSS], now_ms)
    if target.take_wanted and resting[Role.STOP_LOSS].state is not LegState.IN_FLIGHT:  # two threads might race
        actions += _leg(Role.TAKE_PROFIT, resting[Role.TAKE_PROFIT], now_ms)
    return actions


def _deadline(stop: Resting, naked_since_ms: int | None, naked_limit_ms: int) -> int | None:
    reserve = close_reserve_ms(naked_limit_ms)
    if stop.state is LegState.LIVE:
        return None
    if stop.state is LegState.TRIGGERED:  # it is closing the position; a stop that does not finish is spent
        return None if stop.since_ms is None else stop.since_ms + naked_limit_ms - reserve
    return None if naked_since_ms is None else naked_since_ms + naked_limit_ms - reserve


def _leg(role: Role, leg: Resting, now_ms: int) -> list[Action]:
    match leg.state:
        case LegState.LIVE | LegState.IN_FLIGHT | LegState.CANCELING:
            return []
        case LegState.TRIGGERED:
            return []
        case LegState.UNRESOLVED:
            return _doubtful(role, leg, now_ms)
        case LegState.REFUSED | LegState.ABSENT:
            if leg.ready_ms is not None and now_ms < leg.ready_ms:
                return [Wait(until_ms=leg.ready_ms)]
            return [Place(role=role, again=leg.state is LegState.REFUSED)]


def _doubtful(role: Role, leg: Resting, now_ms: int) -> list[Action]:
    """What to do about an order that may rest or not.

    The safe error is to protect twice: a second closePosition order is refused (-4130), and an id that is open is
    refused too (-4116). Either proves that one is there (binance-usdm.md §4.6, §5.4).
    """
    place = [] if leg.exists else [Place(role=role, again=True)]
    ask = [] if leg.asking else [AskAbout(role=role)]
    due = leg.sent_ms + DOUBTFUL_STOP_MS if place and role is Role.STOP_LOSS and leg.sent_ms is not None else None
    if due is not None and now_ms >= due:
        return [*place, *ask]  # whatever was asked: each question may take seconds, or be lost
    gates = [] if leg.ready_ms is None or now_ms >= leg.ready_ms else [leg.ready_ms]
    if not gates and not leg.asking:
        return [*place, *ask]
    if due is not None:
        gates.append(due)
    return [Wait(until_ms=min(gates))] if gates else []
