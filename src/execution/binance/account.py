"""Prices, positions, balances, settings, and the rules of all symbols (binance-usdm.md §3.1, §3.4).

These raise `ExchangeError`: they are asked by a person or before an order exists, so there is no event to carry a
failure.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from ...core.values import ZERO, MarginType, PositionSide, WorkingType
from ..errors import ExchangeRefused
from ..ports import HeldPosition
from .asking import Asker
from .exchange_info import ExchangeInfo, read_exchange_info
from .rest_messages import (
    WireAccountConfiguration,
    WireBalance,
    WireLastPrice,
    WireLeverage,
    WireMarkPrice,
    read_algo_orders,
    read_positions,
)
from .wire import UnreadableMessage, read, rows_of

LIST_KEY: Final = "list"
"""Key added to each row of `open_orders`: the endpoint it came from, `openOrders` or `openAlgoOrders`."""

MARGIN_TYPE_ALREADY_SO: Final = -4046


def reference_price(asker: Asker, symbol: str, working_type: WorkingType) -> Decimal:
    """The price triggers of this working type watch: last or mark."""
    client = asker.client
    if working_type is WorkingType.MARK_PRICE:
        return asker.ask(client.mark_price, lambda raw: read(raw, WireMarkPrice), symbol=symbol).mark_price
    return asker.ask(client.ticker_price, lambda raw: read(raw, WireLastPrice), symbol=symbol).price


def position_amounts(asker: Asker, symbol: str | None) -> dict[tuple[str, PositionSide], Decimal]:
    """Signed position amounts that are not zero."""
    rows = asker.ask(asker.client.get_position_risk, read_positions, symbol=symbol)
    return {(row.symbol, row.position_side): row.position_amt for row in rows if row.position_amt != ZERO}


def dated_amount(asker: Asker, symbol: str) -> tuple[int, Decimal]:
    """The signed position of a symbol, both sides of a hedge together, and the instant before it was asked for."""
    asked_at_ms, rows = asker.ask_dated(asker.client.get_position_risk, read_positions, symbol=symbol)
    return asked_at_ms, sum((row.position_amt for row in rows if row.symbol == symbol), ZERO)


def resting_algo_ids(asker: Asker, symbol: str) -> set[str]:
    """Client ids of the conditional orders that rest on a symbol (weight 1, binance-usdm.md §7.1)."""
    rows = asker.ask(asker.client.get_open_algo_orders, read_algo_orders, symbol=symbol)
    return {row.client_algo_id for row in rows}


def held_positions(asker: Asker) -> list[HeldPosition]:
    """All positions that are not zero."""
    return [
        HeldPosition(
            symbol=row.symbol,
            position_side=row.position_side,
            amount=row.position_amt,
            entry_price=row.entry_price,
            updated_at_ms=row.update_time,
        )
        for row in asker.ask(asker.client.get_position_risk, read_positions)
        if row.position_amt != ZERO
    ]


def position_rows(asker: Asker, symbol: str) -> list[dict[str, Any]]:
    """positionRisk rows of one symbol, as the exchange writes them."""
    return asker.ask(asker.client.get_position_risk, _raw_rows, symbol=symbol)


def open_orders(asker: Asker, symbol: str | None) -> list[dict[str, Any]]:
    """Open orders of both stores, ours and foreign, as the exchange writes them, each marked with its list."""
    client = asker.client
    lists = {"openOrders": client.get_orders, "openAlgoOrders": client.get_open_algo_orders}
    return [
        {LIST_KEY: name, **row} for name, call in lists.items() for row in asker.ask(call, _raw_rows, symbol=symbol)
    ]


def exchange_info(asker: Asker) -> ExchangeInfo:
    """All symbols' rules and the rate limits, fetched now."""
    return asker.ask(asker.client.exchange_info, read_exchange_info)


def hedge_mode(asker: Asker) -> bool:
    """Whether the account is in hedge mode (§12.1); asked where that costs 5, not 30 (§3.4)."""
    configuration = asker.ask(
        asker.client.futures_account_configuration, lambda raw: read(raw, WireAccountConfiguration)
    )
    return configuration.dual_side_position


def balance(asker: Asker, asset: str) -> Decimal:
    """Wallet balance of one asset; zero when the account has no row for it."""
    rows = asker.ask(asker.client.balance, lambda raw: [read(row, WireBalance) for row in rows_of(raw)])
    return next((row.balance for row in rows if row.asset == asset), ZERO)


def set_leverage(asker: Asker, symbol: str, leverage: int) -> int:
    """Set and return the leverage. Repeating it is harmless: the same value is accepted again (§9.5)."""
    answer = asker.ask(
        asker.client.change_leverage, lambda raw: read(raw, WireLeverage), symbol=symbol, leverage=leverage
    )
    return answer.leverage


def set_margin_type(asker: Asker, symbol: str, margin_type: MarginType) -> bool:
    """Set the margin type; False when it was so already, which is success (§9.3)."""
    try:
        asker.ask(asker.client.change_margin_type, lambda raw: raw, symbol=symbol, marginType=margin_type.value)
    except ExchangeRefused as error:
        if error.exchange_code == MARGIN_TYPE_ALREADY_SO:
            return False
        raise
    return True


def _raw_rows(raw: Any) -> list[dict[str, Any]]:
    rows = rows_of(raw)
    if not all(isinstance(row, dict) for row in rows):
        raise UnreadableMessage("unreadable_payload", "a list of objects was expected")
    return rows
