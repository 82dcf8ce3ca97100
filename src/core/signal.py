"""The signal: an outside wish to trade, before any check."""

from __future__ import annotations

import math
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from .errors import BracketeerError
from .redaction import Redactor
from .values import PositionSide, Side, WorkingType

if TYPE_CHECKING:
    Amount = str | int | Decimal | None
else:
    # What a signal keeps and the journal can hold. A float stays a float, so that a replay refuses it as the first run
    # did.
    Amount = str | float | None


AMOUNT_FIELDS = ("quantity", "notional", "take_profit", "stop_loss", "entry_price")


class SignalMalformed(BracketeerError):  # noqa: N818 - reads as the fact it states
    """A signal's JSON cannot be read."""

    default_code = "malformed_json"


class SignalType(StrEnum):
    """What the upstream asks for."""

    LONG_ENTRY = "LONG_ENTRY"
    SHORT_ENTRY = "SHORT_ENTRY"
    CLOSE = "CLOSE"
    CLOSE_LONG = "CLOSE_LONG"
    CLOSE_SHORT = "CLOSE_SHORT"

    @property
    def is_entry(self) -> bool:
        """Whether this opens a position."""
        return self in (SignalType.LONG_ENTRY, SignalType.SHORT_ENTRY)

    @property
    def entry_side(self) -> Side:
        """The side of the entry order. Only meaningful where `is_entry` holds."""
        return Side.BUY if self is SignalType.LONG_ENTRY else Side.SELL


class Signal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An outside wish to trade.

    Exactly one of `quantity` (base asset) and `notional` (USDT) is given for entries; prices are in USDT. `timestamp`
    is when the upstream decided (ms since the epoch) and `ttl_ms` how long after it the wish is still worth following.
    `signal_id` names the wish: the same id never trades twice. One is generated when absent, but then a re-sent wish
    cannot be recognised, so the upstream should give one.

    Amounts may be given as text (best), `int` or `Decimal`, and are kept as text, so that a signal read back from the
    journal equals the one that was written. Whether they are numbers at all is for the checks to say: a signal that
    asks for nonsense can be built, so that it can be refused on record.
    """

    signal_type: SignalType
    symbol: str
    signal_id: str = ""
    quantity: Amount = None
    notional: Amount = None
    take_profit: Amount = None
    stop_loss: Amount = None
    entry_price: Amount = None
    timestamp: int | None = None
    ttl_ms: int | None = None
    strategy: str = ""
    position_side: PositionSide = PositionSide.BOTH
    working_type: WorkingType | None = None

    def __post_init__(self) -> None:
        for name in AMOUNT_FIELDS:
            msgspec.structs.force_setattr(self, name, _kept(getattr(self, name)))

    @classmethod
    def from_json(cls, text: str | bytes) -> Signal:
        """Read one signal from a JSON object.

        Numbers may be JSON strings or JSON numbers; JSON numbers are read digit by digit, not as floats.

        Raises:
            SignalMalformed: not JSON, unknown fields, missing fields, wrong types.
        """
        try:
            return _DECODER.decode(text).to_signal()
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise SignalMalformed(f"the signal cannot be read: {error}") from None


def as_recorded(signal: Signal, redactor: Redactor) -> Signal:
    """The signal as the journal will give it back: the first run has to follow what a replay will.

    A `Signal` built in a program may hold anything in any field. What the journal could not hold, or would hold
    otherwise, must not cause an order: the next start could not read it.

    Raises:
        SignalMalformed: `malformed_signal`: a field of a wrong type, or text that is not Unicode; `signal_id_invalid`:
            the id reads like a secret and is masked in the log, so that it could not be recognised.
    """
    try:
        text = redactor.data(msgspec.json.encode(signal))
        recorded = msgspec.json.decode(text, type=Signal)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        raise SignalMalformed(f"the signal cannot be kept on record: {error}", code="malformed_signal") from None
    for name in signal.__struct_fields__:
        given = getattr(signal, name)
        if not isinstance(given, str) and getattr(recorded, name) != given:  # bytes, which JSON has as other text
            raise SignalMalformed(f"{name} cannot be kept on record: {given!r}", code="malformed_signal")
    if recorded.signal_id != signal.signal_id:
        raise SignalMalformed(
            f"the signal id {recorded.signal_id!r} is masked in the audit log, as it reads like a secret, and could not"
            " be recognised when it comes again: give it another one",
            code="signal_id_invalid",
        )
    return recorded


class _RawSignal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The JSON face of `Signal`: amounts may be JSON numbers, which the decoder below keeps digit by digit."""

    signal_type: SignalType
    symbol: str
    signal_id: str = ""
    quantity: Any = None
    notional: Any = None
    take_profit: Any = None
    stop_loss: Any = None
    entry_price: Any = None
    timestamp: int | None = None
    ttl_ms: int | None = None
    strategy: str = ""
    position_side: PositionSide = PositionSide.BOTH
    working_type: WorkingType | None = None

    def to_signal(self) -> Signal:
        return Signal(**{name: getattr(self, name) for name in self.__struct_fields__})


_DECODER = msgspec.json.Decoder(_RawSignal, float_hook=str)


def _kept(amount: object) -> str | float | None:
    """An amount in a form that survives the journal unchanged."""
    if amount is None or isinstance(amount, str):
        return amount
    if isinstance(amount, float) and math.isfinite(amount):
        return amount
    return str(amount)  # int and Decimal exactly; anything else becomes text that is no number
