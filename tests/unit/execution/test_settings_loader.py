"""Settings, keys and addresses: every variable, every refusal, and never real money by accident."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from bracketeer.core.settings import Policy, Settings
from bracketeer.core.values import ArmingMode, WorkingType
from bracketeer.execution.credentials import (
    API_KEY,
    API_SECRET,
    AUDIT_KEY,
    load_audit_key,
    load_credentials,
)
from bracketeer.execution.errors import ConfigurationError
from bracketeer.execution.settings_loader import (
    ALLOW_MAINNET,
    VARIABLES,
    SettingsError,
    Urls,
    checked,
    load_settings,
    resolve_urls,
)

ENV_EXAMPLE = Path(__file__).parents[3] / ".env.example"
CANARY_KEY, CANARY_SECRET = "canary-key-5f2b", "canary-secret-9c1d"
CANARY_AUDIT_KEY = "canary-audit-key-7e0a"
ARMED = {ALLOW_MAINNET: "yes"}
TESTNET = Urls(rest="https://demo-fapi.binance.com", stream="wss://demo-fstream.binance.com")
MAINNET = Urls(rest="https://fapi.binance.com", stream="wss://fstream.binance.com")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and an environment without any of our variables."""
    monkeypatch.chdir(tmp_path)
    for name in (*VARIABLES, API_KEY, API_SECRET, AUDIT_KEY, ALLOW_MAINNET):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_nothing_set_means_the_defaults(folder: Path) -> None:
    """An empty environment gives the settings a cautious operator would choose."""
    assert load_settings() == Settings()


def test_every_setting_has_a_variable() -> None:
    """No setting is out of the operator's reach, and no variable is read for nothing."""
    fields = {*Settings.__struct_fields__, *Policy.__struct_fields__} - {"policy"}
    assert {variable.setting for variable in VARIABLES.values()} == fields


def test_example_file_documents_every_variable_with_its_default() -> None:
    """`.env.example` names all that is read, explains each, and changes nothing when copied as it is."""
    example = {name: value or "" for name, value in dotenv_values(ENV_EXAMPLE).items()}
    assert set(example) == {*VARIABLES, API_KEY, API_SECRET, AUDIT_KEY, ALLOW_MAINNET}
    assert load_settings(example) == Settings()
    with pytest.raises(SettingsError, match="BINANCE_API_KEY and BINANCE_API_SECRET"):
        load_credentials(env=example)
    assert load_audit_key(example) is None
    with pytest.raises(ConfigurationError, match="mainnet_not_armed"):
        resolve_urls(testnet=False, env=example)


def test_every_variable_is_read() -> None:
    """Each one changes its own setting."""
    texts = {
        "REQUIRE_STOP_LOSS": "No",
        "WORKING_TYPE": "mark_price",
        "ARM": "after_fill",
        "ON_SAME_SIDE": "reject",
        "ON_OPPOSITE": "reject",
        "NAKED_LIMIT_MS": "1500",
        "RECV_WINDOW_MS": "3000",
        "CLOCK_MARGIN_MS": "0",
        "REPORT_TIMEOUT_MS": "10000",
        "SIGNAL_TTL_MS": "5000",
        "EXTERNAL_POSITION_CLAIMS": " BTCUSDT, 币安人生USDT,BTCUSDT",
        "CLAIM_STOP_DISTANCE_PCT": "2.50",
        "AUDIT_LOG_DIR": "elsewhere",
        "AUDIT_FSYNC": "ALWAYS",
        "AUDIT_MAX_BYTES": "65536",
        "AUDIT_ADOPT": "yes",
        "EXCHANGE_INFO_CACHE_HOURS": "0.5",
        "RATE_LIMIT_WARNING_THRESHOLD": "0.5",
        "RATE_LIMIT_HARD_THRESHOLD": "1",
        "CONNECT_TIMEOUT_MS": "700",
        "READ_TIMEOUT_MS": "800",
        "POLL_INTERVAL_MS": "500",
        "POLL_IDLE_INTERVAL_MS": "500",
        "STOP_WATCH_INTERVAL_MS": "2500",
        "USER_STREAM": "off",
    }
    assert set(texts) == set(VARIABLES)
    assert load_settings(texts) == Settings(
        policy=Policy(
            arm=ArmingMode.AFTER_FILL,
            require_stop_loss=False,
            working_type=WorkingType.MARK_PRICE,
            naked_limit_ms=1500,
            recv_window_ms=3000,
            clock_margin_ms=0,
            report_timeout_ms=10_000,
            signal_ttl_ms=5000,
            external_position_claims=("BTCUSDT", "币安人生USDT"),
            claim_stop_distance_pct=Decimal("2.50"),
            poll_interval_ms=500,
            poll_idle_interval_ms=500,
        ),
        audit_log_dir="elsewhere",
        audit_fsync="always",
        audit_max_bytes=65_536,
        audit_adopt=True,
        exchange_info_cache_hours=0.5,
        rate_limit_warning_threshold=0.5,
        rate_limit_hard_threshold=1,
        connect_timeout_ms=700,
        read_timeout_ms=800,
        stop_watch_interval_ms=2500,
        user_stream=False,
    )


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("NAKED_LIMIT_MS", "abc", "a whole number of ms from 100 to 600000"),
        ("NAKED_LIMIT_MS", "99", "from 100"),
        ("NAKED_LIMIT_MS", "2000.5", "a whole number"),
        ("RECV_WINDOW_MS", "60001", "to 60000"),
        ("SIGNAL_TTL_MS", "-1", "from 1"),
        ("REQUIRE_STOP_LOSS", "maybe", "true or false"),
        ("WORKING_TYPE", "LAST", "CONTRACT_PRICE or MARK_PRICE"),
        ("AUDIT_FSYNC", "sometimes", "intent or always or never"),
        ("EXCHANGE_INFO_CACHE_HOURS", "0", "above 0 and at most 168"),
        ("EXCHANGE_INFO_CACHE_HOURS", "nan", "above 0 and at most 168"),
        ("RATE_LIMIT_HARD_THRESHOLD", "90", "above 0 and at most 1"),
        ("RATE_LIMIT_HARD_THRESHOLD", "0", "above 0 and at most 1"),
        ("RATE_LIMIT_WARNING_THRESHOLD", "nan", "above 0 and at most 1"),
        ("RATE_LIMIT_WARNING_THRESHOLD", "0.95", "no more than RATE_LIMIT_HARD_THRESHOLD, which is 0.9"),
        ("EXTERNAL_POSITION_CLAIMS", "btcusdt", "symbols in capitals, with commas between them"),
        ("EXTERNAL_POSITION_CLAIMS", "BTCUSDT,", "symbols in capitals"),
        ("EXTERNAL_POSITION_CLAIMS", "*", "symbols in capitals"),
        ("CLAIM_STOP_DISTANCE_PCT", "0", "above 0 and below 100"),
        ("CLAIM_STOP_DISTANCE_PCT", "100", "above 0 and below 100"),
        ("CLAIM_STOP_DISTANCE_PCT", "-5", "above 0 and below 100"),
        ("CLAIM_STOP_DISTANCE_PCT", "5%", "above 0 and below 100"),
        ("CLAIM_STOP_DISTANCE_PCT", "nan", "above 0 and below 100"),
        ("POLL_IDLE_INTERVAL_MS", "900", "no less than POLL_INTERVAL_MS, which is 1000"),
    ],
)
def test_wrong_value_is_named_with_what_is_allowed(name: str, value: str, allowed: str) -> None:
    """The operator reads which variable, which value, and what would do."""
    with pytest.raises(SettingsError) as caught:
        load_settings({name: value})
    assert caught.value.code == "setting_invalid"
    assert caught.value.context["variable"] == name
    assert caught.value.context["value"] == value
    assert allowed in caught.value.message
    assert f"{name} is '{value}'" in caught.value.message


def test_claim_without_a_distance_is_refused_with_its_own_code() -> None:
    """A claimed position without a stop would be no claim: the text names the variable to set, and what it means."""
    with pytest.raises(SettingsError, match="CLAIM_STOP_DISTANCE_PCT") as caught:
        load_settings({"EXTERNAL_POSITION_CLAIMS": "BTCUSDT"})
    assert caught.value.code == "claim_stop_distance_missing"
    assert load_settings({"CLAIM_STOP_DISTANCE_PCT": "5"}).policy.external_position_claims == ()


@pytest.mark.parametrize("distance", [None, Decimal(0), Decimal(100)])
def test_claim_without_a_distance_is_refused_in_code_too(distance: Decimal | None) -> None:
    """Settings made by a program are held to the same."""
    with pytest.raises(ValueError, match="claim_stop_distance_pct"):
        Policy(external_position_claims=("BTCUSDT",), claim_stop_distance_pct=distance)


@pytest.mark.parametrize(("name", "value"), [("ON_SAME_SIDE", "add"), ("ON_OPPOSITE", "REVERSE")])
def test_what_is_not_built_yet_is_said_so(name: str, value: str) -> None:
    """A known mode that is missing is not called a mistake."""
    with pytest.raises(SettingsError, match=f"{name}={value} is not supported yet: use") as caught:
        load_settings({name: value})
    assert caught.value.code == "setting_unsupported"


def test_overrides_win_and_their_names_are_checked() -> None:
    """A command line option beats the environment; a misspelt one does not pass unseen."""
    settings = load_settings({"READ_TIMEOUT_MS": "800"}, {"READ_TIMEOUT_MS": "900"})
    assert settings.read_timeout_ms == 900
    with pytest.raises(SettingsError) as caught:
        load_settings({}, {"READ_TIMEOUT": "900"})
    assert caught.value.code == "setting_unknown"


def test_real_environment_wins_over_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`.env` fills in what the environment does not say, and changes nothing in the environment."""
    text = "\ufeffREAD_TIMEOUT_MS=700\nCONNECT_TIMEOUT_MS=600\nAUDIT_FSYNC=\nUSER_STREAM\n"
    (folder / ".env").write_text(text, encoding="utf-8")
    monkeypatch.setenv("CONNECT_TIMEOUT_MS", "500")
    settings = load_settings()
    assert (settings.read_timeout_ms, settings.connect_timeout_ms) == (700, 500)
    assert (settings.audit_fsync, settings.user_stream) == ("intent", True)


def test_file_that_cannot_be_read_is_said_so_without_its_text(folder: Path) -> None:
    """A damaged `.env` is an error, not an empty one; its bytes may be a secret."""
    (folder / ".env").write_bytes(f"{API_SECRET}={CANARY_SECRET}".encode() + b"\xff\n")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.code == "env_file_unreadable"
    assert "it is not UTF-8" in str(caught.value)
    assert CANARY_SECRET not in str(caught.value)


def test_file_that_may_not_be_opened_is_said_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong permissions name the reason."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    (folder / ".env").write_text("READ_TIMEOUT_MS=700\n")
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(SettingsError, match=r"\.env cannot be read: Permission denied"):
        load_settings()


@pytest.mark.parametrize("line", ["NAKED_LIMIT_MS 500", "AUDIT_LOG_DIR='logs", "=500"])
def test_line_that_cannot_be_parsed_is_named_without_its_text(folder: Path, line: str) -> None:
    """Left out, the setting that was meant would be its default, and nobody would know."""
    (folder / ".env").write_text(f"{API_SECRET}={CANARY_SECRET}\n{line}\n{API_KEY}={CANARY_SECRET}\n")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert (caught.value.code, ".env line 2 cannot be parsed" in str(caught.value)) == ("env_file_unreadable", True)
    assert CANARY_SECRET not in str(caught.value)


def test_folder_of_that_name_is_no_settings_file(folder: Path) -> None:
    """Some keep a virtual environment there."""
    (folder / ".env").mkdir()
    assert load_settings({}) == load_settings()


def test_home_folder_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell expands what stands in `.env`."""
    monkeypatch.setenv("HOME", "/home/trader")
    assert load_settings({"AUDIT_LOG_DIR": "~/audit"}).audit_log_dir == "/home/trader/audit"


@pytest.mark.parametrize(
    ("arguments", "env", "urls"),
    [
        ({}, {}, TESTNET),
        ({}, ARMED, TESTNET),  # armed, but nobody asked
        ({"testnet": False}, ARMED, MAINNET),
        ({"testnet": False}, {ALLOW_MAINNET: " Yes "}, MAINNET),
        ({"testnet": False, "base_url": "https://fapi.binance.com/"}, ARMED, MAINNET),
        ({"base_url": "https://testnet.binancefuture.com"}, {}, ("https://testnet.binancefuture.com", TESTNET.stream)),
        ({"base_url": "https://demo-fapi.binance.com", "testnet": False}, {}, TESTNET),
        ({"base_url": "http://127.0.0.1:8100"}, {}, ("http://127.0.0.1:8100", "ws://127.0.0.1:8100")),
        ({"base_url": "http://127.0.0.1:8100", "testnet": False}, {}, ("http://127.0.0.1:8100", "ws://127.0.0.1:8100")),
        ({"base_url": "http://[::1]:8100/", "testnet": False}, {}, ("http://[::1]:8100", "ws://[::1]:8100")),
        (
            {"base_url": "http://localhost:1", "stream_url": "ws://localhost:2/"},
            {},
            ("http://localhost:1", "ws://localhost:2"),
        ),
        ({"base_url": "http://localhost:1", "testnet": False}, {}, ("http://localhost:1", "ws://localhost:1")),
        ({"base_url": "https://sim.example"}, {}, ("https://sim.example", "wss://sim.example")),
        (
            {"base_url": "https://proxy.example", "testnet": False},
            ARMED,
            ("https://proxy.example", "wss://proxy.example"),
        ),
        (
            {"stream_url": "wss://fstream.binancefuture.com"},
            {},
            ("https://demo-fapi.binance.com", "wss://fstream.binancefuture.com"),
        ),
    ],
)
def test_addresses_are_resolved(arguments: dict[str, Any], env: dict[str, str], urls: Urls | tuple[str, str]) -> None:
    """The testnet by default, the mainnet when asked for twice, anything else as told."""
    expected = urls if isinstance(urls, Urls) else Urls(rest=urls[0], stream=urls[1])
    assert resolve_urls(**arguments, env=env) == expected


@pytest.mark.parametrize(
    ("arguments", "env", "code"),
    [
        ({"testnet": False}, {}, "mainnet_not_armed"),
        ({"testnet": False}, {ALLOW_MAINNET: "true"}, "mainnet_not_armed"),
        ({"base_url": "https://fapi.binance.com"}, {}, "mainnet_not_armed"),
        ({"base_url": "https://fapi.binance.com"}, ARMED, "mainnet_not_armed"),  # testnet=True contradicts
        ({"base_url": "https://FAPI.Binance.com.:443/"}, {}, "mainnet_not_armed"),
        ({"base_url": "https://fapi-mm.binance.com", "testnet": False}, {}, "mainnet_not_armed"),
        ({"base_url": "https://proxy.example", "testnet": False}, {}, "mainnet_not_armed"),
        ({"base_url": "http://fapi.binance.com", "testnet": False}, ARMED, "url_invalid"),
        ({"stream_url": "wss://fstream.binance.com"}, ARMED, "venue_mixed"),
        ({"stream_url": "wss://demo-fstream.binance.com", "testnet": False}, ARMED, "venue_mixed"),
        ({"base_url": "demo-fapi.binance.com"}, {}, "url_invalid"),
        ({"base_url": "wss://demo-fapi.binance.com"}, {}, "url_invalid"),
        ({"base_url": "https://"}, {}, "url_invalid"),
        ({"base_url": "https://host:port"}, {}, "url_invalid"),
        ({"base_url": "https://host:0"}, {}, "url_invalid"),
        ({"base_url": "https://[::1"}, {}, "url_invalid"),
        ({"base_url": "https://\uff46api.binance.com"}, {}, "url_invalid"),  # a wide f becomes an f on the way
        ({"base_url": f"https://user:{CANARY_SECRET}@host"}, {}, "url_invalid"),
        ({"base_url": "https://host/?testnet=1"}, {}, "url_invalid"),
        ({"stream_url": "https://host"}, {}, "url_invalid"),
    ],
)
def test_addresses_that_cannot_be_meant_are_refused(arguments: dict[str, Any], env: dict[str, str], code: str) -> None:
    """Never real money by one mistake, never half of one exchange and half of another."""
    with pytest.raises(ConfigurationError) as caught:
        resolve_urls(**arguments, env=env)
    assert caught.value.code == code
    assert "canary" not in str(caught.value)


def test_arming_is_read_from_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a mapping of its own the real environment counts."""
    with pytest.raises(ConfigurationError, match="BRACKETEER_ALLOW_MAINNET=yes"):
        resolve_urls(testnet=False)
    monkeypatch.setenv(ALLOW_MAINNET, "yes")
    assert resolve_urls(testnet=False) == MAINNET


@pytest.mark.parametrize(
    "settings",
    [
        Settings(policy=Policy(naked_limit_ms=1500.0)),  # type: ignore[arg-type]
        Settings(policy=Policy(naked_limit_ms="1500")),  # type: ignore[arg-type]
        Settings(policy=Policy(arm="at_once")),  # type: ignore[arg-type]
        Settings(read_timeout_ms=0.5),  # type: ignore[arg-type]
        Settings(policy=Policy(poll_interval_ms=2000, poll_idle_interval_ms=1000)),
    ],
)
def test_settings_that_the_log_could_not_give_back_are_refused(settings: Settings) -> None:
    """They are journaled at every start: one that cannot be read there would be the last."""
    with pytest.raises(SettingsError):
        checked(settings)


def test_answer_is_not_waited_for_longer_than_a_position_may_be_bare() -> None:
    """With ARM=after_fill the stop leaves when the entry is answered, or when that took too long."""
    with pytest.raises(SettingsError, match=r"READ_TIMEOUT_MS is '2500'.*NAKED_LIMIT_MS, which is 2000"):
        load_settings({"ARM": "after_fill", "READ_TIMEOUT_MS": "2500"})
    assert load_settings({"READ_TIMEOUT_MS": "2500"}).read_timeout_ms == 2500


def test_folder_may_be_a_path() -> None:
    """What programs have at hand."""
    assert checked(Settings(audit_log_dir=Path("logs"))).audit_log_dir == "logs"  # type: ignore[arg-type]


def test_settings_built_with_plain_text_mean_the_same() -> None:
    """A replay reads the enumeration's member; so does the first run."""
    settings = checked(Settings(policy=Policy(arm="after_fill"), rate_limit_hard_threshold=1))  # type: ignore[arg-type]
    assert settings.policy.arm is ArmingMode.AFTER_FILL
