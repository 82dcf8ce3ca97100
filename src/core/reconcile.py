"""Our state against a snapshot of the exchange's: what is missing here, what is missing there.

One path for start-up, stream gaps and the poll (design: recovery is replay + reconcile). A snapshot can be older than
what the stream told meanwhile, so it only speaks of what was settled before it was asked for.
"""

from __future__ import annotations

from decimal import Decimal

from .bracket import Bracket
from .client_ids import is_ours
from .commands import CancelOrder
from .events import Fill, OpenOrder, SymbolSnapshot, TradeRow
from .order import AlgoOrder, Order, OrderChange, apply_algo, apply_order
from .position import orders_of
from .state import PositionView, position_key
from .turn import Turn
from .updates import foreign_trade
from .values import ZERO, AlgoStatus, OrderStatus, PositionSide

SETTLE_MS = 200
"""An order acknowledged less than this before the snapshot was asked for may be missing from it: reads lag (§3.4)."""


def reconcile(turn: Turn, snapshot: SymbolSnapshot) -> None:
    """Apply one snapshot of a symbol."""
    _keep_positions(turn, snapshot)
    brackets = turn.state.on_symbol(snapshot.symbol)
    rows = {row.client_order_id: row for row in snapshot.orders}
    for bracket in brackets:
        bracket = turn.update(bracket, asking=False)
        for ids in bracket.ids.values():
            for client_id in ids:
                algo = turn.state.algos.get(client_id)
                if algo is not None:
                    _compare_algo(turn, algo, rows.get(client_id), snapshot)
        if snapshot.trades is not None:
            _attribute_trades(turn, bracket, snapshot.trades, resting=frozenset(rows))
    _cancel_orphans(turn, snapshot)


def _keep_positions(turn: Turn, snapshot: SymbolSnapshot) -> None:
    for side in PositionSide:
        key = position_key(snapshot.symbol, side)
        known = turn.state.positions.get(key)
        if known is not None and known.known_at_ms > snapshot.requested_at_ms:
            continue  # the stream told something newer
        amount = snapshot.amounts.get(side, ZERO)
        if amount == 0 and known is None and side is not PositionSide.BOTH:
            continue
        turn.state.positions[key] = PositionView(
            amount=amount, known_at_ms=snapshot.requested_at_ms, heard_ms=0 if known is None else known.heard_ms
        )


def _compare_algo(turn: Turn, algo: AlgoOrder, row: OpenOrder | None, snapshot: SymbolSnapshot) -> None:
    if row is not None and row.algo:
        doubtful = (AlgoStatus.UNRESOLVED, AlgoStatus.PENDING_NEW, AlgoStatus.REJECTED)
        if algo.status in doubtful or algo.given_up:
            found, _ = apply_algo(
                algo,
                AlgoStatus.NEW,
                algo_id=row.exchange_id,
                actual_order_id=None,
                exchange_time_ms=row.updated_at_ms or snapshot.requested_at_ms,
            )
            known_ms = min(row.updated_at_ms or snapshot.requested_at_ms, snapshot.at_ms)
            turn.update_algo(
                found, acked_ms=known_ms, asking=False, error_code=None, error_text="", misses=0, next_at_ms=None
            )
        elif algo.status is AlgoStatus.NEW and algo.tries.misses:
            turn.update_algo(algo, misses=0, next_at_ms=None)
        return
    settled = algo.acked_ms is not None and algo.acked_ms + SETTLE_MS <= snapshot.requested_at_ms
    if algo.status is AlgoStatus.NEW and settled:
        turn.look_up(algo, "missing_from_snapshot")


def _attribute_trades(turn: Turn, bracket: Bracket, trades: tuple[TradeRow, ...], *, resting: frozenset[str]) -> None:
    """Every fill on the position belongs to exactly one order of ours or to somebody else (failure mode 8).

    A fill of an order id we do not know is somebody else's only when no order of ours can be behind it: none whose
    fate is unknown, no leg that is missing from the open list and may have triggered.
    """
    by_exchange_id = {o.exchange_order_id: o for o in orders_of(turn.state, bracket) if o.exchange_order_id}
    suspects: list[Order | AlgoOrder] = [
        o for o in orders_of(turn.state, bracket) if not o.closed and o.exchange_order_id is None
    ]
    for ids in bracket.ids.values():
        for client_id in ids:
            algo = turn.state.algos.get(client_id)
            if algo is None:
                continue
            if algo.actual_order_id and client_id not in turn.state.orders:
                order = Order(intent=algo.intent, status=OrderStatus.UNRESOLVED, exchange_order_id=algo.actual_order_id)
                by_exchange_id[algo.actual_order_id] = order
            never_traded = algo.status in (AlgoStatus.CANCELED, AlgoStatus.EXPIRED, AlgoStatus.REJECTED)
            known = client_id in resting or never_traded or client_id in turn.state.orders
            if not (known or algo.actual_order_id):
                suspects.append(algo)
    for trade in sorted(trades, key=lambda row: row.trade_id):
        if trade.exchange_time_ms < bracket.trades_from_ms or trade.position_side is not bracket.position_side:
            continue
        fill = _fill(trade)
        order_or_none = by_exchange_id.get(trade.exchange_order_id)
        if order_or_none is not None:
            changed = _with_fill(turn, order_or_none, fill, trade)
            by_exchange_id[trade.exchange_order_id] = changed
        elif not any(_may_be_of(turn, suspect, trade) for suspect in suspects):
            bracket = foreign_trade(
                turn,
                bracket,
                trade_id=trade.trade_id,
                side=trade.side,
                fill=fill,
                position_side=trade.position_side,
            )


def _may_be_of(turn: Turn, suspect: Order | AlgoOrder, trade: TradeRow) -> bool:
    """Whether an order of unknown fate can be behind a fill: right side, no more than it asked for, not before it left.

    Without this, a lost order and somebody else's trade would keep each other unexplained for ever: the order is given
    up only when the position agrees, and the position agrees only when the trade is attributed.
    """
    intent = suspect.intent
    if trade.side is not intent.side or (intent.quantity is not None and trade.quantity > intent.quantity):
        return False
    # An algo order is sent again under its id: when it left first is not kept.
    left_ms = suspect.tries.sent_at_ms if isinstance(suspect, Order) else 0
    return trade.exchange_time_ms >= left_ms - turn.state.policy.clock_margin_ms


def _with_fill(turn: Turn, order: Order, fill: Fill, trade: TradeRow) -> Order:
    known: Decimal = sum((f.quantity for f in order.fills if f.trade_id != fill.trade_id), ZERO)
    total = known + fill.quantity
    change = OrderChange(
        status=order.status if order.status is not OrderStatus.NEW else OrderStatus.PARTIALLY_FILLED,
        exchange_order_id=trade.exchange_order_id,
        executed=max(order.executed, total),
        fill=fill,
        exchange_time_ms=trade.exchange_time_ms,
        at_ms=turn.now_ms,
    )
    changed, _ = apply_order(order, change)
    return turn.update_order(changed)


def _fill(trade: TradeRow) -> Fill:
    return Fill(
        trade_id=trade.trade_id,
        price=trade.price,
        quantity=trade.quantity,
        commission=trade.commission,
        commission_asset=trade.commission_asset,
        realized_profit=trade.realized_profit,
    )


def _cancel_orphans(turn: Turn, snapshot: SymbolSnapshot) -> None:
    """Orders with our prefix that no bracket knows: cancelled where the symbol is flat (P3), left where it is not.

    With a position there they may be all that protects it (the log folder was lost, say): such a position is external.
    """
    if turn.state.on_symbol(snapshot.symbol) or any(amount != 0 for amount in snapshot.amounts.values()):
        return
    for row in snapshot.orders:
        if is_ours(row.client_order_id):
            turn.commands.append(
                CancelOrder(client_order_id=row.client_order_id, signal_id="", symbol=snapshot.symbol, algo=row.algo)
            )
