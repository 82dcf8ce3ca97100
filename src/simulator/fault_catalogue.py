"""The catalogue of faults: every way the venue can fail a client, by name.

Where they come from: ``failure-modes.md`` for what really happened to people, ``binance-usdm.md §8`` for the answers.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum

FOR_EVER = -1


class FaultName(StrEnum):
    """The names, as ``POST /sim/fault`` and ``--list-faults`` use them."""

    # Requests.
    REPLY_LOST = "reply_lost"
    REQUEST_LOST = "request_lost"
    REFUSE = "refuse"
    STATUS_503 = "status_503"
    STATUS_503_EXECUTED = "status_503_executed"
    STATUS_503_UNKNOWN = "status_503_unknown"
    STATUS_503_INTERNAL = "status_503_internal"
    STATUS_500 = "status_500"
    STATUS_502 = "status_502"
    STATUS_504 = "status_504"
    TIMEOUT_1007 = "timeout_1007"
    BUS_1006 = "bus_1006"
    FIREWALL = "firewall"
    GARBLED = "garbled"
    DELAY = "delay"
    LATE_REQUEST = "late_request"
    LATE_AT_ENGINE = "late_at_engine"
    RATE_LIMITED = "rate_limited"
    ORDER_LIMITED = "order_limited"
    OVERLOADED = "overloaded"
    MAINTENANCE = "maintenance"
    ORDER_DENIED = "order_denied"
    STALE_READS = "stale_reads"
    EMPTY_ANSWER = "empty_answer"
    ORDER_SHRUNK = "order_shrunk"
    # Streams.
    STREAM_DROP = "stream_drop"
    STREAM_MUTE = "stream_mute"
    STREAM_UNMUTE = "stream_unmute"
    STREAM_LOSE = "stream_lose"
    STREAM_DUPLICATE = "stream_duplicate"
    STREAM_REORDER = "stream_reorder"
    STREAM_DELAY = "stream_delay"
    STREAM_UNKNOWN = "stream_unknown"
    STREAM_GARBLED = "stream_garbled"
    LISTEN_KEY_EXPIRED = "listen_key_expired"
    # The venue acts.
    BANNED = "banned"
    STOP_CANCELED = "stop_canceled"
    STOP_EXPIRED = "stop_expired"
    TRIGGER_REJECTED = "trigger_rejected"
    LIQUIDATION = "liquidation"
    ADL = "adl"
    PRICE_GAP = "price_gap"
    THIN_BOOK = "thin_book"
    RULES_CHANGED = "rules_changed"
    CLOCK_STEP = "clock_step"


class FaultKind(Enum):
    """What a fault meets."""

    REQUEST = "request"  # waits for requests
    EVENT = "event"  # waits for private events
    ACT = "act"  # happens at once


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """What a fault does, and what may be said about it beyond method, path, symbol, match and times."""

    name: FaultName
    kind: FaultKind
    description: str
    options: tuple[str, ...] = ()
    method: str = ""
    path: str = "*"
    times: int = 1

    def row(self) -> dict[str, object]:
        """Show it."""
        return {
            "fault": self.name.value,
            "kind": self.kind.value,
            "description": self.description,
            "options": list(self.options),
            "times": self.times,
        }


_MAYBE = ("executed",)
_REQUEST, _EVENT, _ACT = FaultKind.REQUEST, FaultKind.EVENT, FaultKind.ACT
_N = FaultName

_ALL = (
    FaultSpec(_N.REPLY_LOST, _REQUEST, "Executed, then the connection is cut before the answer."),
    FaultSpec(_N.REQUEST_LOST, _REQUEST, "Not executed, the connection is cut."),
    FaultSpec(_N.REFUSE, _REQUEST, "Not executed, answered with an error code.", ("code",)),
    FaultSpec(_N.STATUS_503, _REQUEST, "503 'Service Unavailable.': not executed, resend allowed."),
    FaultSpec(_N.STATUS_503_EXECUTED, _REQUEST, "503 'Unknown error, …': executed, though the answer does not say so."),
    FaultSpec(_N.STATUS_503_UNKNOWN, _REQUEST, "503 'Unknown error, …': the same answer, and not executed."),
    FaultSpec(_N.STATUS_503_INTERNAL, _REQUEST, "503 -1001 'Internal error; …': not executed, resend allowed."),
    FaultSpec(_N.STATUS_500, _REQUEST, "500 -1000: outcome unknown.", _MAYBE),
    FaultSpec(_N.STATUS_502, _REQUEST, "502 with an HTML page of a gateway: outcome unknown.", _MAYBE),
    FaultSpec(_N.STATUS_504, _REQUEST, "504 with an HTML page of a gateway: outcome unknown.", _MAYBE),
    FaultSpec(_N.TIMEOUT_1007, _REQUEST, "408 -1007, the back end did not answer: outcome unknown.", _MAYBE),
    FaultSpec(_N.BUS_1006, _REQUEST, "-1006, unexpected answer from the bus: outcome unknown.", _MAYBE),
    FaultSpec(_N.FIREWALL, _REQUEST, "403 with an HTML page of the web application firewall: not executed."),
    FaultSpec(_N.GARBLED, _REQUEST, "Executed and answered 200, but the body is cut off and cannot be read."),
    FaultSpec(_N.DELAY, _REQUEST, "Executed at once, answered late.", ("delay_ms",)),
    FaultSpec(
        _N.LATE_REQUEST,
        _REQUEST,
        "Arrives after the client gave up: the connection is cut, the request executes later, if still in recvWindow.",
        ("delay_ms",),
    ),
    FaultSpec(
        _N.LATE_AT_ENGINE,
        _REQUEST,
        "In time at the gateway, late at the matching engine: -5028 when that is beyond recvWindow, else executed.",
        ("delay_ms",),
    ),
    FaultSpec(_N.RATE_LIMITED, _REQUEST, "429 -1003: too much request weight, not executed."),
    FaultSpec(_N.ORDER_LIMITED, _REQUEST, "429 -1015: too many orders, not executed.", method="POST"),
    FaultSpec(
        _N.OVERLOADED,
        _REQUEST,
        "503 -1008 on placing orders, not executed; reduce-only, closing orders and cancels go through. Stands.",
        times=FOR_EVER,
    ),
    FaultSpec(_N.MAINTENANCE, _REQUEST, "-1016 on everything: the exchange is closed. Stands.", times=FOR_EVER),
    FaultSpec(
        _N.ORDER_DENIED,
        _REQUEST,
        "A query denies an order that exists (-2013), as GET algoOrder did for open ones; the lists still show it.",
        method="GET",
    ),
    FaultSpec(
        _N.STALE_READS,
        _REQUEST,
        "Queries show the account as it was delay_ms ago: orders and positions lag their fills. Stands.",
        ("delay_ms",),
        method="GET",
        times=FOR_EVER,
    ),
    FaultSpec(
        _N.EMPTY_ANSWER, _REQUEST, "A query is answered 200 with an empty list, whatever there is.", method="GET"
    ),
    FaultSpec(_N.ORDER_SHRUNK, _REQUEST, "The exchange makes an order smaller than was asked.", ("percent",), "POST"),
    FaultSpec(_N.STREAM_DROP, _ACT, "All stream sockets are closed."),
    FaultSpec(_N.STREAM_MUTE, _ACT, "Sockets stay open and silent; what happens meanwhile is lost. Stands."),
    FaultSpec(_N.STREAM_UNMUTE, _ACT, "Ends stream_mute."),
    FaultSpec(_N.STREAM_LOSE, _EVENT, "Private events are lost.", ("event",)),
    FaultSpec(_N.STREAM_DUPLICATE, _EVENT, "Private events arrive twice.", ("event",)),
    FaultSpec(_N.STREAM_REORDER, _EVENT, "A private event arrives after the one that follows it.", ("event",)),
    FaultSpec(_N.STREAM_DELAY, _EVENT, "Private events arrive late.", ("event", "delay_ms")),
    FaultSpec(
        _N.STREAM_UNKNOWN,
        _EVENT,
        "An event of a type nobody knows comes first, and the event has a field nobody knows.",
        ("event",),
    ),
    FaultSpec(
        _N.STREAM_GARBLED, _EVENT, "Private events come in a shape, or with a status, that nobody knows.", ("event",)
    ),
    FaultSpec(_N.LISTEN_KEY_EXPIRED, _ACT, "The listen key ends now: one last event, then an open and silent socket."),
    FaultSpec(
        _N.BANNED, _ACT, "418 on everything from an address; two minutes, doubling up to three days.", ("address",)
    ),
    FaultSpec(_N.STOP_CANCELED, _ACT, "The venue cancels waiting conditional orders by itself.", ("order_type",)),
    FaultSpec(_N.STOP_EXPIRED, _ACT, "The venue expires waiting conditional orders by itself.", ("order_type",)),
    FaultSpec(_N.TRIGGER_REJECTED, _ACT, "The next conditional order that fires is REJECTED by the engine.", ("code",)),
    FaultSpec(_N.LIQUIDATION, _ACT, "The position is liquidated: an autoclose- order at market."),
    FaultSpec(_N.ADL, _ACT, "The position is reduced by auto-deleveraging: an adl_autoclose order.", ("percent",)),
    FaultSpec(_N.PRICE_GAP, _ACT, "Last and mark price jump without trading in between.", ("percent", "price", "mark")),
    FaultSpec(
        _N.THIN_BOOK,
        _ACT,
        "The book holds a share of its usual size only: market orders walk it, and a rest expires. Stands.",
        ("percent",),
    ),
    FaultSpec(
        _N.RULES_CHANGED,
        _ACT,
        "The rules of a symbol change while orders rest. Stands.",
        ("tickSize", "stepSize", "notional", "status", "maxQty", "marketMaxQty"),
    ),
    FaultSpec(_N.CLOCK_STEP, _ACT, "The exchange's clock jumps.", ("delay_ms",)),
)
CATALOGUE: dict[FaultName, FaultSpec] = {spec.name: spec for spec in _ALL}
