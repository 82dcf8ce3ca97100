"""Client order ids: deterministic, short, recognisably ours.

An id is a pure function of (signal id, role, generation), so a restart computes the same one and a lookup can find what
a crashed process may have sent. The exchange's rule is `^[\\.A-Z\\:/a-z0-9_-]{1,36}$` (binance-usdm.md §5.4) and it
keeps ids unique among *open* orders only: an id gives lookup, never idempotency.
"""

from __future__ import annotations

import base64
import hashlib
import re

from .values import Role

PREFIX = "bktr-"
_SHAPE = re.compile(r"bktr-(?P<signal>[A-Za-z0-9_-]{20})-(?P<role>[ESTXF])(?P<generation>\d{1,6})\Z")


def client_order_id(signal_id: str, role: Role, generation: int = 0) -> str:
    """The id of one order intent, at most 34 characters.

    120 bits of the signal id's SHA-256 stand in for it: signal ids are free text of any length.
    """
    digest = hashlib.sha256(signal_id.encode()).digest()[:15]
    return f"{PREFIX}{base64.urlsafe_b64encode(digest).decode()}-{role.value}{generation}"


def is_ours(client_id: str) -> bool:
    """Whether an order on the account was sent by a Bracketeer: nobody else's is ever touched."""
    return _SHAPE.match(client_id) is not None


def role_of(client_id: str) -> Role | None:
    """The role an id of ours was made for; None for a foreign id."""
    match = _SHAPE.match(client_id)
    return Role(match["role"]) if match else None
