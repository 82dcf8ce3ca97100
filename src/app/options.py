"""Options that several commands share, and what they choose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.settings import Settings
    from ..execution.driver import Notice
    from ..execution.order_manager import OrderExecutionManager

JsonFlag = Annotated[
    bool, typer.Option("--json", help="Machine-readable output on stdout: JSON, one document per line.")
]
BaseUrl = Annotated[
    str | None,
    typer.Option("--base-url", metavar="URL", help="REST address of another venue, such as `bracketeer sim`."),
]
StreamUrl = Annotated[
    str | None, typer.Option("--stream-url", metavar="URL", help="Its stream address (ws:// or wss://).")
]
AuditDir = Annotated[
    Path | None,
    typer.Option("--audit-dir", metavar="DIR", help="Folder of the audit log, instead of AUDIT_LOG_DIR."),
]
Mainnet = Annotated[
    bool,
    typer.Option("--mainnet", help="Real money: needs BRACKETEER_ALLOW_MAINNET=yes as well. Default: testnet."),
]

KEYS_NOTE = (
    "Keys come from BINANCE_API_KEY and BINANCE_API_SECRET, in the environment or in .env, and from nowhere"
    " else: what stands on a command line is seen by every user of the machine and kept in the shell's history."
)


@dataclass(frozen=True)
class Venue:
    """Which exchange, and where the record of what we do there is kept."""

    base_url: str | None = None
    stream_url: str | None = None
    audit_dir: Path | None = None
    mainnet: bool = False

    def settings(self) -> Settings:
        """The settings from the environment, with this audit folder.

        Raises:
            BracketeerError: a setting cannot be read.
        """
        from ..execution.settings_loader import load_settings

        settings = load_settings()
        return settings if self.audit_dir is None else replace(settings, audit_log_dir=str(self.audit_dir))

    def manager(self, on_notice: Callable[[Notice], None]) -> OrderExecutionManager:
        """A manager for it, not started yet.

        Raises:
            BracketeerError: keys are missing, mainnet is not armed, a setting cannot be read.
        """
        from ..execution.order_manager import OrderExecutionManager

        return OrderExecutionManager(
            testnet=not self.mainnet,
            base_url=self.base_url,
            stream_url=self.stream_url,
            settings=self.settings(),
            on_notice=on_notice,
        )
