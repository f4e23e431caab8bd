"""How Binance's margin interface says no: codes of the spot engine with its words, and of the loan desk.

Source: Binance docs, spot "Error Codes", margin trading "Error Code".
"""

from types import MappingProxyType

from brokers.sandbox.orders import Refusal, Rejection
from brokers.sandbox.wire.base import WireAnswer, WireRefusal
from brokers.sandbox.wire.binance.refusals import envelope

INSUFFICIENT = (-2010, "Account has insufficient balance for requested action.")
DUPLICATE = (-2010, "Duplicate order sent.")
UNKNOWN_ORDER = (-2011, "Unknown order sent.")
NO_SUCH_ORDER = (-2013, "Order does not exist.")
NO_ACCOUNT = (-3003, "Margin account does not exist.")
REPAY_TOO_MUCH = (-3015, "Repay amount exceeds borrow amount.")
NOT_ENOUGH = (-3041, "Balance is not enough")

Words = tuple[int, str]


def _filter(name: str) -> Words:
    return (-1013, f"Filter failure: {name}")


WORDS = MappingProxyType(
    {
        Refusal.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
        Refusal.UNKNOWN_ACCOUNT: NO_ACCOUNT,
        Refusal.UNKNOWN_CURRENCY: (-3027, "Not a valid margin asset."),
        Refusal.DUPLICATE_CLIENT_ID: DUPLICATE,
        Refusal.EXPIRED: (-1021, "Timestamp for this request is outside of the recvWindow."),
        Refusal.QUANTITY: (-1013, "Invalid quantity."),
        Refusal.LOT: _filter("LOT_SIZE"),
        Refusal.TICK: _filter("PRICE_FILTER"),
        Refusal.MIN_QUANTITY: _filter("LOT_SIZE"),
        Refusal.MAX_QUANTITY: _filter("MARKET_LOT_SIZE"),
        Refusal.MIN_NOTIONAL: _filter("NOTIONAL"),
        Refusal.PRICE: (-1013, "Invalid price."),
        Refusal.PRICE_BAND: _filter("PERCENT_PRICE_BY_SIDE"),
        Refusal.TRIGGER: (-1013, "Invalid stopPrice."),
        Refusal.WOULD_TRIGGER: (-2010, "Order would trigger immediately."),
        Refusal.NO_POSITION: INSUFFICIENT,
        Refusal.INSUFFICIENT_MARGIN: (-3006, "Your borrow amount has exceed maximum borrow amount."),
        Refusal.INSUFFICIENT_BALANCE: INSUFFICIENT,
        Refusal.IN_LIQUIDATION: (-3022, "You account's trading is banned."),
        Refusal.TOO_MANY_ORDERS: _filter("MAX_NUM_ORDERS"),
        Refusal.HALTED: (-2010, "Market is closed."),
        Refusal.ORDER_NOT_FOUND: UNKNOWN_ORDER,
        Refusal.ORDER_CLOSED: UNKNOWN_ORDER,
    }
)

LOAN_WORDS = MappingProxyType(
    {
        Refusal.NO_DEBT: REPAY_TOO_MUCH,
        Refusal.REPAY_TOO_MUCH: REPAY_TOO_MUCH,
        Refusal.INSUFFICIENT_BALANCE: NOT_ENOUGH,
        Refusal.REPAY_BLOCKED: (-3010, "Repay not allowed. Repay amount exceeds borrow amount."),
    }
)


def said(words: Words, *, status: int | None = None) -> WireAnswer:
    """Return the venue's error answer in these words."""
    code, message = words
    return envelope(code, status=status, message=message)


def refuse(words: Words) -> WireRefusal:
    """Return the refusal to raise."""
    return WireRefusal(said(words))


def rejected(rejection: Rejection) -> WireRefusal:
    """Return the refusal to raise for what the engine refused; without words of its own, an unknown error."""
    return refuse(WORDS.get(rejection.reason, (-1000, "An unknown error occurred.")))


def loan_rejected(rejection: Rejection) -> WireRefusal:
    """Return the refusal to raise for a repayment."""
    return refuse(LOAN_WORDS.get(rejection.reason) or WORDS.get(rejection.reason, (-3000, "Internal error.")))
