"""What a signal's decision needs to know, asked of the exchange before the engine decides."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from decimal import Decimal
from typing import Protocol, TypeVar

from ..core.denial import DenialCode
from ..core.events import SignalContext
from ..core.form import check_form
from ..core.instrument import Instrument
from ..core.settings import Policy
from ..core.signal import Signal
from .errors import AuthenticationFailed, ClockSkewed, ExchangeError, ExchangeUnreachable, RateLimited
from .exchange_info import ExchangeInfoCache
from .ports import Gateway, Runtime

_T = TypeVar("_T")
PATIENCE_S = 30
"""Longer than the transport's timeouts and retries together: only reached when the manager is being closed."""


class Problem(Exception):  # noqa: N818 - it is a finding, not a failure of ours
    """A reason to deny, found while gathering."""

    def __init__(self, code: DenialCode, text: str, **context: str) -> None:
        super().__init__(text)
        self.code, self.text, self.context = code, text, context


class Gate(Protocol):
    """Standing conditions under which no entry is let in."""

    def __call__(self) -> Problem | None:
        """What stands in the way now."""
        ...


class Gatherer:
    """Collects the context of one signal. The questions go out at the same time."""

    def __init__(
        self, gateway: Gateway, rules: ExchangeInfoCache, runtime: Runtime, policy: Policy, gates: list[Gate]
    ) -> None:
        self._gateway = gateway
        self._rules = rules
        self._runtime = runtime
        self._policy = policy
        self._gates = gates

    def gather(self, signal: Signal) -> SignalContext:
        """The context of a signal; a problem on the way is part of it, not an exception."""
        denied = check_form(signal, self._policy, self._gateway.exchange_now_ms())
        if denied is not None:  # nothing needs to be asked; a millisecond later it may look well-formed, but for this
            facts = {name: str(fact) for name, fact in denied.context.items()}
            return SignalContext(problem=denied.code.value, problem_text=denied.text, problem_context=facts)
        try:
            return self._entry(signal) if signal.signal_type.is_entry else self._close(signal)
        except Problem as problem:
            return SignalContext(problem=problem.code.value, problem_text=problem.text, problem_context=problem.context)

    def _entry(self, signal: Signal) -> SignalContext:
        for gate in self._gates:
            problem = gate()
            if problem is not None:
                raise problem
        position = self._start(lambda: self._amount(signal.symbol))
        working_type = signal.working_type or self._policy.working_type
        instrument = _asked(lambda: self._look_up_rules(signal.symbol), DenialCode.RULES_UNAVAILABLE)
        if instrument is None:
            raise Problem(
                DenialCode.UNKNOWN_SYMBOL,
                f"the exchange does not list {signal.symbol}; check the spelling, such as BTCUSDT",
                symbol=signal.symbol,
            )
        price = _asked(
            lambda: self._gateway.reference_price(signal.symbol, working_type),
            DenialCode.EXCHANGE_UNREACHABLE,
        )
        asked_at_ms, amount = position()
        return SignalContext(
            instrument=instrument, reference_price=price, position_amount=amount, asked_at_ms=asked_at_ms
        )

    def _close(self, signal: Signal) -> SignalContext:
        asked_at_ms, amount = self._amount(signal.symbol)
        return SignalContext(position_amount=amount, asked_at_ms=asked_at_ms)

    def _look_up_rules(self, symbol: str) -> Instrument | None:
        """The rules of a symbol; one that is not in the cache may have been listed since."""
        found = self._rules.rules(symbol)
        if found is None and self._rules.refresh_after_filter_error():
            found = self._rules.rules(symbol)
        return found

    def _amount(self, symbol: str) -> tuple[int, Decimal]:
        return _asked(lambda: self._gateway.dated_amount(symbol), DenialCode.EXCHANGE_UNREACHABLE)

    def _start(self, question: Callable[[], _T]) -> Callable[[], _T]:
        """Ask on a worker; the result is fetched by calling what comes back."""
        future: Future[_T] = Future()

        def work() -> None:
            try:
                future.set_result(question())
            except BaseException as failure:  # noqa: BLE001 - it travels to the thread that waits for the answer
                future.set_exception(failure)

        if not self._runtime.spawn(work):
            raise Problem(DenialCode.EXCHANGE_UNREACHABLE, "the manager is being closed")

        def answer() -> _T:
            try:
                return future.result(PATIENCE_S)
            except TimeoutError:
                raise Problem(DenialCode.EXCHANGE_UNREACHABLE, "the exchange did not answer in time") from None

        return answer


def _asked(question: Callable[[], _T], otherwise: DenialCode) -> _T:
    """Ask, and turn what the exchange or the network does into a reason to deny."""
    try:
        return question()
    except ExchangeError as error:
        raise Problem(_code(error, otherwise), error.message, **_facts(error)) from None


def _code(error: ExchangeError, otherwise: DenialCode) -> DenialCode:
    match error:
        case AuthenticationFailed():
            return DenialCode.WRONG_KEY
        case ClockSkewed():
            return DenialCode.CLOCK_SKEW
        case RateLimited():
            return DenialCode.RATE_BUDGET
        case ExchangeUnreachable():
            return DenialCode.EXCHANGE_UNREACHABLE
        case _:
            return DenialCode.UNKNOWN_SYMBOL if error.exchange_code == -1121 else otherwise


def _facts(error: ExchangeError) -> dict[str, str]:
    return {name: str(value) for name, value in error.context.items()}
