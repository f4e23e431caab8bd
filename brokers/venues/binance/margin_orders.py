"""Margin orders: what is sent to reduce a position, what its answer says, and what rests at the venue.

The venue has no reduce-only on margin. What keeps an order from opening anything is that it may not borrow:
every order says `AUTO_REPAY`, so that it can spend no more than the account holds, and what it brings repays.

Source: Binance docs, "Margin Account New Order", "Query Margin Account's Open Orders", "Query Margin
Account's Open OCO".
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from brokers.answers import Reply
from brokers.errors import MalformedAnswer
from brokers.fields import mapping_from, rows_from
from brokers.hooks import Ack, CancelBatch, RowResult
from brokers.models import OrderSide, Symbol
from brokers.numbers import ZERO, decimal_or_none, plain
from brokers.orders import ClientOrderId, OpenOrder, OrderBook, OrderReport, ReduceOrder, Verdict
from brokers.profile import Request
from brokers.venues.binance.orders import SIDES, STATES

PLACE, FIND, CANCEL = "sapiPostMarginOrder", "sapiGetMarginOrder", "sapiDeleteMarginOrder"
OPEN, LISTS = "sapiGetMarginOpenOrders", "sapiGetMarginOpenOrderList"

SIDE_EFFECT = "AUTO_REPAY"
"""The only side effect that is ever sent: what the order brings repays. The others can borrow."""

TRIGGER_TYPES = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
"""Order types that wait for a price."""

ISOLATED_KIND, CROSS_KIND = "isolated ", "cross "
"""Begin the `kind` of an order: whose it is must be said to cancel it."""


def isolated_flag(*, isolated: bool) -> str:
    """Return how the venue is told which of the two accounts is meant."""
    return "TRUE" if isolated else "FALSE"


def order_request(order: ReduceOrder, *, isolated: bool) -> Request:
    """Build `POST /sapi/v1/margin/order`: limit IOC or market, answered with its result."""
    params: dict[str, object] = {
        "symbol": order.symbol,
        "isIsolated": isolated_flag(isolated=isolated),
        "side": order.side.upper(),
        "quantity": plain(order.quantity),
        "newClientOrderId": order.client_order_id,
        "newOrderRespType": "RESULT",
        "sideEffectType": SIDE_EFFECT,
    }
    if order.limit_price is None:
        params["type"] = "MARKET"
    else:
        params |= {"type": "LIMIT", "timeInForce": "IOC", "price": plain(order.limit_price)}
    return Request(call=PLACE, params=params, cost=1)


def read_ack(payload: object) -> Ack:
    """Read an order as POST and GET answer it; an average price is what was paid over what was filled."""
    row = mapping_from(payload, "the order")
    order_id = row.get("orderId")
    filled, paid = decimal_or_none(row.get("executedQty")), decimal_or_none(row.get("cummulativeQuoteQty"))
    average = paid / filled if filled and paid is not None and paid > ZERO else None
    return Ack(
        order_id=None if order_id in {None, ""} else str(order_id),
        client_order_id=row.get("clientOrderId"),
        symbol=row.get("symbol"),
        side=None if row.get("side") is None else _side(row),
        quantity=decimal_or_none(row.get("origQty")),
        state=STATES.get(str(row.get("status"))),
        filled=filled,
        average_price=average,
    )


def read_report(payload: object, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
    """Read `GET /sapi/v1/margin/order`."""
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


def read_lists(payload: object) -> dict[str, str]:
    """Read `GET /sapi/v1/margin/openOrderList`: the list of each order in one, by order id."""
    found = {}
    for row in rows_from(payload, "the order lists"):
        for order in rows_from(row.get("orders"), "an order list's orders"):
            found[str(order["orderId"])] = str(row["orderListId"])
    return found


def read_open_orders(
    payload: object, lists: Mapping[str, str], held: Mapping[Symbol, Decimal] | None, *, isolated: bool
) -> tuple[OpenOrder, ...]:
    """Read `GET /sapi/v1/margin/openOrders`; `held` is the net base of each pair, `None`: not known.

    No order says that it only reduces. A stop that sells no more than is held, or buys no more than is owed,
    is its owner's protection. Cancelling one order of a list ends the list, so the orders beside such a stop
    stay, too.

    Raises:
        MalformedAnswer: an order waits for a price, and it is not known what is held, or how much it is for.
    """
    rows = rows_from(payload, "the open orders")
    orders = [_open_order(row, held, isolated=isolated) for row in rows]
    kept = {lists[order.order_id] for order in orders if order.is_protective and order.order_id in lists}
    return tuple(
        replace(order, reduce_only=True, book=OrderBook.TRIGGER)
        if lists.get(order.order_id) in kept
        else order
        for order in orders
    )


def _open_order(
    row: Mapping[str, Any], held: Mapping[Symbol, Decimal] | None, *, isolated: bool
) -> OpenOrder:
    kind, symbol, side = str(row.get("type") or ""), Symbol(row["symbol"]), _side(row)
    asked, filled = decimal_or_none(row.get("origQty")), decimal_or_none(row.get("executedQty"))
    left = None if asked is None or filled is None else asked - filled
    waits = kind in TRIGGER_TYPES
    if waits and (held is None or left is None):
        raise MalformedAnswer("a stop, and what it would leave is not known")
    net = ZERO if held is None else held.get(symbol, ZERO)
    against = net if side is OrderSide.SELL else -net
    price = decimal_or_none(row.get("price"))
    return OpenOrder(
        order_id=str(row["orderId"]),
        client_order_id=row.get("clientOrderId"),
        symbol=symbol,
        side=side,
        quantity=left,
        price=price or None,
        reduce_only=left is not None and left <= against,
        book=OrderBook.TRIGGER if waits else OrderBook.ACTIVE,
        kind=f"{ISOLATED_KIND if isolated else CROSS_KIND}{kind}",
    )


def _side(row: Mapping[str, Any]) -> OrderSide:
    try:
        return SIDES[row["side"]]
    except KeyError:
        raise MalformedAnswer(f"an order of side {row.get('side')!r}") from None


def cancel_batches(orders: Sequence[OpenOrder]) -> tuple[CancelBatch, ...]:
    """Cancel each order by a call of its own; of a list, the first ends the others."""
    return tuple(CancelBatch(request=_cancel_request(order), orders=(order,)) for order in orders)


def _cancel_request(order: OpenOrder) -> Request:
    params = {
        "symbol": order.symbol,
        "isIsolated": isolated_flag(isolated=order.kind.startswith(ISOLATED_KIND)),
        "orderId": order.order_id,
    }
    return Request(call=CANCEL, params=params, cost=10)


def read_cancel(reply: Reply) -> tuple[RowResult, ...] | None:
    """Read which order an answer says it cancelled: one, or for an order of a list all of the list's."""
    if reply.failure is not None:
        return None
    row = mapping_from(reply.payload, "the cancelled order")
    rows: Sequence[Mapping[str, Any]] = (row,)
    if "orderReports" in row:
        rows = rows_from(row["orderReports"], "the cancelled orders")
    named = [one.get("orderId") for one in rows]
    return tuple(RowResult(order_id=str(one), code=None) for one in named if one is not None)
