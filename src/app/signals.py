"""`bracketeer signal …`: send one wish to trade, or a stream of them, and say what came of each."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal

import typer

from ..core.commands import Alert
from ..core.errors import BracketeerError
from ..core.report import ReportStatus
from ..core.signal import Signal, SignalType
from .care import Finishing, stay_until_guarded
from .console import EXIT_FAILED, GOOD, WARNING, Output, marked, speaking
from .options import KEYS_NOTE, AuditDir, BaseUrl, JsonFlag, Mainnet, StreamUrl, Venue
from .report_view import report_lines

if TYPE_CHECKING:
    from ..core.report import ExecutionReport
    from ..execution.driver import Notice
    from ..execution.order_manager import OrderExecutionManager

DONE = frozenset(
    {
        ReportStatus.PROTECTED,
        ReportStatus.PARTIALLY_PROTECTED,
        ReportStatus.OPEN_UNPROTECTED,  # asked for without a stop, and allowed to be
        ReportStatus.CLOSED,
        ReportStatus.ALREADY_FLAT,
    }
)
"""The outcomes that are what the signal asked for: exit code 0."""

signal_app = typer.Typer(
    name="signal", help="Send a signal and wait for its outcome.", epilog=KEYS_NOTE, no_args_is_help=True
)

Symbol = Annotated[str, typer.Argument(metavar="SYMBOL", help="As the exchange writes it: BTCUSDT.")]
SignalId = Annotated[
    str | None,
    typer.Option("--signal-id", metavar="ID", help="Names the wish: one id never trades twice. Made up when absent."),
]
Strategy = Annotated[str, typer.Option("--strategy", metavar="NAME", help="Who decided it, for the record.")]
TtlMs = Annotated[
    int | None, typer.Option("--ttl-ms", min=1, metavar="MS", help="How long from now the wish is worth following.")
]


def _add_entry_command(name: str, kind: SignalType, summary: str) -> None:
    @signal_app.command(name, help=summary, epilog=KEYS_NOTE)
    def entry(
        symbol: Symbol,
        quantity: Annotated[
            str | None, typer.Option("--quantity", metavar="Q", help="Size in the base asset, exact.")
        ] = None,
        notional: Annotated[
            str | None, typer.Option("--notional", metavar="USDT", help="Size in USDT instead.")
        ] = None,
        take_profit: Annotated[
            str | None, typer.Option("--take-profit", metavar="P", help="Where to take the profit.")
        ] = None,
        stop_loss: Annotated[
            str | None, typer.Option("--stop-loss", metavar="P", help="Where to give up; required by default.")
        ] = None,
        entry_price: Annotated[
            str | None,
            typer.Option("--entry-price", metavar="P", help="The price it was decided at, for the record."),
        ] = None,
        signal_id: SignalId = None,
        strategy: Strategy = "",
        ttl_ms: TtlMs = None,
        base_url: BaseUrl = None,
        stream_url: StreamUrl = None,
        audit_dir: AuditDir = None,
        mainnet: Mainnet = False,
        as_json: JsonFlag = False,
    ) -> None:
        signal = Signal(
            signal_type=kind,
            symbol=symbol,
            signal_id=signal_id or "",
            quantity=quantity,
            notional=notional,
            take_profit=take_profit,
            stop_loss=stop_loss,
            entry_price=entry_price,
            strategy=strategy,
            **_lifetime(ttl_ms),
        )
        _follow(signal, Venue(base_url, stream_url, audit_dir, mainnet), as_json=as_json)


_add_entry_command("long", SignalType.LONG_ENTRY, "Buy, and guard the position with a stop loss and a take profit.")
_add_entry_command("short", SignalType.SHORT_ENTRY, "Sell, and guard the position with a stop loss and a take profit.")


@signal_app.command("close", epilog=KEYS_NOTE)
def close(
    symbol: Symbol,
    side: Annotated[
        Literal["long", "short"] | None, typer.Option("--side", help="Close only a position of this side.")
    ] = None,
    signal_id: SignalId = None,
    strategy: Strategy = "",
    ttl_ms: TtlMs = None,
    base_url: BaseUrl = None,
    stream_url: StreamUrl = None,
    audit_dir: AuditDir = None,
    mainnet: Mainnet = False,
    as_json: JsonFlag = False,
) -> None:
    """Close our position whole, and clear what rests for it. Being flat already is success."""
    kinds = {None: SignalType.CLOSE, "long": SignalType.CLOSE_LONG, "short": SignalType.CLOSE_SHORT}
    signal = Signal(
        signal_type=kinds[side],
        symbol=symbol,
        signal_id=signal_id or "",
        strategy=strategy,
        **_lifetime(ttl_ms),
    )
    _follow(signal, Venue(base_url, stream_url, audit_dir, mainnet), as_json=as_json)


@signal_app.command("json", epilog=KEYS_NOTE)
def follow_json(
    file: Annotated[str, typer.Argument(metavar="[FILE]", help="JSON Lines; without it, standard input.")] = "-",
    base_url: BaseUrl = None,
    stream_url: StreamUrl = None,
    audit_dir: AuditDir = None,
    mainnet: Mainnet = False,
    as_json: JsonFlag = False,
) -> None:
    """Follow signals given as JSON objects, one a line and in order, until the input ends.

    The positions are watched as long as it runs. A line that cannot be read is refused, on record, and the next one is
    taken. Exits with 1 if any signal was refused or failed.
    """
    with speaking(as_json=as_json, must_go_on=True) as output:
        venue = Venue(base_url, stream_url, audit_dir, mainnet)
        with _opened(file) as lines, venue.manager(_alerts_to(output)) as manager:
            wishes = (partial(manager.execute_json, line) for line in lines if line.strip())
            outcomes = [_carry_out(output, manager, wish) for wish in wishes]
        if not all(outcomes):
            raise typer.Exit(EXIT_FAILED)


def _follow(signal: Signal, venue: Venue, *, as_json: bool) -> None:
    with speaking(as_json=as_json, must_go_on=True) as output:
        with venue.manager(_alerts_to(output)) as manager:
            done = _carry_out(output, manager, lambda: manager.execute_signal(signal))
        if not done:
            raise typer.Exit(EXIT_FAILED)


def _carry_out(output: Output, manager: OrderExecutionManager, wish: Callable[[], ExecutionReport]) -> bool:
    """Follow one signal to its end, also through a Ctrl-C; whether it is what was asked for."""
    following = Finishing(wish)
    report = following.run(
        lambda: output.note(marked(WARNING, "finishing what is under way; Ctrl-C again leaves at once"))
    )
    _tell(output, report)
    if stay_until_guarded(output, manager) or report.status is ReportStatus.UNRESOLVED:
        report = _tell_the_end(output, manager, report)
    if following.interrupted is not None:
        raise following.interrupted
    return report.status in DONE


def _tell_the_end(output: Output, manager: OrderExecutionManager, report: ExecutionReport) -> ExecutionReport:
    """What finally became of a signal whose report came before its end, as far as there is a later report."""
    record = manager.state().signals.get(report.signal_id)
    if record is None or record.report is None or record.report == report:
        output.note(marked(GOOD, "settled; `bracketeer status` shows what is open"))
        return report
    _tell(output, record.report)
    return record.report


def _tell(output: Output, report: ExecutionReport) -> None:
    if output.as_json:
        output.document(report)
    output.show(*report_lines(report))


def _alerts_to(output: Output) -> Callable[[Notice], None]:
    def hear(notice: Notice) -> None:
        if isinstance(notice, Alert):
            output.note(marked(WARNING, (notice.code, "bold"), f": {notice.text}", (f"  {notice.symbol}", "dim")))

    return hear


def _lifetime(ttl_ms: int | None) -> dict[str, Any]:
    """A wish with a time to live starts to age when it is typed."""
    return {} if ttl_ms is None else {"ttl_ms": ttl_ms, "timestamp": time.time_ns() // 1_000_000}


def _opened(file: str) -> AbstractContextManager[BinaryIO]:
    if file == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise BracketeerError(f"the signals cannot be read: {error.strerror}", code="no_such_file", file=file) from None
