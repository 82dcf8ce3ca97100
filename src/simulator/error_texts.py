"""The texts of the error codes.

Literal where the reference has them (``binance-usdm.md §2.2, §4 to §8``); elsewhere the wording is ours, which
is safe because "the code is stable, the text is not" (§9). ``{}`` takes the details of a refusal.
"""

from .error_codes import Code

TEXTS: dict[int, str] = {
    Code.UNKNOWN: "An unknown error occurred while processing the request.",
    Code.DISCONNECTED: "Internal error; unable to process your request. Please try again.",
    Code.UNAUTHORIZED: "You are not authorized to execute this request.",
    Code.TOO_MANY_REQUESTS: (
        "Too many requests; current limit is {} requests per minute. Please use the websocket for live "
        "updates to avoid polling the API."
    ),
    Code.UNEXPECTED_RESPONSE: "An unexpected response was received from the message bus. Execution status unknown.",
    Code.TIMEOUT: ("Timeout waiting for response from backend server. Send status unknown; execution status unknown."),
    Code.OVERLOADED: (
        "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again."
    ),
    Code.INVALID_MESSAGE: "Invalid message.",
    Code.UNKNOWN_ORDER_COMPOSITION: "Unsupported order combination.",
    Code.TOO_MANY_ORDERS: "Too many new orders; current limit is {} orders per {}.",
    Code.MAINTENANCE: "This service is no longer available.",
    Code.UNSUPPORTED_OPERATION: "This operation is not supported.",
    Code.TIMESTAMP: "Timestamp for this request is outside of the recvWindow.",
    Code.SIGNATURE: "Signature for this request is not valid.",
    Code.NOT_FOUND: "Not found, authenticated, or authorized.",
    Code.ILLEGAL_CHARACTERS: "Illegal characters found in parameter '{}'.",
    Code.TOO_MANY_PARAMETERS: "Too many parameters sent for this endpoint.",
    Code.MANDATORY_PARAMETER: "Mandatory parameter '{}' was not sent, was empty/null, or malformed.",
    Code.UNKNOWN_PARAMETER: "An unknown parameter was sent.",
    Code.UNREAD_PARAMETERS: "Not all sent parameters were read.",
    Code.PARAMETER_EMPTY: "Parameter '{}' was empty.",
    Code.PARAMETER_NOT_REQUIRED: "Parameter '{}' sent when not required.",
    Code.BAD_ASSET: "Invalid asset.",
    Code.BAD_ACCOUNT: "Invalid account.",
    Code.PRECISION: "Precision is over the maximum defined for this asset.",
    Code.NO_DEPTH: "No orders on book for symbol.",
    Code.TIME_IN_FORCE_NOT_REQUIRED: "TimeInForce parameter sent when not required.",
    Code.TIME_IN_FORCE: "Invalid timeInForce.",
    Code.ORDER_TYPE: "Invalid orderType.",
    Code.SIDE: "Invalid side.",
    Code.EMPTY_NEW_CLIENT_ID: "New client order ID was empty.",
    Code.EMPTY_ORIGINAL_CLIENT_ID: "Original client order ID was empty.",
    Code.INTERVAL: "Invalid interval.",
    Code.SYMBOL: "Invalid symbol.",
    Code.BAD_SYMBOL_STATUS: "Invalid symbol status.",
    Code.LISTEN_KEY: "This listenKey does not exist.",
    Code.TIME_SPAN: "Lookup interval is too big.",
    Code.OPTIONAL_COMBINATION: "Combination of optional parameters invalid.",
    Code.PARAMETER_VALUE: "Data sent for parameter '{}' is not valid.",
    Code.RESPONSE_TYPE: "Invalid newOrderRespType.",
    Code.NEW_ORDER_REJECTED: "New order rejected.",
    Code.CANCEL_REJECTED: "Unknown order sent.",
    Code.BATCH_CANCEL: "Batch cancel failure.",
    Code.NO_SUCH_ORDER: "Order does not exist.",
    Code.KEY_FORMAT: "API-key format invalid.",
    Code.KEY_REJECTED: "Invalid API-key, IP, or permissions for action",
    Code.KEYS_LOCKED: "API Keys are locked on this account.",
    Code.BALANCE: "Balance is insufficient.",
    Code.MARGIN: "Margin is insufficient.",
    Code.UNABLE_TO_FILL: "Unable to fill.",
    Code.WOULD_TRIGGER: "Order would immediately trigger.",
    Code.REDUCE_ONLY: "ReduceOnly Order is rejected.",
    Code.IN_LIQUIDATION: "User in liquidation mode now.",
    Code.POSITION_NOT_SUFFICIENT: "Position is not sufficient.",
    Code.MAX_OPEN_ORDERS: "Reach max open order limit.",
    Code.REDUCE_ONLY_TYPE: "This OrderType is not supported when reduceOnly.",
    Code.MAX_POSITION: "Exceeded the maximum allowable position at current leverage.",
    Code.LEVERAGE_TOO_LOW: "Leverage is smaller than permitted: insufficient margin balance.",
    Code.ORDER_STATUS: "Invalid order status.",
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
    Code.CROSS_BALANCE: "Cross balance insufficient.",
    Code.ISOLATED_BALANCE: "Isolated balance insufficient.",
    Code.POSITION_MODE_UNCHANGED: "No need to change position side.",
    Code.POSITION_SIDE_VALUE: "Invalid position side.",
    Code.POSITION_SIDE_MISMATCH: "Order's position side does not match user's setting.",
    Code.REDUCE_ONLY_VALUE: "Invalid or improper reduceOnly value.",
    Code.POSITION_MODE_OPEN_ORDERS: "Position side cannot be changed if there exists open orders.",
    Code.POSITION_MODE_POSITION: "Position side cannot be changed if there exists position.",
    Code.BATCH_SIZE: "Invalid number of batch place orders.",
    Code.BATCH_FAILED: "Fail to place batch orders.",
    Code.USER_REDUCE_ONLY: "User can only place reduce only order.",
    Code.USER_NO_TRADE: "User can not place order currently.",
    Code.SYMBOL_REDUCE_ONLY: "The symbol is in reduce only mode.",
    Code.SYMBOL_REDUCE_ONLY_BUY: "The symbol is in reduce only mode for buying.",
    Code.SYMBOL_REDUCE_ONLY_SELL: "The symbol is in reduce only mode for selling.",
    Code.ACCOUNT_INACTIVE: "This account is inactive.",
    Code.DUPLICATE_CLIENT_ID: "ClientOrderId is duplicated.",
    Code.STOP_TRIGGERING: "Stop order is in triggering process. Please try again later.",
    Code.REDUCE_ONLY_CONFLICT: "ReduceOnly Order Failed. Please check your existing position and open orders.",
    Code.USE_ALGO_ENDPOINT: (
        "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
    ),
    Code.CLOSE_POSITION_EXISTS: (
        "An open stop or take profit order with GTE and closePosition in the direction is existing."
    ),
    Code.COUNTER_PRICE: "The counterparty's best price does not meet the PERCENT_PRICE filter limit.",
    Code.ACTIVATION_PRICE: "Invalid activation price.",
    Code.CLOSE_POSITION_TYPE: "Target strategy invalid for orderType {},closePosition true",
    Code.CLOSE_POSITION_QUANTITY: "Quantity must be zero with closePosition equals true",
    Code.CLOSE_POSITION_REDUCE_ONLY: "Reduce only must be true with closePosition equals true.",
    Code.SYMBOL_STATUS: "Invalid symbol status for opening position.",
    Code.SYMBOL_CLOSED: "Symbol is closed.",
    Code.STRATEGY_WOULD_TRIGGER: "REJECT: take profit or stop order will be triggered immediately.",
    Code.ISOLATED_LEVERAGE: "Leverage reduction is not supported in Isolated Margin Mode with open positions.",
    Code.MIN_NOTIONAL: "Order's notional must be no smaller than {} (unless you choose reduce only)",
    Code.MULTI_ASSETS_ISOLATED_SYMBOL: (
        "Unable to adjust to Multi-Assets mode with symbols of USDⓈ-M Futures under isolated-margin mode."
    ),
    Code.ISOLATED_IN_MULTI_ASSETS: "Unable to adjust to isolated-margin mode under the Multi-Assets mode.",
    Code.MULTI_ASSETS_MARGIN: "Unable to adjust Multi-Assets Mode with insufficient margin balance in USDⓈ-M Futures.",
    Code.MULTI_ASSETS_OPEN_ORDERS: "Unable to adjust Multi-Assets Mode with open orders in USDⓈ-M Futures.",
    Code.MULTI_ASSETS_UNCHANGED: "No need to change multi-assets mode.",
    Code.MULTI_ASSETS_BALANCE: (
        "Unable to adjust Multi-Assets Mode with a negative wallet balance in margin available asset of "
        "USDⓈ-M Futures account."
    ),
    Code.LIMIT_ABOVE_TRIGGER_BAND: "Limit price can't be higher than {}.",
    Code.LIMIT_BELOW_TRIGGER_BAND: "Limit price can't be lower than {}.",
    Code.ACCOUNT_REDUCE_ONLY: "The account is restricted to reduce-only orders.",
    Code.COOLING_OFF: "Your account is in the cooling-off period.",
    Code.LEVERAGE_KYC: "Current symbol leverage cannot exceed {} for this account.",
    Code.TRIGGER_ABOVE_BAND: "Stop price can't be higher than {}.",
    Code.TRIGGER_BELOW_BAND: "Stop price can't be lower than {}.",
    Code.QUANTITATIVE_RULES: (
        "Futures Trading Quantitative Rules violated, only reduceOnly order is allowed, please try again later."
    ),
    Code.LARGE_POSITION: "Large position rule violated, only reduceOnly order is allowed.",
    Code.REGION_RESTRICTED: "Dear user, this feature is not available in your region.",
    Code.REGION_COMPLIANCE: "Dear user, your account can only close positions because of regional compliance.",
    Code.GTE_WITHOUT_POSITION: "TIF GTE can only be used with open positions.",
    Code.MODE_OUT_OF_SYNC: "Position mode change would put UM and COIN-M out of sync.",
    Code.INVALID_PATH: "Path {}, Method {} is invalid",
    Code.FOK_REFUSED: (
        "Due to the order could not be filled immediately, the FOK order has been rejected. The order will "
        "not be recorded in the order history"
    ),
    Code.POST_ONLY_REFUSED: (
        "Due to the order could not be executed as maker, the Post Only order will be rejected. The order "
        "will not be recorded in the order history"
    ),
    Code.MODIFY_SYMBOL_STATUS: "Symbol is not in trading status. Order amendment is not permitted.",
    Code.MODIFY_LIMIT_ONLY: "Only limit order is supported.",
    Code.MODIFY_TOO_MANY: "Exceed maximum modify order limit.",
    Code.MODIFY_UNCHANGED: "No need to modify the order.",
    Code.ENGINE_TIMESTAMP: "Timestamp for this request is outside of the ME recvWindow.",
    Code.MODIFY_NOTIONAL: "Order's notional must be no smaller than {}.",
    Code.PRICE_MATCH: "Invalid price match.",
    Code.PRICE_MATCH_TYPE: "Price match only supports order type: LIMIT, STOP AND TAKE_PROFIT.",
    Code.SELF_TRADE_PREVENTION: "Invalid self trade prevention mode.",
    Code.GOOD_TILL_DATE: (
        "The goodTillDate timestamp must be greater than the current time plus 600 seconds and smaller than "
        "253402300799000."
    ),
    Code.PRICE_MATCH_DEPTH: "No depth matches this BBO order.",
    Code.MODIFY_PENDING: "A pending modification already exists for this order.",
    Code.MODIFY_REDUCE_ONLY: "The original order is not reduce-only.",
}
