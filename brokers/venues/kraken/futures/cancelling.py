"""Cancelling at Kraken Futures: one batch call for orders of every kind, answered row by row."""

from collections.abc import Sequence

from brokers.hooks import CancelBatch, RowResult
from brokers.orders import OpenOrder
from brokers.profile import Json, Request
from brokers.venues.kraken.futures.envelope import list_of
from brokers.venues.kraken.futures.profile import BATCH_COST

MOST = 50
"""Orders in one batch; Kraken takes more, but a batch of these leaves the budget room for orders."""

CANCELLED = "cancelled"


def cancel_batches(orders: Sequence[OpenOrder]) -> tuple[CancelBatch, ...]:
    """Return the calls that cancel exactly `orders`."""
    return tuple(_batch(orders[start : start + MOST]) for start in range(0, len(orders), MOST))


def _batch(orders: Sequence[OpenOrder]) -> CancelBatch:
    rows = [{"order": "cancel", "order_id": order.order_id} for order in orders]
    return CancelBatch(
        request=Request(
            call="privatePostBatchorder", params={"batchOrder": rows}, cost=BATCH_COST + len(rows)
        ),
        orders=tuple(orders),
    )


def read_cancel_rows(batch: CancelBatch, payload: Json) -> tuple[RowResult, ...]:
    """Return what the answer says of each order; one that no row speaks of keeps no verdict here.

    A row may come without its id: it is then matched by its place, if there are as many as orders.

    Raises:
        MalformedAnswer: it holds no list of rows.
    """
    rows = list_of(payload, "batchStatus")
    complete = len(rows) == len(batch.orders)
    results = []
    for place, row in enumerate(rows):
        order_id = str(row.get("order_id") or "")
        if not order_id and complete:
            order_id = batch.orders[place].order_id
        word = row.get("status")
        if order_id and isinstance(word, str) and word:
            results.append(RowResult(order_id=order_id, code=None if word == CANCELLED else word))
    return tuple(results)
