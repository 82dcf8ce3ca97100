"""Waiting in line: resting orders stand behind other people, who trade as the clock goes."""

from decimal import Decimal

from bracketeer.simulator.markets import TradePrint
from tests.unit.simulator.desk import ORDER, START_MS, Desk


def watch(desk: Desk, symbol: str = "BTCUSDT") -> list[TradePrint]:
    """Collect every trade of a symbol."""
    seen: list[TradePrint] = []
    desk.exchange.venue.markets[symbol].tapes.append(seen.append)
    return seen


def executed(desk: Desk, client_id: str) -> Decimal:
    """Tell how much of an order is done."""
    row = desk.send("GET", ORDER, symbol="BTCUSDT", origClientOrderId=client_id).json
    return Decimal(row["executedQty"])


def wait(desk: Desk, seconds: int) -> None:
    """Let time go in small steps, as a server does."""
    for _ in range(seconds * 4):
        desk.now_ms += 250
        desk.exchange.tick()


def test_an_order_at_the_best_price_waits_behind_those_who_were_there() -> None:
    """Nothing of it fills before the 0.416 ahead have traded; then it fills in parts."""
    desk = Desk()
    desk.limit("BUY", "0.100", "60000.0", newClientOrderId="mine")
    seen = watch(desk)
    sold = Decimal(0)
    for _ in range(400):
        wait(desk, 1)
        sold = sum((trade.quantity for trade in seen if trade.taker_side == "SELL"), Decimal(0))
        done = executed(desk, "mine")
        assert done == min(max(sold - Decimal("0.416"), Decimal(0)), Decimal("0.100"))
        if done == Decimal("0.100"):
            break
    else:
        raise AssertionError("the order never filled")
    fills = desk.exchange.account.fills
    assert all(fill.is_maker and fill.price == Decimal("60000.0") for fill in fills)


def test_an_order_inside_the_spread_is_first() -> None:
    """Nobody stands before the best price of all: the first seller meets it."""
    desk = Desk()
    desk.limit("BUY", "0.500", "60000.5", newClientOrderId="mine")
    seen = watch(desk)
    wait(desk, 20)
    sold = sum((trade.quantity for trade in seen if trade.taker_side == "SELL"), Decimal(0))
    assert executed(desk, "mine") == min(sold, Decimal("0.500")) > 0


def test_a_price_that_goes_through_leaves_nobody_ahead() -> None:
    """An order the market has gone beyond fills, whoever stood before it."""
    desk = Desk()
    desk.limit("BUY", "0.100", "59994.0", newClientOrderId="mine")  # a level of the ladder
    desk.price("59990")
    assert executed(desk, "mine") == Decimal("0.100")


def test_a_price_that_only_touches_serves_those_ahead_first() -> None:
    """The ladder that comes to the very price feeds the queue from its front."""
    desk = Desk()
    desk.limit("SELL", "0.100", "60001.2", newClientOrderId="mine")  # behind 0.416
    desk.price("60001.2")  # bids at 60001.2 for 0.416
    assert executed(desk, "mine") == 0
    desk.now_ms += 250
    desk.exchange.tick()  # they bid again
    assert executed(desk, "mine") == Decimal("0.100")


def test_the_older_order_fills_first_at_one_price() -> None:
    """Time decides at the same price; the later one waits for both."""
    desk = Desk()
    for name in ("first", "second"):
        desk.limit("BUY", "0.200", "60000.5", newClientOrderId=name)
    for _ in range(400):
        wait(desk, 1)
        assert executed(desk, "second") == 0 or executed(desk, "first") == Decimal("0.200")
        if executed(desk, "second"):
            break
    else:
        raise AssertionError("the second order never filled")


def test_size_beyond_the_ladder_is_served_again_and_again() -> None:
    """A large order that the market came over fills in parts, as others offer anew."""
    desk = Desk()
    desk.exchange.account.wallet = Decimal(1_000_000)
    desk.limit("BUY", "1.000", "59500.0", newClientOrderId="big")
    desk.price("59495")
    parts = [executed(desk, "big")]
    while parts[-1] < 1:
        wait(desk, 1)
        parts.append(executed(desk, "big"))
    assert parts[0] == Decimal("0.420")
    assert len(desk.exchange.account.fills) >= 3


def test_own_trades_are_printed_too() -> None:
    """The tape shows what a taker took, with the id of the fill."""
    desk = Desk()
    seen = watch(desk)
    desk.market("BUY", "0.500")
    fills = desk.exchange.account.fills
    assert [(trade.trade_id, trade.price, trade.quantity) for trade in seen] == [
        (fill.trade_id, fill.price, fill.quantity) for fill in fills
    ]
    assert {trade.taker_side for trade in seen} == {"BUY"}


def test_other_people_trade_the_same_whoever_looks() -> None:
    """The flow depends on seed, symbol and moment alone."""
    one, other, another_seed = Desk(), Desk(), Desk(seed=2)
    wait(one, 5)  # unobserved
    other.now_ms = another_seed.now_ms = one.now_ms
    for desk in (other, another_seed):
        desk.exchange.tick()
    tapes = [watch(desk) for desk in (one, other, another_seed)]
    for desk in (one, other, another_seed):
        wait(desk, 10)
    shown = [[(trade.time_ms, trade.price, trade.quantity) for trade in tape] for tape in tapes]
    assert shown[0] == shown[1] != shown[2]
    assert len(shown[0]) > 10


def test_a_jump_of_the_clock_is_one_busy_minute_at_most() -> None:
    """A day at once prints a minute; a clock that goes back prints nothing."""
    desk = Desk()
    seen = watch(desk)
    desk.now_ms += 86_400_000
    desk.exchange.tick()
    assert 100 < len(seen) < 240
    seen.clear()
    desk.now_ms = START_MS
    desk.exchange.tick()
    assert not seen


def test_an_order_that_waits_loses_its_place_when_cancelled() -> None:
    """Taken out of the middle of a queue, it leaves the others where they were."""
    desk = Desk()
    for name in ("a", "b", "c"):
        desk.limit("BUY", "0.010", "60000.0", newClientOrderId=name)
    desk.send("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="b")
    queue = desk.exchange.venue.markets["BTCUSDT"].resting["BUY"].best()
    assert queue is not None
    assert [order.client_order_id for order in queue.orders.values()] == ["a", "c"]
    assert {queue.ahead_of(order) for order in queue.orders.values()} == {Decimal("0.416")}


def test_a_flow_trade_stops_at_the_best_price() -> None:
    """Other people do not move the market: what the best orders cannot give trades with the ladder."""
    desk = Desk()
    desk.limit("SELL", "0.001", "60001.1")
    seen = watch(desk)
    wait(desk, 30)
    assert {trade.price for trade in seen} == {Decimal("60000.0"), Decimal("60001.1"), Decimal("60001.2")}
