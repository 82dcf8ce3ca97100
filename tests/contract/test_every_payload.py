"""Nothing that was recorded is forgotten: each payload is compared with the simulator, or left out for a reason."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from .scene import ABSENT, FIXTURES, stem

if not (FIXTURES / "index.json").exists():
    pytest.skip(ABSENT, allow_module_level=True)

# These modules read the payloads when they are imported.
from . import every_payload, test_account_recorded

DOCUMENT = Path(__file__).resolve().parents[2] / ".taskmaster" / "designs" / "007-recorded-payloads.md"


def test_every_payload_is_accounted_for() -> None:
    """Compared, or left out with a reason."""
    known = set().union(*every_payload.compared().values())
    names = [stem(entry) for entry in every_payload.index()]
    assert [name for name in names if name not in known and every_payload.why_left_out(name) is None] == []
    assert len(names) == len(set(names))


def test_what_is_compared_is_recorded() -> None:
    """No module claims a payload that does not exist."""
    names = {stem(entry) for entry in every_payload.index()}
    for module, claimed in every_payload.compared().items():
        assert claimed, module
        assert claimed <= names, module


def test_what_is_left_out_here_is_compared_nowhere() -> None:
    """And what is named here as compared by a single test is read by one."""
    known = set().union(*every_payload.compared().values())
    assert not known & every_payload.LEFT_OUT_HERE.keys()
    source = inspect.getsource(test_account_recorded)
    assert [name for name in every_payload.OTHERS_OF_ACCOUNT if f"{name}.json" not in source] == []


def test_the_document_tells_it() -> None:
    """`python -m tests.contract.every_payload > .taskmaster/designs/007-recorded-payloads.md` writes it."""
    assert DOCUMENT.read_text(encoding="utf-8") == every_payload.document()
