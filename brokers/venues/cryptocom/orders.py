"""Orders at Crypto.com: raw rows -> our models, and what is sent to close part of a position."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from brokers.errors import MalformedAnswer
from brokers.models import OrderSide, Symbol
from brokers.numbers import ZERO, decimal_from, decimal_or_none, plain
from brokers.order_rows import side_of, state_of, text_of
from brokers.orders import ClientOrderId, OpenOrder, OrderBook, OrderReport, OrderState, ReduceOrder, Verdict
from brokers.venues.cryptocom.positions import isolation_id_of, isolation_of

TRIGGER_TYPES = frozenset({"STOP_LOSS", "STOP_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
SIDES = {"BUY": OrderSide.BUY, "SELL": OrderSide.SELL}
REDUCE_ONLY = "REDUCE_ONLY"

ADVANCED = "advanced "
"""Begins the `kind` of an order that the advanced calls list and cancel."""

STATES: Mapping[str, OrderState] = MappingProxyType(
    {
        "NEW": OrderState.OPEN,
        "PENDING": OrderState.OPEN,
        "ACTIVE": OrderState.OPEN,
        "FILLED": OrderState.FILLED,
        "CANCELED": OrderState.CANCELLED,
        "EXPIRED": OrderState.CANCELLED,
        "REJECTED": OrderState.REJECTED,
    }
)

Held = Mapping[tuple[Symbol, str], Decimal]
"""Signed quantities of open positions by instrument and isolation id ("" for cross)."""


def read_held(rows: tuple[Mapping[str, Any], ...]) -> Held:
    """Return what rows of get-positions hold.

    Raises:
        NumberError: a quantity is missing or damaged.
    """
    return {
        (Symbol(str(row.get("instrument_name") or "")), isolation_of(row)): decimal_from(row.get("quantity"))
        for row in rows
    }


def read_open_order(row: Mapping[str, Any], held: Held, *, advanced: bool) -> OpenOrder:
    """Read a row of get-open-orders, or of its advanced sibling.

    An order can only reduce if it says so, or if it is a stop or take-profit against a position of at least
    its size: that is how its owner protects a position at a venue where few orders carry the flag.

    Raises:
        MalformedAnswer: it names no order, instrument, side or type; or it waits for a price, and is the
            owner's protection or not by a quantity that is missing.
        NumberError: a figure is damaged.
    """
    symbol, side, word = (
        Symbol(text_of(row, "instrument_name")),
        side_of(row, SIDES),
        text_of(row, "order_type"),
    )
    quantity, filled = decimal_or_none(row.get("quantity")), decimal_or_none(row.get("cumulative_quantity"))
    left = quantity if quantity is None or filled is None else quantity - filled
    trigger = word in TRIGGER_TYPES
    instructions = row.get("exec_inst")
    flagged = isinstance(instructions, list) and REDUCE_ONLY in instructions
    position = held.get((symbol, isolation_of(row)), ZERO)
    against = position > 0 if side is OrderSide.SELL else position < 0
    if trigger and against and not flagged and left is None:
        raise MalformedAnswer("a trigger order against a position without quantity")
    protects = trigger and against and left is not None and left <= abs(position)
    price = row.get("ref_price") or row.get("trigger_price") if trigger else row.get("limit_price")
    return OpenOrder(
        order_id=text_of(row, "order_id"),
        client_order_id=str(row.get("client_oid") or "") or None,
        symbol=symbol,
        side=side,
        quantity=left,
        price=decimal_or_none(price) or None,
        reduce_only=flagged or protects,
        book=OrderBook.TRIGGER if trigger else OrderBook.ACTIVE,
        kind=f"{ADVANCED}{word}" if advanced else word,
    )


def read_report(row: Mapping[str, Any], client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
    """Read a row of get-order-detail, get-order-history or get-open-orders.

    Raises:
        MalformedAnswer: it is of another instrument, or in a state Crypto.com does not document.
        NumberError: a figure is missing or damaged.
    """
    if row.get("instrument_name") != symbol:
        raise MalformedAnswer("the row of another instrument")
    state = state_of(row.get("status"), STATES, "an order")
    reason = row.get("reason")
    return OrderReport(
        client_order_id=client_order_id,
        symbol=symbol,
        verdict=Verdict.ACCEPTED,
        state=state,
        order_id=text_of(row, "order_id"),
        filled=decimal_from(row.get("cumulative_quantity")),
        average_price=decimal_or_none(row.get("avg_price")) or None,
        fee=decimal_or_none(row.get("cumulative_fee")),
        code=None if reason in (None, "", 0, "0") else str(reason),
    )


def close_params(order: ReduceOrder) -> dict[str, object]:
    """Return the parameters of close-position; every number as text.

    The call is bound to the position: it takes its side from it and cannot open one. It documents neither a
    client id nor a time in force. Source: Exchange API v1, `private/close-position`.
    """
    params: dict[str, object] = {
        "instrument_name": str(order.symbol),
        "type": "MARKET" if order.limit_price is None else "LIMIT",
        "quantity": plain(order.quantity),
    }
    if order.limit_price is not None:
        params["price"] = plain(order.limit_price)
    isolation = isolation_id_of(order.position)
    if isolation is not None:
        params["isolation_id"] = isolation
    return params
