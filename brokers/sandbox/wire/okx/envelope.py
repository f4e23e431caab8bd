"""OKX's answers and refusals: `{"code", "msg", "data"}`, figures as text, `""` for what does not apply."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from brokers.numbers import LARGEST, plain
from brokers.sandbox.orders import Refusal, Rejection
from brokers.sandbox.wire.base import WireAnswer, WireRefusal, WireRequest

MESSAGES: Mapping[str, tuple[int, str]] = {
    "50000": (400, "Body for POST request cannot be empty."),
    "50002": (400, "JSON syntax error"),
    "50011": (429, "Too Many Requests"),
    "50014": (400, "Parameter {0} can not be empty."),
    "50020": (200, "Position frozen and related operations restricted due to forced liquidation."),
    "50026": (500, "System error. Try again later"),
    "50036": (200, "The expTime can't be earlier than the current system time."),
    "50102": (401, "Timestamp request expired."),
    "50103": (401, 'Request header "OK-ACCESS-KEY" cannot be empty.'),
    "50104": (401, 'Request header "OK-ACCESS-PASSPHRASE" cannot be empty.'),
    "50105": (401, 'Request header "OK-ACCESS-PASSPHRASE" incorrect.'),
    "50106": (401, 'Request header "OK-ACCESS-SIGN" cannot be empty.'),
    "50107": (401, 'Request header "OK-ACCESS-TIMESTAMP" cannot be empty.'),
    "50112": (401, "Invalid OK-ACCESS-TIMESTAMP."),
    "50113": (401, "Invalid signature."),
    "50119": (200, "API key doesn't exist"),
    "50120": (200, "This API key doesn't have permission to use this function"),
    "50121": (200, "You can't access our services through the IP address"),
    "51000": (400, "Parameter {0} error"),
    "51001": (200, "Instrument ID doesn't exist."),
    "51003": (200, "Either client order ID or order ID is required."),
    "51004": (200, "Order failed. The maximum position amount under current leverage is exceeded."),
    "51006": (200, "Order price is not within the price limit."),
    "51008": (200, "Order failed. Insufficient margin in account"),
    "51010": (200, "Request unsupported under current account mode"),
    "51016": (200, "Client order ID already exists."),
    "51020": (200, "Your order should meet or exceed the minimum order amount."),
    "51022": (200, "Contract suspended."),
    "51023": (200, "Position doesn't exist."),
    "51102": (200, "Order failed, the number of pending orders for this instId is exceeded."),
    "51111": (200, "Maximum 20 orders can be placed in bulk."),
    "51112": (200, "Close order size exceeds available size for this position."),
    "51121": (200, "Order quantity must be a multiple of the lot size."),
    "51150": (200, "The precision of the number of trades or the price exceeds the limit."),
    "51169": (200, "Order failed because you don't have any positions in this direction to reduce or close."),
    "51170": (200, "A reduce-only order can't be the same trading direction as your existing positions."),
    "51202": (200, "Market order amount exceeds the maximum amount."),
    "51203": (200, "Order amount exceeds the limit."),
    "51204": (200, "The price for the limit order cannot be empty."),
    "51279": (200, "The trigger price is on the wrong side of the last price."),
    "51400": (200, "Order cancellation failed as the order has been filled, canceled or does not exist."),
    "51406": (400, "Canceled - order count exceeds the limit."),
    "51603": (200, "Order does not exist"),
    "58110": (200, "Transfers are suspended due to market risk control."),
    "58113": (200, "Unable to transfer this crypto"),
    "58114": (400, "Transfer amount must be greater than 0"),
    "58124": (200, "Your transfer is being processed"),
    "58129": (200, "{0} is incorrect or {0} does not match with 'type'"),
    "58350": (200, "Insufficient balance."),
    "59101": (200, "Leverage can't be modified."),
    "59102": (200, "Leverage exceeds the maximum limit. Please lower the leverage."),
    "59108": (200, "Your account leverage is too low and has insufficient margins."),
}
"""Code -> HTTP status and text. Source: OKX docs, "Error Code"."""

CODES: Mapping[Refusal, str] = {
    Refusal.UNKNOWN_SYMBOL: "51001",
    Refusal.UNKNOWN_CURRENCY: "58113",
    Refusal.DUPLICATE_CLIENT_ID: "51016",
    Refusal.EXPIRED: "50036",
    Refusal.QUANTITY: "51000",
    Refusal.LOT: "51121",
    Refusal.TICK: "51150",
    Refusal.MIN_QUANTITY: "51020",
    Refusal.MIN_NOTIONAL: "51020",
    Refusal.MAX_QUANTITY: "51202",
    Refusal.PRICE: "51204",
    Refusal.PRICE_BAND: "51006",
    Refusal.TRIGGER: "51000",
    Refusal.WOULD_TRIGGER: "51279",
    Refusal.NO_POSITION: "51169",
    Refusal.REDUCE_ONLY_WRONG_SIDE: "51170",
    Refusal.REDUCE_ONLY_TOO_LARGE: "51112",
    Refusal.WRONG_POSITION_SIDE: "51000",
    Refusal.MARGIN_MODE: "51010",
    Refusal.INSUFFICIENT_MARGIN: "51008",
    Refusal.IN_LIQUIDATION: "50020",
    Refusal.TOO_MANY_ORDERS: "51102",
    Refusal.HALTED: "51022",
    Refusal.LEVERAGE: "59102",
    Refusal.LEVERAGE_TIER: "59102",
    Refusal.LEVERAGE_LOCKED: "59101",
    Refusal.ORDER_NOT_FOUND: "51400",
    Refusal.ORDER_CLOSED: "51400",
    Refusal.AMOUNT: "58114",
    Refusal.INSUFFICIENT_BALANCE: "58350",
    Refusal.TRANSFER_BLOCKED: "58110",
    Refusal.DUPLICATE_TRANSFER: "58124",
}

WRONG_WORDS: Mapping[Refusal, str] = {
    Refusal.QUANTITY: "sz",
    Refusal.TRIGGER: "triggerPx",
    Refusal.WRONG_POSITION_SIDE: "posSide",
}


class RowRefusal(Exception):
    """One order of a request is refused with OKX's `code`; `word` is the parameter its text names."""

    def __init__(self, code: str, word: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.message = MESSAGES[code][1].format(word)


def figure(value: Decimal | None) -> str:
    """Return a figure as OKX writes it: plain text, `""` for none."""
    return "" if value is None else plain(value)


def success(rows: Sequence[object], **more: str) -> WireAnswer:
    """Return a successful answer."""
    return WireAnswer(payload={"code": "0", "data": list(rows), "msg": "", **more})


def failure(code: str, word: str = "", *, status: int | None = None) -> WireAnswer:
    """Return the answer of a request that is refused as a whole."""
    documented, text = MESSAGES[code]
    payload = {"code": code, "data": [], "msg": text.format(word)}
    return WireAnswer(payload=payload, status=documented if status is None else status)


def refuse(code: str, word: str = "") -> WireRefusal:
    """Return the refusal of a request as a whole, to be raised."""
    return WireRefusal(failure(code, word))


def row_refusal(rejection: Rejection) -> RowRefusal:
    """Return what OKX says where the engine refuses an order, a cancellation or a transfer."""
    return RowRefusal(CODES[rejection.reason], WRONG_WORDS.get(rejection.reason, ""))


def rows_answer(rows: Sequence[Mapping[str, Any]], now_ms: int) -> WireAnswer:
    """Return the answer to orders or cancellations: `1` when all rows failed, `2` when some did."""
    failed = sum(row["sCode"] != "0" for row in rows)
    code, text = "0", ""
    if failed == len(rows):
        code, text = "1", "All operations failed"
    elif failed:
        code, text = "2", "Bulk operation partially succeeded."
    micros = str(now_ms * 1000)
    return WireAnswer(
        payload={"code": code, "data": list(rows), "msg": text, "inTime": micros, "outTime": micros}
    )


def body_object(request: WireRequest) -> dict[str, Any]:
    """Return the JSON object that is the body.

    Raises:
        WireRefusal: it is none.
    """
    body = _body(request)
    if not isinstance(body, dict):
        raise refuse("50002")
    return body


def body_rows(request: WireRequest) -> list[dict[str, Any]]:
    """Return the JSON objects of the body; OKX also takes a single one for a list.

    Raises:
        WireRefusal: they are none.
    """
    body = _body(request)
    rows: list[Any] = body if isinstance(body, list) else [body]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise refuse("50002")
    return rows


def _body(request: WireRequest) -> object:
    if not request.body:
        raise refuse("50000")
    try:
        return json.loads(request.body)
    except ValueError:
        raise refuse("50002") from None


def needed(parameters: Mapping[str, Any], name: str) -> str:
    """Return a parameter that must be there.

    Raises:
        WireRefusal: it is absent or empty.
    """
    value = parameters.get(name)
    if value is None or value == "":
        raise refuse("50014", name)
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
