"""Crypto.com's envelope `{"id", "method", "code", "result"}`, its reason codes, and raw parameters."""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from brokers.numbers import LARGEST, plain
from brokers.sandbox.orders import Refusal, Rejection
from brokers.sandbox.wire.base import WireAnswer, WireRefusal, WireRequest

ROOT = "/exchange/v1/"

CODES: Mapping[str, tuple[int, str]] = {
    "201": (500, "NO_POSITION"),
    "202": (400, "ACCOUNT_IS_SUSPENDED"),
    "204": (400, "DUPLICATE_CLORDID"),
    "208": (400, "INSTRUMENT_NOT_TRADABLE"),
    "209": (400, "INVALID_INSTRUMENT"),
    "212": (500, "INVALID_ORDERID"),
    "213": (400, "INVALID_ORDERQTY"),
    "218": (400, "INVALID_ORDTYPE"),
    "219": (500, "INVALID_EXECINST"),
    "220": (400, "INVALID_SIDE"),
    "221": (400, "INVALID_TIF"),
    "226": (400, "INVALID_LEVERAGE"),
    "306": (500, "INSUFFICIENT_AVAILABLE_BALANCE"),
    "308": (400, "INVALID_PRICE"),
    "311": (500, "POSITION_IS_IN_LIQUIDATION"),
    "314": (400, "EXCEEDS_MAX_ORDER_SIZE"),
    "315": (400, "FAR_AWAY_LIMIT_PRICE"),
    "316": (500, "NO_ACTIVE_ORDER"),
    "318": (400, "EXCEEDS_MAX_ALLOWED_ORDERS"),
    "401": (400, "ACCOUNT_DOES_NOT_EXIST"),
    "415": (500, "BELOW_MIN_ORDER_SIZE"),
    "613": (500, "INVALID_ISOLATION_ID"),
    "1110": (400, "REDUCE_ONLY_REJECTED"),
    "40001": (400, "BAD_REQUEST"),
    "40002": (400, "METHOD_NOT_FOUND"),
    "40003": (400, "INVALID_REQUEST"),
    "40004": (400, "MISSING_OR_INVALID_ARGUMENT"),
    "40006": (400, "DUPLICATE_REQUEST"),
    "40101": (401, "UNAUTHORIZED"),
    "40102": (400, "INVALID_NONCE"),
    "40103": (401, "IP_ILLEGAL"),
    "40401": (200, "NOT_FOUND"),
    "42901": (429, "TOO_MANY_REQUESTS"),
    "50001": (400, "ERR_INTERNAL"),
}
"""Reason code -> HTTP status and message. Source: Crypto.com Exchange API v1, "Response and Reason Codes"."""

REASONS: Mapping[Refusal, str] = {
    Refusal.UNKNOWN_SYMBOL: "209",
    Refusal.DUPLICATE_CLIENT_ID: "204",
    Refusal.QUANTITY: "213",
    Refusal.LOT: "213",
    Refusal.TICK: "308",
    Refusal.MIN_QUANTITY: "415",
    Refusal.MIN_NOTIONAL: "415",
    Refusal.MAX_QUANTITY: "314",
    Refusal.PRICE: "308",
    Refusal.PRICE_BAND: "315",
    Refusal.NO_POSITION: "201",
    Refusal.REDUCE_ONLY_WRONG_SIDE: "1110",
    Refusal.REDUCE_ONLY_TOO_LARGE: "1110",
    Refusal.INSUFFICIENT_MARGIN: "306",
    Refusal.IN_LIQUIDATION: "311",
    Refusal.TOO_MANY_ORDERS: "318",
    Refusal.HALTED: "208",
    Refusal.LEVERAGE: "226",
    Refusal.LEVERAGE_TIER: "226",
    Refusal.LEVERAGE_LOCKED: "226",
    Refusal.ORDER_NOT_FOUND: "212",
    Refusal.ORDER_CLOSED: "316",
}


class RawNumber(str):
    """A number of a JSON body, kept as the text it was written as: signatures are made over it."""

    __slots__ = ()


def body_of(request: WireRequest) -> dict[str, Any]:
    """Return the JSON object that is the body, its numbers as they were written.

    Raises:
        WireRefusal: it is none.
    """
    try:
        body = json.loads(request.body, parse_int=RawNumber, parse_float=RawNumber)
    except ValueError:
        raise refuse("40003") from None
    if not isinstance(body, dict):
        raise refuse("40003")
    return body


def params_of(request: WireRequest) -> dict[str, Any]:
    """Return `params` of a private request; every one must have the empty object at least."""
    params = body_of(request).get("params")
    if not isinstance(params, dict):
        raise refuse("40004", request)
    return params


def answer(request: WireRequest, result: object = None) -> WireAnswer:
    """Return a successful answer; without `result` it only says that the request is queued."""
    payload: dict[str, Any] = {"id": _id_of(request), "method": _method_of(request), "code": 0}
    if result is not None:
        payload["result"] = result
    return WireAnswer(payload=payload)


def failure(code: str, request: WireRequest | None = None) -> WireAnswer:
    """Return the answer of a refused request."""
    status, message = CODES[code]
    payload: dict[str, Any] = {"id": -1, "method": "ERROR", "code": int(code), "message": message}
    if request is not None:
        payload |= {"id": _id_of(request), "method": _method_of(request)}
    return WireAnswer(payload=payload, status=status)


def refuse(code: str, request: WireRequest | None = None) -> WireRefusal:
    """Return a refusal, to be raised."""
    return WireRefusal(failure(code, request))


def rejected(rejection: Rejection, request: WireRequest) -> WireRefusal:
    """Return what Crypto.com says where the engine refuses."""
    return refuse(REASONS.get(rejection.reason, "40001"), request)


def needed(params: Mapping[str, Any], name: str, request: WireRequest) -> str:
    """Return a parameter that must be there as text; Crypto.com wants numbers as text, too."""
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise refuse("40004", request)
    return value


def number(raw: object) -> Decimal | None:
    """Return a finite number out of a parameter, `None` if it is none."""
    try:
        value = Decimal(raw) if isinstance(raw, str) else Decimal("NaN")
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) <= LARGEST else None


def figure(value: Decimal) -> str:
    """Return an amount as Crypto.com writes it: plain text of eight decimals at most."""
    return plain(round(value, 8))


def _id_of(request: WireRequest) -> int:
    if request.method == "GET":
        return -1
    raw = body_of(request).get("id")
    return int(raw) if isinstance(raw, str) and raw.lstrip("-").isdigit() else -1


def _method_of(request: WireRequest) -> str:
    return request.path.removeprefix(ROOT)
