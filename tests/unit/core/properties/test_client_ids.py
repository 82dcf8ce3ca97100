"""Client order ids: a name for each intent, the same for ever."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from bracketeer.core.client_ids import client_order_id, is_ours, role_of
from bracketeer.core.values import Role
from tests.support.profiles import examples

EXCHANGE_RULE = re.compile(r"^[\.A-Z\:/a-z0-9_-]{1,36}\Z")  # binance-usdm.md §5.4
signal_ids = st.text(st.characters(exclude_categories=["Cs"]))
generations = st.integers(0, 999_999)


@given(signal_ids, st.sampled_from(Role), generations)
def test_every_id_meets_the_exchange_rule_and_is_ours(signal_id: str, role: Role, generation: int) -> None:
    """Whatever the signal id is, the id lies within the exchange's alphabet and length, is recognised as ours, and its
    role is read back: reading is the left inverse of naming."""
    identity = client_order_id(signal_id, role, generation)
    assert EXCHANGE_RULE.match(identity)
    assert is_ours(identity)
    assert role_of(identity) is role


@examples(150)
@given(st.data(), signal_ids, st.sampled_from(Role), generations)
def test_different_intents_have_different_ids(data: st.DataObject, signal_id: str, role: Role, generation: int) -> None:
    """Naming is a function, and injective: ids are equal if and only if signal, role and generation all are; also for
    signal ids that differ by a character, by case or by a blank, and for generations that are each other's beginnings.
    """
    alike = st.sampled_from([signal_id, signal_id.swapcase(), f"{signal_id} ", signal_id[:-1], f"{signal_id}0"])
    near = st.sampled_from([generation, generation * 10 % 1_000_000, generation // 10])
    intent = (signal_id, role, generation)
    other = (data.draw(alike | signal_ids), data.draw(st.sampled_from(Role)), data.draw(near | generations))
    assert (client_order_id(*intent) == client_order_id(*other)) == (intent == other)
