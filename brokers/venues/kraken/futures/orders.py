"""Orders at Kraken Futures: raw rows -> our models, and what is sent to reduce a position."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from brokers.errors import MalformedAnswer
from brokers.fields import mapping_from
from brokers.hooks import Ack
from brokers.models import OrderSide, Symbol
from brokers.numbers import ZERO, decimal_from, decimal_or_none, plain
from brokers.order_rows import side_of, state_of, text_of
from brokers.orders import ClientOrderId, OpenOrder, OrderBook, OrderReport, OrderState, ReduceOrder, Verdict
from brokers.venues.kraken.futures.envelope import EXECUTION, events_of

SIDES = {"buy": OrderSide.BUY, "sell": OrderSide.SELL}

ACTIVE_TYPES = frozenset({"lmt", "limit", "post", "ioc", "mkt", "fok"})
FLAGS = frozenset({"true", "false"})

STATES: Mapping[str, OrderState] = MappingProxyType(
    {
        "ENTERED_BOOK": OrderState.OPEN,
        "TRIGGER_PLACED": OrderState.OPEN,
        "FULLY_EXECUTED": OrderState.FILLED,
        "CANCELLED": OrderState.CANCELLED,
        "REJECTED": OrderState.REJECTED,
        "TRIGGER_ACTIVATION_FAILURE": OrderState.REJECTED,
    }
)

EVENT_STATES: Mapping[str, OrderState] = MappingProxyType(
    {
        "OrderCancelled": OrderState.CANCELLED,
        "OrderRejected": OrderState.REJECTED,
        "OrderFilled": OrderState.FILLED,
    }
)
"""Events of the order history after which nothing more happens."""


def order_params(order: ReduceOrder) -> dict[str, object]:
    """Return the parameters of `sendorder`.

    `ioc` in lower case: any other spelling is no order type of Kraken's. `mkt` is one with a price one per
    cent away, so either may fill in part, and nothing of it rests.
    """
    params: dict[str, object] = {
        "orderType": "mkt" if order.limit_price is None else "ioc",
        "symbol": str(order.symbol),
        "side": order.side.value,
        "size": plain(order.quantity),
        "reduceOnly": True,
        "cliOrdId": str(order.client_order_id),
        "processBefore": iso(order.deadline),
    }
    if order.limit_price is not None:
        params["limitPrice"] = plain(order.limit_price)
    return params


def iso(moment: datetime) -> str:
    """Return a time as Kraken takes it: ISO 8601 in UTC, to the microsecond."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_ack(order: ReduceOrder, payload: object) -> Ack:
    """Read the `sendStatus` of an order that was taken; what executed at once stands in its events.

    Kraken trims a reducing order to its position, so the size is not compared with ours.

    Raises:
        MalformedAnswer: there is no `sendStatus`.
        NumberError: an execution's figures are damaged.
    """
    sent = mapping_from(mapping_from(payload, "sendorder").get("sendStatus"), "sendStatus")
    events = events_of(sent)
    orders = [
        order
        for event in events
        for order in (event.get("order"), event.get("orderPriorExecution"))
        if isinstance(order, Mapping)
    ]
    executed = [event for event in events if event.get("type") == EXECUTION]
    filled, average = _sums([(e.get("amount"), e.get("price")) for e in executed])
    first: Mapping[str, Any] = orders[0] if orders else {}
    same = str(first.get("symbol") or "").upper() == order.symbol.upper()
    return Ack(
        order_id=str(sent.get("order_id") or "") or None,
        client_order_id=_own_id(sent) or _own_id(first),
        symbol=None if not first.get("symbol") else str(order.symbol) if same else str(first["symbol"]),
        side=SIDES.get(str(first.get("side") or "")),
        state=OrderState.FILLED if filled == order.quantity else None,
        filled=filled if executed else None,
        average_price=average,
    )


def read_open_order(row: Mapping[str, Any]) -> OpenOrder:
    """Read a row of `openorders`: resting and trigger orders stand in one list.

    Raises:
        MalformedAnswer: it names no order, contract or side; or it waits for a price, and is the owner's
            protection or not by a flag that is missing.
        NumberError: a figure is damaged.
    """
    kind = text_of(row, "orderType")
    stop = decimal_or_none(row.get("stopPrice"))
    resting = kind.lower() in ACTIVE_TYPES and stop is None
    flag = str(row.get("reduceOnly")).lower()
    if not resting and flag not in FLAGS:
        raise MalformedAnswer("a trigger order without reduceOnly")
    price = decimal_or_none(row.get("limitPrice"))
    left = decimal_or_none(row.get("unfilledSize"))
    return OpenOrder(
        order_id=text_of(row, "order_id"),
        client_order_id=_own_id(row),
        symbol=Symbol(text_of(row, "symbol")),
        side=side_of(row, SIDES),
        quantity=decimal_or_none(row.get("size")) if left is None else left,
        price=price if price is not None else stop,
        reduce_only=flag == "true",
        book=OrderBook.ACTIVE if resting else OrderBook.TRIGGER,
        kind=kind,
    )


def read_status(
    rows: Sequence[Mapping[str, Any]], client_order_id: ClientOrderId, symbol: Symbol
) -> OrderReport | None:
    """Read the answer of `orders/status`: orders that are open or ended within the last five seconds.

    An order that executed in part and was then rejected counts as cancelled, with what it executed.

    Raises:
        MalformedAnswer: another order's row, or a state Kraken does not document.
        NumberError: its filled size is damaged.
    """
    for row in rows:
        order = mapping_from(row.get("order"), "order of orders/status")
        if _own_id(order) != client_order_id:
            raise MalformedAnswer("orders/status: the row of another order")
        state = state_of(row.get("status"), STATES, "orders/status")
        filled = decimal_or_none(order.get("filled"))
        if filled is None and state is OrderState.FILLED:
            filled = decimal_or_none(order.get("quantity"))
        if state is OrderState.REJECTED and filled:
            state = OrderState.CANCELLED
        return OrderReport(
            client_order_id=client_order_id,
            symbol=symbol,
            verdict=Verdict.ACCEPTED,
            state=state,
            order_id=text_of(order, "orderId"),
            filled=filled,
            code=str(row["error"]) if isinstance(row.get("error"), str) else None,
        )
    return None


def read_resting(
    rows: Sequence[Mapping[str, Any]], client_order_id: ClientOrderId, symbol: Symbol
) -> OrderReport | None:
    """Find an order among the open ones."""
    for row in rows:
        if _own_id(row) == client_order_id:
            return OrderReport(
                client_order_id=client_order_id,
                symbol=symbol,
                verdict=Verdict.ACCEPTED,
                state=OrderState.OPEN,
                order_id=text_of(row, "order_id"),
                filled=decimal_or_none(row.get("filledSize")),
            )
    return None


def read_fills(
    rows: Sequence[Mapping[str, Any]], client_order_id: ClientOrderId, symbol: Symbol
) -> OrderReport | None:
    """Add up an order's fills; `None`: it has none among the last hundred of the account.

    An order is asked for here that no longer rests: what is not filled of it was cancelled.

    Raises:
        NumberError: a fill's figures are missing or damaged.
    """
    own = [row for row in rows if _own_id(row) == client_order_id]
    if not own:
        return None
    filled, average = _sums([(row.get("size"), row.get("price")) for row in own])
    return OrderReport(
        client_order_id=client_order_id,
        symbol=symbol,
        verdict=Verdict.ACCEPTED,
        state=OrderState.CANCELLED,
        order_id=text_of(own[0], "order_id"),
        filled=filled,
        average_price=average,
    )


def read_history(
    rows: Sequence[Mapping[str, Any]], client_order_id: ClientOrderId, symbol: Symbol
) -> OrderReport | None:
    """Find an order in the events of the order history, which the venue writes a little later.

    An order that was placed, does not rest and shows no end is over: how much it filled is not said.

    Raises:
        NumberError: its filled size is damaged.
    """
    state, order = None, None
    for row in rows:
        event = row.get("event")
        for kind, detail in event.items() if isinstance(event, Mapping) else ():
            found = detail.get("order") if isinstance(detail, Mapping) else None
            if not isinstance(found, Mapping) or found.get("clientId") != client_order_id:
                continue
            order = found if order is None or kind in EVENT_STATES else order
            state = EVENT_STATES.get(kind, state)
    if order is None:
        return None
    return OrderReport(
        client_order_id=client_order_id,
        symbol=symbol,
        verdict=Verdict.ACCEPTED,
        state=state or OrderState.CANCELLED,
        order_id=str(order.get("uid") or "") or None,
        filled=None if state is None else decimal_or_none(order.get("filled")),
    )


def _sums(parts: Sequence[tuple[object, object]]) -> tuple[Decimal, Decimal | None]:
    """Return the quantity and average price of executions given as (quantity, price)."""
    total = worth = ZERO
    for quantity, price in parts:
        size = decimal_from(quantity)
        total += size
        worth += size * decimal_from(price)
    return total, worth / total if total > 0 else None


def _own_id(row: Mapping[str, Any]) -> str | None:
    """Return the client's id; Kraken spells the field in two ways."""
    return str(row.get("cliOrdId") or row.get("cli_ord_id") or "") or None
