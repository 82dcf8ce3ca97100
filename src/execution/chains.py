"""What is sent side by side, and what one behind the other.

Orders of one symbol leave in the order in which they were decided, so the stop is never behind the take profit; each
begins when the request before it has left, so none waits for an answer. Symbols do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

Next = Callable[[], None]
Task = Callable[[Next], None]
"""Something to carry out; it calls what it is given when its request has left, and again when it is done."""


class Chain(NamedTuple):
    """Tasks that are begun one behind the other; `urgent` where they send, not only ask."""

    tasks: list[Task]
    urgent: bool


class Spawn(Protocol):
    """Starts something on a thread of its own."""

    def __call__(self, task: Next, *, urgent: bool) -> bool:
        """Start it; whether it was."""
        ...


class Chains:
    """Carries out chains of tasks."""

    def __init__(self, spawn: Spawn) -> None:
        self._spawn = spawn

    def begin(self, chains: list[Chain], *, inline: bool) -> None:
        """Begin the first chain, on this thread if `inline`, and the others when its first request has left: threads
        that start beside it would take the processor from it.

        Urgent ones come first. Only they are begun inline: this thread may be one of the few kept for them.
        """
        ordered = sorted(chains, key=lambda chain: not chain.urgent)
        if ordered:
            self._begin(ordered[0], 0, ordered[1:], inline=inline and ordered[0].urgent)

    def _begin(self, chain: Chain, place: int, others: list[Chain], *, inline: bool = False) -> None:
        work = partial(self._carry_out, chain, place, others)
        if inline:
            work()
        else:
            self._spawn(work, urgent=chain.urgent)

    def _carry_out(self, chain: Chain, place: int, others: list[Chain]) -> None:
        has_begun = False

        def begin_next() -> None:
            nonlocal has_begun
            if has_begun:
                return
            has_begun = True
            if place + 1 < len(chain.tasks):
                self._begin(chain, place + 1, [])
            for other in others:
                self._begin(other, 0, [])

        chain.tasks[place](begin_next)
