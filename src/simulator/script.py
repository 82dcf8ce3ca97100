"""A story with its moments: prices, faults and everything else that ``/sim/…`` can do, one JSON object per line.

``{"at_ms": 500, "do": "price", "symbol": "BTCUSDT", "price": "59000"}``. ``do`` may be left out where ``price`` or
``fault`` says it, so a price script is a script too. Moments count from the start, on the exchange's steady clock.
"""

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .control import ACTION_NAMES, perform
from .errors import ExchangeError
from .exchange import Exchange
from .fault_reading import BadRequestError, make_fault

_IMPLIED = (("fault", "fault"), ("price", "price"))


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """One thing to do, and when."""

    at_ms: int
    action: str
    body: dict[str, Any]
    line: int


def read_script(lines: Iterable[str], symbols: Iterable[str]) -> list[ScriptStep]:
    """Read a script, all of it at once so that a mistake shows at the start."""
    known = frozenset(symbols)
    steps: list[ScriptStep] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            step = _read_step(number, line)
            if "symbol" in step.body and step.body["symbol"] not in known:
                raise ValueError(f"script, line {number}: unknown symbol {step.body['symbol']}")
            if steps and step.at_ms < steps[-1].at_ms:
                raise ValueError(f"script, line {number}: earlier than the line before")
            steps.append(step)
    return steps


def _read_step(number: int, line: str) -> ScriptStep:
    try:
        entry = json.loads(line, parse_float=str)
        at_ms = int(entry.pop("at_ms"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"script, line {number}: not an object with at_ms") from error
    implied = next((action for name, action in _IMPLIED if name in entry), "")
    action = str(entry.pop("do", implied))
    # A reset would take the rest of the story with it.
    if action not in ACTION_NAMES - {"reset"}:
        raise ValueError(f"script, line {number}: do must be one of {', '.join(sorted(ACTION_NAMES - {'reset'}))}")
    if action == "fault":
        try:
            make_fault(entry)
        except (BadRequestError, ValueError, TypeError) as error:
            raise ValueError(f"script, line {number}: {error}") from error
    return ScriptStep(at_ms, action, entry, number)


def play(exchange: Exchange, steps: Iterable[ScriptStep]) -> None:
    """Plan a whole script from this moment on; what cannot be done is noted and does not stop the story."""
    start_ms = exchange.clock.steady_ms()
    for step in steps:
        exchange.agenda.plan(start_ms + step.at_ms, functools.partial(_do, exchange, step))
    exchange.agenda.run_due(start_ms)


def _do(exchange: Exchange, step: ScriptStep) -> None:
    try:
        perform(exchange, step.action, step.body)
    except (ExchangeError, BadRequestError, ValueError, TypeError) as error:
        exchange.notes.append(f"script, line {step.line}: {error}")
