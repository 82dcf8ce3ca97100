"""The contracts of the exchange and their trading rules."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from .decimals import round_to
from .instrument_table import ROWS
from .profiles import Profile

ORDER_TYPES = ("LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "GTX", "GTD")
# Band of a limit price around the mark price, and its written form (``binance-usdm.md §6``).
MULTIPLIER_UP = Decimal("1.0500")
MULTIPLIER_DOWN = Decimal("0.9500")


@dataclass(frozen=True, slots=True)
class Bracket:
    """One leverage tier: up to ``notional_cap`` at ``leverage_max``."""

    leverage_max: int
    notional_cap: Decimal
    maintenance_rate: Decimal


def _brackets(*tiers: tuple[int, int, str]) -> tuple[Bracket, ...]:
    return tuple(Bracket(leverage, Decimal(cap), Decimal(rate)) for leverage, cap, rate in tiers)


_MAJOR_BRACKETS = _brackets(
    (125, 300_000, "0.004"),
    (100, 800_000, "0.005"),
    (75, 3_000_000, "0.0065"),
    (50, 12_000_000, "0.01"),
    (20, 70_000_000, "0.025"),
    (10, 100_000_000, "0.05"),
    (5, 230_000_000, "0.1"),
    (1, 1_000_000_000, "0.125"),
)
_OTHER_BRACKETS = _brackets(
    (75, 10_000, "0.01"),
    (50, 80_000, "0.015"),
    (25, 500_000, "0.02"),
    (20, 1_000_000, "0.025"),
    (10, 5_000_000, "0.05"),
    (5, 10_000_000, "0.1"),
    (1, 30_000_000, "0.125"),
)


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
    brackets: tuple[Bracket, ...]

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
        return max(tier.notional_cap for tier in self.brackets if tier.leverage_max >= leverage)

    def maintenance_rate(self, notional: Decimal) -> Decimal:
        """Give the maintenance margin rate of the tier a position value falls in."""
        for tier in self.brackets:
            if notional <= tier.notional_cap:
                return tier.maintenance_rate
        return self.brackets[-1].maintenance_rate

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
            _MAJOR_BRACKETS if symbol in {"BTCUSDT", "ETHUSDT"} else _OTHER_BRACKETS,
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
