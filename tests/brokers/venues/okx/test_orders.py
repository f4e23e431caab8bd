"""Order rows and the body of a reducing order."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import AccountSnapshot, OrderSide, Symbol
from brokers.numbers import NumberError
from brokers.orders import ClientOrderId, OrderBook, OrderState, ReduceOrder, Verdict
from brokers.venues.okx.orders import order_params, read_algo_order, read_open_order, read_report

Row = dict[str, Any]
OWN_ID = ClientOrderId("0123456789abcdef0123456789abcdef")
SWAP = Symbol("BTC-USDT-SWAP")


@pytest.fixture
def pending() -> Row:
    """OKX docs, trade/orders-pending."""
    return {
        "accFillSz": "4",
        "avgPx": "",
        "cTime": "1724733617998",
        "category": "normal",
        "clOrdId": "",
        "fee": "0",
        "instId": "BTC-USDT-SWAP",
        "instType": "SWAP",
        "ordId": "1752588852617379840",
        "ordType": "post_only",
        "posSide": "net",
        "px": "13013.5",
        "reduceOnly": "false",
        "side": "buy",
        "state": "partially_filled",
        "sz": "10",
        "tdMode": "cross",
    }


@pytest.fixture
def algo() -> Row:
    """A sample from ccxt: an algo order sample."""
    return {
        "algoId": "431375349042380800",
        "algoClOrdId": "",
        "instId": "BTC-USDT-SWAP",
        "instType": "SWAP",
        "ordType": "trigger",
        "posSide": "net",
        "side": "buy",
        "state": "live",
        "sz": "1",
        "tdMode": "cross",
        "triggerPx": "50000",
        "reduceOnly": "false",
    }


@pytest.fixture
def order_of(parse: Callable[..., AccountSnapshot], pooled_row: Row) -> Callable[..., ReduceOrder]:
    def build(row: Row, quantity: str, price: str | None = None) -> ReduceOrder:
        (position,) = parse(pooled_row, row).positions
        return ReduceOrder(
            position=position,
            quantity=Decimal(quantity),
            client_order_id=OWN_ID,
            deadline=datetime(2025, 7, 11, tzinfo=UTC),
            limit_price=None if price is None else Decimal(price),
        )

    return build


def test_resting_order_counts_what_is_left(pending: Row) -> None:
    order = read_open_order(pending)
    assert (order.order_id, order.client_order_id, order.symbol) == ("1752588852617379840", None, SWAP)
    assert (order.side, order.quantity, order.price) == (OrderSide.BUY, 6, Decimal("13013.5"))
    assert (order.reduce_only, order.book, order.kind) == (False, OrderBook.ACTIVE, "post_only")


def test_resting_order_without_a_filled_size_says_nothing_of_what_is_left(pending: Row) -> None:
    del pending["accFillSz"]
    assert read_open_order(pending).quantity is None


@pytest.mark.parametrize("flag", ["true", True])
def test_reduce_only_comes_as_text_or_boolean(pending: Row, flag: object) -> None:
    assert read_open_order({**pending, "reduceOnly": flag}).reduce_only


@pytest.mark.parametrize(
    ("leg", "side", "reduces"),
    [("long", "sell", True), ("long", "buy", False), ("short", "buy", True), ("short", "sell", False)],
)
def test_order_against_its_leg_can_only_reduce(pending: Row, *, leg: str, side: str, reduces: bool) -> None:
    assert read_open_order({**pending, "posSide": leg, "side": side}).reduce_only is reduces


def test_reduce_only_stop_is_protective(algo: Row) -> None:
    stop = read_algo_order(
        {**algo, "ordType": "conditional", "slTriggerPx": "48000", "triggerPx": "", "reduceOnly": "true"}
    )
    assert (stop.order_id, stop.book, stop.kind, stop.price) == (
        "431375349042380800",
        OrderBook.TRIGGER,
        "conditional",
        48000,
    )
    assert stop.is_protective


@pytest.mark.parametrize(
    ("mode", "side", "protects"),
    [("cash", "sell", True), ("cash", "buy", False), ("cross", "sell", False), ("", "sell", False)],
)
def test_a_stop_that_sells_what_is_owned_is_protective(
    algo: Row, *, mode: str, side: str, protects: bool
) -> None:
    stop = {**algo, "ordType": "conditional", "slTriggerPx": "48000", "reduceOnly": "", "posSide": ""}
    spot = {**stop, "instType": "SPOT", "instId": "BTC-USDT", "tdMode": mode, "side": side}
    assert read_algo_order(spot).is_protective is protects
    with pytest.raises(MalformedAnswer, match="without reduceOnly"):
        read_algo_order({**stop, "tdMode": mode, "side": side})


def test_trigger_order_that_could_open_is_not_protective(algo: Row) -> None:
    assert not read_algo_order(algo).is_protective


def test_stop_by_fraction_closes_the_position_and_has_no_size(algo: Row) -> None:
    stop = read_algo_order({**algo, "ordType": "oco", "sz": "", "closeFraction": "1", "side": "sell"})
    assert stop.quantity is None
    assert stop.is_protective


@pytest.mark.parametrize("field", ["ordId", "instId", "side", "ordType"])
def test_order_row_that_names_nothing_is_refused(pending: Row, field: str) -> None:
    with pytest.raises(MalformedAnswer):
        read_open_order({**pending, field: ""})


@pytest.fixture
def details() -> Row:
    """OKX docs, trade/order, as a filled swap order."""
    return {
        "accFillSz": "100",
        "avgPx": "51858",
        "clOrdId": OWN_ID,
        "fee": "-0.2592",
        "feeCcy": "USDT",
        "instId": "BTC-USDT-SWAP",
        "instType": "SWAP",
        "ordId": "680800019749904384",
        "ordType": "market",
        "side": "sell",
        "state": "filled",
        "sz": "100",
    }


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("live", OrderState.OPEN),
        ("partially_filled", OrderState.OPEN),
        ("filled", OrderState.FILLED),
        ("canceled", OrderState.CANCELLED),
        ("mmp_canceled", OrderState.CANCELLED),
    ],
)
def test_order_states(details: Row, word: str, state: OrderState) -> None:
    report = read_report({**details, "state": word}, OWN_ID, SWAP)
    assert (report.state, report.verdict, report.order_id) == (state, Verdict.ACCEPTED, "680800019749904384")


def test_fee_paid_is_positive(details: Row) -> None:
    report = read_report(details, OWN_ID, SWAP)
    assert (report.filled, report.average_price, report.fee) == (100, 51858, Decimal("0.2592"))


def test_unfilled_order_has_no_price(details: Row) -> None:
    report = read_report({**details, "avgPx": "", "accFillSz": "0", "state": "canceled"}, OWN_ID, SWAP)
    assert (report.filled, report.average_price, report.is_final) == (0, None, True)


@pytest.mark.parametrize(
    "changes", [{"clOrdId": "other"}, {"instId": "ETH-USDT-SWAP"}, {"state": "new"}, {"ordId": ""}]
)
def test_row_of_another_order_is_refused(details: Row, changes: Row) -> None:
    with pytest.raises(MalformedAnswer):
        read_report({**details, **changes}, OWN_ID, SWAP)


def test_report_without_a_filled_size_is_refused(details: Row) -> None:
    with pytest.raises(NumberError):
        read_report({**details, "accFillSz": ""}, OWN_ID, SWAP)


def test_net_position_is_reduced_by_a_reduce_only_market_order(
    order_of: Callable[..., ReduceOrder], swap_row: Row
) -> None:
    assert order_params(order_of(swap_row, "40.50")) == {
        "instId": "BTC-USDT-SWAP",
        "tdMode": "cross",
        "side": "sell",
        "ordType": "market",
        "sz": "40.5",
        "clOrdId": OWN_ID,
        "reduceOnly": True,
    }


def test_leg_is_named_and_carries_no_flag(order_of: Callable[..., ReduceOrder], isolated_row: Row) -> None:
    body = order_params(order_of(isolated_row, "10", "60123.4"))
    assert (body["posSide"], body["side"], body["tdMode"]) == ("short", "buy", "isolated")
    assert (body["ordType"], body["px"]) == ("ioc", "60123.4")
    assert "reduceOnly" not in body


def test_portfolio_position_is_reduced_as_cross(
    parse: Callable[..., AccountSnapshot], pooled_row: Row, swap_row: Row
) -> None:
    (position,) = parse(pooled_row, swap_row, level="4").positions
    order = ReduceOrder(
        position=position,
        quantity=Decimal(1),
        client_order_id=OWN_ID,
        deadline=datetime(2025, 7, 11, tzinfo=UTC),
    )
    assert (order_params(order)["tdMode"], order_params(order)["reduceOnly"]) == ("cross", True)


def test_an_algo_order_whose_protection_hangs_on_a_missing_flag_is_not_read(algo: Row) -> None:
    unsaid = {name: value for name, value in algo.items() if name not in {"reduceOnly", "posSide"}}
    with pytest.raises(MalformedAnswer):
        read_algo_order({**unsaid, "posSide": "net"})
    assert read_algo_order({**unsaid, "posSide": "net", "closeFraction": "1"}).is_protective
    assert read_algo_order({**unsaid, "posSide": "long", "side": "sell"}).is_protective
    assert not read_algo_order({**unsaid, "posSide": "long", "side": "buy"}).is_protective
