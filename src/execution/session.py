"""One run of the manager: what it offers to its face, and how it ends."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from ..core.audit_logger import AuditLogger
from ..core.errors import BracketeerError
from ..core.instrument import PriceFormatter
from ..core.redaction import Redactor
from ..core.request_weight import RequestWeightTracker
from ..core.settings import Settings
from .account_actions import AccountActions
from .binance.gateway import BinanceGateway
from .driver import Driver
from .gathering import Gatherer
from .settling import is_guarded
from .start_checks import StartChecks
from .telling import Teller
from .threads import ThreadRuntime


@dataclass
class Session:
    """The running parts. Made by `opening.open_session`, ended by `close`."""

    settings: Settings
    journal: AuditLogger
    redactor: Redactor
    gateway: BinanceGateway
    tracker: RequestWeightTracker
    runtime: ThreadRuntime
    driver: Driver
    gatherer: Gatherer
    actions: AccountActions
    checks: StartChecks
    teller: Teller
    formatter: PriceFormatter
    undo: ExitStack

    def close(self) -> None:
        """Stop the stream and the workers, write the last lines, release the locks.

        A position that is just being guarded or closed gets the time that takes: leaving amid an entry would leave it
        bare until the next start. So no new one is begun meanwhile, and none is sent again. One that is on its way may
        fill when a part of the naked limit is over, so it is waited for twice that limit.
        """
        self.driver.refuse_signals(closed())
        try:
            self.driver.wait_until(is_guarded, 2 * self.settings.policy.naked_limit_ms / 1000)
        finally:
            self.undo.close()


def closed() -> BracketeerError:
    """What a caller is told who comes too late, or waits for too long."""
    return BracketeerError("the manager was closed; `start` opens it again", code="closed")
