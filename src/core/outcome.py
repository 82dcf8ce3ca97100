"""How a send ended: accepted, refused with proof, or unknown. Written by one function, tested by one table.

Everything that keeps "one signal, at most one entry" true hangs on `classify`: what it calls REFUSED may be sent again,
what it calls UNKNOWN never is. So REFUSED needs positive proof, and all that is not recognised is UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from .codes import ID_IN_USE, NO_POSITION


class OutcomeKind(StrEnum):
    """Three outcomes, not two."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # positive proof that it did not execute
    UNKNOWN = "unknown"  # it may have executed: never send again, look


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A send or a question that was not answered with success.

    `resend_ms` is set where the proof of non-execution also makes sending the same intent again reasonable
    (binance-usdm.md §8, class R of §9): the least pause in ms.
    """

    kind: OutcomeKind
    code: int | None = None
    http_status: int | None = None
    text: str = ""
    resend_ms: int | None = None
    retry_after_s: float | None = None

    @property
    def never_left(self) -> bool:
        """Whether no byte of it left this machine, and another attempt may find a connection."""
        return self.resend_ms is not None and self.http_status is None and self.code is None

    @property
    def barred_ms(self) -> int | None:
        """For how long nothing of the kind can leave: the address is banned, or a budget of ours is spent. None where
        another attempt may be made at any time."""
        is_held_back = self.kind is OutcomeKind.REFUSED and self.code is None and self.http_status is None
        if self.retry_after_s is None or not (is_held_back or self.http_status == 418):
            return None
        return int(self.retry_after_s * 1000)


OVERLOAD_PAUSE_MS: Final = 200
"""First pause after a proven overload refusal: the exchange advises 200/400/800 ms (binance-usdm.md §8)."""

LATER_MS: Final = 1000
"""Pause where the market or the exchange must change first: empty book, maintenance, a full rate window."""

POSITION_LAG_MS: Final = 100
"""Pause for a close-position order that came before its position was visible (-4509, binance-usdm.md §4.6)."""

UNKNOWN_CODES: Final = frozenset({
    -1000,  # "unknown error"
    -1001,  # internal error; refused only with the exact 503 text, see `_REFUSED_503_TEXTS`
    -1006,  # unexpected answer from the exchange's own bus
    -1007,  # no answer from the exchange's own back end
    -4083,  # a batch failed: each element may have worked
    ID_IN_USE,  # duplicate client id: one is open already, so an earlier send was accepted. Look, adopt it
})  # fmt: skip

RESEND_MS: Final[Mapping[int, int]] = MappingProxyType({
    -1003: LATER_MS,  # request weight; `retry_after_s` is the better figure
    -1008: OVERLOAD_PAUSE_MS,
    -1015: LATER_MS,  # order count
    -1016: LATER_MS,  # maintenance
    -1021: 0,  # our timestamp; after the clock has been measured again
    -1112: LATER_MS,  # empty book
    -2020: LATER_MS,  # unable to fill
    -4131: LATER_MS,  # counter price outside its band
    -5028: 0,  # our timestamp again, seen by the matching engine
})  # fmt: skip
"""Definite refusals after which the same intent may be sent again, and the least pause."""

_REFUSED_503_TEXTS: Final = (
    "service unavailable",
    "internal error; unable to process your request. please try again",
    "request throttled by system-level protection",
)
"""How a 503 begins that proves non-execution. The JSON codes beside these texts are not documented, so text decides."""

_PROVEN_5XX_CODES: Final = frozenset({-1008, -1016})
_NEVER_REACHED_THE_EXCHANGE: Final = frozenset({403, 404})
"""Without the exchange's JSON these come from the firewall or a router, as a web page."""


def classify(
    *,
    http_status: int | None,
    code: int | None,
    text: str,
    sent: bool,
    retry_after_s: float | None = None,
    conditional: bool = False,
) -> Failure:
    """Say what a failed send proves (binance-usdm.md §8, §9). Success never comes here.

    Args:
        http_status: of the answer; None when none came.
        code: the exchange's error code; None when the body had none that could be read.
        text: the exchange's error text, or what the network said.
        sent: False only with proof that no byte of the request left (connect refused, DNS, connect timeout,
            TLS handshake).
        retry_after_s: how long the exchange wants us to wait, where it said so.
        conditional: the request was for the algo service.
    """
    kind, resend_ms = _verdict(http_status, code, text, sent=sent, conditional=conditional)
    if resend_ms is not None and retry_after_s is not None:
        resend_ms = max(resend_ms, int(retry_after_s * 1000))
    return Failure(
        kind=kind,
        code=code,
        http_status=http_status,
        text=text,
        resend_ms=resend_ms,
        retry_after_s=retry_after_s,
    )


def _verdict(
    http_status: int | None, code: int | None, text: str, *, sent: bool, conditional: bool
) -> tuple[OutcomeKind, int | None]:
    """The kind, and the pause before a resend where one makes sense. The first rule that applies decides."""
    if not sent:
        return OutcomeKind.REFUSED, OVERLOAD_PAUSE_MS
    if http_status is None:  # timed out, reset, closed: it left, and nobody said what became of it
        return OutcomeKind.UNKNOWN, None
    if http_status == 418:  # banned: nothing goes out, so no pause of ours makes a resend reasonable
        return OutcomeKind.REFUSED, None
    if http_status == 429:
        return OutcomeKind.REFUSED, LATER_MS
    if http_status >= 500:
        return _verdict_5xx(http_status, code, text)
    if http_status == 408 or http_status < 400 or code in UNKNOWN_CODES:
        return (
            OutcomeKind.UNKNOWN,
            None,
        )  # below 400: accepted in an unreadable way, or not by the exchange at all
    if code is not None:
        if conditional and code == NO_POSITION:
            return OutcomeKind.REFUSED, POSITION_LAG_MS
        return OutcomeKind.REFUSED, RESEND_MS.get(code)
    if http_status in _NEVER_REACHED_THE_EXCHANGE:
        return OutcomeKind.REFUSED, None
    return OutcomeKind.UNKNOWN, None


def _verdict_5xx(http_status: int, code: int | None, text: str) -> tuple[OutcomeKind, int | None]:
    """A 5xx is unknown unless its code or its text proves otherwise: 503 alone says nothing (binance-usdm.md §9.5)."""
    if code in _PROVEN_5XX_CODES:
        return OutcomeKind.REFUSED, RESEND_MS[code]
    if http_status == 503 and text.strip().lower().startswith(_REFUSED_503_TEXTS):
        return OutcomeKind.REFUSED, OVERLOAD_PAUSE_MS
    return OutcomeKind.UNKNOWN, None
