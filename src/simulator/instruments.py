"""The contracts of the exchange and their trading rules."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from .brackets import Bracket, Brackets, brackets_of
from .decimals import ONE, round_to
from .instrument_table import ROWS
from .profiles import Profile

ORDER_TYPES = ("LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "GTX", "GTD")
# Band of a limit price around the mark price, and its written form (``binance-usdm.md §6``).
MULTIPLIER_UP = Decimal("1.0500")
MULTIPLIER_DOWN = Decimal("0.9500")
PERPETUAL_DELIVERY_MS = 4133404800000  # the delivery of a contract without end


@dataclass(frozen=True, slots=True)
class Instrument:
    """The rules of one contract (``binance-usdm.md §3.1.1``).

    ``price_precision`` and ``quantity_precision`` limit decimals (-1111); they are not ``tick_size`` and ``step_size``.
    """

    symbol: str
    status: str
    price_start: Decimal
    price_precision: int
    quantity_precision: int
    tick_size: Decimal
    price_min: Decimal
    price_max: Decimal
    step_size: Decimal
    quantity_max: Decimal
    market_quantity_max: Decimal
    notional_min: Decimal
    trigger_protect: Decimal
    market_take_bound: Decimal
    liquidation_fee: Decimal
    onboard_date_ms: int
    max_open_orders: int
    brackets: Brackets
    depth_share: Decimal = ONE  # of its usual size the book holds; a fault makes it thin

    @property
    def base_asset(self) -> str:
        return self.symbol.removesuffix("USDT")

    @property
    def is_trading(self) -> bool:
        return self.status == "TRADING"

    @property
    def leverage_max(self) -> int:
        return self.brackets[0].leverage_max

    def notional_max(self, leverage: int) -> Decimal:
        """Give the largest position value allowed at a leverage."""
        return next(tier.notional_cap for tier in reversed(self.brackets) if tier.leverage_max >= leverage)

    def bracket(self, notional: Decimal) -> Bracket:
        """Give the tier a position value falls in; the last one has no end for what prices did."""
        for tier in self.brackets:
            if notional <= tier.notional_cap:
                return tier
        return self.brackets[-1]

    def to_tick(self, price: Decimal) -> Decimal:
        """Round a price to the nearest valid one."""
        return max(self.tick_size, round_to(price, self.tick_size))


def load_instruments(profile: Profile) -> dict[str, Instrument]:
    """Build the contracts of a profile."""
    return {instrument.symbol: instrument for instrument in _parse(profile)}


def _parse(profile: Profile) -> Iterator[Instrument]:
    for line in ROWS.strip().splitlines():
        (
            symbol, status, start, price_precision, quantity_precision, tick, low, high, step, most, market_most,
            notional, protect, bound, fee, onboard,
        ) = line.split()  # fmt: skip
        instrument = Instrument(
            symbol, status, Decimal(start), int(price_precision), int(quantity_precision), Decimal(tick), Decimal(low),
            Decimal(high), Decimal(step), Decimal(most), Decimal(market_most), Decimal(notional), Decimal(protect),
            Decimal(bound), Decimal(fee), int(onboard), profile.max_open_orders,
            brackets_of(symbol),
        )  # fmt: skip
        yield _with_profile(instrument, profile) if symbol == "BTCUSDT" else instrument


def _with_profile(bitcoin: Instrument, profile: Profile) -> Instrument:
    step = Decimal(profile.bitcoin_step_size)
    return replace(
        bitcoin,
        step_size=step,
        quantity_precision=len(profile.bitcoin_step_size.partition(".")[2]),
        market_take_bound=Decimal(profile.bitcoin_take_bound),
    )
