"""Client order ids: the same wish has the same id for ever, and only ours look like ours."""

from __future__ import annotations

import pytest

from bracketeer.core.client_ids import PREFIX, client_order_id, is_ours, role_of
from bracketeer.core.values import Role


@pytest.mark.parametrize(
    ("role", "generation", "identity"),
    [
        (Role.ENTRY, 0, "bktr-ddTLc_hrq2hi4LNpR3yx-E0"),
        (Role.STOP_LOSS, 2, "bktr-ddTLc_hrq2hi4LNpR3yx-S2"),
    ],
)
def test_ids_never_change_between_versions(role: Role, generation: int, identity: str) -> None:
    """A restart after an upgrade must find the orders that the older version sent."""
    assert client_order_id("signal-1", role, generation) == identity


@pytest.mark.parametrize(
    "identity",
    [
        "",
        PREFIX,
        "bktr-ddTLc_hrq2hi4LNpR3yx-E",  # no generation
        "bktr-ddTLc_hrq2hi4LNpR3yx-E1234567",  # too many generations
        "bktr-ddTLc_hrq2hi4LNpR3yx-Q0",  # no role of ours
        "bktr-short-E0",
        "bktr-ddTLc_hrq2hi4LNpR3yx-E0 ",
        "bktr-ddTLc_hrq2hi4LNpR3yx-E0\n",
        "xbktr-ddTLc_hrq2hi4LNpR3yx-E0",
        "autoclose-1766562549558",  # the exchange's liquidation
        "adl_autoclose",
        "web_Ab3dE",
    ],
)
def test_foreign_ids_are_not_taken_for_ours(identity: str) -> None:
    """Nobody else's order is ever touched."""
    assert not is_ours(identity)
    assert role_of(identity) is None
