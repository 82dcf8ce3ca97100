"""What the simulated WebSocket API answers has the shape of what the real one was recorded to answer.

Each recorded answer, envelope and result, is set beside the answer to the same request in a little story here. Where
they differ on purpose, `ALLOWED` names the field and says why; § numbers are those of `binance-usdm.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.unit.simulator.desk import KEY, Desk
from tests.unit.simulator.test_ws_api import LIMIT, Line

from .scene import ABSENT, FIXTURES, entries, recorded, stem
from .shapes import Difference, differences, unexplained, unused

if not (FIXTURES / "index.json").exists():
    pytest.skip(ABSENT, allow_module_level=True)

Params = dict[str, object]

BTC: Params = {"symbol": "BTCUSDT"}
STOP: Params = {**BTC, "algoType": "CONDITIONAL", "side": "SELL", "type": "STOP_MARKET", "triggerPrice": "58000"}


# The stories: each lives through something on a socket and gives the parameters of the request in question.


def everything(_line: Line) -> Params:
    """All symbols, the whole account."""
    return {}


def one_symbol(_line: Line) -> Params:
    """One symbol."""
    return BTC


def positioned(line: Line) -> Params:
    """A position, an order that waits, and all symbols."""
    line.desk.market("BUY", "0.010")
    waiting(line)
    return {}


def in_hedge_mode(line: Line) -> Params:
    """Both legs of a symbol held."""
    line.desk.send("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    line.desk.market("BUY", "0.010", positionSide="LONG")
    line.desk.market("SELL", "0.010", positionSide="SHORT")
    return {}


def new_limit(_line: Line) -> Params:
    """An order that will wait."""
    return {**LIMIT, "timeInForce": "GTC"}


def new_market(_line: Line) -> Params:
    """An order that fills."""
    return {**BTC, "side": "BUY", "type": "MARKET", "quantity": "0.010"}


def waiting(line: Line) -> Params:
    """An order that waits."""
    placed = line.ask("order.place", **new_limit(line))["result"]
    return {**BTC, "orderId": placed["orderId"]}


def filled(line: Line) -> Params:
    """An order that has filled."""
    placed = line.ask("order.place", **new_market(line))["result"]
    return {**BTC, "orderId": placed["orderId"]}


def changed(line: Line) -> Params:
    """An order that waits, and what shall become of it."""
    return {**waiting(line), "side": "BUY", "quantity": "0.020", "price": "59100.0", "modifyId": 1}


def new_stop(line: Line) -> Params:
    """A stop for the whole position."""
    line.desk.market("BUY", "0.010")
    return {**STOP, "closePosition": "true"}


def new_target(_line: Line) -> Params:
    """A take profit at a limit, the recorded type."""
    terms: Params = {"type": "TAKE_PROFIT", "triggerPrice": "62000", "price": "62000", "quantity": "0.010"}
    return STOP | terms | {"timeInForce": "GTC"}


def new_trailing(_line: Line) -> Params:
    """A trailing order."""
    return {
        **BTC,
        "algoType": "CONDITIONAL",
        "side": "SELL",
        "type": "TRAILING_STOP_MARKET",
        "quantity": "0.010",
        "activatePrice": "62000",
        "callbackRate": "1.5",
    }


def waiting_stop(line: Line) -> Params:
    """A conditional order that waits."""
    placed = line.ask("algoOrder.place", **new_target(line))["result"]
    return {"algoId": placed["algoId"]}


def listening(line: Line) -> Params:
    """A listen key in use."""
    line.bare("userDataStream.start", apiKey=KEY)
    return {}


# The comparison.


@dataclass(frozen=True, slots=True)
class Case:
    """A recorded answer, the method that gives its like, and the stories to compare it in."""

    method: str
    stories: tuple[Callable[[Line], Params], ...]

    @property
    def payload(self) -> str:
        """Name the recorded answer."""
        return f"wsapi_{self.method.replace('.', '_').replace('/', '_')}__official_docs"


ACCOUNT = (everything, positioned, in_hedge_mode)
TICKER = (one_symbol, everything)
PUBLIC = {"ticker.price", "ticker.book"}
KEY_ALONE = {"userDataStream.start", "userDataStream.ping", "userDataStream.stop"}
CASES = [
    Case("ticker.price", TICKER),
    Case("ticker.book", TICKER),
    Case("account.balance", ACCOUNT),
    Case("account.status", ACCOUNT),
    Case("account.position", ACCOUNT),
    Case("v2/account.balance", ACCOUNT),
    Case("v2/account.status", (positioned, in_hedge_mode)),
    Case("v2/account.position", (positioned, in_hedge_mode)),
    Case("order.place", (new_limit, new_market)),
    Case("order.modify", (changed,)),
    Case("order.cancel", (waiting,)),
    Case("order.status", (waiting, filled)),
    Case("algoOrder.place", (new_stop, new_target, new_trailing)),
    Case("algoOrder.cancel", (waiting_stop,)),
    Case("userDataStream.start", (everything, listening)),
    Case("userDataStream.ping", (listening,)),
    Case("userDataStream.stop", (listening,)),
]
RUNS = [(case, story) for case in CASES for story in case.stories]

OLD_TRAILING = "of trailing orders, which the algo service took over (§3.2, §4.1)"
OF_OLD_TRAILING = {"result.activatePrice": OLD_TRAILING, "result.priceRate": OLD_TRAILING}
TRAILING = "of trailing orders; the documentation shows it at placement (§4.3)"
NOT_ON_REST = "shown by this example alone; the same answer of REST is documented without it (§3.4)"

ALLOWED: dict[str, dict[str, str]] = {
    "wsapi_account_status__official_docs": {
        "result.feeBurn": "added by this version (§3.4); the example lacks it, that of REST has it",
        "result.positions[].breakEvenPrice": NOT_ON_REST,
    },
    "wsapi_v2_account_status__official_docs": {"result.assets[].marginAvailable": NOT_ON_REST},
    "wsapi_order_modify__official_docs": {"result.pair": "added to the answers of a modify (§3.2)"},
    "wsapi_order_cancel__official_docs": OF_OLD_TRAILING,
    "wsapi_order_status__official_docs": {"rateLimits": "in every answer unless declined (§11), not in this example"}
    | OF_OLD_TRAILING,
    "wsapi_algoOrder_place__official_docs-new_trailing": {
        "result.activatePrice": TRAILING,
        "result.callbackRate": TRAILING,
    },
}
"""Per payload, or per payload and story, the fields that differ, and why."""


def compare(case: Case, story: Callable[[Line], Params]) -> list[Difference]:
    """Live through a story and compare its last answer with the recorded one."""
    line = Line(Desk())
    params = story(line)
    if case.method in PUBLIC:
        answer = line.bare(case.method, **params)
    elif case.method in KEY_ALONE:
        answer = line.bare(case.method, apiKey=KEY, **params)
    else:
        answer = line.ask(case.method, **params)
    assert answer["status"] == 200, answer
    sample: dict[str, Any] = recorded("ws", case.payload)
    if case.method in PUBLIC and not params:  # one row was recorded; without a symbol there is a list of them (§11)
        sample = sample | {"result": [sample["result"]]}
    return differences(sample, answer)


def run_name(value: object) -> str:
    """Name a case or a story for a person."""
    return value.method if isinstance(value, Case) else getattr(value, "__name__", "")


@pytest.mark.parametrize(("case", "story"), RUNS, ids=run_name)
def test_answer_has_the_recorded_shape(case: Case, story: Callable[[Line], Params]) -> None:
    """Same fields, same JSON types, envelope included."""
    allowed = ALLOWED.get(case.payload, {}) | ALLOWED.get(f"{case.payload}-{story.__name__}", {})
    problems = unexplained(compare(case, story), allowed)
    assert not problems, f"{case.payload}\n{problems}"


@pytest.mark.parametrize("name", ALLOWED)
def test_allowed_difference_is_needed(name: str) -> None:
    """An exception that explains nothing hides the next mistake."""
    found = [
        difference
        for case, story in RUNS
        if name in {case.payload, f"{case.payload}-{story.__name__}"}
        for difference in compare(case, story)
    ]
    assert found, f"{name}: no such payload or story, or no difference"
    problems = unused(found, ALLOWED[name])
    assert not problems, f"{name}\n{problems}"


def test_every_recorded_answer_is_compared() -> None:
    """All of the WebSocket API."""
    index = entries({case.payload.partition("__")[0] for case in CASES})
    names = {path.stem for path in (FIXTURES / "ws").glob("wsapi_*.json")}
    assert {stem(entry) for entry in index} == names == {case.payload for case in CASES}
