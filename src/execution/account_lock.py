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


class AccountLockUnusable(BracketeerError):  # noqa: N818 - reads as the fact it states
    """The lock's file cannot be opened, so nobody knows whether another process manages the account."""

    default_code = "account_lock_unusable"


_SAME_VENUE = {"https://testnet.binancefuture.com": "https://demo-fapi.binance.com"}
"""The old name of the test host is an alias (binance-usdm.md §1.1)."""


def fingerprint(api_key: str, base_url: str) -> str:
    """A name for (account, venue) that tells nothing about the key."""
    venue = base_url.rstrip("/").lower()
    return hashlib.sha256(f"{api_key}@{_SAME_VENUE.get(venue, venue)}".encode()).hexdigest()[:16]


class AccountLock:
    """The lock of one account on one venue, for this user of this machine."""

    def __init__(self, api_key: str, base_url: str, clock: Clock) -> None:
        self._folder = Path(tempfile.gettempdir()) / f"bracketeer-{os.getuid()}"
        holder = {"pid": str(os.getpid()), "since": iso_timestamp(clock.now_us()), "venue": base_url}
        self._lock = ExclusiveLock(self._folder / f"{fingerprint(api_key, base_url)}.lock", holder)

    @property
    def held(self) -> bool:
        """Whether the account is ours."""
        return self._lock.held

    def acquire(self) -> None:
        """Take the account.

        Raises:
            AccountInUse: somebody has it; the context names them.
            AccountLockUnusable: the file system does not let us find out.
        """
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._lock.acquire()
        except LockHeld as error:
            first = error.holder
            raise AccountInUse(
                f"process {first.get('pid', '?')} (since {first.get('since', '?')}) already manages this account; "
                "two managers would fight over it: stop that one first, or send the signal through it",
                **first,
            ) from None
        except OSError as error:
            raise AccountLockUnusable(
                f"the account's lock file cannot be used, so another process may be managing it: {error}; make the "
                "folder for temporary files writable (TMPDIR)",
                path=str(self._lock.path),
            ) from None

    def release(self) -> None:
        """Give it back; harmless when it is not held."""
        self._lock.release()
