"""Which books a plan may need, and which of those that came are believed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import ContractKind, Symbol
from brokers.order_book import OrderBook, PriceLevel
from daemon.risk.books import FURTHEST, MOST_AGE, believable, positions_to_cut

D = Decimal
BUILD = Any  # the fixtures' types live in conftest
Shown = Any
NOON = datetime(2025, 10, 10, 12, tzinfo=UTC)
BTC = Symbol("BTCUSDT")


def book(bid: str | None = "49990", ask: str | None = "50010", **changes: Any) -> OrderBook:  # noqa: ANN401
    sides = [() if price is None else (PriceLevel(price=D(price), quantity=D(1)),) for price in (bid, ask)]
    values = {"symbol": BTC, "bids": sides[0], "asks": sides[1], "as_of": NOON, "fetched_at": NOON}
    return OrderBook(**values | changes)


@pytest.fixture
def shown(build: BUILD) -> Any:  # noqa: ANN401 - a snapshot: long 1 BTC at 50,000
    return build.book(10_000)


OLD = NOON - MOST_AGE - timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("seen", "believed"),
    [
        pytest.param(book(), True, id="fresh and near"),
        pytest.param(book(as_of=None), True, id="without a time of its own"),
        pytest.param(book(as_of=NOON - MOST_AGE), True, id="just fresh"),
        pytest.param(book(as_of=OLD), False, id="old by the venue"),
        pytest.param(book(as_of=None, fetched_at=OLD), False, id="came long ago"),
        pytest.param(book(as_of=NOON + timedelta(seconds=5), fetched_at=OLD), False, id="dated ahead"),
        pytest.param(book("51490", "51510"), True, id="3 % above the mark"),
        pytest.param(book("51491", "51511"), False, id="further"),
        pytest.param(book("48489", "48509"), False, id="further below"),
        pytest.param(book(bid=None), False, id="nobody bids"),
        pytest.param(book(ask=None), False, id="nobody offers"),
    ],
)
def test_a_book_is_believed_that_is_fresh_two_sided_and_near_the_mark(
    shown: Shown,
    seen: OrderBook,
    *,
    believed: bool,
) -> None:
    assert believable({BTC: seen}, shown, NOON) == ({BTC: seen} if believed else {})
    assert D("0.03") == FURTHEST


def test_a_book_that_nothing_can_be_held_against_is_not_believed(shown: Shown) -> None:
    (row,) = shown.positions
    unpriced = replace(shown, positions=(replace(row, mark_price=None),))
    assert believable({BTC: book()}, unpriced, NOON) == {}
    flat = replace(shown, positions=())
    assert believable({BTC: book()}, flat, NOON) == {}


def test_the_largest_positions_come_first_whatever_they_settle_in(
    build: BUILD,
) -> None:
    rows = [
        build.Row(symbol="SMALL", quantity="0.1"),
        build.Row(symbol="LARGE", quantity="3"),
        build.Row(symbol="MIDDLE"),
    ]
    shown = build.book(1_000_000, rows)
    small, large, middle = shown.positions
    inverse = replace(middle, kind=ContractKind.INVERSE, quantity=D(60_000))
    shown = replace(
        shown, positions=(small, large, inverse, replace(large, symbol=Symbol("KEPT"), reducible=False))
    )
    assert [one.symbol for one in positions_to_cut(shown, "account")] == ["LARGE", "MIDDLE", "SMALL"]
