"""Keys: where they come from, which are refused, and that none is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.pretty import pretty_repr

from bracketeer.execution.credentials import (
    API_KEY,
    API_SECRET,
    AUDIT_KEY,
    Credentials,
    load_audit_key,
    load_credentials,
)
from bracketeer.execution.settings_loader import SettingsError, load_settings

CANARY_KEY, CANARY_SECRET = "canary-key-5f2b", "canary-secret-9c1d"
CANARY_AUDIT_KEY = "canary-audit-key-7e0a"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and an environment without any key."""
    monkeypatch.chdir(tmp_path)
    for name in (API_KEY, API_SECRET, AUDIT_KEY):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_credentials_come_from_arguments_then_environment_then_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nearest source wins, for key and secret alike."""
    (folder / ".env").write_text(f"{API_KEY}=file-key\n{API_SECRET}=file-secret\n")
    assert load_credentials() == Credentials("file-key", "file-secret")
    monkeypatch.setenv(API_KEY, " env-key-1\n")
    monkeypatch.setenv(API_SECRET, "env-secret")
    assert load_credentials() == Credentials("env-key-1", "env-secret")
    assert load_credentials("own-key-1", "own-secret") == Credentials("own-key-1", "own-secret")
    assert load_credentials(api_secret="own-secret") == Credentials("env-key-1", "own-secret")


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({}, "BINANCE_API_KEY and BINANCE_API_SECRET"),
        ({API_KEY: CANARY_KEY, API_SECRET: " "}, "BINANCE_API_SECRET"),
        ({API_SECRET: CANARY_SECRET}, "BINANCE_API_KEY"),
    ],
)
def test_missing_keys_are_one_error_that_says_what_to_set(env: dict[str, str], named: str, folder: Path) -> None:
    """All that is missing is named at once, and where to put it; what is there is not shown."""
    with pytest.raises(SettingsError) as caught:
        load_credentials(env=env)
    assert caught.value.code == "credentials_missing"
    assert caught.value.message.startswith(f"set {named} in the environment or in {folder / '.env'}")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "secret", [f"{CANARY_SECRET}\r\nX-Header: 1", f"{CANARY_SECRET} 2", f"{CANARY_SECRET}é", "short"]
)
def test_keys_that_cannot_be_keys_are_refused_unseen(secret: str) -> None:
    """They would fail later, in an HTTP error that quotes them."""
    with pytest.raises(SettingsError) as caught:
        load_credentials(CANARY_KEY, secret)
    assert caught.value.code == "credentials_malformed"
    assert "canary" not in str(caught.value)


def test_credentials_never_show_themselves() -> None:
    """No text made of the object has the key or the secret, pretty printers included."""
    credentials = load_credentials(CANARY_KEY, CANARY_SECRET, env={AUDIT_KEY: CANARY_AUDIT_KEY})
    assert credentials.secrets() == [CANARY_KEY, CANARY_SECRET, CANARY_AUDIT_KEY]
    for text in (repr(credentials), str(credentials), f"{credentials}", pretty_repr(credentials)):
        assert "canary" not in text


def test_audit_key_comes_from_the_environment_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment or `.env`, for keys given as arguments too; nothing set means none."""
    assert load_audit_key() is None
    assert load_credentials(CANARY_KEY, CANARY_SECRET).audit_key is None
    (folder / ".env").write_text(f"{AUDIT_KEY}={CANARY_AUDIT_KEY}\n")
    assert load_credentials(CANARY_KEY, CANARY_SECRET).audit_key == CANARY_AUDIT_KEY
    monkeypatch.setenv(AUDIT_KEY, f" other-{CANARY_AUDIT_KEY}\n")
    assert load_audit_key() == f"other-{CANARY_AUDIT_KEY}"
    with pytest.raises(SettingsError, match="there is no setting"):
        load_settings({}, {AUDIT_KEY: CANARY_AUDIT_KEY})


@pytest.mark.parametrize("key", ["canary-15-chars", f"{CANARY_AUDIT_KEY}é", f"{CANARY_AUDIT_KEY}\tx"])
def test_audit_key_that_proves_nothing_is_refused_unseen(key: str) -> None:
    """Too short to be a secret, or not to be typed again."""
    with pytest.raises(SettingsError) as caught:
        load_audit_key({AUDIT_KEY: key})
    assert caught.value.code == "audit_key_malformed"
    assert "canary" not in str(caught.value)
