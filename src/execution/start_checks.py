"""What a start has to find out before an entry is let in; what it could not find out is asked again until it could.

A start never refuses to run while a position of ours is open, or one may be that is claimed (design note 011): it
protects first, and until its last question is answered it is *protect-only*: entries are refused, exits and protection
go on.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from ..core.audit_logger import AuditLogger
from ..core.commands import Alert, Announce
from ..core.denial import DenialCode
from ..core.errors import AuditError, BracketeerError
from ..core.retry import backoff_delay
from .driver import Notice
from .errors import ExchangeUnreachable, RateLimited
from .gathering import Problem

Check = Callable[[], object]

PAUSE_FIRST_S = 1.0
PAUSE_MAX_S = 30.0
NOT_ASKED = "not asked yet"


class StartChecks:
    """The questions of one start, in the order in which they are asked. Asked by one thread at a time; read by any.

    Args:
        held_back: why questions of so much request weight may not be asked of the exchange now (a ban, a spent budget),
            or None.
        tell: hears that the start is degraded, and that it is complete after all.
    """

    def __init__(
        self, journal: AuditLogger, held_back: Callable[[int], str | None], tell: Callable[[Notice], None]
    ) -> None:
        self._journal = journal
        self._held_back = held_back
        self._tell = tell
        self._open: dict[str, Check] = {}
        self._weights: dict[str, int] = {}
        self._missing: dict[str, str] = {}  # replaced, never changed: others read it
        self._rounds = 0

    def require(self, name: str, check: Check, *, weight: int = 0) -> None:
        """Add a question: it is answered when `check` returns, and takes so much request weight."""
        self._open[name] = check
        self._weights[name] = weight

    @property
    def missing(self) -> dict[str, str]:
        """The names of what is not known yet, each with what came of the last attempt."""
        return self._missing

    def insist(self, *names: str) -> None:
        """Ask these now; nothing needs protection, so a failure ends the start.

        What there is no room to ask is left open: after many starts in a minute the exchange would refuse it (429).

        Raises:
            BracketeerError: what the first failing check raised.
        """
        for name in names:
            if self._no_room(name) is not None:
                return
            self._open[name]()
            del self._open[name]

    def attempt(self) -> bool:
        """Ask everything that is open, and go on whatever comes of it, because a position may be there to protect;
        whether nothing is missing any more."""
        missing: dict[str, str] = {}
        stopped = False
        for name, check in tuple(self._open.items()):
            text = NOT_ASKED if stopped else self._no_room(name)
            if text is None:
                text, stopped = _failure_of(check)
            if text is None:
                del self._open[name]
            else:
                missing[name] = text
        self._keep(missing)
        return not missing

    def _no_room(self, name: str) -> str | None:
        weight = self._weights[name]
        return self._held_back(weight) if weight else None

    def retry(self) -> float | None:
        """`attempt`, for whoever calls regularly: the seconds until it should be called again, None for never."""
        if self.attempt():
            return None
        self._rounds += 1
        return backoff_delay(self._rounds, initial_delay=PAUSE_FIRST_S, max_delay=PAUSE_MAX_S)

    def problem(self) -> Problem | None:
        """The gate: no entry before the start is complete."""
        missing = self._missing
        if not missing:
            return None
        name, text = next(iter(missing.items()))
        return Problem(
            DenialCode.PROTECT_ONLY,
            f"the start is not complete, so open positions are guarded and no new one is opened: {name} failed "
            f"({text}); it is tried again by itself",
            missing=", ".join(missing),
            last_failure=text,
        )

    def _keep(self, missing: dict[str, str]) -> None:
        before, self._missing = self._missing, missing
        if missing == before:
            return
        names = ", ".join(missing)
        if not missing:
            self._note("start_completed", {})
            text = "every check of the start has succeeded; entries are let in again"
            self._tell(Announce(topic="start_completed", text=text, symbol="", signal_id=""))
            return
        self._note("start_degraded", missing)
        if not before:
            text = f"protect-only until these checks of the start succeed: {names} ({next(iter(missing.values()))})"
            self._tell(Alert(code="start_degraded", text=text, symbol=""))

    def _note(self, event_type: str, missing: dict[str, str]) -> None:
        with suppress(AuditError):
            self._journal.log_event(event_type, "start", data={"missing": missing})


def _failure_of(check: Check) -> tuple[str | None, bool]:
    """What came of a check: None when it succeeded; and whether to leave the others for later, as nobody answers."""
    try:
        check()
    except BracketeerError as error:
        return str(error), isinstance(error, ExchangeUnreachable | RateLimited)
    except Exception as defect:  # noqa: BLE001 - a defect of ours must not leave a position alone either
        return f"internal_error: {type(defect).__name__}: {defect}", False
    return None, False
