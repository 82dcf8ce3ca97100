"""Other people and the venue itself act on the account (failure modes 5, 8, 11, 22)."""

from __future__ import annotations

from decimal import Decimal

from ..story import Step
from .evidence import Evidence, expect
from .scenario import BTC, Scenario, answered, close, entry, fault, hand, price, settled, streams, tell, wait


def _partly_external(seen: Evidence) -> None:
    record = seen.ended()
    assert record.exit is not None
    expect(record.exit.executed_quantity == Decimal("0.006"), f"the exit was told as {record.exit}")
    seen.expect_alert("external_trade")
    seen.expect_ended("stop_loss_hit")
    seen.expect_flat()


def _external_end(seen: Evidence) -> None:
    seen.expect_ended("closed_by_others")
    seen.expect_flat()


def _over(seen: Evidence) -> None:
    """Somebody sold more than there was: their short is theirs."""
    seen.expect_ended("closed_by_others")
    seen.expect_amount("-0.004")
    expect(not seen.resting(), f"ours on a position of others: {seen.resting()}")


def _external_part(seen: Evidence) -> None:
    seen.expect_protected("0.006")
    seen.expect_alert("external_trade")


def _foreign_orders(seen: Evidence) -> None:
    theirs = [o for o in seen.account.orders.open_orders(BTC) if not o.client_order_id.startswith("bktr-")]
    expect(len(theirs) == 1, f"a foreign order was touched: {theirs}")
    seen.expect_status("closed", of="close-1")
    seen.expect_flat()


def _foreign_position(seen: Evidence) -> None:
    seen.expect_denied("external_position", "entry-1")
    seen.expect_amount("-0.004")
    expect(not seen.orders() and not seen.algos(), "a position of others was touched")


SCENARIOS = (
    Scenario(
        name="stop_fill_beside_a_trade_by_hand",
        modes=(8, 22),
        fault="a person takes a part off right before the stop triggers",
        invariant="their fill is external, the stop's is ours: the sum of fills is the position at all times",
        stories=streams(entry(), answered(), hand("part"), price("0.97", after_ms=1), wait(8_000), settled()),
        check=_partly_external,
    ),
    Scenario(
        name="position_closed_by_others",
        modes=(22, 5),
        fault="closed by hand, liquidated, deleveraged, or delisted under us; with the stream and without",
        invariant="seen, attributed to others, and everything of ours is gone",
        stories={
            f"{name}{polled}": tell(entry(), answered(), step, wait(8_000), settled(), user_stream=not polled)
            for name, step in (
                ("by_hand", hand("all")),
                ("liquidated", fault("liquidation", symbol=BTC)),
                ("deleveraged", fault("adl", symbol=BTC, percent="100")),
                ("delisted", Step("delist", {"symbol": BTC})),
            )
            for polled in ("", "_polled")
        },
        check=_external_end,
    ),
    Scenario(
        name="position_turned_by_others",
        modes=(22, 5),
        fault="a person sells more than there is: the position is on the other side now",
        invariant="our bracket ends, nothing of ours rests on what is theirs, and nothing closes it",
        stories=streams(entry(), answered(), hand("over"), wait(8_000), settled()),
        check=_over,
    ),
    Scenario(
        name="position_reduced_by_others",
        modes=(22, 11),
        fault="ADL or a person takes 40 % off",
        invariant="attributed to others with an alert; the rest stays protected for its size",
        stories={
            "deleveraged": tell(entry(), answered(), fault("adl", symbol=BTC, percent="40"), wait(8_000), settled()),
            "by_hand": tell(entry(), answered(), hand("part"), wait(8_000), settled()),
        },
        check=_external_part,
    ),
    Scenario(
        name="orders_of_others_are_left_alone",
        modes=(22, 5),
        fault="a limit order of another program rests on the symbol while ours is opened, protected and closed",
        invariant="it is still there, untouched; ours is flat and clean",
        stories=streams(
            Step("limit", {"symbol": BTC}), entry(), answered(), close(), answered(), wait(3_000), settled()
        ),
        check=_foreign_orders,
    ),
    Scenario(
        name="position_of_others_denies_entries",
        modes=(22,),
        fault="somebody else holds a position on the symbol",
        invariant="shown, never touched: an entry there is denied",
        stories=streams(hand("add"), entry(after_ms=500), answered(), wait(3_000)),
        check=_foreign_position,
    ),
)
