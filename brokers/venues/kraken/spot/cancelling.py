"""Cancelling at Kraken: orders of every kind by their ids, one by one or fifty at a time.

The answer counts orders and names none. Source: Kraken docs, "Cancel Order", "Cancel Order Batch".
"""

from collections.abc import Sequence

from brokers.hooks import CancelBatch, RowResult
from brokers.numbers import decimal_from
from brokers.orders import OpenOrder
from brokers.profile import Json, Request
from brokers.venues.kraken.spot.envelope import UNKNOWN_ORDER, object_of

FEW, MOST = 5, 50
"""So many orders go one by one, each with an answer of its own; so many at most in a batch."""


def cancel_batches(orders: Sequence[OpenOrder], *, singly: bool = False) -> tuple[CancelBatch, ...]:
    """Return the calls that cancel exactly `orders`; `singly`: each by its own call, however many."""
    size = 1 if singly or len(orders) <= FEW else MOST
    return tuple(_batch(orders[start : start + size]) for start in range(0, len(orders), size))


def _batch(orders: Sequence[OpenOrder]) -> CancelBatch:
    ids = [order.order_id for order in orders]
    request = Request(call="privatePostCancelOrderBatch", params={"orders": ids}, cost=0)
    if len(ids) == 1:
        request = Request(call="privatePostCancelOrder", params={"txid": ids[0]}, cost=0)
    return CancelBatch(request=request, orders=tuple(orders))


def read_count(batch: CancelBatch, payload: Json) -> tuple[RowResult, ...] | None:
    """Return what a successful answer's count says of each order.

    All of them were cancelled, or none was open any more; of a part of them Kraken does not say which, and
    then nothing is known of any. So it is while a cancellation is pending.

    Raises:
        MalformedAnswer, NumberError: the answer states no count.
    """
    result = object_of(payload, "cancellation")
    count = decimal_from(result.get("count"))
    if result.get("pending") is True or 0 < count < len(batch.orders):
        return None
    if count == 0:
        message = "no such order was open"
        return tuple(
            RowResult(order_id=order.order_id, code=UNKNOWN_ORDER, message=message) for order in batch.orders
        )
    return tuple(RowResult(order_id=order.order_id, code=None) for order in batch.orders)
