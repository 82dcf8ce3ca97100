"""An account: wallet, settings, positions and orders."""

from dataclasses import dataclass, field
from decimal import Decimal

from .decimals import ZERO, money
from .ledger import Income
from .orders import AlgoOrder, Fill, Order, OrderBooklet
from .positions import Position

MAKER_RATE = Decimal("0.0002")
TAKER_RATE = Decimal("0.0005")
DEFAULT_LEVERAGE = 20
DEFAULT_BALANCE = Decimal("10000.00000000")


@dataclass(slots=True)
class SymbolSettings:
    """What an account chose for one symbol."""

    leverage: int = DEFAULT_LEVERAGE
    margin_type: str = "CROSSED"


@dataclass(frozen=True, slots=True)
class LegMargin:
    """The margin figures of a leg and its open orders; ``key`` is what they were computed from."""

    key: tuple[Decimal, Decimal, Decimal, Decimal, Decimal, Decimal, int]
    notional: Decimal
    unrealized: Decimal
    position_margin: Decimal
    order_margin: Decimal
    maintenance: Decimal
    bids: Decimal
    asks: Decimal


@dataclass(frozen=True, slots=True)
class MarginMove:
    """Margin that its owner put into an isolated leg (type 1) or took out (type 2)."""

    symbol: str
    position_side: str
    move_type: int
    amount: Decimal
    time_ms: int


@dataclass(slots=True)
class Account:
    """One trading account; all money is USDT."""

    api_key: str
    api_secret: str = field(repr=False)
    ed25519_key: str = ""  # a registered public key in PEM form
    wallet: Decimal = DEFAULT_BALANCE  # isolated wallets included
    is_hedge_mode: bool = False
    is_multi_assets: bool = False
    burns_fees: bool = False
    maker_rate: Decimal = MAKER_RATE
    taker_rate: Decimal = TAKER_RATE
    settings: dict[str, SymbolSettings] = field(default_factory=dict)
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)
    orders: OrderBooklet = field(default_factory=OrderBooklet)
    algo_orders: dict[int, AlgoOrder] = field(default_factory=dict)
    live_algo_orders: dict[int, AlgoOrder] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    # Wallet changes other than those of fills, and what isolated legs lost beyond their wallet until it is settled.
    ledger: list[Income] = field(default_factory=list)
    shortages: list[tuple[str, Decimal]] = field(default_factory=list)
    margin_moves: list[MarginMove] = field(default_factory=list)
    forced_orders: list[Order] = field(default_factory=list)
    is_in_liquidation: bool = False
    leg_margins: dict[tuple[str, str], LegMargin] = field(default_factory=dict, repr=False)
    # Moments of the dead man's switches, per symbol (``countdownCancelAll``).
    countdowns: dict[str, int] = field(default_factory=dict)
    updated_ms: int = 0

    def settings_of(self, symbol: str) -> SymbolSettings:
        """Give the settings of a symbol, the defaults at first."""
        found = self.settings.get(symbol)
        if found is None:
            found = self.settings[symbol] = SymbolSettings()
        return found

    def is_isolated(self, symbol: str) -> bool:
        """Tell whether a symbol's legs have wallets of their own."""
        return self.settings_of(symbol).margin_type == "ISOLATED"

    def position(self, symbol: str, position_side: str) -> Position:
        """Give a position leg, flat at first."""
        found = self.positions.get((symbol, position_side))
        if found is None:
            found = self.positions[symbol, position_side] = Position(symbol, position_side)
        return found

    def legs(self, symbol: str) -> list[Position]:
        """Give the legs a symbol has in the account's position mode."""
        sides = ("LONG", "SHORT") if self.is_hedge_mode else ("BOTH",)
        return [self.position(symbol, side) for side in sides]

    def open_positions(self) -> list[Position]:
        """List the legs that are not flat, in a fixed order."""
        return [leg for key, leg in sorted(self.positions.items()) if leg.amount]

    def isolated_wallets(self) -> Decimal:
        """Give the sum of what is set aside for isolated legs."""
        return sum((leg.isolated_wallet for leg in self.positions.values()), ZERO)

    def live_legs(self) -> list[Position]:
        """List the legs that bind margin: with a position or with an opening order."""
        opening = self.orders.opening_notional
        return [
            leg
            for (symbol, position_side), leg in self.positions.items()
            if leg.amount or opening.get((symbol, "BUY", position_side)) or opening.get((symbol, "SELL", position_side))
        ]

    def touched_symbols(self) -> set[str]:
        """Give the symbols with a position or an open order: those that v3 answers list (``binance-usdm.md §3.4``)."""
        symbols = {leg.symbol for leg in self.open_positions()}
        return symbols | {symbol for symbol, orders in self.orders.open_per_symbol.items() if orders}

    def live_algos(self, symbol: str | None = None) -> list[AlgoOrder]:
        """List the waiting conditional orders, oldest first."""
        return [algo for algo in self.live_algo_orders.values() if symbol in {None, algo.symbol}]

    def book_fill(
        self, leg: Position, side: str, quantity: Decimal, price: Decimal, commission: Decimal, now_ms: int
    ) -> Decimal:
        """Book one fill on a leg and the wallets; give the profit it realised."""
        before = leg.amount
        realized = leg.apply(side, quantity, price, commission, now_ms)
        self.wallet += realized - commission
        self.updated_ms = now_ms
        if self.is_isolated(leg.symbol):
            closed = min(quantity, abs(before)) if before * leg.signed(side, quantity) < 0 else ZERO
            shortage = leg.release_margin(before, closed, realized - money(commission * closed / quantity))
            if shortage:
                self.shortages.append((leg.symbol, shortage))
            opened = (quantity - closed) * price
            leg.isolated_wallet += money(opened / self.settings_of(leg.symbol).leverage)
        return realized

    def adjust(self, balance: Decimal, now_ms: int) -> None:
        """Set the wallet past all rules; the difference is a transfer, so that income still adds up."""
        self.ledger.append(Income("", "TRANSFER", balance - self.wallet, now_ms))
        self.wallet = balance
        self.updated_ms = now_ms

    def record(self, symbol: str, kind: str, amount: Decimal, now_ms: int) -> None:
        """Change the wallet for a reason other than a fill."""
        self.wallet += amount
        self.updated_ms = now_ms
        self.ledger.append(Income(symbol, kind, amount, now_ms))
