"""Telling people: whoever listens may fail, and nothing of ours fails with them."""

from __future__ import annotations

from collections.abc import Callable

from .driver import Notice


def shielded(on_notice: Callable[[Notice], None], on_failure: Callable[[str], None]) -> Callable[[Notice], None]:
    """`on_notice`, such that its failure goes to `on_failure` and no further.

    What is told is decided already: the orders that follow from it, and the answers to callers, must leave all the
    same.
    """

    def tell(notice: Notice) -> None:
        try:
            on_notice(notice)
        except Exception as failure:  # noqa: BLE001 - it is not our code
            on_failure(f"{notice.text}: {type(failure).__name__}: {failure}")

    return tell
