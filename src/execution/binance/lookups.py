"""What became of an order, and the snapshot of a symbol (binance-usdm.md §4.7, §8.1, §10.2).

A question that failed says nothing about what was asked: it becomes `LookUpFailed`, never "not there".
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from ...core.commands import LookUpOrder, LookUpSymbol
from ...core.events import AlgoUpdated, LookUpFailed, OpenOrder, OrderNotFound, OrderUpdated, SymbolSnapshot
from ...core.values import ZERO, AlgoStatus
from ..errors import AuthenticationFailed, ExchangeError, ExchangeRefused, RateLimited
from .asking import Asker
from .orders import NO_SUCH_ORDER
from .rest_messages import (
    WireAlgoOrder,
    read_algo_order,
    read_algo_orders,
    read_order,
    read_orders,
    read_positions,
)
from .trades import trades_since, with_client_ids

_NO_MORE_QUESTIONS = (RateLimited, AuthenticationFailed)

Found = OrderUpdated | AlgoUpdated
Answer = Found | OrderNotFound | LookUpFailed


def look_up_order(asker: Asker, once: Asker, command: LookUpOrder) -> list[Answer]:
    """Ask about one order of ours. "Not found" is dated with the instant before the first question.

    `once` asks what another place can answer as well, and so is not worth a second attempt.
    """
    asked_at_ms = asker.client.clock.now_ms()
    lists: list[tuple[str, ...]] = []
    try:
        found = _find_algo(asker, once, command, lists) if command.algo else _find_normal(asker, command)
    except ExchangeError as error:
        return [
            LookUpFailed(
                at_ms=asker.client.clock.now_ms(),
                failure=error.failure,
                client_order_id=command.client_order_id,
                symbol=command.symbol,
                algo=command.algo,
            )
        ]
    resting = lists[-1] if lists else None
    if found and resting is None:
        return list(found)
    if found:
        listed = {"asked_at_ms": asked_at_ms, "resting": resting}
        return [replace(event, **listed) if isinstance(event, AlgoUpdated) else event for event in found]
    return [
        OrderNotFound(
            at_ms=asker.client.clock.now_ms(),
            client_order_id=command.client_order_id,
            asked_at_ms=asked_at_ms,
            algo=command.algo,
            resting=resting,
        )
    ]


def look_up_symbol(
    asker: Asker, command: LookUpSymbol, early: Callable[[SymbolSnapshot], None] | None = None
) -> SymbolSnapshot | LookUpFailed:
    """Take one snapshot: position, both stores of open orders and, where asked for, the trades.

    A failed part is left out, and it is told apart from an empty one. Without the position there is no snapshot. The
    other parts may take long, or be lost: a position that may be bare does not wait for them, `early` hears of it at
    once.
    """
    client, symbol = asker.client, command.symbol
    try:
        requested_at_ms, positions = asker.ask_dated(client.get_position_risk, read_positions, symbol=symbol)
    except ExchangeError as error:
        return LookUpFailed(at_ms=client.clock.now_ms(), failure=error.failure, symbol=symbol)
    held = [row for row in positions if row.symbol == symbol and row.position_amt != ZERO]
    position = SymbolSnapshot(
        at_ms=client.clock.now_ms(),
        symbol=symbol,
        requested_at_ms=requested_at_ms,
        amounts={row.position_side: row.position_amt for row in held},
        entry_prices={row.position_side: row.entry_price for row in held},
        orders=None,
    )
    if command.position_only:
        return position
    if early is not None:
        early(replace(position, is_partial=True))
    orders = _resting(asker, symbol)
    trades = None
    if orders is not None and command.trades_since_ms is not None:
        with suppress(ExchangeError):  # on record as an api_error; whoever wanted them asks again
            rows = trades_since(asker, symbol, command.trades_since_ms, now_ms=requested_at_ms)
            trades = with_client_ids(asker, symbol, rows, frozenset(command.known_orders))
    return replace(position, at_ms=client.clock.now_ms(), orders=orders, trades=trades)


def _resting(asker: Asker, symbol: str) -> tuple[OpenOrder, ...] | None:
    """What rests on a symbol, in both stores; None when it cannot be had."""
    client = asker.client
    try:
        normal = asker.ask(client.get_orders, read_orders, symbol=symbol)
        algo = asker.ask(client.get_open_algo_orders, read_algo_orders, symbol=symbol)
    except ExchangeError:
        return None  # on record as an api_error; the engine asks again
    return (*(row.resting() for row in normal), *(row.resting() for row in algo))


def _find_normal(asker: Asker, command: LookUpOrder) -> list[Found]:
    try:
        return [_order(asker, command, origClientOrderId=command.client_order_id)]
    except ExchangeRefused as error:
        if error.exchange_code == NO_SUCH_ORDER:
            return []
        raise


def _order(asker: Asker, command: LookUpOrder, **key: str | int) -> OrderUpdated:
    """The normal order under a key, under the client id we asked for: a triggered order's equals its algo id (§4.5)."""
    client = asker.client

    def translate(raw: Any) -> OrderUpdated:
        return read_order(raw).updated(at_ms=client.clock.now_ms(), client_order_id=command.client_order_id)

    return asker.ask(client.query_order, translate, symbol=command.symbol, **key)


def _find_algo(asker: Asker, once: Asker, command: LookUpOrder, lists: list[tuple[str, ...]]) -> list[Found]:
    """The conditional order, and before it the ordinary one it became: who reads in order knows the fill first."""
    found = _algo_order(asker, once, command, lists)
    if found is None:
        return []
    row, algo = found
    if row.became is None and algo.status not in (AlgoStatus.TRIGGERED, AlgoStatus.FINISHED):
        return [algo]
    key: dict[str, str | int] = (
        {"orderId": row.became} if row.became is not None else {"origClientOrderId": command.client_order_id}
    )
    try:
        return [_order(asker, command, **key), algo]
    except ExchangeRefused as error:
        # An unfilled order is forgotten after three days (§3.2); before that, a read may lag behind the trigger.
        forgotten = algo.status is AlgoStatus.FINISHED and row.actual_qty == ZERO
        if error.exchange_code == NO_SUCH_ORDER and forgotten:
            return [algo]
        raise


def _algo_order(
    asker: Asker, once: Asker, command: LookUpOrder, lists: list[tuple[str, ...]]
) -> tuple[WireAlgoOrder, AlgoUpdated] | None:
    """By id, then in the open list, then in the full one: -2013 by id was seen for orders that were open (§4.7).

    None says that it does not rest: the open list was read and lacks it, though what became of it may not be known.
    Only that question is repeated: the position may be bare, and each attempt may take as long as our patience. What
    it shows goes into `lists`.
    """
    client = asker.client

    def translate(row: WireAlgoOrder) -> tuple[WireAlgoOrder, AlgoUpdated]:
        return row, row.updated(at_ms=client.clock.now_ms())

    def pick(raw: Any) -> tuple[WireAlgoOrder, AlgoUpdated] | None:
        rows = (row for row in read_algo_orders(raw) if row.client_algo_id == command.client_order_id)
        return next((translate(row) for row in rows), None)

    try:
        return once.ask(
            client.query_algo_order,
            lambda raw: translate(read_algo_order(raw)),
            clientAlgoId=command.client_order_id,
        )
    except ExchangeError as error:
        if isinstance(error, _NO_MORE_QUESTIONS):
            raise
    resting, found = asker.ask(
        client.get_open_algo_orders,
        lambda raw: (tuple(row.client_algo_id for row in read_algo_orders(raw)), pick(raw)),
        symbol=command.symbol,
    )
    lists.append(resting)
    if found is not None:
        return found
    try:
        return once.ask(client.get_all_algo_orders, pick, symbol=command.symbol)
    except ExchangeError as error:
        if isinstance(error, _NO_MORE_QUESTIONS):
            raise
        return None
