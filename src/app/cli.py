"""The command `bracketeer`: what it is asked, and how it ends.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted. Every command imports its work when it runs, so
that `--help` is quick and `audit verify` needs no exchange library.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from .. import __version__
from .audit import audit_app
from .console import speaking
from .options import KEYS_NOTE, AuditDir, BaseUrl, JsonFlag, Mainnet, StreamUrl, Venue
from .signals import signal_app

app = typer.Typer(
    name="bracketeer",
    help="Signals become protected positions on Binance USDⓈ-M Futures.",
    epilog="Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,  # locals can hold a secret
)
app.add_typer(signal_app)
app.add_typer(audit_app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bracketeer {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options before the command."""


@app.command()
def demo(
    signals: Annotated[
        Path | None, typer.Option("--signals", metavar="FILE", help="Other signals than the demo's own, JSON Lines.")
    ] = None,
    audit_dir: AuditDir = None,
    speed: Annotated[
        float, typer.Option("--speed", min=0.1, max=1000.0, help="How much quicker than usual the day passes.")
    ] = 1.0,
    as_json: JsonFlag = False,
) -> None:
    """A trading day in half a minute, on the embedded exchange: no keys, no network, no money.

    Signals of all kinds are followed through a falling market; then every promise is checked against the exchange's own
    books. Exits with 1 if one was broken.
    """
    with speaking(as_json=as_json) as output:
        from .demo import run_demo

        raise typer.Exit(run_demo(output, signals=signals, audit_dir=audit_dir, speed=speed))


@app.command()
def sim(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same prices and ids.")] = 1,
    api_key: Annotated[
        str | None, typer.Option("--api-key", metavar="K", help="Key of its one account; made up when absent.")
    ] = None,
    api_secret: Annotated[
        str | None, typer.Option("--api-secret", metavar="S", help="Secret of that account; made up when absent.")
    ] = None,
    profile: Annotated[
        Literal["mainnet", "demo"], typer.Option("--profile", help="Whose habits it takes where the two differ.")
    ] = "mainnet",
    prices: Annotated[
        str | None,
        typer.Option(
            "--prices",
            metavar="walk|frozen|sample|FILE",
            help="Seeded walk (the default), by hand only (with --script), or candles.",
        ),
    ] = None,
    script: Annotated[
        Path | None,
        typer.Option("--script", metavar="FILE", help="A story of prices and faults: JSON Lines with at_ms."),
    ] = None,
    speed: Annotated[float, typer.Option("--speed", min=0.001, help="How much quicker recorded prices pass.")] = 1.0,
    latency_ms: Annotated[int, typer.Option("--latency-ms", min=0, help="Delay of each answer.")] = 0,
    switches: Annotated[
        list[str] | None,
        typer.Option(
            "--switch", metavar="NAME=VALUE", help="Decide an open point of the exchange otherwise; repeatable."
        ),
    ] = None,
    bound_to_stdin: Annotated[bool, typer.Option("--bound-to-stdin", help="End when standard input ends.")] = False,
    list_faults: Annotated[
        bool, typer.Option("--list-faults", help="Show every way it can be made to fail, and stop.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Run a simulated exchange on this machine: REST and WebSocket, as the real one speaks.

    When ready it prints one JSON line with its addresses and key. Prices, faults and its books are at /sim (see the
    README). These keys open nothing but this simulator, so here they may stand on the command line.
    """
    with speaking(as_json=as_json) as output:
        from .sim import run_simulator, show_faults

        if list_faults:
            show_faults(output)
            return
        run_simulator(
            output,
            port=port,
            seed=seed,
            api_key=api_key,
            api_secret=api_secret,
            profile=profile,
            prices=prices,
            speed=speed,
            latency_ms=latency_ms,
            switches=tuple(switches or ()),
            bound_to_stdin=bound_to_stdin,
            script=script,
        )


@app.command(epilog=KEYS_NOTE)
def status(
    base_url: BaseUrl = None,
    stream_url: StreamUrl = None,
    audit_dir: AuditDir = None,
    mainnet: Mainnet = False,
    as_json: JsonFlag = False,
) -> None:
    """What is open, by our own record and by the exchange's books, and whether the two agree.

    Changes nothing and takes no lock: it may run beside a manager at work. Without keys it shows the record alone.
    Exits with 1 when the two disagree, or the exchange could not be asked.
    """
    with speaking(as_json=as_json) as output:
        from .status import show_status

        venue = Venue(base_url=base_url, stream_url=stream_url, audit_dir=audit_dir, mainnet=mainnet)
        raise typer.Exit(show_status(output, venue))
