"""Several orders in one request: answers in the order of the request, a refused element as code and text (``§3.2``)."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

from ..errors import Code, ExchangeError, refusal
from ..messages import Row
from ..params import Params
from .orders import cancel, change, place
from .reading import find_order
from .route import Call, Route, Routes, Security, costs

ELEMENTS_MAX = 5
CANCELS_MAX = 10


def _list_of(call: Call, name: str, most: int) -> list[object]:
    """Read a JSON list; malformed text is -1102, a wrong count -4082."""
    try:
        # Numbers stay text: money is never a float.
        found = json.loads(call.params.text(name), parse_float=str, parse_int=str)
    except ValueError:
        raise refusal(Code.MANDATORY_PARAMETER, name) from None
    if not isinstance(found, list):
        raise refusal(Code.MANDATORY_PARAMETER, name)
    if not 1 <= len(found) <= most:
        raise refusal(Code.BATCH_SIZE)
    return found


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _elements(call: Call) -> Iterator[Call]:
    for element in _list_of(call, "batchOrders", ELEMENTS_MAX):
        if not isinstance(element, dict):
            raise refusal(Code.MANDATORY_PARAMETER, "batchOrders")
        yield replace(call, params=Params({str(name): _text(value) for name, value in element.items()}))


def _answer(handler: Callable[[Call], object], call: Call) -> object:
    try:
        return handler(call)
    except ExchangeError as error:
        refused: Row = {"code": error.code, "msg": error.text}
        return refused


def place_batch(call: Call) -> object:
    """Place up to five orders."""
    return [_answer(place, element) for element in list(_elements(call))]


def change_batch(call: Call) -> object:
    """Change up to five orders. They are processed at once, so a second change of the same order is pending (-5043)."""
    changed: set[int] = set()

    def change_once(element: Call) -> object:
        order = find_order(element)
        if order is not None and id(order) in changed:
            raise refusal(Code.MODIFY_PENDING)
        answer = change(element)
        changed.add(id(order))
        return answer

    return [_answer(change_once, element) for element in list(_elements(call))]


def cancel_batch(call: Call) -> object:
    """Cancel up to ten orders of a symbol, named by ids or by client ids."""
    name, field = ("orderIdList", "orderId")
    if not call.params.has(name):
        name, field = ("origClientOrderIdList", "origClientOrderId")
    symbol = call.venue.rules(call.params.text("symbol")).symbol
    wanted = [Params({"symbol": symbol, field: _text(value)}) for value in _list_of(call, name, CANCELS_MAX)]
    return [_answer(cancel, replace(call, params=params)) for params in wanted]


ROUTES: Routes = {
    ("POST", "/fapi/v1/batchOrders"): Route(
        place_batch, Security.SIGNED, costs(5), counts_as_order=True, ten_second_cost=5
    ),
    ("PUT", "/fapi/v1/batchOrders"): Route(
        change_batch, Security.SIGNED, costs(5), counts_as_order=True, ten_second_cost=5
    ),
    ("DELETE", "/fapi/v1/batchOrders"): Route(cancel_batch, Security.SIGNED, costs(1)),
}
