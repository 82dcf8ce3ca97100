"""The algo service: conditional orders, their triggers and their end (``binance-usdm.md §4``)."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from .accounts import Account
from .admission import check_position_side, is_closing_side
from .decimals import ZERO
from .errors import Code, ExchangeError, refusal
from .markets import Market
from .orders import (
    LIMIT_ON_TRIGGER_TYPES,
    TAKE_PROFIT_TYPES,
    AlgoOrder,
    AlgoStatus,
    Order,
    OrderTicket,
)
from .price_match import NO_MATCH, matched_price
from .trading import Trading
from .venue import Venue

# Waiting conditional orders per account, over all symbols (``binance-usdm.md §4.7``).
ALGO_ORDERS_MAX = 200
_PERCENT = Decimal(100)

Settle = Callable[[], None]


@dataclass(slots=True)
class AlgoTicket:
    """A wish for a conditional order, its numbers within the filters."""

    symbol: str
    side: str
    order_type: str
    position_side: str
    quantity: Decimal
    price: Decimal
    trigger_price: Decimal
    time_in_force: str
    working_type: str
    price_protect: bool
    close_position: bool
    reduce_only: bool
    self_trade_prevention: str
    activate_price: Decimal
    callback_rate: Decimal
    client_algo_id: str
    price_match: str = "NONE"
    good_till_ms: int = 0


def reached(side: str, order_type: str, price: Decimal, trigger_price: Decimal) -> bool:
    """Tell whether a price fires a trigger: stops against the position, take profits with it (``§4.5``)."""
    fires_above = (side == "BUY") is not (order_type in TAKE_PROFIT_TYPES)
    return price >= trigger_price if fires_above else price <= trigger_price


class AlgoService:
    """Conditional orders of all accounts."""

    def __init__(self, venue: Venue, trading: Trading) -> None:
        self._venue = venue
        self._trading = trading
        # Fired orders whose normal order is still open: a STOP that became a resting LIMIT.
        self._awaiting_end: list[tuple[Account, AlgoOrder]] = []
        # Asked before a fired order enters the book; a fault raises its refusal here.
        self.before_entry: Callable[[AlgoOrder], None] = lambda _algo: None

    def place(self, account: Account, ticket: AlgoTicket) -> AlgoOrder:
        """Store a conditional order. Margin is not checked before it fires (``§4.1``)."""
        market = self._venue.market(ticket.symbol)
        self._admit(account, market, ticket)
        now_ms = self._venue.now_ms()
        algo = AlgoOrder(
            algo_id=self._venue.next_algo_id(),
            client_algo_id=ticket.client_algo_id or self._venue.generate_client_id(),
            symbol=ticket.symbol,
            side=ticket.side,
            order_type=ticket.order_type,
            position_side=ticket.position_side,
            quantity=ticket.quantity,
            price=ticket.price,
            trigger_price=ticket.trigger_price,
            time_in_force=ticket.time_in_force,
            working_type=ticket.working_type,
            price_protect=ticket.price_protect,
            close_position=ticket.close_position,
            reduce_only=ticket.reduce_only,
            self_trade_prevention=ticket.self_trade_prevention,
            activate_price=ticket.activate_price,
            callback_rate=ticket.callback_rate,
            owner=account.api_key,
            created_ms=now_ms,
            updated_ms=now_ms,
            price_match=ticket.price_match,
            good_till_ms=ticket.good_till_ms,
        )
        account.algo_orders[algo.algo_id] = algo
        account.live_algo_orders[algo.algo_id] = algo
        self._venue.tell_algo(account, algo)
        if algo.order_type == "TRAILING_STOP_MARKET":
            self._trail(account, algo, market.watched_price(algo.working_type))
        return algo

    def _admit(self, account: Account, market: Market, ticket: AlgoTicket) -> None:
        check_position_side(account, ticket.position_side)
        if any(algo.client_algo_id == ticket.client_algo_id for algo in account.live_algos()):
            raise refusal(Code.DUPLICATE_CLIENT_ID)
        if len(account.live_algo_orders) >= ALGO_ORDERS_MAX:
            raise refusal(Code.MAX_ALGO_ORDERS)
        if ticket.close_position or ticket.time_in_force == "GTE_GTC":
            self._admit_with_position(account, ticket)
        elif ticket.reduce_only and self._venue.switches.reduce_only_algo_needs_position:
            self._admit_reducing(account, ticket)
        price = market.watched_price(ticket.working_type)
        if ticket.order_type != "TRAILING_STOP_MARKET":
            if reached(ticket.side, ticket.order_type, price, ticket.trigger_price):
                raise refusal(Code.WOULD_TRIGGER)
        elif ticket.activate_price:
            is_beyond = ticket.activate_price < price if ticket.side == "BUY" else ticket.activate_price > price
            if not is_beyond:
                raise refusal(Code.WOULD_TRIGGER)
        else:
            ticket.activate_price = price

    def _admit_with_position(self, account: Account, ticket: AlgoTicket) -> None:
        """Check the rules of orders that live and die with the position (``§4.6``)."""
        leg = account.position(ticket.symbol, ticket.position_side)
        if not leg.amount or not is_closing_side(ticket.side, ticket.position_side, leg.amount):
            raise refusal(Code.GTE_WITHOUT_POSITION)
        is_stop = ticket.order_type not in TAKE_PROFIT_TYPES
        for algo in account.live_algos(ticket.symbol):
            scope = (algo.side, algo.position_side, algo.is_stop_kind)
            if algo.close_position and ticket.close_position and scope == (ticket.side, ticket.position_side, is_stop):
                raise refusal(Code.CLOSE_POSITION_EXISTS)

    def _admit_reducing(self, account: Account, ticket: AlgoTicket) -> None:
        """Refuse what has nothing to reduce now, though it could later."""
        leg = account.position(ticket.symbol, ticket.position_side)
        if not leg.amount or not is_closing_side(ticket.side, ticket.position_side, leg.amount):
            raise refusal(Code.REDUCE_ONLY)

    def find(self, account: Account, algo_id: int | None, client_algo_id: str) -> AlgoOrder:
        """Find a conditional order, by id or the newest by client id; an unknown one is -2013."""
        if algo_id is not None:
            found = account.algo_orders.get(algo_id)
        else:
            matches = [algo for algo in account.algo_orders.values() if algo.client_algo_id == client_algo_id]
            found = next((algo for algo in matches if algo.is_live), matches[-1] if matches else None)
        if found is None:
            raise refusal(Code.NO_SUCH_ORDER)
        return found

    def cancel(self, account: Account, algo: AlgoOrder) -> None:
        """Cancel a waiting conditional order; one that is over is -2011 (``§4.7``)."""
        if not algo.is_live:
            raise refusal(Code.CANCEL_REJECTED)
        self._end(account, algo, AlgoStatus.CANCELED)

    def end_by_venue(self, account: Account, algo: AlgoOrder, status: AlgoStatus) -> None:
        """End a waiting conditional order nobody asked to end: the venue does that now and then."""
        self._end(account, algo, status)

    def cancel_all(self, account: Account, symbol: str) -> None:
        """Cancel the waiting conditional orders of a symbol."""
        for algo in account.live_algos(symbol):
            self.cancel(account, algo)

    def evaluate(self, market: Market, settle: Settle) -> None:
        """Fire what the present prices reach: account by account, oldest order first.

        ``settle`` runs after each one, so that what died with the position cannot fire any more.
        """
        symbol = market.instrument.symbol
        for account in list(self._venue.accounts.values()):
            for algo in account.live_algos(symbol):
                if algo.is_live and self._fires(account, algo, market):
                    self._trigger(account, algo)
                    settle()

    def _fires(self, account: Account, algo: AlgoOrder, market: Market) -> bool:
        price = market.watched_price(algo.working_type)
        if algo.order_type == "TRAILING_STOP_MARKET":
            is_reached = self._trail(account, algo, price)
        else:
            is_reached = reached(algo.side, algo.order_type, price, algo.trigger_price)
        return is_reached and not (algo.price_protect and self._is_gap_too_wide(market))

    @staticmethod
    def _is_gap_too_wide(market: Market) -> bool:
        return abs(market.mark - market.last) / market.mark > market.instrument.trigger_protect

    def _trail(self, account: Account, algo: AlgoOrder, price: Decimal) -> bool:
        """Follow the price with a trailing order; tell whether it turned back far enough (``§4.5``)."""
        is_buy = algo.side == "BUY"
        if not algo.is_activated:
            if price > algo.activate_price if is_buy else price < algo.activate_price:
                return False
            algo.is_activated = True
            algo.extreme = price
            algo.updated_ms = self._venue.now_ms()
            self._venue.tell_algo(account, algo)
        algo.extreme = min(algo.extreme, price) if is_buy else max(algo.extreme, price)
        rate = algo.callback_rate / _PERCENT
        return price >= algo.extreme * (1 + rate) if is_buy else price <= algo.extreme * (1 - rate)

    def _trigger(self, account: Account, algo: AlgoOrder) -> None:
        """Hand a fired order to the desk as a normal order with the same client id (``§4.5``)."""
        now_ms = self._venue.now_ms()
        algo.trigger_ms = now_ms
        del account.live_algo_orders[algo.algo_id]
        self._enter(account, algo, AlgoStatus.TRIGGERING)
        try:
            self.before_entry(algo)
            ticket = self._ticket(account, algo)
            self._trading.place(account, ticket, lambda order: self._accepted(account, algo, order))
        except ExchangeError as error:
            algo.reject_reason = "Reduce Only reject" if error.code == Code.REDUCE_ONLY else error.text
            self._enter(account, algo, AlgoStatus.REJECTED)
            return
        self._awaiting_end.append((account, algo))
        self._finish_ended()

    def _ticket(self, account: Account, algo: AlgoOrder) -> OrderTicket:
        is_limit = algo.order_type in LIMIT_ON_TRIGGER_TYPES
        quantity = algo.quantity
        if algo.close_position:
            # How much "all of it" is gets decided now (``§4.6``).
            quantity = abs(account.position(algo.symbol, algo.position_side).amount)
        price = algo.price if is_limit else ZERO
        if algo.price_match != NO_MATCH:
            price = matched_price(self._venue.market(algo.symbol), algo.side, algo.price_match)
        # Times in force are for limit orders; the GTE part has done its work.
        time_in_force = "GTC" if algo.time_in_force == "GTE_GTC" or not is_limit else algo.time_in_force
        return OrderTicket(
            symbol=algo.symbol,
            side=algo.side,
            order_type="LIMIT" if is_limit else "MARKET",
            quantity=quantity,
            price=price,
            time_in_force=time_in_force,
            price_match=algo.price_match,
            good_till_ms=algo.good_till_ms if is_limit else 0,
            position_side=algo.position_side,
            reduce_only=algo.reduce_only or algo.close_position,
            close_position=algo.close_position,
            client_order_id=algo.client_algo_id,
            self_trade_prevention=algo.self_trade_prevention,
            working_type=algo.working_type,
            price_protect=algo.price_protect,
        )

    def _accepted(self, account: Account, algo: AlgoOrder, order: Order) -> None:
        algo.order = order
        self._enter(account, algo, AlgoStatus.TRIGGERED)

    def expire_dated(self, account: Account, now_ms: int) -> None:
        """End the waiting orders whose date has come."""
        for algo in account.live_algos():
            if algo.good_till_ms and algo.good_till_ms <= now_ms:
                self._end(account, algo, AlgoStatus.EXPIRED)

    def settle(self) -> None:
        """Do what follows from executions: finish fired orders, expire what died with a position (``§4.4, §4.6``)."""
        self._finish_ended()
        flattened, self._venue.flattened = self._venue.flattened, []
        for account, leg in flattened:
            for algo in account.live_algos(leg.symbol):
                belongs = algo.position_side == leg.position_side and algo.expires_with_position
                still_closes = leg.amount and is_closing_side(algo.side, leg.position_side, leg.amount)
                if belongs and not still_closes:
                    self._end(account, algo, AlgoStatus.EXPIRED)

    def _finish_ended(self) -> None:
        """Turn fired orders to FINISHED once their normal order is over."""
        for account, algo in list(self._awaiting_end):
            if algo.order is not None and not algo.order.is_open:
                self._awaiting_end.remove((account, algo))
                self._enter(account, algo, AlgoStatus.FINISHED)

    def _end(self, account: Account, algo: AlgoOrder, status: AlgoStatus) -> None:
        del account.live_algo_orders[algo.algo_id]
        self._enter(account, algo, status)

    def _enter(self, account: Account, algo: AlgoOrder, status: AlgoStatus) -> None:
        algo.status = status
        algo.updated_ms = self._venue.now_ms()
        self._venue.tell_algo(account, algo)
