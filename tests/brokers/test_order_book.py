"""An order book tells what an order would take, and is refused when it makes no sense."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from brokers.models import OrderSide, Symbol
from brokers.order_book import OrderBook, PriceLevel

D = Decimal
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def book(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> OrderBook:
    def levels(rows: list[tuple[str, str]]) -> tuple[PriceLevel, ...]:
        return tuple(PriceLevel(price=D(price), quantity=D(quantity)) for price, quantity in rows)

    return OrderBook(
        symbol=Symbol("BTCUSDT"), bids=levels(bids), asks=levels(asks), as_of=None, fetched_at=NOW
    )


def test_an_order_takes_the_other_side() -> None:
    seen = book([("99", "1"), ("98", "2")], [("101", "3")])
    assert [level.price for level in seen.against(OrderSide.SELL)] == [D(99), D(98)]
    assert [level.price for level in seen.against(OrderSide.BUY)] == [D(101)]


def test_a_side_may_be_empty() -> None:
    assert book([], [("101", "3")]).against(OrderSide.SELL) == ()


@pytest.mark.parametrize(
    ("bids", "asks", "word"),
    [
        ([("98", "1"), ("99", "1")], [], "worse"),
        ([("99", "1"), ("99", "1")], [], "worse"),
        ([], [("101", "1"), ("100", "1")], "worse"),
        ([("100", "1")], [("100", "1")], "crossed"),
        ([("99", "0")], [], "positive"),
        ([("0", "1")], [], "positive"),
    ],
)
def test_a_book_that_makes_no_sense_is_refused(
    bids: list[tuple[str, str]], asks: list[tuple[str, str]], word: str
) -> None:
    with pytest.raises(ValueError, match=word):
        book(bids, asks)
