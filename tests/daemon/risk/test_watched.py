"""Positions that no order can only reduce: they count, and are never cut."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountSnapshot
from daemon.risk.plan import Infeasible, ReductionPlan
from daemon.risk.policy import Action, MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.reduction import plan_reduction

BUILD = Any


def watched(snapshot: AccountSnapshot, *symbols: str) -> AccountSnapshot:
    """The same account where `symbols` can only be watched."""
    positions = (replace(p, reducible=p.symbol not in symbols) for p in snapshot.positions)
    return replace(snapshot, positions=tuple(positions))


def plan(build: BUILD, snapshot: AccountSnapshot, action: Action) -> ReductionPlan | Infeasible:
    policy = MarginPolicy()
    return plan_reduction(
        build.judge(snapshot, policy), snapshot, "account", policy, step=0, action=action, excluded=()
    )


@pytest.mark.parametrize("action", [Action.REDUCE, Action.FLATTEN])
def test_the_others_are_cut_in_its_place(build: BUILD, action: Action) -> None:
    rows = [build.Row(), build.Row(symbol="ETHUSDT", quantity="10", mark="3000", entry="3000")]
    snapshot = build.book(8_500, rows)
    both = plan(build, snapshot, action)
    assert isinstance(both, ReductionPlan)
    assert "BTCUSDT" in {order.position.symbol for order in both.orders}
    found = plan(build, watched(snapshot, "BTCUSDT"), action)
    assert isinstance(found, ReductionPlan)
    assert {order.position.symbol for order in found.orders} == {"ETHUSDT"}


@pytest.mark.parametrize("action", [Action.REDUCE, Action.FLATTEN])
def test_alone_it_leaves_nothing_to_order(build: BUILD, action: Action) -> None:
    snapshot = watched(build.levered(utilization="0.95"), "BTCUSDT")
    found = plan(build, snapshot, action)
    assert isinstance(found, Infeasible)
    assert found.reason is Reason.NOTHING_ORDERABLE


def test_its_margin_still_counts(build: BUILD) -> None:
    snapshot = build.levered(utilization="0.95")
    seen, free = build.judge(watched(snapshot, "BTCUSDT")), build.judge(snapshot)
    assert seen.units[0].utilization == free.units[0].utilization == Decimal("0.95")
