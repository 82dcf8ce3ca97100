"""What is to hold when a story has come to rest: every promise that needs a quiet moment."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from bracketeer import BracketeerError, ExecutionReport, ReportStatus
from bracketeer.core.audit_logger import read_since_checkpoint, verify
from bracketeer.core.audit_replay import replay_log
from bracketeer.core.journal import rebuild
from bracketeer.core.position import expected_amount, open_quantity
from bracketeer.core.state import State
from bracketeer.simulator.orders import AlgoOrder
from tests.support.defects import DEFECTS, UNREADABLE

from .judge import OURS, Broken

if TYPE_CHECKING:
    from .run import Run

REPLAYED_EACH = 4
"""Taking every decision again costs a tenth of a story, and a defect there shows in many."""
NONSENSE = ("garbled", "stream_unknown", "stream_garbled")
"""Faults whose answers and events nobody can read."""


def check_protected(run: Run, report: ExecutionReport) -> None:
    """A `protected` report names a stop that the exchange has, or had until something ended it."""
    assert report.stop_loss is not None
    if report.stop_loss.algo_id not in run.exchange.account.algo_orders:
        raise Broken(f"P8: protected by nothing: {report}")


def unsettled(run: Run) -> str:
    """What still moves; empty when nothing does."""
    life = run.life
    if life is None or life.process.is_dead or not life.is_started:
        return "no manager is at work"
    waiting = [signal.signal_id for signal, asked, box in run.answers if asked is life and not box]
    if waiting:
        return f"not answered: {waiting}"
    if not life.is_on_disk:
        return "lines of the log wait for the disk"
    state = life.state
    for symbol in run.story_symbols:
        position = run.exchange.account.positions.get((symbol, "BOTH"))
        amount = Decimal(0) if position is None else position.amount
        resting = _resting(run, symbol)
        stops = [algo for algo in resting if algo.order_type == "STOP_MARKET"]
        brackets = state.on_symbol(symbol)
        if not brackets and resting:
            return f"{symbol}: no bracket, but these rest: {resting}"
        if not brackets and run.judge.leg(symbol).ours != 0 and symbol not in run.by_hand:
            return f"{symbol}: {amount} open and no bracket"
        for bracket in brackets:
            if expected_amount(state, bracket) != amount:
                return f"{symbol}: expected {expected_amount(state, bracket)}, the exchange has {amount}: {bracket}"
            if open_quantity(state, bracket) == 0 or bracket.closing is not None:
                return f"{symbol} is to end: {bracket}"
            if len(stops) != 1:
                return f"{symbol} has these stops: {stops}: {bracket}"
    return ""


def check(run: Run) -> None:
    """Truth of answers, and of the state that the log leads to."""
    executed = {key for key, count in run.judge.executed.items() if count}
    told: dict[str, int] = {}
    for signal, _, _ in run.answers:
        told[signal.signal_id] = told.get(signal.signal_id, 0) + 1
    for signal, _, box in run.answers:
        for answer in box:
            if isinstance(answer, BracketeerError):
                if answer.code != "closed":
                    raise Broken(f"P8: {signal.signal_id}: {answer!r}")
                continue
            if isinstance(answer, BaseException):
                raise answer
            if answer.signal_id != signal.signal_id:
                raise Broken(f"P8: {signal.signal_id} was answered with {answer}")
            denied = answer.status is ReportStatus.DENIED and told[signal.signal_id] == 1
            says_no = answer.status is ReportStatus.REJECTED or denied
            if says_no and signal.quantity and (signal.symbol, Decimal(str(signal.quantity))) in executed:
                raise Broken(f"P8: untrue: {answer}")
    assert run.life is not None
    check_state(run, run.life.state)


def check_state(run: Run, state: State) -> None:
    """P5: the log leads to the state that a manager ended with, to the byte."""
    if state.encode() != rebuild(read_since_checkpoint(run.folder)).encode():
        raise Broken("P5: the log does not rebuild the state")


def check_logs(run: Run) -> None:
    """P5 and P7, when everything is closed."""
    report = verify(run.folder)
    if not report.ok:
        raise Broken(f"P5: {report.problems}")
    if run.story.seed % REPLAYED_EACH == 0:
        again = replay_log(run.folder)
        if not again.ok:
            raise Broken(f"P5: decided otherwise: {again.findings}")
    defects = DEFECTS if any(run.faults[name] for name in NONSENSE) else DEFECTS | UNREADABLE
    for path in run.folder.glob("audit*"):
        text = path.read_bytes()
        for defect in defects:
            if b'"event_type":"%s"' % defect.encode() in text:
                raise Broken(f"P8: {path.name} tells of a {defect}")
        for secret in run.secrets:
            if secret[:20].encode() in text:
                raise Broken(f"P7: {path.name} contains a secret")


def _resting(run: Run, symbol: str) -> list[AlgoOrder]:
    return [algo for algo in run.exchange.account.live_algos(symbol) if algo.client_algo_id.startswith(OURS)]
