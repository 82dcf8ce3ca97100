"""Positions that others opened and the operator claims: taken over, guarded, closed by CLOSE; all others left alone."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from binance.um_futures import UMFutures
from msgspec.structs import replace
from pytest_mock import MockerFixture

from bracketeer import Policy, ReportStatus
from bracketeer.core.audit_logger import read_since_checkpoint
from bracketeer.core.client_ids import is_ours
from bracketeer.core.commands import Alert
from bracketeer.core.journal import rebuild
from bracketeer.core.values import Side, WorkingType
from bracketeer.simulator.faults import FaultBook
from bracketeer.simulator.server import RunningSimulator
from tests.support.venue import BTC, FAST, Desk, desk, eventually

ETH = "ETHUSDT"
CLAIMS = replace(FAST, external_position_claims=(BTC,), claim_stop_distance_pct=Decimal(5))
SEEN_SOON = replace(CLAIMS, poll_interval_ms=100, poll_idle_interval_ms=100)


def stops(at: Desk, symbol: str = BTC) -> list[dict[str, Any]]:
    """Our stops that rest at the exchange."""
    rows: list[dict[str, Any]] = at.state()["openAlgoOrders"]
    return [row for row in rows if row["symbol"] == symbol and is_ours(row["clientAlgoId"])]


def assert_claimed(at: Desk, amount: str, trigger: str) -> None:
    """P2 for the claimed position, and a true log that leads to the same state."""
    eventually(lambda: [Decimal(row["triggerPrice"]) for row in stops(at)] == [Decimal(trigger)], what="the stop rests")
    eventually(lambda: at.manager.status().brackets[0].stop_loss_status == "NEW")
    (view,) = at.manager.status().brackets
    assert (view.claimed, view.open_quantity, view.take_profit) == (True, abs(Decimal(amount)), None)
    assert (stops(at)[0]["closePosition"], at.position()) == (True, Decimal(amount))
    journal = at.manager._running().journal
    journal.wait_durable(journal.last_seq)
    eventually(lambda: at.manager.state().encode() == rebuild(read_since_checkpoint(at.folder)).encode())
    at.assert_verified()


@pytest.mark.parametrize(
    ("side", "amount", "trigger"), [(Side.BUY, "0.020", "57000"), (Side.SELL, "-0.020", "63000")], ids=["long", "short"]
)
def test_position_of_before_is_taken_over(
    simulator: RunningSimulator, tmp_path: Path, side: Side, amount: str, trigger: str
) -> None:
    """Found at the start: it gets its stop, no entry joins it, CLOSE closes it, and nothing is left."""
    simulator.trade_by_hand(BTC, side.value, "0.020")
    with desk(simulator, tmp_path / "audit", policy=CLAIMS) as at:
        assert_claimed(at, amount, trigger)
        assert at.requests("POST", "/fapi/v1/order") == []
        denied = at.enter()
        assert denied.reason is not None
        assert denied.reason.code == ("position_open" if side is Side.BUY else "opposite_position")
        (line,) = at.lines("position_claimed")
        assert line.fields["data"]["reference_price"] == "60000.00"
        closed = at.close()
        assert (closed.status, closed.claimed) == (ReportStatus.CLOSED, True)
        at.assert_clean()
        assert at.enter("entry-2").status is ReportStatus.PROTECTED


def test_distance_is_from_the_price_that_stops_watch(simulator: RunningSimulator, tmp_path: Path) -> None:
    """With WORKING_TYPE=MARK_PRICE the mark price counts, and the tick rounds towards the earlier exit."""
    simulator.trade_by_hand(BTC, "BUY", "0.020")
    simulator.set_price(BTC, "60000", mark="59999.30")
    policy = replace(CLAIMS, working_type=WorkingType.MARK_PRICE, claim_stop_distance_pct=Decimal("2.5"))
    with desk(simulator, tmp_path / "audit", policy=policy) as at:
        assert_claimed(at, "0.020", "58499.4")  # 58499.3175, up
        assert stops(at)[0]["workingType"] == "MARK_PRICE"


def test_stop_fires_and_nothing_is_left(simulator: RunningSimulator, tmp_path: Path) -> None:
    """What the claim is for."""
    simulator.trade_by_hand(BTC, "BUY", "0.020")
    with desk(simulator, tmp_path / "audit", policy=CLAIMS) as at:
        assert_claimed(at, "0.020", "57000")
        simulator.set_price(BTC, "56990")
        eventually(lambda: not at.manager.status().brackets)
        at.assert_clean()
        (ended,) = at.lines("bracket_ended")
        assert ended.fields["data"]["facts"]["reason"] == "stop_loss_hit"


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "poll"])
def test_position_that_shows_up_later_is_taken_over(
    simulator: RunningSimulator, tmp_path: Path, mocker: MockerFixture, *, stream: bool
) -> None:
    """Opened by hand while the manager runs: claimed at once when the stream tells, within seconds when it does not.

    Closed by hand: over. Opened again: claimed again, when a read cannot lag any more."""
    for module in ("core.claiming", "execution.starting"):
        mocker.patch(f"bracketeer.{module}.LAG_MS", 300)
    with desk(simulator, tmp_path / "audit", policy=CLAIMS, user_stream=stream) as at:
        simulator.trade_by_hand(BTC, "BUY", "0.020")
        assert_claimed(at, "0.020", "57000")
        simulator.trade_by_hand(BTC, "SELL", "0.020")
        eventually(lambda: not at.manager.status().brackets)
        at.assert_clean()
        simulator.trade_by_hand(BTC, "SELL", "0.010")
        assert_claimed(at, "-0.010", "63000")


def test_our_own_positions_are_never_claimed(simulator: RunningSimulator, tmp_path: Path) -> None:
    """Entries and closes on a claimed symbol, looked at ten times a second: what is ours stays ours."""
    with desk(simulator, tmp_path / "audit", policy=SEEN_SOON) as at:
        for number in range(5):
            assert at.enter(f"entry-{number}").status is ReportStatus.PROTECTED
            assert at.close(f"close-{number}").status is ReportStatus.CLOSED
        at.assert_clean()
        assert at.lines("position_claimed") == []


def test_position_on_a_symbol_that_is_not_claimed_is_left_alone(simulator: RunningSimulator, tmp_path: Path) -> None:
    """Shown, on record, and nothing of ours rests there."""
    simulator.set_price(ETH, "3000")
    simulator.trade_by_hand(ETH, "BUY", "1")
    simulator.trade_by_hand(BTC, "BUY", "0.020")
    with desk(simulator, tmp_path / "audit", policy=CLAIMS) as at:
        assert_claimed(at, "0.020", "57000")
        assert stops(at, ETH) == []
        (found,) = at.lines("account_found")
        assert found.fields["data"]["external_positions"] == {BTC: "0.020", ETH: "1.000"}


def test_closed_by_hand_is_noticed(simulator: RunningSimulator, tmp_path: Path) -> None:
    """In two parts, by whoever opened it: told, and over when it is flat."""
    simulator.trade_by_hand(BTC, "BUY", "0.020")
    with desk(simulator, tmp_path / "audit", policy=CLAIMS) as at:
        assert_claimed(at, "0.020", "57000")
        simulator.trade_by_hand(BTC, "SELL", "0.015")
        eventually(lambda: at.manager.status().brackets[0].open_quantity == Decimal("0.005"))
        simulator.trade_by_hand(BTC, "SELL", "0.005")
        eventually(lambda: not at.manager.status().brackets)
        at.assert_clean()
        assert at.alerts().count("external_trade") == 2
        (ended,) = at.lines("bracket_ended")
        assert ended.fields["data"]["facts"]["reason"] == "closed_by_others"


def test_stop_of_another_program_is_left_alone(simulator: RunningSimulator, tmp_path: Path) -> None:
    """Theirs closes the position and is in the way of ours (-4130): it rests on, ours carries the quantity.

    A person is told why there are two."""
    simulator.trade_by_hand(BTC, "BUY", "0.020")
    other = UMFutures(simulator.api_key, simulator.api_secret, base_url=simulator.rest_url)
    order = {
        "algoType": "CONDITIONAL",
        "symbol": BTC,
        "side": "SELL",
        "type": "STOP_MARKET",
        "triggerPrice": "55000",
        "closePosition": "true",
        "clientAlgoId": "theirs-1",
    }
    other.sign_request("POST", "/fapi/v1/algoOrder", order)
    with desk(simulator, tmp_path / "audit", policy=CLAIMS) as at:
        eventually(lambda: len(stops(at)) == 1)
        (ours,) = stops(at)
        assert (Decimal(ours["quantity"]), ours["reduceOnly"], ours["closePosition"]) == (Decimal("0.020"), True, False)
        (alert,) = [notice for notice in at.notices if isinstance(notice, Alert)]
        assert (alert.code, "-4130" in alert.text) == ("foreign_stop", True)
        resting = [row["clientAlgoId"] for row in at.state()["openAlgoOrders"]]
        assert "theirs-1" in resting
        eventually(
            lambda: [r.fields["data"]["report"]["status"] for r in at.lines("execution_report")] == ["protected"]
        )
        assert at.requests("DELETE", "/fapi/v1/algoOrder") == []
        assert at.close().status is ReportStatus.CLOSED
        at.assert_clean()


@pytest.mark.parametrize("later", [CLAIMS, FAST], ids=["still claimed", "no longer claimed"])
def test_restart_goes_on_with_the_claim(simulator: RunningSimulator, tmp_path: Path, later: Policy) -> None:
    """The log explains the position now: no second claim, no second stop, whatever the settings say."""
    simulator.trade_by_hand(BTC, "BUY", "0.020")
    with desk(simulator, tmp_path / "audit", policy=CLAIMS) as at:
        assert_claimed(at, "0.020", "57000")
    with desk(simulator, tmp_path / "audit", policy=later) as at:
        assert_claimed(at, "0.020", "57000")
        assert len(at.requests("POST", "/fapi/v1/algoOrder")) == 1
        assert len(at.lines("position_claimed")) == 1
        simulator.fault("stop_canceled", order_type="STOP_MARKET")
        eventually(lambda: len(at.requests("POST", "/fapi/v1/algoOrder")) == 2)
        assert_claimed(at, "0.020", "57000")
        assert at.close().status is ReportStatus.CLOSED
        at.assert_clean()


@pytest.mark.parametrize("path", ["/fapi/v1/exchangeInfo", "/fapi/v2/ticker/price"])
def test_claim_that_must_wait_keeps_entries_out(simulator: RunningSimulator, tmp_path: Path, path: str) -> None:
    """Rules or price cannot be had: the start goes on though nothing of ours is open, for what is claimed may be.

    It is taken over as soon as they can."""
    simulator.trade_by_hand(BTC, "BUY", "0.020")
    simulator.fault("request_lost", method="GET", path=path, times=-1)
    with desk(simulator, tmp_path / "audit", policy=CLAIMS) as at:
        assert set(at.manager.status().missing_checks) == {"claims", "position_mode"}  # asked in this order
        denied = at.enter()
        assert denied.reason is not None
        assert denied.reason.code == "protect_only"
        simulator.exchange.faults = FaultBook()
        assert_claimed(at, "0.020", "57000")
        eventually(lambda: not at.manager.status().missing_checks)


@pytest.mark.parametrize(
    ("path", "check"),
    [("/fapi/v1/time", "clock"), ("/fapi/v1/openOrders", "account"), ("/fapi/v1/accountConfig", "position_mode")],
)
def test_claimed_position_is_guarded_by_a_start_that_cannot_find_everything_out(
    simulator: RunningSimulator, tmp_path: Path, path: str, check: str
) -> None:
    """The log knows of no position, a claim says that one may be open: the start goes on as if it were ours."""
    simulator.trade_by_hand(BTC, "BUY", "0.020")
    simulator.fault("request_lost", method="GET", path=path, times=-1)
    with desk(simulator, tmp_path / "audit", policy=SEEN_SOON) as at:
        assert check in at.manager.status().missing_checks
        assert_claimed(at, "0.020", "57000")
        assert check in at.manager.status().missing_checks
        simulator.exchange.faults = FaultBook()
        eventually(lambda: not at.manager.status().missing_checks)


def test_claim_of_a_symbol_that_is_not_listed_is_told_once(simulator: RunningSimulator, tmp_path: Path) -> None:
    """A misspelt claim would guard nothing in silence."""
    policy = replace(SEEN_SOON, external_position_claims=("BTCUDST", BTC))
    simulator.trade_by_hand(BTC, "BUY", "0.020")
    with desk(simulator, tmp_path / "audit", policy=policy) as at:
        assert_claimed(at, "0.020", "57000")
        looks = len(at.requests("GET", "/fapi/v3/positionRisk"))
        eventually(lambda: len(at.requests("GET", "/fapi/v3/positionRisk")) > looks + 2)
        (refused,) = at.lines("claim_refused")
        assert (refused.symbol, "EXTERNAL_POSITION_CLAIMS" in refused.fields["error"]) == ("BTCUDST", True)
        assert at.alerts() == ["claim_refused"]


def test_claim_that_cannot_be_guarded_is_refused(simulator: RunningSimulator, tmp_path: Path) -> None:
    """No stop can be placed on a symbol that does not trade: told, left alone, and other symbols are traded."""
    simulator.set_price(ETH, "3000")
    simulator.trade_by_hand(ETH, "BUY", "1")
    simulator.fault("rules_changed", symbol=ETH, status="SETTLING")
    policy = replace(CLAIMS, external_position_claims=(ETH,))
    with desk(simulator, tmp_path / "audit", policy=policy) as at:
        assert at.alerts() == ["claim_refused"]
        assert at.manager.status().brackets == ()
        assert at.enter().status is ReportStatus.PROTECTED


def test_hedge_mode_position_is_not_claimed(simulator: RunningSimulator, tmp_path: Path) -> None:
    """Hedge mode is not managed yet: told, left alone."""
    simulator.exchange.account.is_hedge_mode = True
    simulator.trade_by_hand(BTC, "BUY", "0.020", positionSide="LONG")
    with desk(simulator, tmp_path / "audit", policy=CLAIMS) as at:
        assert at.alerts() == ["claim_refused"]
        assert stops(at) == []
