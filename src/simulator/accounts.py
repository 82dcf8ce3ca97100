"""An account: wallet, settings, positions and margin."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from .decimals import ZERO, money
from .instruments import Instrument
from .orders import AlgoOrder, Fill, OrderBooklet
from .positions import Position

MAKER_RATE = Decimal("0.0002")
TAKER_RATE = Decimal("0.0005")
DEFAULT_LEVERAGE = 20
DEFAULT_BALANCE = Decimal("10000.00000000")

MarkPrice = Callable[[str], Decimal]


@dataclass(slots=True)
class SymbolSettings:
    """What an account chose for one symbol."""

    leverage: int = DEFAULT_LEVERAGE
    margin_type: str = "CROSSED"


@dataclass(slots=True)
class Account:
    """One trading account; all money is USDT."""

    api_key: str
    api_secret: str = field(repr=False)
    wallet: Decimal = DEFAULT_BALANCE
    is_hedge_mode: bool = False
    is_multi_assets: bool = False
    settings: dict[str, SymbolSettings] = field(default_factory=dict)
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)
    orders: OrderBooklet = field(default_factory=OrderBooklet)
    algo_orders: dict[int, AlgoOrder] = field(default_factory=dict)
    live_algo_orders: dict[int, AlgoOrder] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    updated_ms: int = 0

    def settings_of(self, symbol: str) -> SymbolSettings:
        """Give the settings of a symbol, the defaults at first."""
        return self.settings.setdefault(symbol, SymbolSettings())

    def position(self, symbol: str, position_side: str) -> Position:
        """Give a position leg, flat at first."""
        return self.positions.setdefault((symbol, position_side), Position(symbol, position_side))

    def legs(self, symbol: str) -> list[Position]:
        """Give the legs a symbol has in the account's position mode."""
        sides = ("LONG", "SHORT") if self.is_hedge_mode else ("BOTH",)
        return [self.position(symbol, side) for side in sides]

    def open_positions(self) -> list[Position]:
        """List the legs that are not flat, in a fixed order."""
        return [leg for key, leg in sorted(self.positions.items()) if leg.amount]

    def touched_symbols(self) -> set[str]:
        """Give the symbols with a position or an open order: those that v3 answers list (``binance-usdm.md §3.4``)."""
        symbols = {leg.symbol for leg in self.open_positions()}
        return symbols | {symbol for symbol, orders in self.orders.open_per_symbol.items() if orders}

    def live_algos(self, symbol: str | None = None) -> list[AlgoOrder]:
        """List the waiting conditional orders, oldest first."""
        return [algo for algo in self.live_algo_orders.values() if symbol in {None, algo.symbol}]


@dataclass(frozen=True, slots=True)
class Margin:
    """What an account has and what is bound, at the present mark prices."""

    wallet: Decimal
    unrealized: Decimal
    position_margin: Decimal
    order_margin: Decimal
    maintenance: Decimal
    isolated_wallet: Decimal
    cross_unrealized: Decimal

    @property
    def cross_wallet(self) -> Decimal:
        return self.wallet - self.isolated_wallet

    @property
    def balance(self) -> Decimal:
        return self.wallet + self.unrealized

    @property
    def initial(self) -> Decimal:
        return self.position_margin + self.order_margin

    @property
    def available(self) -> Decimal:
        return max(ZERO, self.balance - self.initial)


class MarginBook:
    """Margin arithmetic over the positions and open orders of an account."""

    def __init__(self, instruments: dict[str, Instrument], mark_price: MarkPrice) -> None:
        self._instruments = instruments
        self._mark_price = mark_price

    def position_margin(self, account: Account, leg: Position) -> Decimal:
        """Give the initial margin of a leg: value at mark price over leverage."""
        value = abs(leg.amount) * self._mark_price(leg.symbol)
        return money(value / account.settings_of(leg.symbol).leverage)

    def isolated_wallet(self, account: Account, leg: Position) -> Decimal:
        """Give the margin set aside for an isolated leg: entry value over leverage."""
        settings = account.settings_of(leg.symbol)
        return money(abs(leg.cost) / settings.leverage) if settings.margin_type == "ISOLATED" else ZERO

    def order_margin(self, account: Account, symbol: str) -> Decimal:
        """Give the margin bound by resting orders that are not reduce-only."""
        value = account.orders.opening_notional.get(symbol, ZERO)
        return money(value / account.settings_of(symbol).leverage)

    def maintenance(self, leg: Position) -> Decimal:
        """Give the maintenance margin of a leg."""
        value = abs(leg.amount) * self._mark_price(leg.symbol)
        return money(value * self._instruments[leg.symbol].maintenance_rate(value))

    def summary(self, account: Account) -> Margin:
        """Add up the whole account."""
        legs = account.open_positions()
        unrealized = {id(leg): money(leg.unrealized(self._mark_price(leg.symbol))) for leg in legs}
        isolated = [leg for leg in legs if account.settings_of(leg.symbol).margin_type == "ISOLATED"]
        return Margin(
            wallet=account.wallet,
            unrealized=sum(unrealized.values(), ZERO),
            position_margin=sum((self.position_margin(account, leg) for leg in legs), ZERO),
            order_margin=sum((self.order_margin(account, symbol) for symbol in self._symbols(account)), ZERO),
            maintenance=sum((self.maintenance(leg) for leg in legs), ZERO),
            isolated_wallet=sum((self.isolated_wallet(account, leg) for leg in isolated), ZERO),
            cross_unrealized=sum((unrealized[id(leg)] for leg in legs if leg not in isolated), ZERO),
        )

    @staticmethod
    def _symbols(account: Account) -> Iterator[str]:
        return (symbol for symbol, orders in account.orders.open_per_symbol.items() if orders)

    def liquidation_price(self, account: Account, leg: Position) -> Decimal:
        """Estimate the mark price at which the account could no longer carry a leg; zero when there is none."""
        if not leg.amount:
            return ZERO
        settings = account.settings_of(leg.symbol)
        backing = (
            self.isolated_wallet(account, leg)
            if settings.margin_type == "ISOLATED"
            else self.summary(account).cross_wallet
        )
        size = abs(leg.amount)
        rate = self._instruments[leg.symbol].maintenance_rate(size * self._mark_price(leg.symbol))
        # Solves backing + amount * p - cost = |amount| * rate * p for p.
        return max(ZERO, (leg.cost - backing) / (leg.amount - size * rate))
