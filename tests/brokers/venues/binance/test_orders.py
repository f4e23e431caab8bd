"""Orders: what is sent, what answers say, what rests and how it is cancelled."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.answers import Reply
from brokers.errors import MalformedAnswer, RequestRefused
from brokers.models import AccountSnapshot, OrderSide, Position, Symbol
from brokers.orders import ClientOrderId, OrderBook, OrderState, ReduceOrder, Verdict
from brokers.venues.binance.orders import (
    cancel_batches,
    order_request,
    read_ack,
    read_cancel,
    read_open_algo_orders,
    read_open_orders,
    read_report,
)

ID = ClientOrderId("0123456789abcdef" * 2)
BTC = Symbol("BTCUSDT")

ORDER: dict[str, Any] = {
    "clientOrderId": ID,
    "cumQty": "0",
    "cumQuote": "0",
    "executedQty": "0.400",
    "orderId": 22542179,
    "avgPrice": "60999.50",
    "origQty": "12.000",
    "price": "0",
    "reduceOnly": True,
    "side": "BUY",
    "positionSide": "BOTH",
    "status": "EXPIRED",
    "stopPrice": "0",
    "closePosition": False,
    "symbol": "BTCUSDT",
    "timeInForce": "IOC",
    "type": "LIMIT",
    "origType": "LIMIT",
    "updateTime": 1566818724722,
}
"""The shape of the documented answer to a new order."""

ALGO: dict[str, Any] = {
    "algoId": 3358,
    "clientAlgoId": "yT58zmV3DSzMBQxc5tAJXU",
    "algoType": "CONDITIONAL",
    "orderType": "STOP_MARKET",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "positionSide": "BOTH",
    "timeInForce": "GTC",
    "quantity": "0.002",
    "algoStatus": "NEW",
    "triggerPrice": "50000.00",
    "price": "0",
    "closePosition": False,
    "reduceOnly": True,
}
"""The shape of an open algo order, as ccxt 4.5.90 documents it."""


@pytest.fixture
def short(payload: Callable[[str], Any], usdm: Callable[..., AccountSnapshot]) -> Position:
    snapshot = usdm(payload("account_single_asset"), payload("risk_single_asset"))
    return next(p for p in snapshot.positions if p.symbol == BTC)


def reduce(position: Position, *, limit_price: Decimal | None = None) -> ReduceOrder:
    deadline = datetime(2026, 1, 5, 12, tzinfo=UTC)
    return ReduceOrder(
        position=position,
        quantity=Decimal("1.500"),
        client_order_id=ID,
        deadline=deadline,
        limit_price=limit_price,
    )


def test_one_way_orders_are_flagged_reduce_only(short: Position) -> None:
    request = order_request(reduce(short))
    assert request.call == "fapiPrivatePostOrder"
    assert request.params == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "MARKET",
        "quantity": "1.5",
        "reduceOnly": "true",
        "newClientOrderId": ID,
        "newOrderRespType": "RESULT",
    }


def test_hedge_orders_name_the_leg_they_close_and_no_flag(short: Position) -> None:
    params = order_request(reduce(replace(short, hedged=True), limit_price=Decimal("61234.50"))).params
    assert "reduceOnly" not in params
    assert (params["positionSide"], params["side"]) == ("SHORT", "BUY")
    assert (params["type"], params["timeInForce"], params["price"]) == ("LIMIT", "IOC", "61234.5")


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("NEW", OrderState.OPEN),
        ("PARTIALLY_FILLED", OrderState.OPEN),
        ("FILLED", OrderState.FILLED),
        ("CANCELED", OrderState.CANCELLED),
        ("EXPIRED", OrderState.CANCELLED),
        ("EXPIRED_IN_MATCH", OrderState.CANCELLED),
        ("REJECTED", OrderState.REJECTED),
        ("PENDING", None),
    ],
)
def test_states_in_the_venues_words(word: str, state: OrderState | None) -> None:
    assert read_ack(ORDER | {"status": word}).state is state


def test_an_answer_echoes_what_was_sent() -> None:
    ack = read_ack(ORDER)
    assert (ack.order_id, ack.client_order_id, ack.symbol, ack.side) == ("22542179", ID, BTC, OrderSide.BUY)
    assert (ack.quantity, ack.filled, ack.average_price) == (Decimal(12), Decimal("0.4"), Decimal("60999.5"))


def test_an_average_price_of_zero_or_none_is_none() -> None:
    assert read_ack(ORDER | {"avgPrice": "0.00000"}).average_price is None
    assert read_ack({k: v for k, v in ORDER.items() if k != "avgPrice"}).average_price is None


def test_an_answer_without_an_order_id_has_none() -> None:
    assert read_ack(ORDER | {"orderId": None}).order_id is None
    assert read_ack({"status": "NEW"}).order_id is None


def test_an_order_of_another_id_is_not_taken_for_ours() -> None:
    assert read_report(ORDER, ID, BTC).verdict is Verdict.ACCEPTED
    other = read_report(ORDER | {"clientOrderId": "x"}, ID, BTC)
    assert (other.verdict, other.state, other.filled) == (Verdict.UNKNOWN, None, None)


def test_open_orders_show_what_is_left_of_them() -> None:
    (order,) = read_open_orders(
        [ORDER | {"status": "PARTIALLY_FILLED", "price": "61000.00", "reduceOnly": False}]
    )
    assert (order.quantity, order.price, order.reduce_only) == (Decimal("11.6"), Decimal(61000), False)
    assert (order.book, order.kind, order.is_protective) == (OrderBook.ACTIVE, "LIMIT", False)


def test_conditional_orders_are_protective_when_they_can_only_reduce() -> None:
    stop, entry, whole = read_open_algo_orders(
        [
            ALGO,
            ALGO | {"algoId": 2, "reduceOnly": False},
            ALGO | {"algoId": 3, "reduceOnly": False, "closePosition": True, "quantity": "0"},
        ]
    )
    assert stop.is_protective
    assert not entry.is_protective
    assert whole.is_protective
    assert (whole.quantity, whole.price) == (None, None)
    (legacy,) = read_open_orders([ORDER | {"type": "STOP_MARKET"}])
    assert legacy.is_protective


@pytest.mark.parametrize(
    ("leg", "side", "reduces"),
    [
        ("LONG", "SELL", True),
        ("SHORT", "BUY", True),
        ("LONG", "BUY", False),
        ("SHORT", "SELL", False),
        ("BOTH", "SELL", False),
    ],
)
def test_in_hedge_mode_an_order_against_its_leg_only_reduces(leg: str, side: str, *, reduces: bool) -> None:
    (order,) = read_open_algo_orders([ALGO | {"positionSide": leg, "side": side, "reduceOnly": False}])
    assert order.is_protective is reduces


def test_each_order_is_cancelled_in_its_own_book_by_its_own_id() -> None:
    orders = (*read_open_orders([ORDER]), *read_open_algo_orders([ALGO]))
    requests = [batch.request for batch in cancel_batches(orders)]
    assert [(r.call, dict(r.params)) for r in requests] == [
        ("fapiPrivateDeleteOrder", {"symbol": "BTCUSDT", "orderId": "22542179"}),
        ("fapiPrivateDeleteAlgoOrder", {"algoId": "3358"}),
    ]


def test_a_cancellation_counts_for_the_order_it_names() -> None:
    active, algo = cancel_batches((*read_open_orders([ORDER]), *read_open_algo_orders([ALGO])))
    assert [row.order_id for row in read_cancel(active, Reply(payload=ORDER)) or ()] == ["22542179"]
    done = {"algoId": 3358, "clientAlgoId": "x", "code": "200", "msg": "success"}
    assert [row.order_id for row in read_cancel(algo, Reply(payload=done)) or ()] == ["3358"]
    refused = Reply(payload={}, code="-2011", failure=RequestRefused("gone", code="-2011"))
    assert read_cancel(active, refused) is None


@pytest.mark.parametrize("foreign", [None, {}, [None], [{**ORDER, "side": "UP"}]])
def test_a_foreign_list_of_orders_is_refused(foreign: object) -> None:
    with pytest.raises((MalformedAnswer, KeyError)):
        read_open_orders(foreign)


def test_a_conditional_order_whose_protection_hangs_on_a_missing_flag_is_not_read() -> None:
    with pytest.raises(MalformedAnswer):
        read_open_algo_orders([{name: value for name, value in ALGO.items() if name != "reduceOnly"}])
    stop = {**ORDER, "type": "STOP_MARKET", "reduceOnly": None}
    with pytest.raises(MalformedAnswer):
        read_open_orders([stop])
    [leg] = read_open_orders([{**stop, "positionSide": "LONG", "side": "SELL"}])
    [whole] = read_open_orders([{**stop, "closePosition": True}])
    [entry] = read_open_orders([{**ORDER, "reduceOnly": None}])
    assert (leg.is_protective, whole.is_protective, entry.reduce_only) == (True, True, False)


@pytest.mark.parametrize("name", ["executedQty", "origQty"])
def test_a_resting_order_without_a_size_says_nothing_of_what_is_left(name: str) -> None:
    [order] = read_open_orders([{**ORDER, name: ""}])
    assert order.quantity is None
