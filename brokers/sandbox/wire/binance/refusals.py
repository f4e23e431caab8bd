"""How Binance says no: its code, its words, its HTTP status.

Source: Binance Open Platform, USD-M futures "Error Code" and "General Info" (HTTP return codes).
"""

from types import MappingProxyType

from brokers.sandbox.orders import Refusal, Rejection
from brokers.sandbox.wire.base import WireAnswer, WireRefusal

BAN_SECONDS = 120
PAUSE_SECONDS = 5

MESSAGES = MappingProxyType(
    {
        -1000: "An unknown error occurred while processing the request.",
        -1003: "Too many requests; current limit is 2400 requests per minute.",
        -1015: "Too many new orders.",
        -1021: "Timestamp for this request is outside of the recvWindow.",
        -1022: "Signature for this request is not valid.",
        -1102: "Mandatory parameter was not sent, was empty/null, or malformed.",
        -1106: "Parameter 'reduceonly' sent when not required.",
        -1111: "Precision is over the maximum defined for this asset.",
        -1115: "Invalid timeInForce.",
        -1116: "Invalid orderType.",
        -1117: "Invalid side.",
        -1121: "Invalid symbol.",
        -1130: "Data sent for a parameter is not valid.",
        -1131: "recvWindow must be less than 60000",
        -2011: "Unknown order sent.",
        -2013: "Order does not exist.",
        -2014: "API-key format invalid.",
        -2015: "Invalid API-key, IP, or permissions for action",
        -2019: "Margin is insufficient.",
        -2021: "Order would immediately trigger.",
        -2022: "ReduceOnly Order is rejected.",
        -2023: "User in liquidation mode now.",
        -2025: "Reach max open order limit.",
        -2027: "Exceeded the maximum allowable position at current leverage.",
        -3010: "Repay not allowed. Repay amount exceeds borrow amount.",
        -3015: "Repay amount exceeds borrow amount.",
        -3041: "Balance is not enough",
        -4001: "Price less than 0.",
        -4003: "Quantity less than zero.",
        -4004: "Quantity less than min quantity.",
        -4005: "Quantity greater than max quantity.",
        -4006: "Stop price less than zero.",
        -4014: "Price not increased by tick size.",
        -4015: "Client order id is not valid.",
        -4016: "Price is higher than mark price multiplier cap.",
        -4024: "Price is lower than mark price multiplier floor.",
        -4028: "Leverage is not valid",
        -4046: "No need to change margin type.",
        -4048: "Margin type cannot be changed if there exists position.",
        -4061: "Order's position side does not match user's setting.",
        -4116: "ClientOrderId is duplicated.",
        -4137: "Quantity must be zero with closePosition equals true",
        -4140: "Invalid symbol status for opening position.",
        -4161: "Leverage reduction is not supported in Isolated Margin Mode with open positions.",
        -4164: "Order's notional must be no smaller than the minimum (unless you choose reduce only).",
        -4168: "Unable to adjust to isolated-margin mode under the Multi-Assets mode.",
        -4400: "Futures Trading Quantitative Rules violated, only reduceOnly order is allowed.",
        -5000: "Path or method is invalid",
        -5022: "Post Only order will be rejected.",
        -5028: "Timestamp for this request is outside of the ME recvWindow.",
        -9000: "The wallet does not have this amount.",
    }
)

UNAUTHORIZED = frozenset({-2014, -2015})

CODES = MappingProxyType(
    {
        Refusal.UNKNOWN_SYMBOL: -1121,
        Refusal.UNKNOWN_ACCOUNT: -2015,
        Refusal.UNKNOWN_CURRENCY: -1102,
        Refusal.DUPLICATE_CLIENT_ID: -4116,
        Refusal.EXPIRED: -5028,
        Refusal.QUANTITY: -4003,
        Refusal.LOT: -1111,
        Refusal.TICK: -4014,
        Refusal.MIN_QUANTITY: -4004,
        Refusal.MIN_NOTIONAL: -4164,
        Refusal.MAX_QUANTITY: -4005,
        Refusal.PRICE: -4001,
        Refusal.PRICE_BAND: -4016,
        Refusal.TRIGGER: -4006,
        Refusal.WOULD_TRIGGER: -2021,
        Refusal.NO_POSITION: -2022,
        Refusal.REDUCE_ONLY_WRONG_SIDE: -2022,
        Refusal.REDUCE_ONLY_TOO_LARGE: -2022,
        Refusal.WRONG_POSITION_SIDE: -4061,
        Refusal.MARGIN_MODE: -4168,
        Refusal.MARGIN_MODE_BUSY: -4048,
        Refusal.NOT_MODIFIED: -4046,
        Refusal.INSUFFICIENT_MARGIN: -2019,
        Refusal.IN_LIQUIDATION: -2023,
        Refusal.TOO_MANY_ORDERS: -2025,
        Refusal.HALTED: -4140,
        Refusal.LEVERAGE: -4028,
        Refusal.LEVERAGE_TIER: -2027,
        Refusal.LEVERAGE_LOCKED: -4161,
        Refusal.ORDER_NOT_FOUND: -2011,
        Refusal.ORDER_CLOSED: -2011,
        Refusal.AMOUNT: -1102,
        Refusal.INSUFFICIENT_BALANCE: -9000,
        Refusal.TRANSFER_BLOCKED: -9000,
        Refusal.DUPLICATE_TRANSFER: -9000,
    }
)


def envelope(code: int, *, status: int | None = None, message: str | None = None) -> WireAnswer:
    """Return the venue's error answer."""
    if status is None:
        status = 401 if code in UNAUTHORIZED else 400
    return WireAnswer(payload={"code": code, "msg": message or MESSAGES[code]}, status=status)


def refuse(code: int, message: str | None = None) -> WireRefusal:
    """Return the refusal to raise."""
    return WireRefusal(envelope(code, message=message))


def code_of(rejection: Rejection) -> int:
    """Return the venue's code for what the engine refused; of a reason without one, "unknown error"."""
    return CODES.get(rejection.reason, -1000)


def rejected(rejection: Rejection) -> WireRefusal:
    """Return the refusal to raise for what the engine refused."""
    return refuse(code_of(rejection))


def too_fast() -> WireAnswer:
    """Return the answer to too much request weight."""
    return WireAnswer(
        payload={"code": -1003, "msg": MESSAGES[-1003]},
        status=429,
        headers={"Retry-After": str(PAUSE_SECONDS)},
    )


def banned(now_ms: int) -> WireAnswer:
    """Return the answer to a banned address."""
    until = now_ms + BAN_SECONDS * 1000
    message = f"Way too many requests; IP banned until {until}. Please use the websocket to avoid bans."
    headers = {"Retry-After": str(BAN_SECONDS)}
    return WireAnswer(payload={"code": -1003, "msg": message}, status=418, headers=headers)
