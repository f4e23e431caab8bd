"""Kraken Futures' answers and refusals: `{"result", "serverTime", ...}`, figures as JSON numbers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from brokers.numbers import LARGEST
from brokers.sandbox.orders import Refusal
from brokers.sandbox.wire.base import WireAnswer, WireRefusal, WireRequest

ERRORS: Mapping[str, int] = {
    "apiLimitExceeded": 429,
    "authenticationError": 401,
    "permissionDenied": 403,
    "nonceBelowThreshold": 200,
    "nonceDuplicate": 200,
    "requiredArgumentMissing": 400,
    "invalidArgument": 400,
    "contractNotFound": 400,
    "insufficientFunds": 200,
    "invalidAccount": 200,
    "invalidAmount": 200,
    "invalidUnit": 200,
    "notFound": 404,
    "Server Error": 500,
}
"""Error -> HTTP status. Source: Kraken docs, Futures REST, "ErrorResponse" of each endpoint."""

STATUSES: Mapping[Refusal, str] = {
    Refusal.DUPLICATE_CLIENT_ID: "clientOrderIdAlreadyExist",
    Refusal.EXPIRED: "wouldProcessAfterSpecifiedTime",
    Refusal.QUANTITY: "invalidSize",
    Refusal.LOT: "invalidSize",
    Refusal.MIN_QUANTITY: "invalidSize",
    Refusal.MAX_QUANTITY: "invalidSize",
    Refusal.TICK: "invalidPrice",
    Refusal.PRICE: "invalidPrice",
    Refusal.TRIGGER: "invalidPrice",
    Refusal.WOULD_TRIGGER: "invalidPrice",
    Refusal.PRICE_BAND: "outsidePriceCollar",
    Refusal.NO_POSITION: "wouldNotReducePosition",
    Refusal.REDUCE_ONLY_WRONG_SIDE: "wouldNotReducePosition",
    Refusal.REDUCE_ONLY_TOO_LARGE: "wouldNotReducePosition",
    Refusal.INSUFFICIENT_MARGIN: "insufficientAvailableFunds",
    Refusal.IN_LIQUIDATION: "wouldCauseLiquidation",
    Refusal.TOO_MANY_ORDERS: "tooManyOrders",
    Refusal.HALTED: "marketSuspended",
    Refusal.MARGIN_MODE: "fixedLeverageTooHigh",
}
"""Why an order is refused -> the `status` of its `sendStatus`: a success by `result`."""


def iso(ms: int) -> str:
    """Return a time as Kraken writes it."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def figure(value: Decimal | None) -> float | None:
    """Return a figure as Kraken writes it: a JSON number."""
    return None if value is None else float(value)


def success(now_ms: int, **parts: object) -> WireAnswer:
    """Return a successful answer."""
    return WireAnswer(payload={"result": "success", **parts, "serverTime": iso(now_ms)})


def failure(error: str, now_ms: int, detail: str = "") -> WireAnswer:
    """Return the answer of a request that is refused as a whole."""
    text = f"{error}: {detail}" if detail else error
    payload = {"result": "error", "error": text, "serverTime": iso(now_ms)}
    return WireAnswer(payload=payload, status=ERRORS[error])


def refuse(error: str, request: WireRequest, detail: str = "") -> WireRefusal:
    """Return the refusal of a request as a whole, to be raised."""
    return WireRefusal(failure(error, request.now_ms, detail))


def arguments(request: WireRequest) -> dict[str, str]:
    """Return the arguments of a call: in the query, or in a form body."""
    return {**request.form, **request.query}


def needed(values: Mapping[str, str], name: str, request: WireRequest) -> str:
    """Return an argument that must be there.

    Raises:
        WireRefusal: it is absent or empty.
    """
    value = values.get(name)
    if not value:
        raise refuse("requiredArgumentMissing", request, name)
    return value


def number(raw: object) -> Decimal | None:
    """Return a finite number out of an argument, `None` if it is none."""
    if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
        return None
    try:
        value = Decimal(str(raw))
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) <= LARGEST else None
