"""What is sent side by side, and what one behind the other.

Orders of one symbol leave in the order in which they were decided, so the stop is never behind the take profit; each
begins when the request before it has left, so none waits for an answer. Symbols do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

Next = Callable[[], None]
Task = Callable[[Next], None]
"""Something to carry out; it calls what it is given when its request has left, and again when it is done."""


class Chains:
    """Carries out chains of tasks. `spawn` starts something on a thread of its own."""

    def __init__(self, spawn: Callable[[Next], object]) -> None:
        self._spawn = spawn

    def begin(self, chains: list[list[Task]], *, inline: bool) -> None:
        """Begin the first chain, on this thread if `inline`, and the others when its first request has left: threads
        that start beside it would take the processor from it."""
        if chains:
            first = partial(self._carry_out, chains[0], 0, chains[1:])
            first() if inline else self._spawn(first)

    def _carry_out(self, chain: list[Task], place: int, others: list[list[Task]]) -> None:
        has_begun = False

        def begin_next() -> None:
            nonlocal has_begun
            if has_begun:
                return
            has_begun = True
            if place + 1 < len(chain):
                self._spawn(partial(self._carry_out, chain, place + 1, []))
            for other in others:
                self._spawn(partial(self._carry_out, other, 0, []))

        chain[place](begin_next)
