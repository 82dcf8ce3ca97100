"""Which exchange is traded on: the testnet, unless real money was asked for twice."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from .binance.urls import MAINNET, TESTNET
from .binance.urls import Venue as Urls
from .errors import ConfigurationError

__all__ = ["Urls", "resolve"]

_HOST: Final = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
"""Plain ASCII: other letters, folded on the way to the network, could name another host than the one checked."""

_PLAY_MONEY: Final = frozenset(
    {
        "demo-fapi.binance.com",
        "demo-fstream.binance.com",
        "testnet.binancefuture.com",
        "fstream.binancefuture.com",
        "stream.binancefuture.com",
    }
)
"""Hosts of the demo environment (binance-usdm.md §1.1)."""


def resolve(*, testnet: bool, base_url: str | None, stream_url: str | None, armed: bool) -> Urls:
    """The addresses of REST and streams, without a slash at the end.

    An explicit address says by its host whether it is the mainnet, whatever `testnet` says: one of the exchange's own
    hosts that is not known as a demo host is. With `testnet=False` any host is taken for the mainnet, except the demo's
    and this machine: it may be a proxy. The mainnet needs `testnet=False` and `armed`, and encryption.

    Without `stream_url`, streams are looked for where REST is: at the venue's stream host for the exchange's own hosts,
    else at the same address.

    Raises:
        ConfigurationError: `mainnet_not_armed`; `url_invalid`; `venue_mixed` (one address is the mainnet's, the other
            is not).
    """
    default = TESTNET if testnet else MAINNET
    rest = _parsed("base_url", base_url or default.rest, ("https", "http"))
    stream = _parsed("stream_url", stream_url or _stream_beside(rest), ("wss", "ws"))
    is_mainnet = _is_mainnet(rest, testnet=testnet)
    if is_mainnet and (testnet or not armed):
        raise ConfigurationError(
            f"{rest.hostname} trades real money: to mean it, pass testnet=False and set"
            " BRACKETEER_ALLOW_MAINNET=yes; else leave base_url out for the testnet",
            code="mainnet_not_armed",
            base_url=rest.geturl(),
            testnet=testnet,
        )
    if is_mainnet != _is_mainnet(stream, testnet=testnet):
        raise ConfigurationError(
            "one of base_url and stream_url is the mainnet's and the other is not: give both of the same exchange",
            code="venue_mixed",
            base_url=rest.geturl(),
            stream_url=stream.geturl(),
        )
    if is_mainnet and (rest.scheme, stream.scheme) != ("https", "wss"):
        raise ConfigurationError(
            "real money needs encryption: give https:// and wss:// addresses",
            code="url_invalid",
            base_url=rest.geturl(),
            stream_url=stream.geturl(),
        )
    return Urls(rest=rest.geturl(), stream=stream.geturl())


def _parsed(name: str, text: str, schemes: tuple[str, str]) -> SplitResult:
    """The parts of an address.

    Raises:
        ConfigurationError: `url_invalid`. The text is not repeated: an address may hold a password.
    """
    try:
        url = urlsplit(text.strip().rstrip("/"))
        usable = url.scheme in schemes and _HOST.fullmatch(url.hostname or "") and url.port != 0
    except ValueError:
        usable = False
    if not usable or url.username is not None or url.query or url.fragment:
        raise ConfigurationError(
            f"{name} must look like {schemes[0]}://host or {schemes[1]}://host:port, without user, query or fragment",
            code="url_invalid",
            argument=name,
        )
    return url


def _stream_beside(rest: SplitResult) -> str:
    """Where the streams of a REST address are."""
    host = _host(rest)
    if host in _PLAY_MONEY:
        return TESTNET.stream
    if _is_binance(host):
        return MAINNET.stream
    return f"{'wss' if rest.scheme == 'https' else 'ws'}://{rest.netloc}"


def _is_mainnet(url: SplitResult, *, testnet: bool) -> bool:
    host = _host(url)
    if host in _PLAY_MONEY:
        return False
    return _is_binance(host) or not (testnet or _is_this_machine(host))


def _is_binance(host: str) -> bool:
    return host == "binance.com" or host.endswith(".binance.com")


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host(url: SplitResult) -> str:
    """The host in one spelling: a name may be in capitals or end with the root's dot."""
    return (url.hostname or "").rstrip(".")
