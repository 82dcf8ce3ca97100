"""Our own refusals: one code each, a sentence with its numbers, and a paragraph for whoever operates this.

*Denied* is what we say before anything is sent; *rejected* is what the exchange says.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from .values import plain

_SHOWN_MAX = 60  # a refusal quotes what was sent, not all of what was sent


class DenialCode(StrEnum):
    """Every reason for which a signal is not followed. Stable: programs upstream may branch on it."""

    MALFORMED_JSON = "malformed_json"
    MALFORMED_SIGNAL = "malformed_signal"
    SIGNAL_ID_INVALID = "signal_id_invalid"
    SYMBOL_INVALID = "symbol_invalid"
    UNKNOWN_SYMBOL = "unknown_symbol"
    SYMBOL_NOT_TRADING = "symbol_not_trading"
    QUANTITY_MISSING = "quantity_missing"
    QUANTITY_AND_NOTIONAL = "quantity_and_notional"
    QUANTITY_NOT_EXACT = "quantity_not_exact"
    QUANTITY_NOT_A_NUMBER = "quantity_not_a_number"
    QUANTITY_NOT_POSITIVE = "quantity_not_positive"
    QUANTITY_TOO_SMALL = "quantity_too_small"
    QUANTITY_TOO_PRECISE = "quantity_too_precise"
    QUANTITY_TOO_LARGE = "quantity_too_large"
    CLOSE_TAKES_NO_QUANTITY = "close_takes_no_quantity"
    NOTIONAL_TOO_SMALL = "notional_too_small"
    PRICE_INVALID = "price_invalid"
    STOP_LOSS_REQUIRED = "stop_loss_required"
    STOP_LOSS_WRONG_SIDE = "stop_loss_wrong_side"
    TAKE_PROFIT_WRONG_SIDE = "take_profit_wrong_side"
    SIGNAL_EXPIRED = "signal_expired"
    SIGNAL_FROM_FUTURE = "signal_from_future"
    TIMESTAMP_MISSING = "timestamp_missing"
    DUPLICATE_SIGNAL = "duplicate_signal"
    HEDGE_MODE_UNSUPPORTED = "hedge_mode_unsupported"
    POSITION_OPEN = "position_open"
    OPPOSITE_POSITION = "opposite_position"
    EXTERNAL_POSITION = "external_position"
    SYMBOL_BUSY = "symbol_busy"
    RATE_BUDGET = "rate_budget"
    PROTECT_ONLY = "protect_only"
    AUDIT_UNAVAILABLE = "audit_unavailable"
    EXCHANGE_UNREACHABLE = "exchange_unreachable"
    RULES_UNAVAILABLE = "rules_unavailable"
    REFERENCE_PRICE_MISSING = "reference_price_missing"
    WRONG_KEY = "wrong_key"
    CLOCK_SKEW = "clock_skew"


class Denied(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal of ours: nothing was sent. `text` says what to do; `context` holds the numbers, as text."""

    code: DenialCode
    text: str
    context: dict[str, str] = msgspec.field(default_factory=dict)


def denied(code: DenialCode, text: str, **facts: object) -> Denied:
    """A refusal, its facts turned to text."""
    return Denied(code=code, text=text, context={name: _fact(value) for name, value in facts.items()})


def shown(value: object) -> str:
    """What an upstream sent, quoted for a sentence: on one line, and never long."""
    if isinstance(value, str) and len(value) > _SHOWN_MAX:
        value = value[:_SHOWN_MAX] + "…"
    return ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)


def _fact(value: object) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    return shown(value)[1:-1] if isinstance(value, str) else str(value)


def describe(code: DenialCode) -> str:
    """A paragraph for the operator: what the code means, why it is refused, what to do."""
    return _DESCRIPTIONS[code]


def denial_table() -> str:
    """All codes with their paragraphs as a Markdown table: the README's, made from here so that it cannot lag."""
    rows = [f"| `{code}` | {describe(code)} |" for code in DenialCode]
    return "\n".join(["| code | meaning, and what to do |", "|---|---|", *rows])


_DESCRIPTIONS = {
    DenialCode.MALFORMED_JSON: (
        "The signal is not JSON, lacks a field, has an unknown one, or one of a wrong type. A misspelt field"
        " could be a lost stop, so nothing is guessed: correct the signal as the text says and send it again."
    ),
    DenialCode.MALFORMED_SIGNAL: (
        "A field of the `Signal` has a wrong type (a float as `timestamp`, say), or text that is not Unicode. The"
        " audit log could not give it back as it was, and a replay would decide something else: build it with the"
        " types the class names."
    ),
    DenialCode.SIGNAL_ID_INVALID: (
        "The signal id is empty, too long, holds characters that cannot be printed, or reads like a secret"
        " (`signature=…`) and would be masked in the log. The id is what keeps a"
        " signal from trading twice: give each wish one of 1 to 200 printable characters, without spaces at"
        " either end."
    ),
    DenialCode.SYMBOL_INVALID: (
        "The symbol cannot be one of the exchange's: upper-case letters, digits and `_`, up to 40 (some"
        " symbols have letters that are not ASCII). Lower case is not corrected in silence; write it as the"
        " exchange does: BTCUSDT."
    ),
    DenialCode.UNKNOWN_SYMBOL: (
        "The symbol is well formed, but exchangeInfo does not list it. Check the spelling, and that it is a"
        " USDⓈ-M symbol of the venue in use: the testnet lists others than the mainnet."
    ),
    DenialCode.SYMBOL_NOT_TRADING: (
        "The exchange lists the symbol but does not trade it now (settling, halted, not open yet, being"
        " delisted). Wait until its status is TRADING."
    ),
    DenialCode.QUANTITY_MISSING: (
        "An entry says neither how much to buy nor for how much money. Give `quantity` (base asset) or"
        " `notional` (USDT)."
    ),
    DenialCode.QUANTITY_AND_NOTIONAL: (
        "An entry has both `quantity` and `notional`, which may contradict each other. Give one of them."
    ),
    DenialCode.QUANTITY_NOT_EXACT: (
        "The amount came as a binary float, which is not the number that was meant (0.1 is"
        " 0.1000000000000000055…). Give it as text or as a Decimal."
    ),
    DenialCode.QUANTITY_NOT_A_NUMBER: (
        "The amount is not a finite number (NaN, infinity, or no number at all). It usually means that a"
        " calculation upstream failed: look there before sending again."
    ),
    DenialCode.QUANTITY_NOT_POSITIVE: (
        "The amount is zero or negative. Direction is said by the signal type, so amounts are always above"
        " zero; a zero is often a size that was rounded away upstream."
    ),
    DenialCode.QUANTITY_TOO_SMALL: (
        "The quantity, given or derived from the notional, is below the symbol's minimum for market orders."
        " Ask for at least what the text says."
    ),
    DenialCode.QUANTITY_TOO_PRECISE: (
        "The quantity is not a whole number of the symbol's quantity steps. What was asked for cannot be had"
        " exactly, and which way to round is the sender's choice: send one of the quantities in the text, or"
        " a `notional`, which is always rounded down."
    ),
    DenialCode.QUANTITY_TOO_LARGE: (
        "The quantity is above the symbol's maximum for one market order. Ask for less; a bracket is one"
        " entry, and is not split."
    ),
    DenialCode.CLOSE_TAKES_NO_QUANTITY: (
        "A CLOSE carries a quantity or a notional. CLOSE always closes the whole position, so following it"
        " could close more than was meant: send it without an amount."
    ),
    DenialCode.NOTIONAL_TOO_SMALL: (
        "Quantity times price is below the symbol's minimum, so the exchange would refuse the entry (-4164)."
        " Ask for at least the quantity in the text."
    ),
    DenialCode.PRICE_INVALID: (
        "A price of the signal is a binary float, no finite number, not above zero, or outside the range in"
        " which the symbol may trade. Correct the price named in the text; give it as text or as a Decimal."
    ),
    DenialCode.STOP_LOSS_REQUIRED: (
        "The entry has no stop loss, and positions without one are not allowed here. Give `stop_loss`."
        " Setting REQUIRE_STOP_LOSS=false allows such entries; nothing then bounds the loss."
    ),
    DenialCode.STOP_LOSS_WRONG_SIDE: (
        "The stop loss, rounded to the tick, is not on the losing side of the price it watches (below it for"
        " a long, above it for a short), so it would fire at once. Often stop loss and take profit are"
        " swapped, or the market has already gone through the stop: then the signal is too late."
    ),
    DenialCode.TAKE_PROFIT_WRONG_SIDE: (
        "The take profit, rounded to the tick, is not on the winning side of the price it watches (above it"
        " for a long, below it for a short), so it would fire at once. Often the market is already there:"
        " then the signal is too late."
    ),
    DenialCode.SIGNAL_EXPIRED: (
        "The signal is older than its `ttl_ms` (or, lacking one, than SIGNAL_TTL_MS). Markets moved on:"
        " decide anew upstream. If all signals expire, compare the clocks, and see that `timestamp` is in"
        " milliseconds."
    ),
    DenialCode.SIGNAL_FROM_FUTURE: (
        "The signal's timestamp is more than a minute ahead of the exchange's clock, so its age cannot be"
        " judged. Correct the sender's clock, and see that `timestamp` is in milliseconds and UTC."
    ),
    DenialCode.TIMESTAMP_MISSING: (
        "The signal has a `ttl_ms` but no `timestamp` to count it from, so its age cannot be judged. Send both."
    ),
    DenialCode.DUPLICATE_SIGNAL: (
        "A signal of this id was received before. One id never trades twice, also across restarts: this one"
        " did nothing. A new wish needs a new id."
    ),
    DenialCode.HEDGE_MODE_UNSUPPORTED: (
        "The account is in hedge mode, or the signal names a LONG or SHORT position side. Only one-way mode"
        " is supported for now. Switch while nothing is open: in the exchange's futures preferences under"
        " Position Mode, or with `POST /fapi/v1/positionSide/dual?dualSidePosition=false`; and send no"
        " `position_side`."
    ),
    DenialCode.POSITION_OPEN: (
        "A bracket of ours is open on the symbol in the same direction, and adding to one is off. Wait until"
        " it is closed, or send CLOSE first."
    ),
    DenialCode.OPPOSITE_POSITION: (
        "A bracket of ours is open on the symbol in the other direction, and reversing is off. Send CLOSE,"
        " and the new entry when it is done."
    ),
    DenialCode.EXTERNAL_POSITION: (
        "The symbol has a position that was not opened here (by hand, or by another program). It is never"
        " touched, and in one-way mode an entry would mix with it. Close it where it was opened, trade another"
        " symbol, or have such positions taken over with EXTERNAL_POSITION_CLAIMS."
    ),
    DenialCode.SYMBOL_BUSY: (
        "An earlier order on the symbol has an outcome that is still being found out, or its bracket is being"
        " cleared up. That takes seconds: send the signal again then."
    ),
    DenialCode.RATE_BUDGET: (
        "There is not room for a whole bracket in the exchange's request or order limits, and what is left is"
        " kept for protecting open positions. Send fewer signals; the limits are counted per minute and per"
        " ten seconds."
    ),
    DenialCode.PROTECT_ONLY: (
        "The manager started while a position of ours was open, and not everything a start has to find out is"
        " known yet (the text names what is missing). Positions are guarded, CLOSE works, and the missing checks"
        " are tried again by themselves: send the signal again when they have succeeded."
    ),
    DenialCode.AUDIT_UNAVAILABLE: (
        "The audit log cannot be written, and nothing is traded that is not on record first. Exits and"
        " protection go on. Free disk space, or make the folder AUDIT_LOG_DIR writable."
    ),
    DenialCode.EXCHANGE_UNREACHABLE: (
        "The exchange did not answer the questions that come before an entry, so none was sent. Check the"
        " network and the exchange's status page, then send the signal again."
    ),
    DenialCode.RULES_UNAVAILABLE: (
        "The exchange's trading rules (exchangeInfo) could not be fetched and none are known from before."
        " Without them no price or quantity can be made right. It is tried again with the next signal."
    ),
    DenialCode.REFERENCE_PRICE_MISSING: (
        "The exchange gave no usable price for the symbol, so the sides of stop and target cannot be checked."
        " It is tried again with the next signal."
    ),
    DenialCode.WRONG_KEY: (
        "The exchange does not accept the API key, its secret, its permissions or this address (-2014, -2015,"
        " -1022). Set BINANCE_API_KEY and BINANCE_API_SECRET to a pair made for this venue (testnet keys are"
        " not mainnet keys), allow futures trading for it, and add this machine's address where the key is"
        " bound to some."
    ),
    DenialCode.CLOCK_SKEW: (
        "The exchange refuses our timestamps (-1021) even after its clock was measured anew. Synchronise this"
        " machine's clock (NTP), and look for pauses of the process or a very slow network."
    ),
}
