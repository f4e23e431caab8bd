"""Cancelling at OKX: a batch call for resting orders and one for algo orders, each answered row by row."""

from collections.abc import Sequence

from brokers.hooks import CancelBatch, RowResult
from brokers.orders import OpenOrder, OrderBook
from brokers.profile import Json, Request
from brokers.venues.okx.envelope import SUCCESS, rows_of

BATCH_SIZES = {OrderBook.ACTIVE: 20, OrderBook.TRIGGER: 10}
ID_FIELDS = {OrderBook.ACTIVE: "ordId", OrderBook.TRIGGER: "algoId"}
CALLS = {
    OrderBook.ACTIVE: ("privatePostTradeCancelBatchOrders", 1 / 3),
    OrderBook.TRIGGER: ("privatePostTradeCancelAlgos", 1),
}


def cancel_batches(orders: Sequence[OpenOrder]) -> tuple[CancelBatch, ...]:
    """Return the calls that cancel exactly `orders`: at most 20 resting or 10 algo orders in one."""
    batches = []
    for book, size in BATCH_SIZES.items():
        resting = [order for order in orders if order.book is book]
        batches += [_batch(book, resting[start : start + size]) for start in range(0, len(resting), size)]
    return tuple(batches)


def _batch(book: OrderBook, orders: Sequence[OpenOrder]) -> CancelBatch:
    call, cost = CALLS[book]
    rows = [{"instId": str(order.symbol), ID_FIELDS[book]: order.order_id} for order in orders]
    return CancelBatch(request=Request(call=call, params=rows, cost=cost), orders=tuple(orders))


def read_cancel_rows(batch: CancelBatch, payload: Json) -> tuple[RowResult, ...] | None:
    """Return what the answer says of each order; `None` when it has no rows.

    A failed row may come without its id: it is then matched by its place, if there are as many as orders.
    An order that no row speaks of keeps no verdict here.

    Raises:
        MalformedAnswer: `data` is no list of objects.
    """
    rows = rows_of(payload, "cancellation")
    if not rows:
        return None
    id_field = ID_FIELDS[batch.orders[0].book]
    complete = len(rows) == len(batch.orders)
    results = []
    for place, row in enumerate(rows):
        order_id = str(row.get(id_field) or "")
        if not order_id and complete:
            order_id = batch.orders[place].order_id
        code = row.get("sCode")
        if not order_id or not isinstance(code, str) or not code:
            continue
        message = str(row.get("sMsg") or "") or None
        results.append(RowResult(order_id=order_id, code=None if code == SUCCESS else code, message=message))
    return tuple(results)
