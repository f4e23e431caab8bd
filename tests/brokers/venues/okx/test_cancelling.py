"""Cancelling in batches: sizes, books, and answers that leave rows out."""

from collections.abc import Sequence

import pytest

from brokers.answers import Reply
from brokers.hooks import CancelBatch
from brokers.models import OrderSide, Symbol
from brokers.orders import CancelReport, OpenOrder, OrderBook, Verdict
from brokers.outcomes import OKX
from brokers.reports import cancel_reports
from brokers.venues.okx.cancelling import cancel_batches, read_cancel_rows

SWAP = Symbol("BTC-USDT-SWAP")


def order(number: int, book: OrderBook = OrderBook.ACTIVE) -> OpenOrder:
    return OpenOrder(
        order_id=str(number),
        client_order_id=None,
        symbol=SWAP,
        side=OrderSide.BUY,
        quantity=None,
        price=None,
        reduce_only=False,
        book=book,
        kind="limit",
    )


def reports(batch: CancelBatch, rows: Sequence[object], code: str) -> list[CancelReport]:
    payload = {"code": code, "data": list(rows), "msg": ""}
    return list(
        cancel_reports(OKX, batch, Reply(payload=payload, status=200), read_cancel_rows(batch, payload))
    )


def test_batches_are_of_twenty_resting_and_ten_algo_orders() -> None:
    orders = [order(n, OrderBook.TRIGGER if n % 2 else OrderBook.ACTIVE) for n in range(50)]
    batches = cancel_batches(orders)
    assert [(batch.request.call, len(batch.orders)) for batch in batches] == [
        ("privatePostTradeCancelBatchOrders", 20),
        ("privatePostTradeCancelBatchOrders", 5),
        ("privatePostTradeCancelAlgos", 10),
        ("privatePostTradeCancelAlgos", 10),
        ("privatePostTradeCancelAlgos", 5),
    ]
    assert {one.order_id for batch in batches for one in batch.orders} == {one.order_id for one in orders}


def test_rows_name_the_order_by_the_books_own_id() -> None:
    active, algo = cancel_batches([order(1), order(2, OrderBook.TRIGGER)])
    assert active.request.params == [{"instId": SWAP, "ordId": "1"}]
    assert algo.request.params == [{"instId": SWAP, "algoId": "2"}]


def test_nothing_to_cancel_is_no_call() -> None:
    assert cancel_batches([]) == ()


def test_order_the_answer_leaves_out_is_unknown() -> None:
    # ccxt drops failed rows silently; an order nobody speaks of has no verdict.
    (batch,) = cancel_batches([order(1), order(2)])
    told, dropped = reports(batch, [{"ordId": "1", "sCode": "0", "sMsg": ""}], "2")
    assert (told.verdict, dropped.verdict) == (Verdict.ACCEPTED, Verdict.UNKNOWN)


def test_rows_without_ids_are_matched_by_their_place() -> None:
    (batch,) = cancel_batches([order(1), order(2)])
    rows = [{"ordId": "", "sCode": "51400", "sMsg": "gone"}, {"ordId": "", "sCode": "0"}]
    first, second = reports(batch, rows, "2")
    assert (first.verdict, first.code) == (Verdict.REJECTED, "51400")
    assert second.verdict is Verdict.ACCEPTED


def test_rows_in_another_order_are_matched_by_id() -> None:
    (batch,) = cancel_batches([order(1), order(2)])
    first, second = reports(batch, [{"ordId": "2", "sCode": "51400"}, {"ordId": "1", "sCode": "0"}], "2")
    assert (first.verdict, second.verdict) == (Verdict.ACCEPTED, Verdict.REJECTED)


@pytest.mark.parametrize("row", [{"ordId": "1"}, {"ordId": "1", "sCode": None}, {"ordId": "1", "sCode": 0}])
def test_row_without_a_code_says_nothing(row: dict[str, object]) -> None:
    (batch,) = cancel_batches([order(1)])
    assert read_cancel_rows(batch, {"code": "0", "data": [row]}) == ()


def test_answer_without_rows_speaks_as_a_whole() -> None:
    (batch,) = cancel_batches([order(1)])
    assert read_cancel_rows(batch, {"code": "50011", "data": []}) is None
