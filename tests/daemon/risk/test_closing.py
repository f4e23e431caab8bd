from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import Side
from daemon.risk.policy import Action, MarginPolicy, ReductionLimits
from daemon.risk.reason import Reason
from daemon.risk.reduction import Infeasible, ReductionPlan, plan_reduction

D = Decimal
BUILD = Any


def flatten(
    build: BUILD,
    long: str,
    short: str,
    *resting: Side,
    rules: Mapping[str, Any] | None = None,
    more: tuple[Any, ...] = (),
    limits: ReductionLimits | None = None,
) -> ReductionPlan | Infeasible:
    rows = [
        build.Row(hedged=True, quantity=long),
        build.Row(hedged=True, side=Side.SHORT, quantity=short),
        *more,
    ]
    markets = [build.rules(row.symbol, **(rules or {})) for row in rows]
    snapshot = build.book(1_000_000, rows, markets=markets)
    policy = MarginPolicy(limits=limits or ReductionLimits())
    excluded = [p.key for p in snapshot.positions if p.symbol == "BTCUSDT" and p.side in resting]
    judged = build.judge(snapshot, policy)
    return plan_reduction(
        judged, snapshot, "account", policy, step=0, action=Action.FLATTEN, excluded=excluded
    )


def closed(found: ReductionPlan | Infeasible) -> list[tuple[Side, Decimal, int | None]]:
    assert isinstance(found, ReductionPlan)
    return [(order.position.side, order.quantity, order.group) for order in found.orders]


def test_both_legs_of_a_hedge_are_closed_as_one_the_larger_first(build: BUILD) -> None:
    assert closed(flatten(build, "1", "2")) == [(Side.SHORT, D(2), 0), (Side.LONG, D(1), 0)]


def test_of_a_hedge_whose_smaller_leg_rests_only_the_overhang_is_closed(build: BUILD) -> None:
    assert closed(flatten(build, "2.5", "1", Side.SHORT)) == [(Side.LONG, D("1.5"), None)]


@pytest.mark.parametrize(
    ("long", "short", "resting"),
    [("2.5", "1", Side.LONG), ("1", "1", Side.LONG), ("1", "1", Side.SHORT)],
    ids=["the larger rests", "of equals the long rests", "of equals the short rests"],
)
def test_a_leg_is_not_closed_where_that_would_bare_the_other(
    *, build: BUILD, long: str, short: str, resting: Side
) -> None:
    found = flatten(build, long, short, resting)

    assert isinstance(found, Infeasible)
    assert found.reason is Reason.NOTHING_ORDERABLE


def test_a_hedge_of_dust_does_not_keep_a_position_open(build: BUILD) -> None:
    least = {"min_quantity": D(1)}

    assert closed(flatten(build, "2", "0.9", rules=least)) == [(Side.LONG, D(2), None)]
    assert isinstance(flatten(build, "1.6", "0.9", rules=least), Infeasible)
    # closing all of it would leave more of the dust bare than there is now
    assert closed(flatten(build, "2.5", "1.4", Side.SHORT, rules=least)) == [(Side.LONG, D("1.1"), None)]


def test_what_the_venue_takes_at_once_bounds_both_legs_alike(build: BUILD) -> None:
    capped = flatten(build, "2", "1", rules={"max_limit_quantity": D("0.4")})

    assert closed(capped) == [(Side.LONG, D("0.4"), 0), (Side.SHORT, D("0.4"), 0)]


def test_a_pair_is_not_torn_by_the_number_of_positions_in_a_step(build: BUILD) -> None:
    more = tuple(
        build.Row(symbol=symbol, quantity="9", hedged=True, side=side)
        for symbol in ("ETHUSDT", "SOLUSDT")
        for side in Side
    )
    found = flatten(build, "1", "1", more=(*more, build.Row(symbol="XRPUSDT", quantity="0.1")))

    assert isinstance(found, ReductionPlan)
    symbols = [order.position.symbol for order in found.orders]
    assert len(symbols) == 3
    assert symbols[0] == symbols[1]
    assert symbols[2] == "XRPUSDT"
    alone = flatten(build, "1", "1", limits=replace(ReductionLimits(), positions_per_step=1))
    assert len(closed(alone)) == 2


def test_only_dust_is_told_as_dust(build: BUILD) -> None:
    found = flatten(build, "0.2", "0.1", rules={"min_quantity": D(1)})

    assert isinstance(found, Infeasible)
    assert (found.reason, len(found.dust)) == (Reason.DUST, 2)
