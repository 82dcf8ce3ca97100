"""What the demo's screens show."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest
from rich.console import Console
from rich.text import Text

from bracketeer.app.console import Output
from bracketeer.app.demo_screen import JsonScreen, LiveScreen, Scene, Screen, make_screen
from bracketeer.core.values import Side
from bracketeer.execution.queries import BracketView

RED, GREEN = 31, 32
LONG = BracketView(
    signal_id="trade-1",
    symbol="BTCUSDT",
    side=Side.BUY,
    quantity=Decimal("0.010"),
    open_quantity=Decimal("0.010"),
    average_price=Decimal(60000),
    entry_status="FILLED",
    stop_loss=Decimal(58000),
    stop_loss_status="NEW",
    take_profit=None,
    take_profit_status="",
    closing=None,
    naked_now_ms=0,
    naked_first_ms=5,
    naked_later_ms=0,
    naked_worst_ms=5,
)


def _terminal() -> tuple[Output, io.StringIO]:
    output, shown = Output(as_json=False), io.StringIO()
    output.console = Console(file=shown, force_terminal=True, width=100, color_system=None)
    return output, shown


def test_screen_fits_where_the_output_goes() -> None:
    """Live on a terminal, lines in a file, JSON where it is asked for."""
    terminal, _ = _terminal()
    file = Output(as_json=False)
    file.console = Console(file=io.StringIO())
    kinds = [type(make_screen(output)) for output in (terminal, file, Output(as_json=True))]
    assert kinds == [LiveScreen, Screen, JsonScreen]


def test_live_screen_shows_positions_with_their_protection() -> None:
    """The moment: time, weight, and each position with its price, stop and target."""
    output, shown = _terminal()
    with LiveScreen(output) as screen:
        screen.scene = Scene("07:30", 30, 96, {"BTCUSDT": Decimal(59000)}, (LONG,), 128, 2400, 5)
        screen.tell("report", Text("something happened"))
        screen._live.refresh()
    text = shown.getvalue()
    assert "07:30  something happened" in text
    assert "weight 128/2400" in text
    assert "unprotected at worst 5 ms" in text
    row = next(line for line in text.splitlines() if line.startswith("BTCUSDT"))
    assert row.split() == ["BTCUSDT", "long", "0.01", "60000", "59000", "58000", "live", "none"]


@pytest.mark.parametrize(
    ("side", "price", "colour"),
    [(Side.BUY, 59000, RED), (Side.BUY, 61000, GREEN), (Side.SELL, 59000, GREEN), (Side.SELL, 61000, RED)],
)
def test_price_is_green_where_it_gains(side: Side, price: int, colour: int) -> None:
    """Red and green as seen from the position."""
    output, shown = _terminal()
    output.console = Console(file=shown, force_terminal=True, width=100, color_system="standard")
    bracket = BracketView(**{name: getattr(LONG, name) for name in LONG.__struct_fields__} | {"side": side})
    with LiveScreen(output) as screen:
        screen.scene = Scene(prices={"BTCUSDT": Decimal(price)}, brackets=(bracket,))
        screen._live.refresh()
    assert f"\x1b[{colour}m{price}" in shown.getvalue()


def test_live_screen_says_when_nothing_is_open() -> None:
    """No empty table."""
    output, shown = _terminal()
    with LiveScreen(output) as screen:
        screen._live.refresh()
    assert "no open position" in shown.getvalue()


def test_json_screen_gives_a_document_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Kind, time, words and facts."""
    screen = JsonScreen(Output(as_json=True))
    screen.scene.clock = "07:30"
    screen.tell("fault", Text(" lost "), fault={"fault": "reply_lost"})
    assert json.loads(capsys.readouterr().out) == {
        "event": "fault",
        "clock": "07:30",
        "text": "lost",
        "fault": {"fault": "reply_lost"},
    }
