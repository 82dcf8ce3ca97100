"""What holds whatever two accounts do: the laws of the book and of the money."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from bracketeer.simulator.accounts import Account
from bracketeer.simulator.errors import ExchangeError
from bracketeer.simulator.exchange import Exchange
from bracketeer.simulator.markets import is_better
from bracketeer.simulator.messages import TradeHint
from bracketeer.simulator.modifying import Change, modify
from bracketeer.simulator.orders import Order, OrderTicket, Status
from tests.support.profiles import examples
from tests.unit.simulator.desk import KEY, SECRET, START_MS, Desk

SYMBOL = "BTCUSDT"
WALLET = Decimal(1_000_000_000)
ZERO = Decimal(0)


@dataclass(frozen=True)
class Act:
    """One thing that happens; what its numbers mean depends on the kind."""

    kind: str
    who: int
    side: str
    lots: int
    ticks: int
    time_in_force: str
    prevention: str
    reduce_only: bool
    choice: int


ACTS = st.builds(
    Act,
    kind=st.sampled_from(["limit", "limit", "limit", "market", "cancel", "modify", "price", "time"]),
    who=st.integers(0, 1),
    side=st.sampled_from(["BUY", "SELL"]),
    lots=st.sampled_from([3, 50, 200, 416, 417, 1500]),
    # Few prices, so that orders meet and stand in line: around the spread of 12 ticks and the next levels.
    ticks=st.sampled_from([-65, -60, -20, -1, 0, 5, 6, 12, 13, 30, 72]),
    time_in_force=st.sampled_from(["GTC", "GTC", "GTC", "GTC", "IOC", "FOK", "GTX"]),
    prevention=st.sampled_from(["EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", "NONE"]),
    reduce_only=st.sampled_from([False, False, True]),
    choice=st.integers(0, 5),
)
SCRIPTS = st.lists(ACTS, min_size=25, max_size=60)


class Story:
    """Two accounts on one exchange, who do what a script says."""

    def __init__(self) -> None:
        self.now_ms = START_MS
        self.exchange = Exchange(now_ms=lambda: self.now_ms, seed=5, api_key=KEY, api_secret=SECRET)
        self.accounts = [self.exchange.account, Account("another-key", "another-secret")]
        self.exchange.venue.accounts["another-key"] = self.accounts[1]
        for account in self.accounts:
            account.wallet = WALLET
        self.market = self.exchange.venue.markets[SYMBOL]

    def play(self, script: list[Act]) -> Iterator[Act]:
        """Do one act after the other, and stop after each one to be looked at; a refusal is no matter."""
        for act in script:
            with contextlib.suppress(ExchangeError):
                self._do(act)
            yield act

    def _do(self, act: Act) -> None:
        exchange, account = self.exchange, self.accounts[act.who]
        quantity, price = Decimal(act.lots) / 1000, self.market.last + Decimal(act.ticks) / 10
        open_orders = account.orders.open_orders(SYMBOL)
        chosen = open_orders[act.choice % len(open_orders)] if open_orders else None
        if act.kind == "price":
            exchange.set_price(SYMBOL, price)
        elif act.kind == "time":
            self.now_ms += act.lots * 3
            exchange.tick()
        elif act.kind == "cancel" and chosen is not None:
            exchange.trading.cancel(account, chosen)
        elif act.kind == "modify" and chosen is not None:
            modify(exchange.venue, exchange.trading, account, chosen, Change(chosen.side, price, quantity))
        elif act.kind in {"limit", "market"}:
            is_limit = act.kind == "limit"
            ticket = OrderTicket(
                SYMBOL,
                act.side,
                "LIMIT" if is_limit else "MARKET",
                quantity,
                price if is_limit else ZERO,
                time_in_force=act.time_in_force if is_limit else "GTC",
                reduce_only=act.reduce_only,
                self_trade_prevention=act.prevention,
            )
            exchange.trading.place(account, ticket)

    def all_orders(self) -> list[Order]:
        """Give every order there ever was."""
        return [order for account in self.accounts for order in account.orders.by_id.values()]


LAWS = examples(60)


@LAWS
@given(script=SCRIPTS)
def test_the_book_is_never_crossed(script: list[Act]) -> None:
    """The best bid is below the best ask, each side is in order, and no level is empty."""
    story = Story()
    for _ in story.play(script):
        bids, asks = story.market.depth("BUY", 1000), story.market.depth("SELL", 1000)
        assert bids[0][0] < asks[0][0]
        assert [price for price, _ in bids] == sorted((price for price, _ in bids), reverse=True)
        assert [price for price, _ in asks] == sorted(price for price, _ in asks)
        assert all(quantity > 0 for _, quantity in bids + asks)


@LAWS
@given(script=SCRIPTS)
def test_makers_fill_in_price_time_order(script: list[Act]) -> None:
    """When a resting order fills, no open one has a better price, or the same price and came earlier."""
    story = Story()
    trading = story.exchange.trading
    fill_maker = trading.fill_maker

    def watched(order: Order, trade_id: int, quantity: Decimal) -> TradeHint:
        for account in story.accounts:
            for other in account.orders.open_orders(SYMBOL):
                if other is order or other.side != order.side or other.sequence not in resting:
                    continue
                assert not is_better(order.side, other.price, order.price)
                assert other.price != order.price or other.sequence > order.sequence
        return fill_maker(order, trade_id, quantity)

    object.__setattr__(trading, "fill_maker", watched)
    resting: set[int] = set()
    for _ in story.play(script):
        resting = {order.sequence for account in story.accounts for order in account.orders.open_orders(SYMBOL)}


@LAWS
@given(script=SCRIPTS)
def test_money_and_positions_add_up_to_the_last_digit(script: list[Act]) -> None:
    """Wallet = profit - commission + funding and the like; position = sum of fills; order = its fills."""
    story = Story()
    for _ in story.play(script):
        for account in story.accounts:
            booked = sum((fill.realized - fill.commission for fill in account.fills), ZERO)
            other = sum((income.amount for income in account.ledger), ZERO)
            assert account.wallet - WALLET == booked + other
            signed = sum((f.quantity if f.side == "BUY" else -f.quantity for f in account.fills), ZERO)
            assert account.position(SYMBOL, "BOTH").amount == signed
            for order in account.orders.by_id.values():
                mine = [fill for fill in account.fills if fill.order_id == order.order_id]
                assert order.executed == sum((fill.quantity for fill in mine), ZERO) <= order.quantity
                assert order.quote == sum((fill.quote for fill in mine), ZERO)
            _check_sums(account)


def _check_sums(account: Account) -> None:
    """The running sums are what a walk over the open orders gives."""
    orders = account.orders.open_orders(SYMBOL)
    for side in ("BUY", "SELL"):
        key = (SYMBOL, side, "BOTH")
        mine = [order for order in orders if order.side == side]
        opening = sum((order.remaining * order.price for order in mine if not order.reduce_only), ZERO)
        reducing = sum((order.remaining for order in mine if order.reduce_only), ZERO)
        assert account.orders.opening_notional.get(key, ZERO) == opening
        assert account.orders.reducing_quantity.get(key, ZERO) == reducing


@LAWS
@given(script=SCRIPTS)
def test_reduce_only_never_increases_a_position(script: list[Act]) -> None:
    """Each of its fills makes the position smaller and never turns it; what rests fits into the position."""
    story = Story()
    for _ in story.play(script):
        for account in story.accounts:
            amount = account.position(SYMBOL, "BOTH").amount
            resting = sum((o.remaining for o in account.orders.open_orders(SYMBOL) if o.reduce_only), ZERO)
            assert resting <= abs(amount)
    for account in story.accounts:
        amount = ZERO
        for fill in account.fills:
            after = amount + (fill.quantity if fill.side == "BUY" else -fill.quantity)
            if account.orders.by_id[SYMBOL, fill.order_id].reduce_only:
                assert abs(after) < abs(amount)
                assert after * amount >= 0
            amount = after


@LAWS
@given(script=SCRIPTS)
def test_times_in_force_keep_their_promise(script: list[Act]) -> None:
    """FOK is all or nothing, IOC and MARKET never rest, post-only never takes, what is over does not change."""
    story = Story()
    over: dict[int, tuple[Status, Decimal]] = {}
    for _ in story.play(script):
        for order in story.all_orders():
            if order.time_in_force == "FOK":
                assert (order.status, order.remaining) == (Status.FILLED, ZERO)
            if order.time_in_force == "IOC" or order.order_type == "MARKET":
                assert not order.is_open
            if not order.is_open:
                assert over.setdefault(order.order_id, (order.status, order.executed)) == (order.status, order.executed)
    post_only = {order.order_id for order in story.all_orders() if order.time_in_force == "GTX"}
    fills = [fill for account in story.accounts for fill in account.fills]
    assert all(fill.is_maker for fill in fills if fill.order_id in post_only)


def _log(script: list[Act]) -> list[str]:
    """Play a script over REST and give what the user stream and the tape said, byte by byte."""
    desk = Desk(seed=9)
    desk.exchange.account.wallet = WALLET
    desk.listen()
    market = desk.exchange.venue.markets[SYMBOL]
    market.tapes.append(lambda trade: desk.raw_events.append(repr(trade)))
    for act in script:
        price = str(market.last + Decimal(act.ticks) / 10)
        quantity = str(Decimal(act.lots) / 1000)
        reduce_only = "true" if act.reduce_only else "false"
        match act.kind:
            case "limit":
                more = {"timeInForce": act.time_in_force, "selfTradePreventionMode": act.prevention}
                desk.limit(act.side, quantity, price, reduceOnly=reduce_only, **more)
            case "market":
                desk.market(act.side, quantity, reduceOnly=reduce_only)
            case "price":
                desk.price(price)
            case "time":
                desk.now_ms += act.lots * 3
                desk.exchange.tick()
            case "cancel":
                desk.send("DELETE", "/fapi/v1/allOpenOrders", symbol=SYMBOL)
            case _:
                desk.algo(act.side, "STOP_MARKET", price, quantity=quantity)
    return desk.raw_events


@examples(30)
@given(script=SCRIPTS)
@example(
    script=[Act("limit", 0, "BUY", 500, 5, "GTC", "EXPIRE_MAKER", False, 0)]
    + [Act("time", 0, "BUY", 500, 0, "GTC", "NONE", False, 0)] * 20
)
def test_the_same_script_gives_the_same_bytes(script: list[Act]) -> None:
    """Seed and script decide everything: two event logs are identical to the byte."""
    assert _log(script) == _log(script)
