"""Normal orders: placing, booking executions, cancelling.

The order of events is that of ``binance-usdm.md §10.6``: TRADE_LITE, ORDER_TRADE_UPDATE (NEW), then for each fill
ACCOUNT_UPDATE and ORDER_TRADE_UPDATE (TRADE).
"""

from collections.abc import Callable
from decimal import Decimal

from .accounts import Account
from .admission import Admitted, admit, is_closing_side
from .decimals import ZERO, money
from .errors import Code, refusal
from .markets import Market, TradePrint, opposite
from .matching import MatchPlan, market_order_limit, match_taker
from .messages import TradeHint
from .orders import ExpiryReason, Fill, Order, OrderTicket, Status
from .positions import Position
from .venue import Venue


class Trading:
    """The order desk of a venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        # Who wants to hear of orders that rest until a moment.
        self.on_dated: Callable[[Account, Order], None] = lambda _account, _order: None

    def place(self, account: Account, ticket: OrderTicket, on_accepted: Callable[[Order], None] | None = None) -> Order:
        """Admit, match and book an order; a refusal leaves no trace.

        ``on_accepted`` hears of the order before the first event about it.
        """
        market = self._venue.market(ticket.symbol)
        admitted = admit(self._venue, account, ticket)
        plan = self._plan(market, ticket, admitted.quantity, account.api_key)
        code = self._impossible(ticket, admitted, plan)
        # Refused at once and not recorded (``binance-usdm.md §5.2``), or recorded and over at once: open point 17.
        if code is not None and not self._venue.switches.instant_expiry:
            raise refusal(code)
        order = self._create(account, market, ticket, admitted)
        if on_accepted is not None:
            on_accepted(order)
        hints = [] if code else self._hint(account, market, order, plan)
        self._venue.tell_order(account, order, "NEW")
        if code is not None:
            self.end(account, order, Status.EXPIRED, ExpiryReason.NONE)
            return order
        for displaced in admitted.displaced:
            self.end(account, displaced, Status.EXPIRED, ExpiryReason.REDUCE_ONLY)
        self.execute(account, market, order, plan, hints)
        return order

    @staticmethod
    def _impossible(ticket: OrderTicket, admitted: Admitted, plan: MatchPlan) -> Code | None:
        if ticket.time_in_force == "FOK" and (plan.filled < admitted.quantity or plan.self_trades):
            return Code.FOK_REFUSED
        return Code.POST_ONLY_REFUSED if ticket.time_in_force == "GTX" and not plan.touches_nothing else None

    @staticmethod
    def _plan(market: Market, wish: OrderTicket | Order, quantity: Decimal, owner: str) -> MatchPlan:
        is_market = wish.order_type != "LIMIT"
        limit = market_order_limit(market, wish.side) if is_market else wish.price
        return match_taker(market, wish.side, quantity, limit, owner, wish.self_trade_prevention)

    def _create(self, account: Account, market: Market, ticket: OrderTicket, admitted: Admitted) -> Order:
        now_ms = self._venue.now_ms()
        order = Order(
            order_id=market.take_order_id(),
            client_order_id=ticket.client_order_id or self._venue.generate_client_id(),
            symbol=ticket.symbol,
            side=ticket.side,
            order_type=ticket.order_type,
            quantity=admitted.quantity,
            price=ticket.price,
            time_in_force=ticket.time_in_force,
            position_side=ticket.position_side,
            reduce_only=admitted.reduce_only,
            close_position=ticket.close_position,
            self_trade_prevention=ticket.self_trade_prevention,
            working_type=ticket.working_type,
            price_protect=ticket.price_protect,
            price_match=ticket.price_match,
            good_till_ms=ticket.good_till_ms,
            owner=account.api_key,
            created_ms=now_ms,
            updated_ms=now_ms,
            sequence=self._venue.next_sequence(),
        )
        account.orders.add(order)
        return order

    def _hint(self, account: Account, market: Market, order: Order, plan: MatchPlan) -> list[TradeHint]:
        """Number the executions of a plan, and send TRADE_LITE for each: it comes before everything else."""
        hints = [
            TradeHint(market.take_trade_id(), execution.price, execution.quantity, is_maker=False)
            for execution in plan.executions
        ]
        for hint in hints:
            self._venue.tell_trade_hint(account, order, hint)
        return hints

    def would_take(self, order: Order, price: Decimal) -> bool:
        """Tell whether an order would take at a price."""
        best = self._venue.markets[order.symbol].best(opposite(order.side))
        return best is not None and (best <= price if order.side == "BUY" else best >= price)

    def take(self, account: Account, market: Market, order: Order) -> None:
        """Match an order that is known already, as after a change of its price."""
        plan = self._plan(market, order, order.remaining, account.api_key)
        self.execute(account, market, order, plan, self._hint(account, market, order, plan))

    def execute(self, account: Account, market: Market, order: Order, plan: MatchPlan, hints: list[TradeHint]) -> None:
        """Book a plan, then decide about the rest of the order."""
        while not plan.touches_nothing:
            for maker in plan.self_trades:
                self.end(account, maker, Status.EXPIRED_IN_MATCH, ExpiryReason.SELF_TRADE)
            for execution, hint in zip(plan.executions, hints, strict=True):
                self._execute_one(account, market, order, hint, execution.maker)
            if plan.stops_taker or not order.is_open:
                break
            # What a maker could not give after all is looked for elsewhere.
            plan = self._plan(market, order, order.remaining, account.api_key)
            hints = self._hint(account, market, order, plan)
        if order.is_open:
            self._dispose_of_rest(account, market, order, is_self_trade=plan.stops_taker)

    def _execute_one(
        self, account: Account, market: Market, order: Order, hint: TradeHint, maker: Order | None
    ) -> None:
        if maker is None:
            market.take(opposite(order.side), hint.price, hint.quantity)
        elif maker.is_open and maker.remaining >= hint.quantity:
            self.fill_maker(maker, hint.trade_id, hint.quantity)
        else:
            # An earlier fill of the same plan has cut or ended it.
            return
        self.print_trade(market, hint, order.side)
        self._fill(account, order, hint)

    def print_trade(self, market: Market, hint: TradeHint, taker_side: str) -> None:
        """Show a trade to everybody who listens."""
        if market.tapes:
            symbol, now_ms = market.instrument.symbol, self._venue.now_ms()
            market.print_trade(TradePrint(symbol, hint.trade_id, hint.price, hint.quantity, taker_side, now_ms))

    def _dispose_of_rest(self, account: Account, market: Market, order: Order, *, is_self_trade: bool) -> None:
        if is_self_trade:
            is_ioc = order.time_in_force == "IOC"
            reason = ExpiryReason.IOC_SELF_TRADE if is_ioc else ExpiryReason.SELF_TRADE
            self.end(account, order, Status.EXPIRED_IN_MATCH, reason)
        elif order.order_type != "LIMIT":
            self.end(account, order, Status.EXPIRED, ExpiryReason.MARKET_REST)
        elif order.time_in_force == "IOC":
            self.end(account, order, Status.EXPIRED, ExpiryReason.IOC_REST)
        else:
            market.rest(order)
            if order.good_till_ms:
                self.on_dated(account, order)

    def fill_maker(self, order: Order, trade_id: int, quantity: Decimal) -> TradeHint:
        """Book an execution of a resting order at its own price."""
        account = self._venue.accounts[order.owner]
        hint = TradeHint(trade_id, order.price, quantity, is_maker=True)
        self._venue.tell_trade_hint(account, order, hint)
        self._fill(account, order, hint)
        return hint

    def fill_forced(self, account: Account, order: Order, hint: TradeHint, execution_type: str) -> None:
        """Book an execution of an order nobody sent: TRADE in the book, CALCULATED past it and without commission."""
        self._fill(account, order, hint, execution_type)

    def _fill(self, account: Account, order: Order, hint: TradeHint, execution_type: str = "TRADE") -> None:
        """Book one execution: order, position, wallet, then the two events."""
        now_ms = self._venue.now_ms()
        quote = hint.price * hint.quantity
        rate = account.maker_rate if hint.is_maker else account.taker_rate
        commission = money(quote * rate) if execution_type == "TRADE" else ZERO
        leg = account.position(order.symbol, order.position_side)
        before = leg.amount
        realized = account.book_fill(leg, order.side, hint.quantity, hint.price, commission, now_ms)
        order.updated_ms = now_ms
        account.orders.execute(order, hint.price, hint.quantity)
        order.status = Status.PARTIALLY_FILLED if order.remaining else Status.FILLED
        if not order.remaining:
            self._venue.markets[order.symbol].unrest(order)
            account.orders.close(order)
        fill = Fill(
            order.symbol, hint.trade_id, order.order_id, order.side, order.position_side, hint.price, hint.quantity,
            quote, realized, commission, hint.is_maker, now_ms,
        )  # fmt: skip
        account.fills.append(fill)
        self._venue.tell_account(account, leg)
        self._venue.tell_order(account, order, execution_type, fill)
        if before and before * leg.amount <= 0:
            self._venue.flattened.append((account, leg))
        self._trim_reduce_only(account, leg)

    def _trim_reduce_only(self, account: Account, leg: Position) -> None:
        """Cut or expire resting reduce-only orders that exceed the position (``binance-usdm.md §12.3``)."""
        for side in ("BUY", "SELL"):
            bound = account.orders.reducing_quantity.get((leg.symbol, side, leg.position_side), ZERO)
            if not bound:
                continue
            allowed = abs(leg.amount) if is_closing_side(side, leg.position_side, leg.amount) else ZERO
            self._cut_reducing(account, leg, side, bound - allowed)

    def _cut_reducing(self, account: Account, leg: Position, side: str, excess: Decimal) -> None:
        """Take a quantity off the resting reduce-only orders of a leg, the newest first."""
        for order in reversed(account.orders.reducing_orders(leg.symbol, side, leg.position_side)):
            cut = min(excess, order.remaining)
            if cut <= ZERO:
                return
            excess -= cut
            if cut == order.remaining:
                self.end(account, order, Status.EXPIRED, ExpiryReason.REDUCE_ONLY)
            else:
                account.orders.cut(order, cut)
                self._venue.tell_order(account, order, "AMENDMENT")

    def find(self, account: Account, symbol: str, order_id: int | None, client_order_id: str) -> Order | None:
        """Find an order by id (which wins) or by client id, where the newest of several is taken."""
        if order_id is not None:
            return account.orders.by_id.get((symbol, order_id))
        if not self._venue.switches.client_id_finds_newest:
            known = account.orders.by_id.values()
            matches = (order for order in known if (order.symbol, order.client_order_id) == (symbol, client_order_id))
            return next(matches, None)
        open_one = account.orders.open_by_client_id.get((symbol, client_order_id))
        return open_one or account.orders.newest_by_client_id.get((symbol, client_order_id))

    def cancel(self, account: Account, order: Order) -> None:
        """Cancel an open order."""
        self.end(account, order, Status.CANCELED, ExpiryReason.NONE)

    def cancel_all(self, account: Account, symbol: str) -> None:
        """Cancel the open normal orders of a symbol; conditional ones stay (``binance-usdm.md §4.1``)."""
        for order in account.orders.open_orders(symbol):
            self.cancel(account, order)

    def end(self, account: Account, order: Order, status: Status, reason: ExpiryReason) -> None:
        """End an open order, and say so."""
        order.status = status
        order.expiry_reason = reason
        order.updated_ms = self._venue.now_ms()
        self._venue.markets[order.symbol].unrest(order)
        account.orders.close(order)
        execution_type = "CANCELED" if status is Status.CANCELED else "EXPIRED"
        self._venue.tell_order(account, order, execution_type)
