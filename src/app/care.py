"""What a command owes the positions it touches before it goes away.

A command is short-lived, and so is its manager. Ending in the middle of an entry would leave a position without its
stop until the next start; so the first Ctrl-C is a request to finish, and nobody leaves before positions are guarded.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from ..execution.errand import Errand
from ..execution.settling import is_guarded, is_protected
from .console import WARNING, Output, marked

if TYPE_CHECKING:
    from ..execution.order_manager import OrderExecutionManager

STAY_PAUSE_S: Final = 0.02
HAND_OVER_S: Final = 1.0
Result = TypeVar("Result")


class Finishing(Generic[Result]):
    """Work that the first Ctrl-C does not cut short; the second does."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._errand = Errand(work)
        self.interrupted: BaseException | None = None

    def run(self, on_interrupt: Callable[[], None]) -> Result:
        """Do the work and give its result. `interrupted` is the interrupt that came meanwhile, for the caller to raise.

        Raises:
            BaseException: what the work raised.
            KeyboardInterrupt: the second one, or SystemExit from a signal; the work goes on without us then.
        """
        try:
            return self._errand.run()
        except BaseException as interrupt:
            if not self._errand.is_left or self._errand.has_failed:
                raise
            self.interrupted = interrupt
        on_interrupt()
        return self._errand.result()


def stay_until_guarded(output: Output, manager: OrderExecutionManager) -> bool:
    """Keep the manager at work until it may be left alone; whether that took a wait worth telling. Ctrl-C leaves at
    once."""
    quiet_until_s = time.monotonic() + HAND_OVER_S
    while is_protected(state := manager.state()) and not is_guarded(state) and time.monotonic() < quiet_until_s:
        time.sleep(STAY_PAUSE_S)  # what left with the entry is being replaced: a matter of a round trip or two
    if is_guarded(manager.state()):
        return False
    text = "a position is not settled yet: staying until it is (Ctrl-C leaves it to the next start)"
    output.note(marked(WARNING, text))
    while not is_guarded(manager.state()):
        time.sleep(STAY_PAUSE_S)
    return True
