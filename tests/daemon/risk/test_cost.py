"""What a cut costs: by the book where there is one, by the policy where there is none."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.models import ContractKind, Side, Symbol
from brokers.order_book import OrderBook, PriceLevel
from daemon.risk.cost import TradingCost
from daemon.risk.picture import ValuedPosition
from daemon.risk.policy import ReductionLimits

D = Decimal
BUILD = Any
Rows = list[tuple[str, str]]
LIMITS = ReductionLimits(fee_rate=D("0.001"), expected_slippage=D("0.0005"), max_slippage=D("0.1"))


def book(build: BUILD, bids: Rows, asks: Rows) -> OrderBook:
    def levels(rows: Rows) -> tuple[PriceLevel, ...]:
        return tuple(PriceLevel(price=D(price), quantity=D(quantity)) for price, quantity in rows)

    return OrderBook(
        symbol=Symbol("BTCUSDT"), bids=levels(bids), asks=levels(asks), as_of=None, fetched_at=build.NOON
    )


def cost(
    build: BUILD, seen: OrderBook | None, *, side: Side = Side.LONG, rate: str = "1", **changes: object
) -> TradingCost:
    row = build.Row(quantity="10", mark="100", entry="100", side=side).position(**changes)
    rules = build.rules(kind=row.kind, contract_size=D(1) if row.kind is ContractKind.LINEAR else D(1000))
    valued = ValuedPosition(position=row, rate=D(rate))
    return TradingCost(valued=valued, limits=LIMITS, rules=rules, book=seen)


def test_without_a_book_the_policy_says_what_it_costs(build: BUILD) -> None:
    assert cost(build, None).of(D(4)) == D("0.6")  # 400 at 0.15 %
    assert cost(build, None, notional=None).of(D(4)) == 0  # nobody knows


def test_a_sale_eats_into_the_bids_from_the_middle_on(build: BUILD) -> None:
    seen = cost(build, book(build, [("99", "2"), ("98", "3"), ("95", "9")], [("101", "1")]))

    # half the spread and the fee: 1 + 0.099 each; then 2 + 0.098
    assert seen.of(D(2)) == D("2.198")
    assert seen.of(D(4)) == D("2.198") + 2 * D("2.098")


def test_a_purchase_eats_into_the_asks(build: BUILD) -> None:
    seen = cost(build, book(build, [("99", "2")], [("101", "1"), ("103", "20")]), side=Side.SHORT)

    assert seen.of(D(3)) == D("1.101") + 2 * D("3.103")


def test_behind_the_last_level_the_worst_price_holds(build: BUILD) -> None:
    seen = cost(build, book(build, [("99", "2")], [("101", "1")]))

    # a tenth off the middle, and the fee on 90
    assert seen.of(D(3)) == D("2.198") + D("10.09")
    deep = cost(build, book(build, [("99", "2"), ("50", "1")], [("101", "1")]))
    assert deep.of(D(4)) == D("2.198") + 2 * D("10.09")  # no limit asks for a worse one


def test_an_inverse_contract_costs_coin(build: BUILD) -> None:
    seen = cost(
        build,
        book(build, [("99", "2"), ("98", "20")], [("101", "1")]),
        kind=ContractKind.INVERSE,
        settle="BTC",
        notional=D(100),
    )

    first = D(1000) / 99 - 10 + D(1000) / 99 * D("0.001")
    second = D(1000) / 98 - 10 + D(1000) / 98 * D("0.001")
    assert seen.of(D(5)) == 2 * first + 3 * second
    bought = cost(
        build,
        book(build, [("99", "2")], [("101", "9")]),
        kind=ContractKind.INVERSE,
        side=Side.SHORT,
        notional=D(100),
    )
    assert bought.of(D(1)) == 10 - D(1000) / 101 + D(1000) / 101 * D("0.001")


def test_it_is_reckoned_in_the_units_currency(build: BUILD) -> None:
    seen = book(build, [("99", "2")], [("101", "1")])

    assert cost(build, seen, rate="0.5").of(D(2)) == D("1.099")


@pytest.mark.parametrize(
    ("bids", "mark", "each"),
    [
        ([("99", "2")], "100", "1.099"),  # the mark stands above the best bid: from the mark on
        ([("101", "2")], "100", "0.101"),  # the bid is the better of the two
    ],
)
def test_a_book_of_one_side_is_measured_from_the_mark(
    *, build: BUILD, bids: Rows, mark: str, each: str
) -> None:
    seen = cost(build, book(build, bids, []), mark_price=D(mark))

    assert seen.of(D(1)) == D(each)


def test_a_book_without_buyers_takes_a_sale_at_the_worst_price(build: BUILD) -> None:
    assert cost(build, book(build, [], [("101", "1")])).of(D(1)) == D("10.09")


@given(
    steps=st.lists(st.tuples(st.integers(1, 500), st.integers(1, 40)), min_size=1, max_size=12),
    side=st.sampled_from(Side),
    kind=st.sampled_from(ContractKind),
)
def test_the_more_is_cut_the_dearer_the_next(
    *, build: BUILD, steps: list[tuple[int, int]], side: Side, kind: ContractKind
) -> None:
    away, levels = 0, []
    for step, quantity in steps:
        away += step
        levels.append((away, str(quantity)))
    bids = [(str(D(10_000 - away) / 100), quantity) for away, quantity in levels if away < 9_000]
    asks = [(str(D(10_000 + away) / 100), quantity) for away, quantity in levels]
    seen = cost(build, book(build, bids, asks), side=side, kind=kind)
    pieces = list(seen.slices())

    assert sum(piece.width for piece in pieces) == 10
    assert all(one.rate <= other.rate for one, other in pairwise(pieces))
    assert seen.of(D(10)) == sum(piece.width * piece.rate for piece in pieces)
    assert list(seen.segments()) == [
        (pytest.approx(float(piece.width)), pytest.approx(float(piece.rate))) for piece in pieces
    ]
