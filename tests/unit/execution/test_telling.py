"""Whoever listens may fail."""

from bracketeer.core.commands import Alert
from bracketeer.execution.telling import shielded


def test_failure_of_a_listener_goes_no_further() -> None:
    """It is passed on with what could not be told."""
    failures: list[str] = []

    def hear(notice: object) -> None:
        raise OSError("no route to the pager")

    shielded(hear, failures.append)(Alert(code="position_gone", text="look at the account", symbol="BTCUSDT"))
    assert failures == ["look at the account: OSError: no route to the pager"]


def test_listener_hears_what_is_told() -> None:
    """Nothing else happens."""
    heard: list[object] = []
    failures: list[str] = []
    alert = Alert(code="position_gone", text="look at the account", symbol="BTCUSDT")
    shielded(heard.append, failures.append)(alert)
    assert (heard, failures) == ([alert], [])
