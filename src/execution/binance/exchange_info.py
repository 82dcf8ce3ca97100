"""exchangeInfo: the rules of every symbol (binance-usdm.md §3.1.1, §6)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from ...core.instrument import Instrument
from ...core.values import ZERO
from .wire import UnreadableMessage


class WireFilter(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One filter; which fields it has depends on its type."""

    filter_type: str
    tick_size: Decimal = ZERO
    min_price: Decimal = ZERO
    max_price: Decimal = ZERO
    step_size: Decimal = ZERO
    min_qty: Decimal = ZERO
    max_qty: Decimal = ZERO
    notional: Decimal = ZERO


class WireSymbol(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One symbol, as far as orders depend on it."""

    symbol: str
    status: str
    price_precision: int = 8
    quantity_precision: int = 8
    trigger_protect: Decimal = ZERO
    market_take_bound: Decimal = ZERO
    filters: list[WireFilter] = []


class ExchangeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What exchangeInfo told: rules by symbol, the rate limits as they are, and the symbols whose rules are incomplete
    (they cannot be traded, so they are left out and counted)."""

    instruments: dict[str, Instrument]
    rate_limits: list[dict[str, Any]]
    skipped: tuple[str, ...] = ()


def read_exchange_info(raw: Any) -> ExchangeInfo:
    """Translate the answer of `GET /fapi/v1/exchangeInfo`.

    Raises:
        UnreadableMessage: not an exchangeInfo, or no symbol in it has complete rules. Nothing of it is used
            then.
    """
    if not isinstance(raw, dict) or not isinstance(raw.get("symbols"), list):
        raise UnreadableMessage("unreadable_exchange_info", "there is no list of symbols in it")
    instruments: dict[str, Instrument] = {}
    skipped: list[str] = []
    for row in raw["symbols"]:
        instrument = _instrument(row)
        if instrument is None:
            skipped.append(str(row.get("symbol", "?")) if isinstance(row, dict) else "?")
        else:
            instruments[instrument.symbol] = instrument
    if not instruments:
        raise UnreadableMessage("unreadable_exchange_info", "no symbol in it has complete rules")
    rate_limits = raw.get("rateLimits")
    limits = [row for row in rate_limits if isinstance(row, dict)] if isinstance(rate_limits, list) else []
    return ExchangeInfo(instruments=instruments, rate_limits=limits, skipped=tuple(skipped))


def _instrument(row: Any) -> Instrument | None:
    """One symbol's rules; None when the tick or the step is missing, without which no order can be formed."""
    try:
        symbol = msgspec.convert(row, WireSymbol)  # not `read`: a symbol has dozens of fields nobody here needs
    except msgspec.ValidationError:
        return None
    filters = {rule.filter_type: rule for rule in symbol.filters}
    price, lot = filters.get("PRICE_FILTER"), filters.get("LOT_SIZE")
    if price is None or lot is None:
        return None
    market = filters.get("MARKET_LOT_SIZE", lot)
    notional = filters.get("MIN_NOTIONAL")
    return Instrument(
        symbol=symbol.symbol,
        status=symbol.status,
        tick_size=price.tick_size,
        min_price=price.min_price,
        max_price=price.max_price,
        step_size=lot.step_size,
        min_quantity=lot.min_qty,
        max_quantity=lot.max_qty,
        market_step_size=market.step_size,
        market_min_quantity=market.min_qty,
        market_max_quantity=market.max_qty,
        min_notional=notional.notional if notional else ZERO,
        price_precision=symbol.price_precision,
        quantity_precision=symbol.quantity_precision,
        trigger_protect=symbol.trigger_protect,
        market_take_bound=symbol.market_take_bound,
    )
