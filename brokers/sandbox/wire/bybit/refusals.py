"""How Bybit says no: its code, its words, in the same envelope as a success.

Source: Bybit docs, V5 "Error Codes" and "Rate Limit Rules".
"""

from types import MappingProxyType
from typing import Any

from brokers.sandbox.orders import Refusal, Rejection
from brokers.sandbox.wire.base import WireAnswer, WireRefusal

MESSAGES = MappingProxyType(
    {
        10001: "params error",
        10002: "invalid request, please check your server timestamp or recv_window param",
        10003: "API key is invalid.",
        10004: "error sign! please check your signature generation algorithm.",
        10005: "Permission denied, please check your API key permissions.",
        10006: "Too many visits. Exceeded the API Rate Limit.",
        10016: "Internal System Error.",
        10017: "Route not found.",
        110001: "order not exists or too late to cancel",
        110003: "Order price exceeds the allowable range.",
        110005: "Position is in liquidation or ADL status.",
        110007: "ab not enough for new order",
        110013: "cannot set leverage gt maxLeverage by risk limit",
        110017: "current position is zero, cannot fix reduce-only order qty",
        110020: "Not allowed to have more than 500 active orders",
        110043: "leverage not modified",
        110044: "Available margin is insufficient.",
        110066: "Trading is currently not allowed.",
        110072: "OrderLinkedID is duplicate",
        110092: "expect Rising, but trigger_price <= current",
        110093: "expect Falling, but trigger_price >= current",
        110094: "Order does not meet minimum order value",
        131203: "Request parameter error",
        131208: "Forbid transfer",
        131212: "Insufficient balance",
        131214: "TransferId exist",
        131215: "Amount error",
    }
)

CODES = MappingProxyType(
    {
        Refusal.UNKNOWN_SYMBOL: 10001,
        Refusal.UNKNOWN_ACCOUNT: 10003,
        Refusal.UNKNOWN_CURRENCY: 131203,
        Refusal.DUPLICATE_CLIENT_ID: 110072,
        Refusal.EXPIRED: 10002,
        Refusal.QUANTITY: 10001,
        Refusal.LOT: 10001,
        Refusal.TICK: 10001,
        Refusal.MIN_QUANTITY: 10001,
        Refusal.MIN_NOTIONAL: 110094,
        Refusal.MAX_QUANTITY: 10001,
        Refusal.PRICE: 10001,
        Refusal.PRICE_BAND: 110003,
        Refusal.TRIGGER: 10001,
        Refusal.NO_POSITION: 110017,
        Refusal.REDUCE_ONLY_WRONG_SIDE: 110017,
        Refusal.REDUCE_ONLY_TOO_LARGE: 110017,
        Refusal.WRONG_POSITION_SIDE: 10001,
        Refusal.INSUFFICIENT_MARGIN: 110007,
        Refusal.IN_LIQUIDATION: 110005,
        Refusal.TOO_MANY_ORDERS: 110020,
        Refusal.HALTED: 110066,
        Refusal.LEVERAGE: 10001,
        Refusal.LEVERAGE_TIER: 110013,
        Refusal.ORDER_NOT_FOUND: 110001,
        Refusal.ORDER_CLOSED: 110001,
        Refusal.AMOUNT: 131215,
        Refusal.INSUFFICIENT_BALANCE: 131212,
        Refusal.TRANSFER_BLOCKED: 131208,
        Refusal.DUPLICATE_TRANSFER: 131214,
    }
)

DETAILS = MappingProxyType(
    {
        Refusal.UNKNOWN_SYMBOL: "params error: symbol invalid",
        Refusal.QUANTITY: "Qty invalid",
        Refusal.LOT: "Qty invalid",
        Refusal.MIN_QUANTITY: "The number of contracts below minimum limit allowed",
        Refusal.MAX_QUANTITY: "The number of contracts exceeds maximum limit allowed: too large",
        Refusal.PRICE: "Price invalid",
        Refusal.TICK: "Price invalid",
        Refusal.TRIGGER: "TriggerPrice invalid",
        Refusal.WRONG_POSITION_SIDE: "position idx not match position mode",
        Refusal.REDUCE_ONLY_WRONG_SIDE: "orderQty will be truncated to zero.",
        Refusal.LEVERAGE: "leverage invalid",
    }
)
"""What the venue says of a code that stands for many reasons."""


def envelope(
    result: Any,  # noqa: ANN401 - raw JSON
    now_ms: int,
    *,
    code: int = 0,
    message: str = "OK",
    extra: Any = None,  # noqa: ANN401 - raw JSON
) -> dict[str, Any]:
    """Return the envelope of every V5 answer."""
    return {
        "retCode": code,
        "retMsg": message,
        "result": result,
        "retExtInfo": {} if extra is None else extra,
        "time": now_ms,
    }


class BybitRefusal(Exception):
    """The venue refuses a request with `code`; the wire puts it into its envelope."""

    def __init__(self, code: int, message: str | None = None) -> None:
        super().__init__(f"{code}")
        self.code = code
        self.message = message or MESSAGES[code]


def rejected(rejection: Rejection, *, rises: bool | None = None) -> BybitRefusal:
    """Return the refusal for what the engine refused; of a reason without a code, a parameter error.

    `rises` is the direction of the trigger that would fire at once.
    """
    if rejection.reason is Refusal.WOULD_TRIGGER:
        return BybitRefusal(110092 if rises else 110093)
    return BybitRefusal(CODES.get(rejection.reason, 10001), DETAILS.get(rejection.reason))


def refused(error: BybitRefusal, now_ms: int) -> WireRefusal:
    """Return the refusal to raise: HTTP 200, as the venue has it for its own codes."""
    payload = envelope({}, now_ms, code=error.code, message=error.message)
    return WireRefusal(WireAnswer(payload=payload))


def banned() -> WireAnswer:
    """Return the answer to an address that asked too much."""
    return WireAnswer(payload={"retCode": 403, "retMsg": "403, access too frequent"}, status=403)
