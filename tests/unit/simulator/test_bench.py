"""The benchmark runs and measures what it says; its figures are for ``make bench-sim``."""

from tests.bench.in_process import (
    dictionary_work,
    exchange_with,
    market_order,
    microseconds,
    rest_request,
    resting_order,
)
from tests.bench.loopback import requests_per_second


def test_orders_of_the_benchmark_are_real() -> None:
    """They fill, rest and are cancelled, among resting orders."""
    exchange = exchange_with(10)
    for once in (market_order(exchange), resting_order(exchange), rest_request(exchange, 5), dictionary_work):
        assert microseconds(once, 5, rounds=1) > 0
    assert len(exchange.account.orders.open_orders()) == 10
    assert len(exchange.account.fills) == 10


def test_loopback_is_measured_on_both() -> None:
    """The exchange and the handler that does nothing."""
    for what in ("exchange", "nothing"):
        assert requests_per_second(what, 8) > 0
