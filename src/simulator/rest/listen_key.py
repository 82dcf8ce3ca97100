"""Listen keys over REST: the key header alone, no signature (``binance-usdm.md §3.5``)."""

from .route import Call, Route, Routes, Security, costs


def create(call: Call) -> object:
    """Give the active key, extended, or a new one."""
    return {"listenKey": call.venue.streams.open_key(call.account.api_key)}


def extend(call: Call) -> object:
    """Extend the active key; without one -1125."""
    return {"listenKey": call.venue.streams.extend_key(call.account.api_key)}


def close(call: Call) -> object:
    """End the stream of the account."""
    call.venue.streams.close_key(call.account.api_key)
    return {}


ROUTES: Routes = {
    ("POST", "/fapi/v1/listenKey"): Route(create, Security.KEY, costs(1)),
    ("PUT", "/fapi/v1/listenKey"): Route(extend, Security.KEY, costs(1)),
    ("DELETE", "/fapi/v1/listenKey"): Route(close, Security.KEY, costs(1)),
}
