"""Orders on the V5 wire: the parameters we send, and the rows and acknowledgements that come back; pure."""

from collections.abc import Mapping
from decimal import Decimal

from brokers.errors import MalformedAnswer
from brokers.hooks import Ack
from brokers.models import OrderSide, Side, Symbol
from brokers.numbers import decimal_or_none, plain
from brokers.orders import ClientOrderId, OpenOrder, OrderBook, OrderReport, OrderState, ReduceOrder, Verdict
from brokers.venues.bybit.contracts import Category, category_of
from brokers.venues.bybit.envelope import Row, positive_or_none, result_of, text_or_none

SIDES = {"Buy": OrderSide.BUY, "Sell": OrderSide.SELL}
SIDE_WORDS = {side: word for word, side in SIDES.items()}

STATES = {
    "New": OrderState.OPEN,
    "PartiallyFilled": OrderState.OPEN,
    "Untriggered": OrderState.OPEN,
    "Triggered": OrderState.OPEN,
    "Created": OrderState.OPEN,
    "Active": OrderState.OPEN,
    "PendingCancel": OrderState.OPEN,
    "Filled": OrderState.FILLED,
    "Cancelled": OrderState.CANCELLED,
    "PartiallyFilledCanceled": OrderState.CANCELLED,
    "Deactivated": OrderState.CANCELLED,
    "Rejected": OrderState.REJECTED,
}
"""`orderStatus`; `Triggered` is the moment between waiting and resting."""

NO_STOP = frozenset({"", "UNKNOWN"})
"""`stopOrderType` of an order that is no conditional one."""

SPOT_FILTERS = {
    "tpslOrder": "tpslOrder",
    "OcoOrder": "OcoOrder",
    "BidirectionalTpslOrder": "BidirectionalTpslOrder",
}
"""`stopOrderType` of spot orders that are cancelled under a filter of their own name."""

KIND_SEPARATOR = "/"


def reduce_params(order: ReduceOrder) -> Mapping[str, object]:
    """Return the body of `POST /v5/order/create` that closes part of a position and can do nothing else.

    `reduceOnly` is kept in hedge mode too, beside the leg's `positionIdx`. Without a price the order is
    Market, which Bybit turns into an IOC limit with a slippage cap of its own.
    """
    position = order.position
    leg = (1 if position.side is Side.LONG else 2) if position.hedged else 0
    params: dict[str, object] = {
        "category": str(category_of(order.symbol)),
        "symbol": str(order.symbol),
        "side": SIDE_WORDS[order.side],
        "orderType": "Market",
        "qty": plain(order.quantity),
        "positionIdx": leg,
        "reduceOnly": True,
        "orderLinkId": str(order.client_order_id),
    }
    if order.limit_price is not None:
        params |= {"orderType": "Limit", "price": plain(order.limit_price), "timeInForce": "IOC"}
    return params


def read_ack(payload: object) -> Ack:
    """Return the ids of an accepted order. An acknowledgement is no fill.

    Raises:
        MalformedAnswer: there is no result.
    """
    result = result_of(payload, "order create")
    return Ack(
        order_id=text_or_none(result, "orderId"),
        client_order_id=text_or_none(result, "orderLinkId"),
    )


def lookup_params(client_order_id: ClientOrderId, symbol: Symbol) -> Mapping[str, object]:
    """Return the query of `order/realtime` and `order/history` for one order."""
    return {
        "category": str(category_of(symbol)),
        "symbol": str(symbol),
        "orderLinkId": str(client_order_id),
    }


def read_report(row: Row, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
    """Return what an order row says of our order.

    Raises:
        MalformedAnswer: it is the row of another order.
        NumberError: a figure is damaged.
    """
    if row.get("orderLinkId") != client_order_id or row.get("symbol") != symbol:
        raise MalformedAnswer("order lookup: the row is of another order")
    state = STATES.get(row.get("orderStatus") or "")
    return OrderReport(
        client_order_id=client_order_id,
        symbol=symbol,
        verdict=Verdict.ACCEPTED,  # the venue has it; `state` says what became of it
        state=state,
        order_id=text_or_none(row, "orderId"),
        filled=decimal_or_none(row.get("cumExecQty")),
        average_price=positive_or_none(row, "avgPrice"),
        fee=_fee(row),
        code=text_or_none(row, "rejectReason") if state is OrderState.REJECTED else None,
    )


def read_open_order(row: Row, category: Category) -> OpenOrder:
    """Return a resting order. `kind` holds category, cancel filter and type, as `linear/StopOrder/Market`.

    The quantity is what is left; `"0"` on a stop of the whole position is `None`. `closeOnTrigger` orders can
    only reduce, as `reduceOnly` ones.

    Raises:
        MalformedAnswer: id, symbol or side are not there; or it waits for a price, and is the owner's
            protection or not by a flag that is missing.
        NumberError: its quantity is damaged.
    """
    order_id, symbol = text_or_none(row, "orderId"), text_or_none(row, "symbol")
    side = SIDES.get(row.get("side") or "")
    if order_id is None or symbol is None or side is None:
        raise MalformedAnswer("open orders: a row without id, symbol or side")
    stop = row.get("stopOrderType") or ""
    waits = row.get("orderStatus") == "Untriggered" or stop not in NO_STOP
    order_filter = SPOT_FILTERS.get(stop, "StopOrder") if waits else "Order"
    reduces = row.get("reduceOnly") is True or row.get("closeOnTrigger") is True
    if waits and not reduces and category is not Category.SPOT and row.get("reduceOnly") is not False:
        raise MalformedAnswer("open orders: a conditional order without reduceOnly")
    return OpenOrder(
        order_id=order_id,
        client_order_id=text_or_none(row, "orderLinkId"),
        symbol=Symbol(symbol),
        side=side,
        quantity=decimal_or_none(row.get("leavesQty")) or None,
        price=positive_or_none(row, "price"),
        reduce_only=reduces,
        book=OrderBook.TRIGGER if waits else OrderBook.ACTIVE,
        kind=KIND_SEPARATOR.join((category, order_filter, row.get("orderType") or "")),
    )


def cancel_params(order: OpenOrder) -> Mapping[str, object]:
    """Return the body of `POST /v5/order/cancel` for exactly this order; only spot has a cancel filter."""
    category, order_filter, _ = order.kind.split(KIND_SEPARATOR)
    params: dict[str, object] = {
        "category": category,
        "symbol": str(order.symbol),
        "orderId": order.order_id,
    }
    if category == Category.SPOT:
        params["orderFilter"] = order_filter
    return params


def leverage_params(symbol: Symbol, leverage: Decimal) -> Mapping[str, object]:
    """Return the body of `POST /v5/position/set-leverage`; both sides get the same."""
    text = plain(leverage)
    return {
        "category": str(category_of(symbol)),
        "symbol": str(symbol),
        "buyLeverage": text,
        "sellLeverage": text,
    }


def _fee(row: Row) -> Decimal | None:
    """Return the fee: `cumFeeDetail` where it names one currency, else `cumExecFee`; deprecated on linear."""
    detail = row.get("cumFeeDetail")
    if isinstance(detail, Mapping) and len(detail) == 1:
        return decimal_or_none(next(iter(detail.values())))
    return decimal_or_none(row.get("cumExecFee"))
