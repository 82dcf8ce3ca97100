"""One table of everything recorded: which test compares it with the simulator, or why none, and what may differ.

`python -m tests.contract.every_payload > .taskmaster/designs/007-recorded-payloads.md` writes it, from the tables of
the tests themselves.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from types import ModuleType
from typing import Any

from tests.unit.simulator.desk import Desk

from . import (
    test_account_recorded,
    test_index_streams_recorded,
    test_market_recorded,
    test_orders_recorded,
    test_simulator_shapes_rest,
    test_simulator_shapes_stream,
    test_ws_api_recorded,
)
from .scene import FIXTURES, stem

HEADER = """\
# 007 Recorded payloads and their counterparts

**Context.** The simulator has to tell what the exchange tells: same fields, same JSON types, same order of events. Some
recorded payloads are old, cut, merged or made by hand, and contradict newer ones.

**Choice.** Every entry of `../shared/fixtures/index.json` is set beside an answer or event of the simulator by a test
of `tests/contract`, or is left out for a reason. A field may differ only by an entry in a table of that test; where
several tests compare a payload, the first named is the strictest and its differences are the ones shown. § numbers are
those of `binance-usdm.md`. This file is written by `python -m tests.contract.every_payload`, from those tables;
`test_every_payload.py` fails when it is out of date or a payload is missing from it.

**Rejected.** A list kept by hand: it would be wrong within a week.
"""

OTHERS_OF_ACCOUNT = (
    "MARGIN_CALL__long_docs",
    "ORDER_TRADE_UPDATE__liquidation_new_FRAGMENT_2026",
    "positionMargin_post__official_docs",
)
"""Payloads that single tests of `test_account_recorded` read by their names."""

LEFT_OUT_HERE = {
    "EquityUpdate__official_docs": "in an example of the SDK alone; the reference does not know this event",
}

OLDER = "newer than this older or shorter recording (§3.4)"
COEFFICIENT = "for accounts with a coefficient of their own, and a text on the portfolio endpoint alone"
ORDER_REASONS: dict[str, str] = {
    "LEGACY_TRAILING": "of trailing orders, which the algo service took over (§3.2, §4.1)",
    "TRAILING_ONLY": "absent in live answers of other types than trailing (§4.3)",
    "REFUSED_ELEMENT": "a good and a refused element of a batch are recorded as one object",
    "NEW_IN_TRADES": "newer than this payload (§3.2, §14 2026-08-05)",
    "NEW_IN_ORDERS": "newer than this payload (§3.2)",
    "GONE_IN_2026": "gone from the answers since 2026-06-30 (§3.2)",
    "AFTER_TRIGGER": "only after the trigger (§4.3)",
    "LIVE_ONLY": "in live answers, newer than the documentation (§4.3)",
}
"""Per set of fields of `test_orders_recorded`, why they differ."""

Differences = Mapping[str, str]


def index() -> list[dict[str, Any]]:
    """List every recorded payload; one is entered among the repositories."""
    raw = json.loads((FIXTURES / "index.json").read_text())
    rows = [*raw["entries"], *(row for row in raw["repositories"] if isinstance(row, dict))]
    return sorted(rows, key=lambda row: (row["file"].split("/")[0], row["kind"], row["file"]))


def compared() -> dict[ModuleType, frozenset[str]]:
    """Per test module, the payloads it compares; the strict ones come first."""
    rest, account = test_simulator_shapes_rest, test_account_recorded
    updates = {"ACCOUNT_UPDATE__order_hedge_docs", "ACCOUNT_UPDATE__funding_fee_cross_2022"}
    of_indices = {stem(row) for row in index() if row["kind"] in test_index_streams_recorded.COVERED}
    return {
        rest: frozenset({*(stem(entry) for entry in rest.COMPARED), *rest.REFUSALS}),
        test_simulator_shapes_stream: frozenset(case.payload for case in test_simulator_shapes_stream.CASES),
        test_ws_api_recorded: frozenset(case.payload for case in test_ws_api_recorded.CASES),
        test_market_recorded: test_market_recorded.COVERED,
        test_index_streams_recorded: frozenset(of_indices),
        account: frozenset({*(path.stem for path in account.RECORDED), *account.POSTS, *OTHERS_OF_ACCOUNT, *updates}),
        test_orders_recorded: frozenset(test_orders_recorded.RECORDED),
    }


def why_left_out(name: str) -> str | None:
    """Say why nothing compares a payload."""
    reasons = test_simulator_shapes_rest.LEFT_OUT | test_simulator_shapes_stream.LEFT_OUT | LEFT_OUT_HERE
    return next((why for pattern, why in reasons.items() if fnmatch(name, pattern)), None)


def allowed(module: ModuleType, name: str) -> Differences:
    """Give the fields that may differ where a module compares a payload, and why."""
    if module is test_account_recorded:
        return _of_account(name)
    if module is test_orders_recorded:
        return _of_orders(name)
    tables: Mapping[str, Differences] = getattr(module, "ALLOWED", {})
    found: dict[str, str] = {}
    for key, table in tables.items():
        if key == name:
            found |= table
        elif key.startswith(f"{name}-"):
            story = key.removeprefix(f"{name}-")
            found |= {f"{field} ({story})": why for field, why in table.items()}
    return found


def _of_account(name: str) -> Differences:
    kind = name.partition("__")[0]
    if kind not in test_account_recorded.PATHS:
        return {}
    desk = Desk()
    desk.market("BUY", "0.010")
    url, params = test_account_recorded.PATHS[kind]
    sample = json.loads((FIXTURES / "rest" / f"{name}.json").read_text())
    found = _names(sample, desk.send("GET", url, **params).json)
    newer = test_account_recorded.NEWER_THAN_RECORDED.get(f"rest/{name}.json", set())
    dropped = test_account_recorded.DROPPED.get(f"rest/{name}.json", set())
    return dict.fromkeys(sorted(newer & found), OLDER) | dict.fromkeys(sorted(dropped & found), COEFFICIENT)


def _of_orders(name: str) -> Differences:
    sample = json.loads((FIXTURES / "rest" / f"{name}.json").read_text())
    found = _names(sample, test_orders_recorded.ANSWERS[name.partition("__")[0]])
    known = test_orders_recorded.DROPPED.get(name, set()) | test_orders_recorded.ADDED.get(name, set())
    fields = known & found
    return {field: _reason_of_order_field(field, fields) for field in sorted(fields)}


def _reason_of_order_field(field: str, fields: Iterable[str]) -> str:
    """Take the reason of the set that differs as a whole, else of any that has the field."""
    sets = {name: getattr(test_orders_recorded, name) for name in ORDER_REASONS}
    having = sorted((name for name in sets if field in sets[name]), key=lambda name: not sets[name] <= set(fields))
    return ORDER_REASONS[having[0]] if having else ORDER_REASONS["NEW_IN_ORDERS"]


def _names(sample: Any, ours: Any) -> set[str]:
    shape = test_account_recorded.shape
    found = test_account_recorded.differences(shape(sample), shape(ours))
    return {one.rpartition(" is ")[0].rpartition(".")[2] for one in found}


def short(module: ModuleType) -> str:
    """Name a module for a person."""
    return module.__name__.rpartition(".")[2]


def row(entry: dict[str, Any], modules: Mapping[ModuleType, frozenset[str]]) -> str:
    """Write one line; of several comparisons the first, the strictest, tells what differs."""
    name = stem(entry)
    comparing = [module for module, names in modules.items() if name in names]
    if not comparing:
        return f"| {entry['kind']} | {name} | *left out:* {why_left_out(name) or '**unaccounted for**'} | |"
    told = "<br>".join(f"`{field}`: {why}" for field, why in allowed(comparing[0], name).items())
    return f"| {entry['kind']} | {name} | {', '.join(f'`{short(module)}`' for module in comparing)} | {told} |"


def document() -> str:
    """Write all of it."""
    modules = compared()
    entries = index()
    left_out = [entry for entry in entries if not any(stem(entry) in names for names in modules.values())]
    count = f"{len(entries)} payloads, {len(entries) - len(left_out)} compared, {len(left_out)} left out.\n"
    head = "| kind | payload | compared by, or why not | what may differ, and why |\n|---|---|---|---|\n"
    return "\n".join([HEADER, count, head + "\n".join(row(entry, modules) for entry in entries), ""])


if __name__ == "__main__":
    sys.stdout.write(document())
