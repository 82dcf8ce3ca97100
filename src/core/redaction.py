"""Secrets never leave: known secret strings and secret-bearing parameters become `***`.

Two nets. *Known* secrets (API key, secret, listen keys) are replaced wherever they occur, as they are,
percent-encoded, or escaped as JSON. *Named* ones (`signature`, `listenKey`, `X-MBX-APIKEY`) are replaced
whatever their value, in query strings, header dumps, JSON and Python reprs.
"""

import logging
import re
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, AnyStr, Final
from urllib.parse import quote, quote_plus

import msgspec

__all__ = ["MASK", "SECRET_LENGTH_MIN", "Redactor"]

MASK: Final = "***"
SECRET_LENGTH_MIN: Final = 8
"""Shorter strings occur in ordinary words and ids; masking them would damage what the journal must replay."""

_TRANSIENT_MAX = 32
_MASK_BYTES = MASK.encode()
_SENSITIVE_NAMES = frozenset({"signature", "listenkey", "x-mbx-apikey"})
_NAMES = "|".join(sorted(_SENSITIVE_NAMES))
# A quoted name needs a quoted value, so that JSON's own null or number after it is left alone; a bare name
# (query string, header dump) runs to the next delimiter. Neither can swallow a quote: masked JSON stays JSON.
_NAMED_PATTERN = rf"""(?ix) ( (?:{_NAMES}) \\* ["'] \s* : \s* \\* ["'] ) [^"'\\]+
           |   ( (?:{_NAMES}) (?: \s* [=:] \s* | %3D ) )       [^"'\\&\s,;}})\]]+"""
_NAMED = re.compile(_NAMED_PATTERN)
_NAMED_BYTES = re.compile(_NAMED_PATTERN.encode())
# Header dumps as pairs. In text only: in JSON, what follows a value and a comma is the next key.
_NAMED_PAIR = re.compile(rf"""(?i)((?:{_NAMES})["'], ?b?["'])[^"'\\]+""")
_LOG_RECORD_KEYS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class Redactor(logging.Filter):
    """Masks secrets in text, bytes, nested values and, as a `logging.Filter` on handlers, in log records.

    Secrets may be added while other threads redact. Its repr tells how many there are, never what they are.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._permanent: set[str] = set()
        self._transient: deque[str] = deque(maxlen=_TRANSIENT_MAX)
        self._needles: tuple[str, ...] = ()
        self._needles_bytes: tuple[bytes, ...] = ()
        for secret in secrets:
            self.add(secret)

    def __repr__(self) -> str:
        return f"Redactor({len(self._permanent) + len(self._transient)} secrets)"

    def add(self, secret: str, *, transient: bool = False) -> None:
        """Mask `secret` from now on. A transient one (a listen key) is forgotten after 32 younger ones.

        Raises:
            ValueError: the secret is shorter than 8 characters, and cannot be masked without harming other
            text.
        """
        if len(secret) < SECRET_LENGTH_MIN:
            raise ValueError(f"a secret must have at least {SECRET_LENGTH_MIN} characters to be masked")
        with self._lock:
            if secret in self._permanent or secret in self._transient:
                return
            if transient:
                self._transient.append(secret)
            else:
                self._permanent.add(secret)
            variants = {form for known in (*self._permanent, *self._transient) for form in _spellings(known)}
            needles = sorted(variants, key=len, reverse=True)
            self._needles_bytes = tuple(needle.encode() for needle in needles)
            self._needles = tuple(needles)

    def text(self, text: str) -> str:
        """`text` with every secret replaced by `***`."""
        spans = _spans(text, self._needles)
        if spans:
            text = _cut(text, spans, MASK)
        lowered = text.lower()
        if any(name in lowered for name in _SENSITIVE_NAMES):
            text = _NAMED.sub(lambda hit: (hit[1] or hit[2]) + MASK, text)
            text = _NAMED_PAIR.sub(lambda hit: hit[1] + MASK, text)
        return text

    def data(self, data: bytes) -> bytes:
        """The same for UTF-8 bytes; JSON stays well-formed."""
        spans = _spans(data, self._needles_bytes)
        if spans:
            data = _cut(data, spans, _MASK_BYTES)
        lowered = data.lower()
        if b"signature" in lowered or b"listenkey" in lowered or b"x-mbx-apikey" in lowered:
            data = _NAMED_BYTES.sub(lambda hit: (hit[1] or hit[2]) + _MASK_BYTES, data)
        return data

    def value(self, value: Any) -> Any:
        """The same for nested mappings, lists and tuples of text; other types pass unchanged."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return self.data(value)
        if isinstance(value, Mapping):
            return {self.value(key): self._member(key, item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, tuple):
            return tuple(self.value(item) for item in value)
        return value

    def _member(self, key: object, item: Any) -> Any:
        named = isinstance(key, str) and key.lower() in _SENSITIVE_NAMES
        return MASK if named and isinstance(item, str | bytes) else self.value(item)

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask a log record in place: message, arguments, traceback, extras. Always lets it pass."""
        record.msg, record.args = self.text(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.exc_info = None  # handlers that format it themselves would print the unmasked one
        if record.exc_text:
            record.exc_text = self.text(record.exc_text)
        if record.stack_info:
            record.stack_info = self.text(record.stack_info)
        for key, item in vars(record).items():
            if key not in _LOG_RECORD_KEYS:
                setattr(record, key, self._member(key, item))
        return True


def _spellings(secret: str) -> set[str]:
    """The ways a secret is written: plain, percent-encoded (either case of hex), escaped in a JSON string."""
    encoded = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    lowered = {re.sub(r"%[0-9A-F]{2}", lambda hit: hit[0].lower(), form) for form in encoded}
    return {secret, msgspec.json.encode(secret)[1:-1].decode(), *encoded, *lowered}


def _spans(text: AnyStr, needles: tuple[AnyStr, ...]) -> list[tuple[int, int]]:
    """Where the needles occur, overlapping finds merged: replacing one must not leave half of another."""
    found: list[tuple[int, int]] = []
    for needle in needles:
        start = text.find(needle)
        while start >= 0:
            found.append((start, start + len(needle)))
            start = text.find(needle, start + 1)
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _cut(text: AnyStr, spans: list[tuple[int, int]], mask: AnyStr) -> AnyStr:
    pieces: list[AnyStr] = []
    kept_from = 0
    for start, end in spans:
        pieces += [text[kept_from:start], mask]
        kept_from = end
    pieces.append(text[kept_from:])
    return text[:0].join(pieces)
