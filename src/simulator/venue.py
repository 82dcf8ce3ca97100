"""The state everything else works on: markets, accounts, ids, time, and the way out for events."""

import random
from collections.abc import Callable
from decimal import Decimal

from . import account_messages, algo_messages, messages
from .account_messages import BalanceChange
from .accounts import Account
from .clock import Clock
from .errors import Code, refusal
from .instruments import Instrument, load_instruments
from .margin import MarginBook
from .market_data import DEFAULT_FUNDING_RATE, MarketData
from .markets import Market
from .messages import Row, TradeHint
from .orders import AlgoOrder, Fill, Order
from .positions import Position
from .profiles import Profile, Switches
from .streams import StreamHub

_ID_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# All pairs of letters: an id is eleven of them, which takes half as many divisions.
_ID_PAIRS = tuple(first + second for first in _ID_LETTERS for second in _ID_LETTERS)
_ID_PAIRS_COUNT = 11
_ID_BITS = 131  # a little more than eleven pairs hold
# Sixteen digits, as on the real venue (``binance-usdm.md §4.3``).
_FIRST_ALGO_ID = 1_000_000_000_000_001


class Venue:
    """Markets and accounts of one exchange; single-threaded, no I/O."""

    def __init__(self, profile: Profile, switches: Switches, clock: Clock, ids: random.Random) -> None:
        self.profile = profile
        self.switches = switches
        self.clock = clock
        self.instruments: dict[str, Instrument] = load_instruments(profile)
        now_ms = clock.now_ms()
        self.markets: dict[str, Market] = {
            symbol: Market(rules, rules.to_tick(rules.price_start), rules.to_tick(rules.price_start), now_ms)
            for symbol, rules in self.instruments.items()
        }
        self.accounts: dict[str, Account] = {}
        self.margins = MarginBook(self.instruments, self.mark)
        self.streams = StreamHub(profile, clock.now_ms, ids, switches.shutdown_notice_ms)
        self.data = MarketData(self.markets, clock.now_ms)
        # Legs that an execution brought to zero or beyond; settled after the request or price move that did it.
        self.flattened: list[tuple[Account, Position]] = []
        # Every private event leaves here; stream faults put themselves in between.
        self.publish: Callable[[str, Row], None] = self.streams.publish
        # Funding rates at past hours, where they were not the usual one.
        self.settled_rates: dict[tuple[str, int], Decimal] = {}
        self._ids = ids
        self._next_algo_id = _FIRST_ALGO_ID
        self._sequence = 0

    def now_ms(self) -> int:
        """Give the exchange time in milliseconds."""
        return self.clock.now_ms()

    def mark(self, symbol: str) -> Decimal:
        """Give the mark price of a symbol."""
        return self.markets[symbol].mark

    def change_rules(self, rules: Instrument) -> None:
        """Let other rules hold for a symbol from now on; what rests stays."""
        self.instruments[rules.symbol] = rules
        self.markets[rules.symbol].change_rules(rules)

    def settled_rate(self, symbol: str, hour_ms: int) -> Decimal:
        """Give the rate that was settled at an hour."""
        return self.settled_rates.get((symbol, hour_ms), DEFAULT_FUNDING_RATE)

    def rules(self, symbol: str) -> Instrument:
        """Give the rules of a symbol; an unknown one is -1121."""
        if symbol not in self.instruments:
            raise refusal(Code.SYMBOL)
        return self.instruments[symbol]

    def market(self, symbol: str) -> Market:
        """Give the market of a symbol; an unknown one is -1121."""
        self.rules(symbol)
        return self.markets[symbol]

    def next_sequence(self) -> int:
        """Give the next place in the time order of all orders."""
        self._sequence += 1
        return self._sequence

    def next_algo_id(self) -> int:
        """Give the next algo id; these count over all symbols."""
        self._next_algo_id += 1
        return self._next_algo_id

    def generate_client_id(self) -> str:
        """Make up a client id for an order that came without one (``binance-usdm.md §5.4``)."""
        number = self._ids.getrandbits(_ID_BITS)
        pairs = []
        for _ in range(_ID_PAIRS_COUNT):
            number, index = divmod(number, len(_ID_PAIRS))
            pairs.append(_ID_PAIRS[index])
        return "".join(pairs)

    # Events: nothing is built when nobody listens.

    def tell_order(self, account: Account, order: Order, execution_type: str, fill: Fill | None = None) -> None:
        """Send ORDER_TRADE_UPDATE; a liquidation is told to everybody."""
        if fill is not None and order.client_order_id.startswith("autoclose-"):
            self.data.note_liquidation(messages.order_event(order, execution_type, self.now_ms(), fill))
        if self.streams.has_listener(account.api_key):
            self._send(account, messages.order_event(order, execution_type, self.now_ms(), fill))

    def tell_trade_hint(self, account: Account, order: Order, hint: TradeHint) -> None:
        """Send TRADE_LITE."""
        if self.streams.has_listener(account.api_key):
            rules = self.instruments[order.symbol]
            self._send(account, messages.trade_lite_event(rules, order, hint, self.now_ms()))

    def tell_account(
        self, account: Account, leg: Position | None, change: str | BalanceChange = account_messages.ORDER_FILLED
    ) -> None:
        """Send ACCOUNT_UPDATE."""
        if self.streams.has_listener(account.api_key):
            reason = BalanceChange(change) if isinstance(change, str) else change
            self._send(account, account_messages.account_event(account, leg, self.margins, reason, self.now_ms()))

    def tell_margin_call(self, account: Account, legs: list[Position]) -> None:
        """Send MARGIN_CALL."""
        if self.streams.has_listener(account.api_key):
            event = account_messages.margin_call_event(account, legs, self.margins, self.mark, self.now_ms())
            self._send(account, event)

    def tell_algo(self, account: Account, algo: AlgoOrder) -> None:
        """Send ALGO_UPDATE."""
        if self.streams.has_listener(account.api_key):
            self._send(account, algo_messages.algo_event(algo, self.now_ms()))

    def tell_config(self, account: Account, change: Row) -> None:
        """Send ACCOUNT_CONFIG_UPDATE."""
        if self.streams.has_listener(account.api_key):
            now_ms = self.now_ms()
            self._send(account, {"e": "ACCOUNT_CONFIG_UPDATE", "E": now_ms, "T": now_ms, **change})

    def _send(self, account: Account, event: Row) -> None:
        self.publish(account.api_key, event)
