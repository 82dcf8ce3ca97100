"""Where the exchange is (binance-usdm.md §1.1)."""

from __future__ import annotations

from typing import Final

import msgspec


class Venue(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange: its REST base and the routed root of its streams (private events come only below `/private`,
    §1.2)."""

    rest: str
    stream: str


MAINNET: Final = Venue(rest="https://fapi.binance.com", stream="wss://fstream.binance.com")

TESTNET: Final = Venue(rest="https://demo-fapi.binance.com", stream="wss://demo-fstream.binance.com")
"""Called "demo" today. `testnet.binancefuture.com` is an alias of the same back end; keys are made on the demo site."""


def private_stream_url(stream_url: str, listen_key: str) -> str:
    """The user data stream of one listen key (binance-usdm.md §1.2). The result is a secret: it contains the key."""
    return f"{stream_url.rstrip('/')}/private/ws/{listen_key}"
