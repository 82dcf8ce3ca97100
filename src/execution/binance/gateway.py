"""`BinanceGateway`: the exchange behind the `Gateway` port. A table of contents; the work is in the modules it
names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Protocol

from ...core.commands import LookUpOrder, LookUpSymbol
from ...core.errors import AuditError
from ...core.events import (
    AlgoAcknowledged,
    AlgoUpdated,
    CancelDone,
    CancelFailed,
    LookUpFailed,
    OrderAcknowledged,
    OrderNotFound,
    OrderUpdated,
    SubmitFailed,
    SymbolSnapshot,
)
from ...core.instrument import Instrument
from ...core.intent import OrderIntent
from ...core.redaction import Redactor
from ...core.request_weight import RequestWeightTracker
from ...core.settings import Settings
from ...core.values import MarginType, PositionSide, WorkingType
from ..errors import ConfigurationError, ExchangeError
from ..ports import Clock, HeldPosition
from . import account, lookups, orders
from .asking import Asker, is_transient, is_worth_waiting
from .connector import require_connector
from .rest_messages import WireListenKey
from .transport import when_sent
from .wire import read

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter

    from .client import Client

LOOK_UP_RETRIES: Final = 2
LOOK_UP_DELAY_S: Final = 0.1
"""Look-ups give up soon: the engine asks again by itself, and knows better when."""


ACCOUNT_RETRIES: Final = 3
ACCOUNT_DELAY_S: Final = 1.0
"""Questions and settings of a person can wait."""


class AuditNotes(Protocol):
    """What of the audit log is written here: `core.audit_logger.AuditLogger` is one."""

    def log_event(self, event_type: str, operation: str | None = None, **data: Any) -> int:
        """Add a note."""
        ...


class BinanceGateway:
    """One account on one venue (`ports.Gateway`). Safe for threads."""

    def __init__(self, client: Client, clock: Clock, *, audit: AuditNotes | None = None) -> None:
        self._client = client
        self._look_up = Asker(
            client,
            clock.sleep,
            max_retries=LOOK_UP_RETRIES,
            initial_delay_s=LOOK_UP_DELAY_S,
            retryable=is_transient,
            audit=audit,
        )
        self._once = Asker(client, clock.sleep, max_retries=0, initial_delay_s=0, retryable=is_transient, audit=audit)
        self._ask = Asker(
            client,
            clock.sleep,
            max_retries=ACCOUNT_RETRIES,
            initial_delay_s=ACCOUNT_DELAY_S,
            retryable=is_worth_waiting,
            audit=audit,
        )

    def __repr__(self) -> str:
        return f"BinanceGateway({self._client.base_url})"

    # Trading: an event comes back, whatever happens.

    def submit(
        self, intent: OrderIntent, on_sent: Callable[[], None] | None = None
    ) -> OrderAcknowledged | AlgoAcknowledged | SubmitFailed:
        """Send one order once; `on_sent` is called when its bytes have left."""
        with when_sent(on_sent):
            return orders.submit(self._client, intent)

    def cancel(self, client_order_id: str, symbol: str, *, algo: bool) -> CancelDone | CancelFailed:
        """Cancel one order by its client id."""
        return orders.cancel(self._client, client_order_id, symbol, algo=algo)

    def look_up_order(self, command: LookUpOrder) -> list[OrderUpdated | AlgoUpdated | OrderNotFound | LookUpFailed]:
        """Ask about one order; for a triggered conditional one, the ordinary order it became comes first."""
        return lookups.look_up_order(self._look_up, self._once, command)

    def look_up_symbol(
        self, command: LookUpSymbol, early: Callable[[SymbolSnapshot], None] | None = None
    ) -> SymbolSnapshot | LookUpFailed:
        """Take one snapshot; what could not be had is None in it. `early` gets the position first."""
        return lookups.look_up_symbol(self._look_up, command, early)

    # The account: answers, or an `ExchangeError`.

    def reference_price(self, symbol: str, working_type: WorkingType) -> Decimal:
        """The price triggers of this working type watch: last or mark."""
        return account.reference_price(self._look_up, symbol, working_type)

    def position_amounts(self, symbol: str | None = None) -> dict[tuple[str, PositionSide], Decimal]:
        """Signed position amounts that are not zero."""
        return account.position_amounts(self._look_up, symbol)

    def dated_amount(self, symbol: str) -> tuple[int, Decimal]:
        """The signed position of a symbol, and the instant before it was asked for."""
        return account.dated_amount(self._look_up, symbol)

    def resting_algo_ids(self, symbol: str) -> set[str]:
        """Client ids of the conditional orders that rest on a symbol."""
        return account.resting_algo_ids(self._once, symbol)

    def held_positions(self) -> list[HeldPosition]:
        """All positions of the account."""
        return account.held_positions(self._look_up)

    def position_row(self, symbol: str) -> list[dict[str, Any]]:
        """positionRisk rows of one symbol."""
        return account.position_rows(self._ask, symbol)

    def open_orders(self, symbol: str | None = None) -> list[dict[str, Any]]:
        """Open orders of both stores in the exchange's own rows; key `list` says which: `openOrders` or
        `openAlgoOrders`."""
        return account.open_orders(self._ask, symbol)

    def instruments(self) -> tuple[dict[str, Instrument], list[dict[str, Any]]]:
        """All symbols' rules and the rate limits of exchangeInfo (fetched now, not cached)."""
        info = account.exchange_info(self._ask)
        return info.instruments, info.rate_limits

    def hedge_mode(self) -> bool:
        """Whether the account is in hedge mode (`dualSidePosition`)."""
        return account.hedge_mode(self._ask)

    def balance(self, asset: str = "USDT") -> Decimal:
        """Wallet balance of one asset."""
        return account.balance(self._ask, asset)

    def set_leverage(self, symbol: str, leverage: int) -> int:
        """Set and return the leverage."""
        return account.set_leverage(self._ask, symbol, leverage)

    def set_margin_type(self, symbol: str, margin_type: MarginType) -> bool:
        """Set the margin type; False when it was so already (-4046)."""
        return account.set_margin_type(self._ask, symbol, margin_type)

    # Time.

    def exchange_now_ms(self) -> int:
        """The exchange's clock as we estimate it."""
        return self._client.clock.now_ms()

    def assume_clock(self, offset_ms: int) -> None:
        """Until it is measured, reckon with what was known before a restart: so far is the exchange's clock ahead."""
        self._client.clock.assume(offset_ms)

    def on_clock_set(self, hear: Callable[[int], None]) -> None:
        """Who hears from now on that the estimate of the exchange's clock was set, forward by so many ms or back."""
        self._client.clock.on_set = hear

    def synchronise_clock(self) -> None:
        """Measure the exchange's clock offset. Worth doing every ten minutes: clocks drift some 50 ms per 1000 s."""
        self._client.clock.synchronise()

    # The listen key, for `BinanceUserStream` (`user_stream.Account`). Never repeated here: the stream has its own
    # patience.

    def open_listen_key(self) -> str:
        """The account's listen key, good for 60 min from now; a new one when there is none (binance-usdm.md §3.5)."""
        key = self._client.listen_key("POST").read(lambda raw: read(raw, WireListenKey)).listen_key
        self._client.redactor.add(key, transient=True)
        return key

    def extend_listen_key(self) -> None:
        """60 min from now. Refused with -1125 when the key is gone: then a new one must be opened."""
        self._client.listen_key("PUT")

    def close(self) -> None:
        """Drop the connections."""
        self._client.close()


def connect_gateway(
    api_key: str,
    api_secret: str,
    base_url: str,
    settings: Settings,
    clock: Clock,
    tracker: RequestWeightTracker,
    redactor: Redactor,
    audit: AuditNotes | None = None,
    adapter: BaseAdapter | None = None,
) -> BinanceGateway:
    """Build a gateway. Nothing is sent yet: call `synchronise_clock()` first thing.

    Args:
        base_url: of the REST API, such as `urls.TESTNET.rest`.
        clock: this machine's; the exchange's is estimated from it.
        tracker: told of every request in flight, every answer's headers, and every 429 and 418; its `now_ms`
            may be this gateway's `exchange_now_ms`. Here it is asked for bans only: who decides to send asks the rest.
        redactor: is told the secrets, and cleans the texts that come from the exchange.
        audit: gets an `api_error` note for every failed call, and the retries of questions.
        adapter: takes the place of the network, for a simulation.

    Raises:
        ConfigurationError: keys are missing, or the installed package `binance` is not the connector.
    """
    if not api_key or not api_secret:
        raise ConfigurationError(
            "the API key and its secret are needed: set BINANCE_API_KEY and BINANCE_API_SECRET in the "
            "environment or in .env, or pass api_key and api_secret",
            code="missing_keys",
        )
    require_connector()
    from .client import Client  # not before the check: it subclasses what the connector provides

    client = Client(
        api_key,
        api_secret,
        base_url,
        settings=settings,
        clock=clock,
        tracker=tracker,
        redactor=redactor,
        adapter=adapter,
        on_failure=None if audit is None else _api_errors_to(audit),
    )
    return BinanceGateway(client, clock, audit=audit)


def _api_errors_to(audit: AuditNotes) -> Callable[[ExchangeError], None]:
    def note(error: ExchangeError) -> None:
        # A note must never cost the caller its answer; a journal that cannot write says so by itself.
        with contextlib.suppress(AuditError):
            audit.log_event(
                "api_error",
                error.call,
                error=error.failure.text,
                error_code=error.exchange_code,
                status_code=error.http_status,
                outcome=error.failure.kind.value,
            )

    return note
