"""Who is asking, and is the request signed and on time? (``binance-usdm.md §2``)."""

import hashlib
import hmac
import re
from collections.abc import Mapping

from .accounts import Account
from .errors import Code, ExchangeError, refusal, status_of
from .params import Params
from .signatures import is_ed25519_signed

DEFAULT_RECV_WINDOW_MS = 5000
_AHEAD_MAX_MS = 1000
_KEY_FORMAT = re.compile(r"[A-Za-z0-9_-]{8,128}")


def sign(secret: str, text: str) -> str:
    """Compute the HMAC-SHA256 of the signed text, in hex."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def signed_text(raw_query: str, body: str) -> str | None:
    """Give the text a signature covers: raw query and raw body without a joint, each without its signature.

    None when the signature is not the last parameter of the part that carries it.
    """
    parts = []
    for part in (raw_query, body):
        head, found, tail = ("&" + part).rpartition("&signature=")
        if found and "&" in tail:
            return None
        parts.append((head if found else tail)[1:])
    return "".join(parts)


def authenticate(accounts: Mapping[str, Account], headers: Mapping[str, str]) -> Account:
    """Find the account of the key header (names in lower case): -2014 for a bad form, -2015 for an unknown key."""
    key = headers.get("x-mbx-apikey", "")
    if not _KEY_FORMAT.fullmatch(key):
        raise refusal(Code.KEY_FORMAT)
    if key not in accounts:
        raise refusal(Code.KEY_REJECTED)
    return accounts[key]


def check_signature(
    account: Account, params: Params, raw_query: str, body: str, now_ms: int, *, accepts_ed25519: bool = False
) -> None:
    """Check presence (-1102), signature (-1022) and time window (-1021)."""
    params.integer("timestamp")
    given = params.text("signature")
    text = signed_text(raw_query, body)
    is_signed = text is not None and (
        hmac.compare_digest(sign(account.api_secret, text).encode(), given.lower().encode())
        or (accepts_ed25519 and is_ed25519_signed(account, text, given))
    )
    if not is_signed:
        raise refusal(Code.SIGNATURE)
    check_time(params, now_ms)


def check_time(params: Params, now_ms: int) -> None:
    """Check that a request is on time (-1021)."""
    timestamp = params.integer("timestamp")
    window = params.integer("recvWindow", DEFAULT_RECV_WINDOW_MS)
    if timestamp >= now_ms + _AHEAD_MAX_MS:
        ahead = "Timestamp for this request was 1000ms ahead of the server's time."
        raise ExchangeError(Code.TIMESTAMP, ahead, status_of(Code.TIMESTAMP))
    if now_ms - timestamp > window:
        raise refusal(Code.TIMESTAMP)
