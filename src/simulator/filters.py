"""The trading rules of a symbol, checked on a request. Codes: ``binance-usdm.md §6``."""

from decimal import Decimal

from .decimals import ZERO, decimals_of, money, trimmed
from .errors import Code, refusal
from .instruments import MULTIPLIER_DOWN, MULTIPLIER_UP, Instrument
from .markets import Market, opposite


def check_quantity(rules: Instrument, quantity: Decimal, *, is_market: bool) -> None:
    """Check LOT_SIZE, and MARKET_LOT_SIZE for what executes at market."""
    if quantity <= ZERO:
        raise refusal(Code.QUANTITY_NOT_POSITIVE)
    if decimals_of(quantity) > rules.quantity_precision:
        raise refusal(Code.PRECISION)
    if quantity < rules.step_size:
        raise refusal(Code.QUANTITY_BELOW_MIN)
    if quantity > rules.quantity_max or (is_market and quantity > rules.market_quantity_max):
        raise refusal(Code.QUANTITY_ABOVE_MAX)
    if quantity % rules.step_size:
        raise refusal(Code.QUANTITY_OFF_STEP)


def check_price(rules: Instrument, price: Decimal) -> None:
    """Check PRICE_FILTER for a limit price."""
    if price <= ZERO:
        raise refusal(Code.PRICE_NOT_POSITIVE)
    if decimals_of(price) > rules.price_precision:
        raise refusal(Code.PRECISION)
    if price > rules.price_max:
        raise refusal(Code.PRICE_ABOVE_MAX)
    if price < rules.price_min:
        raise refusal(Code.PRICE_BELOW_MIN)
    if price % rules.tick_size:
        raise refusal(Code.PRICE_OFF_TICK)


def check_trigger_price(rules: Instrument, price: Decimal) -> None:
    """Check the trigger of a conditional order, which has codes of its own for its range."""
    if price <= ZERO:
        raise refusal(Code.TRIGGER_NOT_POSITIVE)
    if price > rules.price_max:
        raise refusal(Code.TRIGGER_ABOVE_MAX)
    check_price(rules, price)


def check_price_band(market: Market, side: str, price: Decimal) -> None:
    """Check PERCENT_PRICE: a limit price must stay near the mark price, on the side where it could do harm."""
    tick = market.instrument.tick_size
    high, low = market.mark * MULTIPLIER_UP, market.mark * MULTIPLIER_DOWN
    if side == "BUY" and price > high:
        raise refusal(Code.PRICE_ABOVE_BAND, trimmed(high.quantize(tick)))
    if side == "SELL" and price < low:
        raise refusal(Code.PRICE_BELOW_BAND, trimmed(low.quantize(tick)))


def check_limit_near_trigger(rules: Instrument, side: str, price: Decimal, trigger_price: Decimal) -> None:
    """Check the limit price of a STOP or TAKE_PROFIT against its trigger."""
    high, low = trigger_price * MULTIPLIER_UP, trigger_price * MULTIPLIER_DOWN
    if side == "BUY" and price > high:
        raise refusal(Code.LIMIT_ABOVE_TRIGGER_BAND, trimmed(high.quantize(rules.tick_size)))
    if side == "SELL" and price < low:
        raise refusal(Code.LIMIT_BELOW_TRIGGER_BAND, trimmed(low.quantize(rules.tick_size)))


def check_counter_price(market: Market, side: str) -> None:
    """Refuse a MARKET order when the best price it would meet is missing or out of the band (-4131)."""
    best = market.best(opposite(side))
    if best is None or not market.mark * MULTIPLIER_DOWN <= best <= market.mark * MULTIPLIER_UP:
        raise refusal(Code.COUNTER_PRICE)


def check_trigger_band(market: Market, price: Decimal, multiplier: Decimal) -> None:
    """Refuse a trigger far away from the mark price (-4210, -4211); how far is nowhere stated, so a switch says it."""
    tick = market.instrument.tick_size
    high, low = market.mark * multiplier, market.mark / multiplier
    if price > high:
        raise refusal(Code.TRIGGER_ABOVE_BAND, trimmed(high.quantize(tick)))
    if price < low:
        raise refusal(Code.TRIGGER_BELOW_BAND, trimmed(low.quantize(tick)))


def is_notional_too_small(rules: Instrument, quantity: Decimal, price: Decimal) -> bool:
    """Tell whether an order is worth less than MIN_NOTIONAL."""
    return money(quantity * price) < rules.notional_min


def check_notional(rules: Instrument, quantity: Decimal, price: Decimal) -> None:
    """Check MIN_NOTIONAL; the caller knows who is exempt."""
    if is_notional_too_small(rules, quantity, price):
        raise refusal(Code.MIN_NOTIONAL, trimmed(rules.notional_min))
