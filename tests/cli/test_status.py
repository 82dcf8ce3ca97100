"""`bracketeer status`: our record beside the exchange's books."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from bracketeer import OrderExecutionManager, Policy, Settings, Signal, SignalType
from bracketeer.app.status import StatusDocument, in_words, read_record
from bracketeer.core.values import ArmingMode
from tests.cli.conftest import Cli
from tests.support.processes import ENTRY


def test_both_sides_agree_after_an_entry(cli: Cli) -> None:
    """A protected position: what we know, what rests, and that the exchange says the same."""
    cli.report("long", *ENTRY, "--signal-id", "trade-1")
    result = cli("status", *cli.at)
    assert result.exit_code == 0
    assert "58000 live" in result.stdout
    assert "trade-1" in result.stdout
    assert "positions 1, our orders 2, others' orders 0" in result.stdout
    assert "✔ the exchange agrees" in result.stdout


def test_status_is_one_json_document(cli: Cli) -> None:
    """The same for programs."""
    cli.report("long", *ENTRY)
    document = json.loads(cli("status", *cli.at, "--json").stdout)
    assert document["agrees"] is True
    assert document["record"]["brackets"][0]["stop_loss_status"] == "NEW"
    assert document["exchange"]["positions"] == [
        {"symbol": "BTCUSDT", "position_side": "BOTH", "amount": "0.010", "ours": True}
    ]


def test_nothing_on_record_is_no_failure(cli: Cli) -> None:
    """Before the first signal there is no log, and nothing is made by looking."""
    result = cli("status", *cli.at)
    assert result.exit_code == 0
    assert "nothing on record yet" in result.stdout
    assert "no position of ours is open" in result.stdout
    assert not cli.audit_dir.exists()


def test_difference_is_named(cli: Cli) -> None:
    """Half of the position sold by hand: the numbers of both sides, and exit code 1."""
    cli.report("long", *ENTRY)
    cli.simulator.trade_by_hand("BTCUSDT", "SELL", "0.004")
    result = cli("status", *cli.at)
    assert result.exit_code == 1
    assert "✘ BTCUSDT: our position is 0.01, the exchange says 0.006" in result.stdout


def test_lost_protection_is_named(cli: Cli) -> None:
    """Position closed by hand: its protection is gone with it, and the record does not know yet."""
    cli.report("long", *ENTRY)
    cli.simulator.trade_by_hand("BTCUSDT", "SELL", "0.010")
    result = cli("status", *cli.at)
    assert "our stop loss bktr-" in result.stdout
    assert "does not rest at the exchange" in result.stdout


def test_positions_of_others_are_shown_and_no_difference(cli: Cli) -> None:
    """What was opened elsewhere is left alone."""
    cli.simulator.trade_by_hand("ETHUSDT", "BUY", "1")
    result = cli("status", *cli.at)
    assert result.exit_code == 0
    assert "ETHUSDT 1: not opened here, left alone" in result.stdout


def test_record_of_another_venue_is_said(cli: Cli) -> None:
    """The log of one exchange proves nothing about another."""
    cli.report("long", *ENTRY)
    simulator = cli.simulator
    other = simulator.rest_url.replace("127.0.0.1", "localhost")
    result = cli("status", "--base-url", other, "--stream-url", simulator.stream_url, *cli.at[4:])
    assert result.exit_code == 1
    assert f"the record is about {simulator.rest_url}" in result.stdout


def test_record_alone_is_shown_without_keys(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without keys the exchange is not asked; that is no failure."""
    cli.report("long", *ENTRY)
    monkeypatch.delenv("BINANCE_API_KEY")
    result = cli("status", *cli.at)
    assert result.exit_code == 0
    assert "58000 live" in result.stdout
    assert "the exchange was not asked" in result.stdout


def test_unreachable_exchange_is_a_failure_beside_the_record(cli: Cli) -> None:
    """The record is shown all the same."""
    cli.report("long", *ENTRY)
    result = cli("status", "--base-url", "http://127.0.0.1:9", "--stream-url", "ws://127.0.0.1:9", *cli.at[4:])
    assert result.exit_code == 1
    assert "58000 live" in result.stdout
    assert "exchange_unreachable" in result.stdout


def _file(cli: Cli) -> Path:
    (file,) = cli.audit_dir.glob("audit-*.jsonl")
    return file


@pytest.mark.parametrize("tail", [b'{"seq":99,"times', b"\0\0\0\n\0\0{}\n"])
def test_torn_last_line_counts_as_not_there(cli: Cli, tail: bytes) -> None:
    """A writer at work, or one that died, or a power cut: what is torn says nothing."""
    cli.report("long", *ENTRY)
    with _file(cli).open("ab") as file:
        file.write(tail)
    result = cli("status", *cli.at)
    assert (result.exit_code, "long" in result.stdout) == (0, True)


def test_torn_first_line_of_the_newest_file_hides_nothing(cli: Cli) -> None:
    """A rotation that got no line written: what was open before it is open."""
    cli.report("long", *ENTRY)
    (cli.audit_dir / "audit-2099-01-01.jsonl").write_bytes(b'{"seq":99,"times')
    result = cli("status", *cli.at)
    assert (result.exit_code, "long" in result.stdout) == (0, True)


def test_damaged_log_is_said(cli: Cli) -> None:
    """A line that cannot be read is a sentence that says how to find it."""
    cli.report("long", *ENTRY)
    lines = _file(cli).read_bytes().splitlines(keepends=True)
    lines[3] = b"noise\n"
    _file(cli).write_bytes(b"".join(lines))
    result = cli("status", *cli.at)
    assert result.exit_code == 1
    assert "audit_damaged" in result.stderr
    assert "bracketeer audit verify" in result.stderr


def test_protect_only_is_shown_while_the_manager_is_at_work(cli: Cli) -> None:
    """A start that could not find everything out: what is missing and why, for people and for programs."""
    cli.report("long", *ENTRY)
    cli.simulator.fault("refuse", method="GET", path="/fapi/v1/accountConfig", code=-1000, times=-1)
    url, stream = cli.simulator.rest_url, cli.simulator.stream_url
    settings = Settings(audit_log_dir=str(cli.audit_dir))
    with OrderExecutionManager(base_url=url, stream_url=stream, settings=settings):
        shown = cli("status", *cli.at).stdout
        assert "protect-only" in shown
        assert "position_mode" in shown
        document = json.loads(cli("status", *cli.at, "--json").stdout)
        assert set(document["record"]["missing_checks"]) == {"position_mode"}


def test_unprotected_time_of_open_and_ended_trades(cli: Cli) -> None:
    """Of an open bracket the present and the worst gap, of the trades that are over median and worst."""
    assert "ended trade" not in cli("status", *cli.at).stdout
    ended = cli.report("long", *ENTRY, "--signal-id", "trade-1")["timings"]
    cli.report("close", "BTCUSDT")
    cli.report("long", *ENTRY, "--signal-id", "trade-2")
    document = json.loads(cli("status", *cli.at, "--json").stdout)
    worst = document["record"]["naked_recent"]["worst_ms"]
    assert document["record"]["naked_recent"] == {
        "trades": 1,
        "median_ms": worst,
        "worst_ms": worst,
        "worst_signal_id": "trade-1",
    }
    assert worst >= ended["naked_ms"]
    (bracket,) = document["record"]["brackets"]
    assert bracket["naked_now_ms"] == 0
    assert bracket["naked_first_ms"] == bracket["naked_worst_ms"]
    shown = cli("status", *cli.at).stdout
    assert f"unprotected in 1 ended trade: median {worst} ms, worst {worst} ms  trade-1" in shown
    assert "naked now  worst" in shown


@pytest.mark.parametrize("ahead_ms", [-3_600_000, 3_600_000])
def test_unprotected_time_is_measured_on_the_clock_of_the_exchange(cli: Cli, ahead_ms: int) -> None:
    """A machine's clock that is an hour off makes a bare position neither look guarded nor bare for an hour: with the
    exchange asked, and from the log alone."""
    cli.simulator.exchange.clock.offset_ms = ahead_ms
    cli.simulator.fault("refuse", method="POST", path="/fapi/v1/algoOrder", code=-1000, times=-1)
    url, stream = cli.simulator.rest_url, cli.simulator.stream_url
    policy = Policy(arm=ArmingMode.AFTER_FILL, naked_limit_ms=60_000, report_timeout_ms=100)
    settings = Settings(policy=policy, audit_log_dir=str(cli.audit_dir))
    with OrderExecutionManager(base_url=url, stream_url=stream, settings=settings) as manager:
        signal = Signal(
            signal_type=SignalType.LONG_ENTRY,
            symbol="BTCUSDT",
            signal_id="trade-1",
            quantity="0.010",
            stop_loss="58000",
        )
        manager.execute_signal(signal)
        asked = json.loads(cli("status", *cli.at, "--json").stdout)["record"]["brackets"][0]["naked_now_ms"]
        told = read_record(cli.audit_dir)[1].brackets[0].naked_now_ms
        cli.simulator.lift_faults()
        assert 0 < asked < 60_000
        assert 0 < told < 60_000


def test_anomalies_are_counted(cli: Cli) -> None:
    """What the exchange told and cannot be is worth a look: how often, and where it is told."""
    cli.report("long", *ENTRY)
    shown = cli("status", *cli.at)
    assert "cannot be" not in shown.stdout
    _, record = read_record(cli.audit_dir)
    document = StatusDocument(
        record=msgspec.structs.replace(record, anomalies=2),
        writer=None, exchange=None, agrees=None, differences=(), problem=None,
    )  # fmt: skip
    words = "\n".join(str(line) for line in in_words(document))
    assert "2 things the exchange told cannot be: `bracketeer audit show --event bracket_anomaly`" in words


def test_claimed_position_is_shown_as_such(cli: Cli) -> None:
    """Taken over from others: in the table, and as a fact for programs."""
    cli.simulator.trade_by_hand("BTCUSDT", "BUY", "0.010")
    url, stream = cli.simulator.rest_url, cli.simulator.stream_url
    policy = Policy(external_position_claims=("BTCUSDT",), claim_stop_distance_pct=Decimal(5))
    settings = Settings(policy=policy, audit_log_dir=str(cli.audit_dir))
    with OrderExecutionManager(base_url=url, stream_url=stream, settings=settings):
        pass
    shown = cli("status", *cli.at).stdout
    assert "57000 live" in shown
    assert "claimed" in shown
    document = json.loads(cli("status", *cli.at, "--json").stdout)
    assert document["agrees"] is True
    assert document["record"]["brackets"][0]["claimed"] is True
    told = cli("audit", "show", str(cli.audit_dir), "--event", "position_claimed").stdout
    assert "taken over, opened elsewhere at 60001.2" in " ".join(told.split())


def test_arming_that_the_exchange_refuses_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """ARM=with_entry is set and not in force: status says so and why, until a start with ARM=after_fill."""
    cli.simulator.switch(reduce_only_algo_needs_position=True)
    monkeypatch.setenv("ARM", "with_entry")
    cli.report("long", *ENTRY)
    shown = cli("status", *cli.at)
    assert shown.exit_code == 0
    assert "! arming_refused: " in shown.stdout
    (condition,) = json.loads(cli("status", *cli.at, "--json").stdout)["record"]["conditions"]
    assert (condition["code"], condition["context"]["code"]) == ("arming_refused", "-2022")
    monkeypatch.setenv("ARM", "after_fill")
    cli.report("close", "BTCUSDT")
    assert "arming_refused" not in cli("status", *cli.at).stdout


def test_protection_that_leaves_with_the_entry_is_handed_over_before_the_command_ends(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is at work afterwards: what rests then dies with the position."""
    monkeypatch.setenv("ARM", "with_entry")
    report = cli.report("long", *ENTRY)
    assert report["status"] == "protected"
    rows = cli.books()["openAlgoOrders"]
    assert [row["closePosition"] for row in rows] == [True, True]
    assert "58000 live" in cli("status", *cli.at).stdout
