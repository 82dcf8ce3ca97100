"""priceMatch: a limit price taken from the book (``binance-usdm.md §5.5``)."""

from decimal import Decimal

from .errors import Code, refusal
from .markets import Market, opposite
from .profiles import Switches

NO_MATCH = "NONE"
_KINDS = ("OPPONENT", "QUEUE")
_DEPTHS = ("", "_5", "_10", "_20")
MATCHES = frozenset({NO_MATCH, *(kind + depth for kind in _KINDS for depth in _DEPTHS)})
_DEEP_OPPONENT = frozenset({"OPPONENT_10", "OPPONENT_20"})


def check_match(match: str, order_type: str, switches: Switches) -> None:
    """Refuse an unknown match (-5037) and one for an order without a limit price (-5038)."""
    if match not in MATCHES or (match in _DEEP_OPPONENT and not switches.opponent_10_20):
        raise refusal(Code.PRICE_MATCH)
    if match != NO_MATCH and order_type not in {"LIMIT", "STOP", "TAKE_PROFIT"}:
        raise refusal(Code.PRICE_MATCH_TYPE)


def matched_price(market: Market, side: str, match: str) -> Decimal:
    """Give the price of the n-th level of the order's own side or of the other; without that level -5041."""
    kind, _, depth = match.partition("_")
    number = int(depth or 1)
    levels = market.depth(side if kind == "QUEUE" else opposite(side), number)
    if len(levels) < number:
        raise refusal(Code.PRICE_MATCH_DEPTH)
    return levels[-1][0]
