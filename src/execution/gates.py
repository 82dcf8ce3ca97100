"""Standing conditions under which no entry is let in. Exits and protection are never asked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from ..core.audit_logger import AuditLogger
from ..core.commands import CancelOrder, LookUpOrder, LookUpSymbol, SubmitOrder
from ..core.denial import DenialCode
from ..core.errors import AuditError
from ..core.outcome import Failure, OutcomeKind
from ..core.request_weight import Admission, RequestClass, RequestWeightTracker
from ..core.values import ArmingMode, Role
from .carrying import Asking
from .driver import Notice
from .gathering import Problem
from .start_checks import StartChecks

BRACKET_ORDERS = {ArmingMode.AFTER_FILL: 4, ArmingMode.WITH_ENTRY: 6}
"""Entry, stop, take profit, and one close: an entry needs room for its whole bracket (design: budgets). With the entry,
stop and take profit are placed twice."""
BRACKET_WEIGHT = 30
"""The questions around them: prices, position, snapshots and look-ups when something goes wrong."""


class Gates:
    """The conditions, each asked before an entry is decided."""

    def __init__(
        self, journal: AuditLogger, tracker: RequestWeightTracker, arm: ArmingMode, notify: Callable[[Notice], None]
    ) -> None:
        self._journal = journal
        self._arm = arm
        self._tracker = tracker
        self.start = StartChecks(journal, self.routine_held_back, notify)
        self.hedge_mode = False  # until it is asked, `start` is not complete

    def all(self) -> list[Callable[[], Problem | None]]:
        """In the order they are asked."""
        return [self.start.problem, self.position_mode, self.audit_log, self.rate_budget]

    def position_mode(self) -> Problem | None:
        """Hedge mode is modelled, not managed yet."""
        if not self.hedge_mode:
            return None
        return Problem(
            DenialCode.HEDGE_MODE_UNSUPPORTED,
            "the account is in hedge mode, which is not supported yet: switch it to one-way mode (Binance Futures > "
            "Preferences > Position Mode, or POST /fapi/v1/positionSide/dual dualSidePosition=false), then restart",
        )

    def audit_log(self) -> Problem | None:
        """What cannot be recorded is not begun."""
        self.write_what_waits()  # there may be room again
        if self._journal.healthy:
            return None
        return Problem(
            DenialCode.AUDIT_UNAVAILABLE,
            f"the audit log cannot be written ({self._journal.failure}): mend the disk; exits and protection go on",
        )

    def write_what_waits(self) -> None:
        """Try to write what a full disk refused: with the next line may be too late, a crash could come before it."""
        if not self._journal.healthy:
            with suppress(AuditError):
                self._journal.wait_durable(self._journal.last_seq)

    def rate_budget(self) -> Problem | None:
        """Room for the whole bracket, in both budgets."""
        admission = self._tracker.admits(RequestClass.ENTRY, weight=BRACKET_WEIGHT, orders=BRACKET_ORDERS[self._arm])
        if admission.ok:
            return None
        numbers = {name: str(value) for name, value in admission.numbers.items()}
        return Problem(
            DenialCode.RATE_BUDGET,
            f"the exchange's request budget has no room for a whole bracket now ({admission.reason}); try again later",
            **numbers,
        )

    def hold_back(self, command: Asking) -> Failure | None:
        """Why a request is not sent now, and for how long: a spent budget, a 429, a ban. Protection is held back by a
        ban only."""
        admission = self._tracker.admits(_purpose(command), weight=_weight(command))
        if admission.ok:
            return None
        return Failure(kind=OutcomeKind.REFUSED, text=_in_words(admission), retry_after_s=admission.wait_ms / 1000)

    def routine_held_back(self, weight: int) -> str | None:
        """Why questions of so much weight are not asked now that only entries wait for, or that look whether all is as
        it was: the last tenth of the budget is for what may be bare."""
        admission = self._tracker.admits(RequestClass.ROUTINE, weight=weight)
        return None if admission.ok else _in_words(admission)


def _in_words(admission: Admission) -> str:
    """Why a request was not sent, and until when: the same words as long as the reason lasts."""
    numbers = admission.numbers
    if "until_ms" in numbers:
        why = {"banned": "the exchange has banned this address", "rate_limited": "the exchange asks for a pause"}
        text, until_ms = why[admission.reason], numbers["until_ms"]
    else:
        pool = admission.reason.removeprefix("budget_")
        text, until_ms = f"the request budget {pool} is spent", numbers["resets_at_ms"]
    return f"not sent: {text}, until {datetime.fromtimestamp(until_ms / 1000, UTC):%H:%M:%S} UTC"


def _purpose(command: Asking) -> RequestClass:
    match command:
        case SubmitOrder(intent=intent) if intent.armed:
            return RequestClass.ENTRY  # there is nothing to protect without its entry
        case SubmitOrder(intent=intent) if intent.role in (Role.STOP_LOSS, Role.TAKE_PROFIT):
            return RequestClass.PROTECT
        case SubmitOrder(intent=intent) if intent.role is Role.ENTRY:
            return RequestClass.ENTRY
        case SubmitOrder() | CancelOrder():
            return RequestClass.EXIT
        case LookUpSymbol(why="poll"):
            return RequestClass.ROUTINE
        case LookUpOrder() | LookUpSymbol():
            return RequestClass.QUERY


def _weight(command: Asking) -> int:
    """What it takes at least (binance-usdm.md §3): a look-up may have to ask in several places."""
    match command:
        case LookUpSymbol(position_only=True):
            return 5
        case LookUpSymbol(trades_since_ms=None) | LookUpOrder(algo=True):
            return 7
        case LookUpSymbol():
            return 12
        case LookUpOrder() | CancelOrder():
            return 1
        case SubmitOrder():
            return 0
