"""Liquidation, deleveraging, margin calls and insurance (``binance-usdm.md §3.4, §10.3, §10.5``)."""

from decimal import Decimal

import pytest

from bracketeer.simulator.profiles import Switches
from tests.unit.simulator.desk import Desk

LEVERAGE = "/fapi/v1/leverage"
MARGIN_TYPE = "/fapi/v1/marginType"
POSITION_MODE = "/fapi/v1/positionSide/dual"


def leveraged(leverage: int = 100, *, isolated: bool = False, switches: Switches | None = None) -> Desk:
    """A desk with high leverage on bitcoin."""
    desk = Desk(switches=switches)
    desk.send("POST", LEVERAGE, symbol="BTCUSDT", leverage=leverage)
    if isolated:
        desk.send("POST", MARGIN_TYPE, symbol="BTCUSDT", marginType="ISOLATED")
    return desk


def liquidation_price(desk: Desk, symbol: str = "BTCUSDT") -> Decimal:
    """Ask the exchange where a position ends."""
    return Decimal(desk.send("GET", "/fapi/v3/positionRisk", symbol=symbol).json[0]["liquidationPrice"])


class TestCross:
    """One balance behind all cross legs."""

    def test_just_before_the_liquidation_price_nothing_happens(self) -> None:
        """The answer of positionRisk is the true threshold: one tick decides."""
        desk = leveraged()
        desk.market("BUY", "3.000")
        price = liquidation_price(desk)
        desk.price(str(price + Decimal("0.1")))
        assert desk.amount() == 3
        desk.price(str(price - Decimal("0.1")))
        assert desk.is_flat

    def test_short_positions_end_above(self) -> None:
        """The same from the other side."""
        desk = leveraged()
        desk.market("SELL", "3.000")
        price = liquidation_price(desk)
        assert price > 60000
        desk.price(str(price - Decimal("0.1")))
        assert desk.amount() == -3
        desk.price(str(price + Decimal("0.1")))
        assert desk.is_flat

    def test_the_story_is_told_in_order(self) -> None:
        """Orders go first (er 5), then NEW, the fills, and the insurance fund's share."""
        desk = leveraged()
        desk.limit("BUY", "0.100", "2900.00", symbol="ETHUSDT")
        desk.market("BUY", "3.000")
        desk.listen()
        desk.price("56900")
        told = desk.events.copy()
        assert desk.told()[:4] == [
            "ORDER EXPIRED EXPIRED",
            "ORDER NEW NEW",
            "ACCOUNT_UPDATE",
            "ORDER TRADE PARTIALLY_FILLED",
        ]
        assert told[0]["o"]["er"] == "5"
        new = told[1]["o"]
        assert new["c"].startswith(f"autoclose-{desk.now_ms}")
        assert {name: new[name] for name in ("o", "f", "S", "x", "X", "ap", "l", "z", "n", "N")} == {
            "o": "LIQUIDATION", "f": "IOC", "S": "SELL", "x": "NEW", "X": "NEW", "ap": "0", "l": "0", "z": "0",
            "n": "0", "N": "USDT",
        }  # fmt: skip
        assert told[-1]["a"]["m"] == "INSURANCE_CLEAR"
        assert desk.exchange.account.wallet == 0

    def test_what_the_book_does_not_give_is_taken_over(self) -> None:
        """A gap past bankruptcy: CALCULATED at the bankruptcy price, no commission, and a wallet at zero."""
        desk = leveraged()
        desk.market("BUY", "3.000")
        desk.listen()
        desk.price("50000")
        last = next(event["o"] for event in reversed(desk.events) if event["e"] == "ORDER_TRADE_UPDATE")
        assert (last["x"], last["X"], last["l"], last["n"]) == ("CALCULATED", "FILLED", "3", "0")
        assert Decimal(last["L"]) == Decimal(last["p"]) > 56000
        assert desk.exchange.account.wallet == 0
        assert desk.is_flat

    def test_all_cross_legs_end_together_and_isolated_ones_stay(self) -> None:
        """An isolated leg neither lends nor borrows."""
        desk = leveraged()
        desk.send("POST", MARGIN_TYPE, symbol="SOLUSDT", marginType="ISOLATED")
        desk.market("BUY", "10", symbol="SOLUSDT")
        desk.market("BUY", "1.000", symbol="ETHUSDT")
        desk.market("BUY", "3.000")
        desk.price("56000")
        account = desk.exchange.account
        assert [leg.symbol for leg in account.open_positions()] == ["SOLUSDT"]
        assert account.wallet == account.position("SOLUSDT", "BOTH").isolated_wallet > 0

    def test_hedged_legs_end_together(self) -> None:
        """Both legs of a symbol draw on one balance."""
        desk = Desk()
        desk.send("POST", POSITION_MODE, dualSidePosition="true")
        desk.send("POST", LEVERAGE, symbol="BTCUSDT", leverage=100)
        desk.market("BUY", "3.000", positionSide="LONG")
        desk.market("SELL", "1.000", positionSide="SHORT")
        price = liquidation_price(desk)
        desk.price(str(price + Decimal("0.1")))
        assert desk.amount("BTCUSDT", "LONG") == 3
        desk.price(str(price - Decimal("0.1")))
        assert not desk.exchange.account.open_positions()
        assert desk.exchange.account.wallet >= 0


class TestIsolated:
    """A wallet of its own is all a leg can lose."""

    def test_the_loss_is_the_isolated_wallet(self) -> None:
        """However far the gap."""
        desk = leveraged(isolated=True)
        desk.market("BUY", "1.000")
        before = desk.exchange.account.wallet
        wallet = desk.exchange.account.position("BTCUSDT", "BOTH").isolated_wallet
        desk.price("40000")
        assert desk.is_flat
        assert desk.exchange.account.wallet == before - wallet

    def test_the_liquidation_price_is_the_threshold(self) -> None:
        """Added margin moves it away."""
        desk = leveraged(isolated=True)
        desk.market("BUY", "1.000")
        first = liquidation_price(desk)
        desk.send("POST", "/fapi/v1/positionMargin", symbol="BTCUSDT", amount="500", type=1)
        second = liquidation_price(desk)
        assert first - second == pytest.approx(Decimal(500), abs=Decimal(5))
        desk.price(str(second + Decimal("0.1")))
        assert desk.amount() == 1
        desk.price(str(second - Decimal("0.1")))
        assert desk.is_flat

    def test_only_its_own_orders_go(self) -> None:
        """Orders of other symbols draw on the cross wallet."""
        desk = leveraged(isolated=True)
        desk.market("BUY", "1.000")
        desk.limit("BUY", "0.010", "57500.0")
        desk.limit("BUY", "0.100", "2900.00", symbol="ETHUSDT")
        desk.price("59000")
        assert [order.symbol for order in desk.exchange.account.orders.open_orders()] == ["ETHUSDT"]

    def test_a_stop_that_fills_past_bankruptcy_is_insured(self) -> None:
        """What the isolated wallet cannot bear is paid by the insurance fund."""
        desk = leveraged(isolated=True)
        desk.market("BUY", "1.000")
        desk.close_all_at("SELL", "STOP_MARKET", "59800")
        before = desk.exchange.account.wallet
        wallet = desk.exchange.account.position("BTCUSDT", "BOTH").isolated_wallet
        desk.listen()
        desk.price("50000")
        assert desk.exchange.account.wallet == before - wallet
        cleared = [event["a"] for event in desk.events if event.get("a", {}).get("m") == "INSURANCE_CLEAR"]
        assert Decimal(cleared[0]["B"][0]["bc"]) > 4000


class TestWhileItLasts:
    """A liquidation may take time (``switches.liquidation_lasts_ms``)."""

    def test_new_orders_are_refused(self) -> None:
        """-2023 until it is over."""
        desk = leveraged(switches=Switches(liquidation_lasts_ms=1000))
        desk.market("BUY", "3.000")
        desk.price("56900")
        assert desk.market("BUY", "0.010").code == -2023
        assert desk.send("POST", LEVERAGE, symbol="ETHUSDT", leverage=5).code == -2023
        assert desk.amount() == 3
        desk.now_ms += 1000
        desk.exchange.tick()
        assert desk.is_flat
        assert desk.market("BUY", "0.010").code == -2019

    @pytest.mark.parametrize("ends", [False, True])
    def test_waiting_conditional_orders(self, *, ends: bool) -> None:
        """They bind no margin, so they stay unless the switch says otherwise; closePosition ends with the leg."""
        desk = leveraged(switches=Switches(liquidation_ends_algo_orders=ends))
        desk.market("BUY", "3.000")
        desk.algo("SELL", "STOP_MARKET", "30000", quantity="0.010", clientAlgoId="own")
        desk.close_all_at("SELL", "STOP_MARKET", "30000", clientAlgoId="all")
        desk.price("56900")
        left = [row["clientAlgoId"] for row in desk.send("GET", "/fapi/v1/openAlgoOrders").json]
        assert left == ([] if ends else ["own"])


class TestMarginCall:
    """A warning before the end (``§10.5``)."""

    def test_cross(self) -> None:
        """Sent once, with the cross wallet, and again only after relief."""
        desk = leveraged()
        desk.market("BUY", "3.000")
        desk.listen()
        desk.price("56960")
        desk.price("56959")
        assert desk.told() == ["MARGIN_CALL"]
        desk.price("60000")
        desk.price("56960")
        event = desk.events[-1]
        assert event["cw"] == "9909.983692"
        row = event["p"][0]
        assert list(row) == ["s", "ps", "pa", "mt", "iw", "mp", "up", "mm"]
        assert (row["mt"], row["mp"], row["pa"]) == ("CROSSED", "56960", "3")

    def test_isolated(self) -> None:
        """Without the cross wallet, which is not in danger."""
        desk = leveraged(isolated=True)
        desk.market("BUY", "1.000")
        desk.listen()
        desk.price("59685")
        (event,) = desk.events
        assert "cw" not in event
        assert (event["p"][0]["mt"], event["p"][0]["iw"]) == ("ISOLATED", "600.04704")


class TestDeleveraging:
    """Caused through the control plane."""

    def test_part_of_a_leg(self) -> None:
        """``adl_autoclose``, CALCULATED at the given price, no commission."""
        desk = leveraged()
        desk.market("SELL", "0.100")
        wallet = desk.exchange.account.wallet
        desk.listen()
        desk.exchange.risk.deleverage(desk.exchange.account, "BTCUSDT", "BOTH", Decimal("0.04"), Decimal(59000))
        assert desk.amount() == Decimal("-0.06")
        body = desk.events[-1]["o"]
        assert {name: body[name] for name in ("c", "S", "o", "f", "x", "X", "l", "L", "n")} == {
            "c": "adl_autoclose", "S": "BUY", "o": "MARKET", "f": "GTC", "x": "CALCULATED", "X": "FILLED", "l": "0.04",
            "L": "59000", "n": "0",
        }  # fmt: skip
        assert desk.exchange.account.wallet - wallet == Decimal(body["rp"]) == Decimal("40.00000000")
        assert desk.told() == ["ORDER NEW NEW", "ACCOUNT_UPDATE", "ORDER CALCULATED FILLED"]


class TestDelisting:
    """A contract ends."""

    def test_orders_expire_and_the_leg_is_closed_at_the_mark(self) -> None:
        """``er`` 7, ``settlement_autoclose-``, CALCULATED; nothing new can be opened, and forceOrders knows nothing."""
        desk = Desk()
        desk.market("BUY", "0.100")
        desk.limit("BUY", "0.010", "59000.0")
        desk.close_all_at("SELL", "STOP_MARKET", "58000")
        desk.algo("BUY", "STOP_MARKET", "62000", quantity="0.010")
        desk.price("60500", mark="60400")
        desk.listen()
        desk.exchange.delist("BTCUSDT")
        bodies = [event["o"] for event in desk.events if event["e"] == "ORDER_TRADE_UPDATE"]
        assert [(body["x"], body["er"]) for body in bodies] == [("EXPIRED", "7"), ("NEW", "0"), ("CALCULATED", "0")]
        assert bodies[-1]["c"].startswith("settlement_autoclose-")
        assert bodies[-1]["L"] == "60400"
        assert desk.is_flat
        assert desk.send("GET", "/fapi/v1/openAlgoOrders").json == []
        assert desk.send("GET", "/fapi/v1/forceOrders").json == []
        assert desk.market("BUY", "0.100").code == -4140
