"""Taking over: replay the journal, and find what it does not know. The rest is the engine's, by `EngineStarted`."""

from __future__ import annotations

from collections.abc import Iterator

from .. import __version__
from ..core.audit_chain import AuditLine
from ..core.audit_logger import AuditLogger, OpenResult
from ..core.client_ids import is_ours
from ..core.commands import LookUpSymbol
from ..core.errors import AuditError
from ..core.events import EngineStarted
from ..core.journal import clock_offset_ms, rebuild
from ..core.settings import Policy
from ..core.state import State
from .driver import Driver
from .ports import Gateway


def restore(opened: OpenResult) -> tuple[State, int | None]:
    """The state the journal leads to, and by how many ms the exchange's clock was ahead of this machine's when its last
    event was written; None for a log without events.

    Raises:
        AuditError: `audit_not_replayable`: a line cannot be read by this version.
    """
    newest: list[AuditLine] = []

    def lines() -> Iterator[AuditLine]:
        for line in opened.lines():
            if line.record == "event":
                newest[:] = [line]
            yield line

    try:
        state = rebuild(lines())
        return state, clock_offset_ms(newest[0]) if newest else None
    except ValueError as error:
        raise AuditError(
            f"the audit log cannot be replayed: {error}; check it with `bracketeer audit verify`, or move the folder "
            "away to start anew (open positions are then external)",
            code="audit_not_replayable",
        ) from None


def require_same_account(state: State, account: str, *, adopt: bool) -> None:
    """What the log has open must be this account's: its protection would close somebody else's position.

    Raises:
        AuditError: `audit_of_another_account`: another key or another address began it.
    """
    if not state.brackets or state.account in ("", account) or adopt:
        return
    symbols = ", ".join(sorted({bracket.symbol for bracket in state.brackets.values()}))
    raise AuditError(
        f"the audit log has positions open ({symbols}) that were begun with another key or address; start with those, "
        "or set AUDIT_LOG_DIR to another folder; if it is the same account with a new key, set AUDIT_ADOPT=true for "
        "this start",
        code="audit_of_another_account",
        venue=state.venue,
    )


def begin(gateway: Gateway, driver: Driver, policy: Policy, venue: str, account: str) -> None:
    """Tell the engine that a process took over: from here on what is open is looked at and protected."""
    at_ms = gateway.exchange_now_ms()
    started = EngineStarted(at_ms=at_ms, policy=policy, version=__version__, venue=venue, account=account)
    driver.handle(started, inline=False)


def look_around(gateway: Gateway, driver: Driver, journal: AuditLogger) -> None:
    """Clear orders of ours that nothing explains, and put on record what others hold.

    Raises:
        ExchangeError: the exchange cannot be asked.
    """
    orphans = clear_orphans(gateway, driver)
    external = external_positions(gateway, driver.read())
    if orphans or external:
        found = {"external_positions": external, "orphan_symbols": orphans}
        journal.log_event("account_found", "start", data=found)


def external_positions(gateway: Gateway, state: State) -> dict[str, str]:
    """Positions on the account that no bracket of ours explains: symbol to signed amount."""
    amounts = gateway.position_amounts()
    return {symbol: str(amount) for (symbol, _), amount in amounts.items() if not state.on_symbol(symbol)}


def clear_orphans(gateway: Gateway, driver: Driver) -> list[str]:
    """Have orders with our prefix that no bracket knows looked at; the engine cancels those on flat symbols (P3).

    Returns the symbols concerned.
    """
    state = driver.read()
    symbols = set()
    for row in gateway.open_orders():
        client_id = str(row.get("clientOrderId") or row.get("clientAlgoId") or "")
        if is_ours(client_id) and client_id not in state.orders and client_id not in state.algos:
            symbols.add(str(row["symbol"]))
    for symbol in sorted(symbols):
        driver.handle(gateway.look_up_symbol(LookUpSymbol(symbol=symbol, why="orders_of_ours_without_a_bracket")))
    return sorted(symbols)
