"""Order rows, and what is sent to close a position."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import MarginMode, OrderSide, Symbol
from brokers.numbers import NumberError
from brokers.orders import ClientOrderId, OrderBook, OrderState, ReduceOrder
from brokers.venues.cryptocom.orders import close_params, read_held, read_open_order, read_report

Row = dict[str, Any]
LTC = Symbol("LTCUSD-PERP")
OWN = ClientOrderId("a" * 32)
LONG = {(LTC, ""): Decimal("4.7")}


def test_a_close_names_the_position_and_writes_every_number_as_text(
    closing: Callable[..., ReduceOrder],
) -> None:
    assert close_params(closing("1.50")) == {
        "instrument_name": "LTCUSD-PERP",
        "type": "MARKET",
        "quantity": "1.5",
    }


def test_a_bounded_close_is_a_limit(closing: Callable[..., ReduceOrder]) -> None:
    params = close_params(closing(limit_price=Decimal("68.500")))
    assert (params["type"], params["price"]) == ("LIMIT", "68.5")
    assert not [value for value in params.values() if not isinstance(value, str)]


def test_a_close_of_an_isolated_position_names_its_isolation(closing: Callable[..., ReduceOrder]) -> None:
    order = closing()
    leg = replace(order.position, unit="isolated:19848526", margin_mode=MarginMode.ISOLATED)
    assert close_params(replace(order, position=leg))["isolation_id"] == "19848526"
    assert "isolation_id" not in close_params(order)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("NEW", OrderState.OPEN),
        ("PENDING", OrderState.OPEN),
        ("ACTIVE", OrderState.OPEN),
        ("FILLED", OrderState.FILLED),
        ("CANCELED", OrderState.CANCELLED),
        ("EXPIRED", OrderState.CANCELLED),
        ("REJECTED", OrderState.REJECTED),
    ],
)
def test_every_documented_status_is_known(row: Callable[..., Row], status: str, state: OrderState) -> None:
    report = read_report(row(status=status, reason=43012), OWN, LTC)
    assert (report.state, report.order_id, report.code) == (state, "18342500", "43012")
    assert (report.filled, report.average_price) == (Decimal("1.5"), Decimal("69.01"))
    assert report.fee == Decimal("0.0414")


@pytest.mark.parametrize(
    "change", [{"status": "MAYBE"}, {"instrument_name": "BTCUSD-PERP"}, {"order_id": None}, {"order_id": ""}]
)
def test_another_orders_row_is_no_report(row: Callable[..., Row], change: Row) -> None:
    with pytest.raises(MalformedAnswer):
        read_report(row(**change), OWN, LTC)


@pytest.mark.parametrize("filled", [None, "", "NaN"])
def test_a_fill_that_is_not_told_is_not_zero(row: Callable[..., Row], filled: object) -> None:
    with pytest.raises(NumberError):
        read_report(row(cumulative_quantity=filled), OWN, LTC)


def test_an_unfilled_order_has_no_average_price(row: Callable[..., Row]) -> None:
    report = read_report(row(avg_price="0.0", cumulative_quantity="0", status="CANCELED"), OWN, LTC)
    assert (report.filled, report.average_price) == (Decimal(0), None)


def test_a_resting_limit_is_read_with_what_is_left(row: Callable[..., Row]) -> None:
    order = read_open_order(
        row(order_type="LIMIT", limit_price="70.5", cumulative_quantity="0.5", status="ACTIVE"),
        {},
        advanced=False,
    )
    assert (order.book, order.kind, order.side) == (OrderBook.ACTIVE, "LIMIT", OrderSide.SELL)
    assert (order.quantity, order.price, order.reduce_only) == (Decimal("1.0"), Decimal("70.5"), False)


@pytest.mark.parametrize(
    ("change", "protective"),
    [
        ({}, True),
        ({"quantity": "4.7"}, True),
        ({"quantity": "4.8"}, False),  # it could turn the position around
        ({"side": "BUY"}, False),
        ({"order_type": "TAKE_PROFIT_LIMIT"}, True),
        ({"order_type": "LIMIT"}, False),
        ({"instrument_name": "BTCUSD-PERP"}, False),
        ({"isolation_id": "7"}, False),
        ({"quantity": "9", "exec_inst": ["REDUCE_ONLY"]}, True),
        ({"quantity": None, "side": "BUY"}, False),
        ({"quantity": None, "exec_inst": ["REDUCE_ONLY"]}, True),
    ],
)
def test_a_stop_against_a_position_of_its_size_protects_it(
    row: Callable[..., Row],
    change: Row,
    protective: bool,  # noqa: FBT001 - pytest's parameter
) -> None:
    stop = {
        "order_type": "STOP_LOSS",
        "ref_price": "60.0",
        "status": "ACTIVE",
        "cumulative_quantity": "0",
        "quantity": "1.5",
    }
    order = read_open_order(row(**{**stop, **change}), LONG, advanced=True)
    assert order.is_protective is protective
    assert order.kind.startswith("advanced ")


def test_a_stop_against_a_position_without_its_size_is_neither_protection_nor_not(
    row: Callable[..., Row],
) -> None:
    with pytest.raises(MalformedAnswer):
        read_open_order(row(order_type="STOP_LOSS", ref_price="60.0", quantity=None), LONG, advanced=True)


def test_a_trigger_is_priced_by_its_trigger(row: Callable[..., Row]) -> None:
    order = read_open_order(
        row(order_type="STOP_LIMIT", ref_price="60.0", limit_price="59"), LONG, advanced=False
    )
    assert (order.book, order.price, order.kind) == (OrderBook.TRIGGER, Decimal(60), "STOP_LIMIT")


def test_what_is_held_is_told_apart_by_isolation() -> None:
    cross = {"instrument_name": "LTCUSD-PERP", "quantity": "-2"}
    alone = {"instrument_name": "LTCUSD-PERP", "quantity": "3", "isolation_id": 7}
    assert read_held((cross, alone)) == {(LTC, ""): Decimal(-2), (LTC, "7"): Decimal(3)}
    with pytest.raises(NumberError):
        read_held(({"instrument_name": "LTCUSD-PERP"},))
