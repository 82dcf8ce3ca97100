"""From the environment and `.env` to settings and addresses (`credentials` reads the keys).

Nothing is guessed: a value that cannot be meant is an error that names the variable, the value and what is allowed.
The real environment wins over `.env` (in the working directory), and a variable set to nothing counts as not set.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import Any, Final

import msgspec
from dotenv import dotenv_values
from dotenv.parser import parse_stream

from ..core.form import is_symbol
from ..core.settings import Policy, Settings
from ..core.values import ArmingMode, WorkingType, exact
from .errors import ConfigurationError
from .venue import Urls, resolve

ALLOW_MAINNET: Final = "BRACKETEER_ALLOW_MAINNET"

__all__ = [
    "ALLOW_MAINNET",
    "VARIABLES",
    "SettingsError",
    "Urls",
    "checked",
    "env_file",
    "environment",
    "load_settings",
    "resolve_urls",
]


class SettingsError(ConfigurationError):
    """A setting cannot be used. The context has `variable`, `value` and `allowed`."""

    default_code = "setting_invalid"


@dataclass(frozen=True, slots=True)
class _Variable:
    """How one variable is read. `parse` raises ValueError for what is not allowed; `later` lists values that are known
    and not built yet."""

    setting: str
    allowed: str
    parse: Callable[[str], Any]
    later: tuple[str, ...] = ()


def load_settings(env: Mapping[str, str] | None = None, overrides: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment; what is not set keeps its default (`core/settings`).

    `env` stands in for the real environment and `.env` together. `overrides` has the same names, and wins.

    Raises:
        SettingsError: `setting_invalid`, `setting_unsupported` (known, not built yet), `setting_unknown` (a name in
            `overrides` that no variable has), `env_file_unreadable`.
    """
    overrides = overrides or {}
    for name in overrides:
        if name not in VARIABLES:
            raise SettingsError(
                f"there is no setting {name}", code="setting_unknown", variable=name, allowed=", ".join(VARIABLES)
            )
    texts = {**environment(env), **overrides}
    values = {
        variable.setting: _parsed(name, text, variable)
        for name, variable in VARIABLES.items()
        if (text := texts.get(name, "").strip())
    }
    _check_claims(values)
    policy = Policy(**{name: values.pop(name) for name in Policy.__struct_fields__ if name in values})
    settings = Settings(policy=policy, **values)
    _check_order(settings)
    _check_patience(settings)
    return settings


def resolve_urls(
    testnet: bool = True,
    base_url: str | None = None,
    stream_url: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Urls:
    """Where the exchange is: the testnet, unless real money was asked for twice (see `venue.resolve`).

    Raises:
        ConfigurationError: `mainnet_not_armed`, `url_invalid`, `venue_mixed`.
    """
    armed = environment(env).get(ALLOW_MAINNET, "").strip().lower() == "yes"
    return resolve(testnet=testnet, base_url=base_url, stream_url=stream_url, armed=armed)


def environment(env: Mapping[str, str] | None) -> Mapping[str, str]:
    """The environment over `.env`, or what stands in for both.

    Raises:
        SettingsError: `env_file_unreadable`.
    """
    if env is not None:
        return env
    return {**_env_file_values(env_file()), **os.environ}


def _env_file_values(path: Path) -> dict[str, str]:
    try:
        if not (path.is_file() or path.is_fifo()):
            return {}
        # `utf-8-sig`: an editor's byte order mark would otherwise become part of the first name.
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"  # never its text: secrets
        raise SettingsError(f"{path} cannot be read: {reason}", code="env_file_unreadable") from None
    # The library skips what it cannot parse, and the setting that was meant would silently be its default.
    bad = [binding.original.line for binding in parse_stream(StringIO(text)) if binding.error]
    if bad:
        raise SettingsError(f"{path} line {bad[0]} cannot be parsed: NAME=value", code="env_file_unreadable")
    return {name: value for name, value in dotenv_values(stream=StringIO(text)).items() if value is not None}


def env_file() -> Path:
    """Where `.env` is looked for."""
    return Path.cwd() / ".env"


def checked(settings: Settings) -> Settings:
    """Settings built in a program, as the audit log will give them back: a replay has to decide with the same. The
    folder may be a `Path`.

    Raises:
        SettingsError: a value of a wrong type (a float as a number of ms, say), or two that contradict each other.
    """
    try:
        recorded = msgspec.convert(msgspec.to_builtins(settings, enc_hook=os.fspath), type=Settings)
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise SettingsError(f"the settings cannot be used: {error}; give the types that `Settings` names") from None
    _check_order(recorded)
    return recorded


def _parsed(name: str, text: str, variable: _Variable) -> Any:
    if text.lower() in variable.later:
        raise SettingsError(
            f"{name}={text} is not supported yet: use {variable.allowed}",
            code="setting_unsupported",
            variable=name,
            value=text,
            allowed=variable.allowed,
        )
    try:
        return variable.parse(text)
    except ValueError:
        raise _invalid(name, text, variable.allowed) from None


def _invalid(name: str, text: object, allowed: str) -> SettingsError:
    return SettingsError(
        f"{name} is {str(text)!r}; it must be {allowed}", variable=name, value=str(text), allowed=allowed
    )


def _check_order(settings: Settings) -> None:
    """What no variable can be wrong about alone."""
    warning, hard = settings.rate_limit_warning_threshold, settings.rate_limit_hard_threshold
    if warning > hard:
        raise _invalid(
            "RATE_LIMIT_WARNING_THRESHOLD", warning, f"no more than RATE_LIMIT_HARD_THRESHOLD, which is {hard}"
        )
    often, idle = settings.policy.poll_interval_ms, settings.policy.poll_idle_interval_ms
    if idle < often:
        raise _invalid("POLL_IDLE_INTERVAL_MS", idle, f"no less than POLL_INTERVAL_MS, which is {often}")


def _check_patience(settings: Settings) -> None:
    """Where the stop waits for the entry's answer, a position may be bare for as long as that may take."""
    answer_ms, naked_ms = settings.read_timeout_ms, settings.policy.naked_limit_ms
    if settings.policy.arm is ArmingMode.AFTER_FILL and answer_ms > naked_ms:
        raise _invalid(
            "READ_TIMEOUT_MS", answer_ms, f"no more than NAKED_LIMIT_MS, which is {naked_ms}, with ARM=after_fill"
        )


def _check_claims(values: Mapping[str, Any]) -> None:
    """A claimed position without a stop would be no claim."""
    if "external_position_claims" in values and "claim_stop_distance_pct" not in values:
        raise SettingsError(
            "EXTERNAL_POSITION_CLAIMS is set: say with CLAIM_STOP_DISTANCE_PCT how far from the price the stop of a"
            " claimed position goes, in percent of the price (2.5 places the stop of a long 2.5 % below it)",
            code="claim_stop_distance_missing",
            variable="CLAIM_STOP_DISTANCE_PCT",
            value="",
            allowed="a number of percent above 0 and below 100",
        )


def _flag(setting: str) -> _Variable:
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}

    def parse(text: str) -> bool:
        if text.lower() not in words:
            raise ValueError
        return words[text.lower()]

    return _Variable(setting, "true or false", parse)


def _whole(setting: str, unit: str, low: int, high: int) -> _Variable:
    def parse(text: str) -> int:
        number = int(text)
        if not low <= number <= high:
            raise ValueError
        return number

    return _Variable(setting, f"a whole number of {unit} from {low} to {high}", parse)


def _share(setting: str) -> _Variable:
    def parse(text: str) -> float:
        number = float(text)
        if not 0 < number <= 1:  # false for NaN too
            raise ValueError
        return number

    return _Variable(setting, "above 0 and at most 1", parse)


def _hours(setting: str) -> _Variable:
    def parse(text: str) -> float:
        number = float(text)
        if not 0 < number <= 168:
            raise ValueError
        return number

    return _Variable(setting, "a number of hours above 0 and at most 168", parse)


def _symbols(setting: str) -> _Variable:
    def parse(text: str) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
        if not all(is_symbol(name) for name in names):
            raise ValueError
        return names

    return _Variable(setting, "symbols in capitals, with commas between them, such as BTCUSDT,ETHUSDT", parse)


def _percent(setting: str) -> _Variable:
    def parse(text: str) -> Decimal:
        number = exact(text)
        if not 0 < number < 100:
            raise ValueError
        return number

    return _Variable(setting, "a number of percent above 0 and below 100", parse)


def _one_of(setting: str, values: type[StrEnum] | tuple[str, ...], later: tuple[str, ...] = ()) -> _Variable:
    by_name = {value.lower(): value for value in values if value not in later}

    def parse(text: str) -> str:
        if text.lower() not in by_name:
            raise ValueError
        return by_name[text.lower()]

    return _Variable(setting, " or ".join(by_name.values()), parse, later)


_MINUTE_MS = 60_000
_DAY_MS = 24 * 60 * _MINUTE_MS

VARIABLES: Final[Mapping[str, _Variable]] = {
    "REQUIRE_STOP_LOSS": _flag("require_stop_loss"),
    "WORKING_TYPE": _one_of("working_type", WorkingType),
    "ARM": _one_of("arm", ArmingMode),
    "ON_SAME_SIDE": _one_of("on_same_side", ("reject", "add"), later=("add",)),
    "ON_OPPOSITE": _one_of("on_opposite", ("reject", "reverse"), later=("reverse",)),
    "NAKED_LIMIT_MS": _whole("naked_limit_ms", "ms", 100, 10 * _MINUTE_MS),
    "RECV_WINDOW_MS": _whole("recv_window_ms", "ms", 100, _MINUTE_MS),
    "CLOCK_MARGIN_MS": _whole("clock_margin_ms", "ms", 0, _MINUTE_MS),
    "REPORT_TIMEOUT_MS": _whole("report_timeout_ms", "ms", 100, 60 * _MINUTE_MS),
    "SIGNAL_TTL_MS": _whole("signal_ttl_ms", "ms", 1, 7 * _DAY_MS),
    "EXTERNAL_POSITION_CLAIMS": _symbols("external_position_claims"),
    "CLAIM_STOP_DISTANCE_PCT": _percent("claim_stop_distance_pct"),
    "AUDIT_LOG_DIR": _Variable("audit_log_dir", "a folder", os.path.expanduser),
    "AUDIT_FSYNC": _one_of("audit_fsync", ("intent", "always", "never")),
    "AUDIT_MAX_BYTES": _whole("audit_max_bytes", "bytes", 65_536, 2**40),
    "AUDIT_ADOPT": _flag("audit_adopt"),
    "EXCHANGE_INFO_CACHE_HOURS": _hours("exchange_info_cache_hours"),
    "RATE_LIMIT_WARNING_THRESHOLD": _share("rate_limit_warning_threshold"),
    "RATE_LIMIT_HARD_THRESHOLD": _share("rate_limit_hard_threshold"),
    "CONNECT_TIMEOUT_MS": _whole("connect_timeout_ms", "ms", 1, _MINUTE_MS),
    "READ_TIMEOUT_MS": _whole("read_timeout_ms", "ms", 1, _MINUTE_MS),
    "POLL_INTERVAL_MS": _whole("poll_interval_ms", "ms", 100, 10 * _MINUTE_MS),
    "POLL_IDLE_INTERVAL_MS": _whole("poll_idle_interval_ms", "ms", 100, 60 * _MINUTE_MS),
    "STOP_WATCH_INTERVAL_MS": _whole("stop_watch_interval_ms", "ms", 0, _MINUTE_MS),
    "USER_STREAM": _flag("user_stream"),
}
"""Every variable that settings are read from, by name; `.env.example` documents each."""
