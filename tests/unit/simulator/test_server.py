"""The exchange over real sockets, with the connector the manager uses and a websocket client."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from binance.error import ClientError, ServerError
from binance.um_futures import UMFutures
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from bracketeer.simulator import RunningSimulator, SimulatorConfig, start_in_thread
from bracketeer.simulator.errors import ExchangeError
from tests.unit.simulator.desk import ALGO, ORDER, short

WAIT_S = 5.0


@pytest.fixture(autouse=True)
def _clients_are_quiet() -> Iterator[None]:
    """The bare connector and the websocket client tell their secrets at DEBUG; here they are strangers."""
    logging.disable(logging.DEBUG)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(name="sim", scope="module")
def _sim() -> Iterator[RunningSimulator]:
    with start_in_thread(SimulatorConfig(prices="frozen")) as running:
        yield running


@pytest.fixture(name="client")
def _client(sim: RunningSimulator) -> Iterator[Any]:
    sim.reset()
    client = UMFutures(sim.api_key, sim.api_secret, base_url=sim.rest_url, timeout=WAIT_S)
    yield client
    client.session.close()


def _stream(sim: RunningSimulator, client: Any) -> ClientConnection:
    key = client.new_listen_key()["listenKey"]
    return connect(f"{sim.stream_url}/private/ws/{key}", legacy=True)


def _told(stream: ClientConnection, count: int) -> list[str]:
    return [short(json.loads(stream.recv(timeout=WAIT_S))) for _ in range(count)]


def _buy(client: Any, **more: str) -> Any:
    return client.new_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.010", **more)


def _protect(client: Any, order_type: str, trigger: str) -> Any:
    params = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": order_type}
    return client.sign_request("POST", ALGO, params | {"triggerPrice": trigger, "closePosition": "true"})


def test_a_whole_bracket_over_the_wire(sim: RunningSimulator, client: Any) -> None:
    """Entry, both legs, take profit: told on the stream in order, nothing left."""
    with _stream(sim, client) as stream:
        assert _buy(client, newOrderRespType="RESULT")["status"] == "FILLED"
        assert _told(stream, 4)[-1] == "ORDER TRADE FILLED"
        _protect(client, "STOP_MARKET", "58000")
        _protect(client, "TAKE_PROFIT_MARKET", "62000")
        assert _told(stream, 2) == ["ALGO STOP_MARKET NEW", "ALGO TAKE_PROFIT_MARKET NEW"]
        shown = sim.state()
        assert {row["orderType"] for row in shown["openAlgoOrders"]} == {"STOP_MARKET", "TAKE_PROFIT_MARKET"}  # type: ignore[attr-defined]
        sim.set_price("BTCUSDT", "62000", mark="62001")
        assert _told(stream, 8)[-1] == "ALGO STOP_MARKET EXPIRED"
    shown = sim.state()
    assert (shown["positions"], shown["openAlgoOrders"], shown["openOrders"]) == ([], [], [])


def test_connector_methods_work(sim: RunningSimulator, client: Any) -> None:
    """What the connector offers and the exchange models."""
    assert client.ping() == {}
    assert abs(client.time()["serverTime"] - time.time() * 1000) < 1000
    assert len(client.exchange_info()["symbols"]) >= 20
    assert client.mark_price("BTCUSDT")["symbol"] == "BTCUSDT"
    assert client.ticker_price("BTCUSDT")["price"] == "60000.00"
    assert client.book_ticker("BTCUSDT")["bidPrice"] == "60000.00"
    assert len(client.depth("BTCUSDT", limit=5)["bids"]) == 5
    assert client.change_leverage(symbol="BTCUSDT", leverage=10)["leverage"] == 10
    assert client.change_margin_type(symbol="BTCUSDT", marginType="ISOLATED")["code"] == 200
    assert client.get_position_mode() == {"dualSidePosition": False}
    _buy(client)
    assert client.get_position_risk()[0]["positionAmt"] == "0.010"
    assert client.account()["positions"][0]["symbol"] == "BTCUSDT"
    assert client.balance()[0]["asset"] == "USDT"
    assert client.commission_rate("BTCUSDT")["makerCommissionRate"] == "0.0002"
    assert len(client.get_all_orders("BTCUSDT")) == len(client.get_account_trades("BTCUSDT")) == 1
    resting = client.new_order(
        symbol="BTCUSDT", side="BUY", type="LIMIT", quantity="0.010", price="59000.0", timeInForce="GTC"
    )
    assert client.query_order("BTCUSDT", orderId=resting["orderId"])["status"] == "NEW"
    assert client.get_open_orders("BTCUSDT", orderId=resting["orderId"])["status"] == "NEW"
    assert len(client.get_orders()) == 1
    assert client.cancel_order("BTCUSDT", orderId=resting["orderId"])["status"] == "CANCELED"
    assert client.cancel_open_orders("BTCUSDT")["code"] == 200
    key = client.new_listen_key()["listenKey"]
    assert client.renew_listen_key(key) == {"listenKey": key}
    assert client.close_listen_key(key) == {}
    assert sim.api_secret not in json.dumps(sim.state())


def test_errors_reach_the_connector_as_codes(client: Any) -> None:
    """Code, text and HTTP status arrive together."""
    with pytest.raises(ClientError) as refused:
        client.new_order(symbol="BTCUSDT", side="SELL", type="STOP_MARKET", quantity="0.010", stopPrice="58000")
    assert (refused.value.status_code, refused.value.error_code) == (400, -4120)


def test_limit_usage_headers_reach_the_connector(sim: RunningSimulator, client: Any) -> None:
    """On orders the weight and both counts."""
    client.show_limit_usage = True
    usage = _buy(client)["limit_usage"]
    assert set(usage) == {"x-mbx-used-weight-1m", "x-mbx-order-count-10s", "x-mbx-order-count-1m"}


@pytest.mark.parametrize(("fault", "trades"), [("reply_lost", 1), ("request_lost", 0)])
def test_lost_messages_cut_the_connection(sim: RunningSimulator, client: Any, fault: str, trades: int) -> None:
    """Not a byte of an answer; executed or not is for the client to find out."""
    sim.fault(fault, method="POST", path=ORDER)
    with pytest.raises(requests.ConnectionError):
        _buy(client)
    assert len(sim.state()["trades"]) == trades  # type: ignore[arg-type]
    assert client.ping() == {}


def test_lost_reply_on_a_bare_socket_is_silence(sim: RunningSimulator, client: Any) -> None:
    """The peer sees the end of the connection and nothing before it."""
    sim.fault("request_lost", path="/fapi/v1/ping")
    host, port = sim.rest_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=WAIT_S) as bare:
        bare.sendall(b"GET /fapi/v1/ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert bare.recv(1024) == b""


def test_503_keeps_its_text(sim: RunningSimulator, client: Any) -> None:
    """The text tells the kinds apart."""
    sim.fault("status_503_executed", path=ORDER)
    with pytest.raises(ServerError) as failed:
        _buy(client)
    assert "Unknown error, please check your request" in failed.value.message
    assert len(sim.state()["trades"]) == 1  # type: ignore[arg-type]


def test_delayed_answer_is_executed_at_once(sim: RunningSimulator, client: Any) -> None:
    """The stream knows before the caller does."""
    with _stream(sim, client) as stream, ThreadPoolExecutor() as pool:
        sim.fault("delay", path=ORDER, delay_ms=60_000)
        client.timeout = 0.2
        answer = pool.submit(_buy, client)
        assert _told(stream, 4)[-1] == "ORDER TRADE FILLED"
        with pytest.raises(requests.Timeout):
            answer.result()


def test_stream_drop_closes_the_sockets(sim: RunningSimulator, client: Any) -> None:
    """A client has to reconnect; its key still works."""
    with _stream(sim, client) as stream:
        sim.fault("stream_drop")
        with pytest.raises(ConnectionClosed):
            stream.recv(timeout=WAIT_S)
    with _stream(sim, client) as stream:
        _buy(client)
        assert _told(stream, 1) == ["TRADE_LITE"]


def test_subscribing_over_the_socket(sim: RunningSimulator, client: Any) -> None:
    """As the connector's own stream client does it."""
    key = client.new_listen_key()["listenKey"]
    with connect(f"{sim.stream_url}/private/stream", legacy=True) as stream:
        stream.send(json.dumps({"method": "SUBSCRIBE", "params": [key], "id": 1}))
        assert json.loads(stream.recv(timeout=WAIT_S)) == {"result": None, "id": 1}
        _buy(client)
        assert json.loads(stream.recv(timeout=WAIT_S))["stream"] == key


def test_requests_run_in_parallel_on_kept_connections(sim: RunningSimulator, client: Any) -> None:
    """Many threads, no errors, a steady pace."""

    def ask(_index: int) -> float:
        started = time.perf_counter()
        assert client.ticker_price("BTCUSDT")["symbol"] == "BTCUSDT"
        return time.perf_counter() - started

    with ThreadPoolExecutor(8) as pool:
        durations = sorted(pool.map(ask, range(200)))
    assert durations[len(durations) // 2] < 0.25


def test_control_plane_over_http(sim: RunningSimulator, client: Any) -> None:
    """For people with curl."""
    with requests.Session() as session:
        order = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"}
        placed = session.post(f"{sim.rest_url}/sim/order", json=order, timeout=WAIT_S)
        assert placed.json()["status"] == "FILLED"
        shown = session.get(f"{sim.rest_url}/sim/state", timeout=WAIT_S).json()
        assert shown["positions"][0]["positionAmt"] == "0.010"
        assert session.post(f"{sim.rest_url}/sim/nothing", timeout=WAIT_S).status_code == 404


def test_helpers_work_from_any_thread(sim: RunningSimulator, client: Any) -> None:
    """Errors of the exchange come back to the caller."""
    sim.set_account(dualSidePosition=True)
    sim.trade_by_hand("BTCUSDT", "BUY", "0.010", positionSide="LONG")
    assert client.get_position_risk()[0]["positionSide"] == "LONG"
    with pytest.raises(ExchangeError):
        sim.trade_by_hand("NOPE", "BUY", "1")
    sim.set_clock_offset(10_000)
    with pytest.raises(ClientError) as refused:
        client.balance()
    assert refused.value.error_code == -1021


def test_latency_is_split_around_the_execution() -> None:
    """An answer takes the whole of it, an event half."""
    with start_in_thread(SimulatorConfig(prices="frozen", latency_ms=40)) as sim:
        client = UMFutures(sim.api_key, sim.api_secret, base_url=sim.rest_url, timeout=WAIT_S)
        with _stream(sim, client) as stream:
            started = time.perf_counter()
            _buy(client)
            assert time.perf_counter() - started >= 0.040
            assert _told(stream, 1) == ["TRADE_LITE"]
        client.session.close()


def test_price_path_plays_at_speed_and_again_after_a_reset(tmp_path: Path) -> None:
    """The path is scaled; the clock is not."""
    script = tmp_path / "story.jsonl"
    script.write_text('{"at_ms": 60000, "symbol": "BTCUSDT", "price": "61000"}\n')
    with start_in_thread(SimulatorConfig(prices=str(script), speed=100_000)) as sim:
        for _ in range(2):
            _wait_for_price(sim, "61000.00")
            sim.reset()
        _wait_for_price(sim, "61000.00")


def _wait_for_price(sim: RunningSimulator, price: str) -> None:
    until = time.monotonic() + WAIT_S
    while sim.state()["prices"]["BTCUSDT"] != price:  # type: ignore[index]
        assert time.monotonic() < until, "the price never came"


def test_reset_interrupts_a_waiting_path(tmp_path: Path) -> None:
    """A step of the old story does not move the new market."""
    script = tmp_path / "story.jsonl"
    script.write_text('{"at_ms": 150, "symbol": "BTCUSDT", "price": "61000"}\n')
    with start_in_thread(SimulatorConfig(prices=str(script))) as sim:
        sim.reset()
        assert sim.state()["prices"]["BTCUSDT"] == "60000.00"  # type: ignore[index]
        _wait_for_price(sim, "61000.00")


@pytest.mark.parametrize(
    "options", [{"profile": "moon"}, {"speed": 0}, {"latency_ms": -1}, {"prices": "/nowhere/prices.csv"}]
)
def test_impossible_settings_are_refused_before_anything_starts(options: dict[str, Any]) -> None:
    """With an ordinary error."""
    with pytest.raises((ValueError, FileNotFoundError)):
        start_in_thread(SimulatorConfig(**options))


def test_config_does_not_show_the_secret() -> None:
    """Not even in a traceback."""
    assert "hidden" not in repr(SimulatorConfig(api_secret="hidden"))


@pytest.mark.parametrize("supplied", [True, False])
def test_process_prints_a_ready_line_and_ends_in_order(supplied: bool) -> None:
    """One JSON line; the secret only when it was made here; a signal ends it with 0, open sockets or not."""
    keys = "api_key='supplied-key-0123', api_secret='supplied-secret'" if supplied else ""
    code = f"from bracketeer.simulator import *; run(SimulatorConfig({keys}))"
    environment = os.environ | {"PYTHONPATH": "dev"}
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        ready = json.loads(process.stdout.readline())
        assert ready["ready"] is True
        assert ("api_secret" in ready) is not supplied
        with connect(f"{ready['stream']}/private/ws/none", legacy=True):
            started = time.monotonic()
            process.send_signal(signal.SIGINT if supplied else signal.SIGTERM)
            assert process.wait(timeout=WAIT_S) == 0
            assert time.monotonic() - started < 1.5
        assert process.stdout.read() == b""
        assert process.stderr.read() == b""


def test_failed_start_is_told_to_the_starter() -> None:
    """A port in use is an error at once."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            start_in_thread(SimulatorConfig(port=taken.getsockname()[1]))


def test_bug_of_ours_is_a_500_and_is_said_aloud(
    sim: RunningSimulator, client: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not a silent connection, and no query in the log."""
    monkeypatch.setattr(sim.exchange, "handle", None)
    with pytest.raises(ServerError) as failed:
        client.balance()
    assert (failed.value.status_code, '"code":-1000' in failed.value.message) == (500, True)
    assert [record.getMessage() for record in caplog.records if record.name == "bracketeer.simulator.asgi"] == [
        "unexpected failure of GET /fapi/v3/balance"
    ]


def test_slow_reader_is_cut_off(sim: RunningSimulator, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the backlog the stream ends instead of growing for ever."""
    monkeypatch.setattr("bracketeer.simulator.asgi.STREAM_BACKLOG_MAX", 0)
    with _stream(sim, client) as stream:
        _buy(client)
        with pytest.raises(ConnectionClosed):
            stream.recv(timeout=WAIT_S)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_failed_price_path_ends_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A market that stands still in silence helps nobody."""
    script = tmp_path / "story.jsonl"
    script.write_text('{"at_ms": 100, "symbol": "BTCUSDT", "price": "61000"}\n')
    running = RunningSimulator(SimulatorConfig(prices=str(script)))
    monkeypatch.setattr(running.exchange, "set_price", None)
    with running:
        running.wait(timeout_s=WAIT_S)
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{running.rest_url}/fapi/v1/ping", timeout=WAIT_S)
