"""Whose log and lock it is."""

from __future__ import annotations

import pytest

from bracketeer.execution.account_lock import fingerprint

DEMO = "https://demo-fapi.binance.com"


@pytest.mark.parametrize(
    "url", [DEMO, f"{DEMO}/", "https://DEMO-fapi.binance.com", "https://testnet.binancefuture.com"]
)
def test_one_venue_has_one_name_however_it_is_written(url: str) -> None:
    """Else a log begun under one of them would refuse the others, with a position open."""
    assert fingerprint("key", url) == fingerprint("key", DEMO)


def test_other_keys_and_venues_have_other_names() -> None:
    """And none tells the key."""
    names = {fingerprint(key, url) for key in ("key", "other") for url in (DEMO, "https://fapi.binance.com")}
    assert len(names) == 4
    assert not any("key" in name for name in names)
