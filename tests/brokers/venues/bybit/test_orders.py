"""Order parameters, acknowledgements, lookups and open orders."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import OrderSide, Position, Side, Symbol
from brokers.numbers import NumberError
from brokers.orders import ClientOrderId, OrderBook, OrderState, ReduceOrder, Verdict
from brokers.venues.bybit.contracts import Category
from brokers.venues.bybit.orders import (
    cancel_params,
    leverage_params,
    lookup_params,
    read_ack,
    read_open_order,
    read_report,
    reduce_params,
)

Payload = dict[str, Any]
MakePosition = Callable[..., Position]

ID = ClientOrderId("0123456789abcdef0123456789abcdef")
DEADLINE = datetime(2026, 1, 1, tzinfo=UTC)


def order_for(position: Position, *, quantity: str = "0.5", price: str | None = None) -> ReduceOrder:
    return ReduceOrder(
        position=position,
        quantity=Decimal(quantity),
        client_order_id=ID,
        deadline=DEADLINE,
        limit_price=None if price is None else Decimal(price),
    )


def order_row(**fields: object) -> dict[str, object]:
    """An order row. Source: Bybit docs, open orders sample, shortened."""
    row: dict[str, object] = {
        "orderId": "fd4300ae-7847-404e-b947-b46980a4d140",
        "orderLinkId": str(ID),
        "symbol": "ETHUSDT",
        "price": "1600.00",
        "qty": "0.10",
        "side": "Buy",
        "positionIdx": 1,
        "orderStatus": "New",
        "rejectReason": "EC_NoError",
        "avgPrice": "0",
        "leavesQty": "0.10",
        "cumExecQty": "0.00",
        "cumExecFee": "0",
        "timeInForce": "GTC",
        "orderType": "Limit",
        "stopOrderType": "UNKNOWN",
        "triggerPrice": "0.00",
        "reduceOnly": False,
        "closeOnTrigger": False,
        "cumFeeDetail": {"MNT": "0.00242968"},
        "createdTime": "1684738540559",
    }
    return {**row, **fields}


def test_a_market_reduction_of_a_long_sells_reduce_only(held: MakePosition) -> None:
    assert dict(reduce_params(order_for(held()))) == {
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Sell",
        "orderType": "Market",
        "qty": "0.5",
        "positionIdx": 0,
        "reduceOnly": True,
        "orderLinkId": str(ID),
    }


def test_a_limit_reduction_is_immediate_or_cancel(held: MakePosition) -> None:
    params = reduce_params(order_for(held(side=Side.SHORT), price="61234.50"))
    assert (params["side"], params["orderType"], params["price"], params["timeInForce"]) == (
        "Buy",
        "Limit",
        "61234.5",
        "IOC",
    )


@pytest.mark.parametrize(("side", "leg"), [(Side.LONG, 1), (Side.SHORT, 2)])
def test_hedge_mode_keeps_both_the_leg_and_reduce_only(held: MakePosition, side: Side, leg: int) -> None:
    params = reduce_params(order_for(held(side=side, hedged=True)))
    assert (params["positionIdx"], params["reduceOnly"]) == (leg, True)


@pytest.mark.parametrize(
    ("symbol", "category"),
    [
        ("BTCUSDT", "linear"),
        ("BTCPERP", "linear"),
        ("BTC-26DEC25", "linear"),
        ("BTCUSDT-26DEC25", "linear"),
        ("1000PEPEUSDT", "linear"),
        ("BTCUSD", "inverse"),
        ("BTCUSDH26", "inverse"),
        ("BTC-27MAR26-100000-C", "option"),
        ("ETH-3JAN26-3200.5-P-USDT", "option"),
    ],
)
def test_the_category_is_told_by_the_name(held: MakePosition, symbol: str, category: str) -> None:
    assert reduce_params(order_for(held(symbol)))["category"] == category
    assert lookup_params(ID, Symbol(symbol))["category"] == category
    assert leverage_params(Symbol(symbol), Decimal(3))["category"] == category


def test_small_quantities_travel_without_an_exponent(held: MakePosition) -> None:
    assert reduce_params(order_for(held(), quantity="0.00000010"))["qty"] == "0.0000001"


def test_an_acknowledgement_holds_two_ids() -> None:
    ack = read_ack({"retCode": 0, "result": {"orderId": "1321003749386327552", "orderLinkId": str(ID)}})
    assert (ack.order_id, ack.client_order_id, ack.state) == ("1321003749386327552", ID, None)


@pytest.mark.parametrize("result", [{}, {"orderId": ""}, {"orderId": None}, {"orderId": 7}])
def test_an_acknowledgement_without_an_id_has_none(result: Payload) -> None:
    assert read_ack({"result": result}).order_id is None


def test_an_acknowledgement_without_a_result_is_malformed() -> None:
    with pytest.raises(MalformedAnswer):
        read_ack({"retCode": 0})


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("New", OrderState.OPEN),
        ("PartiallyFilled", OrderState.OPEN),
        ("Untriggered", OrderState.OPEN),
        ("Filled", OrderState.FILLED),
        ("Cancelled", OrderState.CANCELLED),
        ("PartiallyFilledCanceled", OrderState.CANCELLED),
        ("Deactivated", OrderState.CANCELLED),
        ("Rejected", OrderState.REJECTED),
        ("SomethingNew", None),
    ],
)
def test_order_states(status: str, state: OrderState | None) -> None:
    assert read_report(order_row(orderStatus=status), ID, Symbol("ETHUSDT")).state is state


def test_a_report_tells_fill_price_and_fee() -> None:
    row = order_row(orderStatus="Cancelled", cumExecQty="0.04", avgPrice="1599.5")
    report = read_report(row, ID, Symbol("ETHUSDT"))
    assert report.verdict is Verdict.ACCEPTED
    assert report.is_final
    assert (report.filled, report.average_price, report.fee) == (
        Decimal("0.04"),
        Decimal("1599.5"),
        Decimal("0.00242968"),
    )


def test_a_report_without_a_fill_price_has_none() -> None:
    assert read_report(order_row(avgPrice=""), ID, Symbol("ETHUSDT")).average_price is None


def test_a_rejected_order_says_why() -> None:
    row = order_row(orderStatus="Rejected", rejectReason="EC_NoImmediateQtyToFill")
    report = read_report(row, ID, Symbol("ETHUSDT"))
    assert (report.verdict, report.state) == (Verdict.ACCEPTED, OrderState.REJECTED)
    assert report.code == "EC_NoImmediateQtyToFill"


@pytest.mark.parametrize("foreign", [{"orderLinkId": "x"}, {"symbol": "BTCUSDT"}])
def test_the_row_of_another_order_is_not_ours(foreign: Payload) -> None:
    with pytest.raises(MalformedAnswer):
        read_report(order_row(**foreign), ID, Symbol("ETHUSDT"))


def test_a_damaged_fill_is_no_fill_of_zero() -> None:
    with pytest.raises(NumberError):
        read_report(order_row(cumExecQty="NaN"), ID, Symbol("ETHUSDT"))


def test_a_resting_limit_order() -> None:
    order = read_open_order(order_row(leavesQty="0.06"), Category.LINEAR)
    assert (order.side, order.quantity, order.price) == (OrderSide.BUY, Decimal("0.06"), Decimal(1600))
    assert (order.book, order.reduce_only, order.is_protective) == (OrderBook.ACTIVE, False, False)
    assert dict(cancel_params(order)) == {
        "category": "linear",
        "symbol": "ETHUSDT",
        "orderId": "fd4300ae-7847-404e-b947-b46980a4d140",
    }


def test_a_reduce_only_stop_is_protective() -> None:
    row = order_row(
        orderStatus="Untriggered", stopOrderType="Stop", reduceOnly=True, triggerPrice="1500", side="Sell"
    )
    order = read_open_order(row, Category.LINEAR)
    assert order.is_protective
    assert order.book is OrderBook.TRIGGER


def test_a_take_profit_of_the_whole_position_has_no_quantity_of_its_own() -> None:
    row = order_row(
        orderStatus="Untriggered",
        stopOrderType="TakeProfit",
        reduceOnly=True,
        closeOnTrigger=True,
        leavesQty="0",
        qty="0",
        price="0",
    )
    order = read_open_order(row, Category.LINEAR)
    assert (order.quantity, order.price, order.is_protective) == (None, None, True)


def test_a_conditional_entry_is_not_protective() -> None:
    row = order_row(orderStatus="Untriggered", stopOrderType="Stop", triggerPrice="1700")
    order = read_open_order(row, Category.LINEAR)
    assert order.book is OrderBook.TRIGGER
    assert not order.is_protective


@pytest.mark.parametrize(
    ("stop", "order_filter"),
    [("UNKNOWN", "Order"), ("", "Order"), ("tpslOrder", "tpslOrder"), ("Stop", "StopOrder")],
)
def test_spot_orders_are_cancelled_under_their_own_filter(stop: str, order_filter: str) -> None:
    order = read_open_order(order_row(stopOrderType=stop), Category.SPOT)
    assert cancel_params(order)["category"] == "spot"
    assert cancel_params(order)["orderFilter"] == order_filter


@pytest.mark.parametrize("broken", [{"orderId": ""}, {"symbol": None}, {"side": "?"}])
def test_an_open_order_that_cannot_be_named_is_malformed(broken: Payload) -> None:
    with pytest.raises(MalformedAnswer):
        read_open_order(order_row(**broken), Category.LINEAR)


def test_leverage_is_set_on_both_sides_as_text() -> None:
    params = leverage_params(Symbol("BTCUSDT"), Decimal("2.50"))
    assert (params["buyLeverage"], params["sellLeverage"]) == ("2.5", "2.5")


def test_a_conditional_order_whose_protection_hangs_on_a_missing_flag_is_not_read() -> None:
    waiting = order_row(orderStatus="Untriggered", stopOrderType="Stop", reduceOnly=None)
    with pytest.raises(MalformedAnswer):
        read_open_order(waiting, Category.LINEAR)
    assert read_open_order({**waiting, "closeOnTrigger": True}, Category.LINEAR).is_protective
    assert not read_open_order(waiting, Category.SPOT).reduce_only
    assert read_open_order(order_row(leavesQty=""), Category.LINEAR).quantity is None
