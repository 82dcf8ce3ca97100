"""Request parameters: where they come from and how a wrong one is refused.

Names match without case (``binance-usdm.md §3.0``); of a name in both query and body the query wins (``§2.1``). Unknown
parameters are ignored.
"""

import re
from decimal import Decimal
from urllib.parse import unquote_plus

from .decimals import parse_number
from .errors import Code, refusal

_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_INTEGER = re.compile(r"-?[0-9]{1,19}")


def _decode(text: str) -> str:
    """Undo the encoding of a name or a value; most have none, and this is asked ten times per order."""
    return unquote_plus(text) if "%" in text or "+" in text else text


class Params:
    """The parameters of one request, by lower-case name."""

    def __init__(self, sent: dict[str, str]) -> None:
        self.sent = sent  # under the names the client used
        self._values = {name.lower(): value for name, value in sent.items()}

    @classmethod
    def parse(cls, raw_query: str, body: str) -> "Params":
        """Read the query string and a form body."""
        values: dict[str, str] = {}
        for part in (body, raw_query):
            for pair in part.split("&") if part else ():
                name, _, value = pair.partition("=")
                if name:
                    values[_decode(name)] = _decode(value)
        return cls(values)

    def has(self, name: str) -> bool:
        """Tell whether a parameter came with a value."""
        return bool(self._values.get(name.lower()))

    def text(self, name: str, default: str | None = None) -> str:
        """Give a text; without a default it is mandatory (-1102)."""
        value = self._values.get(name.lower(), "")
        if value:
            return value
        if default is None:
            raise refusal(Code.MANDATORY_PARAMETER, name)
        return default

    def choice(self, name: str, allowed: frozenset[str], code: Code, default: str | None = None) -> str:
        """Give one of several texts; another one is refused with ``code``."""
        value = self.text(name, default)
        if value not in allowed:
            raise refusal(code, name)
        return value

    def number(self, name: str) -> Decimal:
        """Give a decimal number; text that is none is -1100."""
        value = parse_number(self.text(name))
        if value is None:
            raise refusal(Code.ILLEGAL_CHARACTERS, name)
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """Give an integer; a malformed one is -1102, like a missing one."""
        if default is not None and not self.has(name):
            return default
        value = self.text(name)
        if not _INTEGER.fullmatch(value):
            raise refusal(Code.MANDATORY_PARAMETER, name)
        return int(value)

    def flag(self, name: str, code: Code = Code.PARAMETER_VALUE) -> bool:
        """Give a boolean, written ``true`` or ``false`` (``binance-usdm.md §3.0``); absent is false."""
        return self.choice(name, frozenset({"true", "false", "TRUE", "FALSE"}), code, "false").lower() == "true"

    def client_id(self, name: str) -> str:
        """Give a caller's order id, empty when none was sent; a bad form is -4015 (``binance-usdm.md §5.4``)."""
        value = self.text(name, "")
        if value and not _CLIENT_ID.fullmatch(value):
            raise refusal(Code.CLIENT_ID)
        return value
