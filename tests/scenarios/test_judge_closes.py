"""What a close may be for, as the simulation's judge holds it: each reason alone, and what is none."""

from __future__ import annotations

import pytest

from bracketeer.simulator.answers import HttpAnswer
from tests.simulation.judge_closes import REASON_MS, CloseJudge
from tests.simulation.wire import Sent

T = 1_000_000
ALGO = "/fapi/v1/algoOrder"
CROSSED = b'{"code":-2021,"msg":"Order would immediately trigger."}'
SKEWED = b'{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}'


def _sent(method: str, path: str, query: str = "", body: bytes | None = None, status: int = 400) -> Sent:
    sent = Sent(method, path, query, {}, 0)
    if body is not None:
        sent.answer = HttpAnswer(status, body)
    return sent


@pytest.fixture
def judge() -> CloseJudge:
    """A long of ours, seen for the first time, and guarded by a stop that was sent."""
    judge = CloseJudge()
    judge.request(_sent("POST", ALGO, "symbol=BTCUSDT&side=SELL&clientAlgoId=bktr-one-S0"), T, 0, is_ours=False)
    judge.position("BTCUSDT", T, is_flat=False, bare_for_ms=0)
    return judge


def _close(
    judge: CloseJudge, at_ms: int, client_id: str = "bktr-one-F0", *, is_ours: bool = True, silent_ms: int = 0
) -> bool:
    """Whether a close passes."""
    query = f"symbol=BTCUSDT&side=SELL&reduceOnly=true&newClientOrderId={client_id}"
    return not judge.request(_sent("POST", "/fapi/v1/order", query), at_ms, silent_ms, is_ours=is_ours)


def test_nothing_is_no_reason(judge: CloseJudge) -> None:
    """Also for the first position of a symbol, and for a moment's gap; of a position of others nothing is asked."""
    assert not _close(judge, T + 100)
    judge.position("BTCUSDT", T + 200, is_flat=False, bare_for_ms=200)
    assert not _close(judge, T + 300)
    assert _close(judge, T + 300, is_ours=False)
    assert not _close(judge, T + 400)


def test_a_signal_is_a_reason_for_the_close_that_names_it(judge: CloseJudge) -> None:
    """Of this side, and of this position."""
    judge.signal("BTCUSDT", "CLOSE_SHORT", T + 100)
    assert not _close(judge, T + 200, "bktr-one-X0")
    assert not _close(judge, T + 200, "bktr-one-F0")
    judge.signal("BTCUSDT", "CLOSE", T + 300)
    assert not _close(judge, T + 400, "bktr-two-F0")
    assert _close(judge, T + 60_000, "bktr-one-X0")
    judge.position("BTCUSDT", T + 90_000, is_flat=True, bare_for_ms=0)
    judge.position("BTCUSDT", T + 90_001, is_flat=False, bare_for_ms=0)
    assert not _close(judge, T + 90_100, "bktr-three-X0")


def test_an_answer_about_the_time_only_is_none_about_the_stop(judge: CloseJudge) -> None:
    """A stop, and each question about it, was refused for its timestamp: whether it rests, nobody said."""
    assert not _close(judge, T + 50)
    judge.answer(_sent("GET", "/fapi/v1/openAlgoOrders", "symbol=BTCUSDT", SKEWED), T + 100)
    assert _close(judge, T + 200)


@pytest.mark.parametrize("reason", ["bare", "past an exit"])
def test_a_gap_and_a_price_past_an_exit_are_reasons_for_a_while(judge: CloseJudge, reason: str) -> None:
    """And end with their position; a close that has begun goes on."""
    if reason == "bare":
        judge.position("BTCUSDT", T, is_flat=False, bare_for_ms=1_500)
    else:
        judge.answer(_sent("POST", ALGO, "symbol=BTCUSDT", CROSSED), T)
    assert not _close(judge, T + REASON_MS, "bktr-late-F0")
    assert _close(judge, T + 100, "bktr-due-F0")
    assert _close(judge, T + 50_000, "bktr-due-F1")
    judge.position("BTCUSDT", T + 200, is_flat=True, bare_for_ms=1_500)
    judge.position("BTCUSDT", T + 201, is_flat=False, bare_for_ms=0)
    assert not _close(judge, T + 300, "bktr-next-F0")
    assert judge.reasons == {reason: 1, "begun before": 1}


@pytest.mark.parametrize(
    ("sent", "is_reason"),
    [
        (_sent("POST", ALGO, "symbol=BTCUSDT&type=STOP_MARKET&clientAlgoId=bktr-one-S1"), True),
        (_sent("POST", ALGO, "symbol=BTCUSDT&type=TAKE_PROFIT_MARKET&clientAlgoId=bktr-one-T0"), False),
        (_sent("POST", ALGO, "symbol=ETHUSDT&type=STOP_MARKET&clientAlgoId=bktr-two-S0"), False),
        (_sent("GET", ALGO, "clientAlgoId=bktr-one-S0"), True),
        (_sent("GET", ALGO, "clientAlgoId=bktr-one-T0"), False),
        (_sent("DELETE", ALGO, "clientAlgoId=bktr-one-S0"), False),
        (_sent("GET", "/fapi/v1/openAlgoOrders", "symbol=BTCUSDT"), True),
        (_sent("GET", "/fapi/v1/openAlgoOrders", "symbol=ETHUSDT"), False),
        (_sent("GET", "/fapi/v1/openAlgoOrders", "recvWindow=2000"), True),
        (_sent("GET", "/fapi/v1/order", "symbol=BTCUSDT"), False),
    ],
    ids=lambda value: f"{value.method} {value.path} {value.query}" if isinstance(value, Sent) else "",
)
def test_what_was_not_answered_is_a_reason_if_it_was_about_the_stop(
    judge: CloseJudge, sent: Sent, *, is_reason: bool
) -> None:
    """Not a target's, not another symbol's, not a cancel; and not for ever."""
    judge.unanswered(sent, T + 100)
    assert not _close(judge, T + 100 + REASON_MS)
    assert _close(judge, T + 200) is is_reason


def test_an_outage_is_a_reason_until_a_while_after_it(judge: CloseJudge) -> None:
    """So is a 429, until which nothing may be asked."""
    judge.cut_off(T + 10_000)
    assert not _close(judge, T + 10_000 + REASON_MS)
    assert _close(judge, T + 12_000)
    assert not _close(judge, T + 30_000 + REASON_MS, "bktr-two-F0", silent_ms=T + 30_000)
    assert _close(judge, T + 32_000, "bktr-two-F0", silent_ms=T + 30_000)


def test_a_leap_of_the_clock_makes_gaps_longer_once_it_is_measured(judge: CloseJudge) -> None:
    """All leaps since the last measurement; without a gap they are no reason."""
    time = _sent("GET", "/fapi/v1/time", "", b"{}", 200)
    judge.leaps(900)
    judge.leaps(300)
    judge.position("BTCUSDT", T + 100, is_flat=False, bare_for_ms=100)
    assert not _close(judge, T + 200)
    judge.answer(time, T + 300)
    judge.position("BTCUSDT", T + 300, is_flat=False, bare_for_ms=0)
    assert not _close(judge, T + 400)
    judge.position("BTCUSDT", T + 500, is_flat=False, bare_for_ms=100)
    assert _close(judge, T + 600)


def test_reasons_do_not_grow_old_while_nobody_is_there(judge: CloseJudge) -> None:
    """Decided, and killed before it could leave: the next process may send it."""
    judge.answer(_sent("POST", ALGO, "symbol=BTCUSDT", CROSSED), T + 100)
    judge.has_died(T + 200)
    judge.is_back(T + 40_200)
    assert not _close(judge, T + 40_100 + REASON_MS)
    assert _close(judge, T + 41_000)
