"""Cancelling at Coinbase: there is no cancel-all, only a batch by id, answered row by row."""

from collections.abc import Sequence

from brokers.fields import mapping_from, rows_from
from brokers.hooks import CancelBatch, RowResult
from brokers.orders import OpenOrder
from brokers.profile import Json, Request
from brokers.venues.coinbase.refusals import UNSTATED

BATCH_SIZE = 100
"""The most order ids of one call. Source: Coinbase docs, "Cancel Orders"."""


def cancel_batches(orders: Sequence[OpenOrder]) -> tuple[CancelBatch, ...]:
    """Return the calls that cancel exactly `orders`."""
    chunks = [orders[start : start + BATCH_SIZE] for start in range(0, len(orders), BATCH_SIZE)]
    return tuple(
        CancelBatch(
            request=Request(
                call="v3PrivatePostBrokerageOrdersBatchCancel",
                params={"order_ids": [order.order_id for order in chunk]},
            ),
            orders=tuple(chunk),
        )
        for chunk in chunks
    )


def read_cancel_rows(payload: Json) -> tuple[RowResult, ...] | None:
    """Return what the answer says of each order; `None` when it has no rows.

    Some may be cancelled while others are not. A row counts as done only if it says so in so many words.

    Raises:
        MalformedAnswer: `results` is no list of objects.
    """
    answer = mapping_from(payload, "batch_cancel")
    if "results" not in answer:
        return None
    results = []
    for row in rows_from(answer["results"], "results of batch_cancel"):
        order_id = str(row.get("order_id") or "")
        if order_id:
            reason = None if row.get("success") is True else str(row.get("failure_reason") or UNSTATED)
            results.append(RowResult(order_id=order_id, code=reason, message=reason))
    return tuple(results)
