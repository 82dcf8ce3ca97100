"""Faults that happen at once: what the venue does by itself to orders, positions, prices, rules and time."""

from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from .accounts import Account
from .algo import AlgoService
from .decimals import ONE, decimals_of, parse_number
from .errors import refusal
from .faults import Fault, FaultBook, FaultName
from .instruments import Instrument
from .limits import RateLimits
from .orders import AlgoOrder, AlgoStatus
from .risk import RiskDesk
from .venue import Venue

_HUNDRED = Decimal(100)
_LOOPBACK = "127.0.0.1"
_DEFAULT_GAP = Decimal(-5)
_DEFAULT_DEPTH = Decimal(1)
_RULES = {
    "tickSize": "tick_size",
    "stepSize": "step_size",
    "notional": "notional_min",
    "maxQty": "quantity_max",
    "marketMaxQty": "market_quantity_max",
}


class Exchange(Protocol):
    """What an act needs of the exchange."""

    venue: Venue
    algos: AlgoService
    risk: RiskDesk
    limits: RateLimits
    faults: FaultBook

    @property
    def account(self) -> Account: ...

    def set_price(self, symbol: str, last: Decimal, mark: Decimal | None = None) -> None: ...


class FaultActs:
    """The venue's own doings."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._rules: dict[str, Instrument] = {}  # of symbols whose rules are changed: what they were
        self._changes: dict[str, list[dict[str, object]]] = {}  # what is changed there, oldest first
        exchange.algos.before_entry = self._meet_trigger

    def act(self, fault: Fault) -> None:
        """Let it happen."""
        exchange = self._exchange
        streams = exchange.venue.streams
        match fault.name:
            case FaultName.STREAM_DROP:
                streams.close_all()
            case FaultName.STREAM_MUTE:
                streams.is_muted = True
                fault.undo = self._unmute
                exchange.faults.add(fault)
            case FaultName.STREAM_UNMUTE:
                exchange.faults.lift(name=FaultName.STREAM_MUTE)
                self._unmute()
            case FaultName.LISTEN_KEY_EXPIRED:
                streams.expire_keys_now()
            case FaultName.BANNED:
                exchange.limits.ban(fault.address or _LOOPBACK, exchange.venue.now_ms())
                fault.undo = exchange.limits.pardon
                exchange.faults.add(fault)
            case FaultName.STOP_CANCELED:
                self._end_stops(fault, AlgoStatus.CANCELED)
            case FaultName.STOP_EXPIRED:
                self._end_stops(fault, AlgoStatus.EXPIRED)
            case FaultName.TRIGGER_REJECTED:
                exchange.faults.add(fault)
            case FaultName.CLOCK_STEP:
                exchange.venue.clock.step(fault.delay_ms)
            case _:
                self._act_on_market(fault)

    def _act_on_market(self, fault: Fault) -> None:
        market = self._exchange.venue.market(fault.symbol)
        match fault.name:
            case FaultName.PRICE_GAP:
                percent = _DEFAULT_GAP if fault.percent is None else fault.percent
                price = fault.price or market.last * (ONE + percent / _HUNDRED)
                self._exchange.set_price(fault.symbol, price, fault.mark)
            case FaultName.LIQUIDATION:
                self._exchange.risk.liquidate(self._exchange.account, fault.symbol)
            case FaultName.ADL:
                self._deleverage(fault, fault.percent or _HUNDRED)
            case FaultName.RULES_CHANGED:
                self._change_rules(fault)
            case _:  # THIN_BOOK
                percent = _DEFAULT_DEPTH if fault.percent is None else fault.percent
                self._change(fault, {"depth_share": percent / _HUNDRED})

    def _unmute(self) -> None:
        self._exchange.venue.streams.is_muted = False

    def _end_stops(self, fault: Fault, status: AlgoStatus) -> None:
        for account in self._exchange.venue.accounts.values():
            for algo in account.live_algos(fault.symbol or None):
                is_meant = algo.order_type == fault.order_type if fault.order_type else algo.is_stop_kind
                if is_meant:
                    self._exchange.algos.end_by_venue(account, algo, status)

    def _meet_trigger(self, algo: AlgoOrder) -> None:
        fault = self._exchange.faults.take_named(FaultName.TRIGGER_REJECTED, algo.symbol)
        if fault is not None:
            raise refusal(fault.code)

    def _deleverage(self, fault: Fault, percent: Decimal) -> None:
        """Let the position of a symbol, or a share of it, be deleveraged."""
        account = self._exchange.account
        step = self._exchange.venue.rules(fault.symbol).step_size
        for leg in [leg for leg in account.open_positions() if leg.symbol == fault.symbol]:
            quantity = max(step, abs(leg.amount) * percent / _HUNDRED // step * step)
            self._exchange.risk.deleverage(account, leg.symbol, leg.position_side, quantity, fault.price)

    def _change_rules(self, fault: Fault) -> None:
        changes: dict[str, object] = {}
        for name, text in fault.rules.items():
            if name == "status":
                changes["status"] = text
            elif (value := parse_number(text)) is not None:
                changes[_RULES[name]] = value
        if "stepSize" in fault.rules:
            changes["quantity_precision"] = decimals_of(Decimal(fault.rules["stepSize"]))
        self._change(fault, changes)

    def _change(self, fault: Fault, changes: dict[str, object]) -> None:
        """Changes of one symbol lie upon each other: each is taken back by itself, in whatever order they end."""
        symbol = fault.symbol
        self._rules.setdefault(symbol, self._exchange.venue.rules(symbol))
        self._changes.setdefault(symbol, []).append(changes)
        self._apply(symbol)
        fault.undo = lambda: self._take_back(symbol, changes)
        self._exchange.faults.add(fault)

    def _take_back(self, symbol: str, changes: dict[str, object]) -> None:
        self._changes[symbol] = [kept for kept in self._changes[symbol] if kept is not changes]
        self._apply(symbol)
        if not self._changes[symbol]:
            del self._changes[symbol], self._rules[symbol]

    def _apply(self, symbol: str) -> None:
        merged = {name: value for changes in self._changes[symbol] for name, value in changes.items()}
        self._exchange.venue.change_rules(replace(self._rules[symbol], **merged))  # type: ignore[arg-type]
