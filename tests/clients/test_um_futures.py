"""The old official connector (``binance-futures-connector``) with its own websocket client: a whole story."""

import json
import queue
from collections.abc import Iterator
from typing import Any

import pytest

from bracketeer.simulator import RunningSimulator
from tests.clients.conftest import WAIT_S

pytest.importorskip("binance.um_futures", reason="binance-futures-connector is not installed")

from binance.error import ClientError
from binance.um_futures import UMFutures
from binance.websocket.um_futures.websocket_client import UMFuturesWebsocketClient

SYMBOL = "BTCUSDT"


@pytest.fixture(name="client")
def _client(fresh: RunningSimulator) -> Iterator[Any]:
    client = UMFutures(fresh.api_key, fresh.api_secret, base_url=fresh.rest_url, timeout=WAIT_S)
    yield client
    client.session.close()


class Stream:
    """The connector's websocket client, with what it heard in a queue."""

    def __init__(self, url: str, *, is_combined: bool = False) -> None:
        self.heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self._is_over = False
        self.client = UMFuturesWebsocketClient(
            stream_url=url, on_message=self._hear, on_error=self._fail, is_combined=is_combined
        )

    def _hear(self, _client: object, text: str) -> None:
        self.heard.put(json.loads(text))

    def _fail(self, _client: object, error: Exception) -> None:
        if not self._is_over:
            self.heard.put({"error": repr(error)})

    def next(self) -> dict[str, Any]:
        """Give the next message."""
        return self.heard.get(timeout=WAIT_S)

    def until(self, kind: str) -> dict[str, Any]:
        """Give the next event of a kind."""
        while (message := self.next()).get("e") != kind:
            assert "error" not in message
        return message

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self.client.stop()
        # Stopping says goodbye and leaves the socket open.
        self.client.socket_manager.ws.shutdown()


def test_trading_story(fresh: RunningSimulator, client: Any) -> None:
    """Markets, balance, leverage, entry, protection, trailing, cancel, exit; the user stream tells all of it."""
    assert any(row["symbol"] == SYMBOL for row in client.exchange_info()["symbols"])
    assert client.balance()[0]["availableBalance"] == "10000.00000000"
    assert client.change_leverage(symbol=SYMBOL, leverage=10)["leverage"] == 10
    key = client.new_listen_key()["listenKey"]
    with Stream(f"{fresh.stream_url}/private") as stream:
        stream.client.user_data(listen_key=key, id=7)
        assert stream.next() == {"result": None, "id": 7}
        entry = client.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.010", newOrderRespType="RESULT")
        assert entry["status"] == "FILLED"
        kinds = [stream.next()["e"] for _ in range(4)]
        assert kinds == ["TRADE_LITE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]
        limit = client.new_order(
            symbol=SYMBOL, side="BUY", type="LIMIT", quantity="0.010", price="59000", timeInForce="GTC"
        )
        assert [row["orderId"] for row in client.get_orders(symbol=SYMBOL)] == [limit["orderId"]]
        assert client.cancel_order(SYMBOL, orderId=limit["orderId"])["status"] == "CANCELED"
        for order_type, more in (
            ("STOP_MARKET", {"triggerPrice": "58000", "closePosition": "true"}),
            ("TAKE_PROFIT_MARKET", {"triggerPrice": "62000", "closePosition": "true"}),
            ("TRAILING_STOP_MARKET", {"callbackRate": "1", "quantity": "0.010", "reduceOnly": "true"}),
        ):
            params = {"algoType": "CONDITIONAL", "symbol": SYMBOL, "side": "SELL", "type": order_type, **more}
            placed = client.sign_request("POST", "/fapi/v1/algoOrder", params)
            assert placed["algoStatus"] == "NEW"
            assert stream.until("ALGO_UPDATE")["o"]["o"] == order_type
        waiting = client.sign_request("GET", "/fapi/v1/openAlgoOrders", {"symbol": SYMBOL})
        assert len(waiting) == 3
        canceled = client.sign_request("DELETE", "/fapi/v1/algoOrder", {"algoId": waiting[-1]["algoId"]})
        assert canceled["code"] == "200"
        assert [row["positionAmt"] for row in client.get_position_risk(symbol=SYMBOL)] == ["0.010"]
        fresh.set_price(SYMBOL, "57900")
        while stream.until("ALGO_UPDATE")["o"]["X"] != "FINISHED":
            pass
        assert client.get_position_risk(symbol=SYMBOL) == []
        assert len(client.get_account_trades(symbol=SYMBOL)) == 2
        assert client.get_income_history(symbol=SYMBOL)


def test_market_data_story(fresh: RunningSimulator, client: Any) -> None:
    """Every public call the connector has and the exchange models, and the routed streams."""
    with Stream(f"{fresh.stream_url}/public") as public, Stream(f"{fresh.stream_url}/market") as market:
        public.client.book_ticker(symbol=SYMBOL, id=1)
        public.client.partial_book_depth(symbol=SYMBOL, level=5, speed=100, id=2)
        market.client.agg_trade(symbol=SYMBOL, id=1)
        market.client.kline(symbol=SYMBOL, interval="1m", id=2)
        market.client.mark_price(symbol=SYMBOL, speed=1, id=3)
        for kind in ("bookTicker", "depthUpdate"):
            assert public.until(kind)["s"] == SYMBOL
        client.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.010")
        for kind in ("aggTrade", "kline", "markPriceUpdate"):
            assert market.until(kind)["s"] == SYMBOL
        market.client.list_subscribe(id=9)
        while "result" not in (listed := market.next()) or listed["id"] != 9:
            pass
        assert len(listed["result"]) == 3
    assert len(client.klines(SYMBOL, "1m", limit=3)) == 3
    assert len(client.continuous_klines(SYMBOL, "PERPETUAL", "5m", limit=2)) == 2
    assert len(client.mark_price_klines(SYMBOL, "1h", limit=2)) == 2
    assert len(client.index_price_klines(SYMBOL, "1d", limit=2)) == 2
    assert client.trades(SYMBOL)
    assert client.historical_trades(SYMBOL)
    assert client.agg_trades(SYMBOL)
    assert client.ticker_24hr_price_change(SYMBOL)["lastPrice"]
    assert client.funding_rate(SYMBOL, limit=3)
    assert client.open_interest(SYMBOL)["symbol"] == SYMBOL
    assert client.depth(SYMBOL, limit=5)["bids"]


def test_unrouted_path_is_deaf(fresh: RunningSimulator, client: Any) -> None:
    """The connector's default path connects, is acknowledged, and hears nothing (``binance-usdm.md §1.2``)."""
    key = client.new_listen_key()["listenKey"]
    with Stream(fresh.stream_url, is_combined=True) as stream:
        stream.client.user_data(listen_key=key, id=1)
        assert stream.next() == {"result": None, "id": 1}
        client.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.010")
        stream.client.list_subscribe(id=2)
        assert stream.next() == {"result": [key], "id": 2}


def test_errors_are_the_exchanges(client: Any) -> None:
    """Code and text as documented."""
    for order_type, code in (("STOP_MARKET", -4120), ("DANCE", -1116)):
        with pytest.raises(ClientError) as refused:
            client.new_order(symbol=SYMBOL, side="SELL", type=order_type, quantity="0.010")
        assert refused.value.error_code == code
