"""Finds positions that the operator claims (EXTERNAL_POSITION_CLAIMS) and no bracket of ours explains, and brings what
the engine needs to take them over: the amount, the rules, the price."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from ..core.audit_logger import AuditLogger
from ..core.claiming import claim_stop
from ..core.commands import Alert
from ..core.denial import Denied
from ..core.errors import AuditError, BracketeerError
from ..core.events import AnyEvent, PositionClaimed, PositionUpdated
from ..core.settings import Policy
from ..core.values import PositionSide, Side
from .driver import Driver, Notice
from .exchange_info import ExchangeInfoCache
from .ports import Gateway, HeldPosition


class Claims:
    """Looks for claimed positions; one thread at a time. `tell` hears, once each, what cannot be claimed and why."""

    def __init__(
        self,
        gateway: Gateway,
        driver: Driver,
        rules: ExchangeInfoCache,
        policy: Policy,
        journal: AuditLogger,
        tell: Callable[[Notice], None],
    ) -> None:
        self._gateway = gateway
        self._driver = driver
        self._rules = rules
        self._policy = policy
        self._journal = journal
        self._tell = tell
        self._told: set[tuple[str, str]] = set()

    @property
    def any(self) -> bool:
        """Whether anything is claimed at all."""
        return bool(self._policy.external_position_claims)

    def concerned_by(self, event: AnyEvent) -> bool:
        """Whether the stream told of a position that may have to be taken over."""
        return (
            isinstance(event, PositionUpdated)
            and event.symbol in self._policy.external_position_claims
            and event.amount != 0
            and not self._driver.read().on_symbol(event.symbol)
        )

    def look(self) -> None:
        """Ask for the positions and claim those that are meant; what is claimed already changes nothing.

        Raises:
            BracketeerError: positions, rules or a price could not be had; the other positions are claimed.
        """
        for symbol in self._policy.external_position_claims:
            if self._rules.rules(symbol) is None:
                self._refuse(symbol, "the exchange does not list it: correct EXTERNAL_POSITION_CLAIMS")
        asked_at_ms = self._gateway.exchange_now_ms()
        meant = [p for p in self._gateway.held_positions() if p.symbol in self._policy.external_position_claims]
        failures: list[BracketeerError] = []
        for held in meant:
            try:
                self._claim(held, asked_at_ms)
            except BracketeerError as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    def _claim(self, held: HeldPosition, asked_at_ms: int) -> None:
        """Claim a position, where that is possible at all."""
        instrument = self._rules.rules(held.symbol)
        if self._driver.read().on_symbol(held.symbol) or instrument is None:
            return
        if held.position_side is not PositionSide.BOTH:
            self._refuse(held.symbol, "the account is in hedge mode, which is not supported yet")
            return
        price = self._gateway.reference_price(held.symbol, self._policy.working_type)
        side = Side.BUY if held.amount > 0 else Side.SELL
        distance = self._policy.claim_stop_distance_pct
        stop = None if distance is None else claim_stop(instrument, price, side, distance)
        if isinstance(stop, Denied):
            self._refuse(held.symbol, stop.text)
            return
        self._driver.handle(
            PositionClaimed(
                at_ms=self._gateway.exchange_now_ms(),
                signal_id=f"claim-{held.symbol}-{asked_at_ms}",
                symbol=held.symbol,
                position_side=held.position_side,
                amount=held.amount,
                entry_price=held.entry_price,
                updated_at_ms=held.updated_at_ms,
                asked_at_ms=asked_at_ms,
                reference_price=price,
                instrument=instrument,
            ),
            inline=False,
        )

    def _refuse(self, symbol: str, why: str) -> None:
        if (symbol, why) in self._told:
            return
        self._told.add((symbol, why))
        text = f"{symbol} is claimed and cannot be guarded: {why}"
        with suppress(AuditError):
            self._journal.log_event("claim_refused", "claim", symbol, error=text)
        self._tell(Alert(code="claim_refused", text=text, symbol=symbol))
