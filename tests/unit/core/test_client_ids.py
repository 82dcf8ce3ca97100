"""Client order ids: the same wish has the same id for ever, and only ours look like ours."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bracketeer.core.client_ids import PREFIX, client_order_id, is_ours, role_of
from bracketeer.core.values import Role

EXCHANGE_RULE = re.compile(r"^[\.A-Z\:/a-z0-9_-]{1,36}\Z")  # binance-usdm.md §5.4
signal_ids = st.text(st.characters(exclude_categories=["Cs"]))


@given(signal_ids, st.sampled_from(Role), st.integers(0, 999_999))
def test_ids_meet_the_exchange_rule_and_are_recognised(signal_id: str, role: Role, generation: int) -> None:
    """Whatever the signal id is, the client id is taken by the exchange, is ours, and tells its role."""
    identity = client_order_id(signal_id, role, generation)
    assert EXCHANGE_RULE.match(identity)
    assert is_ours(identity)
    assert role_of(identity) is role


@given(signal_ids, signal_ids, st.sampled_from(Role), st.sampled_from(Role), st.integers(0, 99), st.integers(0, 99))
def test_different_intents_have_different_ids(
    first: str, second: str, role: Role, other_role: Role, generation: int, other_generation: int
) -> None:
    """Two ids are equal only if signal, role and generation all are."""
    same_intent = (first, role, generation) == (second, other_role, other_generation)
    same_id = client_order_id(first, role, generation) == client_order_id(second, other_role, other_generation)
    assert same_id == same_intent


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
