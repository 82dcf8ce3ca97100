"""Account, positions, settings and margin over REST (``binance-usdm.md §3.4``)."""

from decimal import Decimal

import pytest

from tests.unit.simulator.desk import Desk

LEVERAGE = "/fapi/v1/leverage"
MARGIN_TYPE = "/fapi/v1/marginType"
POSITION_MODE = "/fapi/v1/positionSide/dual"


def test_balance_before_and_after_a_trade() -> None:
    """The wallet loses the commission; what is bound is not available."""
    desk = Desk()
    assert desk.send("GET", "/fapi/v3/balance").json[0]["availableBalance"] == "10000.00000000"
    desk.market("BUY", "0.100")
    row = desk.send("GET", "/fapi/v2/balance").json[0]
    # 6000.12 at 0.05 % commission; 300 bound at 20x; 0.12 of spread lost.
    assert (row["balance"], row["crossUnPnl"], row["availableBalance"]) == (
        "9996.99994000",
        "-0.12000000",
        "9696.87994000",
    )


def test_account_totals_add_up() -> None:
    """Balance is wallet plus open profit, available is balance minus what is bound by positions and orders."""
    desk = Desk()
    desk.market("BUY", "0.100")
    desk.limit("BUY", "0.100", "59000.0")
    desk.price("61000")
    totals = desk.send("GET", "/fapi/v3/account").json
    number = {name: Decimal(value) for name, value in totals.items() if isinstance(value, str)}
    assert number["totalMarginBalance"] == number["totalWalletBalance"] + number["totalUnrealizedProfit"]
    assert number["availableBalance"] == number["totalMarginBalance"] - number["totalInitialMargin"]
    assert (totals["totalPositionInitialMargin"], totals["totalOpenOrderInitialMargin"]) == (
        "305.00000000",
        "295.00000000",
    )
    assert totals["totalMaintMargin"] == "24.40000000"


def test_v3_lists_touched_symbols_and_v2_all() -> None:
    """Only a position or an open order makes a v3 row; v2 always tells everything."""
    desk = Desk()
    assert desk.send("GET", "/fapi/v3/positionRisk").json == []
    desk.limit("BUY", "0.100", "2900.00", symbol="ETHUSDT")
    assert [row["symbol"] for row in desk.send("GET", "/fapi/v3/positionRisk").json] == ["ETHUSDT"]
    assert desk.send("GET", "/fapi/v3/positionRisk", symbol="BTCUSDT").json == []
    everything = desk.send("GET", "/fapi/v2/positionRisk").json
    assert (
        len(everything)
        == len(desk.exchange.venue.instruments)
        == len(desk.send("GET", "/fapi/v2/account").json["positions"])
    )
    row = desk.send("GET", "/fapi/v2/positionRisk", symbol="BTCUSDT").json[0]
    assert (row["leverage"], row["marginType"], row["isAutoAddMargin"]) == ("20", "cross", "false")


def test_leverage_is_set_and_the_same_value_succeeds_again() -> None:
    """An unchanged leverage is no error (``§9.5``)."""
    desk = Desk()
    for _ in range(2):
        answer = desk.send("POST", LEVERAGE, symbol="BTCUSDT", leverage=50).json
        assert answer == {"leverage": 50, "maxNotionalValue": "12000000", "symbol": "BTCUSDT"}
    assert desk.send("GET", "/fapi/v1/symbolConfig", symbol="BTCUSDT").json[0]["leverage"] == 50


@pytest.mark.parametrize("leverage", ["0", "126", "200"])
def test_leverage_outside_the_symbols_range_is_refused(leverage: str) -> None:
    """-4028, not a wish granted partly."""
    assert Desk().send("POST", LEVERAGE, symbol="BTCUSDT", leverage=leverage).code == -4028


def test_leverage_that_the_position_does_not_allow_is_refused() -> None:
    """Too large for the tier: -2027; not enough margin for a lower leverage: -2028."""
    desk = Desk()
    desk.send("POST", LEVERAGE, symbol="BTCUSDT", leverage=125)
    desk.market("BUY", "4.000")
    assert desk.send("POST", LEVERAGE, symbol="BTCUSDT", leverage=1).code == -2028
    assert desk.send("GET", "/fapi/v1/symbolConfig", symbol="BTCUSDT").json[0]["leverage"] == 125
    desk.price("76000")
    assert desk.send("POST", LEVERAGE, symbol="BTCUSDT", leverage=125).code == -2027


def test_margin_type_changes_once_and_not_with_open_business() -> None:
    """The same again is -4046, with orders -4047, with a position -4048."""
    desk = Desk()
    assert desk.send("POST", MARGIN_TYPE, symbol="BTCUSDT", marginType="ISOLATED").json == {
        "code": 200,
        "msg": "success",
    }
    again = desk.send("POST", MARGIN_TYPE, symbol="BTCUSDT", marginType="ISOLATED")
    assert (again.code, again.json["msg"]) == (-4046, "No need to change margin type.")
    desk.limit("BUY", "0.010", "59000.0")
    assert desk.send("POST", MARGIN_TYPE, symbol="BTCUSDT", marginType="CROSSED").code == -4047
    desk.send("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
    desk.market("BUY", "0.010")
    assert desk.send("POST", MARGIN_TYPE, symbol="BTCUSDT", marginType="CROSSED").code == -4048
    assert desk.send("POST", MARGIN_TYPE, symbol="BTCUSDT", marginType="BOTH").code == -1130


def test_isolated_positions_set_margin_aside() -> None:
    """The isolated wallet leaves the cross wallet and backs the liquidation price alone."""
    desk = Desk()
    desk.send("POST", MARGIN_TYPE, symbol="BTCUSDT", marginType="ISOLATED")
    desk.market("BUY", "0.100")
    risk = desk.send("GET", "/fapi/v2/positionRisk", symbol="BTCUSDT").json[0]
    assert (risk["marginType"], risk["isolatedWallet"]) == ("isolated", "300.00600000")
    assert Decimal("57000") < Decimal(risk["liquidationPrice"]) < Decimal("57500")
    totals = desk.send("GET", "/fapi/v3/account").json
    assert (totals["totalCrossWalletBalance"], totals["totalCrossUnPnl"]) == ("9696.99394000", "0")


def test_short_positions_have_negative_amounts_and_a_price_to_fear() -> None:
    """A cross short is liquidated above its entry."""
    desk = Desk()
    desk.market("SELL", "1.000")
    risk = desk.send("GET", "/fapi/v3/positionRisk").json[0]
    assert (risk["positionAmt"], risk["notional"]) == ("-1.000", "-60000.00000000")
    assert Decimal(risk["liquidationPrice"]) > Decimal("69000")


def test_position_mode_switches_only_when_nothing_is_open() -> None:
    """The same again is -4059, with orders -4067, with a position -4068."""
    desk = Desk()
    assert desk.send("POST", POSITION_MODE, dualSidePosition="false").code == -4059
    desk.algo("SELL", "STOP_MARKET", "58000", quantity="0.010")
    assert desk.send("POST", POSITION_MODE, dualSidePosition="true").code == -4067
    desk.send("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT")
    desk.market("BUY", "0.010")
    assert desk.send("POST", POSITION_MODE, dualSidePosition="true").code == -4068
    desk.market("SELL", "0.010")
    assert desk.send("POST", POSITION_MODE, dualSidePosition="true").status == 200
    assert desk.send("GET", POSITION_MODE).json == {"dualSidePosition": True}
    assert desk.send("GET", "/fapi/v1/accountConfig").json["dualSidePosition"] is True


def test_small_settings_answers() -> None:
    """Fees, pools and flags."""
    desk = Desk()
    assert desk.send("GET", "/fapi/v1/multiAssetsMargin").json == {"multiAssetsMargin": False}
    assert desk.send("GET", "/fapi/v1/commissionRate", symbol="BTCUSDT").json["takerCommissionRate"] == "0.0005"
    limits = desk.send("GET", "/fapi/v1/rateLimit/order").json
    assert [(row["interval"], row["limit"]) for row in limits] == [("MINUTE", 1200), ("SECOND", 300)]


class TestHedgeMode:
    """Two legs per symbol (``binance-usdm.md §12.2``)."""

    @staticmethod
    def _desk() -> Desk:
        desk = Desk()
        desk.send("POST", POSITION_MODE, dualSidePosition="true")
        desk.market("BUY", "0.020", positionSide="LONG")
        desk.market("SELL", "0.010", positionSide="SHORT")
        return desk

    def test_both_legs_live_side_by_side(self) -> None:
        """Opening one does not close the other."""
        rows = self._desk().send("GET", "/fapi/v3/positionRisk").json
        assert [(row["positionSide"], row["positionAmt"]) for row in rows] == [("LONG", "0.020"), ("SHORT", "-0.010")]

    def test_closing_is_reduce_only_by_nature(self) -> None:
        """SELL+LONG and BUY+SHORT close; more than the leg holds is -2022."""
        desk = self._desk()
        assert desk.market("SELL", "0.021", positionSide="LONG").code == -2022
        assert desk.market("SELL", "0.020", positionSide="LONG").status == 200
        assert desk.market("SELL", "0.010", positionSide="LONG").code == -2022
        assert desk.market("BUY", "0.010", positionSide="SHORT").status == 200
        assert desk.send("GET", "/fapi/v3/positionRisk").json == []

    def test_position_side_is_mandatory_and_reduce_only_forbidden(self) -> None:
        """-4061 and -1106."""
        desk = self._desk()
        assert desk.market("BUY", "0.010").code == -4061
        assert desk.market("SELL", "0.010", positionSide="LONG", reduceOnly="true").code == -1106
        assert desk.algo("SELL", "STOP_MARKET", "58000", quantity="0.01").code == -4061
        stop = {"quantity": "0.01", "positionSide": "LONG", "reduceOnly": "true"}
        assert desk.algo("SELL", "STOP_MARKET", "58000", **stop).code == -1106

    def test_each_leg_has_its_own_close_position_stop(self) -> None:
        """They fire and expire with their leg alone."""
        desk = self._desk()
        desk.listen()
        assert desk.close_all_at("SELL", "STOP_MARKET", "58000", positionSide="LONG").status == 200
        assert desk.close_all_at("BUY", "STOP_MARKET", "62000", positionSide="SHORT").status == 200
        assert desk.close_all_at("BUY", "STOP_MARKET", "62000", positionSide="LONG").code == -4509
        desk.price("58000")
        assert (str(desk.amount("BTCUSDT", "LONG")), str(desk.amount("BTCUSDT", "SHORT"))) == ("0.000", "-0.010")
        assert [row["positionSide"] for row in desk.send("GET", "/fapi/v1/openAlgoOrders").json] == ["SHORT"]
        desk.market("BUY", "0.010", positionSide="SHORT")
        assert desk.told()[-1] == "ALGO STOP_MARKET EXPIRED"
