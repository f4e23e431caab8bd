"""Cancelling at Kraken Futures: a few orders one by one, many by a batch that is answered row by row.

Resting and trigger orders are cancelled by the same calls.
"""

from collections.abc import Sequence

from brokers.fields import mapping_from
from brokers.hooks import CancelBatch, RowResult
from brokers.orders import OpenOrder
from brokers.profile import Json, Request
from brokers.venues.kraken.futures.envelope import list_of
from brokers.venues.kraken.futures.profile import BATCH_COST, COSTS

ONE, BATCH = "privatePostCancelorder", "privatePostBatchorder"

FEW = 5
"""So many go one by one, each with an answer of its own, for a tenth of the budget."""

MOST = 50
"""Orders in one batch; Kraken takes more, but a batch of these leaves the budget room for orders."""

CANCELLED = "cancelled"


def cancel_batches(orders: Sequence[OpenOrder]) -> tuple[CancelBatch, ...]:
    """Return the calls that cancel exactly `orders`."""
    if len(orders) <= FEW:
        return tuple(
            CancelBatch(
                request=Request(call=ONE, params={"order_id": order.order_id}, cost=COSTS[ONE]),
                orders=(order,),
            )
            for order in orders
        )
    return tuple(_batch(orders[start : start + MOST]) for start in range(0, len(orders), MOST))


def _batch(orders: Sequence[OpenOrder]) -> CancelBatch:
    rows = [{"order": "cancel", "order_id": order.order_id} for order in orders]
    return CancelBatch(
        request=Request(call=BATCH, params={"batchOrder": rows}, cost=BATCH_COST + len(rows)),
        orders=tuple(orders),
    )


def read_cancelled(batch: CancelBatch, payload: Json) -> tuple[RowResult, ...]:
    """Return what the answer to one call says of each of its orders.

    Raises:
        MalformedAnswer: it says nothing of any.
    """
    if batch.request.call == BATCH:
        return read_cancel_rows(batch, payload)
    status = mapping_from(mapping_from(payload, "cancelorder").get("cancelStatus"), "cancelStatus")
    (order,) = batch.orders
    return _results([(str(status.get("order_id") or "") or order.order_id, status.get("status"))])


def read_cancel_rows(batch: CancelBatch, payload: Json) -> tuple[RowResult, ...]:
    """Return what the answer says of each order; one that no row speaks of keeps no verdict here.

    A row may come without its id: it is then matched by its place, if there are as many as orders.

    Raises:
        MalformedAnswer: it holds no list of rows.
    """
    rows = list_of(payload, "batchStatus")
    complete = len(rows) == len(batch.orders)
    named = []
    for place, row in enumerate(rows):
        order_id = str(row.get("order_id") or "")
        if not order_id and complete:
            order_id = batch.orders[place].order_id
        named.append((order_id, row.get("status")))
    return _results(named)


def _results(named: Sequence[tuple[str, object]]) -> tuple[RowResult, ...]:
    return tuple(
        RowResult(order_id=order_id, code=None if word == CANCELLED else word)
        for order_id, word in named
        if order_id and isinstance(word, str) and word
    )
