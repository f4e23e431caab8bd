from decimal import Decimal
from typing import Any

import pytest

from brokers.models import ContractKind, MarginMode, Side
from daemon.risk.policy import Action, MarginPolicy
from daemon.risk.reduction import ReductionPlan, plan_reduction

D = Decimal
BUILD = Any


def notes(build: BUILD, *rows: Any, base: str = "BTC", other: str = "BTCUSD_PERP") -> tuple[str, ...]:  # noqa: ANN401 - rows
    inverse = build.rules(other, base=base, quote="USD", kind=ContractKind.INVERSE)
    snapshot = build.book(1_000_000, rows, markets=[build.rules(), inverse])
    policy = MarginPolicy()
    found = plan_reduction(
        build.judge(snapshot), snapshot, "account", policy, step=0, action=Action.FLATTEN, excluded=()
    )
    assert isinstance(found, ReductionPlan)
    return found.notes


def test_the_same_coin_on_the_other_side_is_named(build: BUILD) -> None:
    found = notes(build, build.Row(), build.Row(symbol="BTCUSD_PERP", side=Side.SHORT, quantity="0.5"))

    # both are closed in this step: nothing is left to be bared
    assert found == ()
    elsewhere = build.Row(
        symbol="BTCUSD_PERP", side=Side.SHORT, quantity="0.0005", margin_mode=MarginMode.ISOLATED
    )
    (note,) = notes(build, build.Row(), elsewhere)
    assert "long BTCUSDT stands against short 0.0005 BTCUSD_PERP" in note
    assert "BTC" in note


@pytest.mark.parametrize(
    ("side", "base"),
    [(Side.LONG, "BTC"), (Side.SHORT, "ETH")],
    ids=["same side", "another coin"],
)
def test_what_hedges_nothing_is_not_named(*, build: BUILD, side: Side, base: str) -> None:
    small = build.Row(symbol="BTCUSD_PERP", side=side, quantity="0.0005")

    assert notes(build, build.Row(), small, base=base) == ()


def test_the_twin_that_the_planner_sees_is_not_named(build: BUILD) -> None:
    rows = (
        build.Row(hedged=True, quantity="2"),
        build.Row(hedged=True, side=Side.SHORT, quantity="0.0001"),
    )

    assert notes(build, *rows) == ()


def test_a_pair_of_which_both_are_cut_in_part_is_named_once(build: BUILD) -> None:
    rows = (build.Row(), build.Row(symbol="BTCUSD_PERP", side=Side.SHORT))
    snapshot = build.book(10_500, rows, markets=[build.rules(), build.rules("BTCUSD_PERP", base="BTC")])
    policy = MarginPolicy()
    found = plan_reduction(build.judge(snapshot), snapshot, "account", policy, step=0)

    assert isinstance(found, ReductionPlan)
    assert len(found.orders) == 2
    (note,) = found.notes
    assert "BTCUSDT" in note
    assert "BTCUSD_PERP" in note
