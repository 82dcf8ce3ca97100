"""Our state against a snapshot of the exchange's: what is missing here, what is missing there.

One path for start-up, stream gaps and the poll (design: recovery is replay + reconcile). A snapshot can be older than
what the stream told meanwhile, so it only speaks of what was settled before it was asked for.
"""

from __future__ import annotations

from decimal import Decimal

from .bracket import Bracket
from .client_ids import is_ours
from .commands import CancelOrder
from .doubt import is_unproven, look_for_missing, was_resting
from .events import Fill, OpenOrder, SymbolSnapshot, TradeRow
from .legs import covers, legs_of, shown_leg
from .order import SHOWN, AlgoOrder, Order, OrderChange, apply_algo, apply_order
from .position import open_quantity, orders_of
from .resolving import ASK_AGAIN_MS
from .state import PositionView, position_key
from .turn import Turn
from .updates import foreign_trade
from .values import ZERO, AlgoStatus, OrderStatus, PositionSide, Role


def reconcile(turn: Turn, snapshot: SymbolSnapshot) -> None:
    """Apply one snapshot of a symbol."""
    _keep_positions(turn, snapshot)
    if snapshot.is_partial:
        return
    brackets = turn.state.on_symbol(snapshot.symbol)
    if snapshot.orders is None:
        for bracket in brackets:
            turn.update(bracket, asking=False, next_look_ms=turn.now_ms + ASK_AGAIN_MS)
        return
    rows = {row.client_order_id: row for row in snapshot.orders}
    for bracket in brackets:
        bracket = turn.update(bracket, asking=False)
        for ids in bracket.ids.values():
            for client_id in ids:
                algo = turn.state.algos.get(client_id)
                if algo is not None:
                    _compare_algo(turn, algo, rows.get(client_id), snapshot)
        _sweep(turn, bracket, rows, snapshot)
        _cancel_strays(turn, bracket, snapshot)
        if snapshot.trades is not None:
            resting, bracket = frozenset(rows), turn.state.brackets[bracket.signal_id]
            _attribute_trades(turn, bracket, snapshot.trades, resting=resting, asked_ms=snapshot.requested_at_ms)
    _cancel_orphans(turn, snapshot)


def _keep_positions(turn: Turn, snapshot: SymbolSnapshot) -> None:
    for side in PositionSide:
        amount = snapshot.amounts.get(side, ZERO)
        known = turn.state.positions.get(position_key(snapshot.symbol, side))
        if amount != 0 or known is not None or side is PositionSide.BOTH:
            keep_position(turn, snapshot.symbol, side, amount, snapshot.requested_at_ms)


def keep_position(turn: Turn, symbol: str, side: PositionSide, amount: Decimal, asked_at_ms: int) -> None:
    """What the exchange answered of a position, unless something newer is known."""
    key = position_key(symbol, side)
    known = turn.state.positions.get(key)
    # What bears a time that is still to come was dated by a clock that has been set since: it is not newer.
    if known is None or not asked_at_ms < known.known_at_ms <= turn.now_ms:
        turn.state.positions[key] = PositionView(
            amount=amount, known_at_ms=asked_at_ms, heard_ms=0 if known is None else known.heard_ms
        )


def _compare_algo(turn: Turn, algo: AlgoOrder, row: OpenOrder | None, snapshot: SymbolSnapshot) -> None:
    if row is not None and row.algo:
        doubtful = (AlgoStatus.UNRESOLVED, AlgoStatus.PENDING_NEW, AlgoStatus.REJECTED)
        if _is_from_before(algo, snapshot):
            return
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
                found,
                acked_ms=known_ms,
                asking=False,
                error_code=None,
                error_text="",
                **SHOWN,
            )
        elif algo.status is AlgoStatus.NEW and (algo.tries.misses or algo.tries.doubted_ms is not None):
            turn.update_algo(algo, **SHOWN)
        return
    look_for_missing(turn, algo, snapshot.requested_at_ms, "missing_from_snapshot")


def _is_from_before(algo: AlgoOrder, snapshot: SymbolSnapshot) -> bool:
    """Whether a snapshot was asked for before a leg was given up: what it shows of it is no news."""
    return was_resting(algo) and snapshot.requested_at_ms <= algo.tries.given_up_ms


def _sweep(turn: Turn, bracket: Bracket, rows: dict[str, OpenOrder], snapshot: SymbolSnapshot) -> None:
    """Cancel what rests under the id of a leg that has ended: one that was sent twice may arrive twice, the second time
    after the first one's end (ids are unique among open orders only, §5.4)."""
    bracket = turn.state.brackets[bracket.signal_id]
    ended = [algo for algo in legs_of(turn.state, bracket) if algo.closed and not _is_from_before(algo, snapshot)]
    late = [algo for algo in ended if algo.intent.client_order_id in rows]
    for algo in late:
        turn.cancel_row(algo.intent)
    if not late:
        turn.update(bracket, swept_ms=snapshot.requested_at_ms)


def _cancel_strays(turn: Turn, bracket: Bracket, snapshot: SymbolSnapshot) -> None:
    """Orders of ours that the log does not know (the disk lost the lines of its last moments): cancelled once they are
    not all that guards, and looked for until none is left. One that is reduce-only would outlive the position."""
    bracket = turn.state.brackets[bracket.signal_id]
    rows = [row for row in snapshot.orders or () if _is_stray(turn, row)]
    if not rows:
        turn.update(bracket, strays=False)
        return
    is_flat = turn.state.orders[bracket.entry_id].closed and open_quantity(turn.state, bracket) == 0
    if is_flat or bracket.stop_loss is None or _shows_stop(turn, bracket, snapshot):
        turn.commands.extend(_cancel(row, snapshot.symbol) for row in rows)
    turn.update(bracket, strays=True, next_look_ms=turn.now_ms + turn.state.policy.poll_interval_ms)


def _shows_stop(turn: Turn, bracket: Bracket, snapshot: SymbolSnapshot) -> bool:
    """Whether a known stop covers the position and rests by this very answer: our record of it may be out of date."""
    stop = shown_leg(turn.state, bracket, Role.STOP_LOSS)
    resting = {row.client_order_id for row in snapshot.orders or ()}
    return stop is not None and covers(turn.state, bracket, stop) and stop.intent.client_order_id in resting


def _is_stray(turn: Turn, row: OpenOrder) -> bool:
    client_id = row.client_order_id
    return is_ours(client_id) and client_id not in turn.state.orders and client_id not in turn.state.algos


def _cancel(row: OpenOrder, symbol: str) -> CancelOrder:
    return CancelOrder(client_order_id=row.client_order_id, signal_id="", symbol=symbol, algo=row.algo)


def _attribute_trades(
    turn: Turn, bracket: Bracket, trades: tuple[TradeRow, ...], *, resting: frozenset[str], asked_ms: int
) -> None:
    """Every fill on the position belongs to exactly one order of ours or to somebody else (failure mode 8).

    The client id of its order decides. Where nobody could say it, a fill is somebody else's only when no order of ours
    can be behind it: none whose fate is unknown, no leg that is missing from the open list and may have triggered.
    """
    ours, doubtful = _own_orders(turn, bracket, resting)
    known = True
    seen: dict[str, Decimal] = {}
    by_exchange_id = {order.exchange_order_id: order for order in ours.values() if order.exchange_order_id}
    for trade in sorted(trades, key=lambda row: row.trade_id):
        if trade.position_side is not bracket.position_side:
            continue
        order = by_exchange_id.get(trade.exchange_order_id) or ours.get(trade.client_order_id)
        if order is None and trade.exchange_time_ms < bracket.trades_from_ms:
            continue  # of others, and in the position that was there when it was asked for
        if order is not None:
            by_exchange_id[trade.exchange_order_id] = _with_fill(turn, order, _fill(trade), trade)
            own_id = order.intent.client_order_id
            seen[own_id] = seen.get(own_id, ZERO) + trade.quantity
        elif not (trade.client_order_id or not doubtful):
            known = False
        else:
            bracket = foreign_trade(
                turn,
                bracket,
                client_id=trade.client_order_id,
                side=trade.side,
                fill=_fill(trade),
                position_side=trade.position_side,
                exchange_time_ms=trade.exchange_time_ms,
            )
    # A list that lacks a trade of ours may lack others as well: it lags, or it is empty by mistake.
    claim = bracket.entry_id if bracket.claimed else ""  # was never sent: no list has a trade of it
    ledger = [order for order in orders_of(turn.state, bracket) if order.intent.client_order_id != claim]
    if known and all(order.executed <= seen.get(order.intent.client_order_id, ZERO) for order in ledger):
        turn.update(bracket, trades_known_ms=asked_ms)


def _own_orders(turn: Turn, bracket: Bracket, resting: frozenset[str]) -> tuple[dict[str, Order], bool]:
    """The orders of a bracket by client id, also those that a conditional one became or may become; and whether one of
    them may have traded under an exchange id that we do not know."""
    ours: dict[str, Order] = {}
    doubtful = False
    for ids in bracket.ids.values():
        for client_id in ids:
            order, algo = turn.state.orders.get(client_id), turn.state.algos.get(client_id)
            if order is not None:
                ours[client_id] = order
                doubtful = doubtful or (not order.closed and order.exchange_order_id is None)
            elif algo is not None:
                became = algo.actual_order_id
                ours[client_id] = Order(intent=algo.intent, status=OrderStatus.UNRESOLVED, exchange_order_id=became)
                never_traded = algo.closed and algo.status is not AlgoStatus.FINISHED and not is_unproven(algo)
                doubtful = doubtful or not (client_id in resting or never_traded or became)
    return ours, doubtful


def _with_fill(turn: Turn, order: Order, fill: Fill, trade: TradeRow) -> Order:
    """Book a trade on an order of ours. It proves that the order arrived, whatever we made of its silence; the end of
    one that has more to trade is asked for."""
    known: Decimal = sum((f.quantity for f in order.fills if f.trade_id != fill.trade_id), ZERO)
    total = known + fill.quantity
    wanted = order.intent.quantity
    status = order.status
    if not order.closed or order.given_up:
        status = OrderStatus.FILLED if wanted is not None and total >= wanted else OrderStatus.PARTIALLY_FILLED
    change = OrderChange(
        status=status,
        exchange_order_id=trade.exchange_order_id,
        executed=max(order.executed, total),
        fill=fill,
        exchange_time_ms=trade.exchange_time_ms,
        at_ms=turn.now_ms,
    )
    changed, _ = apply_order(order, change)
    if order.status is OrderStatus.UNRESOLVED or order.given_up:
        return turn.update_order(changed, next_at_ms=None if changed.closed else turn.now_ms)
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
    ours = [row for row in snapshot.orders or () if is_ours(row.client_order_id)]
    turn.commands.extend(_cancel(row, snapshot.symbol) for row in ours)
