"""Prices, positions, balances and settings: answers, or an exception that says what to do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import requests

from bracketeer.core.values import MarginType, PositionSide, WorkingType
from bracketeer.execution.errors import (
    AuthenticationFailed,
    Banned,
    ExchangeRefused,
    ExchangeUnreachable,
    RateLimited,
    UnreadableAnswer,
)

from .stubs import NOW_MS, Answer, Desk, refusal

POSITIONS = "GET /fapi/v3/positionRisk"
BALANCE = "GET /fapi/v3/balance"
LEVERAGE = "POST /fapi/v1/leverage"
MARGIN = "POST /fapi/v1/marginType"
INFO = "GET /fapi/v1/exchangeInfo"
ROW = {"symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": "0.5", "markPrice": "1"}


def symbol_rules(**changes: Any) -> dict[str, Any]:
    """A symbol of exchangeInfo with the filters orders depend on."""
    rules: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "status": "TRADING",
        "pricePrecision": 2,
        "quantityPrecision": 3,
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.10", "minPrice": "556.80", "maxPrice": "4529764"},
            {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "1000"},
        ],
    }
    return rules | changes


def test_reference_price_is_the_one_the_trigger_watches() -> None:
    """Last price or mark price, by working type."""
    desk = Desk(
        {
            "GET /fapi/v2/ticker/price": {"symbol": "BTCUSDT", "price": "60000.1", "time": 1},
            "GET /fapi/v1/premiumIndex": {"symbol": "BTCUSDT", "markPrice": "60001.2", "time": 1},
        }
    )
    assert desk.gateway.reference_price("BTCUSDT", WorkingType.CONTRACT_PRICE) == Decimal("60000.1")
    assert desk.gateway.reference_price("BTCUSDT", WorkingType.MARK_PRICE) == Decimal("60001.2")


def test_position_amounts_leave_out_what_is_flat() -> None:
    """Signed, by symbol and side."""
    rows = [
        ROW,
        ROW | {"symbol": "ETHUSDT", "positionAmt": "0.0"},
        ROW | {"positionSide": "SHORT", "positionAmt": "-1"},
    ]
    desk = Desk({POSITIONS: [rows]})
    assert desk.gateway.position_amounts() == {
        ("BTCUSDT", PositionSide.BOTH): Decimal("0.5"),
        ("BTCUSDT", PositionSide.SHORT): Decimal(-1),
    }
    assert "symbol" not in desk.only.parameters


def test_a_position_is_dated_by_the_question_that_was_answered() -> None:
    """One that was lost before it says nothing about when: what changed between the two is in the answer."""
    desk = Desk({POSITIONS: [requests.ReadTimeout(), [ROW | {"positionAmt": "0.5"}]]})
    asked_at_ms, amount = desk.gateway.dated_amount("BTCUSDT")
    assert amount == Decimal("0.5")
    assert asked_at_ms == int(desk.exchange.sent[-1].parameters["timestamp"]) > NOW_MS


def test_held_positions_say_since_when_they_are_so() -> None:
    """What a claim needs: amount, price, and the last change."""
    rows = [
        ROW | {"entryPrice": "60000.5", "updateTime": 1_700_000_000_123},
        ROW | {"symbol": "ETHUSDT", "positionAmt": "0.0"},
    ]
    (held,) = Desk({POSITIONS: [rows]}).gateway.held_positions()
    assert (held.symbol, held.position_side, held.amount) == ("BTCUSDT", PositionSide.BOTH, Decimal("0.5"))
    assert (held.entry_price, held.updated_at_ms) == (Decimal("60000.5"), 1_700_000_000_123)


def test_position_row_is_the_exchanges_own() -> None:
    """For people: nothing is lost."""
    desk = Desk({POSITIONS: [[ROW]]})
    assert desk.gateway.position_row("BTCUSDT") == [ROW]


def test_open_orders_say_which_list_they_come_from() -> None:
    """Two disjoint stores (§4.1)."""
    desk = Desk({"GET /fapi/v1/openOrders": [[{"orderId": 1}]], "GET /fapi/v1/openAlgoOrders": [[{"algoId": 2}]]})
    assert desk.gateway.open_orders("BTCUSDT") == [
        {"list": "openOrders", "orderId": 1},
        {"list": "openAlgoOrders", "algoId": 2},
    ]


def test_open_orders_refuse_rows_that_are_none() -> None:
    """Half a list is not a list."""
    desk = Desk({"GET /fapi/v1/openOrders": [["?"]]})
    with pytest.raises(UnreadableAnswer):
        desk.gateway.open_orders()


def test_balance_is_the_wallet_balance_of_one_asset() -> None:
    """Zero for an asset the account has no row of."""
    desk = Desk({BALANCE: [[{"asset": "BNB", "balance": "1"}, {"asset": "USDT", "balance": "122.50"}]]})
    assert desk.gateway.balance() == Decimal("122.50")
    assert desk.gateway.balance("BTC") == Decimal(0)


@pytest.mark.parametrize("mode", [True, False])
def test_hedge_mode_is_read_from_the_account(mode: bool) -> None:
    """dualSidePosition (§12.1)."""
    desk = Desk({"GET /fapi/v1/accountConfig": {"dualSidePosition": mode}})
    assert desk.gateway.hedge_mode() is mode


def test_set_leverage_returns_what_the_exchange_set() -> None:
    """Asking again for the same is harmless, so a lost answer is asked for again."""
    desk = Desk({LEVERAGE: [requests.ReadTimeout(), {"leverage": 20, "maxNotionalValue": "1", "symbol": "BTCUSDT"}]})
    assert desk.gateway.set_leverage("BTCUSDT", 20) == 20
    assert [sent.parameters["leverage"] for sent in desk.exchange.sent] == ["20", "20"]
    assert len(desk.clock.slept) == 1


def test_set_margin_type_tells_whether_it_changed() -> None:
    """-4046 is success: it was so already."""
    desk = Desk({MARGIN: [Answer({"code": 200, "msg": "success"}), refusal(-4046, "No need to change margin type.")]})
    assert desk.gateway.set_margin_type("BTCUSDT", MarginType.ISOLATED) is True
    assert desk.gateway.set_margin_type("BTCUSDT", MarginType.ISOLATED) is False
    assert desk.exchange.sent[0].parameters["marginType"] == "ISOLATED"


def test_set_margin_type_refuses_when_the_exchange_does() -> None:
    """A position blocks the change."""
    desk = Desk({MARGIN: refusal(-4048, "Margin type cannot be changed if there exists position.")})
    with pytest.raises(ExchangeRefused) as caught:
        desk.gateway.set_margin_type("BTCUSDT", MarginType.ISOLATED)
    assert caught.value.exchange_code == -4048


def test_instruments_carry_the_filters_that_bind_orders() -> None:
    """MARKET_LOT_SIZE falls back on LOT_SIZE; symbols without rules are left out."""
    market = {"filterType": "MARKET_LOT_SIZE", "stepSize": "0.01", "minQty": "0.01", "maxQty": "120"}
    full = symbol_rules()
    full["filters"] = [*full["filters"], market, {"filterType": "MIN_NOTIONAL", "notional": "50"}]
    limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400}]
    plain = symbol_rules(symbol="ETHUSDT")
    broken = [{"symbol": "NOFILTER", "status": "TRADING"}, {"status": 1}, "?"]
    desk = Desk({INFO: {"symbols": [full, plain, *broken], "rateLimits": limits}})
    instruments, rate_limits = desk.gateway.instruments()
    assert rate_limits == limits
    assert set(instruments) == {"BTCUSDT", "ETHUSDT"}
    btc = instruments["BTCUSDT"]
    assert (btc.tick_size, btc.step_size, btc.min_notional) == (Decimal("0.10"), Decimal("0.001"), Decimal(50))
    assert (btc.market_step_size, btc.market_max_quantity) == (Decimal("0.01"), Decimal(120))
    assert (btc.price_precision, btc.quantity_precision) == (2, 3)
    eth = instruments["ETHUSDT"]
    assert (eth.market_max_quantity, eth.min_notional) == (Decimal(1000), Decimal(0))


@pytest.mark.parametrize("body", [[], {}, {"symbols": {}}, {"symbols": []}, {"symbols": [{"symbol": "X"}]}, "<html>"])
def test_instruments_refuse_an_answer_that_is_no_exchange_info(body: Any) -> None:
    """Nothing of a bad answer may end in a cache."""
    desk = Desk({INFO: [Answer(body)]})
    with pytest.raises(UnreadableAnswer):
        desk.gateway.instruments()


def test_instruments_do_without_rate_limits() -> None:
    """Then the defaults hold."""
    desk = Desk({INFO: {"symbols": [symbol_rules()]}})
    assert desk.gateway.instruments()[1] == []


@pytest.mark.parametrize(
    ("answer", "kind", "sends"),
    [
        (refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401), AuthenticationFailed, 1),
        (refusal(-1003, "IP banned until 1700000120000.", 418), Banned, 1),
        (refusal(-1003, "Too many requests", 429), RateLimited, 4),
        (Answer("<html>", 502), ExchangeUnreachable, 4),
        (requests.ConnectTimeout(), ExchangeUnreachable, 4),
        (refusal(-1121, "Invalid symbol."), ExchangeRefused, 1),
        (refusal(-1112, "No orders on book."), ExchangeRefused, 4),
        (Answer("OK"), UnreadableAnswer, 1),
    ],
    ids=["key", "ban", "rate limit", "5xx", "nobody there", "refusal", "refusal that passes", "unreadable"],
)
def test_account_calls_raise_what_happened(answer: Any, kind: type[Exception], sends: int) -> None:
    """What may pass is waited for; what will not is told at once. A ban is never waited out."""
    desk = Desk({BALANCE: [answer]})
    with pytest.raises(kind) as caught:
        desk.gateway.balance()
    assert type(caught.value) is kind
    assert len(desk.exchange.sent) == sends


def test_a_ban_says_until_when() -> None:
    """The end stands in the text (§7.3), and the tracker is told."""
    desk = Desk({BALANCE: refusal(-1003, "Way too many requests; IP banned until 1700000120000.", 418)})
    with pytest.raises(Banned) as caught:
        desk.gateway.balance()
    assert caught.value.until_ms == 1_700_000_120_000
    assert desk.tracker.status().banned_until_ms == 1_700_000_120_000


def test_a_ban_of_unknown_length_is_told_to_the_tracker_too() -> None:
    """It assumes the shortest there is."""
    desk = Desk({BALANCE: refusal(-1003, "Way too much", 418)})
    with pytest.raises(Banned) as caught:
        desk.gateway.balance()
    assert caught.value.until_ms is None
    assert desk.tracker.status().banned_until_ms == NOW_MS + 120_000


def test_retries_are_on_record() -> None:
    """With the operation's name, beside the errors themselves."""
    desk = Desk({BALANCE: [Answer("<html>", 502), Answer([])]})
    desk.gateway.balance()
    assert [(event, operation) for event, operation, _data in desk.notes.events] == [
        ("api_error", "GET /fapi/v3/balance"),
        ("retry_attempt", "balance"),
    ]
    assert desk.notes.events[0][2] == {
        "error": "<html>",
        "error_code": None,
        "status_code": 502,
        "outcome": "unknown",
    }


def test_nothing_is_sent_during_a_ban() -> None:
    """Whoever asks: the stream for its key, the clock for the time, a person for the balance. Each would make it
    longer."""
    desk = Desk({BALANCE: [refusal(-1003, f"Way too many requests; IP banned until {NOW_MS + 5000}.", 418), []]})
    with pytest.raises(Banned):
        desk.gateway.balance()
    asked = len(desk.exchange.sent)
    for question in (desk.gateway.balance, desk.gateway.synchronise_clock, desk.gateway.hedge_mode):
        with pytest.raises(Banned, match="not sent") as caught:
            question()
        assert caught.value.until_ms is not None
    assert len(desk.exchange.sent) == asked
    desk.clock.sleep(5.0)
    desk.gateway.synchronise_clock()
    assert len(desk.exchange.sent) > asked
