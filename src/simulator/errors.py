"""The refusals of the exchange: code, text and HTTP status."""

from .error_codes import Code
from .error_texts import TEXTS

__all__ = ["Code", "ExchangeError", "refusal", "status_of", "text_of"]

# HTTP statuses other than 400 (``binance-usdm.md §2.2, §7.3, §8``). That of -1016 is nowhere stated: a switch.
_HTTP_STATUS: dict[int, int] = {
    Code.TOO_MANY_REQUESTS: 429,
    Code.TOO_MANY_ORDERS: 429,
    Code.KEY_FORMAT: 401,
    Code.KEY_REJECTED: 401,
    Code.UNAUTHORIZED: 401,
    Code.INVALID_PATH: 404,
    Code.DISCONNECTED: 503,
    Code.OVERLOADED: 503,
    Code.TIMEOUT: 408,
}


class ExchangeError(Exception):
    """A refusal: the request did nothing."""

    def __init__(self, code: int, text: str, status: int) -> None:
        super().__init__(f"{code}: {text}")
        self.code = int(code)
        self.text = text
        self.status = status
        # Seconds until it is worth asking again, where the exchange knows.
        self.retry_after_s: int | None = None


def refusal(code: int, *details: object) -> ExchangeError:
    """Build the refusal for a code, with the details its text has room for."""
    return ExchangeError(code, text_of(code, *details), status_of(code))


def text_of(code: int, *details: object) -> str:
    """Give the text of a code; one that is not in the reference gets a neutral one."""
    template = TEXTS.get(code, "Request refused.")
    return template.format(*details, *["-"] * max(0, template.count("{}") - len(details)))


def status_of(code: int) -> int:
    """Give the HTTP status of a code: 400 unless the reference says otherwise."""
    return _HTTP_STATUS.get(code, 400)
