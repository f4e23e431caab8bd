import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from daemon.risk.answer import Act, Advise, Confirm, Hold
from daemon.risk.exposure import ExposureLimits, Remedy
from daemon.risk.policy import Action, Confirmation, Level, MarginPolicy, Mode
from daemon.risk.reason import Reason
from daemon.risk.standing import Alarm, TransitionKind

D = Decimal
BUILD = Any
KIND = TransitionKind
CAPPED = MarginPolicy(max_leverage=D(5), exposure=ExposureLimits(over_cap=Remedy.TRIM))


def over(build: BUILD, policy: MarginPolicy = CAPPED, equity: int = 9_000) -> Any:  # noqa: ANN401 - a watch
    """An account seen twice at 5.56, half a second apart."""
    watch = build.watch(policy)
    return watch.show(build.book(equity, seconds=0)).show(build.book(equity, seconds=0.5))


def test_one_look_over_the_cap_alarms_and_asks_for_another(build: BUILD) -> None:
    watch = build.watch(CAPPED).show(build.book(9_000, seconds=0))
    decision = watch.decide()

    assert watch.kinds == [KIND.LEVERAGE_OVER_CAP]
    assert watch.transitions[0].detail == "effective leverage 5.56, cap 5"
    assert isinstance(decision, Confirm)
    assert decision.after.total_seconds() == 0.4


def test_without_a_pause_between_them_there_are_still_two_looks(build: BUILD) -> None:
    policy = replace(CAPPED, confirmation=Confirmation(liquidation_after=timedelta(0)))
    watch = build.watch(policy).show(build.book(9_000, seconds=0))

    assert isinstance(watch.decide(), Confirm)
    assert isinstance(watch.show(build.book(9_000, seconds=0.01)).decide(), Act)


def test_the_second_look_confirms_and_the_unit_is_reduced_outside_any_episode(build: BUILD) -> None:
    watch = over(build)
    act = watch.decide()

    assert isinstance(act, Act)
    assert (act.action, act.reason, act.bound) == (
        Action.REDUCE,
        Reason.LEVERAGE_OVER_CAP,
        "leverage|account|",
    )
    assert (watch.alarm.episode, watch.level) == (None, Level.SAFE)


def test_once_confirmed_it_lasts_until_it_is_below_the_cap_less_hysteresis(build: BUILD) -> None:
    watch = over(build)
    for number, equity in enumerate((9_900, 10_000, 10_300), start=1):  # 5.05, 5, 4.854
        assert isinstance(watch.show(build.book(equity, seconds=number)).decide(), Act)
    watch.show(build.book(10_310, seconds=5))  # 4.8497

    assert watch.kinds == [KIND.LEVERAGE_WITHIN_CAP]
    assert isinstance(watch.decide(), Hold)
    assert watch.show(build.book(10_100, seconds=6)).kinds == []  # 4.95


def test_a_single_look_below_it_ends_it_and_it_must_be_confirmed_anew(build: BUILD) -> None:
    watch = over(build).show(build.book(11_000, seconds=1)).show(build.book(9_000, seconds=2))

    assert watch.kinds == [KIND.LEVERAGE_OVER_CAP]
    assert isinstance(watch.decide(), Confirm)


def test_a_gap_voids_the_confirmation(build: BUILD) -> None:
    watch = over(build).show(build.book(9_000, seconds=30))

    assert watch.kinds == []
    assert isinstance(watch.decide(), Confirm)
    assert isinstance(watch.show(build.book(9_000, seconds=31)).decide(), Act)


def test_a_picture_that_cannot_be_acted_upon_ends_nothing_and_confirms_nothing(build: BUILD) -> None:
    watch = build.watch(CAPPED).show(build.book(9_000, seconds=0)).show(build.book(9_000, seconds=1, age=6))
    assert watch.decide().reason is Reason.STALE
    watch.show(build.book(20_000, seconds=2, age=6))

    assert watch.kinds == []
    assert [breach.confirmed for breach in watch.alarm.units[0].breaches] == [False]


@pytest.mark.parametrize(
    ("mode", "kind", "reason"),
    [
        (Mode.OBSERVE, Hold, Reason.OBSERVE_MODE),
        (Mode.ADVISE, Advise, Reason.LEVERAGE_OVER_CAP),
        (Mode.ENFORCE, Act, Reason.LEVERAGE_OVER_CAP),
    ],
)
def test_the_mode_decides_what_is_done(*, build: BUILD, mode: Mode, kind: type, reason: Reason) -> None:
    decision = over(build).decide(mode)

    assert isinstance(decision, kind)
    assert decision.reason is reason
    assert "effective leverage 5.56, cap 5" in decision.facts.detail


def test_where_it_is_only_to_be_alarmed_nothing_is_done(build: BUILD) -> None:
    watch = over(build, replace(CAPPED, exposure=ExposureLimits(over_cap=Remedy.ALARM)))

    assert isinstance(watch.decide(), Hold)
    assert watch.decide().reason is Reason.CALM


def test_danger_to_the_margin_goes_before_the_cap(build: BUILD) -> None:
    watch = build.watch(CAPPED)
    rows = [build.Row(initial="0.17")]  # 8,500 of 9,000
    watch.show(build.book(9_000, rows, seconds=0)).show(build.book(9_000, rows, seconds=1))
    decision = watch.decide(cancellable_orders=0)

    assert isinstance(decision, Act)
    assert (decision.reason, decision.bound) == (Reason.LIQUIDATION_REACHED, None)


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        ({"orders_last_minute": 13}, Reason.ORDER_BUDGET),  # 13 + 3 is more than half of 30
        ({"trims_last_hour": 40}, Reason.TRIM_BUDGET),
        ({"halted": True}, Reason.HALTED),
        ({"unsettled": True}, Reason.SETTLING),
    ],
)
def test_budgets_of_its_own_hold_it_back(*, build: BUILD, context: dict[str, Any], reason: Reason) -> None:
    decision = over(build).decide(**context)

    assert isinstance(decision, Hold)
    assert (decision.reason, decision.instead_of) == (reason, Action.REDUCE)


def test_episodes_do_not_spend_its_budget_nor_it_theirs(build: BUILD) -> None:
    assert isinstance(over(build).decide(episodes_last_hour=100, steps={"account": 40}), Act)


def test_a_standing_survives_a_restart(build: BUILD) -> None:
    alarm = over(build).alarm
    again = Alarm.from_json(json.loads(json.dumps(alarm.to_json())))

    assert again == alarm
    assert again.units[0].breaches[0].confirmed


def test_a_standing_written_before_there_were_breaches_is_read(build: BUILD) -> None:
    written = over(build).alarm.to_json()
    for unit in written["units"]:
        del unit["breaches"]

    assert Alarm.from_json(written).units[0].breaches == ()
