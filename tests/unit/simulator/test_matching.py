"""The book: slippage, depth, partial fills, queue order, and money that adds up."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bracketeer.simulator.accounts import Account
from bracketeer.simulator.exchange import Exchange
from bracketeer.simulator.orders import OrderTicket
from tests.support.profiles import examples
from tests.unit.simulator.desk import START_MS, Desk


def _trades(desk: Desk) -> list[tuple[str, str]]:
    rows = desk.send("GET", "/fapi/v1/userTrades", symbol="BTCUSDT").json
    return [(row["price"], row["qty"]) for row in rows]


def test_small_market_orders_pay_the_spread() -> None:
    """A buy meets the best ask, a sell the best bid."""
    desk = Desk()
    desk.market("BUY", "0.010")
    desk.market("SELL", "0.010")
    assert _trades(desk) == [("60001.20", "0.010"), ("60000.00", "0.010")]


def test_big_market_orders_walk_the_levels() -> None:
    """Size costs slippage: several fills, each at a worse price."""
    desk = Desk()
    desk.market("BUY", "2.000")
    assert _trades(desk) == [("60001.20", "0.416"), ("60007.20", "0.833"), ("60013.20", "0.751")]


def test_liquidity_is_gone_for_a_moment_after_somebody_took_it() -> None:
    """The next order walks on; a moment later, or at the next price, others offer again."""
    desk = Desk()
    desk.market("BUY", "0.416")
    desk.market("BUY", "0.416")
    desk.now_ms += 250
    desk.market("BUY", "0.416")
    desk.price("60000")
    desk.market("BUY", "0.416")
    assert [price for price, _ in _trades(desk)] == ["60001.20", "60007.20", "60001.20", "60001.20"]


def test_market_order_stops_at_the_take_bound() -> None:
    """Beyond marketTakeBound of the mark the rest expires with reason 9 (``binance-usdm.md §3.1.1``)."""
    desk = Desk()
    desk.listen()
    desk.price("60000", mark="57150")  # 5 % above this mark lies 60007.50
    reply = desk.market("BUY", "2.000", newOrderRespType="RESULT")
    assert (reply.json["status"], reply.json["executedQty"]) == ("EXPIRED", "1.249")
    assert desk.events[-1]["o"]["er"] == "9"


def test_depth_and_ticker_show_the_ladder_and_resting_orders() -> None:
    """A better resting order is the new best price; the book is never crossed."""
    desk = Desk()
    desk.limit("BUY", "0.010", "60001.0")
    ticker = desk.public("/fapi/v1/ticker/bookTicker", "symbol=BTCUSDT").json
    assert (
        ticker["bidPrice"],
        str(Decimal(ticker["bidQty"]).normalize()),
        ticker["askPrice"],
    ) == ("60001.00", "0.01", "60001.20")
    depth = desk.public("/fapi/v1/depth", "symbol=BTCUSDT&limit=5").json
    assert len(depth["bids"]) == len(depth["asks"]) == 5
    assert Decimal(depth["bids"][0][0]) < Decimal(depth["asks"][0][0])
    assert desk.public("/fapi/v1/depth", "symbol=BTCUSDT&limit=7").code == -1130


def test_large_resting_order_fills_in_parts_and_hides_what_it_took() -> None:
    """The ladder that reaches it is not endless; what is left stays the best price."""
    desk = Desk()
    desk.limit("BUY", "1.000", "59500.0", newClientOrderId="big")
    desk.price("59495")  # its first level asks 59496.2, the second 59502.1
    row = desk.send("GET", "/fapi/v1/openOrder", symbol="BTCUSDT", origClientOrderId="big").json
    assert (row["status"], row["executedQty"]) == ("PARTIALLY_FILLED", "0.420")
    depth = desk.public("/fapi/v1/depth", "symbol=BTCUSDT&limit=5").json
    assert (depth["bids"][0][0], Decimal(depth["asks"][0][0]) > Decimal("59500")) == ("59500.00", True)


def test_own_orders_do_not_trade_with_each_other() -> None:
    """Self-trade prevention expires the maker (``binance-usdm.md §5.5``)."""
    desk = Desk()
    desk.listen()
    desk.limit("BUY", "0.010", "60001.0")
    desk.told()
    desk.market("SELL", "0.010")
    assert desk.told()[:4] == ["TRADE_LITE", "ORDER NEW NEW", "ORDER EXPIRED EXPIRED_IN_MATCH", "ACCOUNT_UPDATE"]


def _second_account(exchange: Exchange) -> Account:
    other = Account("another-key", "another-secret")
    exchange.venue.accounts[other.api_key] = other
    return other


def test_two_accounts_trade_in_price_time_priority() -> None:
    """The better price first, at the same price the older order."""
    desk = Desk()
    other = _second_account(desk.exchange)
    for price, name in (("60000.4", "late"), ("60000.5", "best"), ("60000.4", "later")):
        ticket = OrderTicket("BTCUSDT", "BUY", "LIMIT", Decimal("0.010"), Decimal(price), client_order_id=name)
        desk.exchange.trading.place(other, ticket)
    desk.market("SELL", "0.025")
    statuses = {order.client_order_id: order.status.value for order in other.orders.by_id.values()}
    assert statuses == {"best": "FILLED", "late": "FILLED", "later": "PARTIALLY_FILLED"}
    assert [fill.price for fill in desk.exchange.account.fills] == [fill.price for fill in other.fills]


def test_resting_orders_behind_the_ladder_are_reached_last() -> None:
    """A resting order worse than every level of the ladder still counts as liquidity."""
    desk = Desk()
    other = _second_account(desk.exchange)
    ticket = OrderTicket("BTCUSDT", "SELL", "LIMIT", Decimal("0.010"), Decimal("61000.0"))
    desk.exchange.trading.place(other, ticket)
    desk.exchange.account.wallet = Decimal(100_000_000)
    desk.market("BUY", "115.000")
    assert desk.exchange.account.fills[-1].price == Decimal("61000.0")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["BUY", "SELL"]),
        st.integers(min_value=1, max_value=3000),
        st.integers(min_value=550_000, max_value=650_000),
    ),
    min_size=1,
    max_size=12,
)


@examples(60)
@given(steps=STEPS)
def test_wallet_changes_are_profit_minus_commission_to_the_last_digit(steps: list[tuple[str, int, int]]) -> None:
    """Whatever is traded, the wallet adds up, and a flat account has gained exactly its cash flow."""
    exchange = Exchange(now_ms=lambda: START_MS)
    account = exchange.account
    account.wallet = start = Decimal(1_000_000_000)
    account.settings_of("BTCUSDT").leverage = 1
    for side, lots, decimal_price in steps:
        exchange.set_price("BTCUSDT", Decimal(decimal_price) / 10)
        exchange.trade_by_hand("BTCUSDT", side, Decimal(lots) / 1000)
    leg = account.position("BTCUSDT", "BOTH")
    booked = sum((fill.realized - fill.commission for fill in account.fills), Decimal(0))
    assert account.wallet - start == booked
    signed = [(fill.quantity if fill.side == "BUY" else -fill.quantity, fill.quote) for fill in account.fills]
    assert sum((amount for amount, _ in signed), Decimal(0)) == leg.amount
    if leg.amount:
        exchange.trade_by_hand("BTCUSDT", "SELL" if leg.amount > 0 else "BUY", abs(leg.amount))
    cash = sum((fill.quote if fill.side == "SELL" else -fill.quote for fill in account.fills), Decimal(0))
    fees = sum((fill.commission for fill in account.fills), Decimal(0))
    assert account.wallet - start == cash - fees
    assert not any((leg.amount, leg.cost, leg.commission))


@pytest.mark.parametrize(
    ("trades", "amount", "entry"),
    [
        ([("BUY", "0.010", "60000"), ("BUY", "0.010", "61000")], "0.020", "60501.21"),
        ([("BUY", "0.020", "60000"), ("SELL", "0.010", "61000")], "0.010", "60001.2"),
        ([("SELL", "0.010", "60000"), ("BUY", "0.030", "61000")], "0.020", "61001.2"),
    ],
)
def test_entry_price_is_the_average_of_what_opened(trades: list[tuple[str, str, str]], amount: str, entry: str) -> None:
    """Adding averages, reducing keeps, flipping starts anew."""
    desk = Desk()
    for side, quantity, price in trades:
        desk.price(price)
        desk.market(side, quantity)
    row = desk.send("GET", "/fapi/v3/positionRisk", symbol="BTCUSDT").json[0]
    assert amount == row["positionAmt"]
    assert Decimal(row["entryPrice"]).quantize(Decimal("0.1")) == Decimal(entry).quantize(Decimal("0.1"))


def test_symbols_with_tiny_prices_have_a_ladder_above_zero() -> None:
    """Levels below the smallest price are left out."""
    desk = Desk()
    desk.price("0.0000001", symbol="1000PEPEUSDT")
    depth = desk.public("/fapi/v1/depth", "symbol=1000PEPEUSDT&limit=50").json
    assert (len(depth["bids"]), len(depth["asks"])) == (1, 20)
