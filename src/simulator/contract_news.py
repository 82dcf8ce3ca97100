"""News of contracts: what changes about their rules and their status is told to everybody."""

from collections.abc import Iterator
from dataclasses import replace

from .account_messages import wire_number
from .brackets import Brackets
from .decimals import ONE
from .instruments import PERPETUAL_DELIVERY_MS, Instrument
from .market_data import MarketData
from .messages import Row


class ContractNews:
    """Tells the contracts whose rules or status have changed."""

    def __init__(self, data: MarketData) -> None:
        self._data = data
        self._told = _rules(data)

    def __call__(self, now_ms: int) -> Iterator[object]:
        before, self._told = self._told, _rules(self._data)
        for symbol, rules in self._told.items():
            if rules is not before[symbol] and _published(rules) != _published(before[symbol]):
                yield contract_event(rules, now_ms)


def _rules(data: MarketData) -> dict[str, Instrument]:
    return {tape.market.instrument.symbol: tape.market.instrument for tape in data.every()}


def _published(rules: Instrument) -> Instrument:
    # How deep a book is, is no rule.
    return replace(rules, depth_share=ONE)


def contract_event(rules: Instrument, now_ms: int) -> Row:
    """Write what holds for a contract now."""
    return {
        "e": "contractInfo",
        "E": now_ms,
        "s": rules.symbol,
        "ct": "PERPETUAL",
        "dt": PERPETUAL_DELIVERY_MS,
        "ot": rules.onboard_date_ms,
        "cs": rules.status,
        "bks": _bracket_rows(rules.brackets),
        "st": 1,
    }


def _bracket_rows(brackets: Brackets) -> list[Row]:
    # A tier's leverages begin above those of the next one.
    leverages_min = [tier.leverage_max + 1 for tier in brackets[1:]] + [1]
    return [
        {
            "bs": tier.number,
            "bnf": wire_number(tier.notional_floor),
            "bnc": wire_number(tier.notional_cap),
            "mmr": wire_number(tier.maintenance_rate),
            "cf": wire_number(tier.cum),
            "mi": leverage_min,
            "ma": tier.leverage_max,
        }
        for tier, leverage_min in zip(brackets, leverages_min, strict=True)
    ]
