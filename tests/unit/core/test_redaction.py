"""Redaction: no spelling of a secret survives, and nothing else is touched."""

import json
import logging
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bracketeer.core.redaction import MASK, Redactor

SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP"
ODD = 'pa"ss/wörd\\+&%'

secrets = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=8, max_size=40)


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        ODD,
        quote(ODD),
        quote(ODD, safe=""),
        quote(ODD, safe="").lower(),
        json.dumps(ODD, ensure_ascii=False)[1:-1],
    ],
)
def test_every_spelling_is_masked(spelling: str) -> None:
    """Plain, percent-encoded in either case, and JSON-escaped, in text and in bytes."""
    redactor = Redactor([SECRET, ODD])
    assert redactor.text(f"a {spelling} b") == f"a {MASK} b"
    assert redactor.data(f"a {spelling} b".encode()) == b"a *** b"


@given(secrets, st.text(max_size=20), st.text(max_size=20))
def test_no_prefix_of_a_whole_secret_survives(secret: str, before: str, after: str) -> None:
    """Where the whole secret stood, nothing of it is left, and what stood around it is."""
    assert Redactor([secret]).text("<" + before + secret + after + ">").count(secret) == 0
    assert Redactor([secret]).text(f"\n{secret}\n").strip("\n") == MASK


def test_overlapping_secrets_leave_no_half() -> None:
    """Masking one secret must not leave the rest of another one readable."""
    redactor = Redactor(["abcdefgh1234", "1234ijklmnopqrst"])
    assert redactor.text("x abcdefgh1234ijklmnopqrst y") == "x *** y"


@pytest.mark.parametrize(
    ("raw", "masked"),
    [
        (
            "POST /fapi/v1/order?symbol=BTCUSDT&signature=abc123&x=1",
            "POST /fapi/v1/order?symbol=BTCUSDT&signature=***&x=1",
        ),
        ("wss://x/ws?listenKey=pqia91ma19a5s61cv6a81va65sdf19v8", "wss://x/ws?listenKey=***"),
        ("a%3D1%26signature%3Dabc", "a%3D1%26signature%3D***"),
        ("X-MBX-APIKEY: vmPUZE6mv9SD5VNHk4HlWFsO", "X-MBX-APIKEY: ***"),
        ("{'X-MBX-APIKEY': 'vmPU', 'b': 2}", "{'X-MBX-APIKEY': '***', 'b': 2}"),
        ('{"listenKey":"pqia","n":1}', '{"listenKey":"***","n":1}'),
        ('{"text":"{\\"signature\\": \\"abc\\"}"}', '{"text":"{\\"signature\\": \\"***\\"}"}'),
        ('{"listenKey":null,"signature":1}', '{"listenKey":null,"signature":1}'),
        ('{"e":"listenKeyExpired"}', '{"e":"listenKeyExpired"}'),
        ("a signature was checked", "a signature was checked"),
    ],
)
def test_named_parameters_are_masked_whatever_their_value(raw: str, masked: str) -> None:
    """Signatures and keys never registered are caught by the name they travel under."""
    redactor = Redactor()
    assert redactor.text(raw) == masked
    assert redactor.data(raw.encode()) == masked.encode()


def test_pairs_of_a_header_dump_are_masked_in_text_only() -> None:
    """In JSON the text after a value and a comma is the next key, which must stay."""
    redactor = Redactor()
    assert redactor.text("[('x-mbx-apikey', 'vmPU'), (b'X-MBX-APIKEY', b'vmPU')]") == (
        "[('x-mbx-apikey', '***'), (b'X-MBX-APIKEY', b'***')]"
    )
    assert redactor.data(b'{"op":"signature","id":"7"}') == b'{"op":"signature","id":"7"}'


@given(st.dictionaries(st.sampled_from(["listenKey", "signature", "note"]), st.text() | st.none() | st.integers()))
def test_masked_json_stays_json(members: dict[str, object]) -> None:
    """The journal masks encoded lines: they must still decode, with the other members as they were."""
    redactor = Redactor([SECRET])
    line = json.dumps({**members, "x": [SECRET, 1]}, ensure_ascii=False).encode("utf-8", "replace")
    decoded = json.loads(redactor.data(line))
    assert decoded["x"] == [MASK, 1]


def test_nested_values_are_masked() -> None:
    """Mappings (by name and by value), lists, tuples, bytes; other types pass."""
    redactor = Redactor([SECRET])
    value = {"Signature": "q", "list": [SECRET, 5], SECRET: (SECRET.encode(), None), "listenKey": None}
    assert redactor.value(value) == {"Signature": MASK, "list": [MASK, 5], MASK: (b"***", None), "listenKey": None}


def test_short_secret_is_refused() -> None:
    """Masking a short string would eat ordinary words."""
    with pytest.raises(ValueError, match="at least 8"):
        Redactor(["short"])


def test_transient_secrets_are_forgotten_in_order() -> None:
    """A year of listen keys must not slow every line down; permanent secrets stay."""
    redactor = Redactor([SECRET])
    for n in range(40):
        redactor.add(f"listen-key-{n:03}", transient=True)
        redactor.add(f"listen-key-{n:03}", transient=True)  # known already
    assert redactor.text(f"{SECRET} listen-key-000 listen-key-039") == "*** listen-key-000 ***"


def test_repr_shows_no_secret() -> None:
    """Tracebacks with locals print reprs."""
    assert repr(Redactor([SECRET])) == "Redactor(1 secrets)"


def test_log_records_are_masked_in_every_part(caplog: pytest.LogCaptureFixture) -> None:
    """Message, arguments, traceback, stack and extras."""
    logger = logging.getLogger("bracketeer.test_redaction")
    caplog.handler.addFilter(redactor := Redactor([SECRET]))
    try:
        try:
            int(f"failed with {SECRET}")
        except ValueError:
            logger.exception("key %s", SECRET, stack_info=True, extra={"url": f"?k={SECRET}", "signature": "s"})
        logger.warning("plain")
    finally:
        caplog.handler.removeFilter(redactor)
    assert SECRET not in caplog.text
    assert "failed with ***" in caplog.text
    assert "key ***" in caplog.text
    extras = vars(caplog.records[0])
    assert (extras["url"], extras["signature"]) == ("?k=***", MASK)
