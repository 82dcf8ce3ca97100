"""Who is asking, and is the request signed and on time? (``binance-usdm.md §2``)."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import unquote_plus

from .accounts import Account
from .errors import Code, ExchangeError, refusal, status_of
from .params import Params
from .profiles import Switches
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
    account: Account, params: Params, raw_query: str, body: str, now_ms: int, switches: Switches
) -> None:
    """Check presence (-1102), signature (-1022) and time window (-1021)."""
    params.integer("timestamp")
    given = params.text("signature")
    text = signed_text(raw_query, body)
    if text is None or not _is_signed(account, text, given, switches):
        raise refusal(Code.SIGNATURE)
    check_time(params, now_ms, switches)


def _is_signed(account: Account, text: str, given: str, switches: Switches) -> bool:
    if _has_hmac(account, text, given):
        return True
    if switches.accepts_decoded_signatures and _has_hmac(account, unquote_plus(text), given):
        return True
    return switches.ed25519_on_rest and is_ed25519_signed(account, text, given)


def _has_hmac(account: Account, text: str, given: str) -> bool:
    return hmac.compare_digest(sign(account.api_secret, text).encode(), given.lower().encode())


def check_time(params: Params, now_ms: int, switches: Switches) -> None:
    """Check that a request is on time (-1021), by a window that is allowed."""
    timestamp = params.integer("timestamp")
    window = params.integer("recvWindow", DEFAULT_RECV_WINDOW_MS)
    if switches.recv_window_max_ms and window > switches.recv_window_max_ms:
        raise refusal(Code.PARAMETER_VALUE, "recvWindow")
    if timestamp >= now_ms + _AHEAD_MAX_MS:
        ahead = "Timestamp for this request was 1000ms ahead of the server's time."
        raise ExchangeError(Code.TIMESTAMP, ahead, status_of(Code.TIMESTAMP))
    if now_ms - timestamp > window:
        raise refusal(Code.TIMESTAMP)
