"""Futures orders: what is sent to reduce a position, what its answer says, and what rests at the venue."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from brokers.answers import Reply
from brokers.errors import MalformedAnswer
from brokers.fields import mapping_from, rows_from
from brokers.hooks import Ack, CancelBatch, RowResult
from brokers.models import OrderSide, Symbol
from brokers.numbers import ZERO, decimal_or_none, plain
from brokers.orders import ClientOrderId, OpenOrder, OrderBook, OrderReport, OrderState, ReduceOrder, Verdict
from brokers.profile import Request
from brokers.venues.binance.books import USDM, Book, WaitingBook

TRIGGER_TYPES = frozenset(
    {"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"}
)
"""Order types that wait for a price; orders from before the algo book may still rest in the other one."""

CLOSING = frozenset({("LONG", "SELL"), ("SHORT", "BUY")})
"""(positionSide, side) of orders that can only reduce: in hedge mode `reduceOnly` is never set."""

LEGS = frozenset({"LONG", "SHORT"})
FLAGS = frozenset({"true", "false"})

SIDES = MappingProxyType({"BUY": OrderSide.BUY, "SELL": OrderSide.SELL})

STATES = MappingProxyType(
    {
        "NEW": OrderState.OPEN,
        "PARTIALLY_FILLED": OrderState.OPEN,
        "FILLED": OrderState.FILLED,
        "CANCELED": OrderState.CANCELLED,
        "EXPIRED": OrderState.CANCELLED,
        "EXPIRED_IN_MATCH": OrderState.CANCELLED,
        "REJECTED": OrderState.REJECTED,
    }
)


def order_request(order: ReduceOrder, book: Book = USDM) -> Request:
    """Build `POST .../order`: limit IOC or market, answered with its result.

    In one-way mode `reduceOnly` keeps it from opening; in hedge mode the venue refuses that flag and the
    named side, with the opposite order side, does the same.
    """
    position = order.position
    params: dict[str, object] = {
        "symbol": order.symbol,
        "side": order.side.upper(),
        "quantity": plain(order.quantity),
        "newClientOrderId": order.client_order_id,
        "newOrderRespType": "RESULT",
    }
    if position.hedged:
        params["positionSide"] = position.side.upper()
    else:
        params["reduceOnly"] = "true"
    if order.limit_price is None:
        params["type"] = "MARKET"
    else:
        params |= {"type": "LIMIT", "timeInForce": "IOC", "price": plain(order.limit_price)}
    return Request(call=book.place, params=params)


def read_ack(payload: object) -> Ack:
    """Read an order as POST and GET answer it; fees are not in it.

    `avgPrice` is "0" before the first fill, and since July 2026 absent from answers to POST.
    """
    row = mapping_from(payload, "the order")
    order_id = row.get("orderId")
    average = decimal_or_none(row.get("avgPrice"))
    return Ack(
        order_id=None if order_id in {None, ""} else str(order_id),
        client_order_id=row.get("clientOrderId"),
        symbol=row.get("symbol"),
        side=None if row.get("side") is None else _side(row),
        quantity=decimal_or_none(row.get("origQty")),
        state=STATES.get(str(row.get("status"))),
        filled=decimal_or_none(row.get("executedQty")),
        average_price=average if average != ZERO else None,
    )


def read_report(payload: object, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
    """Read `GET .../order`."""
    ack = read_ack(payload)
    echoed = ack.client_order_id == client_order_id and ack.symbol == symbol and ack.order_id is not None
    return OrderReport(
        client_order_id=client_order_id,
        symbol=symbol,
        verdict=Verdict.ACCEPTED if echoed else Verdict.UNKNOWN,
        state=ack.state if echoed else None,
        order_id=ack.order_id,
        filled=ack.filled if echoed else None,
        average_price=ack.average_price if echoed else None,
    )


def read_open_orders(payload: object) -> tuple[OpenOrder, ...]:
    """Read `GET .../openOrders`."""
    return tuple(_open_order(row) for row in rows_from(payload, "the open orders"))


def read_open_algo_orders(payload: object, book: WaitingBook = USDM.waiting[0]) -> tuple[OpenOrder, ...]:
    """Read `GET .../openAlgoOrders`: everything that waits for a trigger."""
    return tuple(_open_algo_order(row, book) for row in rows_from(payload, "the open algo orders"))


def _open_order(row: Mapping[str, Any]) -> OpenOrder:
    kind = str(row.get("type") or "")
    price = decimal_or_none(row.get("price"))
    asked, filled = decimal_or_none(row.get("origQty")), decimal_or_none(row.get("executedQty"))
    left = None if asked is None or filled is None else asked - filled
    return OpenOrder(
        order_id=str(row["orderId"]),
        client_order_id=row.get("clientOrderId"),
        symbol=Symbol(row["symbol"]),
        side=_side(row),
        quantity=None if _closes_all(row) else left,
        price=price or None,
        reduce_only=_only_reduces(row, waits=kind in TRIGGER_TYPES),
        book=OrderBook.TRIGGER if kind in TRIGGER_TYPES else OrderBook.ACTIVE,
        kind=kind,
    )


def _open_algo_order(row: Mapping[str, Any], book: WaitingBook) -> OpenOrder:
    price = decimal_or_none(row.get("price"))
    return OpenOrder(
        order_id=str(row[book.order_id]),
        client_order_id=row.get(book.client_id),
        symbol=Symbol(row["symbol"]),
        side=_side(row),
        quantity=None if _closes_all(row) else decimal_or_none(row.get(book.quantity)),
        price=price or None,
        reduce_only=_only_reduces(row, waits=True),
        book=OrderBook.TRIGGER,
        kind=book.kind,
    )


def _side(row: Mapping[str, Any]) -> OrderSide:
    try:
        return SIDES[row["side"]]
    except KeyError:
        raise MalformedAnswer(f"an order of side {row.get('side')!r}") from None


def _closes_all(row: Mapping[str, Any]) -> bool:
    return _flag(row, "closePosition")


def _only_reduces(row: Mapping[str, Any], *, waits: bool) -> bool:
    """Tell whether an order can do nothing but reduce; a missing flag is not taken for one.

    Raises:
        MalformedAnswer: it waits for a price, and is the owner's protection or not by a flag that is missing.
    """
    leg, side = str(row.get("positionSide")), str(row.get("side"))
    if _closes_all(row) or (leg, side) in CLOSING:
        return True
    if waits and leg not in LEGS and _flag_word(row, "reduceOnly") not in FLAGS:
        raise MalformedAnswer("a conditional order without reduceOnly")
    return _flag(row, "reduceOnly")


def _flag(row: Mapping[str, Any], name: str) -> bool:
    return _flag_word(row, name) == "true"


def _flag_word(row: Mapping[str, Any], name: str) -> str:
    return str(row.get(name)).lower()


def cancel_batches(orders: Sequence[OpenOrder], book: Book = USDM) -> tuple[CancelBatch, ...]:
    """Cancel each order by a call of its own, from the book it rests in.

    The venue's batch call takes ten orders of one symbol, but reports failures without saying whose they are.
    """
    return tuple(CancelBatch(request=_cancel_request(order, book), orders=(order,)) for order in orders)


def _cancel_request(order: OpenOrder, book: Book) -> Request:
    params = {"symbol": order.symbol, "orderId": order.order_id}
    waiting = book.waits(order.kind)
    if waiting is not None:
        named = {"symbol": order.symbol} if waiting.needs_symbol else {}
        return Request(call=waiting.cancel, params={**named, waiting.order_id: order.order_id})
    return Request(call=book.cancel, params=params)


def read_cancel(batch: CancelBatch, reply: Reply, book: Book = USDM) -> tuple[RowResult, ...] | None:
    """Read which order an answer says it cancelled; a refusal names none."""
    if reply.failure is not None:
        return None
    row = mapping_from(reply.payload, "the cancelled order")
    waiting = book.waits(batch.orders[0].kind)
    named = row.get("orderId" if waiting is None else waiting.order_id)
    return (RowResult(order_id=None if named is None else str(named), code=None),)


def leverage_request(symbol: Symbol, leverage: int, book: Book = USDM) -> Request:
    """Build `POST .../leverage`; the same value again is a success."""
    return Request(call=book.leverage, params={"symbol": symbol, "leverage": leverage})
