"""All faults at once, at random: the exchange always answers, and its own books stay whole."""

import json
import random

import pytest

from bracketeer.simulator.control import handle_control
from bracketeer.simulator.exchange import HttpAnswer
from bracketeer.simulator.faults import FaultName
from tests.unit.simulator.desk import ALGO, ORDER, Desk

SYMBOL = "BTCUSDT"
READS = ("/fapi/v3/positionRisk", "/fapi/v3/account", "/fapi/v1/openOrders", "/fapi/v1/openAlgoOrders")

OPTIONS: dict[str, list[object]] = {
    "symbol": [SYMBOL],
    "percent": ["1", "10", "-3", "50"],
    "delay_ms": [-5000, 0, 100, 6000],
    "times": [1, 2, -1],
    "stepSize": ["0.01"],
}


class Storm:
    """A desk in bad weather."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)
        self.desk = Desk(seed=seed)
        self.desk.listen()

    def control(self, path: str, **body: object) -> HttpAnswer:
        return handle_control(self.desk.exchange, "POST", path, json.dumps(body).encode())

    def near(self) -> str:
        last = self.desk.exchange.venue.markets[SYMBOL].last
        return str(int(last) + self.choose.randint(-300, 300))

    def fault(self) -> None:
        options: dict[str, object] = {"fault": self.choose.choice(list(FaultName)).value}
        for name, values in OPTIONS.items():
            if self.choose.random() < 0.4:
                options[name] = self.choose.choice(values)
        self.control("/sim/fault", **options)

    def order(self) -> None:
        side = self.choose.choice(["BUY", "SELL"])
        kind: dict[str, str] = self.choose.choice(
            [{"type": "MARKET"}, {"type": "LIMIT", "timeInForce": "GTC", "price": self.near()}]
        )
        self.desk.raw("POST", ORDER, symbol=SYMBOL, side=side, quantity="0.010", **kind)

    def stop(self) -> None:
        fields = {"algoType": "CONDITIONAL", "symbol": SYMBOL, "type": "STOP_MARKET", "quantity": "0.010"}
        self.desk.raw("POST", ALGO, side=self.choose.choice(["BUY", "SELL"]), triggerPrice=self.near(), **fields)

    def read(self) -> None:
        self.desk.raw("GET", self.choose.choice(READS))
        for path in ("/sim/state", f"/sim/view/{SYMBOL}"):
            assert handle_control(self.desk.exchange, "GET", path, b"").status == 200

    def move(self) -> None:
        self.desk.price(self.near())

    def pass_time(self) -> None:
        self.desk.exchange.advance(self.choose.randint(0, 5000))

    def lift(self) -> None:
        self.control("/sim/lift")


@pytest.mark.parametrize("seed", range(12))
def test_no_mixture_of_faults_breaks_the_exchange(seed: int) -> None:
    """Position = sum of fills after any story; lifting everything brings good weather back."""
    storm = Storm(seed)
    steps = [storm.fault, storm.fault, storm.order, storm.order, storm.stop, storm.read, storm.move, storm.pass_time]
    for _ in range(120):
        storm.choose.choice([*steps, storm.lift])()
        storm.desk.now_ms += storm.choose.choice([0, 1, 50, 700, 5000])
        storm.desk.exchange.tick()
    storm.lift()
    account = storm.desk.exchange.account
    bought = sum(fill.quantity if fill.side == "BUY" else -fill.quantity for fill in account.fills)
    assert storm.desk.amount() == bought
    storm.desk.exchange.clock.reset()
    assert storm.desk.public("/fapi/v1/ping").status == 200
