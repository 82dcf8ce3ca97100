"""What the simulated exchange answers has the shape of what the real one was recorded to answer.

Each recorded answer is set beside the answer to the same request in a little story here: the same fields, the same JSON
types. Where they differ on purpose, `ALLOWED` names the field and says why; § numbers are those of `binance-usdm.md`,
which wins over documentation examples older than itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .rest_stories import STORIES, UNSIGNED, Stories, Story, filled, new_limit, new_market, symbol
from .scene import ABSENT, ALL_TERMS, BTC, FIXTURES, Scene, Terms, entries, recorded, stem
from .shapes import Difference, differences, keyed, unexplained, unused

if not (FIXTURES / "index.json").exists():
    pytest.skip(ABSENT, allow_module_level=True)

LEFT_OUT = {
    "account_v2__docs_usdt_busd": "an older copy of official_docs, from before multiAssetsMargin (§3.4)",
    "algoOrder_get__trailing_stop_mock": "made by hand, half of the fields",
    "allOrders__docs": "an older copy of official_docs, from before pair, cumBase and priceMatch (§3.2)",
    "exchangeInfo__btc_eth_no_filters_2024": "stored without assets, filters and order types",
    "exchangeInfo__testnet_2022_btc_eth_quarter": "from before permissionSets; that of 2025 is compared (§3.1.1)",
    "openAlgoOrders__synthetic_type_key": "made by hand, with the key `type` that is never sent (§4.3)",
    "order_delete__trailing_canceled_docs": "an older copy of official_docs, still with cumQuote (§3.2)",
    "order_delete__trailing_filled_race_docs": "the same, edited by hand",
    "positionRisk_v2__hedge_docs": "an older copy of official_docs, from before breakEvenPrice and notional (§3.4)",
    "positionRisk_v2__one_way_docs": "the same",
}
"""Recorded answers that are no evidence of the present shape."""

OLD_TRAILING = "of trailing orders, which the algo service took over (§3.2, §4.1)"
OF_OLD_TRAILING = {"activatePrice": OLD_TRAILING, "priceRate": OLD_TRAILING}
OF_OLD_TRAILING_ROWS = {"[].activatePrice": OLD_TRAILING, "[].priceRate": OLD_TRAILING}
NEWER = "in live answers, newer than the documentation (§4.3)"
NO_TRAILING = "absent in live answers of other types than trailing (§4.3)"
NOT_TRAILING = {"activatePrice": NO_TRAILING, "callbackRate": NO_TRAILING}
AFTER_TRIGGER = "only after the trigger (§4.3)"
NEW_FEE = "newer than this payload (§3.4, §14 2025-11-18)"
TRAILING = "of trailing orders; the documentation shows it at placement (§4.3)"

ALLOWED: dict[str, dict[str, str]] = {
    "account_v2__docs_2026": {"feeBurn": "cut by who stored it; official_docs has it (§3.4)"},
    "algoOrder_get__official_docs": {"isActivated": NEWER},
    "algoOrder_get__official_docs-canceled_algo": {"actualType": AFTER_TRIGGER},
    "algoOrder_get__official_docs-waiting_algo": {"actualType": AFTER_TRIGGER},
    "algoOrder_post__official_docs-limit": NOT_TRAILING,
    "algoOrder_post__official_docs-stop": NOT_TRAILING,
    "algoOrder_post__official_docs-target": NOT_TRAILING,
    "allAlgoOrders__official_docs": {
        "[].actualQty": "live after the trigger, and before it in the documented single query (§4.3)",
        "[].isActivated": NEWER,
    },
    "allAlgoOrders__official_docs-every_algo": {"[].actualType": AFTER_TRIGGER},
    "allOrders__official_docs": OF_OLD_TRAILING_ROWS,
    "commissionRate__btcusdt": {"rpiCommissionRate": NEW_FEE},
    "commissionRate__btcusdt_quarterly": {"rpiCommissionRate": NEW_FEE},
    "openAlgoOrders__official_docs": {"[].actualQty": NEWER, "[].isActivated": NEWER},
    "openAlgoOrders__official_docs-trailing_algo": {"[].activatePrice": TRAILING, "[].callbackRate": TRAILING},
    "openOrder__official_docs": OF_OLD_TRAILING,
    "openOrders__official_docs": OF_OLD_TRAILING_ROWS,
    "order_delete__official_docs": OF_OLD_TRAILING,
    "order_get__official_docs": OF_OLD_TRAILING,
    "ticker_bookTicker__docs": {"lastUpdateId": "newer than this payload (§3.1)"},
    "userTrades__testnet_2022_ethusdt": {
        "[].baseQty": "newer than this payload (§3.2, §14 2026-08-05)",
        "[].pair": "newer than this payload (§3.2, §14 2026-08-05)",
    },
}
"""Per payload, or per payload and story, the fields that differ, and why."""


# The comparison.

COMPARED = [entry for entry in entries(set(STORIES)) if stem(entry) not in LEFT_OUT]


def cases() -> list[Any]:
    """List every recorded answer with every story of its kind, on both symbols."""
    return [
        pytest.param(entry, name, terms, id=f"{stem(entry)}-{name}-{terms.symbol}")
        for entry in COMPARED
        for name in named(STORIES[entry["kind"]])
        for terms in ALL_TERMS
    ]


def named(stories: Stories) -> dict[str, Story]:
    """Name stories; a function names itself."""
    return stories if isinstance(stories, dict) else {story.__name__: story for story in stories}


def compare(entry: dict[str, Any], name: str, terms: Terms) -> list[Difference]:
    """Live through a story and compare its last answer with the recorded one."""
    scene = Scene(terms)
    params = named(STORIES[entry["kind"]])[name](scene)
    signed = entry["kind"] not in UNSIGNED
    answer = scene.ask(entry["http_method"], entry["endpoint"], params, signed=signed)
    return differences(comparable(recorded("rest", stem(entry))), comparable(answer))


def comparable(answer: Any) -> Any:
    """Name the filters of a symbol by their type: each type has fields of its own."""
    if not isinstance(answer, dict) or "symbols" not in answer:
        return answer
    rows = [row | {"filters": keyed(row["filters"], "filterType")} for row in answer["symbols"]]
    return answer | {"symbols": rows}


@pytest.mark.parametrize(("entry", "story", "terms"), cases())
def test_answer_has_the_recorded_shape(entry: dict[str, Any], story: str, terms: Terms) -> None:
    """Same fields, same JSON types."""
    name = stem(entry)
    allowed = ALLOWED.get(name, {}) | ALLOWED.get(f"{name}-{story}", {})
    problems = unexplained(compare(entry, story, terms), allowed)
    assert not problems, f"{name}\n{problems}"


@pytest.mark.parametrize("name", ALLOWED)
def test_allowed_difference_is_needed(name: str) -> None:
    """An exception that explains nothing hides the next mistake."""
    found = [
        difference
        for entry in COMPARED
        for story in named(STORIES[entry["kind"]])
        if name in {stem(entry), f"{stem(entry)}-{story}"}
        for difference in compare(entry, story, BTC)
    ]
    problems = unused(found, ALLOWED[name])
    assert not problems, f"{name}\n{problems}"


@pytest.mark.parametrize("kind", STORIES)
def test_kind_is_recorded(kind: str) -> None:
    """A story of a kind that nobody recorded proves nothing."""
    assert any(stem(entry) not in LEFT_OUT for entry in entries({kind}))


def test_what_is_left_out_exists() -> None:
    """Under exactly these names."""
    assert LEFT_OUT.keys() <= {stem(entry) for entry in entries(set(STORIES))}


# Answers that are not recorded; the reference tells them.


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [("GET", "/fapi/v1/ping", {}), ("DELETE", "/fapi/v1/listenKey", {})],
    ids=["ping §3.1", "listenKey_delete §3.5"],
)
def test_unrecorded_answer_is_as_the_reference_says(method: str, path: str, answer: Any) -> None:
    """Both empty objects."""
    assert Scene().ask(method, path, signed=False) == answer


# Refusals.


def too_precise(scene: Scene) -> tuple[int, Any]:
    """A quantity of too many decimals."""
    order = new_limit(scene) | {"quantity": f"{scene.terms.quantity}{'' if '.' in scene.terms.quantity else '.0'}001"}
    return scene.request("POST", "/fapi/v1/order", order)


def unknown_order(scene: Scene) -> tuple[int, Any]:
    """The cancel of an order that has filled."""
    return scene.request("DELETE", "/fapi/v1/order", filled(scene))


def unknown_key(scene: Scene) -> tuple[int, Any]:
    """A key of the right form that nobody has."""
    return scene.request("GET", "/fapi/v3/balance", key="x" * 64)


def too_large_position(scene: Scene) -> tuple[int, Any]:
    """More than the leverage allows."""
    scene.control("account", balance="1000000000")
    leverage = {"BTCUSDT": 125, "1000PEPEUSDT": 75}[scene.terms.symbol]
    scene.ask("POST", "/fapi/v1/leverage", symbol(scene) | {"leverage": leverage})
    quantity = {"BTCUSDT": "100", "1000PEPEUSDT": "10000000"}[scene.terms.symbol]
    return scene.request("POST", "/fapi/v1/order", new_limit(scene) | {"quantity": quantity})


def too_much_leverage(scene: Scene) -> tuple[int, Any]:
    """More than the symbol allows."""
    return scene.request("POST", "/fapi/v1/leverage", symbol(scene) | {"leverage": 126})


def mode_as_it_is(scene: Scene) -> tuple[int, Any]:
    """One-way mode once more."""
    return scene.request("POST", "/fapi/v1/positionSide/dual", {"dualSidePosition": "false"})


def crossing_post_only(scene: Scene) -> tuple[int, Any]:
    """A maker's order that would take."""
    order = new_limit(scene) | {"price": scene.terms.target, "timeInForce": "GTX"}
    return scene.request("POST", "/fapi/v1/order", order)


def no_answer_in_time(scene: Scene) -> tuple[int, Any]:
    """An order that is executed behind a 503."""
    scene.control("fault", fault="status_503_executed", method="POST", path="/fapi/v1/order")
    return scene.request("POST", "/fapi/v1/order", new_market(scene))


REFUSALS: dict[str, tuple[int, Callable[[Scene], tuple[int, Any]]]] = {
    "error__http503_unknown_status_mock": (503, no_answer_in_time),
    "error__m1111_precision_2021": (400, too_precise),
    "error__m2011_unknown_order_mock": (400, unknown_order),
    "error__m2015_mock": (401, unknown_key),
    "error__m2027_max_position_2024": (400, too_large_position),
    "error__m4028_invalid_leverage_mock": (400, too_much_leverage),
    "error__m4059_no_need_position_side_2021": (400, mode_as_it_is),
    "error__m5022_post_only_2025": (400, crossing_post_only),
}
"""Recorded error bodies: the HTTP status that goes with them (§2.2, §8), and a story that is refused so."""

CODE_IS_OPEN = {"error__http503_unknown_status_mock": "nobody knows the code of a 503; its text decides (§8, §16.5)"}


def test_every_recorded_refusal_is_compared() -> None:
    """The simulator can give them all."""
    assert {stem(entry) for entry in entries({"error"})} == set(REFUSALS)


@pytest.mark.parametrize("terms", ALL_TERMS, ids=lambda terms: terms.symbol)
@pytest.mark.parametrize("name", REFUSALS)
def test_refusal_is_the_recorded_one(name: str, terms: Terms) -> None:
    """Status, code and shape; and the text where it was recorded live, or decides what to do."""
    body = recorded("rest", name)
    expected_status, story = REFUSALS[name]
    status, answer = story(Scene(terms))
    problems = unexplained(differences(body, answer), {})
    assert not problems, f"{name}\n{problems}"
    assert (status, answer["code"] == body["code"]) == (expected_status, name not in CODE_IS_OPEN)
    (entry,) = [entry for entry in entries({"error"}) if stem(entry) == name]
    if entry["provenance"].startswith("live") or name in CODE_IS_OPEN:
        assert answer["msg"] == body["msg"]
