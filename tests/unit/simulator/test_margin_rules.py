"""Margin, leverage and settings: what is bound, what is refused (``binance-usdm.md §3.4, §9.2, §9.3``)."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from bracketeer.simulator.brackets import Brackets, brackets_of
from bracketeer.simulator.profiles import Switches
from tests.unit.simulator.desk import Desk

LEVERAGE = "/fapi/v1/leverage"
MARGIN_TYPE = "/fapi/v1/marginType"
POSITION_MODE = "/fapi/v1/positionSide/dual"
MULTI_ASSETS = "/fapi/v1/multiAssetsMargin"
POSITION_MARGIN = "/fapi/v1/positionMargin"
BRACKET = "/fapi/v1/leverageBracket"


def isolated_desk() -> Desk:
    """A desk with an isolated long of a tenth of a bitcoin."""
    desk = Desk()
    desk.send("POST", MARGIN_TYPE, symbol="BTCUSDT", marginType="ISOLATED")
    desk.market("BUY", "0.100")
    return desk


def row(desk: Desk, symbol: str = "BTCUSDT") -> dict[str, Any]:
    """Ask for the first position row of a symbol."""
    answer: dict[str, Any] = desk.send("GET", "/fapi/v3/positionRisk", symbol=symbol).json[0]
    return answer


class TestBrackets:
    """Tiers of leverage."""

    @pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "SOLUSDT"])
    def test_maintenance_margin_has_no_steps(self, symbol: str) -> None:
        """``cum`` makes it continuous, and tiers follow each other."""
        tiers: Brackets = brackets_of(symbol)
        for lower, upper in pairwise(tiers):
            assert upper.notional_floor == lower.notional_cap
            assert upper.leverage_max < lower.leverage_max
            assert upper.maintenance(lower.notional_cap) == lower.maintenance(lower.notional_cap)

    def test_maintenance_in_a_higher_tier_subtracts_cum(self) -> None:
        """Notional times ratio minus cum: a million of bitcoin is in the third tier."""
        desk = Desk()
        desk.exchange.account.wallet = Decimal(1_000_000)
        desk.market("BUY", "16.000")
        desk.market("BUY", "0.667")
        notional = Decimal(row(desk)["notional"])
        assert Decimal(row(desk)["maintMargin"]) == notional * Decimal("0.0065") - 1500

    def test_answer_with_and_without_symbol(self) -> None:
        """Numbers, a list without symbol, and with it the two readings of open point 14."""
        everything = Desk().send("GET", BRACKET).json
        assert len(everything) == len(Desk().exchange.venue.instruments)
        one = Desk().send("GET", BRACKET, symbol="BTCUSDT").json
        assert one["brackets"][1] == {
            "bracket": 2,
            "initialLeverage": 100,
            "notionalCap": 800000,
            "notionalFloor": 300000,
            "maintMarginRatio": 0.005,
            "cum": 300,
        }
        desk = Desk(switches=Switches(leverage_bracket_always_list=True))
        assert desk.send("GET", BRACKET, symbol="BTCUSDT").json == [one]

    def test_position_above_the_tier_is_refused(self) -> None:
        """-2027, open orders counting."""
        desk = Desk()
        desk.send("POST", LEVERAGE, symbol="BTCUSDT", leverage=125)
        assert desk.limit("BUY", "2.600", "59000.0").status == 200
        assert desk.limit("BUY", "2.600", "59000.0").code == -2027
        assert desk.limit("SELL", "2.600", "61000.0").status == 200
        assert desk.send("POST", LEVERAGE, symbol="BTCUSDT", leverage=100).status == 200


class TestOrderMargin:
    """What resting orders bind."""

    def test_the_larger_side_binds(self) -> None:
        """Bids and asks of a flat symbol cannot both become a position at once."""
        desk = Desk()
        desk.limit("BUY", "0.100", "59000.0")
        assert row(desk)["openOrderInitialMargin"] == "295.00000000"
        desk.limit("SELL", "0.100", "61000.0")
        assert row(desk)["openOrderInitialMargin"] == "305.00000000"
        assert (row(desk)["bidNotional"], row(desk)["askNotional"]) == ("5900.00000000", "6100.00000000")

    def test_closing_orders_bind_nothing(self) -> None:
        """Not even without reduceOnly; what would turn the position around does."""
        desk = Desk()
        desk.market("BUY", "0.100")
        desk.limit("SELL", "0.100", "61000.0")
        assert row(desk)["openOrderInitialMargin"] == "0.00000000"
        desk.limit("SELL", "0.200", "61000.0")
        # 18300 sold would leave 12300 short: 6300 more than the 6000 held.
        assert row(desk)["openOrderInitialMargin"] == "315.00000000"

    def test_resting_orders_are_checked(self) -> None:
        """-2019 counts what rests already."""
        desk = Desk()
        assert desk.limit("BUY", "2.000", "59000.0").status == 200
        assert desk.limit("BUY", "2.000", "59000.0").code == -2019
        assert desk.limit("BUY", "2.000", "2900.00", symbol="ETHUSDT").status == 200
        desk.send("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
        assert desk.limit("BUY", "2.000", "59000.0").status == 200

    def test_hedge_legs_bind_apart(self) -> None:
        """Bids belong to the long leg, asks to the short one, closing ones to nobody."""
        desk = Desk()
        desk.send("POST", POSITION_MODE, dualSidePosition="true")
        desk.market("BUY", "0.100", positionSide="LONG")
        desk.limit("BUY", "0.100", "59000.0", positionSide="LONG")
        desk.limit("SELL", "0.100", "61000.0", positionSide="SHORT")
        desk.limit("SELL", "0.100", "61000.0", positionSide="LONG")
        rows = desk.send("GET", "/fapi/v3/positionRisk").json
        assert [one["openOrderInitialMargin"] for one in rows] == ["295.00000000", "305.00000000"]


class TestIsolatedWallet:
    """Adding and removing margin."""

    def test_add_and_remove_are_told_and_kept(self) -> None:
        """MARGIN_TRANSFER on the stream, a row each in the history."""
        desk = isolated_desk()
        desk.listen()
        before = row(desk)
        assert desk.send("POST", POSITION_MARGIN, symbol="BTCUSDT", amount="100.5", type=1).json["amount"] == 100.5
        assert desk.send("POST", POSITION_MARGIN, symbol="BTCUSDT", amount="40", type=2).status == 200
        assert Decimal(row(desk)["isolatedWallet"]) - Decimal(before["isolatedWallet"]) == Decimal("60.5")
        assert [event["a"]["m"] for event in desk.events] == ["MARGIN_TRANSFER"] * 2
        url = "/fapi/v1/positionMargin/history"
        rows = desk.send("GET", url, symbol="BTCUSDT").json
        assert [(one["type"], one["amount"]) for one in rows] == [(1, "100.5"), (2, "40")]
        assert len(desk.send("GET", url, symbol="BTCUSDT", type=2, startTime=1).json) == 1
        assert desk.send("GET", url, symbol="ETHUSDT").json == []
        assert desk.exchange.account.wallet == Decimal("9996.99994000")

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"amount": "0", "type": 1}, -4055),
            ({"amount": "1", "type": 3}, -1130),
            ({"amount": "1.123456789", "type": 1}, -1111),
            ({"amount": "99999", "type": 1}, -4050),
            ({"amount": "1", "type": 2}, -4051),
            ({"amount": "1", "type": 1, "positionSide": "LONG"}, -4061),
            ({"amount": "1", "type": 1, "symbol": "ETHUSDT"}, -4049),
            ({"amount": "1", "type": 1, "symbol": "SOLUSDT"}, -4054),
        ],
    )
    def test_refusals(self, params: dict[str, object], code: int) -> None:
        """Each with its code; initial margin cannot be taken out."""
        desk = isolated_desk()
        desk.send("POST", MARGIN_TYPE, symbol="SOLUSDT", marginType="ISOLATED")
        assert desk.send("POST", POSITION_MARGIN, **{"symbol": "BTCUSDT", **params}).code == code

    def test_a_partial_close_gives_its_share_back(self) -> None:
        """Half the leg, half its wallet."""
        desk = isolated_desk()
        before = Decimal(row(desk)["isolatedWallet"])
        desk.market("SELL", "0.050")
        assert Decimal(row(desk)["isolatedWallet"]) == before / 2

    def test_isolated_margin_neither_lends_nor_borrows(self) -> None:
        """Its open loss and profit leave the available balance alone."""
        desk = isolated_desk()
        before = desk.send("GET", "/fapi/v3/balance").json[0]["availableBalance"]
        desk.price("60500")
        assert desk.send("GET", "/fapi/v3/balance").json[0]["availableBalance"] == before

    def test_leverage_cannot_be_lowered(self) -> None:
        """-4161 with an isolated position; raising it is fine."""
        desk = isolated_desk()
        assert desk.send("POST", LEVERAGE, symbol="BTCUSDT", leverage=10).code == -4161
        assert desk.send("POST", LEVERAGE, symbol="BTCUSDT", leverage=25).status == 200


class TestModes:
    """Flags of the whole account."""

    def test_multi_assets_mode(self) -> None:
        """Told on the stream; the same again is -4171; isolated margin is then impossible."""
        desk = Desk()
        desk.listen()
        assert desk.send("POST", MULTI_ASSETS, multiAssetsMargin="true").json == {"code": 200, "msg": "success"}
        assert desk.events[-1]["ai"] == {"j": True}
        assert desk.send("POST", MULTI_ASSETS, multiAssetsMargin="true").code == -4171
        assert desk.send("GET", MULTI_ASSETS).json == {"multiAssetsMargin": True}
        assert desk.send("POST", MARGIN_TYPE, symbol="BTCUSDT", marginType="ISOLATED").code == -4168

    def test_what_blocks_multi_assets_mode(self) -> None:
        """Orders -4170, debts -4172, too little margin -4169, isolated symbols -4167."""
        desk = Desk()
        desk.limit("BUY", "0.010", "59000.0")
        assert desk.send("POST", MULTI_ASSETS, multiAssetsMargin="true").code == -4170
        desk.send("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
        desk.market("BUY", "2.000")
        desk.price("57500")
        assert desk.send("POST", MULTI_ASSETS, multiAssetsMargin="true").code == -4169
        desk.exchange.account.wallet = Decimal(-1)
        assert desk.send("POST", MULTI_ASSETS, multiAssetsMargin="true").code == -4172
        assert isolated_desk().send("POST", MULTI_ASSETS, multiAssetsMargin="true").code == -4167

    @pytest.mark.parametrize("is_told", [True, False])
    def test_a_new_margin_type_may_be_told(self, *, is_told: bool) -> None:
        """ACCOUNT_UPDATE with the flat leg in its new type, or silence: nowhere stated, hence a switch."""
        desk = Desk(switches=Switches(margin_type_change_is_told=is_told))
        desk.listen()
        desk.send("POST", MARGIN_TYPE, symbol="BTCUSDT", marginType="ISOLATED")
        told = [(event["a"]["m"], event["a"]["P"][0]["mt"]) for event in desk.events]
        assert told == ([("MARGIN_TYPE_CHANGE", "isolated")] if is_told else [])

    def test_fee_burn(self) -> None:
        """A flag, no more: there is no BNB here."""
        desk = Desk()
        assert desk.send("GET", "/fapi/v1/feeBurn").json == {"feeBurn": False}
        assert desk.send("POST", "/fapi/v1/feeBurn", feeBurn="true").status == 200
        assert desk.send("GET", "/fapi/v1/feeBurn").json == {"feeBurn": True}
        assert desk.send("GET", "/fapi/v2/account").json["feeBurn"] is True

    def test_commission_rates_are_the_accounts_own(self) -> None:
        """What commissionRate tells is what is charged."""
        desk = Desk()
        desk.exchange.account.taker_rate = Decimal("0.00040")
        desk.market("BUY", "0.100", newClientOrderId="o")
        assert desk.send("GET", "/fapi/v1/commissionRate", symbol="BTCUSDT").json["takerCommissionRate"] == "0.00040"
        fill = desk.exchange.account.fills[0]
        assert fill.commission == fill.quote * Decimal("0.0004")


class TestDeleveragingQueue:
    """``adl`` and adlQuantile."""

    def test_profit_moves_forward(self) -> None:
        """Loss ranks 1, profit of the whole margin 4, nothing open 0."""
        desk = Desk()
        desk.market("BUY", "0.100")
        ranks = []
        for price in ("59000", "60800", "61600", "63500"):
            desk.price(price)
            ranks.append(row(desk)["adl"])
        assert ranks == [1, 2, 3, 4]
        assert desk.send("GET", "/fapi/v1/adlQuantile").json == [
            {"symbol": "BTCUSDT", "adlQuantile": {"LONG": 0, "SHORT": 0, "BOTH": 4}}
        ]
        assert desk.send("GET", "/fapi/v1/adlQuantile", symbol="ETHUSDT").json == []

    def test_the_risk_of_symbols_is_public(self) -> None:
        """One row with a symbol, those of all trading symbols without."""
        desk = Desk()
        assert desk.public("/fapi/v1/symbolAdlRisk", "symbol=BTCUSDT").json["adlRisk"] == "low"
        trading = [rules for rules in desk.exchange.venue.instruments.values() if rules.is_trading]
        assert len(desk.public("/fapi/v1/symbolAdlRisk").json) == len(trading)

    def test_hedge_mode(self) -> None:
        """Per leg, with the sign that both stand side by side."""
        desk = Desk()
        desk.send("POST", POSITION_MODE, dualSidePosition="true")
        desk.market("BUY", "0.100", positionSide="LONG")
        desk.price("63500")
        assert desk.send("GET", "/fapi/v1/adlQuantile").json == [
            {"symbol": "BTCUSDT", "adlQuantile": {"LONG": 4, "SHORT": 0, "HEDGE": 0}}
        ]
