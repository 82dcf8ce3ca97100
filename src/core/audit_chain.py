"""The line format of the audit log and the hash chain through it: pure functions over bytes.

A line is one JSON object. Its last member is `hash`, the SHA-256 (hex) over the previous line's hash and this
line's exact bytes before `,"hash":"`. Hashing bytes, not parsed values, leaves nothing to canonicalise: what
was written is what is proven. The first line of a log continues `GENESIS`.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

import msgspec

from .redaction import Redactor

__all__ = [
    "GENESIS",
    "NO_FIELDS",
    "AuditLine",
    "ChainHead",
    "LineDamaged",
    "LineParts",
    "Record",
    "compose",
    "day_of",
    "encode_state",
    "head_mac",
    "iso_timestamp",
    "parse",
]

Record = Literal["event", "command", "note", "checkpoint"]
NO_FIELDS: Final[Mapping[str, Any]] = MappingProxyType({})

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HASH_LENGTH = 64
_HASH_KEY = b',"hash":"'
_SUFFIX_LENGTH = len(_HASH_KEY) + _HASH_LENGTH + len(b'"}')
_HEADER_KEYS = (
    "seq",
    "timestamp",
    "record",
    "event_type",
    "operation",
    "symbol",
    "signal_id",
    "client_order_id",
)
_RESERVED = frozenset({*_HEADER_KEYS, "prev_hash", "hash"})


class ChainHead(msgspec.Struct, frozen=True):
    """The last line of a chain: its number and its hash."""

    seq: int
    hash: str


GENESIS: Final = ChainHead(seq=0, hash="0" * _HASH_LENGTH)


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """One decoded line. `fields` holds what stands before `prev_hash`, Decimals as text."""

    seq: int
    timestamp: str
    record: Record
    event_type: str
    operation: str | None
    symbol: str | None
    signal_id: str | None
    client_order_id: str | None
    fields: dict[str, Any]
    prev_hash: str
    hash: str


class LineParts(NamedTuple):
    """What a caller says in a line; number, time and hashes are added."""

    record: Record
    event_type: str
    operation: str | None = None
    symbol: str | None = None
    signal_id: str | None = None
    client_order_id: str | None = None
    fields: Mapping[str, Any] = NO_FIELDS


class LineDamaged(ValueError):  # noqa: N818 - reads as the fact it states
    """Bytes that are not a line as this module writes it; the text says why."""


def iso_timestamp(now_us: int) -> str:
    """Microseconds since the epoch as UTC ISO-8601 with microseconds and `Z`."""
    moment = _EPOCH + timedelta(microseconds=now_us)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def day_of(now_us: int) -> str:
    """The UTC day, `YYYY-MM-DD`, of a time in microseconds since the epoch."""
    return iso_timestamp(now_us)[:10]


def compose(previous: ChainHead, parts: LineParts, *, now_us: int, redactor: Redactor) -> tuple[bytes, ChainHead]:
    """The next line of the chain (with its newline) and the head it makes; secrets are masked before hashing.

    Never fails on odd data (exits must not die on a log line): what JSON cannot hold is written as text.

    Raises:
        ValueError: a field is named like one of the line's own keys.
    """
    if not _RESERVED.isdisjoint(parts.fields):
        raise ValueError(f"reserved field names: {sorted(_RESERVED.intersection(parts.fields))}")
    header: dict[str, Any] = {
        "seq": previous.seq + 1,
        "timestamp": iso_timestamp(now_us),
        "record": parts.record,
        "event_type": parts.event_type,
        "operation": parts.operation,
        "symbol": parts.symbol,
        "signal_id": parts.signal_id,
        "client_order_id": parts.client_order_id,
    }
    body = _encode({key: redactor.value(item) for key, item in header.items()})[:-1]
    if parts.fields:
        body += b"," + redactor.data(_encode(parts.fields))[1:-1]
    body += b',"prev_hash":"' + previous.hash.encode() + b'"'
    digest = _digest(previous.hash, body)
    return body + _HASH_KEY + digest.encode() + b'"}\n', ChainHead(previous.seq + 1, digest)


def parse(raw: bytes) -> tuple[AuditLine, str]:
    """One line (without newline) decoded, and the hash its bytes really have: `line.hash` when intact.

    Raises:
        LineDamaged: not a line of this log.
    """
    body, suffix = raw[:-_SUFFIX_LENGTH], raw[-_SUFFIX_LENGTH:]
    if not (suffix.startswith(_HASH_KEY) and suffix.endswith(b'"}')):
        raise LineDamaged("the line does not end with its hash")
    try:
        members = msgspec.json.decode(raw, type=dict[str, Any])
        header = {key: members.pop(key) for key in _HEADER_KEYS}
        prev_hash, stated = members.pop("prev_hash"), members.pop("hash")
        line = msgspec.convert({**header, "fields": members, "prev_hash": prev_hash, "hash": stated}, type=AuditLine)
    except KeyError as error:
        raise LineDamaged(f"the key {error} is missing") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LineDamaged(f"not a line of JSON as written by this log: {error}") from error
    return line, _digest(line.prev_hash, body)


def head_mac(key: bytes, head: ChainHead, label: str) -> str:
    """HMAC-SHA256 (hex) that binds a chain head to the place that states it (`label`, a file name)."""
    return hmac.new(key, f"{label}:{head.seq}:{head.hash}".encode(), hashlib.sha256).hexdigest()


def _digest(prev_hash: str, body: bytes) -> str:
    return hashlib.sha256(prev_hash.encode() + body).hexdigest()


def _as_text(value: object) -> str:
    """JSON has no form for it: its class and its own words, so that nothing asked to be logged vanishes."""
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    return str(value)


_STRICT = msgspec.json.Encoder(decimal_format="string")
_ENCODER = msgspec.json.Encoder(enc_hook=_as_text, decimal_format="string")


def encode_state(state: object) -> bytes:
    """A checkpoint's state as JSON, Decimals as text.

    Raises:
        TypeError: it holds something JSON cannot; replay could not rebuild it.
    """
    return _STRICT.encode(state)


def _encode(members: Mapping[str, Any]) -> bytes:
    try:
        return _ENCODER.encode(dict(members))
    except (TypeError, ValueError, RecursionError):  # lone surrogates, unusable keys, cycles
        return _ENCODER.encode({str(key): _encodable(item) for key, item in members.items()})


def _encodable(value: object) -> object:
    try:
        return msgspec.Raw(_ENCODER.encode(value))
    except (TypeError, ValueError, RecursionError):
        return ascii(value)
