"""Same seed, same script, same bytes."""

import random

from bracketeer.simulator.control import state
from bracketeer.simulator.prices import open_path
from bracketeer.simulator.streams import dump
from tests.unit.simulator.desk import Desk


def _run(seed: int) -> tuple[list[str], str]:
    """Play a busy story: a walk, random orders, stops, cancels."""
    desk = Desk(seed=seed)
    desk.listen()
    venue = desk.exchange.venue
    path = open_path("walk", venue.instruments, lambda symbol: venue.markets[symbol].last, random.Random(seed))
    choose = random.Random(f"{seed}/story")
    for _ in range(60):
        desk.now_ms += 1000
        for symbol, price in next(path).prices.items():
            desk.exchange.set_price(symbol, price)
        symbol = choose.choice(["BTCUSDT", "ETHUSDT"])
        side = choose.choice(["BUY", "SELL"])
        desk.market(side, "0.050", symbol=symbol)
        market = venue.markets[symbol]
        offset = market.last * choose.choice([1, -1]) / 5000
        trigger = str(market.instrument.to_tick(market.last + offset))
        desk.algo(side, choose.choice(["STOP_MARKET", "TAKE_PROFIT_MARKET"]), trigger, symbol=symbol, quantity="0.050")
        desk.limit(side, "0.050", trigger, symbol=symbol)
        if choose.random() < 0.2:
            desk.send("DELETE", "/fapi/v1/allOpenOrders", symbol=symbol)
    return desk.raw_events, dump(state(desk.exchange))


def test_two_runs_are_byte_identical() -> None:
    """Events and the final state."""
    events, final = _run(3)
    assert len(events) > 200
    assert (events, final) == _run(3)


def test_another_seed_is_another_story() -> None:
    """The seed is what makes the difference."""
    assert _run(3)[0] != _run(4)[0]
