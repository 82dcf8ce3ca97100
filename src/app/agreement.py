"""Our record against the exchange's books: what should be there, what is there, and every difference in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from ..core.client_ids import is_ours
from ..core.legs import legs_of
from ..core.position import expected_amount
from ..core.state import State
from ..core.values import AlgoStatus, Role, exact, plain


class ExchangePosition(msgspec.Struct, frozen=True, kw_only=True):
    """A position as the exchange has it; `amount` is signed, in the base asset. `ours`: a bracket of ours is on it."""

    symbol: str
    position_side: str
    amount: Decimal
    ours: bool


class ExchangeBooks(msgspec.Struct, frozen=True, kw_only=True):
    """What the exchange says; weight as `used/limit` facts of its last answer."""

    base_url: str
    positions: tuple[ExchangePosition, ...]
    open_orders: tuple[dict[str, Any], ...]
    balance_usdt: Decimal
    used_weight_1m: int
    weight_limit_1m: int


def differences(state: State, books: ExchangeBooks) -> tuple[str, ...]:
    """Every point in which the two disagree. Positions and orders of others are no disagreement."""
    if state.venue and state.venue.rstrip("/") != books.base_url.rstrip("/"):
        return (f"the record is about {state.venue}, but {books.base_url} was asked",)
    return (*_position_differences(state, books), *_order_differences(state, books))


def _position_differences(state: State, books: ExchangeBooks) -> Iterator[str]:
    there: dict[str, Decimal] = {}
    for position in books.positions:
        there[position.symbol] = there.get(position.symbol, Decimal(0)) + position.amount
    expected: dict[str, Decimal] = {}
    for bracket in state.brackets.values():
        expected[bracket.symbol] = expected.get(bracket.symbol, Decimal(0)) + expected_amount(state, bracket)
    for symbol, amount in expected.items():
        actual = there.get(symbol, Decimal(0))
        if amount != actual:
            yield f"{symbol}: our position is {plain(amount)}, the exchange says {plain(actual)}"


def _order_differences(state: State, books: ExchangeBooks) -> Iterator[str]:
    resting = {client_id_of(row): row for row in books.open_orders}
    known: set[str] = set()
    for bracket in state.brackets.values():
        known.update(client_id for ids in bracket.ids.values() for client_id in ids)
        for role, name in ((Role.STOP_LOSS, "stop loss"), (Role.TAKE_PROFIT, "take profit")):
            for algo in legs_of(state, bracket, role):
                if algo.status is AlgoStatus.NEW and algo.intent.client_order_id not in resting:
                    yield f"{bracket.symbol}: our {name} {algo.intent.client_order_id} does not rest at the exchange"
    for client_id, row in resting.items():
        if is_ours(client_id) and client_id not in known:
            yield f"{row.get('symbol')}: {client_id} is ours and rests, but belongs to no position we know"


def client_id_of(row: Mapping[str, Any]) -> str:
    """The client's id of a row of either list of open orders."""
    return str(row.get("clientOrderId") or row.get("clientAlgoId") or "")


def books_from(
    base_url: str,
    amounts: Mapping[tuple[str, Any], Decimal],
    open_orders: list[dict[str, Any]],
    balance: Decimal,
    weight: tuple[int, int],
    state: State,
) -> ExchangeBooks:
    """The exchange's answers in one value; which positions are ours is for our record to say."""
    managed = {bracket.symbol for bracket in state.brackets.values()}
    positions = [
        ExchangePosition(symbol=symbol, position_side=str(side), amount=exact(amount), ours=symbol in managed)
        for (symbol, side), amount in amounts.items()
    ]
    orders = [{**row, "ours": is_ours(client_id_of(row))} for row in open_orders]
    return ExchangeBooks(
        base_url=base_url,
        positions=tuple(sorted(positions, key=lambda position: position.symbol)),
        open_orders=tuple(orders),
        balance_usdt=balance,
        used_weight_1m=weight[0],
        weight_limit_1m=weight[1],
    )
