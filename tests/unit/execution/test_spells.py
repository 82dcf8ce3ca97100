"""What lasts is told once, and its end once."""

from __future__ import annotations

from typing import Any

from bracketeer.core.errors import AuditError
from bracketeer.execution.spells import EXCHANGE_SILENT, Spell


class Listener:
    """Clock, log and listener in one."""

    def __init__(self, *, log_fails: bool = False) -> None:
        self.now_s = 0.0
        self.log_fails = log_fails
        self.logged: list[str] = []
        self.told: list[tuple[str, str]] = []
        journal: Any = self
        self.spell = Spell(EXCHANGE_SILENT, lambda: self.now_s, journal, self._tell)

    def log_event(self, event_type: str, _operation: str, *, error: str) -> None:
        if self.log_fails:
            raise AuditError("the disk is full")
        self.logged.append(event_type)

    def _tell(self, alert: Any) -> None:
        self.told.append((alert.code, alert.text))

    def fail(self, *at_s: float) -> list[str]:
        """Attempts in vain at these moments; the codes told so far."""
        for self.now_s in at_s:
            self.spell.failed()
        return [code for code, _ in self.told]


def test_short_silence_is_not_told() -> None:
    """Everyday weather; and two short ones are no long one."""
    at = Listener()
    assert at.fail(0.0, 9.9) == []
    at.spell.succeeded()
    assert at.fail(10.0, 19.9) == []
    at.spell.succeeded()
    assert at.told == []


def test_long_silence_is_told_once_and_so_is_its_end() -> None:
    """Not with every attempt; the next one is told again."""
    at = Listener()
    assert at.fail(0.0, 5.0, 10.0, 11.0, 60.0) == ["exchange_silent"]
    assert "not answered for 10 s" in at.told[0][1]
    at.now_s = 61.0
    at.spell.succeeded()
    at.spell.succeeded()
    assert at.told[1:] == [("exchange_back", "the exchange answers again, after 61 s")]
    assert at.fail(100.0, 120.0)[2:] == ["exchange_silent"]
    assert at.logged == ["exchange_silent", "exchange_back", "exchange_silent"]


def test_it_is_told_though_the_log_cannot_take_it() -> None:
    """A full disk is one of the things that are told."""
    at = Listener(log_fails=True)
    assert at.fail(0.0, 10.0) == ["exchange_silent"]
