"""What a client says on a stream socket: the JSON requests of ``binance-usdm.md §10.7`` and their refusals."""

import json
from collections.abc import Callable
from typing import Any

from .connections import STREAMS_MAX, Connection, dump

_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_UNKNOWN_PROPERTY, _INVALID_VALUE, _INVALID_REQUEST, _INVALID_JSON = range(4)


class _BadRequestError(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def answer(connection: Connection, text: str) -> str:
    """Carry out one request and write its answer; texts of the refusals are ours, codes are the venue's."""
    request_id: object = None
    try:
        request = _parse(text)
        request_id = request.get("id")
        result = _ACTIONS[_method(request)](connection, _params(request))
    except _BadRequestError as error:
        return dump({"code": error.code, "msg": error.text, "id": request_id})
    return dump({"result": result, "id": request_id})


def _parse(text: str) -> dict[str, Any]:
    try:
        request = json.loads(text)
    except ValueError as error:
        raise _BadRequestError(_INVALID_JSON, f"Invalid JSON: {error}") from error
    if not isinstance(request, dict):
        raise _BadRequestError(_INVALID_REQUEST, "Invalid request: expected an object")
    # An integer, or a text as the SDK sends.
    if isinstance(request.get("id"), (bool, float, list, dict)):
        raise _BadRequestError(_INVALID_REQUEST, "Invalid request: request ID must be an unsigned integer")
    return request


def _method(request: dict[str, Any]) -> str:
    if "method" not in request:
        raise _BadRequestError(_INVALID_REQUEST, "Invalid request: missing field `method`")
    method = request["method"]
    if method not in _METHODS:
        names = ", ".join(f"`{name}`" for name in _METHODS)
        raise _BadRequestError(_INVALID_REQUEST, f"Invalid request: unknown variant {method}, expected one of {names}")
    return str(method)


def _params(request: dict[str, Any]) -> list[Any]:
    params = request.get("params", [])
    if not isinstance(params, list):
        raise _BadRequestError(_INVALID_REQUEST, "Invalid request: params must be an array")
    return params


def _names(params: list[Any]) -> list[str]:
    if not all(isinstance(name, str) for name in params):
        raise _BadRequestError(_INVALID_REQUEST, "Invalid request: stream names must be strings")
    return params


def _subscribe(connection: Connection, params: list[Any]) -> object:
    if not connection.add(_names(params)):
        raise _BadRequestError(_INVALID_REQUEST, f"Invalid request: more than {STREAMS_MAX} streams")
    return None


def _unsubscribe(connection: Connection, params: list[Any]) -> object:
    for name in _names(params):
        connection.subscriptions.pop(name, None)
    return None


def _list(connection: Connection, _params: list[Any]) -> object:
    return list(connection.subscriptions)


def _check_property(params: list[Any], count: int) -> None:
    if len(params) > count:
        raise _BadRequestError(_INVALID_REQUEST, "Invalid request: too many parameters")
    if not params or not isinstance(params[0], str):
        raise _BadRequestError(_INVALID_REQUEST, "Invalid request: property name must be a string")
    if params[0] != "combined":
        raise _BadRequestError(_UNKNOWN_PROPERTY, "Unknown property")


def _set_property(connection: Connection, params: list[Any]) -> object:
    _check_property(params, 2)
    if len(params) < 2 or not isinstance(params[1], bool):
        raise _BadRequestError(_INVALID_VALUE, "Invalid value type: expected Boolean")
    connection.is_combined = params[1]
    return None


def _get_property(connection: Connection, params: list[Any]) -> object:
    _check_property(params, 1)
    return connection.is_combined


_ACTIONS: dict[str, Callable[[Connection, list[Any]], object]] = {
    "SUBSCRIBE": _subscribe,
    "UNSUBSCRIBE": _unsubscribe,
    "LIST_SUBSCRIPTIONS": _list,
    "SET_PROPERTY": _set_property,
    "GET_PROPERTY": _get_property,
}
