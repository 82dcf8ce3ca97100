"""Envelopes of the WebSocket API against the recorded ones."""

import json

import pytest

from tests.unit.simulator.desk import Desk
from tests.unit.simulator.test_market_streams import FIXTURES
from tests.unit.simulator.test_ws_api import LIMIT, Line


@pytest.mark.parametrize(
    ("fixture", "method", "params"),
    [
        ("order_place", "order.place", {**LIMIT, "timeInForce": "GTC"}),
        ("account_balance", "account.balance", {}),
        ("v2_account_balance", "v2/account.balance", {}),
        ("account_position", "account.position", {}),
        ("v2_account_position", "v2/account.position", {}),
        ("ticker_price", "ticker.price", {"symbol": "BTCUSDT"}),
        ("ticker_book", "ticker.book", {"symbol": "BTCUSDT"}),
        ("userDataStream_start", "userDataStream.start", {}),
        ("userDataStream_stop", "userDataStream.stop", {}),
    ],
)
def test_envelopes_have_the_recorded_shape(fixture: str, method: str, params: dict[str, object]) -> None:
    """Same fields and JSON types."""
    desk = Desk()
    desk.market("BUY", "0.010")
    recorded = json.loads((FIXTURES / f"wsapi_{fixture}__official_docs.json").read_text())
    answer = Line(desk).ask(method, **params)
    assert set(answer) == set(recorded)
    ours, theirs = answer["result"], recorded["result"]
    if isinstance(theirs, list):
        ours, theirs = ours[0], theirs[0]
    assert {name: type(ours[name]) for name in theirs} == {name: type(value) for name, value in theirs.items()}
    assert {name: type(value) for name, value in answer["rateLimits"][0].items()} == {
        name: type(value) for name, value in recorded["rateLimits"][0].items()
    }
