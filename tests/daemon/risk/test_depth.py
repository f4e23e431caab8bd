from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.models import OrderSide, Symbol
from brokers.order_book import OrderBook, PriceLevel
from daemon.risk.depth import LEAST_SHARE, depth_within, marketable_price, slice_of
from tests.daemon.risk.conftest import NOON

D = Decimal
BUY, SELL = OrderSide.BUY, OrderSide.SELL


def book(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> OrderBook:
    def levels(rows: list[tuple[str, str]]) -> tuple[PriceLevel, ...]:
        return tuple(PriceLevel(price=D(price), quantity=D(quantity)) for price, quantity in rows)

    return OrderBook(
        symbol=Symbol("BTCUSDT"), bids=levels(bids), asks=levels(asks), as_of=NOON, fetched_at=NOON
    )


BTC = book(
    bids=[("49990", "0.5"), ("49950", "1"), ("49800", "3"), ("48000", "20")],
    asks=[("50010", "0.4"), ("50060", "2"), ("51000", "9")],
)


@pytest.mark.parametrize(
    ("side", "limit", "depth"),
    [
        (SELL, "49990", "0.5"),
        (SELL, "49950.1", "0.5"),
        (SELL, "49800", "4.5"),
        (SELL, "1", "24.5"),
        (SELL, "50000", "0"),
        (BUY, "50010", "0.4"),
        (BUY, "50999", "2.4"),
        (BUY, "50000", "0"),
    ],
)
def test_the_depth_ends_at_the_limit(side: OrderSide, limit: str, depth: str) -> None:
    assert depth_within(BTC, side, D(limit)) == D(depth)


@pytest.mark.parametrize(
    ("side", "quantity", "price"),
    [
        (SELL, "0.5", "49990"),
        (SELL, "0.51", "49950"),
        (SELL, "24.5", "48000"),
        (SELL, "24.6", None),
        (BUY, "2.4", "50060"),
        (BUY, "12", None),
    ],
)
def test_a_marketable_price_completes_the_order(side: OrderSide, quantity: str, price: str | None) -> None:
    assert marketable_price(BTC, side, D(quantity)) == (None if price is None else D(price))


def test_an_empty_side_holds_nothing() -> None:
    one_sided = book(bids=[], asks=[("50010", "1")])

    assert depth_within(one_sided, SELL, D(1)) == 0
    assert marketable_price(one_sided, SELL, D("0.001")) is None


def test_a_slice_is_what_the_book_holds_but_always_progresses() -> None:
    assert slice_of(D(10), D(6)) == 6
    assert slice_of(D(10), D(60)) == 10
    assert slice_of(D(10), D("0.1")) == slice_of(D(10), D(0)) == D("2.5")


amounts = st.integers(min_value=1, max_value=10_000).map(lambda n: D(n) / 10)


@given(wanted=amounts, depth=amounts)
def test_slices_come_to_an_end(wanted: Decimal, depth: Decimal) -> None:
    first = slice_of(wanted, depth)

    assert wanted * LEAST_SHARE <= first <= wanted
    assert first <= max(depth, wanted * LEAST_SHARE)


@given(quantity=amounts, side=st.sampled_from(OrderSide))
def test_what_a_marketable_price_takes_is_there(quantity: Decimal, side: OrderSide) -> None:
    price = marketable_price(BTC, side, quantity)

    if price is None:
        assert depth_within(BTC, side, D(1) if side is SELL else D(10**6)) < quantity
    else:
        assert depth_within(BTC, side, price) >= quantity
