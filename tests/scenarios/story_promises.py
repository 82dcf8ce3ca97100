"""P1 to P6 after a story, from the exchange's own books."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING

from bracketeer import BracketeerError, ExecutionReport, ReportStatus
from bracketeer.core.audit_logger import iter_lines, read_since_checkpoint, verify
from bracketeer.core.audit_replay import replay_log
from bracketeer.core.client_ids import client_order_id, is_ours, role_of
from bracketeer.core.commands import Alert
from bracketeer.core.journal import rebuild
from bracketeer.core.position import expected_amount, open_quantity
from bracketeer.core.values import Role
from bracketeer.simulator.orders import AlgoOrder
from tests.support.defects import DEFECTS, UNREADABLE
from tests.support.venue import eventually

from .story_maker import PRICES

if TYPE_CHECKING:
    from .story_player import Player

NAKED_MS = 2000
SLACK_MS = 1000
CLOSING = {"stop_not_live_in_time", "stop_price_already_crossed", "stop_triggered_without_closing"}
BROKEN = DEFECTS | UNREADABLE


def check_protected(player: Player, report: ExecutionReport) -> None:
    """A `protected` report names a stop that the exchange has, or had until something ended it."""
    assert report.stop_loss is not None
    assert report.stop_loss.algo_id in player.simulator.exchange.account.algo_orders, f"protected by nothing: {report}"


def unsettled(player: Player) -> str:
    """What still moves."""
    waiting = [signal.signal_id for signal, answer in player.answers if not answer.done()]
    if waiting:
        return f"not answered: {waiting}"
    state = player.desk.manager.state()
    for symbol in PRICES:
        amount = player.desk.position(symbol)
        stops = [algo for algo in _resting(player, symbol) if algo.order_type == "STOP_MARKET"]
        brackets = state.on_symbol(symbol)
        if not brackets and _resting(player, symbol):
            return f"{symbol}: no bracket, but these rest: {_resting(player, symbol)}"
        if not brackets and amount != 0 and symbol not in player.by_hand:
            return f"{symbol}: {amount} open and no bracket"
        for bracket in brackets:
            told = f"{symbol}: {bracket}"
            if expected_amount(state, bracket) != amount:
                return f"{told}\n expected {expected_amount(state, bracket)}, the exchange has {amount}"
            if open_quantity(state, bracket) == 0 or bracket.closing is not None:
                return f"{told}\n is to end"
            if len(stops) != 1:
                return f"{told}\n stops: {stops}"
    return ""


def check_all(player: Player) -> None:
    """Every promise that the books can tell."""
    _check_once(player)
    _check_answers(player)
    _check_naked(player)
    _check_reducing(player)
    account = player.simulator.exchange.account
    ended = [o for o in account.orders.by_id.values() if o.order_type == "LIMIT" and o.status.value != "NEW"]
    assert not ended, f"P4: foreign orders touched: {ended}"
    busy = [row for row in player.desk.state()["requests"] if row["status"] in (418, 429)]
    assert not busy, f"P6: {busy}"
    session = player.desk.manager._running()
    session.journal.wait_durable(session.journal.last_seq)
    folder = player.folders[-1]
    eventually(
        lambda: player.desk.manager.state().encode() == rebuild(read_since_checkpoint(folder)).encode(),
        what="P5: the log rebuilds the state",
    )


def check_logs(player: Player) -> None:
    """P5, and nothing of ours failed unseen."""
    for folder in player.folders:
        report = verify(folder)
        torn = folder is not player.folders[-1]
        assert report.ok or torn, f"P5: {report.problems}"
        if report.ok:
            again = replay_log(folder)
            assert again.ok, f"P5: decided otherwise: {again.findings}"
        broken = [line for line in iter_lines(folder) if line.event_type in BROKEN]
        assert not broken, f"P8: {broken}"
    alerts = [notice for notice in player.notices if isinstance(notice, Alert) and notice.code in BROKEN]
    assert not alerts, alerts


def _check_once(player: Player) -> None:
    orders = player.simulator.exchange.account.orders.by_id.values()
    entries = Counter(o.client_order_id for o in orders if role_of(o.client_order_id) is Role.ENTRY and o.executed > 0)
    assert all(count == 1 for count in entries.values()), f"P1: {entries}"


def _check_answers(player: Player) -> None:
    orders = player.simulator.exchange.account.orders.by_id.values()
    executed = {o.client_order_id for o in orders if o.executed > 0}
    for signal, answer in player.answers:
        failure = answer.exception()
        if isinstance(failure, BracketeerError):
            assert failure.code == "closed", failure
            continue
        if failure is not None:
            raise failure
        report = answer.result()
        assert report.signal_id == signal.signal_id
        told_once = sum(other.signal_id == signal.signal_id for other, _ in player.answers) == 1
        # What was denied may be sent again.
        if report.status is ReportStatus.REJECTED or (report.status is ReportStatus.DENIED and told_once):
            assert client_order_id(signal.signal_id, Role.ENTRY) not in executed, f"untrue: {report}"


def _check_naked(player: Player) -> None:
    """P2. What somebody adds by hand is not ours to protect; a clock that is set tells no lengths."""
    state = player.desk.state()
    for symbol, gap in state["nakedMs"].items():
        if symbol in player.enlarged or player.steps_of_clock_ms:
            continue
        alerts = {n.code for n in player.notices if isinstance(n, Alert) and n.symbol == symbol}
        bound = NAKED_MS + SLACK_MS + player.outage_ms
        assert gap["worst"] < bound or alerts & CLOSING, f"P2: {symbol} {gap}, bound {bound}, alerts {alerts}"
        assert gap["now"] == 0, f"P2: {symbol} is naked"


def _check_reducing(player: Player) -> None:
    """P3: nothing of ours but an entry ever made a position larger, or turned it over."""
    account = player.simulator.exchange.account
    amounts: dict[str, Decimal] = {}
    for fill in account.fills:
        before = amounts.get(fill.symbol, Decimal(0))
        after = before + (fill.quantity if fill.side == "BUY" else -fill.quantity)
        amounts[fill.symbol] = after
        client_id = account.orders.by_id[fill.symbol, fill.order_id].client_order_id
        if is_ours(client_id) and role_of(client_id) is not Role.ENTRY:
            assert abs(after) < abs(before), f"P3: {client_id}: {before} -> {after}"
            assert before * after >= 0, f"P3: {client_id}: {before} -> {after}"


def _resting(player: Player, symbol: str) -> list[AlgoOrder]:
    live = player.simulator.exchange.account.live_algos(symbol)
    return [algo for algo in live if is_ours(algo.client_algo_id)]
