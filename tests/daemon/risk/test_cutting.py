"""The cuts of a step: by the order books, within the limits of a step, by every strategy."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountSnapshot, Side, Symbol
from brokers.order_book import OrderBook, PriceLevel
from daemon.risk.policy import Confirmation, MarginPolicy, ReductionLimits
from daemon.risk.reason import Reason
from daemon.risk.reduction import Infeasible, ReductionPlan, plan_reduction
from daemon.risk.strategy import Strategy

D = Decimal
BUILD = Any
AT_ONCE = ReductionLimits(step_fraction=D(1), positions_per_step=20)
"""The whole way in one step."""


def book(build: BUILD, symbol: str, mark: int, *, spread: str, depth: str) -> OrderBook:
    """Three levels a side, each holding `depth` and as far from the last as the first is from the middle."""

    def levels(sign: int) -> tuple[PriceLevel, ...]:
        away = (mark * D(spread) / 2 * number for number in (1, 2, 3))
        return tuple(PriceLevel(price=mark + sign * one, quantity=D(depth)) for one in away)

    return OrderBook(
        symbol=Symbol(symbol), bids=levels(-1), asks=levels(1), as_of=None, fetched_at=build.NOON
    )


def plan(
    build: BUILD,
    snapshot: AccountSnapshot,
    limits: ReductionLimits = AT_ONCE,
    books: Mapping[Symbol, OrderBook] | None = None,
) -> ReductionPlan | Infeasible:
    # where all goes at once no order is held back for what its book holds either
    urgent = Confirmation(urgent_utilization=D("0.01")) if limits.step_fraction == 1 else Confirmation()
    policy = MarginPolicy(limits=limits, confirmation=urgent)
    return plan_reduction(
        build.judge(snapshot, policy), snapshot, "account", policy, step=0, books=books or {}
    )


def orders(found: ReductionPlan | Infeasible) -> list[tuple[str, Decimal]]:
    assert isinstance(found, ReductionPlan)
    return [(order.position.symbol, order.quantity) for order in found.orders]


def two(build: BUILD, equity: int = 10_500) -> AccountSnapshot:
    """50,000 of each of two coins, at margins that are alike."""
    rows = [build.Row(), build.Row(symbol="ETHUSDT", quantity="20", mark="2500", entry="2500")]
    return build.book(equity, rows)


def test_the_coin_with_the_better_book_goes_first(build: BUILD) -> None:
    books = {
        Symbol("BTCUSDT"): book(build, "BTCUSDT", 50_000, spread="0.002", depth="1"),
        Symbol("ETHUSDT"): book(build, "ETHUSDT", 2_500, spread="0.0002", depth="20"),
    }
    found = plan(build, two(build), books=books)

    # 10,000 of 10,500 used: 3,700 and what it costs; a hundredth of a percent to the first bid, and the fee
    assert orders(found) == [("ETHUSDT", D("14.863"))]
    assert isinstance(found, ReductionPlan)
    assert found.reaches_target
    assert found.cost == D("14.863") * (D("0.25") + D("0.0006") * D("2499.75"))


def test_an_order_goes_no_deeper_than_another_coin_is_cheaper(build: BUILD) -> None:
    books = {
        Symbol("BTCUSDT"): book(build, "BTCUSDT", 50_000, spread="0.001", depth="0.2"),
        Symbol("ETHUSDT"): book(build, "ETHUSDT", 2_500, spread="0.0014", depth="4"),
    }
    found = plan(build, two(build), books=books)

    # the first level of each, then the second of the cheaper one, and the second of the other
    assert dict(orders(found)) == {"BTCUSDT": D("0.4"), "ETHUSDT": D("6.932")}


def test_a_step_that_cannot_do_it_all_begins_the_cheapest_way_there(build: BUILD) -> None:
    rows = [
        build.Row(),
        build.Row(symbol="ETHUSDT", quantity="20", mark="2500", entry="2500", initial="0.09"),
        build.Row(symbol="SOLUSDT", quantity="500", mark="100", entry="100", initial="0.08"),
    ]
    coarse = [build.rules(symbol, min_quantity=D(50)) for symbol in ("ETHUSDT", "SOLUSDT")]
    snapshot = build.book(14_500, rows, markets=[build.rules(), *coarse])
    # 13,500 of 14,500 used: 4,800 go with bitcoin alone, of which a step may take a quarter
    assert orders(plan(build, snapshot)) == [("BTCUSDT", D("0.967"))]

    begun = plan(build, snapshot, ReductionLimits(step_fraction=D("0.25")))
    assert orders(begun) == [("BTCUSDT", D("0.25"))]
    assert isinstance(begun, ReductionPlan)
    assert not begun.reaches_target


def test_an_urgent_unit_takes_all_that_a_step_can_give(build: BUILD) -> None:
    rows = [build.Row(symbol=f"{coin}USDT", quantity="0.4") for coin in ("AAA", "BBB", "CCC", "DDD")]
    limits = ReductionLimits(step_fraction=D("0.1"), positions_per_step=3)

    calm, urgent = (build.book(equity, rows) for equity in (8_400, 8_000))
    assert build.judge(urgent).units[0].urgent
    assert not build.judge(calm).units[0].urgent
    assert len(orders(plan(build, calm, limits))) == 2
    assert len(orders(plan(build, urgent, limits))) == 3


def test_a_second_position_helps_where_the_step_is_too_small_for_one(build: BUILD) -> None:
    rows = [build.Row(initial="0.11"), build.Row(symbol="ETHUSDT", quantity="20", mark="2500", entry="2500")]
    found = plan(build, build.book(12_500, rows), ReductionLimits(step_fraction=D("0.5")))

    assert isinstance(found, ReductionPlan)
    assert found.reaches_target
    assert orders(found)[0] == ("BTCUSDT", D("0.5"))
    assert orders(found)[1][0] == "ETHUSDT"


def test_a_hedges_pair_counts_for_the_steps_to_come(build: BUILD) -> None:
    rows = [
        build.Row(hedged=True, quantity="2"),
        build.Row(hedged=True, quantity="1.8", side=Side.SHORT),
        build.Row(symbol="SOLUSDT", quantity="100", mark="100", entry="100"),
    ]
    snapshot = build.book(21_000, rows)
    thin = {Symbol("SOLUSDT"): book(build, "SOLUSDT", 100, spread="0.02", depth="100")}

    # the overhang frees 1,000 of 7,400; the pair behind it is cheaper than the thin book of the other coin
    limits = ReductionLimits(step_fraction=D("0.99"))
    assert orders(plan(build, snapshot, limits, thin)) == [("BTCUSDT", D("0.2"))]


def by(build: BUILD, strategy: Strategy, limits: ReductionLimits = AT_ONCE) -> list[tuple[str, Decimal]]:
    rows = [
        build.Row(quantity="0.2", initial="0.2", entry="52000"),  # 2,000 of margin, 400 lost
        build.Row(symbol="ETHUSDT", quantity="20", mark="2500", entry="2400"),  # 5,000, 2,000 won
        build.Row(symbol="SOLUSDT", quantity="300", mark="100", entry="110"),  # 3,000, 3,000 lost
    ]
    return orders(plan(build, build.book(10_500, rows), replace(limits, strategy=strategy)))


def test_each_strategy_goes_its_own_way(build: BUILD) -> None:
    # 10,000 of 10,500 used: 3,700 must go
    assert by(build, Strategy.CHEAPEST_RELIEF) == [("BTCUSDT", D("0.200")), ("SOLUSDT", D("171.794"))]
    assert by(build, Strategy.LARGEST_MARGIN) == [("ETHUSDT", D("14.899"))]
    assert by(build, Strategy.WORST_PNL) == [("SOLUSDT", D(300)), ("BTCUSDT", D("0.073"))]
    assert by(build, Strategy.PRO_RATA) == [
        ("ETHUSDT", D("7.445")),
        ("SOLUSDT", D("111.664")),
        ("BTCUSDT", D("0.075")),
    ]


def test_a_position_of_unknown_profit_goes_last_of_the_losers(build: BUILD) -> None:
    rows = [build.Row(entry="49000"), build.Row(symbol="ETHUSDT", quantity="20", mark="2500", entry="2600")]
    snapshot = build.book(10_500, rows)
    unknown = replace(snapshot.positions[1], unrealized_pnl=None)
    limits = replace(AT_ONCE, strategy=Strategy.WORST_PNL)

    assert orders(plan(build, snapshot, limits))[0][0] == "ETHUSDT"
    changed = replace(snapshot, positions=(snapshot.positions[0], unknown))
    assert orders(plan(build, changed, limits))[0][0] == "BTCUSDT"


def test_every_strategy_keeps_to_the_limits_of_a_step(build: BUILD) -> None:
    limits = ReductionLimits(step_fraction=D("0.1"), positions_per_step=2)

    assert by(build, Strategy.WORST_PNL, limits) == [("SOLUSDT", D(30)), ("BTCUSDT", D("0.020"))]
    assert by(build, Strategy.LARGEST_MARGIN, limits) == [("ETHUSDT", D(2)), ("SOLUSDT", D(30))]
    assert by(build, Strategy.PRO_RATA, limits) == [("ETHUSDT", D(2)), ("SOLUSDT", D(30))]


def test_the_plan_shows_what_else_was_weighed(build: BUILD) -> None:
    rows = [build.Row(initial="0.2"), build.Row(symbol="ETHUSDT", quantity="20", mark="2500", entry="2600")]
    found = plan(build, build.book(15_500, rows), replace(AT_ONCE, strategy=Strategy.WORST_PNL))

    assert isinstance(found, ReductionPlan)
    shown = {one.name: (one.orders, one.reaches) for one in found.alternatives}
    assert shown == {
        "worst_pnl": (2, True),
        "largest_margin": (1, True),
        "pro_rata": (2, True),
        "cheapest_relief": (1, True),
        "BTCUSDT long": (1, True),
    }
    assert found.alternatives[0].name == "worst_pnl"
    costs = {one.name: one.cost for one in found.alternatives}
    assert abs(costs["worst_pnl"] - found.cost) < D("0.0001")
    assert costs["cheapest_relief"] == min(costs.values()) == costs["BTCUSDT long"]


def test_where_a_thin_book_eats_up_what_is_freed_only_the_whole_is_closed(build: BUILD) -> None:
    snapshot = build.book(600, [build.Row(initial="0.0001", maintenance="0.01")])
    thin = {Symbol("BTCUSDT"): book(build, "BTCUSDT", 50_000, spread="0.15", depth="5")}

    assert orders(plan(build, snapshot)) == [("BTCUSDT", D("0.544"))]
    assert orders(plan(build, snapshot, books=thin)) == [("BTCUSDT", D(1))]


@pytest.mark.parametrize("share", ["0.1", "0.5"])
def test_a_step_that_would_leave_the_unit_riskier_is_not_taken(build: BUILD, share: str) -> None:
    # 500 of 520 used. Cutting frees 1 % and costs 1.05 %: more than 60 % of that, less than the 96 % at risk
    snapshot = build.book(520, [build.Row(initial="0.01", maintenance="0.009")])
    dear = {Symbol("BTCUSDT"): book(build, "BTCUSDT", 50_000, spread="0.0198", depth="5")}
    found = plan(build, snapshot, ReductionLimits(step_fraction=D(share)), books=dear)

    assert isinstance(found, Infeasible)
    assert found.reason is Reason.NOTHING_ORDERABLE
