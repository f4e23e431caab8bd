"""Order books beside the picture: those of the largest, waited for a moment, and asked for in measure."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer, VenueUnavailable
from brokers.models import OrderSide, Position, Symbol
from brokers.order_book import OrderBook
from brokers.sandbox.orders import OrderType
from daemon.books import LATE_REST_S, LONGEST_PAUSE_S, MOST_BOOKS, SHORTEST_PAUSE_S, Books
from daemon.provision import PATIENCE_S
from daemon.risk.policy import Mode
from daemon.risk.reduction import plan_reduction

Desk = Any  # the fixture's type lives in conftest
D = Decimal


def books_of(desk: Desk) -> list[list[dict[str, Any]]]:
    """What every reducing plan tells of books."""
    return [plan.plan["books"] for plan in desk.plans() if plan.decision == "reduce"]


async def test_a_plan_tells_the_best_prices_it_was_made_with(desk: Desk) -> None:
    desk.fall_to("0.95")
    outcome = await desk.run()
    assert outcome.doing == "reduce"

    ((row,),) = books_of(desk)
    mark = desk.engine.usd_price("X")
    assert row["symbol"] == "X-USDT"
    assert D(row["bid"]) < mark < D(row["ask"])
    assert D(row["ask"]) - D(row["bid"]) < mark * D("0.0005")
    assert D(row["bid_quantity"]) > 1_000_000
    assert row["levels"] == [3, 3]


@pytest.mark.parametrize("mode", [Mode.ENFORCE, Mode.ADVISE])
async def test_the_planner_is_given_the_books_that_are_believed(
    open_desk: Callable[..., Desk], mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[dict[Symbol, OrderBook]] = []

    def plan(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - the planner's own
        given.append(dict(named["books"]))
        return plan_reduction(*arguments, **named)

    monkeypatch.setattr("daemon.drafting.plan_reduction", plan)
    desk = open_desk(mode=mode)
    desk.fall_to("0.95")
    shown = await desk.venue.fetch_order_book(Symbol("X-USDT"))
    await desk.run()
    ((symbol, book),) = given[0].items()
    assert (symbol, book.bids, book.asks) == (shown.symbol, shown.bids, shown.asks)


def test_books_that_hang_delay_one_cut_by_a_moment_and_later_ones_not_at_all(
    virtual: asyncio.Runner, open_desk: Callable[..., Desk]
) -> None:
    desk = open_desk(loop=virtual.get_loop())
    desk.line.latency_ms["fetch_order_book"] = 60_000
    desk.fall_to("0.98")  # urgent: confirmed at once
    assert virtual.run(desk.cycle.run()).doing == "reduce"
    assert desk.clock.uptime() < PATIENCE_S + 0.1
    began = desk.clock.uptime()
    desk.fall_to("0.98")
    for _ in range(3):
        if virtual.run(desk.cycle.run()).doing == "reduce":
            break
    assert desk.clock.uptime() - began < 0.1
    assert books_of(desk) == [[], []]
    assert desk.line.log.count("fetch_order_book") == 1


def test_books_that_a_slow_confirmation_has_made_old_are_read_once_more(
    virtual: asyncio.Runner, open_desk: Callable[..., Desk]
) -> None:
    desk = open_desk(loop=virtual.get_loop())
    desk.fall_to("0.95")
    desk.line.latency_ms["fetch_snapshot"] = 2_200
    while virtual.run(desk.cycle.run()).doing != "reduce":
        desk.line.log.clear()
    assert desk.line.log.count("fetch_order_book") == 2
    ((row,),) = books_of(desk)
    decided = next(plan.decided_at for plan in desk.plans() if plan.decision == "reduce")
    assert (decided - datetime.fromisoformat(row["as_of"])).total_seconds() < 0.1


@pytest.mark.parametrize("error", [VenueUnavailable("down"), MalformedAnswer("crossed")])
async def test_a_book_that_is_not_to_be_had_changes_nothing_about_the_cut(
    desk: Desk, error: Exception
) -> None:
    desk.venue.mishaps.fail_read(error, call="fetch_order_book", times=5)
    desk.fall_to("0.95")
    assert (await desk.run()).doing == "reduce"
    assert books_of(desk) == [[]]
    assert desk.utilization() <= D("0.6")


async def test_a_bug_on_the_way_to_a_book_is_told_and_changes_nothing(desk: Desk, log: Any) -> None:  # noqa: ANN401
    def trip(call: str, moment: str, _: object) -> None:
        if (call, moment) == ("fetch_order_book", "answered"):
            raise ZeroDivisionError

    desk.line.at = trip
    desk.fall_to("0.95")
    assert (await desk.run()).doing == "reduce"
    assert books_of(desk) == [[]]
    assert "provision_failed" in log.getvalue()


@pytest.mark.parametrize(("mode", "level"), [(Mode.OBSERVE, "0.95"), (Mode.ENFORCE, "0.85")])
async def test_no_book_is_read_where_nothing_may_be_cut(
    open_desk: Callable[..., Desk], mode: Mode, level: str
) -> None:
    desk = open_desk(mode=mode)
    desk.fall_to(level)
    await desk.watch(30)
    assert "fetch_order_book" not in desk.line.log


async def test_a_proposal_is_made_with_books_and_they_are_read_ever_less_often_while_it_waits(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(mode=Mode.ADVISE)
    desk.fall_to("0.95")
    await desk.watch(300)
    assert len(books_of(desk)[0]) == 1
    assert desk.line.log.count("fetch_order_book") <= 300 / LONGEST_PAUSE_S + 6
    assert desk.line.log.count("fetch_snapshot") >= 150


class Shelf:
    """A venue of order books only; each read is noted."""

    account_id = "desk"

    def __init__(self, desk: Desk, slow: frozenset[Symbol] = frozenset()) -> None:
        self._desk, self._slow = desk, slow
        self.asked: list[Symbol] = []

    async def fetch_order_book(self, symbol: Symbol) -> OrderBook:
        self.asked.append(symbol)
        if symbol in self._slow:
            await asyncio.sleep(3600)
        book = await self._desk.venue.fetch_order_book(Symbol("X-USDT"))
        return replace(book, symbol=symbol)


def held(desk: Desk, count: int, quantity: str = "1") -> list[Position]:
    """So many positions, every one of an instrument of its own."""
    (row,) = desk.venue_snapshot().positions
    return [replace(row, symbol=Symbol(f"S{number}"), quantity=D(quantity)) for number in range(count)]


def test_only_the_first_are_read_and_what_is_late_is_left_out_for_a_while(
    virtual: asyncio.Runner, open_desk: Callable[..., Desk]
) -> None:
    desk = open_desk(loop=virtual.get_loop())
    shelf = Shelf(desk, frozenset({Symbol("S2")}))
    books = Books(broker=shelf, clock=desk.clock)

    found = virtual.run(books.read(held(desk, 12), 0.5))
    assert shelf.asked == [f"S{number}" for number in range(MOST_BOOKS)]
    assert found.keys() == set(shelf.asked) - {"S2"}
    assert virtual.get_loop().time() == 0.5

    shelf.asked.clear()
    virtual.run(asyncio.sleep(LATE_REST_S - 1))
    began = virtual.get_loop().time()
    virtual.run(books.read(held(desk, 12), 0.5))
    assert shelf.asked == ["S0", "S1", "S3", "S4", "S5", "S6", "S7"]
    assert virtual.get_loop().time() == began, "nobody waits for what is known to be late"

    shelf.asked.clear()
    virtual.run(asyncio.sleep(LONGEST_PAUSE_S))
    virtual.run(books.read(held(desk, 12), 0.5))
    assert "S2" in shelf.asked


def test_books_are_read_anew_at_once_when_something_was_cut_and_ever_less_often_else(
    virtual: asyncio.Runner, open_desk: Callable[..., Desk]
) -> None:
    desk = open_desk(loop=virtual.get_loop())
    shelf = Shelf(desk)
    books = Books(broker=shelf, clock=desk.clock)

    async def watch(seconds: float, quantity: str) -> int:
        shelf.asked.clear()
        for _ in range(round(seconds / 0.1)):
            await books.read(held(desk, 1, quantity), 0.5)
            await asyncio.sleep(0.1)
        return len(shelf.asked)

    assert virtual.run(watch(59, "5")) == 7  # at 0, 1, 3, 7, 15 s, then every 15 s
    assert virtual.run(watch(0.05 + SHORTEST_PAUSE_S, "4")) == 1
    assert virtual.run(watch(0.3, "3")) == 1


async def test_a_cut_right_after_a_cancellation_is_planned_with_the_books_read_for_it(desk: Desk) -> None:
    desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    desk.fall_to("1.3")
    assert (await desk.run()).doing == "cancel_orders"
    assert (await desk.run(2)).doing == "reduce"
    assert desk.line.log.count("fetch_order_book") == 1
    (first, *_) = books_of(desk)
    assert [row["symbol"] for row in first] == ["X-USDT"]


async def test_a_book_that_our_own_order_has_eaten_of_is_not_shown_again(desk: Desk) -> None:
    shelf = Shelf(desk)
    books = Books(broker=shelf, clock=desk.clock)
    before = await books.read(held(desk, 1, "5"), 0.5)
    assert await books.read(held(desk, 1, "5"), 0.5) == before
    assert await books.read(held(desk, 1, "4"), 0.5) == {}
    desk.clock.turn(SHORTEST_PAUSE_S)
    assert (await books.read(held(desk, 1, "4"), 0.5)).keys() == before.keys()
    desk.clock.turn(SHORTEST_PAUSE_S)
    assert await books.read(held(desk, 1, "4"), 0.5) == {}, "too old, and not yet asked for again"
    assert len(shelf.asked) == 2


async def test_an_order_of_somebody_else_in_the_book_is_seen_by_the_next_plan(desk: Desk) -> None:
    desk.fall_to("0.95")
    before = await desk.line.fetch_order_book(Symbol("X-USDT"))
    desk.trade(OrderSide.SELL, 1)
    assert (await desk.run()).doing == "reduce"
    ((row,),) = books_of(desk)
    assert D(row["bid"]) == before.bids[0].price
