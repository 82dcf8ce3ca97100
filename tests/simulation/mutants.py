"""Deliberate bugs, put into the loaded manager: the proof that the simulation's net catches fish.

Each is a mistake that somebody could make in good faith (`bugs` holds them). A story that breaks a promise with the bug
and keeps all of them without it has found it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from .run import play
from .story import Story, make_story

RUNS_MAX = 500
RUNS_FROM_HINT = 100


class Patches:
    """What one bug changes, and how it is taken back."""

    def __init__(self) -> None:
        self._undo = ExitStack()

    def method(self, owner: type, name: str, make: Callable[[Any], Any]) -> None:
        """Put what `make` makes of a method in its place."""
        original = vars(owner)[name]
        self._undo.callback(setattr, owner, name, original)
        setattr(owner, name, make(original))

    def function(self, where: str, name: str, make: Callable[[Any], Any]) -> None:
        """The same for a function of a module such as `core.closing`, wherever others have it by name or in a table.

        A leading underscore may come and go: whether a function is its module's own is no matter of a bug.
        """
        module = sys.modules[f"bracketeer.{where}"]
        original = vars(module).get(name) or vars(module)[name.removeprefix("_")]
        replacement = make(original)
        for holder in _modules():
            for key, value in list(vars(holder).items()):
                if value is original:
                    self._undo.callback(setattr, holder, key, original)
                    setattr(holder, key, replacement)
                elif type(value) is dict:
                    for entry in [entry for entry, found in value.items() if found is original]:
                        self._undo.callback(value.__setitem__, entry, original)
                        value[entry] = replacement

    def take_back(self) -> None:
        """All as it was."""
        self._undo.close()


Bug = Callable[[Patches], None]


@dataclass(frozen=True)
class Mutant:
    """A bug, what is wrong with it in a sentence, the seed from which a search finds it soon, and how stories arm."""

    name: str
    text: str
    first: int
    arm: str
    put_in: Bug


@dataclass(frozen=True)
class Found:
    """What a search came to: after how many stories, with which seed and what it broke; `failure` is empty when not."""

    mutant: str
    runs: int
    seed: int = -1
    failure: str = ""

    def __str__(self) -> str:
        if not self.failure:
            return f"{self.mutant}: not found in {self.runs} stories"
        told = self.failure.strip().splitlines()[-1][:300]
        again = f"make simulate MUTANT={self.mutant} SEED={self.seed}"
        return f"{self.mutant}: found by story {self.runs} ({again}): {told}"


MUTANTS: dict[str, Mutant] = {}


def mutant(text: str, first: int = 0, arm: str = "after_fill") -> Callable[[Bug], Bug]:
    """Enter a bug into the list."""

    def enter(put_in: Bug) -> Bug:
        name = put_in.__name__
        MUTANTS[name] = Mutant(name, text, first, arm, put_in)
        return put_in

    return enter


@contextmanager
def applied(name: str) -> Iterator[None]:
    """The manager with a bug."""
    patches = Patches()
    try:
        MUTANTS[name].put_in(patches)
        yield
    finally:
        patches.take_back()


def story_for(name: str, seed: int) -> Story:
    """The story of a seed, as it is played with a bug."""
    return replace(make_story(seed), arm=MUTANTS[name].arm)


def search(name: str, first: int = 0, runs: int = RUNS_MAX) -> Found:
    """Play stories with a bug until one breaks a promise that it keeps without it.

    A story that fails without the bug as well proves nothing and is passed over.

    Raises:
        RuntimeError: what broke is the bug's own code: the manager has changed under it.
    """
    for count, seed in enumerate(range(first, first + runs), start=1):
        story = story_for(name, seed)
        with applied(name):
            failure = play(story).failure
        if failure and not play(story).failure:
            if "internal_error" in failure or not failure.startswith("P"):
                raise RuntimeError(f"{name} fails itself, it no longer fits the manager: {failure}")
            return Found(name, count, seed, failure)
    return Found(name, runs)


def search_from_hint(name: str) -> Found:
    """Search where it was found before; should the manager or the stories have changed since, a little further."""
    return search(name, MUTANTS[name].first, RUNS_FROM_HINT)


def prove(say: Callable[[str], None], which: str, first: int, workers: int) -> int:
    """`MUTANT=`: one bug, or `all` of them, or their `list`; each is to be found within `RUNS_MAX` stories."""
    if which == "list":
        for bug in MUTANTS.values():
            say(f"{bug.name:28} {bug.text}")
        return 0
    names = list(MUTANTS) if which == "all" else [which]
    if unknown := [name for name in names if name not in MUTANTS]:
        say(f"there is no mutant {unknown[0]}: MUTANT=list names them")
        return 2
    missed = 0
    with ProcessPoolExecutor(max_workers=workers) as pool:
        for work in as_completed([pool.submit(search, name, first) for name in names]):
            found = work.result()
            missed += not found.failure
            say(str(found))
    say(f"{len(names) - missed} of {len(names)} found within {RUNS_MAX} stories from seed {first}")
    return 1 if missed else 0


def _modules() -> list[ModuleType]:
    return [module for name, module in sorted(sys.modules.items()) if name.startswith("bracketeer.")]


from . import bugs  # noqa: E402, F401 - enters them
