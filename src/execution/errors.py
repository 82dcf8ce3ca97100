"""What the account calls raise, and what stops a start: a small tree, every leaf with a code and a next step.

    BracketeerError                core/errors
    ├── ConfigurationError         missing keys, the wrong `binance` package
    ├── HedgeModeUnsupported       the account's position mode
    └── ExchangeError              a call failed; carries its `Failure`
        ├── ExchangeRefused        the exchange said no
        │   ├── AuthenticationFailed
        │   ├── ClockSkewed
        │   └── RateLimited        wait `retry_after_s`
        │       └── Banned         nothing until `until_ms`
        ├── ExchangeUnreachable    no answer, or none that decides anything
        └── UnreadableAnswer       success, but not in a shape we know

Trading calls do not raise these: there the same `Failure` comes back inside an event.
"""

from __future__ import annotations

from typing import ClassVar, Final

from ..core.errors import BracketeerError
from ..core.outcome import Failure, OutcomeKind

__all__ = [
    "AuthenticationFailed",
    "Banned",
    "ClockSkewed",
    "ConfigurationError",
    "ExchangeError",
    "ExchangeRefused",
    "ExchangeUnreachable",
    "HedgeModeUnsupported",
    "RateLimited",
    "UnreadableAnswer",
    "error_for",
]


class ConfigurationError(BracketeerError):
    """The program cannot start as it is configured."""

    default_code = "configuration"


class HedgeModeUnsupported(BracketeerError):  # noqa: N818 - reads as the fact it states
    """The account is in hedge mode, which is not managed yet."""

    default_code = "hedge_mode_unsupported"

    def __init__(self) -> None:
        super().__init__(
            "the account is in hedge mode, which is not supported yet: switch it to one-way mode "
            "(Binance Futures > Preferences > Position Mode, possible only without open orders and positions)"
        )


class ExchangeError(BracketeerError):
    """A call to the exchange failed. `failure` says what that proves; `sent_at_ms` is the request's own timestamp
    (exchange clock; the instant of sending for requests that carry none)."""

    default_code = "exchange_error"
    advice: ClassVar[str] = ""

    def __init__(self, failure: Failure, *, call: str = "", sent_at_ms: int = 0) -> None:
        said = failure.text or "no answer"
        super().__init__(f"{said} - {self.advice}" if self.advice else said)
        facts = {"call": call, "exchange_code": failure.code, "http_status": failure.http_status}
        self.context |= {name: fact for name, fact in facts.items() if fact not in (None, "")}
        self.failure = failure
        self.call = call
        self.sent_at_ms = sent_at_ms

    @property
    def exchange_code(self) -> int | None:
        """The exchange's own error code, such as -2019."""
        return self.failure.code

    @property
    def http_status(self) -> int | None:
        """HTTP status of the answer; None when none came."""
        return self.failure.http_status

    @property
    def retry_after_s(self) -> float | None:
        """How long the exchange wants us to wait, where it said so."""
        return self.failure.retry_after_s


class ExchangeRefused(ExchangeError):  # noqa: N818 - reads as the fact it states
    """The exchange said no, and nothing was executed."""

    default_code = "exchange_refused"


class AuthenticationFailed(ExchangeRefused):
    """The key, the secret, the IP address or a permission is wrong."""

    default_code = "authentication_failed"
    advice = (
        "check BINANCE_API_KEY and BINANCE_API_SECRET, that they belong to this venue (testnet and mainnet keys "
        "differ), and that the key may trade futures from this IP address"
    )


class ClockSkewed(ExchangeRefused):
    """Our timestamp is outside the exchange's window although the clock was measured again."""

    default_code = "clock_skewed"
    advice = "synchronise this machine's clock (NTP), or raise recv_window_ms if the network is slow"


class RateLimited(ExchangeRefused):
    """Too many requests or orders."""

    default_code = "rate_limited"
    advice = "wait; other programs on the same IP address or account count too"


class Banned(RateLimited):
    """This IP address is banned until `until_ms` (exchange clock); None where the exchange did not say."""

    default_code = "ip_banned"
    advice = "send nothing until the ban ends: every further request makes it longer"

    def __init__(self, failure: Failure, *, call: str = "", sent_at_ms: int = 0, until_ms: int | None = None) -> None:
        super().__init__(failure, call=call, sent_at_ms=sent_at_ms)
        self.until_ms = until_ms
        if until_ms is not None:
            self.context["until_ms"] = until_ms


class ExchangeUnreachable(ExchangeError):  # noqa: N818 - reads as the fact it states
    """No answer came, or one that does not say what happened (5xx, time-out, connection lost)."""

    default_code = "exchange_unreachable"
    advice = "check the network and the exchange's status page; the call may be repeated when it only asks"


class UnreadableAnswer(ExchangeError):  # noqa: N818 - reads as the fact it states
    """The exchange reported success in a shape we do not know."""

    default_code = "unreadable_answer"
    advice = "the exchange may have changed its API: compare the answer with binance-usdm.md §3"


AUTHENTICATION_CODES: Final = frozenset({-1002, -1022, -1099, -2014, -2015, -2017})
"""Class A of binance-usdm.md §9 as far as it is about who we are."""

CLOCK_CODES: Final = frozenset({-1021, -5028})
"""Our timestamp was outside the window: at the gate, or at the matching engine (binance-usdm.md §2.2)."""

_RATE_CODES: Final = frozenset({-1003, -1015})


def error_for(failure: Failure, *, call: str, sent_at_ms: int) -> ExchangeError:
    """The exception that fits a failure. `call` is method and path, without parameters."""
    status, code = failure.http_status, failure.code
    if status == 418:
        until_ms = None
        if failure.retry_after_s is not None:
            until_ms = sent_at_ms + int(failure.retry_after_s * 1000)
        return Banned(failure, call=call, sent_at_ms=sent_at_ms, until_ms=until_ms)
    kind: type[ExchangeError] = ExchangeRefused
    if status == 401:
        kind = AuthenticationFailed
    elif failure.kind is OutcomeKind.UNKNOWN or status is None or status >= 500:
        kind = ExchangeUnreachable  # whatever code came with it: a code beside a 5xx proves nothing
    elif status == 429 or code in _RATE_CODES:
        kind = RateLimited
    elif code in AUTHENTICATION_CODES:
        kind = AuthenticationFailed
    elif code in CLOCK_CODES:
        kind = ClockSkewed
    return kind(failure, call=call, sent_at_ms=sent_at_ms)
