"""Coinbase's answers and refusals: plain objects, gateway errors, and orders refused under status 200."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from brokers.numbers import LARGEST, plain
from brokers.sandbox.orders import Refusal
from brokers.sandbox.wire.base import WireAnswer, WireRefusal, WireRequest

REASONS: Mapping[Refusal, str] = {
    Refusal.UNKNOWN_SYMBOL: "INVALID_PRODUCT_ID",
    Refusal.DUPLICATE_CLIENT_ID: "DUPLICATE_CLIENT_ORDER_ID",
    Refusal.QUANTITY: "INVALID_SIZE_PRECISION",
    Refusal.LOT: "INVALID_SIZE_PRECISION",
    Refusal.TICK: "INVALID_PRICE_PRECISION",
    Refusal.MIN_QUANTITY: "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL",
    Refusal.MIN_NOTIONAL: "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL",
    Refusal.MAX_QUANTITY: "PREVIEW_INVALID_BASE_SIZE_TOO_LARGE",
    Refusal.PRICE: "INVALID_LIMIT_PRICE",
    Refusal.PRICE_BAND: "PREVIEW_BREACHED_PRICE_LIMIT",
    Refusal.TRIGGER: "PREVIEW_INVALID_STOP_PRICE",
    Refusal.WOULD_TRIGGER: "PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE",
    Refusal.NO_POSITION: "CANNOT_CLOSE_ZERO_POSITION",
    Refusal.REDUCE_ONLY_WRONG_SIDE: "REDUCE_ONLY_INCREASED_POSITION_SIZE",
    Refusal.REDUCE_ONLY_TOO_LARGE: "REDUCE_ONLY_INCREASED_POSITION_SIZE",
    Refusal.INSUFFICIENT_MARGIN: "PREVIEW_INSUFFICIENT_FUNDS_FOR_FUTURES",
    Refusal.IN_LIQUIDATION: "IN_LIQUIDATION",
    Refusal.TOO_MANY_ORDERS: "COMMANDER_REJECTED_NEW_ORDER",
    Refusal.HALTED: "PRODUCT_TRADING_HALTED",
}
"""Why the engine refuses an order -> Coinbase's reason."""

UNSTATED = "UNKNOWN_FAILURE_REASON"
UNSTATED_PREVIEW = "UNKNOWN_PREVIEW_FAILURE_REASON"


def figure(value: Decimal | None) -> str:
    """Return a figure as Coinbase writes it; `""` for none."""
    return "" if value is None else plain(value)


def money(value: Decimal, currency: str = "USD") -> dict[str, str]:
    """Return an amount with its currency."""
    return {"value": figure(value), "currency": currency}


def moment(ms: int) -> str:
    """Return a time as Coinbase writes it."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def error(status: int, name: str, message: str = "") -> WireAnswer:
    """Return a gateway's error."""
    return WireAnswer(payload={"error": name, "error_details": message, "message": message}, status=status)


def unauthorized() -> WireAnswer:
    """Return the refusal of a token; it is one word, whatever the cause."""
    return WireAnswer(payload="Unauthorized", status=401)


def invalid(message: str) -> WireRefusal:
    """Return the refusal of a request that makes no sense, to be raised."""
    return WireRefusal(error(400, "INVALID_ARGUMENT", message))


def refused_order(reason: str, message: str = "") -> WireAnswer:
    """Return the answer to an order that was not created, under status 200.

    A reason of the preview stands in its own field, and the others then say that they know of none.
    """
    preview = reason if reason.startswith("PREVIEW_") else UNSTATED_PREVIEW
    own = UNSTATED if reason.startswith("PREVIEW_") else reason
    return WireAnswer(
        payload={
            "success": False,
            "failure_reason": UNSTATED,
            "order_id": "",
            "error_response": {
                "error": own,
                "message": message,
                "error_details": "",
                "preview_failure_reason": preview,
                "new_order_failure_reason": own,
            },
            "order_configuration": None,
        }
    )


def body_object(request: WireRequest) -> dict[str, Any]:
    """Return the JSON object that is the body.

    Raises:
        WireRefusal: it is none.
    """
    try:
        body = json.loads(request.body or b"null")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise invalid("proto: syntax error (line 1:1): unexpected token")
    return body


def only_fields(body: Mapping[str, Any], known: frozenset[str]) -> None:
    """Refuse a body with a field that is not documented.

    Raises:
        WireRefusal: there is one.
    """
    for name in body:
        if name not in known:
            text = f'proto: (line 1:2): unknown field "{name}"'
            raise WireRefusal(error(400, "unknown", text))


def needed(body: Mapping[str, Any], name: str) -> str:
    """Return a parameter that must be there.

    Raises:
        WireRefusal: it is absent or empty.
    """
    value = body.get(name)
    if value is None or value == "":
        raise invalid(f"{name} is required")
    return str(value)


def number(raw: object) -> Decimal | None:
    """Return a finite number out of a parameter, `None` if it is none."""
    if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
        return None
    try:
        value = Decimal(str(raw))
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) <= LARGEST else None
