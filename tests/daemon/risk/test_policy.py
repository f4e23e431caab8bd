from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import Measure
from daemon.risk.policy import Action, Confirmation, Ladder, Level, MarginPolicy, Mode, ReductionLimits


def ladder(warning: str, critical: str, liquidation: str) -> Ladder:
    return Ladder(warning=Decimal(warning), critical=Decimal(critical), liquidation=Decimal(liquidation))


@pytest.mark.parametrize(
    "thresholds",
    [
        ("0.9", "0.8", "0.7"),
        ("0.7", "0.7", "0.9"),
        ("0", "0.8", "0.9"),
        ("0.7", "0.8", "1"),
        ("70", "80", "90"),
    ],
    ids=["falling", "warning = critical", "warning = 0", "liquidation = 1", "percent"],
)
def test_thresholds_that_do_not_rise_between_0_and_1_are_refused(thresholds: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match="rise strictly"):
        ladder(*thresholds)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"hysteresis": Decimal("-0.01")}, "hysteresis"),
        ({"hysteresis": Decimal("0.70")}, "hysteresis"),
        ({"target_utilization": Decimal("0.87")}, "target"),
        ({"target_maintenance": Decimal(0)}, "target"),
        ({"max_leverage": Decimal(0)}, "leverage"),
        ({"act_max_age": timedelta(0)}, "ages"),
        ({"alarm_max_age": timedelta(seconds=4)}, "ages"),
        ({"actions": {Level.SAFE: ()}}, "safe"),
        ({"actions": {Level.CRITICAL: (Action.FLATTEN,)}}, "flatten"),
        ({"actions": {Level.LIQUIDATION: (Action.REDUCE, Action.TOP_UP)}}, "order"),
        ({"actions": {Level.LIQUIDATION: (Action.REDUCE, Action.REDUCE)}}, "once"),
        (
            {"actions": {Level.CRITICAL: (Action.REDUCE,)}, "target_utilization": Decimal("0.78")},
            "below 0.77",
        ),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        MarginPolicy(**changes)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"step_fraction": Decimal(0)}, "step fraction"),
        ({"step_fraction": Decimal("1.1")}, "step fraction"),
        ({"orders_per_minute": 0}, "at least once"),
        ({"positions_per_step": 5, "orders_per_minute": 4}, "one step"),
        ({"orders_per_hour": 2}, "one step"),
        ({"orders_per_episode": 2}, "one step"),
        ({"market_every": -1}, "negative"),
        ({"slippage": Decimal("0.04")}, "slippage"),
        ({"max_slippage": Decimal(1)}, "slippage"),
        ({"fee_rate": Decimal(-1)}, "cost"),
        ({"expected_slippage": Decimal(1)}, "cost"),
    ],
)
def test_limits_under_which_nothing_or_anything_could_be_done_are_refused(
    changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        ReductionLimits(**changes)


@pytest.mark.parametrize(
    "changes", [{"critical_after": timedelta(seconds=-1)}, {"urgent_maintenance": Decimal(2)}]
)
def test_confirmation_refuses_negative_waits_and_urgent_ratios_above_1(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"negative|urgent"):
        Confirmation(**changes)


def test_the_defaults_are_the_documented_ladders() -> None:
    policy = MarginPolicy()

    assert policy.ladder(Measure.UTILIZATION) == ladder("0.70", "0.80", "0.90")
    assert policy.ladder(Measure.MAINTENANCE) == ladder("0.50", "0.65", "0.80")
    assert (policy.target(Measure.UTILIZATION), policy.target(Measure.MAINTENANCE)) == (
        Decimal("0.60"),
        Decimal("0.40"),
    )
    assert policy.actions_at(Level.WARNING) == ()
    assert policy.actions_at(Level.CRITICAL) == (Action.CANCEL_ORDERS,)
    assert policy.actions_at(Level.LIQUIDATION) == tuple(Action)
    assert policy.delevering_level is Level.LIQUIDATION


def test_the_stricter_of_two_modes_is_the_smaller() -> None:
    assert min(Mode.ENFORCE, Mode.ADVISE) is Mode.ADVISE
    assert min(Mode.ADVISE, Mode.OBSERVE) is Mode.OBSERVE
    assert [mode.label for mode in Mode] == ["observe", "advise", "enforce"]


def test_an_account_whose_actions_never_delever_has_no_delevering_level() -> None:
    policy = MarginPolicy(actions={Level.LIQUIDATION: (Action.CANCEL_ORDERS,)})

    assert policy.delevering_level is None


def test_slippage_widens_with_each_step_up_to_its_cap_and_every_fourth_goes_to_market() -> None:
    limits = ReductionLimits()

    assert [limits.slippage_at(step) for step in (0, 1, 5, 9)] == [
        Decimal("0.005"),
        Decimal("0.010"),
        Decimal("0.030"),
        Decimal("0.030"),
    ]
    assert [step for step in range(9) if limits.is_market_step(step)] == [3, 7]
    assert not any(ReductionLimits(market_every=0).is_market_step(step) for step in range(9))
