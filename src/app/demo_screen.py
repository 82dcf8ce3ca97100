"""What the demo shows while it runs: a live panel on a terminal, plain lines elsewhere, JSON lines for programs."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..core.values import Side
from ..execution.queries import BracketView
from .console import Output
from .report_view import amount, side_word
from .status import leg_words

BAR_WIDTH = 32
REFRESH_PER_S = 10


@dataclass
class Scene:
    """The moment on show. Weight is the exchange's count for this minute; naked time the worst of all positions."""

    clock: str = ""
    done: int = 0
    total: int = 1
    prices: dict[str, Decimal] = field(default_factory=dict)
    brackets: tuple[BracketView, ...] = ()
    weight_used: int = 0
    weight_limit: int = 0
    naked_worst_ms: int = 0


class Screen:
    """Plain lines, one for each thing that happens. Safe for threads: notices come on the manager's."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self.scene = Scene()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def tell(self, kind: str, text: Text, **facts: Any) -> None:  # noqa: ARG002 - JSON tells the facts
        """Something happened: `text` for people, `facts` for programs."""
        with self._lock:
            self._line(Text.assemble((f"{self.scene.clock}  ", "dim"), text))

    def _line(self, text: Text) -> None:
        self.output.console.print(text, soft_wrap=True)


class JsonScreen(Screen):
    """One JSON document for each thing that happens."""

    def tell(self, kind: str, text: Text, **facts: Any) -> None:
        with self._lock:
            self.output.document({"event": kind, "clock": self.scene.clock, "text": text.plain.strip(), **facts})


class LiveScreen(Screen):
    """Lines that scroll, and below them the positions as they are now."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._live = Live(
            get_renderable=self._panel,
            console=output.console,
            refresh_per_second=REFRESH_PER_S,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def _line(self, text: Text) -> None:
        self._live.console.print(text)

    def _panel(self) -> RenderableType:
        scene = self.scene
        head = Table.grid(padding=(0, 2))
        head.add_row(
            Text(f"\n{scene.clock}", "bold"),
            Group("", ProgressBar(total=scene.total, completed=scene.done, width=BAR_WIDTH, complete_style="cyan")),
            Text(f"\nweight {scene.weight_used}/{scene.weight_limit}", "dim"),
            Text(f"\nunprotected at worst {scene.naked_worst_ms} ms", "dim"),
        )
        return Group(head, _positions(scene))


def make_screen(output: Output) -> Screen:
    """The screen that fits where the output goes."""
    if output.as_json:
        return JsonScreen(output)
    return LiveScreen(output) if output.console.is_terminal else Screen(output)


def _positions(scene: Scene) -> Table | Text:
    if not scene.brackets:
        return Text("no open position", "dim")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("symbol", "side", "size", "entry", "now", "stop loss", "take profit"):
        table.add_column(name, no_wrap=True)
    for bracket in scene.brackets:
        price = scene.prices.get(bracket.symbol)
        table.add_row(
            bracket.symbol,
            side_word(bracket.side),
            amount(bracket.open_quantity),
            amount(bracket.average_price),
            Text(amount(price), _trend(bracket, price)),
            leg_words(bracket.stop_loss, bracket.stop_loss_status),
            leg_words(bracket.take_profit, bracket.take_profit_status),
        )
    return table


def _trend(bracket: BracketView, price: Decimal | None) -> str:
    if price is None or bracket.average_price is None or price == bracket.average_price:
        return ""
    is_gain = (price > bracket.average_price) == (bracket.side is Side.BUY)
    return "green" if is_gain else "red"
