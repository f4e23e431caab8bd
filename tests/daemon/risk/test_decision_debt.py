"""What is decided for a unit that is in danger for what it owes."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import Collateral
from daemon.risk.answer import Act, Hold, Rung, RungState
from daemon.risk.policy import Action, Level, MarginPolicy
from daemon.risk.reason import Reason

D = Decimal
BUILD = Any
LOOKED = {"cancellable_orders": 0}
"""Somebody looked for orders in this step and found none."""


def over(action: Action, reason: Reason) -> Rung:
    return Rung(unit="account", action=action, state=RungState.EXHAUSTED, reason=reason)


OWED = Collateral(currency="USDT", wallet_balance=D(5_000), equity=None, debt=D(160_000), repayable=D(5_000))


def driven_by_debt(build: BUILD, policy: MarginPolicy | None = None, **more: object) -> Any:  # noqa: ANN401 - a builder
    """An account in trouble for its debt: 9,000 of 10,000 of maintenance, 500 of it the position's."""
    watch = build.watch(policy)
    for second in (0, 1):
        unit = {"maintenance_margin": D(9_000)}
        watch.levered("0.1", second, maintenance="0.05", unit=unit, collaterals=[OWED], **more)
    return watch


def test_what_is_owed_is_given_back_before_anything_is_cut(build: BUILD) -> None:
    act = driven_by_debt(build).decide(**LOOKED, can_repay=True)
    assert isinstance(act, Act)
    assert (act.action, act.reason, act.facts.unit) == (Action.REPAY, Reason.LIQUIDATION_REACHED, "account")


@pytest.mark.parametrize(
    ("context", "action"),
    [
        ({"can_repay": False}, Action.REDUCE),
        ({"can_repay": True, "repayments_in_episode": 5}, Action.REDUCE),
        ({"can_repay": True, "repayments_in_episode": 4}, Action.REPAY),
    ],
)
def test_what_cannot_be_given_back_makes_room_for_the_cut(
    *, build: BUILD, context: dict[str, Any], action: Action
) -> None:
    act = driven_by_debt(build).decide(**LOOKED, **context)
    assert isinstance(act, Act)
    assert act.action is action


@pytest.mark.parametrize(
    ("context", "rungs", "reason"),
    [
        ({"can_repay": False}, (), Reason.REPAY_NOT_OFFERED),
        ({"can_repay": True}, (over(Action.REPAY, Reason.NOTHING_TO_REPAY),), Reason.NOTHING_TO_REPAY),
        ({"can_repay": True}, (over(Action.REPAY, Reason.REPAY_REFUSED),), Reason.REPAY_REFUSED),
        ({"can_repay": True, "repayments_in_episode": 5}, (), Reason.REPAY_BUDGET),
    ],
)
def test_debt_that_nothing_can_be_done_about_is_held_with_its_reason_and_nothing_is_flattened(
    *, build: BUILD, context: dict[str, Any], rungs: tuple[Any, ...], reason: Reason
) -> None:
    given = (*rungs, over(Action.REDUCE, Reason.DEBT_DRIVES_RISK))
    hold = driven_by_debt(build).decide(**LOOKED, **context, rungs=given)
    assert isinstance(hold, Hold)
    assert hold.reason is reason


def test_debt_that_the_operator_lets_nobody_repay_is_named_as_what_drives_the_risk(build: BUILD) -> None:
    actions = {Level.LIQUIDATION: (Action.CANCEL_ORDERS, Action.REDUCE, Action.FLATTEN)}
    given = (over(Action.REDUCE, Reason.DEBT_DRIVES_RISK),)
    policy = MarginPolicy(actions=actions)
    hold = driven_by_debt(build, policy).decide(**LOOKED, can_repay=True, rungs=given)
    assert isinstance(hold, Hold)
    assert hold.reason is Reason.DEBT_DRIVES_RISK


def test_a_debt_without_any_position_is_not_called_a_lack_of_positions(build: BUILD) -> None:
    watch = build.watch()
    unit = build.unit(initial_margin=D(9_500), maintenance_margin=D(9_000), available_margin=D(500))
    for second in (0, 1):
        watch.show(build.snapshot(units=[unit], collaterals=[OWED], seconds=second))
    act = watch.decide(**LOOKED, can_repay=True)
    assert isinstance(act, Act)
    assert act.action is Action.REPAY
    hold = watch.decide(**LOOKED)
    assert isinstance(hold, Hold)
    assert hold.reason is Reason.REPAY_NOT_OFFERED


@pytest.mark.parametrize(
    ("free", "reason"), [(D(0), Reason.NOTHING_TO_REPAY), (None, Reason.REPAY_NOT_OFFERED)]
)
def test_without_anything_free_the_rung_is_not_even_tried(
    *, build: BUILD, free: Decimal | None, reason: Reason
) -> None:
    watch = build.watch()
    unit = build.unit(initial_margin=D(9_500), maintenance_margin=D(9_000), available_margin=D(500))
    for second in (0, 1):
        row = replace(OWED, repayable=free)
        watch.show(build.snapshot(units=[unit], collaterals=[row], seconds=second))
    hold = watch.decide(**LOOKED, can_repay=True)
    assert isinstance(hold, Hold)
    assert hold.reason is reason
