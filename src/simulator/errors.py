"""The refusals of the exchange: code, text and HTTP status.

Texts are those of ``binance-usdm.md §2.2, §4, §5, §6, §7.3 and §9``; where the reference gives no literal text the
wording is ours, which is safe because "the code is stable, the text is not" (§9).
"""

from enum import IntEnum


class Code(IntEnum):
    """Error codes by what they mean."""

    TOO_MANY_REQUESTS = -1003
    TOO_MANY_ORDERS = -1015
    TIMESTAMP = -1021
    SIGNATURE = -1022
    ILLEGAL_CHARACTERS = -1100
    MANDATORY_PARAMETER = -1102
    PARAMETER_NOT_REQUIRED = -1106
    PRECISION = -1111
    TIME_IN_FORCE = -1115
    ORDER_TYPE = -1116
    SIDE = -1117
    SYMBOL = -1121
    LISTEN_KEY = -1125
    PARAMETER_VALUE = -1130
    RESPONSE_TYPE = -1136
    CANCEL_REJECTED = -2011
    NO_SUCH_ORDER = -2013
    KEY_FORMAT = -2014
    KEY_REJECTED = -2015
    MARGIN = -2019
    WOULD_TRIGGER = -2021
    REDUCE_ONLY = -2022
    MAX_OPEN_ORDERS = -2025
    MAX_POSITION = -2027
    LEVERAGE_TOO_LOW = -2028
    PRICE_NOT_POSITIVE = -4001
    PRICE_ABOVE_MAX = -4002
    QUANTITY_NOT_POSITIVE = -4003
    QUANTITY_BELOW_MIN = -4004
    QUANTITY_ABOVE_MAX = -4005
    TRIGGER_NOT_POSITIVE = -4006
    TRIGGER_ABOVE_MAX = -4007
    PRICE_BELOW_MIN = -4013
    PRICE_OFF_TICK = -4014
    CLIENT_ID = -4015
    PRICE_ABOVE_BAND = -4016
    QUANTITY_OFF_STEP = -4023
    PRICE_BELOW_BAND = -4024
    LEVERAGE_VALUE = -4028
    WORKING_TYPE = -4031
    MAX_ALGO_ORDERS = -4045
    MARGIN_TYPE_UNCHANGED = -4046
    MARGIN_TYPE_OPEN_ORDERS = -4047
    MARGIN_TYPE_POSITION = -4048
    POSITION_MODE_UNCHANGED = -4059
    POSITION_SIDE_VALUE = -4060
    POSITION_SIDE_MISMATCH = -4061
    REDUCE_ONLY_VALUE = -4062
    POSITION_MODE_OPEN_ORDERS = -4067
    POSITION_MODE_POSITION = -4068
    DUPLICATE_CLIENT_ID = -4116
    REDUCE_ONLY_CONFLICT = -4118
    USE_ALGO_ENDPOINT = -4120
    CLOSE_POSITION_EXISTS = -4130
    COUNTER_PRICE = -4131
    CLOSE_POSITION_TYPE = -4136
    CLOSE_POSITION_QUANTITY = -4137
    SYMBOL_STATUS = -4140
    MIN_NOTIONAL = -4164
    MULTI_ASSETS_UNCHANGED = -4171
    LIMIT_ABOVE_TRIGGER_BAND = -4183
    LIMIT_BELOW_TRIGGER_BAND = -4184
    GTE_WITHOUT_POSITION = -4509
    INVALID_PATH = -5000
    FOK_REFUSED = -5021
    POST_ONLY_REFUSED = -5022


_TEXTS: dict[int, str] = {
    Code.TOO_MANY_REQUESTS: (
        "Too many requests; current limit is {} requests per minute."
        " Please use the websocket for live updates to avoid polling the API."
    ),
    Code.TOO_MANY_ORDERS: "Too many new orders; current limit is {} orders per {}.",
    Code.TIMESTAMP: "Timestamp for this request is outside of the recvWindow.",
    Code.SIGNATURE: "Signature for this request is not valid.",
    Code.ILLEGAL_CHARACTERS: "Illegal characters found in parameter '{}'.",
    Code.MANDATORY_PARAMETER: "Mandatory parameter '{}' was not sent, was empty/null, or malformed.",
    Code.PARAMETER_NOT_REQUIRED: "Parameter '{}' sent when not required.",
    Code.PRECISION: "Precision is over the maximum defined for this asset.",
    Code.TIME_IN_FORCE: "Invalid timeInForce.",
    Code.ORDER_TYPE: "Invalid orderType.",
    Code.SIDE: "Invalid side.",
    Code.SYMBOL: "Invalid symbol.",
    Code.LISTEN_KEY: "This listenKey does not exist.",
    Code.PARAMETER_VALUE: "Data sent for parameter '{}' is not valid.",
    Code.RESPONSE_TYPE: "Invalid newOrderRespType.",
    Code.CANCEL_REJECTED: "Unknown order sent.",
    Code.NO_SUCH_ORDER: "Order does not exist.",
    Code.KEY_FORMAT: "API-key format invalid.",
    Code.KEY_REJECTED: "Invalid API-key, IP, or permissions for action",
    Code.MARGIN: "Margin is insufficient.",
    Code.WOULD_TRIGGER: "Order would immediately trigger.",
    Code.REDUCE_ONLY: "ReduceOnly Order is rejected.",
    Code.MAX_OPEN_ORDERS: "Reach max open order limit.",
    Code.MAX_POSITION: "Exceeded the maximum allowable position at current leverage.",
    Code.LEVERAGE_TOO_LOW: "Leverage is smaller than permitted: insufficient margin balance.",
    Code.PRICE_NOT_POSITIVE: "Price less than or equal to zero.",
    Code.PRICE_ABOVE_MAX: "Price greater than max price.",
    Code.QUANTITY_NOT_POSITIVE: "Quantity less than or equal to zero.",
    Code.QUANTITY_BELOW_MIN: "Quantity less than min quantity.",
    Code.QUANTITY_ABOVE_MAX: "Quantity greater than max quantity.",
    Code.TRIGGER_NOT_POSITIVE: "Stop price less than or equal to zero.",
    Code.TRIGGER_ABOVE_MAX: "Stop price greater than max price.",
    Code.PRICE_BELOW_MIN: "Price less than min price.",
    Code.PRICE_OFF_TICK: "Price not increased by tick size.",
    Code.CLIENT_ID: "Client order id is not valid.",
    Code.PRICE_ABOVE_BAND: "Limit price can't be higher than {}.",
    Code.QUANTITY_OFF_STEP: "Quantity not increased by step size.",
    Code.PRICE_BELOW_BAND: "Limit price can't be lower than {}.",
    Code.LEVERAGE_VALUE: "Leverage {} is not valid",
    Code.WORKING_TYPE: "Invalid working type.",
    Code.MAX_ALGO_ORDERS: "Reach max stop order limit.",
    Code.MARGIN_TYPE_UNCHANGED: "No need to change margin type.",
    Code.MARGIN_TYPE_OPEN_ORDERS: "Margin type cannot be changed if there exists open orders.",
    Code.MARGIN_TYPE_POSITION: "Margin type cannot be changed if there exists position.",
    Code.POSITION_MODE_UNCHANGED: "No need to change position side.",
    Code.POSITION_SIDE_VALUE: "Invalid position side.",
    Code.POSITION_SIDE_MISMATCH: "Order's position side does not match user's setting.",
    Code.REDUCE_ONLY_VALUE: "Invalid or improper reduceOnly value.",
    Code.POSITION_MODE_OPEN_ORDERS: "Position side cannot be changed if there exists open orders.",
    Code.POSITION_MODE_POSITION: "Position side cannot be changed if there exists position.",
    Code.DUPLICATE_CLIENT_ID: "ClientOrderId is duplicated.",
    Code.REDUCE_ONLY_CONFLICT: "ReduceOnly Order Failed. Please check your existing position and open orders.",
    Code.USE_ALGO_ENDPOINT: (
        "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
    ),
    Code.CLOSE_POSITION_EXISTS: (
        "An open stop or take profit order with GTE and closePosition in the direction is existing."
    ),
    Code.COUNTER_PRICE: ("The counterparty's best price does not meet the PERCENT_PRICE filter limit."),
    Code.CLOSE_POSITION_TYPE: "Target strategy invalid for orderType {},closePosition true",
    Code.CLOSE_POSITION_QUANTITY: "Quantity must be zero with closePosition equals true",
    Code.SYMBOL_STATUS: "Invalid symbol status for opening position.",
    Code.MIN_NOTIONAL: "Order's notional must be no smaller than {} (unless you choose reduce only)",
    Code.MULTI_ASSETS_UNCHANGED: "No need to change multi-assets mode.",
    Code.LIMIT_ABOVE_TRIGGER_BAND: "Limit price can't be higher than {}.",
    Code.LIMIT_BELOW_TRIGGER_BAND: "Limit price can't be lower than {}.",
    Code.GTE_WITHOUT_POSITION: "TIF GTE can only be used with open positions.",
    Code.INVALID_PATH: "Path {}, Method {} is invalid",
    Code.FOK_REFUSED: (
        "Due to the order could not be filled immediately, the FOK order has been rejected."
        " The order will not be recorded in the order history"
    ),
    Code.POST_ONLY_REFUSED: (
        "Due to the order could not be executed as maker, the Post Only order will be rejected."
        " The order will not be recorded in the order history"
    ),
}

# HTTP statuses other than 400 (``binance-usdm.md §2.2, §7.3, §8``).
_HTTP_STATUS = {
    Code.TOO_MANY_REQUESTS: 429,
    Code.TOO_MANY_ORDERS: 429,
    Code.KEY_FORMAT: 401,
    Code.KEY_REJECTED: 401,
    Code.INVALID_PATH: 404,
    -1001: 503,
    -1008: 503,
    -1007: 408,
}
_EXTRA_TEXTS = {
    -1000: "An unknown error occurred while processing the request.",
    -1001: "Internal error; unable to process your request. Please try again.",
    -1006: "An unexpected response was received from the message bus. Execution status unknown.",
    -1007: "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    -1008: (
        "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again."
    ),
    -1016: "This service is no longer available.",
}


class ExchangeError(Exception):
    """A refusal: the request did nothing."""

    def __init__(self, code: int, text: str, status: int) -> None:
        super().__init__(f"{code}: {text}")
        self.code = int(code)
        self.text = text
        self.status = status


def refusal(code: int, *details: object) -> ExchangeError:
    """Build the refusal for a code, with the details its text has room for."""
    return ExchangeError(code, text_of(code, *details), status_of(code))


def text_of(code: int, *details: object) -> str:
    """Give the text of a code; a code we do not model gets a neutral one."""
    template = _TEXTS.get(code) or _EXTRA_TEXTS.get(code, "Request refused.")
    return template.format(*details, *["-"] * max(0, template.count("{}") - len(details)))


def status_of(code: int) -> int:
    """Give the HTTP status of a code: 400 unless the reference says otherwise."""
    return _HTTP_STATUS.get(code, 400)
