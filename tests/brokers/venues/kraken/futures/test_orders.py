from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.answers import Reply
from brokers.errors import MalformedAnswer
from brokers.hooks import Ack
from brokers.models import OrderSide, Symbol
from brokers.numbers import NumberError
from brokers.orders import ClientOrderId, OrderBook, OrderState, ReduceOrder, Verdict
from brokers.reports import order_report
from brokers.venues.kraken.futures.cancelling import cancel_batches, read_cancelled
from brokers.venues.kraken.futures.orders import (
    order_params,
    read_ack,
    read_fills,
    read_history,
    read_open_order,
    read_resting,
    read_status,
)

D = Decimal
OWN_ID = ClientOrderId("0123456789abcdef0123456789abcdef")
BTC = Symbol("PF_XBTUSD")
Reduce = Callable[..., ReduceOrder]
Row = dict[str, Any]


# ---------------------------------------------------------------- what is sent


def test_a_market_reduction_is_one_that_can_only_reduce_and_expires(reduce_btc: Reduce) -> None:
    assert order_params(reduce_btc()) == {
        "orderType": "mkt",
        "symbol": "PF_XBTUSD",
        "side": "sell",
        "size": "0.4",
        "reduceOnly": True,
        "cliOrdId": OWN_ID,
        "processBefore": "2025-11-17T00:34:38.000000Z",
    }


def test_an_immediate_limit_is_spelled_in_lower_case(reduce_btc: Reduce) -> None:
    params = order_params(reduce_btc(price="89500.5"))
    assert (params["orderType"], params["limitPrice"]) == ("ioc", "89500.5")


# ---------------------------------------------------------------- acknowledgements


def event_order(**changes: object) -> Row:
    return {
        "orderId": "179f9af8-e45e-469d-b3e9-2fd4675cb7d0",
        "cliOrdId": OWN_ID,
        "type": "ioc",
        "symbol": "pf_xbtusd",
        "side": "sell",
        "quantity": 0.4,
        "filled": 0,
        "reduceOnly": True,
        **changes,
    }


def execution(amount: float, price: float) -> Row:
    return {
        "type": "EXECUTION",
        "executionId": "e1",
        "amount": amount,
        "price": price,
        "orderPriorExecution": event_order(),
    }


def sent(*events: Row, **changes: object) -> Row:
    status = {"status": "placed", "order_id": "179f9af8", "orderEvents": list(events), **changes}
    return {"result": "success", "sendStatus": status, "serverTime": "2025-11-17T00:34:37.524Z"}


def test_executions_stand_in_the_acknowledgement(reduce_btc: Reduce) -> None:
    ack = read_ack(reduce_btc(), sent(execution(0.1, 90000.0), execution(0.3, 89996.0)))
    assert (ack.order_id, ack.client_order_id, ack.symbol, ack.side) == (
        "179f9af8",
        OWN_ID,
        BTC,
        OrderSide.SELL,
    )
    assert (ack.state, ack.filled, ack.average_price) == (OrderState.FILLED, D("0.4"), D(89_997))


def test_a_part_that_executed_settles_nothing_yet(reduce_btc: Reduce) -> None:
    ack = read_ack(reduce_btc(), sent(execution(0.1, 90000.0)))
    assert (ack.state, ack.filled) == (None, D("0.1"))


def test_an_acknowledgement_without_events_says_that_it_is_placed(reduce_btc: Reduce) -> None:
    """As a published fixture has it, the client's id in its other spelling."""
    payload = {
        "result": "success",
        "sendStatus": {"order_id": "c8135f52", "status": "placed", "cli_ord_id": OWN_ID},
    }
    ack = read_ack(reduce_btc(), payload)
    assert ack == Ack(order_id="c8135f52", client_order_id=OWN_ID)


@pytest.mark.parametrize(
    "echo",
    [
        {"sendStatus": {"status": "placed"}},
        sent(event_order(), cliOrdId="f" * 32),
        sent({"type": "PLACE", "order": event_order(symbol="PF_ETHUSD")}, order_id="1"),
        sent({"type": "PLACE", "order": event_order(side="buy")}, order_id="1"),
    ],
)
def test_an_acknowledgement_of_something_else_is_no_acceptance(reduce_btc: Reduce, echo: Row) -> None:
    order = reduce_btc()
    report = order_report(order, Verdict.ACCEPTED, read_ack(order, echo), Reply(payload=echo, status=200))
    assert report.verdict is Verdict.UNKNOWN


def test_a_damaged_execution_is_no_acknowledgement(reduce_btc: Reduce) -> None:
    with pytest.raises(NumberError):
        read_ack(reduce_btc(), sent({"type": "EXECUTION", "amount": "NaN", "price": 1}))


# ---------------------------------------------------------------- looking up


def status_row(status: str, filled: float | None, **changes: object) -> Row:
    order = event_order(filled=filled)
    return {"order": order, "status": status, "updateReason": None, "error": None, **changes}


@pytest.mark.parametrize(
    ("status", "filled", "state", "told"),
    [
        ("ENTERED_BOOK", 0.1, OrderState.OPEN, "0.1"),
        ("TRIGGER_PLACED", None, OrderState.OPEN, None),
        ("FULLY_EXECUTED", 0.4, OrderState.FILLED, "0.4"),
        ("FULLY_EXECUTED", None, OrderState.FILLED, "0.4"),
        ("CANCELLED", 0.1, OrderState.CANCELLED, "0.1"),
        ("REJECTED", 0, OrderState.REJECTED, "0"),
        ("REJECTED", 0.1, OrderState.CANCELLED, "0.1"),
        ("TRIGGER_ACTIVATION_FAILURE", 0, OrderState.REJECTED, "0"),
    ],
)
def test_each_documented_status_is_a_state(
    status: str, filled: float | None, state: OrderState, told: str | None
) -> None:
    report = read_status([status_row(status, filled)], OWN_ID, BTC)
    assert report is not None
    assert (report.verdict, report.state) == (Verdict.ACCEPTED, state)
    assert report.filled == (None if told is None else D(told))


def test_a_status_answer_for_something_else_proves_nothing() -> None:
    assert read_status([], OWN_ID, BTC) is None
    with pytest.raises(MalformedAnswer, match="another order"):
        read_status([status_row("CANCELLED", 0)], ClientOrderId("f" * 32), BTC)
    with pytest.raises(MalformedAnswer, match="unknown status"):
        read_status([status_row("PONDERING", 0)], OWN_ID, BTC)


def test_fills_of_one_order_add_up() -> None:
    rows: list[Row] = [
        {"order_id": "o", "cliOrdId": OWN_ID, "size": 0.1, "price": 90000.0},
        {"order_id": "x", "size": 5, "price": 1.0},
        {"order_id": "o", "cli_ord_id": OWN_ID, "size": 0.3, "price": 89996.0},
    ]
    report = read_fills(rows, OWN_ID, BTC)
    assert report is not None
    assert (report.state, report.filled, report.average_price) == (
        OrderState.CANCELLED,
        D("0.4"),
        D(89_997),
    )
    assert read_fills(rows[1:2], OWN_ID, BTC) is None
    with pytest.raises(NumberError):
        read_fills([{"order_id": "o", "cliOrdId": OWN_ID, "price": 1}], OWN_ID, BTC)


def event(kind: str, **order: object) -> Row:
    known = {"uid": "u", "clientId": OWN_ID, "tradeable": "PF_XBTUSD", "quantity": "0.4", **order}
    return {"uid": "e", "timestamp": 1605126171852, "event": {kind: {"order": known, "reason": "x"}}}


@pytest.mark.parametrize(
    ("rows", "state", "filled"),
    [
        ([event("OrderCancelled", filled="0.1"), event("OrderPlaced", filled="0")], "cancelled", "0.1"),
        ([event("OrderPlaced", filled="0"), event("OrderRejected", filled="0")], "rejected", "0"),
        ([event("OrderPlaced", filled="0")], "cancelled", None),
    ],
)
def test_the_history_tells_how_an_order_ended(rows: list[Row], state: str, filled: str | None) -> None:
    report = read_history([event("OrderFilled", clientId="other"), *rows], OWN_ID, BTC)
    assert report is not None
    assert (report.state, report.filled) == (state, None if filled is None else D(filled))
    assert report.is_final


def test_a_history_without_the_order_does_not_know_it() -> None:
    assert read_history([event("OrderFilled", clientId="other"), {"event": None}], OWN_ID, BTC) is None


# ---------------------------------------------------------------- open orders


def open_row(**changes: object) -> Row:
    """A published fixture of `openorders`."""
    return {
        "order_id": "2ce038ae-c144-4de7-a0f1-82f7f4fca864",
        "symbol": "PF_XBTUSD",
        "side": "buy",
        "orderType": "lmt",
        "limitPrice": 1200.0,
        "unfilledSize": 100.0,
        "status": "untouched",
        "filledSize": 0.0,
        "reduceOnly": False,
        "lastUpdateTime": "2023-04-07T15:18:04.699Z",
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "book", "protective"),
    [
        ({}, OrderBook.ACTIVE, False),
        ({"reduceOnly": True}, OrderBook.ACTIVE, False),
        ({"orderType": "stop", "stopPrice": 1000.0}, OrderBook.TRIGGER, False),
        ({"orderType": "stop", "stopPrice": 1000.0, "reduceOnly": True}, OrderBook.TRIGGER, True),
        ({"orderType": "take_profit", "stopPrice": 1880.4, "reduceOnly": True}, OrderBook.TRIGGER, True),
        ({"orderType": "trailing_stop", "reduceOnly": True}, OrderBook.TRIGGER, True),
        ({"reduceOnly": "true", "orderType": "stop"}, OrderBook.TRIGGER, False),
    ],
)
def test_stops_that_only_reduce_are_the_owners_protection(
    *, changes: Row, book: OrderBook, protective: bool
) -> None:
    order = read_open_order(open_row(**changes))
    assert (order.book, order.is_protective, order.quantity) == (book, protective, 100)


def test_a_stop_without_a_size_closes_the_position() -> None:
    order = read_open_order(open_row(orderType="stop", stopPrice=1.5, limitPrice=None, unfilledSize=None))
    assert (order.quantity, order.price) == (None, D("1.5"))


@pytest.mark.parametrize("name", ["order_id", "symbol", "side", "orderType"])
def test_an_order_that_is_not_named_is_refused(name: str) -> None:
    with pytest.raises(MalformedAnswer):
        read_open_order(open_row(**{name: None}))


def test_an_open_order_is_found_by_its_client_id() -> None:
    found = read_resting([open_row(), open_row(cliOrdId=OWN_ID, filledSize=3.0)], OWN_ID, BTC)
    assert found is not None
    assert (found.state, found.filled) == (OrderState.OPEN, 3)
    assert read_resting([open_row()], OWN_ID, BTC) is None


# ---------------------------------------------------------------- cancelling


def test_orders_of_both_books_are_cancelled_together_by_id() -> None:
    orders = [
        read_open_order(open_row(order_id=str(n), orderType="lmt" if n % 2 else "stop")) for n in range(60)
    ]
    first, second = cancel_batches(orders)
    assert (len(first.orders), len(second.orders)) == (50, 10)
    assert (first.request.call, first.request.cost, second.request.cost) == ("privatePostBatchorder", 59, 19)
    assert isinstance(second.request.params, dict)
    assert second.request.params["batchOrder"][0] == {"order": "cancel", "order_id": "50"}


def test_a_few_orders_are_cancelled_one_by_one() -> None:
    orders = [read_open_order(open_row(order_id=str(n))) for n in range(5)]
    batches = cancel_batches(orders)
    assert [batch.request.params for batch in batches] == [{"order_id": str(n)} for n in range(5)]
    assert {(batch.request.call, batch.request.cost) for batch in batches} == {("privatePostCancelorder", 10)}
    for word, code in (("cancelled", None), ("notFound", "notFound"), ("filled", "filled")):
        payload = {"result": "success", "cancelStatus": {"status": word, "order_id": "0"}}
        (found,) = read_cancelled(batches[0], payload)
        assert (found.order_id, found.code) == ("0", code)
    assert read_cancelled(batches[1], {"cancelStatus": {"status": "cancelled"}})[0].order_id == "1"
    assert read_cancelled(batches[1], {"cancelStatus": {}}) == ()
    with pytest.raises(MalformedAnswer, match="cancelStatus"):
        read_cancelled(batches[0], {"result": "success"})


def test_each_row_of_a_batch_speaks_for_its_order() -> None:
    (batch,) = cancel_batches([read_open_order(open_row(order_id=str(n))) for n in range(6)])
    rows: list[Row] = [
        {"order_id": "0", "status": "cancelled"},
        {"order_id": None, "status": "notFound"},
        {"order_id": "2", "status": "filled"},
        *({"order_id": str(n), "status": "cancelled"} for n in (3, 4, 5)),
    ]
    found = read_cancelled(batch, {"result": "success", "batchStatus": rows})
    assert [row.code for row in found] == [None, "notFound", "filled", None, None, None]
    assert [row.order_id for row in found] == [str(n) for n in range(6)]
    assert [row.order_id for row in read_cancelled(batch, {"batchStatus": rows[:2]})] == ["0"]
    with pytest.raises(MalformedAnswer, match="batchStatus"):
        read_cancelled(batch, {"result": "success"})
