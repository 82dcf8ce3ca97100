"""The WebSocket API and the streams over real sockets: sessions, lost answers, bugs, pings."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from binance.um_futures import UMFutures
from websocket import ABNF, create_connection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from bracketeer.simulator import RunningSimulator, SimulatorConfig, start_in_thread
from bracketeer.simulator.auth import sign
from tests.unit.simulator.desk import ORDER
from tests.unit.simulator.test_ws_api import LIMIT, PUBLIC_KEY, sign_ed25519, signed_text

WAIT_S = 5.0


@pytest.fixture(autouse=True)
def _clients_are_quiet() -> Iterator[None]:
    """Websocket clients tell their secrets at DEBUG; here they are strangers."""
    logging.disable(logging.DEBUG)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(name="sim")
def _sim() -> Iterator[RunningSimulator]:
    with start_in_thread(SimulatorConfig(prices="frozen")) as running:
        yield running


@pytest.fixture(name="line")
def _line(sim: RunningSimulator) -> Iterator[ClientConnection]:
    with connect(sim.ws_api_url, legacy=True) as line:
        yield line


def ask(line: ClientConnection, method: str, **params: object) -> dict[str, Any]:
    """Send a request and give the answer."""
    line.send(json.dumps({"id": 1, "method": method, "params": params}))
    answer: dict[str, Any] = json.loads(line.recv(timeout=WAIT_S))
    return answer


def signed(sim: RunningSimulator, **params: object) -> dict[str, object]:
    """Sign parameters with the secret."""
    full = {"apiKey": sim.api_key, "timestamp": _now_ms(sim), **params}
    return {**full, "signature": sign(sim.api_secret, signed_text(full))}


def _now_ms(sim: RunningSimulator) -> int:
    return sim.exchange.venue.now_ms()


def test_session_over_the_wire(sim: RunningSimulator, line: ClientConnection) -> None:
    """Log on with a registered key, trade without signing."""
    sim.set_account(ed25519PublicKey=PUBLIC_KEY)
    full = {"apiKey": sim.api_key, "timestamp": _now_ms(sim)}
    logged_on = ask(line, "session.logon", **full, signature=sign_ed25519(signed_text(full)))
    assert logged_on["result"]["apiKey"] == sim.api_key
    placed = ask(line, "order.place", **LIMIT, timeInForce="GTC", timestamp=_now_ms(sim))
    assert placed["result"]["status"] == "NEW"
    assert ask(line, "session.logout")["result"]["apiKey"] is None


def test_wrong_key_is_refused_by_the_control_plane(sim: RunningSimulator) -> None:
    """Only Ed25519 public keys can be registered."""
    with pytest.raises(ValueError, match="supported"):
        sim.set_account(ed25519PublicKey="no key")


def test_lost_answer_ends_the_socket(sim: RunningSimulator, line: ClientConnection) -> None:
    """The order is there, the answer is not: unknown, as on the venue."""
    sim.fault("reply_lost", path=ORDER)
    line.send(json.dumps({"id": 1, "method": "order.place", "params": signed(sim, **LIMIT, timeInForce="GTC")}))
    with pytest.raises(ConnectionClosed):
        line.recv(timeout=WAIT_S)
    assert len(sim.state()["openOrders"]) == 1  # type: ignore[arg-type]


def test_revoked_key_is_told_before_the_answer(sim: RunningSimulator, line: ClientConnection) -> None:
    """With an empty id (``binance-usdm.md §11``)."""
    sim.set_account(ed25519PublicKey=PUBLIC_KEY)
    full = {"apiKey": sim.api_key, "timestamp": _now_ms(sim)}
    ask(line, "session.logon", **full, signature=sign_ed25519(signed_text(full)))
    sim.exchange.venue.accounts.clear()
    told = ask(line, "session.status")
    assert (told["id"], told["error"]["code"]) == (None, -2015)
    assert json.loads(line.recv(timeout=WAIT_S))["result"]["apiKey"] is None


def test_bug_of_ours_is_a_500_and_is_said_aloud(
    sim: RunningSimulator, line: ClientConnection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The socket stays."""
    monkeypatch.setattr(sim.exchange, "handle", None)
    assert ask(line, "ticker.price", symbol="BTCUSDT")["status"] == 500
    assert "unexpected failure of a request over the WebSocket API" in caplog.text
    monkeypatch.undo()
    assert ask(line, "ticker.price", symbol="BTCUSDT")["status"] == 200


def test_handshake_is_refused_beyond_the_limit(sim: RunningSimulator) -> None:
    """It costs weight like any request."""
    sim.exchange.limits.charge_weight("127.0.0.1/ws", sim.exchange.profile.weight_limit_1m, _now_ms(sim))
    with pytest.raises(InvalidStatus):
        connect(sim.ws_api_url, legacy=True)


@pytest.mark.parametrize("path", ["/private/ws", "/ws-fapi/v1"])
def test_server_pings_and_leaves_who_does_not_answer(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every three minutes, and ten minutes of patience: here in tenths of a second (``binance-usdm.md §10.1``)."""
    monkeypatch.setattr("bracketeer.simulator.hosting._PING_INTERVAL_S", 0.1)
    monkeypatch.setattr("bracketeer.simulator.hosting._PONG_TIMEOUT_S", 0.1)
    with start_in_thread(SimulatorConfig(prices="frozen")) as sim:
        bare: Any = create_connection(sim.stream_url + path, timeout=WAIT_S)
        kinds = []
        while ABNF.OPCODE_CLOSE not in kinds:
            kinds.append(bare.recv_frame().opcode)
        bare.shutdown()
    assert kinds[0] == ABNF.OPCODE_PING


def test_public_stream_over_the_wire(sim: RunningSimulator) -> None:
    """A trade of one client is seen by another."""
    client = UMFutures(sim.api_key, sim.api_secret, base_url=sim.rest_url, timeout=WAIT_S)
    with connect(f"{sim.stream_url}/public/ws/btcusdt@trade", legacy=True) as stream:
        placed = client.new_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.010")
        trade = client.get_account_trades("BTCUSDT", orderId=placed["orderId"])[0]
        while (event := json.loads(stream.recv(timeout=WAIT_S)))["t"] != trade["id"]:
            pass
        assert (event["e"], event["p"], event["m"]) == ("trade", trade["price"], False)
    client.session.close()
