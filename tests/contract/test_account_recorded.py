"""The simulator's account answers and events have the fields and JSON types of the recorded ones.

What differs is listed with its reason. The payloads are not part of this repository (see ``test_messages_recorded``).
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.simulator.desk import Desk

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"

if not (FIXTURES / "index.json").exists():
    pytest.skip(f"the recorded payloads are not here ({FIXTURES})", allow_module_level=True)

# Fields of ours that an older or shorter recording lacks, and recorded ones that the venue has dropped since.
NEWER_THAN_RECORDED = {
    "rest/account_v2__docs_2026.json": {"feeBurn", "tradeGroupId", "multiAssetsMargin", "breakEvenPrice"},
    "rest/account_v2__docs_usdt_busd.json": {"feeBurn", "tradeGroupId", "multiAssetsMargin", "breakEvenPrice"},
    "rest/account_v2__official_docs.json": {"breakEvenPrice"},
    "rest/positionRisk_v2__hedge_docs.json": {"breakEvenPrice", "notional", "isolatedWallet"},
    "rest/positionRisk_v2__one_way_docs.json": {"breakEvenPrice", "notional", "isolatedWallet"},
    "rest/commissionRate__btcusdt.json": {"rpiCommissionRate"},
    "rest/commissionRate__btcusdt_quarterly.json": {"rpiCommissionRate"},
    "rest/leverageBracket__papi_um_official_docs.json": set(),
    "ws/ACCOUNT_UPDATE__order_hedge_docs.json": {"ma"},
    "ws/ACCOUNT_UPDATE__funding_fee_cross_2022.json": {"S"},
}
# ``notionalCoef`` is there for accounts with a coefficient of their own, and is a text on the portfolio endpoint alone.
DROPPED = {"rest/leverageBracket__papi_um_official_docs.json": {"notionalCoef"}}

PATHS: dict[str, tuple[str, dict[str, str]]] = {
    "account_v2": ("/fapi/v2/account", {}),
    "account_v3": ("/fapi/v3/account", {}),
    "accountConfig": ("/fapi/v1/accountConfig", {}),
    "apiTradingStatus": ("/fapi/v1/apiTradingStatus", {}),
    "balance_v2": ("/fapi/v2/balance", {}),
    "balance_v3": ("/fapi/v3/balance", {}),
    "commissionRate": ("/fapi/v1/commissionRate", {"symbol": "BTCUSDT"}),
    "feeBurn": ("/fapi/v1/feeBurn", {}),
    "forceOrders": ("/fapi/v1/forceOrders", {}),
    "income": ("/fapi/v1/income", {"incomeType": "TRANSFER"}),
    "leverageBracket": ("/fapi/v1/leverageBracket", {}),
    "multiAssetsMargin": ("/fapi/v1/multiAssetsMargin", {}),
    "positionMargin_history": ("/fapi/v1/positionMargin/history", {"symbol": "BTCUSDT"}),
    "positionRisk_v2": ("/fapi/v2/positionRisk", {"symbol": "BTCUSDT"}),
    "positionRisk_v3": ("/fapi/v3/positionRisk", {"symbol": "BTCUSDT"}),
    "positionSide_dual": ("/fapi/v1/positionSide/dual", {}),
    "rateLimit_order": ("/fapi/v1/rateLimit/order", {}),
    "symbolAdlRisk": ("/fapi/v1/symbolAdlRisk", {"symbol": "BTCUSDT"}),
    "symbolConfig": ("/fapi/v1/symbolConfig", {"symbol": "BTCUSDT"}),
}


def kind_of(value: object) -> str:
    """Name a JSON type; whole and broken numbers are one."""
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def shape(value: Any) -> Any:
    """Give names and types, of lists those of the first element, of objects by symbol those of any."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return kind_of(value)


def differences(recorded: Any, ours: Any, where: str = "") -> list[str]:
    """List missing, extra and re-typed fields."""
    if isinstance(recorded, list) and isinstance(ours, list):
        if recorded and not ours:
            return [f"{where}: nothing to compare"]
        return differences(recorded[0], ours[0], where) if recorded else []
    if not isinstance(recorded, dict) or not isinstance(ours, dict):
        return [] if recorded == ours else [f"{where}: {recorded} became {ours}"]
    found = [f"{where}.{name} is missing" for name in recorded.keys() - ours.keys()]
    found += [f"{where}.{name} is extra" for name in ours.keys() - recorded.keys()]
    for name in recorded.keys() & ours.keys():
        found += differences(recorded[name], ours[name], f"{where}.{name}")
    return found


def justified(file: str, difference: str) -> bool:
    """Tell whether a difference is one of those listed above."""
    field, _, verdict = difference.rpartition(" is ")
    name = field.rpartition(".")[2]
    known = NEWER_THAN_RECORDED if verdict == "extra" else DROPPED
    return name in known.get(file, set())


@pytest.fixture(name="desk", scope="module")
def _desk() -> Desk:
    """An account to which everything has happened once."""
    desk = Desk()
    desk.listen()
    control = desk.exchange
    control.account.record("", "TRANSFER", Decimal(100), desk.now_ms)
    desk.send("POST", "/fapi/v1/leverage", symbol="ETHUSDT", leverage=100)
    desk.send("POST", "/fapi/v1/marginType", symbol="ETHUSDT", marginType="ISOLATED")
    desk.market("BUY", "10.000", symbol="ETHUSDT")
    desk.price("2900", symbol="ETHUSDT")
    desk.send("POST", "/fapi/v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")
    desk.market("BUY", "0.100")
    desk.send("POST", "/fapi/v1/positionMargin", symbol="BTCUSDT", amount="50", type=1)
    desk.price("57300")
    return desk


RECORDED = sorted(
    path
    for name in PATHS
    for path in FIXTURES.glob(f"rest/{name}__*.json")
    if not path.name.startswith("positionSide_dual_post")
)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_answers(desk: Desk, path: Path) -> None:
    """Field by field."""
    name = path.name.partition("__")[0]
    url, params = PATHS[name]
    ours = desk.send("GET", url, **params).json
    recorded = json.loads(path.read_text())
    if name == "apiTradingStatus":
        # The symbols are other ones; any row is as good.
        recorded = {"rows": recorded["indicators"]["BTCUSDT"], "updateTime": 1}
        ours = {"rows": ours["indicators"]["BTCUSDT"], "updateTime": ours["updateTime"]}
    found = differences(shape(recorded), shape(ours))
    assert [one for one in found if not justified(f"rest/{path.name}", one)] == []


POSTS: dict[str, tuple[str, dict[str, object]]] = {
    "leverage__official_docs": ("/fapi/v1/leverage", {"symbol": "BTCUSDT", "leverage": 21}),
    "marginType__official_docs": ("/fapi/v1/marginType", {"symbol": "BTCUSDT", "marginType": "ISOLATED"}),
    "multiAssetsMargin_post__official_docs": ("/fapi/v1/multiAssetsMargin", {"multiAssetsMargin": "true"}),
    "positionSide_dual_post__official_docs": ("/fapi/v1/positionSide/dual", {"dualSidePosition": "true"}),
    "feeBurn_post__official_docs": ("/fapi/v1/feeBurn", {"feeBurn": "true"}),
}


@pytest.mark.parametrize("name", POSTS)
def test_changes(name: str) -> None:
    """What settings answer."""
    url, params = POSTS[name]
    recorded = json.loads((FIXTURES / "rest" / f"{name}.json").read_text())
    ours = Desk().send("POST", url, **params).json
    assert differences(shape(recorded), shape(ours)) == []


def test_moved_margin() -> None:
    """To the letter: here an amount of money is a number."""
    recorded = json.loads((FIXTURES / "rest" / "positionMargin_post__official_docs.json").read_text())
    desk = Desk()
    desk.send("POST", "/fapi/v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")
    desk.market("BUY", "0.100")
    params = {"symbol": "BTCUSDT", "amount": "100", "type": 1}
    assert desk.send("POST", "/fapi/v1/positionMargin", **params).json == recorded


def _first(desk: Desk, kind: str, reason: str = "") -> Any:
    return next(
        event for event in desk.events if event["e"] == kind and reason in {"", event.get("a", {}).get("m", "")}
    )


def _recorded_event(name: str) -> Any:
    raw = json.loads((FIXTURES / "ws" / name).read_text())
    return raw.get("data", raw)


def test_margin_call() -> None:
    """MARGIN_CALL of a cross leg."""
    desk = Desk()
    desk.send("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=100)
    desk.market("BUY", "3.000")
    desk.listen()
    desk.price("56960")
    recorded = _recorded_event("MARGIN_CALL__long_docs.json")
    assert differences(shape(recorded), shape(_first(desk, "MARGIN_CALL"))) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ACCOUNT_UPDATE__order_hedge_docs.json", "ORDER"),
        ("ACCOUNT_UPDATE__funding_fee_cross_2022.json", "FUNDING_FEE"),
    ],
)
def test_account_updates(name: str, reason: str) -> None:
    """ACCOUNT_UPDATE after a fill and after a funding."""
    desk = Desk()
    desk.market("BUY", "0.100")
    desk.listen()
    desk.market("BUY", "0.100")
    desk.exchange.settle_funding()
    ours = _first(desk, "ACCOUNT_UPDATE", reason)
    found = differences(shape(_recorded_event(name)), shape(ours))
    assert [one for one in found if not justified(f"ws/{name}", one)] == []


def test_liquidation_order() -> None:
    """The one live fragment: client id, type, time in force and what is zero."""
    recorded = _recorded_event("ORDER_TRADE_UPDATE__liquidation_new_FRAGMENT_2026.json")["o"]
    desk = Desk()
    desk.send("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=100)
    desk.market("BUY", "3.000")
    desk.listen()
    desk.price("56900")
    ours = _first(desk, "ORDER_TRADE_UPDATE")["o"]
    assert differences(shape(recorded), shape({name: ours[name] for name in recorded})) == []
    same = ("o", "f", "x", "X", "ap", "sp", "l", "z", "L", "n", "N")
    assert {name: ours[name] for name in same} == {name: recorded[name] for name in same}
    assert len(ours["c"]) == len(recorded["c"])
