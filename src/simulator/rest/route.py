"""What a REST endpoint is: a handler, who may call it, and what it costs."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from ..accounts import Account
from ..algo import AlgoService
from ..params import Params
from ..trading import Trading
from ..venue import Venue


class Security(Enum):
    """Security classes (``binance-usdm.md §2.1``)."""

    NONE = "none"
    KEY = "key"  # the key header alone
    SIGNED = "signed"


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way to a handler."""

    venue: Venue
    trading: Trading
    algos: AlgoService
    params: Params
    _account: Account | None = None

    @property
    def account(self) -> Account:
        """The caller's account; only routes that demand a key may ask."""
        if self._account is None:
            raise RuntimeError("this route has no account: give it a security class")
        return self._account


Handler = Callable[[Call], object]
Weight = Callable[[Params], int]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint."""

    handler: Handler
    security: Security
    weight: Weight
    counts_as_order: bool = False
    # A batch costs more in the ten-second window, and one in the minute (``binance-usdm.md §7.1``).
    ten_second_cost: int = 1
    # fundingRate and fundingInfo have a pool of their own instead of weight (``§7.1``).
    is_funding_pool: bool = False


Routes = dict[tuple[str, str], Route]


def costs(weight: int) -> Weight:
    """Give a fixed weight."""
    return lambda _params: weight


def costs_by_symbol(with_symbol: int, without: int) -> Weight:
    """Give a weight that depends on whether a symbol narrows the answer."""
    return lambda params: with_symbol if params.has("symbol") else without


def success() -> dict[str, object]:
    """Write the plain success answer."""
    return {"code": 200, "msg": "success"}
