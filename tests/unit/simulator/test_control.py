"""The control plane, without sockets, and the ledger of unprotected time."""

import json
from typing import Any

import pytest

from bracketeer.simulator.control import handle_control, state
from tests.unit.simulator.desk import ALGO, SECRET, START_MS, Desk


def post(desk: Desk, path: str, body: object) -> tuple[int, Any]:
    """Send a control request."""
    answer = handle_control(desk.exchange, "POST", path, json.dumps(body).encode())
    return answer.status, json.loads(answer.body)


def test_state_shows_the_account_in_the_exchanges_own_words() -> None:
    """Positions, orders, trades, balances, requests and unprotected time."""
    desk = Desk()
    desk.market("BUY", "0.010", newClientOrderId="entry")
    desk.limit("BUY", "0.010", "59000.0")
    desk.close_all_at("SELL", "STOP_MARKET", "58000")
    shown = json.loads(handle_control(desk.exchange, "GET", "/sim/state", b"").body)
    assert shown["serverTime"] == START_MS
    assert shown["prices"]["BTCUSDT"] == "60000.00"
    assert shown["positions"][0]["positionAmt"] == "0.010"
    assert shown["openOrders"][0]["type"] == "LIMIT"
    assert shown["openAlgoOrders"][0]["orderType"] == "STOP_MARKET"
    assert shown["trades"][0]["price"] == "60001.20"
    assert shown["balances"][0]["asset"] == "USDT"
    assert shown["requests"][0] == {
        "time": START_MS,
        "method": "POST",
        "path": "/fapi/v1/order",
        "status": 200,
        "code": None,
        "params": {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "MARKET",
            "quantity": "0.010",
            "newClientOrderId": "entry",
        },
    }
    assert shown["nakedMs"] == {"BTCUSDT": {"now": 0, "worst": 0}}
    assert shown["history"] == {"requests": 3, "orders": 2, "algoOrders": 1, "trades": 1}


def test_orders_shows_those_that_ended_too() -> None:
    """Whose order traded: a trade has no client id."""
    desk = Desk()
    desk.market("BUY", "0.010", newClientOrderId="entry")
    desk.limit("BUY", "0.010", "59000.0")
    shown = json.loads(handle_control(desk.exchange, "GET", "/sim/orders", b"").body)["orders"]
    assert [(row["status"], row["executedQty"]) for row in shown] == [("FILLED", "0.010"), ("NEW", "0.000")]
    assert shown[0]["clientOrderId"] == "entry"


def test_state_keeps_secrets() -> None:
    """No secret, signature or listen key, not even one that a client sent as a parameter."""
    desk = Desk()
    key = desk.listen()
    desk.send("PUT", "/fapi/v1/listenKey", listenKey=key)
    text = json.dumps(state(desk.exchange)) + repr(desk.exchange.account)
    assert not [secret for secret in (SECRET, key, "signature") if secret in text]


def test_price_moves_fire_and_fill() -> None:
    """``/sim/price`` is the market."""
    desk = Desk()
    desk.market("BUY", "0.010")
    desk.close_all_at("SELL", "TAKE_PROFIT_MARKET", "62000")
    assert post(desk, "/sim/price", {"symbol": "BTCUSDT", "price": "62000.04"}) == (
        200,
        {"symbol": "BTCUSDT", "price": "62000.00"},
    )
    assert desk.is_flat
    assert post(desk, "/sim/price", {"symbol": "BTCUSDT", "price": 61000.5, "mark": "61001"})[0] == 200
    market = desk.exchange.venue.markets["BTCUSDT"]
    assert (str(market.last), str(market.mark)) == ("61000.50", "61001")


def test_foreign_orders_by_hand() -> None:
    """At market, resting, reduce-only, and refused like any other."""
    desk = Desk()
    assert post(desk, "/sim/order", {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"})[1]["status"] == "FILLED"
    resting = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010", "price": "59000.0", "clientOrderId": "by-hand"}
    assert post(desk, "/sim/order", resting)[1]["clientOrderId"] == "by-hand"
    closing = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.050", "reduceOnly": True}
    assert post(desk, "/sim/order", closing)[1]["origQty"] == "0.010"
    assert post(desk, "/sim/order", closing) == (400, {"code": -2022, "msg": "ReduceOnly Order is rejected."})
    assert post(desk, "/sim/order", closing | {"side": "LONG"})[1]["code"] == -1117


def test_account_clock_and_reset() -> None:
    """Hedge mode, balance, a turned clock, and everything back to the start."""
    desk = Desk()
    desk.listen()
    assert post(desk, "/sim/account", {"dualSidePosition": True, "balance": "123.45"})[1] == {
        "dualSidePosition": True,
        "balance": "123.45",
    }
    assert desk.events[0]["a"]["m"] == "ADJUSTMENT"
    assert post(desk, "/sim/account", {})[1]["dualSidePosition"] is True
    assert post(desk, "/sim/clock", {"offset_ms": -5000})[1] == {"serverTime": START_MS - 5000}
    assert post(desk, "/sim/reset", {})[1] == {"seed": 1}
    assert post(desk, "/sim/reset", {"seed": 7})[1] == {"seed": 7}
    assert state(desk.exchange)["serverTime"] == START_MS
    assert str(desk.exchange.account.wallet) == "10000.00000000"


def test_faults_are_listed_and_lifted() -> None:
    """The catalogue, what waits, and the ways to end it: by id, by name, all."""
    desk = Desk()
    first = post(desk, "/sim/fault", {"fault": "refuse", "code": -1001})[1]["id"]
    post(desk, "/sim/fault", {"fault": "delay"})
    post(desk, "/sim/fault", {"fault": "delay"})
    shown = json.loads(handle_control(desk.exchange, "GET", "/sim/faults", b"").body)
    assert {"fault", "kind", "description", "options", "times"} == set(shown["catalogue"][0])
    assert [row["fault"] for row in shown["waiting"]] == ["refuse", "delay", "delay"]
    assert post(desk, "/sim/lift", {"id": first})[1] == {"lifted": 1}
    assert post(desk, "/sim/lift", {"fault": "delay"})[1] == {"lifted": 2}
    post(desk, "/sim/fault", {"fault": "maintenance"})
    assert json.loads(handle_control(desk.exchange, "DELETE", "/sim/faults", b"").body) == {"lifted": 1}
    assert desk.exchange.faults.rows() == []


def test_clock_is_stopped_pushed_and_turned() -> None:
    """Frozen time moves by ``advance_ms`` alone; a step turns the hands; going on starts where it stood."""
    desk = Desk()
    assert post(desk, "/sim/clock", {"freeze": True, "step_ms": 500})[1] == {"serverTime": START_MS + 500}
    desk.now_ms += 10_000
    post(desk, "/sim/clock", {"freeze": True})
    assert post(desk, "/sim/clock", {"advance_ms": 1000})[1] == {"serverTime": START_MS + 1500}
    assert post(desk, "/sim/clock", {"resume": True})[1] == {"serverTime": START_MS + 1500}
    desk.now_ms += 1
    assert post(desk, "/sim/clock", {"resume": True})[1] == {"serverTime": START_MS + 1501}
    assert desk.exchange.clock.is_frozen is False


def test_advance_lets_things_happen_at_their_own_moment() -> None:
    """An hour passes at once: the listen key ends, a late event comes when it was due."""
    desk = Desk()
    desk.listen()
    post(desk, "/sim/fault", {"fault": "stream_delay", "delay_ms": 1000})
    post(desk, "/sim/account", {"balance": "5000"})
    post(desk, "/sim/clock", {"advance_ms": 3_600_000})
    assert desk.told() == ["ACCOUNT_UPDATE", "listenKeyExpired"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/sim/lift", {"fault": "meteor"}, 400),
        ("/sim/clock", {"advance_ms": -1}, 400),
        ("/sim/fault", {"fault": "price_gap"}, 400),
        ("/sim/fault", {"fault": "rules_changed", "symbol": "BTCUSDT", "tickSize": "small"}, 400),
        ("/sim/price", {"symbol": "BTCUSDT", "price": "high"}, 400),
        ("/sim/price", {"symbol": "NOPE", "price": "1"}, 400),
        ("/sim/fault", {"fault": "meteor"}, 400),
        ("/sim/fault", {"fault": "refuse", "times": "often"}, 400),
        ("/sim/price", [], 400),
        ("/sim/nothing", {}, 404),
    ],
)
def test_nonsense_is_refused(path: str, body: object, status: int) -> None:
    """With a sentence, and without harm."""
    assert post(Desk(), path, body)[0] == status


def test_controls_need_the_right_method_and_json() -> None:
    """A GET on an action and a broken body are refused."""
    desk = Desk()
    assert handle_control(desk.exchange, "GET", "/sim/price", b"").status == 404
    assert handle_control(desk.exchange, "POST", "/sim/price", b"{").status == 400
    assert handle_control(desk.exchange, "POST", "/sim/fault", b'{"fault": "stream_drop"}').status == 200


class TestNakedTime:
    """How long a position has been without a live stop, on the exchange's clock."""

    @staticmethod
    def _naked(desk: Desk) -> object:
        return desk.exchange.naked.report(desk.now_ms)["BTCUSDT"]

    def test_it_counts_until_a_stop_covers_the_position(self) -> None:
        """The gap between entry and stop is the worst so far."""
        desk = Desk()
        desk.market("BUY", "0.010")
        desk.now_ms += 70
        assert self._naked(desk) == {"now": 70, "worst": 70}
        desk.close_all_at("SELL", "TAKE_PROFIT_MARKET", "62000")
        desk.now_ms += 30
        assert self._naked(desk) == {"now": 100, "worst": 100}
        desk.close_all_at("SELL", "STOP_MARKET", "58000", clientAlgoId="sl")
        desk.now_ms += 500
        assert self._naked(desk) == {"now": 0, "worst": 100}
        desk.send("DELETE", ALGO, clientAlgoId="sl")
        desk.now_ms += 20
        assert self._naked(desk) == {"now": 20, "worst": 100}

    def test_a_stop_of_too_small_a_quantity_does_not_cover(self) -> None:
        """Several may do it together; one on the other side never does."""
        desk = Desk()
        desk.market("BUY", "0.020")
        desk.algo("SELL", "STOP_MARKET", "58000", quantity="0.010", reduceOnly="true")
        desk.algo("BUY", "STOP_MARKET", "62000", quantity="0.020")
        desk.now_ms += 10
        assert self._naked(desk) == {"now": 10, "worst": 10}
        desk.algo("SELL", "TRAILING_STOP_MARKET", quantity="0.010", callbackRate="5", reduceOnly="true")
        desk.now_ms += 10
        assert self._naked(desk) == {"now": 0, "worst": 10}

    def test_flat_is_never_naked(self) -> None:
        """Closing ends the gap."""
        desk = Desk()
        desk.market("BUY", "0.010")
        desk.now_ms += 5
        desk.market("SELL", "0.010")
        desk.now_ms += 100
        assert self._naked(desk) == {"now": 0, "worst": 5}


def test_switches_are_shown_and_turned() -> None:
    """The open points of the reference, by name; a reset keeps what was decided."""
    desk = Desk()
    shown = json.loads(handle_control(desk.exchange, "GET", "/sim/switches", b"").body)
    assert shown["reduce_only_algo_needs_position"] is False
    assert shown["trigger_multiplier"] == "5"
    assert desk.algo("SELL", "STOP_MARKET", "58000", quantity="0.010", reduceOnly="true").status == 200
    status, shown = post(desk, "/sim/switch", {"reduce_only_algo_needs_position": True, "status_503_code": -1008})
    assert (status, shown["reduce_only_algo_needs_position"], shown["status_503_code"]) == (200, True, -1008)
    for _ in range(2):
        assert desk.algo("SELL", "STOP_MARKET", "58000", quantity="0.010", reduceOnly="true").code == -2022
        desk.exchange.reset()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"warp": True}, "no such switch: warp"),
        ({"algo_query_is_blind": "maybe"}, "algo_query_is_blind cannot be maybe"),
        ({"reduce_only_conflict": "explode"}, "reduce_only_conflict cannot be explode"),
        ({"recv_window_max_ms": "soon"}, "recv_window_max_ms cannot be soon"),
        ({"trigger_multiplier": "x"}, "trigger_multiplier cannot be x"),
    ],
)
def test_switch_that_makes_no_sense_changes_nothing(change: dict[str, object], told: str) -> None:
    """Refused with the name."""
    desk = Desk()
    before = desk.exchange.switches
    status, answer = post(desk, "/sim/switch", change)
    assert status == 400
    assert told in answer["error"]
    assert desk.exchange.switches == before
