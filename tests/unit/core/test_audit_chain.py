"""The line format: exact bytes, exact hash, and no data that it cannot carry."""

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bracketeer.core.audit_chain import (
    GENESIS,
    ChainHead,
    LineDamaged,
    LineParts,
    compose,
    day_of,
    encode_state,
    iso_timestamp,
    parse,
)
from bracketeer.core.redaction import Redactor
from tests.unit.core.audit_kit import NOON_US

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def line(fields: dict[str, Any] | None = None, previous: ChainHead = GENESIS, **header: Any) -> bytes:
    parts = LineParts("event", header.pop("event_type", "order_placed"), fields=fields or {}, **header)
    return compose(previous, parts, now_us=NOON_US, redactor=Redactor())[0]


def test_format_is_exactly_this() -> None:
    """Keys in the documented order, compact, Decimals as text, non-ASCII as it is, hash over the bytes before it."""
    raw = line({"order_data": {"price": Decimal("0.10"), "note": "größe"}}, symbol="BTCUSDT", signal_id="s-1")
    body = (
        '{"seq":1,"timestamp":"2026-11-21T12:00:00.000000Z","record":"event","event_type":"order_placed",'
        '"operation":null,"symbol":"BTCUSDT","signal_id":"s-1","client_order_id":null,'
        '"order_data":{"price":"0.10","note":"größe"},"prev_hash":"' + "0" * 64 + '"'
    ).encode()
    digest = hashlib.sha256(b"0" * 64 + body).hexdigest()
    assert raw == body + f',"hash":"{digest}"}}\n'.encode()


@given(st.text(max_size=10), st.dictionaries(st.text().map("x {}".format), json_values, max_size=3))
def test_what_is_written_is_read_back(symbol: str, fields: dict[str, Any]) -> None:
    """Any JSON-able data survives, on one line, and its hash is right."""
    raw = line(fields, symbol=symbol)
    assert raw.index(b"\n") == len(raw) - 1
    decoded, real_hash = parse(raw[:-1])
    assert (decoded.symbol, decoded.fields, decoded.hash) == (symbol, fields, real_hash)


@given(st.integers(0, 4_000_000_000_000_000))
def test_timestamps_are_exact_to_the_microsecond(now_us: int) -> None:
    """No float is involved: what is written is the very microsecond."""
    moment = datetime.fromisoformat(iso_timestamp(now_us)) - datetime(1970, 1, 1, tzinfo=UTC)
    assert (moment.days * 86_400 + moment.seconds) * 1_000_000 + moment.microseconds == now_us
    assert iso_timestamp(now_us).startswith(day_of(now_us))


class Odd:
    def __str__(self) -> str:
        return "odd thing"


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Odd(), "odd thing"),
        (ValueError("no"), "ValueError: no"),
        ("lone \ud800", r"'lone \ud800'"),
        (CYCLE, "[[...]]"),
        (float("nan"), None),
        ({"d": Decimal("1E-7")}, {"d": "1E-7"}),
    ],
)
def test_odd_data_is_written_as_text(value: object, written: object) -> None:
    """An exit must not die because its log line holds something strange; and the strange thing is not lost."""
    decoded, real_hash = parse(line({"fine": 1, "odd": value})[:-1])
    assert decoded.fields == {"fine": 1, "odd": written}
    assert decoded.hash == real_hash


def test_odd_header_text_is_escaped() -> None:
    """The same for a symbol that is no text any exchange has."""
    assert parse(line(symbol="\ud800")[:-1])[0].symbol == r"'\ud800'"


def test_reserved_names_are_refused() -> None:
    """A field must not pass for one of the line's own keys."""
    with pytest.raises(ValueError, match=r"\['hash', 'seq'\]"):
        line({"seq": 1, "hash": 2, "x": 3})


def test_state_that_json_cannot_hold_is_refused() -> None:
    """A checkpoint written as text could not be replayed."""
    assert encode_state({"d": Decimal("1.0")}) == b'{"d":"1.0"}'
    with pytest.raises(TypeError):
        encode_state({"x": Odd()})


def damaged(change: dict[str, Any]) -> bytes:
    members = {**json.loads(line()), **change}
    return json.dumps(members, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        line()[:-2],
        line()[5:-1],
        damaged({"record": "rumour"}),
        damaged({"seq": "1"}),
        line()[:-1].replace(b'"symbol"', b'"cymbal"'),
        line()[:-1].replace(b"order_placed", b"order_\xff\xfeaced"),
    ],
)
def test_damaged_bytes_are_not_a_line(raw: bytes) -> None:
    """Cut, mistyped or undecodable: never a half-read line."""
    with pytest.raises(LineDamaged):
        parse(raw)
