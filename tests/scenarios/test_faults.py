"""What the network and the exchange do to a bracket, one fault at a time, over real sockets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from bracketeer import Policy, ReportStatus
from bracketeer.core.client_ids import client_order_id
from bracketeer.core.values import ArmingMode, Role
from bracketeer.simulator.server import RunningSimulator
from tests.support.venue import BTC, FAST, Desk, desk, eventually

ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
STOP, TAKE = {"type": "STOP_MARKET"}, {"type": "TAKE_PROFIT_MARKET"}


@pytest.mark.parametrize("fault", ["reply_lost", "status_503_executed"])
@pytest.mark.parametrize("user_stream", [True, False])
def test_entry_answer_lost(simulator: RunningSimulator, tmp_path: Path, fault: str, user_stream: bool) -> None:
    """P1: an executed entry whose answer is lost is found, not repeated, with and without the stream."""
    with desk(simulator, tmp_path, user_stream=user_stream) as at:
        simulator.fault(fault, method="POST", path=ORDER)
        report = at.enter()
        assert report.status is ReportStatus.PROTECTED
        assert at.entry_fills() == Decimal("0.010")
        assert len(at.requests("POST", ORDER)) == 1
        at.assert_protected()


def test_entry_request_lost(at: Desk) -> None:
    """An entry that never arrived is sent once, proven absent, reported as not executed; then the symbol is free."""
    at.simulator.fault("request_lost", method="POST", path=ORDER)
    report = at.enter()
    assert report.status is ReportStatus.REJECTED
    assert report.reason is not None
    assert report.reason.code == "entry_not_executed"
    assert len(at.requests("POST", ORDER)) == 1
    assert at.position() == 0
    assert at.enter("entry-2").status is ReportStatus.PROTECTED


def test_entry_503_not_executed_is_sent_again(at: Desk) -> None:
    """A 503 that proves that nothing happened allows the same intent again: exactly one fill."""
    at.simulator.fault("status_503", method="POST", path=ORDER)
    report = at.enter()
    assert report.status is ReportStatus.PROTECTED
    assert at.entry_fills() == Decimal("0.010")
    ids = {row["params"]["newClientOrderId"] for row in at.requests("POST", ORDER)}
    assert len(ids) == 1


def test_entry_503_for_ever_is_rejected(at: Desk) -> None:
    """When every attempt is proven not executed, the report says so and nothing is open."""
    at.simulator.fault("status_503", method="POST", path=ORDER, times=-1)
    report = at.enter()
    assert report.status is ReportStatus.REJECTED
    assert at.position() == 0
    assert len(at.requests("POST", ORDER)) == 4


def test_entry_refused_is_rejected_with_the_code(at: Desk) -> None:
    """A definite refusal is reported with the exchange's own code."""
    at.simulator.fault("refuse", method="POST", path=ORDER, code=-2019)
    report = at.enter()
    assert report.status is ReportStatus.REJECTED
    assert report.reason is not None
    assert report.reason.context["code"] == "-2019"
    at.assert_clean()


@pytest.mark.parametrize("match", [STOP, TAKE])
@pytest.mark.parametrize("fault", ["reply_lost", "request_lost", "status_503", "status_503_executed"])
def test_leg_answer_lost(at: Desk, fault: str, match: dict[str, str]) -> None:
    """A lost stop or take profit ends as exactly one, within the naked limit."""
    at.simulator.fault(fault, method="POST", path=ALGO, match=match)
    report = at.enter()
    assert report.status is ReportStatus.PROTECTED
    at.assert_protected()
    assert at.state()["nakedMs"][BTC]["worst"] < 2000


@pytest.mark.parametrize("match", [STOP, TAKE])
def test_leg_refused_once_is_placed_again(at: Desk, match: dict[str, str]) -> None:
    """-4509 right after a fill is transient."""
    at.simulator.fault("refuse", method="POST", path=ALGO, code=-4509, match=match, times=2)
    assert at.enter().status is ReportStatus.PROTECTED
    at.assert_protected()


@pytest.mark.parametrize("code", [-4045, -1111, -2019, -4509, -1000])
def test_stop_refused_for_ever_is_flattened(at: Desk, code: int) -> None:
    """P2: no stop to be had: closed at market within the limit of exchange time, an alert, a truthful report."""
    at.simulator.fault("refuse", method="POST", path=ALGO, code=code, match=STOP, times=-1)
    report = at.enter()
    assert report.status is ReportStatus.FLATTENED
    assert report.reason is not None
    assert report.reason.context["code"] == str(code)
    at.assert_clean()
    assert at.state()["nakedMs"][BTC]["worst"] < 2000
    assert "stop_not_live_in_time" in at.alerts()
    assert at.lines("alert")


def test_stop_price_crossed_closes_at_once(at: Desk) -> None:
    """-2021 on the stop means that its condition is true: close now, no retry of the same price."""
    at.simulator.fault("refuse", method="POST", path=ALGO, code=-2021, match=STOP)
    report = at.enter()
    assert report.status is ReportStatus.FLATTENED
    at.assert_clean()
    stops = [row for row in at.requests("POST", ALGO) if row["params"]["type"] == "STOP_MARKET"]
    assert len(stops) == 1


def test_take_profit_crossed_is_taken(at: Desk) -> None:
    """-2021 on the take profit means that the price is there: take it at market."""
    at.simulator.fault("refuse", method="POST", path=ALGO, code=-2021, match=TAKE)
    report = at.enter()
    assert report.status is ReportStatus.CLOSED
    at.assert_clean()


def test_take_profit_refused_keeps_the_stop(at: Desk) -> None:
    """A take profit that cannot be placed does not fail the entry: partially protected, and tried on."""
    at.simulator.fault("refuse", method="POST", path=ALGO, code=-4045, match=TAKE, times=5)
    report = at.enter()
    assert report.status is ReportStatus.PARTIALLY_PROTECTED
    assert report.reason is not None
    assert report.reason.context["code"] == "-4045"
    eventually(lambda: at.resting() == ["STOP_MARKET", "TAKE_PROFIT_MARKET"])
    at.assert_protected()


@pytest.mark.parametrize("fault", ["reply_lost", "request_lost", "status_503", "status_503_executed"])
def test_close_answer_lost(at: Desk, fault: str) -> None:
    """A lost close still ends flat, with nothing of ours left, and never on the other side."""
    at.enter()
    at.simulator.fault(fault, method="POST", path=ORDER)
    assert at.close().status is ReportStatus.CLOSED
    at.assert_clean()


def test_close_refused_for_a_while(at: Desk) -> None:
    """Closing goes on until it is done; the stop stays meanwhile."""
    at.enter()
    at.simulator.fault("refuse", method="POST", path=ORDER, code=-1000, times=2)
    assert at.close().status is ReportStatus.CLOSED
    at.assert_clean()


def test_close_refused_by_code_for_a_while(at: Desk) -> None:
    """-2022 with a position still there is not believed: look, and close."""
    at.enter()
    at.simulator.fault("refuse", method="POST", path=ORDER, code=-2022, times=3)
    assert at.close().status is ReportStatus.CLOSED
    at.assert_clean()


def test_lookups_fail_while_the_entry_is_unknown(at: Desk) -> None:
    """A question that fails says nothing: the entry is neither given up nor repeated."""
    at.simulator.fault("stream_mute")
    at.simulator.fault("reply_lost", method="POST", path=ORDER)
    at.simulator.fault("refuse", method="GET", path=ORDER, code=-1000, times=4)
    report = at.enter()
    assert report.status is ReportStatus.PROTECTED
    assert len(at.requests("POST", ORDER)) == 1


def test_slow_answer_of_the_entry(simulator: RunningSimulator, tmp_path: Path) -> None:
    """The stream tells of the fill while the entry's answer is still on its way: protected long before it comes."""
    with desk(simulator, tmp_path, policy=FAST, read_timeout_ms=700) as at:
        simulator.fault("delay", method="POST", path=ORDER, delay_ms=1500)
        report = at.enter()
        assert report.status is ReportStatus.PROTECTED
        assert at.state()["nakedMs"][BTC]["worst"] < 500
        assert len(at.requests("POST", ORDER)) == 1


def test_hung_stop_request(simulator: RunningSimulator, tmp_path: Path) -> None:
    """A stop whose answer hangs is unknown at the read time-out and ends as exactly one."""
    with desk(simulator, tmp_path, policy=FAST, read_timeout_ms=400) as at:
        simulator.fault("delay", method="POST", path=ALGO, match=STOP, delay_ms=3000)
        assert at.enter().status is ReportStatus.PROTECTED
        at.assert_protected()


def test_stream_dropped_with_a_position_open(at: Desk) -> None:
    """What happens while the stream is down is found after it is back."""
    at.enter()
    at.simulator.fault("stream_drop")
    at.simulator.set_price(BTC, "66100")
    at.assert_clean()
    eventually(lambda: not at.manager.status().brackets)


def test_stream_mute_is_noticed(simulator: RunningSimulator, tmp_path: Path) -> None:
    """Connected but silent (failure mode 7): an acknowledged order without its event makes the stream suspect."""
    with desk(simulator, tmp_path, policy=Policy(arm=ArmingMode.AFTER_FILL, poll_interval_ms=100)) as at:
        simulator.fault("stream_mute")
        assert at.enter().status is ReportStatus.PROTECTED
        eventually(lambda: bool(at.lines("stream_renewal")))
        simulator.set_price(BTC, "57900")
        at.assert_clean()


def test_venue_cancels_the_stop_by_itself(at: Desk) -> None:
    """Failure mode 15: a stop that ends unasked is replaced within the naked limit."""
    at.enter()
    (stop,) = [row for row in at.state()["openAlgoOrders"] if row["orderType"] == "STOP_MARKET"]
    client = at.manager._running().gateway._client
    client.cancel_algo_order(algoId=stop["algoId"])
    eventually(lambda: at.resting() == ["STOP_MARKET", "TAKE_PROFIT_MARKET"])
    assert at.state()["nakedMs"][BTC]["worst"] < 2000
    at.assert_protected()


def test_lost_close_beside_a_trade_by_hand(simulator: RunningSimulator, tmp_path: Path) -> None:
    """A close that never arrived and somebody else's trade do not keep each other unexplained: it ends flat."""
    with desk(simulator, tmp_path, user_stream=False) as at:
        at.enter()
        simulator.fault("request_lost", method="POST", path=ORDER)
        simulator.trade_by_hand(BTC, "SELL", "0.004")
        assert at.close().status is ReportStatus.CLOSED
        at.assert_clean()
        eventually(lambda: not at.manager.status().brackets)


@pytest.mark.parametrize("user_stream", [True, False])
@pytest.mark.parametrize(("side", "quantity"), [("SELL", "0.004"), ("BUY", "0.004"), ("BUY", "0.010")])
def test_lost_entry_beside_a_trade_by_hand(
    simulator: RunningSimulator, tmp_path: Path, side: str, quantity: str, user_stream: bool
) -> None:
    """A trade by hand is not the entry that never arrived, also when it is of its side and size: the entry is given up,
    the trade is theirs, and the symbol is free again."""
    with desk(simulator, tmp_path, user_stream=user_stream) as at, ThreadPoolExecutor(1) as caller:
        simulator.fault("request_lost", method="POST", path=ORDER)
        report = caller.submit(at.enter)
        eventually(lambda: bool(at.requests("POST", ORDER)))
        simulator.trade_by_hand(BTC, side, quantity)
        assert report.result(timeout=10).status is ReportStatus.REJECTED
        eventually(lambda: not at.manager.status().brackets)
        assert abs(at.position()) == Decimal(quantity)
        assert "entry_unresolved" not in at.alerts()


@pytest.mark.parametrize("user_stream", [True, False])
@pytest.mark.parametrize("quantity", ["0.004", "0.010"])
def test_lost_answer_of_the_entry_beside_a_trade_by_hand(
    simulator: RunningSimulator, tmp_path: Path, quantity: str, user_stream: bool
) -> None:
    """The same where the entry did execute, and the exchange denies it: a trade under our id proves it. Ours is guarded
    and closed for its own size, the rest stays theirs."""
    with desk(simulator, tmp_path, user_stream=user_stream) as at, ThreadPoolExecutor(1) as caller:
        simulator.fault("reply_lost", method="POST", path=ORDER)
        entry = {"origClientOrderId": client_order_id("entry-1", Role.ENTRY)}
        simulator.fault("refuse", method="GET", path=ORDER, code=-2013, match=entry, times=8)
        report = caller.submit(at.enter)
        eventually(lambda: at.position() == Decimal("0.010"))
        simulator.trade_by_hand(BTC, "BUY", quantity)
        assert report.result(timeout=10).status is ReportStatus.PROTECTED
        assert at.state()["nakedMs"][BTC]["worst"] < 1000
        eventually(lambda: [b.external_net for b in at.brackets()] == [Decimal(quantity)], what="attributed")
        assert len(at.requests("POST", ORDER)) == 1
        assert at.close().status is ReportStatus.CLOSED
        eventually(lambda: not at.manager.status().brackets)
        assert at.position() == Decimal(quantity)
        assert at.resting() == []


def test_close_of_what_is_gone_without_a_trade(at: Desk) -> None:
    """The exchange refuses to reduce and shows less than we have, and no trade tells why: closed, and a person told."""
    at.enter()
    exchange = at.simulator.exchange
    at.simulator._on_loop(lambda: setattr(exchange.account.position(BTC, "BOTH"), "amount", Decimal("0.006")))
    assert at.close().status is ReportStatus.CLOSED
    at.assert_clean()
    eventually(lambda: not at.manager.status().brackets)
    assert "position_gone" in at.alerts()


def test_trade_by_hand_between_the_question_and_the_signal(at: Desk) -> None:
    """Somebody trades after the position was asked for and before the entry is decided: theirs, not unexplained."""
    gatherer = at.manager._running().gatherer
    ask = gatherer._amount

    def ask_then_trade(symbol: str) -> tuple[int, Decimal]:
        answer = ask(symbol)
        at.simulator.trade_by_hand(BTC, "SELL", "0.004")
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gatherer, "_amount", ask_then_trade)
        assert at.enter().status is ReportStatus.PROTECTED
    eventually(lambda: [b.open_quantity for b in at.manager.status().brackets] == [Decimal("0.006")])
    assert at.close().status is ReportStatus.CLOSED
    at.assert_clean()
    assert "position_gone" not in at.alerts()
