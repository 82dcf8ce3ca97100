"""The secrets of a run: from arguments, the environment or `.env`, and into no text at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ..core.redaction import SECRET_LENGTH_MIN
from .settings_loader import SettingsError, env_file, environment

API_KEY: Final = "BINANCE_API_KEY"
API_SECRET: Final = "BINANCE_API_SECRET"  # noqa: S105 - the name of the variable
AUDIT_KEY: Final = "AUDIT_HMAC_KEY"
AUDIT_KEY_LENGTH_MIN: Final = 16
"""A key that can be guessed proves nothing."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key, its secret, and the key of the audit log. None is ever part of a text made of this object."""

    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    audit_key: str | None = field(default=None, repr=False)

    def secrets(self) -> list[str]:
        """All that no output may contain."""
        return [secret for secret in (self.api_key, self.api_secret, self.audit_key) if secret]


def load_credentials(
    api_key: str | None = None, api_secret: str | None = None, env: Mapping[str, str] | None = None
) -> Credentials:
    """The key pair from the arguments, else from BINANCE_API_KEY and BINANCE_API_SECRET; with it the log's key.

    Raises:
        SettingsError: `credentials_missing`, saying what to set; `credentials_malformed`, without showing them; and see
            `load_audit_key`.
    """
    texts = {} if api_key and api_secret else environment(env)
    key = (api_key or texts.get(API_KEY, "")).strip()
    secret = (api_secret or texts.get(API_SECRET, "")).strip()
    missing = [name for name, value in ((API_KEY, key), (API_SECRET, secret)) if not value]
    if missing:
        raise SettingsError(
            f"set {' and '.join(missing)} in the environment or in {env_file()}, or pass api_key and api_secret;"
            " testnet and mainnet have keys of their own, and `bracketeer sim` prints a pair for the simulator",
            code="credentials_missing",
            missing=", ".join(missing),
        )
    if min(len(key), len(secret)) < SECRET_LENGTH_MIN:
        raise SettingsError(
            f"{API_KEY} or {API_SECRET} is shorter than {SECRET_LENGTH_MIN} characters, so it is no key: copy it again",
            code="credentials_malformed",
        )
    if not all(value.isascii() and value.isprintable() and " " not in value for value in (key, secret)):
        # In an HTTP header they would fail late, in an error that quotes them.
        raise SettingsError(
            f"{API_KEY} or {API_SECRET} holds spaces or characters that no key has: copy them again",
            code="credentials_malformed",
        )
    return Credentials(key, secret, load_audit_key(env))


def load_audit_key(env: Mapping[str, str] | None = None) -> str | None:
    """The key of the audit log's HMAC from AUDIT_HMAC_KEY; None when the log has none.

    Raises:
        SettingsError: `audit_key_malformed`, without showing it.
    """
    key = environment(env).get(AUDIT_KEY, "").strip()
    if not key:
        return None
    if len(key) < AUDIT_KEY_LENGTH_MIN or not (key.isascii() and key.isprintable()):
        raise SettingsError(
            f"{AUDIT_KEY} must have at least {AUDIT_KEY_LENGTH_MIN} characters, all printable ASCII;"
            " `openssl rand -hex 32` makes a good one",
            code="audit_key_malformed",
        )
    return key
