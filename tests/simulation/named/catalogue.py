"""All named scenarios, and the names of the failure modes they belong to (`failure-modes.md` B)."""

from __future__ import annotations

from . import account, arming, closing, machine, orders, others, protection, restarts, signals, streams
from .scenario import Scenario

MODES = {
    1: "Position left without a stop because SL placement failed",
    2: "Duplicate position after an ambiguous submit",
    3: "A live order declared rejected (ghost order)",
    4: "Restart or crash loses the protection logic",
    5: "Orphaned TP/SL after the position closes",
    6: "Close refused because own reduce-only TP reserves the quantity",
    7: "User stream silently dead",
    8: "Stop triggered but its fill is not linked",
    9: "Misread flat: a failed or empty position query taken as closed",
    10: "Cancel-and-replace gap while moving a stop",
    11: "Wrong TP/SL quantity after partial fills or adds",
    12: "SL price already crossed at placement",
    13: "Stop-limit triggers and does not fill",
    14: "Venue API migration",
    15: "The venue silently cancels, expires or rejects a stop",
    16: "Duplicate, late or replayed signals",
    17: "Flip race: reversing before the old side is closed",
    18: "Rate-limit ban with open positions",
    19: "Config calls that abort or silently block trading",
    20: "Precision/notional rejections on exits, unclosable dust",
    21: "Kill switch or loss limit that does not finish the job",
    22: "External change: manual close, liquidation, ADL, delisting, second bot",
    23: "Clock skew and stale signatures",
    24: "The watcher dies quietly",
    25: "Secrets leak",
}

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for room in (orders, protection, restarts, closing, streams, others, signals, account, machine, arming)
    for scenario in room.SCENARIOS
}


def find(name: str) -> Scenario:
    """A scenario by its name; kebab case will do.

    Raises:
        KeyError: there is none; the message names those that are near.
    """
    wanted = name.replace("-", "_")
    if wanted in SCENARIOS:
        return SCENARIOS[wanted]
    near = [known for known in SCENARIOS if wanted in known or set(wanted.split("_")) & set(known.split("_"))]
    raise KeyError(f"no scenario {name!r}; {'near: ' + ', '.join(near) if near else 'LIST=1 names them'}")


def of_mode(mode: int) -> list[Scenario]:
    """The scenarios of a failure mode; those it comes first in come first."""
    found = [scenario for scenario in SCENARIOS.values() if mode in scenario.modes]
    return sorted(found, key=lambda scenario: scenario.modes.index(mode))
