"""Orders at Coinbase: raw rows -> our models, and what is sent to reduce a futures position."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from brokers.errors import MalformedAnswer, NotSupported
from brokers.fields import mapping_from
from brokers.hooks import Ack
from brokers.models import OrderSide, Position, Symbol
from brokers.numbers import decimal_from, decimal_or_none, plain
from brokers.order_rows import side_of, state_of, text_of
from brokers.orders import ClientOrderId, OpenOrder, OrderBook, OrderReport, OrderState, ReduceOrder, Verdict
from brokers.profile import Json, Request

SIDES = {"BUY": OrderSide.BUY, "SELL": OrderSide.SELL}

STATES: Mapping[str, OrderState] = MappingProxyType(
    {
        "PENDING": OrderState.OPEN,
        "OPEN": OrderState.OPEN,
        "QUEUED": OrderState.OPEN,
        "CANCEL_QUEUED": OrderState.OPEN,
        "EDIT_QUEUED": OrderState.OPEN,
        "FILLED": OrderState.FILLED,
        "CANCELLED": OrderState.CANCELLED,
        "EXPIRED": OrderState.CANCELLED,
        "FAILED": OrderState.REJECTED,
    }
)

TRIGGERED = "STOP_TRIGGERED"
BRACKET = "trigger_bracket"


def read_open_order(row: Mapping[str, Any], held: Sequence[Position]) -> OpenOrder:
    """Read a row of `orders/historical/batch`; `held` are the open positions.

    The one entry of `order_configuration` names the order's kind and holds its figures.

    Raises:
        MalformedAnswer: it names no order, product or side.
        NumberError: a figure is damaged.
    """
    kind, figures = _configuration(row)
    size, filled = decimal_or_none(figures.get("base_size")), decimal_or_none(row.get("filled_size"))
    left = size if size is None or filled is None else size - filled
    symbol, side = Symbol(text_of(row, "product_id")), side_of(row, SIDES)
    waits = kind.startswith(("stop_limit", BRACKET)) and row.get("trigger_status") != TRIGGERED
    flagged = _is_true(figures.get("reduce_only")) or _is_true(row.get("reduce_only"))
    price = figures.get("stop_price") or figures.get("stop_trigger_price") if waits else None
    return OpenOrder(
        order_id=text_of(row, "order_id"),
        client_order_id=str(row.get("client_order_id") or "") or None,
        symbol=symbol,
        side=side,
        quantity=left,
        price=decimal_or_none(price or figures.get("limit_price")),
        reduce_only=flagged
        or kind.startswith(BRACKET)
        or (
            waits
            and any(
                position.symbol == symbol
                and position.closing_side is side
                and left is not None
                and left <= position.quantity
                for position in held
            )
        ),
        book=OrderBook.TRIGGER if waits else OrderBook.ACTIVE,
        kind=kind,
    )


def read_report(row: Mapping[str, Any], client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
    """Read what became of the order that `row` is.

    Raises:
        MalformedAnswer: another product's row, or in a state Coinbase does not document.
        NumberError: a figure is missing or damaged.
    """
    if row.get("client_order_id") != client_order_id or row.get("product_id") != symbol:
        raise MalformedAnswer("orders/historical/batch: the row of another order")
    state = state_of(row.get("status"), STATES, "orders/historical/batch")
    filled = decimal_from(row.get("filled_size"))
    return OrderReport(
        client_order_id=client_order_id,
        symbol=symbol,
        verdict=Verdict.ACCEPTED,
        state=state,
        order_id=text_of(row, "order_id"),
        filled=filled,
        average_price=decimal_or_none(row.get("average_filled_price")) if filled else None,
        fee=decimal_or_none(row.get("total_fees")),
        code=str(row.get("reject_reason") or "") or None if state is OrderState.REJECTED else None,
        message=str(row.get("reject_message") or "") or None if state is OrderState.REJECTED else None,
    )


def close_request(order: ReduceOrder) -> Request:
    """Return the call that closes part of a position; it cannot open one, and knows no price.

    Without a size it would close everything. The limit orders of Coinbase are not bound to the position.
    """
    if order.limit_price is not None:
        raise NotSupported(
            "coinbase: a position is closed at market; nothing that has a price is bound to it"
        )
    return Request(
        call="v3PrivatePostBrokerageOrdersClosePosition",
        params={
            "client_order_id": str(order.client_order_id),
            "product_id": str(order.symbol),
            "size": plain(order.quantity),
        },
    )


def read_ack(payload: Json) -> Ack:
    """Read the acknowledgement; an id used before is answered as a success with the earlier order.

    Raises:
        MalformedAnswer: it does not say that the order was created.
    """
    answer = mapping_from(payload, "close_position")
    if answer.get("success") is not True:
        raise MalformedAnswer("close_position: an answer without success")
    row = mapping_from(answer.get("success_response"), "success_response")
    configuration = answer.get("order_configuration")
    market = configuration.get("market_market_ioc") if isinstance(configuration, Mapping) else None
    size = market.get("base_size") if isinstance(market, Mapping) else None
    return Ack(
        order_id=str(row.get("order_id") or "") or None,
        client_order_id=str(row.get("client_order_id") or "") or None,
        symbol=str(row.get("product_id") or "") or None,
        side=SIDES.get(str(row.get("side") or "")),
        quantity=decimal_or_none(size),
    )


def _configuration(row: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    raw = row.get("order_configuration")
    entries = raw.items() if isinstance(raw, Mapping) else ()
    for kind, figures in entries:
        if isinstance(figures, Mapping) and figures:
            return str(kind), figures
    return str(row.get("order_type") or "unknown").lower(), {}


def _is_true(raw: object) -> bool:
    return str(raw).lower() == "true"
