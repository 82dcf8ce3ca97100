"""The error tree: code, sentence and facts in one line."""

import copy

import pytest

from bracketeer.core.errors import AuditError, BracketeerError, JournalError, JournalUnavailable


def test_text_shows_code_message_and_facts() -> None:
    """Whoever reads the text sees the code first and every fact."""
    error = AuditError("the folder is full", code="audit_folder_unusable", folder="/x", free=0)
    assert str(error) == "audit_folder_unusable: the folder is full (folder=/x free=0)"


def test_class_gives_the_code_when_the_raiser_does_not() -> None:
    """Every leaf has a code of its own."""
    assert str(JournalUnavailable("no disk")) == "journal_unavailable: no disk"
    assert BracketeerError("x").code == "error"


def test_unavailable_can_be_caught_as_journal_and_audit_error() -> None:
    """A caller that cares less catches higher in the tree."""
    with pytest.raises(JournalError):
        raise JournalUnavailable("no disk")
    assert issubclass(JournalError, AuditError)


def test_copy_keeps_code_and_facts() -> None:
    """Errors cross thread and process borders by copy."""
    twin = copy.copy(AuditError("m", code="c", k=1))
    assert (twin.code, twin.context, str(twin)) == ("c", {"k": 1}, "c: m (k=1)")
