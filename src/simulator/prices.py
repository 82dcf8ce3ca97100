"""Price paths: what the market does, step by step, in the path's own time.

A path is an iterator of steps; the server plays it faster or slower, while the exchange's clock stays real. All numbers
are decimal and every choice comes from the seeded generator, so a path is the same on every machine.
"""

import csv
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from pathlib import Path

from .instruments import Instrument

BITCOIN = "BTCUSDT"
_CANDLE_MS = 60_000
# Open, high, low, close share the minute of a candle.
_POINTS_PER_CANDLE = 4
_WALK_STEP_MS = 1_000
# A walk step moves the price by at most 0.02 %, evenly spread: mild enough to watch.
_WALK_STEP_MAX_PPM = 200
# Other symbols follow bitcoin by a factor between 0.8 and 1.3 and add up to 0.01 % of their own.
_BETA_PERCENT = (80, 130)
_OWN_NOISE_MAX_PPM = 100

LastPrice = Callable[[str], Decimal]


@dataclass(frozen=True, slots=True)
class PriceStep:
    """Prices that come true after a pause."""

    pause_ms: int
    prices: dict[str, Decimal]


PricePath = Iterator[PriceStep]


class Followers:
    """Symbols that go along with bitcoin, each with a seeded factor and noise of its own."""

    def __init__(self, instruments: dict[str, Instrument], last_price: LastPrice, rng: random.Random) -> None:
        self._instruments = instruments
        self._last_price = last_price
        self._rng = rng
        self._betas = {
            symbol: Decimal(rng.randint(*_BETA_PERCENT)) / 100
            for symbol, rules in instruments.items()
            if rules.is_trading and symbol != BITCOIN
        }

    def follow(self, bitcoin: Decimal, change: Decimal) -> dict[str, Decimal]:
        """Give all prices after a relative change of bitcoin to a new price."""
        prices = {BITCOIN: self._instruments[BITCOIN].to_tick(bitcoin)}
        for symbol, beta in self._betas.items():
            noise = Decimal(self._rng.randint(-_OWN_NOISE_MAX_PPM, _OWN_NOISE_MAX_PPM)).scaleb(-6)
            price = self._last_price(symbol) * (1 + beta * change + noise)
            prices[symbol] = self._instruments[symbol].to_tick(price)
        return prices


def walk(followers: Followers, last_price: LastPrice, rng: random.Random) -> PricePath:
    """Wander for ever from wherever the price is."""
    while True:
        change = Decimal(rng.randint(-_WALK_STEP_MAX_PPM, _WALK_STEP_MAX_PPM)).scaleb(-6)
        yield PriceStep(_WALK_STEP_MS, followers.follow(last_price(BITCOIN) * (1 + change), change))


def candles(played: list[Decimal], followers: Followers, pause_ms: int) -> PricePath:
    """Play bitcoin prices one after the other; the first one sets the scene without moving the others."""
    before: Decimal | None = None
    for price in played:
        change = Decimal(0) if before is None else price / before - 1
        yield PriceStep(0 if before is None else pause_ms, followers.follow(price, change))
        before = price


def scripted(lines: list[str], instruments: dict[str, Instrument]) -> PricePath:
    """Read a script of ``at_ms``, ``symbol`` and ``price`` rows, all at once so that a mistake shows at the start."""
    steps: list[PriceStep] = []
    now_ms = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line, parse_float=str)
            at_ms, symbol, price = int(entry["at_ms"]), entry["symbol"], Decimal(entry["price"])
        except (ValueError, KeyError, TypeError, ArithmeticError) as error:
            raise ValueError(f"price script, line {number}: not an object with at_ms, symbol and price") from error
        if symbol not in instruments or at_ms < now_ms:
            raise ValueError(f"price script, line {number}: unknown symbol, or earlier than the line before")
        steps.append(PriceStep(at_ms - now_ms, {symbol: price}))
        now_ms = at_ms
    return iter(steps)


def candle_prices(lines: list[str]) -> list[Decimal]:
    """Read candles with a header naming open, high, low and close; each gives four prices.

    The extreme against the candle comes first: low before high in a rising minute, high before low in a falling one.
    """
    prices: list[Decimal] = []
    for number, row in enumerate(csv.DictReader(lines), start=2):
        try:
            opened, high, low, close = (Decimal(row[name]) for name in ("open", "high", "low", "close"))
        except (KeyError, TypeError, ArithmeticError) as error:
            raise ValueError(f"candles, line {number}: open, high, low and close must be numbers") from error
        prices += (opened, low, high, close) if close >= opened else (opened, high, low, close)
    return prices


def sample_prices() -> list[Decimal]:
    """Read the series carried in the package: one-minute closes of an eventful day, of our own making."""
    text = resources.files(__package__).joinpath("sample_prices.txt").read_text(encoding="utf-8")
    return [Decimal(close) for close in text.split()]


def open_path(source: str, instruments: dict[str, Instrument], last_price: LastPrice, rng: random.Random) -> PricePath:
    """Open a price path: ``walk``, ``frozen``, ``sample``, or a file (candle CSV or JSON Lines)."""
    if source == "frozen":
        return iter(())
    followers = Followers(instruments, last_price, rng)
    if source == "walk":
        return walk(followers, last_price, rng)
    if source == "sample":
        return candles(sample_prices(), followers, _CANDLE_MS)
    lines = Path(source).read_text(encoding="utf-8").splitlines()
    if lines and lines[0].lstrip().startswith("{"):
        return scripted(lines, instruments)
    return candles(candle_prices(lines), followers, _CANDLE_MS // _POINTS_PER_CANDLE)
