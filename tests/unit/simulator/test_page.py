"""The page of the simulator, in a real browser: what it shows, what its buttons do, wide and on a phone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from binance.error import ServerError
from binance.um_futures import UMFutures

from bracketeer.simulator import RunningSimulator, SimulatorConfig, start_in_thread
from bracketeer.simulator.control import handle_control
from tests.support.browser import Browser
from tests.unit.simulator.desk import SECRET, Desk


@pytest.fixture(name="sim", scope="module")
def _sim() -> Iterator[RunningSimulator]:
    with start_in_thread(SimulatorConfig(prices="frozen")) as running:
        yield running


@pytest.fixture(name="client")
def _client(sim: RunningSimulator) -> Iterator[Any]:
    sim.reset()
    client = UMFutures(sim.api_key, sim.api_secret, base_url=sim.rest_url, timeout=5)
    yield client
    client.session.close()


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


def _open(browser: Browser, sim: RunningSimulator) -> None:
    browser.open(sim.rest_url + "/")
    browser.wait_until(lambda: browser.text("#live") == "live", "that it is live")


def test_page_shows_the_account_at_work(sim: RunningSimulator, client: Any, browser: Browser) -> None:
    """Position, both kinds of orders, the request with its code, the book and a price per symbol."""
    client.new_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.050")
    client.new_order(symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.010", price="59000")
    stop = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}
    client.sign_request("POST", "/fapi/v1/algoOrder", stop | {"triggerPrice": "58000", "closePosition": "true"})
    sim.fault("refuse", code=-1001)
    with pytest.raises(ServerError):
        client.ping()
    _open(browser, sim)
    assert "0.050" in browser.text("#positions")
    assert "LIMIT GTC" in browser.text("#orders")
    assert "STOP_MARKET" in browser.text("#orders")
    assert "-1001" in browser.text("#requests tbody tr:first-child")
    assert browser.run("return document.querySelectorAll('#book tr.sell').length") == 12
    assert browser.run("return document.querySelectorAll('.tile:not([hidden])').length") == 8
    assert browser.run("return document.querySelectorAll('.tile svg polyline').length") >= 8
    assert browser.complaints() == []


def test_buttons_move_the_price(sim: RunningSimulator, client: Any, browser: Browser) -> None:
    """By a percentage, to a value, and of the symbol that was chosen; a refusal is told."""
    _open(browser, sim)
    browser.click('[data-percent="-5"]')
    browser.wait_until(lambda: browser.text("#last") == "57000.00", "the new price")
    browser.click('[data-symbol="ETHUSDT"]')
    browser.wait_until(lambda: browser.text("#symbol") == "ETHUSDT", "the chosen symbol")
    browser.type("#price", "2900.5")
    browser.click("#price-form button")
    browser.wait_until(lambda: browser.text("#last") == "2900.50", "the price that was set")
    assert str(sim.exchange.venue.markets["BTCUSDT"].last) == "57000.00"
    browser.type("#price", "high")
    browser.click("#price-form button")
    browser.wait_until(lambda: "refused" in browser.text("#said"), "the refusal")
    assert browser.run("return document.querySelector('#chart polyline').points.numberOfItems") >= 2


def test_faults_are_injected_and_lifted(sim: RunningSimulator, client: Any, browser: Browser) -> None:
    """Chosen by name with a sentence, with an option, shown while they wait, lifted by a click."""
    _open(browser, sim)
    browser.choose("#fault", "refuse")
    assert "error code" in browser.text("#fault-text")
    browser.choose("#option", "code")
    browser.type("#value", "-2019")
    browser.type("#times", "2")
    browser.click("#fault-form button")
    browser.wait_until(lambda: "refuse" in browser.text("#waiting"), "the fault")
    fault = next(iter(sim.exchange.faults))
    assert (fault.code, fault.times) == (-2019, 2)
    browser.click("#waiting button")
    browser.wait_until(lambda: browser.text("#waiting") == "", "that it is lifted")
    assert sim.exchange.faults.rows() == []


def test_page_fits_a_phone(sim: RunningSimulator, client: Any) -> None:
    """Nothing wider than the screen; all symbols can be shown."""
    with Browser(width=390, height=844) as phone:
        _open(phone, sim)
        assert phone.run("return [document.documentElement.scrollWidth, window.innerWidth]") == [390, 390]
        phone.click("#show-all")
        shown = "return document.querySelectorAll('.tile:not([hidden])').length"
        phone.wait_until(lambda: phone.run(shown) == len(sim.exchange.venue.instruments), "all symbols")


def test_page_brings_everything_along_and_no_secret() -> None:
    """Its files come from the exchange; what it polls holds no secret, no signature, no listen key."""
    desk = Desk()
    key = desk.listen()
    desk.market("BUY", "0.010")
    desk.algo("SELL", "TRAILING_STOP_MARKET", quantity="0.010", callbackRate="1")
    for path in ("/", "/sim/page.css", "/sim/page.js", "/sim/draw.js"):
        answer = handle_control(desk.exchange, "GET", path, b"")
        assert (answer.status, "default-src 'self'" in answer.headers["content-security-policy"]) == (200, True)
        assert b"http://" not in answer.body.replace(b"http://www.w3.org/2000/svg", b"")
        assert b"https://" not in answer.body
    text = handle_control(desk.exchange, "GET", "/sim/view/BTCUSDT", b"").body.decode()
    assert not [secret for secret in (SECRET, key, "signature") if secret in text]
    assert json.loads(text)["orders"][0]["trigger"] == "1 %"
    assert handle_control(desk.exchange, "GET", "/sim/view/NOPE", b"").status == 400
    assert handle_control(desk.exchange, "POST", "/", b"").status == 404
    desk.price("61000")
    desk.price("62000")
    assert json.loads(handle_control(desk.exchange, "GET", "/sim/trails", b"").body)["BTCUSDT"][-1][1] == "62000.00"
