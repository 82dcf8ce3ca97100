"""Where faults are put: the requests that random stories meet them on."""

from __future__ import annotations

ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
STOP, TAKE = {"type": "STOP_MARKET"}, {"type": "TAKE_PROFIT_MARKET"}
PLACES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("POST", ORDER, {}),
    ("POST", ORDER, {}),
    ("POST", ALGO, STOP),
    ("POST", ALGO, STOP),
    ("POST", ALGO, TAKE),
    ("POST", ALGO, {}),
    ("DELETE", ALGO, {}),
    ("GET", ORDER, {}),
    ("GET", ALGO, {}),
    ("GET", "/fapi/v1/openAlgoOrders", {}),
    ("GET", "/fapi/v1/allAlgoOrders", {}),
    ("GET", "/fapi/v1/openOrders", {}),
    ("GET", "/fapi/v3/positionRisk", {}),
    ("GET", "/fapi/v1/userTrades", {}),
    ("GET", "/fapi/v1/time", {}),
    ("GET", "/fapi/v1/exchangeInfo", {}),
    ("GET", "/fapi/v2/ticker/price", {}),
    ("GET", "/fapi/v1/accountConfig", {}),
    ("", "/fapi/v1/listenKey", {}),
    ("", "/fapi/*", {}),
)
OTHER_CODES = (-1000, -1001, -1007, -1021)
"""Refusals that any of these requests may meet."""
