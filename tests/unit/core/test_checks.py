"""Signal checks: each refusal has its code and its numbers; what passes is exact."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bracketeer.core.checks import CheckedEntry, check_entry, check_form
from bracketeer.core.denial import DenialCode, Denied, denial_table, denied, describe, shown
from bracketeer.core.instrument import Instrument
from bracketeer.core.settings import Policy
from bracketeer.core.signal import Signal, SignalType
from bracketeer.core.values import PositionSide, Side, WorkingType

D = Decimal
NOW_MS = 1_766_562_549_558
POLICY = Policy()
LAX = Policy(require_stop_loss=False)
PRICE = D(60000)
BTC = Instrument(
    symbol="BTCUSDT",
    status="TRADING",
    tick_size=D("0.10"),
    min_price=D("556.80"),
    max_price=D("4529764"),
    step_size=D("0.001"),
    min_quantity=D("0.001"),
    max_quantity=D(1000),
    market_max_quantity=D(120),
    min_notional=D(100),
    price_precision=2,
    quantity_precision=3,
)


def long_entry(**changes: Any) -> Signal:
    """A good long of 0.010 BTC, with changes."""
    fields: dict[str, Any] = {
        "signal_type": SignalType.LONG_ENTRY,
        "symbol": "BTCUSDT",
        "signal_id": "s-1",
        "quantity": "0.010",
        "stop_loss": "58000",
        "take_profit": "66000",
    }
    return Signal(**(fields | changes))


def short_entry(**changes: Any) -> Signal:
    """A good short of 0.010 BTC, with changes."""
    fields = {"signal_type": SignalType.SHORT_ENTRY, "stop_loss": "62000", "take_profit": "54000"}
    return long_entry(**(fields | changes))


def form_code(signal: Signal, policy: Policy = POLICY) -> DenialCode | None:
    """The code with which the form is refused."""
    refusal = check_form(signal, policy, NOW_MS)
    return refusal.code if refusal else None


def refused(signal: Signal, instrument: Instrument = BTC, price: Decimal | None = PRICE) -> Denied:
    """The refusal of an entry whose form is good."""
    assert check_form(signal, LAX, NOW_MS) is None
    result = check_entry(signal, LAX, instrument, price)
    assert isinstance(result, Denied)
    return result


def passed(signal: Signal, instrument: Instrument = BTC, policy: Policy = LAX) -> CheckedEntry:
    """The checked entry of a good signal."""
    assert check_form(signal, policy, NOW_MS) is None
    result = check_entry(signal, policy, instrument, PRICE)
    assert isinstance(result, CheckedEntry), result
    return result


def changed(**rules: Any) -> Instrument:
    """BTCUSDT's rules with changes."""
    return Instrument(**({name: getattr(BTC, name) for name in BTC.__struct_fields__} | rules))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signal_id": ""}, "signal_id_invalid"),
        ({"signal_id": "x" * 201}, "signal_id_invalid"),
        ({"signal_id": " s-1"}, "signal_id_invalid"),
        ({"signal_id": "s\n1"}, "signal_id_invalid"),
        ({"signal_id": "\ud800"}, "signal_id_invalid"),
        ({"symbol": ""}, "symbol_invalid"),
        ({"symbol": "btcusdt"}, "symbol_invalid"),
        ({"symbol": "BTC/USDT"}, "symbol_invalid"),
        ({"symbol": "BTCUSDT "}, "symbol_invalid"),
        ({"symbol": "B" * 41}, "symbol_invalid"),
        ({"symbol": "ÀÉusdt"}, "symbol_invalid"),
        ({"symbol": "éUSDT"}, "symbol_invalid"),
        ({"position_side": PositionSide.LONG}, "hedge_mode_unsupported"),
        ({"ttl_ms": 1000}, "timestamp_missing"),
        ({"timestamp": NOW_MS - 1001, "ttl_ms": 1000}, "signal_expired"),
        ({"timestamp": NOW_MS, "ttl_ms": 0}, "signal_expired"),
        ({"timestamp": NOW_MS + 60_001}, "signal_from_future"),
        ({"quantity": None}, "quantity_missing"),
        ({"notional": "600"}, "quantity_and_notional"),
        ({"quantity": 0.01}, "quantity_not_exact"),
        ({"quantity": "NaN"}, "quantity_not_a_number"),
        ({"quantity": "-Infinity"}, "quantity_not_a_number"),
        ({"quantity": "ten"}, "quantity_not_a_number"),
        ({"quantity": ""}, "quantity_not_a_number"),
        ({"quantity": True}, "quantity_not_a_number"),
        ({"quantity": float("nan")}, "quantity_not_a_number"),
        ({"quantity": "0"}, "quantity_not_positive"),
        ({"quantity": "-0.010"}, "quantity_not_positive"),
        ({"quantity": "1E+999999"}, "quantity_too_large"),
        ({"quantity": "1E-999999"}, "quantity_too_precise"),
        ({"quantity": None, "notional": 600.5}, "quantity_not_exact"),
        ({"quantity": None, "notional": "0"}, "quantity_not_positive"),
        ({"stop_loss": None}, "stop_loss_required"),
        ({"stop_loss": 58000.1}, "price_invalid"),
        ({"stop_loss": "none"}, "price_invalid"),
        ({"stop_loss": "0"}, "price_invalid"),
        ({"take_profit": "-1"}, "price_invalid"),
        ({"take_profit": "1E+999999"}, "price_invalid"),
        ({"entry_price": "1E-999999"}, "price_invalid"),
    ],
)
def test_bad_form_is_refused_with_its_code(changes: dict[str, Any], code: str) -> None:
    """Each fault that needs no exchange to be seen has a code of its own, and a sentence."""
    refusal = check_form(long_entry(**changes), POLICY, NOW_MS)
    assert refusal is not None
    assert refusal.code == code
    assert refusal.text.endswith((".", "?"))
    assert len(refusal.text) < 300


@pytest.mark.parametrize(
    "signal",
    [
        long_entry(),
        short_entry(take_profit=None),
        long_entry(quantity=None, notional="600"),
        long_entry(quantity=D("0.010")),
        long_entry(quantity=1),
        long_entry(symbol="1000PEPEUSDT"),
        long_entry(symbol="BTCUSDT_260327"),
        long_entry(symbol="币安人生USDT"),
        long_entry(signal_id="策略 7"),
        long_entry(timestamp=NOW_MS - 1000, ttl_ms=1000),
        long_entry(timestamp=NOW_MS + 60_000, ttl_ms=1),
        long_entry(timestamp=0),  # without a ttl, age is not judged
        Signal(signal_type=SignalType.CLOSE, symbol="BTCUSDT", signal_id="c-1"),
    ],
    ids=str,
)
def test_good_form_passes(signal: Signal) -> None:
    """What is well formed is let through."""
    assert check_form(signal, POLICY, NOW_MS) is None


def test_setting_gives_a_ttl_to_signals_without_one() -> None:
    """SIGNAL_TTL_MS holds for signals with a timestamp; their own ttl wins."""
    policy = Policy(signal_ttl_ms=1000)
    assert form_code(long_entry(timestamp=NOW_MS - 2000), policy) == "signal_expired"
    assert form_code(long_entry(timestamp=NOW_MS - 2000, ttl_ms=3000), policy) is None
    assert form_code(long_entry(), policy) is None


def test_stop_is_optional_by_setting() -> None:
    """REQUIRE_STOP_LOSS=false lets entries without a stop pass."""
    assert form_code(long_entry(stop_loss=None), LAX) is None
    assert passed(long_entry(stop_loss=None)).stop_loss is None


@pytest.mark.parametrize("amount", [{"quantity": "0.005"}, {"notional": "300"}])
def test_close_takes_no_amount(amount: dict[str, str]) -> None:
    """A part cannot be closed, so asking for one must not close all."""
    close = {"signal_type": SignalType.CLOSE_LONG, "stop_loss": None, "take_profit": None, "quantity": None}
    signal = long_entry(**(close | amount))
    assert form_code(signal) == "close_takes_no_quantity"


def test_lower_case_symbol_is_refused_with_the_right_one_named() -> None:
    """The hint costs nothing and saves a look into the documents."""
    refusal = check_form(long_entry(symbol="btcusdt"), POLICY, NOW_MS)
    assert refusal is not None
    assert "did you mean 'BTCUSDT'?" in refusal.text


def test_refusals_name_the_field_and_the_value() -> None:
    """Programs upstream find the numbers in the context."""
    refusal = check_form(long_entry(take_profit="high"), POLICY, NOW_MS)
    assert refusal is not None
    assert refusal.context == {"field": "take_profit", "value": "high"}


def test_checked_entry_carries_exact_numbers() -> None:
    """A good long comes out as the plan needs it."""
    assert passed(long_entry()) == CheckedEntry(
        signal_id="s-1",
        symbol="BTCUSDT",
        side=Side.BUY,
        position_side=PositionSide.BOTH,
        quantity=D("0.010"),
        stop_loss=D(58000),
        take_profit=D(66000),
        working_type=WorkingType.CONTRACT_PRICE,
        reference_price=PRICE,
    )


def test_working_type_of_the_signal_wins_over_the_setting() -> None:
    """The setting is the default only."""
    mark = Policy(working_type=WorkingType.MARK_PRICE)
    assert passed(long_entry(), policy=mark).working_type is WorkingType.MARK_PRICE
    own = long_entry(working_type=WorkingType.CONTRACT_PRICE)
    assert passed(own, policy=mark).working_type is WorkingType.CONTRACT_PRICE


def test_prices_are_rounded_towards_the_earlier_exit() -> None:
    """Long: stop up, target down. Short: stop down, target up."""
    long = passed(long_entry(stop_loss="58000.01", take_profit="66000.19"))
    assert (long.stop_loss, long.take_profit) == (D("58000.1"), D("66000.1"))
    short = passed(short_entry(stop_loss="62000.19", take_profit="54000.01"))
    assert (short.stop_loss, short.take_profit) == (D("62000.1"), D("54000.1"))


def test_notional_is_turned_into_a_quantity_rounded_down() -> None:
    """1000 USDT at 60000 buy 0.016 BTC and a rest."""
    assert passed(long_entry(quantity=None, notional="1000")).quantity == D("0.016")


@pytest.mark.parametrize(
    ("changes", "code", "advice"),
    [
        ({"quantity": "0.0001"}, "quantity_too_small", "ask for at least 0.002."),
        ({"quantity": "0.0105"}, "quantity_too_precise", "send 0.01 or 0.011."),
        ({"quantity": "120.001"}, "quantity_too_large", "ask for at most 120."),
        ({"quantity": "0.001"}, "notional_too_small", "a quantity of at least 0.002."),
        ({"quantity": None, "notional": "99"}, "notional_too_small", "a quantity of at least 0.002."),
        ({"quantity": None, "notional": "110"}, "notional_too_small", "a quantity of at least 0.002."),
        ({"stop_loss": "500"}, "price_invalid", "go from 556.8 to 4529764: correct it."),
        ({"take_profit": "5000000"}, "price_invalid", "go from 556.8 to 4529764: correct it."),
        ({"stop_loss": "60000", "take_profit": None}, "stop_loss_wrong_side", "below the last price 60000"),
        ({"stop_loss": "59999.91"}, "stop_loss_wrong_side", "60000 (on the tick) of a long"),
        ({"take_profit": "60000"}, "take_profit_wrong_side", "above the last price 60000"),
        ({"take_profit": "60000.09"}, "take_profit_wrong_side", "let the signal go"),
        ({"stop_loss": "66000", "take_profit": "58000"}, "stop_loss_wrong_side", "look swapped"),
        (
            {"stop_loss": "61000", "working_type": WorkingType.MARK_PRICE},
            "stop_loss_wrong_side",
            "below the mark price 60000",
        ),
    ],
)
def test_entry_against_the_rules_is_refused_with_advice(changes: dict[str, Any], code: str, advice: str) -> None:
    """Each rule of the exchange has its code, and the sentence says what would be taken."""
    refusal = refused(long_entry(**changes))
    assert refusal.code == code
    assert advice in refusal.text


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"stop_loss": "60000"}, "stop_loss_wrong_side"),
        ({"stop_loss": "60000.09"}, "stop_loss_wrong_side"),
        ({"take_profit": "60000"}, "take_profit_wrong_side"),
        ({"take_profit": "59999.91"}, "take_profit_wrong_side"),
        ({"stop_loss": "54000", "take_profit": "62000"}, "stop_loss_wrong_side"),
    ],
)
def test_sides_are_mirrored_for_a_short(changes: dict[str, Any], code: str) -> None:
    """A short's stop is above, its target below; at the price itself both would fire at once."""
    assert refused(short_entry(**changes)).code == code


def test_closest_prices_on_the_right_side_pass() -> None:
    """One tick away from the reference price is enough."""
    entry = passed(long_entry(stop_loss="59999.9", take_profit="60000.1"))
    assert (entry.stop_loss, entry.take_profit) == (D("59999.9"), D("60000.1"))


def test_price_without_an_upper_bound_is_free_upwards() -> None:
    """A maximum of zero is off."""
    free = changed(max_price=D(0))
    assert passed(long_entry(take_profit="5000000"), free).take_profit == D(5000000)
    assert "to any height" in refused(long_entry(stop_loss="500"), free).text


def test_price_that_rounds_to_zero_is_refused() -> None:
    """A long's target below one tick would be rounded down to nothing."""
    refusal = refused(short_entry(stop_loss="62000", take_profit="0.01", quantity="0.01"), changed())
    assert refusal.code == "price_invalid"
    assert refused(long_entry(take_profit="0.01"), changed(min_price=D(0))).code == "price_invalid"


def test_quantity_rules_that_are_off_do_not_refuse() -> None:
    """Minimum and maximum of zero bound nothing, but zero itself cannot be traded."""
    free = changed(min_quantity=D(0), max_quantity=D(0), market_max_quantity=D(0), min_notional=D(0))
    assert passed(long_entry(quantity="5000"), free).quantity == D(5000)
    nothing = refused(long_entry(quantity=None, notional="10"), free)
    assert nothing.code == "quantity_too_small"
    assert "(what 10 USDT buys at 60000)" in nothing.text
    assert "at least 0.001." in nothing.text


@pytest.mark.parametrize("status", ["PENDING_TRADING", "SETTLING", "TRADING_HALT", "CLOSE"])
def test_symbol_that_does_not_trade_is_refused(status: str) -> None:
    """Only TRADING is good for entries."""
    refusal = refused(long_entry(), changed(status=status))
    assert (refusal.code, refusal.context["status"]) == ("symbol_not_trading", status)


@pytest.mark.parametrize("price", [None, D(0), D(-1), D("NaN"), D("Infinity")])
def test_unusable_reference_price_is_refused(price: Decimal | None) -> None:
    """Sides cannot be judged against nothing."""
    assert refused(long_entry(), price=price).code == "reference_price_missing"


def test_misuse_is_an_error_and_not_a_refusal() -> None:
    """Calls that only a programming fault can make."""
    with pytest.raises(ValueError, match="CLOSE is not an entry"):
        check_entry(Signal(signal_type=SignalType.CLOSE, symbol="BTCUSDT", signal_id="c"), LAX, BTC, PRICE)
    with pytest.raises(ValueError, match="rules of BTCUSDT cannot judge ETHUSDT"):
        check_entry(long_entry(symbol="ETHUSDT"), LAX, BTC, PRICE)
    with pytest.raises(ValueError, match="has not passed check_form"):
        check_entry(long_entry(quantity=None), LAX, BTC, PRICE)


@pytest.mark.parametrize("code", DenialCode)
def test_every_code_has_a_paragraph_and_a_table_row(code: DenialCode) -> None:
    """The operator finds each code explained, and the README's table is made from the same text."""
    paragraph = describe(code)
    assert len(paragraph) > 60
    assert paragraph.endswith((".", ")."))
    assert "|" not in paragraph  # it would break the table
    assert f"| `{code}` | {paragraph} |" in denial_table().splitlines()


def test_what_is_quoted_is_short_and_on_one_line() -> None:
    """A refusal never repeats a megabyte, nor lets a sender write lines of its own into a log."""
    assert shown("x" * 1000) == repr("x" * 60 + "…")
    assert shown("a\nb") == r"'a\nb'"
    assert shown("币安") == "'币安'"
    assert shown("a\u202eb\ud800") == r"'a\u202eb\ud800'"
    facts = denied(DenialCode.PRICE_INVALID, "Text.", value="y" * 1000, price=D("1E+2"), at=None).context
    assert facts == {"value": "y" * 60 + "…", "price": "100", "at": "None"}
