"""What happens without the account: prices come over resting orders, other people trade, time runs out."""

import heapq
from decimal import Decimal

from .accounts import Account
from .algo import AlgoService
from .decimals import ZERO
from .flow import SLOT_MS, SLOTS_MAX, Flow
from .markets import Market, opposite
from .matching import Arrival, next_arrival, next_crossed
from .messages import TradeHint
from .orders import ExpiryReason, Order, Status
from .trading import Trading
from .venue import Venue

# GTC orders end after one year (``binance-usdm.md §5.2``); looked after once a day.
_DAY_MS = 86_400_000
_YEAR_MS = 365 * _DAY_MS


class World:
    """Everybody else, and the clock."""

    def __init__(self, venue: Venue, trading: Trading, algos: AlgoService, flow: Flow) -> None:
        self._venue = venue
        self._trading = trading
        self._algos = algos
        self._flow = flow
        self._slot = venue.now_ms() // SLOT_MS
        self._day = venue.now_ms() // _DAY_MS
        self._dated: list[tuple[int, int, Account, Order]] = []
        trading.on_dated = self._watch

    def _watch(self, account: Account, order: Order) -> None:
        heapq.heappush(self._dated, (order.good_till_ms, order.sequence, account, order))

    # Time.

    def pass_time(self) -> None:
        """Let happen what is due since the last call, in the order of its moments."""
        now_ms = self._venue.now_ms()
        slot = now_ms // SLOT_MS
        slots = range(max(self._slot + 1, slot - SLOTS_MAX + 1), slot + 1)
        self._slot = slot
        if slots:
            markets = list(self._venue.markets.values())
            for market in markets:
                market.refill()
            for index in slots:
                self._end_what_is_due(index * SLOT_MS)
                for market in markets:
                    if market.tapes or market.has_resting:
                        self._let_others_trade(market, index)
        self._end_what_is_due(now_ms)

    def _end_what_is_due(self, now_ms: int) -> None:
        while self._dated and self._dated[0][0] <= now_ms:
            _, _, account, order = heapq.heappop(self._dated)
            if order.is_open:
                self._trading.end(account, order, Status.EXPIRED, ExpiryReason.NONE)
        for account in self._venue.accounts.values():
            if account.live_algo_orders:
                self._algos.expire_dated(account, now_ms)
            for symbol in [symbol for symbol, due_ms in account.countdowns.items() if due_ms <= now_ms]:
                del account.countdowns[symbol]
                self._trading.cancel_all(account, symbol)
                if self._venue.switches.countdown_cancels_algos:
                    self._algos.cancel_all(account, symbol)
        if now_ms // _DAY_MS > self._day:
            self._day = now_ms // _DAY_MS
            self._end_old_orders(now_ms)

    def _end_old_orders(self, now_ms: int) -> None:
        for account in self._venue.accounts.values():
            for order in account.orders.open_orders():
                if order.created_ms + _YEAR_MS <= now_ms:
                    self._trading.end(account, order, Status.EXPIRED, ExpiryReason.NONE)

    # Other people.

    def fill_resting(self, market: Market) -> None:
        """Fill the resting orders that the ladder has reached."""
        for side in ("BUY", "SELL"):
            while (found := next_crossed(market, side)) is not None:
                arrival, level_price = found
                market.ladders[opposite(side)].take(level_price, arrival.quantity)
                self._arrive(market, side, arrival)

    def _let_others_trade(self, market: Market, slot: int) -> None:
        market.refill()
        self.fill_resting(market)
        wish = self._flow.at(market.instrument.symbol, slot)
        if wish is None:
            return
        side = opposite(wish.taker_side)
        touch = market.ladders[side].best()
        if touch is None:
            return
        price, left = touch[0], market.first_level_quantity(wish.share)
        while left and (arrival := next_arrival(market, side, price, left, is_through=False)) is not None:
            left -= arrival.quantity
            self._arrive(market, side, arrival)
        if left:
            self._print_foreign(market, side, price, left)

    def _arrive(self, market: Market, side: str, arrival: Arrival) -> None:
        order = arrival.order
        if order is None:
            market.take(side, arrival.price, arrival.quantity)
            self._print_foreign(market, side, arrival.price, arrival.quantity)
        else:
            market.reach(order)
            hint = self._trading.fill_maker(order, market.take_trade_id(), arrival.quantity)
            self._trading.print_trade(market, hint, opposite(side))

    def _print_foreign(self, market: Market, side: str, price: Decimal, quantity: Decimal) -> None:
        if quantity > ZERO:
            hint = TradeHint(market.take_trade_id(), price, quantity, is_maker=True)
            self._trading.print_trade(market, hint, opposite(side))
