"""Reading signals: exact amounts, strict fields, and a form that the journal gives back unchanged."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from bracketeer.core.events import AnyEvent, SignalContext, SignalReceived
from bracketeer.core.redaction import Redactor
from bracketeer.core.signal import Amount, Signal, SignalMalformed, SignalType, as_recorded
from bracketeer.core.values import PositionSide, Side, WorkingType

LONG = '{"signal_type": "LONG_ENTRY", "symbol": "BTCUSDT"'


def test_json_numbers_are_kept_digit_by_digit() -> None:
    """A JSON number never passes through a binary float; trailing zeros stay."""
    signal = Signal.from_json(LONG + ', "quantity": 0.010, "stop_loss": 58000, "take_profit": "66000.10"}')
    assert (signal.quantity, signal.stop_loss, signal.take_profit) == ("0.010", "58000", "66000.10")


def test_every_field_is_read() -> None:
    """All that the upstream may say arrives."""
    signal = Signal.from_json(
        b'{"signal_type": "SHORT_ENTRY", "symbol": "ETHUSDT", "signal_id": "s-1", "notional": "500",'
        b' "stop_loss": "4100", "entry_price": 4000, "timestamp": 1766562549558, "ttl_ms": 5000,'
        b' "strategy": "breakout", "position_side": "SHORT", "working_type": "MARK_PRICE"}'
    )
    assert signal == Signal(
        signal_type=SignalType.SHORT_ENTRY,
        symbol="ETHUSDT",
        signal_id="s-1",
        notional="500",
        stop_loss="4100",
        entry_price="4000",
        timestamp=1766562549558,
        ttl_ms=5000,
        strategy="breakout",
        position_side=PositionSide.SHORT,
        working_type=WorkingType.MARK_PRICE,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        '{"symbol": "BTCUSDT"}',
        '{"signal_type": "LONG", "symbol": "BTCUSDT"}',
        LONG + ', "stoploss": "58000"}',  # a misspelt field could be a lost stop
        LONG + ', "timestamp": "now"}',
        LONG + ', "quantity": NaN}',
        LONG + ', "quantity": ' + "[" * 5000 + "]" * 5000 + "}",
        LONG + ', "strategy": "\ud800"}',
        b"\xff",
    ],
    ids=lambda text: repr(text)[:60],
)
def test_unreadable_json_is_one_error_with_a_code(text: str | bytes) -> None:
    """Whatever is wrong with the text, the caller meets SignalMalformed and nothing else."""
    with pytest.raises(SignalMalformed) as caught:
        Signal.from_json(text)
    assert caught.value.code == "malformed_json"


@pytest.mark.parametrize(
    ("amount", "kept"),
    [
        (None, None),
        ("0.010", "0.010"),
        (7, "7"),
        (10**30, "1" + "0" * 30),  # beyond the integers JSON readers agree on
        (Decimal("0.010"), "0.010"),
        (Decimal("NaN"), "NaN"),
        (0.1, 0.1),  # kept as it came, to be refused
        (float("nan"), "nan"),  # JSON has no NaN
        (True, "True"),  # no number, and refused as such
    ],
)
def test_amounts_survive_the_journal(amount: Amount, kept: str | float | None) -> None:
    """A signal read back from the journal equals the one that was written, so a replay decides the same."""
    signal = Signal(signal_type=SignalType.LONG_ENTRY, symbol="BTCUSDT", quantity=amount)
    assert signal.quantity == kept
    event = SignalReceived(at_ms=1, signal=signal, context=SignalContext())
    line = msgspec.json.encode(event)
    again = msgspec.json.decode(line, type=AnyEvent)
    assert again == event
    assert msgspec.json.encode(again) == line


@pytest.mark.parametrize(
    ("signal_type", "is_entry"),
    [
        (SignalType.LONG_ENTRY, True),
        (SignalType.SHORT_ENTRY, True),
        (SignalType.CLOSE, False),
        (SignalType.CLOSE_LONG, False),
        (SignalType.CLOSE_SHORT, False),
    ],
)
def test_entries_open_and_closes_do_not(signal_type: SignalType, *, is_entry: bool) -> None:
    """Which signals open a position."""
    assert signal_type.is_entry == is_entry


def test_entry_side_follows_the_direction() -> None:
    """A long is bought, a short is sold."""
    assert (SignalType.LONG_ENTRY.entry_side, SignalType.SHORT_ENTRY.entry_side) == (Side.BUY, Side.SELL)


def built(**fields: object) -> Signal:
    """A signal as a careless program builds it: nothing checks the types."""
    return Signal(**({"signal_type": SignalType.CLOSE, "symbol": "BTCUSDT", "signal_id": "s"} | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        {"timestamp": 1766562549558.5},
        {"ttl_ms": 0.5},
        {"strategy": None},
        {"strategy": "buy \ud83d"},
        {"signal_id": "\ud83d"},
        {"signal_id": 7},
        {"symbol": b"BTCUSDT"},
        {"strategy": ...},
        {"position_side": "LEFT"},
        {"signal_type": "HOLD"},
    ],
    ids=str,
)
def test_signal_that_the_log_could_not_give_back_is_not_followed(fields: dict[str, object]) -> None:
    """Else the next start could not replay the log that holds it."""
    with pytest.raises(SignalMalformed) as caught:
        as_recorded(built(**fields), Redactor())
    assert caught.value.code == "malformed_signal"


def test_plain_text_becomes_what_a_replay_reads() -> None:
    """Names given as text are the same as the enumeration's, now and later."""
    given = built(signal_type="CLOSE", position_side="BOTH", working_type="MARK_PRICE", timestamp=1766562549558)
    recorded = as_recorded(given, Redactor())
    assert recorded.position_side is PositionSide.BOTH
    assert recorded.working_type is WorkingType.MARK_PRICE
    assert recorded.signal_type is SignalType.CLOSE


@pytest.mark.parametrize("signal_id", ["tv;signature=abc", "listenKey:abc", "of a-secret-of-ours"])
def test_id_that_the_log_would_mask_is_refused(signal_id: str) -> None:
    """After a restart it would be forgotten, and the wish could be followed again."""
    with pytest.raises(SignalMalformed) as caught:
        as_recorded(built(signal_id=signal_id), Redactor(["a-secret-of-ours"]))
    assert caught.value.code == "signal_id_invalid"
    assert "abc" not in str(caught.value)
    assert "a-secret-of-ours" not in str(caught.value)


def test_other_text_is_followed_as_it_is_masked() -> None:
    """What the log masks elsewhere decides nothing, and is the same in memory as on record."""
    assert as_recorded(built(strategy="signature=abc"), Redactor()).strategy == "signature=***"
