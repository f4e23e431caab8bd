"""Kraken's answers and refusals: `{"error": [], "result": ...}`, HTTP 200 also where it refuses."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from brokers.numbers import LARGEST
from brokers.sandbox.orders import Refusal, Rejection
from brokers.sandbox.wire.base import WireAnswer, WireRefusal

INVALID_KEY, INVALID_SIGNATURE = "EAPI:Invalid key", "EAPI:Invalid signature"
INVALID_NONCE, RATE_LIMIT = "EAPI:Invalid nonce", "EAPI:Rate limit exceeded"
PERMISSION_DENIED = "EGeneral:Permission denied"
INVALID_ARGUMENTS = "EGeneral:Invalid arguments"
UNKNOWN_ORDER = "EOrder:Unknown order"
NO_POSITION = "EOrder:Reduce only:No position exists"
DUPLICATE_ID = "EOrder:Duplicate cl_ord_id"

ERRORS: Mapping[Refusal, str] = {
    Refusal.UNKNOWN_SYMBOL: "EQuery:Unknown asset pair",
    Refusal.UNKNOWN_CURRENCY: "EQuery:Unknown asset",
    Refusal.DUPLICATE_CLIENT_ID: DUPLICATE_ID,
    Refusal.EXPIRED: "EService:Deadline elapsed",
    Refusal.QUANTITY: f"{INVALID_ARGUMENTS}:volume",
    Refusal.LOT: f"{INVALID_ARGUMENTS}:volume",
    Refusal.TICK: "EOrder:Tick size check failed",
    Refusal.MIN_QUANTITY: "EOrder:Order minimum not met",
    Refusal.MIN_NOTIONAL: "EOrder:Cost minimum not met",
    Refusal.MAX_QUANTITY: "EOrder:Margin position size exceeded",
    Refusal.PRICE: "EOrder:Invalid price",
    Refusal.PRICE_BAND: "EOrder:Invalid price",
    Refusal.TRIGGER: f"{INVALID_ARGUMENTS}:price",
    Refusal.WOULD_TRIGGER: f"{INVALID_ARGUMENTS}:price",
    Refusal.NO_POSITION: NO_POSITION,
    Refusal.REDUCE_ONLY_WRONG_SIDE: "EOrder:Reduce only:Cannot increase position",
    Refusal.INSUFFICIENT_MARGIN: "EOrder:Insufficient initial margin",
    Refusal.IN_LIQUIDATION: "EOrder:Margin level too low",
    Refusal.TOO_MANY_ORDERS: "EOrder:Orders limit exceeded",
    Refusal.HALTED: "EService:Market in cancel_only mode",
    Refusal.ORDER_NOT_FOUND: UNKNOWN_ORDER,
    Refusal.ORDER_CLOSED: UNKNOWN_ORDER,
}


def success(result: object) -> WireAnswer:
    """Return a successful answer."""
    return WireAnswer(payload={"error": [], "result": result})


def failure(error: str) -> WireAnswer:
    """Return a refusal."""
    return WireAnswer(payload={"error": [error]})


def refuse(error: str) -> WireRefusal:
    """Return a refusal, to be raised."""
    return WireRefusal(failure(error))


def wrong(argument: str) -> WireRefusal:
    """Return the refusal of one argument, to be raised."""
    return refuse(f"{INVALID_ARGUMENTS}:{argument}")


def refusal_of(rejection: Rejection) -> WireRefusal:
    """Return what Kraken says where the engine refuses."""
    return refuse(ERRORS.get(rejection.reason, INVALID_ARGUMENTS))


def figure(value: Decimal, decimals: int = 4) -> str:
    """Return a figure with a fixed number of decimals, as Kraken writes money."""
    return f"{value:.{decimals}f}"


def number(raw: object) -> Decimal | None:
    """Return a number of a request, or `None` for what is none."""
    try:
        value = Decimal(str(raw))
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) <= LARGEST else None
