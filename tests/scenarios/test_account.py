"""The rest of the manager's face: settings of the account, questions, cancels, threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bracketeer import BracketeerError, ReportStatus, Settings, Signal, SignalType
from bracketeer.core.instrument import Rounding
from bracketeer.execution.errors import ExchangeRefused
from bracketeer.simulator.server import RunningSimulator
from tests.support.venue import BTC, FAST, Desk, desk, eventually


@pytest.fixture
def bystander(at: Desk) -> str:
    """A LIMIT order of somebody else resting far below the price; gives its client id."""
    client = at.manager._running().gateway._client
    client.new_order(
        symbol=BTC,
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        quantity="0.010",
        price="58500",
        newClientOrderId="web_1",
    )
    return "web_1"


def test_leverage_and_margin_type_are_set_and_journaled(at: Desk) -> None:
    """Settings are on record before they are asked for; "already so" is success."""
    assert at.manager.set_leverage(BTC, 7) == 7
    assert at.manager.set_leverage(BTC, 7) == 7
    at.manager.set_margin_type(BTC, "ISOLATED")
    at.manager.set_margin_type(BTC, "ISOLATED")
    intents = [line.operation for line in at.lines("setting_intent")]
    assert intents == ["set_leverage", "set_leverage", "set_margin_type", "set_margin_type"]
    assert [line.fields["response"].get("changed") for line in at.lines("setting_changed")][2:] == [True, False]


def test_refused_setting_raises_with_the_exchanges_code(at: Desk) -> None:
    """A leverage the symbol does not allow is an error with its code, on record."""
    with pytest.raises(ExchangeRefused) as caught:
        at.manager.set_leverage(BTC, 9999)
    assert caught.value.exchange_code == -4028
    assert at.lines("setting_failed")
    at.enter()
    with pytest.raises(ExchangeRefused):
        at.manager.set_margin_type(BTC, "ISOLATED")
    with pytest.raises(ValueError, match="NO_SUCH"):
        at.manager.set_margin_type(BTC, "NO_SUCH")


def test_position_and_balance(at: Desk) -> None:
    """get_position is None when flat; amounts are exact decimals."""
    assert at.manager.get_position(BTC) is None
    before = at.manager.get_account_balance()
    at.enter()
    position = at.manager.get_position(BTC)
    assert position is not None
    assert position.amount == Decimal("0.010")
    assert position.entry_price > 0
    assert at.manager.get_account_balance() < before  # the commission


def test_open_orders_say_whose_they_are(at: Desk, bystander: str) -> None:
    """Orders of both stores, ours marked."""
    at.enter()
    rows = at.manager.get_open_orders(BTC)
    assert sorted((row["list"], row["ours"]) for row in rows) == [
        ("openAlgoOrders", True),
        ("openAlgoOrders", True),
        ("openOrders", False),
    ]
    assert len(at.manager.get_open_orders()) == 3


def test_cancel_all_keeps_protection_and_other_peoples_orders(at: Desk, bystander: str) -> None:
    """P2 and P4 go before a cancel: the protection of an open position stays, so does what is not ours."""
    at.enter()
    report = at.manager.cancel_all_orders(BTC)
    assert len(report.kept) == 2
    assert report.cancelled == ()
    at.assert_protected()
    assert at.manager.cancel_all_orders(BTC, ours_only=False).cancelled == (bystander,)
    assert at.state()["openOrders"] == []


def test_cancel_all_keeps_what_was_placed_while_it_asked(at: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry comes in between the list and the first cancel: its stop stays, too."""
    actions = at.manager._running().actions
    ask = actions.open_orders

    def enter_meanwhile(symbol: str | None) -> list[dict[str, Any]]:
        assert at.enter().status is ReportStatus.PROTECTED
        return ask(symbol)

    monkeypatch.setattr(actions, "open_orders", enter_meanwhile)
    assert len(at.manager.cancel_all_orders(BTC).kept) == 2
    at.assert_protected()


def test_cancel_all_clears_orders_of_ours_without_a_bracket(simulator: RunningSimulator, tmp_path: Path) -> None:
    """Left-overs of a lost log are cancelled on request even under a position; a refused cancel is reported."""
    with desk(simulator, tmp_path / "first") as at:
        at.enter()
    with desk(simulator, tmp_path / "second") as at:
        simulator.fault("refuse", method="DELETE", path="/fapi/v1/algoOrder", code=-1000)
        report = at.manager.cancel_all_orders(BTC)
        assert len(report.cancelled) == 1
        assert len(report.failed) == 1
        assert at.lines("cancel_failed")


def test_formatter_uses_the_exchanges_ticks(at: Desk) -> None:
    """Prices come out on the tick, in the stated direction; unknown symbols say so."""
    formatter = at.manager.formatter
    assert formatter.format_price(BTC, "60000.14", Rounding.DOWN) == "60000.1"
    with pytest.raises(BracketeerError):
        formatter.format_price("NOPEUSDT", "1", Rounding.DOWN)


def test_same_signal_from_many_threads_trades_once(at: Desk) -> None:
    """P1 under concurrency: eight callers with one id, one entry, seven duplicates."""
    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(lambda _: at.enter(), range(8)))
    statuses = sorted(report.status.value for report in reports)
    assert statuses == ["duplicate"] * 7 + ["protected"]
    assert at.entry_fills() == Decimal("0.010")


def test_different_symbols_at_the_same_time(at: Desk) -> None:
    """Signals on several symbols run side by side, each protected."""
    prices = {"BTCUSDT": "60000", "ETHUSDT": "3000", "SOLUSDT": "150", "BNBUSDT": "600"}
    for symbol, price in prices.items():
        at.simulator.set_price(symbol, price)

    def follow(symbol: str) -> ReportStatus:
        price = Decimal(prices[symbol])
        return at.manager.execute_signal(
            Signal(
                signal_type=SignalType.LONG_ENTRY,
                symbol=symbol,
                signal_id=f"s-{symbol}",
                notional="300",
                take_profit=price * Decimal("1.1"),
                stop_loss=price * Decimal("0.9"),
            )
        ).status

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(follow, prices)) == {ReportStatus.PROTECTED}
    assert len(at.resting()) == 8
    at.assert_verified()


def test_signal_without_id_gets_one(at: Desk) -> None:
    """An id is made where the upstream gave none, and reported."""
    report = at.enter("")
    assert report.status is ReportStatus.PROTECTED
    assert report.signal_id.startswith("auto-")


def test_json_signal_is_followed(at: Desk) -> None:
    """The same, from a JSON line with numbers as text or as JSON numbers."""
    text = '{"signal_type":"LONG_ENTRY","symbol":"BTCUSDT","signal_id":"j","quantity":0.010,"stop_loss":"58000"}'
    report = at.manager.execute_json(text)
    assert report.status is ReportStatus.PROTECTED
    assert report.entry is not None
    assert report.entry.quantity == Decimal("0.010")


def test_starts_by_itself_and_stays_closed(simulator: RunningSimulator, tmp_path: Path) -> None:
    """The first call starts the manager; after close only a start does, so that a late thread cannot."""
    at = Desk(simulator, tmp_path, Settings(policy=FAST, audit_log_dir=str(tmp_path)))
    assert "not started" in repr(at.manager)
    assert at.manager.get_position(BTC) is None
    at.manager.start()
    at.manager.close()
    at.manager.close()
    with pytest.raises(BracketeerError, match="closed"):
        at.enter()
    with at.manager:
        assert at.enter().status is ReportStatus.PROTECTED


def test_status_shows_brackets_and_budgets(at: Desk) -> None:
    """The read model names the position, its legs and what is used of the limits."""
    at.enter()
    status = at.manager.status()
    (bracket,) = status.brackets
    assert (bracket.stop_loss_status, bracket.take_profit_status) == ("NEW", "NEW")
    assert bracket.naked_now_ms == 0
    assert status.budgets["pools"]["weight_1m"]["used"] > 0
    assert status.journal_healthy


def test_rate_budget_denies_entries_and_lets_exits_through(at: Desk) -> None:
    """P6: above the hard threshold no entry is let in; the close of what is open goes through."""
    at.enter()
    tracker = at.manager._running().tracker
    tracker.observe({"x-mbx-used-weight-1m": "2200"})
    report = at.manager.execute_signal(
        Signal(signal_type=SignalType.LONG_ENTRY, symbol="ETHUSDT", signal_id="e", quantity="0.1", stop_loss="1000")
    )
    assert report.reason is not None
    assert (report.status, report.reason.code) == (ReportStatus.DENIED, "rate_budget")
    assert at.close().status is ReportStatus.CLOSED
    assert at.lines("rate_limit")


def test_rules_are_refreshed_after_a_filter_error(at: Desk) -> None:
    """The exchange refuses by a filter that our rules let pass: they are fetched anew, once."""
    at.enter()
    at.close()
    clock = at.manager._running()
    at.simulator.fault("refuse", method="POST", path="/fapi/v1/order", code=-4014)
    rules = clock.gatherer._rules
    rules._attempted_at_ms = 0  # the rules are a minute old
    before = len(at.requests("GET", "/fapi/v1/exchangeInfo"))
    assert at.enter("entry-2").status is ReportStatus.REJECTED
    eventually(lambda: len(at.requests("GET", "/fapi/v1/exchangeInfo")) == before + 1)
