"""The account as it was: for queries that lag behind (``binance-usdm.md §3.4``, "reads can lag fills")."""

import copy
from collections import deque

from .accounts import Account
from .clock import Clock

_KEPT_MAX = 1000

Fingerprint = tuple[object, ...]


def _fingerprint(account: Account) -> Fingerprint:
    """Tell one state from the next, cheaply: time passing alone makes no new state."""
    resting = tuple((order.order_id, order.quantity, order.executed) for order in account.orders.open_orders())
    return account.wallet, len(account.fills), len(account.orders.by_id), resting, tuple(account.live_algo_orders)


class AccountHistory:
    """Copies of an account after each change, kept only while somebody wants old answers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._copies: dict[str, deque[tuple[int, Account]]] = {}
        self._prints: dict[str, Fingerprint] = {}
        self.is_kept = False

    def note(self, account: Account) -> None:
        """Keep the present state."""
        if not self.is_kept:
            return
        mark = _fingerprint(account)
        if self._prints.get(account.api_key) != mark:
            self._prints[account.api_key] = mark
            copies = self._copies.setdefault(account.api_key, deque(maxlen=_KEPT_MAX))
            copies.append((self._clock.steady_ms(), copy.deepcopy(account)))

    def stop(self) -> None:
        """Forget everything."""
        self.is_kept = False
        self._copies.clear()
        self._prints.clear()

    def before(self, account: Account, lag_ms: int) -> Account:
        """Give the account as it was a while ago, or as far back as is known."""
        at_ms = self._clock.steady_ms() - lag_ms
        copies = self._copies.get(account.api_key, ())
        old = [state for noted_ms, state in copies if noted_ms <= at_ms]
        if old:
            return old[-1]
        return copies[0][1] if copies else account
