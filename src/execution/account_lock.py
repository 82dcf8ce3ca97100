"""One manager an account: a lock that the kernel drops with the process, named by a fingerprint that tells nothing."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from ..core.audit_chain import iso_timestamp
from ..core.errors import BracketeerError, LockHeld
from ..core.exclusive_lock import ExclusiveLock
from .ports import Clock


class AccountInUse(BracketeerError):  # noqa: N818 - reads as the fact it states
    """Another process on this machine manages the account."""

    default_code = "account_in_use"


def fingerprint(api_key: str, base_url: str) -> str:
    """A name for (account, venue) that tells nothing about the key."""
    return hashlib.sha256(f"{api_key}@{base_url.rstrip('/')}".encode()).hexdigest()[:16]


def lock_account(api_key: str, base_url: str, clock: Clock) -> ExclusiveLock:
    """Take the account, for this user of this machine.

    Raises:
        AccountInUse: somebody has it; the context names them.
    """
    folder = Path(tempfile.gettempdir()) / f"bracketeer-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    holder = {"pid": str(os.getpid()), "since": iso_timestamp(clock.now_us()), "venue": base_url}
    lock = ExclusiveLock(folder / f"{fingerprint(api_key, base_url)}.lock", holder)
    try:
        lock.acquire()
    except LockHeld as error:
        first = error.holder
        raise AccountInUse(
            f"process {first.get('pid', '?')} (since {first.get('since', '?')}) already manages this account; "
            "two managers would fight over it: stop that one first, or send the signal through it",
            **first,
        ) from None
    return lock
