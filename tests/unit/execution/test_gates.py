"""The standing conditions: what a full disk refused is tried again, without a new line and without an entry."""

from unittest.mock import Mock

from bracketeer.core.errors import JournalUnavailable
from bracketeer.core.request_weight import RequestWeightTracker
from bracketeer.core.values import ArmingMode
from bracketeer.execution.gates import JOURNAL_RETRY_S, Gates


def gates(journal: Mock) -> Gates:
    return Gates(journal, RequestWeightTracker(now_ms=lambda: 0), ArmingMode.AFTER_FILL, lambda _: None)


def test_what_waits_is_written_again_and_again() -> None:
    """As long as the journal is not healthy; a disk that still refuses is no failure of the turn."""
    journal = Mock(healthy=False, last_seq=7)
    journal.wait_durable.side_effect = JournalUnavailable("no room")
    assert gates(journal).write_what_waits() == JOURNAL_RETRY_S
    journal.wait_durable.assert_called_once_with(7)


def test_healthy_journal_is_left_alone() -> None:
    """Nothing waits."""
    journal = Mock(healthy=True)
    assert gates(journal).write_what_waits() == JOURNAL_RETRY_S
    journal.wait_durable.assert_not_called()
